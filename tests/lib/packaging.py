# SPDX-License-Identifier: GPL-2.0-or-later
"""The Debian package, made in a Debian of its own, and hosts with libvirt to install it on."""

import hashlib
import os
import re
import shutil
import subprocess

import install
from debian import Debian, make_clean
from tap import Skip, Surroundings
from wait import eventually

TREE = "/root/netrelay"             # where the source is, inside
IMAGES = "/var/lib/libvirt/images"
INSTALL = "apt-get install -q -y --no-install-recommends"
HOST_PACKAGES = ("systemd systemd-sysv dbus libvirt-daemon-system libvirt-clients "
                 "qemu-system-x86 iproute2")
GUEST = f"""<domain type='qemu'><name>{{name}}</name><memory unit='MiB'>192</memory>
<os><type arch='x86_64'>hvm</type><kernel>{IMAGES}/kernel</kernel>
<initrd>{IMAGES}/initrd.img</initrd>
<cmdline>console=ttyS0 quiet nr.name={{name}} {{arguments}}</cmdline></os>
<devices><serial type='file'><source path='/var/log/libvirt/qemu/{{name}}.serial'/></serial>
<interface type='client'><mac address='52:54:00:00:00:0{{number}}'/>
<source address='127.0.0.1' port='{{l4_port}}'/><model type='virtio'/></interface></devices>
</domain>"""
TRACES = ("find / -xdev -name '*netrelay*' -not -path '/root/*' -not -path '/proc/*' "
          "-not -path '/var/cache/*' -not -path '/var/log/*' -not -path '/sys/*'")
MAKE = (f"apt-get update -q && cd {TREE} && contrib/install-packages.sh build package && "
        "DEB_BUILD_OPTIONS='parallel=2 {options}' dpkg-buildpackage -us -uc -b")


def git(*words, **more):
    return subprocess.run(["git", "-C", install.TREE, *words], check=True, capture_output=True,
                          **more).stdout


def files_of_tree():
    """What git has of this tree, as it is now."""
    return git("ls-files", "-z", text=True).split("\0")[:-1]


def stamp():
    """A word that is another one for each content of this tree."""
    found = hashlib.sha256()
    for name in files_of_tree():
        found.update(name.encode())
        if not os.path.islink(f"{install.TREE}/{name}"):
            with open(f"{install.TREE}/{name}", "rb") as file:
                found.update(hashlib.sha256(file.read()).digest())
    return found.hexdigest()[:16]


def commit_before(days=1):
    """The last commit that is so much older than this tree's, or else the first with a package."""
    newest = int(git("log", "-1", "--format=%ct"))
    older = git("rev-list", "-1", f"--before={newest - days * 86400}", "HEAD", "--", "debian",
                text=True).strip()
    return older or git("rev-list", "--reverse", "HEAD", "--", "debian", text=True).split()[0]


def put_tree(root, commit=None):
    """This tree as it is now, or as a commit has it."""
    if commit:
        os.makedirs(f"{root}{TREE}")
        subprocess.run(["tar", "-x", "-C", f"{root}{TREE}"], input=git("archive", commit),
                       check=True)
        return
    for name in files_of_tree():
        target = f"{root}{TREE}/{name}"
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy2(f"{install.TREE}/{name}", target, follow_symlinks=False)


def define_guest(host, number, arguments, l4_port=12345):
    """vmN, with one NIC that dials; `arguments` are those of tests/guest/init."""
    with open(f"{host.root}/root/guest.xml", "w") as file:
        file.write(GUEST.format(name=f"vm{number}", number=number, arguments=arguments,
                                l4_port=l4_port))
    host.sh("virsh -q define /root/guest.xml")


class Installed:
    """What is asked of a booted host with the package on it, `self.host`."""

    def write(self, path, text):
        with open(self.host.root + path, "w") as file:
            file.write(text)

    def active(self):
        for unit in ("netrelayd.service", "netrelayd.socket"):
            eventually(lambda unit=unit: self.host.sh(f"systemctl is-active {unit}",
                                                      check=False).strip() == "active",
                       20, f"{unit} is active")

    def manager(self):
        return self.host.sh("systemctl show -P MainPID netrelayd").strip()

    def relays(self):
        """The keepers' process ids."""
        return self.host.sh("for p in /proc/[0-9]*; do tr '\\0' ' ' <$p/cmdline 2>/dev/null | "
                            "grep -q '^netrelay --managed' && echo $p; done; :").split()

    def no_trace(self):
        eventually(lambda: not self.host.sh(TRACES).strip(), 20, "no trace is left")

    def nothing_failed(self):
        failed = self.host.sh("systemctl --failed --plain --no-legend")
        assert "netrelay" not in failed, failed


def make_package(clean, options=""):
    """By the documented commands, of the tree that was put there; returns the file."""
    clean.chroot(MAKE.format(options=options), deadline=1500)
    built, = [name for name in os.listdir(f"{clean.root}/root")
              if re.match(r"netrelay_.*\.deb$", name)]
    return f"{clean.root}/root/{built}"


class Packaging(Surroundings):
    """Needs root; the clean Debian is kept for the next run, and so are packages that were made."""

    def open(self):
        if os.geteuid() != 0:
            raise Skip("needs root")
        install.make_guest()
        self.clean = make_clean(os.environ.get("NETRELAY_CLEAN", f"{install.BUILD}/clean-debian"))

    def enter(self):
        self.made = []
        return {"debian": self.debian, "host": self.host, "package": self.package,
                "keep": self.keep}

    def debian(self, name):
        made = Debian(self.clean, f"{install.BUILD}/package-{name}")
        self.made.append(made)
        return made

    def host(self, name, package, more=""):
        """One with libvirt and the tests' guest, which has not been booted. Once it is, it cannot
        download any more: what the package depends on is there."""
        made = self.debian(name)
        shutil.copy(package, f"{made.root}/root/netrelay.deb")
        made.chroot(f"apt-get update -q && {INSTALL} {HOST_PACKAGES} {more} && "
                    f"{INSTALL} --download-only /root/netrelay.deb")
        for file in ("kernel", "initrd.img"):
            shutil.copy(f"{install.GUEST}/{file}", made.root + IMAGES)
        return made

    @staticmethod
    def kept(word):
        return f"{install.BUILD}/netrelay-{word}.deb"

    def keep(self, package):
        """One of this tree as it is now, for those who need no more than that it is there."""
        shutil.copy(package, self.kept(stamp()))

    def package(self, commit=None):
        """One of this tree, or of a commit, which was made before, or is made without its tests.
        NETRELAY_DEB may name it in place of the tree's."""
        kept = commit is None and os.environ.get("NETRELAY_DEB") or self.kept(commit or stamp())
        if not os.path.exists(kept):
            clean = self.debian("kept")
            put_tree(clean.root, commit)
            shutil.copy(make_package(clean, "nocheck"), kept)
            clean.end()
            self.made.remove(clean)
        return kept

    def diagnostics(self):
        for made in self.made:
            if made.first:
                yield from made.sh("journalctl --no-pager -n 120", check=False).splitlines()

    def leave(self):
        for made in self.made:
            made.end()
