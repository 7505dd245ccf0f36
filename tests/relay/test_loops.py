#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Loops: relays cabled in ways that nobody should, while good guests talk on.

Each guest here that is not a talker is a witness: it hears all that is flooded, counts copies, and
would see a probe.
"""

import contextlib
import os
import tempfile
import time

import kit
import links
from ctlproto import PORT_BLOCKED, Control
from frames import BROADCAST, ETHERTYPE, frame, mac, numbered
from peers import TapPeer, dial, introduce, meet
from relayproc import Relay
from traffic import Traffic, unhurt
from wait import eventually

COPIES_MAX = 16
FOUND_S = 1.0
PROBE = b"\x03nrely"


class Switch(Relay):
    """A switch on a port of its own, with a control socket to plug cables by."""

    def __init__(self, l4_port, *arguments):
        self.l4_port = l4_port
        self.directory = tempfile.TemporaryDirectory(prefix="netrelay-")
        path = os.path.join(self.directory.name, "control")
        super().__init__("--control", path, *arguments, "-l", l4_port)
        self.listening(l4_port)
        self.control = Control(path)

    def plug(self, endpoint):
        """Attaches something; it is connected when this returns. The endpoint's id."""
        found = self.control.attach(endpoint)
        self.control.port_of(found)
        return found

    def cable(self, other):
        """A cable to another switch, or to itself."""
        return self.plug(f"tcp:127.0.0.1:{other.l4_port}")

    def unplug(self, endpoint):
        """Takes it away: no port of it is left."""
        self.control.must("DETACH", endpoint_id=endpoint)
        eventually(lambda: not any(port.get("endpoint_id") == endpoint
                                   for port in self.control.ports().values()), 5, "it is gone")

    def blocked(self):
        """Ports that are blocked."""
        return [port for port in self.control.ports().values() if port["state"] == PORT_BLOCKED]

    def lines(self, word):
        return [line for line in self.text().splitlines() if word in line]


@contextlib.contextmanager
def switches(count, *arguments):
    """That many switches, each with a guest that witnesses."""
    with contextlib.ExitStack() as stack:
        relays = [stack.enter_context(Switch(1001 + i, *arguments)) for i in range(count)]
        yield relays, [dial(relay.l4_port) for relay in relays]


@contextlib.contextmanager
def talkers(relay, rate=500):
    """Two guests of this switch exchange frames all the time, and are not hurt by anything."""
    one, other = meet(dial(relay.l4_port), dial(relay.l4_port))
    with Traffic(one, other, rate=rate) as traffic:
        traffic.sample()
        yield
        unhurt(traffic.finish())


class Broadcasts:
    """Numbered broadcasts of one guest, and how often each came to the others."""

    def __init__(self, sender, *witnesses):
        self.sender, self.witnesses = sender, witnesses
        self.number = 0

    def say(self):
        self.number += 1
        self.sender.send(numbered(BROADCAST, mac(1), self.number))

    def counts(self, seconds=0.3):
        """{witness: {number: times}} of all that came since the last time."""
        found = {}
        for witness in (self.sender, *self.witnesses):
            heard = {}
            for one in witness.drain(seconds if witness is self.sender else 0.02):
                assert one[:6] != PROBE, f"{witness} saw a probe"
                if one[6:12] == mac(1) and one[12:14] == ETHERTYPE.to_bytes(2, "big"):
                    number = int.from_bytes(one[14:18], "big")
                    heard[number] = heard.get(number, 0) + 1
            found[witness] = heard
        return found

    def few_copies(self, found=None):
        for witness, heard in (found or self.counts()).items():
            for number, times in heard.items():
                assert times <= COPIES_MAX, f"{times} copies of frame {number} at {witness}"

    def heard_once(self, deadline=5):
        """From some moment on each is heard by every witness once, and nothing of it comes back."""
        def settled():
            self.counts(0.05)
            self.say()
            found = self.counts(0.1)
            self.few_copies(found)
            return all(heard == ({} if witness is self.sender else {self.number: 1})
                       for witness, heard in found.items())
        eventually(settled, deadline, "a broadcast is heard by everybody once")


def found_in_time(relays, said, count=1):
    """After a frame was flooded: one port less passes, and one line says so."""
    began = time.monotonic()
    said.say()
    eventually(lambda: sum(len(relay.lines("blocked")) for relay in relays) >= count, FOUND_S + 0.5,
               "the loop is found")
    took = time.monotonic() - began
    assert took <= FOUND_S, f"the loop was found after {took:.2f} s"
    said.few_copies()
    eventually(lambda: sum(len(relay.blocked()) for relay in relays) == count, 2,
               f"ports blocked: {count}")


def loop_is_found(relays, witnesses, make, count=1):
    """Plugs the loop beside talkers of the first switch: found, said once, nobody hurt."""
    said = Broadcasts(witnesses[0], *witnesses[1:])
    with talkers(relays[0]):
        plugged = make()
        found_in_time(relays, said, count)
        said.heard_once()
        for _ in range(20):
            said.say()
        said.few_copies()
    lines = [line for relay in relays for line in relay.lines("loop")]
    assert len(lines) == count, lines
    relays[-1].calm()
    return said, plugged


def heals(relays, said, take_away):
    """The cable that still carried frames goes; the other one takes over."""
    with talkers(relays[0]):
        take_away()
        eventually(lambda: any(relay.lines("open again") for relay in relays), 5, "it opens")
        said.heard_once()
    assert not any(relay.blocked() for relay in relays)


def test_A13_F17_two_relays_cabled_twice():
    """found, blocked and said once; when the first cable is taken away the second one takes over"""
    with switches(2) as (relays, witnesses):
        def make():
            return [relays[0].cable(relays[1]), relays[0].cable(relays[1])]
        said, plugged = loop_is_found(relays, witnesses, make)
        heals(relays, said, lambda: relays[0].unplug(plugged[0]))


def test_A13_F17_two_relays_that_dial_each_other():
    """a cable each way: whoever acts, one cable stays"""
    with switches(2) as (relays, witnesses):
        def make():
            return [relays[0].cable(relays[1]), relays[1].cable(relays[0])]
        said, _ = loop_is_found(relays, witnesses, make)
        said.heard_once()


def test_A13_F17_three_cables():
    """two of them are blocked"""
    with switches(2) as (relays, witnesses):
        said, plugged = loop_is_found(relays, witnesses, lambda: [
            relays[i % 2].cable(relays[1 - i % 2]) for i in range(3)], 2)
        relays[0].unplug(plugged[0])
        said.heard_once(10)


def test_A13_F17_a_ring_of_three():
    """found wherever it is closed; every switch still hears every other one"""
    with switches(3) as (relays, witnesses):
        said, plugged = loop_is_found(relays, witnesses, lambda: [
            relays[i].cable(relays[(i + 1) % 3]) for i in range(3)])
        blocker = next(i for i in range(3) if relays[i].blocked())
        endpoint = relays[blocker].blocked()[0]["endpoint_id"]
        cut = blocker if endpoint == plugged[blocker] else (blocker - 1) % 3
        healthy = (cut + 1) % 3
        heals(relays, said, lambda: relays[healthy].unplug(plugged[healthy]))


def test_A13_F17_a_relay_cabled_to_itself():
    """the later end of the cable is blocked; it is gone with the cable"""
    with switches(1) as (relays, witnesses):
        listener = dial(1001)
        said, plugged = loop_is_found(relays, [*witnesses, listener],
                                      lambda: relays[0].cable(relays[0]))
        relays[0].unplug(plugged)
        said.heard_once()
        assert not relays[0].blocked()


def bridge_with_taps(count):
    """A kernel bridge with so many TAPs in it, and their names."""
    names = [f"nrt{i}" for i in range(count)]
    links.write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1")
    links.add_bridge("br0")
    for name in names:
        links.ip("tuntap", "add", name, "mode", "tap")
        links.ip("link", "set", name, "up", "master", "br0")
    return names


def forwards(name):
    """Waits until the bridge lets frames through that member: a TAP is plugged by opening it."""
    eventually(lambda: links.read(name, "brport/state") == "3", 5, f"{name} forwards")


def test_A13_F17_through_a_kernel_bridge():
    """two TAPs of one relay in one bridge, which has a guest of its own"""
    kit.need_tun()
    names = bridge_with_taps(2)
    station = TapPeer("nrt9")
    links.ip("link", "set", "nrt9", "up", "master", "br0")
    with switches(1) as (relays, witnesses):
        def make():
            plugged = [relays[0].plug(f"tap:{name}") for name in names]
            for name in (*names, "nrt9"):
                forwards(name)
            return plugged
        said, plugged = loop_is_found(relays, witnesses, make)
        station.drain(0.1)
        said.say()
        heard = [one for one in station.drain(0.2)
                 if one[:18] == numbered(BROADCAST, mac(1), said.number)[:18]]
        assert len(heard) == 1, f"{len(heard)} copies beyond the bridge"
        heals(relays, said, lambda: relays[0].unplug(plugged[0]))
    station.close()


def test_A13_F17_through_a_wire():
    """one of two cables is a relay of its own, which passes everything, probes too"""
    with switches(2) as (relays, witnesses):
        with Relay("127.0.0.1:1001", "127.0.0.1:1002"):
            meet(*witnesses)
            loop_is_found(relays, witnesses, lambda: relays[0].cable(relays[1]))


def test_A13_F17_in_a_hub():
    """--hub: known unicast goes round as well, and is damped like all else"""
    with switches(2, "--hub") as (relays, witnesses):
        said = Broadcasts(*witnesses)
        relays[0].cable(relays[1])
        introduce(*witnesses)
        relays[0].cable(relays[1])
        for number in range(20):
            witnesses[1].send(numbered(mac(1), mac(2), number))
        copies = len(witnesses[0].drain(0.2))
        assert copies <= 20 * COPIES_MAX, f"{copies} of 20 frames"
        found_in_time(relays, said)
        said.heard_once()


def test_F17_ignored_where_told_so():
    """--loops ignore: nothing is blocked, no probe is sent; a guarded relay acts alone"""
    with Switch(1001) as guarded, Switch(1002, "--loops", "ignore") as ignoring:
        witness = dial(1001)
        said = Broadcasts(witness, dial(1001))
        guarded.cable(ignoring)
        ignoring.cable(guarded)
        found_in_time([guarded, ignoring], said)
        said.heard_once()
        assert guarded.blocked() and not ignoring.blocked()


def test_F17_a_killed_forwarder_finds_it_again():
    """its successor begins with all ports open, and blocks again at the first frame"""
    with switches(2) as (relays, witnesses):
        said = Broadcasts(*witnesses)
        for _ in range(2):
            relays[0].cable(relays[1])
        found_in_time(relays, said)
        blocker = relays[0] if relays[0].blocked() else relays[1]
        os.kill(blocker.forwarder(), 9)
        eventually(lambda: len(blocker.lines("ended by signal")) == 1, 5, "it is dead")
        blocker.forwarder()
        said.heard_once()
        eventually(lambda: len(relays[0].blocked() + relays[1].blocked()) == 1, 5, "blocked again")


def garp(station, count=0):
    return frame(BROADCAST, mac(station), b"I have moved" + bytes([count]), size=60)


def test_F19_VRRP_an_address_that_two_guests_share_in_turn():
    """flapping each tenth of a second: followed at once, nobody blocked, no probe, all is heard"""
    with Switch(1001) as relay:
        one, two, asker = meet(*(dial(1001) for _ in range(3)))
        introduce(one, two, asker)
        for turn in range(16):
            now, was = ((one, two), (two, one))[turn % 2]
            now.send(garp(77))
            asker.expect(garp(77))
            was.expect(garp(77))
            asker.send(frame(mac(77), mac(3), b"there?", size=60))
            now.expect(frame(mac(77), mac(3), b"there?", size=60))
            was.silent(0.1)
        assert not relay.lines("loop") and not relay.blocked()


def test_F19_a_fast_flap_blocks_nobody():
    """the same frame from two guests, hundreds of times a second: some dropped, none blocked"""
    with Switch(1001) as relay:
        one, two, asker = meet(*(dial(1001) for _ in range(3)))
        for turn in range(600):
            ((one, two)[turn % 2]).send(garp(77))
            asker.gather(0.002)
        asker.drain(0.1)
        one.send(frame(BROADCAST, mac(1), b"after all", size=60))
        asker.expect(frame(BROADCAST, mac(1), b"after all", size=60))
        assert not relay.blocked() and not relay.lines("loop")


def test_F19_a_guest_that_migrates():
    """announced five times from where it is now: followed at the first, all five are heard"""
    with Switch(1001) as relay:
        old, new, asker = meet(*(dial(1001) for _ in range(3)))
        introduce(old, new, asker)
        old.send(frame(BROADCAST, mac(77), b"before", size=60))
        asker.expect(frame(BROADCAST, mac(77), b"before", size=60))
        new.expect(frame(BROADCAST, mac(77), b"before", size=60))
        for count in range(5):
            new.send(garp(77))
            asker.expect(garp(77))
            asker.send(frame(mac(77), mac(3), bytes([count]), size=60))
            new.expect(frame(mac(77), mac(3), bytes([count]), size=60))
        assert not relay.lines("loop")


def test_F17_no_probes_on_a_wire_nor_to_a_guest():
    """guests see each other's frames and nothing else; a wire passes probes and sends none"""
    with Switch(1001) as relay:
        guests = [dial(1001) for _ in range(3)]
        introduce(*guests)
        for guest in guests:
            guest.silent(0.5)
        assert not relay.lines("loop")
    with Relay("-l", "1002", "-l", "1003") as end, Relay("127.0.0.1:1002", "127.0.0.1:1003"):
        end.listening(1002, 1003)       # a wire from a switch to itself: there it is a loop
        said = Broadcasts(dial(1002), dial(1002))
        eventually(lambda: said.say() or "blocked" in end.text(), 5, "found through the wire")


def test_F17_a_guest_that_is_known_as_one_gets_no_probe():
    """guest: even where its frames come back they are damped and no more"""
    with Relay("-l", "1001,guest") as relay:
        relay.listening(1001)
        one, two, other = meet(*(dial(1001) for _ in range(3)))
        for turn in range(40):
            ((one, two)[turn % 2]).send(garp(77))
            other.gather(0.002)
        for guest in (one, two, other):
            assert all(f[:6] != PROBE for f in guest.drain(0.2)), f"{guest} saw a probe"


def test_F17_a_loop_that_is_plugged_again():
    """without the blocked cable nothing is blocked; with another one it is found again"""
    with switches(2) as (relays, witnesses):
        said = Broadcasts(*witnesses)
        cables = [relays[0].cable(relays[1]), relays[0].cable(relays[1])]
        found_in_time(relays, said)
        relays[0].unplug(cables[1])
        said.heard_once()
        relays[0].cable(relays[1])
        found_in_time(relays, said)


if __name__ == "__main__":
    kit.main()
