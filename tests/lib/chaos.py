# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests that come and go while whoever looks after them is killed, stopped, starved or robbed.

After each step the guests of one segment that run have to reach each other, whatever the step was:
a guest may be refused its start, with a sentence, but one that started is not deaf. One seed is one
sequence of steps.
"""

import contextlib
import os
import random
import resource
import shutil
import signal
import threading

import lab
import links
from guest import client_nic, server_nic, udp_nic
from lab import address, mac
from process import ours
from wait import eventually

IMPLICIT, LAB, SERVER, UDP, HUB = 12345, 12346, 12347, 12348, 12349
NETWORK = f"""<network><name>lab</name><listen address='127.0.0.1' port='{LAB}'/>
<bridge name='br0'/><match type='server' port='{SERVER}'/>
<match type='udp' port='{HUB}'/></network>"""
SEGMENTS = ((1, 2), (3, 4, 5))      # nobody names the first one; the other one has a file
SOON = 30                           # seconds, for all to be well again on a busy machine
FROZEN = 15                         # longer than a hook waits for a manager that does not answer


def programs():
    """(keepers, forwarders) that run."""
    found = ([], [])
    for pid in ours("netrelay"):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline") as line:
            found["--forwarder" in line.read()].append(pid)
    return found


def kill(*pids):
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@contextlib.contextmanager
def limited(pid, what, value):
    was = resource.prlimit(pid, what)
    resource.prlimit(pid, what, (value, was[1]))
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, what, was)


class Chaos:
    """Five guests of two segments, and what can happen to them."""

    def __init__(self, host, seed):
        self.host = host
        self.chance = random.Random(seed)
        self.steps = []
        links.add_bridge("br0", [f"{address(100)}/24"])
        host.write_network("lab", NETWORK)
        self.libvirtd = host.libvirtd()
        self.manager = host.netrelayd()
        nics = {1: client_nic(IMPLICIT, mac(1)), 2: client_nic(IMPLICIT, mac(2)),
                3: client_nic(LAB, mac(3)), 4: server_nic(SERVER, mac(4)),
                5: udp_nic(HUB, UDP, mac(5))}
        self.guests = {n: lab.numbered(host, n, nic).define() for n, nic in nics.items()}
        self.running = set()
        self.choices = (
            [self.end_a_guest] * 2 + [self.crash_a_guest] +
            [self.kill_forwarders, self.kill_a_keeper, self.kill_a_relay, self.kill_manager,
             self.kill_manager_and_forwarders, self.kill_libvirtd, self.restart_manager,
             self.restart_libvirtd, self.kill_manager_in_a_start, self.kill_forwarders_in_a_start,
             self.freeze_manager_in_a_start, self.fill_the_disk, self.remove_the_sockets,
             self.take_descriptors, self.take_memory])

    # A step

    def step(self):
        """One thing happens; then all that should be is."""
        choice = self.chance.choice(self.choices)
        self.steps.append(choice.__name__)
        print(f"step {len(self.steps)}: {choice.__name__}, of {sorted(self.running)}", flush=True)
        choice()
        self.is_well()

    def is_well(self):
        if self.manager.ended():
            self.manager.start()
        for number in sorted(set(self.guests) - self.running):
            self.start(number)
        self.guests_talk()
        eventually(self.is_as_desired, SOON, f"all is as it should be after {self.steps[-1:]}: "
                                             f"{programs()}, {lab.report(self.host)['rows']}")

    def is_as_desired(self):
        """Each guest is connected, each network has one relay of two processes, and no more."""
        rows = [row for row in lab.report(self.host)["rows"] if row["guest"]]
        keepers, forwarders = programs()
        return (sorted(row["guest"] for row in rows) == [f"vm{n}" for n in sorted(self.running)]
                and all(row["state"] == "connected" for row in rows)
                and len(keepers) == len(forwarders) == len(SEGMENTS)
                and len(ours("netrelayd")) == 1)

    def guests_talk(self):
        for number in self.running:
            self.guests[number].wait_up()
        for segment in SEGMENTS:
            there = [n for n in segment if n in self.running]
            for one, other in zip(there, there[1:] + [100] * (3 in segment)):
                self.guests[one].reaches(address(other), SOON)

    # Guests

    def start(self, number):
        self.guests[number].start()
        self.running.add(number)

    def try_start(self, number):
        """It starts, or libvirt says why it does not."""
        started = self.guests[number].try_start()
        assert started.rc == 0 or "error:" in started.stderr, started.stderr
        if started.rc == 0:
            self.running.add(number)

    def one(self):
        return self.chance.choice(sorted(self.running))

    def end_a_guest(self):
        number = self.one()
        self.guests[number].destroy()
        self.running.discard(number)
        return number

    def crash_a_guest(self):
        number = self.one()
        with open(f"/run/libvirt/qemu/vm{number}.pid") as file:
            kill(int(file.read()))
        self.running.discard(number)
        eventually(lambda: self.guests[number].state() == "shut off", SOON, "it is seen to be off")

    # Deaths

    def kill_forwarders(self):
        kill(*programs()[1])

    def kill_a_keeper(self):
        kill(self.chance.choice(programs()[0]))

    def kill_a_relay(self):
        keeper = self.chance.choice(programs()[0])
        with open(f"/proc/{keeper}/task/{keeper}/children") as children:
            kill(keeper, *map(int, children.read().split()))

    def kill_manager(self):
        self.manager.kill()

    def kill_manager_and_forwarders(self):
        kill(self.manager.pid, *programs()[1])
        self.manager.process.wait(SOON)

    def kill_libvirtd(self):
        self.libvirtd.kill()
        self.libvirtd.start()

    def restart_manager(self):
        self.manager.restart()

    def restart_libvirtd(self):
        self.libvirtd.restart()

    # In the middle of a start

    def while_one_starts(self, happening):
        number = self.end_a_guest()
        thread = threading.Thread(target=self.try_start, args=(number,))
        thread.start()
        thread.join(self.chance.random())       # anywhere in it
        happening()
        thread.join()

    def kill_manager_in_a_start(self):
        def happening():
            self.manager.kill()
            self.manager.start()
        self.while_one_starts(happening)

    def kill_forwarders_in_a_start(self):
        self.while_one_starts(self.kill_forwarders)

    def freeze_manager_in_a_start(self):
        number = self.end_a_guest()
        self.manager.freeze()
        began = self.guests[number].try_start(FROZEN + SOON)
        self.manager.thaw()
        assert began.rc == 0 or "netrelay" in began.stderr, began.stderr
        if began.rc == 0:
            self.running.add(number)

    # Want

    def fill_the_disk(self):
        """/run is full while a guest ends and starts: libvirt, too, has its files there."""
        path = "/run/filling"
        with contextlib.suppress(OSError), open(path, "wb", buffering=0) as file:
            os.posix_fallocate(file.fileno(), 0, shutil.disk_usage("/run").free)
            while True:
                file.write(bytes(4096))
        number = self.end_a_guest()
        self.try_start(number)
        os.unlink(path)

    def remove_the_sockets(self):
        shutil.rmtree(f"{self.host.state_directory}/relays")

    def take_descriptors(self):
        """None is left to the manager."""
        number = self.end_a_guest()
        few = len(os.listdir(f"/proc/{self.manager.pid}/fd"))
        with limited(self.manager.pid, resource.RLIMIT_NOFILE, few):
            self.try_start(number)

    def take_memory(self):
        """What the manager has it may keep, and no more: it ends, or does without."""
        number = self.end_a_guest()
        with open(f"/proc/{self.manager.pid}/statm") as file:
            pages = int(file.read().split()[0])
        with limited(self.manager.pid, resource.RLIMIT_AS, pages * resource.getpagesize()):
            self.try_start(number)

    # The end

    def end(self):
        """Nothing is left but what was there before, and what the file asks for."""
        while self.running:
            self.end_a_guest()
        os.unlink(f"{self.host.networks_directory}/lab.xml")
        lab.no_relays(SOON)
        lab.expect_no_relay_files(self.host, SOON)
