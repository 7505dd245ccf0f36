#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The Debian package: built, installed, upgraded, removed and purged in a clean Debian.

With libvirtd, guests, and systemd as process 1, so that what the units forbid is forbidden.
"""

import os
import re
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import tap                          # noqa: E402
from packaging import (INSTALL, TRACES, TREE, Installed, Packaging, commit_before,   # noqa: E402
                       define_guest, make_package, put_tree)
from wait import eventually         # noqa: E402

DROP_IN = "/run/systemd/system/netrelayd.service.d"
LAB = """<network><name>lab</name><listen address='127.0.0.1' port='12345'/>
<bridge name='br0'/></network>"""
SETTINGS = "/etc/netrelay/netrelayd.conf"
QUICKSTART = f"cd {TREE} && NETRELAY_BUILD=$(echo {TREE}/obj-*) contrib/quickstart.sh"


class InTheLab(Installed):
    """Two guests on the bridge br0, by a network with a name."""

    def make_lab(self):
        self.host.sh("ip link add br0 type bridge && ip addr add 10.9.0.100/24 dev br0 && "
                     "ip link set br0 up")
        for number in (1, 2):
            define_guest(self.host, number, f"nr.eth0=10.9.0.{number}/24")
        self.in_the_lab("vm1", "vm2")
        self.reached(1)

    def in_the_lab(self, *names):
        self.write("/etc/netrelay/networks/lab.xml", LAB)
        eventually(lambda: re.search(r"^lab .* listening ",
                                     self.host.sh("netrelayctl status", check=False), re.M),
                   20, "the network listens")     # an older manager may see its file late
        for name in names:
            self.host.sh(f"virsh -q start {name}")
        self.connected(*names)

    def connected(self, *names):
        def all_are():
            said = self.host.sh("netrelayctl status", check=False)
            return all(re.search(rf"^lab .* {name} .* connected ", said, re.M) for name in names)
        eventually(all_are, 20, f"{names} are connected")

    def reached(self, number):
        """The host resolves the guest's address through the bridge; it has no ping."""
        address = f"10.9.0.{number}"
        probe = (f"ip neigh flush dev br0; timeout 1 bash -c 'echo >/dev/tcp/{address}/9'; "
                 f"ip neigh show {address}")
        eventually(lambda: "lladdr" in self.host.sh(probe, check=False), 60, f"{address} answers")


class TestPackage(InTheLab):
    """One after the other, as it goes in life."""

    def setup(self, debian, host, keep):
        self.clean = debian("build")
        self.make_debian, self.make_host, self.keep = debian, host, keep

    @tap.timeout(1800)
    def test_builds(self):
        """The documented commands make a package with which lintian finds no fault"""
        put_tree(self.clean.root)
        built = make_package(self.clean)
        said = self.clean.chroot("lintian --allow-root /root/*.changes", check=False)
        assert not re.search(r"^[EW]: ", said, re.M), said
        self.keep(built)
        self.package = built

    @tap.timeout(600)
    def test_without_systemd(self):
        """Installs and purges where nothing runs, and leaves no trace"""
        bare = self.make_debian("bare")
        shutil.copy(self.package, f"{bare.root}/root/netrelay.deb")
        bare.chroot(f"apt-get update -q && {INSTALL} /root/netrelay.deb")
        bare.chroot("netrelayctl --version && getent passwd netrelay")
        bare.chroot("apt-get purge -q -y netrelay && ! getent passwd netrelay")
        assert not bare.chroot(TRACES).strip()
        bare.end()                  # here there is time for it

    @tap.timeout(900)
    def test_installs_beside_libvirt(self):
        """Enabled, active and confined; a libvirtd that runs learns of the hook"""
        self.host = self.make_host("host", self.package)
        shutil.copytree(self.clean.root + TREE, self.host.root + TREE, symlinks=True)
        self.clean.end()
        self.host.boot()
        self.host.sh("systemctl start libvirtd && virsh -q list")
        self.host.sh(f"{INSTALL} /root/netrelay.deb")
        self.active()
        self.make_lab()

    @tap.timeout(120)
    def test_watchdog(self):
        """A manager that hangs is replaced, and no guest notices"""
        self.host.sh(f"mkdir -p {DROP_IN} && printf '[Service]\\nWatchdogSec=1s\\n' "
                     f">{DROP_IN}/soon.conf && systemctl daemon-reload && "
                     "systemctl restart netrelayd")
        self.host.sh("kill -STOP $(systemctl show -P MainPID netrelayd)")
        eventually(lambda: self.host.sh("systemctl show -P NRestarts netrelayd").strip() != "0",
                   20, "the manager is replaced")
        self.active()
        self.connected("vm1", "vm2")
        self.host.sh(f"rm -r {DROP_IN} && systemctl daemon-reload")

    @tap.timeout(120)
    def test_upgrade(self):
        """An upgrade restarts the manager and replaces relays, and no guest notices"""
        relays = self.relays()
        said = self.host.sh(f"{INSTALL} --reinstall /root/netrelay.deb")
        self.active()
        self.connected("vm1", "vm2")
        assert "Network lab upgraded\n" in said, said
        assert len(self.relays()) == len(relays) and not set(self.relays()) & set(relays)

    @tap.timeout(300)
    def test_removed_and_back(self):
        """Removed under guests, which are named and keep their network; installed again"""
        self.host.sh("virsh -q destroy vm2")
        relays = self.relays()
        said = self.host.sh("apt-get remove -q -y netrelay")
        assert "until they are stopped:\n  vm1\n" in said, said
        assert "activated by" not in said, said
        self.host.sh("systemctl is-active netrelayd-retired.service")
        complaints = self.host.sh("journalctl -b | grep 'Cannot store'", check=False)
        assert not complaints, complaints
        self.reached(1)
        self.host.sh("virsh -q start vm2 && virsh -q destroy vm2")
        said = self.host.sh(f"{INSTALL} /root/netrelay.deb")
        assert "systemctl" not in said, said
        self.active()
        self.connected("vm1")
        assert len(self.relays()) == len(relays)

    @tap.timeout(300)
    def test_purged(self):
        """Purged under a guest: with the guest the last trace goes, and guests start as before"""
        self.host.sh("apt-get purge -q -y netrelay")
        self.reached(1)
        self.host.sh("virsh -q destroy vm1")
        eventually(lambda: not self.relays(), 30, "the last relay ends")
        eventually(lambda: not self.host.sh("ls -d /run/netrelay", check=False).startswith("/run"),
                   10, "its directory goes")
        self.no_trace()
        self.host.sh("virsh -q start vm2 && virsh -q destroy vm2")
        self.nothing_failed()

    @tap.timeout(900)
    def test_over_quickstart(self):
        """Over quickstart's of an older tree: its manager, settings and pages are exchanged"""
        self.host.chroot(f"cd {TREE} && contrib/install-packages.sh build run")
        self.host.sh(f"{QUICKSTART} --no-demo", 300)
        self.active()
        self.in_the_lab("vm1", "vm2")
        self.grow_old(SETTINGS)
        relays, before = self.relays(), self.manager()
        self.host.sh(f"{INSTALL} /root/netrelay.deb")
        self.active()
        assert self.manager() != before
        self.connected("vm1", "vm2")
        assert len(self.relays()) == len(relays) and not set(self.relays()) & set(relays)
        assert not self.host.sh(f"grep older {SETTINGS}", check=False)
        assert not self.host.sh("find /usr/share/man -name 'netrelay*' -not -name '*.gz'")
        self.host.sh(f"{QUICKSTART} --remove")
        self.connected("vm1", "vm2")
        self.host.sh("virsh -q destroy vm1 && virsh -q destroy vm2 && "
                     "apt-get purge -q -y netrelay")
        eventually(lambda: not self.relays(), 30, "the network's relay ends")
        self.no_trace()
        self.nothing_failed()

    # What is done, and looked at, again and again

    def grow_old(self, path):
        """As quickstart would have installed it from another tree."""
        self.host.sh(f"old=$(sha256sum <{path}) && echo '# older' >>{path} && "
                     f"new=$(sha256sum <{path}) && "
                     "sed -i \"s/^f ${old%% *}/f ${new%% *}/\" /var/lib/netrelay/manifest")


class TestUpgraded(InTheLab):
    """Over the package of an earlier commit, NETRELAY_PREVIOUS, or the last one a day before."""

    def setup(self, host, package):
        before = package(os.environ.get("NETRELAY_PREVIOUS") or commit_before())
        self.host = host("upgraded", before)
        shutil.copy(package(), f"{self.host.root}/root/new.deb")
        self.host.chroot(f"{INSTALL} --download-only /root/new.deb")
        self.host.boot()
        self.host.sh(f"systemctl start libvirtd && virsh -q list && {INSTALL} /root/netrelay.deb")
        self.make_lab()

    @tap.timeout(1800)
    def test_upgraded_under_guests(self):
        """Guests keep their links, whether or not relays of the version before can be replaced"""
        relays, before = self.relays(), self.manager()
        self.host.sh(f"{INSTALL} --reinstall /root/new.deb")
        self.active()
        assert self.manager() != before
        self.connected("vm1", "vm2")
        assert len(self.relays()) == len(relays)
        self.reached(1)
        self.reached(2)
        self.nothing_failed()

    @tap.timeout(300)
    def test_upgraded_and_killed(self):
        """Another manager of the new version has them, too, and a guest that starts anew"""
        relays = self.relays()
        self.host.sh("systemctl kill --kill-whom=main --signal=KILL netrelayd")
        self.active()
        self.connected("vm1", "vm2")
        self.host.sh("virsh -q destroy vm2 && virsh -q start vm2")
        self.connected("vm1", "vm2")
        assert self.relays() == relays
        self.reached(1)
        self.reached(2)


if __name__ == "__main__":
    tap.main(Packaging())
