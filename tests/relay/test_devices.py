#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""F12: bridges and TAPs that go away, come back, are renamed, or are somebody else's by then."""

import contextlib
import signal

import kit
import links
from peers import LinkPeer, TapPeer, dial, exchange, meet
from relayproc import Relay
from relayproc import links as devices
from traffic import Traffic, unhurt
from wait import eventually


@contextlib.contextmanager
def switch_with(endpoint):
    """A relay with that endpoint and two guests who talk all the time, and must be unhurt."""
    with Relay("-l", "12345", endpoint) as relay:
        relay.listening(12345)
        with Traffic(dial(12345), dial(12345), rate=200) as traffic:
            traffic.sample()
            yield relay, dial(12345)
            unhurt(traffic.finish())
        relay.calm()


def quiet_kernel():
    kit.need_tun()
    links.write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1")


def bridge():
    """A bridge, and what is there besides the relay's TAP."""
    quiet_kernel()
    links.add_bridge("br0")
    return devices()


def remake_bridge():
    links.ip("link", "del", "br0")
    links.add_bridge("br0", mtu=1400)


def made_tap(name="t0"):
    links.ip("tuntap", "add", "dev", name, "mode", "tap")
    links.ip("link", "set", name, "up")


def forwarding(name):
    return links.read(name, "brport/state") == "3"


def member(deadline=5):
    """The relay's TAP: the only link in the bridge, up and forwarding."""
    return eventually(lambda: next(filter(forwarding, links.members("br0")), None), deadline,
                      "the relay's TAP is in the bridge")


def reaches_bridge(guest):
    """Frames both ways between a guest and somebody on the bridge."""
    outside = TapPeer("outside")
    links.ip("link", "set", "outside", "master", "br0", "up")
    meet(guest, outside)
    exchange(guest, outside, 21, 22)
    outside.close()


def reaches_tap(guest, name="t0"):
    eventually(lambda: links.read(name, "carrier") == "1", 5, f"{name} has its reader")
    host = LinkPeer(name)
    exchange(guest, host, 21, 22)
    host.close()


def said(relay, word):
    return [line for line in relay.text().splitlines() if word in line]


def test_F12_a_bridge_removed_and_made_again():
    """three times: the same TAP is back in it, with one line each time"""
    bridge()
    with switch_with("br0") as (relay, guest):
        name = member()
        reaches_bridge(guest)
        for turn in range(1, 4):
            remake_bridge()
            assert member() == name
            assert links.read("br0", "mtu") == "1400"
            reaches_bridge(guest)
            assert len(said(relay, "is back in bridge br0")) == turn, relay.text()


def test_F12_a_bridges_TAP_deleted():
    """another one takes its place in the bridge, with one line"""
    before = bridge()
    with switch_with("br0") as (relay, guest):
        for turn in range(1, 4):
            links.ip("link", "del", member())
            member()
            reaches_bridge(guest)
            assert len(devices() - before) == 1, devices()
            assert len(said(relay, "attached again")) == turn, relay.text()


def test_F12_the_bridge_and_its_TAP_deleted():
    """both, and then a device of that name which is no bridge: it waits, and is back in the end"""
    bridge()
    with switch_with("br0") as (relay, guest):
        name = member()
        links.ip("link", "del", "br0")
        links.ip("link", "del", name)
        eventually(lambda: name not in devices(), 5, "the TAP is gone")
        links.ip("tuntap", "add", "dev", "br0", "mode", "tap")
        relay.calm()                        # and looks meanwhile
        links.ip("link", "del", "br0")
        links.add_bridge("br0")
        member()
        reaches_bridge(guest)
        assert len(said(relay, "attached again")) == 1, relay.text()


def test_F12_a_TAP_renamed_while_its_bridge_is_away():
    """root renames it, or while it is in the bridge: it is put back under its new name"""
    bridge()
    with switch_with("br0") as (relay, guest):
        for turn, new in enumerate(("renamed0", "renamed1"), 1):
            name = member()
            if turn == 1:
                links.ip("link", "del", "br0")
            links.ip("link", "set", name, "down")
            links.ip("link", "set", name, "name", new)
            links.ip("link", "set", new, "up")
            if turn == 2:
                links.ip("link", "del", "br0")
            links.add_bridge("br0")
            assert member() == new
            reaches_bridge(guest)
            assert len(said(relay, f"{new} is back")) == 1, relay.text()


def test_F12_a_bridge_that_is_away_is_shown():
    """one line when the TAP is out of it, the endpoint's state tells, and SIGUSR1 has it"""
    bridge()
    with switch_with("br0") as (relay, guest):
        out = f"{member()} is out of bridge br0, and waits for it"
        links.ip("link", "del", "br0")
        eventually(lambda: said(relay, out), 5, "it is said")
        relay.process.send_signal(signal.SIGUSR1)
        eventually(lambda: said(relay, f"endpoint 2, bridge:br0: dialling: {out}"), 5, "it is so")
        links.add_bridge("br0")
        reaches_bridge(guest)
        relay.process.send_signal(signal.SIGUSR1)
        eventually(lambda: said(relay, "endpoint 2, bridge:br0: up: nrtap0"), 5, "it is up again")
        assert len(said(relay, f"netrelay: {out}")) == 1, relay.text()


def test_F12_a_TAP_that_is_down_is_shown():
    """its endpoint says so, until it is up: from the start, too"""
    quiet_kernel()
    links.ip("tuntap", "add", "dev", "t0", "mode", "tap")
    with switch_with("tap:t0") as (relay, guest):
        down = "up: t0 is down"
        for state, words in ((None, down), ("up", "up: t0"), ("down", down)):
            if state:
                links.ip("link", "set", "t0", state)

            def told(words=words):
                relay.process.send_signal(signal.SIGUSR1)
                return said(relay, "endpoint 2, ")[-1:] and \
                    said(relay, "endpoint 2, ")[-1].endswith(f"tap:t0: {words}")
            eventually(told, 5, words)


def test_F12_a_bridges_TAP_set_down():
    """nothing dies while it is down, and it serves again when it is up"""
    bridge()
    with switch_with("br0") as (_, guest):
        name = member()
        links.ip("link", "set", name, "down")
        eventually(lambda: not forwarding(name), 5, "it is down")
        links.ip("link", "set", name, "up")
        member()
        reaches_bridge(guest)


def test_F12_a_TAP_deleted_and_made_again():
    """three times: attached again by itself within 2 s, with one line each time"""
    quiet_kernel()
    made_tap()
    with switch_with("tap:t0") as (relay, guest):
        for turn in range(1, 4):
            reaches_tap(guest)
            links.ip("link", "del", "t0")
            eventually(lambda: "t0" not in devices(), 5, "t0 is gone")
            made_tap()
            eventually(lambda: links.read("t0", "carrier") == "1", 2.5, "t0 is attached again")
            reaches_tap(guest)
            assert len(said(relay, "attached again")) == turn, relay.text()


def test_F12_the_name_of_a_TAP_is_taken():
    """by a device of another kind, and by a TAP that somebody holds: it waits until it is free"""
    quiet_kernel()
    made_tap()
    with switch_with("tap:t0") as (relay, guest):
        reaches_tap(guest)
        links.ip("link", "del", "t0")
        links.ip("link", "add", "t0", "type", "bridge")
        relay.calm()
        links.ip("link", "del", "t0")
        holder = TapPeer("t0")              # not persistent, and in use
        relay.calm()
        assert len(relay.text().splitlines()) <= 2, f"a line for each try:\n{relay.text()}"
        holder.close()
        made_tap()
        reaches_tap(guest)
        assert len(said(relay, "attached again")) == 1, relay.text()


def test_F12_a_TAP_that_is_renamed():
    """it stays attached under its new name; one of the old name is somebody else's"""
    quiet_kernel()
    made_tap()
    with switch_with("tap:t0") as (_, guest):
        reaches_tap(guest)
        links.ip("link", "set", "t0", "down")
        links.ip("link", "set", "t0", "name", "t1")
        links.ip("link", "set", "t1", "up")
        made_tap()
        reaches_tap(guest, "t1")
        assert links.read("t0", "carrier") == "0"
        links.ip("link", "del", "t1")
        reaches_tap(guest, "t0")


if __name__ == "__main__":
    kit.main()
