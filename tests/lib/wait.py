# SPDX-License-Identifier: GPL-2.0-or-later
"""Waiting for a condition with a deadline, in place of sleeping and hoping."""

import os
import time

# All deadlines times this, where everything is slower: tests/long/sanitized.py.
PATIENCE = float(os.environ.get("NETRELAY_PATIENCE", "1"))


def eventually(condition, deadline, what):
    """Returns the first true value of condition(); after `deadline` seconds fails, saying `what`.

    The condition is asked once more at the end, so that a slow machine costs time and no test.
    """
    end = time.monotonic() + deadline * PATIENCE
    pause = 0.01
    while True:
        late = time.monotonic() >= end
        value = condition()
        if value:
            return value
        if late:
            raise AssertionError(f"{what}: not within {deadline} s (last seen: {value!r})")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.25)


def never(condition, seconds, what):
    """Fails as soon as condition() is true within `seconds`: for things that must not happen."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            raise AssertionError(f"{what}: happened ({value!r})")
        time.sleep(0.05)
