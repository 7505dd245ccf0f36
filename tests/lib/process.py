# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs that a test starts, and what of ours is running."""

import os
import pwd
import signal
import socket
import subprocess

import sanitizer
from wait import PATIENCE, eventually

OURS = ("netrelay", "netrelayd", "netrelayctl", "netrelay-user", "netrelay-vde")


def environment_of(user, extra=None):
    """What a login shell of that user would have, and nothing of the test's own."""
    entry = pwd.getpwnam(user)
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "HOME": entry.pw_dir,
           "USER": user, "LOGNAME": user, "SHELL": "/bin/sh", **sanitizer.environment()}
    env.update(extra or {})
    return env


def identity_of(user):
    """The arguments of subprocess that make a program run as that user."""
    if user == "root":
        return {}
    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid,
            "extra_groups": os.getgrouplist(user, entry.pw_gid)}


def run(argv, user="root", env=None, deadline=60, check=True, text_in=None):
    """Runs a program to its end; returns subprocess's result with stdout and stderr as text."""
    result = subprocess.run(argv, input=text_in if text_in is not None else "", text=True,
                            capture_output=True, timeout=deadline * PATIENCE, cwd="/",
                            env=environment_of(user, env), **identity_of(user))
    if check and result.returncode != 0:
        raise AssertionError(f"{' '.join(argv)}: exit {result.returncode}\n"
                             f"{result.stdout}{result.stderr}")
    return result


class Daemon:
    """A program that stays up, its log in a file. `ready` says whether it answers."""

    def __init__(self, name, argv, log, ready, user="root", env=None, pass_fds=()):
        self.name = name
        self.argv = argv
        self.log = log
        self.ready = ready
        self.user = user
        self.env = env
        self.pass_fds = pass_fds
        self.process = None

    @property
    def pid(self):
        return self.process.pid

    def launch(self):
        """Starts it without waiting."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                pass_fds=self.pass_fds,
                env=environment_of(self.user, self.env), **identity_of(self.user))
        return self

    def start(self, deadline=20):
        self.launch()
        eventually(lambda: self.ready() or self.ended(), deadline, f"{self.name} answers")
        if self.ended():
            raise AssertionError(f"{self.name} ended with {self.process.returncode}:\n"
                                 f"{tail(self.log)}")
        return self

    def ended(self):
        return self.process is not None and self.process.poll() is not None

    def running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self, deadline=20):
        """SIGTERM; returns its exit code."""
        if self.running():
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        return self.process.wait(deadline)

    def kill(self):
        """SIGKILL; back when it is gone."""
        self.process.kill()
        return self.process.wait(10)

    def freeze(self):
        """SIGSTOP: alive, and answers nobody."""
        self.signal(signal.SIGSTOP)

    def thaw(self):
        self.signal(signal.SIGCONT)

    def restart(self, deadline=20):
        self.stop(deadline)
        return self.start(deadline)

    def text(self):
        """All of its log."""
        with open(self.log, errors="replace") as log:
            return log.read()


def tail(path, lines=40):
    try:
        with open(path, errors="replace") as text:
            return "".join(text.readlines()[-lines:])
    except OSError as error:
        return f"({error})"


def accepts(path, kind=socket.SOCK_STREAM):
    """Whether somebody listens on a UNIX socket."""
    with socket.socket(socket.AF_UNIX, kind) as probe:
        probe.settimeout(1)
        try:
            probe.connect(path)
            return True
        except OSError:
            return False


def listing():
    """pid -> name of the program file, for every living process we may look at."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                path = os.readlink(f"/proc/{entry}/exe").removesuffix(" (deleted)")
                found[int(entry)] = os.path.basename(path)
            except OSError:
                pass                # gone, or a zombie
    return found


def ours(*names):
    """Sorted PIDs of the product's processes, or of those with the given program names."""
    return sorted(pid for pid, name in listing().items() if name in (names or OURS))


def kill_all(*names):
    """SIGKILL to all of them at once; back when they are gone."""
    for pid in ours(*names):
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: not ours(*names), 10, f"{names or OURS} killed")
