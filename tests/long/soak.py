#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A switch with ports of every kind for SOAK_MINUTES (5), its forwarder killed all the time.

SOAK_SEED repeats the same choices; it is printed.
"""

import contextlib
import os
import random
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "relay"))

import kit                          # noqa: E402
import links                        # noqa: E402
import tap                          # noqa: E402
from frames import BROADCAST, frame, header, mac    # noqa: E402
from peers import Server, TapPeer, UdpPeer, dial, meet    # noqa: E402
from relayproc import Relay         # noqa: E402
from traffic import Traffic, complete    # noqa: E402
from wait import eventually         # noqa: E402

MINUTES = float(os.environ.get("SOAK_MINUTES", "5"))
SEED = int(os.environ.get("SOAK_SEED", time.time_ns() % 1000000))


class Troubles:
    """What happens to the relay, one after the other."""

    def __init__(self, relay, chance):
        self.relay = relay
        self.chance = chance
        self.sleepers = []
        self.counts = {}
        self.choices = [self.stop, self.visit, self.talk_nonsense, self.fall_asleep, self.wake_up,
                        self.leave_in_a_frame, *[self.kill] * 12]

    def strike(self):
        trouble = self.chance.choice(self.choices)
        self.counts[trouble.__name__] = self.counts.get(trouble.__name__, 0) + 1
        trouble()

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.relay.forwarder(), signal.SIGKILL)

    def stop(self):
        pid = self.chance.choice([self.relay.keeper, self.relay.forwarder()])
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
            time.sleep(0.1)         # how long it is stopped
            os.kill(pid, signal.SIGCONT)

    def visit(self):
        visitors = [dial(12345) for _ in range(self.chance.randrange(1, 30))]
        for number, visitor in enumerate(visitors):
            visitor.send(frame(BROADCAST, mac(100 + number), b"visitor", size=60))
            visitor.close() if number % 2 else visitor.reset()

    @staticmethod
    def talk_nonsense():
        visitor = dial(12345)
        with contextlib.suppress(OSError):
            visitor.send_raw(header(1 << 31) + b"nonsense")
        visitor.close()

    def leave_in_a_frame(self):
        visitor = dial(12345)
        visitor.send_raw(header(9000) + b"x" * self.chance.randrange(9000))
        visitor.close()

    def fall_asleep(self):
        if len(self.sleepers) < 5:
            self.sleepers.append(dial(12345))

    def wake_up(self):
        for sleeper in self.sleepers:
            sleeper.drain(0.01)     # fails where the stream is torn
            sleeper.close()
        self.sleepers.clear()


def never_twice(result):
    """Datagrams may be lost where a kill hits them, but not come twice, changed, or astray."""
    wrong = {key: result[key] for key in ("repeated", "corrupt", "stray", "closed") if result[key]}
    assert not wrong, f"{wrong} in {result}"


@tap.timeout(int(MINUTES * 60) + 120)
def test_soak():
    """streams lose nothing, datagrams never come twice; memory and descriptors stay as they were"""
    kit.need_tun()
    links.add_bridge("br0")
    server = Server(2001)
    with Relay("-l", "12345", "127.0.0.1:2001", "4001:127.0.0.1:4002", "br0") as relay:
        relay.listening(12345).bound(4001)
        udp, outside = UdpPeer(("127.0.0.1", 4002), ("127.0.0.1", 4001)), TapPeer("outside")
        udp.sock.connect(udp.remote)
        links.ip("link", "set", "outside", "master", "br0", "up")
        streams = [dial(12345), dial(12345), dial(12345, "::1"), server.accept()]
        meet(*streams, udp, outside)
        held, memory, end = relay.holds(), relay.memory(), time.monotonic() + MINUTES * 60
        troubles = Troubles(relay, random.Random(SEED))
        with Traffic(*streams, rate=500, sizes=(60, 9000), broadcast=20) as sure, \
                Traffic(udp, outside, rate=200, window=60000, group=1) as unsure:
            while time.monotonic() < end:
                troubles.strike()
                time.sleep(troubles.chance.uniform(0, 0.3))     # between two troubles
                sure.flow(20)       # fails where nothing moves any more
                never_twice(unsure.sample())
            troubles.wake_up()
            complete(sure.finish())
            never_twice(unsure.finish())
            assert unsure.moved > 10000 * MINUTES, f"only {unsure.moved} datagrams"
        print(f"seed {SEED}: {troubles.counts}, {sure.moved} and {unsure.moved} frames")
        relay.holds_again(held)
        eventually(lambda: relay.memory() - memory < 8192, 10, "its memory is as it was")
        relay.calm()


if __name__ == "__main__":
    kit.main()
