#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""UDP ports: one exact peer each, several on one address, nothing of strangers."""

import errno
import os
import socket
import threading
import time

import kit
import links
from ctlproto import LISTENING, UP, ManagedRelay
from frames import BROADCAST, FRAME_MAX, frame, mac, numbered
from peers import Server, UdpPeer, dial, exchange, introduce, meet, talk
from relayproc import Relay, run, udp_ports
from traffic import Traffic, complete, unhurt
from wait import eventually, never

OURS = ("127.0.0.1", 4001)
THEIRS = ("127.0.0.1", 4002)


def udp(*addresses):
    """An endpoint's text: our address, and the peer's."""
    return "udp:" + ":".join("[%s]:%d" % one if ":" in one[0] else "%s:%d" % one
                             for one in addresses)


def udp_wire(*options, ours=OURS, theirs=THEIRS):
    """A guest with a udp NIC, wired to one with a server NIC: (relay, udp guest, tcp guest)."""
    server = Server(2001)
    relay = Relay(*options, udp(ours, theirs), "127.0.0.1:2001").bound(ours[1])
    return relay, *meet(UdpPeer(theirs, ours), server.accept())


def try_bind(address, *options):
    """Binds as somebody else would; returns the errno, 0 where it was possible."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        for option in options:
            sock.setsockopt(socket.SOL_SOCKET, option, 1)
        try:
            sock.bind(address)
        except OSError as error:
            return error.errno
        return 0


def test_F15_both_families_and_every_udp_form():
    """udp: with four parts, over IPv4 and IPv6"""
    for ours, theirs in ((OURS, THEIRS), (("::1", 4001), ("::1", 4002)),
                         (("127.0.0.5", 4001), ("127.0.0.6", 4001))):
        relay, one, other = udp_wire(ours=ours, theirs=theirs)
        with relay:
            for size in (60, 1514, 9014):
                exchange(one, other, size=size)
            one.close()


def test_F15_a_host_without_ipv6():
    """no IPv6 address anywhere: -l PORT serves IPv4"""
    for name in ("all", "default"):
        links.write(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6", "1")
    with Relay("-l", "12345") as relay:
        relay.listening(12345)
        exchange(dial(12345), dial(12345))


def test_F13_datagrams_of_strangers_are_never_forwarded():
    """another port, another address, ours to ourselves: nothing comes out, the good ones do"""
    relay, one, other = udp_wire()
    with relay:
        for address in (("127.0.0.1", 4003), ("127.0.0.9", 4002), ("127.0.0.9", 4001)):
            stranger = UdpPeer(address, OURS)
            stranger.send(frame(BROADCAST, mac(66), b"evil", size=60))
            stranger.close()
        exchange(one, other)
        other.silent(0.1)


def test_F13_strangers_before_and_while_it_starts():
    """what waits in the socket before it has its peer is not let in"""
    flood = threading.Event()
    stranger = UdpPeer(("127.0.0.9", 4003), OURS)
    evil = frame(BROADCAST, mac(66), b"evil", size=60)

    def shout():
        while not flood.is_set():
            for _ in range(100):
                stranger.send(evil)
    thread = threading.Thread(target=shout, daemon=True)
    thread.start()
    try:
        for _ in range(10):
            relay, one, other = udp_wire()
            with relay:
                exchange(one, other)
                other.silent(0.02)
                one.close()
                other.close()
    finally:
        flood.set()
        thread.join()


def strangers_of(control):
    """Datagrams of strangers, of all ports together."""
    return sum(port["drop_stranger"] for port in control.ports().values())


def test_F13_strangers_are_counted():
    """each datagram of nobody's once, for IPv4, IPv6, and all of our addresses alike"""
    for ours, theirs in ((OURS, THEIRS), (("::1", 4001), ("::1", 4002)), (("*", 4001), THEIRS)):
        with ManagedRelay() as relay:
            control = relay.control()
            control.attach("listen:127.0.0.1:12345")
            far = control.attach(udp(ours, theirs))
            relay.listening(12345).bound(4001)
            to = (theirs[0], 4001)
            stranger, good = UdpPeer((theirs[0], 4003), to), UdpPeer(theirs, to)
            guest = dial(12345)
            exchange(guest, good)
            for _ in range(10):
                stranger.send(frame(BROADCAST, mac(66), b"evil", size=60), b"", b"runt")
            exchange(guest, good)
            port = control.port_of(far)
            assert port["drop_stranger"] == 30 == port["drops"], port
            assert strangers_of(control) == 30, "otherwise when asked again"
            stranger.send(b"evil")
            control.must("DETACH", endpoint_id=far)
            gone = control.event("EVENT_PORT_GONE", port_id=port["port_id"])
            assert gone["drop_stranger"] == 31, gone
            assert try_bind(to) == 0, "the address is not free when the answer is there"
            for peer in (stranger, good, guest):
                peer.close()


def test_F13_strangers_of_a_shared_address_are_counted_once():
    """told to one of its ports, and to another when that is gone: the sum is right"""
    with ManagedRelay() as relay:
        control = relay.control()
        ids, guests = shared(relay, control, 3)
        introduce(*guests)
        stranger = UdpPeer(("127.0.0.1", 5999), OURS)
        told = 0
        for round_, endpoint in enumerate(ids, 1):
            for _ in range(10):
                stranger.send(frame(BROADCAST, mac(66), b"evil", size=60))
            if round_ == 2:
                assert told + strangers_of(control) == 20
            port = control.port_of(endpoint)
            control.must("DETACH", endpoint_id=endpoint)
            gone = control.event("EVENT_PORT_GONE", port_id=port["port_id"])
            told += gone["drop_stranger"]
            assert round_ == 3 or told + strangers_of(control) == 10 * round_
        assert told == 30, told


def test_F13_strangers_are_told_to_one_port():
    """always the same one of those that share an address, until it has no port any more"""
    with ManagedRelay() as relay:
        control = relay.control()
        ids, guests = shared(relay, control, 3)
        introduce(*guests)
        stranger = UdpPeer(("127.0.0.1", 5999), OURS)
        for count in (1, 2):
            stranger.send(frame(BROADCAST, mac(66), b"evil", size=60))
            eventually(lambda: strangers_of(control) == count, 5, "it is counted")
        ports = [control.port_of(one) for one in ids]
        told = [port["port_id"] for port in ports if port["drop_stranger"]]
        other = next(port["port_id"] for port in ports if port["port_id"] not in told)
        assert len(told) == 1, ports
        stranger.send(frame(BROADCAST, mac(66), b"evil", size=60))
        for port, count in ((other, 0), (told[0], 3)):
            control.must("CLOSE_PORT", port_id=port)
            assert control.event("EVENT_PORT_GONE", port_id=port)["drop_stranger"] == count
        stranger.send(frame(BROADCAST, mac(66), b"evil", size=60))
        eventually(lambda: strangers_of(control) == 1, 5, "another port tells of them")


def test_F13_a_flood_of_strangers():
    """as many datagrams a second as one can send: counted, and the good ones are unhurt"""
    with ManagedRelay() as relay:
        control = relay.control()
        control.attach("tcp:127.0.0.1:2001")
        server = Server(2001)
        far = control.attach(udp(OURS, THEIRS))
        relay.bound(OURS[1])
        one, other = meet(UdpPeer(THEIRS, OURS), server.accept())
        with Traffic(one_connected(one), other, rate=500) as traffic:
            traffic.sample()
            stranger = UdpPeer(("127.0.0.1", 4003), OURS, connected=True)
            sent = flood(stranger, 1.5)
            unhurt(traffic.finish())
        assert sent > 60000, f"only {sent} datagrams"
        assert control.port_of(far)["drop_stranger"] == sent


def flood(peer, seconds):
    """Sends as fast as it can; returns how many datagrams that were."""
    evil = frame(BROADCAST, mac(66), b"evil", size=60)
    end, sent = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        for _ in range(200):
            peer.sock.send(evil)
        sent += 200
    return sent


def one_connected(peer):
    """The stations use write(), so their datagram sockets are connected."""
    peer.sock.connect(peer.remote)
    return peer


def test_F14_empty_datagrams_and_runts():
    """never forwarded, nothing dies, the frames around them pass"""
    relay, one, other = udp_wire()
    with relay:
        for length in range(14):
            one.send(b"\xff" * length)
        one.send(*[b""] * 200)
        said = numbered(mac(2), mac(1), 7)
        one.send(said)
        other.expect(said)
        exchange(one, other)


def test_F14_a_frame_too_long_for_udp():
    """dropped and counted; those that fit go on, in order"""
    with ManagedRelay() as relay:
        control = relay.control()
        control.attach("listen:127.0.0.1:12345")
        far = control.attach("udp:127.0.0.1:4001:127.0.0.1:4002")
        relay.listening(12345).bound(4001)
        guest, other = meet(dial(12345), UdpPeer(THEIRS, OURS))
        largest = frame(BROADCAST, mac(1), size=65507)
        guest.send(largest, frame(BROADCAST, mac(1), size=65508),
                   frame(BROADCAST, mac(1), size=FRAME_MAX), numbered(mac(2), mac(1), 1))
        other.expect(largest, numbered(mac(2), mac(1), 1))
        port = control.port_of(far)
        assert port["drops"] == 2 == port["drop_size"] + port["drop_error"], port


def test_F14_a_frame_too_long_for_udp_is_said_once():
    """a hundred of them, twice, with another forwarder between: one line in the log"""
    with Relay("-l", "12345", "4001:127.0.0.1:4002") as relay:
        relay.listening(12345).bound(4001)
        guest, other = meet(dial(12345), UdpPeer(THEIRS, OURS))

        def too_long():
            for _ in range(100):
                guest.send(frame(BROADCAST, mac(1), size=FRAME_MAX))
            exchange(guest, other)
        too_long()
        eventually(lambda: "too long" in relay.text(), 8, "it is said")
        was = relay.forwarder()
        os.kill(was, 9)
        eventually(lambda: relay.forwarder() != was, 5, "another forwarder")
        too_long()
        never(lambda: relay.text().count("too long") > 1, 2.5, "it is said again")
        assert len(relay.text().splitlines()) <= 2, relay.text()
        assert relay.text().count("too long") == 1, relay.text()


def test_F14_icmp_unreachable_and_a_peer_that_appears_later():
    """nobody there at first: the port stays, and then it is reached; again after it was away"""
    with ManagedRelay() as relay:
        control = relay.control()
        control.attach("listen:127.0.0.1:12345")
        endpoint = control.attach("udp:127.0.0.1:4001:127.0.0.1:4002")
        port = control.port_of(endpoint)
        other = dial(12345)
        for _ in range(3):
            for number in range(50):
                other.send(numbered(mac(1), mac(2), number))
            peer = UdpPeer(THEIRS, OURS)
            meet(other, peer)
            peer.waiting.clear()            # the last of those that nobody was there for
            exchange(peer, other)
            peer.close()
        relay.calm()
        other.silent(0.01)
        assert control.port_of(endpoint)["port_id"] == port["port_id"], "its port has died"


def test_A11_udp_is_complete_at_a_moderate_rate():
    """a udp guest and a tcp guest: 2,000 frames a second each way, none lost"""
    relay, one, other = udp_wire()
    with relay, Traffic(one_connected(one), other, rate=2000, sizes=(60, 9000),
                        window=60000) as traffic:
        time.sleep(1.5)             # how long it is watched
        unhurt(traffic.finish())


def test_nobody_can_bind_beside_ours():
    """with SO_REUSEADDR, as QEMU does, and as another user with SO_REUSEPORT: EADDRINUSE"""
    relay, one, other = udp_wire()
    with relay:
        exchange(one, other)
        for address in (OURS, ("0.0.0.0", 4001)):
            for options in ((), (socket.SO_REUSEADDR,)):
                got = try_bind(address, *options)
                assert got == errno.EADDRINUSE, f"{address} {options}: {errno.errorcode.get(got)}"
        exchange(one, other)


def test_another_user_cannot_join_our_address():
    """SO_REUSEPORT works for one user only"""
    kit.need_root()
    relay, one, other = udp_wire()
    with relay:
        exchange(one, other)
        child = os.fork()
        if child == 0:
            os.setuid(65534)
            os._exit(try_bind(OURS, socket.SO_REUSEPORT, socket.SO_REUSEADDR))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == errno.EADDRINUSE


def test_F23_an_address_held_by_somebody_else():
    """exit 1, and the line names the address; with SO_REUSEADDR or without"""
    for option in ((), (socket.SO_REUSEADDR,)):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for one in option:
                sock.setsockopt(socket.SOL_SOCKET, one, 1)
            sock.bind(OURS)
            with Relay("udp:127.0.0.1:4001:127.0.0.1:4002", "127.0.0.1:2001") as relay:
                assert relay.process.wait(2) == 1, relay.text()
                assert "127.0.0.1:4001" in relay.text(), relay.text()


def shared(relay, control, count):
    """That many udp guests with one <source> of ours."""
    ids = [control.attach(f"udp:127.0.0.1:4001:127.0.0.1:{5001 + i}") for i in range(count)]
    relay.bound(4001)
    return ids, [UdpPeer(("127.0.0.1", 5001 + i), OURS) for i in range(count)]


def test_F23_another_relay_has_the_address():
    """it is refused, with its holder's name, and the first one hears all of its datagrams; the same
    peer twice in one relay is refused as well"""
    endpoint = "udp:127.0.0.1:4001:127.0.0.1:4002"
    with Relay("-l", "12345", endpoint) as relay:
        relay.listening(12345).bound(4001)
        guest = dial(12345)
        udp = UdpPeer(("127.0.0.1", 4002), ("127.0.0.1", 4001), connected=True)
        meet(guest, udp)
        for other in (endpoint, "udp:127.0.0.1:4001:127.0.0.1:4003", "4001:127.0.0.1:4002"):
            result = run("-l", "12346", other)
            assert result.returncode == 1 and "4001 is in use by netrelay" in result.stderr, result
        talk(guest, udp)
        relay.term()
    result = run("-l", "12346", endpoint, endpoint)
    assert result.returncode == 2 and "once only" in result.stderr, result
    with ManagedRelay() as relay:
        control = relay.control()
        control.attach(endpoint)
        refused = control.request("ATTACH", endpoint=endpoint)
        assert "already" in refused["error_text"], refused
        control.close()


def test_F_several_guests_share_one_source():
    """each has its own port: unicast reaches one, broadcast all, nobody gets another's"""
    with ManagedRelay() as relay:
        control = relay.control()
        _, guests = shared(relay, control, 4)
        introduce(*guests)
        for one in range(4):
            for other in range(one):
                talk(guests[one], guests[other], one + 1, other + 1)
        for guest in guests:
            guest.silent(0.05)
        ports = control.ports()
        assert len(ports) == 4
        assert all(4 <= port["rx_frames"] < 50 for port in ports.values()), ports


def test_F_one_of_several_leaves_and_comes_back():
    """detached: the others go on; its datagrams go nowhere; attached again: it is back"""
    with ManagedRelay() as relay:
        control = relay.control()
        ids, guests = shared(relay, control, 3)
        introduce(*guests)
        control.must("DETACH", endpoint_id=ids[1])
        guests[1].send(frame(BROADCAST, mac(2), b"gone", size=60))
        exchange(guests[0], guests[2], 1, 3)
        guests[0].silent(0.05)
        control.attach("udp:127.0.0.1:4001:127.0.0.1:5002")
        guests[1].send(frame(BROADCAST, mac(2), b"back", size=60))
        guests[0].expect(frame(BROADCAST, mac(2), b"back", size=60))
        guests[2].expect(frame(BROADCAST, mac(2), b"back", size=60))
        for endpoint in control.dump()[0]:
            control.must("DETACH", endpoint_id=endpoint)
        assert try_bind(OURS) == 0, "the address is not free when the answer is there"
        assert 4001 not in udp_ports()


def test_F_a_shared_source_keeps_strangers_out():
    """a sender that is nobody's peer reaches none of them"""
    with ManagedRelay() as relay:
        control = relay.control()
        _, guests = shared(relay, control, 2)
        introduce(*guests)
        stranger = UdpPeer(("127.0.0.1", 5999), OURS)
        for _ in range(50):
            stranger.send(frame(BROADCAST, mac(66), b"evil", size=60))
        exchange(*guests)
        for guest in guests:
            guest.silent(0.1)


def test_udp_guests_under_load_share_one_source():
    """three of them, all to all: complete"""
    with ManagedRelay() as relay:
        control = relay.control()
        _, guests = shared(relay, control, 3)
        with Traffic(*map(one_connected, guests), rate=1000, window=60000) as traffic:
            time.sleep(1)           # how long it is watched
            complete(traffic.finish())


def learner(relay, text="udp:4001,learn", label=""):
    """A relay's control, a station of its switch, and the endpoint that looks for its peer."""
    control = relay.control()
    control.attach("listen:127.0.0.1:12345")
    endpoint = control.attach(text, label)
    relay.listening(12345).bound(4001)
    return control, dial(12345), endpoint


def test_learning_who_comes_first_is_the_peer():
    """only he, for every form of our address; strangers afterwards are counted, and no more"""
    for text, host in (("udp:4001,learn", "127.0.0.1"), ("udp:4001,learn", "::1"),
                       ("udp:4001,learn", "127.0.0.7"), ("udp:127.0.0.1:4001,learn", "127.0.0.1"),
                       ("udp:[::1]:4001,learn", "::1")):
        with ManagedRelay() as relay:
            control, guest, endpoint = learner(relay, text)
            assert control.dump()[0][endpoint]["state"] == LISTENING
            to = (host, 4001)
            first, second = UdpPeer((host, 4002), to), UdpPeer((host, 4003), to)
            exchange(first, guest)
            for _ in range(5):
                second.send(frame(BROADCAST, mac(66), b"evil", size=60))
            exchange(first, guest)
            guest.silent(0.02)
            second.silent(0.02)
            assert control.dump()[0][endpoint]["state"] == UP
            port = control.port_of(endpoint)
            assert port["peer"].endswith(":4002") and port["drop_stranger"] == 5, port
            for address in (to, ("::", 4001)):
                assert try_bind(address, socket.SO_REUSEADDR) == errno.EADDRINUSE, address
            control.must("DETACH", endpoint_id=endpoint)
            assert try_bind(("::", 4001)) == 0, "the address is not free"
            for peer in (first, second, guest):
                peer.close()


def test_learning_not_from_what_is_no_frame():
    """empty datagrams and runts make nobody the peer, and wake nobody"""
    with ManagedRelay() as relay:
        control, guest, endpoint = learner(relay)
        stranger, peer = UdpPeer(("127.0.0.1", 4003), OURS), UdpPeer(THEIRS, OURS)
        for length in range(14):
            stranger.send(b"\xff" * length)
        assert control.dump()[0][endpoint]["state"] == LISTENING
        peer.send(b"\xff" * 14)
        assert control.port_of(endpoint)["peer"] == "127.0.0.1:4002"
        exchange(peer, guest)


def test_learning_among_many_who_shout():
    """one of them is the peer, and nothing of any other comes through"""
    for _ in range(5):
        with Relay("udp:4001,learn", "127.0.0.1:2001") as relay:
            server = Server(2001)
            guest = server.accept()
            relay.bound(4001)
            several = [UdpPeer(("127.0.0.1", 5001 + i), OURS) for i in range(8)]
            deadline = time.monotonic() + 5
            while len(guest.waiting) < 10 and time.monotonic() < deadline:
                for number, peer in enumerate(several):
                    peer.send(numbered(BROADCAST, mac(number + 1), 0))
                guest.gather(0.01)
            senders = {one[6:12] for one in guest.receive(10) + guest.drain(0.1)}
            assert len(senders) == 1, f"{len(senders)} got through"
            for peer in (*several, guest, server):
                peer.close()


def test_learning_shares_its_address_with_nobody():
    """while it looks for its peer; afterwards others of ours may have theirs"""
    with ManagedRelay() as relay:
        control, guest, _ = learner(relay, "udp:127.0.0.1:4001,learn")
        answer = control.request("ATTACH", endpoint="udp:127.0.0.1:4001:127.0.0.1:4005", label="")
        assert answer["error"] == errno.EADDRINUSE and "127.0.0.1:4001" in answer["error_text"]
        first = UdpPeer(THEIRS, OURS)
        exchange(first, guest)
        control.attach("udp:127.0.0.1:4001:127.0.0.1:4005")
        exchange(UdpPeer(("127.0.0.1", 4005), OURS), first, 3, 1)


def test_learning_a_host_without_ipv6():
    """its wildcard is IPv4's there"""
    for name in ("all", "default"):
        links.write(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6", "1")
    with ManagedRelay() as relay:
        _, guest, _ = learner(relay)
        exchange(UdpPeer(THEIRS, OURS), guest)


if __name__ == "__main__":
    kit.main()
