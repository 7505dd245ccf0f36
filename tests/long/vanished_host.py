#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""F9: a host that vanishes without a word, as with a power cut. Takes some minutes."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "relay"))

import kit                          # noqa: E402
import links                        # noqa: E402
import tap                          # noqa: E402
from frames import BROADCAST, enclose, frame, mac, numbered    # noqa: E402
from peers import Server, dial, exchange    # noqa: E402
from relayproc import Relay         # noqa: E402
from stacks import Stack, cable     # noqa: E402
from wait import eventually, never  # noqa: E402

NEAR, FAR = "192.0.2.1", "192.0.2.2"
NOTICED = 45                        # seconds


class Far:
    """Another host, with a guest that listens there."""

    def __init__(self):
        self.stack = Stack()
        cable(None, self.stack, "lan0", (f"{NEAR}/24", f"{FAR}/24"))
        with self.stack:
            self.server = Server(2001, FAR)

    def vanish(self):
        """Nothing of it arrives any more, and nothing says so."""
        with self.stack:
            links.ip("route", "add", "blackhole", f"{NEAR}/32")

    def be_back(self):
        with self.stack:
            links.ip("route", "del", "blackhole", f"{NEAR}/32")


def noticed_and_found_again(meanwhile):
    far = Far()
    with Relay("-v", "-l", "12345", f"{FAR}:2001") as relay:
        relay.listening(12345)
        guest, there = dial(12345), far.server.accept()
        exchange(guest, there)
        far.vanish()
        began = time.monotonic()
        eventually(lambda: meanwhile(guest) or "does not answer" in relay.text(), NOTICED,
                   "it is noticed")
        print(f"noticed after {time.monotonic() - began:.1f} s")
        time.sleep(10)              # how long it is away
        far.be_back()
        began = time.monotonic()
        again = far.server.accept(3)
        took = time.monotonic() - began
        assert took <= 2, f"found after {took:.1f} s"
        exchange(guest, again)
        assert len(relay.text().splitlines()) < 15, f"a line for each try:\n{relay.text()}"


@tap.timeout(120)
def test_F9_an_idle_host_vanishes():
    """no frame is on its way: noticed all the same, and dialled again"""
    noticed_and_found_again(lambda guest: None)


@tap.timeout(120)
def test_F9_a_busy_host_vanishes():
    """frames are on their way, so that keepalive does not ask: noticed as soon"""
    noticed_and_found_again(lambda guest: guest.send(numbered(BROADCAST, mac(1), 1)))


@tap.timeout(150)
def test_F9_a_paused_guest_is_not_a_vanished_host():
    """it reads nothing for two minutes, its window is closed: it keeps its link, whole frames"""
    far = Far()
    with Relay("-v", "-l", "12345", f"{FAR}:2001") as relay:
        relay.listening(12345)
        guest, there = dial(12345), far.server.accept()
        exchange(guest, there)
        pile = enclose(*[frame(BROADCAST, mac(1), b"pile", size=1500)] * 100)
        for _ in range(200):
            guest.send_raw(pile)
        never(lambda: guest.send(numbered(BROADCAST, mac(1), 1)) or "is gone" in relay.text(), 120,
              "the link of a paused guest is cut")
        there.drain(1)
        exchange(guest, there)


if __name__ == "__main__":
    kit.main()
