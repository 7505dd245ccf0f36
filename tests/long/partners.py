#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A client and its server in any order and with any delay: they end up linked, or are found deaf.

PARTNERS_ROUNDS (20) pairs are started by chance, PARTNERS_SEED repeats the same choices. Then one
QEMU takes longer than any hook waits.
"""

import os
import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", folder)
                for folder in ("lib", "system")]

import lab                                                       # noqa: E402
import slow                                                      # noqa: E402
import tap                                                       # noqa: E402
from guest import client_nic, server_nic                         # noqa: E402
from host import PrivateHost                                     # noqa: E402
from lab import mac                                              # noqa: E402
from process import run                                          # noqa: E402
from wait import eventually                                      # noqa: E402

ROUNDS = int(os.environ.get("PARTNERS_ROUNDS", "20"))
SEED = int(os.environ.get("PARTNERS_SEED", time.time_ns() % 1000000))
PORT = 23001
LONGEST = 130                       # seconds: more than a hook waits for another guest


class Partners:
    """One pair, whose QEMUs come up when we say so."""

    def __init__(self, host):
        host.libvirtd()
        slow.install()
        self.host = host
        self.manager = host.netrelayd()
        self.pool = ThreadPoolExecutor(4)
        self.client = lab.numbered(host, 1, client_nic(PORT, mac(1)))
        self.server = lab.numbered(host, 2, server_nic(PORT, mac(2)))

    def states(self):
        return [row["state"] for guest in (self.client, self.server)
                for row in lab.rows(self.host, guest=guest.name)]

    def is_linked(self):
        """By way of us, or without, where there is just the one connection."""
        found = run(["ss", "-Htn", "state", "established", "dport", "=", f":{PORT}"]).stdout
        return (self.states() == ["connected"] * 2 or
                (self.states() == ["direct"] * 2 and len(found.splitlines()) == 1))

    def restart_manager(self):
        self.manager.kill()
        self.manager.start()

    def begin(self, first, second, chance):
        """Both start, each at its time, with a manager that may be killed anywhere."""
        steps = [lambda: starts.append(self.pool.submit(first.try_start)),
                 lambda: starts.append(self.pool.submit(second.try_start)),
                 lambda: slow.let_go(first), lambda: slow.let_go(second)]
        starts = []
        kills = chance.sample(range(4), chance.randrange(3))
        if chance.random() < 0.5:
            steps[2:] = reversed(steps[2:])
        for guest in (first, second):
            slow.hold(guest)
        for number, step in enumerate(steps):
            time.sleep(chance.choice([0, 0, 0.05, 0.3, 1]))
            step()
            if number in kills:
                self.restart_manager()
        return [start.result() for start in starts], kills

    def end(self):
        for guest in (self.client, self.server):
            guest.destroy(check=False)
        eventually(lambda: not lab.rows(self.host), 20, "both are forgotten")


@tap.timeout(60 + 60 * ROUNDS)
def test_every_order(host):
    """Any order, any delay, the manager killed in between"""
    partners = Partners(host)
    chance = random.Random(SEED)
    print(f"PARTNERS_SEED={SEED}")
    for number in range(ROUNDS):
        pair = [partners.client, partners.server]
        chance.shuffle(pair)
        started, kills = partners.begin(*pair, chance)
        print(number, "first", pair[0].name, "kills", kills, [one.rc for one in started])
        assert [one.rc for one in started] == [0, 0], started
        eventually(partners.is_linked, 30, "the two are linked")
        partners.end()


@tap.timeout(LONGEST + 120)
def test_longer_than_any_hook_waits(host):
    """A server that takes longer: its client starts at last, and is found deaf, with the cure"""
    partners = Partners(host)
    first = partners.pool.submit(slow.hold(partners.server).try_start, 2 * LONGEST)
    lab.expect_row(host, 20, guest="vm2", guest_state="announced")
    started = partners.pool.submit(partners.client.try_start, LONGEST).result()
    assert started.rc == 0 and started.seconds > 100, started
    slow.let_go(partners.server)
    assert first.result().rc == 0, first.result()
    lab.expect_row(host, 20, guest="vm1", state="waiting")
    assert "deaf" in host.netrelayctl("doctor", check=False).stdout
    host.netrelayctl("revive", "vm1", deadline=60)
    eventually(partners.is_linked, 20, "the two are linked")


tap.main(PrivateHost())
