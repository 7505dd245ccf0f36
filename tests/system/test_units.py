#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The service as systemd sees it: its units, and what the manager tells and takes from it."""

import contextlib
import os
import re
import shutil
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import tap
from guest import client_nic
from host import PrivateHost
from lab import PORT, mac
from process import ours, run
from wait import eventually, never

UNITS = "/usr/lib/systemd"
GUEST = f"""<domain type='qemu'><name>a</name><uuid>7c0b2a52-5f3f-4f0e-9a53-2d1f6a1d0c01</uuid>
<devices>{client_nic(PORT, mac(1))}</devices></domain>"""
NOTIFY = "/run/notify.sock"
EXPOSURE = 4.2     # of 10, as HACKING.md states it
PERIOD = 0.6                    # of the watchdog, in seconds


def analyze(*words):
    if not shutil.which("systemd-analyze"):
        tap.skip("systemd-analyze is not installed")
    return run(["systemd-analyze", "--no-pager", *words], check=False,
               env={"XDG_RUNTIME_DIR": "/run"})


def settings(kind, unit):
    """Key -> values, as the unit file has them."""
    found = {}
    with open(f"{UNITS}/{kind}/{unit}") as file:
        for key, value in re.findall(r"^(\w+)=(.*)$", file.read(), re.M):
            found.setdefault(key, []).append(value)
    return found


class Notify:
    """The receiving end of sd_notify(3)."""

    def __init__(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(NOTIFY)
        self.seen = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def look(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                self.seen += self.sock.recv(4096, socket.MSG_DONTWAIT).decode().split("\n")
        return self.seen

    def wait(self, word):
        eventually(lambda: word in self.look(), 10, f"{word} is said")


def test_units_verify(host):
    """systemd finds nothing to complain of in the units, the system's and a user's"""
    for kind, options in (("system", []), ("user", ["--user"])):
        for unit in ("netrelayd.service", "netrelayd.socket"):
            answer = analyze("verify", "--man=no", *options, f"{UNITS}/{kind}/{unit}")
            said = [line for line in (answer.stdout + answer.stderr).splitlines()
                    if "netrelay" in line]
            assert answer.returncode == 0 and not said, answer


def test_units_exposure(host):
    """What the service could reach of the host is as little as stated"""
    answer = analyze("security", "--offline=true", f"--threshold={int(EXPOSURE * 10)}",
                     f"{UNITS}/system/netrelayd.service")
    if "--offline" in answer.stderr:
        tap.skip("this systemd-analyze cannot look at files")
    assert answer.returncode == 0, answer.stdout[-300:] + answer.stderr
    assert "Unknown" not in answer.stderr, answer.stderr


def test_units_spare_the_relays(host):
    """Relays outlive the service, their directory stays, and nobody waits for libvirtd"""
    for kind in ("system", "user"):
        unit = settings(kind, "netrelayd.service")
        assert unit["Type"] == ["notify"] and unit["KillMode"] == ["process"], unit
        assert unit["NotifyAccess"] == ["main"] and int(unit["FileDescriptorStoreMax"][0]) >= 4096
        assert unit["RuntimeDirectoryPreserve"] == ["yes"] and unit["OOMPolicy"] == ["continue"]
        after = " ".join(unit.get("After", []) + unit.get("Requires", []) + unit.get("Wants", []))
        assert "libvirt" not in after and "virtqemud" not in after, after
    before = settings("system", "netrelayd.service")["Before"][0].split()
    assert {"libvirtd.service", "virtqemud.service", "libvirt-guests.service"} <= set(before)


def test_ready_without_libvirt(host):
    """It is ready when the hook's socket answers, with no libvirtd on the host"""
    with Notify() as notify:
        daemon = host.netrelayd(env={"NOTIFY_SOCKET": NOTIFY})
        notify.wait("READY=1")
        daemon.stop()
        notify.wait("STOPPING=1")


def test_watchdog_is_the_main_loop(host):
    """The watchdog hears the main loop: a manager that is frozen is silent, and comes back"""
    with Notify() as notify:
        daemon = host.netrelayd(env={"NOTIFY_SOCKET": NOTIFY,
                                     "WATCHDOG_USEC": str(int(PERIOD * 1000000))})
        began = time.monotonic()
        eventually(lambda: notify.look().count("WATCHDOG=1") >= 4, 10, "four pings")
        assert time.monotonic() - began > PERIOD, "pings more often than needed"
        daemon.freeze()
        notify.look()
        notify.seen.clear()
        never(lambda: "WATCHDOG=1" in notify.look(), 2 * PERIOD, "a ping of a frozen manager")
        daemon.thaw()
        notify.wait("WATCHDOG=1")
        daemon.stop()


def test_no_watchdog_no_pings(host):
    """Without a watchdog, or with one that is another process's, there are no pings"""
    with Notify() as notify:
        daemon = host.netrelayd(env={"NOTIFY_SOCKET": NOTIFY, "WATCHDOG_PID": "1",
                                     "WATCHDOG_USEC": "30000"})
        notify.wait("READY=1")
        host.netrelayctl("status")
        daemon.stop()
        notify.wait("STOPPING=1")
        assert "WATCHDOG=1" not in notify.seen


def test_socket_of_systemd(host):
    """The socket that systemd made is the one that answers, and stays at the end"""
    if not shutil.which("systemd-socket-activate"):
        tap.skip("systemd-socket-activate is not installed")
    os.makedirs("/run/netrelay")
    daemon = host.netrelayd(wrapper=["systemd-socket-activate", "--seqpacket",
                                     f"--listen={host.hook_socket}"])
    inode = os.stat(host.hook_socket).st_ino
    host.netrelayctl("hook", "prepare", "--", "a", text_in=GUEST)
    assert ours("netrelay"), "the hook was not answered by the manager"
    host.netrelayctl("hook", "release", "--", "a", text_in=GUEST)
    daemon.stop()
    assert os.stat(host.hook_socket).st_ino == inode, "made anew"


if __name__ == "__main__":
    tap.main(PrivateHost())
