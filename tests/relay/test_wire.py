#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Two endpoints on the command line: a wire."""

import os
import socket
import struct
import subprocess
import tempfile
import threading
import time

import kit
import links
from frames import BROADCAST, FRAME_MAX, Decoder, enclose, frame, mac, numbered
from peers import PipePeer, Server, StreamPeer, TapPeer, UdpPeer, dial, exchange, meet, tcp_pair
from relayproc import Relay
from traffic import Traffic, complete, unhurt
from wait import eventually

SIZES = (60, 64, 999, 1514)


def wire_between_servers(*options):
    """A relay that dials two guests: (relay, one, other)."""
    servers = [Server(2001), Server(2002)]
    relay = Relay(*options, "127.0.0.1:2001", "127.0.0.1:2002")
    return (relay, *meet(*(server.accept() for server in servers)))


class Forms:
    """Every form an endpoint can have, and a peer for it: {form: (argument, peer)}.

    `side` keeps the two ends of one wire apart; a peer is made when the relay is there.
    """

    def __init__(self, side):
        self.side = side
        base = 3000 + 100 * side
        self.forms = {
            "-": ("-", PipePeer),
            "ip:port": self.tcp("127.0.0.1", "127.0.0.1", base + 1),
            "[v6]:port": self.tcp("::1", "[::1]", base + 2),
            "lport:ip:rport": self.udp(f"{base + 3}:127.0.0.1:{base + 4}", base + 3,
                                       "127.0.0.1", base + 4),
            "lport:ip:": self.udp(f"{base + 5}:127.0.0.2:", base + 5, "127.0.0.2", base + 5),
            ":ip:rport": self.udp(f":127.0.0.3:{base + 6}", base + 6, "127.0.0.3", base + 6),
            "lport::rport": self.udp(f"{base + 7}::{base + 8}", base + 7, "127.0.0.1", base + 8),
            "lport:[v6]:rport": self.udp(f"{base + 9}:[::1]:{base + 10}", base + 9, "::1",
                                         base + 10),
            "listen:port": (f"listen:{base + 11}", lambda relay: relay.listening(base + 11)
                            and dial(base + 11)),
            "listen:[v6]:port": (f"listen:[::1]:{base + 12}", lambda relay:
                                 relay.listening(base + 12) and dial(base + 12, "::1")),
            "bridge": (f"br{side}", lambda _: self.on_bridge()),
        }

    @staticmethod
    def tcp(host, text, l4_port):
        server = []

        def argument():
            server.append(Server(l4_port, host))
            return f"{text}:{l4_port}"

        def peer(_):
            one = server[-1].accept()
            server[-1].close()
            return one
        return argument, peer

    @staticmethod
    def udp(argument, ours, host, theirs):
        return argument, lambda relay: relay.connected(ours) and UdpPeer(
            (host, theirs), ("::1" if ":" in host else "127.0.0.1", ours))

    def on_bridge(self):
        """A TAP of somebody else's in the same bridge. Waits for the relay's own."""
        peer = TapPeer(f"guest{self.side}")
        links.ip("link", "set", peer.name, "master", f"br{self.side}", "up")
        eventually(lambda: len([one for one in links.members(f"br{self.side}")
                                if links.read(one, "operstate") in ("up", "unknown")]) == 2,
                   5, "the relay's TAP is in the bridge")
        return peer


def pair_of_forms(one, other):
    """Frames of all sizes go both ways and come as they were."""
    ends = [Forms(side).forms[form] for side, form in enumerate((one, other), 1)]
    arguments = [argument() if callable(argument) else argument for argument, _ in ends]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE} if "-" in arguments else {}
    with Relay(*arguments, **pipes) as relay:
        first, second = (make(relay.process if make is PipePeer else relay) for _, make in ends)
        for size in SIZES:
            exchange(first, second, size=size)
        relay.alive()
        for peer in (first, second):
            if not isinstance(peer, PipePeer):
                peer.close()


def wires_with(form):
    """This form beside every form, itself too, but for two times standard input."""
    bridged = os.access("/dev/net/tun", os.R_OK | os.W_OK)
    if bridged:
        links.write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1")
    for side in (1, 2):
        if f"br{side}" not in links.names():
            links.add_bridge(f"br{side}")
    for other in Forms(0).forms:
        if form == other == "-" or ("bridge" in (form, other) and not bridged):
            continue
        print(f"{form} and {other}")
        pair_of_forms(form, other)


def test_A6_stdio_beside_every_form():
    """`-`: byte-identical frames, both ways"""
    wires_with("-")


def test_A6_tcp_beside_every_form():
    """`ip:port`: byte-identical frames, both ways"""
    wires_with("ip:port")


def test_A6_tcp_over_ipv6_beside_every_form():
    """`[v6]:port`: byte-identical frames, both ways"""
    wires_with("[v6]:port")


def test_A6_udp_beside_every_form():
    """`lport:ip:rport`: byte-identical frames, both ways"""
    wires_with("lport:ip:rport")


def test_A6_udp_without_rport_takes_the_other_value():
    """`lport:ip:`: byte-identical frames, both ways"""
    wires_with("lport:ip:")


def test_A6_udp_without_lport_takes_the_other_value():
    """`:ip:rport`: byte-identical frames, both ways"""
    wires_with(":ip:rport")


def test_A14_udp_without_an_address_beside_every_form():
    """`lport::rport`, which is 127.0.0.1: byte-identical frames, both ways"""
    wires_with("lport::rport")


def test_A6_F15_udp_over_ipv6_beside_every_form():
    """`lport:[v6]:rport`: byte-identical frames, both ways"""
    wires_with("lport:[v6]:rport")


def test_A6_F15_listeners_beside_every_form():
    """`listen:port` and `listen:[v6]:port`: byte-identical frames, both ways"""
    wires_with("listen:port")
    wires_with("listen:[v6]:port")


def test_A6_bridge_beside_every_form():
    """a bridge's name: byte-identical frames, both ways"""
    kit.need_tun()
    wires_with("bridge")


def test_A8_framing_is_what_qemu_writes():
    """four bytes of big-endian length, then the frame; the same bytes come out"""
    relay, one, other = wire_between_servers()
    with relay:
        one.send_raw(b"\x00\x00\x00\x3c" + b"\xab" * 60)
        other.sock.settimeout(5)
        assert other.sock.recv(64, socket.MSG_WAITALL) == b"\x00\x00\x00\x3c" + b"\xab" * 60


def test_A12_everything_passes_a_wire():
    """ARP, LLDP, LACP, STP, 802.1X, tags, pause frames, odd addresses: untouched"""
    relay, one, other = wire_between_servers()
    odd = [frame(BROADCAST, mac(1), b"who has", 0x0806, 60),
           frame(bytes.fromhex("0180c200000e"), mac(1), b"lldp", 0x88cc, 60),
           frame(bytes.fromhex("0180c2000002"), mac(1), b"lacp", 0x8809, 60),
           frame(bytes.fromhex("0180c2000000"), mac(1), b"stp", 0x0026, 60),
           frame(bytes.fromhex("0180c2000003"), mac(1), b"eapol", 0x888e, 60),
           frame(bytes.fromhex("0180c2000001"), mac(1), b"pause", 0x8808, 60),
           frame(mac(2), mac(1), struct.pack("!HH", 5, 0x0800), 0x8100, 1518),
           frame(mac(2), mac(1), struct.pack("!HHHH", 5, 0x8100, 6, 0x0800), 0x88a8, 1522),
           frame(mac(1), mac(1), b"to itself", size=60),
           frame(b"\0" * 6, b"\0" * 6, b"zero", size=60),
           frame(mac(2), BROADCAST, b"from all", size=60),
           frame(mac(2), mac(1), b"", size=14),
           frame(mac(2), mac(1), b"arp of 42", 0x0806, 42)]
    with relay:
        for sender, receiver in ((one, other), (other, one)):
            sender.send(*odd)
            receiver.expect(*odd)
        one.silent()


def test_A9_F3_jumbo_frames_up_to_the_largest():
    """9,014 and 69,632 bytes pass a wire of two streams"""
    relay, one, other = wire_between_servers()
    with relay:
        for size in (9014, 65535, FRAME_MAX - 1, FRAME_MAX):
            exchange(one, other, size=size)


def test_F10_targets_that_come_later_in_any_order():
    """a dialled target that is not up yet is found within 2 s of being there"""
    with Relay("127.0.0.1:2001", "127.0.0.1:2002") as relay:
        relay.forwarder()
        first = found_in_time(2002)
        second = found_in_time(2001)
        exchange(first, second)


def found_in_time(l4_port, host="127.0.0.1"):
    server = Server(l4_port, host)
    began = time.monotonic()
    peer = server.accept(4)
    took = time.monotonic() - began
    assert took < 2.1, f"dialled after {took:.2f} s"
    server.close()
    return peer


def test_F10_a_target_that_goes_and_returns_ten_times():
    """each time it is found again within 2 s, the other end keeps its link, the log stays short"""
    constant = Server(2001)
    with Relay("127.0.0.1:2001", "127.0.0.1:2002") as relay:
        other = constant.accept()
        for number in range(10):
            peer = found_in_time(2002)
            exchange(peer, other, first=10 + number)
            peer.close() if number % 2 else peer.reset()
        other.silent(0.05)
        lines = relay.text().splitlines()
        assert len(lines) < 60, f"{len(lines)} lines for ten times: {lines[:10]}"


def test_F10_tries_leave_no_line_each():
    """a target that refuses for 3 s: tried often, and logged once"""
    constant = Server(2001)
    with Relay("127.0.0.1:2001", "127.0.0.1:2002") as relay:
        constant.accept()
        tries = attempts_within(2002, 3)
        assert 2 <= tries <= 40, f"{tries} tries in 3 s: the back-off is not between 50 ms and 2 s"
        assert relay.text().count("2002") <= 3, relay.text()
        relay.calm()


def test_F10_a_target_that_is_filtered():
    """its SYNs are dropped for 4 s, as by a filter: found within 2 s of being let through"""
    constant = Server(2001)
    full = socket.socket()          # a full backlog drops further SYNs without a word
    full.bind(("127.0.0.1", 2002))
    full.listen(0)
    stuffing = [socket.socket() for _ in range(3)]
    for sock in stuffing:
        sock.setblocking(False)
        sock.connect_ex(("127.0.0.1", 2002))
    with Relay("127.0.0.1:2001", "127.0.0.1:2002") as relay:
        one = constant.accept()
        time.sleep(4)               # how long it is filtered
        relay.alive()
        for sock in stuffing:
            sock.close()
        began = time.monotonic()
        full.listen(16)
        full.settimeout(5)
        other = eventually(lambda: next_living(full), 5, "the relay's connection")
        took = time.monotonic() - began
        exchange(one, other)
        assert took < 2.2, f"dialled after {took:.2f} s"


def next_living(listener):
    """Accepts the next connection that its other end has not given up."""
    sock, _ = listener.accept()
    sock.settimeout(0.05)
    try:
        if sock.recv(1, socket.MSG_PEEK) == b"":
            return None
    except TimeoutError:
        pass
    except OSError:
        return None
    return StreamPeer(sock)


def attempts_within(l4_port, seconds):
    """Connection requests to a port that nobody listens on, seen on the loopback."""
    watch = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
    watch.bind(("lo", 0))
    end = time.monotonic() + seconds
    seen = 0
    while (left := end - time.monotonic()) > 0:
        watch.settimeout(left)
        try:
            data, origin = watch.recvfrom(200)
        except TimeoutError:
            break
        port, flags = struct.unpack_from("!H", data, 22)[0], data[33]
        seen += data[9] == 6 and port == l4_port and flags & 0x12 == 2 \
            and origin[2] != socket.PACKET_OUTGOING
    return seen


def test_F10_a_name_that_resolves_later():
    """a host name unknown at first is asked for again, and then dialled"""
    kit.need_root()
    hosts = "/tmp/hosts-of-a-test"
    links.write(hosts, "127.0.0.1 localhost\n")
    subprocess.run(["mount", "--bind", hosts, "/etc/hosts"], check=True)
    constant, server = Server(2001), Server(2002)
    with Relay("127.0.0.1:2001", "later.example.test:2002") as relay:
        one = constant.accept()
        relay.forwarder()
        links.write(hosts, "127.0.0.1 localhost\n127.0.0.1 later.example.test\n")
        other = server.accept(8)
        exchange(one, other)
    os.unlink(hosts)


def test_F10_a_name_server_that_never_answers():
    """others are served at once and all the while, and it ends in time"""
    kit.need_root()
    with tempfile.NamedTemporaryFile("w") as resolver:      # which the mount keeps
        resolver.write("nameserver 127.0.0.1\n")
        resolver.flush()
        os.chmod(resolver.name, 0o644)
        subprocess.run(["mount", "--bind", resolver.name, "/etc/resolv.conf"], check=True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 53))
        began = time.monotonic()
        with Relay("-l", "12345", "never.example.test:2002", "4001:never.example.test:") as relay:
            relay.listening(12345)
            guests = meet(dial(12345), dial(12345))
            assert time.monotonic() - began < 1, "it waits for an answer"
            with Traffic(*guests) as traffic:
                mute.settimeout(5)
                assert b"never" in mute.recv(512), "nobody asks for the name"
                traffic.flow(2000)
                unhurt(traffic.finish())
            relay.term()


def test_F7_a_wire_pushes_back():
    """the sink stops reading: the source is held, nothing is lost, when it reads again"""
    relay, one, other = wire_between_servers("--stall", "30")
    with relay:
        sent = pushed_until_blocked(one)
        total = 0
        while total < sent:
            for got in other.receive(1):
                assert got == numbered(mac(2), mac(1), total, 1000), f"frame {total} is another one"
                total += 1
        other.silent(0.1)


def pushed_until_blocked(peer, most=64 << 20):
    """Numbered frames of 1000 bytes until nothing is taken for 0.5 s; how many went whole."""
    peer.sock.settimeout(0.5)
    whole = 0
    while whole * 1004 < most:
        data = enclose(*(numbered(mac(2), mac(1), whole + i, 1000) for i in range(64)))
        while data:
            try:
                data = data[peer.sock.send(data):]
            except TimeoutError:
                done = 64 * 1004 - len(data)
                return whole + done // 1004
        whole += 64
    raise AssertionError(f"{most} bytes went in and nobody held them back")


def test_F7_a_wire_pushes_back_no_longer_than_stall():
    """after --stall seconds it takes frames again, drops them whole, and says so"""
    relay, one, other = wire_between_servers("--stall", "1")
    with relay:
        pushed_until_blocked(one)
        began = time.monotonic()
        one.sock.settimeout(5)
        number = 1 << 20
        for _ in range(200):        # far more than all buffers, so it must drop
            one.send(*(numbered(mac(2), mac(1), number + i, 1000) for i in range(100)))
            number += 100
        took = time.monotonic() - began
        assert took < 4, f"held for {took:.1f} s"
        seen = whole_frames(other)
        assert seen == sorted(set(seen)), "frames came twice, or out of order"
        marker = frame(mac(2), mac(1), b"after", size=60)
        one.send(marker)
        other.expect(marker)


def test_F7_a_slow_reader_of_a_wire_loses_nothing():
    """a sink that takes a little all the time holds the source back for longer than --stall"""
    relay, one, other = wire_between_servers("--stall", "0.5", "--queue", "65536")
    count = 8000
    with relay:
        other.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        one.sock.settimeout(30)
        sender = threading.Thread(target=lambda: one.send(
            *(numbered(mac(2), mac(1), i, 1000) for i in range(count))))
        sender.start()
        for at in range(0, count, 400):
            time.sleep(0.15)        # slow is what it is to be
            for number, got in enumerate(other.receive(400, 10), at):
                assert got == numbered(mac(2), mac(1), number, 1000), f"frame {number} is lost"
        sender.join()


def whole_frames(peer):
    """Everything that waits there: each frame is whole; returns their numbers."""
    numbers = []
    for got in peer.drain(0.5):
        number, = struct.unpack_from("!I", got, 14)
        assert got == numbered(mac(2), mac(1), number, 1000), f"frame {number} is torn"
        numbers.append(number)
    return numbers


def test_F2_any_split_of_the_stream():
    """bytes one by one, many frames in one segment, a frame over many: the same frames"""
    relay, one, other = wire_between_servers()
    with relay:
        several = [numbered(mac(2), mac(1), i, 60 + i) for i in range(1000)]
        one.send_raw(enclose(*several))
        other.expect(*several)
        data = enclose(*several[:20])
        for at in range(0, len(data)):
            one.send_raw(data[at:at + 1])
        other.expect(*several[:20])
        big = frame(mac(2), mac(1), size=60000)
        data = enclose(big, big)
        for at in range(0, len(data), 7001):
            one.send_raw(data[at:at + 7001])
        other.expect(big, big)


def test_wire_at_full_speed_is_complete():
    """as fast as it goes, both ways, frames of 60 to 69,632 bytes: none lost, none changed"""
    relay, one, other = wire_between_servers()
    with relay, Traffic(one, other, rate=0, sizes=(60, FRAME_MAX)) as traffic:
        traffic.flow(20000)
        complete(traffic.finish())


def test_fd_endpoint_with_tcp_and_unix_sockets():
    """fd:N: an inherited stream socket is an end of a wire"""
    near, far = tcp_pair()
    ours, theirs = (StreamPeer(s) for s in socket.socketpair())
    with Relay(f"fd:{far.fileno()}", f"fd:{theirs.fileno()}",
               pass_fds=[far.fileno(), theirs.fileno()]) as relay:
        far.close()
        theirs.close()
        exchange(near, ours)
        exchange(ours, near, size=9000)
        near.send_raw(enclose(*(numbered(mac(2), mac(1), i, 700) for i in range(2000))))
        ours.expect(*(numbered(mac(2), mac(1), i, 700) for i in range(2000)))
        relay.alive()


def test_a_wires_listener_takes_one_at_a_time():
    """the next one waits, unserved and unharmed, until the first has gone; no CPU meanwhile"""
    server = Server(2001)
    with Relay("listen:127.0.0.1:12345", "127.0.0.1:2001") as relay:
        relay.listening(12345)
        far, first = server.accept(), dial(12345)
        exchange(first, far)
        second = dial(12345)
        waiting = frame(mac(9), mac(3), b"second", size=60)
        second.send(waiting)
        exchange(first, far)
        far.silent(0.1)
        relay.calm()
        first.close()
        far.expect(waiting)
        exchange(second, far)


def test_A10_a_chain_of_relays():
    """guest - switch - wire - switch - guest, started back to front"""
    guests = []
    with Relay("127.0.0.1:2001", "127.0.0.1:2002"), Relay("-l", "127.0.0.1:2001") as left, \
            Relay("-l", "127.0.0.1:2002") as right:
        for relay, l4_port in ((left, 2001), (right, 2002)):
            relay.listening(l4_port)
            guests.append(dial(l4_port))
        meet(*guests)
        with Traffic(*guests, rate=2000) as traffic:
            traffic.flow(4000)
            unhurt(traffic.finish())


def test_F9_dialled_sockets_are_as_they_must_be():
    """TCP_NODELAY, SO_OOBINLINE; keepalive notices within a minute; no TCP_USER_TIMEOUT"""
    kit.need_root()
    relay, one, other = wire_between_servers()
    with relay:
        exchange(one, other)
        found = 0
        for number in os.listdir(f"/proc/{relay.keeper}/fd"):
            sock = copied_socket(relay.keeper, int(number))
            if sock and sock.family == socket.AF_INET and sock.type == socket.SOCK_STREAM:
                assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), "Nagle delays"
                assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE), "urgent data lies"
                assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                idle, interval, probes = (sock.getsockopt(socket.IPPROTO_TCP, option) for option in
                                          (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL,
                                           socket.TCP_KEEPCNT))
                assert idle + interval * probes <= 60, (idle, interval, probes)
                assert sock.getsockopt(socket.IPPROTO_TCP, 18) == 0, "TCP_USER_TIMEOUT is set"
                found += 1
        assert found == 2, f"{found} connections in the keeper"


def copied_socket(pid, number):
    """A copy of another process's descriptor, if it is a socket."""
    if not os.readlink(f"/proc/{pid}/fd/{number}").startswith("socket:"):
        return None
    syscall = __import__("ctypes").CDLL(None, use_errno=True).syscall
    copy = syscall(438, os.pidfd_open(pid), number, 0)     # pidfd_getfd
    return socket.socket(fileno=copy) if copy >= 0 else None


def test_urgent_data_is_data():
    """an urgent byte inside a frame comes out where it was"""
    relay, one, other = wire_between_servers()
    with relay:
        data = enclose(numbered(mac(2), mac(1), 1, 100))
        one.send_raw(data[:50])
        one.sock.send(data[50:51], socket.MSG_OOB)
        one.send_raw(data[51:])
        other.expect(*Decoder().feed(data))
        exchange(one, other)


if __name__ == "__main__":
    kit.main()
