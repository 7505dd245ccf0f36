#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Domain XML as its generators write it, at a libvirt and in guests: what of it works goes on
working, what points nowhere stays alone. tests/unit/daemon/test-desired.c has the same in a table.
"""

import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import lab
import links
import tap
from host import PrivateHost
from lab import mac
from process import ours, run

# Who writes it, what the one guest binds and the other one, and what else stands in the element.
PAIRS = [
    ("vagrant-libvirt", "127.0.0.1:8001", "127.0.0.1:9001",
     "<alias name='ua-net-1'/><driver name='qemu' queues='1'/>"),
    ("netlab", "127.1.1.1:10001", "127.1.1.2:10001", ""),
    ("topology_converter", "127.0.0.1:17036", "127.0.0.1:16036", "<target dev='swp1'/>"),
    ("leaf and spine by hand", "127.0.1.1:10001", "127.0.1.2:10001", ""),
    ("Open vSwitch by hand", "127.2.130.2:12130", "127.2.130.1:12130", ""),
    ("a fabric by hand", "127.0.0.1:1025", "127.0.0.1:1027", ""),
    ("NFF-Go", "127.0.0.1:33312", "127.0.0.1:33303", ""),
    ("sherpa", "127.127.1.1:10001", "127.127.1.2:10001",
     "<link state='up'/><alias name='ua-net-dev01-int1'/>"),     # libvirt 9.0 takes no <mtu>
    ("Whonix", "127.0.0.1:6688", "127.0.0.1:5577", ""),
    ("qci", "127.0.0.1:20001", "127.0.0.1:20000", ""),
    ("terraform", "127.1.7.1:10001", "127.1.7.3:10001",      # the last slot
     "<address type='pci' domain='0x0000' bus='0x00' slot='0x1d' function='0x0'/>"),
]


def source(address, local=None):
    """The <source> of a NIC; with what the guest binds where it is of type udp."""
    words = "address='{}' port='{}'".format(*address.rsplit(":", 1))
    inner = "<local address='{}' port='{}'/>".format(*local.rsplit(":", 1)) if local else ""
    return f"<source {words}>{inner}</source>"


def nic(kind, number, inner):
    return (f"<interface type='{kind}'><mac address='{mac(number)}'/>{inner}"
            f"<model type='virtio'/><rom enabled='no'/></interface>")


def subnets(count, station):
    return [f"10.{number}.0.{station}/24" for number in range(1, count + 1)]


def expect_states(host, name, states):
    """The NICs of a guest, by the numbers of their addresses."""
    for number, state in states.items():
        lab.expect_row(host, guest=name, mac=mac(number), state=state)


def mirrored(side, number, one, other, rest):
    here, there = (one, other) if side == 1 else (other, one)
    return nic("udp", number, source(there, here) + rest)


def nics_of(side):
    """{generator: NIC} of one of two guests, in the order in which the guest finds them."""
    pairs = {name: mirrored(side, number + 100 * side, *rest)
             for number, (name, *rest) in enumerate(PAIRS, 1)}
    last = PAIRS[-1][0]
    slotted = pairs.pop(last)
    return {**pairs,
            "vagrant-libvirt, clients": nic("client", 51 + 100 * side, source("127.0.0.1:11111")),
            "vagrant-libvirt, server and client":
                nic("server", 52 + 100 * side, source("0.0.0.0:9999")) if side == 1 else
                nic("client", 52 + 100 * side, source("127.0.0.1:9999")),
            last: slotted}


@tap.timeout(150)
def test_F_pairs_of_generators(host):
    """F: two guests with a link as each generator writes it: over every one of them they meet"""
    host.libvirtd()
    host.netrelayd()
    guests = []
    for side in (1, 2):
        nics = nics_of(side)
        guests.append(host.guest(f"vm{side}", nics.values(), addresses=subnets(len(nics), side)))
        guests[-1].start()
    for number, name in enumerate(nics, 1):
        print(name)                             # on failure: how far it came
        guests[0].reaches(f"10.{number}.0.2")
    for side in (1, 2):
        expect_states(host, f"vm{side}", {
            **{number + 100 * side: "direct" for number in (*range(1, len(PAIRS) + 1), 52)},
            51 + 100 * side: "connected"})
    bound = [line.split()[4] for line in run(["ss", "-Hltunp"]).stdout.splitlines()
             if '"netrelay"' in line]
    assert bound == ["127.0.0.1:11111"], bound


@tap.timeout(90)
def test_F_left_alone(host):
    """F: far ends that are nobody, another host, another program: bound by nobody, and explained"""
    links.add_bridge("lan0", ["172.20.232.71/24", "10.9.0.1/24"])
    links.ip("route", "add", "224.0.0.0/4", "dev", "lan0")
    host.libvirtd()
    host.netrelayd()
    with socket.create_server(("127.0.0.1", 58557)):
        guest = host.guest("alone", [
            nic("udp", 1, source("127.0.0.1:30101", "127.0.0.1:20101")),        # cat9kv
            nic("udp", 2, source("127.254.0.1:20001", "127.254.0.1:10001")),    # netlab, IOS XR
            nic("udp", 3, source("127.254.0.1:20002", "127.254.0.1:10002")),
            nic("udp", 4, source("10.9.0.2:16037", "10.9.0.1:17037")),          # tunnel_ip
            nic("udp", 5, source("172.20.232.22:33951", "172.20.232.71:33701")  # NetQ
                + "<target dev='eth1'/>"),
            nic("udp", 6, source("127.0.0.1:20001", "127.0.0.1:20000")),        # GNS3
            nic("server", 7, source("127.0.0.1:10003")),                        # vrnetlab
            nic("mcast", 8, source("230.0.0.1:1234")),                          # school labs
            nic("client", 9, source("127.0.0.1:58557"))])                       # gvswitch
        guest.start()
        expect_states(host, "alone", {
            1: "unconnected", 2: "unconnected", 3: "unconnected", 4: "remote", 5: "remote",
            6: "unconnected", 7: "unconnected", 8: "ignored", 9: "foreign"})
        for row in lab.rows(host, guest="alone"):
            assert row["reason"], row
        assert not ours("netrelay"), "a relay, and for whom?"


if __name__ == "__main__":
    tap.main(PrivateHost())
