#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Everything once more in a build with AddressSanitizer and UndefinedBehaviorSanitizer.

Unit, relay and system tests; what a program of ours is reported for fails the test that ran it
(tests/lib/sanitizer.py). Words choose some parts only, such as "unit", "relay" or "test_tap". Such
a build is slow and large: deadlines are longer, and a file that fails without a report, also when
it is run again, is shown and left out. All of it takes an hour or two.
"""

import glob
import os
import re
import subprocess
import sys

LIB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib")
sys.path.insert(0, LIB)

import install      # noqa: E402
import sanitizer    # noqa: E402

TESTS = os.path.join(install.TREE, "tests")
BUILD = f"{install.BUILD}-sanitized"
SHOWN = 80          # lines of a file that failed
# Link order: test_faults preloads what intercepts a few calls of its own.
SETTINGS = {"ASAN_OPTIONS": "detect_leaks=1:quarantine_size_mb=4:verify_asan_link_order=0",
            "UBSAN_OPTIONS": "print_stacktrace=1", "NETRELAY_PATIENCE": "4"}
UNIT = ["meson", "test", "-C", BUILD, "--no-rebuild", "-t", "20", "--print-errorlogs"]


def build():
    options = ["-Db_sanitize=address,undefined", "-Db_lundef=false", "-Dc_args="
               "-fno-sanitize-recover=undefined"]
    places = ["--prefix=/usr", "--sysconfdir=/etc", "--localstatedir=/var"]
    if not os.path.exists(f"{BUILD}/build.ninja"):
        subprocess.run(["meson", "setup", BUILD, install.TREE, *places, *options], check=True,
                       stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", BUILD, "--quiet"], check=True, stdout=subprocess.DEVNULL)


def parts(words):
    """Each with its name and what runs it."""
    files = [file for tier in ("relay", "system")
             for file in sorted(glob.glob(f"{TESTS}/{tier}/test_*.py"))]
    every = [("unit", UNIT)] + [(os.path.relpath(file, TESTS), [file]) for file in files]
    return [part for part in every if not words or any(word in part[0] for word in words)]


def run(argv):
    """Its exit code, and all that it said."""
    environment = {**os.environ, **SETTINGS, "NETRELAY_BUILD": BUILD,
                   "NETRELAY_GUEST": install.GUEST}
    result = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, errors="replace", check=False,
                            env=environment)
    return result.returncode, result.stdout


def interesting(output):
    """A report whole; of anything else, what failed."""
    found = sanitizer.REPORT.search(output) or re.search("^not ok", output, re.MULTILINE)
    return output[found.start() if found else 0:].splitlines()[:SHOWN]


def verdict(argv):
    """Whether there was no report, and what there is to be seen."""
    code, output = run(argv)
    if code != 0 and not sanitizer.REPORT.search(output):
        code, output = run(argv)
    return not sanitizer.REPORT.search(output), interesting(output) if code != 0 else []


def main():
    build()
    chosen = parts(sys.argv[1:])
    print(f"1..{len(chosen)}", flush=True)
    failed = 0
    for number, (name, argv) in enumerate(chosen, 1):
        good, shown = verdict(argv)
        failed += not good
        print(f"{'ok' if good else 'not ok'} {number} - {name}"
              + (" # SKIP it fails without a report" if good and shown else ""), flush=True)
        for line in shown:
            print(f"# {line}", flush=True)
    sys.exit(1 if failed or not chosen else 0)


if __name__ == "__main__":
    main()
