#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""1,000 SIGKILLs of forwarders at full load, and one after each of their steps.

KILLS says how many at random moments, each kind of network its share. SUCCESSION_SEED repeats the
same choices; it is printed. What is sent and what arrives is compared by numbers and sums.
"""

import os
import random
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "relay"))

import kit                          # noqa: E402
import steps                        # noqa: E402
import tap                          # noqa: E402
from ctlproto import ManagedRelay   # noqa: E402
from frames import BROADCAST, FRAME_MAX, enclose, mac, numbered    # noqa: E402
from peers import Server, dial, meet    # noqa: E402
from relayproc import Relay         # noqa: E402
from test_slow import pile_up, whole_numbers    # noqa: E402
from traffic import Traffic, complete    # noqa: E402
from wait import eventually         # noqa: E402

KILLS = int(os.environ.get("KILLS", "1000"))
SEED = int(os.environ.get("SUCCESSION_SEED", time.time_ns() % 1000000))
SHARE = (KILLS + 4) // 5
PAIRS = 3                           # steps of a successor, for each of the first one's
INSTRUCTIONS = 100
PILE = 200                          # broadcasts of 1,500 bytes for a guest that does not read
LONG = 3600


def kill_again_and_again(relay, traffic, beside=lambda turn: None):
    """At moments that have nothing to do with what it does."""
    moments = random.Random(SEED)
    print(f"seed {SEED}, {SHARE} kills")
    for turn in range(SHARE):
        was = relay.forwarder()
        beside(turn)
        time.sleep(moments.uniform(0, 0.01))        # the moment is the point
        os.kill(was, signal.SIGKILL)
        eventually(lambda was=was: relay.forwarder() != was, 20, "another forwarder")
        complete(traffic.sample(), show=False)
    traffic.flow(1000)
    complete(traffic.finish())
    relay.calm()


@tap.timeout(LONG)
def test_random_in_a_switch():
    """four guests that dialled, 60 to 69,632 bytes, unicast and broadcast"""
    with Relay("-l", "12345") as relay:
        relay.listening(12345)
        guests = [dial(12345) for _ in range(4)]
        with Traffic(*guests, rate=0, window=96 << 10, sizes=(60, FRAME_MAX),
                     broadcast=8) as traffic:
            kill_again_and_again(relay, traffic)


@tap.timeout(LONG)
def test_random_small_frames():
    """eight guests, 60-byte frames, as many as there may be"""
    with Relay("-l", "12345") as relay:
        relay.listening(12345)
        guests = [dial(12345) for _ in range(8)]
        with Traffic(*guests, rate=0, window=96 << 10, sizes=(60, 60)) as traffic:
            kill_again_and_again(relay, traffic)


@tap.timeout(LONG)
def test_random_in_a_dialled_wire():
    """two guests that were dialled, both ways"""
    servers = [Server(2001), Server(2002)]
    with Relay("127.0.0.1:2001", "127.0.0.1:2002") as relay:
        guests = [server.accept() for server in servers]
        with Traffic(*guests, rate=0, sizes=(60, 9000)) as traffic:
            kill_again_and_again(relay, traffic)


class Leavers:
    """Guests that come, say something, some bytes of it urgent, and end."""

    def __init__(self):
        self.watcher = dial(12345)
        self.chance = random.Random(SEED + 1)

    def __call__(self, turn):
        leaver = dial(12345)
        meet(leaver, self.watcher)
        said = [numbered(BROADCAST, mac(1000 + turn), i, 60 + 31 * i) for i in range(20)]
        data = enclose(*said)
        while data:
            size = self.chance.randrange(2, 4000)
            leaver.sock.sendall(data[:size - 1])
            leaver.sock.send(data[size - 1:size], socket.MSG_OOB)
            data = data[size:]
        leaver.close()
        self.said = said

    def check(self, turn):
        if turn:
            self.watcher.expect(*self.said, deadline=20)


@tap.timeout(LONG)
def test_random_with_guests_that_end():
    """both kinds of connections in a switch, urgent bytes, ends right behind the last frame"""
    servers = [Server(2001), Server(2002)]
    with Relay("-l", "12345", "127.0.0.1:2001", "127.0.0.1:2002") as relay:
        relay.listening(12345)
        guests = [dial(12345), dial(12345), *(server.accept() for server in servers)]
        with Traffic(*guests, rate=0, window=96 << 10) as traffic:
            leavers = Leavers()

            def beside(turn):
                leavers.check(turn)
                leavers(turn)
            kill_again_and_again(relay, traffic, beside)
        leavers.check(SHARE)
        leavers.watcher.silent()


@tap.timeout(LONG)
def test_random_beside_a_slow_reader():
    """its queue is full: what it gets is whole and in order, what is missing was counted"""
    with ManagedRelay() as relay:
        control = relay.control()
        control.attach("listen:127.0.0.1:12345")
        relay.listening(12345)
        sleeper, source = meet(dial(12345), dial(12345))
        asleep = "%s:%d" % sleeper.sock.getsockname()
        guests = [dial(12345) for _ in range(2)]
        with Traffic(*guests, rate=0, window=96 << 10) as traffic:
            kill_again_and_again(relay, traffic,
                                 lambda turn: pile_up(source, PILE * turn, PILE))
        eventually(lambda: quiet(control), 20, "all that was sent is passed on or dropped")
        got = whole_numbers(sleeper, 1)
        port = next(port for port in control.ports().values() if port["peer"] == asleep)
        missing = SHARE * PILE - len(got)
        print(f"{len(got)} came, {missing} did not, {port['drop_queue']} drops are counted")
        assert 0 < missing <= port["drop_queue"] == port["drops"]
        assert port["drop_queue"] <= missing + SHARE * PILE, "more than a batch twice for a kill"
        control.close()


def quiet(control):
    """Nothing has moved since a moment ago."""
    def moved():
        return [(port["rx_frames"], port["tx_frames"]) for port in control.ports().values()]
    before = moved()
    time.sleep(0.2)
    return moved() == before


def killed_everywhere(work):
    """After each step, until the work has no more; the successor, too; and at any instruction."""
    chance = random.Random(SEED)
    print(f"seed {SEED}")
    with work() as done:
        for number in done.sets():
            step = 1
            while done.killed_after(step):
                step += 1
            print(f"places {number}: killed after each of {step - 1} steps")
            for first in range(1, step):
                for _ in range(PAIRS):
                    done.killed_after(first, chance.randrange(step))
        for _ in range(INSTRUCTIONS):
            done.killed_after(chance.randrange(12000), how="instructions")


@tap.timeout(LONG)
def test_steps_of_a_switch():
    """and the same with a successor killed at a step of its own; and at any instruction"""
    killed_everywhere(steps.Switch)


@tap.timeout(LONG)
def test_steps_of_a_dialled_wire():
    """the same"""
    killed_everywhere(steps.Wire)


@tap.timeout(LONG)
def test_steps_with_both_kinds_of_connections():
    """the same"""
    killed_everywhere(steps.Mixed)


@tap.timeout(LONG)
def test_steps_with_a_slow_reader():
    """the same"""
    killed_everywhere(steps.SlowReader)


@tap.timeout(LONG)
def test_steps_with_a_guest_that_ends():
    """the same"""
    killed_everywhere(steps.Leaver)


@tap.timeout(LONG)
def test_steps_with_urgent_bytes():
    """the same"""
    killed_everywhere(steps.Urgent)


if __name__ == "__main__":
    kit.main()
