#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a SIGKILL of the forwarder costs at full load: silence, and frames where nobody counts.

Prints two tables; docs/performance.md says how it measures. Needs root, a machine that has nothing
else to do, and a built tree (NETRELAY_BUILD).
"""

import argparse
import os
import random
import signal
import statistics
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../relay"))

# pylint: disable=wrong-import-position
import kit
import links
import netns
from peers import TapPeer, UdpPeer, dial, dial_unix
from relayproc import Relay
from traffic import Traffic
from wait import eventually

GROUP = "239.1.2.3"
SETTLED = 2000                      # frames between two kills


def kill_and_look(relay, traffic, moments):
    """-> the longest silence, in ms, and what went wrong."""
    time.sleep(moments.uniform(0, 0.02))
    traffic.sample()
    was, moved = relay.forwarder(), traffic.moved
    os.kill(was, signal.SIGKILL)
    eventually(lambda: relay.forwarder() != was, 20, "another forwarder")
    found = {"gap_ms": 0.0, "lost": 0, "repeated": 0, "corrupt": 0}
    end = time.monotonic() + 20
    while traffic.moved - moved < SETTLED:
        assert time.monotonic() < end, f"only {traffic.moved - moved} frames since a kill"
        for key, value in traffic.sample().items():
            if key in found:
                found[key] = max(found[key], value) if key == "gap_ms" else found[key] + value
        time.sleep(0.01)
    return found


def kills(relay, count, stations, **details):
    """In rows of ten: what is lost is missing from the stations' window for as long as they run."""
    moments, found = random.Random(1), []
    while len(found) < count:
        with Traffic(*stations, **details) as traffic:
            found += [kill_and_look(relay, traffic, moments) for _ in range(10)]
            found[-1]["lost"] += traffic.finish()["lost"]
    assert not any(row["corrupt"] for row in found)
    return found


def silence(count, ports):
    """As many guests, frames of 60 to 1,514 bytes as fast as it goes."""
    with Relay("-l", "12345") as relay:
        relay.listening(12345)
        guests = [dial(12345) for _ in range(ports)]
        found = kills(relay, count, guests, rate=0, window=96 << 10)
    assert not any(row["lost"] or row["repeated"] for row in found), "TCP loses nothing"
    gaps = sorted(row["gap_ms"] for row in found)
    return [f"{ports}", f"{count}", f"{statistics.median(gaps):.1f}",
            f"{gaps[int(len(gaps) * 0.99)]:.1f}", f"{gaps[-1]:.1f}"]


class Kinds:
    """Relays with two ports of each kind that the kernel does not count for."""

    def __init__(self, directory):
        self.path = os.path.join(directory, "sock")
        self.other = None

    def unix(self):
        relay = Relay("-l", "12345", f"unix-listen:{self.path}")
        eventually(lambda: os.path.exists(self.path), 5, "it listens")
        return relay, [dial_unix(self.path) for _ in range(2)]

    @staticmethod
    def udp():
        peers = [UdpPeer(("127.0.0.1", 4000 + n), ("127.0.0.1", 4010 + n), connected=True)
                 for n in range(2)]
        relay = Relay(*(f"{4010 + n}:127.0.0.1:{4000 + n}" for n in range(2)))
        return relay.connected(4010, 4011), peers

    def mcast(self):
        """Two relays in a group; the second one ends with this program's processes."""
        group = f"mcast:{GROUP}:4321@127.0.0.1"
        relay, self.other = (Relay("-l", number, group).listening(number) for number in
                             (12345, 12346))
        return relay.bound(4321), [dial(12345), dial(12346)]

    @staticmethod
    def tap():
        links.add_bridge("br0")
        relay = Relay("-l", "12345", "br0").listening(12345)
        outside = TapPeer("outside")
        links.ip("link", "set", "outside", "master", "br0", "up")
        return relay, [dial(12345), outside]


def losses(count, name, what, make, **details):
    """Frames that a kill cost, or gave twice."""
    relay, stations = make()
    with relay:
        found = kills(relay, count, stations, **details)
    lost, twice = ([row[key] for row in found] for key in ("lost", "repeated"))
    hit = sum(1 for row in found if row["lost"] or row["repeated"])
    return [name, what, f"{count}", f"{hit}", f"{sum(lost)}", f"{max(lost)}", f"{sum(twice)}",
            f"{max(twice)}"]


def table(heads, rows):
    lines = ["| " + " | ".join(heads) + " |", "|---" + "|--:" * (len(heads) - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--kills", type=int, default=300, help="of each kind")
    count = parser.parse_args().kills
    kit.quiet_kernel()
    print(table(["ports", "kills", "median, ms", "p99, ms", "longest, ms"],
                [silence(count, ports) for ports in (2, 8)]), "\n")
    with tempfile.TemporaryDirectory() as directory:
        kinds = Kinds(directory)
        print(table(["kind", "load", "kills", "that cost or gave frames", "frames lost",
                     "most in one", "frames twice", "most in one"], [
            losses(count, "UNIX stream", "all", kinds.unix, rate=0, window=96 << 10),
            losses(count, "udp", "2 x 5,000/s", kinds.udp, rate=5000, window=96 << 10),
            losses(count, "mcast", "2 x 5,000/s", kinds.mcast, rate=5000, window=96 << 10),
            losses(count, "TAP", "2 x 5,000/s", kinds.tap, rate=5000, window=96 << 10)]))
    return 0


if __name__ == "__main__":
    network = netns.OwnNetwork()
    network.open()
    network.enter()
    sys.exit(main())
