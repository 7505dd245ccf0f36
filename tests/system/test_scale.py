#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Many guests, many NICs, and a relay that hangs: with limits that a loaded machine keeps.

tests/bench/manager.py measures the same exactly.
"""

import collections
import contextlib
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import lab
import scale
import tap
from host import PrivateHost
from process import ours
from wait import eventually

SILENCE = 5             # seconds until the manager takes a relay for mute
UNDELAYED = 2.5         # a prepare takes some 20 ms on an idle machine
DEFINED = 500
LISTENS = "<network><name>{name}</name><listen address='127.0.0.1' port='1234'/></network>"
MANY = 200
QUIET = 5.5             # longer than any time between two looks at something ought to be


def relay_of(host, network):
    """The keeper of a network."""
    return lab.expect_row(host, network=network)["relay_pid"]


def knowing_all_guests(host):
    """A manager that may take away what nobody needs: libvirt's list has come."""
    manager = host.netrelayd("--connect", scale.test_driver("/run/lab.xml", 1))
    eventually(lambda: lab.rows(host, guest="vm0"), 20, "the list has come")
    return manager


@contextlib.contextmanager
def frozen(*pids):
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


@tap.timeout(60)
def test_scale_relay_hangs(host):
    """A relay under SIGSTOP: who needs it waits, nobody else does; it answers again and serves"""
    host.write_network("slow", "<network><name>slow</name><match domain='*' port='1000-1999'/>"
                               "</network>")
    host.netrelayd()
    scale.prepare(1, [scale.client(1001)]).wait()
    keeper = relay_of(host, "slow")
    with frozen(keeper):
        waiting = scale.prepare(2, [scale.client(1002)])
        # Of these, one is served anew, one is beside it, and one binds an address by itself.
        for number, nic in ((3, scale.client(3000)), (4, scale.client(3000)),
                            (5, scale.server(3001))):
            assert scale.prepare(number, [nic]).wait().seconds < UNDELAYED
        assert waiting.running(), "it did not wait for its relay"
        began = waiting.began
        code, said = waiting.result()
        assert code != 0 and "network slow" in said and "not answer" in said, (code, said)
        assert SILENCE - 0.5 < time.monotonic() - began < SILENCE + UNDELAYED
        # Known for mute by now: nobody waits any more, and who does not need it is served.
        assert scale.prepare(2, [scale.client(1002)]).result()[0] != 0
        assert scale.prepare(6, [scale.client(3002)]).wait().seconds < UNDELAYED
    eventually(lambda: scale.prepare(2, [scale.client(1002)]).result()[0] == 0, 20,
               "the relay serves again")


@tap.timeout(60)
def test_scale_address_of_a_hung_relay(host):
    """An address that a hung relay has to give up: who takes it over waits, others do not"""
    knowing_all_guests(host)
    scale.prepare(1, [scale.client(2001)]).wait()
    keeper = relay_of(host, "127.0.0.1:2001")
    with frozen(keeper):
        waiting = scale.prepare(2, [scale.server(2001)])
        scale.release(1, [scale.client(2001)])  # else it would also wait for its partner
        assert scale.prepare(3, [scale.client(2003)]).wait().seconds < UNDELAYED
        assert waiting.running(), "its address is not free yet"
    assert waiting.wait().seconds < SILENCE + UNDELAYED
    assert not lab.rows(host, network="127.0.0.1:2001", state="listening")


@tap.timeout(60)
def test_scale_network_after_a_hung_relay(host):
    """A network that takes over a hung relay's address waits for it, and does not fail before"""
    old = host.write_network("old", LISTENS.format(name="old"))
    manager = knowing_all_guests(host)
    keeper = relay_of(host, "old")
    with frozen(keeper):
        os.unlink(old)
        host.write_network("new", LISTENS.format(name="new"))
        eventually(lambda: "new: start a relay" in manager.text(), 20, "the new relay is there")
        assert not lab.rows(host, network="new", state="listening")
    lab.expect_row(host, network="new", state="listening")
    assert "failed" not in manager.text(), manager.text()


@tap.timeout(90)
def test_scale_many_networks(host):
    """A guest with 200 NICs on 200 addresses: one prepare, every relay is there when it ends"""
    host.netrelayd()
    prepared = scale.prepare(1, [scale.client(20000 + n) for n in range(MANY)]).wait()
    states = collections.Counter(row["state"] for row in lab.rows(host, guest="vm1"))
    assert states == {"waiting": MANY}, f"{states} after {prepared.seconds} s"
    assert len(ours("netrelay")) == MANY, "sockets, held by one process each, until somebody comes"


@tap.timeout(90)
def test_scale_lab(host):
    """500 defined guests with 2,000 NICs: all of them are known soon, and then it is quiet"""
    uri = scale.test_driver("/run/lab.xml", DEFINED)
    manager = host.netrelayd("--connect", uri)
    eventually(lambda: len(lab.rows(host, state="listening")) == DEFINED, 30, "all are known")
    assert len(ours("netrelay")) == 10
    quiet_since(manager.pid, *ours("netrelay"))


def quiet_since(*pids):
    """After its second look at libvirt's list nothing of ours is woken until the next one."""
    def awake():
        before = [scale.switches(pid) for pid in pids]
        time.sleep(QUIET)
        return [scale.switches(pid) for pid in pids] != before

    eventually(lambda: not awake(), 30, "nothing is woken for a while")


tap.main(PrivateHost())
