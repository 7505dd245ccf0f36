#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Several NICs of one guest that dial one address:port: which connection is which NIC's."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import lab
import tap
from guest import client_nic, server_nic, udp_nic
from host import PrivateHost
from lab import PORT, mac
from wait import eventually

FRAMES = 20
DIALLING = {"eth0": mac(1), "eth2": mac(3), "eth4": mac(5)}


def many(host):
    """Three of five NICs dial one address; those between them have descriptors too."""
    nics = [client_nic(PORT, mac(1)), server_nic(23456, mac(2)), client_nic(PORT, mac(3)),
            udp_nic(5601, 5602, mac(4)), client_nic(PORT, mac(5))]
    return host.guest("many", nics, addresses=[f"10.{n}.0.1/24" for n in range(1, 6)])


def boot(guest):
    """Each NIC's subnet has a station that nobody asks for: frames to it are sent at once."""
    guest.boot()
    for number in range(1, 6):
        guest.must(f"arp -s 10.{number}.0.9 {mac(9)}")


def received(host):
    """NIC -> frames that came from it, as the status has it."""
    return {nic: lab.expect_row(host, guest="many", mac=address, state="connected")["rx_frames"]
            for nic, address in DIALLING.items()}


def each_is_itself(host, guest):
    """What one NIC sends is counted at its own row and at no other."""
    for nic in DIALLING:
        before = received(host)
        guest.sh(f"ping -c {FRAMES} -i 0.02 -W 1 10.{int(nic[3:]) + 1}.0.9")
        eventually(lambda: received(host)[nic] >= before[nic] + FRAMES, 10, f"{nic}'s frames")
        for other, count in received(host).items():
            assert other == nic or count < before[other] + FRAMES, f"{nic} is shown as {other}"


@tap.timeout(150)
def test_nics_in_the_order_of_their_descriptors(host):
    """Every NIC's frames are counted at its own name, also by a manager that comes later"""
    host.libvirtd()
    daemon = host.netrelayd()
    guest = many(host)
    boot(guest)
    each_is_itself(host, guest)
    daemon.kill()
    host.netrelayd()
    received(host)
    each_is_itself(host, guest)


@tap.timeout(150)
def test_nics_that_came_while_nobody_asked(host):
    """Connections that came while the manager was dead get their names from its successor"""
    host.libvirtd()
    daemon = host.netrelayd()
    lab.numbered(host, 9, client_nic(PORT, mac(9))).boot()
    daemon.kill()
    guest = many(host)
    boot(guest)
    host.netrelayd()
    received(host)
    each_is_itself(host, guest)


tap.main(PrivateHost())
