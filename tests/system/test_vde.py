#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest of a vde_switch, one of a relay that is a plug in it, and the host at its TAP."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import bare                         # noqa: E402
import kit                          # noqa: E402
import links                        # noqa: E402
import tap                          # noqa: E402
from bare import NOBODY, PLACE, BareGuest, boot_all, nic    # noqa: E402
from companions import VdeSwitch    # noqa: E402
from peers import dial, meet        # noqa: E402
from relayproc import Relay         # noqa: E402


def make_qtap():
    """As a text of 2009 has it: a TAP of root's, with the host's address."""
    kit.need_tun()
    links.ip("tuntap", "add", "qtap0", "mode", "tap")
    links.ip("addr", "add", "10.0.0.254/24", "dev", "qtap0")
    links.ip("link", "set", "qtap0", "up")


def guests(*backends):
    """As root: a TAP's switch is."""
    return boot_all(*(BareGuest(f"vm{n}", nic(0, backend, f"52:54:00:00:00:0{n}"),
                                [f"10.0.0.{n}/24,fd00::{n}/64"], user=0)
                      for n, backend in enumerate(backends, 1)))


def all_meet(one, two):
    """Each guest reaches the other one and the host, with short packets and full ones."""
    for guest, other in ((one, "10.0.0.2"), (two, "10.0.0.1"), (one, "fd00::2")):
        for address, size in ((other, 56), (other, 1400), ("10.0.0.254", 56)):
            guest.reaches(address, size=size)


@tap.timeout(150)
def test_C5_beside_a_vde_switch():
    """vde_switch -hub -tap qtap0: one guest by QEMU's own plug, one by way of a relay's"""
    bare.need_companion("vde")
    make_qtap()
    with VdeSwitch("-hub", "-tap", "qtap0", folder=PLACE) as switch, \
            Relay("-l", "127.0.0.1:12345", f"vde:{switch.folder}") as relay:
        relay.listening(12345)
        all_meet(*guests(f"vde,sock={switch.folder}", "socket,connect=127.0.0.1:12345"))


def test_C5_of_an_ordinary_user():
    """two relays at one switch, all of it nobody's: frames pass"""
    bare.need_companion("vde")
    place = f"{PLACE}/nobodys"
    os.mkdir(place)
    os.chown(place, NOBODY, NOBODY)
    with VdeSwitch(folder=place, user=NOBODY, group=NOBODY, extra_groups=[]) as switch, \
            Relay("-l", "127.0.0.1:12345", f"vde:{switch.folder}", user=NOBODY) as one, \
            Relay("-l", "127.0.0.1:12346", f"vde:{switch.folder}", user=NOBODY) as two:
        one.listening(12345)
        two.listening(12346)
        meet(dial(12345), dial(12346), deadline=15)


@tap.timeout(150)
def test_C5_in_place_of_a_vde_switch():
    """--hub and the same TAP: both guests at the relay"""
    make_qtap()
    with Relay("--hub", "-l", "127.0.0.1:12345", "tap:qtap0") as relay:
        relay.listening(12345)
        all_meet(*guests(*["socket,connect=127.0.0.1:12345"] * 2))


bare.main()
