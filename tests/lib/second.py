# SPDX-License-Identifier: GPL-2.0-or-later
"""A second host inside a private one, with a libvirtd of its own: where guests can migrate to."""

import os
import subprocess
import uuid

import links
from host import Connection
from namespaces import die_with_parent
from process import accepts, run
from wait import eventually

OURS, ITS = "10.77.0.1", "10.77.0.2"

# Its own /run, and what libvirt keeps; the cable's end comes later.
SETUP = """set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 run /run
mkdir -p {guests}
cp -a /etc/libvirt /run/libvirt-settings
rm -rf /run/libvirt-settings/qemu
sed -i 's/^host_uuid.*/host_uuid = "{uuid}"/' /run/libvirt-settings/libvirtd.conf
mount --bind /run/libvirt-settings /etc/libvirt
mount -t tmpfs -o mode=755 libvirt /var/lib/libvirt
hostname second
ip link set lo up
: >/run/ready
exec sleep infinity
"""


class SecondHost(Connection):
    """At the other end of a cable; as a connection it is that host's qemu:///system.

    Its files are the first one's but for /run and what libvirt keeps, so both read the same
    network files, unless it has_settings_of_its_own()."""

    def __init__(self, first):
        self.first = first
        self.holder = subprocess.Popen(
            ["unshare", "--mount", "--net", "--uts", "sh", "-c",
             SETUP.format(uuid=uuid.uuid4(), guests=first.directory)],
            preexec_fn=die_with_parent)
        self.root = f"/proc/{self.holder.pid}/root"
        self.inside = ["nsenter", f"--target={self.holder.pid}", "--mount", "--net", "--uts"]
        eventually(lambda: os.path.exists(f"{self.root}/run/ready"), 10, "the second host is made")
        super().__init__("root", f"qemu+unix:///system?socket={self.path('libvirt-sock')}",
                         "/root", None)
        os.makedirs(self.root + self.directory, 0o755)
        self.cable()

    def has_settings_of_its_own(self):
        """From now on; there are none yet."""
        run([*self.inside, "mount", "-t", "tmpfs", "-o", "mode=755", "settings", "/etc/netrelay"])

    @property
    def networks_directory(self):
        return f"{self.root}/etc/netrelay/networks"

    def path(self, name):
        """Of a socket of its libvirt, as it is seen from the first host."""
        return f"{self.root}/run/libvirt/{name}"

    def cable(self):
        links.ip("link", "add", "cable0", "type", "veth", "peer", "name", "cable1",
                 "netns", str(self.holder.pid))
        links.ip("address", "add", f"{OURS}/24", "dev", "cable0")
        links.ip("link", "set", "cable0", "up")
        for words in (["address", "add", f"{ITS}/24", "dev", "cable1"],
                      ["link", "set", "cable1", "up"]):
            run([*self.inside, "ip", *words])

    def libvirtd(self):
        for name, socket in (("virtlogd", "virtlogd-sock"), ("libvirtd", "libvirt-sock")):
            self.start_daemon(f"second-{name}", [*self.inside, f"/usr/sbin/{name}"],
                              lambda path=self.path(socket): accepts(path))

    def netrelayd(self, *arguments):
        """Ready when its status is answered: its hook socket is in another place than ours."""
        return self.start_daemon(
            "second-netrelayd", [*self.inside, "/usr/sbin/netrelayd", *arguments],
            lambda: self.netrelayctl("status", check=False).returncode == 0)

    def netrelayctl(self, *words, check=True, deadline=30, text_in=None):
        return run([*self.inside, "/usr/bin/netrelayctl", *words], check=check, deadline=deadline,
                   text_in=text_in)

    def guest(self, *words, **details):
        return self.takes(super().guest(*words, **details))

    def takes(self, guest):
        """From now on the guest's serial ports are here."""
        guest.log, guest.shell = self.root + guest.log, self.root + guest.shell
        return guest
