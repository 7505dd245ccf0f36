#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""tests/system/test_chaos.py for CHAOS_SECONDS (1,800). CHAOS_SEED repeats its steps."""

import os
import sys

TEST = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system", "test_chaos.py")

os.environ.setdefault("CHAOS_SECONDS", "1800")
os.execv(TEST, [TEST, "--verbose", *sys.argv[1:]])
