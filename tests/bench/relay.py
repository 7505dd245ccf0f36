#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Frames a second through the relay, beside the same sender and receiver with nothing in between.

Only the ratios within one run mean anything. Needs a built tree; NETRELAY and NETRELAY_BUILD as in
tests/relay.
"""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "relay"))

# pylint: disable=wrong-import-position
import kit
from peers import Server, dial, introduce, meet, tcp_pair
from relayproc import Relay, cpu_ticks

SECONDS = 2


def blast(source, sink, size, batch=None):
    """Frames a second."""
    return float(subprocess.run(
        [kit.built("tests/bench/relay-blast"), str(source.fileno()), str(sink.fileno()), str(size),
         str(SECONDS), "2", *([str(batch)] if batch else [])],
        pass_fds=[source.fileno(), sink.fileno()], stdout=subprocess.PIPE, check=True).stdout)


def show(what, size, frames, relay=None, before=0):
    used = ""
    if relay:
        ticks = cpu_ticks(relay) - before
        used = f"  relay {ticks * 1e7 / (frames * SECONDS):7.0f} ns a frame"
    print(f"{what:28} {size:6} bytes  {frames:12,.0f} frames/s  "
          f"{frames * size * 8 / 1e9:6.2f} Gbit/s{used}", flush=True)


def measure(size, batch):
    how = "one write a frame" if batch == 1 else "256 KiB a write"
    one, other = tcp_pair()
    show(f"direct, {how}", size, blast(one, other, size, batch))
    servers = [Server(2001), Server(2002)]
    with Relay("127.0.0.1:2001", "127.0.0.1:2002") as relay:
        ends = meet(*(server.accept() for server in servers))
        before = cpu_ticks(relay.forwarder())
        show(f"wire, {how}", size, blast(*ends, size, batch), relay.forwarder(), before)
    with Relay("-l", "12345") as relay:
        relay.listening(12345)
        guests = [dial(12345) for _ in range(2)]
        introduce(*guests)
        before = cpu_ticks(relay.forwarder())
        show(f"switch, {how}", size, blast(*guests, size, batch), relay.forwarder(), before)


def main():
    surroundings = kit.Surroundings()
    surroundings.open()
    surroundings.enter()
    for batch in (None, 1):
        for size in (64, 1514, 9014, 65000):
            measure(size, batch)


if __name__ == "__main__":
    main()
