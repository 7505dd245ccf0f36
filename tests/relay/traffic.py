# SPDX-License-Identifier: GPL-2.0-or-later
"""Good peers that talk all the time, while something else goes wrong: tests/relay/load.c."""

import json
import os
import select
import signal
import subprocess
import time

import kit
from relayproc import cpu_waits
from wait import eventually

SILENCE_MS = 50                     # what "unhurt" allows, on top of the machine's own noise


class Traffic:
    """Stations on these peers exchange numbered frames until finish().

    Two at once are told apart by their `group`. `rate` is frames a second for each station, 0 for
    as fast as the window allows.
    """

    def __init__(self, *peers, rate=1000, window=None, sizes=None, broadcast=None, hub=False,
                 group=0):
        options = ["--rate", str(rate), "--group", str(group)]
        options += ["--window", str(window)] if window else []
        options += ["--sizes", f"{sizes[0]}:{sizes[1]}"] if sizes else []
        options += ["--broadcast", str(broadcast)] if broadcast else []
        options += ["--hub"] if hub else []
        self.process = subprocess.Popen(
            [kit.built("tests/relay/load"), *options, *(f"{p.kind}:{p.fileno()}" for p in peers)],
            pass_fds=[p.fileno() for p in peers], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.rate = rate * len(peers)
        self.moved = 0
        self.waits = {}
        self.line(15, "ready")
        self.count_waits()

    def line(self, deadline, start):
        """The next line it prints."""
        ready, _, _ = select.select([self.process.stdout], [], [], deadline)
        text = self.process.stdout.readline().decode() if ready else "(nothing)"
        assert text.startswith(start), f"the stations say {text!r}, exit {self.process.poll()}"
        return text

    def sample(self):
        """The counts since the last sample; a good moment to begin a measurement."""
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        return self.counts(5)

    def count_waits(self):
        """How long relays had to wait for a CPU since the last time; unknown kernels say 0."""
        was, self.waits = self.waits, cpu_waits()
        return sum(max(0, time_ms - was.get(pid, 0)) for pid, time_ms in self.waits.items())

    def counts(self, deadline):
        result = json.loads(self.line(deadline, "{"))
        self.moved += result["received"]
        result["relay_waited_ms"] = round(self.count_waits(), 2)
        result["due"] = self.rate * (result["seconds"] - result["stolen_ms"] / 1000)
        return result

    def flow(self, frames, deadline=20):
        """Goes on, complete, until so many frames more have been received."""
        wanted = self.moved + frames
        end = time.monotonic() + deadline
        while self.moved < wanted:
            assert time.monotonic() < end, f"{wanted - self.moved} of {frames} frames missing"
            complete(self.sample(), show=False)
            select.select([], [], [], 0.02)

    def finish(self):
        """No more frames; waits for those on their way."""
        self.process.stdin.close()
        result = self.counts(10)
        assert self.moved, f"nothing moved at all: {result}"
        self.process.wait(5)
        return result

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def losses_beside_kills(traffic, relays, kills):
    """Their forwarders are killed in turn. How many frames were lost; none came twice or torn."""
    lost = 0
    for turn in range(kills):
        relay = relays[turn % len(relays)]
        was = relay.forwarder()
        os.kill(was, signal.SIGKILL)
        eventually(lambda: relay.forwarder() != was, 20, "another forwarder")
        lost += lost_only(traffic.sample())
    return lost + lost_only(traffic.finish())


def lost_only(result):
    assert not result["repeated"] and not result["corrupt"], result
    return result["lost"]


def complete(result, closed=0, show=True):
    """None of the frames lost, repeated, reordered, changed or led astray."""
    if show:
        print(result)
    wrong = {key: result[key] for key in ("lost", "repeated", "corrupt", "stray") if result[key]}
    assert not wrong, f"frames {wrong} in {result}"
    assert result["closed"] == closed, f"connections ended: {result}"


def noise(result):
    """How long the machine let processes wait for a CPU, in milliseconds.

    A frame waits for the stations, at worst as long as they paused or their echo was late, and for
    the relay, at worst all the time that the kernel says it was ready to run and had to wait.
    """
    return max(result["noise_ms"], result["pause_ms"]) + result["relay_waited_ms"]


def unhurt(result):
    """Complete, no frame late, and as many as there should be.

    Allowed is, on top of SILENCE_MS, what the machine itself was late by at the same time.
    """
    complete(result)
    allowed = SILENCE_MS + noise(result)
    assert result["latency_ms"] <= allowed, f"a silence longer than {allowed:.0f} ms: {result}"
    assert result["sent"] >= 0.95 * result["due"] - 20, f"senders were held back: {result}"
