#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How much a port lets in and out in a second: ingress= and egress=."""

import errno
import os
import select
import subprocess
import tempfile
import time

import kit
import links
from ctlproto import ManagedRelay
from frames import enclose, frame, mac
from peers import (GroupPeer, LinkPeer, PipePeer, Server, StreamPeer, UdpPeer, UnixPeer, UnixServer,
                   dial, introduce, meet)
from relayproc import Relay
from wait import eventually

KIB = 1024
SIZE = 1000
SECOND = 1.0
FRAMES = 64          # in a write


class Flow:
    """One station says as much as it can to another one, which counts what comes."""

    def __init__(self, sender, receiver, source, target):
        self.sender, self.receiver = sender, receiver
        self.frame = frame(mac(target), mac(source), size=SIZE)
        self.data = enclose(*[self.frame] * FRAMES)
        self.at = self.received = 0
        self.out = sender.stdin if isinstance(sender, PipePeer) else sender.sock
        os.set_blocking(self.out.fileno(), False)

    def push(self):
        try:
            if isinstance(self.sender, (StreamPeer, PipePeer)):
                self.at += os.write(self.out.fileno(), self.data[self.at:])
                self.at %= len(self.data)
            elif isinstance(self.sender, GroupPeer):    # which would wait for its echo
                self.out.sendto(self.frame, self.sender.address)
            else:
                self.sender.send(self.frame)
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno != errno.ENOBUFS:        # a device's queue is full
                raise

    def pull(self):
        self.receiver.gather(0)
        self.received += (SIZE + 4) * sum(one == self.frame for one in self.receiver.waiting)
        self.receiver.waiting.clear()


def pour(flows, done):
    while not done():
        ready = select.select([f.receiver for f in flows], [f.out for f in flows], [], 0.01)
        for flow in flows:
            if flow.receiver in ready[0]:
                flow.pull()
            if flow.out in ready[1]:
                flow.push()


def rates(*flows, during=lambda: False, begin=200 * KIB):
    """KiB in a second of each flow, once each has `begin` behind it and with that its burst."""
    end = time.monotonic() + 10
    pour(flows, lambda: all(f.received >= begin for f in flows) or time.monotonic() > end)
    before = [flow.received for flow in flows]
    assert min(before) >= begin, f"slower than slow: {before}"
    start = time.monotonic()
    pour(flows, lambda: during() or time.monotonic() >= start + SECOND)
    seconds = time.monotonic() - start
    return [(f.received - was) / KIB / seconds for f, was in zip(flows, before)]


def check(rate, wanted, text, least=0.85):
    assert wanted * least < rate < wanted * 1.1, f"{text}: {rate:.0f} KiB/s in place of {wanted}"


def limited_peer(kind, directory):
    """-> the endpoint of a guest behind this kind of port, and a function that waits for it"""
    if kind == "tcp":
        return "127.0.0.1:2001", Server(2001).accept
    if kind == "unix":
        path = os.path.join(directory, "guest")
        return f"unix:{path}", UnixServer(path).accept
    here, there = ("127.0.0.1", 3002), ("127.0.0.1", 3001)
    return "udp:127.0.0.1:3001:127.0.0.1:3002", lambda: UdpPeer(here, there)


def test_both_directions_of_each_kind():
    """what comes in, and what leaves, is as much as may, at once, and others are not held back"""
    for kind in ("tcp", "unix", "udp"):
        with tempfile.TemporaryDirectory(prefix="netrelay-") as directory:
            endpoint, accept = limited_peer(kind, directory)
            with Relay("-l", "12345", f"{endpoint},ingress=2000,egress=1000").listening(12345):
                guest, one, two, three = accept(), *(dial(12345) for _ in range(3))
                introduce(one, guest, two, three)
                found = rates(Flow(guest, one, 2, 1), Flow(two, guest, 3, 2),
                              Flow(one, three, 1, 4))
                check(found[0], 2000, f"into a {kind} port")
                check(found[1], 1000, f"out of a {kind} port")
                assert found[2] > 5000, f"beside it: {found[2]:.0f} KiB/s"


def other_kinds(directory):
    """kind -> its endpoint, and a guest behind it once the relay runs; of what does not connect"""
    here, there = (os.path.join(directory, name) for name in ("here", "there"))
    kinds = {"unix-dgram": (f"unix-dgram:{here}:{there}", lambda relay: UnixPeer(there, here)),
             "mcast": ("mcast:239.1.2.3:1234@lo", lambda relay: GroupPeer("239.1.2.3", 1234)),
             "pipe": ("-", lambda relay: PipePeer(relay.process))}
    if os.access("/dev/net/tun", os.R_OK | os.W_OK):
        kit.quiet_kernel()
        links.ip("tuntap", "add", "dev", "t0", "mode", "tap")
        links.ip("link", "set", "t0", "up")
        kinds["tap"] = ("tap:t0", lambda relay: LinkPeer("t0"))
    return kinds


def test_datagrams_devices_and_pipes():
    """each way, into all of them at once and then out of them: in a group all would hear both"""
    with tempfile.TemporaryDirectory(prefix="netrelay-") as directory:
        kinds = other_kinds(directory)
        endpoints = [f"{endpoint},ingress=1000,egress=500" for endpoint, _ in kinds.values()]
        with Relay("-l", "12345", "--", *endpoints, stdin=subprocess.PIPE,
                   stdout=subprocess.PIPE).listening(12345) as relay:
            guests = [accept(relay) for _, accept in kinds.values()]
            others = [dial(12345) for _ in guests]
            introduce(*others, *guests)
            count = len(guests)
            into = [Flow(guest, other, count + i, i)
                    for i, (guest, other) in enumerate(zip(guests, others), 1)]
            out = [Flow(other, guest, i, count + i)
                   for i, (guest, other) in enumerate(zip(guests, others), 1)]
            # Their queues are short: who gets no CPU for a moment loses what it might have had.
            for flows, limit, way in ((into, 1000, "into"), (out, 500, "out of")):
                for kind, rate in zip(kinds, rates(*flows)):
                    check(rate, limit, f"{way} {kind}", least=0.4)


def test_what_is_too_much_is_dropped_where_it_leaves():
    """a switch drops and counts it, with little in the queue; a wire holds the sender back"""
    server = Server(2001)
    with ManagedRelay() as relay:
        control = relay.control()
        control.attach("listen:12345")
        limited = control.port_of(control.attach("tcp:127.0.0.1:2001,egress=400"))["port_id"]
        guest, one = server.accept(), dial(12345)
        introduce(one, guest)
        check(rates(Flow(one, guest, 1, 2))[0], 400, "out of a switch")
        port = control.ports()[limited]
        assert port["drop_queue"] > 0 and port["queued"] <= 100 * KIB, port
    server.close()
    near, far = Server(2001), Server(2002)
    with Relay("127.0.0.1:2001", "127.0.0.1:2002,egress=1000"):
        one, guest = near.accept(), far.accept()
        meet(one, guest)
        data = [frame(mac(2), mac(1), number.to_bytes(4, "big"), size=SIZE)
                for number in range(600)]
        one.send(*data)
        guest.expect(*data)


def test_a_successor_has_no_burst():
    """forwarders are killed again and again: never more than the average and one bucket"""
    server = Server(2001)
    with Relay("-l", "12345", "127.0.0.1:2001,ingress=1000::1000").listening(12345) as relay:
        guest, one = server.accept(), dial(12345)
        introduce(one, guest)
        kills = []
        began = time.monotonic()

        def kill():
            if time.monotonic() > began + 0.3 * (len(kills) + 1):
                kills.append(relay.forwarder())
                relay.kill_forwarder()

        found = rates(Flow(guest, one, 2, 1), during=kill)[0]
        assert len(kills) > 2 and found < 1100, f"{found:.0f} KiB/s in place of 1000"


def test_a_slow_exit_loses_nothing_by_kills():
    """what waits in a limited port's queue is not lost or torn, of TCP not repeated either"""
    for kind in ("tcp", "unix"):
        with tempfile.TemporaryDirectory(prefix="netrelay-") as directory:
            endpoint, accept = limited_peer(kind, directory)
            near = Server(2002)
            with Relay("127.0.0.1:2002", f"{endpoint},egress=1000") as relay:
                one, guest = near.accept(), accept()
                meet(one, guest)
                data = [frame(mac(2), mac(1), number.to_bytes(4, "big"), size=SIZE)
                        for number in range(1000)]
                one.send(*data)
                found = []
                for _ in range(4):
                    found += guest.receive(150)
                    relay.kill_forwarder()
                while data[-1] not in found:
                    found += guest.receive(1)
                assert kind == "unix" or found == data, "not each frame once"
                assert sorted(set(found)) == data, f"{kind}: a frame is lost, or torn"
            near.close()


def test_options_of_a_port_are_changed():
    """limits and a pin come and go while frames move, outlast a forwarder, and are shown"""
    with ManagedRelay() as relay:
        control = relay.control()
        listener = control.attach("listen:12345")
        guest = dial(12345)
        limited = control.port_of(listener)["port_id"]
        one = dial(12345)
        introduce(one, guest)
        flow = Flow(guest, one, 2, 1)
        for options, rate in ((",ingress=1000:4000:64", 1000), (",ingress=3000", 3000), ("", None)):
            control.must("SET_OPTIONS", port_id=limited, options=options)
            assert control.event("EVENT_PORT", port_id=limited, options=options)
            flow.received = 0
            found = rates(flow)[0]
            if rate:
                check(found, rate, options)
            else:
                assert found > 5000, f"without a limit: {found:.0f} KiB/s"
        control.must("SET_OPTIONS", port_id=limited, options=",pin=52:54:00:00:00:09")
        relay.kill_forwarder()
        pour([flow], lambda: control.ports()[limited]["drop_filter"] > 0)
        assert control.ports()[limited]["options"] == ",pin=52:54:00:00:00:09"


def test_options_that_are_none():
    """what is wrong is named, and nothing changes"""
    with ManagedRelay() as relay:
        control = relay.control()
        listener = control.attach("listen:12345,guest")
        peer = dial(12345)
        port = control.port_of(listener)["port_id"]
        for options, word in ((",ingress=0", "KiB"), ("guest", "comma"), (",nothing", "options"),
                              ("," + "x" * 1000, "long")):
            answer = control.request("SET_OPTIONS", port_id=port, options=options)
            assert answer["error"] and word in answer["error_text"], (options, answer)
        assert control.request("SET_OPTIONS", port_id=port)["error"]
        assert control.request("SET_OPTIONS", port_id=port + 9, options="")["error"]
        eventually(lambda: control.ports()[port]["options"] == ",guest", 5, "as it was")
        peer.close()


if __name__ == "__main__":
    kit.main()
