#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks whose file gives the host addresses on their bridge, and makes it: host-only."""

import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import lab
import links
import tap
from guest import client_nic
from host import PrivateHost
from lab import PORT, address, mac, v6_address
from process import run
from untouched import JOURNAL, kernel, restored
from wait import eventually

HOST = 100      # the host's number among the guests' addresses
IPS = (f"<ip address='{address(HOST)}' netmask='255.255.255.0'/>"
       f"<ip family='ipv6' address='{v6_address(HOST)}' prefix='64'/>")
LISTEN = f"<listen address='127.0.0.1' port='{PORT}'/>"


def network(bridge, ips=IPS):
    return f"<network><name>lab</name>{LISTEN}<bridge name='{bridge}'/>{ips}</network>"


def has(device, ip):
    return f" {ip} " in links.ip("-oneline", "address", "show", "dev", device)


def is_made(device="virbr9"):
    return (os.path.exists(f"/sys/class/net/{device}/bridge") and has(device, f"{address(HOST)}/24")
            and has(device, f"{v6_address(HOST)}/64"))


def add_member(bridge, name):
    """A device of somebody else, with a carrier."""
    links.ip("link", "add", name, "type", "veth", "peer", "name", f"{name}-peer")
    links.ip("link", "set", name, "master", bridge, "up")
    links.ip("link", "set", f"{name}-peer", "up")
    links.write(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6", "1")
    links.write(f"/proc/sys/net/ipv6/conf/{name}-peer/disable_ipv6", "1")


def host_pings(target):
    return run(["busybox", "ping", "-c", "1", "-W", "1", target], check=False).returncode == 0


@tap.timeout(180)
def test_E1_host_only(host):
    """A bridge that is made, with both families; guests reach the host and one another"""
    links.loopback_up()
    before = kernel()
    host.libvirtd()
    host.write_network("lab", network("virbr9"))
    daemon = host.netrelayd()
    guests = {n: lab.numbered(host, n, client_nic(PORT, mac(n))) for n in (1, 2)}
    lab.start_all(guests)
    for number, guest in guests.items():
        for mine, theirs in ((address(HOST), address(number)),
                             (v6_address(HOST), v6_address(number))):
            guest.reaches(mine)
            eventually(lambda theirs=theirs: host_pings(theirs), 10, f"the host reaches {theirs}")
    lab.all_meet(guests)
    shows(host)
    pings = guests[1].start_pings(address(HOST))
    daemon.kill()                   # who comes after it knows from the journal what is its own
    host.netrelayd()
    lab.expect_row(host, kind="host", state="set")
    sent, received = pings.stop()
    assert sent == received, f"{received} of {sent} pings"
    for guest in guests.values():
        guest.destroy()
    host.netrelayctl("net-destroy", "lab")
    restored(before, "net-destroy")


def shows(host):
    assert lab.expect_row(host, kind="host", address=f"{address(HOST)}/24", peer="virbr9",
                          state="set")
    assert lab.expect_row(host, kind="tap", peer="virbr9", state="connected")
    assert f"{address(HOST)}/24 on virbr9" in host.netrelayctl("status").stdout
    assert "nothing to do" in host.netrelayctl("plan").stdout
    assert host.netrelayctl("doctor", check=False).returncode == 0
    graph = host.netrelayctl("graph").stdout
    assert "virbr9" in graph and address(HOST) not in graph, graph


@tap.timeout(60)
def test_E1_kernel_of_others(host):
    """What was there is used and stays; what others change meanwhile stays as they have it"""
    links.loopback_up()
    host.libvirtd()     # before its list is known nothing is taken away
    links.add_bridge("br0", ["192.0.2.1/24", f"{address(HOST)}/24"])
    add_member("br0", "v0")         # so that its carrier does not come with our TAP
    eventually(lambda: "linkdown" not in links.ip("-6", "route"), 10, "the bridge has a carrier")
    before = kernel()
    path = host.write_network("lab", network("br0"))
    daemon = host.netrelayd()
    eventually(lambda: is_made("br0"), 10, "the addresses")
    os.unlink(path)
    eventually(lambda: kernel() == before, 15, "only what was added is taken away")
    path = host.write_network("lab", network("virbr9"))
    row = lab.expect_row(host, kind="host", peer="virbr9", state="failed")
    assert "another device of this host has one of that subnet" in row["reason"], row
    links.ip("address", "del", f"{address(HOST)}/24", "dev", "br0")
    eventually(is_made, 20, "made")
    links.ip("address", "add", "10.9.0.200/24", "dev", "virbr9")
    links.ip("address", "del", f"{v6_address(HOST)}/64", "dev", "virbr9")
    add_member("virbr9", "v2")
    host.netrelayctl("reload")
    assert not has("virbr9", f"{v6_address(HOST)}/64")
    undone = lab.findings(host)["undone", "lab"]
    assert undone["cure"] == f"ip address add {v6_address(HOST)}/64 dev virbr9", undone
    os.unlink(path)
    eventually(lambda: "other devices are in the bridge virbr9" in daemon.text(), 10, "it is said")
    eventually(lambda: ("kept", "virbr9") in lab.findings(host, "notice"), 10, "and by the doctor")
    eventually(lambda: not has("virbr9", f"{address(HOST)}/24"), 10, "ours is taken away")
    assert has("virbr9", "10.9.0.200/24") and links.members("virbr9") == ["v2"]
    links.ip("address", "add", f"{address(HOST)}/24", "dev", "br0")
    links.ip("link", "del", "v2")
    eventually(lambda: not os.path.exists("/sys/class/net/virbr9"), 10, "the bridge goes then")
    restored(before, "in the end")
    assert daemon.text().count("other devices are in the bridge") == 1


@tap.timeout(60)
def test_E1_all_or_nothing(host):
    """All or nothing: one change that fails takes the others back, and one sentence says why"""
    links.loopback_up()
    links.write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1")
    before = kernel()
    path = host.write_network("lab", network("virbr9"))
    daemon = host.netrelayd()
    row = lab.expect_row(host, kind="host", address=f"{v6_address(HOST)}/64", state="failed")
    assert "IPv6 is switched off there" in row["reason"], row
    eventually(lambda: kernel() == before, 10, "nothing is left of the attempt")
    os.unlink(path)
    host.write_network("lab", network("lo"))
    row = lab.expect_row(host, kind="tap", peer="lo", state="failed")
    assert "lo is not a bridge" in row["reason"], row
    ip = f"<ip address='{address(HOST)}' prefix='24'/>"
    host.write_network("lab", network("myqemubridge", ip))
    eventually(lambda: os.path.exists("/sys/class/net/myqemubridge/bridge"), 10, "made")
    daemon.stop()
    assert run(["netrelayd", "--cleanup"], check=False).returncode == 0
    restored(before, "--cleanup")


@tap.timeout(60)
def test_E1_removed_journal(host):
    """The journal is removed under the manager: who comes after it still knows what to take back"""
    links.loopback_up()
    before = kernel()
    host.libvirtd()
    path = host.write_network("lab", network("virbr9"))
    daemon = host.netrelayd()
    eventually(is_made, 10, "made")
    shutil.rmtree("/run/netrelay")
    eventually(lambda: os.path.exists(JOURNAL), 10, "it is there again")
    daemon.kill()
    os.unlink(path)
    host.netrelayd()
    restored(before, "a manager that comes after a SIGKILL")


@tap.timeout(60)
def test_E1_in_a_session(host):
    """Without privilege no bridge is made: one sentence says whom to ask"""
    session = host.session(runtime_dir=True)
    session.write_network("lab", network("virbr9"))
    session.netrelayd()
    row = lab.expect_row(session, kind="tap", state="failed")
    assert "qemu:///system" in row["reason"], row
    assert not os.path.exists("/sys/class/net/virbr9")


tap.main(PrivateHost())
