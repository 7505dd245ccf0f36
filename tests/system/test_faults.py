#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Faults of what the manager lives on: domain XML, the disk, the time of day; with real guests."""

import os
import re
import shutil
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import install
import lab
import tap
from guest import client_nic
from host import PrivateHost
from lab import PORT, address, mac
from process import ours, run
from wait import eventually

PRELOADED = ("time-of-day", "poison")     # tests/system/*.c
OFFSET = "/run/time-offset"
HOUR = 3600
SLOW = 4                        # times what is promised: where tests run, much else may run
GROWTH_KB = 32 * 1024
UUID = "00000000-0000-4000-8000-000000000001"
NAMED = f"""<network><name>lab</name><listen address='127.0.0.1' port='{PORT}'/></network>"""
LATE_PORT = 2001
LATE = f"""<network><name>late</name><listen address='127.0.0.1' port='{LATE_PORT}'/></network>"""


def domain(inside="", before=""):
    return (f"{before}<domain type='qemu'><name>bad</name><uuid>{UUID}</uuid>"
            f"{inside}<devices>{client_nic(PORT, mac(9))}</devices></domain>").encode()


def nested_entities():
    doctype = "<!DOCTYPE domain [<!ENTITY e0 'x'>"
    for level in range(1, 30):
        doctype += f"<!ENTITY e{level} '&e{level - 1};&e{level - 1};'>"
    return domain("<title>&e29;</title>", doctype + "]>")


BAD = {
    "a DOCTYPE": lambda: domain(before="<!DOCTYPE domain>"),
    "nested entities": nested_entities,
    "an external entity": lambda: domain(
        "<title>&e;</title>", "<!DOCTYPE domain [<!ENTITY e SYSTEM 'file:///etc/shadow'>]>"),
    "depth 10,000": lambda: domain("<a>" * 10000 + "</a>" * 10000),
    "100,000 interfaces": lambda: domain(
        "<devices>" + client_nic(PORT, mac(9)) * 100000 + "</devices>"),
    "50 MB": lambda: domain("<title>" + "x" * 50_000_000 + "</title>"),
    "broken UTF-8": lambda: domain("<title>A</title>").replace(b">A<", b">\xc3\x28\xff<"),
}


def status_of(pid, field):
    with open(f"/proc/{pid}/status") as text:
        return int(re.search(rf"^{field}:\s+(\d+)", text.read(), re.MULTILINE).group(1))


def fill(directory):
    """Until no more file can be made there."""
    number = 0
    while True:
        try:
            open(f"{directory}/{number}", "w").close()
            number += 1
        except OSError:
            return


@tap.timeout(120)
def test_D4_no_room(host):
    """No room for sockets: who needs a new one is refused, with its sentence; all others start"""
    libvirtd = host.libvirtd()
    host.write_network("lab", NAMED)
    os.makedirs(host.state_directory, 0o755)
    run(["mount", "-t", "tmpfs", "-o", "nr_inodes=12,mode=755", "room", host.state_directory])
    host.netrelayd()
    eventually(lambda: lab.relay_files(host), 15, "the network's relay")
    fill(host.state_directory)
    host.write_network("late", LATE)
    host.netrelayctl("reload")
    plain = host.guest("plain")
    plain.start()
    handles = len(os.listdir(f"/proc/{libvirtd.pid}/fd"))
    result = host.guest("late", [client_nic(LATE_PORT, mac(8))]).try_start()
    assert result.rc != 0 and "No space left" in result.stderr, result
    guests = lab.two_guests(host)
    implicit = host.guest("implicit", [client_nic(LATE_PORT + 1, mac(7))])
    implicit.start()
    lab.all_meet(guests)
    assert not ours("netrelayctl"), "a hook is left"
    for guest in (*guests.values(), implicit):
        guest.destroy()
    eventually(lambda: len(os.listdir(f"/proc/{libvirtd.pid}/fd")) <= handles, 15,
               "libvirtd has no more descriptors than before")
    plain.destroy()


def set_offset(seconds):
    with open(OFFSET, "r+b") as file:
        file.write(struct.pack("=q", seconds))


def preloaded():
    """Where a relay's user may read them, too."""
    return " ".join(shutil.copy(os.path.join(install.BUILD, f"tests/system/lib{name}.so"), "/run")
                    for name in PRELOADED)


class TestFaults:
    """One host: two guests that ping each other, with what its programs find out in each test."""

    def setup(self, host):
        self.host = host
        host.libvirtd()
        host.write_network("lab", NAMED)
        with open(OFFSET, "wb") as file:
            file.write(bytes(8))
        self.daemon = host.netrelayd(env={"LD_PRELOAD": preloaded(), "TIME_OFFSET": OFFSET})
        self.guests = lab.two_guests(host)
        self.relays = ours("netrelay")

    @tap.timeout(120)
    def test_D6_domain_xml(self):
        """What no libvirt would hand on: no second of anybody's, no memory, and guests go on"""
        flow = self.guests[1].start_pings(address(2))
        before = status_of(self.daemon.pid, "VmHWM")
        for what, make in BAD.items():
            xml = make()
            began = time.monotonic()
            said = subprocess.run(["/usr/bin/netrelayctl", "hook", "prepare", "--", "bad"],
                                  input=xml, capture_output=True, timeout=30, check=False)
            took = time.monotonic() - began
            assert took < 1 * SLOW, (what, took)
            assert said.stderr.count(b"\n") <= 1, (what, said)
            grown = status_of(self.daemon.pid, "VmHWM") - before
            assert grown < GROWTH_KB, f"{what}: the manager has grown by {grown} kB"
        assert not lab.rows(self.host, guest="bad")
        lab.nothing_lost(flow)

    @tap.timeout(120)
    def test_D1_time_of_day_jumps(self):
        """By hours, forth and back: nothing is lost, torn down, forgotten or made in haste"""
        flow = self.guests[1].start_pings(address(2))
        for hours in (9, -9, 0):
            set_offset(hours * HOUR)
            self.host.netrelayctl("reload")     # libvirt's list, and a pass
            flow.wait_replies(flow.replies() + 10)
            for name in ("vm1", "vm2"):
                lab.expect_row(self.host, guest=name, state="connected")
            late = self.host.guest(f"late{hours}", [client_nic(PORT, mac(9))], define=False)
            for words in ("prepare", "release"):
                self.host.netrelayctl("hook", words, "--", late.name, text_in=late.xml)
            assert ours("netrelay") == self.relays, "relays were made anew"
        lab.nothing_lost(flow)
        stamps = set(re.findall(r"^\S+ (\d\d):", self.daemon.text(), re.MULTILINE))
        assert len(stamps) >= 3, f"the log's time of day was not moved: {stamps}"

    @tap.timeout(120)
    def test_D15_a_frame_that_kills_its_reader(self):
        """Twice, and not a third time: its guest's port is closed, and everybody else goes on"""
        third = lab.numbered(self.host, 3, client_nic(PORT, mac(3)))
        third.boot()
        third.reaches(address(1))
        flow = self.guests[1].start_pings(address(2))
        flow.wait_replies(5)
        third.sh(f"ping -c 1 -W 1 -s 1000 -p ee {address(1)}")
        eventually(lambda: "its frames ended the forwarder twice: closed" in self.daemon.text(),
                   20, "its port is closed")
        lab.nothing_lost(flow)
        assert ours("netrelay")[0] == self.relays[0], "the keeper is another one"
        assert self.daemon.text().count("crashed: signal") == 2, self.daemon.text()


if __name__ == "__main__":
    tap.main(PrivateHost())
