# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest's IP stack behind a peer: enough of it to be served by a network for guests.

It asks one thing at a time and is patient; nothing here retransmits, for nothing on the way to a
relay on this machine may be lost.
"""

import socket
import struct
import time

from frames import BROADCAST, frame, mac

ARP, IPV4, IPV6 = 0x0806, 0x0800, 0x86dd
ICMP, TCP, UDP = 1, 6, 17
FIN, SYN, RST, PSH, ACK, URG = 1, 2, 4, 8, 16, 32
DEADLINE = 5
ANY, ALL = "0.0.0.0", "255.255.255.255"
OPTIONS = {1: "mask", 3: "router", 6: "dns", 12: "hostname", 15: "domain", 51: "lease", 53: "type",
           54: "server", 66: "tftp", 67: "file"}
OFFER, ACKED = 2, 5


def packed(address):
    return socket.inet_aton(address)


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return struct.pack("!H", 0xffff ^ total)


def ipv4(source, target, protocol, body):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 1, 0, 64, protocol, 0,
                       packed(source), packed(target))
    return head[:10] + checksum(head) + head[12:] + body


def with_checksum(source, target, protocol, body, at):
    """A TCP segment or a UDP datagram, whose checksum is at that place."""
    pseudo = packed(source) + packed(target) + struct.pack("!BBH", 0, protocol, len(body))
    return body[:at] + checksum(pseudo + body) + body[at + 2:]


class Packet:
    """What is in an IPv4 frame."""

    def __init__(self, raw):
        ip = raw[14:]
        header = (ip[0] & 15) * 4
        self.raw = raw
        self.protocol = ip[9]
        self.source, self.target = socket.inet_ntoa(ip[12:16]), socket.inet_ntoa(ip[16:20])
        self.body = ip[header:int.from_bytes(ip[2:4], "big")]
        self.source_port, self.target_port = struct.unpack_from("!HH", self.body)

    def payload(self):
        return self.body[8:] if self.protocol == UDP else self.body[(self.body[12] >> 4) * 4:]


class Station:
    """Station `number` behind this peer."""

    def __init__(self, peer, number, address=ANY):
        self.peer = peer
        self.mac = mac(number)
        self.address = address
        self.neighbours = {}
        self.next_port = 40000

    # Frames

    def send_ip(self, target, protocol, body, to=None):
        if to is None:
            to = self.find(target if self.near(target) else "10.0.2.2")
        self.peer.send(frame(to, self.mac, ipv4(self.address, target, protocol, body), IPV4))

    @staticmethod
    def near(address):
        return address.startswith("10.0.2.")

    def next(self, wanted, deadline=DEADLINE, what="an answer"):
        """The first frame of which wanted(raw) makes something; ARP is answered meanwhile."""
        end = time.monotonic() + deadline
        while True:
            while self.peer.waiting:
                raw = self.peer.waiting.pop(0)
                self.answer_arp(raw)
                found = wanted(raw)
                if found:
                    return found
            left = end - time.monotonic()
            assert left > 0 and not self.peer.ended, f"{self.address}: no {what} in {deadline} s"
            self.peer.gather(left)

    def packet(self, protocol, source=None, deadline=DEADLINE, what="an answer", **ports):
        """The next IPv4 packet like this."""
        def wanted(raw):
            if raw[12:14] != b"\x08\x00" or raw[:6] not in (self.mac, BROADCAST):
                return None
            found = Packet(raw)
            if found.protocol != protocol or source not in (None, found.source):
                return None
            return found if all(getattr(found, k) == v for k, v in ports.items()) else None
        return self.next(wanted, deadline, what)

    # ARP

    def arp(self, kind, target_mac, target):
        return struct.pack("!HHBBH6s4s6s4s", 1, IPV4, 6, 4, kind, self.mac, packed(self.address),
                           target_mac, packed(target))

    def answer_arp(self, raw):
        if raw[12:14] == b"\x08\x06" and raw[20:22] == b"\0\x01" and self.address != ANY \
                and raw[38:42] == packed(self.address):
            self.peer.send(frame(raw[6:12], self.mac, self.arp(2, raw[22:28], socket.inet_ntoa(
                raw[28:32])), ARP))

    def find(self, address, deadline=DEADLINE):
        """Its Ethernet address."""
        if address not in self.neighbours:
            self.peer.send(frame(BROADCAST, self.mac, self.arp(1, bytes(6), address), ARP))
            self.neighbours[address] = self.next(
                lambda raw: raw[22:28] if raw[12:14] == b"\x08\x06" and raw[20:22] == b"\0\x02"
                and raw[28:32] == packed(address) else None, deadline, f"ARP of {address}")
        return self.neighbours[address]

    # UDP

    def send_udp(self, target, target_port, data, source_port, to=None):
        body = struct.pack("!HHHH", source_port, target_port, 8 + len(data), 0) + data
        self.send_ip(target, UDP, with_checksum(self.address, target, UDP, body, 6), to)

    def ask_udp(self, target, target_port, data, deadline=DEADLINE):
        """The answer's payload."""
        self.next_port += 1
        self.send_udp(target, target_port, data, self.next_port)
        return self.packet(UDP, target, deadline, f"answer from {target}:{target_port}",
                           target_port=self.next_port).payload()

    def dhcp(self, kind, **options):
        """Sends one such message; returns the answer as a dictionary."""
        codes = {"requested": 50, "server": 54}
        extra = b"".join(struct.pack("!BB4s", codes[k], 4, packed(v)) for k, v in options.items())
        xid = int.from_bytes(self.mac[2:], "big")
        text = struct.pack("!BBBBIHHIIII", 1, 1, 6, 0, xid, 0, 0x8000, 0, 0, 0, 0) \
            + self.mac.ljust(16, b"\0") + bytes(192) + b"\x63\x82\x53\x63" \
            + struct.pack("!BBB", 53, 1, kind) + extra + b"\xff"
        self.send_udp(ALL, 67, text, 68, BROADCAST)
        while True:
            answer = self.packet(UDP, what="DHCP answer", target_port=68).payload()
            if answer[4:8] == xid.to_bytes(4, "big"):
                return self.read_dhcp(answer)

    @staticmethod
    def read_dhcp(answer):
        found = {"address": socket.inet_ntoa(answer[16:20]),
                 "boot": answer[108:236].rstrip(b"\0").decode()}
        at = 240
        while answer[at] != 255:
            code, size = answer[at], answer[at + 1]
            value = answer[at + 2:at + 2 + size]
            name = OPTIONS.get(code, code)
            if name in ("mask", "router", "dns", "server"):
                value = socket.inet_ntoa(value)
            found[name] = value
            at += 2 + size
        return found

    def get_address(self):
        """As a DHCP client does it; returns what it was told."""
        self.address = ANY
        offer = self.dhcp(1)
        assert offer["type"] == bytes([OFFER]), offer
        told = self.dhcp(3, requested=offer["address"], server=offer["server"])
        assert told["type"] == bytes([ACKED]) and told["address"] == offer["address"], told
        self.address = told["address"]
        return told

    def resolve(self, name, server="10.0.2.3", deadline=DEADLINE):
        """An IPv4 address by DNS."""
        question = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
        answer = self.ask_udp(server, 53, struct.pack("!HHHHHH", 7, 0x100, 1, 0, 0, 0) + question
                              + b"\0" + struct.pack("!HH", 1, 1), deadline)
        return socket.inet_ntoa(answer[-4:])

    def tftp(self, path, server="10.0.2.2"):
        """A file; or the text of the error in its place, as an OSError."""
        self.next_port += 1
        source_port = self.next_port
        self.send_udp(server, 69, b"\0\x01" + path.encode() + b"\0octet\0", source_port)
        data = b""
        while True:
            packet = self.packet(UDP, server, what="TFTP block", target_port=source_port)
            kind, number = struct.unpack_from("!HH", packet.payload())
            block = packet.payload()[4:]
            if kind == 5:
                raise OSError(number, block.rstrip(b"\0").decode())
            data += block
            self.send_udp(server, packet.source_port, struct.pack("!HH", 4, number), source_port)
            if len(block) < 512:
                return data

    # ICMP

    def ping(self, target, deadline=DEADLINE):
        body = struct.pack("!BBHHH", 8, 0, 0, 1, 1) + bytes(range(32))
        body = body[:2] + checksum(body) + body[4:]
        self.send_ip(target, ICMP, body)
        answer = self.packet(ICMP, target, deadline, f"echo from {target}").body
        assert answer[0] == 0 and answer[8:] == body[8:], answer.hex()

    # TCP

    def connect(self, target, target_port, deadline=DEADLINE):
        self.next_port += 1
        connection = Connection(self, target, target_port, self.next_port)
        connection.say(SYN)
        answer = connection.hear(deadline)
        assert answer.body[13] & (SYN | ACK | RST) == SYN | ACK, f"flags {answer.body[13]:x}"
        connection.take(answer)
        connection.say(ACK)
        return connection

    def accept(self, l4_port, deadline=DEADLINE):
        """Waits for a connection to this port of ours."""
        request = self.packet(TCP, None, deadline, f"connection to port {l4_port}",
                              target_port=l4_port)
        assert request.body[13] & SYN, "the first segment opens it"
        connection = Connection(self, request.source, request.source_port, l4_port)
        connection.take(request)
        connection.say(SYN | ACK)
        connection.take(connection.hear())
        return connection


class Connection:
    """TCP, as long as nothing is lost."""

    def __init__(self, station, target, target_port, source_port):
        self.station = station
        self.target, self.target_port, self.source_port = target, target_port, source_port
        self.sent, self.seen = 1000, 0
        self.data = b""
        self.ended = False

    def say(self, flags, data=b"", urgent=0, to=None):
        body = struct.pack("!HHIIBBHHH", self.source_port, self.target_port, self.sent, self.seen,
                           0x50, flags, 60000, 0, urgent) + data
        self.station.send_ip(self.target, TCP, with_checksum(
            self.station.address, self.target, TCP, body, 16), to)
        self.sent += len(data) + bool(flags & (SYN | FIN))

    def hear(self, deadline=DEADLINE):
        return self.station.packet(TCP, self.target, deadline, f"segment from {self.target}",
                                   source_port=self.target_port, target_port=self.source_port)

    def take(self, packet):
        """True when there was something new in it."""
        sequence, = struct.unpack_from("!I", packet.body, 4)
        flags, data = packet.body[13], packet.payload()
        if flags & RST:
            raise ConnectionResetError(f"{self.target}:{self.target_port}")
        if not flags & SYN and sequence != self.seen:
            return False            # one sent again
        self.data += data
        self.ended |= bool(flags & FIN)
        self.seen = sequence + len(data) + bool(flags & SYN) + bool(flags & FIN)
        return bool(data) or bool(flags & FIN)

    def send(self, data):
        self.say(ACK | PSH, data)

    def receive(self, count=None, deadline=DEADLINE):
        """So many bytes, or all to the end."""
        end = time.monotonic() + deadline
        while not self.ended and (count is None or len(self.data) < count):
            if self.take(self.hear(end - time.monotonic())):
                self.say(ACK)
        found, self.data = self.data[:count], self.data[len(self.data[:count]):]
        return found
