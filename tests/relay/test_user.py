#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""user: as the guests of one relay see it, and what becomes of it when somebody dies."""

import os
import random
import re
import signal
import socket
import struct
import tempfile
import time

import kit
import links
import tap
from companions import Surroundings, companion, companion_of, stop_and_continue
from ctlproto import ManagedRelay
from frames import BROADCAST, FRAME_MAX, frame, mac
from outside import (BULK, ECHO, GREETING, HERE, THERE, Outside, bulk, own_etc, replace)
from peers import dial, exchange, meet
from relayproc import Relay, listeners, run, status, udp_ports
from station import ACK, RST, SYN, URG, Connection, Station
from traffic import Traffic, unhurt
from wait import eventually

NAME = "netrelay-user"


def relay_with(options="", *others):
    """It is up: what is dialled from now on comes after the companion's port."""
    relay = Relay("-v", *others, "-l", "127.0.0.1:12345", f"user:{options}")
    relay.listening(12345)
    eventually(lambda: relay.alive() and re.search(r"port \d+, user(:.+)?: new", relay.text()), 10,
               "its companion is up")
    return relay


def guests(count, first=1):
    return [Station(dial(12345), number) for number in range(first, first + count)]


def with_addresses(count, first=1):
    found = guests(count, first)
    for guest in found:
        guest.get_address()
    return found


def test_C6_dhcp_for_three_guests():
    """three guests get three addresses, and are told the rest; asked again, they keep theirs"""
    with relay_with("hostname=lab,domainname=lab.example,bootfile=pxe.0"):
        found = guests(3)
        for guest in found:
            told = guest.get_address()
            assert told["mask"] == "255.255.255.0" and told["router"] == "10.0.2.2", told
            assert told["dns"] == "10.0.2.3" and told["boot"] == "pxe.0", told
            assert told["hostname"] == b"lab" and told["domain"] == b"lab.example", told
        assert [guest.address for guest in found] == ["10.0.2.15", "10.0.2.16", "10.0.2.17"]
        for guest in reversed(found):
            before = guest.address
            guest.get_address()
            assert guest.address == before


def test_more_than_dhcp_can_say():
    """what has no room is left out, and its library's complaint is no way out of the sandbox"""
    with relay_with(f"domainname={'a' * 200},tftp-server-name={'b' * 150}") as relay:
        guest, = guests(1)
        told = guest.get_address()
        assert told["domain"] == b"a" * 200 and "tftp" not in told, told
        assert "complains: DHCP packet size exceeded" in relay.text(), relay.text()


def test_C6_another_network():
    """net=, host=, dns= and dhcpstart= are what guests get"""
    with relay_with("net=10.0.2.128/25,host=10.0.2.130,dns=10.0.2.131,dhcpstart=10.0.2.200"):
        guest, = guests(1)
        told = guest.get_address()
        assert told["address"] == "10.0.2.200" and told["mask"] == "255.255.255.128", told
        assert told["router"] == "10.0.2.130" and told["dns"] == "10.0.2.131", told
        guest.find("10.0.2.130")


def test_C6_the_gateway_answers():
    """ARP and ping of 10.0.2.2; the guests talk to each other without it"""
    with relay_with():
        one, other = with_addresses(2)
        assert one.find("10.0.2.2") == other.find("10.0.2.2")
        one.ping("10.0.2.2")
        exchange(one.peer, other.peer)


def test_C6_ipv6_router():
    """it says which prefix is here, and answers for its address"""
    with relay_with("ipv6-net=fd00:7::/64"):
        guest, = guests(1)
        source = socket.inet_pton(socket.AF_INET6, "fe80::5054:ff:fe00:1")
        target = socket.inet_pton(socket.AF_INET6, "ff02::2")
        guest.peer.send(frame(b"\x33\x33\0\0\0\x02", guest.mac,
                              icmp6(source, target, b"\x85\0\0\0\0\0\0\0"), 0x86dd))
        said = guest.next(lambda raw: raw[54:] if raw[12:14] == b"\x86\xdd" and raw[54] == 134
                          else None, what="router advertisement")
        assert socket.inet_pton(socket.AF_INET6, "fd00:7::") in said, said.hex()


def icmp6(source, target, body):
    pseudo = source + target + struct.pack("!II", len(body), 58)
    total = sum(struct.unpack(f"!{len(pseudo + body) // 2}H", pseudo + body))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    body = body[:2] + struct.pack("!H", 0xffff ^ total) + body[4:]
    return struct.pack("!IHBB", 6 << 28, len(body), 58, 255) + source + target + body


def test_C6_dns_outside():
    """10.0.2.3 asks the host's name server, for two guests"""
    own_etc()
    Outside()
    with relay_with():
        for guest in with_addresses(2):
            assert guest.resolve("www.example") == THERE
            assert guest.resolve("other.example") == "192.0.2.77"


def test_C6_tcp_and_udp_outside():
    """to servers on another network, which see the host's address; 200 KB arrive whole"""
    Outside()
    with relay_with():
        one, other = with_addresses(2)
        for guest in (one, other):
            assert guest.connect(THERE, GREETING).receive() == f"hello {HERE}".encode()
        assert one.connect(THERE, BULK).receive() == bulk()
        assert other.ask_udp(THERE, ECHO, b"by UDP" * 100) == b"by UDP" * 100
        kept = [guest.connect(THERE, ECHO) for guest in (one, other)]
        for number, connection in enumerate(kept):
            connection.send(b"%d" % number)
        assert [connection.receive(1) for connection in kept] == [b"0", b"1"]


def test_C6_ping_outside():
    """where the kernel lets this group make such sockets"""
    links.write("/proc/sys/net/ipv4/ping_group_range", "0 0")
    Outside()
    with relay_with():
        guest, = with_addresses(1)
        guest.ping(THERE)


def test_C6_tftp():
    """a boot file of several blocks; nothing outside of that folder, by any name"""
    with tempfile.TemporaryDirectory() as place:
        folder = os.path.join(place, "boot,d")
        os.mkdir(folder)
        image = random.Random(1).randbytes(100 * 512 + 17)
        with open(os.path.join(folder, "pxe.0"), "wb") as file:
            file.write(image)
        links.write(os.path.join(place, "secret"), "secret")
        os.symlink("../secret", os.path.join(folder, "link"))
        with relay_with(f"tftp={folder.replace(',', ',,')},bootfile=pxe.0"):
            guest, = with_addresses(1)
            assert guest.tftp("pxe.0") == image
            assert guest.tftp("/pxe.0") == image
            for path in ("none", "../secret", "/../secret", "link", "/etc/passwd"):
                try:
                    assert not guest.tftp(path), f"{path} was given away"
                except OSError:
                    pass


def test_C6_no_tftp():
    """without a folder there is none"""
    with relay_with():
        guest, = with_addresses(1)
        try:
            assert not guest.tftp("/etc/hostname"), "a file was given away"
        except (OSError, AssertionError) as error:
            assert "given away" not in str(error)


def test_C6_hostfwd():
    """TCP to the first guest, TCP and UDP to the second one, from the host"""
    with relay_with("hostfwd=tcp::2222-:22,hostfwd=tcp:127.0.0.1:8080-10.0.2.16:80,"
                    "hostfwd=udp::5353-10.0.2.16:53"):
        one, other = with_addresses(2)
        for guest, l4_port, inner in ((one, 2222, 22), (other, 8080, 80)):
            with socket.create_connection(("127.0.0.1", l4_port), 5) as client:
                connection = guest.accept(inner)
                client.sendall(b"question")
                assert connection.receive(8) == b"question"
                connection.send(b"answer")
                assert client.recv(6) == b"answer"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(5)
            client.sendto(b"question", ("127.0.0.1", 5353))
            asked = other.packet(17, target_port=53)
            assert asked.payload() == b"question"
            other.send_udp(asked.source, asked.source_port, b"answer", 53)
            assert client.recv(100) == b"answer"


def test_C6_restrict():
    """no way out and none to the host, but addresses and what is forwarded"""
    Outside()
    inside = socket.create_server(("127.0.0.1", 7777))
    with relay_with("restrict=on,hostfwd=tcp::2222-:22"):
        guest, = with_addresses(1)
        for target, l4_port in ((THERE, GREETING), ("10.0.2.2", 7777)):
            try:
                guest.connect(target, l4_port, 0.5)
                raise RuntimeError(f"{target} was reached")
            except (ConnectionResetError, AssertionError):
                pass
        with socket.create_connection(("127.0.0.1", 2222), 5) as client:
            guest.accept(22).send(b"hello")
            assert client.recv(5) == b"hello"
    inside.close()


def test_wrong_options():
    """exit 2 within a second, one line that names the option, nothing left"""
    for option, expected in (("net=10.0.2.0/33", "an IPv4 network"), ("x=y", "'x'"),
                             ("hostfwd=tcp::99999-:22", "from 1 to 65535"),
                             ("tftp=/nonexistent", "cannot be read"),
                             ("dns=10.1.1.1", "an address of net")):
        result = run("-l", "12345", f"user:{option}")
        assert result.returncode == 2 and result.seconds < 1, result
        assert result.stderr.count("\n") == 1 and expected in result.stderr, result.stderr
        assert option.split("=", maxsplit=1)[0] in result.stderr, result.stderr
        assert not listeners()


def test_hostfwd_busy():
    """exit 1 within a second, and the line says which port, and who has it"""
    with socket.create_server(("127.0.0.1", 2222)):
        result = run("-l", "12345", "user:hostfwd=tcp::2221-:21,hostfwd=tcp:127.0.0.1:2222-:22")
        assert result.returncode == 1 and result.seconds < 1, result
        assert "TCP port 2222 of 127.0.0.1 cannot be had: it is in use by " in result.stderr \
            and f"(pid {os.getpid()}); end it or choose another port" in result.stderr, \
            result.stderr
        assert result.stderr.count("\n") == 1, result.stderr
        assert listeners() == {2222}


def test_at_the_control_socket():
    """attached and refused there as well, with the same words; detached, it is gone"""
    with ManagedRelay() as relay:
        control = relay.control()
        refused = control.request("ATTACH", endpoint="user:net=x", label="")
        assert refused["error"] and "an IPv4 network" in refused["error_text"], refused
        assert not control.dump()[0]
        endpoint = control.attach("user:hostfwd=udp::5353-:53")
        assert control.port_of(endpoint) and 5353 in udp_ports()
        control.must("DETACH", endpoint_id=endpoint)
        eventually(lambda: not companion_of(relay, NAME), 2, "it is gone")
        assert not udp_ports()
        relay.alive()


def test_another_endpoint_knows_the_addresses():
    """detached, and attached with another port forward: each guest has what it had before"""
    with ManagedRelay() as relay:
        control = relay.control()
        control.attach("listen:127.0.0.1:12345")
        endpoint = control.attach("user:hostfwd=tcp::2222-:22")
        one, other = with_addresses(2)
        had = one.address, other.address
        for forward in ("user:hostfwd=tcp::2223-:22", "user:", "user:hostfwd=tcp::2222-:22"):
            control.must("DETACH", endpoint_id=endpoint)
            endpoint = control.attach(forward)
            control.port_of(endpoint)
            for guest in (other, one):
                guest.get_address()
            assert (one.address, other.address) == had, (one.address, other.address, had)
        late, = with_addresses(1, first=3)
        assert late.address not in had, late.address


def test_its_sandbox():
    """no capability, no new privileges, a list of calls, no descriptor and no environment"""
    with relay_with("hostfwd=tcp::2222-:22") as relay:
        pid = companion(relay, NAME)
        assert status(pid, "Seccomp") == 2 and status(pid, "NoNewPrivs") == 1
        assert not any(status(pid, key) for key in ("CapEff", "CapPrm", "CapInh", "CapAmb"))
        fds = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")
               if int(fd) > 2]
        assert len([to for to in fds if to.startswith("socket:")]) == 3, fds
        assert len(fds) == 4, fds           # and the memory that its successor gets
        with open(f"/proc/{pid}/environ", "rb") as environ:
            assert environ.read() == b""


def test_F11_nothing_left():
    """SIGTERM, and SIGKILL of the keeper, also while it is stopped"""
    for stopped in (False, True):
        for end in (lambda relay: relay.term(), lambda relay: relay.kill()):
            with relay_with("hostfwd=tcp::2222-:22") as relay:
                if stopped:
                    os.kill(companion(relay, NAME), signal.SIGSTOP)
                end(relay)
                assert not listeners()


def test_F11_a_signal_to_the_whole_group_is_the_keepers():
    """a companion stays where SIGTERM, SIGINT or SIGHUP reaches it first"""
    with relay_with("") as relay:
        pid = companion(relay, NAME)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            os.kill(pid, number)
        with_addresses(1)
        assert companion_of(relay, NAME) == pid
        relay.term()
        assert "signal" not in relay.text(), relay.text()


def test_sigkill_of_the_companion():
    """its port is back within a second, others are unhurt, no address is given twice"""
    Outside()
    with relay_with("hostfwd=tcp::2222-:22") as relay:
        one, other = with_addresses(2)
        bystanders = meet(dial(12345), dial(12345))
        with Traffic(*bystanders, rate=1000) as traffic:
            traffic.sample()
            for _ in range(3):
                connection = one.connect(THERE, BULK)
                connection.receive(20000)
                was = companion(relay, NAME)
                os.kill(was, signal.SIGKILL)
                began = time.monotonic()
                companion(relay, NAME, but=was)
                one.neighbours.clear()
                eventually(lambda: answers(one), 1, "the gateway answers again")
                assert time.monotonic() - began < 1
                assert one.connect(THERE, GREETING).receive() == f"hello {HERE}".encode()
            unhurt(traffic.finish())
        assert "is started again: netrelay-user was ended by signal 9" in relay.text(), relay.text()
        late, = with_addresses(1, first=9)
        assert len({one.address, other.address, late.address}) == 3, late.address
        before = one.address
        one.get_address()
        assert one.address == before


def answers(guest):
    try:
        return guest.find("10.0.2.2", 0.1)
    except AssertionError:
        return None


def test_sigstop_of_the_companion():
    """the others are unhurt, its queue stays at its bound; then it goes on"""
    with ManagedRelay() as relay:
        control = relay.control()
        control.attach("listen:127.0.0.1:12345")
        control.attach("user:")
        relay.listening(12345)
        guest, = with_addresses(1)
        one, other, source = meet(*(dial(12345) for _ in range(3)))
        stopped = companion(relay, NAME)
        stop_and_continue(relay, control, stopped, (one, other), source, 3000)
        guest.peer.drain(0.2)
        guest.ping("10.0.2.2")
        assert companion(relay, NAME) == stopped


def test_sigkill_of_the_forwarder():
    """20 times while data moves: the same companion, the same connection, all bytes in order"""
    Outside()
    with relay_with() as relay:
        guest, = with_addresses(1)
        was = companion(relay, NAME)
        connection = guest.connect(THERE, ECHO)
        for number in range(20):
            said = b"%06d" % number * 100
            connection.send(said)
            assert connection.receive(len(said)) == said
            forwarder = relay.forwarder()
            os.kill(forwarder, signal.SIGKILL)
            eventually(lambda old=forwarder: relay.forwarder() != old, 20, "another forwarder")
        assert companion(relay, NAME) == was


def test_a_name_server_that_changes():
    """another file in place of resolv.conf is followed, by another companion"""
    own_etc()
    Outside(second_dns="198.51.100.3")
    with relay_with() as relay:
        guest, = with_addresses(1)
        assert guest.resolve("www.example") == THERE
        was = companion(relay, NAME)
        replace("/etc/resolv.conf", "nameserver 198.51.100.3\n")
        eventually(lambda: resolves(guest) == "198.51.100.201", 5, "the new server is asked")
        assert companion(relay, NAME) != was


def test_a_resolver_daemon_that_changes():
    """/etc/resolv.conf leads to a folder of its own: followed by the same companion"""
    own_etc()
    Outside(second_dns="198.51.100.3")
    with tempfile.TemporaryDirectory() as place:
        path = os.path.join(place, "resolv.conf")
        links.write(path, f"nameserver {THERE}\n")
        os.unlink("/etc/resolv.conf")
        os.symlink(path, "/etc/resolv.conf")
        with relay_with() as relay:
            guest, = with_addresses(1)
            was = companion(relay, NAME)
            assert guest.resolve("www.example") == THERE
            replace(path, "nameserver 198.51.100.3\n# another one\n")
            eventually(lambda: resolves(guest) == "198.51.100.201", 5, "the new server is asked")
            assert companion(relay, NAME) == was


def resolves(guest):
    try:
        return guest.resolve("www.example", deadline=0.3)
    except AssertionError:
        return None


def test_odd_requests():
    """closed ports, nobody there, no route, no name server, urgent data: the same one serves on"""
    own_etc("search example\n")
    links.write("/proc/sys/net/ipv4/ping_group_range", "1 0")
    Outside()
    with relay_with() as relay:
        guest, = with_addresses(1)
        was = companion(relay, NAME)
        for target in (THERE, "10.0.2.2", "198.51.100.99", "240.0.0.1", "127.0.0.1", "10.0.2.99"):
            guest.next_port += 1
            for _ in range(2):
                guest.send_udp(target, 9, b"discard", guest.next_port, guest.find("10.0.2.2"))
            guest.send_udp(target, 53, b"a question", guest.next_port, guest.find("10.0.2.2"))
            guest.send_ip(target, 1, b"\x08\0\xf7\xff\0\0\0\0", guest.find("10.0.2.2"))
            Connection(guest, target, 9, guest.next_port).say(SYN, to=guest.find("10.0.2.2"))
        guest.send_udp("10.0.2.3", 53, b"\0" * 20, 40000)
        for path in (b"x\0octet\0tsize\x000\0blksize\x001000\0", b"x", b"x\0mail\0"):
            guest.send_udp("10.0.2.2", 69, b"\0\x01" + path, 40001)
        connection = guest.connect(THERE, ECHO)
        connection.say(ACK | URG, b"urgent", urgent=6)
        connection.send(b"and on")
        connection.receive(6)
        connection.say(RST)
        for number in range(50):
            Connection(guest, THERE, ECHO, 50000 + number).say(SYN)
        guest.peer.drain(0.3)
        guest.ping("10.0.2.2")
        assert companion(relay, NAME) == was, relay.text()


def test_noise():
    """random frames of all sizes: it lives, or is replaced, and serves guests all the same"""
    with relay_with() as relay:
        guest, = with_addresses(1)
        source = dial(12345)
        dice = random.Random(7)
        gateway = guest.find("10.0.2.2")
        for _ in range(3000):
            kind = dice.choice((0x0800, 0x0806, 0x86dd, 0x88f8, 0x0001))
            noise = dice.randbytes(dice.choice((0, 1, 20, 46, 1500, 9000)))
            if kind == 0x0800 and len(noise) > 20:      # beyond the first checks
                noise = b"\x45" + noise[1:2] + struct.pack("!H", len(noise)) + noise[4:8] \
                    + b"\x40" + bytes([dice.choice((1, 6, 17))]) + noise[10:]
            source.send(frame(dice.choice((gateway, BROADCAST)), mac(66), noise, kind))
        source.send(frame(BROADCAST, mac(66), size=FRAME_MAX))
        guest.peer.drain(0.2)
        guest.neighbours.clear()
        eventually(lambda: answers(guest), 5, "the gateway answers")
        guest.ping("10.0.2.2")
        relay.alive()


if __name__ == "__main__":
    tap.main(Surroundings("user"))
