#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""netrelayctl --relay PATH capture: what it shows is what was there, and it hurts nobody."""

import contextlib
import os
import select
import signal
import socket
import struct
import subprocess
import tempfile
import time

import kit
import capturing
from ctlproto import Control
from frames import BROADCAST, FRAME_MAX, frame, mac, numbered
from pcapng import IN, OUT, Capture
from peers import Server, dial, exchange, introduce, talk
from test_sight import by_hand, ctl, fails, must
from test_sight import status as status_of
from test_slow import pile_up, whole_numbers
from traffic import Traffic, complete, unhurt
from wait import eventually

CAPTURE_PACKET_MAX = 96 * 1024              # these two of common/capture-proto.h
CAPTURE_NAMES_MAX = 64
KIND_IN, KIND_OUT = 1, 2


class Running(capturing.Running):
    """netrelayctl capture of a relay, begun."""

    def __init__(self, relay, *words, stdout=None):
        super().__init__([kit.built("ctl/netrelayctl"), "--relay", relay.path, "capture", *words],
                         stdout)


@contextlib.contextmanager
def three_guests(*arguments):
    """A switch with three guests who know each other; ports 1 to 3 are their order."""
    with by_hand("-l", "12345", *arguments) as relay:
        relay.listening(12345)
        guests = []
        for number in range(1, 4):
            guests.append(dial(12345))
            eventually(lambda number=number: len(status_of(relay)["ports"]) == number, 5,
                       "its port is there")
        introduce(*guests)
        yield relay, *guests


def tcpdump(running):
    """How many frames tcpdump finds in the file."""
    result = subprocess.run(["tcpdump", "-Z", "root", "-nn", "-e", "-r", running.file.name],
                            capture_output=True, text=True, check=True)
    return sum(" > " in line for line in result.stdout.splitlines())


def caught_up(capture, source):
    """Frames of port 1 to everybody until one is in the file: all before it are captured or missed.
    How many it took."""
    sent = []

    def comes_through():
        sent.append(numbered(BROADCAST, mac(2), len(sent)))
        source.send(sent[-1])
        return sent[-1] in capture.captured().of(1)
    eventually(comes_through, 5, "it is captured")
    return len(sent)


def test_frames_of_named_ports():
    """byte for byte, in order, with names and directions, of all sizes; tcpdump reads it"""
    with three_guests() as (relay, one, other, third):
        must(relay, "label", 2, "guest b")
        sizes = (14, 15, 60, 61, 1514, 9001, FRAME_MAX)
        there = [frame(mac(2), mac(1), size=size) for size in sizes]
        back = [numbered(mac(1), mac(2), number, 60 + number) for number in range(40)]
        to_all = frame(BROADCAST, mac(3), b"to all", size=99)
        capture = Running(relay, "1", "guest b")
        one.send(*there)
        other.expect(*there)
        other.send(*back)
        one.expect(*back)
        third.send(to_all)
        one.expect(to_all)
        other.expect(to_all)
        capture.has(2 * 47 + 2)
        found = capture.end()
        name = "127.0.0.1:%d" % one.sock.getsockname()[1]
        assert sorted(found.interfaces) == [(f"port 1: {name}", "listen:*:12345"),
                                            ("port 2: guest b", "listen:*:12345")]
        assert found.of(1, IN) == there and found.of(2, OUT) == there + [to_all]
        assert found.of(2, IN) == back and found.of(1, OUT) == back + [to_all]
        assert all(length == len(data) for _, _, _, length, data in found.frames)
        times = [moment for _, _, moment, _, _ in found.frames]
        assert times == sorted(times) and time.time() - 10 < times[0] <= times[-1] <= time.time()
        assert capture.counted() == (2 * 47 + 2, 0)
        assert sum(received for received, _ in found.statistics.values()) == 2 * 47 + 2
        assert tcpdump(capture) == 2 * 47 + 2


def test_all_is_each_frame_once():
    """where it comes in, also where it goes nowhere; a port that comes later has its name"""
    with three_guests() as (relay, one, other, _):
        capture = Running(relay, "all")
        server = Server(2001)
        must(relay, "attach", "127.0.0.1:2001", "a late one")
        late = server.accept()
        exchange(late, one, 7, 1)
        said = frame(BROADCAST, mac(2), b"said", size=77)
        alone = frame(mac(1), mac(1), b"to myself", size=60)
        other.send(said)
        one.expect(said)
        one.send(alone, said)
        other.expect(said)
        late.send(numbered(mac(1), mac(7), 9))
        one.receive()
        eventually(lambda: len(capture.captured().of(4)) >= 3, 5, "it is written")
        found = capture.end()
        assert ("port 4: a late one", "tcp:127.0.0.1:2001") in found.interfaces, found.interfaces
        assert {way for _, way, _, _, _ in found.frames} == {IN}
        assert found.of(2) == [said] and found.of(1)[-2:] == [alone, said]
        assert len(found.of(4)) == len(set(found.of(4)))


def test_an_endpoint_with_its_ports_to_come():
    """a dialled one that comes back has another port, and is captured on; its options are no part
    of its name"""
    with three_guests() as (relay, one, _, _):
        server = Server(2001)
        must(relay, "attach", "127.0.0.1:2001,storm=777")
        first = server.accept()
        exchange(first, one, 7, 1)
        capture = Running(relay, "tcp:127.0.0.1:2001")
        talk(first, one, 7, 1)
        first.close()
        second = server.accept()
        exchange(second, one, 7, 1)
        eventually(lambda: len(capture.captured().of(5)) >= 3, 5, "it is written")
        found = capture.end()
        assert len(found.of(4, IN)) == len(found.of(4, OUT)) == 1
        assert not found.of(1), "nobody asked for that"


@contextlib.contextmanager
def records(control, **wish):
    """A capture as the protocol has it: a function that returns {(port, kind, bytes)} so far."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    found = set()

    def so_far():
        while select.select([ours], [], [], 0)[0]:
            data = ours.recv(CAPTURE_PACKET_MAX)
            while data:
                _, port, kind, _, kept = struct.unpack_from("=QIIII", data)
                found.add((port, kind, data[24:24 + kept]))
                data = data[24 + kept + -kept % 8:]
        return found
    with ours, theirs:
        control.must("CAPTURE", fd=theirs.fileno(), **wish)
        eventually(so_far, 5, "it has begun")
        yield so_far


def test_ports_by_how_their_label_begins():
    """those that have it, those that get it, and not those that lose it"""
    with three_guests() as (relay, one, other, third):
        control = Control(relay.path)
        control.must("LABEL_PORT", port_id=1, label="a/1")
        control.must("LABEL_PORT", port_id=2, label="b/1")
        with records(control, label="a/") as so_far:
            talk(one, other)
            first = {(1, KIND_IN, frame(mac(2), mac(1), b"there", size=60)),
                     (1, KIND_OUT, frame(mac(1), mac(2), b"back", size=60))}
            eventually(lambda: first <= so_far(), 5, "the frames of a/1")
            control.must("LABEL_PORT", port_id=1, label="")
            control.must("LABEL_PORT", port_id=3, label="a/2")

            def comes_through():            # a label's answer does not wait for the forwarder
                talk(one, third, 1, 3)
                return {3} == {port for port, _, data in so_far() if mac(3) in data}
            eventually(lambda: comes_through() or so_far().clear(), 5, "the frames of a/2")
            third.send(frame(mac(2), mac(3), b"the last", size=60))
            other.receive()
            eventually(lambda: any(b"the last" in data for _, _, data in so_far()), 5,
                       "it is there")
            assert not {1, 2} & {port for port, _, data in so_far() if mac(3) in data}, so_far()


def test_the_last_port_goes():
    """a port that was named is gone: the capture ends by itself, with all that was there"""
    with three_guests() as (relay, one, other, _):
        capture = Running(relay, "1")
        talk(one, other)
        one.close()
        assert len(capture.ended().of(1)) == 2


def test_bounds():
    """packets, size, seconds, snaplen: exact"""
    with three_guests() as (relay, one, other, _):
        said = [numbered(mac(2), mac(1), number, 100) for number in range(500)]
        few = Running(relay, "--packets", 37, "1")
        cut = Running(relay, "--snaplen", 20, "--packets", "500", "1")
        small = Running(relay, "--size", "10K", "1")
        short = Running(relay, "--seconds", "1.5", "1")
        one.send(*said)
        other.expect(*said)
        assert few.ended().of(1) == said[:37] and few.counted() == (37, 0)
        found = cut.ended()
        assert found.of(1) == [data[:20] for data in said] and found.snaplen == 20
        assert {length for _, _, _, length, _ in found.frames} == {100}
        found = small.ended()
        block = 32 + 100 + 12
        assert found.of(1) == said[:len(found.frames)]
        assert 10240 - block < found.size <= 10240, f"{found.size} bytes"
        began = time.monotonic()
        found = short.ended()
        assert 0.5 < time.monotonic() - began < 2.5 and found.of(1) == said


def test_wrong_arguments():
    """one sentence each; no file is made before the relay has answered"""
    with three_guests() as (relay, *_), tempfile.TemporaryDirectory() as folder:
        for option, value, expected in (("--size", "1023", "1024"), ("--size", "10X", "bytes"),
                                        ("--packets", "0", "from 1"), ("--packets", "-1", "from 1"),
                                        ("--seconds", "x", "seconds"),
                                        ("--snaplen", "13", "from 14"),
                                        ("--snaplen", "69633", "69632")):
            assert expected in fails(2, relay, "capture", option, value)
        file = os.path.join(folder, "file")
        assert "'nobody'" in fails(1, relay, "capture", "--write", file, "nobody")
        assert "alone" in fails(1, relay, "capture", "--write", file, "1", "all")
        many = [dial(12345) for _ in range(CAPTURE_NAMES_MAX - 2)]
        eventually(lambda: len(status_of(relay)["ports"]) == len(many) + 3, 5, "they are ports")
        words = [str(number) for number in range(1, len(many) + 4)]
        assert str(CAPTURE_NAMES_MAX) in fails(1, relay, "capture", "--write", file, *words)
        assert "No such file" in fails(1, relay, "capture", "-w", folder + "/none/file")
        assert not os.listdir(folder)
        assert "--json" in fails(2, relay, "capture", "--json")
        running = [Running(relay, "all") for _ in range(4)]
        assert "as many captures" in fails(1, relay, "capture", "all")
        for one in running:
            one.end()
        Running(relay, "all").end()


def test_live_into_a_pipe():
    """a frame is there at once; a reader that leaves is a good end of it, a full disk is a fault"""
    with three_guests() as (relay, one, other, _):
        near, far = os.pipe()
        capture = Running(relay, "--write", "-", "all", stdout=far)
        os.close(far)
        talk(one, other)
        data = b""
        while not data or len(Capture(data).frames) < 2:
            assert select.select([near], [], [], 5)[0], "nothing comes"
            data += os.read(near, 1 << 16)
        os.close(near)
        assert capture.process.wait(5) == 0
        capture.error += capture.process.stderr.read().decode()
        assert capture.error.count("\n") == 2 and capture.counted()[1] == 0, capture.error
        result = ctl(relay, "capture", "--write", "/dev/full", "all")
        assert result.returncode == 1 and "/dev/full: No space left" in result.stderr, result


def test_a_reader_that_ends_amid_frames():
    """tcpdump -c 3 behind a pipe: both end well, and nobody says that something broke"""
    with three_guests() as (relay, one, other, _):
        near, far = os.pipe()
        with subprocess.Popen(["tcpdump", "-Z", "root", "-nn", "-q", "-c", "3", "-r", "-"],
                              stdin=near, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as reader:
            os.close(near)
            capture = Running(relay, "all", stdout=far)
            os.close(far)
            for number in range(2000):
                said = numbered(mac(2), mac(1), number, 1500)
                one.send(said)
                other.expect(said)
            assert reader.wait(5) == 0
        assert capture.process.wait(5) == 0, capture.process.stderr.read()
        assert b"roken" not in capture.process.stderr.read()


def test_nothing_to_capture():
    """a file without a frame is a file that tcpdump reads"""
    with three_guests() as (relay, *_):
        capture = Running(relay, "--seconds", "0.2", "all")
        assert not capture.ended().frames and capture.counted() == (0, 0)
        assert tcpdump(capture) == 0


def test_a_reader_that_never_reads():
    """stopped: others unhurt, memory bounded; later whole frames, and how many are missing"""
    with three_guests() as (relay, source, sink, _):
        capture = Running(relay, "all")
        talkers = [dial(12345), dial(12345)]
        exchange(*talkers, 11, 12)
        before = relay.memory()
        first = sum(port["rx_frames"] for port in status_of(relay)["ports"])
        capture.process.send_signal(signal.SIGSTOP)
        with Traffic(*talkers, rate=1000) as traffic:
            traffic.sample()
            for start in range(0, 8000, 500):
                source.send(*(numbered(mac(2), mac(1), start + n, 1500) for n in range(500)))
                sink.receive(500)
            unhurt(traffic.sample())
            assert relay.memory() - before < 2048, f"{relay.memory() - before} KiB more"
            capture.process.send_signal(signal.SIGCONT)
            complete(traffic.finish())
        caught_up(capture, source)
        moved = sum(port["rx_frames"] for port in status_of(relay)["ports"])
        found = capture.end()
        captured, missed = capture.counted()
        assert missed > 1000, f"only {missed} of {moved} frames are missing"
        assert found.missed() <= missed and captured == len(found.frames)
        assert moved - first <= captured + missed <= moved, (moved, first, captured, missed)
        numbers = [data for data in found.of(1) if len(data) == 1500]
        assert numbers == sorted(numbers) and len(set(numbers)) == len(numbers)


def test_what_a_full_queue_drops_does_not_leave():
    """of a guest that does not read: as many frames as its port counts as sent, whole, in order"""
    with three_guests("--queue", "65536") as (relay, source, sleeper, _):
        before = status_of(relay)["ports"][1]["tx_frames"]
        capture = Running(relay, "2")
        pile_up(source, 0, 8000)
        eventually(lambda: status_of(relay)["ports"][1]["drop_queue"] > 100, 5, "drops")
        eventually(lambda: status_of(relay)["ports"][0]["rx_frames"] >= 8000, 5, "all is in")
        port = status_of(relay)["ports"][1]
        left = port["tx_frames"] - before
        capture.has(left)
        found = capture.end()
        assert capture.counted() == (left, 0), f"{left} left, {capture.error}"
        numbers = [int.from_bytes(data[14:18], "big") for data in found.of(2, OUT)]
        assert numbers == whole_numbers(sleeper)


def test_forwarders_are_killed():
    """it goes on with the next one; each frame is there once"""
    with three_guests() as (relay, one, other, _):
        capture = Running(relay, "1")
        for number in range(10):
            was = relay.forwarder()
            said = numbered(mac(2), mac(1), number, 80)
            one.send(said)
            other.expect(said)
            eventually(lambda said=said: said in capture.captured().of(1), 5, "it is captured")
            os.kill(was, signal.SIGKILL)
            eventually(lambda was=was: relay.forwarder() != was, 20, "another forwarder")
        found = capture.end().of(1, IN)
        assert found == [numbered(mac(2), mac(1), number, 80) for number in range(10)]


def test_what_a_killed_forwarder_had_not_sent_is_missed():
    """its reader stopped, it is killed with frames that nobody will see: all of them are counted"""
    with three_guests() as (relay, source, sink, _):
        capture = Running(relay, "1")
        capture.process.send_signal(signal.SIGSTOP)
        for turn in range(3):
            for number in range(1000):
                source.send(numbered(mac(2), mac(1), turn * 1000 + number, 1500))
            sink.receive(1000)
            was = relay.forwarder()
            os.kill(was, signal.SIGKILL)
            eventually(lambda was=was: relay.forwarder() != was, 20, "another forwarder")
        capture.process.send_signal(signal.SIGCONT)
        sent = 3000 + caught_up(capture, source)
        capture.end()
        captured, missed = capture.counted()
        assert missed > 500 and captured + missed == sent, (captured, missed, sent)


def test_kills_under_capture_lose_nothing():
    """frames as fast as they go, forwarders are killed: the streams are whole, and the file is"""
    with by_hand("-l", "12345") as relay:
        relay.listening(12345)
        guests = [dial(12345) for _ in range(4)]
        capture = Running(relay, "--snaplen", 64, "all")
        with Traffic(*guests, rate=0, window=96 << 10) as traffic:
            for _ in range(15):
                was = relay.forwarder()
                traffic.flow(500)
                os.kill(was, signal.SIGKILL)
                eventually(lambda was=was: relay.forwarder() != was, 20, "another forwarder")
            traffic.flow(500)
            complete(traffic.finish())
        caught_up(capture, guests[0])
        found = capture.end()
        captured, missed = capture.counted()
        assert len(found.frames) == captured > 1000
        hellos = len(guests)
        assert captured + missed >= traffic.moved + hellos, (captured, missed, traffic.moved)


def test_nothing_is_left():
    """captures that are ended or killed: no descriptor stays, no CPU is used; nor by an idle one"""
    with three_guests() as (relay, one, other, _):
        must(relay)
        held = relay.holds()
        for _ in range(3):
            capture = Running(relay, "1", "2")
            talk(one, other)
            capture.process.kill()
            capture.process.wait()
            Running(relay, "all").end()
        relay.holds_again(held)
        capture = Running(relay, "all")
        relay.calm()
        must(relay, "stop")
        capture.ended()
        assert "the relay has ended" in capture.error


if __name__ == "__main__":
    kit.main()
