#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""D1, D2: guests come and go for CHURN_MINUTES (10) while libvirtd and the manager are killed.

Two of them ping each other meanwhile, and may not lose one. The others, CHURN_GUESTS (50), are
started paused: their QEMUs connect all the same. CHURN_SEED repeats the same choices; it is
printed.
"""

import os
import random
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import lab                          # noqa: E402
import tap                          # noqa: E402
from guest import client_nic        # noqa: E402
from host import PrivateHost        # noqa: E402
from lab import PORT, address, mac  # noqa: E402
from process import ours            # noqa: E402
from wait import eventually         # noqa: E402

MINUTES = float(os.environ.get("CHURN_MINUTES", "10"))
GUESTS = int(os.environ.get("CHURN_GUESTS", "50"))
SEED = int(os.environ.get("CHURN_SEED", time.time_ns() % 1000000))
FIRST_PORT = 20000
SHARE = 5           # guests to a network
SOON = 5            # seconds, in which what is wanted has to be there after whatever happened


def network(number):
    """Named, so that a start while the manager is dead is refused rather than deaf."""
    return (f"<network><name>net-{number}</name>"
            f"<listen address='127.0.0.1' port='{FIRST_PORT + number}'/></network>")


def forwarders():
    found = []
    for pid in ours("netrelay"):
        with open(f"/proc/{pid}/cmdline") as line:
            if "--forwarder" in line.read():
                found.append(pid)
    return found


class Churn:
    """The guests that come and go, and what happens to those who look after them."""

    def __init__(self, host, chance):
        self.host = host
        self.chance = chance
        self.counts = {}
        self.networks = range((GUESTS + SHARE - 1) // SHARE)
        for number in self.networks:
            host.write_network(f"net-{number}", network(number))
        self.manager = host.netrelayd()
        self.guests = {
            f"g{n}": host.guest(f"g{n}", [client_nic(FIRST_PORT + n // SHARE, mac(16 + n))])
            for n in range(GUESTS)}
        self.choices = [self.start_one] * 12 + [self.end_one] * 8 + [
            self.restart_libvirtd, self.kill_libvirtd, self.kill_manager,
            self.kill_manager_in_a_start, self.kill_forwarders]

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def running(self):
        names = self.host.virsh("list", "--name").stdout.split()
        return {name for name in names if name in self.guests}

    def start(self, name):
        """May be refused while the manager is dead, and then says that it is."""
        result = self.host.virsh("start", "--paused", name, check=False)
        assert result.returncode == 0 or "netrelayd" in result.stderr, result.stderr
        self.count("started" if result.returncode == 0 else "refused")

    def pick(self, names):
        return self.chance.choice(sorted(names)) if names else None

    def start_one(self):
        name = self.pick(set(self.guests) - self.running())
        if name:
            self.start(name)

    def end_one(self):
        name = self.pick(self.running())
        if name:
            self.host.virsh("destroy", name)
            self.count("ended")

    def end_unseen(self):
        """A QEMU that dies while no libvirtd looks: no event tells of it."""
        names = [name for name in self.guests if os.path.exists(f"/run/libvirt/qemu/{name}.pid")]
        name = self.pick(names)
        if name:
            with open(f"/run/libvirt/qemu/{name}.pid") as file:
                os.kill(int(file.read()), signal.SIGKILL)
            self.count("ended unseen")

    def restart_libvirtd(self):
        self.host.libvirtd().stop()
        self.end_unseen()
        self.host.libvirtd().start()
        self.count("libvirtd restarted")

    def kill_libvirtd(self):
        self.host.libvirtd().kill()
        self.host.libvirtd().start()
        self.count("libvirtd killed")

    def kill_manager(self):
        self.manager.kill()
        self.manager.start()
        self.count("manager killed")

    def kill_manager_in_a_start(self):
        name = self.pick(set(self.guests) - self.running())
        if not name:
            return
        thread = threading.Thread(target=self.start, args=(name,))
        thread.start()
        thread.join(self.chance.random() / 2)       # anywhere in it
        self.kill_manager()
        thread.join()

    def kill_forwarders(self):
        """All at once; their keepers have new ones."""
        for pid in forwarders():
            os.kill(pid, signal.SIGKILL)
        self.count("forwarders killed")

    def difference(self):
        """What is there and should not be, or the other way round; empty when all is as wanted."""
        running = self.running()
        rows = [row for row in lab.report(self.host)["rows"] if row["guest"] in self.guests]
        connected = {row["guest"] for row in rows if row["state"] == "connected"}
        return (running ^ connected) | {row["guest"] for row in rows} - running

    def settles(self):
        eventually(lambda: not self.difference(), SOON, "what is wanted is what is there")

    def end_all(self):
        for name in self.running():
            self.host.virsh("destroy", name)
        self.settles()


@tap.timeout(int(MINUTES * 60) + 300)
def test_churn(host):
    """After whatever was lost or killed, what runs is connected and nothing else is there"""
    print(f"seed {SEED}")
    host.libvirtd()
    churn = Churn(host, random.Random(SEED))
    pair = {n: lab.numbered(host, n, client_nic(PORT, mac(n))) for n in (1, 2)}
    for guest in pair.values():
        guest.boot()
    lab.all_meet(pair)
    flow = pair[1].start_pings(address(2))
    end = time.monotonic() + MINUTES * 60
    while time.monotonic() < end:
        churn.chance.choice(churn.choices)()
        churn.settles()
    sent, received = flow.stop()
    print(churn.counts, f"{received} of {sent} pings answered")
    assert sent > 10 and sent == received
    churn.end_all()
    for guest in pair.values():
        guest.destroy()
    eventually(lambda: len(ours("netrelay")) - len(forwarders()) == len(churn.networks), 10,
               "a keeper for each network, and none for the pair")


tap.main(PrivateHost())
