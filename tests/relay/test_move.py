#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A connection that goes to another relay: its far end does not notice."""

import contextlib
import errno
import fcntl
import os
import random
import signal
import socket
import struct
import threading

import kit
from ctlproto import PORT_LEAVING, PORT_UP, ManagedRelay, decode, encode
from frames import BROADCAST, enclose, frame, mac
from peers import dial, meet, talk
from relayproc import descriptors
from wait import eventually

LAB, OFFICE = 12345, 12346
SIOCOUTQ = 0x5411


class Network:
    """A relay with one listener, and somebody on it who hears everything."""

    def __init__(self, stack, name, l4_port):
        self.relay = stack.enter_context(ManagedRelay(name))
        self.control = self.relay.control()
        self.control.attach(f"listen:127.0.0.1:{l4_port}")
        self.witness = dial(l4_port)
        self.port_of(self.witness)

    def find(self, peer):
        name = "%s:%d" % peer.sock.getsockname()
        return next((port for port in self.control.ports().values() if port["peer"] == name), None)

    def port_of(self, peer):
        return eventually(lambda: self.find(peer), 10, "the relay has the peer's port")

    def way_in(self):
        """A connection to its control socket, as whoever asks for a move makes it."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sock.connect(self.relay.path)
        return sock

    def move(self, peer, other):
        with other.way_in() as sock:
            return self.control.request("MOVE_PORT", fd=sock.fileno(),
                                        port_id=self.port_of(peer)["port_id"])

    def moves(self, peer, other):
        """Moves it, and waits until it is there."""
        answer = self.move(peer, other)
        assert answer["error"] == 0, answer
        other.port_of(peer)


@contextlib.contextmanager
def two_networks():
    with contextlib.ExitStack() as stack:
        lab, office = Network(stack, "lab", LAB), Network(stack, "office", OFFICE)
        yield lab, office
        lab.relay.alive()
        office.relay.alive()


def test_moved_there_and_back():
    """Its frames go where it is, and nowhere else; label and options go with it"""
    with two_networks() as (lab, office):
        guest = dial(LAB)
        meet(guest, lab.witness)
        number = lab.port_of(guest)["port_id"]
        lab.control.must("LABEL_PORT", port_id=number, label="guest/nic")
        lab.control.must("SET_OPTIONS", port_id=number, options=",storm=777")
        lab.moves(guest, office)
        meet(guest, office.witness)
        talk(guest, office.witness)
        lab.witness.silent()
        port = office.port_of(guest)
        assert (port["label"], port["options"], port["state"]) == \
            ("guest/nic", ",storm=777", PORT_UP), port
        assert port["local"] == f"127.0.0.1:{LAB}", port
        assert lab.find(guest) is None
        lab.control.event("EVENT_PORT_GONE", port_id=number)
        office.moves(guest, lab)
        meet(guest, lab.witness)
        talk(guest, lab.witness)
        office.witness.silent()


def test_half_a_frame():
    """It goes between two frames: the one that it is in is still of the old network, and whole"""
    with two_networks() as (lab, office):
        guest = dial(LAB)
        meet(guest, lab.witness)
        first, second = (frame(BROADCAST, mac(1), bytes([n]) * 1000) for n in (1, 2))
        stream = enclose(first)
        guest.send_raw(stream[:500])
        eventually(lambda: unread(guest) == 0, 5, "the relay has read half a frame")
        assert lab.move(guest, office)["error"] == 0
        assert lab.port_of(guest)["state"] == PORT_LEAVING
        guest.send_raw(stream[500:])
        lab.witness.expect(first)
        office.port_of(guest)
        guest.send(second)
        office.witness.expect(second)
        lab.witness.silent()


def unread(peer):
    """Bytes that the peer has sent and that nobody has acknowledged yet."""
    return unread_by(peer.sock)


def test_who_does_not_read_moves_when_it_does():
    """What it is owed it gets, whole, before it goes; so a guest that is paused goes later"""
    with two_networks() as (lab, office):
        guest = dial(LAB)
        meet(guest, lab.witness)
        numbered = [frame(BROADCAST, mac(2), n.to_bytes(4, "big") * 300) for n in range(4000)]
        lab.witness.send(*numbered)
        eventually(lambda: lab.port_of(guest)["queued"] > 0, 10, "something waits for the guest")
        assert lab.move(guest, office)["error"] == 0
        assert lab.port_of(guest)["state"] == PORT_LEAVING
        eventually(lambda: lab.port_of(lab.witness)["rx_frames"] >= 4000, 10, "all was read")
        told = lab.port_of(guest)
        assert told["state"] == PORT_LEAVING and office.find(guest) is None
        got = guest.receive(told["tx_frames"] - 1, 20)
        assert got == numbered[:len(got)] or set(got) <= set(numbered)
        office.port_of(guest)
        guest.drain()
        meet(guest, office.witness)
        talk(guest, office.witness)


def test_the_other_relay_is_gone():
    """Silent, stopped, or killed before it has the port: that stays where it was, and works"""
    with two_networks() as (lab, office):
        guest = dial(LAB)
        meet(guest, lab.witness)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours, theirs:
            number = lab.port_of(guest)["port_id"]
            lab.control.must("MOVE_PORT", fd=theirs.fileno(), port_id=number)
            assert decode(ours.recv(4096))[0] == "HELLO"
            talk(guest, lab.witness)
            ours.send(encode("WELCOME", 0))
            assert decode(ours.recv(4096))[0] == "TAKE_PORT"
            word = frame(BROADCAST, mac(1), b"in between")
            guest.send(word)
            lab.witness.silent()
            assert lab.control.request("MOVE_PORT", fd=theirs.fileno(),
                                       port_id=number)["error"] == errno.EBUSY
        lab.witness.expect(word)
        assert lab.port_of(guest)["state"] == PORT_UP
        os.kill(office.relay.keeper, signal.SIGSTOP)
        assert lab.move(guest, office)["error"] == 0
        talk(guest, lab.witness)
        os.kill(office.relay.keeper, signal.SIGKILL)
        office.relay.process.wait()
        eventually(lambda: lab.port_of(guest)["state"] == PORT_UP, 10, "it is there again")
        talk(guest, lab.witness)
        office.relay.alive = lambda: None


@contextlib.contextmanager
def played(lab, guest):
    """The other relay is played by the test: its end of the channel, once it was greeted."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(5)
    with ours:
        with theirs:
            lab.control.must("MOVE_PORT", fd=theirs.fileno(),
                             port_id=lab.port_of(guest)["port_id"])
        assert decode(ours.recv(4096))[0] == "HELLO"
        yield ours


def test_the_other_relay_refuses():
    """It says no, or another one is asked in its place, or it goes while the port comes: told
    each time, and neither the connection nor a descriptor is lost"""
    with two_networks() as (lab, _):
        guest = dial(LAB)
        meet(guest, lab.witness)
        number = lab.port_of(guest)["port_id"]
        before = descriptors(lab.relay.keeper)
        with played(lab, guest) as other:
            lab.control.event("EVENT_PORT", port_id=number, state=PORT_LEAVING)
            other.send(encode("WELCOME", 0))
            assert decode(other.recv(4096))[0] == "TAKE_PORT"
            other.send(encode("REPLY", number, error=errno.ENOSPC, error_text="full"))
            lab.control.event("EVENT_PORT", port_id=number, state=PORT_UP)
        talk(guest, lab.witness)
        with played(lab, guest) as one:
            with played(lab, guest):
                assert one.recv(4096) == b"", "who was asked before is let go"
        for _ in range(20):         # the forwarder is letting go of it, or has, or not yet
            with played(lab, guest) as other:
                other.send(encode("WELCOME", 0))
            eventually(lambda: lab.port_of(guest)["state"] == PORT_UP, 10, "it is there again")
            talk(guest, lab.witness)
        eventually(lambda: descriptors(lab.relay.keeper) == before, 5, "no descriptor is left")


def test_called_back_when_it_is_under_way():
    """The other relay goes when the forwarder is to let go of the port, and has not been told else:
    it gets it again"""
    with two_networks() as (lab, _):
        guest = dial(LAB)
        meet(guest, lab.witness)
        forwarder = lab.relay.forwarder()
        os.kill(forwarder, signal.SIGSTOP)
        with played(lab, guest) as other:
            other.send(encode("WELCOME", 0))
            eventually(lambda: unread_by(other) == 0, 5, "the keeper has read it")
            lab.control.ports()     # and answers this one only after it has acted
        os.kill(forwarder, signal.SIGCONT)
        eventually(lambda: lab.port_of(guest)["state"] == PORT_UP, 10, "it is there again")
        talk(guest, lab.witness)
        assert lab.relay.forwarder() == forwarder


def unread_by(sock):
    """Bytes that wait for the far end of a UNIX socket."""
    return struct.unpack("i", fcntl.ioctl(sock, SIOCOUTQ, b"\0" * 4))[0]


def test_faults():
    """What cannot move, and what cannot be taken, is refused by a sentence"""
    with two_networks() as (lab, office):
        with office.way_in() as sock:
            assert lab.control.request("MOVE_PORT", fd=sock.fileno(),
                                       port_id=999)["error"] == errno.ENOENT
        number = lab.port_of(lab.witness)["port_id"]
        assert lab.control.request("MOVE_PORT", port_id=number)["error"] == errno.EINVAL
        lab.control.attach("udp:127.0.0.1:7001:127.0.0.1:7002")
        udp = next(p for p in lab.control.ports().values() if p["local"] == "127.0.0.1:7001")
        with office.way_in() as sock:
            assert lab.control.request("MOVE_PORT", fd=sock.fileno(),
                                       port_id=udp["port_id"])["error"] == errno.ENOTSUP
        for fd in (None, 0):
            assert lab.control.request("TAKE_PORT", fd=fd)["error"] == errno.EINVAL
        looker = lab.relay.control(looks=1)
        with office.way_in() as sock:
            assert looker.request("MOVE_PORT", fd=sock.fileno(),
                                  port_id=number)["error"] == errno.EPERM


def pour(guest, count, ended):
    """Sends numbered frames in pieces that end anywhere."""
    rest, dice = b"", random.Random(7)
    for number in range(count):
        payload = number.to_bytes(4, "big") + bytes(1 + number % 900)
        rest += enclose(frame(BROADCAST, mac(1), payload))
        cut = dice.randrange(len(rest))
        guest.sock.sendall(rest[:cut])
        rest = rest[cut:]
    guest.sock.sendall(rest)
    ended.set()


def numbers(peer):
    return [int.from_bytes(one[14:18], "big") for one in peer.waiting if one[6:12] == mac(1)]


def test_everything_that_it_says_arrives_once():
    """Moved to and fro while it talks and forwarders die: nothing of it is lost, doubled or torn"""
    count = 6000
    with two_networks() as (lab, office):
        guest = dial(LAB)
        meet(guest, lab.witness)
        ended, here, there, moves = threading.Event(), lab, office, 0
        talker = threading.Thread(target=pour, args=(guest, count, ended), daemon=True)
        talker.start()
        while not ended.is_set() or moves < 20:
            if moves % 5 == 4:
                here.relay.kill_forwarder()
            here.moves(guest, there)
            here, there, moves = there, here, moves + 1
            for network in (lab, office):
                network.witness.gather(0)
        talker.join()

        def heard():
            for network in (lab, office):
                network.witness.gather(0)
            return sorted(numbers(lab.witness) + numbers(office.witness))
        eventually(lambda: len(heard()) >= count, 20, "all frames have come")
        assert heard() == list(range(count))
        for network in (lab, office):
            assert numbers(network.witness) == sorted(numbers(network.witness)), "in their order"


if __name__ == "__main__":
    kit.main()
