#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a port lets in: source addresses, pinned ones, floods, and frames for bridges."""

import os
import struct
import tempfile
import time

import kit
from ctlproto import Control
from frames import BROADCAST, frame, mac
from peers import Server, dial, introduce, meet, talk
from relayproc import Relay
from traffic import Traffic, unhurt
from wait import eventually

LINK_LOCAL = [bytes.fromhex("0180c20000") + bytes([last]) for last in range(16)]
PAUSE = LINK_LOCAL[1]


def said(station, text=b"hello", dst=BROADCAST):
    return frame(dst, mac(station), text, size=60)


class Controlled(Relay):
    """A relay whose counters can be asked for."""

    def __init__(self, *arguments):
        self.directory = tempfile.TemporaryDirectory(prefix="netrelay-")
        self.path = os.path.join(self.directory.name, "control")
        super().__init__("--control", self.path, *arguments)

    def total(self, counter):
        control = Control(self.path)
        try:
            return sum(port[counter] for port in control.ports().values())
        finally:
            control.close()

    def lines(self, *words):
        return [line for line in self.text().splitlines() if all(word in line for word in words)]


def relay_with(server, options, *more):
    """A switch with one guest that it dials with these options, and two that dial it."""
    relay = Controlled(*more, "-l", "12345", f"127.0.0.1:2001,{options}").listening(12345)
    filtered = server.accept()
    others = dial(12345), dial(12345)
    meet(*others)
    return relay, filtered, *others


def test_a_pinned_port_keeps_its_first_address():
    """pin: the first sender is it; others are dropped, counted, said once; a kill keeps it"""
    server = Server(2001)
    relay, guest, one, other = relay_with(server, "pin")
    with relay:
        guest.send(said(5))
        one.expect(said(5))
        other.expect(said(5))
        for turn in range(3):
            guest.send(*[said(6)] * 10, said(5, b"still here"))
            one.expect(said(5, b"still here"))
            other.expect(said(5, b"still here"))
            assert relay.total("drop_filter") == 10 * (turn + 1)
            relay.kill_forwarder()
            meet(one, other)
        one.send(said(1, dst=mac(6)))
        guest.expect(said(1, dst=mac(6)))       # a stranger was not learned: this one is flooded
        other.expect(said(1, dst=mac(6)))
        eventually(lambda: relay.lines("127.0.0.1:2001", "52:54:00:00:00:06"), 5, "it is said")


def test_a_pinned_port_of_a_guest_that_comes_anew():
    """pin: a new connection is a new port, and takes its own first address"""
    server = Server(2001)
    relay, guest, one, other = relay_with(server, "pin")
    with relay:
        guest.send(said(5))
        one.expect(said(5))
        guest.reset()
        guest = server.accept()
        guest.send(said(6), said(5))
        one.expect(said(6))
        one.silent(0.1)


def test_a_given_pin_allow_and_deny_on_every_kind_of_relay():
    """pin=, allow= and deny= in a switch, a hub and a wire"""
    rows = [("pin=52:54:00:00:00:05", {5}), ("allow=52:54:00:00:00:04/47", {4, 5}),
            ("deny=52:54:00:00:00:05", {4, 6, 7}),
            ("allow=52:54:00:00:00:04/46,deny=52:54:00:00:00:05", {4, 6, 7})]
    for options, admitted in rows:
        for kind in ([], ["--hub"], None):
            server, near = Server(2001), Server(2002)
            arguments = ["127.0.0.1:2002"] if kind is None else [*kind, "-l", "12345",
                                                                 "127.0.0.1:2002"]
            with Controlled(*arguments, f"127.0.0.1:2001,{options}") as relay:
                guest, other = server.accept(), near.accept()
                meet(other, guest)
                guest.send(*(said(station) for station in (4, 5, 6, 7)), said(min(admitted)))
                other.expect(*(said(station) for station in sorted(admitted)),
                             said(min(admitted)))
                assert relay.total("drop_filter") == 4 - len(admitted), (options, kind)
            server.close()
            near.close()


def test_F26_300000_refused_frames_make_one_line():
    """the log does not grow with what is refused"""
    server = Server(2001)
    relay, guest, one, other = relay_with(server, "deny=52:54:00:00:00:06")
    with relay:
        before = len(relay.text())
        thousand = [said(6)] * 1000
        for _ in range(300):
            guest.send(*thousand)
        guest.send(said(5))
        one.expect(said(5))
        assert relay.total("drop_filter") == 300000
        assert len(relay.text()) - before < 1000, relay.text()


def test_A12_a_wire_passes_what_is_for_bridges_and_tags():
    """01:80:c2:00:00:00 to 0f, pause too, and tagged frames; whatever --link-local says"""
    near, far = Server(2001), Server(2002)
    odd = [frame(dst, mac(1), b"for bridges", 0x8809, 60) for dst in LINK_LOCAL]
    odd += [frame(BROADCAST, mac(1), struct.pack("!HH", 5, 0x0800), 0x8100, 1518),
            frame(BROADCAST, mac(1), struct.pack("!HHHH", 7, 0x8100, 5, 0x0800), 0x88a8, 1522)]
    for options in ([], ["--link-local", "drop"]):
        with Relay(*options, "127.0.0.1:2001", "127.0.0.1:2002"):
            one, other = near.accept(), far.accept()
            meet(one, other)
            one.send(*odd)
            other.expect(*odd)
            meet(other, one)
            other.send(*odd)
            one.expect(*odd)


def test_A12_link_local_in_a_switch():
    """forward, the default: all but pause; drop: none; what comes after passes"""
    for options, passing in (([], set(LINK_LOCAL) - {PAUSE}),
                             (["--link-local", "forward"], set(LINK_LOCAL) - {PAUSE}),
                             (["--link-local", "drop"], set()),
                             (["--hub", "--link-local", "drop"], set()),
                             (["--hub"], set(LINK_LOCAL))):
        with Relay(*options, "-l", "12345") as relay:
            relay.listening(12345)
            one, other = meet(dial(12345), dial(12345))
            frames = [frame(dst, mac(1), b"for bridges", 0x8809, 60) for dst in LINK_LOCAL]
            one.send(*frames, said(1))
            other.expect(*(f for f in frames if f[:6] in passing), said(1))


def floods_that_pass(relay, sender, receiver, seconds, most):
    """How many broadcasts come through while the sender sends far more of them for so long."""
    many = [said(7, b"flood")] * 500
    end = time.monotonic() + seconds
    count = 0
    while time.monotonic() < end:
        sender.send(*many)
        count += len([f for f in receiver.drain(0.01) if f == many[0]])
    count += len([f for f in receiver.drain(0.1) if f == many[0]])
    assert count <= most, f"{count} floods in {seconds} s, at most {most}"
    return count


def test_F21_storm_limits_one_port():
    """--storm and storm=: what is more is dropped, counted, said once; others have their own"""
    server = Server(2001)
    relay, limited, one, other = relay_with(server, "storm=50", "--storm", "300")
    with relay:
        passed = floods_that_pass(relay, limited, other, 1, 50 + 50 * 1.5)
        assert passed >= 75, f"only {passed} came through"
        dropped = relay.total("drop_storm")
        assert dropped > 1000, f"{dropped} were counted"
        one.send(said(1))
        other.expect(said(1))
        passed = floods_that_pass(relay, one, other, 1, 300 + 300 * 1.5)
        assert passed >= 450, f"only {passed} came through"
        eventually(lambda: len(relay.lines("127.0.0.1:2001", "more than 50 ")) == 1, 5, "said once")


def test_F21_known_unicast_is_no_storm():
    """storm=1: two stations that know each other are not held back"""
    server = Server(2001)
    relay, limited, one, other = relay_with(server, "storm=5")
    with relay:
        introduce(limited, one)
        for turn in range(50):
            talk(limited, one)
        assert relay.total("drop_storm") == 0


def test_F21_a_storm_beyond_the_limit_leaves_others_unhurt():
    """one guest floods as fast as it can: limited, so that good ones go on as ever"""
    with Controlled("--storm", "1000", "-l", "12345") as relay:
        relay.listening(12345)
        one, other, flooder = meet(*(dial(12345) for _ in range(3)))
        with Traffic(one, other, rate=1000) as traffic:
            traffic.sample()
            many = [said(3, b"flood")] * 1000
            end = time.monotonic() + 2
            while time.monotonic() < end:
                flooder.send(*many)
                flooder.drain(0)
            unhurt(traffic.finish())
        assert relay.total("drop_storm") > 10000


if __name__ == "__main__":
    kit.main()
