#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What can happen to a guest between its definition and its end, with a NIC on our network."""

import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import lab
import tap
from guest import client_nic
from host import PrivateHost
from lab import PORT, address, mac
from process import ours, run
from wait import eventually

AUTOSTARTED = "/run/libvirt/qemu/autostarted"   # libvirt's note that it did, once for each boot
DISK = """<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>
      <source file='{path}'/><target dev='vda' bus='virtio'/></disk>
    <serial type='file'>"""


def qemu_of(guest):
    """The process of a guest."""
    with open(f"/run/libvirt/qemu/{guest.name}.pid") as file:
        return int(file.read())


def with_disk(host, guest):
    """Snapshots with memory are kept in a disk's file."""
    path = f"{host.directory}/{guest.number}.qcow2"
    run(["qemu-img", "create", "-q", "-f", "qcow2", path, "64M"])
    os.chmod(path, 0o666)
    guest.xml = guest.xml.replace("<serial type='file'>", DISK.format(path=path), 1)
    return guest.define()


class TestLifecycle:
    """vm1 is put through it all; vm2 stays beside it, and never loses its relay."""

    def setup(self, host):
        self.host = host
        host.libvirtd()
        host.netrelayd()
        self.guest = with_disk(host, lab.numbered(host, 1, client_nic(PORT, mac(1))))
        self.other = lab.numbered(host, 2, client_nic(PORT, mac(2)))
        self.guest.start()
        self.other.start()
        self.relays = ours("netrelay")
        self.meets()

    def meets(self):
        """Both are up, connected, and reach one another over the relay of the beginning."""
        for guest in (self.guest, self.other):
            guest.wait_up()
        lab.all_meet({1: self.guest, 2: self.other})
        for number in (1, 2):
            lab.expect_row(self.host, mac=mac(number), state="connected")
        assert ours("netrelay") == self.relays, "the relay was replaced"

    def ends(self):
        """vm1 is off: nothing of it is left, and it can be started again."""
        eventually(lambda: self.guest.state() == "shut off", 20, "vm1 is off")
        eventually(lambda: not lab.rows(self.host, mac=mac(1)), 10, "vm1's port is gone")
        self.guest.boot()
        self.meets()

    @tap.timeout(90)
    def test_reboot_inside(self):
        """A reboot inside keeps QEMU, and with it the connection"""
        qemu = qemu_of(self.guest)
        self.guest.sh("(sleep 1; reboot -f) &")
        self.guest.forget_log()
        self.meets()
        assert qemu_of(self.guest) == qemu

    @tap.timeout(90)
    def test_reset(self):
        """virsh reset: the same from outside"""
        self.guest.forget_log()
        self.host.virsh("reset", "vm1")
        self.meets()

    @tap.timeout(90)
    def test_pause_and_resume(self):
        """A paused guest reads nothing; who floods it meanwhile is heard by others all the same"""
        third = lab.numbered(self.host, 3, client_nic(PORT, mac(3)))
        third.boot()
        self.host.virsh("suspend", "vm1")
        self.other.must(f"arp -s {address(1)} {mac(1)}")     # who is paused answers no ARP
        self.other.must(f"ping -i 0.002 -s 60000 {address(1)} >/dev/null 2>&1 & echo $! >/tmp/pid")
        lab.expect_drops(self.host, mac=mac(1))
        assert self.other.ping(address(3), count=20, interval=0.05) == (20, 20)
        assert third.ping(address(2), count=20, interval=0.05) == (20, 20)
        self.other.must(f"kill $(cat /tmp/pid); arp -d {address(1)}")
        third.destroy()
        self.host.virsh("resume", "vm1")
        self.meets()

    @tap.timeout(90)
    def test_destroy(self):
        """virsh destroy, and start"""
        self.guest.destroy()
        self.ends()

    @tap.timeout(90)
    def test_power_off_inside(self):
        """A shutdown by the guest itself"""
        self.guest.sh("(sleep 0.2; poweroff -f) &")
        self.ends()

    @tap.timeout(90)
    def test_crash(self):
        """SIGKILL of its QEMU"""
        os.kill(qemu_of(self.guest), signal.SIGKILL)
        self.ends()

    @tap.timeout(90)
    def test_save_and_restore(self):
        """Saved to a file and restored: what ran inside goes on, over a new connection"""
        path = f"{self.host.directory}/vm1.save"
        self.guest.must("touch /tmp/before")
        self.host.virsh("save", "vm1", path)
        eventually(lambda: not lab.rows(self.host, mac=mac(1)), 10, "vm1's port is gone")
        self.host.virsh("restore", path)
        self.guest.goes_on()
        self.meets()
        self.guest.must("test -e /tmp/before")

    @tap.timeout(90)
    def test_managed_save(self):
        """Managed save and start: the same, by the name"""
        self.guest.must("touch /tmp/managed")
        self.host.virsh("managedsave", "vm1")
        eventually(lambda: not lab.rows(self.host, mac=mac(1)), 10, "vm1's port is gone")
        self.host.virsh("start", "vm1")
        self.guest.goes_on()
        self.meets()
        self.guest.must("test -e /tmp/managed")

    @tap.timeout(90)
    def test_snapshot_revert(self):
        """Back to a snapshot with memory, while it runs and when it is off"""
        self.guest.must("touch /tmp/snapshot")
        self.host.virsh("snapshot-create-as", "vm1", "one")
        self.guest.must("rm /tmp/snapshot")
        self.host.virsh("snapshot-revert", "vm1", "one")
        self.guest.goes_on()
        self.meets()
        self.guest.must("test -e /tmp/snapshot")
        self.guest.destroy()
        self.host.virsh("snapshot-revert", "vm1", "one")
        self.guest.goes_on()
        self.meets()
        self.host.virsh("snapshot-delete", "vm1", "one")

    @tap.timeout(90)
    def test_rename(self):
        """Renamed while it is off: the same guest by another name"""
        self.guest.destroy()
        self.host.virsh("domrename", "vm1", "other name")
        self.guest.boot()
        self.meets()
        lab.expect_row(self.host, guest="other name", mac=mac(1), state="connected")
        self.guest.destroy()
        self.host.virsh("domrename", "other name", "vm1")
        self.ends()

    @tap.timeout(90)
    def test_libvirtd_killed(self):
        """libvirtd killed and back, with a guest that starts the moment it is"""
        self.guest.destroy()
        self.host.libvirtd().kill()
        self.host.libvirtd().start()
        self.guest.boot()
        self.meets()

    @tap.timeout(90)
    def test_autostart(self):
        """Started by libvirtd itself, before the manager can be connected to it"""
        self.guest.destroy()
        self.host.virsh("autostart", "vm1")
        self.host.libvirtd().stop()
        os.unlink(AUTOSTARTED)
        self.guest.forget_log()
        self.host.libvirtd().start(deadline=40)
        self.meets()

    @tap.timeout(90)
    def test_undefine_while_running(self):
        """Undefined while it runs it goes on, transient, and is forgotten when it ends"""
        self.host.virsh("undefine", "vm1")
        self.meets()
        self.guest.destroy()
        eventually(lambda: not lab.rows(self.host, mac=mac(1)), 10, "vm1's port is gone")
        self.other.destroy()
        lab.no_relays()
        lab.expect_no_relay_files(self.host)


@tap.timeout(120)
def test_alone(host):
    """Each way to start, of a guest without a neighbour: its relay has gone with it each time"""
    host.libvirtd()
    host.netrelayd()
    guest = with_disk(host, host.guest("vm1", [client_nic(PORT, mac(1))]))
    saved = f"{host.directory}/vm1.save"

    def connected():
        lab.expect_row(host, guest="vm1", state="connected")

    def off():
        eventually(lambda: guest.state() == "shut off", 20, "vm1 is off")
        lab.no_relays()

    guest.start()
    connected()
    host.virsh("snapshot-create-as", "vm1", "one")
    for end, start in ((["destroy", "vm1"], ["start", "vm1"]),
                       (["save", "vm1", saved], ["restore", saved]),
                       (["managedsave", "vm1"], ["start", "vm1"]),
                       (["destroy", "vm1"], ["snapshot-revert", "vm1", "one"])):
        host.virsh(*end)
        off()
        host.virsh(*start)
        connected()
    os.kill(qemu_of(guest), signal.SIGKILL)
    off()
    host.virsh("autostart", "vm1")
    host.libvirtd().stop()
    os.unlink(AUTOSTARTED)
    host.libvirtd().start(deadline=40)
    connected()


tap.main(PrivateHost())
