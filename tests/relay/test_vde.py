#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""vde: as a plug in a real vde_switch, and what becomes of it when somebody dies."""

import os
import shutil
import signal
import tempfile
import time

import kit
import links
import tap
from companions import (FakeSwitch, PlugPeer, Surroundings, VdeSwitch, companion, companion_of,
                        stop_and_continue, whole)
from ctlproto import ManagedRelay
from frames import BROADCAST, frame, mac, numbered
from peers import dial, exchange, meet, talk
from relayproc import Relay, run, status
from test_tap import ask_arp
from traffic import Traffic, complete, unhurt
from wait import eventually


def relay_at(switch, *options, l4_port=12345):
    return Relay("-v", *options, "-l", f"127.0.0.1:{l4_port}", f"vde:{switch.folder}")


def test_C5_a_plug_in_a_switch():
    """a guest at the relay and one behind vde_plug; frames as large as that switch has them"""
    with VdeSwitch() as switch, relay_at(switch) as relay:
        relay.listening(12345)
        guest, plug = dial(12345), PlugPeer(switch.folder)
        meet(guest, plug)
        for size in (60, 61, 1514, 1518):
            talk(guest, plug, size=size)
        plug.close()


def make_qtap():
    """A TAP of the host's, with its address."""
    kit.need_tun()
    kit.quiet_kernel()
    links.ip("tuntap", "add", "qtap", "mode", "tap")
    links.ip("addr", "add", "10.77.0.1/24", "dev", "qtap")
    links.ip("link", "set", "qtap", "up")


def talk_on_a_hub(one, other):
    """The host answers each of them, which the other one sees; and they talk to each other."""
    eventually(lambda: links.read("qtap", "operstate") == "up", 5, "qtap has its reader")
    meet(one, other)
    for asking, watching in ((one, other), (other, one)):
        ask_arp(asking)
        request, reply = watching.receive(2)
        assert request[:6] == BROADCAST and reply[:6] == request[6:12], (request, reply)
    talk(one, other)


def test_C5_a_hub_with_a_tap():
    """vde_switch -hub -tap, a guest at a relay that is a hub too, one at a plug: all see all"""
    make_qtap()
    with VdeSwitch("-hub", "-tap", "qtap") as switch, relay_at(switch, "--hub") as relay:
        relay.listening(12345)
        plug = PlugPeer(switch.folder)
        talk_on_a_hub(dial(12345), plug)
        plug.close()


def test_C5_the_same_without_vde():
    """--hub with that TAP, and two guests"""
    make_qtap()
    with Relay("--hub", "-l", "12345", "tap:qtap") as relay:
        relay.listening(12345)
        talk_on_a_hub(dial(12345), dial(12345))


def test_C5_a_switch_that_comes_later_goes_and_returns():
    """waited for by name of its path, there within 3 s, and again after its death"""
    with tempfile.TemporaryDirectory() as place:
        folder = os.path.join(place, "switch")
        with Relay("-v", "-l", "12345", f"vde:{folder}") as relay:
            relay.listening(12345)
            guest = dial(12345)
            eventually(lambda: f"no VDE switch in {folder}" in relay.text(), 5, "it says so")
            for end in (signal.SIGTERM, signal.SIGKILL):
                with VdeSwitch(folder=place) as switch:
                    plug = PlugPeer(folder)
                    meet(guest, plug, deadline=3)
                    talk(guest, plug)
                    switch.stop(end)
                eventually(lambda: not companion_of(relay), 5, "its connection ends")
                plug.close()
        assert relay.text().count("is started again: the VDE switch went away") == 2, relay.text()


def test_large_frames():
    """to and from a switch that has them, 9,234 bytes, 80 of them in a row"""
    with tempfile.TemporaryDirectory() as folder:
        switch = FakeSwitch(folder)
        with Relay("-l", "12345", f"vde:{folder}") as relay:
            relay.listening(12345)
            guest = dial(12345)
            exchange(guest, switch.accept(), size=9234)
            several = [numbered(mac(2), mac(1), number, 9234) for number in range(80)]
            guest.send(*several)
            switch.expect(*several)
            several = [numbered(mac(1), mac(2), number, 9234) for number in range(3)]
            switch.send(*several)
            guest.expect(*several)


def test_a_switch_that_says_nothing():
    """its socket takes connections and nobody answers: given up after 2 s, again and again"""
    with tempfile.TemporaryDirectory() as folder:
        switch = FakeSwitch(folder)
        with Relay("-v", "-l", "12345", f"vde:{folder}") as relay:
            relay.listening(12345)
            one, other = meet(dial(12345), dial(12345))
            eventually(lambda: f"answers in {folder}: Connection timed out" in relay.text(), 5,
                       "it is given up")
            talk(one, other, 3, 4)
            assert len(os.listdir(folder)) <= 3, "it left something in the switch's folder"
            switch.refuse()
            exchange(one, switch.accept())


def test_a_frame_too_large_for_vde():
    """is dropped with one line, and others go on"""
    with VdeSwitch() as switch, relay_at(switch) as relay:
        relay.listening(12345)
        guest, plug = meet(dial(12345), PlugPeer(switch.folder))
        guest.send(*[frame(BROADCAST, mac(1), size=9235)] * 3)
        talk(guest, plug)
        assert "takes no frame of 9235 bytes" in relay.text(), relay.text()
        plug.close()


def test_a_path_is_only_a_path():
    """a file that names another scheme, and signs that libvdeplug gives a meaning: none counts"""
    with tempfile.TemporaryDirectory() as place:
        for name in ("switch[3]", "a{mode=0}", "x=y"):
            folder = os.path.join(place, name)
            os.mkdir(folder)
            with VdeSwitch(folder=folder) as switch, relay_at(switch) as relay:
                relay.listening(12345)
                plug = PlugPeer(another_name(switch.folder))
                exchange(dial(12345), plug)
                plug.close()
        path = os.path.join(place, "file")
        with open(path, "w") as file:
            file.write(f"cmd://touch {place}/touched\n")
        with Relay("-v", "-l", "12345", f"vde:{path}") as relay:
            relay.listening(12345)
            eventually(lambda: f"no VDE switch in {path}: Not a directory" in relay.text(), 5,
                       "it says so")
            assert not os.path.exists(f"{place}/touched")


def another_name(folder):
    """For a program that would read more than a name in it."""
    link = tempfile.mkdtemp() + "/link"
    os.symlink(folder, link)
    return link


def test_its_sandbox():
    """no capability, no new privileges, a list of calls, and no descriptor but its own"""
    with VdeSwitch() as switch, relay_at(switch) as relay:
        relay.listening(12345)
        exchange(dial(12345), PlugPeer(switch.folder))
        pid = companion(relay)
        assert status(pid, "Seccomp") == 2 and status(pid, "NoNewPrivs") == 1
        assert not any(status(pid, key) for key in ("CapEff", "CapPrm", "CapInh", "CapAmb"))
        fds = {int(fd): os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
        assert len([to for to in fds.values() if to.startswith("socket:")]) == 4, fds
        with open(f"/proc/{pid}/environ", "rb") as environ:
            assert environ.read() == b""


def test_built_without():
    """a relay without companions beside it: exit 2, one line"""
    with tempfile.TemporaryDirectory() as place:
        alone = shutil.copy(kit.netrelay(), place)
        for endpoint in ("vde:/run/vde.ctl", "user:"):
            kind = endpoint.split(":", 1)[0]
            result = run("-l", "12345", endpoint, executable=alone)
            assert result.returncode == 2, result
            assert f"without {kind} endpoints" in result.stderr, result.stderr
            assert result.stderr.count("\n") == 1, result.stderr


def test_F11_nothing_left():
    """SIGTERM and SIGKILL: no process, and no file in the switch's folder"""
    with VdeSwitch() as switch:
        before = switch.files()
        for end in (lambda relay: relay.term(), lambda relay: relay.kill()):
            with relay_at(switch) as relay:
                relay.listening(12345)
                exchange(dial(12345), PlugPeer(switch.folder))
                end(relay)
        eventually(lambda: len(switch.files()) <= len(before) + 2, 5, "its files are gone")


def test_F11_a_stopped_companion_ends_with_its_relay():
    """SIGTERM and SIGKILL of the relay while the companion is stopped"""
    with VdeSwitch() as switch:
        for end in (lambda relay: relay.term(), lambda relay: relay.kill()):
            with relay_at(switch) as relay:
                relay.listening(12345)
                os.kill(companion(relay), signal.SIGSTOP)
                end(relay)


def across(switch):
    """Two relays at one switch, each with two guests."""
    first, second = relay_at(switch), relay_at(switch, l4_port=12346)
    first.listening(12345)
    second.listening(12346)
    guests = [dial(12345), dial(12345), dial(12346), dial(12346)]
    meet(*guests)
    return first, second, guests


def test_two_relays_at_one_switch():
    """numbered frames both ways, all of them, in order; no more at once than VDE's sockets hold"""
    links.write("/proc/sys/net/unix/max_dgram_qlen", "1000")
    with VdeSwitch() as switch:
        first, second, guests = across(switch)
        with first, second, Traffic(guests[0], guests[2], rate=500) as traffic:
            traffic.flow(1000)
            complete(traffic.finish())


def test_sigkill_of_a_companion():
    """its port is back within a second, the other guests are unhurt"""
    with VdeSwitch() as switch:
        first, second, guests = across(switch)
        with first, second, Traffic(guests[0], guests[1], rate=1000) as traffic:
            traffic.sample()
            for _ in range(3):
                was = companion(first)
                os.kill(was, signal.SIGKILL)
                began = time.monotonic()
                companion(first, but=was)
                meet(guests[2], guests[3])
                assert time.monotonic() - began < 1, "it is back in time"
            unhurt(traffic.finish())
        assert "is started again: netrelay-vde was ended by signal 9" in first.text(), first.text()


def test_sigstop_of_a_companion():
    """its queue stays at its bound and is counted, the others are unhurt; then it goes on"""
    with VdeSwitch() as switch, ManagedRelay() as relay:
        control = relay.control()
        control.attach("listen:127.0.0.1:12345")
        control.attach(f"vde:{switch.folder}")
        relay.listening(12345)
        one, other, source = (dial(12345) for _ in range(3))
        plug = PlugPeer(switch.folder)
        meet(one, other, source, plug)
        stopped = companion(relay)
        stop_and_continue(relay, control, stopped, (one, other), source, 6000)
        plug.drain(0.5)
        exchange(source, plug)
        assert companion(relay) == stopped
        plug.close()


def test_sigkill_of_the_forwarder():
    """20 times under load: the stream to the companion goes on, and no frame is torn"""
    with VdeSwitch() as switch, relay_at(switch) as relay:
        relay.listening(12345)
        guest, plug = meet(dial(12345), PlugPeer(switch.folder))
        number = 0
        for _ in range(20):
            was = relay.forwarder()
            for _ in range(50):
                guest.send(numbered(BROADCAST, mac(1), number, 1000))
                plug.send(numbered(BROADCAST, mac(2), number, 1000))
                number += 1
            os.kill(was, signal.SIGKILL)
            eventually(lambda was=was: relay.forwarder() != was, 20, "another forwarder")
            meet(guest, plug)
        for peer in (guest, plug):
            got = whole(one for one in peer.drain(0.5) if len(one) == 1000)
            assert len(set(got)) > number * 0.9, f"{len(set(got))} of {number} at {peer}"
        plug.close()


if __name__ == "__main__":
    tap.main(Surroundings("vde", "vde_switch", "vde_plug"))
