#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""netrelayctl status --watch, on a terminal of the test's own and without one."""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import tap
from host import PrivateHost
from lab import PORT
from process import environment_of
from wait import eventually

ENTER, LEAVE = b"\x1b[?1049h\x1b[?25l", b"\x1b[?25h\x1b[?1049l"
HOME = b"\x1b[H"


class Terminal:
    """A terminal with one program on it."""

    def __init__(self, *argv, rows=24, columns=100, env=None):
        self.written = b""
        self.master, slave = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.process = subprocess.Popen(
            argv, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env=environment_of("root", {"TERM": "xterm", **(env or {})}))

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def text(self):
        """All that was written to it."""
        while select.select([self.master], [], [], 0)[0]:
            self.written += os.read(self.master, 65536)
        return self.written

    def frame(self):
        """The lines of the last whole picture, without what clears and colours."""
        frames = [part for part in self.text().split(HOME)[1:] if b"\x1b[J" in part]
        last = frames[-1].split(b"\x1b[J")[0].decode() if frames else ""
        return re.sub(r"\x1b\[[0-9;]*[mK]|\r", "", last).split("\n")

    def shows(self, words, deadline=10):
        return eventually(lambda: words in "\n".join(self.frame()), deadline,
                          f"{words} on the terminal")

    def type(self, keys):
        os.write(self.master, keys)

    def ends(self):
        """Its exit code; the terminal is as it was."""
        code = self.process.wait(10)
        text = self.text()
        assert text.count(ENTER) == text.count(LEAVE) > 0, text
        assert termios.tcgetattr(self.slave) == self.before, "keys are not as they were"
        return code


def network(host, name, port):
    return host.write_network(name, f"<network><name>{name}</name>"
                                    f"<listen address='127.0.0.1' port='{port}'/></network>")


# Rarely by itself, so that what is seen was told, or asked for.
WATCH = ("/usr/bin/netrelayctl", "status", "--watch=3600")


def watched(host, argv=WATCH, **details):
    host.netrelayd()
    network(host, "lab", PORT)
    terminal = Terminal(*argv, **details)
    terminal.shows("listening")
    return terminal


def test_drawn_in_place(host):
    """A new network is seen at once, in colour; Ctrl-C gives the terminal back, with exit code 0"""
    terminal = watched(host)
    assert b"\x1b[32mlistening" in terminal.text()
    assert not termios.tcgetattr(terminal.slave)[3] & (termios.ECHO | termios.ICANON)
    network(host, "second", PORT + 1)
    terminal.shows("second")
    assert b"\x1b[2J" not in terminal.text(), "it would flicker"
    drawn = terminal.text().count(HOME)
    terminal.type(b"\x0c")
    eventually(lambda: terminal.text().count(HOME) > drawn, 10, "Ctrl-L draws again")
    terminal.type(b"\x03")
    assert terminal.ends() == 0


def test_again_and_again(host):
    """--watch=SECONDS: for the counters, of which nobody tells; Ctrl-D ends it"""
    terminal = watched(host, ("/usr/bin/netrelayctl", "status", "--watch=0.1"))
    drawn = terminal.text().count(HOME)
    eventually(lambda: terminal.text().count(HOME) > drawn + 5, 10, "drawn again and again")
    terminal.type(b"\x04")
    assert terminal.ends() == 0


def test_another_size(host):
    """A window that becomes small: no line is longer, none is too many; and wide again"""
    terminal = watched(host)
    for number in range(8):
        network(host, f"net{number}", PORT + 1 + number)
    terminal.shows("net7")
    terminal.resize(6, 40)
    terminal.shows("more lines")
    frame = terminal.frame()
    assert len(frame) == 6 and max(map(len, frame)) <= 40, frame
    terminal.resize(40, 120)
    terminal.shows("net7")
    terminal.type(b"q")
    assert terminal.ends() == 0


def test_80_columns(host):
    """The counters are there, and texts are shortened for them; a pipe gets all"""
    name = "a-network-with-a-long-name"
    host.netrelayd()
    network(host, name, PORT)
    terminal = Terminal(*WATCH, columns=80)
    terminal.shows("listening")
    table = [line for line in terminal.frame() if "DROPS" in line or "listening" in line]
    assert len(table) == 2 and len(table[0]) <= 80 and table[0].endswith("  DROPS"), table
    assert re.match("a-net.*\u2026.*name ", table[1]) and f"{PORT}  listening" in table[1], table
    assert name not in table[1] and "\u2026" in table[1], table
    terminal.resize(24, 60)
    eventually(lambda: any("KIND" not in line and line.endswith("  DROPS")
                           for line in terminal.frame()), 10, "what can be spared is left out")
    terminal.resize(24, 120)
    terminal.shows(name)
    terminal.type(b"q")
    assert terminal.ends() == 0
    once = Terminal("/usr/bin/netrelayctl", "status", columns=80)
    assert once.process.wait(10) == 0
    assert "\u2026" in once.text().decode() and name not in once.text().decode(), once.text()
    assert name in host.netrelayctl("status").stdout


def test_stopped_for_a_while(host):
    """Ctrl-Z gives the terminal back, and fg draws again"""
    terminal = watched(host, ("/bin/bash", "-mc", f"{' '.join(WATCH)}; echo in between; fg"))
    terminal.type(b"\x1a")
    eventually(lambda: LEAVE in terminal.text().split(b"in between")[0], 10, "given back")
    eventually(lambda: HOME in terminal.text().split(b"in between")[-1], 10, "drawn again")
    terminal.shows("listening")
    terminal.type(b"q")
    assert terminal.ends() == 0


def test_ended_by_a_signal(host):
    """SIGTERM and SIGHUP give the terminal back; NO_COLOR is heard"""
    for number in (signal.SIGTERM, signal.SIGHUP):
        terminal = watched(host, env={"NO_COLOR": "1"})
        assert b"\x1b[32m" not in terminal.text()
        terminal.process.send_signal(number)
        assert terminal.ends() == 0


def test_the_manager_ends(host):
    """D1: what was there stays, with the word that nobody answers; its successor is shown"""
    daemon = host.netrelayd()
    network(host, "lab", PORT)
    terminal = Terminal(*WATCH)
    terminal.shows("listening")
    daemon.kill()
    terminal.shows("does not answer since")
    terminal.shows("listening")
    network(host, "second", PORT + 1)
    daemon.start()
    eventually(lambda: "does not answer" not in terminal.frame()[0], 10, "it is back")
    terminal.shows("second")
    terminal.type(b"q")
    assert terminal.ends() == 0


def test_without_a_terminal(host):
    """Refused in one sentence, as is one that cannot be drawn on, and a time that is none"""
    host.netrelayd()
    refused = host.netrelayctl("status", "--watch", check=False)
    assert refused.returncode == 2 and refused.stdout == "", refused
    assert len(refused.stderr.splitlines()) == 1 and "terminal" in refused.stderr, refused
    for often in ("often", "0.01"):
        wrong = host.netrelayctl("status", f"--watch={often}", check=False)
        assert wrong.returncode == 2 and len(wrong.stderr.splitlines()) == 1, wrong
        assert often in wrong.stderr, wrong
    dumb = Terminal(*WATCH, env={"TERM": "dumb"})
    assert dumb.process.wait(10) == 2 and b"terminal" in dumb.text(), dumb.text()


def documents(word):
    """`status --json`, followed: the process."""
    return subprocess.Popen(["/usr/bin/netrelayctl", "status", word, "--json"], text=True,
                            stdout=subprocess.PIPE, env=environment_of("root"))


def lasting(process):
    """The next document, without what changes all the time."""
    document = json.loads(process.stdout.readline())
    rows = [{key: row.get(key) for key in ("network", "kind", "address", "state", "reason", "port")}
            for row in document["rows"]]
    return rows, document["summary"]


def test_documents(host):
    """--json: one for each change, and no other, until nobody reads; or one each time"""
    host.netrelayd()
    with documents("--watch") as process:
        was = lasting(process)
        host.netrelayctl("reload")
        network(host, "lab", PORT)
        while not any(row["state"] == "listening" for row in was[0]):
            found = lasting(process)
            assert found != was, "nothing has changed"
            was = found
        process.stdout.close()
        assert process.wait(10) == 0
    with documents("--watch=0.1") as process:
        assert all(lasting(process) == was for _ in range(3))
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


def test_without_a_manager(host):
    """Said before the terminal is touched: exit 3, one sentence"""
    terminal = Terminal("/usr/bin/netrelayctl", "status", "--watch")
    assert terminal.process.wait(10) == 3
    text = terminal.text()
    assert ENTER not in text and text.count(b"\n") == 1 and b"not running" in text, text


if __name__ == "__main__":
    tap.main(PrivateHost())
