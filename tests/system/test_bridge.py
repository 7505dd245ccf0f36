#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks with a kernel bridge: guests of every type reach it, and the bridge stays as it was."""

import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import lab
import links
import tap
from guest import client_nic, server_nic, udp_nic
from host import PrivateHost
from lab import PORT, address, mac, v6_address
from process import run
from wait import eventually

NETWORK = f"""<network>
  <name>lab</name>
  <listen address='127.0.0.1' port='{PORT}'/>
  <udp address='127.0.0.1' port='5601'/>
  <bridge name='br0'/>
  <match type='server' port='23456'/>
</network>
"""
CONFIG = "/etc/netrelay/netrelayd.conf"
HOST = 100      # the bridge's own number among the guests' addresses


def add_br0():
    links.add_bridge("br0", [lab.addresses(HOST).split(",")[0], f"{v6_address(HOST)}/64"], mtu=9000)
    return bridge_state()


def bridge_state():
    return {name: links.read("br0", name) for name in ("mtu", "address", "flags", "operstate")}


def host_pings(target):
    return run(["busybox", "ping", "-c", "1", "-W", "1", target], check=False).returncode == 0


def both_ways(guest, number):
    """ARP and neighbour discovery from either side, with empty neighbour tables each time."""
    for mine, other in ((address(HOST), address(number)), (v6_address(HOST), v6_address(number))):
        guest.reaches(mine)
        links.ip("neigh", "flush", "dev", "br0")
        guest.sh("ip neigh flush dev eth0")
        eventually(lambda other=other: host_pings(other), 10, f"the host reaches {other}")


def our_taps():
    return [name for name in links.members("br0")]


@tap.timeout(120)
def test_bridge_of_a_file(host):
    """A4: client, server and udp guests of one network reach the bridge and one another"""
    host.libvirtd()
    before = add_br0()
    path = host.write_network("lab", NETWORK)
    host.netrelayd()
    guests = {1: lab.numbered(host, 1, client_nic(PORT, mac(1))),
              2: lab.numbered(host, 2, server_nic(23456, mac(2))),
              3: lab.numbered(host, 3, udp_nic(5601, 5602, mac(3)))}
    lab.start_all(guests)
    for number, guest in guests.items():
        both_ways(guest, number)
    lab.all_meet(guests)
    check_tap(before)
    lab.expect_row(host, network="lab", kind="tap", state="connected")
    os.unlink(path)
    eventually(lambda: not our_taps(), 10, "the TAP is gone with its network")
    assert {**bridge_state(), "operstate": None, "flags": None} == \
           {**before, "operstate": None, "flags": None}


def check_tap(before):
    """One TAP, by the rules that leave a foreign bridge as it was."""
    (name,) = our_taps()
    assert links.read(name, "address").startswith("fe:"), links.read(name, "address")
    assert links.read(name, "mtu") == "9000"
    with open(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6") as text:
        assert text.read().strip() == "1"
    assert (links.read("br0", "mtu"), links.read("br0", "address")) == \
           (before["mtu"], before["address"])


@tap.timeout(60)
def test_bridge_of_metadata(host):
    """A domain's metadata names the bridge, which the policy allows; the TAP ends with the guest"""
    host.libvirtd()
    before = add_br0()
    allow("br0")
    host.netrelayd()
    guest = lab.numbered(host, 1, client_nic(PORT, mac(1)),
                         metadata=lab.metadata(f"mac='{mac(1)}' bridge='br0'"))
    guest.boot()
    both_ways(guest, 1)
    check_tap(before)
    guest.destroy()
    eventually(lambda: not our_taps(), 10, "the TAP is gone with its guest")
    lab.no_relays()


@tap.timeout(60)
def test_bridge_policy_refuses(host):
    """D12: in system mode metadata may name no bridge; the refusal has the line to add"""
    host.libvirtd()
    add_br0()
    daemon = host.netrelayd()
    guest = lab.numbered(host, 1, client_nic(PORT, mac(1)),
                         metadata=lab.metadata(f"mac='{mac(1)}' bridge='br0'"))
    refused = guest.try_start()
    assert refused.rc != 0 and "bridges=br0" in refused.stderr, refused
    assert "vm1" in refused.stderr and CONFIG in refused.stderr, refused
    assert not our_taps()
    asks_for_a_privileged_port(host)
    allow("br0")
    daemon.signal(signal.SIGHUP)
    eventually(lambda: guest.try_start().rc == 0, 20, "the guest starts once it is allowed")


def asks_for_a_privileged_port(host):
    """It has none by root's hand, by itself or by a network's name, until a file has the address"""
    wish = lab.metadata(f"mac='{mac(2)}' network='lab'")
    named = lab.numbered(host, 2, client_nic(80, mac(2)), metadata=wish)
    lab.numbered(host, 3, client_nic(80, mac(3))).start()
    row = lab.expect_row(host, guest="vm3", state="unconnected")
    line = "<listen address='127.0.0.1' port='80'/>"
    host.write_network("lab", "<network><name>lab</name></network>")
    host.netrelayctl("reload")
    refused = named.try_start()
    for text in (row["reason"], refused.stderr):
        for word in ("port 80", "ports=1024-65535", CONFIG, line):
            assert word in text, (word, text)
    host.write_network("lab", f"<network><name>lab</name>{line}</network>")
    host.netrelayctl("reload")
    lab.expect_row(host, guest="vm3", network="lab")


def allow(bridge):
    os.makedirs(os.path.dirname(CONFIG), exist_ok=True)
    with open(CONFIG, "w") as file:
        file.write(f"[policy]\nbridges={bridge}\n")


@tap.timeout(90)
def test_bridge_made_again(host):
    """FAULTS 12: the bridge goes away and returns; the network finds it again"""
    host.libvirtd()
    add_br0()
    host.write_network("lab", NETWORK)
    host.netrelayd()
    guest = lab.numbered(host, 1, client_nic(PORT, mac(1)))
    guest.boot()
    guest.reaches(address(HOST))
    links.ip("link", "del", "br0")
    add_br0()
    eventually(our_taps, 10, "the TAP is in the new bridge")
    guest.must("ip neigh flush dev eth0")       # the new bridge has another address
    guest.reaches(address(HOST))


@tap.timeout(60)
def test_bridge_in_a_session(host):
    """Without privilege there is no TAP: one sentence says so, and the guest is refused"""
    session = host.session(runtime_dir=True)
    add_br0()
    session.netrelayd()
    guest = lab.numbered(session, 1, client_nic(PORT, mac(1)),
                         metadata=lab.metadata(f"mac='{mac(1)}' bridge='br0'"))
    refused = guest.try_start()
    assert refused.rc != 0 and "br0" in refused.stderr, refused
    assert "qemu:///system" in refused.stderr, refused
    assert not our_taps()


tap.main(PrivateHost())
