#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""libvirt's guests on TAPs that others made: <interface type='ethernet'> with managed='no'."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import lab
import links
import tap
from guest import NIC, client_nic
from host import PrivateHost
from lab import PORT, address, mac
from process import run
from wait import eventually

HOST = 100                          # the host's number among the guests' addresses
NETWORK = (f"<network><name>lab</name><listen address='127.0.0.1' port='{PORT}'/>"
           "<bridge name='br0'/></network>")


def ethernet_nic(name, number):
    return NIC.format(kind="ethernet", mac=mac(number), tail="",
                      inner=f"<target dev='{name}' managed='no'/>")


def make_tap(name, user):
    """Before any guest, as `tunctl -t NAME -u USER` had it."""
    os.chmod("/dev/net/tun", 0o666)
    links.ip("tuntap", "add", "dev", name, "mode", "tap", "user", user)
    links.write(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6", "1")
    links.ip("link", "set", name, "up")


def of_tap(name):
    """What a person has set: not its carrier, and not the header that QEMU leaves it with."""
    return ({key: links.read(name, key) for key in ("ifindex", "address", "mtu", "owner", "group")},
            links.is_up(name), os.path.exists(f"/sys/class/net/{name}/brport"),
            [line.replace("linkdown", "").split() for line in links.ip("route").splitlines()],
            links.ip("-oneline", "address", "show", "dev", name))


def host_reaches(number):
    eventually(lambda: run(["busybox", "ping", "-c", "1", "-W", "1", address(number)],
                           check=False).returncode == 0, 15, f"the host reaches {address(number)}")


def is_left_alone(connection, guest):
    """A NIC that has a TAP is nobody's business: no row, no network, nothing to be done."""
    assert not lab.rows(connection, guest=guest.name), lab.rows(connection)
    assert "nothing to do" in connection.netrelayctl("plan").stdout


@tap.timeout(120)
def test_D6_E9_in_a_session(host):
    """A user's TAP with a host route to its guest: nobody of us does anything about it"""
    make_tap("tap0", "tester")
    links.ip("address", "add", f"{address(HOST)}/32", "dev", "lo")
    links.ip("route", "add", f"{address(1)}/32", "dev", "tap0", "src", address(HOST))
    before = of_tap("tap0")
    session = host.session(runtime_dir=True)
    session.netrelayd()
    guest = lab.numbered(session, 1, ethernet_nic("tap0", 1))
    guest.boot()
    host_reaches(1)
    guest.reaches(address(HOST))
    is_left_alone(session, guest)
    guest.destroy()
    assert of_tap("tap0") == before
    assert links.names() == ["tap0"], links.names()


@tap.timeout(120)
def test_D4_E9_beside_a_network(host):
    """A TAP that was put into a bridge, beside the one that a network puts there"""
    links.add_bridge("br0", [f"{address(HOST)}/24"])
    make_tap("tap1", "root")
    links.ip("link", "set", "tap1", "master", "br0")
    before = of_tap("tap1")
    host.libvirtd()
    path = host.write_network("lab", NETWORK)
    host.netrelayd()
    guests = {1: lab.numbered(host, 1, ethernet_nic("tap1", 1)),
              2: lab.numbered(host, 2, client_nic(PORT, mac(2)))}
    for guest in guests.values():
        guest.start()
    lab.all_meet(guests)
    for number, guest in guests.items():
        host_reaches(number)
        guest.reaches(address(HOST))
    is_left_alone(host, guests[1])
    guests[2].destroy()
    os.unlink(path)
    eventually(lambda: links.members("br0") == ["tap1"], 15, "the network's own TAP is gone")
    host_reaches(1)
    guests[1].destroy()
    assert of_tap("tap1") == before


tap.main(PrivateHost())
