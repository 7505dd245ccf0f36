#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Many datagrams in one message: what the kernel cuts and puts together is seen by nobody."""

import os
import socket
import struct

import kit
import links
import tap
from frames import BROADCAST, FRAME_MAX, frame, mac, numbered
from peers import UdpPeer, dial, exchange, meet
from relayproc import Relay
from traffic import Traffic, complete, losses_beside_kills

OURS = ("127.0.0.1", 4001)
THEIRS = ("127.0.0.1", 4002)
UDP_SEGMENT = 103

KILLS = int(os.environ.get("KILLS", "20"))
CALL = 64               # frames that one call sends
READ = 6 * 64           # datagrams that one call of its reads from another relay, as that sent them


def guest_and_udp(relay, ours=OURS, theirs=THEIRS):
    relay.listening(12345).bound(ours[1])
    return meet(dial(12345), UdpPeer(theirs, ours))


def burst(lengths):
    """Frames of these lengths, each with its number."""
    return [numbered(mac(2), mac(1), number, size) for number, size in enumerate(lengths)]


def bursts():
    """Runs of equal lengths, with shorter and longer ones between and behind."""
    yield [60] * 200
    yield [1514] * 100
    yield [100] * 5 + [99, 100] + [101] * 3 + [60, 61, 62, 63, 62, 61, 60]
    yield [1514] * 10 + [60] + [1514] * 10 + [60] * 10
    yield [9014] * 20 + [60, 9014]
    yield [30000] * 3 + [65507, 65507, 60]


def test_A11_runs_of_frames_to_a_udp_guest():
    """written at once, of equal and of mixed lengths: each is a datagram, all come, in order"""
    for ours, theirs in ((OURS, THEIRS), (("::1", 4001), ("::1", 4002))):
        text = ["[%s]:%d" % one if ":" in one[0] else "%s:%d" % one for one in (ours, theirs)]
        with Relay("-l", "12345", f"udp:{text[0]}:{text[1]}") as relay:
            guest, udp = guest_and_udp(relay, ours, theirs)
            for lengths in bursts():
                said = burst(lengths)
                guest.send(*said)
                udp.expect(*said)
            udp.silent(0.01)
            udp.close()


def test_F14_too_long_ones_in_a_run():
    """dropped alone: those before and behind them come"""
    with Relay("-l", "12345", "4001:127.0.0.1:4002") as relay:
        guest, udp = guest_and_udp(relay)
        said = burst([1000] * 30)
        long = frame(BROADCAST, mac(1), size=65508), frame(BROADCAST, mac(1), size=FRAME_MAX)
        guest.send(*said[:10], long[0], *said[10:20], long[1], long[0], *said[20:])
        udp.expect(*said)
        exchange(guest, udp)


def test_F14_a_path_too_narrow_for_them():
    """an MTU below the frames: they are fragmented, which a message of many cannot be"""
    links.ip("link", "set", "lo", "mtu", "1400")
    with Relay("-l", "12345", "4001:127.0.0.1:4002") as relay:
        guest, udp = guest_and_udp(relay)
        for _ in range(2):
            for lengths in ([1514] * 50, [1300] * 50, [1514, 60] * 10 + [1372] * 20, [1373] * 9):
                said = burst(lengths)
                guest.send(*said)
                udp.expect(*said)
        udp.silent(0.01)


def test_F14_runs_to_nobody():
    """port unreachable, again and again; once somebody is there all but the first few come"""
    with Relay("-l", "12345", "4001:127.0.0.1:4002") as relay:
        guest, udp = guest_and_udp(relay)
        for _ in range(3):
            udp.close()
            for lengths in bursts():
                guest.send(*burst(lengths))
            guest, udp = meet(guest, UdpPeer(THEIRS, OURS))
            udp.drain(0.05)
            said = burst([1514] * 100)
            guest.send(*said)
            udp.expect(*said)
        relay.calm()


def test_A11_datagrams_that_arrive_together():
    """from a peer that sends many in one call: a frame each, as long as it was"""
    with Relay("-l", "12345", "4001:127.0.0.1:4002") as relay:
        guest, udp = guest_and_udp(relay)
        for size, count, last in ((60, 64, 60), (1514, 40, 1514), (1000, 30, 14), (30000, 2, 100)):
            said = burst([size] * count + [last])
            udp.sock.sendmsg([b"".join(said)], [(socket.IPPROTO_UDP, UDP_SEGMENT,
                                                  struct.pack("H", size))], 0, udp.remote)
            guest.expect(*said)
        exchange(guest, udp)


def test_F14_a_peer_that_sends_crumbs_together():
    """64 datagrams of a byte in one message, a hundred times: nothing comes of it"""
    with Relay("-l", "12345", "4001:127.0.0.1:4002") as relay:
        guest, udp = guest_and_udp(relay)
        for size in (1, 2, 13):
            for _ in range(100):
                udp.sock.sendmsg([b"\xff" * 64 * size], [(socket.IPPROTO_UDP, UDP_SEGMENT,
                                                           struct.pack("H", size))], 0, udp.remote)
            exchange(guest, udp)
        guest.silent(0.01)


def two_relays():
    return (Relay("-l", "12345", "4001:127.0.0.1:4002").bound(4001).listening(12345),
            Relay("-l", "12346", "4002:127.0.0.1:4001").bound(4002).listening(12346))


def test_A11_two_relays_with_udp_between():
    """guests on both sides as fast as a window allows: complete"""
    for sizes in ((60, 60), (1514, 1514), (60, 9000)):
        one, other = two_relays()
        with one, other:
            guests = meet(dial(12345), dial(12346))
            with Traffic(*guests, rate=0, window=64 << 10, sizes=sizes) as traffic:
                traffic.flow(5000)
                complete(traffic.finish())


@tap.timeout(60 + KILLS)
def test_kills_of_two_relays_with_udp_between():
    """a kill loses what one call had, in or out; nothing is repeated or torn"""
    one, other = two_relays()
    with one, other:
        guests = meet(dial(12345), dial(12346))
        with Traffic(*guests, rate=0, window=64 << 10, sizes=(1000, 1000)) as traffic:
            lost = losses_beside_kills(traffic, [one, other], KILLS)
        assert lost <= KILLS * (CALL + READ), f"{lost} datagrams lost in {KILLS} kills"
        exchange(*guests)


if __name__ == "__main__":
    kit.main()
