#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a person sees of a running relay: the control socket by hand, its counters, its log."""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import select
import signal
import socket
import subprocess
import tempfile

import kit
import links
from ctlproto import ManagedRelay
from frames import BROADCAST, FRAME_MAX, frame, header, mac, numbered
from peers import GREETING, Server, UdpPeer, dial, exchange
from relayproc import Relay, run
from relayproc import links as devices
from traffic import Traffic, complete
from wait import eventually


def ctl(relay, *words, deadline=10):
    """netrelayctl --relay of this relay."""
    return subprocess.run([kit.built("ctl/netrelayctl"), "--relay", relay.path, *map(str, words)],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                          timeout=deadline)


def must(relay, *words):
    """The same, and it succeeds; what it prints."""
    result = ctl(relay, *words)
    assert (result.returncode, result.stderr) == (0, ""), result
    return result.stdout


@contextlib.contextmanager
def started(relay, *words):
    """netrelayctl --relay, which goes on until it is ended."""
    process = subprocess.Popen([kit.built("ctl/netrelayctl"), "--relay", relay.path,
                                *map(str, words)], bufsize=0, stdout=subprocess.PIPE,
                               stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def status(relay):
    return json.loads(must(relay, "status", "--json"))


def labels(relay):
    return [port["label"] for port in status(relay)["ports"]]


def fails(code, relay, *words):
    """Ends with this code after one line; returns the line."""
    result = ctl(relay, *words)
    assert result.returncode == code and result.stderr.count("\n") == 1, result
    assert result.stderr.startswith("netrelayctl: "), result.stderr
    return result.stderr


@contextlib.contextmanager
def by_hand(*arguments, **details):
    """A relay with --control."""
    with tempfile.TemporaryDirectory(prefix="netrelay-") as folder:
        path = os.path.join(folder, "control")
        with Relay("--control", path, *arguments, **details) as relay:
            relay.path = path
            yield relay


def test_status_of_a_relay():
    """A7: endpoints and ports, with states, peers, labels, counters; as a table, and as JSON"""
    with by_hand("-l", "12345", "127.0.0.1:2001") as relay:
        relay.listening(12345)
        one, other = dial(12345), dial(12345)
        exchange(one, other)
        one.send_raw(header(0) * 3)
        eventually(lambda: sum(port["drop_runt"] for port in status(relay)["ports"]) == 3, 5,
                   "runts are counted")
        seen = status(relay)
        assert seen["pid"] == relay.keeper and seen["network"] == ""
        listener, dialled = seen["endpoints"]
        assert (listener["endpoint"], listener["state"]) == ("listen:*:12345", "listening")
        assert (dialled["endpoint"], dialled["state"]) == ("tcp:127.0.0.1:2001", "dialling")
        name = "127.0.0.1:%d" % one.sock.getsockname()[1]
        port, = (port for port in seen["ports"] if port["peer"] == name)
        assert port["endpoint_id"] == listener["id"] and port["state"] == "up", port
        assert port["rx_frames"] >= 2 and port["tx_frames"] == 1 and port["tx_bytes"] == 60, port
        assert port["drops"] == 3 and port["queued"] == 0, port
        assert sorted(port["source"] for port in seen["ports"]) == [
            mac(2).hex(":"), GREETING[6:12].hex(":")], seen     # of their first frames
        table = must(relay)
        for text in ("listen:*:12345", "dialling", "Connection refused", name, "dropped: 3 runt"):
            assert text in table, f"no {text!r} in\n{table}"
        assert table.count("listen:*:12345") == 1 and "1 listening - listen:*:12345" in \
            " ".join(table.split()), table


def test_status_in_order():
    """JSON begins with what names a row and goes on as documented, the same each time"""
    def keys(row):
        return ",".join(row)
    with by_hand("-l", "12345") as relay:
        relay.listening(12345)
        guest = dial(12345)
        eventually(lambda: status(relay)["ports"], 5, f"a port for {guest}")
        seen = status(relay)
        assert keys(seen) == "network,pid,endpoints,ports"
        assert keys(seen["endpoints"][0]) == "id,state,endpoint,label,detail,since"
        assert keys(seen["ports"][0]).startswith("id,endpoint_id,state,label,local,peer,detail,"
                                                 "since,rx_frames,rx_bytes,tx_frames,tx_bytes,"), \
            seen


def test_change_a_relay():
    """attach, label, close, detach, stop, each by every name a person may use"""
    with by_hand("-l", "12345") as relay:
        relay.listening(12345)
        guest = dial(12345)
        server = Server(2001)
        assert must(relay, "attach", "127.0.0.1:2001", "a dialled one") == "2\n"
        dialled = server.accept()
        exchange(guest, dialled)
        eventually(lambda: labels(relay)[1:] == ["a dialled one"], 5, "it is through")
        must(relay, "close", "a dialled one")
        dialled.closed()
        again = server.accept()     # it dials for ever
        exchange(guest, again)
        must(relay, "detach", "tcp:127.0.0.1:2001")
        again.closed()
        name = "127.0.0.1:%d" % guest.sock.getsockname()[1]
        must(relay, "label", name, "guest web")
        assert labels(relay) == ["guest web"]
        must(relay, "detach", "1")
        assert status(relay)["endpoints"] == []
        must(relay, "close", "guest web")
        guest.closed()
        must(relay, "stop")
        assert relay.process.wait(5) == 0 and not os.path.exists(relay.path)


def test_what_cannot_be_done_to_a_relay():
    """one sentence each, exit 1, 2 or 3 as documented; nothing is changed"""
    with by_hand("-l", "12346") as stopped, by_hand("-l", "12345") as relay:
        stopped.listening(12346)
        os.kill(stopped.keeper, signal.SIGSTOP)
        late = subprocess.Popen([kit.built("ctl/netrelayctl"), "-r", stopped.path],
                                stderr=subprocess.PIPE)
        relay.listening(12345)
        guests = [dial(12345), dial(12345)]
        exchange(*guests)
        assert "in use" in fails(1, relay, "attach", "listen:12345")
        assert "abc:0" in fails(1, relay, "attach", "abc:0")
        assert "no endpoint '7'" in fails(1, relay, "detach", "7")
        assert "no port 'x'" in fails(1, relay, "label", "x", "y")
        must(relay, "label", 1, "twin")
        must(relay, "label", 2, "twin")
        assert "several" in fails(1, relay, "close", "twin")
        assert "close PORT" in fails(2, relay, "close")
        assert "'plan'" in fails(2, relay, "plan")
        assert "--xml" in fails(2, relay, "status", "--xml", "-")
        exchange(*guests)
        relay.process.send_signal(signal.SIGTERM)
        assert relay.process.wait(5) == 0
        assert "no such file" in fails(3, relay)
        assert b"does not answer" in late.communicate(timeout=15)[1] and late.returncode == 3


def test_clients_of_a_UNIX_socket_by_process():
    """a client that has no name has its process's id for one, by which it can be closed"""
    with tempfile.TemporaryDirectory(prefix="netrelay-") as folder, \
            by_hand("-l", "12345", f"unix-listen:{folder}/ours") as relay:
        eventually(lambda: os.path.exists(f"{folder}/ours"), 5, "it listens")
        with socket.socket(socket.AF_UNIX) as guest:
            guest.connect(f"{folder}/ours")
            eventually(lambda: status(relay)["ports"], 5, "a port")
            assert status(relay)["ports"][0]["peer"] == f"pid {os.getpid()}"
            must(relay, "close", f"pid {os.getpid()}")
            assert guest.recv(1) == b""


def test_what_is_not_a_relay():
    """each says what is the matter: no file, a file, a relay that has ended; no --relay at all"""
    def alone(*words):
        return subprocess.run([kit.built("ctl/netrelayctl"), *words], capture_output=True,
                              text=True, check=False)
    with tempfile.TemporaryDirectory(prefix="netrelay-") as folder:
        plain, stale = os.path.join(folder, "plain"), os.path.join(folder, "stale")
        with open(plain, "w"), socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as left:
            left.bind(stale)
        for path, code, why in ((folder + "/none", 3, "no such file"),
                                (folder + "/none/none", 3, "no such file"),
                                (plain + "/none", 3, "no such file"), (plain, 1, "no socket"),
                                (stale, 3, "nobody listens there any more")):
            result = alone("-r", path)
            assert result.returncode == code and why in result.stderr, result
    for name in ("close", "watch"):
        result = alone(name, "all")
        assert result.returncode == 2 and f"{name} needs --relay PATH" in result.stderr, result


def test_help_about_a_command():
    """its usage and its options, and no others'; of both where two have the name"""
    def told(*words, code=0):
        result = subprocess.run([kit.built("ctl/netrelayctl"), *words], capture_output=True,
                                text=True, check=False)
        assert result.returncode == code, result
        return result.stdout
    text = told("--relay", "x", "close", "--help")
    usage, _ = text.split("\n", 1)
    assert usage == "usage: netrelayctl --relay PATH close PORT [OPTION]...", usage
    assert "--relay PATH" in text and "--snaplen" not in text and "capture" not in text, text
    assert told("close", "--help") == told("help", "close") == text
    for name, own in (("status", "[NETWORK|GUEST]..."), ("detach", "GUEST ")):
        text = told(name, "--help")
        assert text.count("usage: ") == 2 and f"netrelayctl {name} {own}" in text, text
        assert told(name, "--relay", "x", "-h").count("usage: ") == 1
    assert "--snaplen" in told("capture", "-h") and "--snaplen" in told("--help")
    for name in ("nothing", "complete"):        # the shell's completion calls that, nobody else
        assert told(name, "--help", code=2) == ""


def test_an_endpoint_without_its_options():
    """is that endpoint where no other could be meant, and its options are said exactly or not"""
    with by_hand("-l", "12345,guest", "udp:127.0.0.1:4001,learn", "127.0.0.1:2001,guest") as relay:
        relay.listening(12345)
        must(relay, "attach", "127.0.0.1:2001")
        assert "no endpoint" in fails(1, relay, "detach", "listen:12345,guest=x")
        must(relay, "detach", "listen:12345")
        must(relay, "detach", "udp:127.0.0.1:4001")
        must(relay, "detach", "127.0.0.1:2001")         # the one that has none, exactly
        left, = status(relay)["endpoints"]
        assert left["endpoint"].startswith("tcp:127.0.0.1:2001,"), left
        must(relay, "detach", "tcp:127.0.0.1:2001")
        assert not status(relay)["endpoints"]


def test_a_network_by_its_name():
    """as the manager names its relays' sockets; a name that is none is said to be none"""
    with tempfile.TemporaryDirectory(prefix="netrelay-") as folder:
        os.mkdir(os.path.join(folder, "relays"))
        name = "my lab"
        path = os.path.join(folder, "relays", hashlib.sha256(name.encode()).hexdigest()[:32])
        with Relay("--control", path + ".sock", "-l", "12345") as relay:
            relay.listening(12345)
            command = [kit.built("ctl/netrelayctl"), "--socket", folder, "status", "--relay"]
            result = subprocess.run([*command, name], capture_output=True, text=True, check=True)
            assert f"pid {relay.keeper}" in result.stdout
            result = subprocess.run([*command, "lab"], capture_output=True, text=True, check=False)
            assert result.returncode == 3 and "lab: there is no file of that name" in result.stderr


def test_what_completion_offers():
    """commands of a relay, ids of its endpoints or ports"""
    def offered(*words):
        result = subprocess.run([kit.built("ctl/netrelayctl"), "complete", "--", *words],
                                capture_output=True, text=True, check=True)
        return result.stdout.split()
    with by_hand("-l", "12345", "127.0.0.1:2001") as relay:
        relay.listening(12345)
        guests = [dial(12345) for _ in range(3)]
        eventually(lambda: len(status(relay)["ports"]) == len(guests), 5, "three ports")
        assert offered("--relay", relay.path, "c") == ["close", "capture"]
        assert offered("--relay", relay.path, "detach", "") == ["1", "2"]
        assert offered("--relay", relay.path, "capture", "") == ["1", "2", "3"]
        assert "--write" in offered("--relay", relay.path, "capture", "--")
        assert "close" not in offered("") and "--relay" in offered("--")
        assert offered("--relay", relay.path + "x", "close", "") == []
        assert offered("help", "rel") == ["reload"]


def test_watch_a_relay():
    """a line for each change, at once; it ends with the relay"""
    with by_hand("-l", "12345") as relay:
        relay.listening(12345)
        with started(relay, "watch") as watch:
            def line():
                ready, _, _ = select.select([watch.stdout], [], [], 5)
                assert ready, "no further line"
                return watch.stdout.readline().decode()

            def heard():
                dial(12345).close()
                return select.select([watch.stdout], [], [], 0.1)[0]
            eventually(heard, 5, "it has begun to watch")
            assert line().startswith("port ")
            must(relay, "attach", "udp:127.0.0.1:4001:127.0.0.1:4002", "a\u202eb")
            seen = line()
            while "127.0.0.1:4002" not in seen:
                seen = line()
            assert "\u202e" not in seen and "\\xe2\\x80\\xae" in seen, seen
            must(relay, "attach", "127.0.0.1:2001")     # nobody is there: it has no port
            must(relay, "detach", "127.0.0.1:2001")
            while "gone tcp:127.0.0.1:2001" not in seen:
                seen = line()
            assert seen.startswith("endpoint 3 gone"), seen
            must(relay, "stop")
            assert watch.wait(5) == 0


def tally(text):
    """{peer or other name: rest of the line} of the ports in this log."""
    return {found[1]: found[2] for found in
            re.finditer(r"port \d+, (?:.* with )?(.*?): up; (rx .*)", text)}


def test_SIGUSR1_tells_the_counters():
    """A7: a line for each port, with its name and what was dropped; of a managed relay too"""
    with Relay("-l", "12345", "4001:127.0.0.1:4002") as relay:
        relay.listening(12345).bound(4001)
        udp = UdpPeer(("127.0.0.1", 4002), ("127.0.0.1", 4001))
        one = dial(12345)
        exchange(one, udp)
        one.send_raw(header(0) * 5)
        UdpPeer(("127.0.0.1", 4003), ("127.0.0.1", 4001)).send(frame(mac(1), mac(3), size=60))
        name = "127.0.0.1:%d" % one.sock.getsockname()[1]

        def told():
            relay.process.send_signal(signal.SIGUSR1)
            return "runt 5" in tally(relay.text()).get(name, "")
        eventually(told, 5, "the counters are told")
        found = tally(relay.text())
        assert re.search(r"rx \d+ frames, \d+ bytes; tx 1 frames, 60 bytes; queued 0 bytes; "
                         "dropped: runt 5$", found[name]), found
        assert set(found) == {name, "127.0.0.1:4002"}, found
        assert found["127.0.0.1:4002"].endswith("dropped: stranger 1"), found
        assert all(line.startswith("<5>netrelay: ") for line in relay.text().splitlines())
    with ManagedRelay("l\u00e4b") as relay:
        control = relay.control()
        control.attach("udp:127.0.0.1:4001:127.0.0.1:4002", "a\u202eb")
        relay.process.send_signal(signal.SIGUSR1)
        eventually(lambda: "rx 0 frames" in relay.text(), 5, "the counters are told")
        assert "l\\xc3\\xa4b: port 1," in relay.text() and "a\\xe2\\x80\\xaeb" in relay.text()


def test_F9_what_cannot_be_reached_is_said():
    """without -v: one line with the reason, one when it is there; SIGUSR1 tells the rest"""
    with Relay("127.0.0.1:2001", "unix:/nonexistent/vm.sock") as relay:
        eventually(lambda: len(lines_like(relay, "cannot be reached")) == 2, 5, "both are named")
        assert lines_like(relay, "tcp:127.0.0.1:2001 cannot be reached, and is waited for: "
                          "Connection refused"), relay.text()
        with socket.socket() as far:
            far.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            far.bind(("127.0.0.1", 2001))
            far.listen()
            eventually(lambda: lines_like(relay, "2001 is connected"), 5, "it is there")
        relay.process.send_signal(signal.SIGUSR1)
        eventually(lambda: lines_like(relay, "endpoint 2, unix:/nonexistent/vm.sock: dialling: No "
                                      "such file"), 5, "SIGUSR1 tells why")
        assert lines_like(relay, "endpoint 1, tcp:127.0.0.1:2001: "), relay.text()
        assert len(lines_like(relay, "vm.sock cannot be reached")) == 1, relay.text()
    with ManagedRelay("lab") as relay:
        control = relay.control()
        endpoint = control.attach("tcp:127.0.0.1:2001")
        eventually(lambda: control.dump()[0][endpoint].get("detail"), 5, "why it is not there")
        assert not lines_like(relay, "cannot be reached"), "its manager knows by itself"


def test_SIGUSR1_stops_nothing():
    """to all of its processes, from the first moment on, again and again: no frame is lost"""
    with Relay("-l", "12345") as relay:
        eventually(lambda: mask_of(relay.keeper, "SigIgn") & 1 << signal.SIGUSR1 - 1, 5,
                   "it has begun")
        for _ in range(1000):
            relay.process.send_signal(signal.SIGUSR1)
        relay.listening(12345)
        forwarder = relay.forwarder()
        guests = [dial(12345), dial(12345)]
        exchange(*guests)
        with Traffic(*guests, rate=1000) as traffic:
            traffic.sample()
            for _ in range(50):
                for pid in relay.processes():
                    os.kill(pid, signal.SIGUSR1)
                traffic.flow(3)
            complete(traffic.finish())
        assert relay.forwarder() == forwarder


def mask_of(pid, key):
    with open(f"/proc/{pid}/status") as text:
        return int(re.search(key + r":\s*(\w+)", text.read())[1], 16)


def test_SIGUSR1_into_a_narrow_pipe():
    """more lines than the pipe holds: all of them come, as fast as they are read"""
    near, far = os.pipe()
    fcntl.fcntl(far, fcntl.F_SETPIPE_SZ, 16384)
    with Relay("-l", "12345", stderr=far) as relay:
        os.close(far)
        relay.listening(12345)
        guests = [dial(12345) for _ in range(200)]
        exchange(*guests[-2:])
        relay.process.send_signal(signal.SIGUSR1)
        text = b""
        while text.count(b"\n") < 202:     # the heading, the endpoint, its ports
            assert select.select([near], [], [], 5)[0], text[-200:]
            text += os.read(near, 1000)
        assert len(tally(text.decode())) == 200 and b"counters of 200 ports" in text
    os.close(near)


def test_devices_attached_later():
    """a relay that was started with a TAP makes others; one that was not says how to get one"""
    kit.need_tun()
    kit.quiet_kernel()
    links.add_bridge("br0")
    with by_hand("-v", "-l", "12345", "tap:t0") as relay:
        relay.listening(12345)
        must(relay, "attach", "br0")
        must(relay, "attach", "tap:t1,ip=192.0.2.1/24")
        assert {"t0", "t1", "nrtap0"} <= devices(), devices()
        must(relay, "close", status(relay)["ports"][0]["id"])
        eventually(lambda: lines_like(relay, "tap:t0 is attached again"), 5, "t0 is made anew")
        assert lines_like(relay, "tap:t0 is waited for: its port was closed"), relay.text()
        must(relay, "detach", "bridge:br0")
        eventually(lambda: "nrtap0" not in devices(), 5, "its TAP goes with it")
    with by_hand("-v", "-l", "12345") as relay:
        relay.listening(12345)
        for endpoint in ("br0", "tap:t2,ip=192.0.2.1/24"):
            result = ctl(relay, "attach", endpoint)
            assert result.returncode == 1 and "only a relay that was started with a bridge or TAP" \
                in result.stderr, result
        must(relay, "attach", "4001:127.0.0.1:4002")
        must(relay, "detach", "udp:*:4001:127.0.0.1:4002")
        eventually(lambda: lines_like(relay, "udp:*:4001:127.0.0.1:4002 with 127.0.0.1:4002: gone"),
                   5, "a port that is gone is named by its endpoint, detached or not")


def lines_like(relay, words):
    return [line for line in relay.text().splitlines() if words in line]


def test_F26_ports_that_are_closed_for_cause():
    """1,000 bad lengths: ten lines with names, and at the end one that says how many there were"""
    with Relay("-l", "12345") as relay:
        relay.listening(12345)
        for _ in range(1000):
            peer = dial(12345)
            peer.send_raw(header(FRAME_MAX + 1))
            peer.closed()
        said = lines_like(relay, "longer than any frame")
        name = "127.0.0.1:%d" % peer.sock.getsockname()[1]
        assert len(said) == 10 and "listen:*:12345 with 127.0.0.1:" in said[0], said
        relay.term()
        said = lines_like(relay, "longer than any frame")
        assert "990 more lines like this were left out: " in said[10], said[10:]
        assert name in said[10], said[10:]
        assert relay.text().count("\n") == 11


def test_F26_every_kind_with_v():
    """connects, refused addresses, storms, control clients: with -v too a bound"""
    options = ["-v", "--storm", "10", "-l", "12345", "4001:127.0.0.1:4002,pin=52:54:00:00:00:77"]
    with by_hand(*options) as relay:
        relay.listening(12345).bound(4001)
        udp = UdpPeer(("127.0.0.1", 4002), ("127.0.0.1", 4001))
        for number in range(1000):
            udp.send(frame(mac(1), mac(number), size=60))
            dial(12345).close()
        flooder = dial(12345)
        for number in range(1000):
            flooder.send(*[numbered(BROADCAST, mac(5), number)] * 100)
        control = [socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) for _ in range(500)]
        for one in control:
            one.setblocking(False)
            one.connect_ex(relay.path)
        eventually(lambda: lines_like(relay, "turned away"), 5, "clients are turned away")
        for one in control:
            one.close()
        eventually(lambda: sum(port["drop_storm"] for port in status(relay)["ports"]) > 90000, 10,
                   "storms are dropped")
        for words in ("may not come in", "for everybody", "turned away"):
            assert 1 <= len(lines_like(relay, words)) <= 10, (words, lines_like(relay, words)[:12])
        relay.term()
        lines = relay.text().splitlines()
        assert len(lines) < 1300, f"{len(lines)} lines, such as {lines[-20:]}"
        assert lines_like(relay, "more lines like this"), "nothing says what was left out"


def test_control_path_that_is_taken_stays():
    """a file, a folder, a listening socket: exit 1, one line that names the path, all as before"""
    with tempfile.TemporaryDirectory() as folder:
        plain, living = os.path.join(folder, "plain"), os.path.join(folder, "living")
        with open(plain, "w") as file:
            file.write("dear")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(living)
            listener.listen()
            for path, why in ((plain, "is no socket"), (folder, "is no socket"),
                              (living, f"(pid {os.getpid()})"),
                              (f"{folder}/none/control", "No such"), ("/" + 200 * "x", "too long")):
                result = run("--control", path, "-l", "12345")
                assert result.returncode == 1 and result.stderr.count("\n") == 1, result
                assert path[:100] in result.stderr and why in result.stderr, result.stderr
        with open(plain) as file:
            assert file.read() == "dear"
        assert sorted(os.listdir(folder)) == ["living", "plain"]


if __name__ == "__main__":
    kit.main()
