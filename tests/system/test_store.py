#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A relay's both processes die at once, and the manager with them: guests keep their links."""

import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import lab
import tap
from fdstore import Systemd
from guest import client_nic, server_nic
from host import PrivateHost
from lab import PORT, address, mac
from process import kill_all, ours
from wait import eventually

SERVER = 12400
NETWORK = f"""<network><name>lab</name><listen address='127.0.0.1' port='{PORT}'/>
<match type='server' port='{SERVER}'/></network>"""


def three_guests(host):
    """Two that dial us, and one that we dial."""
    host.write_network("lab", NETWORK)
    guests = {n: lab.numbered(host, n, client_nic(PORT, mac(n))) for n in (1, 2)}
    guests[3] = lab.numbered(host, 3, server_nic(SERVER, mac(3)))
    for guest in guests.values():
        guest.start()
    for guest in guests.values():
        guest.wait_up(40)
    lab.all_meet(guests)
    connected(host, guests)
    return guests


def connected(host, guests):
    for number in guests:
        lab.expect_row(host, guest=f"vm{number}", state="connected")


def killed(*names):
    """SIGKILL of all of these at once."""
    for pid in ours(*names):
        os.kill(pid, signal.SIGKILL)


def nothing_lost(flows):
    for flow in flows:
        sent, received = flow.stop()
        assert sent >= 20 and sent == received, f"{received} of {sent} pings answered"


@tap.timeout(150)
def test_store_relay_killed(host):
    """Keeper and forwarder killed together, again and again: no ping is lost"""
    host.libvirtd()
    daemon = host.netrelayd()
    guests = three_guests(host)
    flows = [guests[1].start_pings(address(2)), guests[2].start_pings(address(3))]
    for _ in range(3):
        was = ours("netrelay")
        killed("netrelay")
        for flow in flows:
            flow.wait_replies(10)
        eventually(lambda was=was: not set(was) & set(ours("netrelay")), 10, "others are there")
        connected(host, guests)
    nothing_lost(flows)
    held = held_by(daemon)
    for guest in guests.values():
        guest.destroy()
    eventually(lambda: held_by(daemon) <= held - 3, 10, "the manager holds no connection")


def held_by(daemon):
    return len(os.listdir(f"/proc/{daemon.pid}/fd"))


@tap.timeout(150)
def test_store_everything_killed(host):
    """With systemd's descriptor store even the manager may die with them; it empties with guests"""
    systemd = Systemd()
    host.libvirtd()
    systemd.start(host)
    guests = three_guests(host)
    assert len(systemd.names()) == 2 + 3, systemd.names()
    flows = [guests[1].start_pings(address(2)), guests[2].start_pings(address(3))]
    for _ in range(2):
        for flow in flows:
            flow.wait_replies(10)
        kill_all("netrelay", "netrelayd")
        systemd.start(host)
        for flow in flows:
            flow.wait_replies(10)
        connected(host, guests)
    nothing_lost(flows)
    assert len(systemd.names()) == 2 + 3, systemd.names()
    for left, number in ((2, 1), (1, 2), (0, 3)):
        guests[number].destroy()
        eventually(lambda left=left: len(systemd.names()) == 2 + left, 10,
                   f"{left} connections are left in {systemd.names()}")
    os.unlink(f"{host.networks_directory}/lab.xml")
    lab.no_relays()
    eventually(lambda: not systemd.names(), 10, "nothing is stored")


if __name__ == "__main__":
    tap.main(PrivateHost())
