#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What neither guests nor their owners should do, and what must not come of it."""

import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import lab
import tap
from guest import client_nic
from host import PrivateHost
from lab import PORT, mac
from process import ours
from wait import eventually

DEEP = "<a>" * 100 + "</a>" * 100       # deeper than we read, and fine for libvirt
BUSY_SECONDS = 2                        # of the 5 that a prepare waits for a host name


def busy_time(pid):
    """Seconds in which the main thread ran or wanted to: the same on a machine that others load."""
    with open(f"/proc/{pid}/task/{pid}/schedstat") as text:
        ran, waited, _ = map(int, text.read().split())
    return (ran + waited) / 1e9


def complaints(daemon, name):
    return daemon.text().count(f"guest {name} is left out")


@tap.timeout(90)
def test_hostile_metadata_of_running_guests(host):
    """XML that becomes unreadable while its guest runs takes no network from it"""
    host.libvirtd()
    daemon = host.netrelayd()
    guests = {i: lab.numbered(host, i, client_nic(PORT, mac(i))) for i in (1, 2)}
    for guest in guests.values():
        guest.boot()
    guests[1].reaches(lab.address(2))
    relays = ours("netrelay")
    flow = guests[1].start_pings(lab.address(2))
    for guest in guests.values():
        host.virsh("metadata", guest.name, "--uri", "urn:x", "--key", "x", "--set", DEEP, "--live")
        eventually(lambda: complaints(daemon, guest.name), 10, "a word on the XML")
    host.netrelayctl("reload")          # libvirt's whole list is read anew, and a pass made
    flow.wait_replies(20)
    sent, received = flow.stop()
    assert sent == received, f"{sent - received} of {sent} pings lost"
    assert ours("netrelay") == relays
    for guest in guests.values():       # their end is seen all the same
        guest.destroy()
    lab.no_relays()


@tap.timeout(60)
def test_hostile_name_server(host):
    """A guest whose host name is not answered starts after some seconds, in which nobody is busy"""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.53", 53))
        with open("/etc/resolv.conf", "w") as text:
            text.write("nameserver 127.0.0.53\noptions timeout:30\n")
        daemon = host.netrelayd()
        guest = host.guest("vm1", [client_nic(PORT, mac(1), address="slow.example")], define=False)
        before = busy_time(daemon.process.pid)
        host.netrelayctl("hook", "prepare", "--", "vm1", text_in=guest.xml)
        used = busy_time(daemon.process.pid) - before
        assert used < BUSY_SECONDS, f"busy for {used} s"


if __name__ == "__main__":
    tap.main(PrivateHost())
