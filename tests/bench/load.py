# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the load generator around a subject, and completes what it says."""

import json
import subprocess

import cores
import kit

DEADLINE = 60       # beyond what it measures
FAULTS = ("repeated", "corrupt", "stray", "closed")     # a frame too few is not always a fault


def run(make, *options, seconds=1.0):
    """One measurement of a freshly made subject: a dict of numbers."""
    with make() as subject:
        options = [str(option).format(l4_port=subject.l4_port) for option in options]
        watched = [word for pid in subject.pids() for word in ("--watch", str(pid))]
        if subject.hub:
            options.append("--hub")
        process = cores.start(
            [kit.built("tests/bench/bench-load"), *options, *watched, "--seconds", seconds,
             *subject.specs()], cores.LOAD, pass_fds=[thing.fileno() for _, thing in
                                                      subject.stations],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            stdout, stderr = process.communicate(timeout=seconds + DEADLINE)
        finally:
            cores.stop(process)
        if process.returncode:
            raise RuntimeError(f"{' '.join(process.args)}: {stderr.strip()}")
    return complete(json.loads(stdout))


def complete(result):
    """With CPU time per frame, and the sum of what must never be."""
    if result.get("frames"):
        result["cpu_ms_per_mframes"] = result["cpu_ns"] / result["frames"]
    if result.get("seconds") and "cpu_ns" in result:
        result["relay_busy"] = result["cpu_ns"] / 1e9 / result["seconds"]
    if result.get("own_cpu_ns"):
        result["load_busy"] = result["own_cpu_ns"] / 1e9 / result["seconds"]
        result["load_waited"] = result["own_wait_ns"] / 1e9 / result["seconds"]
    result["faults"] = {name: result[name] for name in FAULTS if result.get(name)}
    return result
