#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs test programs for tests/run.sh, prints each result as it comes, and counts.

    tally.py SUMS run SECONDS FILE [ARGUMENT]...    one program, which speaks TAP or just exits
    tally.py SUMS beside SECONDS AGAIN FILE     the same beside others: prints all at its end
    tally.py SUMS meson BUILD           all tests that meson knows, case by case
    tally.py SUMS print                 the closing line; exit 0 if nothing failed

A program that failed beside others is not counted, but added to the file AGAIN. SUMS is a file with
a line "passed failed skipped" for each program so far. The exit code is 0 when the results were
counted, whatever they are.
"""

import contextlib
import fcntl
import io
import json
import os
import re
import selectors
import signal
import subprocess
import sys
import time

RESULT = re.compile(r"\s*(not )?ok\b\s*(\d+)?\s*-?\s*([^#]*)(?:#\s*(.*))?$")
PLAN = re.compile(r"1\.\.(\d+)")
KEPT = 200                          # lines of a failed program's output that are shown
TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")


class Tally:
    """Counts the results of one program and prints them."""

    def __init__(self, name):
        self.name = name
        self.counts = {"ok": 0, "FAIL": 0, "skip": 0}
        self.planned = None
        self.said = []              # lines that are no results: shown only when something fails
        self.noted = False          # the last result failed: what follows it as # explains it

    def result(self, word, what, detail=""):
        self.counts[word] += 1
        self.noted = word == "FAIL"
        print(f"{word:4} {self.name} {what}".rstrip() + (f"  ({detail})" if detail else ""),
              flush=True)

    def line(self, text):
        match = RESULT.match(text)
        plan = PLAN.match(text)
        if match and not text.startswith((" ", "\t")):
            self.tap_result(*match.groups())
        elif plan and self.planned is None:
            self.planned = int(plan.group(1))
        elif self.noted and text.startswith("#"):
            print(f"     {text}", flush=True)
        elif text.strip():
            self.said.append(text)

    def tap_result(self, negation, _number, what, directive):
        directive = directive or ""
        if re.match("skip", directive, re.IGNORECASE):
            self.result("skip", what.strip(), directive[4:].strip())
        elif re.match("todo", directive, re.IGNORECASE):
            self.result("skip", what.strip(), directive)
        else:
            self.result("FAIL" if negation else "ok", what.strip(), directive)

    def finish(self, code, seconds, why=None):
        """After the last line: a program that lied about its tests, or died, has failed."""
        seen = sum(self.counts.values())
        took = f"{seconds:.1f}s"
        if self.planned is None and seen == 0:
            word = {0: "ok", 77: "skip"}.get(code, "FAIL")
            self.result(word, why or ("" if code in (0, 77) else f"exit {code}"), took)
        elif self.planned is None:
            self.result("FAIL", why or "no plan, so some tests may be missing", took)
        elif seen < self.planned:
            self.result("FAIL", f"{self.planned - seen} of {self.planned} tests failed or did not "
                                f"run: {why or f'exit {code}'}", took)
            self.counts["FAIL"] += self.planned - seen - 1
        elif code != 0 and self.counts["FAIL"] == 0:
            self.result("FAIL", why or f"exit {code} after all tests", took)
        if self.counts["FAIL"]:
            for text in self.said[-KEPT:]:
                print(f"     | {text}", flush=True)

    def save(self, sums):
        with open(sums, "a") as file:
            print(*self.counts.values(), file=file)


def run(limit, file, *arguments):
    """Runs one program in a process group of its own, so that its children go when it must."""
    tally = Tally(os.path.relpath(file, TESTS).removesuffix(".py"))
    started = time.monotonic()
    try:
        process = subprocess.Popen([file, *arguments], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                   start_new_session=True)
    except OSError as error:
        tally.finish(126, 0, str(error))
        return tally
    on_time = False
    try:
        on_time = follow(process.stdout, started + limit, tally.line)
    finally:
        if not on_time:
            end_group(process)
    code = process.wait()
    tally.finish(code, time.monotonic() - started, None if on_time else f"longer than {limit} s")
    return tally


def run_beside(limit, file, sums):
    """One of several at a time, whose lines would get mixed up."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            return run(limit, file)
    finally:
        with open(sums) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            print(said.getvalue(), end="", flush=True)


def end_group(process):
    """First politely: a test file has namespaces and groups of its own to end."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(5)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            pass


def on_end(number, _frame):
    sys.exit(128 + number)


def follow(stream, deadline, take):
    """Gives every line to take() until the stream ends; returns False when time is up first."""
    selector = selectors.DefaultSelector()
    selector.register(stream, selectors.EVENT_READ)
    pending = b""
    while True:
        if not selector.select(max(0, deadline - time.monotonic())):
            return False
        chunk = os.read(stream.fileno(), 65536)
        *lines, pending = (pending + chunk).split(b"\n")
        for line in lines:
            take(line.decode(errors="replace"))
        if not chunk:
            if pending:
                take(pending.decode(errors="replace"))
            return True


def meson(build):
    """meson runs the unit tests side by side; their own TAP is in its log."""
    log = os.path.join(build, "meson-logs", "testlog.json")
    if os.path.exists(log):
        os.unlink(log)
    result = subprocess.run(["meson", "test", "-C", build, "--no-rebuild"], text=True,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, check=False)
    total = Tally("unit")
    tallies = [of_meson(json.loads(text)) for text in lines_of(log)]
    for tally in tallies:
        for word, count in tally.counts.items():
            total.counts[word] += count
    if result.returncode != 0 and total.counts["FAIL"] == 0:
        total.said = result.stdout.splitlines()
        total.finish(result.returncode, 0, f"meson test: exit {result.returncode}")
    return total


def lines_of(path):
    if not os.path.exists(path):
        return []
    with open(path) as file:
        return [line for line in file if line.strip()]


def of_meson(entry):
    """One program of meson's log."""
    tally = Tally("unit/" + entry["name"].split("/")[-1].split(" / ")[-1].strip())
    for text in entry.get("stdout", "").splitlines():
        tally.line(text)
    tally.said += entry.get("stderr", "").splitlines()
    code = entry.get("returncode", 0)
    why = "longer than meson allows" if entry.get("result") == "TIMEOUT" else None
    tally.finish(code, entry.get("duration", 0), why)
    return tally


def closing(sums):
    rows = [[int(word) for word in line.split()] for line in lines_of(sums)]
    passed, failed, skipped = (sum(row[i] for row in rows) for i in range(3))
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 0 if passed and not failed else 1


def main():
    sums, verb, *rest = sys.argv[1:]
    if verb == "print":
        sys.exit(closing(sums))
    signal.signal(signal.SIGTERM, on_end)
    signal.signal(signal.SIGINT, on_end)
    if verb == "meson":
        tally = meson(rest[0])
    elif verb == "beside":
        tally = run_beside(float(rest[0]), rest[2], sums)
        if tally.counts["FAIL"]:
            with open(rest[1], "a") as again:
                print(rest[2], file=again)
            return
    else:
        tally = run(float(rest[0]), *rest[1:])
    tally.save(sums)


if __name__ == "__main__":
    main()
