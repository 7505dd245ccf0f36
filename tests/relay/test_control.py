#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The control protocol, as the manager and as somebody malicious would use it."""

import contextlib
import errno
import os
import random
import signal
import socket
import struct
import tempfile
import time

import kit
import sanitizer
from ctlproto import (DIALLING, LISTENING, PORT_HELD, PORT_UP, TYPES, UP, Control, ManagedRelay,
                      attribute, encode, message)
from frames import header
from peers import Server, UdpPeer, dial, exchange, introduce, meet, talk, tcp_pair
from relayproc import Relay, descriptors, forwarder_of, listeners, udp_ports
from traffic import Traffic, complete, unhurt
from wait import eventually

LISTEN = "listen:127.0.0.1:12345"


@contextlib.contextmanager
def managed():
    with ManagedRelay() as relay:
        control = relay.control()
        yield relay, control
        relay.alive()


def test_welcome_names_version_network_and_keeper():
    """HELLO: version 1, the network's name, and the keeper's pid, which SO_PEERCRED shows too"""
    with managed() as (relay, control):
        assert control.welcome["version"] == 1 and control.welcome["network"] == "lab"
        assert control.welcome["pid"] == relay.keeper
        cred = control.sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        assert struct.unpack("iii", cred)[0] == relay.keeper
        assert control.dump() == ({}, {})


def test_a_forwarder_with_the_first_port():
    """a relay that is there in advance is one process with sockets, until somebody comes"""
    with managed() as (relay, control):
        control.attach(LISTEN)
        assert len(control.dump()[0]) == 1, "counters are answered all the same"
        assert not forwarder_of(relay.keeper), "whose frames are these?"
        meet(dial(12345), dial(12345))
        first = relay.forwarder()
        relay.kill_forwarder()
        eventually(lambda: relay.forwarder() != first, 15, "there is another one")


def test_attach_listen_dump_and_counters():
    """an endpoint, its ports, their addresses, and how many frames and bytes went each way"""
    with managed() as (relay, control):
        endpoint = control.attach(LISTEN, "a label")
        assert 12345 in listeners(), "it does not listen when the answer is there"
        endpoints, ports = control.dump()
        assert not ports and list(endpoints) == [endpoint]
        assert endpoints[endpoint]["endpoint"] == LISTEN
        assert endpoints[endpoint]["state"] == LISTENING
        assert endpoints[endpoint]["label"] == "a label"
        one, other = meet(dial(12345), dial(12345))
        before = port_of_peer(control, one)
        for _ in range(10):
            talk(one, other, size=100)
        mine = port_of_peer(control, one)
        assert mine["local"] == "127.0.0.1:12345" and mine["endpoint_id"] == endpoint
        assert mine["state"] == PORT_UP and abs(mine["since"] - time.time()) < 60
        moved = {key: mine[key] - before[key] for key in mine if key.startswith(("rx_", "tx_"))}
        assert moved == {"rx_frames": 10, "tx_frames": 10,
                         "rx_bytes": 1000, "tx_bytes": 1000}, moved
        assert mine["drops"] == mine["queued"] == 0
        for length in range(14):
            one.send(b"\xff" * length)
        eventually(lambda: sum(p["drop_runt"] for p in control.ports().values()) == 14, 5,
                   "14 runts are counted")


def port_of_peer(control, peer):
    """The port that this guest's connection became."""
    name = "127.0.0.1:%d" % peer.sock.getsockname()[1]
    return next(port for port in control.ports().values() if port["peer"] == name)


def test_counters_survive_the_forwarder():
    """killed: rx and tx go on from where they were"""
    with managed() as (relay, control):
        control.attach(LISTEN)
        one, other = meet(dial(12345), dial(12345))
        for _ in range(10):
            talk(one, other)
        before = port_of_peer(control, one), port_of_peer(control, other)
        was = relay.forwarder()
        os.kill(was, signal.SIGKILL)
        eventually(lambda: relay.forwarder() != was, 5, "another forwarder")
        talk(one, other)
        for was, peer in zip(before, (one, other)):
            now = port_of_peer(control, peer)
            assert was["rx_frames"] >= 10 and was["tx_frames"] >= 10
            assert now["rx_frames"] == was["rx_frames"] + 1, (was, now)
            assert now["tx_frames"] == was["tx_frames"] + 1, (was, now)


def test_attach_dials_and_reports():
    """dialling with the reason, then up, then dialling again: as events and in the dump"""
    with managed() as (relay, control):
        endpoint = control.attach("tcp:127.0.0.1:2001", "guest")
        assert control.dump()[0][endpoint]["state"] == DIALLING
        eventually(lambda: control.dump()[0][endpoint].get("detail"), 5, "why it is not through")
        server = Server(2001)
        peer = server.accept()
        port = control.port_of(endpoint)
        assert port["peer"] == "127.0.0.1:2001", port
        assert port["label"] == "guest" == control.dump()[0][endpoint]["label"]
        eventually(lambda: control.dump()[0][endpoint]["state"] == UP, 5, "up")
        control.event("EVENT_ENDPOINT", endpoint_id=endpoint, state=UP)
        control.event("EVENT_PORT", port_id=port["port_id"])
        peer.close()
        control.event("EVENT_PORT_GONE", port_id=port["port_id"])
        again = server.accept()
        later = control.port_of(endpoint)
        assert later["port_id"] > port["port_id"], "a port's number is used twice"
        again.close()


def test_attach_udp():
    """bound when the answer is there"""
    with managed() as (relay, control):
        control.attach(LISTEN)
        endpoint = control.attach("udp:127.0.0.1:4001:127.0.0.1:4002")
        assert 4001 in udp_ports()
        exchange(dial(12345), UdpPeer(("127.0.0.1", 4002), ("127.0.0.1", 4001)))
        port = control.port_of(endpoint)
        assert (port["local"], port["peer"]) == ("127.0.0.1:4001", "127.0.0.1:4002"), port


def test_attach_a_connected_socket():
    """fd: with SCM_RIGHTS: served; when it ends the endpoint is still there to be detached"""
    with managed() as (relay, control):
        control.attach(LISTEN)
        near, far = tcp_pair()
        endpoint = control.attach("fd:0", "handed over", fd=far.fileno())
        far.close()
        exchange(near, dial(12345))
        assert control.port_of(endpoint)["label"] == "handed over"
        near.close()
        eventually(lambda: control.dump()[0][endpoint]["state"] == 3, 5, "ended")
        control.must("DETACH", endpoint_id=endpoint)


def refused(control, endpoint, number=None, **details):
    answer = control.request("ATTACH", endpoint=endpoint, label="", **details)
    assert answer["error"], f"{endpoint} was attached: {answer}"
    text = answer["error_text"]
    assert text and not text.endswith(".") and "\n" not in text, repr(text)
    assert number is None or answer["error"] == number, (errno.errorcode.get(answer["error"]), text)
    return text


def test_attach_refusals_are_sentences():
    """taken, malformed, missing: an error number, and one sentence without full stop"""
    with managed() as (relay, control):
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", 12345))
            holder.listen()
            text = refused(control, LISTEN, errno.EADDRINUSE)
            assert "127.0.0.1:12345 is in use by" in text, text
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
            holder.bind(("127.0.0.1", 4001))
            text = refused(control, "udp:127.0.0.1:4001:127.0.0.1:4002", errno.EADDRINUSE)
            assert "127.0.0.1:4001" in text, text
        for bad in ("", "listen:127.0.0.1:0", "nonsense:x", "tcp:::1:80", "x" * 600, "fd:3"):
            refused(control, bad)
        refused(control, "listen:192.0.2.1:5", errno.EADDRNOTAVAIL)
        answer = control.request("ATTACH")
        assert answer["error"] == errno.EINVAL, answer
        assert control.dump() == ({}, {})
        control.attach(LISTEN)


def test_attach_the_same_twice():
    """the second one is refused, the first goes on"""
    with managed() as (relay, control):
        control.attach(LISTEN)
        refused(control, LISTEN)
        exchange(dial(12345), dial(12345))


def test_detach_of_a_listener_keeps_its_ports():
    """the address is free when the answer arrives; accepted guests go on unhurt"""
    with managed() as (relay, control):
        endpoint = control.attach(LISTEN)
        one, other = dial(12345), dial(12345)
        with Traffic(one, other) as traffic:
            traffic.sample()
            control.must("DETACH", endpoint_id=endpoint)
            with socket.socket() as taker:      # as QEMU binds: SO_REUSEADDR, ports still open
                taker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                taker.bind(("127.0.0.1", 12345))
                taker.listen()
                endpoints, ports = control.dump()
                assert endpoint not in endpoints and len(ports) == 2
                refused(control, LISTEN, errno.EADDRINUSE)
            again = control.attach(LISTEN)
            assert again > endpoint, "an endpoint's number is used twice"
            third, fourth = dial(12345), dial(12345)
            exchange(third, fourth, 3, 4)
            unhurt(traffic.finish())
        exchange(third, fourth, 3, 4)


def test_detach_of_a_dialled_target_ends_its_port():
    """every holder has closed it when the answer arrives"""
    with managed() as (relay, control):
        control.attach(LISTEN)
        server = Server(2001)
        for _ in range(20):
            endpoint = control.attach("tcp:127.0.0.1:2001")
            peer = server.accept()
            control.port_of(endpoint)
            control.must("DETACH", endpoint_id=endpoint)
            peer.closed(0.5)
            assert control.ports() == {}
            peer.close()
        server.sock.settimeout(0.3)
        try:
            server.sock.accept()
        except TimeoutError:
            return
        raise AssertionError("it dials after its detach")


def test_a_far_end_that_hangs_up_at_once():
    """as one does that does not admit us: said, dialled less and less, missed since the start"""
    with managed() as (relay, control):
        server = Server(2001)
        began = time.monotonic()
        endpoint = control.attach("tcp:127.0.0.1:2001")
        since = set()
        for _ in range(6):
            server.accept().close()
            told = control.event("EVENT_ENDPOINT", endpoint_id=endpoint,
                                 detail="it is on this host, and ends each connection at once")
            since.add(told["since"])
        assert time.monotonic() - began >= 1.5, "that was too often"
        assert len(since) == 1, since


def test_detach_frees_a_udp_address():
    """twenty times: bound by somebody else at once, and had back"""
    with managed() as (relay, control):
        for _ in range(20):
            endpoint = control.attach("udp:127.0.0.1:4001:127.0.0.1:4002")
            control.must("DETACH", endpoint_id=endpoint)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taker:
                taker.bind(("127.0.0.1", 4001))


def test_detach_while_the_forwarder_is_being_killed():
    """an answer comes all the same, and then the address is free"""
    with managed() as (relay, control):
        for turn in range(15):
            endpoint = control.attach("udp:127.0.0.1:4001:127.0.0.1:4002")
            forwarder = relay.forwarder()
            if turn % 3 == 0:
                os.kill(forwarder, signal.SIGKILL)
            control.serial += 1
            control.send(encode("DETACH", control.serial, endpoint_id=endpoint))
            if turn % 3:
                os.kill(forwarder, signal.SIGKILL)
            eventually(lambda: answered(control), 5, "the answer")
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taker:
                taker.bind(("127.0.0.1", 4001))


def answered(control):
    got = control.next()
    if got[0] == "REPLY" and got[1] == control.serial:
        assert not got[2].get("error"), got
        return True
    return False


def test_close_port():
    """that guest sees the end before the answer comes; the others stay; unknown ones are refused"""
    with managed() as (relay, control):
        control.attach(LISTEN)
        one, other, third = (dial(12345) for _ in range(3))
        introduce(one, other, third)
        port = port_of_peer(control, one)
        control.must("CLOSE_PORT", port_id=port["port_id"])
        one.closed(0.5)
        control.event("EVENT_PORT_GONE", port_id=port["port_id"])
        exchange(other, third, 2, 3)
        assert control.request("CLOSE_PORT", port_id=port["port_id"])["error"] == errno.ENOENT
        assert control.request("CLOSE_PORT", port_id=999999)["error"] == errno.ENOENT
        assert control.request("CLOSE_PORT")["error"] in (errno.EINVAL, errno.ENOENT)
        assert control.request("DETACH", endpoint_id=999999)["error"] == errno.ENOENT
        assert control.request("DETACH")["error"] in (errno.EINVAL, errno.ENOENT)


def test_label_port():
    """kept, shown, replaced; too long or for nobody: refused"""
    with managed() as (relay, control):
        control.attach(LISTEN, "listener")
        guest = dial(12345)
        port = eventually(lambda: next(iter(control.ports().values()), None), 5, "a port")
        for text in ("uuid/52:54:00:00:00:01", "other", "ü" * 60, ""):
            control.must("LABEL_PORT", port_id=port["port_id"], label=text)
            assert control.ports()[port["port_id"]].get("label", "") == text
        assert control.request("LABEL_PORT", port_id=port["port_id"], label="x" * 500)["error"]
        assert control.request("LABEL_PORT", port_id=4711, label="x")["error"] == errno.ENOENT
        guest.close()


def test_labels_survive_manager_and_forwarder():
    """every client gone and the forwarder killed: the next client finds all as it was"""
    with managed() as (relay, control):
        endpoint = control.attach(LISTEN, "net")
        one, other = dial(12345), dial(12345)
        exchange(one, other)
        port = next(iter(control.ports()))
        control.must("LABEL_PORT", port_id=port, label="kept")
        control.close()
        was = relay.forwarder()
        os.kill(was, signal.SIGKILL)
        eventually(lambda: relay.forwarder() != was, 5, "another forwarder")
        again = relay.control()
        endpoints, ports = again.dump()
        assert endpoints[endpoint]["label"] == "net" and ports[port]["label"] == "kept"
        exchange(one, other)


def test_a_client_that_looks():
    """sees all and changes nothing, also once it has greeted otherwise, and judges nobody"""
    with managed() as (relay, control):
        endpoint = control.attach(LISTEN, "net", admit_user=os.getuid())
        guest = dial(12345)
        control.event("EVENT_PORT", state=PORT_UP)
        looker = relay.control(looks=1, judges=1)
        looker.request("HELLO", version=1, looks=0, judges=1)
        port = next(iter(looker.ports()))
        for kind, named in (("ATTACH", {"endpoint": "127.0.0.1:2001"}),
                            ("DETACH", {"endpoint_id": endpoint}),
                            ("CLOSE_PORT", {"port_id": port}), ("STOP", {}), ("LISTEN", {}),
                            ("LABEL_PORT", {"port_id": port, "label": "mine"}),
                            ("ADMIT_PORT", {"port_id": port, "label": "mine"}),
                            ("SET_OPTIONS", {"port_id": port, "options": "pin"})):
            answer = looker.request(kind, **named)
            assert answer["error"] == errno.EPERM and "look" in answer["error_text"], (kind, answer)
        assert control.dump()[0].keys() == {endpoint} and control.ports().keys() == {port}
        other = dial(12345)                 # held for a while, were the looker to judge
        exchange(guest, other)
        looker.event("EVENT_PORT", state=PORT_UP)
        assert not any(found.get("state") == PORT_HELD for _, found in looker.events), looker.events


def test_stop():
    """answered, then the end; nothing is left; guests see the end"""
    with ManagedRelay() as relay:
        control = relay.control()
        control.attach(LISTEN)
        guest = dial(12345)
        processes = relay.processes()
        control.must("STOP")
        control.ended(2)
        assert relay.process.wait(2) == 0
        relay.gone(processes)
        guest.closed(1)
        assert 12345 not in listeners()


def test_managed_ignores_what_a_terminal_sends():
    """SIGHUP, SIGINT, SIGPIPE: it goes on; all clients gone: it goes on; SIGTERM ends it"""
    with managed() as (relay, control):
        control.attach(LISTEN)
        one, other = dial(12345), dial(12345)
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGPIPE):
            relay.process.send_signal(number)
        control.close()
        exchange(one, other)
        assert len(relay.control().ports()) == 2
        with ManagedRelay("other") as second:
            second.term()


def test_events_to_every_client():
    """accepted and gone ports are told to both clients that said HELLO, and to no other"""
    with managed() as (relay, control):
        second, mute = relay.control(), relay.control(hello=False)
        control.attach(LISTEN)
        guest = dial(12345)
        ids = {client.event("EVENT_PORT")["port_id"] for client in (control, second)}
        assert len(ids) == 1
        guest.close()
        for client in (control, second):
            client.event("EVENT_PORT_GONE", port_id=next(iter(ids)))
        try:
            got = mute.next(0.2)
        except AssertionError:
            return
        raise AssertionError(f"told to somebody who did not say HELLO: {got}")


def test_detached_endpoints_are_told():
    """to every client, with what names it; also of one that never had a port"""
    with managed() as (relay, control):
        second = relay.control()
        endpoint = control.attach("tcp:127.0.0.1:2001", "late")
        control.must("DETACH", endpoint_id=endpoint)
        for client in (control, second):
            gone = client.event("EVENT_ENDPOINT_GONE", endpoint_id=endpoint)
            assert (gone["endpoint"], gone["label"]) == ("tcp:127.0.0.1:2001", "late"), gone


def malformed():
    """Messages that are wrong in every way one can think of, and random ones."""
    noise = random.Random(7)
    yield from (b"\0", b"\xff" * 11, b"\0" * 12, b"\xff" * 4096, b"\xff" * 60000)
    for kind in range(len(TYPES) + 3):
        yield message(kind, 1)
        yield message(kind, 1, version=2)
        yield message(kind, 1, length=5000)
        yield message(kind, 1, b"\x08\0\xff\xff")
        yield message(kind, 1, attribute(8, b"tcp:\0127.0.0.1:80") + attribute(9, b"x" * 3000))
        yield message(kind, 1, attribute(8, b"%n%s%n\xff\xfe") + attribute(6, b"\1"))
        yield message(kind, 1, attribute(999, b"unknown") + attribute(6, b"\xff" * 4))
    good = encode("ATTACH", 1, endpoint="tcp:127.0.0.1:9", label="x")
    for at in range(len(good)):
        yield good[:at]
        yield good[:at] + bytes([good[at] ^ 0xff]) + good[at + 1:]
    for _ in range(300):
        yield noise.randbytes(noise.randrange(1, 200))


def test_malformed_messages():
    """thousands of them on many connections: guests unhurt, it answers good ones, nothing leaks"""
    with managed() as (relay, control):
        control.attach(LISTEN)
        one, other = dial(12345), dial(12345)
        with Traffic(one, other) as traffic:
            traffic.sample()
            before = descriptors(relay.keeper)
            for data in malformed():
                if data[2:4] == struct.pack("=H", TYPES.index("STOP") + 1):
                    continue        # it would be obeyed, and rightly
                bad = relay.control(hello=False)
                with contextlib.suppress(OSError):
                    bad.send(data)
                bad.close()
            for number, found in list(control.dump()[0].items()):
                if found["endpoint"] != LISTEN:
                    control.must("DETACH", endpoint_id=number)
            eventually(lambda: descriptors(relay.keeper) <= before, 5, "no descriptor leaks")
            unhurt(traffic.finish())


def test_unknown_types_are_answered():
    """-EOPNOTSUPP with the request's serial, and the next request is served"""
    with managed() as (relay, control):
        control.send(message(77, 4242))
        kind, serial, found = control.next()
        assert (kind, serial, found["error"]) == ("REPLY", 4242, errno.EOPNOTSUPP), (kind, found)
        assert control.dump() == ({}, {})


def test_unwanted_descriptors_do_not_leak():
    """sent along with anything, one or many"""
    with managed() as (relay, control):
        before = descriptors(relay.keeper)
        with tempfile.TemporaryFile() as file:
            for _ in range(100):
                control.request("HELLO", fd=file.fileno(), version=1)
                control.request("ATTACH", fd=file.fileno(), endpoint="nonsense:")
                control.request("LABEL_PORT", fd=file.fileno(), port_id=1, label="x")
                refused(control, "fd:0", fd=file.fileno())
                refused(control, "bridge:br0", fd=file.fileno())
            eventually(lambda: descriptors(relay.keeper) <= before, 5, "no descriptor leaks")


def test_clients_that_never_read():
    """ten ask for dumps and read none: memory stays bounded, others are answered at once"""
    with managed() as (relay, control):
        control.attach(LISTEN)
        guests = [dial(12345) for _ in range(20)]
        one, other = dial(12345), dial(12345)
        with Traffic(one, other, rate=500) as traffic:
            traffic.sample()
            before = relay.memory()
            deaf = [relay.control(hello=False) for _ in range(10)]
            for client in deaf:
                client.sock.setblocking(False)
                client.send(encode("HELLO", 1, version=1))
            for number in range(2000):
                for client in deaf:
                    with contextlib.suppress(OSError):
                        client.send(encode("DUMP", number))
                if number % 200 == 0:
                    guests.append(dial(12345))
                    guests.pop(0).close()
            began = time.monotonic()
            control.dump()
            assert time.monotonic() - began < 0.5, "it waits for those who do not read"
            assert relay.memory() - before < 8192, f"{relay.memory() - before} KiB more"
            unhurt(traffic.finish())
        for client in deaf:
            client.close()


def test_many_clients():
    """100 at once, each served; 300 connects and ends leave nothing"""
    with managed() as (relay, control):
        before = descriptors(relay.keeper)
        clients = []
        for _ in range(100):
            with contextlib.suppress(AssertionError, OSError):
                clients.append(relay.control())
        assert len(clients) >= 8, f"only {len(clients)} were served"
        for client in clients:
            client.close()
        for _ in range(200):
            Control(relay.path, hello=False).close()
        eventually(lambda: descriptors(relay.keeper) <= before, 5, "no descriptor leaks")
        assert control.dump() == ({}, {})


def test_attach_and_detach_leave_nothing():
    """500 rounds of every kind: descriptors and memory as before"""
    with managed() as (relay, control):
        kinds = ["listen:127.0.0.1:12346", "tcp:127.0.0.1:2999",
                 "udp:127.0.0.1:4001:127.0.0.1:4002"]
        for _ in range(5):
            rounds(control, kinds)
        held, memory = relay.holds(), relay.memory()
        for _ in range(170):
            rounds(control, kinds)
        relay.holds_again(held)
        assert relay.memory() - memory < 1024 + sanitizer.KEPT_KB, \
            f"{relay.memory() - memory} KiB more"
        assert control.dump() == ({}, {})


def rounds(control, kinds):
    for endpoint in [control.attach(kind) for kind in kinds]:
        control.must("DETACH", endpoint_id=endpoint)


def test_a_relay_by_hand_has_the_same_protocol():
    """--control PATH: dump of what the command line named; more can be attached"""
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "control")
        with Relay("--control", path, "-l", "127.0.0.1:12345") as relay:
            relay.listening(12345)
            eventually(lambda: os.path.exists(path), 5, "its control socket is there")
            control = Control(path)
            assert [e["endpoint"] for e in control.dump()[0].values()] == [LISTEN]
            control.attach("listen:127.0.0.1:12346")
            exchange(dial(12345), dial(12346))
            control.must("STOP")
            assert relay.process.wait(2) == 0


def test_a_bad_guest_is_shown_as_gone():
    """closed for its length: EVENT_PORT_GONE, and the dump has only the good ones"""
    with managed() as (relay, control):
        control.attach(LISTEN)
        bad, good = dial(12345), dial(12345)
        control.event("EVENT_PORT")
        control.event("EVENT_PORT")
        bad.send_raw(header(1 << 30))
        control.event("EVENT_PORT_GONE")
        assert len(control.ports()) == 1
        exchange(good, dial(12345))


def test_re_wiring_under_load():
    """ports of another guest attached and detached a hundred times: two others complete"""
    with managed() as (relay, control):
        control.attach(LISTEN)
        one, other = dial(12345), dial(12345)
        server = Server(2001)
        with Traffic(one, other, rate=0, window=64 << 10) as traffic:
            for _ in range(100):
                endpoint = control.attach("tcp:127.0.0.1:2001")
                peer = server.accept()
                control.must("DETACH", endpoint_id=endpoint)
                peer.close()
            complete(traffic.finish())


if __name__ == "__main__":
    kit.main()
