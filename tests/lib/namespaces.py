# SPDX-License-Identifier: GPL-2.0-or-later
"""unshare(2), mount(2) and a PID namespace whose processes die together."""

import ctypes
import os
import signal

NEWNS = 0x00020000
NEWUTS = 0x04000000
NEWIPC = 0x08000000
NEWUSER = 0x10000000
NEWPID = 0x20000000
NEWNET = 0x40000000

MS_NOSUID, MS_NODEV, MS_NOEXEC = 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18

PR_SET_PDEATHSIG = 1

libc = ctypes.CDLL(None, use_errno=True)


def check(result, what):
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def unshare(flags):
    check(libc.unshare(flags), "unshare")


def mount(source, target, fstype, flags=0, options=""):
    check(libc.mount(source.encode(), target.encode(), fstype.encode(),
                     ctypes.c_ulong(flags), options.encode()), f"mount {fstype} on {target}")


def bind(source, target):
    mount(source, target, "none", MS_BIND | MS_REC)


def make_mounts_private():
    """What is mounted from here on is seen by nobody outside of this mount namespace."""
    mount("none", "/", "none", MS_REC | MS_PRIVATE)


def set_host_name(name):
    check(libc.sethostname(name.encode(), len(name)), "sethostname")


def die_with_parent():
    check(libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")


def enter_pid_namespace():
    """Goes on as a child in a new PID namespace; when that child ends, all its processes do.

    Three processes come of it: the caller waits outside, PID 1 reaps orphans, and the one that
    returns from here runs the test. Only that one returns.
    """
    unshare(NEWPID)
    init = os.fork()
    if init != 0:
        os._exit(exit_code_of(init))
    die_with_parent()
    body = os.fork()
    if body != 0:
        reap_until(body)
    die_with_parent()


def exit_code_of(pid):
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def reap_until(body):
    """PID 1: orphans come to us; our end is the end of everything in the namespace."""
    while True:
        pid, status = os.wait()
        if pid == body:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)
