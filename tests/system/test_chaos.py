#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Some of what `tests/run.sh --long chaos` does for half an hour: two minutes of it."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import tap
from chaos import Chaos
from host import PrivateHost

SECONDS = float(os.environ.get("CHAOS_SECONDS", "120"))
SEED = int(os.environ.get("CHAOS_SEED", time.time_ns() % 1000000))


@tap.timeout(int(SECONDS) + 180)
def test_chaos(host):
    """Guests talk again after each of many things that happen to those who look after them"""
    print(f"CHAOS_SEED={SEED}")
    chaos = Chaos(host, SEED)
    end = time.monotonic() + SECONDS
    chaos.is_well()
    while time.monotonic() < end:
        chaos.step()
    chaos.end()


tap.main(PrivateHost())
