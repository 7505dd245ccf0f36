#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Groups of IP multicast: one segment for stations, relays and hosts that are in them."""

import os
import shutil
import socket
import subprocess

import kit
import links
import stacks
import tap
from ctlproto import DIALLING, UP, ManagedRelay
from frames import BROADCAST, frame, mac, numbered
from peers import GroupPeer, UdpPeer, dial, exchange, introduce, meet, talk
from relayproc import Relay, run
from wait import eventually

GROUP = "239.1.2.3"
L4_PORT = 1234
HERE = f"mcast:{GROUP}:{L4_PORT}@lo"


def place(group):
    return f"[{group}]" if ":" in group else group


def segment(relay, text=HERE, count=1):
    """A managed relay in the group: (its control, guests of its switch, the endpoint)."""
    control = relay.control()
    control.attach("listen:127.0.0.1:12345")
    endpoint = control.attach(text)
    relay.listening(12345)
    return control, [dial(12345) for _ in range(count)], endpoint


def cable():
    """A device that carries multicast of IPv6 too, and the host at its other end."""
    far = stacks.Stack()
    links.write("/proc/sys/net/ipv6/conf/default/accept_dad", "0")
    stacks.cable(None, far, "lan0", ("10.1.0.1/24", "10.1.0.2/24"))
    return far


def test_C2_stations_and_a_guest_for_both_families():
    """all hear all, frames of every size; what is said twice is heard twice"""
    cable()
    for group, device in ((GROUP, "lo"), (GROUP, "lan0"), ("ff12::5", "lan0")):
        text = f"mcast:{place(group)}:{L4_PORT}@{device}"
        with ManagedRelay() as relay:
            _, (guest,), _ = segment(relay, text)
            one, two = (GroupPeer(group, L4_PORT, device) for _ in range(2))
            introduce(guest, one, two)
            for size in (60, 1514, 9014, 65507):
                for number, speaker in enumerate((guest, one, two), 1):
                    said = frame(BROADCAST, mac(number), size=size)
                    for _ in range(2):
                        speaker.send(said)
                        for other in {guest, one, two} - {speaker}:
                            other.expect(said)
            for peer in (guest, one, two):
                peer.silent(0.02)
                peer.close()


def test_F16_own_echoes_are_not_forwarded_again():
    """B5: the kernel gives the relay what it said itself; none of it comes in, or is counted"""
    with ManagedRelay() as relay:
        control, (guest, other), endpoint = segment(relay, count=2)
        station = GroupPeer(GROUP, L4_PORT)
        introduce(guest, other, station)
        heard = control.port_of(endpoint)["rx_frames"]
        for number in range(200):
            guest.send(numbered(BROADCAST, mac(1), number))
        for peer in (other, station):
            peer.expect(*(numbered(BROADCAST, mac(1), number) for number in range(200)))
            peer.silent(0.05)
        guest.silent(0.01)
        port = control.port_of(endpoint)
        assert port["rx_frames"] == heard and port["drops"] == 0, port
        assert port["tx_frames"] >= 200, port


def test_F16_relays_in_one_group_do_not_multiply_frames():
    """three of them on one host hear each other, once each"""
    with ManagedRelay() as a, Relay("listen:12346", HERE) as b, Relay("listen:12347", HERE) as c:
        _, (one,), _ = segment(a)
        b.listening(12346)
        c.listening(12347)
        stations = one, dial(12346), dial(12347), GroupPeer(GROUP, L4_PORT)
        introduce(*stations)
        for number, peer in enumerate(stations, 1):
            said = [numbered(BROADCAST, mac(number), count) for count in range(20)]
            peer.send(*said)
            for other in stations:
                if other is not peer:
                    other.expect(*said)
        for peer in stations:
            peer.silent(0.05)


def test_only_frames_to_the_group_on_that_device():
    """not what is sent to the port alone, to another group or port, or on another device"""
    cable()
    with ManagedRelay() as relay:
        _, (guest,), _ = segment(relay)
        evil = frame(BROADCAST, mac(66), b"evil", size=60)
        for to in (("127.0.0.1", L4_PORT), ("127.0.0.1", L4_PORT + 1), ("10.1.0.1", L4_PORT)):
            UdpPeer(("0.0.0.0", 0), to).send(evil)
        for group, l4_port, device in (("239.1.2.4", L4_PORT, "lo"), (GROUP, L4_PORT + 1, "lo"),
                                       (GROUP, L4_PORT, "lan0")):
            GroupPeer(group, l4_port, device).send(evil)
        exchange(guest, GroupPeer(GROUP, L4_PORT))
        guest.silent(0.05)


def test_F14_empty_datagrams_and_runts_in_a_group():
    """nothing short goes on, and the frames around it do"""
    with ManagedRelay() as relay:
        control, (guest,), endpoint = segment(relay)
        station = GroupPeer(GROUP, L4_PORT)
        exchange(guest, station)
        for length in range(14):
            station.send(b"\xff" * length)
        talk(guest, station)
        assert control.port_of(endpoint)["drop_runt"] == 14


def test_B5_hops():
    """1 if nothing is said: the link alone; or as many as asked for; both families"""
    cable()
    for group in (GROUP, "ff12::5"):
        for option, hops in (("", 1), (",ttl=4", 4), (",ttl=255", 255)):
            with Relay("listen:12345", f"mcast:{place(group)}:{L4_PORT}@lan0{option}") as relay:
                relay.listening(12345)
                station, guest = GroupPeer(group, L4_PORT, "lan0"), dial(12345)
                exchange(guest, station)
                assert {left for _, left in station.heard} == {hops}, station.heard
                guest.close()


def test_B5_the_device_by_name_address_or_route():
    """frames leave there alone; from the address that was named"""
    far = cable()
    links.ip("address", "add", "10.1.0.7/24", "dev", "lan0")
    for at, source in (("@lan0", "10.1.0.1"), ("@10.1.0.7", "10.1.0.7"), ("", "10.1.0.1")):
        if not at:
            links.ip("route", "add", "239.0.0.0/8", "dev", "lan0")
        with Relay("listen:12345", f"mcast:{GROUP}:{L4_PORT}{at}") as relay:
            relay.listening(12345)
            guest, here = dial(12345), GroupPeer(GROUP, L4_PORT)
            with far:
                there = GroupPeer(GROUP, L4_PORT, "lan0")
            exchange(guest, there)
            assert there.heard == {(source, 1)}, there.heard
            here.silent(0.02)
            guest.close()


def test_B5_no_route_or_no_such_device():
    """one line that names it and says what to do; exit 1, or 2 for a device that is not there"""
    links.ip("address", "add", "10.9.0.1/32", "dev", "lo")
    for text, code, said in ((f"mcast:{GROUP}:1234", 1, f"mcast:{GROUP}:1234@lo"),
                             (f"mcast:{GROUP}:1234@lan7", 2, "lan7: there is no such device"),
                             (f"mcast:{GROUP}:1234@10.0.0.1", 1, "10.0.0.1 is not an address"),
                             (f"mcast:{GROUP}:1234@[::1]", 1, "::1 is not of the family"),
                             ("mcast:[ff12::5]:1234@lo", 1, "multicast of IPv4 only")):
        result = run(text, "127.0.0.1:2001")
        assert result.returncode == code, f"{text}: {result}"
        assert said in result.stderr and result.stderr.count("\n") == 1, result.stderr
    with Relay(f"mcast:{GROUP}:1234@10.9.0.1", "listen:12345") as relay:
        relay.listening(12345)
        exchange(dial(12345), GroupPeer(GROUP, 1234))


def test_F23_a_group_held_by_somebody_else():
    """without SO_REUSEADDR: exit 1, and who it is"""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((GROUP, L4_PORT))
        result = run(HERE, "127.0.0.1:2001")
        assert result.returncode == 1 and f"{GROUP}:{L4_PORT} is in use" in result.stderr, result


def test_F12_its_device_goes_and_comes_back():
    """joined again by itself, with one line; also when its address was another one meanwhile"""
    far = cable()
    with ManagedRelay() as relay:
        control, (guest,), endpoint = segment(relay, f"mcast:{GROUP}:{L4_PORT}@lan0")

        def meets():
            with far:
                there = GroupPeer(GROUP, L4_PORT, "lan0")
            meet(there, guest)
            exchange(guest, there)
            there.close()
        meets()
        links.ip("link", "delete", "lan0")
        control.event("EVENT_ENDPOINT", endpoint_id=endpoint, state=DIALLING)
        eventually(lambda: "no such device" in control.dump()[0][endpoint]["detail"], 5,
                   "the state says what is missing")
        stacks.cable(None, far, "lan0", ("10.1.0.1/24", "10.1.0.2/24"))
        control.event("EVENT_ENDPOINT", endpoint_id=endpoint, state=UP)
        meets()
        assert relay.text().count("attached again") == 1 == relay.text().count("\n"), relay.text()
        links.ip("address", "delete", "10.1.0.1/24", "dev", "lan0")
        links.ip("address", "add", "10.1.0.9/24", "dev", "lan0")
        control.event("EVENT_ENDPOINT", endpoint_id=endpoint, state=UP)
        meets()
        for state in ("down", "up"):
            links.ip("link", "set", "lan0", state)
        meets()


def test_two_hosts_in_a_group():
    """a relay on each, joined by a cable: each frame once, everywhere"""
    far = cable()
    text = f"mcast:{GROUP}:{L4_PORT}@lan0"
    with far:
        there = Relay("listen:12345", text)
    with there, Relay("listen:12345", text) as here:
        with far:
            there.listening(12345)
            stations = [dial(12345), GroupPeer(GROUP, L4_PORT, "lan0")]
        here.listening(12345)
        stations += [dial(12345), GroupPeer(GROUP, L4_PORT, "lan0")]
        introduce(*stations)
        for peer in stations:
            peer.silent(0.05)


def test_B6_a_host_without_multicast_takes_part():
    """a relay in the group dials one over there that has only TCP"""
    far = cable()
    links.ip("link", "set", "lan0", "multicast", "off")
    with far:
        there = Relay("-l", "12345")
    with there, Relay(HERE, "10.1.0.2:12345"):
        with far:
            there.listening(12345)
            stations = [dial(12345), dial(12345)]
        stations.append(GroupPeer(GROUP, L4_PORT))
        introduce(*stations)
        for size in (60, 9014, 65507):
            exchange(stations[0], stations[2], 1, 3, size)


def test_B3_the_host_joins_the_segment():
    """a TAP with an address, and a socat with another in the same group: they ping each other"""
    kit.need_tun()
    if not shutil.which("socat"):
        tap.skip("socat is not installed")
    behind = stacks.Stack()         # or the kernel would answer itself
    group = f"UDP4-DATAGRAM:{GROUP}:{L4_PORT},bind=:{L4_PORT},reuseaddr," \
            f"ip-add-membership={GROUP}:127.0.0.1,ip-multicast-if=127.0.0.1"
    with Relay(HERE, "tap:vmvlan0"):
        eventually(lambda: "vmvlan0" in links.names(), 5, "there is the relay's TAP")
        links.ip("link", "set", "vmvlan0", "netns", f"/proc/{os.getpid()}/fd/{behind.fd}")
        with behind:
            links.ip("address", "add", "192.168.9.1/24", "dev", "vmvlan0")
            links.ip("link", "set", "vmvlan0", "up")
        socat = subprocess.Popen(["socat", group, "TUN:192.168.9.2/24,tun-type=tap,iff-no-pi,"
                                  "iff-up,tun-name=vmvlan1"])
        try:
            eventually(lambda: ping("192.168.9.1"), 10, "socat's side reaches the relay's")
            with behind:
                assert ping("192.168.9.2", "-s", "1400"), "the relay's side does not reach socat's"
        finally:
            socat.kill()
            socat.wait()


def ping(address, *options):
    return subprocess.run(["ping", "-c", "1", "-W", "1", *options, address], check=False,
                          stdout=subprocess.DEVNULL).returncode == 0


if __name__ == "__main__":
    kit.main()
