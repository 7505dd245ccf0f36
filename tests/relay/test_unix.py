#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""UNIX sockets, as QEMU's stream and dgram speak them: dialled, listened on, and of datagrams."""

import contextlib
import errno
import os
import random
import signal
import socket
import stat
import tempfile
import time

import kit
import namespaces as ns
import tap
from ctlproto import DIALLING, LISTENING, UP, ManagedRelay
from frames import BROADCAST, FRAME_MAX, frame, mac, numbered
from peers import UnixPeer, UnixServer, dial, dial_unix, exchange, introduce, meet, talk
from relayproc import Relay, run
from traffic import Traffic, complete
from wait import eventually


OURS, THEIRS = "/run/ours", "/run/theirs"
KILLS = int(os.environ.get("KILLS", "50"))     # more of them find rarer faults
CALL = 32 << 10                     # bytes that leave in one call at most
LISTEN, DGRAM = f"unix-listen:{OURS}", f"unix-dgram:{OURS}:{THEIRS}"


class Place(kit.Surroundings):
    """Each test's /run is its own."""

    def enter(self):
        fixtures = super().enter()
        ns.mount("run", "/run", "tmpfs", ns.MS_NODEV, "mode=755")
        return fixtures


def test_A8_dialled_and_listened_on():
    """frames of every size, both ways, between a guest that listens and one that dials"""
    server = UnixServer(THEIRS)
    with Relay(f"unix:{THEIRS}", f"unix-listen:{OURS}"):
        one, other = server.accept(), dial_when_there(OURS)
        for size in (60, 1514, 9014, FRAME_MAX):
            exchange(one, other, size=size)
        for length in range(14):
            one.send(b"\xff" * length)
        talk(one, other)
        one.close()
        other.silent(0.05)


def dial_when_there(path):
    eventually(lambda: os.path.exists(path), 5, "there is a socket")
    return dial_unix(path)


def test_F10_a_dialled_one_that_comes_goes_and_returns():
    """not there, a name that nobody has, refused, and gone: found again within 2 s"""
    with ManagedRelay() as relay:
        control = relay.control()
        control.attach("listen:127.0.0.1:12345")
        endpoint = control.attach(f"unix:{THEIRS}")
        relay.listening(12345)
        guest = dial(12345)
        for _ in range(5):
            eventually(lambda: control.dump()[0][endpoint]["state"] == DIALLING, 2, "waits")
            server = UnixServer(THEIRS)
            peer = server.accept(3)
            exchange(peer, guest)
            assert control.port_of(endpoint)["peer"] == THEIRS
            peer.close()
            server.close()              # its name stays behind
        os.unlink(THEIRS)
    assert relay.text().count("\n") == 0, relay.text()


def test_A3_many_clients_of_one_path():
    """each is a port of the switch; its file is ours alone, and goes with the endpoint"""
    path = OURS
    with ManagedRelay() as relay:
        control = relay.control()
        endpoint = control.attach(f"unix-listen:{path}")
        assert control.dump()[0][endpoint]["state"] == LISTENING
        mode = os.stat(path).st_mode
        assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600, oct(mode)
        guests = [dial_unix(path) for _ in range(5)]
        introduce(*guests)
        talk(guests[1], guests[4], 2, 5)
        guests[2].close()
        talk(guests[0], guests[3], 1, 4)
        control.must("DETACH", endpoint_id=endpoint)
        assert not os.path.exists(path), "its file stays"
        talk(guests[0], guests[3], 1, 4)        # as with TCP, connections stay


def test_streams_are_complete_beside_tcp():
    """all to all, frames of all sizes, none lost, none torn"""
    server = UnixServer(THEIRS)
    with Relay("-l", "12345", f"unix:{THEIRS}",
               LISTEN) as relay:
        relay.listening(12345)
        stations = server.accept(), dial_when_there(OURS), dial(12345)
        meet(*stations)
        with Traffic(*stations, rate=1000, window=60000) as traffic:
            time.sleep(1)           # how long it is watched
            complete(traffic.finish())


def test_others_may_not_connect():
    """not another user; root may"""
    kit.need_root()
    for endpoint, kind in ((f"unix-listen:{OURS}", socket.SOCK_STREAM),
                           (f"unix-dgram:{OURS}:{THEIRS}",
                            socket.SOCK_DGRAM)):
        with Relay("listen:12345", endpoint) as relay:
            relay.listening(12345)
            child = os.fork()
            if child == 0:
                os.setuid(65534)
                os._exit(socket.socket(socket.AF_UNIX, kind).connect_ex(OURS))
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == errno.EACCES


def test_F11_the_file_goes_with_the_relay():
    """SIGTERM: gone; SIGKILL: it is replaced by the next start"""
    path, endpoints = OURS, (LISTEN, DGRAM)
    for endpoint in endpoints:
        for end in (Relay.term, Relay.kill, Relay.term):
            with Relay("listen:12345", endpoint) as relay:
                relay.listening(12345)
                eventually(lambda: os.path.exists(path), 5, "there is a socket")
                end(relay)
            assert os.path.exists(path) == (end is Relay.kill)


def test_F25_files_of_another_user():
    """root has no rights to them: who may not dial is said, and so is what cannot be removed"""
    kit.need_root()
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as far:
        theirs, ours = os.path.join(folder, "theirs"), os.path.join(folder, "ours")
        far.bind(theirs)
        os.chmod(theirs, 0o600)
        for path in (theirs, folder):
            os.chown(path, 65534, 65534)
        os.chmod(folder, 0o755)
        with Relay(f"unix:{theirs}", f"unix-listen:{ours}") as relay:
            eventually(lambda: "user 0 may not use it; a relay of root has no rights" in
                       relay.text(), 5, "the reason is said")
            relay.term()
            assert f"{ours} cannot be removed, and stays behind: Permission denied" in \
                relay.text(), relay.text()


def test_F23_a_path_that_is_somebody_s():
    """exit 1 and who it is; whatever else lies there stays, and that too is one line"""
    path, endpoints = OURS, (LISTEN, DGRAM)
    with Relay("listen:12345", endpoints[0]) as relay:
        relay.listening(12345)
        for endpoint in endpoints:
            result = run("listen:12346", endpoint)
            assert result.returncode == 1, result
            holder = f"{path} is in use by netrelay (pid {relay.keeper}); end it"
            assert holder in result.stderr, result
        exchange(dial(12345), dial_unix(path))
    for make in (lambda: open(path, "w").close(), lambda: os.mkdir(path)):
        os.path.exists(path) and os.unlink(path)
        make()
        for endpoint in endpoints:
            result = run("listen:12346", endpoint)
            assert result.returncode == 1 and "is no socket" in result.stderr, result
        assert os.path.exists(path)
    for endpoint in endpoints:
        result = run("listen:12346", endpoint.replace("ours", "none/ours"))
        assert result.returncode == 1 and "No such file or directory" in result.stderr, result


def test_what_somebody_put_in_its_place_stays():
    """only the file that the relay made is removed"""
    path, endpoints = OURS, (LISTEN, DGRAM)
    for endpoint in endpoints:
        with Relay("listen:12345", endpoint) as relay:
            relay.listening(12345)
            eventually(lambda: os.path.exists(path), 5, "there is a socket")
            os.unlink(path)
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
                other.bind(path)
                relay.term()
                assert os.path.exists(path)
            os.unlink(path)


@contextlib.contextmanager
def datagrams():
    """A relay with a port of datagrams and a guest."""
    with ManagedRelay() as relay:
        control = relay.control()
        control.attach("listen:127.0.0.1:12345")
        endpoint = control.attach(DGRAM)
        relay.listening(12345)
        yield relay, control, endpoint, dial(12345)


def test_A8_datagrams():
    """a frame each, of every size; nothing short comes out or goes in"""
    peer = UnixPeer(THEIRS, OURS)
    with datagrams() as (relay, control, endpoint, guest):
        eventually(lambda: control.dump()[0][endpoint]["state"] == UP, 5, "is up")
        exchange(peer, guest)
        for size in (60, 1514, 9014, 65536, FRAME_MAX):
            talk(peer, guest, size=size)
        for length in range(14):
            peer.send(b"\xff" * length)
            guest.send(b"\xff" * length)
        peer.send(b"\xff" * (FRAME_MAX + 1))
        talk(peer, guest)
        peer.silent(0.02)
        port = control.port_of(endpoint)
        assert (port["drop_runt"], port["drop_size"], port["drops"]) == (14, 1, 15), port
        assert (port["local"], port["peer"]) == (OURS, THEIRS), port


def test_F13_datagrams_are_the_peer_s_alone():
    """before it is there, beside it, and while it is away"""
    with Relay("-l", "12345", DGRAM) as relay:
        relay.listening(12345)
        guest = dial(12345)
        stranger = UnixPeer("/run/stranger", OURS)
        evil = frame(BROADCAST, mac(66), b"evil", size=60)
        for _ in range(3):
            for _ in range(20):
                try_send(stranger, evil)
            peer = UnixPeer(THEIRS, OURS)
            meet(guest, peer)
            try_send(stranger, evil)
            exchange(guest, peer)
            peer.close()
        guest.silent(0.1)


def try_send(peer, said):
    try:
        peer.send(said)
    except OSError:                 # nobody there, somebody else's, closing, or full
        pass


def test_F10_a_peer_of_datagrams_that_restarts():
    """whether we say something meanwhile or not: it is heard and reached again within 2 s"""
    with datagrams() as (_, _, _, guest):
        for speaks in (True, False, True, False):
            peer = UnixPeer(THEIRS, OURS)
            end = time.monotonic() + 3      # 2 s of pause, and one for a busy machine
            while not guest.waiting and time.monotonic() < end:
                try_send(peer, numbered(BROADCAST, mac(1), 1))
                guest.gather(0.05)
            assert guest.drain(0.05), "not heard"
            exchange(peer, guest)
            peer.close()
            if speaks:
                guest.send(*[numbered(BROADCAST, mac(2), number) for number in range(50)])


def test_two_relays_by_datagrams():
    """each at its path, started one after the other; again when one was killed"""
    with Relay("listen:12345", DGRAM) as one:
        one.listening(12345)
        for end in (Relay.kill, Relay.term):
            with Relay("listen:12346", f"unix-dgram:{THEIRS}:{OURS}") as other:
                other.listening(12346)
                here, there = dial(12345), dial(12346)
                exchange(here, there, size=FRAME_MAX)
                here.close()
                end(other)
                there.close()


@tap.timeout(120)
def test_streams_beside_kills():
    """the forwarder is killed again and again: the streams stay, nothing is lost or torn, and what
    comes twice is a call's worth of whole frames"""
    moments = random.Random(5)
    with Relay("-l", "12345", LISTEN) as relay:
        relay.listening(12345)
        guests = dial_when_there(OURS), dial_when_there(OURS), dial(12345)
        repeated = 0
        with Traffic(*guests, rate=0, window=96 << 10, sizes=(60, 1514)) as traffic:
            for _ in range(KILLS):
                was = relay.forwarder()
                time.sleep(moments.uniform(0, 0.01))        # the moment is the point
                os.kill(was, signal.SIGKILL)
                eventually(lambda was=was: relay.forwarder() != was, 20, "another forwarder")
                repeated += whole(traffic.sample())
            repeated += whole(traffic.finish())
        assert repeated <= KILLS * (CALL // 64), f"{repeated} frames came twice"
        introduce(*guests)


def whole(result):
    """No frame is lost or torn, no stream ended; returns how many came twice."""
    wrong = {key: result[key] for key in ("lost", "corrupt", "stray", "closed") if result[key]}
    assert not wrong, f"{wrong} in {result}"
    return result["repeated"]


def test_datagrams_beside_kills():
    """the forwarder is killed again and again: the port stays, nothing comes twice or is torn"""
    peer = UnixPeer(THEIRS, OURS)
    with datagrams() as (relay, control, endpoint, guest):
        meet(guest, peer)
        port = control.port_of(endpoint)["port_id"]
        peer.sock.connect(OURS)
        with Traffic(peer, guest, rate=1000, sizes=(60, 9000), window=60000) as traffic:
            results = []
            for _ in range(10):
                was = relay.forwarder()
                os.kill(was, signal.SIGKILL)
                eventually(lambda was=was: relay.forwarder() != was, 20, "another forwarder")
                results.append(traffic.sample())
            results.append(traffic.finish())
        for got in results:
            assert got["repeated"] == got["corrupt"] == got["stray"] == got["closed"] == 0, got
        assert sum(got["lost"] for got in results) <= 10 * 64, results  # a read each at most
        assert control.port_of(endpoint)["port_id"] == port


def test_datagrams_are_complete():
    """2,000 frames a second each way: none lost, for a queue that is full is waited for"""
    peer = UnixPeer(THEIRS, OURS)
    with Relay("listen:12345", DGRAM) as relay:
        relay.listening(12345)
        guest = dial(12345)
        meet(guest, peer)
        peer.sock.connect(OURS)         # the stations use write()
        with Traffic(peer, guest, rate=2000, sizes=(60, 9000), window=60000) as traffic:
            time.sleep(1)           # how long it is watched
            complete(traffic.finish())


if __name__ == "__main__":
    tap.main(Place())
