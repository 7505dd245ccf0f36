#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks whose host is their router: forwarding, host routes, and addresses answered for."""

import contextlib
import os
import subprocess
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

HOST = 100                              # the host's number among the guests' addresses
LAN4, LAN6 = "203.0.113", "2001:db8::"  # and its LAN, where .1 is a router, and .2 the host
ROUTE = "<forward mode='route'/>"

ADVERTISE = r"""
import socket, struct
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
scope = socket.if_nametoindex("lan0")
s.bind(("fe80::1", 0, 0, scope))
prefix = struct.pack("!BBBBIII", 3, 4, 64, 0xc0, 3600, 3600, 0) + socket.inet_pton(
    socket.AF_INET6, "2001:db8::")
s.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + prefix, ("ff02::1", 0, 0, scope))
"""


def network(more="", ips=None):
    ips = ips or (f"<ip address='{address(HOST)}' prefix='24'/>"
                  f"<ip address='{v6_address(HOST)}' prefix='64'/>")
    return (f"<network><name>lab</name><listen address='127.0.0.1' port='{PORT}'/>"
            f"<bridge name='virbr9'/>{ips}{more}</network>")


def in_lan(*command, check=True):
    return run(["ip", "netns", "exec", "lan", *command], check=check)


def add_lan(v6_by_router=False):
    """eth0 of this host, and behind it the LAN's router, a namespace."""
    os.makedirs("/run/netns", exist_ok=True)
    links.ip("netns", "add", "lan")
    links.ip("link", "add", "eth0", "type", "veth", "peer", "name", "lan0", "netns", "lan")
    links.write("/proc/sys/net/ipv6/conf/eth0/accept_dad", "0")
    in_lan("sh", "-c", "echo 0 >/proc/sys/net/ipv6/conf/lan0/accept_dad;"
           "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding; ip link set lo up;"
           f"ip address add {LAN4}.1/24 dev lan0; ip address add {LAN6}1/64 dev lan0;"
           "ip address add fe80::1/64 dev lan0; ip link set lan0 up")
    links.ip("address", "add", f"{LAN4}.2/24", "dev", "eth0")
    links.ip("address", "add", f"{LAN6}2/64", "dev", "eth0")
    links.ip("link", "set", "eth0", "up")
    links.ip("route", "add", "default", "via", f"{LAN4}.1")
    if v6_by_router:
        eventually(has_router, 15, "the host has heard its router")
    else:
        links.ip("-6", "route", "add", "default", "via", f"{LAN6}1")
    eventually(is_settled, 20, "the devices have all that they get by themselves")


def add_wan():
    links.ip("link", "add", "wan0", "type", "veth", "peer", "name", "wan1")


def is_settled():
    return ("tentative" not in links.ip("-6", "address")
            and "ff00::/8 dev eth0" in links.ip("-6", "route", "show", "table", "local")
            and "fe80::/64 dev eth0" in links.ip("-6", "route"))


def has_router():
    in_lan("python3", "-c", ADVERTISE)
    return "proto ra" in links.ip("-6", "route", "show", "default")


def setting(path):
    with open(f"/proc/sys/net/{path}") as file:
        return file.read().strip()


def forwarding():
    """The devices that forward IPv4."""
    with contextlib.suppress(FileNotFoundError):
        return [name for name in ["all", *links.names()]
                if setting(f"ipv4/conf/{name}/forwarding") == "1"]
    return None


def reaches(target, prefix=()):
    return run([*prefix, "busybox", "ping", "-c", "1", "-W", "1", target],
               check=False).returncode == 0


def lan_reaches(target):
    eventually(lambda: reaches(target, ["ip", "netns", "exec", "lan"]), 15,
               f"the LAN reaches {target}")


@tap.timeout(180)
def test_E6_D2_a_routed_subnet(host):
    """A guest and the LAN reach one another through this host, by both families, as long as the
    network is there; forwarding is on for what is concerned alone, and as before afterwards"""
    add_lan(v6_by_router=True)
    links.add_bridge("br0", ["192.0.2.129/25"])
    in_lan("ip", "route", "add", f"{address(0)}/24", "via", f"{LAN4}.2")
    in_lan("ip", "route", "add", "fd00:9::/64", "via", f"{LAN6}2")
    before = kernel()
    host.libvirtd()
    host.write_network("lab", network(ROUTE))
    daemon = host.netrelayd()
    guest = lab.numbered(host, 1, client_nic(PORT, mac(1)))
    guest.boot()
    guest.must(f"ip route add default via {address(HOST)}")
    guest.must(f"ip -6 route add default via {v6_address(HOST)}")
    guest.reaches(f"{LAN4}.1")
    guest.reaches(f"{LAN6}1")
    lan_reaches(address(1))
    lan_reaches(v6_address(1))
    assert forwarding() == ["eth0", "virbr9"], forwarding()
    assert setting("ipv6/conf/all/forwarding") == "1"
    assert has_router(), "it still hears its router"
    assert lab.expect_row(host, kind="host", address="IPv4 forwarding", peer="eth0", state="set")
    assert "nothing to do" in host.netrelayctl("plan").stdout
    pings = guest.start_pings(f"{LAN4}.1")
    daemon.kill()
    host.netrelayd()
    lab.expect_row(host, kind="host", address="IPv6 forwarding", state="set")
    sent, received = pings.stop()
    assert sent == received, f"{received} of {sent} pings"
    guest.destroy()
    host.netrelayctl("net-destroy", "lab")
    restored(before, "net-destroy")
    assert has_router()


@tap.timeout(60)
def test_E6_D2_ways_out(host):
    """Without a way out it is said, and one that comes is taken; what two networks need stays until
    the second one goes; what others switch on meanwhile stays"""
    host.libvirtd()
    path = host.write_network("lab", network(ROUTE))
    host.netrelayd()
    row = lab.expect_row(host, kind="host", state="waiting")
    assert "no default route of IPv4" in row["reason"], row
    assert forwarding() == []
    found = lab.findings(host)["way-out", "lab"]
    assert "no default route of IPv4" in found["text"] and "set one" in found["cure"], found
    add_lan()
    eventually(lambda: forwarding() == ["eth0", "virbr9"], 15, "the way out has come")
    eventually(lambda: setting("ipv6/conf/all/forwarding") == "1", 15, "for IPv6, too")
    assert not lab.findings(host)
    host.write_network("two", "<network><name>two</name><bridge name='virbr8'/>"
                       "<ip address='10.8.0.1' prefix='24'/>"
                       "<forward mode='route' dev='eth0'/></network>")
    eventually(lambda: forwarding() == ["eth0", "virbr8", "virbr9"], 15, "the second network")
    add_wan()
    third = host.write_network("three", "<network><name>three</name><bridge name='virbr7'/>"
                               "<ip address='10.7.0.1' prefix='24'/>"
                               "<forward mode='route' dev='wan0'/></network>")
    for what in ("the third network", "a device that is made anew"):
        eventually(lambda: forwarding() == ["eth0", "virbr7", "virbr8", "virbr9", "wan0"], 15, what)
        links.ip("link", "del", "wan0")
        add_wan()
    os.unlink(third)
    links.ip("link", "del", "wan0")
    os.unlink(path)
    eventually(lambda: forwarding() == ["eth0", "virbr8"], 15, "the first one goes")
    eventually(lambda: setting("ipv6/conf/all/forwarding") == "0", 15, "nobody needs it any more")
    links.write("/proc/sys/net/ipv4/ip_forward", "1")
    host.netrelayctl("net-destroy", "two")
    eventually(lambda: not os.path.exists(JOURNAL), 15, "the second one goes")
    assert forwarding() == ["all", "eth0"], forwarding()


PROXIED4, PROXIED6 = f"{LAN4}.10", f"{LAN6}10"
GATEWAY = f"{LAN4}.9"


INTERNET4, INTERNET6 = "198.51.100.7", "2001:db8:7::7"     # behind the LAN's router


def boot_proxied_guest(host):
    """With addresses of the LAN and the ways that docs/routed.md shows."""
    guest = host.guest("vm1", [client_nic(PORT, mac(1))],
                       addresses=[f"{PROXIED4}/32,{PROXIED6}/128,{v6_address(1)}/64"])
    guest.boot()
    guest.must(f"ip route add {GATEWAY} dev eth0; ip route add default via {GATEWAY}; "
               f"ip -6 route add default via {v6_address(HOST)} src {PROXIED6}")
    return guest


@contextlib.contextmanager
def name_server():
    """The LAN's, on its router."""
    with subprocess.Popen(["ip", "netns", "exec", "lan", "dnsmasq", "--keep-in-foreground",
                           "--conf-file=/dev/null", "--no-resolv", "--user=root", "--no-hosts",
                           "--pid-file=/run/dnsmasq-lan.pid", f"--listen-address={LAN4}.1",
                           "--bind-interfaces", f"--address=/router.example/{LAN4}.1"]) as server:
        yield
        server.kill()


@tap.timeout(90)
def test_D1_D2_D3_D5_D8_D9_proxied_addresses(host):
    """A guest with addresses of the LAN, which does not know the way to it: the host answers there,
    and leads on, also to the Internet, without NAT; all of it is taken back in the end"""
    add_lan()
    in_lan("sh", "-e", "-c", f"ip address add {INTERNET4}/32 dev lo;"
           f"ip address add {INTERNET6}/128 dev lo nodad")
    before = kernel()
    host.libvirtd()
    ips = (f"<ip address='{GATEWAY}' prefix='32'/><ip address='{v6_address(HOST)}' prefix='64'/>")
    more = (f"<forward mode='route' dev='eth0'/><route address='{PROXIED4}' proxy='yes'/>"
            f"<route family='ipv6' address='{PROXIED6}' proxy='yes'/>")
    path = host.write_network("lab", network(more, ips))
    daemon = host.netrelayd()
    lab.expect_row(host, deadline=15, kind="host", address=f"answers for {PROXIED6}", peer="eth0",
                   state="set")
    guest = boot_proxied_guest(host)
    routes = links.ip("route").splitlines() + links.ip("-6", "route").splitlines()
    assert [line.split() for line in routes if line.startswith(f"{PROXIED4} ")][0][1:7] == \
        ["dev", "virbr9", "proto", "static", "scope", "link"], routes
    assert any(line.startswith(f"{PROXIED6} dev virbr9 ") for line in routes), routes
    assert links.ip("neigh", "show", "proxy").split()[:3] == [PROXIED4, "dev", "eth0"]
    assert setting("ipv4/conf/eth0/proxy_arp") == "0", "one address is enough"
    assert forwarding() == ["eth0", "virbr9"], forwarding()
    for target in (PROXIED4, PROXIED6):
        eventually(lambda target=target: reaches(target), 15, f"the host reaches {target}")
        lan_reaches(target)
    for target in (GATEWAY, f"{LAN4}.2", f"{LAN4}.1", f"{LAN6}2", f"{LAN6}1", INTERNET4, INTERNET6):
        guest.reaches(target)
    assert not run(["nft", "list", "ruleset"]).stdout, "no NAT"
    with name_server():
        eventually(lambda: LAN4 in guest.sh(f"nslookup router.example {LAN4}.1")[1]
                   .partition("router.example")[2], 15, "the guest resolves a name")
    neighbours = in_lan("ip", "neigh", "show", PROXIED4).stdout
    assert links.read("eth0", "address") in neighbours, neighbours
    pings = guest.start_pings(INTERNET4)
    daemon.kill()
    host.netrelayd()
    lan_reaches(PROXIED6)
    lab.nothing_lost(pings)
    assert "nothing to do" in host.netrelayctl("plan").stdout
    links.ip("link", "set", "eth0", "down")         # which takes its proxied addresses with it
    links.ip("link", "set", "eth0", "up")
    links.ip("address", "add", f"{LAN6}2/64", "dev", "eth0")
    for gateway in (f"{LAN4}.1", f"{LAN6}1"):
        links.ip("route", "add", "default", "via", gateway)
    for target in (PROXIED4, PROXIED6):
        lan_reaches(target)
    guest.destroy()
    os.unlink(path)
    restored(before, "without its file")


tap.main(PrivateHost())
