#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The Debian package: built, installed, upgraded, removed and purged in a clean Debian.

With libvirtd, guests, and systemd as process 1, so that what the units forbid is forbidden.
"""

import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import install                      # noqa: E402
import tap                          # noqa: E402
from debian import Debian, make_clean    # noqa: E402
from wait import eventually         # noqa: E402

PACKAGES = ("systemd systemd-sysv dbus libvirt-daemon-system libvirt-clients qemu-system-x86 "
            "iproute2")
INSTALL = "apt-get install -q -y --no-install-recommends"
DROP_IN = "/run/systemd/system/netrelayd.service.d"
IMAGES = "/var/lib/libvirt/images"
GUEST = f"""<domain type='qemu'><name>{{name}}</name><memory unit='MiB'>192</memory>
<os><type arch='x86_64'>hvm</type><kernel>{IMAGES}/vmlinuz</kernel>
<initrd>{IMAGES}/initrd.img</initrd>
<cmdline>console=ttyS0 quiet nr.name={{name}} nr.eth0=10.9.0.{{number}}/24</cmdline></os>
<devices><serial type='file'><source path='/var/log/libvirt/qemu/{{name}}.serial'/></serial>
<interface type='client'><mac address='52:54:00:00:00:0{{number}}'/>
<source address='127.0.0.1' port='12345'/><model type='virtio'/></interface></devices></domain>"""
LAB = """<network><name>lab</name><listen address='127.0.0.1' port='12345'/>
<bridge name='br0'/></network>"""
TREE = "/root/netrelay"
SETTINGS = "/etc/netrelay/netrelayd.conf"
QUICKSTART = f"cd {TREE} && NETRELAY_BUILD=$(echo {TREE}/obj-*) contrib/quickstart.sh"
TRACES = ("find / -xdev -name '*netrelay*' -not -path '/root/*' -not -path '/proc/*' "
          "-not -path '/var/cache/*' -not -path '/var/log/*' -not -path '/sys/*'")


class Surroundings(tap.Surroundings):
    """Needs root; the clean Debian is kept for the next run."""

    def open(self):
        if os.geteuid() != 0:
            raise tap.Skip("needs root")
        install.make_guest()
        self.clean = make_clean(os.environ.get("NETRELAY_CLEAN", f"{install.BUILD}/clean-debian"))

    def enter(self):
        self.made = []
        return {"debian": self.debian}

    def debian(self, name):
        made = Debian(self.clean, f"{install.BUILD}/package-{name}")
        self.made.append(made)
        return made

    def diagnostics(self):
        for made in self.made:
            if made.first:
                yield from made.sh("journalctl --no-pager -n 120", check=False).splitlines()

    def leave(self):
        for made in self.made:
            made.end()


def put_tree(root):
    """What git has of this tree."""
    listed = subprocess.run(["git", "-C", install.TREE, "ls-files", "-z"], check=True,
                            capture_output=True, text=True).stdout
    for name in listed.split("\0")[:-1]:
        target = f"{root}{TREE}/{name}"
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy2(f"{install.TREE}/{name}", target, follow_symlinks=False)


class TestPackage:
    """One after the other, as it goes in life."""

    def setup(self, debian):
        self.clean = debian("build")
        self.host = debian("host")

    @tap.timeout(1800)
    def test_builds(self):
        """The documented commands make a package with which lintian finds no fault"""
        put_tree(self.clean.root)
        self.clean.chroot(f"apt-get update -q && cd {TREE} && "
                          "contrib/install-packages.sh build package && "
                          "DEB_BUILD_OPTIONS=parallel=2 dpkg-buildpackage -us -uc -b",
                          deadline=1500)
        said = self.clean.chroot("lintian --allow-root /root/*.changes", check=False)
        assert not re.search(r"^E: ", said, re.M), said
        built = [name for name in os.listdir(f"{self.clean.root}/root")
                 if re.match(r"netrelay_.*\.deb$", name)]
        shutil.copy(f"{self.clean.root}/root/{built[0]}", f"{self.host.root}/root/netrelay.deb")
        shutil.copytree(self.clean.root + TREE, self.host.root + TREE, symlinks=True)

    @tap.timeout(600)
    def test_without_systemd(self):
        """Installs and purges where nothing runs, and leaves no trace"""
        self.host.chroot(f"apt-get update -q && {INSTALL} /root/netrelay.deb")
        self.host.chroot("netrelayctl --version && getent passwd netrelay")
        self.host.chroot("apt-get purge -q -y netrelay && ! getent passwd netrelay")
        assert not self.host.chroot(TRACES).strip()

    @tap.timeout(900)
    def test_installs_beside_libvirt(self):
        """Enabled, active and confined; a libvirtd that runs learns of the hook"""
        self.host.chroot(f"{INSTALL} {PACKAGES}")
        for name in ("vmlinuz", "initrd.img"):
            shutil.copy(f"{install.GUEST}/{name}", self.host.root + IMAGES)
        self.host.boot()
        self.host.sh("systemctl start libvirtd && virsh -q list")
        self.host.sh(f"{INSTALL} /root/netrelay.deb")
        self.active()
        self.host.sh("ip link add br0 type bridge && ip addr add 10.9.0.100/24 dev br0 && "
                     "ip link set br0 up")
        for number in (1, 2):
            self.write("/root/guest.xml", GUEST.format(name=f"vm{number}", number=number))
            self.host.sh("virsh -q define /root/guest.xml")
        self.in_the_lab("vm1", "vm2")
        self.reached(1)

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
        assert " upgraded\n" in said and "not upgraded" not in said, said
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
        assert not self.host.sh(TRACES).strip()
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
        assert self.relays() == relays
        assert not self.host.sh(f"grep older {SETTINGS}", check=False)
        assert not self.host.sh("find /usr/share/man -name 'netrelay*' -not -name '*.gz'")
        self.host.sh(f"{QUICKSTART} --remove")
        self.connected("vm1", "vm2")
        self.host.sh("virsh -q destroy vm1 && virsh -q destroy vm2 && "
                     "apt-get purge -q -y netrelay")
        eventually(lambda: not self.relays(), 30, "the network's relay ends")
        assert not self.host.sh(TRACES).strip()
        self.nothing_failed()

    # What is done, and looked at, again and again

    def grow_old(self, path):
        """As quickstart would have installed it from another tree."""
        self.host.sh(f"old=$(sha256sum <{path}) && echo '# older' >>{path} && "
                     f"new=$(sha256sum <{path}) && "
                     "sed -i \"s/^f ${old%% *}/f ${new%% *}/\" /var/lib/netrelay/manifest")

    def in_the_lab(self, *names):
        self.write("/etc/netrelay/networks/lab.xml", LAB)
        for name in names:
            self.host.sh(f"virsh -q start {name}")
        self.connected(*names)

    def nothing_failed(self):
        failed = self.host.sh("systemctl --failed --plain --no-legend")
        assert "netrelay" not in failed, failed

    def write(self, path, text):
        with open(self.host.root + path, "w") as file:
            file.write(text)

    def active(self):
        for unit in ("netrelayd.service", "netrelayd.socket"):
            eventually(lambda unit=unit: self.host.sh(f"systemctl is-active {unit}",
                                                      check=False).strip() == "active",
                       20, f"{unit} is active")

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

    def manager(self):
        return self.host.sh("systemctl show -P MainPID netrelayd").strip()

    def relays(self):
        """The keepers' process ids, each in a line."""
        return self.host.sh("for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline 2>/dev/null | "
                            "grep -q '^netrelay --managed' && echo $p; done; :").split()


if __name__ == "__main__":
    tap.main(Surroundings())
