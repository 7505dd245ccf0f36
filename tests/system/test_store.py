#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A relay's both processes die at once, and the manager with them: guests keep their links."""

import os
import signal
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import lab
import links
import tap
from fdstore import Systemd
from guest import client_nic, server_nic
from host import PrivateHost
from lab import PORT, address, mac
from process import ours
from wait import eventually

SERVER = 12400
NETWORK = f"""<network><name>lab</name><listen address='127.0.0.1' port='{PORT}'/>
<bridge name='br0'/><match type='server' port='{SERVER}'/></network>"""


def three_guests(host):
    """Two that dial us, and one that we dial."""
    links.add_bridge("br0", [f"{address(100)}/24"])
    host.write_network("lab", NETWORK)
    guests = {n: lab.numbered(host, n, client_nic(PORT, mac(n))) for n in (1, 2)}
    guests[3] = lab.numbered(host, 3, server_nic(SERVER, mac(3)))
    lab.start_all(guests)
    for guest in guests.values():
        guest.wait_up(40)
    lab.all_meet(guests)
    connected(host, guests)
    return guests


def connected(host, guests):
    for number in guests:
        lab.expect_row(host, guest=f"vm{number}", state="connected")


def kill_at_once(*names):
    for pid in ours(*names):
        os.kill(pid, signal.SIGKILL)


@tap.timeout(60)
def test_store_comings_and_goings(host):
    """Connections come and go: neither the manager nor systemd holds one longer"""
    systemd = Systemd()
    host.write_network("lab", f"<network><name>lab</name><listen address='127.0.0.1' "
                              f"port='{PORT}'/></network>")
    daemon = systemd.start(host)
    lab.expect_row(host, network="lab", state="listening")
    eventually(lambda: len(systemd.names()) == 2, 10, "the memory and the register are stored")
    held = held_by(daemon)
    for _ in range(3):
        peers = [socket.create_connection(("127.0.0.1", PORT)) for _ in range(60)]
        eventually(lambda: len(systemd.names()) == 62, 15, "60 connections are stored")
        assert held_by(daemon) >= held + 60
        for peer in peers:
            peer.close()
        eventually(lambda: len(systemd.names()) == 2 and held_by(daemon) <= held, 15,
                   "as much is held as before")


def held_by(daemon):
    return len(os.listdir(f"/proc/{daemon.pid}/fd"))


@tap.timeout(200)
def test_store_all_killed(host):
    """Relays, then relays and manager, die at once, again and again: no ping is lost"""
    systemd = Systemd()
    host.libvirtd()
    systemd.start(host)
    guests = three_guests(host)
    assert len(systemd.names()) == 2 + 3, systemd.names()
    flows = [guests[1].start_pings(address(2)), guests[2].start_pings(address(3))]
    for names in (["netrelay"], ["netrelay", "netrelayd"]) * 2:
        was = ours("netrelay")
        for flow in flows:
            flow.wait_replies(5)
        kill_at_once(*names)
        eventually(lambda was=was: not set(was) & set(ours("netrelay")), 20, "they are dead")
        if "netrelayd" in names:
            systemd.start(host)
        for flow in flows:
            flow.wait_replies(5)
        connected(host, guests)
    for flow in flows:
        lab.nothing_lost(flow)
    guests[3].reaches(address(100))         # by a TAP that is another one
    eventually(lambda: len(systemd.names()) == 2 + 3, 10, "as much is stored as at first")
    for left, number in ((2, 1), (1, 2), (0, 3)):
        guests[number].destroy()
        eventually(lambda left=left: len(systemd.names()) == 2 + left, 10,
                   f"{left} connections are left in {systemd.names()}")
    os.unlink(f"{host.networks_directory}/lab.xml")
    lab.no_relays()
    eventually(lambda: not systemd.names(), 10, "nothing is stored")


if __name__ == "__main__":
    tap.main(PrivateHost())
