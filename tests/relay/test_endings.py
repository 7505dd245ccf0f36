#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How it ends, and what it does without its standard streams."""

import contextlib
import os
import signal
import socket
import subprocess
import tempfile

import kit
from frames import BROADCAST, enclose, frame, header, mac
from peers import PipePeer, Server, dial, exchange
from relayproc import Relay, listeners, udp_ports
from wait import eventually


def busy_relay(*options):
    """Peers in every awkward state: does not read, half a frame, never says a word."""
    relay = Relay(*options, "-l", "12345", "127.0.0.1:2999", "4001:127.0.0.1:4002")
    relay.listening(12345).bound(4001)
    stuck, source, half, mute = (dial(12345) for _ in range(4))
    data = enclose(*[frame(BROADCAST, mac(1), b"pile", size=9000)] * 20)
    for _ in range(100):
        source.send_raw(data)
        source.drain(0)
        mute.drain(0)
    half.send_raw(header(60) + b"half")
    return relay, (stuck, source, half, mute)


def ends_on(number):
    relay, peers = busy_relay()
    with relay:
        relay.term(number=number)
        for peer in peers[1:]:
            peer.closed(2)
        assert not {12345} & listeners() and not {4001} & udp_ports()
        Relay("-l", "12345").listening(12345).term()


def test_F11_sigterm_with_stuck_peers():
    """exit 0 within 1 s, nothing left, the port can be had again at once"""
    ends_on(signal.SIGTERM)


def test_F11_sigint_with_stuck_peers():
    """exit 0 within 1 s, nothing left, the port can be had again at once"""
    ends_on(signal.SIGINT)


def test_F11_sigterm_while_a_wire_pushes_back():
    """a sink that does not read and a source held back: exit 0 within 1 s"""
    servers = [Server(2001), Server(2002)]
    with Relay("--stall", "60", "127.0.0.1:2001", "127.0.0.1:2002") as relay:
        one, _other = (server.accept() for server in servers)
        one.stuff(enclose(frame(mac(2), mac(1), size=1000)))
        relay.term()


def test_F11_sigterm_with_a_stopped_forwarder():
    """its forwarder does not answer: exit 0 within 1 s all the same, and it is gone"""
    with Relay("-l", "12345") as relay:
        relay.listening(12345)
        os.kill(relay.forwarder(), signal.SIGSTOP)
        relay.term()


def test_F11_a_signal_to_the_whole_group_is_the_keepers():
    """the forwarder stays where SIGTERM, SIGINT or SIGHUP reaches it first"""
    with Relay("-l", "12345") as relay:
        relay.listening(12345)
        forwarder = relay.forwarder()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            os.kill(forwarder, number)
        exchange(dial(12345), dial(12345))
        assert relay.forwarder() == forwarder
        relay.term()
        assert "signal" not in relay.text(), relay.text()


def test_F11_sigterm_at_once():
    """right after its start, whatever it is doing"""
    for delay in range(10):
        with Relay("-l", "12345", "127.0.0.1:2999") as relay:
            if delay:
                relay.listening(12345)
            relay.process.send_signal(signal.SIGTERM)
            code = relay.process.wait(2)
            assert code == 0 or (delay == 0 and code == -signal.SIGTERM), f"exit {code}"


def test_F11_sigkill_of_the_keeper():
    """the forwarder goes too, its guests see the end, the same port can be had at once"""
    relay, peers = busy_relay()
    with relay:
        forwarder = relay.forwarder()
        relay.kill()
        for peer in peers[1:]:
            peer.closed(2)
        Relay.gone([forwarder])
        with Relay("-l", "12345", "4001:127.0.0.1:4002") as again:
            again.listening(12345).bound(4001)
            exchange(dial(12345), dial(12345))


def test_F11_sigkill_of_the_keeper_with_a_stopped_forwarder():
    """continued, the forwarder sees that it is alone and ends"""
    with Relay("-l", "12345") as relay:
        relay.listening(12345)
        forwarder = relay.forwarder()
        os.kill(forwarder, signal.SIGSTOP)
        relay.process.kill()
        relay.process.wait(5)
        with contextlib.suppress(ProcessLookupError):   # it need not wait for that
            os.kill(forwarder, signal.SIGCONT)
        Relay.gone([forwarder])


def test_F11_nothing_left_of_a_control_socket():
    """--control PATH: the file is there while it runs, and gone after SIGTERM"""
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "control")
        with Relay("--control", path, "-l", "12345") as relay:
            relay.listening(12345)
            eventually(lambda: os.path.exists(path), 5, "its control socket is there")
            assert os.stat(path).st_mode & 0o077 == 0, "others may talk to it"
            relay.term()
        assert os.listdir(directory) == []


def test_a_stale_control_socket_is_no_hindrance():
    """left by a SIGKILL: the next start with the same PATH works"""
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "control")
        for last in (False, True):
            with Relay("--control", path, "-l", "12345") as relay:
                relay.listening(12345)
                eventually(lambda: os.path.exists(path), 5, "its control socket is there")
                relay.term() if last else relay.kill()


def test_a_second_relay_does_not_take_a_living_ones_control_socket():
    """exit 1 with one line; the first goes on"""
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "control")
        with Relay("--control", path, "-l", "12345") as first:
            first.listening(12345)
            eventually(lambda: os.path.exists(path), 5, "its control socket is there")
            with Relay("--control", path, "-l", "12346") as second:
                assert second.process.wait(2) == 1, second.text()
                assert path in second.text(), second.text()
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
                probe.connect(path)


def test_F24_stdin_at_its_end():
    """`-` with /dev/null, as under systemd: that port ends, no CPU, the rest goes on"""
    with Relay("-l", "12345", "-") as relay:
        relay.listening(12345)
        exchange(dial(12345), dial(12345))
        relay.calm()


def test_F24_stdin_closed():
    """no descriptor 0 at all: it starts, and burns no CPU; without `-` too"""
    for arguments in (["-l", "12345", "-"], ["-l", "12345"]):
        with Relay(*arguments) as relay:
            pass
        command = ["/bin/sh", "-c", 'exec "$0" "$@" <&-', kit.netrelay(), *arguments]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        try:
            eventually(lambda: 12345 in listeners() or process.poll() is not None, 5, "listens")
            if process.poll() is None:
                exchange(dial(12345), dial(12345))
                relay.process, relay.keeper = process, process.pid
                relay.calm()
            else:
                assert process.returncode in (1, 2) and "-" in arguments
        finally:
            process.kill()
            process.wait()
        eventually(lambda: 12345 not in listeners(), 2, "the port is free")


def test_F24_stdin_ends_while_it_runs():
    """frames before the end arrive; then no CPU"""
    with Relay("-l", "12345", "-", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as relay:
        relay.listening(12345)
        guest, pipe = dial(12345), PipePeer(relay.process)
        exchange(guest, pipe)
        last = frame(BROADCAST, mac(2), b"last", size=60)
        pipe.send(last)
        relay.process.stdin.close()
        guest.expect(last)
        exchange(guest, dial(12345), 1, 3)
        relay.calm()


def without_stderr(redirection):
    """Run so that writing to standard error fails, made to log, and still served."""
    command = ["/bin/sh", "-c", f'exec "$0" "$@" {redirection}', kit.netrelay(), "-v",
               "-l", "12345", "127.0.0.1:2001"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    process.stderr.close()
    try:
        eventually(lambda: 12345 in listeners(), 5, "listens")
        for _ in range(3):
            bad = dial(12345)
            bad.send_raw(header(1 << 31))
            bad.closed()
        exchange(dial(12345), dial(12345))
        assert process.poll() is None
        process.terminate()
        assert process.wait(2) == 0
    finally:
        process.kill()
        process.wait()


def test_F24_standard_error_is_a_broken_pipe():
    """nobody reads its log any more: it goes on"""
    without_stderr("")


def test_F24_standard_error_closed():
    """no descriptor 2 at all: no guest's connection becomes it, it goes on"""
    without_stderr("2>&-")


def test_F24_standard_error_full():
    """/dev/full: it goes on"""
    without_stderr("2>/dev/full")


if __name__ == "__main__":
    kit.main()
