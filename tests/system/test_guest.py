#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The test house itself: private hosts, libvirtd, guests. Nothing of the product is used here."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import links                        # noqa: E402
import tap                          # noqa: E402
from guest import udp_nic           # noqa: E402
from host import PrivateHost        # noqa: E402
from process import listing, run    # noqa: E402
from wait import eventually         # noqa: E402


def test_host_is_private(host):
    """changes to links, files and processes are the test's own"""
    assert links.names() == [], links.names()
    assert sorted(listing()) == sorted({1, os.getpid()}), listing()
    assert not os.path.exists("/dev/kvm")
    assert sorted(os.listdir("/run")) == sorted(seen_in_run(host)), os.listdir("/run")
    for path in ("/usr/bin/of-this-test", "/etc/of-this-test", "/var/lib/of-this-test"):
        assert not os.path.exists(path), path
        links.write(path, "")
    links.add_bridge("br0", ["10.1.0.1/24", "fd01::1/64"], mtu=9000)
    assert links.read("br0", "mtu") == "9000"
    assert run(["hostname"]).stdout.strip() == "testhost"
    assert host.leftovers(foreign=["br0"]) == {"processes": [], "links": [], "files": []}


def seen_in_run(host):
    """What the test house itself keeps there, and nothing of the machine's."""
    return [os.path.basename(host.directory), "test-host", "test-logs"]


def test_next_host_is_new(host):
    """nothing of the test before is here"""
    assert host.leftovers()["links"] == []
    for path in ("/usr/bin/of-this-test", "/etc/of-this-test", "/var/lib/of-this-test"):
        assert not os.path.exists(path), path


class TestGuest:
    """One guest without NICs, from boot to power-off."""

    def setup(self, host):
        self.host = host
        host.libvirtd()
        self.guest = host.guest("a 'guest' & co", run="echo hello; exit 7")

    def test_boots_in_time(self):
        """libvirtd starts a guest, which is up within 10 s and runs its command"""
        started = self.guest.boot(deadline=10)
        assert started.rc == 0 and started.stderr == "", started
        assert self.guest.wait_exit(5) == 7
        assert "hello" in self.guest.log_text()

    def test_shell_answers(self):
        """commands run inside the guest give their exit code and output"""
        assert self.guest.sh("echo one; echo two >&2; exit 3") == (3, "one\ntwo\n")
        assert self.guest.sh("cat") == (0, "")
        code, output = self.guest.sh("seq 20000")
        assert (code, output.splitlines()[-1]) == (0, "20000")
        assert self.guest.sh("sleep 30", deadline=1)[0] != 0

    def test_survives_libvirtd(self):
        """a libvirtd that is killed, and one that is restarted, find the guest again"""
        libvirtd = self.host.libvirtd()
        libvirtd.kill()
        libvirtd.start()
        assert self.guest.state() == "running"
        libvirtd.restart()
        assert self.guest.state() == "running"
        assert self.guest.must("echo still here") == "still here\n"

    def test_frozen_libvirtd(self):
        """a frozen libvirtd answers nobody until it is thawed"""
        libvirtd = self.host.libvirtd()
        libvirtd.freeze()
        try:
            self.guest.connection.virsh("list", deadline=1)
            raise AssertionError("a frozen libvirtd answered")
        except subprocess.TimeoutExpired:
            pass
        finally:
            libvirtd.thaw()
        assert self.guest.state() == "running"

    def test_ends(self):
        """destroy ends it, and it can be started again and power itself off"""
        self.guest.destroy()
        assert self.guest.state() == "shut off"
        self.guest.boot()
        self.guest.sh("(sleep 0.2; poweroff -f) &")
        eventually(lambda: self.guest.state() == "shut off", 10, "the guest is off")


def mirrored_pair(connection):
    """Two guests whose udp NICs send to one another directly."""
    first = connection.guest("first", [udp_nic(5601, 5602, "52:54:00:00:00:01")],
                             addresses=["10.0.0.1/24,fd00::1/64"])
    second = connection.guest("second", [udp_nic(5602, 5601, "52:54:00:00:00:02")],
                              addresses=["10.0.0.2/24,fd00::2/64"])
    first.start()
    second.start()
    first.wait_up()
    second.wait_up()
    return first, second


def ping_across(first, second):
    first.reaches("10.0.0.2")
    second.reaches("fd00::1")
    flow = first.start_pings("10.0.0.2", interval=0.05)
    flow.wait_replies(20)
    sent, received = flow.stop()
    assert sent == received and sent >= 20, (sent, received)
    assert second.ping("10.0.0.1", count=3) == (3, 3)
    assert second.ping("10.0.0.9", count=1) == (1, 0)


def test_pair_pings(host):
    """two guests of the system with a mirrored udp pair ping each other, IPv4 and IPv6"""
    host.libvirtd()
    ping_across(*mirrored_pair(host))


def test_session_pair_pings(host):
    """the same in a session of an unprivileged user"""
    session = host.session("tester")
    ping_across(*mirrored_pair(session))
    assert "qemu-system-x86_64" in run(["ps", "-u", "tester", "-o", "args"]).stdout


def test_session_with_runtime_directory(host):
    """a session with XDG_RUNTIME_DIR has its sockets there"""
    session = host.session("tester", runtime_dir=True)
    guest = session.guest("one")
    guest.boot()
    assert os.path.exists(f"{session.runtime}/libvirt/libvirt-sock")


if __name__ == "__main__":
    tap.main(PrivateHost(product=False))
