#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""netrelay's speed beside what the machine allows and beside other programs, in one run.

Prints what each came to and which goals are reached, and writes benchmark.json and benchmark.svg.
docs/performance.md says how it measures, scenarios.py what. Needs root, two CPUs that have nothing
else to do, and a built tree (NETRELAY_BUILD).
"""

import argparse
import datetime
import json
import os
import platform
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "relay"))

# pylint: disable=wrong-import-position
import kit
import cores
import guests
import instrument
import links
import netns
import picture
import report
import results
import scenarios

PROGRAMS = ("relay/netrelay", "tests/bench/bench-load", "tests/bench/bench-reference")
QUIET = 0.02            # of the generator's CPU may be taken by others
FULL, QUICK = (9, 0.6), (3, 0.25)       # rounds, and seconds of each measurement


def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO",
                        help="all of them when none is named; NAME* for several")
    parser.add_argument("--quick", action="store_true",
                        help="three short rounds: to see that it works, not to quote")
    parser.add_argument("--rounds", type=int, help="nine if not given")
    parser.add_argument("--seconds", type=float, help="of one measurement; 0.6 if not given")
    parser.add_argument("--out", default=kit.built(""), help="the folder of what is written")
    parser.add_argument("--list", action="store_true", help="only names the scenarios")
    parser.add_argument("--check", action="store_true",
                        help="checks the instrument itself, against relays that are wrong")
    given = parser.parse_args()
    rounds, seconds = QUICK if given.quick else FULL
    given.rounds = given.rounds or rounds
    given.seconds = given.seconds or seconds
    return given


def chosen(names):
    known = scenarios.all_scenarios()
    if not names:
        return known
    found = [one for one in known if any(
        one.name == name or name.endswith("*") and one.name.startswith(name[:-1])
        for name in names)]
    if not found:
        sys.exit(f"bench.py: no scenario is named {' or '.join(names)}; see --list")
    return found


def attempt(run, seconds, name, failures):
    """One measurement, or None where it failed, with the reason among the failures."""
    try:
        return run(seconds=seconds)
    except Exception as error:          # pylint: disable=broad-except
        failures.setdefault(name, f"{type(error).__name__}: {error}"[:400])
        return None


def measure(scenario, rounds, seconds):
    """(samples, failures): every run once a round, the order turned round each time."""
    runs = dict(scenario.runs)
    runs[results.AGAIN] = runs[scenarios.OURS]
    samples, failures = {name: [] for name in runs}, {}
    for number in range(rounds):
        for name in list(runs)[::-1 if number % 2 else 1]:
            failed = name in failures
            samples[name].append(None if failed else attempt(runs[name], seconds, name, failures))
    return samples, failures


def machine():
    with open("/proc/cpuinfo") as text:
        model = next((line.split(":", 1)[1].strip() for line in text
                      if line.startswith("model name")), platform.machine())
    kernel = ".".join(platform.release().split(".")[:2])
    return f"{model}, {os.cpu_count()} CPUs, Linux {kernel}"


def measure_all(wanted, given):
    """Prints each scenario as it is done; returns what is written as JSON."""
    found = []
    for scenario in wanted:
        began = time.monotonic()
        samples, failures = measure(scenario, given.rounds, given.seconds)
        one = {"name": scenario.name, "what": scenario.what,
               "medians": results.medians(samples), "goals": results.judge(scenario, samples),
               "peers": results.beside_peers(scenario, samples),
               "faults": results.faults(samples), "failures": failures, "samples": samples}
        found.append(one)
        print(f"\n{scenario.name}: {scenario.what}  ({time.monotonic() - began:.0f} s)")
        print(report.runs_table(one["medians"]))
        for name, reason in failures.items():
            print(f"  {name} could not be measured: {reason}")
        for name, counts in one["faults"].items():
            print(f"  FAULTS of {name}: {counts}")
        sys.stdout.flush()
    return found


def write(given, found):
    rows = [row for one in found for row in one["goals"]]
    peers = report.peers_lines(found)
    when = datetime.date.today().isoformat()
    how = f"{given.rounds} rounds of {given.seconds} s"
    os.makedirs(given.out, exist_ok=True)
    with open(os.path.join(given.out, "benchmark.json"), "w") as file:
        json.dump({"date": when, "machine": machine(), "rounds": given.rounds,
                   "seconds": given.seconds, "scenarios": found}, file, indent=1)
    with open(os.path.join(given.out, "benchmark.svg"), "w") as file:
        file.write(picture.draw(rows, peers, f"{when}, {machine()}, {how}"))
    print(f"\n{when}, {machine()}, {how}\n\n{report.goals_table(rows)}\n")
    print("\n".join(["Beside other programs (more is better for netrelay):", *peers]))
    disturbed = results.disturbance(one["medians"] for one in found)
    if disturbed > QUIET:
        print(f"\nThe machine was not quiet: others had the generator's CPU for up to "
              f"{disturbed * 100:.0f} % of a run. These figures mean little.")
    print(f"\nwritten: {given.out}/benchmark.json and benchmark.svg")


def is_sound(one):
    """Nothing went wrong in netrelay's own runs."""
    return not {scenarios.OURS, results.AGAIN} & (set(one["faults"]) | set(one["failures"]))


def prepare(needs_guests):
    """A network of its own, in which nobody speaks but the stations."""
    if os.geteuid() != 0:
        sys.exit("bench.py: needs root, for TAPs, bridges and a network of its own")
    if cores.RELAY == cores.LOAD:
        sys.exit("bench.py: needs two cores, one for the relay and one for the load")
    for program in PROGRAMS:
        if not os.access(kit.built(program), os.X_OK):
            sys.exit(f"bench.py: {kit.built(program)} is not built; is NETRELAY_BUILD right?")
    if needs_guests:
        guests.make_image()         # which may download, so before there is no way out
    network = netns.OwnNetwork()
    network.open()
    network.enter()
    links.write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1")
    links.write("/proc/sys/net/ipv4/tcp_congestion_control", "reno")


def main():
    given = options()
    if given.list:
        for one in scenarios.all_scenarios():
            print(f"{one.name:14} {one.what}")
        return 0
    wanted = [] if given.check else chosen(given.scenarios)
    prepare("guests" in [one.name for one in wanted])
    if given.check:
        return instrument.check()
    found = measure_all(wanted, given)
    write(given, found)
    return 0 if all(is_sound(one) for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
