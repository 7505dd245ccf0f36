# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs beside a relay: which they are, and a real VDE switch for one of them."""

import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile

import frames
import kit
import tap
from peers import Peer
from process import accepts
from relayproc import children, is_running, name_of, stat_of
from test_slow import pile_up, port_with_drops
from traffic import Traffic, unhurt
from wait import eventually

DEADLINE = 5


def companion_of(relay, name="netrelay-vde"):
    """The pid of a relay's companion, or None."""
    for pid in children(relay.keeper):
        if name_of(pid) == name and is_running(pid):
            return pid
    return None


def companion(relay, name="netrelay-vde", but=None, deadline=DEADLINE):
    """The same, waited for; another one than `but`."""
    def found():
        pid = relay.alive() and companion_of(relay, name)
        return pid if pid != but else None
    return eventually(found, deadline, f"{name} runs")


def stop_and_continue(relay, control, pid, talkers, source, count):
    """While it is stopped so many frames of a source's are more than its queue takes, which is
    bounded, and talkers are unhurt."""
    os.kill(pid, signal.SIGSTOP)
    eventually(lambda: stat_of(pid)[:1] == ["T"], 5, "it is stopped")
    before = relay.memory()
    with Traffic(*talkers, rate=1000) as traffic:
        traffic.sample()
        pile_up(source, 0, count)
        eventually(lambda: port_with_drops(control), 5, "drops are counted")
        unhurt(traffic.finish())
    assert relay.memory() - before < 4096, "its memory is bounded"
    os.kill(pid, signal.SIGCONT)


class Surroundings(kit.Surroundings):
    """The companion is there, which a build without its library has not, and what it talks to."""

    def __init__(self, kind, *programs):
        self.kind = kind
        self.programs = programs

    def open(self):
        super().open()
        if not os.path.exists(kit.built(f"relay-{self.kind}/netrelay-{self.kind}")):
            tap.skip(f"built without {self.kind}: endpoints")
        for program in self.programs:
            if not shutil.which(program):
                tap.skip(f"{program} is not installed")


class VdeSwitch:
    """`vde_switch` in a folder of its own, for as long as it is needed."""

    def __init__(self, *options, folder=None, **details):
        self.place = folder or tempfile.mkdtemp(prefix="vde-")
        self.folder = os.path.join(self.place, "switch")
        self.options = options
        self.details = details      # of the process, such as its user
        self.process = None
        self.start()

    def start(self):
        """Its standard input stays open: it ends with it."""
        self.process = subprocess.Popen(["vde_switch", *self.options, "-sock", self.folder],
                                        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                        **self.details)
        eventually(lambda: accepts(f"{self.folder}/ctl"), DEADLINE, "vde_switch is there")

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.wait(DEADLINE)

    def files(self):
        """What is in its folder beside its own."""
        return sorted(set(os.listdir(self.folder)) - {"ctl"})

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(DEADLINE)


class PlugPeer(Peer):
    """`vde_plug`, another program's plug in that switch: a length of 16 bits before each frame."""

    def __init__(self, folder):
        super().__init__()
        self.process = subprocess.Popen(["vde_plug", f"vde://{folder}"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        self.pending = b""

    def __str__(self):
        return "vde_plug"

    def fileno(self):
        return self.process.stdout.fileno()

    def send(self, *several):
        for one in several:
            self.process.stdin.write(struct.pack("!H", len(one)) + one)
        self.process.stdin.flush()

    def read(self):
        data = os.read(self.fileno(), 1 << 16)
        if not data:
            return None
        self.pending += data
        found = []
        while len(self.pending) >= 2:
            length, = struct.unpack_from("!H", self.pending)
            if len(self.pending) - 2 < length:
                break
            found.append(self.pending[2:2 + length])
            self.pending = self.pending[2 + length:]
        return found

    def close(self):
        self.process.kill()
        self.process.wait(DEADLINE)


class FakeSwitch(Peer):
    """One port of a switch, which takes frames as large as VDE's sockets do."""

    def __init__(self, folder):
        super().__init__()
        self.control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.control.bind(f"{folder}/ctl")
        self.control.listen(4)
        self.data = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.data.bind(f"{folder}/data")
        self.path = f"{folder}/data"

    def __str__(self):
        return "a port of a switch"

    def accept(self, deadline=DEADLINE):
        """A plug tells where its own socket is, and is told where ours is."""
        self.control.settimeout(deadline)
        while True:
            self.plug, _ = self.control.accept()
            request = self.plug.recv(1024)
            magic, version = struct.unpack_from("=II", request)
            assert (magic, version) == (0xfeedface, 3), request.hex()
            try:
                self.data.connect(request[14:122].split(b"\0")[0].decode())
            except OSError:
                continue            # it has given up meanwhile
            self.plug.sendall(struct.pack("=H108s", socket.AF_UNIX, self.path.encode()))
            return self

    def refuse(self):
        """One that waits is let go."""
        self.control.accept()[0].close()

    def fileno(self):
        return self.data.fileno()

    def send(self, *several):
        for one in several:
            self.data.send(one)

    def read(self):
        return [self.data.recv(1 << 16)]


def whole(several):
    """Every frame that came is one that numbered() makes: none is torn. Returns their numbers."""
    numbers = []
    for got in several:
        number, = struct.unpack_from("!I", got, 14)
        assert got == frames.numbered(got[:6], got[6:12], number, len(got)), got[:40].hex()
        numbers.append(number)
    return numbers
