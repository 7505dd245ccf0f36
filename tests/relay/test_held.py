#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Connections that nobody has admitted yet: they wait, and take no part."""

import contextlib
import os
import signal
import time

import kit
from ctlproto import PORT_HELD, PORT_UP, ManagedRelay
from frames import BROADCAST, frame, mac
from peers import dial, meet, talk
from relayproc import descriptors
from stacks import Stack, cable
from wait import eventually

LISTEN = "listen:127.0.0.1:12345"
ME, NOBODY_HERE = os.geteuid(), 4711
HELD_MAX = 64               # these three of relay/held.h
TURNED_AWAY_MAX, TURNED_AWAY_S = 128, 0.05
TURNED_AWAY_RESTS = 5
WORD = frame(BROADCAST, mac(7), b"let me in")
PINNED = mac(7).hex(":")


@contextlib.contextmanager
def judged(users=ME, endpoint=LISTEN, **rules):
    """A relay, and a manager that is asked: (relay, control, the listener's id)."""
    with ManagedRelay() as relay:
        control = relay.control(judges=1)
        yield relay, control, control.attach(endpoint, admit_user=users, **rules)
        relay.alive()


@contextlib.contextmanager
def without_judge(users=ME, listen=LISTEN, **rules):
    """A relay whose listener has rules, with a witness on it from another address."""
    with ManagedRelay() as relay:
        control = relay.control()
        endpoint = control.attach(listen, admit_user=users, **rules)
        control.attach("listen:127.0.0.1:12346")
        yield relay, control, endpoint, dial(12346)
        relay.alive()


def held(control, count=1):
    """Waits until so many are held; their ports' numbers."""
    def those():
        return [number for number, port in sorted(control.ports().items())
                if port["state"] == PORT_HELD]
    eventually(lambda: len(those()) == count, 5, f"{count} are held")
    return those()


def admitted(control, label=""):
    """Dials and is admitted."""
    peer = dial(12345)
    control.must("ADMIT_PORT", port_id=held(control)[0], label=label)
    return peer


def refused(control, endpoint):
    return control.dump()[0][endpoint]["drop_stranger"]


def test_held_takes_no_part():
    """B7: nothing of it is read and nothing is sent to it, until it is admitted with its label"""
    with judged() as (_, control, _):
        one = admitted(control)
        other = dial(12345)
        number = held(control)[0]
        other.send(WORD)
        one.send(frame(BROADCAST, mac(1), b"for members"))
        one.silent()
        other.silent()
        assert control.ports()[number]["rx_frames"] == 0
        control.must("ADMIT_PORT", port_id=number, label="guest/nic")
        one.expect(WORD)
        talk(one, other)
        port = control.ports()[number]
        assert (port["state"], port["label"]) == (PORT_UP, "guest/nic"), port
        assert control.request("ADMIT_PORT", port_id=number)["error"] == 0, "twice is once"


def test_held_obeys_from_its_first_frame():
    """B7: what a port may is said with its admission, and counts for what waits there already"""
    with judged() as (relay, control, _):
        one = admitted(control)
        for kills in (False, True):
            other = dial(12345)
            number = held(control)[0]
            other.send(frame(BROADCAST, mac(8), b"as somebody else"), WORD)
            if kills:
                relay.kill_forwarder()
            control.must("ADMIT_PORT", port_id=number, label="guest/nic",
                         options=f",pin={PINNED},ingress=1000")
            one.expect(WORD)
            port = control.ports()[number]
            assert port["options"] == f",pin={PINNED},ingress=1000", port
            assert (port["drop_filter"], port["rx_frames"]) == (1, 1), port
            other.close()
        other = dial(12345)
        number = held(control)[0]
        for options, word in ((",ingress=0", "KiB"), ("," + "x" * 1000, "not options")):
            answer = control.request("ADMIT_PORT", port_id=number, options=options)
            assert answer["error"] and word in answer["error_text"], answer
            assert held(control) == [number], "admitted without what it may"


def test_held_through_the_forwarders_death():
    """B7: killed again and again, none of its successors gets what is held"""
    with judged() as (relay, control, _):
        one = admitted(control)
        other = dial(12345)
        number = held(control)[0]
        other.send(WORD)
        for _ in range(3):
            was = relay.forwarder()
            os.kill(was, signal.SIGKILL)
            eventually(lambda was=was: relay.forwarder() != was, 5, "another forwarder")
            assert held(control) == [number]
        one.silent()
        control.must("ADMIT_PORT", port_id=number)
        one.expect(WORD)


def test_held_is_closed_and_counted():
    """B7: CLOSE_PORT ends it at once, and its listener counts it"""
    with judged() as (_, control, endpoint):
        other = dial(12345)
        control.must("CLOSE_PORT", port_id=held(control)[0])
        other.closed()
        assert refused(control, endpoint) == 1 and not control.ports()


def test_held_while_its_judge_goes():
    """D1: the manager is gone: the user decides, and both are heard of"""
    for users, stays in (([NOBODY_HERE, ME], True), (NOBODY_HERE, False)):
        with judged(users) as (relay, control, endpoint):
            other = dial(12345)
            held(control)
            control.close()
            later = relay.control()
            if stays:
                eventually(lambda later=later: [port["state"] for port in later.ports().values()]
                           == [PORT_UP], 2, "admitted at once")
                continue
            other.closed(2)
            assert refused(later, endpoint) == 1
            assert f"process's of user {ME}" in relay.text(), relay.text()


def test_held_while_its_judge_is_silent():
    """D1: the manager does not answer: after 3 s the user decides"""
    with judged() as (relay, control, _), contextlib.closing(dial(12345)):
        number = held(control)[0]
        eventually(lambda: control.ports()[number]["state"] == PORT_UP, 8, "admitted")
        assert "the manager does not say" in relay.text(), relay.text()


def test_held_when_its_listener_goes():
    """a connection outlives its listener also where nobody has admitted it yet; others wait on"""
    with judged() as (_, control, endpoint), contextlib.closing(dial(12345)):
        number = held(control)[0]
        control.attach("listen:127.0.0.1:12346", admit_user=ME)
        with contextlib.closing(dial(12346)):
            held(control, 2)
            control.must("DETACH", endpoint_id=endpoint)
            assert control.ports()[number]["state"] == PORT_UP
            assert number not in held(control)


def test_strangers_without_a_judge():
    """B7: another user's are closed at once, many of them, and no frame of theirs is seen"""
    with without_judge(NOBODY_HERE) as (relay, control, endpoint, witness):
        relay.forwarder()
        before = descriptors(relay.keeper)
        for count in range(1, 101):
            stranger = dial(12345)
            with contextlib.suppress(ConnectionError):
                stranger.send(WORD)
            stranger.closed()
            stranger.close()
        witness.silent()
        eventually(lambda: refused(control, endpoint) == count, 5, "all are counted")
        eventually(lambda: descriptors(relay.keeper) <= before, 5, "no descriptor is left")
        assert relay.text().count("is closed") < 20, "a line for each of them"


def test_any_address_and_both_families():
    """a listener on any address knows the processes behind IPv4 and IPv6"""
    with ManagedRelay() as relay:
        control = relay.control()
        control.attach("listen:*:12345", admit_user=ME)
        control.attach("listen:*:12346", admit_user=NOBODY_HERE)
        for host in ("127.0.0.1", "::1"):
            talk(*meet(dial(12345, host), dial(12345)))
            dial(12346, host).closed()


def test_a_stranger_of_another_user():
    """B7: whose socket it is decides, and not who runs the relay"""
    kit.need_root()
    with without_judge() as (_, _, _, witness):
        os.seteuid(NOBODY_HERE)
        stranger = dial(12345)
        os.seteuid(0)
        stranger.closed()
        witness.silent()
        talk(dial(12345), witness)


def test_a_stranger_that_is_gone():
    """B7: a socket that nobody has is nobody's, not root's nor another host's: what it left is
    not read"""
    for listen in (LISTEN, "listen:*:12345"):
        left_alone(listen)


def left_alone(listen):
    with without_judge([0, ME], listen, admit_hosts="any") as (relay, control, endpoint, witness):
        os.kill(relay.keeper, signal.SIGSTOP)
        with contextlib.closing(dial(12345)) as stranger:
            stranger.send(WORD)
        os.kill(relay.keeper, signal.SIGCONT)
        eventually(lambda: refused(control, endpoint) == 1, 5, "it is counted")
        witness.silent()


def test_a_flood_of_strangers():
    """F17: no more are held than 64; the others wait, and a guest among them gets its turn"""
    with judged() as (relay, control, endpoint):
        before = descriptors(relay.keeper) + 1      # the first one brings a forwarder
        strangers = [dial(12345) for _ in range(3 * HELD_MAX)]
        guest = dial(12345)
        ours = "127.0.0.1:%d" % guest.sock.getsockname()[1]
        for _ in range(3):
            for number in held(control, HELD_MAX):
                assert descriptors(relay.keeper) <= before + HELD_MAX + 1  # one asks the kernel
                control.must("CLOSE_PORT", port_id=number)
        number = held(control)[0]
        assert control.ports()[number]["peer"] == ours
        control.must("ADMIT_PORT", port_id=number)
        for stranger in strangers:
            stranger.closed()
        assert refused(control, endpoint) == 3 * HELD_MAX
        talk(guest, admitted(control))


def test_room_for_one_more():
    """F17: whom the manager admits is held no more, so the next one is looked at"""
    with judged() as (_, control, _), contextlib.ExitStack() as stack:
        for _ in range(HELD_MAX + 1):
            stack.enter_context(contextlib.closing(dial(12345)))
        first = held(control, HELD_MAX)
        control.must("ADMIT_PORT", port_id=first[0])
        assert held(control, HELD_MAX) != first


def test_a_pest_is_slowed_down():
    """D9: of who dials as fast as he can no more are looked at than a manager can hear of"""
    with without_judge(NOBODY_HERE) as (_, control, endpoint, _), contextlib.ExitStack() as stack:
        began = time.monotonic()
        for _ in range(TURNED_AWAY_RESTS * TURNED_AWAY_MAX):
            stack.enter_context(contextlib.closing(dial(12345)))
        eventually(lambda: refused(control, endpoint) == TURNED_AWAY_RESTS * TURNED_AWAY_MAX, 15,
                   "all are turned away")
        assert time.monotonic() - began >= (TURNED_AWAY_RESTS - 1) * TURNED_AWAY_S


def test_other_hosts():
    """E6: those of the prefixes take part without a word, others are told what would admit them"""
    far = Stack()
    cable(None, far, "lan0", ("10.9.0.1/24", "10.9.0.2/24"))
    for host, hosts, admits in (("10.9.0.1", "10.9.0.0/24", True), ("10.9.0.1", "any", True),
                                ("*", "10.9.0.0/24", True),
                                ("10.9.0.1", ["10.8.0.0/16", "::1"], False)):
        with judged(endpoint=f"listen:{host}:12345", admit_hosts=hosts) as (relay, control, _):
            control.attach("listen:127.0.0.1:12346")
            witness = dial(12346)
            with far:
                guest = dial(12345, "10.9.0.1")
            if admits:
                talk(guest, witness)
                continue
            guest.closed()
            assert "from another host" in relay.text(), relay.text()
            shown = control.dump()[0][1]["admit_hosts"]
            assert shown == hosts[-1], "they are told again, in their order"


def test_rules_that_cannot_be():
    """a prefix that is none; rules for what does not listen"""
    with ManagedRelay() as relay:
        control = relay.control()
        for endpoint, rules, word in ((LISTEN, {"admit_hosts": "10.0.0.0/33"}, "prefix"),
                                      ("tcp:127.0.0.1:1", {"admit_user": 0}, "listen:")):
            answer = control.request("ATTACH", endpoint=endpoint, **rules)
            assert answer["error"] and word in answer["error_text"], answer
        assert control.dump() == ({}, {})


if __name__ == "__main__":
    kit.main()
