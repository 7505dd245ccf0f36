#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests that dial (libvirt's client) one address:port: they meet, whoever starts when."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import lab
import tap
from guest import client_nic
from host import PrivateHost
from lab import PORT, address, mac
from process import ours
from wait import eventually

HOOK = "/etc/libvirt/hooks/qemu.d/50-netrelay"


def dialling(connection, numbers):
    return {n: lab.numbered(connection, n, client_nic(PORT, mac(n))) for n in numbers}


def start_in_order(guests, order):
    for number in order:
        guests[number].start()


def restart_each(guests):
    """Destroys and starts each guest in turn; the relay and the others are left as they are."""
    relays = ours("netrelay")
    for guest in guests.values():
        guest.destroy()
        guest.boot()
        lab.all_meet(guests)
        assert ours("netrelay") == relays, "the relay was replaced"


def three_guests_meet(connection):
    guests = dialling(connection, [1, 2, 3])
    start_in_order(guests, [1, 2])
    lab.all_meet({n: guests[n] for n in (1, 2)})
    start_in_order(guests, [3])
    lab.all_meet(guests)
    restart_each(guests)
    for guest in guests.values():
        guest.destroy()
    lab.no_relays()


def two_guests_meet_in_the_other_order(connection):
    guests = dialling(connection, [1, 2])
    start_in_order(guests, [2, 1])
    lab.all_meet(guests)
    for guest in guests.values():
        guest.destroy()
    lab.no_relays()


@tap.timeout(240)
def test_client_system(host):
    """A1, A2, A3: two, then three guests under qemu:///system, each restarted in turn"""
    host.libvirtd()
    host.netrelayd()
    three_guests_meet(host)
    lab.expect_no_relay_files(host)


@tap.timeout(90)
def test_client_system_other_order(host):
    """A2: the second guest started first"""
    host.libvirtd()
    host.netrelayd()
    two_guests_meet_in_the_other_order(host)


@tap.timeout(240)
def test_client_session_with_hook(host):
    """A5: qemu:///session of an unprivileged user with its own netrelayd, by the hook"""
    session = host.session(runtime_dir=True)
    session.netrelayd()
    three_guests_meet(session)


@tap.timeout(120)
def test_client_session_without_hook(host):
    """A5: the same where no hook could be installed: defined guests are listened for"""
    os.unlink(HOOK)
    session = host.session()
    guests = dialling(session, [1, 2])
    session.netrelayd()
    lab.expect_row(session, network=f"127.0.0.1:{PORT}", deadline=20)
    start_in_order(guests, [2, 1])
    lab.all_meet(guests)
    guests[1].destroy()
    guests[1].boot()
    lab.all_meet(guests)


@tap.timeout(90)
def test_client_transient(host):
    """Guests that libvirt has never had defined"""
    host.libvirtd()
    host.netrelayd()
    guests = {n: lab.numbered(host, n, client_nic(PORT, mac(n)), define=False) for n in (1, 2)}
    for guest in guests.values():
        guest.start(transient=True)
    lab.all_meet(guests)
    for guest in guests.values():
        guest.destroy()
    lab.no_relays()


@tap.timeout(90)
def test_client_networks_are_apart(host):
    """C7: two NICs of each guest on two addresses with the same port: two networks"""
    host.libvirtd()
    host.netrelayd()
    guests = {}
    for n in (1, 2):
        nics = [client_nic(PORT, mac(n)), client_nic(PORT, mac(0x10 + n), address="127.0.0.2")]
        guests[n] = host.guest(f"vm{n}", nics, addresses=[f"{address(n)}/24", f"10.10.0.{n}/24"])
    lab.start_all(guests)
    lab.all_meet(guests)
    guests[1].reaches("10.10.0.2")
    lab.expect_row(host, network=f"127.0.0.1:{PORT}", guest="vm1", mac=mac(1), state="connected")
    lab.expect_row(host, network=f"127.0.0.2:{PORT}", guest="vm1", mac=mac(0x11), state="connected")
    # Nobody has vm2's second address on the first network, once Linux does not answer for others.
    guests[2].must("echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore")
    guests[1].must("ip addr add 10.10.9.1/24 dev eth0")
    assert guests[1].sh("arping -c 2 -w 3 -I eth0 10.10.0.2")[0] != 0, "the networks are one"


@tap.timeout(90)
def test_client_of_two_managers(host):
    """D14: the system and a user's session on one address: the second is told who has it"""
    host.libvirtd()
    session = host.session()
    managers = {host: host.netrelayd(), session: session.netrelayd()}
    for first, second in ((host, session), (session, host)):
        guests = {connection: connection.guest(f"of-{connection.user}", [client_nic(PORT, mac(1))])
                  for connection in (first, second)}
        guests[first].start()
        lab.expect_row(first, guest=f"of-{first.user}", state="connected")
        holder = lab.rows(first, guest=f"of-{first.user}")[0]["relay_pid"]
        guests[second].start()
        told = lab.expect_row(second, guest=f"of-{second.user}", state="foreign")["reason"]
        assert f"127.0.0.1:{PORT} is in use by " in told, told
        assert ("(netrelay)" if second is session else f"netrelay (pid {holder})") in told, told
        for connection, guest in guests.items():
            guest.destroy()
            guest.undefine()
            eventually(lambda one=connection: not lab.rows(one), 15, "it is forgotten")
    assert all(manager.running() for manager in managers.values())


tap.main(PrivateHost())
