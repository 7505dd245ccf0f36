#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests that listen (libvirt's server): dialled when somebody names them, else left alone."""

import os
import socket
import struct
import sys
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../lib"), os.path.join(HERE, "../relay")]

import frames

import lab
import peers
import tap
from guest import client_nic, server_nic
from host import PrivateHost
from lab import PORT, address, mac
from process import run
from wait import eventually, never

LISTENING = 23456

NAMED = f"""<network>
  <name>lab</name>
  <listen address='127.0.0.1' port='{PORT}'/>
  <match domain='vm2' type='server' port='{LISTENING}'/>
</network>
"""


def connections(port):
    """Established connections to a TCP port, as ss prints them."""
    output = run(["ss", "-Htn", "state", "established", "dport", "=", f":{port}"]).stdout
    return output.splitlines()


def arp_request(source, mine, wanted):
    """RFC 826: who has `wanted`? As a whole frame."""
    head = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1)
    body = source + socket.inet_aton(mine) + bytes(6) + socket.inet_aton(wanted)
    return frames.frame(frames.BROADCAST, source, head + body, ethertype=0x0806)


def arp_reply_to(one, mine):
    return one[:6] == mine and one[12:14] == b"\x08\x06" and one[20:22] == b"\x00\x02"


def dialled_and_again(host, guests):
    lab.start_all(guests)
    lab.all_meet(guests)
    lab.expect_row(host, network="lab", guest="vm2", kind="server", state="connected")
    guests[2].destroy()
    lab.expect_row(host, network="lab", guest="vm1", state="connected")
    guests[2].boot()
    lab.all_meet(guests)


@tap.timeout(90)
def test_server_named_by_a_file(host):
    """A network file names it: dialled once it is up, again after its restart"""
    host.libvirtd()
    host.write_network("lab", NAMED)
    host.netrelayd()
    dialled_and_again(host, {1: lab.numbered(host, 1, client_nic(PORT, mac(1))),
                             2: lab.numbered(host, 2, server_nic(LISTENING, mac(2)))})


@tap.timeout(90)
def test_server_named_by_metadata(host):
    """Its own metadata names the network"""
    host.libvirtd()
    host.write_network("lab", f"<network><name>lab</name>"
                              f"<listen address='127.0.0.1' port='{PORT}'/></network>")
    host.netrelayd()
    wish = lab.metadata(f"mac='{mac(2)}' network='lab'")
    dialled_and_again(host, {1: lab.numbered(host, 1, client_nic(PORT, mac(1))),
                             2: lab.numbered(host, 2, server_nic(LISTENING, mac(2)),
                                             metadata=wish)})


@tap.timeout(60)
def test_server_unnamed_is_left_alone(host):
    """One that nothing names is not dialled, and the status says how to name it"""
    host.libvirtd()
    host.netrelayd()
    lab.numbered(host, 2, server_nic(LISTENING, mac(2))).boot()
    row = lab.expect_row(host, guest="vm2", kind="server", state="unconnected")
    assert "match" in row["reason"], row
    never(lambda: connections(LISTENING), 6, "somebody dialled the guest")


@tap.timeout(90)
def test_server_before_client_is_direct(host):
    """A client beside its server, server first: they meet without us"""
    host.libvirtd()
    host.netrelayd()
    server = lab.numbered(host, 2, server_nic(LISTENING, mac(2)))
    client = lab.numbered(host, 1, client_nic(LISTENING, mac(1)))
    server.start()
    client.start()
    lab.all_meet({1: client, 2: server})
    lab.expect_row(host, guest="vm1", state="direct")
    lab.expect_row(host, guest="vm2", state="direct")
    lab.no_relays()


@tap.timeout(120)
def test_client_before_server_is_handed_over(host):
    """Client first: its connection is kept, the server gets its address and is dialled"""
    host.libvirtd()
    host.netrelayd()
    client = lab.numbered(host, 1, client_nic(LISTENING, mac(1)))
    server = lab.numbered(host, 2, server_nic(LISTENING, mac(2)))
    client.start()
    server.start()
    lab.all_meet({1: client, 2: server})
    server.destroy()
    server.boot()
    lab.all_meet({1: client, 2: server})
    # Once the client starts anew, behind its server, the pair needs nobody between.
    client.destroy()
    client.boot()
    lab.all_meet({1: client, 2: server})
    eventually(lambda: not lab.rows(host, state="connected"), 10, "the pair is direct")


@tap.timeout(60)
def test_server_with_a_foreign_client(host):
    """D14: a plain program that dials an unnamed guest still gets it"""
    host.libvirtd()
    host.netrelayd()
    guest = lab.numbered(host, 2, server_nic(LISTENING, mac(2)))
    guest.boot()
    station = peers.dial(LISTENING)
    mine = frames.mac(9)
    station.send(arp_request(mine, address(9), address(2)))
    eventually(lambda: station.gather(0.5) and [one for one in station.waiting
                                                     if arp_reply_to(one, mine)],
               10, "the guest answers who it is")
    station.close()


def start_at_once(*guests):
    """`virsh start` of all of them, in this order, without waiting; what each one came to."""
    with ThreadPoolExecutor(len(guests)) as pool:
        return [one.result() for one in [pool.submit(guest.try_start) for guest in guests]]


def linked(host):
    """Each of the pair has the other one: by way of us, or without."""
    return (len(lab.rows(host, state="connected")) == 2 or
            (len(lab.rows(host, state="direct")) == 2 and connections(LISTENING)))


def meet_when_started_at_once(host, server, client, pair):
    """Three rounds, of which the last one is looked at from within."""
    for last in (False, False, True):
        started = start_at_once(*pair)
        assert [one.rc for one in started] == [0, 0], started
        eventually(lambda: linked(host), 15, "the two are linked")
        if last:
            client.wait_up()
            server.wait_up()
            client.reaches(address(2), 20)
        for guest in pair:
            guest.destroy()
        eventually(lambda: not lab.rows(host), 10, "both are forgotten")


def a_pair(host):
    host.libvirtd()
    host.netrelayd()
    return (lab.numbered(host, 2, server_nic(LISTENING, mac(2))),
            lab.numbered(host, 1, client_nic(LISTENING, mac(1))))


@tap.timeout(240)
def test_server_and_client_at_once(host):
    """Both started at once, the server a little earlier: they meet"""
    server, client = a_pair(host)
    meet_when_started_at_once(host, server, client, (server, client))


@tap.timeout(240)
def test_client_and_server_at_once(host):
    """Both started at once, the client a little earlier: they meet"""
    server, client = a_pair(host)
    meet_when_started_at_once(host, server, client, (client, server))


@tap.timeout(120)
def test_two_servers_at_once(host):
    """Two that listen at one address, started at once: one is refused, with both names"""
    host.libvirtd()
    host.netrelayd()
    rivals = [lab.numbered(host, number, server_nic(LISTENING, mac(number))) for number in (1, 2)]
    for _ in range(5):
        started = start_at_once(*rivals)
        refused = [one for one in started if one.rc != 0]
        assert len(refused) == 1 and "already" in refused[0].stderr, started
        assert all(f"guest {guest.name}" in refused[0].stderr for guest in rivals), refused
        assert not lab.rows(host, state="refused"), lab.rows(host)
        for guest in rivals:
            guest.destroy(check=False)
        eventually(lambda: not lab.rows(host), 10, "both are forgotten")


tap.main(PrivateHost())
