#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""TAPs of ours take TCP and UDP uncut from the kernel and give it whole: nobody else notices."""

import fcntl
import hashlib
import os
import signal
import socket
import struct
import threading

import kit
import links
import namespaces
import tap
from ctlproto import ManagedRelay
from frames import enclose, filling, mac
from peers import IFF_NO_PI, IFF_TAP, TUNSETIFF, LinkPeer, dial, exchange, meet
from relayproc import Relay
from test_segments import UDP_SEGMENT
from station import checksum
from test_tap import bridge, member, new_device, quiet_kernel
from relayproc import links as devices
from traffic import Traffic, losses_beside_kills
from wait import eventually

KILLS = int(os.environ.get("KILLS", "20"))
MEGABYTES = 8
IFF_VNET_HDR = 0x4000
TUNSETVNETHDRSZ = 0x400454d8


def in_another_network(work):
    """What work() returns, called in a network that lives as long as sockets made there."""
    results = []

    def run():
        namespaces.unshare(namespaces.NEWNET)
        results.append(work())
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return results[0]


def host_behind(name, address, mtu=1500):
    """A listening socket of a host with this address, behind a cable into the bridge."""
    def make():
        links.ip("link", "add", "cable", "type", "veth", "peer", "name", f"to-{name}", "netns",
                 str(os.getpid()))
        links.ip("link", "set", "cable", "mtu", str(mtu), "up")
        links.ip("address", "add", address, "dev", "cable", "nodad")
        host = address.split("/")[0]
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        sock.bind((host, 5001))
        sock.listen(1)
        return sock
    eventually(lambda: not os.path.exists(f"/sys/class/net/to-{name}"), 20,
               f"the cable of the host before is gone from {name}")
    sock = in_another_network(make)
    links.ip("link", "set", f"to-{name}", "mtu", str(mtu), "master", name, "up")
    return sock


def pour(sock, seed):
    """Sends so much, and says its digest."""
    data = filling(1 << 20, seed)
    digest = hashlib.sha256()
    for _ in range(MEGABYTES):
        digest.update(data)
        sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)
    return digest.hexdigest()


def drink(sock):
    """Receives all there is; its digest."""
    digest = hashlib.sha256()
    while data := sock.recv(1 << 20):
        digest.update(data)
    return digest.hexdigest()


def pour_both_ways(listener, disturb=lambda: None):
    """Megabytes from here to there and from there to here at once, all of them right."""
    near = socket.create_connection(listener.getsockname()[:2], 20)
    far, _ = listener.accept()
    far.settimeout(20)
    said, heard = {}, {}
    work = [(said, "here", pour, near, 1), (said, "there", pour, far, 2),
            (heard, "there", drink, near), (heard, "here", drink, far)]
    threads = [threading.Thread(target=lambda w=w: w[0].__setitem__(w[1], w[2](*w[3:])))
               for w in work]
    for thread in threads:
        thread.start()
    disturb()
    for thread in threads:
        thread.join()
    near.close()
    far.close()
    assert len(said) == 2 and said == heard, f"{said} {heard}"


def mean(device, direction):
    """Bytes a packet, as the kernel counts what it sends to a TAP (tx) or gets from it."""
    return (int(links.read(device, f"statistics/{direction}_bytes")) /
            max(1, int(links.read(device, f"statistics/{direction}_packets"))))


def two_bridges(addresses, mtu=1500):
    """br0 where this host is, and br1 with another one behind it; its listening socket."""
    quiet_kernel()
    if ":" in addresses[0]:
        links.write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "0")
    for name, given in (("br0", [addresses[0]]), ("br1", [])):
        links.add_bridge(name, mtu=mtu, addresses=given)
    return host_behind("br1", addresses[1], mtu)


IPV4 = "10.77.0.1/24", "10.77.0.2/24"
IPV6 = "fd00:77::1/64", "fd00:77::2/64"


def taps_of(before):
    """The TAPs of a relay on two bridges: that in br0, that in br1."""
    eventually(lambda: len(devices() - before) == 2, 5, "the relay makes its TAPs")
    return [eventually(lambda name=name: next((one for one in devices() - before
                                               if one in links.members(name)), None),
                       5, f"a TAP in {name}") for name in ("br0", "br1")]


def test_A4_tcp_between_bridges():
    """kernel TCP from bridge to bridge: right, and in pieces far larger than a frame"""
    for addresses, mtu in ((IPV4, 1500), (IPV6, 1500), (IPV4, 9000)):
        listener = two_bridges(addresses, mtu)
        before = devices()
        with Relay("br0", "br1") as relay:
            near, far = taps_of(before)
            pour_both_ways(listener)
            sizes = [mean(device, way) for device in (near, far) for way in ("rx", "tx")]
            print(f"MTU {mtu}: bytes a packet {', '.join(f'{size:.0f}' for size in sizes)}")
            assert min(sizes) > 1.5 * mtu, sizes
            relay.term()
        listener.close()
        for name in ("br0", "br1"):
            links.ip("link", "delete", name)


def test_A4_tcp_between_bridges_of_two_relays():
    """between the relays are frames as QEMU would have them"""
    listener = two_bridges(IPV4)
    with Relay("-l", "12345", "br0") as one:
        one.listening(12345)
        with Relay("127.0.0.1:12345", "br1"):
            pour_both_ways(listener)


def test_A4_tcp_to_a_tap_that_is_used_as_it_is():
    """one that somebody else made gets frames of its MTU, with checksums that are right"""
    listener = two_bridges(IPV4)
    links.ip("tuntap", "add", "dev", "t0", "mode", "tap")
    links.ip("link", "set", "t0", "master", "br1", "up")
    with Relay("br0", "tap:t0") as relay:
        pour_both_ways(listener)
        assert mean("t0", "rx") <= 1514 and mean("t0", "tx") <= 1514
        relay.term()


@tap.timeout(60 + KILLS)
def test_kills_during_tcp_between_bridges():
    """TCP mends what a kill loses; nothing is torn, and the TAPs stay"""
    listener = two_bridges(IPV4)
    before = devices()
    with Relay("br0", "br1") as relay:
        taps = taps_of(before)

        def kill():
            for _ in range(KILLS):
                was = relay.forwarder()
                os.kill(was, signal.SIGKILL)
                eventually(lambda was=was: relay.forwarder() != was, 20, "another forwarder")
        pour_both_ways(listener, kill)
        assert taps == taps_of(before)


@tap.timeout(60 + KILLS)
def test_kills_beside_a_bridge():
    """a kill loses a frame each way at most; none is repeated or torn"""
    before = bridge()
    with Relay("-l", "12345", "br0") as relay:
        relay.listening(12345)
        new_device(before)
        guest, outside = dial(12345), member()
        exchange(guest, outside)
        with Traffic(guest, outside, rate=0, window=32 << 10) as traffic:
            lost = losses_beside_kills(traffic, [relay], KILLS)
        assert lost <= 2 * KILLS, f"{lost} frames lost in {KILLS} kills"
        exchange(guest, outside)


GUEST = bytes([10, 77, 0, 2])
HOST = bytes([10, 77, 0, 1])


def ipv4(src, dst, protocol, body, number=0):
    """An IPv4 packet; the checksum at the body's place for it is filled in."""
    place = {6: 16, 17: 6}[protocol]
    pseudo = src + dst + struct.pack("!BBH", 0, protocol, len(body))
    body = body[:place] + b"\0\0" + body[place + 2:]
    body = body[:place] + checksum(pseudo + body) + body[place + 2:]
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), number, 0x4000, 64, protocol, 0,
                       src, dst)
    return head[:10] + checksum(head) + head[12:] + body


def is_right(frame):
    """Both checksums of an IPv4 frame."""
    body = frame[34:14 + int.from_bytes(frame[16:18], "big")]
    pseudo = frame[26:34] + struct.pack("!BBH", 0, frame[23], len(body))
    return checksum(frame[14:34]) == b"\0\0" and checksum(pseudo + body) == b"\0\0"


def segment(number, payload, to, flags=0x10):
    """A TCP segment of a flow that nobody listens to: the frame."""
    tcp = struct.pack("!HHIIBBHHH", 5001, 5002, 1000 * number, 7, 0x50, flags, 8192, 0, 0)
    return to + mac(2) + b"\x08\0" + ipv4(GUEST, HOST, 6, tcp + payload, number)


def test_A4_segments_of_a_guest_are_joined():
    """in order they reach the bridge in one piece; the one with a wrong checksum alone, as it is"""
    before = bridge()
    with Relay("-l", "12345", "br0") as relay:
        relay.listening(12345)
        tap_name = new_device(before)
        guest, wire = dial(12345), LinkPeer(tap_name)
        exchange(guest, wire)
        data = [filling(1000, number) for number in range(20)]
        said = [segment(number, one, mac(77)) for number, one in enumerate(data)]
        said[10] = said[10][:60] + b"?" + said[10][61:]
        guest.send_raw(enclose(*said))
        heard = wire.receive(3)
        assert [one[54:] for one in heard] == [b"".join(data[:10]), said[10][54:],
                                              b"".join(data[11:])]
        assert heard[1] == said[10]
        assert [int.from_bytes(one[38:42], "big") for one in heard] == [0, 10000, 11000]


def test_A4_datagrams_of_the_host_are_cut_and_summed():
    """sent by UDP_SEGMENT, and one by one: a guest gets frames, with checksums"""
    before = bridge(addresses=["10.77.0.1/24"])
    with Relay("-l", "12345", "br0") as relay:
        relay.listening(12345)
        new_device(before)
        links.ip("neighbour", "add", "10.77.0.2", "lladdr", "52:54:00:00:00:02", "dev", "br0")
        guest, _ = meet(dial(12345), LinkPeer("br0"))
        data = filling(14000)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(("10.77.0.2", 5000))
            sock.send(data[:1001])
            sock.sendmsg([data], [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("H", 1300))])
            sock.send(data[:999])
        heard = guest.receive(13)
        assert all(is_right(one) for one in heard), [one[:42].hex() for one in heard]
        assert b"".join(one[42:] for one in heard) == data[:1001] + data + data[:999]
        assert {len(one) for one in heard[1:11]} == {1342}


def test_a_tap_with_headers_handed_over():
    """by a manager; with headers of another length than those of ours"""
    before = bridge()
    for number, size in enumerate((10, 12, 24)):
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        name = f"nrtap{number}"
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(),
                                               IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
        fcntl.ioctl(fd, TUNSETVNETHDRSZ, struct.pack("i", size))
        links.ip("link", "set", name, "master", "br0", "up")
        with ManagedRelay() as relay:
            control = relay.control()
            control.attach("listen:127.0.0.1:12345")
            control.attach("bridge:br0", fd=fd)
            os.close(fd)
            guest, outside = dial(12345), member()
            exchange(guest, outside)
            exchange(guest, outside, size=1514)
            outside.close()
        eventually(lambda: devices() == before, 2, "the TAPs are gone")


if __name__ == "__main__":
    kit.main()
