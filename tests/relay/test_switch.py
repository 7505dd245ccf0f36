#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`netrelay -l`: who hears whom."""

import os
import signal
import struct
import time

import kit
from frames import BROADCAST, ETHERTYPE, FRAME_MAX, enclose, filling, frame, mac, numbered
from peers import Server, UdpPeer, dial, exchange, introduce, meet
from relayproc import Relay, stat_of
from traffic import Traffic, complete, unhurt
from wait import eventually


def switch(count, *arguments):
    """A switch on port 12345 and that many guests, which have not said anything."""
    relay = Relay(*arguments[:1], "-l", "12345", *arguments[1:]).listening(12345)
    return (relay, *meet(*(dial(12345) for _ in range(count))))


def test_A1_listens_dual_stack():
    """-l PORT takes guests over IPv4 and IPv6, and they reach each other"""
    with Relay("-l", "12345") as relay:
        relay.listening(12345)
        exchange(dial(12345, "127.0.0.1"), dial(12345, "::1"))


def test_A1_F15_listens_where_it_is_told():
    """-l ADDR:PORT listens on that address alone, of either family"""
    for text, host, other in (("127.0.0.1:12345", "127.0.0.1", "127.0.0.2"),
                              ("[::1]:12345", "::1", "127.0.0.1")):
        with Relay("-l", text) as relay:
            relay.listening(12345)
            exchange(dial(12345, host), dial(12345, host))
            try:
                dial(12345, other)
            except ConnectionRefusedError:
                continue
            raise AssertionError(f"-l {text} took a connection to {other}")


def test_A3_each_frame_reaches_all_others_and_never_its_sender():
    """broadcast, multicast and unknown unicast, from each of four guests"""
    relay, *guests = switch(4)
    with relay:
        introduce(*guests)
        for number, sender in enumerate(guests, 1):
            for dst in (BROADCAST, bytes.fromhex("01005e000001"), bytes.fromhex("333300000001"),
                        mac(99)):
                said = frame(dst, mac(number), b"all", size=60)
                sender.send(said)
                for other in guests:
                    if other is not sender:
                        other.expect(said)
        for guest in guests:
            guest.silent(0.05)


def test_A3_F20_a_known_unicast_reaches_one_port():
    """between two known stations nothing reaches a third port, at full speed too"""
    relay, *guests = switch(4)
    with relay:
        introduce(*guests)
        for sender in range(4):
            for receiver in range(4):
                if sender != receiver:
                    said = frame(mac(receiver + 1), mac(sender + 1), b"you", size=60)
                    guests[sender].send(said)
                    guests[receiver].expect(said)
        for guest in guests:
            guest.silent(0.05)
        with Traffic(*guests[:2], rate=0) as traffic:
            traffic.flow(20000)
            complete(traffic.finish())
        strays = [one for guest in guests[2:] for one in guest.drain(0.1)
                  if one[:6] != BROADCAST]
        assert not strays, f"{len(strays)} unicast frames on a third port"


def test_A3_a_station_behind_the_senders_own_port():
    """a frame to a station on the port it came from goes nowhere"""
    relay, one, other, third = switch(3)
    with relay:
        introduce(one, other, third)
        one.send(frame(BROADCAST, mac(7), b"also here", size=60))
        other.receive(1)
        third.receive(1)
        one.send(frame(mac(7), mac(1), b"local", size=60))
        for guest in (one, other, third):
            guest.silent(0.1)


def test_A3_a_station_that_sends_to_itself():
    """once, in runs, and after it has moved: nobody hears of it, and where it is now is known"""
    relay, one, two, three = switch(3)
    with relay:
        introduce(one, two, three)
        to_itself = frame(mac(1), mac(1), size=60)
        for sender, others in ((one, (two, three)), (two, (one, three))):
            sender.send(to_itself, to_itself, to_itself)
            said = frame(mac(1), mac(3), size=60)
            three.send(said)
            sender.expect(said)
            for other in others:
                other.silent(0.05)


def test_A3_a_hub_repeats_to_all():
    """--hub: a known unicast still reaches every port"""
    relay, *guests = switch(3, "--hub")
    with relay:
        introduce(*guests)
        said = frame(mac(2), mac(1), b"you", size=60)
        guests[0].send(said)
        guests[1].expect(said)
        guests[2].expect(said)
        guests[0].silent(0.05)


def test_A12_a_switch_passes_what_is_not_ip():
    """ARP, LLDP, LACP, tags, 0x88b5, 14-byte frames: bytes as they were"""
    relay, *guests = switch(2)
    odd = [frame(BROADCAST, mac(1), b"who has", 0x0806, 42),
           frame(bytes.fromhex("0180c200000e"), mac(1), b"lldp", 0x88cc, 60),
           frame(bytes.fromhex("0180c2000002"), mac(1), b"lacp", 0x8809, 60),
           frame(mac(2), mac(1), struct.pack("!HH", 5, 0x0800), 0x8100, 1518),
           frame(mac(2), mac(1), b"", 0x88b5),
           frame(mac(2), mac(1), size=FRAME_MAX)]
    with relay:
        guests[0].send(*odd)
        guests[1].expect(*odd)


def test_F19_an_address_that_moves_is_followed_at_once():
    """its next frame is enough, and nothing goes where it was"""
    relay, one, other, third = switch(3)
    with relay:
        introduce(one, other, third)
        for turn in range(50):
            was, now = ((other, third), (third, other))[turn % 2]
            now.send(frame(mac(1), mac(77), b"moved", size=60))
            one.receive(1)
            said = frame(mac(77), mac(1), struct.pack("!I", turn), size=60)
            one.send(said)
            now.expect(said)
            was.silent(0.01)


def test_F19_impossible_sources_are_not_learned():
    """multicast, broadcast and zero: a frame to such an address still goes to all"""
    relay, one, other, third = switch(3)
    with relay:
        introduce(one, other, third)
        for bad in (BROADCAST, bytes.fromhex("01005e000005"), bytes.fromhex("333300000001"),
                    b"\0" * 6):
            one.send(frame(BROADCAST, bad, b"liar", size=60))
            other.receive(1)
            third.receive(1)
            said = frame(bad, mac(2), b"to the liar", size=60)
            other.send(said)
            one.expect(said)
            third.expect(said)


def test_F18_200000_random_sources():
    """memory stays bounded; talkers known before get theirs alone, and nobody else sees it"""
    relay, one, other, watcher, flooder = switch(4)
    with relay:
        introduce(one, other, watcher, flooder)
        with Traffic(one, other, rate=500) as traffic:
            watcher.drain(0.1)
            before = relay.memory()
            noise = filling(200000 * 5)
            for chunk in range(0, 200000, 1000):
                flooder.send(*(frame(mac(9), b"\x02" + noise[5 * i:5 * i + 5], size=60)
                               for i in range(chunk, chunk + 1000)))
                watcher.gather(0)
            complete(traffic.finish())
        strays = [f for f in watcher.drain(0.2) if f[12:14] != ETHERTYPE.to_bytes(2, "big")
                  and f[:6] != BROADCAST]
        assert not strays, f"{len(strays)} unicast frames of known talkers at a third port"
        grown = relay.memory() - before
        assert grown < 8192, f"{grown} KiB more for 200,000 addresses"


def flood(flooder, seconds, rate=None):
    """Broadcasts of 60 bytes for so long, `rate` a second or as fast as it can; how many."""
    thousand = enclose(*[frame(BROADCAST, mac(3), b"flood", size=60)] * 1000)
    began = time.monotonic()
    count = 0
    while (now := time.monotonic() - began) < seconds:
        if rate and count > rate * now:
            flooder.drain(0.002)
        else:
            flooder.send_raw(thousand)
            flooder.drain(0)
            count += 1000
    return count


def test_F21_a_flood_of_broadcasts_starves_nobody():
    """one guest broadcasts 100,000 frames a second, which all others get too: they go on unhurt"""
    relay, one, other, flooder = switch(3)
    with relay, Traffic(one, other, rate=1000) as traffic:
        traffic.sample()
        flooded = flood(flooder, 2, 100000)
        assert flooded > 50000, f"only {flooded} frames: that is no flood"
        unhurt(traffic.finish())


def test_F21_a_flood_beyond_what_others_can_read():
    """as fast as it can: frames that do not fit are dropped whole, good ones still get through"""
    relay, one, other, flooder = switch(3)
    with relay, Traffic(one, other, rate=1000, window=8 << 20) as traffic:
        traffic.sample()
        flood(flooder, 2)
        result = traffic.sample()
        print(result)
        assert not result["repeated"] and not result["corrupt"] and not result["closed"], result
        assert result["received"] > result["due"] / 4, f"starved: {result}"
        traffic.finish()


def stop(pid):
    """Back when it stands still."""
    os.kill(pid, signal.SIGSTOP)
    eventually(lambda: stat_of(pid)[:1] == ["T"], 5, "it is stopped")


def test_F21_who_has_little_to_say_is_read_first():
    """of what gathered while the forwarder stood still, one frame goes before a thousand older"""
    relay, one, other, flooder = switch(3)
    thousand = [numbered(BROADCAST, mac(3), number) for number in range(1000)]
    with relay:
        introduce(one, other, flooder)
        for said in ([], [frame(BROADCAST, mac(1), b"a word", size=60)]):
            stop(relay.forwarder())
            flooder.send(*thousand)         # the first time it gets to be known for that
            one.send(*said)
            os.kill(relay.forwarder(), signal.SIGCONT)
            other.expect(*said, *thousand)
            one.expect(*thousand)


def test_wire_and_switch_kinds_mix():
    """a switch with a TCP target and a UDP neighbour: all three reach each other"""
    server = Server(2001)
    with Relay("-l", "12345", "127.0.0.1:2001", "4001:127.0.0.1:4002") as relay:
        relay.listening(12345).bound(4001)
        guests = [dial(12345), server.accept(), UdpPeer(("127.0.0.1", 4002), ("127.0.0.1", 4001))]
        introduce(*guests)
        for one in range(3):
            other = (one + 1) % 3
            exchange(guests[one], guests[other], one + 1, other + 1, size=1514)
        for guest in guests:
            guest.silent(0.05)


def test_A2_guests_come_and_go_in_any_order():
    """each of three in turn ends and dials again: it is reached at once, the others keep theirs"""
    relay, *guests = switch(3)
    with relay:
        introduce(*guests)
        held = relay.holds()
        for turn in range(9):
            gone = turn % 3
            guests[gone].close() if turn % 2 else guests[gone].reset()
            guests[gone] = dial(12345)
            meet(*guests)
            guests[gone].send(frame(BROADCAST, mac(gone + 1), b"back", size=60))
            others = [guest for guest in guests if guest is not guests[gone]]
            for number, other in enumerate(guests):
                if other in others:
                    other.receive(1)
                    said = frame(mac(gone + 1), mac(number + 1), b"welcome", size=60)
                    other.send(said)
                    guests[gone].expect(said)
        relay.holds_again(held)


def test_full_speed_between_four_guests_is_complete():
    """all to all, unicast and broadcast, 60 to 9,000 bytes: none lost, repeated or changed"""
    relay, *guests = switch(4)
    with relay, Traffic(*guests, rate=0, sizes=(60, 9000), broadcast=16,
                        window=128 << 10) as traffic:
        traffic.flow(50000)
        complete(traffic.finish())


def test_frames_of_one_segment_for_many_ports():
    """a batch with turns between three receivers and all: each gets its own, in order"""
    relay, sender, *others = switch(4)
    with relay:
        introduce(sender, *others)
        batch, wanted = [], {other: [] for other in others}
        for number in range(3000):
            to = (number * 7) % 4
            dst = BROADCAST if to == 3 else mac(to + 2)
            one = numbered(dst, mac(1), number, 60 + number % 1400)
            batch.append(one)
            for index, other in enumerate(others):
                if to in (3, index):
                    wanted[other].append(one)
        data = enclose(*batch)
        for at in range(0, len(data), 200000):
            sender.send_raw(data[at:at + 200000])
            for other in others:
                other.gather(0)
        for other in others:
            other.expect(*wanted[other])


def test_runs_within_one_write():
    """addresses that change and change back between frames that arrive together"""
    with Relay("-l", "12345") as relay:
        relay.listening(12345)
        one, two, three = (dial(12345) for _ in range(3))
        introduce(one, two, three)
        way = [(2, 1), (2, 1), (3, 1), (2, 1), (2, 5), (2, 5), (3, 5), (3, 1), (2, 1), (2, 6),
               (2, 1), (9, 1), (9, 1)]
        said = [numbered(mac(dst), mac(src), number) for number, (dst, src) in enumerate(way)]
        one.send(*said)
        for peer, number in ((two, 2), (three, 3)):
            peer.expect(*(one for one, (dst, _) in zip(said, way) if dst in (number, 9)))
        to_both = [numbered(mac(src), mac(2), 50 + src) for src in (1, 5, 6, 5, 1)]
        two.send(*to_both)
        one.expect(*to_both)
        three.silent(0.05)


if __name__ == "__main__":
    kit.main()
