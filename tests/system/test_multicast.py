#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests of a multicast group: among themselves, and with a network whose file names the group."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import lab
import links
import tap
from guest import NIC, client_nic
from host import PrivateHost
from lab import PORT, mac
from process import ours
from wait import never

GROUP = "230.0.0.1"
GROUP_PORT = 1234
LINE = f"<multicast address='{GROUP}' port='{GROUP_PORT}'/>"


def mcast_nic(number):
    return NIC.format(kind="mcast", mac=mac(number), tail="",
                      inner=f"<source address='{GROUP}' port='{GROUP_PORT}'/>")


def network(line):
    return f"<network><name>lab</name><listen port='{PORT}'/>{line}</network>"


def way():
    """To the group: QEMU does not start without one."""
    links.add_bridge("lan0", ["10.8.0.1/24"])
    links.ip("route", "add", "224.0.0.0/4", "dev", "lan0")


@tap.timeout(90)
def test_group_is_left_alone(host):
    """F: two guests of a group meet there; we are not in it, and say what would make us"""
    way()
    host.libvirtd()
    host.netrelayd()
    guests = {n: lab.numbered(host, n, mcast_nic(n)) for n in (1, 2)}
    lab.start_all(guests)
    lab.all_meet(guests)
    assert LINE in lab.expect_row(host, guest="vm1", state="ignored")["reason"]
    assert not ours("netrelay")


@tap.timeout(120)
def test_B2_a_user_nic_and_a_group_each(host):
    """in a session: each guest has a way out and meets the others; a manager leaves both alone"""
    way()
    session = host.session()
    guests = {n: session.guest(f"vm{n}", [NIC.format(kind="user", mac=mac(16 + n), inner="",
                                                     tail=""), mcast_nic(n)],
                               addresses=["", lab.addresses(n)]) for n in (1, 2, 3)}
    lab.start_all(guests)
    session.netrelayd()
    lab.all_meet(guests)
    for guest in guests.values():
        said = guest.must("udhcpc -i eth0 -n -q -t 10 -T 1 -s /bin/true 2>&1")
        assert "10.0.2.15" in said, said
        lab.expect_row(session, guest=guest.name, kind="mcast", state="ignored")
    assert not ours("netrelay")


@tap.timeout(120)
def test_group_of_a_network(host):
    """F: a file names it: its guests and those that dial the network meet, until it does not"""
    way()
    host.libvirtd()
    host.write_network("lab", network(LINE))
    host.netrelayd()
    guests = {1: lab.numbered(host, 1, mcast_nic(1)),
              2: lab.numbered(host, 2, client_nic(PORT, mac(2)))}
    lab.start_all(guests)
    lab.all_meet(guests)
    lab.expect_row(host, network="lab", guest="vm1", kind="mcast", state="joined")
    lab.expect_row(host, network="lab", guest="", kind="mcast", state="connected")
    assert guests[1].ping(lab.address(2)) == (5, 5)         # no echo: a station that hears itself
    host.write_network("lab", network(""))                  # answers twice
    lab.expect_row(host, guest="vm1", state="ignored")
    never(lambda: guests[1].ping_once(lab.address(2)), 2, "the network is still in the group")
    host.write_network("lab", network(LINE))
    lab.all_meet(guests)


@tap.timeout(90)
def test_group_without_a_way(host):
    """A file's group that cannot be joined yet: said, and joined once there is a way"""
    host.libvirtd()
    host.write_network("lab", network(LINE.replace("/>", " dev='br7'/>")))
    host.netrelayd()
    row = lab.expect_row(host, network="lab", kind="mcast", state="failed", deadline=15)
    assert "br7" in row["reason"], row
    links.add_bridge("br7", ["10.7.0.1/24"])
    lab.expect_row(host, network="lab", kind="mcast", state="connected")


tap.main(PrivateHost())
