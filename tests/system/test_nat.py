#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks whose guests go out with the host's own address: <forward mode='nat'>."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import lab
import links
import tap
from guest import client_nic
from host import PrivateHost
from internet import HERE6, HOST, IPS, THERE6, Internet, NamespaceGuest
from lab import PORT, address, mac, v6_address
from outside import GREETING, HERE, THERE
from process import run
from untouched import kernel, restored
from wait import eventually

BOTH = "<forward mode='nat'><nat ipv6='yes'/></forward>"
THEIRS = ("table ip nat {\n\tchain POSTROUTING {\n\t\ttype nat hook postrouting priority srcnat; "
          "policy accept;\n\t\tip saddr 172.17.0.0/16 masquerade\n\t}\n}\n")


def network(forward=BOTH, name="lab", bridge="virbr9", ips=IPS):
    return (f"<network><name>{name}</name><listen address='127.0.0.1' port='{PORT}'/>"
            f"<bridge name='{bridge}'/>{forward}{ips}</network>")


def rules():
    return run(["nft", "list", "ruleset"]).stdout


def is_masqueraded(*values, bridge="virbr9"):
    text = rules()
    return all(f'masquerade comment "{bridge} {value}"' in text for value in values)


V4, V6 = f"{address(HOST)}/24", f"{v6_address(HOST)}/64"


@tap.timeout(180)
def test_nat_guest(host):
    """A guest reaches a server outside, which sees the host's address; nobody reaches the guest"""
    links.loopback_up()
    internet = Internet()
    run(["nft", THEIRS])
    before = kernel()
    host.libvirtd()
    host.write_network("lab", network())
    daemon = host.netrelayd()
    guest = lab.numbered(host, 1, client_nic(PORT, mac(1)))
    guest.boot()
    guest.must(f"ip route add default via {address(HOST)}; "
               f"ip -6 route add default via {v6_address(HOST)}")
    guest.reaches(THERE)
    guest.reaches(THERE6)
    assert guest.must(f"nc -w 5 {THERE} {GREETING}") == f"hello {HERE}"
    assert not internet.reaches(address(1)) and not internet.reaches(v6_address(1))
    guest.must("nc -l -p 7000 >/tmp/heard &")
    assert internet.run("busybox", "nc", "-w", "1", HERE, "7000", check=False).returncode != 0
    assert lab.expect_row(host, kind="host", address=f"masquerading of {V4}", state="set")
    assert "nothing to do" in host.netrelayctl("plan").stdout
    assert host.netrelayctl("doctor", check=False).returncode == 0
    laid = rules()
    assert THEIRS in laid and is_masqueraded(V4, V6), laid
    pings = guest.start_pings(THERE)
    pings.wait_replies(3)
    daemon.kill()                   # who comes after it knows from the journal what is its own
    host.netrelayd()
    lab.expect_row(host, guest="vm1", state="connected")
    assert rules() == laid
    sent, received = pings.stop()
    assert sent == received, f"{received} of {sent} pings"
    guest.destroy()
    host.netrelayctl("net-destroy", "lab")
    restored(before, "net-destroy")
    internet.close()


@tap.timeout(120)
def test_nat_rules(host):
    """One way out; IPv6 that is routed; a subnet that comes and goes; two networks"""
    internet = Internet()
    before = kernel()
    path = host.write_network("lab", network("<forward mode='nat'/>"))
    host.libvirtd()
    daemon = host.netrelayd()
    eventually(lambda: is_masqueraded(V4), 15, "IPv4")
    assert rules().count("masquerade") == 1, rules()
    guest = NamespaceGuest("g1", 1, "virbr9")
    eventually(lambda: guest.reaches(THERE), 15, "the outside, by IPv4")
    assert not guest.reaches(THERE6)        # it is routed, and nobody has told the outside
    internet.run("ip", "route", "add", "fd00:9::/64", "via", HERE6)
    eventually(lambda: guest.reaches(THERE6), 15, "the outside, by IPv6")
    host.write_network("lab", network("<forward mode='nat' dev='out0'/>"))
    eventually(lambda: is_masqueraded(f"{V4},out0") and rules().count("masquerade") == 1, 15,
               "one way out")
    eventually(lambda: guest.reaches(THERE), 15, "it is the way")
    run(["nft", "add rule inet netrelay postrouting counter"])     # somebody's, in our table
    other = host.write_network("other", network(BOTH, "other", "virbr8",
                               "<ip address='10.8.0.1' prefix='24'/>").replace(str(PORT), "12346"))
    eventually(lambda: is_masqueraded("10.8.0.1/24", bridge="virbr8"), 15, "the other network")
    os.unlink(other)
    eventually(lambda: "10.8.0" not in rules(), 15, "the other network has ended")
    assert is_masqueraded(f"{V4},out0")
    guest.close()
    os.unlink(path)
    eventually(lambda: "masquerade" not in rules(), 15, "its rule is gone")
    assert "counter" in rules()
    run(["nft", "delete table inet netrelay"])
    restored(before, "in the end")
    assert "netrelay: " not in daemon.text()
    internet.close()


@tap.timeout(90)
def test_nat_taken_away(host):
    """What somebody deletes stays deleted; the doctor finds it, and its cure cures"""
    internet = Internet()
    before = kernel()
    host.write_network("lab", network())
    host.libvirtd()
    host.netrelayd()
    lab.expect_row(host, kind="host", address=f"masquerading of {V6}", state="set")
    run(["nft", "flush ruleset"])
    host.netrelayctl("reload")
    assert not rules()
    answer = host.netrelayctl("doctor", check=False)
    cures = [line.split("cure: ")[1] for line in answer.stdout.splitlines() if "cure: " in line]
    assert answer.returncode == 1 and answer.stdout.count("somebody has undone that") == 2, answer
    for cure in cures:
        run(["sh", "-c", cure])
    assert is_masqueraded(V4, V6)
    assert host.netrelayctl("doctor", check=False).returncode == 0
    host.netrelayctl("net-destroy", "lab")
    restored(before, "with a rule that was made again")
    internet.close()


@tap.timeout(60)
def test_nat_all_or_nothing(host):
    """Where there cannot be a rule there is nothing, and a sentence"""
    links.loopback_up()
    run(["nft", "add table inet netrelay; add chain inet netrelay postrouting "
         "{ type filter hook input priority 0; }"])
    before = kernel()
    host.write_network("lab", network())
    host.netrelayd()
    row = lab.expect_row(host, kind="host", address=f"masquerading of {V4}", state="failed")
    assert "nft list table inet netrelay" in row["reason"], row
    eventually(lambda: kernel() == before, 15, "nothing is left of the attempt")


tap.main(PrivateHost())
