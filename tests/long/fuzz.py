#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Has libFuzzer look for what breaks the readers of others' bytes, with both sanitizers.

Each target of tests/fuzz runs for NETRELAY_FUZZ_SECONDS, an hour if nothing is said, as many at
once as there are processors. Words choose some of them, such as "uplink" or "xml". What a target
has learned stays in the build's folder for the next time. An input that breaks one is shown with
its path: mend the code, and put it among the target's seeds, which every run replays.
"""

import concurrent.futures
import glob
import json
import os
import re
import subprocess
import sys

LIB = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib")
sys.path.insert(0, LIB)

import install      # noqa: E402

BUILD = f"{install.BUILD}-fuzz"
FUZZ = os.path.join(install.TREE, "tests/fuzz")
SECONDS = int(os.environ.get("NETRELAY_FUZZ_SECONDS", "3600"))
LONGEST = 8192          # bytes of an input; what is longer has tests of its own
SHOWN = 60              # lines of a target that found something
SETTINGS = {"UBSAN_OPTIONS": "print_stacktrace=1", "G_SLICE": "always-malloc"}


def targets(words):
    names = [re.search(r"fuzz-(.+)\.c$", path).group(1)
             for path in sorted(glob.glob(f"{FUZZ}/fuzz-*.c"))]
    return [name for name in names if not words or any(word in name for word in words)]


def build(names):
    if not os.path.exists(f"{BUILD}/build.ninja"):
        subprocess.run(["meson", "setup", BUILD, install.TREE, "-Dfuzz=true", "-Dwerror=false",
                        "-Db_lundef=false", "-Db_sanitize=address,undefined",
                        "-Dc_args=-fno-sanitize-recover=undefined"],
                       check=True, stdout=subprocess.DEVNULL, env={**os.environ, "CC": "clang"})
    subprocess.run(["ninja", "-C", BUILD, "--quiet", *(f"tests/fuzz/fuzz-{n}" for n in names)],
                   check=True, stdout=subprocess.DEVNULL)


def seeds(name):
    """The folders that are replayed, as meson knows them."""
    listed = subprocess.run(["meson", "introspect", BUILD, "--tests"], check=True,
                            capture_output=True, text=True).stdout
    tests = {test["name"]: test["cmd"] for test in json.loads(listed)}
    return [word for word in tests[f"replay-{name}"][1:] if os.path.isdir(word)]


def fuzz(name):
    """Its exit code, and what it said."""
    learned, found = f"{BUILD}/learned/{name}", f"{BUILD}/found/{name}-"
    os.makedirs(learned, exist_ok=True)
    os.makedirs(os.path.dirname(found), exist_ok=True)
    result = subprocess.run(
        [f"{BUILD}/tests/fuzz/fuzz-{name}", f"-max_total_time={SECONDS}", f"-max_len={LONGEST}",
         "-timeout=20", "-rss_limit_mb=1024", f"-artifact_prefix={found}", "-print_final_stats=1",
         learned, *seeds(name)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        env={**os.environ, **SETTINGS})
    return result.returncode, result.stdout.decode(errors="replace")


def main():
    names = targets(sys.argv[1:])
    if not names:
        sys.exit(f"there is no target of {FUZZ} with such a name")
    build(names)
    print(f"1..{len(names)}", flush=True)
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for number, (name, (code, said)) in enumerate(zip(names, pool.map(fuzz, names)), 1):
            ran = re.search(r"number_of_executed_units: *(\d+)", said)
            failed += code != 0
            print(f"{'not ok' if code else 'ok'} {number} - {name}: "
                  f"{ran.group(1) if ran else 'no'} inputs in {SECONDS} s", flush=True)
            begin = re.search(r"ERROR|runtime error", said) if code else None
            for line in said[begin.start() if begin else 0:].splitlines()[:SHOWN] if code else ():
                print(f"# {line}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
