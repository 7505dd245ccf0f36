# SPDX-License-Identifier: GPL-2.0-or-later
"""Work of a forwarder that is killed at a chosen step of it: tests/relay/stepper.c.

A `Work` is a relay with its stations, and something for it to do, again and again. Each time the
forwarder is killed after another one of its steps, and in the end every frame must have arrived
once, whole, and behind the one that its sender sent before.
"""

import contextlib
import os
import select
import socket
import subprocess

import kit
import links
import tap
from frames import BROADCAST, enclose, frame, mac
from peers import DEADLINE, Server, dial, introduce, meet
from relayproc import Relay
from wait import PATIENCE

ALL = 1 << 40


class Stepper:
    """The program that lets a forwarder go on step by step."""

    def __init__(self):
        program = kit.built("tests/relay/stepper")
        if not os.access(program, os.X_OK):
            tap.skip("no stepper for this processor")
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, bufsize=1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def ask(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        ready, _, _ = select.select([self.process.stdout], [], [], 30 * PATIENCE)
        answer = self.process.stdout.readline() if ready else ""
        assert answer, f"the stepper does not answer {words}: exit {self.process.poll()}"
        return answer.split()

    def run(self, count, how="run"):
        """-> steps done, whether it waits, and what the last one was"""
        steps, state, *last = self.ask(how, count)
        return int(steps), state == "idle", " ".join(last)


class Work(contextlib.ExitStack):
    """Relay and stations. `stations` talk; their numbers are their addresses."""

    arguments = ("-l", "12345")
    count = 4

    def __init__(self):
        super().__init__()
        self.turn = 0
        self.expected = {}          # (receiver, sender): frames
        self.pending = []           # (sender, bytes) that are not yet sent
        self.surroundings()
        self.relay = self.enter_context(Relay(*self.arguments))
        self.stepper = self.enter_context(Stepper())
        self.stations = self.connect()
        introduce(*self.stations)

    def surroundings(self):
        """What has to be there before the relay."""

    def connect(self):
        self.relay.listening(12345)
        return [dial(12345) for _ in range(self.count)]

    # What is said

    def say(self, sender, receiver, size):
        """Returns a frame on a stream, which is expected from now on; receiver None: everybody."""
        to = BROADCAST if receiver is None else mac(receiver + 1)
        said = frame(to, mac(sender + 1), self.turn.to_bytes(4, "big") + bytes([size & 255]),
                     size=size)
        for number in range(len(self.stations)):
            if number != sender and receiver in (None, number):
                self.expected.setdefault((number, sender), []).append(said)
        return enclose(said)

    def prepare(self):
        """Before the forwarder is stopped."""

    def begin(self):
        """While it is stopped: says what it will find."""
        raise NotImplementedError

    def more(self):
        """It waits: goes on with what is to be said. False: that was all."""
        if not self.pending:
            return False
        sender, data = self.pending.pop(0)
        self.stations[sender].send_raw(data)
        return True

    def check(self):
        """All has arrived, and nothing else."""
        while self.more():
            pass
        for number, station in enumerate(self.stations):
            wanted = {sender: frames for (receiver, sender), frames in self.expected.items()
                      if receiver == number}
            got = {sender: [] for sender in wanted}
            for one in station.receive(sum(map(len, wanted.values())), DEADLINE * PATIENCE):
                got.setdefault(int.from_bytes(one[9:12], "big") - 1, []).append(one)
            for sender in got:
                assert got[sender] == wanted.get(sender), \
                    f"station {number} of {sender}: {shown(got[sender])} in place of " \
                    f"{shown(wanted.get(sender, []))}"
            assert not station.waiting and not station.ended, f"station {number} got more, or ended"
        self.expected.clear()

    # The forwarder

    def sets(self):
        """Sets of places whose stores are steps: each is watched while the loop has it."""
        number = 0
        while self.stepper.ask("watch", number) != ["none"]:
            yield number
            number += 1

    def go(self, count, how="run"):
        """So many steps of it, or to the end of its work. -> how many, and the last one's name"""
        done, last = 0, ""
        while done < count:
            steps, waits, what = self.stepper.run(count - done, how)
            done, last = done + steps, what if steps else last
            if waits and not self.more():
                break
        return done, last

    def start(self):
        self.turn += 1
        self.prepare()
        self.stepper.ask("attach", self.relay.forwarder())
        self.begin()

    def measure(self):
        """How many steps the work has."""
        self.start()
        steps, _ = self.go(ALL)
        self.stepper.ask("kill")
        self.check()
        return steps

    def killed_after(self, step, again=None, how="run"):
        """Is its forwarder killed after this step, or the work over before? `again`: the successor,
        too, after that step of its own."""
        self.start()
        done, last = self.go(step, how)
        if again is not None:
            self.stepper.ask("succeed", self.relay.keeper)
            self.go(again)
        self.stepper.ask("kill")
        try:
            self.check()
        except AssertionError as error:
            raise AssertionError(f"turn {self.turn}, killed after step {done} ({last}), then "
                                 f"{again}: {error}") from error
        return done == step


def shown(frames):
    return [f"{len(one)}:{int.from_bytes(one[14:18], 'big')}" for one in frames]


class Switch(Work):
    """Four guests that dialled: known unicast, floods, a frame in two parts"""

    def begin(self):
        whole = self.say(0, 1, 60) + self.say(0, None, 700) + self.say(0, 2, 3000)
        halves = self.say(0, 3, 2000)
        self.stations[0].send_raw(whole + halves[:1200])
        self.stations[1].send_raw(self.say(1, None, 90) + self.say(1, 0, 1514))
        self.pending = [(0, halves[1200:] + self.say(0, 1, 61)), (3, self.say(3, 0, 64))]


class Wire(Work):
    """A wire between two guests that were dialled, both ways at once"""

    arguments = ("127.0.0.1:2001", "127.0.0.1:2002")

    def surroundings(self):
        self.servers = [self.enter_context(contextlib.closing(Server(number)))
                        for number in (2001, 2002)]

    def connect(self):
        return [server.accept(DEADLINE * PATIENCE) for server in self.servers]

    def begin(self):
        self.stations[0].send_raw(self.say(0, 1, 60) + self.say(0, None, 9014))
        whole = self.say(1, 0, 200)
        halves = self.say(1, 0, 9000)
        self.stations[1].send_raw(whole + halves[:2])
        self.pending = [(1, halves[2:])]


class Mixed(Wire):
    """A switch of one guest that was dialled and two that dialled us"""

    arguments = ("-l", "12345", "127.0.0.1:2001", "127.0.0.1:2002")

    def connect(self):
        return [*super().connect(), dial(12345)]

    def begin(self):
        self.stations[0].send_raw(self.say(0, 2, 60) + self.say(0, None, 1514))
        self.stations[2].send_raw(self.say(2, 1, 300) + self.say(2, None, 301))


class SlowReader(Work):
    """A guest with small buffers that reads only when nothing more goes: sends are cut, queued"""

    count = 2
    size = 9000

    def surroundings(self):
        for name in ("tcp_wmem", "tcp_rmem"):
            links.write(f"/proc/sys/net/ipv4/{name}", "4096 8192 16384")

    def begin(self):
        self.rest = b"".join(self.say(0, 1, self.size + n) for n in range(6))
        self.push()

    def push(self):
        """True where some more went in."""
        was, sock = len(self.rest), self.stations[0].sock
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while self.rest:
                self.rest = self.rest[sock.send(self.rest):]
        sock.settimeout(DEADLINE)
        return len(self.rest) < was

    def more(self):
        return self.push() or bool(self.stations[1].gather(0.001))

    def check(self):
        while self.rest:
            self.more()
        super().check()


class Leaver(Work):
    """A guest that says something and ends at once, with the end behind its last frame"""

    count = 2

    def prepare(self):
        self.leaver = dial(12345)
        meet(self.leaver, *self.stations)

    def begin(self):
        self.leaver.send_raw(self.say(2, None, 60) + self.say(2, 0, 1514) + self.say(2, 1, 777))
        self.leaver.sock.shutdown(socket.SHUT_WR)

    def check(self):
        super().check()
        self.leaver.closed(DEADLINE * PATIENCE)
        self.leaver.close()


class Urgent(Work):
    """Bytes that are sent as urgent are bytes like others"""

    count = 3

    def begin(self):
        data = self.say(0, 1, 500) + self.say(0, None, 600) + self.say(0, 2, 61)
        sock = self.stations[0].sock
        for first, last in ((0, 300), (300, 507), (507, 900)):
            sock.sendall(data[first:last - 1])
            sock.send(data[last - 1:last], socket.MSG_OOB)
        sock.sendall(data[900:])


WORKS = (Switch, Wire, Mixed, SlowReader, Leaver, Urgent)
