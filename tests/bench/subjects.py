# SPDX-License-Identifier: GPL-2.0-or-later
"""What is measured: netrelay, bare references, and other programs that do the same.

A subject is entered with `with`; then its stations are there, far ends of its ports that the load
generator is given, and its processes, which are watched. All of them have one core to themselves.
"""

import contextlib
import fcntl
import functools
import itertools
import os
import socket
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "relay"))

# pylint: disable=wrong-import-position
import kit
import cores
import links
import relayproc
from peers import Server, TapPeer, UdpPeer, dial, tcp_pair
from vde import VdePort
from wait import eventually

SO_RCVBUFFORCE = 33
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
TUNSETIFF, TUNSETOFFLOAD, TUNSETVNETHDRSZ = 0x400454ca, 0x400454d0, 0x400454d8
TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6 = 0x01, 0x02, 0x04
LARGE = 4 << 20     # of a UDP socket's receive buffer
QUEUE = 1000        # frames that the generator's own TAPs hold

l4_ports = itertools.cycle(range(2000, 30000))      # below those that connect() takes
numbers = itertools.count()


class Subject(contextlib.ExitStack):
    """Things that are made one after the other, and gone in the opposite order."""

    hub = False
    l4_port = 0         # that its clients dial, where they do

    def __init__(self):
        super().__init__()
        self.stations = []          # (kind, what has a fileno())
        self.started = []

    def keep(self, thing):
        self.callback(thing.close)
        return thing

    def station(self, kind, thing):
        self.stations.append((kind, self.keep(thing)))
        return thing

    def run(self, argv, ends=(), **details):
        """Starts one of its processes; the ends it inherits are not ours from then on."""
        process = cores.start(argv, cores.RELAY, pass_fds=[end.fileno() for end in ends],
                              **details)
        self.callback(cores.stop, process)
        self.started.append(process)
        for end in ends:
            end.close()
        return process

    def pids(self):
        return [pid for process in self.started
                for pid in (process.pid, *relayproc.children(process.pid))]

    def specs(self):
        return [f"{kind}:{thing.fileno()}" for kind, thing in self.stations]


def made_as(kind):
    """Decorator: a function that fills a subject makes one; what it began goes where it fails."""
    def decorate(fill):
        @functools.wraps(fill)
        def make(*arguments):
            subject = kind()
            try:
                fill(subject, *arguments)
            except BaseException:
                subject.close()
                raise
            return subject
        return make
    return decorate


# netrelay


class Netrelay(Subject):
    """The program under test."""

    def relay(self, *arguments):
        process = self.run([kit.netrelay(), *arguments], stderr=self.log())
        eventually(lambda: relayproc.forwarder_of(process.pid), 10, "netrelay has a forwarder")
        return process

    def log(self):
        return self.enter_context(tempfile.TemporaryFile(prefix="netrelay-"))

    def server(self):
        """(a port that netrelay is to dial, what accepts it)"""
        l4_port = next(l4_ports)
        return l4_port, self.keep(Server(l4_port))

    def switch(self, count, *arguments):
        self.l4_port = next(l4_ports)
        self.relay(*arguments, "-l", f"127.0.0.1:{self.l4_port}")
        eventually(lambda: self.l4_port in relayproc.listeners(), 10, "netrelay listens")
        for _ in range(count):
            self.station("s", dial(self.l4_port))

    def wire(self, *endpoints, dialled):
        """Between the endpoints named and so many streams of ours that it dials."""
        servers = [self.server() for _ in range(dialled)]
        self.relay(*(f"127.0.0.1:{l4_port}" for l4_port, _ in servers), *endpoints)
        for _, server in servers:
            self.station("s", server.accept(10))

    def udp(self, kind):
        """An endpoint of it, and the station at its far end."""
        own, far = next(l4_ports), next(l4_ports)
        self.station(kind, UdpPeer(("127.0.0.1", far), ("127.0.0.1", own), connected=True))
        return f"{own}:127.0.0.1:{far}"


@made_as(Netrelay)
def switch(subject, count):
    subject.switch(count)


@made_as(Netrelay)
def unlimited_switch(subject, count):
    subject.switch(count, "--storm", "0")


@made_as(Netrelay)
def wire(subject):
    subject.wire(dialled=2)


@made_as(Netrelay)
def udp_wire(subject):
    subject.relay(*[subject.udp("d") for _ in range(2)])


@made_as(Netrelay)
def stream_and_udp(subject):
    endpoint = subject.udp("g")
    subject.wire(endpoint, dialled=1)
    subject.stations.reverse()          # the stream first


@made_as(Netrelay)
def two_relays(subject):
    """A stream, a relay, UDP, another relay, a stream."""
    one, other = next(l4_ports), next(l4_ports)
    subject.wire(f"{one}:127.0.0.1:{other}", dialled=1)
    subject.wire(f"{other}:127.0.0.1:{one}", dialled=1)


@made_as(Netrelay)
def stream_and_bridge(subject):
    bridge = new_bridge(subject)
    subject.wire(f"bridge:{bridge}", dialled=1)
    subject.station("t", enslaved_tap(bridge))
    eventually(lambda: len(links.members(bridge)) == 2, 10, "netrelay's TAP is in the bridge")


# Bare references: what the machine allows


def reference(subject, kind, ends, number=0):
    subject.run([kit.built("tests/bench/bench-reference"), kind, number,
                 *[end.fileno() for end in ends]], ends)


def stream_end(subject):
    station, end = tcp_pair()
    subject.station("s", station)
    return end


def udp_end(subject, kind):
    one, other = ("127.0.0.1", next(l4_ports)), ("127.0.0.1", next(l4_ports))
    subject.station(kind, UdpPeer(one, other, connected=True))
    return udp_socket(other, one, LARGE if kind == "g" else 0)


def udp_socket(local, remote, buffer):
    """With that receive buffer, or the one that a socket has by itself."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    if buffer:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, buffer)
    sock.bind(local)
    sock.connect(remote)
    return sock


@made_as(Subject)
def bare(subject, kind, count, number=0):
    """Streams in pairs: copy, per-frame, fanout, and those that are wrong on purpose."""
    reference(subject, kind, [stream_end(subject) for _ in range(count)], number)


@made_as(Subject)
def bare_udp(subject):
    reference(subject, "udp", [udp_end(subject, "d") for _ in range(2)])


@made_as(Subject)
def bare_stream_and_udp(subject):
    reference(subject, "udp-gso", [stream_end(subject), udp_end(subject, "g")])


@made_as(Subject)
def bare_two_relays(subject):
    one, other = ("127.0.0.1", next(l4_ports)), ("127.0.0.1", next(l4_ports))
    for local, remote in ((one, other), (other, one)):
        reference(subject, "udp-gso", [stream_end(subject), udp_socket(local, remote, LARGE)])


@made_as(Subject)
def bare_stream_and_bridge(subject):
    bridge = new_bridge(subject)
    ends = [stream_end(subject), enslaved_tap(bridge)]
    subject.station("t", enslaved_tap(bridge))
    reference(subject, "tap", ends)


@made_as(Subject)
def direct(subject, pairs):
    """No relay at all: what the generator reaches with itself."""
    for _ in range(pairs):
        for end in tcp_pair():
            subject.station("s", end)


# Devices


def new_bridge(subject):
    name = f"br{next(numbers)}"
    links.add_bridge(name)
    subject.callback(links.ip, "link", "del", name)
    return name


def enslaved_tap(bridge):
    tap = TapPeer(f"tap{next(numbers)}")
    raise_tap(tap.name, bridge)
    return tap


def raise_tap(name, bridge):
    links.ip("link", "set", name, "master", bridge, "up", "txqueuelen", str(QUEUE))


class VnetTap:
    """A TAP whose frames carry a virtio header, so that large segments pass whole."""

    def __init__(self, bridge):
        self.fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
        self.name = f"tap{next(numbers)}"
        fcntl.ioctl(self.fd, TUNSETIFF, struct.pack("16sH22x", self.name.encode(),
                                                    IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
        fcntl.ioctl(self.fd, TUNSETVNETHDRSZ, struct.pack("i", 10))
        fcntl.ioctl(self.fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6)
        raise_tap(self.name, bridge)

    def fileno(self):
        return self.fd

    def close(self):
        os.close(self.fd)


# Other programs


class Hub(Subject):
    """Everybody hears everything."""

    hub = True


@made_as(Subject)
def vde_switch(subject, count):
    folder = subject.enter_context(tempfile.TemporaryDirectory(prefix="vde-"))
    subject.run(["vde_switch", "-n", count + 1, "-s", f"{folder}/switch"],
                stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)      # it ends with its input
    eventually(lambda: os.path.exists(f"{folder}/switch/ctl"), 10, "vde_switch is up")
    for number in range(count):
        subject.station("d", VdePort(f"{folder}/switch", number))


@made_as(Hub)
def qemu_hub(subject, count):
    ends = [stream_end(subject) for _ in range(count)]
    netdevs = [word for number, end in enumerate(ends) for word in (
        "-netdev", f"socket,id=s{number},fd={end.fileno()}",
        "-netdev", f"hubport,id=h{number},hubid=0,netdev=s{number}")]
    subject.run(["qemu-system-x86_64", "-M", "none", "-nodefaults", "-display", "none", *netdevs],
                ends, stderr=subprocess.DEVNULL)


@made_as(Subject)
def kernel_bridge(subject, count):
    """No process: the kernel forwards while the generator writes to its TAPs."""
    bridge = new_bridge(subject)
    for _ in range(count):
        subject.station("t", enslaved_tap(bridge))
