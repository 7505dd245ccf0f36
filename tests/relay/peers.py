# SPDX-License-Identifier: GPL-2.0-or-later
"""The far ends of a relay's ports, each speaking as QEMU or the kernel would.

All have send(frame), receive(count), expect(frame...), silent() and fileno(). What comes is kept in
order, so a frame that nobody expected is found by the next expect(). Only the greetings of meet()
are taken out of the way: a connection is there before the relay serves it.
"""

import fcntl
import os
import select
import socket
import struct
import time

import frames

TUNSETIFF = 0x400454ca
IP_RECVTTL, IP_MULTICAST_ALL = 12, 49
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000
DEADLINE = 5
GREETING = frames.frame(frames.BROADCAST, frames.mac(0xfefefe), b"greeting")

IGMP = bytes.fromhex("01005e000016")    # a kernel's bridge says so much by itself


class Peer:
    """What all kinds have in common; read() returns the frames that are there, None at the end."""

    def __init__(self):
        self.waiting = []           # frames nobody has asked for yet
        self.ended = False
        self.greeted = 0            # the last greeting's number

    def gather(self, seconds):
        """Reads once, waiting for at most so long; False when nothing came."""
        poll = select.poll()
        poll.register(self, select.POLLIN)
        if self.ended or not poll.poll(max(0, seconds) * 1000):
            return False
        found = self.read()
        if found is None:
            self.ended = True
            return False
        for one in found:
            if one.startswith(GREETING):
                self.greeted = int.from_bytes(one[22:26], "big")
            elif not one.startswith(IGMP):
                self.waiting.append(one)
        return True

    def receive(self, count=1, deadline=DEADLINE):
        """The next frames; fails when they do not come in time."""
        end = time.monotonic() + deadline
        while len(self.waiting) < count and not self.ended and time.monotonic() < end:
            self.gather(end - time.monotonic())
        if len(self.waiting) < count:
            raise AssertionError(f"{self}: {len(self.waiting)} of {count} frames in {deadline} s"
                                 + (", and the end" if self.ended else ""))
        found, self.waiting = self.waiting[:count], self.waiting[count:]
        return found

    def expect(self, *several, deadline=DEADLINE):
        """These frames come next, byte for byte."""
        for number, (got, wanted) in enumerate(zip(self.receive(len(several), deadline), several)):
            assert got == wanted, (f"{self}: frame {number} of {len(several)}: {len(got)} bytes "
                                   f"{got[:40].hex()}, expected {len(wanted)} {wanted[:40].hex()}")

    def silent(self, seconds=0.2):
        """Nothing is there and nothing comes."""
        end = time.monotonic() + seconds
        while not self.waiting and time.monotonic() < end and not self.ended:
            self.gather(end - time.monotonic())
        assert not self.waiting, f"{self}: {len(self.waiting)} frames, {self.waiting[0][:40].hex()}"
        assert not self.ended, f"{self}: ended"

    def drain(self, seconds=0.2):
        """All that comes until it is quiet for so long."""
        while self.gather(seconds):
            pass
        found, self.waiting = self.waiting, []
        return found

    def closed(self, deadline=DEADLINE):
        """The relay ends this connection in time."""
        end = time.monotonic() + deadline
        while not self.ended:
            assert time.monotonic() < end, f"{self}: still open after {deadline} s"
            self.gather(end - time.monotonic())


class StreamPeer(Peer):
    """A QEMU behind a stream socket."""

    kind = "s"

    def __init__(self, sock):
        super().__init__()
        self.sock = sock
        self.decoder = frames.Decoder()
        sock.settimeout(DEADLINE)

    def __str__(self):
        return f"stream peer {self.fileno()}"

    def fileno(self):
        return self.sock.fileno()

    def send(self, *several):
        self.sock.sendall(frames.enclose(*several))

    def send_raw(self, data):
        self.sock.sendall(data)

    def stuff(self, data, patience=0.2, most=64 << 20):
        """Sends again and again until nothing more is taken for so long; returns the bytes sent."""
        sent = 0
        self.sock.settimeout(patience)
        try:
            while sent < most:
                sent += self.sock.send(data[sent % len(data):])
        except TimeoutError:
            self.sock.settimeout(DEADLINE)
            return sent
        raise AssertionError(f"{self}: {sent} bytes went in and nobody held them back")

    def read(self):
        try:
            data = self.sock.recv(1 << 20)
        except ConnectionResetError:
            data = b""
        return self.decoder.feed(data) if data else None

    def close(self):
        self.sock.close()

    def reset(self):
        """Ends it with a RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class DatagramPeer(Peer):
    """A frame a datagram, on its socket, to `remote`."""

    kind = "d"

    def fileno(self):
        return self.sock.fileno()

    def send(self, *several):
        for one in several:
            self.sock.sendto(one, self.remote)

    def read(self):
        return [self.sock.recv(1 << 17)]

    def close(self):
        self.sock.close()


class UdpPeer(DatagramPeer):
    """A QEMU with -netdev socket,udp=: bound to one address, sending to another."""

    def __init__(self, local, remote, reuse=False, connected=False):
        super().__init__()
        family = socket.AF_INET6 if ":" in local[0] else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_DGRAM)
        if reuse:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.sock.bind(local)
        self.remote = remote
        if connected:
            self.sock.connect(remote)

    def __str__(self):
        return f"udp peer {self.sock.getsockname()[:2]}"


class UnixPeer(DatagramPeer):
    """A QEMU with -netdev dgram of UNIX sockets: bound to one path, sending to another."""

    def __init__(self, path, remote):
        super().__init__()
        self.path, self.remote = path, remote
        if os.path.exists(path):
            os.unlink(path)                 # as QEMU does
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self.sock.bind(path)

    def __str__(self):
        return f"peer at {self.path}"

    def close(self):
        self.sock.close()


class GroupPeer(Peer):
    """A QEMU with -netdev socket,mcast=: in a group, on one device. What it hears of itself is
    taken out once for each time that it was said."""

    kind = "d"

    def __init__(self, group, l4_port, device="lo"):
        super().__init__()
        index = socket.if_nametoindex(device)
        self.said = []
        self.heard = set()                  # (address, hops left) of others' datagrams
        if ":" in group:
            self.sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            self.address = (group, l4_port, 0, index)
            join = socket.inet_pton(socket.AF_INET6, group) + struct.pack("=I", index)
            options = [(socket.IPV6_JOIN_GROUP, join), (socket.IPV6_MULTICAST_IF, index),
                       (socket.IPV6_RECVHOPLIMIT, 1)]
        else:
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.address = (group, l4_port)
            request = socket.inet_aton(group) + struct.pack("=4xi", index)
            options = [(socket.IP_ADD_MEMBERSHIP, request), (IP_MULTICAST_ALL, 0),
                       (socket.IP_MULTICAST_IF, request), (IP_RECVTTL, 1)]
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind(self.address)
        level = socket.IPPROTO_IPV6 if ":" in group else socket.IPPROTO_IP
        for option, value in options:
            self.sock.setsockopt(level, option, value)

    def __str__(self):
        return f"station {self.fileno()} of {self.address[0]}"

    def fileno(self):
        return self.sock.fileno()

    def send(self, *several):
        for one in several:
            self.said.append(one)
            self.sock.sendto(one, self.address)
            while one in self.said and self.gather(0.1):
                pass                        # or its echoes would fill its buffer

    def read(self):
        data, extra, _, sender = self.sock.recvmsg(1 << 17, 64)
        if data in self.said:
            self.said.remove(data)
            return []
        self.heard.add((sender[0], int.from_bytes(extra[0][2], "little")))
        return [data]

    def close(self):
        self.sock.close()


class TapPeer(Peer):
    """The program side of a TAP."""

    kind = "d"

    def __init__(self, name):
        super().__init__()
        self.fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
        reply = fcntl.ioctl(self.fd, TUNSETIFF, struct.pack("16sH22x", name.encode(),
                                                            IFF_TAP | IFF_NO_PI))
        self.name = reply[:16].rstrip(b"\0").decode()

    def __str__(self):
        return f"TAP {self.name}"

    def fileno(self):
        return self.fd

    def send(self, *several):
        for one in several:
            os.write(self.fd, one)

    def read(self):
        try:
            return [os.read(self.fd, 1 << 17)]
        except BlockingIOError:
            return []

    def close(self):
        os.close(self.fd)


class LinkPeer(Peer):
    """A packet socket on a kernel device: what is on the wire there, and frames put onto it."""

    kind = "d"

    def __init__(self, device):
        super().__init__()
        self.device = device
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.sock.bind((device, 0x0003))    # only now: before, it would hear every device

    def __str__(self):
        return f"device {self.device}"

    def fileno(self):
        return self.sock.fileno()

    def send(self, *several):
        for one in several:
            self.sock.send(one)

    def read(self):
        data, (_, _, kind, _, _) = self.sock.recvfrom(1 << 17)
        return [] if kind == socket.PACKET_OUTGOING else [data]

    def close(self):
        self.sock.close()


class PipePeer(Peer):
    """Behind `-`: QEMU framing on the relay's standard input and output."""

    def __init__(self, process):
        super().__init__()
        self.stdin, self.stdout = process.stdin, process.stdout
        self.decoder = frames.Decoder()

    def __str__(self):
        return "standard input and output"

    def fileno(self):
        return self.stdout.fileno()

    def send(self, *several):
        self.stdin.write(frames.enclose(*several))
        self.stdin.flush()

    def read(self):
        data = os.read(self.fileno(), 1 << 20)
        return self.decoder.feed(data) if data else None


def dial(l4_port, host="127.0.0.1"):
    """A guest with a `client` NIC."""
    sock = socket.create_connection((host, l4_port), DEADLINE)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return StreamPeer(sock)


def dial_unix(path):
    """A QEMU with -netdev stream,server=off of a UNIX socket."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(DEADLINE)
    sock.connect(path)
    return StreamPeer(sock)


class Server:
    """A guest with a `server` NIC: listens, for as long as it is open."""

    def __init__(self, l4_port, host="127.0.0.1"):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind((host, l4_port))
        self.sock.listen(16)

    def accept(self, deadline=DEADLINE):
        self.sock.settimeout(deadline)
        sock, _ = self.sock.accept()
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return StreamPeer(sock)

    def close(self):
        self.sock.close()


class UnixServer(Server):
    """A QEMU with -netdev stream,server=on of a UNIX socket."""

    def __init__(self, path):               # pylint: disable=super-init-not-called
        if os.path.exists(path):
            os.unlink(path)
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.bind(path)
        self.sock.listen(1)


def tcp_pair():
    """Two ends of one TCP connection, neither of them a relay's."""
    server = Server(0)
    near = dial(server.sock.getsockname()[1])
    far = server.accept()
    server.close()
    return near, far


def meet(*several, deadline=DEADLINE):
    """Waits until a broadcast of the first one reaches all others; returns them all."""
    end = time.monotonic() + deadline
    number = 0
    while not number or any(peer.greeted != number for peer in several[1:]):
        assert time.monotonic() < end, f"not all of {', '.join(map(str, several))} meet"
        number = int(time.monotonic() * 1000) & 0xffffffff
        several[0].send(GREETING + number.to_bytes(4, "big") + b"\0" * 34)
        for peer in several[1:]:
            wait = time.monotonic() + 0.1
            while peer.greeted != number and (left := wait - time.monotonic()) > 0:
                peer.gather(left)
    return several


def exchange(one, other, first=1, second=2, size=60):
    """They meet, and then a frame each way, byte for byte."""
    meet(one, other)
    talk(one, other, first, second, size)


def talk(one, other, first=1, second=2, size=60):
    """A frame each way, byte for byte."""
    there = frames.frame(frames.mac(second), frames.mac(first), b"there", size=size)
    back = frames.frame(frames.mac(first), frames.mac(second), b"back", size=size)
    one.send(there)
    other.expect(there)
    other.send(back)
    one.expect(back)


def introduce(*stations):
    """Each says its address, from 1 on, and everyone hears it: a switch has learned them all."""
    meet(*stations)
    for number, peer in enumerate(stations, 1):
        said = frames.frame(frames.BROADCAST, frames.mac(number), b"I am", size=60)
        peer.send(said)
        for other in stations:
            if other is not peer:
                other.expect(said)
