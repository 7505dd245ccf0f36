#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Crowds at the manager's sockets: whoever may ask and says nothing, too much, or much at once."""

import contextlib
import grp
import os
import re
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import lab
import tap
from guest import client_nic
from host import PrivateHost
from lab import PORT, mac
from wait import eventually

CROWD = 1000
PLACES = 64 + 32                # of root's and of all others, each with three descriptors
SLOW = 4                        # times what is promised: where tests run, much else may run
HUGE = 120 * 1000 * 1000
GROWTH_KB = 2048
DESCRIPTORS = 60
SILENT = 200
MEMBER = 4711                   # a user, whom no database needs to know

# Connects CROWD times, says hello on each connection or nothing, and stays.
CROWDING = """
import os, resource, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
path, count, hello = sys.argv[1], int(sys.argv[2]), sys.argv[3].encode().decode("unicode_escape")
kept = []
for _ in range(count):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(20)
    s.connect(path)
    try:
        if hello:
            s.sendall(hello.encode())
            s.recv(100)
            s.sendall(b"BEGIN\\r\\n")
    except ConnectionError:
        pass
    kept.append(s)
print("here", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def crowd(path, user, group, hello=""):
    process = subprocess.Popen(["python3", "-c", CROWDING, path, str(CROWD), hello],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd="/",
                               user=user, group=group, extra_groups=[])
    try:
        assert process.stdout.readline() == "here\n"
        yield
    finally:
        process.stdin.close()
        process.wait(20)


def status_of(pid, field):
    with open(f"/proc/{pid}/status") as text:
        return int(re.search(rf"^{field}:\s+(\d+)", text.read(), re.MULTILINE).group(1))


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def busy_time(pid):
    """Seconds of processor time."""
    with open(f"/proc/{pid}/stat") as text:
        return sum(map(int, text.read().split()[13:15])) / os.sysconf("SC_CLK_TCK")


def answered(host):
    """How long root waits for an answer."""
    began = time.monotonic()
    host.netrelayctl("status")
    return time.monotonic() - began


def hook_answered(host, daemon, number):
    """How long a hook waits for the manager, who has heard of it."""
    guest = host.guest(f"vm{number}", [client_nic(PORT, mac(number))], define=False)
    began = time.monotonic()
    said = host.netrelayctl("hook", "prepare", "--", guest.name, text_in=guest.xml)
    took = time.monotonic() - began
    assert not said.stderr, said
    assert f"guest {guest.name} is about to start" in daemon.text(), "it went on by itself"
    return took


@tap.timeout(60)
def test_D9_a_crowd_at_the_control_socket(host):
    """1,000 connections, silent or known: no thread each, few descriptors, and root gets in"""
    daemon = host.netrelayd()
    control = f"{host.state_directory}/control.sock"
    libvirt = grp.getgrnam("libvirt").gr_gid
    answered(host)
    threads, before = status_of(daemon.pid, "Threads"), descriptors(daemon.pid)
    member = "\\0AUTH EXTERNAL " + str(MEMBER).encode().hex() + "\\r\\n"
    for user, group, hello in ((MEMBER, libvirt, ""), (MEMBER, libvirt, member), (0, 0, "")):
        with crowd(control, user, group, hello):
            assert answered(host) < 1 * SLOW, (user, hello)
            assert hook_answered(host, daemon, 1) < 1 * SLOW, (user, hello)
            assert status_of(daemon.pid, "Threads") <= threads + 1, (user, hello)
            assert descriptors(daemon.pid) <= before + 3 * PLACES + 8, (user, hello)
    eventually(lambda: descriptors(daemon.pid) <= before + 8, 15, "the crowd's places are free")


@tap.timeout(60)
def test_D9_silence_at_the_control_socket_ends(host):
    """Who connects and says nothing, or half a hello, is shown out after some seconds"""
    host.netrelayd()
    with socket.socket(socket.AF_UNIX) as mute, socket.socket(socket.AF_UNIX) as slow:
        for line, said in ((mute, b""), (slow, b"\0AUTH")):
            line.settimeout(20)
            line.connect(f"{host.state_directory}/control.sock")
            line.sendall(said)
        assert mute.recv(1) == b"" and slow.recv(1) == b""


def test_D9_a_huge_message(host):
    """A message of 120 MB is not read: its length is enough"""
    daemon = host.netrelayd()
    answered(host)
    before = status_of(daemon.pid, "VmHWM")
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(20)
        line.connect(f"{host.state_directory}/control.sock")
        line.sendall(b"\0AUTH EXTERNAL 30\r\nBEGIN\r\n" + b"l\1\0\1" + HUGE.to_bytes(4, "little")
                     + (1).to_bytes(4, "little") + (0).to_bytes(4, "little"))
        try:
            for _ in range(HUGE // 100000):
                line.sendall(b"\0" * 100000)
            raise AssertionError("it was taken")
        except ConnectionError:
            pass
    answered(host)
    grown = status_of(daemon.pid, "VmHWM") - before
    assert grown < GROWTH_KB, f"the manager has grown by {grown} kB"


@tap.timeout(60)
def test_D9_silent_clients_of_the_hook_socket(host):
    """200 that say nothing, and 60 descriptors in all: hooks are served, and nobody spins"""
    daemon = host.netrelayd(wrapper=["prlimit", f"--nofile={DESCRIPTORS}"])
    assert hook_answered(host, daemon, 1) < 1 * SLOW
    silent = []
    for _ in range(SILENT):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        client.connect(host.hook_socket)
        silent.append(client)
    assert hook_answered(host, daemon, 2) < 1 * SLOW
    before, began = busy_time(daemon.pid), time.monotonic()
    for client in silent:               # all of them are let go, most of them at once
        client.settimeout(20)
        assert client.recv(1) == b""
    used = busy_time(daemon.pid) - before
    assert used < 0.1 + 0.2 * (time.monotonic() - began), f"busy for {used} s"
    assert hook_answered(host, daemon, 3) < 1 * SLOW
    lab.expect_row(host, guest="vm3", network=f"127.0.0.1:{PORT}")
    for client in silent:
        client.close()


if __name__ == "__main__":
    tap.main(PrivateHost())
