#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the manager survives: many at once, many in turn, and a relay that never lives."""

import os
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import lab
import sanitizer
import tap
from guest import client_nic
from host import PrivateHost
from lab import PORT, mac
from process import accepts, ours, run
from wait import eventually

HOOK = "/etc/libvirt/hooks/qemu.d/50-netrelay"
CYCLES = 40
SLOW = 4        # times what is promised: where tests run, much else may run

# Dies at each start of one network's relay, and notes when.
FAILING = """#!/bin/sh
case "$*" in
*lab*) date +%s.%N >>/run/starts; exit 1 ;;
esac
exec /usr/bin/netrelay "$@"
"""


def network(name, port):
    return (f"<network><name>{name}</name>"
            f"<listen address='127.0.0.1' port='{port}'/></network>")


def guest(host, number, port):
    return host.guest(f"vm{number}", [client_nic(port, mac(number))], define=False)


def hook(one, *words):
    return run([HOOK, one.name, *words, "-"], text_in=one.xml, check=False)


def begun(one, *words):
    """The same, not waited for."""
    call = subprocess.Popen([HOOK, one.name, *words, "-"], stdin=subprocess.PIPE,
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    call.stdin.write(one.xml)
    call.stdin.close()
    return call


def fds_and_memory(pid):
    """Descriptors, and KiB of its own."""
    with open(f"/proc/{pid}/status") as file:
        memory = next(int(line.split()[1]) for line in file if line.startswith("RssAnon"))
    return len(os.listdir(f"/proc/{pid}/fd")), memory


@tap.timeout(90)
def test_D11_a_hundred_at_once(host):
    """100 guests' prepare, each with a network of its own: all are answered, and in time"""
    host.netrelayd()
    began = time.monotonic()
    calls = [begun(guest(host, number, PORT + number), "prepare", "begin")
             for number in range(100)]
    for call in calls:
        assert call.wait(60) == 0, call.stderr.read()
    took = time.monotonic() - began
    assert took < 5 * SLOW, f"{took:.1f} s"
    assert len(lab.relay_files(host)) == 100


@tap.timeout(60)
def test_D9_a_flood_of_the_control_socket(host):
    """1,000 clients that say nothing, or rubbish: a hook is not held up by them"""
    host.netrelayd()
    assert hook(guest(host, 1, PORT), "prepare", "begin").returncode == 0
    control = f"{host.state_directory}/control.sock"
    assert accepts(control)
    clients = []
    for number in range(1000):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        if client.connect_ex(control) == 0 and number % 2:
            try:
                client.send(b"\0AUTH EXTERNAL 31\r\nrubbish\r\n" * 10)
            except (BrokenPipeError, ConnectionResetError):
                pass                # it was one too many
        clients.append(client)
    began = time.monotonic()
    assert hook(guest(host, 2, PORT), "prepare", "begin").returncode == 0
    took = time.monotonic() - began
    assert took < 1 * SLOW, f"{took:.1f} s"
    for client in clients:
        client.close()
    eventually(lambda: host.netrelayctl("status", check=False).returncode == 0, 10, "it answers")


@tap.timeout(90)
def test_D10_guests_that_come_and_go(host):
    """One guest after the other, each with a relay of its own: nothing is left, nothing grows"""
    host.libvirtd()                     # without its list nothing that stands is taken away
    manager = host.netrelayd()

    def cycle(number):
        one = guest(host, number % 200, PORT + number)
        assert hook(one, "prepare", "begin").returncode == 0
        assert hook(one, "release", "end").returncode == 0

    for number in range(10):
        cycle(number)
    lab.no_relays()
    before = fds_and_memory(manager.pid)
    for number in range(CYCLES):
        cycle(number)
    lab.no_relays()
    lab.expect_no_relay_files(host)
    eventually(lambda: fds_and_memory(manager.pid)[0] <= before[0], 10, "no more descriptors")
    grown = fds_and_memory(manager.pid)[1] - before[1]
    assert grown < 1024 + sanitizer.KEPT_KB, f"{grown} KiB more"
    assert ours() == [manager.pid]


@tap.timeout(60)
def test_D3_a_relay_that_dies_at_every_start(host):
    """It is tried again, less and less often, and other networks are there meanwhile"""
    with open("/run/failing", "w") as file:
        file.write(FAILING)
    os.chmod("/run/failing", 0o755)
    with open("/run/starts", "w") as file:
        os.fchmod(file.fileno(), 0o666)     # relays are another user's
    host.write_network("lab", network("lab", PORT))
    host.write_network("other", network("other", PORT + 1))
    host.netrelayd("--relay", "/run/failing")
    lab.expect_row(host, network="other", state="listening")
    lab.expect_row(host, network="lab", state="failed")

    def starts():
        with open("/run/starts") as file:
            return [float(line) for line in file]

    eventually(lambda: len(starts()) >= 4, 30, "four starts")
    pauses = [later - earlier for earlier, later in zip(starts(), starts()[1:])]
    assert pauses[0] > 0.8 and all(b > a * 1.3 for a, b in zip(pauses, pauses[1:3])), pauses
    lab.expect_row(host, network="other", state="listening")


if __name__ == "__main__":
    tap.main(PrivateHost())
