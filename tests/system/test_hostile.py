#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What neither guests nor their owners should do, and what must not come of it."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import unicodedata
from xml.etree import ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import lab
import tap
from guest import client_nic
from host import PrivateHost
from lab import PORT, mac
from process import ours, run
from wait import eventually

DEEP = "<a>" * 100 + "</a>" * 100       # deeper than we read, and fine for libvirt
# What libvirt lets a guest be called; and what it does not, or what would be more of the same.
NAMES = ["\x7f\u009b31m' \"\\<b>&amp;%s%n\t", "-$(touch obeyed)`touch obeyed` '\u00fc\\' \"%s",
         "user\u202egpj." + "n" * 180]
NO_NAMES = ["../../etc/passwd", "a\nb", "..", "", " ", "*", "\u2028", "n" * 4096]
ASKED_MAX = 30000                       # questions; 5 MB, which no socket's buffers take
GROWTH_KB = 16 * 1024
NO_REPLY_EXPECTED = 1
BUSY_SECONDS = 2                        # of the 5 that a prepare waits for a host name


def busy_time(pid):
    """Seconds in which the main thread ran or wanted to: the same on a machine that others load."""
    with open(f"/proc/{pid}/task/{pid}/schedstat") as text:
        ran, waited, _ = map(int, text.read().split())
    return (ran + waited) / 1e9


def complaints(daemon, name):
    return daemon.text().count(f"guest {name} is left out")


@tap.timeout(90)
def test_hostile_metadata_of_running_guests(host):
    """XML that becomes unreadable while its guest runs takes no network from it"""
    host.libvirtd()
    daemon = host.netrelayd()
    guests = {i: lab.numbered(host, i, client_nic(PORT, mac(i))) for i in (1, 2)}
    lab.start_all(guests)
    guests[1].reaches(lab.address(2))
    relays = ours("netrelay")
    flow = guests[1].start_pings(lab.address(2))
    for guest in guests.values():
        host.virsh("metadata", guest.name, "--uri", "urn:x", "--key", "x", "--set", DEEP, "--live")
        eventually(lambda: complaints(daemon, guest.name), 10, "a word on the XML")
    host.netrelayctl("reload")          # libvirt's whole list is read anew, and a pass made
    flow.wait_replies(20)
    sent, received = flow.stop()
    assert sent == received, f"{sent - received} of {sent} pings lost"
    assert ours("netrelay") == relays
    for guest in guests.values():       # their end is seen all the same
        guest.destroy()
    lab.no_relays()


@tap.timeout(60)
def test_hostile_name_server(host):
    """A guest whose host name is not answered starts after some seconds, in which nobody is busy"""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.53", 53))
        with open("/etc/resolv.conf", "w") as text:
            text.write("nameserver 127.0.0.53\noptions timeout:30\n")
        daemon = host.netrelayd()
        guest = host.guest("vm1", [client_nic(PORT, mac(1), address="slow.example")], define=False)
        before = busy_time(daemon.process.pid)
        host.netrelayctl("hook", "prepare", "--", "vm1", text_in=guest.xml)
        used = busy_time(daemon.process.pid) - before
        assert used < BUSY_SECONDS, f"busy for {used} s"


def harmless(text, what):
    """No order to a terminal, nothing that changes how its neighbours look, in whole lines."""
    bad = [c for c in text if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")]
    assert not bad, (what, bad, text)
    return text


def completions(host, word):
    """What bash makes of the word behind `netrelayctl status`, as the shell would read it."""
    script = (". /usr/share/bash-completion/completions/netrelayctl; "
              "COMP_WORDS=(netrelayctl status \"$1\"); COMP_CWORD=2; _netrelayctl; "
              "for one in \"${COMPREPLY[@]}\"; do eval \"printf '%s\\\\0' $one\"; done")
    return run(["bash", "-c", script, "bash", word]).stdout.split("\0")[:-1]


@tap.timeout(120)
def test_hostile_names(host):
    """A1: names that give orders to terminals and shells are seen as they are, and not obeyed"""
    host.libvirtd()
    daemon = host.netrelayd()
    for number, name in enumerate(NAMES, 1):
        host.guest(name, [client_nic(PORT, mac(number))]).start()
    for number, name in enumerate(NAMES, 1):        # by the pid file, whose name is the guest's
        row = lab.expect_row(host, guest=name, state="connected")
        assert row["mac"] == mac(number), row
        alone = host.netrelayctl("status", "--json", "--", name).stdout
        assert [r["guest"] for r in json.loads(alone)["rows"]] == [name], alone
    for words in (["status"], ["status", "--json"], ["plan"], ["graph"], ["graph", "--json"],
                  ["doctor"], ["doctor", "--json"], ["net-list"], ["status", "--", NAMES[0]]):
        result = host.netrelayctl(*words, check=False)
        harmless(result.stdout + result.stderr, words)
    if shutil.which("dot"):
        picture = host.netrelayctl("graph", "--svg").stdout
        assert "obeyed" in "".join(ElementTree.fromstring(harmless(picture, "svg")).itertext())
    for name in NAMES + NO_NAMES:
        guest = host.guest(name, [client_nic(PORT, mac(9))], define=False)
        for words in (["plan", "--xml", "-"], ["plan", "--json", "--xml", "-"],
                      ["hook", "prepare", "--", name.replace("\n", " ")]):
            said = host.netrelayctl(*words, text_in=guest.xml, check=False)
            harmless(said.stdout + said.stderr, (name, words))
    harmless(daemon.text(), "the log")
    # A name that would spoil the line is not offered; others are that name, and nothing is run.
    assert [name for name in completions(host, "") if name in NAMES] == [NAMES[1]]
    assert not os.path.exists("/obeyed")
    relays = lab.relay_files(host)
    assert len(relays) == 1 and re.fullmatch(r"[0-9a-f]{32}\.sock", relays[0]), relays


@tap.timeout(60)
def test_hostile_arguments(host):
    """Names that no XML can have, on the command line and for the hook: a sentence, and no crash"""
    daemon = host.netrelayd()
    for name in (b"\xff\xfe", b"\x1b[31m", b"../../etc/passwd", b"%s%n", b"", b"x" * 4096,
                 "\u202e".encode(), b"-"):
        for words in ("status --", "revive --", "net-start --", "net-destroy --", "net-define --",
                      "net-undefine --", "net-dumpxml --", "net-autostart --", "plan --xml",
                      "hook prepare --"):
            result = subprocess.run([b"/usr/bin/netrelayctl", *words.encode().split(), name],
                                    stdin=subprocess.DEVNULL, capture_output=True, timeout=30,
                                    check=False)
            assert 0 <= result.returncode <= 3, (words, name, result)
            said = harmless((result.stdout + result.stderr).decode(), (words, name))
            assert "CRITICAL" not in said and "WARNING" not in said, said
    assert "CRITICAL" not in harmless(daemon.text(), "the log"), daemon.text()


def padded(data):
    return data + b"\0" * (-len(data) % 8)


def dbus_field(code, kind, value):
    """One header field of a D-Bus message."""
    return bytes([code, 1]) + kind + b"\0" + len(value).to_bytes(4, "little") + value + b"\0"


def dbus_call(member, flags=0):
    """A method call without arguments to the manager, all of them with one serial number."""
    fields = (padded(dbus_field(1, b"o", b"/org/netrelay/Manager1"))
              + padded(dbus_field(3, b"s", member))
              + dbus_field(2, b"s", b"org.netrelay.Manager1"))
    return padded(b"l\1" + bytes([flags]) + b"\1" + (0).to_bytes(4, "little")
                  + (1).to_bytes(4, "little") + len(fields).to_bytes(4, "little") + fields)


def ask_without_listening(host, call):
    """Asks again and again on one connection, until it is closed; gives up after some MB."""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(20)
        line.connect(f"{host.state_directory}/control.sock")
        line.sendall(b"\0AUTH EXTERNAL 30\r\n")
        assert line.recv(4096).startswith(b"OK")
        line.sendall(b"BEGIN\r\n" + dbus_call(b"Plan"))
        assert line.recv(4096).startswith(b"l\2"), "it is answered at first"
        try:
            for _ in range(ASKED_MAX):
                line.sendall(call)
        except ConnectionError:
            return True
    return False


def resident(pid):
    """In kB."""
    with open(f"/proc/{pid}/status") as text:
        return int(re.search(r"^VmRSS:\s+(\d+)", text.read(), re.MULTILINE).group(1))


@tap.timeout(60)
def test_hostile_asker(host):
    """D9: who asks and never reads the answers is thrown out, before it costs memory or a hook"""
    daemon = host.netrelayd()
    host.netrelayctl("status")
    before = resident(daemon.pid)
    for member in (b"Status", b"Reload", b"Nonsense"):
        for flags in (0, NO_REPLY_EXPECTED):
            assert ask_without_listening(host, dbus_call(member, flags)), (member, flags)
    grown = resident(daemon.pid) - before
    assert grown < GROWTH_KB, f"the manager has grown by {grown} kB"
    host.netrelayctl("status")


if __name__ == "__main__":
    tap.main(PrivateHost())
