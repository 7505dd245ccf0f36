#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The forwarder killed after some of its steps, and its successor too: no frame is lost.

tests/long/succession.py takes every step. STEPS_SEED says which here; it is printed.
"""

import os
import random
import time

import kit
import steps

SEED = int(os.environ.get("STEPS_SEED", time.time_ns() % 1000000))


def killed_here_and_there(work):
    """Half of the times the successor is killed, too."""
    chance = random.Random(SEED)
    with work() as done:
        for number in done.sets():
            total = done.measure()
            first, second = chance.randrange(1, total + 1), chance.randrange(1, total + 1)
            print(f"{work.__name__}, places {number}: step {first} of {total}, seed {SEED}")
            done.killed_after(first)
            done.killed_after(second, chance.randrange(total))


def test_a_switch():
    """four guests that dialled: nothing lost, repeated, torn, out of order"""
    killed_here_and_there(steps.Switch)


def test_a_dialled_wire():
    """both ways at once"""
    killed_here_and_there(steps.Wire)


def test_both_kinds_in_a_switch():
    """guests that were dialled, and one that dialled"""
    killed_here_and_there(steps.Mixed)


def test_a_slow_reader():
    """sends that are cut, frames that wait in a queue"""
    killed_here_and_there(steps.SlowReader)


def test_a_guest_that_ends():
    """what it said last is passed on, once"""
    killed_here_and_there(steps.Leaver)


def test_urgent_bytes():
    """they are like others"""
    killed_here_and_there(steps.Urgent)


if __name__ == "__main__":
    kit.main()
