#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest that dials and one that listens at its address, started while the other one starts."""

import json
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
from guest import client_nic, server_nic, udp_nic
from host import PrivateHost
from lab import mac
from process import run
from wait import eventually, never

WHILE = 5                           # seconds that a QEMU takes; tests/long/partners.py has more


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
    def test_slow_one_first(self):
        """Either one may come first, and take its time: the pair is linked"""
        one, two = Pair(self.host, 1, 23001), Pair(self.host, 3, 23002)
        first = [self.held(one.server), self.held(two.client)]
        second = [self.begin(one.client), self.begin(two.server)]
        self.expect_waiting(one.client, one.server)
        self.expect_waiting(two.server, two.client)
        # libvirt lists a guest as active from before its hook on: that is not up.
        self.host.netrelayctl("reload")
        never(lambda: [start for start in first + second if start.done()], WHILE,
              "somebody was let through")
        for guest in (one.server, two.client):
            slow.let_go(guest)
        assert [start.result().rc for start in first + second] == [0] * 4, first + second
        for pair in (one, two):
            pair.expect_linked()
            pair.end()

    @tap.timeout(120)
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

    @tap.timeout(120)
    def test_deaf_and_revived(self):
        """No manager while they start: the client is not called direct, but found deaf, with a cure
        that helps; and whoever dials the server then is told that it serves somebody else"""
        pair = Pair(self.host, 9, 23005)
        first = self.held(pair.server)
        second = self.begin(pair.client)
        self.expect_waiting(pair.client, pair.server)
        self.manager.kill()
        assert second.result().rc == 0, second.result()
        slow.let_go(pair.server)
        assert first.result().rc == 0, first.result()
        self.manager.start()
        for guest in (pair.client, pair.server):
            lab.expect_row(self.host, 20, guest=guest.name, state="waiting")
        assert "revive" in self.expect_found("deaf", pair.client)["cure"]
        self.host.netrelayctl("revive", pair.client.name, deadline=60)
        pair.expect_linked()
        third = lab.numbered(self.host, 11, client_nic(pair.port, mac(11)))
        third.start()
        lab.expect_row(self.host, 20, guest=third.name, state="busy")
        self.expect_found("unreachable", third)
        third.destroy()
        pair.end()

    def expect_found(self, kind, guest):
        """The doctor's one finding about the guest is of this kind; returns it."""
        def look():
            found = json.loads(self.host.netrelayctl("doctor", "--json", check=False).stdout)
            about = [one for one in found["findings"] if one["about"] == guest.name]
            return about if [one["kind"] for one in about] == [kind] else None
        return eventually(look, 20, f"{guest.name} is found: {kind}")[0]

    @tap.timeout(120)
    def test_manager_restarted_while_they_wait(self):
        """The next manager knows who is starting, though libvirt cannot say so yet"""
        one, two = Pair(self.host, 12, 23006), Pair(self.host, 14, 23007)
        starts = [self.held(one.server), self.held(two.client)]
        waits = [(one.client, one.server), (two.server, two.client)]
        starts += [self.begin(waiting) for waiting, _ in waits]
        for waiting, other in waits:
            self.expect_waiting(waiting, other)
        self.manager.kill()
        os.truncate(self.manager.log, 0)
        self.manager.start()
        for waiting, other in waits:
            self.expect_waiting(waiting, other)
        for _, other in waits:
            slow.let_go(other)
        assert [start.result().rc for start in starts] == [0] * 4, starts
        for pair in (one, two):
            pair.expect_linked()
            pair.end()
        eventually(lambda: not [name for name in os.listdir(self.host.state_directory)
                                if name.startswith("start")], 20, "no note is left")

    @tap.timeout(120)
    def test_two_that_bind_at_once(self):
        """F: two udp NICs for one address, started at once: one is refused, with both names"""
        pair = [lab.numbered(self.host, number, udp_nic(23000 + number, 23008, mac(number)))
                for number in (16, 17)]
        for _ in range(3):
            started = [start.result() for start in [self.begin(guest) for guest in pair]]
            refused = [start.stderr for start in started if start.rc != 0]
            assert len(refused) == 1, started
            assert all(f"guest {guest.name}" in refused[0] for guest in pair), refused
            for guest in pair:
                guest.destroy(check=False)

    @tap.timeout(120)
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
