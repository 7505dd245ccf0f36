#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""udp NICs: a shared or named <source> is a network of ours, a mirrored pair is its own."""

import contextlib
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import lab
import tap
from guest import client_nic, udp_nic
from host import PrivateHost
from lab import PORT, mac
from process import run
from wait import eventually, never

SOURCE = 5601
STRANGER = 65534
CONF = "/etc/netrelay/netrelayd.conf"


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


def is_refused(port, uid=STRANGER):
    """Whether the kernel refuses what such a user sends there."""
    os.seteuid(uid)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender, \
                contextlib.suppress(ConnectionRefusedError):
            sender.sendto(bytes(60), ("127.0.0.1", port))
        return False
    except PermissionError:
        return True
    finally:
        os.seteuid(0)


def guard(host, word):
    os.makedirs(os.path.dirname(CONF), exist_ok=True)
    with open(CONF, "w") as file:
        file.write(f"[policy]\nguard-udp={word}\n")
    host.netrelayctl("reload")


@tap.timeout(120)
def test_udp_guarded(host):
    """guard-udp: strangers are kept from QEMU's own ports; guests meet, by us and directly"""
    host.libvirtd()
    daemon = host.netrelayd()
    before = run(["nft", "list", "ruleset"]).stdout
    pair = {1: (5702, 5701), 2: (5701, 5702)}
    guests = [host.guest(f"vm{n}", [udp_nic(SOURCE, SOURCE + n, mac(n)),
                                    udp_nic(*pair[n], mac(10 + n))],
                         addresses=[f"{lab.address(n)}/24", f"10.77.0.{n}/24"]) for n in (1, 2)]
    for guest in guests:
        guest.start()
    for guest in guests:
        guest.wait_up()
    ports = [SOURCE + 1, SOURCE + 2, 5701, 5702]
    assert not any(map(is_refused, ports)), "nothing was asked for"
    (found,) = lab.findings(host, "notice").values()
    assert found["kind"] == "open" and "guard-udp=yes" in found["cure"], found

    guard(host, "yes")
    eventually(lambda: all(map(is_refused, ports)), 15, "strangers are kept out")
    assert not any(is_refused(port, 0) for port in ports) and not is_refused(SOURCE + 9)
    guests[0].reaches(lab.address(2))
    guests[1].reaches("10.77.0.1")
    eventually(lambda: not lab.findings(host, "notice"), 10, "they are not open any more")

    run(["nft", "flush", "ruleset"])            # as a firewall's start does
    assert ("undone", "[policy] guard-udp") in lab.findings(host)
    host.netrelayctl("reload")
    eventually(lambda: all(map(is_refused, ports)), 15, "kept out again")
    assert not lab.findings(host)

    daemon.kill()
    assert all(map(is_refused, ports)), "it needs no manager"
    daemon.start()
    guests[0].destroy()
    eventually(lambda: not is_refused(5701) and not is_refused(SOURCE + 1), 15, "of one that ended")
    assert is_refused(5702) and is_refused(SOURCE + 2), "the other one runs"
    guests[1].destroy()
    eventually(lambda: run(["nft", "list", "ruleset"]).stdout == before, 15, "no rule is left")
    daemon.stop()
    host.expect_nothing_left()


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
