#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""README command one, in a private host: what it shows, that it can run twice, what it leaves."""

import os
import shutil
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import install
import tap
from host import PrivateHost
from process import listing, ours, run

BUILD = "/run/build"        # where nothing is built yet, as with a first-time user
WATCHED = ("/usr", "/etc", "/var/lib/netrelay", "/run/netrelay")


def files():
    """Every file below the directories an installation touches."""
    found = set()
    for top in WATCHED:
        for root, _, names in os.walk(top):
            found.update(os.path.join(root, name) for name in names)
    return found


def quickstart(*arguments, check=True):
    return run([f"{install.TREE}/contrib/quickstart.sh", *arguments], deadline=400, check=check,
               env={"NETRELAY_BUILD": BUILD, "NETRELAY_GUEST": install.GUEST})


@tap.timeout(420)
def test_quickstart_twice_and_remove(host):
    """Installs, shows two guests that ping each other, can be run twice, takes all away again"""
    before, running = files(), set(listing().values())
    began = time.monotonic()
    first = quickstart()
    took = time.monotonic() - began
    print(f"quickstart took {took:.0f} s\n{first.stdout}")
    assert took < 180, f"took {took:.0f} s"
    assert first.stdout.count("bytes from") >= 4, first.stdout
    assert "connected" in first.stdout, first.stdout
    assert ours("netrelayd") and not ours("netrelay"), "the demo's relay is left"
    assert not host.virsh("list", "--all", "--name").stdout.strip(), "a guest of the demo is left"
    manager = ours("netrelayd")
    quickstart("--no-demo")
    assert len(ours("netrelayd")) == len(manager) == 1
    quickstart("--remove")
    assert not ours(), ours()
    assert not os.path.exists(BUILD), "what it has built is left"
    assert set(listing().values()) <= running, set(listing().values()) - running
    left = {path for path in files() - before if "/libvirt/" not in path}
    assert not {path for path in left if "netrelay" in path}, left


@tap.timeout(60)
def test_quickstart_wrong_use(host):
    """Wrong arguments, and no root: one clear sentence, and nothing is done"""
    before = files()
    answer = quickstart("--frobnicate", check=False)
    assert answer.returncode == 2 and "--frobnicate" in answer.stderr, answer
    # Ours may be closed to others.
    shutil.copytree(f"{install.TREE}/contrib", "/run/tree/contrib")
    answer = run(["/run/tree/contrib/quickstart.sh"], user="tester", check=False)
    assert answer.returncode != 0 and "root" in answer.stderr, answer
    assert files() == before


tap.main(PrivateHost(product=False))
