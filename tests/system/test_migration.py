#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests that migrate: at the destination it is a prepare like any other."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import lab
import tap
from guest import client_nic
from host import PrivateHost
from lab import PORT, mac
from process import run
from second import ITS, SecondHost
from wait import eventually


def migrate(first, second, name):
    return first.virsh("migrate", "--live", "--persistent", "--undefinesource", name, second.uri,
                       f"tcp://{ITS}:49152", check=False)


def two_hosts(host):
    second = SecondHost(host)
    for one in (host, second):
        one.libvirtd()
        one.netrelayd()
    return second


@tap.timeout(150)
def test_migration_of_a_guest_that_dials(host):
    """Its NIC finds a relay at the destination, and guests there; nothing stays behind"""
    second = two_hosts(host)
    guest = lab.numbered(host, 1, client_nic(PORT, mac(1)))
    guest.boot()
    lab.expect_row(host, guest="vm1", state="connected")
    assert not lab.rows(second, guest="vm1")
    guest.must("touch /tmp/before")
    moved = migrate(host, second, "vm1")
    assert moved.returncode == 0, moved.stderr
    second.takes(guest).goes_on()       # alone there: its own prepare has made the network
    lab.expect_row(second, guest="vm1", state="connected")
    there = lab.numbered(second, 2, client_nic(PORT, mac(2)))
    there.boot()
    lab.all_meet({1: guest, 2: there})
    guest.must("test -e /tmp/before")
    eventually(lambda: not lab.rows(host, guest="vm1"), 10, "the source shows it no more")
    lab.expect_no_relay_files(host)


@tap.timeout(120)
def test_migration_that_is_refused(host):
    """A network that cannot be had at the destination: said, and the guest goes on at the source"""
    host.write_network("lab", f"<network><name>lab</name><listen port='{PORT}'/></network>")
    second = SecondHost(host)
    taken = second.start_daemon("foreign", [*second.inside, "busybox", "nc", "-ll", "-p", str(PORT),
                                            "-e", "cat"],
                                lambda: run([*second.inside, "ss", "-Hltn"]).stdout)
    for one in (host, second):
        one.libvirtd()
        one.netrelayd()
    guest = lab.numbered(host, 1, client_nic(PORT, mac(1)))
    guest.boot()
    refused = migrate(host, second, "vm1")
    assert refused.returncode != 0
    for word in ("vm1", "network lab", str(PORT), "busybox"):
        assert word in refused.stderr, refused.stderr
    assert taken.running()
    lab.expect_row(host, guest="vm1", state="connected")
    assert guest.state() == "running"
    assert not lab.rows(second, guest="vm1")


tap.main(PrivateHost())
