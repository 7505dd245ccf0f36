# SPDX-License-Identifier: GPL-2.0-or-later
"""What sanitizers say of a build with them (HACKING.md); every other build says nothing.

A report ends the program, and another may take its place: a test that passes proves nothing.
So reports are looked for in the logs.
"""

import os
import re

REPORT = re.compile(r"^.*(?:ERROR: \w+Sanitizer|: runtime error: ).*$", re.MULTILINE)
SETTINGS = ("ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS")
LINES = 40      # of the first report that are shown
# What such a build keeps of freed memory and its own: growth is judged beside it.
KEPT_KB = 32 * 1024 if any(name in os.environ for name in SETTINGS) else 0


def environment():
    """What programs that start with a clean environment are to have all the same."""
    return {name: os.environ[name] for name in SETTINGS if name in os.environ}


def expect_silence(text, where):
    """Fails with the first report in this log."""
    found = REPORT.search(text)
    if found:
        lines = text[found.start():].splitlines()[:LINES]
        raise AssertionError(f"in {where}:\n" + "\n".join(lines))
