# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether the benchmark sees what it should: it is set on relays that are wrong on purpose."""

from functools import partial

import load
import results
import subjects as of
from scenarios import FRAMES, OURS, STALL, Goal, Scenario

PAIRS = ("--flow", "0:1", "--flow", "2:3")
SECONDS = 0.5

# kind of bare relay, every how manieth frame, what has to be counted
WRONG = (
    ("drops", 1009, "lost"),
    ("repeats", 1009, "repeated"),
    ("changes", 7, "corrupt"),          # seen where all bytes are compared
    ("swaps", 1009, "repeated"),
    ("strays", 1009, "stray"),
)


def measured(kind, number=0):
    return load.run(partial(of.bare, kind, 4, number), *PAIRS, seconds=SECONDS)


def faults_are_seen():
    """A bare relay that is right has none; each wrong one has its own."""
    right = measured("copy")
    yield "a bare copy has no fault", not right["faults"] and not right["lost"]
    for kind, number, metric in WRONG:
        found = measured(kind, number)
        yield f"a relay that {kind} every {number}th frame: {found[metric]} {metric}", \
            found[metric] > 0


def slowness_is_seen():
    """A relay that is busy for 1 ms after each read reaches no goal, in frames nor in CPU."""
    samples = {name: [measured(kind, 1000) for _ in range(3)] for name, kind in (
        (OURS, "slow"), ("raw", "copy"), (results.AGAIN, "slow"))}
    scenario = Scenario("slow", "a slow relay", {}, [
        Goal(FRAMES, "at least", 0.95, "raw"),
        Goal("cpu_ms_per_mframes", "at most", 1.15, "raw")])
    for row in results.judge(scenario, samples):
        yield (f"a slow relay's {row['metric']}: {row['value']:.2f} of raw, "
               f"band {row['band']:.2f}"), row["reached"] == results.NO


def waiting_is_seen():
    """A bare copy waits for a port that is never read, and all others wait with it."""
    found = load.run(partial(of.bare, "copy", 4), *STALL, "--deaf", 3, seconds=SECONDS)
    yield f"a relay that waits for a stalled port: silent for {found['gap_ms']:.0f} ms", \
        found["gap_ms"] > 100


def round_trip_is_seen():
    """So is it in the round trip, by some 400 us: it is passed twice."""
    quick, slow = (load.run(partial(of.bare, kind, 2, 200), "--ping", "0:1", seconds=SECONDS)
                   for kind in ("copy", "slow"))
    more = slow["p50_us"] - quick["p50_us"]
    yield f"round trip through a relay slowed by 200 us: {more:.0f} us more", 150 < more < 1500


def samples_of(ours, again, raw):
    return {name: [{FRAMES: frames} for frames in several]
            for name, several in ((OURS, ours), (results.AGAIN, again), ("raw", raw))}


def verdicts_are_right():
    """Of samples that are made up: the median of the rounds' ratios, and the band around it."""
    goal = Goal(FRAMES, "at least", 0.95, "raw")
    scenario = Scenario("", "", {}, [goal])
    for verdict, value, width, ours, again, raw in (
            (results.YES, 1, 0, [97, 10, 200], [97, 10, 200], [100, 10, 200]),
            (results.NO, 0.9, 0, [90, 9], [90, 9], [100, 10]),
            (results.BAND, 0.9, 0.1, [90, 90], [99, 99], [100, 100]),
            (results.UNCLEAR, 0.955, 0.75, [100, 50], [50, 100], [100, 55]),
            (results.UNKNOWN, None, 0, [100], [100], [])):
        row = results.judge(scenario, samples_of(ours, again, raw))[0]
        right = value is None or abs(row["value"] - value) < 0.001
        yield f"a verdict that is: {verdict}", right and abs(row["band"] - width) < 0.001 and \
            row["reached"] == verdict


PARTS = (verdicts_are_right, faults_are_seen, slowness_is_seen, waiting_is_seen,
         round_trip_is_seen)


def check():
    """Prints TAP; the exit code."""
    found = [line for part in PARTS for line in part()]
    print(f"1..{len(found)}")
    for number, (what, good) in enumerate(found, 1):
        print(f"{'ok' if good else 'not ok'} {number} - {what}")
    return 0 if all(good for _, good in found) else 1
