#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Addresses of this host that come while everything runs, as by DHCP or a VPN."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import lab
import links
import tap
from guest import client_nic, udp_nic
from host import PrivateHost
from lab import PORT, mac

LATE = "10.7.0.1"
SOON = 2        # seconds: less than the pass that is made every five


def vpn():
    """A device with a way to everywhere: a QEMU that has none to its far end does not start."""
    links.add_bridge("vpn0", ["10.8.0.1/24"])
    links.ip("route", "add", "default", "via", "10.8.0.254")


def address_comes():
    links.ip("address", "add", f"{LATE}/24", "dev", "vpn0")


def address_goes():
    links.ip("address", "del", f"{LATE}/24", "dev", "vpn0")


def test_address_of_a_network_file(host):
    """A file's address that is nobody's yet: said, and listened on once it is there"""
    vpn()
    host.libvirtd()
    host.write_network("lab", f"<network><name>lab</name>"
                              f"<listen address='{LATE}' port='{PORT}'/></network>")
    host.netrelayd()
    row = lab.expect_row(host, network="lab", state="failed", deadline=15)
    assert LATE in row["reason"], row
    address_comes()
    lab.expect_row(host, network="lab", state="listening")


def test_address_of_guests(host):
    """F: NICs whose address is another host's are remote, until it becomes ours"""
    vpn()
    host.libvirtd()
    host.netrelayd()
    dials = host.guest("dials", [client_nic(PORT, mac(1), address=LATE)])
    halves = [host.guest(f"half{n}", [udp_nic(5601, 5601 + n, mac(1 + n), source=LATE)])
              for n in (1, 2)]
    for guest in (dials, *halves):
        guest.start()
        row = lab.expect_row(host, guest=guest.name, state="remote")
        assert LATE in row["reason"], row
    # More than one change: a round that was due anyway is not taken for the answer to all.
    for change, state in ((address_comes, "connected"), (address_goes, "remote"),
                          (address_comes, "connected")):
        change()
        for guest in halves:
            lab.expect_row(host, guest=guest.name, state=state, deadline=SOON)
    # Its QEMU dialled in vain, and never does again.
    assert "netrelayctl revive" in lab.expect_row(host, guest="dials", state="waiting")["reason"]
    dials.destroy()
    dials.start()
    lab.expect_row(host, guest="dials", state="connected")


tap.main(PrivateHost())
