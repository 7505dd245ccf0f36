#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""TAPs and bridges: the relay's port in the kernel."""

import os
import socket
import struct

import kit
import links
from ctlproto import ManagedRelay
from frames import BROADCAST, frame, mac, numbered, padded
from peers import LinkPeer, TapPeer, dial, exchange, meet
from relayproc import Relay, run
from relayproc import links as devices
from station import checksum
from traffic import Traffic, complete
from wait import eventually

HOST = bytes([10, 77, 0, 1])
GUEST = bytes([10, 77, 0, 2])


def quiet_kernel():
    kit.need_tun()
    kit.quiet_kernel()


def bridge(**details):
    quiet_kernel()
    links.add_bridge("br0", **details)
    return devices()


def member(name="other"):
    """A port of somebody else's in the bridge."""
    peer = TapPeer(name)
    links.ip("link", "set", name, "mtu", links.read("br0", "mtu"), "master", "br0", "up")
    return peer


def new_device(before):
    """The device that the relay made; in the bridge, and forwarding."""
    name = eventually(lambda: next(iter(devices() - before), None), 5, "the relay makes its TAP")
    eventually(lambda: links.read(name, "brport/state") == "3", 5, f"{name} is up in the bridge")
    return name


def arp(kind, sender_mac, sender, target):
    return struct.pack("!HHBBH6s4s6s4s", 1, 0x0800, 6, 4, kind, sender_mac, sender, b"", target)


def echo_request(dst, src, size):
    """An ICMP echo request from GUEST to HOST."""
    body = b"\x08\0\0\0" + b"\0\1\0\1" + bytes(i & 255 for i in range(size))
    body = body[:2] + checksum(body) + body[4:]
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 1, 0, 64, 1, 0, GUEST, HOST)
    return frame(dst, src, head[:10] + checksum(head) + head[12:] + body, 0x0800)


def ask_arp(guest):
    """The host's address on the bridge, asked for with an unpadded frame as QEMU sends it."""
    guest.send(frame(BROADCAST, mac(1), arp(1, mac(1), GUEST, HOST), 0x0806))
    reply, = guest.receive()
    assert reply[:6] == mac(1) and reply[12:14] == b"\x08\x06", reply.hex()
    assert reply[28:32] == HOST, reply.hex()
    return reply[22:28]


def test_A4_a_guest_reaches_the_host_on_a_bridge():
    """ARP and ping through -l PORT br0; the TAP is up, enslaved, and gone on exit"""
    before = bridge(addresses=["10.77.0.1/24"])
    with Relay("-l", "12345", "br0") as relay:
        relay.listening(12345)
        name = new_device(before)
        guest, _ = meet(dial(12345), LinkPeer("br0"))
        host_mac = ask_arp(guest)
        assert ":".join(f"{b:02x}" for b in host_mac) == links.read("br0", "address")
        guest.send(echo_request(host_mac, mac(1), 1000))
        reply, = guest.receive()
        assert reply[23] == 1 and reply[34] == 0 and len(reply) == 1042, reply[:40].hex()
        assert links.read(name, "address").startswith("fe:")
        relay.term()
    assert devices() == before, f"left: {devices() - before}"


def test_A4_ipv6_neighbour_discovery():
    """a neighbour solicitation to the host's address on the bridge is answered"""
    kit.need_tun()
    links.add_bridge("br0", addresses=["fd00:77::1/64"])
    before = devices()
    with Relay("-l", "12345", "bridge:br0") as relay:
        relay.listening(12345)
        name = new_device(before)
        guest, _ = meet(dial(12345), LinkPeer("br0"))
        ours, theirs = (socket.inet_pton(socket.AF_INET6, f"fd00:77::{i}") for i in (2, 1))
        target = socket.inet_pton(socket.AF_INET6, "ff02::1:ff00:1")
        body = b"\x87\0\0\0\0\0\0\0" + theirs + b"\x01\x01" + mac(1)
        pseudo = ours + target + struct.pack("!II", len(body), 58)
        body = body[:2] + checksum(pseudo + body) + body[4:]
        head = struct.pack("!IHBB", 6 << 28, len(body), 58, 255) + ours + target
        guest.send(frame(b"\x33\x33\xff\x00\x00\x01", mac(1), head + body, 0x86dd))
        reply = eventually(lambda: next((f for f in guest.drain(0.1) if f[12:14] == b"\x86\xdd"
                                         and f[54] == 0x88 and f[62:78] == theirs), None),
                           5, "a neighbour advertisement")
        assert reply[:6] == mac(1)
        assert ipv6_off(name)


def ipv6_off(name):
    with open(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6") as text:
        return text.read().strip() == "1"


def test_frames_are_padded_for_a_bridge_only():
    """14 and 42 bytes from a guest: 60 on the bridge, as they were at another guest"""
    before = bridge()
    with Relay("-l", "12345", "br0") as relay:
        relay.listening(12345)
        new_device(before)
        guest, other, outside = meet(dial(12345), dial(12345), member())
        for size in (14, 42, 59, 60, 61):
            said = frame(BROADCAST, mac(1), size=size)
            guest.send(said)
            outside.expect(padded(said))
            other.expect(said)


def test_the_bridge_stays_as_it_was():
    """its MTU of 9000 and its address: with the TAP in it, and after"""
    bridge(mtu=9000)
    older = member("older")
    links.ip("link", "set", "older", "address", "fc:00:00:00:00:01")
    before = devices()
    was = links.read("br0", "mtu"), links.read("br0", "address")
    assert was[0] == "9000"
    with Relay("-l", "12345", "br0") as relay:
        relay.listening(12345)
        name = new_device(before)
        assert (links.read("br0", "mtu"), links.read("br0", "address")) == was
        assert links.read(name, "mtu") == "9000"
        relay.term()
    assert (links.read("br0", "mtu"), links.read("br0", "address")) == was
    assert devices() == before
    older.close()


def test_A9_jumbo_frames_on_a_bridge():
    """9,014 bytes pass where the bridge has MTU 9000; longer ones are dropped, nothing dies"""
    before = bridge(mtu=9000)
    with Relay("-l", "12345", "br0") as relay:
        relay.listening(12345)
        new_device(before)
        guest, outside = meet(dial(12345), member())
        for size in (9014, 1514):
            exchange(guest, outside, size=size)
        guest.send(frame(BROADCAST, mac(1), size=69632), numbered(mac(2), mac(1), 5))
        outside.expect(numbered(mac(2), mac(1), 5))
        exchange(guest, outside)


def test_bridge_traffic_is_complete():
    """a guest and somebody on the bridge, 2,000 frames a second each way"""
    before = bridge()
    with Relay("-l", "12345", "br0") as relay:
        relay.listening(12345)
        new_device(before)
        guest, outside = dial(12345), member()
        exchange(guest, outside)
        with Traffic(guest, outside, rate=2000, window=60000) as traffic:
            traffic.flow(3000)
            complete(traffic.finish())


def test_sigkill_leaves_no_tap():
    """the keeper killed: its TAP is gone with its processes"""
    before = bridge()
    with Relay("-l", "12345", "br0") as relay:
        relay.listening(12345)
        new_device(before)
        relay.kill()
        eventually(lambda: devices() == before, 2, "the TAP is gone")


def test_the_forwarders_death_keeps_the_tap():
    """the same device, still in the bridge, still served"""
    before = bridge()
    with Relay("-l", "12345", "br0") as relay:
        relay.listening(12345)
        name = new_device(before)
        guest, outside = dial(12345), member()
        exchange(guest, outside)
        index = socket.if_nametoindex(name)
        was = relay.forwarder()
        os.kill(was, 9)
        eventually(lambda: relay.forwarder() != was, 5, "another forwarder")
        exchange(guest, outside)
        assert socket.if_nametoindex(name) == index


def test_tap_by_name():
    """tap:NAME: a device that somebody made; frames both ways; it is still there afterwards"""
    quiet_kernel()
    links.ip("tuntap", "add", "dev", "t0", "mode", "tap")
    links.ip("link", "set", "t0", "up")
    with Relay("-l", "12345", "tap:t0") as relay:
        relay.listening(12345)
        eventually(lambda: links.read("t0", "carrier") == "1", 5, "t0 has its reader")
        guest, host = dial(12345), LinkPeer("t0")
        exchange(guest, host)
        short = frame(BROADCAST, mac(1), b"short")
        guest.send(short)
        host.expect(padded(short))
        relay.term()
    assert "t0" in devices()


def test_B3_a_tap_that_is_made():
    """tap:NAME,ip=: made with these addresses, up, used, gone with the relay; also by SIGKILL"""
    kit.need_tun()
    with Relay("-l", "12345", "tap:vmvlan0,ip=192.0.2.1/24,ip=fd00::1/64") as relay:
        relay.listening(12345)
        eventually(lambda: links.read("vmvlan0", "carrier") == "1", 5, "vmvlan0 is up")
        shown = links.ip("addr", "show", "dev", "vmvlan0")
        assert "192.0.2.1/24" in shown and "fd00::1/64" in shown, shown
        relay.term()
    assert "vmvlan0" not in devices()
    quiet_kernel()
    with Relay("-l", "12345", "tap:vmvlan0") as relay:
        relay.listening(12345)
        eventually(lambda: links.read("vmvlan0", "carrier") == "1", 5, "vmvlan0 is up")
        exchange(dial(12345), LinkPeer("vmvlan0"))
        assert "vmvlan0" in devices()
        relay.kill()
    assert "vmvlan0" not in devices()


def made_with(endpoint, name):
    """The MAC address of the TAP that a relay makes."""
    with Relay("-l", "12345", endpoint) as relay:
        relay.listening(12345)
        eventually(lambda: links.is_up(name), 5, f"{name} is there, and has all it is to have")
        found = links.read(name, "address")
        relay.term()
    return found


def test_B3_a_tap_that_is_made_again_has_the_same_mac():
    """for its name and addresses; another one for others; in a bridge, too, and above its own"""
    bridge()
    first = made_with("tap:t0,ip=192.0.2.1/24", "t0")
    assert int(first[:2], 16) & 3 == 2, f"{first} is not locally administered"
    assert made_with("tap:t0,ip=192.0.2.1/24,pin", "t0") == first
    others = [made_with(endpoint, endpoint[4:6]) for endpoint in
              ("tap:t0,ip=192.0.2.2/24", "tap:t0", "tap:t1,ip=192.0.2.1/24")]
    assert len({first, *others}) == 4, (first, others)
    member = made_with("br0", "nrtap0")
    assert made_with("br0", "nrtap0") == member and member.startswith("fe:")


def test_B3_a_tap_that_was_there_keeps_its_addresses():
    """ip= beside an existing TAP, and an address twice: refused, nothing is left"""
    kit.need_tun()
    links.ip("tuntap", "add", "dev", "t0", "mode", "tap")
    result = run("-l", "12345", "tap:t0,ip=192.0.2.1/24")
    assert result.returncode == 1 and "keeps the addresses" in result.stderr, result
    assert "192.0.2.1" not in links.ip("addr", "show", "dev", "t0")
    result = run("-l", "12345", "tap:t1,ip=192.0.2.1/24,ip=192.0.2.1/24")
    assert result.returncode == 1 and "cannot have the address 192.0.2.1/24" in result.stderr, \
        result
    assert "t1" not in devices()


def test_F12_a_tap_set_down_and_up():
    """nothing dies, no CPU is burnt, and it serves again when it is up"""
    quiet_kernel()
    links.ip("tuntap", "add", "dev", "t0", "mode", "tap")
    links.ip("link", "set", "t0", "up")
    with Relay("-l", "12345", "tap:t0") as relay:
        relay.listening(12345)
        eventually(lambda: links.read("t0", "carrier") == "1", 5, "t0 has its reader")
        guest, other = dial(12345), dial(12345)
        exchange(guest, other)
        links.ip("link", "set", "t0", "down")
        for number in range(100):
            guest.send(numbered(BROADCAST, mac(1), number))
            other.expect(numbered(BROADCAST, mac(1), number))
        relay.calm()
        links.ip("link", "set", "t0", "up")
        host = LinkPeer("t0")
        exchange(guest, host, 1, 3)


def test_F22_a_bridge_that_is_none():
    """a device that is no bridge, and one that is not there: refused by name, nothing created"""
    quiet_kernel()
    TapPeer("nobridge")
    before = devices()
    for name in ("nobridge", "nosuchbr"):
        with Relay("-l", "12345", name) as relay:
            code = relay.process.wait(2)
            assert code in (1, 2) and name in relay.text(), f"exit {code}: {relay.text()}"
            assert len(relay.text().splitlines()) == 1, relay.text()
            assert name == "nobridge" or "such as tap:nosuchbr, user: or" in relay.text()
        assert devices() == before


def test_fd_endpoint_with_a_tap():
    """fd:N: an inherited TAP"""
    quiet_kernel()
    tun = TapPeer("t0")
    links.ip("link", "set", "t0", "up")
    with Relay("-l", "12345", f"fd:{tun.fd}", pass_fds=[tun.fd]) as relay:
        relay.listening(12345)
        tun.close()
        guest, host = dial(12345), LinkPeer("t0")
        exchange(guest, host)
        relay.term()
    assert "t0" not in devices()


def test_a_tap_handed_over_by_the_manager():
    """ATTACH bridge:br0 with its descriptor: served, named in the dump; DETACH: gone at once"""
    before = bridge()
    with ManagedRelay() as relay:
        control = relay.control()
        control.attach("listen:127.0.0.1:12345")
        tun = TapPeer("nrtap0")
        links.ip("link", "set", "nrtap0", "master", "br0", "up")
        endpoint = control.attach("bridge:br0", fd=tun.fd)
        tun.close()
        port = control.port_of(endpoint)
        assert "nrtap0" in (port.get("detail", "") + control.dump()[0][endpoint].get("detail", ""))
        guest, outside = dial(12345), member()
        exchange(guest, outside)
        outside.close()
        control.must("DETACH", endpoint_id=endpoint)
        assert "nrtap0" not in devices(), "some holder has the TAP when the answer is there"
        assert devices() == before


def test_a_managed_relay_makes_no_tap_by_itself_without_a_descriptor_or_says_why():
    """ATTACH bridge: of a bridge that is missing is refused in a sentence"""
    kit.need_tun()
    with ManagedRelay() as relay:
        control = relay.control()
        answer = control.request("ATTACH", endpoint="bridge:nosuchbr")
        assert answer["error"] != 0 and answer["error_text"], answer


def test_A5_the_forwarder_has_no_capabilities():
    """the bridge's TAP was made with CAP_NET_ADMIN, which the forwarder has not"""
    before = bridge()
    with Relay("-l", "12345", "br0") as relay:
        relay.listening(12345)
        new_device(before)
        from relayproc import status         # pylint: disable=import-outside-toplevel
        assert status(relay.forwarder(), "CapEff") == 0
        kept = status(relay.keeper, "CapEff")
        assert kept & ~(1 << 12 | 1 << 10) == 0, f"the keeper has capabilities {kept:x}"


if __name__ == "__main__":
    kit.main()
