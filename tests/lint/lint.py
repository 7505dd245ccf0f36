# SPDX-License-Identifier: GPL-2.0-or-later
"""What the lint programs share: the files of the tree, and TAP."""
import os
import re
import subprocess
import sys

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def tracked():
    """All files that belong to the tree, also for root in a tree of somebody else's."""
    git = ["git", "-c", f"safe.directory={TREE}", "-C", TREE, "ls-files", "-z"]
    try:
        listed = subprocess.run(git, check=True, capture_output=True).stdout.decode().split("\0")
    except (OSError, subprocess.CalledProcessError):
        listed = []
    if not any(listed):
        listed = walked()           # an unpacked archive
    return sorted(f for f in listed if f and os.path.isfile(os.path.join(TREE, f)))


def walked():
    """Without git: everything but build directories and what is hidden."""
    for folder, names, files in os.walk(TREE):
        names[:] = [n for n in names if n != "__pycache__" and not n.startswith((".", "build"))]
        yield from (os.path.relpath(os.path.join(folder, f), TREE) for f in files)


def text_of(path):
    with open(os.path.join(TREE, path), encoding="utf-8") as file:
        return file.read()


def is_c(path):
    return path.endswith((".c", ".h"))


def is_python(path):
    return path.endswith(".py") or interpreter(path).startswith("python3")


def is_shell(path):
    return path.endswith(".sh") or interpreter(path) in ("sh", "bash", "busybox")


def interpreter(path):
    """The program after '#!', without its folder; "" for none."""
    with open(os.path.join(TREE, path), "rb") as file:
        first = file.readline(128).decode(errors="replace")
    match = re.match(r"#!\s*(\S+)", first)
    return os.path.basename(match.group(1)) if match else ""


class Tap:
    """One line per question; what is wrong comes below it."""

    def __init__(self):
        self.number = 0
        self.failed = 0

    def report(self, title, faults):
        self.number += 1
        self.failed += bool(faults)
        print(f"{'not ok' if faults else 'ok'} {self.number} - {title}")
        for fault in faults:
            print(f"#   {fault}")

    def skip(self, title, reason):
        self.number += 1
        print(f"ok {self.number} - {title} # SKIP {reason}")

    def done(self):
        print(f"1..{self.number}")
        sys.exit(1 if self.failed else 0)
