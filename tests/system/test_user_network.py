#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks whose way out is user mode (<forward mode='user'/>): nobody needs a privilege."""

import hashlib
import os
import pwd
import signal
import socket
import sys
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../lib"), os.path.join(HERE, "../relay")]

import lab
import links
import tap
from guest import client_nic
from host import PrivateHost
from lab import PORT, mac
from outside import THERE, WEB, Outside, bulk
from process import ours
from relayproc import status
from wait import eventually

GATEWAY, GATEWAY6 = "192.168.9.2", "fd00:9::2"
FIRST, SECOND = 100, 101            # what the guests get
FORWARDED = 2280


def network(l4_port=FORWARDED):
    return (f"<network><name>lab</name><listen address='127.0.0.1' port='{PORT}'/>"
            f"<forward mode='user'><portForward proto='tcp' address='127.0.0.1' "
            f"to='192.168.9.{SECOND}'><range start='{l4_port}' to='80'/></portForward></forward>"
            f"<ip address='{GATEWAY}' prefix='24'><dhcp>"
            f"<range start='192.168.9.{FIRST}' end='192.168.9.115'/></dhcp></ip>"
            f"<ip address='{GATEWAY6}' prefix='64'/></network>")


def begin(connection, user):
    """A world outside, the network, and its manager."""
    links.write("/etc/resolv.conf", f"nameserver {THERE}\n")
    Outside()
    connection.write_network("lab", network())
    connection.netrelayd()
    row = lab.expect_row(connection, 20, kind="user", address=GATEWAY, state="connected")
    for pid in (row["relay_pid"], *ours("netrelay-user")):
        assert status(pid, "Uid") == pwd.getpwnam(user).pw_uid, pid
        assert pid == row["relay_pid"] or not status(pid, "CapPrm"), pid


def page(l4_port=FORWARDED):
    with urllib.request.urlopen(f"http://127.0.0.1:{l4_port}/index.html", timeout=5) as answer:
        return answer.read()


def serves(l4_port, deadline=15):
    def is_there():
        try:
            return page(l4_port) == b"hello\n"
        except OSError:
            return False
    eventually(is_there, deadline, f"the second guest's page by port {l4_port}")


def reaches_outside(guest):
    said = guest.must(f"wget -q -O - http://www.example:{WEB}/ | md5sum")
    assert said.split()[0] == hashlib.md5(bulk()).hexdigest(), said


@tap.timeout(180)
def test_B7_C6_in_a_session(host):
    """A user's guests: addresses, one another, names, the outside, and a port of the host"""
    session = host.session(runtime_dir=True)
    begin(session, "tester")
    one, two = (session.guest(f"vm{n}", [client_nic(PORT, mac(n))]) for n in (1, 2))
    for guest in (one, two):
        guest.start()
    for guest, number in ((one, FIRST), (two, SECOND)):
        assert guest.configure() == f"192.168.9.{number}/24"
    two.must("mkdir -p /tmp/www; echo hello >/tmp/www/index.html; httpd -p 80 -h /tmp/www")
    for guest, other in ((one, SECOND), (two, FIRST)):
        guest.reaches(f"192.168.9.{other}")
        reaches_outside(guest)
        guest.reaches(GATEWAY6, deadline=20)     # once an address was advertised
    serves(FORWARDED)
    pings = one.start_pings(f"192.168.9.{SECOND}")
    was = ours("netrelay-user")
    os.kill(was[0], signal.SIGKILL)
    eventually(lambda: ours("netrelay-user") not in ([], was), 15, "another netrelay-user")
    serves(FORWARDED)
    session.write_network("lab", network(FORWARDED + 1))
    serves(FORWARDED + 1)
    assert two.configure() == f"192.168.9.{SECOND}/24", "asked first, it would get the first one's"
    try:
        page(FORWARDED)
        raise AssertionError("the port that the file had before is still there")
    except OSError:
        pass
    reaches_outside(one)
    sent, received = pings.stop()
    assert sent == received, f"{received} of {sent} pings"
    assert session.netrelayctl("doctor", check=False).returncode == 0
    for guest in (one, two):
        guest.destroy()
    session.netrelayctl("net-destroy", "lab")
    eventually(lambda: not ours("netrelay-user"), 15, "it goes with the network")


@tap.timeout(120)
def test_C6_in_the_system(host):
    """The same file for the system's manager, whose relays are nobody's; a port that is taken"""
    host.libvirtd()
    guest = host.guest("vm1", [client_nic(PORT, mac(1))])
    with socket.create_server(("127.0.0.1", FORWARDED)):
        host.write_network("lab", network())
        host.netrelayd()
        row = lab.expect_row(host, 20, kind="user", address=GATEWAY, state="failed")
        assert f"port {FORWARDED} of 127.0.0.1 cannot be had: it is in use" in row["reason"], row
        started = guest.try_start()
        assert started.rc != 0 and row["reason"] in started.stderr, started.stderr
        assert row["reason"].split("; ")[0] in host.netrelayctl("doctor", check=False).stdout
    lab.expect_row(host, 30, kind="user", address=GATEWAY, state="connected")
    links.write("/etc/resolv.conf", f"nameserver {THERE}\n")
    Outside()
    guest.boot()
    assert guest.configure() == f"192.168.9.{FIRST}/24"
    reaches_outside(guest)
    for pid in ours("netrelay-user"):
        assert status(pid, "Uid") == pwd.getpwnam("netrelay").pw_uid
    assert "out of lab" in host.netrelayctl("graph").stdout
    assert GATEWAY in host.netrelayctl("status").stdout


tap.main(PrivateHost())
