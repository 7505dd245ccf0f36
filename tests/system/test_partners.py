#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest that dials and one that listens at its address, started while the other one starts."""

import os
import re
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../lib")]

import lab
import slow
import tap
from guest import client_nic, server_nic
from host import PrivateHost
from lab import mac
from process import run
from wait import eventually, never

HOOK_DEADLINE = 10                  # seconds: netrelayctl's own, while it hears of no partner


def established(port):
    """The connections to a port, as those have them who dialled."""
    return run(["ss", "-Htn", "state", "established", "dport", "=",
                f":{port}"]).stdout.splitlines()


def hooks_of(name):
    """The netrelayctl that libvirt has called for a guest's start."""
    found = run(["pgrep", "-f", f"netrelayctl hook prepare -- {name}$"], check=False).stdout
    return [int(pid) for pid in found.split()]


class Pair:
    """A client and a server at a port of their own."""

    def __init__(self, host, number, port):
        self.host = host
        self.port = port
        self.client = lab.numbered(host, number, client_nic(port, mac(number)))
        self.server = lab.numbered(host, number + 1, server_nic(port, mac(number + 1)))

    def is_linked(self):
        """By way of us, or without."""
        states = [row["state"] for guest in (self.client, self.server)
                  for row in lab.rows(self.host, guest=guest.name)]
        return states == ["connected"] * 2 or (states == ["direct"] * 2
                                               and len(established(self.port)) == 1)

    def expect_linked(self):
        eventually(self.is_linked, 20, f"{self.client.name} and {self.server.name} are linked")

    def end(self):
        for guest in (self.client, self.server):
            guest.destroy(check=False)


class TestPartners:
    """One of the two has a QEMU that takes its time."""

    def setup(self, host):
        self.host = host
        host.libvirtd()
        self.manager = host.netrelayd()
        slow.install()
        self.pool = ThreadPoolExecutor(8)

    def begin(self, guest):
        """virsh start, without waiting."""
        return self.pool.submit(guest.try_start)

    def expect_waiting(self, guest, other):
        line = f"guest {guest.name} waits for guest {other.name}"
        eventually(lambda: line in self.manager.text(), 20, line)

    def held(self, guest):
        """It starts, and its QEMU does not come up."""
        started = self.begin(slow.hold(guest))
        lab.expect_row(self.host, 20, guest=guest.name, guest_state="announced")
        eventually(lambda: not hooks_of(guest.name), 20, "its hook is through")
        return started

    @tap.timeout(120)
    def test_slower_than_the_hooks_deadline(self):
        """Either one may take longer than a hook waits for anything else: the pair is linked"""
        one, two = Pair(self.host, 1, 23001), Pair(self.host, 3, 23002)
        first = [self.held(one.server), self.held(two.client)]
        second = [self.begin(one.client), self.begin(two.server)]
        self.expect_waiting(one.client, one.server)
        self.expect_waiting(two.server, two.client)
        # libvirt lists a guest as active from before its hook on: that is not up.
        self.host.netrelayctl("reload")
        never(lambda: [start for start in first + second if start.done()], HOOK_DEADLINE + 1,
              "somebody was let through")
        for guest in (one.server, two.client):
            slow.let_go(guest)
        assert [start.result().rc for start in first + second] == [0] * 4, first + second
        for pair in (one, two):
            pair.expect_linked()
            pair.end()

    def test_one_that_fails_holds_nobody(self):
        """The earlier one's QEMU ends at once: the later one starts, and is served"""
        pair = Pair(self.host, 5, 23003)
        first = self.held(pair.server)
        second = self.begin(pair.client)
        self.expect_waiting(pair.client, pair.server)
        slow.let_go(pair.server, fails=True)
        assert first.result().rc != 0 and second.result().rc == 0, (first, second)
        lab.expect_row(self.host, 20, guest=pair.client.name, state="connected")
        pair.end()

    def test_killed_while_it_waits(self):
        """A hook that is killed while it waits has asked for nothing"""
        pair = Pair(self.host, 7, 23004)
        first = self.held(pair.server)
        second = self.begin(pair.client)
        self.expect_waiting(pair.client, pair.server)
        for pid in hooks_of(pair.client.name):
            os.kill(pid, signal.SIGKILL)
        assert second.result().rc != 0, second.result()
        slow.let_go(pair.server)
        assert first.result().rc == 0, first.result()
        lab.expect_row(self.host, 20, guest=pair.server.name, guest_state="running")
        never(lambda: re.search(f"guest {pair.client.name} starts|network .*:{pair.port}",
                                self.manager.text()) or lab.rows(self.host,
                                                                 guest=pair.client.name),
              0.5, "what it had waited for was done all the same")
        pair.end()


tap.main(PrivateHost())
