#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the manager costs: a lab of 500 guests, a guest's start, doing nothing, a relay.

Prints a table and writes manager.json; docs/performance.md says how it measures. Needs root, a
machine that has nothing else to do, and a built tree (NETRELAY_BUILD). No guest runs: domain XML
comes from libvirt's test driver, and the hook is run as libvirt would run it.
"""

import argparse
import contextlib
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

# pylint: disable=wrong-import-position
import install
import lab
import scale
from host import PrivateHost
from process import ours
from wait import eventually

GUESTS, RELAYS, PORTS, THOUSAND = 500, 60, 3, 1000
EMPTY_HOOK = "/run/empty-hook"
SECOND_LOOK_S = 4               # after it, libvirt's list is read once a minute
ADDRESSES = [20000 + n for n in range(10)]
MIB = 1024


def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="to see that it works, not to quote")
    parser.add_argument("--out", default=install.BUILD, help="the folder of what is written")
    given = parser.parse_args()
    given.rounds = 10 if given.quick else 100
    given.idle_s = 10 if given.quick else 50
    return given


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def first_pass(host, rounds):
    """Seconds from the manager's start until it has read all guests and their relays listen."""
    uri = scale.test_driver("/run/lab.xml", GUESTS)
    samples = []
    for _ in range(max(3, rounds // 10)):
        began = time.monotonic()
        manager = host.netrelayd("--connect", uri)
        eventually(lambda: all(listens(port) for port in ADDRESSES), 60, "the lab stands")
        samples.append(time.monotonic() - began)
        rows = len(lab.rows(host, state="listening"))
        assert rows == GUESTS, f"{rows} rows"
        manager.stop()
        subprocess.run(["/usr/sbin/netrelayd", "--cleanup"], check=True)
    return samples


def timed(argv, xml):
    began = time.monotonic()
    subprocess.run(argv, input=xml, text=True, check=True, stderr=subprocess.DEVNULL)
    return time.monotonic() - began


def hooks(rounds):
    """Seconds from a hook's start to its exit: {what: samples}; each is made once a round."""
    with open(EMPTY_HOOK, "w") as script:
        script.write("#!/bin/sh\nexit 0\n")
    os.chmod(EMPTY_HOOK, 0o755)
    nics = scale.ring_guest(1, GUESTS)
    there, new = scale.domain(1, nics), scale.domain(1, nics[:3] + [scale.client(3000)])
    plain = scale.domain(1, ["<interface type='user'>{mac}</interface>"])
    samples = {"empty": [], "plain": [], "there": [], "new": []}

    def hook(xml, operation="prepare"):
        return timed([scale.HOOK, "vm1", operation, "end" if operation == "release" else "begin",
                      "-"], xml)

    for _ in range(rounds):
        samples["empty"].append(timed([EMPTY_HOOK, "vm1", "prepare", "begin", "-"], there))
        samples["plain"].append(hook(plain))
        samples["there"].append(hook(there))
        hook(there, "release")
        samples["new"].append(hook(new))
        hook(new, "release")
        eventually(lambda: not listens(3000), 10, "its relay has ended")
    return samples


def cpu_s(pid):
    with open(f"/proc/{pid}/schedstat") as stat:
        return int(stat.read().split()[0]) / 1e9


def idle(pids, seconds):
    """(wake-ups, CPU seconds) of these processes; not less than between two of libvirt's lists."""
    def reading():
        return (sum(scale.switches(pid) for pid in pids), sum(cpu_s(pid) for pid in pids))

    time.sleep(SECOND_LOOK_S)
    before = reading()
    time.sleep(seconds)
    return tuple(now - then for now, then in zip(reading(), before))


@contextlib.contextmanager
def stopped(pids):
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    yield
    for pid in pids:
        os.kill(pid, signal.SIGCONT)


def beside_a_hung_relay(host):
    """Seconds that a guest's start takes while another one's relay does not answer."""
    keeper = lab.expect_row(host, network=f"127.0.0.1:{ADDRESSES[0]}")["relay_pid"]
    with open(f"/proc/{keeper}/task/{keeper}/children") as children:
        relay = [keeper, *map(int, children.read().split())]
    with stopped(relay):
        waiting = scale.prepare(600, [scale.client(ADDRESSES[0], "127.0.0.2")])
        seconds = scale.prepare(601, [scale.client(3001)]).wait().seconds
    waiting.result()
    return seconds


def has_heard(connection):
    """Sends a frame to all others; whether one of theirs has come."""
    connection.sendall((60).to_bytes(4, "big") + b"\xff" * 6 + b"\x52" + bytes(53))
    with contextlib.suppress(BlockingIOError):
        return connection.recv(65536, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
    return False


def relays():
    """KiB that a relay with three connections has for itself: keeper and forwarder."""
    before = set(ours("netrelay"))
    for number in range(RELAYS):
        scale.prepare(700 + number, [scale.client(10000 + number)]).wait()
    connections = [socket.create_connection(("127.0.0.1", 10000 + number))
                   for number in range(RELAYS) for _ in range(PORTS)]
    eventually(lambda: all([has_heard(connection) for connection in connections]), 30,
               "every connection has taken part")
    pids = [pid for pid in ours("netrelay") if pid not in before]
    assert len(pids) == 2 * RELAYS, f"{len(pids)} processes"
    return sum(scale.private_kib(pid) for pid in pids) / RELAYS


def measure(host, given):
    """{what: (value, unit, at most)}"""
    passes = first_pass(host, given.rounds)
    manager = host.netrelayd("--connect", "test:///run/lab.xml")
    eventually(lambda: all(listens(port) for port in ADDRESSES), 60, "the lab stands")
    times = {what: statistics.median(samples) * 1000
             for what, samples in hooks(given.rounds).items()}
    wakeups, seconds = idle([manager.pid, *ours("netrelay")], given.idle_s)
    found = {
        f"start of the manager, {GUESTS} guests, {4 * GUESTS} NICs": (
            statistics.median(passes), "s", 1),
        "an empty hook script": (times["empty"], "ms", None),
        "hook, a guest that does not need us, on top": (times["plain"] - times["empty"], "ms", 20),
        "hook, its relays run already, on top": (times["there"] - times["empty"], "ms", 20),
        "hook, a relay is started for it, on top": (times["new"] - times["empty"], "ms", 20),
        f"wake-ups in {given.idle_s} s, manager and ten relays": (wakeups, "", 0),
        f"CPU in {given.idle_s} s, manager and ten relays": (seconds * 1000, "ms", 0),
        f"manager's memory, {GUESTS} guests": (scale.private_kib(manager.pid) / MIB, "MiB", None),
        f"relay's memory, {PORTS} connections, of {RELAYS}": (relays() / MIB, "MiB", 2),
        "hook, beside a relay that hangs": (beside_a_hung_relay(host) * 1000, "ms", None),
    }
    many = [scale.client(30000 + number) for number in range(THOUSAND)]
    found[f"hook, {THOUSAND} NICs on {THOUSAND} addresses"] = (
        scale.prepare(800, many).wait().seconds, "s", 10)
    return found


def table(found):
    lines = ["| what | value | goal | reached |", "|---|--:|---|---|"]
    for what, (value, unit, limit) in found.items():
        goal = "" if limit is None else f"≤ {limit} {unit}".strip()
        reached = "" if limit is None else "yes" if value <= limit else "no"
        lines.append(f"| {what} | {value:.3g} {unit} | {goal} | {reached} |")
    return "\n".join(lines)


def main():
    given = options()
    if os.geteuid() != 0:
        sys.exit("manager.py: needs root, for a host of its own")
    given.out = os.path.abspath(given.out)
    private = PrivateHost()
    private.open()
    found = measure(private.enter()["host"], given)
    print(table(found))
    with open(os.path.join(given.out, "manager.json"), "w") as file:
        json.dump({what: {"value": value, "unit": unit, "at_most": limit}
                   for what, (value, unit, limit) in found.items()}, file, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
