#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""netrelayd --connect: other libvirt connections than the usual one."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import lab
import tap
from guest import client_nic
from host import PrivateHost
from lab import PORT, mac
from process import run

# libvirt's test driver: guests that nobody runs, and no hook.
PLAYED = """<node>
  <domain type='test'>
    <name>played</name>
    <uuid>1d2e5f0a-0000-4000-8000-000000000001</uuid>
    <memory>8192</memory>
    <os><type>hvm</type></os>
    <devices>
      <interface type='client'>
        <mac address='52:54:00:00:00:01'/>
        <source address='127.0.0.1' port='12345'/>
      </interface>
    </devices>
  </domain>
</node>
"""


def test_connect_by_the_name_of_a_socket(host):
    """qemu+unix with a socket's path: the system's guests, and their hook"""
    host.libvirtd()
    host.netrelayd("--connect", "qemu+unix:///system?socket=/run/libvirt/libvirt-sock")
    guest = lab.numbered(host, 1, client_nic(PORT, mac(1)))
    assert not lab.rows(host), "it is listened for although a hook serves this connection"
    guest.start()
    lab.expect_row(host, guest="vm1", state="connected")
    guest.destroy()
    lab.no_relays()


def test_connect_to_a_driver_without_hooks(host):
    """Where no hook can be, what is defined or runs is listened for"""
    path = f"{host.directory}/node.xml"
    with open(path, "w") as file:
        file.write(PLAYED)
    host.netrelayd("--connect", f"test://{path}")
    lab.expect_row(host, guest="played", network=f"127.0.0.1:{PORT}", state="waiting")
    assert run(["ss", "-Hltn", "sport", "=", f":{PORT}"]).stdout, "nobody listens"


def test_connect_to_nobody(host):
    """A connection that cannot be had is said, and had as soon as it can be"""
    daemon = host.netrelayd("--connect", "qemu:///system")
    assert "libvirt" in host.netrelayctl("status").stdout
    host.libvirtd()
    guest = lab.numbered(host, 1, client_nic(PORT, mac(1)))
    guest.start()
    lab.expect_row(host, guest="vm1", state="connected")
    assert "connected to libvirt at qemu:///system" in daemon.text()


tap.main(PrivateHost())
