#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""10 GB through a wire whose sink is slow: it pushes back, and every frame arrives."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "relay"))

import kit                          # noqa: E402
import tap                          # noqa: E402
from pushback import Pauses, lose_nothing    # noqa: E402


@tap.timeout(1800)
def test_F7_10_GB_through_a_slow_reader():
    """ten pauses of 1.5 s each, which --stall 2 allows: byte for byte what was sent"""
    lose_nothing(10000, Pauses(1.5, 10 ** 9))


if __name__ == "__main__":
    kit.main()
