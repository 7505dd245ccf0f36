#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The command line: wrong arguments, help, addresses that are taken, privileges."""

import os
import re
import shutil
import socket
import stat
import tempfile

import kit
import links
from frames import mac
from peers import dial, exchange, talk
from relayproc import Relay, children, identity, listeners, run, status, udp_ports
from relayproc import links as devices

GOOD = "127.0.0.1:2001"
WRONG = [                           # arguments, the one that the line must name
    (["-l", "0"], "0"), (["-l", "65536"], "65536"), (["-l", "-1"], "-1"), (["-l", "abc"], "abc"),
    (["-l", ""], ""), (["-l", "12345x"], "12345x"), (["-l", "+80"], "+80"), (["-l", " 80"], " 80"),
    (["-l", "127.0.0.1:0"], "127.0.0.1:0"), (["-l", "127.0.0.1:"], "127.0.0.1:"),
    (["-l", "300.1.1.1:80"], "300.1.1.1:80"), (["-l", "::1:80"], "::1:80"),
    (["-l", "[::1]"], "[::1]"), (["-l", "[::1:80"], "[::1:80"),
    (["-l"], "-l"),
    ([GOOD, "127.0.0.1:0"], "127.0.0.1:0"), ([GOOD, "127.0.0.1:65536"], "127.0.0.1:65536"),
    ([GOOD, "127.0.0.1:-1"], "127.0.0.1:-1"), ([GOOD, "::1:80"], "::1:80"), ([GOOD, ""], ""),
    ([GOOD, "1:2:3:4:5"], "1:2:3:4:5"), ([GOOD, "0:127.0.0.1:5"], "0:127.0.0.1:5"),
    ([GOOD, "5:127.0.0.1:0"], "5:127.0.0.1:0"), ([GOOD, ":127.0.0.1:"], ":127.0.0.1:"),
    ([GOOD, "a/b"], "a/b"), ([GOOD, "a-name-that-is-too-long"], "a-name-that-is-too-long"),
    ([GOOD, "nonsense:x"], "nonsense:x"), ([GOOD, "fd:x"], "fd:x"), ([GOOD, "fd:-1"], "fd:-1"),
    ([GOOD, "fd:99"], "fd:99"), ([GOOD, "tap:"], "tap:"), ([GOOD, "bridge:"], "bridge:"),
    ([GOOD], None), ([GOOD, GOOD, GOOD], None), ([], None),
    (["--nonsense"], "--nonsense"), (["-x", GOOD, GOOD], "x"),
    (["--stall", "x", GOOD, GOOD], "x"), (["--stall", "-1", GOOD, GOOD], "-1"),
    (["--queue", "x", GOOD, GOOD], "x"), (["--queue", "0", GOOD, GOOD], "0"),
    (["--storm", "x", GOOD, GOOD], "x"), (["--storm", "100000001", GOOD, GOOD], "100000001"),
    (["--storm", "-1", GOOD, GOOD], "-1"), (["--link-local", "--loops", "x", GOOD, GOOD], "x"),
    (["--loops", "x", GOOD, GOOD], "x"),
    (["--managed", "--network", "lab"], None), (["--managed", "--control-fd", "99"], "99"),
    (["--managed", "--network", "lab", "--control-fd", "x"], "x"),
    (["-", "-"], "-"),
    (["user:", "user:"], "user:"), (["br0", "bridge:br0,pin"], "bridge:br0,pin"),
    (["unix:/a", "unix:/a,guest"], "unix:/a,guest"), (["tap:t0", "tap:t0"], "tap:t0"),
    (["5000:127.0.0.1:5001", "5000::5001"], "5000::5001"),
    (["5000:127.0.0.1:5000", GOOD], "5000:127.0.0.1:5000"), (["-l", ":12345"], ":12345"),
    ([GOOD, f"tcp:{GOOD},guest"], f"tcp:{GOOD},guest"), (["-l", "1", GOOD, GOOD], GOOD),
    (["unix-dgram:/a:/a", GOOD], "unix-dgram:/a:/a"),
    (["--stall", "-l", "12345"], "--stall '-l'"), (["-l", "[::1:80"], "in brackets"),
]


def test_F22_every_wrong_argument():
    """exit 2 within 1 s, one line that names the argument, nothing on stdout, nothing created"""
    before = devices()
    wrong = []
    for arguments, named in WRONG:
        result = run(*arguments)
        said = result.stderr.splitlines()
        if result.returncode != 2 or result.seconds > 1 or not said or result.stdout \
                or (named and named not in result.stderr) or (named is not None and len(said) != 1):
            wrong.append(f"{arguments}: exit {result.returncode}, {result.seconds:.1f} s, {said}")
    assert not wrong, "\n".join(wrong)
    assert devices() == before and not listeners() and not udp_ports()


def test_A7_help_fits_a_screen():
    """--help: exit 0, at most 24 lines of 80 columns, on stdout, names every option"""
    result = run("--help")
    lines = result.stdout.splitlines()
    assert result.returncode == 0 and not result.stderr
    assert 5 < len(lines) <= 24 and max(map(len, lines)) <= 80, result.stdout
    for word in ("-v", "-l", "--hub", "--stall", "--queue", "--control",
                 "--storm", "--link-local", "tcp:", "udp:", "bridge:"):
        assert word in result.stdout, f"{word} is not in the help"


def test_A7_version():
    """--version: exit 0, one line"""
    result = run("--version")
    assert result.returncode == 0 and result.stdout.startswith("netrelay "), result
    assert len(result.stdout.splitlines()) == 1


def test_A7_verbose_twice():
    """-v -v is accepted, and says more"""
    said = []
    for options in ([], ["-v"], ["-v", "-v"]):
        with Relay(*options, "-l", "12345") as relay:
            relay.listening(12345)
            exchange(dial(12345), dial(12345))
            relay.term()
            said.append(relay.text())
            assert len(re.findall(r"listen:\S* (listens|is)", relay.text())) == bool(options)
    assert len(said[0]) <= len(said[1]) <= len(said[2]) and said[2], said


def test_A7_options_as_getopt_has_them():
    """letters together or with their argument, --name=value, options behind endpoints"""
    with Relay("-vvl12345", "127.0.0.1:2001", "--stall=3") as relay:
        relay.listening(12345)
        assert "listens" in relay.text()
    for wrong, said in (("--hub=1", "no argument"), ("-q", "no such option"),
                        ("--stall", "seconds from 0"), ("-l1,pni", "pin, allow=MAC")):
        result = run(wrong)
        assert result.returncode == 2 and said in result.stderr, result.stderr
        assert len(result.stderr.splitlines()) == 1


def test_A7_no_arguments():
    """a usage text, on stderr"""
    result = run()
    assert result.returncode == 2 and "netrelay" in result.stderr and not result.stdout


def taken(arguments, address):
    result = run(*arguments)
    assert result.returncode == 1, f"exit {result.returncode}: {result.stderr}"
    assert len(result.stderr.splitlines()) == 1 and result.seconds < 1, result
    assert address in result.stderr, result.stderr
    assert f"pid {os.getpid()}" in result.stderr, f"the holder is not named: {result.stderr}"


def test_F23_a_port_that_is_taken():
    """exit 1, one line with address, port and holder"""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 12345))
        sock.listen()
        taken(["-l", "127.0.0.1:12345"], "127.0.0.1:12345")
        taken(["-l", "12345"], "12345")
    with socket.socket(socket.AF_INET6) as sock:
        sock.bind(("::1", 12345))
        sock.listen()
        taken(["-l", "[::1]:12345"], "[::1]:12345")


def test_F23_a_udp_port_that_is_taken():
    """the same for UDP"""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 4001))
        taken(["udp:127.0.0.1:4001:127.0.0.1:4002", GOOD], "127.0.0.1:4001")
        taken(["4001:127.0.0.1:4002", GOOD], "4001")


def test_F23_an_address_that_is_not_ours():
    """exit 1, one line"""
    result = run("-l", "192.0.2.1:12345")
    assert result.returncode == 1 and "192.0.2.1:12345" in result.stderr, result


def test_F25_what_arrives_meets_no_privilege():
    """the forwarder: no capability in any set, no_new_privs, seccomp on; the keeper: hardly any"""
    with Relay("-l", "12345") as relay:
        relay.listening(12345)
        exchange(dial(12345), dial(12345))
        forwarder = relay.forwarder()
        for name in ("CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd"):
            if name != "CapBnd":
                assert status(forwarder, name) == 0, f"{name} {status(forwarder, name):x}"
        assert status(forwarder, "NoNewPrivs") == 1
        assert status(forwarder, "Seccomp") == 2
        bind_service = 1 << 10
        assert status(relay.keeper, "CapEff") & ~bind_service == 0, \
            f"the keeper has {status(relay.keeper, 'CapEff'):x}"
        assert len(children(relay.keeper)) == 1 and not children(forwarder)


def test_F25_no_program_is_run():
    """PATH full of traps: none is sprung, with a bridge or a host name either"""
    kit.quiet_kernel()
    links.add_bridge("br0")
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        sprung = os.path.join(directory, "sprung")
        for name in ("ip", "brctl", "sh", "bash", "tunctl", "ifconfig", "getent", "modprobe",
                     "netrelay", "netrelay-forwarder"):
            path = os.path.join(directory, name)
            with open(path, "w") as file:
                file.write(f"#!/bin/sh\necho {name} >>{sprung}\n")
            os.chmod(path, stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH)
        bridge = ["br0"] if os.access("/dev/net/tun", os.W_OK) else []
        with Relay("-l", "12345", "localhost:2001", *bridge, env={"PATH": directory}) as relay:
            relay.listening(12345)
            exchange(dial(12345), dial(12345), 1, 2)
            was = relay.forwarder()
            os.kill(was, 9)
            exchange(dial(12345), dial(12345), 3, 4)
            relay.term()
        assert not os.path.exists(sprung), open(sprung).read()


def test_F25_a_low_port_as_root():
    """port 80 is had, and the forwarder still has nothing"""
    with Relay("-l", "80") as relay:
        relay.listening(80)
        exchange(dial(80), dial(80))
        assert status(relay.forwarder(), "CapEff") == 0


def test_F25_an_unprivileged_user_runs_it():
    """without any capability: a switch works; a bridge is refused with the reason"""
    kit.need_root()
    links.add_bridge("br0")
    nobody = identity(65534)
    with tempfile.TemporaryDirectory() as place:    # the tree may be where nobody else may look
        os.chmod(place, 0o755)
        os.environ["NETRELAY"] = shutil.copy(kit.netrelay(), place)
        result = run("-l", "12345", "br0", **nobody)
        assert result.returncode == 1 and "br0" in result.stderr, result
        assert len(result.stderr.splitlines()) == 1, result.stderr
        links.write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "1024")
        result = run("-l", "80", **nobody)
        assert result.returncode == 1 and "80 cannot be bound: so low a port needs root" in \
            result.stderr, result


def test_mac_addresses_are_data():
    """nothing a guest sends ends up in the log"""
    with Relay("-v", "-v", "-l", "12345") as relay:
        relay.listening(12345)
        one, other = dial(12345), dial(12345)
        exchange(one, other)
        for _ in range(2000):
            talk(one, other)
        assert relay.text().count("\n") < 50, "a line per frame"
        assert mac(1).hex(":") not in relay.text()


if __name__ == "__main__":
    kit.main()
