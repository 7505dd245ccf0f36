#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Several NICs of one guest that dial one address:port: which connection is which NIC's."""

import json
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


def mixed_up(host):
    return [(finding["about"], finding["text"]) for finding in
            json.loads(host.netrelayctl("doctor", "--json", check=False).stdout)["findings"]
            if finding["kind"] == "mixed-up"]


def sources(host, network):
    """Label -> the address that its port's first frame came from, where there was one."""
    seen = json.loads(host.netrelayctl("--relay", network, "status", "--json").stdout)
    return {port["label"]: port["source"] for port in seen["ports"] if "source" in port}


@tap.timeout(150)
def test_nics_by_their_first_frames(host):
    """Each NIC's first frame is its own; where one is not, the doctor tells of it"""
    network = f"127.0.0.1:{PORT}"
    host.libvirtd()
    host.netrelayd()
    guest = host.guest("many", [client_nic(PORT, mac(n)) for n in (1, 2, 3)])
    guest.boot()
    eventually(lambda: len(sources(host, network)) == 3, 20, "all have sent")
    labels = {source: label for label, source in sources(host, network).items()}
    for address, label in labels.items():
        assert label.endswith("/" + address), labels
    assert mixed_up(host) == []
    for port, address in ((1, mac(2)), (2, mac(1))):        # as if their order were another one
        host.netrelayctl("--relay", network, "label", str(port), labels[address])
    first, second = mixed_up(host)
    assert first[0] == second[0] == "many", first
    assert f"NIC {mac(1)}:" in first[1] and f"NIC {mac(2)}," in first[1], first


tap.main(PrivateHost())
