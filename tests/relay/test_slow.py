#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Peers that are slow, stopped, or do not read: in a switch they cost only themselves."""

import os
import signal
import struct
import time

import kit
from ctlproto import ManagedRelay
from frames import BROADCAST, ETHERTYPE, enclose, frame, mac
from peers import dial, exchange, introduce, meet
from pushback import Pauses, lose_nothing
from relayproc import Relay, stat_of
from traffic import Traffic, complete, unhurt
from wait import eventually

QUEUE = 1 << 20


def piled(number, size=1500):
    """A broadcast that has its number in it."""
    return frame(BROADCAST, mac(9), struct.pack("!I", number), size=size)


def pile_up(source, first, count):
    """Sends numbered broadcasts, reading what comes meanwhile."""
    for start in range(first, first + count, 50):
        source.send_raw(enclose(*(piled(number) for number in range(start, start + 50))))
        source.drain(0)


def whole_numbers(peer, deadline=0.3):
    """All numbered frames that come: each whole, ascending, none twice. Returns the numbers."""
    numbers = []
    for got in peer.drain(deadline):
        if got[12:14] != ETHERTYPE.to_bytes(2, "big"):
            continue
        number, = struct.unpack_from("!I", got, 14)
        assert got == piled(number), f"frame {number} is torn"
        numbers.append(number)
    assert numbers == sorted(set(numbers)), "frames came twice, or out of order"
    return numbers


def test_F7_a_receiver_that_stops_reading():
    """the others unhurt, its queue at its bound, its drops counted; then it gets whole frames"""
    with ManagedRelay() as relay:
        control = relay.control()
        control.attach("listen:127.0.0.1:12345")
        relay.listening(12345)
        sleeper, one, other, source = meet(*(dial(12345) for _ in range(4)))
        before = relay.memory()         # the forwarder came with the first of them
        with Traffic(one, other, rate=1000) as traffic:
            traffic.sample()
            pile_up(source, 0, 12000)       # 18 MB: more than any socket's buffers
            eventually(lambda: port_with_drops(control), 5, "drops are counted")
            time.sleep(1)                   # how long it is watched
            unhurt(traffic.sample())
            stuck = port_with_drops(control)
            assert stuck["queued"] <= QUEUE, f"{stuck['queued']} bytes are queued"
            assert stuck["queued"] > QUEUE - 70000, f"only {stuck['queued']} bytes are queued"
            assert stuck["drop_queue"] == stuck["drops"] > 100, f"{stuck}"
            assert relay.memory() - before < 6144, f"{relay.memory() - before} KiB more"
            numbers = whole_numbers(sleeper)
            assert numbers[:100] == list(range(100)), "what was queued first is gone"
            assert numbers[-1] < 11999 or stuck["drops"] == 0
            pile_up(source, 20000, 100)
            assert whole_numbers(sleeper) == list(range(20000, 20100)), "it is not served again"
            complete(traffic.finish())
        eventually(lambda: relay.text().count("more comes for it than it takes") == 1, 10,
                   "it is said, once, a little later")
        after = eventually(lambda: all_empty(control), 5, "its queue is empty again")
        assert sum(port["drops"] for port in after.values()) == stuck["drops"]
        control.close()


def port_with_drops(control):
    return next((port for port in control.ports().values() if port["drops"]), None)


def all_empty(control):
    ports = control.ports()
    return ports if not any(port["queued"] for port in ports.values()) else None


def test_F7_a_wire_loses_nothing():
    """200 MB to a sink that pauses again and again, for less than --stall: every frame arrives"""
    lose_nothing(200, Pauses(0.3, 40 * 10 ** 6))


def test_F7_drops_of_one_port_are_the_frames_it_missed():
    """received and dropped add up to what was sent to it"""
    with ManagedRelay() as relay:
        control = relay.control()
        control.attach("listen:127.0.0.1:12345")
        relay.listening(12345)
        sleeper, source = meet(dial(12345), dial(12345))
        name = "127.0.0.1:%d" % sleeper.sock.getsockname()[1]
        before = next(p for p in control.ports().values() if p["peer"] == name)
        number = before["port_id"]
        pile_up(source, 0, 10000)
        eventually(lambda: settled(control.ports(), 10000), 5, "all of the pile is dealt with")
        got = len(whole_numbers(sleeper))
        port = control.ports()[number]
        assert got + port["drops"] == 10000, f"{got} received, {port['drops']} dropped"
        assert port["drops"] > 100, f"nothing much was dropped: {port}"
        assert port["tx_frames"] - before["tx_frames"] == got, f"{got} came: {before}, {port}"


def settled(ports, frames):
    return sum(port["rx_frames"] for port in ports.values()) >= frames


def test_F7_a_smaller_queue():
    """--queue BYTES is the bound that it is"""
    with Relay("--queue", "262144", "-l", "12345") as relay:
        relay.listening(12345)
        roomy = received_after_a_pile()
    with Relay("-l", "12345") as relay:
        relay.listening(12345)
        default = received_after_a_pile()
    assert 300 < default - roomy < 700, f"{default} frames with 1 MiB, {roomy} with 256 KiB"


def received_after_a_pile():
    sleeper, source = meet(dial(12345), dial(12345))
    sleeper.sock.setsockopt(1, 8, 65536)            # SO_RCVBUF: so that it does not grow
    pile_up(source, 0, 12000)
    return len(whole_numbers(sleeper))


def test_F8_a_stopped_process_behind_a_port():
    """as with a paused guest: the others unhurt, its link stays, it goes on when continued"""
    with Relay("-l", "12345") as relay:
        relay.listening(12345)
        paused, partner = dial(12345), dial(12345)
        one, other = dial(12345), dial(12345)
        with Traffic(paused, partner, rate=500, window=1 << 30, group=1) as stopping, \
                Traffic(one, other, rate=1000) as traffic:
            traffic.sample()
            os.kill(stopping.process.pid, signal.SIGSTOP)
            time.sleep(1)           # how long it is watched
            unhurt(traffic.sample())
            os.kill(stopping.process.pid, signal.SIGCONT)
            complete(stopping.finish())
            complete(traffic.finish())


def test_F8_a_stopped_forwarder_goes_on():
    """SIGSTOP and SIGCONT of the forwarder: no frame is lost, it is the same process"""
    stopped_and_continued(lambda relay: [relay.forwarder()])


def test_F8_a_stopped_keeper_stops_no_frame():
    """the keeper stopped for a second: frames pass all the while"""
    with Relay("-l", "12345") as relay:
        relay.listening(12345)
        one, other = dial(12345), dial(12345)
        with Traffic(one, other) as traffic:
            forwarder = relay.forwarder()
            traffic.sample()
            os.kill(relay.keeper, signal.SIGSTOP)
            time.sleep(1)           # how long it is watched
            unhurt(traffic.sample())
            os.kill(relay.keeper, signal.SIGCONT)
            exchange(dial(12345), dial(12345), 11, 12)
            unhurt(traffic.finish())
            assert relay.forwarder() == forwarder


def test_F8_a_relay_that_was_stopped_goes_on():
    """both of its processes stopped for a second, and continued: no frame is lost"""
    stopped_and_continued(lambda relay: [relay.keeper, relay.forwarder()])


def stopped_and_continued(processes):
    with Relay("-l", "12345") as relay:
        relay.listening(12345)
        one, other = dial(12345), dial(12345)
        with Traffic(one, other) as traffic:
            forwarder = relay.forwarder()
            pids = processes(relay)
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            eventually(lambda: all(stat_of(pid)[0] == "T" for pid in pids), 2, "stopped")
            time.sleep(1)           # how long it is watched
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
            traffic.sample()
            exchange(dial(12345), dial(12345), 11, 12)
            result = traffic.finish()
            complete(result)
            assert relay.forwarder() == forwarder, "another forwarder took its place"


def test_F21_one_slow_reader_of_many_senders():
    """three guests send to one that reads 200 KB/s: each of the three unhurt among themselves"""
    with Relay("-l", "12345") as relay:
        relay.listening(12345)
        slow, source = dial(12345), dial(12345)
        guests = [dial(12345) for _ in range(3)]
        introduce(slow, source)
        for guest in guests:
            guest.drain(0.05)
        with Traffic(*guests, rate=500) as traffic:
            traffic.sample()
            end = time.monotonic() + 2
            while time.monotonic() < end:
                source.send(*[frame(mac(1), mac(2), b"slow", size=9000)] * 20)
                slow.sock.recv(10000)
            unhurt(traffic.finish())


if __name__ == "__main__":
    kit.main()
