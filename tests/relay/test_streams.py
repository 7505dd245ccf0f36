#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Bad peers on streams: two good ones talk all the time and must be unhurt."""

import contextlib
import random
import socket
import time

import kit
import tap
from frames import BROADCAST, FRAME_MAX, enclose, frame, header, mac, numbered
from peers import StreamPeer, dial, exchange, introduce, meet
from relayproc import Relay, descriptors
from traffic import Traffic, complete, unhurt
from wait import eventually


@contextlib.contextmanager
def good_peers_unhurt(*arguments, rate=1000, late_is_fine=False, **details):
    """A switch with two guests that talk, before, during and after the body."""
    with Relay(*arguments, "-l", "12345", **details) as relay:
        relay.listening(12345)
        one, other = dial(12345), dial(12345)
        with Traffic(one, other, rate=rate) as traffic:
            traffic.sample()
            relay.held = relay.holds()
            yield relay
            (complete if late_is_fine else unhurt)(traffic.finish())
        relay.alive()


def test_A15_F1_half_a_header_or_half_a_frame():
    """and then nothing: the others unhurt"""
    with good_peers_unhurt() as relay:
        halves = [dial(12345) for _ in range(6)]
        for number, peer in enumerate(halves):
            peer.send_raw([b"\0", b"\0\0\0", header(60), header(60) + b"x" * 59,
                           header(FRAME_MAX), header(FRAME_MAX) + b"y" * 50000][number])
        time.sleep(1)               # how long it is watched
        for peer in halves:
            assert not peer.ended
        relay.alive()


def test_A15_half_a_frame_is_delivered_when_the_rest_comes():
    """what waited half is whole then, and nobody waited for it"""
    with good_peers_unhurt():
        slow, listener = meet(dial(12345), dial(12345))
        data = enclose(frame(BROADCAST, mac(3), b"slow", size=1514))
        slow.send_raw(data[:700])
        listener.drain(0.1)
        quick = dial(12345)
        quick.send(frame(BROADCAST, mac(4), b"quick", size=60))
        wait_for(listener, frame(BROADCAST, mac(4), b"quick", size=60))
        slow.send_raw(data[700:])
        wait_for(listener, data[4:])


def wait_for(peer, wanted, deadline=5):
    """This frame comes, among others."""
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        if wanted in peer.drain(0.02):
            return
    raise AssertionError(f"{peer}: no {wanted[:20].hex()} within {deadline} s")


def test_F2_ends_at_every_moment():
    """disconnect behind a header, reset in a frame, ends after any byte: the others unhurt"""
    with good_peers_unhurt() as relay:
        data = enclose(frame(mac(9), mac(3), b"cut", size=60))
        for cut in range(len(data)):
            peer = dial(12345)
            peer.send_raw(data[:cut])
            peer.close() if cut % 2 else peer.reset()
        relay.holds_again(relay.held)


def test_F2_frames_before_an_end_arrive():
    """a guest that sends a thousand frames and ends at once: all of them are delivered"""
    with Relay("-l", "12345") as relay:
        relay.listening(12345)
        watcher = dial(12345)
        for turn in range(5):
            leaver = dial(12345)
            said = [numbered(BROADCAST, mac(turn + 1), i, 600) for i in range(1000)]
            meet(leaver, watcher)
            leaver.send(*said)
            leaver.close()
            watcher.expect(*said)
            watcher.silent(0.05)


def test_F2_dribbled_byte_by_byte():
    """a frame in 1,500 segments is one frame: the others unhurt"""
    with good_peers_unhurt():
        slow, listener = meet(dial(12345), dial(12345))
        wanted = frame(BROADCAST, mac(3), b"dribble", size=1500)
        for byte in enclose(wanted):
            slow.send_raw(bytes([byte]))
        wait_for(listener, wanted)


def too_long(length):
    with good_peers_unhurt() as relay:
        before = relay.memory()
        bad = dial(12345)
        bad.send_raw(header(length))
        bad.closed(1)
        late = dial(12345)
        late.send_raw(header(length) + b"z" * 1000)
        late.closed(1)
        good_then_bad, listener = meet(dial(12345), dial(12345))
        good_then_bad.send_raw(enclose(frame(BROADCAST, mac(3), b"last", size=60)) + header(length))
        good_then_bad.closed(1)
        wait_for(listener, frame(BROADCAST, mac(3), b"last", size=60))
        listener.close()
        relay.holds_again(relay.held)
        assert relay.memory() - before < 4096


def test_F3_length_69633():
    """that peer is closed at once, the frame before it still arrives, the others unhurt"""
    too_long(FRAME_MAX + 1)


def test_F3_length_2_to_the_31():
    """that peer is closed at once, nothing is reserved, the others unhurt"""
    too_long(1 << 31)


def test_F3_length_2_to_the_32_less_1():
    """that peer is closed at once, nothing is reserved, the others unhurt"""
    too_long((1 << 32) - 1)


def test_F3_length_0_and_runts():
    """0 to 13 bytes: nothing is forwarded, the peer lives, frames around them pass"""
    with Relay("-l", "12345") as relay:
        relay.listening(12345)
        one, other, third = dial(12345), dial(12345), dial(12345)
        introduce(one, other, third)
        for length in range(14):
            one.send(frame(mac(2), mac(1), b"around", size=60)[:length])
        one.send_raw(header(0) * 5000)
        said = [numbered(mac(2), mac(1), i) for i in range(14)]
        for length in range(14):
            one.send(said[length], b"\xff" * length)
        other.expect(*said)
        third.silent(0.1)
        exchange(one, other)


def test_F3_the_largest_frame_passes():
    """69,632 bytes, many times, between the same two guests"""
    with Relay("-l", "12345") as relay:
        relay.listening(12345)
        one, other = dial(12345), dial(12345)
        introduce(one, other)
        for number in range(50):
            exchange(one, other, size=FRAME_MAX - number % 3)


def test_F4_random_bytes_on_200_connections():
    """the others unhurt, no descriptor leaks"""
    with good_peers_unhurt() as relay:
        noise = random.Random(4)
        bad = [dial(12345) for _ in range(200)]
        for _ in range(3):
            for peer in bad:
                with contextlib.suppress(OSError):
                    peer.sock.send(noise.randbytes(3000))
        for peer in bad:
            peer.close()
        relay.holds_again(relay.held)


def test_F4_500_connections_that_never_say_anything():
    """the others unhurt, the relay idle but for them, no descriptor leaks"""
    with good_peers_unhurt(rate=200) as relay:
        mute = [dial(12345) for _ in range(500)]
        eventually(lambda: relay.holds()["forwarder"] >= 500, 5, "all are served")
        for peer in mute:
            peer.drain(0)           # broadcasts of the good ones' introduction
        for peer in mute:
            peer.close()
        relay.holds_again(relay.held)


def test_F4_1000_connects_and_disconnects():
    """during traffic: unhurt, no descriptor leaks"""
    with good_peers_unhurt() as relay:
        for number in range(1000):
            peer = dial(12345)
            if number % 3 == 0:
                peer.send(frame(mac(9), mac(3), b"hello", size=60))
            peer.reset() if number % 2 else peer.close()
        relay.holds_again(relay.held)


@tap.timeout(90)
def test_F5_4000_clients():
    """its soft limit of 256 descriptors is raised by itself; all 4,000 are served at once, a
    broadcast reaches each of them, and they leave nothing behind"""
    kit.need_root()
    raise_own_limit(8192)
    with Relay("-l", "12345", descriptors=(256, 8192)) as relay:
        relay.listening(12345)
        before = relay.holds()
        guests = [dial(12345) for _ in range(4000)]
        eventually(lambda: relay.holds()["forwarder"] >= 4000, 20, "all are served")
        meet(*guests, deadline=30)
        said = frame(BROADCAST, mac(1), b"to everyone", size=60)
        guests[0].send(said)
        for guest in guests[1:]:
            guest.expect(said)
        guests[0].silent(0.01)
        exchange(guests[7], guests[3999], 8, 4000)
        for guest in guests:
            guest.close()
        relay.holds_again(before, 20)
        relay.calm()
        assert not relay.text(), relay.text()


def raise_own_limit(count):
    resource = __import__("resource")
    resource.setrlimit(resource.RLIMIT_NOFILE, (count, count))


def test_F5_a_burst_of_1000_connects():
    """served within 100 ms (and the machine's noise): the last of them is reached"""
    raise_own_limit(4096)
    with Relay("-l", "12345") as relay:
        relay.listening(12345)
        watcher = dial(12345)
        socks = [socket.socket() for _ in range(1000)]
        for sock in socks:
            sock.setblocking(False)
        began = time.monotonic()
        for sock in socks:
            sock.connect_ex(("127.0.0.1", 12345))
        sent = time.monotonic()
        eventually(lambda: descriptors(relay.forwarder()) >= 1001, 5, "all are served")
        served = time.monotonic()
        last = StreamPeer(socks[-1])
        last.send(frame(BROADCAST, mac(2), b"last", size=60))
        watcher.expect(frame(BROADCAST, mac(2), b"last", size=60))
        print(f"connects took {sent - began:.3f} s, service {served - sent:.3f} s")
        assert served - sent < 0.1 + (sent - began), f"served after {served - sent:.3f} s"
        for sock in socks:
            sock.close()


def test_F6_descriptors_used_up():
    """those connected go on, no busy loop, one log line; new ones are served when there is room"""
    with good_peers_unhurt(descriptors=64, rate=200) as relay:
        many = [dial(12345) for _ in range(100)]   # the kernel's backlog takes them all
        eventually(lambda: "no more ports" in relay.text(), 5, "it says what is short")
        held = relay.holds()
        assert all(30 <= count <= 64 for count in held.values()), held
        time.sleep(0.3)             # a busy loop would show in the measure that follows
        relay.calm(ticks=12)
        said = [line for line in relay.text().splitlines() if "no more ports" in line]
        assert len(said) == 1, f"{len(said)} log lines: {said[:3]}"
        for peer in many[:80]:
            peer.close()
        late = dial(12345)
        end = time.monotonic() + 5
        late.send(frame(BROADCAST, mac(8), b"late", size=60))
        wait_for(many[-1], frame(BROADCAST, mac(8), b"late", size=60), end - time.monotonic())
        for peer in many[80:]:
            peer.close()


def test_F6_coming_and_going_at_the_limit():
    """500 times one leaves and two come: each place is taken again, the log stays short"""
    with Relay("-l", "12345", descriptors=64) as relay:
        relay.listening(12345)
        waiting = [dial(12345) for _ in range(64)]
        eventually(lambda: "no more ports" in relay.text(), 5, "it says what is short")
        for _ in range(500):
            waiting.pop(0).close()
            waiting.append(dial(12345))
        for peer in waiting[:50]:
            peer.close()
        exchange(*waiting[50:52])
        lines = relay.text().splitlines()
        assert len(lines) < 20, f"{len(lines)} lines, such as {lines[-2:]}"


def test_F26_a_million_misdeeds_make_a_bounded_log():
    """runts, connects, bad lengths: fewer than 200 lines"""
    with Relay("-l", "12345") as relay:
        relay.listening(12345)
        bad, other = dial(12345), dial(12345)
        for _ in range(100):
            bad.send_raw(header(0) * 10000)
        for _ in range(1000):
            peer = dial(12345)
            peer.send_raw(header(FRAME_MAX + 1))
            peer.close()
        exchange(bad, other)
        lines = relay.text().count("\n")
        assert lines < 200, f"{lines} lines, such as {relay.text()[-500:]}"


def test_accepted_connections_are_as_qemu_needs_them():
    """TCP_NODELAY, SO_OOBINLINE; no TCP_USER_TIMEOUT, which would cut it; keepalive after hours"""
    kit.need_root()
    from test_wire import copied_socket         # pylint: disable=import-outside-toplevel
    with Relay("-l", "12345") as relay:
        relay.listening(12345)
        one, other = dial(12345), dial(12345)
        exchange(one, other)
        found = 0
        for number in range(256):
            with contextlib.suppress(OSError):
                sock = copied_socket(relay.keeper, number)
                if not sock or not connected(sock):
                    continue
                found += 1
                assert sock.getsockopt(socket.IPPROTO_TCP, 18) == 0, "TCP_USER_TIMEOUT is set"
                assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), "Nagle delays"
                assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE), "urgent data lies"
                if sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE):
                    idle = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
                    assert idle >= 3600, f"keepalive after {idle} s"
        assert found == 2, f"{found} connections in the keeper"


def connected(sock):
    try:
        return sock.family in (socket.AF_INET, socket.AF_INET6) and bool(sock.getpeername())
    except OSError:
        return False


def test_a_connection_reset_while_its_queue_is_full():
    """a guest that does not read, and then resets: gone, the others unhurt"""
    with good_peers_unhurt() as relay:
        for _ in range(3):
            sink, source = meet(dial(12345), dial(12345))
            for number in range(100):
                source.send(*[frame(BROADCAST, mac(5), b"pile", size=9000)] * 10)
                source.drain(0)
            sink.reset()
            source.close()
        relay.holds_again(relay.held)


if __name__ == "__main__":
    kit.main()
