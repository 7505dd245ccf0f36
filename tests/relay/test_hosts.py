#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Relays on two hosts, with a router between them whose further cable takes shorter packets."""

import contextlib

import kit
import links
from ctlproto import ManagedRelay
from frames import mac, numbered
from peers import dial, exchange, meet
from relayproc import Relay
from stacks import Stack, cable
from wait import eventually

UDP, LAB = 4001, 12345
BURST = 20


class Hosts:
    """This host, 1,500 bytes, a router, 1,400 bytes, the far host; `subnet` is for two subnets."""

    def __init__(self, subnet, length):
        self.router, self.far = Stack(), Stack()
        self.here, here_router, self.away, away_router = (subnet.format(net, host) for net in (1, 2)
                                                          for host in (1, 2))
        cable(None, self.router, "lan0", (f"{self.here}/{length}", f"{here_router}/{length}"))
        cable(self.far, self.router, "lan1", (f"{self.away}/{length}", f"{away_router}/{length}"),
              mtu=1400)
        links.ip("route", "add", "default", "via", here_router)
        with self.far:
            links.ip("route", "add", "default", "via", away_router)
        with self.router:
            links.write("/proc/sys/net/ipv4/ip_forward", "1")
            links.write("/proc/sys/net/ipv6/conf/all/forwarding", "1")


@contextlib.contextmanager
def udp_between(hosts, written="{}"):
    """guest - relay - UDP - relay - guest: (what the port here has counted, one, two)."""
    here, away = (f"{written.format(address)}:{UDP}" for address in (hosts.here, hosts.away))
    with ManagedRelay() as near, contextlib.ExitStack() as cleanup:
        control = near.control()
        control.attach(f"listen:127.0.0.1:{LAB}")
        endpoint = control.attach(f"udp:{here}:{away}")
        near.listening(LAB)
        with hosts.far:
            cleanup.enter_context(Relay(f"udp:{away}:{here}", f"listen:{LAB}")).listening(LAB)
            two = dial(LAB)
        yield lambda: control.port_of(endpoint), *meet(dial(LAB), two)


def burst(one, two, size):
    """Numbered frames of that size; those that arrive are in order. Returns how many."""
    sent = [numbered(mac(2), mac(1), number, size) for number in range(BURST)]
    for said in sent:
        one.send(said)
    arrived = two.drain(0.5)
    assert arrived == [said for said in sent if said in arrived], "out of order"
    return len(arrived)


def test_A11_udp_frames_longer_than_the_path():
    """9,014 bytes and more over a path of 1,400: fragmented, none is lost, from the first one on"""
    with udp_between(Hosts("10.1.{}.{}", 24)) as (counted, one, two):
        for size in (60, 1400, 1514, 9014, 65507):
            assert burst(one, two, size) == BURST, f"of {size} bytes: {counted()}"
            exchange(one, two, 1, 2, size=size)
            exchange(two, one, 2, 1, size=size)
        assert counted()["drops"] == 0, counted()


def test_A11_udp_frames_longer_than_a_path_of_IPv6():
    """no router fragments there: frames are lost until the path is known, then none is

    Those that are sent between the router's word and the kernel's next look are counted; those that
    were on their way before, nobody here can know of."""
    with udp_between(Hosts("fd00:{}::{}", 64), "[{}]") as (counted, one, two):
        port, lost = counted()["port_id"], []

        def path_is_known():
            lost.append(BURST - burst(one, two, 1400))
            return not lost[-1]
        eventually(path_is_known, 5, "the path is known")
        drops = counted()["drop_size"]
        assert sum(lost) > 0 and drops <= sum(lost), (lost, counted())
        for size in (1400, 1514, 9014, 65000):
            assert burst(one, two, size) == BURST, f"of {size} bytes: {counted()}"
            exchange(one, two, 1, 2, size=1300)
        assert counted()["port_id"] == port, "its port has died"
        assert counted()["drop_size"] == drops, counted()


if __name__ == "__main__":
    kit.main()
