#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""udp NICs: a shared or named <source> is a network of ours, a mirrored pair is its own."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import lab
import tap
from guest import client_nic, udp_nic
from host import PrivateHost
from lab import PORT, mac
from process import run
from wait import never

SOURCE = 5601


def bound(port):
    """Who holds a UDP port, as ss prints it."""
    return run(["ss", "-Hlunp", "sport", "=", f":{port}"]).stdout.splitlines()


def mirrored(host):
    return {1: lab.numbered(host, 1, udp_nic(5601, 5602, mac(1))),
            2: lab.numbered(host, 2, udp_nic(5602, 5601, mac(2)))}


def starts_direct(host, order):
    host.libvirtd()
    host.netrelayd()
    guests = mirrored(host)
    for number in order:
        guests[number].start()
    lab.all_meet(guests)
    for guest in ("vm1", "vm2"):
        lab.expect_row(host, guest=guest, kind="udp", state="direct")
    never(lambda: [line for line in bound(5601) + bound(5602) if "netrelay" in line], 2,
          "we hold a port of the pair")
    lab.no_relays()


@tap.timeout(90)
def test_udp_shared_source(host):
    """Two guests that send to one address talk through the relay; each restarted in turn"""
    host.libvirtd()
    host.netrelayd()
    guests = {n: lab.numbered(host, n, udp_nic(SOURCE, SOURCE + n, mac(n))) for n in (1, 2)}
    lab.start_all(guests)
    lab.all_meet(guests)
    for guest in guests.values():
        guest.destroy()
        guest.boot()
        lab.all_meet(guests)
    for guest in guests.values():
        guest.destroy()
    lab.no_relays()


@tap.timeout(90)
def test_udp_named_by_a_file(host):
    """A file names one guest's source; it talks to a guest that dials the same network"""
    host.libvirtd()
    host.write_network("lab", f"<network><name>lab</name>"
                              f"<listen address='127.0.0.1' port='{PORT}'/>"
                              f"<udp address='127.0.0.1' port='{SOURCE}'/></network>")
    host.netrelayd()
    guests = {1: lab.numbered(host, 1, client_nic(PORT, mac(1))),
              2: lab.numbered(host, 2, udp_nic(SOURCE, SOURCE + 1, mac(2)))}
    lab.start_all(guests)
    lab.all_meet(guests)
    lab.expect_row(host, network="lab", guest="vm2", kind="udp", state="connected")


@tap.timeout(60)
def test_udp_alone_is_left_alone(host):
    """A lone half: unconnected, its source not bound"""
    host.libvirtd()
    host.netrelayd()
    lab.numbered(host, 1, udp_nic(SOURCE, SOURCE + 1, mac(1))).boot()
    row = lab.expect_row(host, guest="vm1", kind="udp", state="unconnected")
    assert f"{SOURCE}" in row["reason"], row
    assert not bound(SOURCE), bound(SOURCE)


@tap.timeout(90)
def test_udp_mirrored_pair(host):
    """A mirrored pair is left alone and talks directly"""
    starts_direct(host, [1, 2])


@tap.timeout(90)
def test_udp_mirrored_pair_other_order(host):
    """The same, the other one first"""
    starts_direct(host, [2, 1])


@tap.timeout(120)
def test_udp_mirrored_by_a_newcomer(host):
    """A transient guest that wants the address we had bound for two others gets it"""
    host.libvirtd()
    host.netrelayd()
    first = lab.numbered(host, 1, udp_nic(SOURCE, SOURCE + 1, mac(1)))
    second = lab.numbered(host, 2, udp_nic(SOURCE, SOURCE + 2, mac(2)))
    first.start()
    second.start()
    lab.all_meet({1: first, 2: second})
    third = lab.numbered(host, 3, udp_nic(SOURCE + 1, SOURCE, mac(3)), define=False)
    third.start(transient=True)
    third.wait_up()
    lab.all_meet({1: first, 3: third})
    lab.expect_row(host, guest="vm1", state="direct")


@tap.timeout(120)
def test_udp_halves_of_two_managers(host):
    """D14: a pair whose halves are the system's and a user's: neither manager binds for one"""
    host.libvirtd()
    host.netrelayd()
    session = host.session()
    session.netrelayd()
    halves = {1: lab.numbered(host, 1, udp_nic(5601, 5602, mac(1))),
              2: lab.numbered(session, 2, udp_nic(5602, 5601, mac(2)))}
    for guest in halves.values():
        guest.start()
    for guest in halves.values():
        guest.wait_up()
    lab.all_meet(halves)
    lab.expect_row(host, guest="vm1", state="unconnected")
    lab.expect_row(session, guest="vm2", state="unconnected")
    lab.no_relays()


tap.main(PrivateHost())
