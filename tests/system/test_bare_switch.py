#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU by hand on `netrelay -l`: guests that dial one switch, without libvirt, all as nobody."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import bare                         # noqa: E402
from bare import NOBODY, BareGuest, boot_all, nic    # noqa: E402
from frames import BROADCAST, frame, header, mac    # noqa: E402
from lab import address, v6_address     # noqa: E402
from peers import dial, meet        # noqa: E402
from relayproc import Relay         # noqa: E402
from wait import eventually         # noqa: E402

LAB, OTHER = 12345, 12346
SECOND_NET = {2: "10.8.0.2", 3: "10.8.0.3"}


def hardware(number, which=0):
    return f"52:54:00:00:{which:02x}:{number:02x}"


def guest(number, *backends):
    """vmN: its first NIC in 10.9.0.0/24, its second one in 10.8.0.0/24."""
    nics = [word for i, backend in enumerate(backends)
            for word in nic(i, backend, hardware(number, i))]
    second = [f"{SECOND_NET[number]}/24"] if number in SECOND_NET else []
    return BareGuest(f"vm{number}", nics,
                     [f"{address(number)}/24,{v6_address(number)}/64", *second])



class TestSwitch:
    """Three guests, each with another of QEMU's ways to dial; two of them on a second network."""

    def setup(self):
        self.relay = Relay("-l", LAB, user=NOBODY).listening(LAB)
        self.second = Relay("-l", f"127.0.0.1:{OTHER}", user=NOBODY).listening(OTHER)
        inet = "stream,server=off,addr.type=inet"
        self.guests = {
            1: guest(1, f"socket,connect=127.0.0.1:{LAB}"),
            2: guest(2, f"{inet},addr.host=::1,addr.port={LAB}",
                     f"socket,connect=127.0.0.1:{OTHER}"),
            3: guest(3, f"{inet},addr.host=127.0.0.1,addr.port={LAB}",
                     f"{inet},addr.host=127.0.0.1,addr.port={OTHER}"),
        }
        boot_all(*self.guests.values())

    def test_A1_A3_C3_three_guests_reach_each_other(self):
        """over IPv4 and IPv6, QEMU's `socket` and `stream`; nobody here has any privilege"""
        for number, one in self.guests.items():
            for other in self.guests:
                if other != number:
                    one.reaches(address(other))
                    one.reaches(v6_address(other))
        assert self.guests[1].ping(address(2), count=10, interval=0.05) == (10, 10)

    def test_A3_a_large_ping_is_fragmented_and_arrives(self):
        """20,000 bytes in 14 frames, both ways"""
        self.guests[1].reaches(address(3), size=20000)

    def test_C7_two_networks_of_one_process(self):
        """the second NICs meet on a relay of their own, and nobody else is there"""
        two, three = self.guests[2], self.guests[3]
        two.reaches(SECOND_NET[3])
        three.reaches(SECOND_NET[2])
        stranger = dial(OTHER)
        meet(stranger, dial(OTHER))
        stranger.drain(0)
        self.guests[1].reaches(address(2))
        assert not [got for got in stranger.drain(0.1) if got[6:12] == hwbytes(1)]
        assert three.ping(address(9), count=1, interval=1, wait=1) == (1, 0)

    def test_A12_what_is_not_IP_reaches_a_guest(self):
        """a local ethertype by broadcast and unicast, each frame counted by its kernel; VLANs"""
        one, two, sender = self.guests[1], self.guests[2], dial(LAB)
        meet(sender, dial(LAB))
        before = received(one)
        odd = [frame(to, mac(50), b"", 0x88b5, 60) for to in (BROADCAST, hwbytes(1))] * 20
        sender.send(*odd)
        eventually(lambda: received(one) >= before + len(odd), 5, "they are counted")
        for number, tagging in ((1, one), (2, two)):
            tagging.must("ip link add link eth0 name tagged type vlan id 77 && "
                         "ip link set tagged up && "
                         f"ip addr add 10.7.0.{number}/24 dev tagged")
        one.reaches("10.7.0.2", size=1400)

    def test_F3_an_empty_frame_never_reaches_a_guest(self):
        """it would stop the NIC for good: headers of length 0, and the guests go on"""
        bad = dial(LAB)
        for length in (0, 0, 1, 13, 0):
            bad.send_raw(header(length) + b"\xff" * length)
        meet(bad, dial(LAB))
        for number, one in self.guests.items():
            one.reaches(address(1 + number % 3))
        assert self.guests[1].ping(address(2), count=5, interval=0.05) == (5, 5)

    def test_F8_a_paused_guest(self):
        """its QEMU stopped while others broadcast: they lose nothing, and it goes on afterwards"""
        one, two, three = self.guests.values()
        flow = one.start_pings(address(2), interval=0.02)
        flow.wait_replies(10)
        three.pause()
        source = dial(LAB)
        pile = [frame(BROADCAST, mac(51), b"pile", size=1500)] * 300
        for _ in range(40):        # 18 MB: more than any socket's buffers
            source.send(*pile)
            source.drain(0)
            flow.wait_replies(1)    # behind the pile: those who are awake have taken theirs
        three.resume()
        three.reaches(address(1))
        sent, got = flow.stop()
        assert sent == got, f"{sent - got} of {sent} pings lost"
        assert three.ping(address(2), count=5, interval=0.05) == (5, 5)

    def test_A2_a_guest_that_restarts(self):
        """its traffic resumes, the others' has never stopped, and the relay is the same"""
        one, two, three = self.guests.values()
        keeper, forwarder = self.relay.keeper, self.relay.forwarder()
        flow = one.start_pings(address(3), interval=0.1)
        flow.wait_replies(3)
        two.destroy()
        two.boot()
        two.reaches(address(1))
        one.reaches(v6_address(2))
        three.reaches(SECOND_NET[2])
        sent, got = flow.stop()
        assert sent == got, f"{sent - got} of {sent} pings lost"
        assert (self.relay.alive().keeper, self.relay.forwarder()) == (keeper, forwarder)

    def test_a_forwarder_that_is_killed(self):
        """SIGKILL three times while real guests ping: not one of them is lost"""
        one = self.guests[1]
        flow = one.start_pings(address(3), interval=0.01)
        for _ in range(3):
            flow.wait_replies(20)
            was = self.relay.forwarder()
            os.kill(was, 9)
            eventually(lambda was=was: self.relay.forwarder() != was, 5, "another forwarder")
        flow.wait_replies(20)
        sent, got = flow.stop()
        assert sent == got, f"{sent - got} of {sent} pings lost"


def hwbytes(number, which=0):
    return bytes.fromhex(hardware(number, which).replace(":", ""))


def received(one):
    """Frames that came in at a guest's eth0."""
    return int(one.must("cat /sys/class/net/eth0/statistics/rx_packets"))


if __name__ == "__main__":
    bare.main()
