#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A host whose only uplink becomes a member of a network's bridge, with all it had moved there."""

import os
import signal
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import lab
import links
import stacks
import tap
from guest import client_nic
from host import PrivateHost
from internet import pings
from lab import PORT, address, mac, v6_address
from process import run
from untouched import kernel, restored
from wait import eventually

HOST, ROUTER, OTHER = 100, 1, 2         # the last part of their addresses on the LAN
LISTEN = f"<listen address='127.0.0.1' port='{PORT}'/>"
NETWORK = (f"<network><name>lab</name>{LISTEN}<bridge name='br7'/>"
           "<forward mode='bridge' dev='eth0'/></network>")
RECORD = "/run/netrelay/uplinks/eth0"
NOTE_IN_THE_MAKING = "/run/netrelay/stopped.new"


class Lan:
    """A router behind the host's eth0, with a connection of the host to it."""

    def __init__(self):
        links.loopback_up()
        links.write("/proc/sys/net/ipv6/conf/default/accept_dad", "0")
        self.far = stacks.Stack()
        stacks.cable(None, self.far, "eth0", (f"{address(HOST)}/24", f"{address(ROUTER)}/24"))
        links.ip("address", "add", f"{v6_address(HOST)}/64", "dev", "eth0", "nodad")
        links.ip("address", "add", f"{address(HOST + 1)}/24", "dev", "eth0")
        with self.far:
            links.ip("address", "add", f"{v6_address(ROUTER)}/64", "dev", "eth0", "nodad")
        eventually(lambda: "fe80" in links.ip("-6", "address", "show", "dev", "eth0") and
                   not links.ip("address", "show", "tentative"), 10, "IPv6 is ready")
        for route in (["default", "via", address(ROUTER)],
                      ["default", "via", address(OTHER), "metric", "700"],
                      ["203.0.113.0/24", "via", address(ROUTER), "src", address(HOST + 1)]):
            links.ip("route", "add", *route)
        for route in (["default", "via", v6_address(ROUTER)],
                      ["2001:db8:7::/48", "via", v6_address(OTHER), "metric", "77"]):
            links.ip("-6", "route", "add", *route)
        self.connect()

    def connect(self):
        with self.far:
            server = socket.create_server((address(ROUTER), 7777))
        self.near = socket.create_connection((address(ROUTER), 7777), timeout=15)
        self.server, _ = server.accept()
        self.server.settimeout(15)
        server.close()

    def talks(self):
        """The connection made before is still there, in both directions."""
        for one, other in ((self.near, self.server), (self.server, self.near)):
            one.sendall(b"still here?")
            assert other.recv(64) == b"still here?"


def is_moved():
    return (os.path.exists("/sys/class/net/br7/brif/eth0") and
            address(HOST) in links.ip("-4", "address", "show", "dev", "br7") and
            not links.ip("-4", "address", "show", "dev", "eth0"))


def is_active(host):
    return "active" in host.netrelayctl("net-list").stdout


@tap.timeout(120)
def test_E4_bridged_lan(host):
    """The bridge has all that eth0 had, connections stay, guests are on the LAN; and back again"""
    lan = Lan()
    before = kernel()
    host.libvirtd()
    daemon = host.netrelayd()
    with host.file_with(NETWORK) as file:
        said = host.netrelayctl("net-define", file).stdout
    assert "net-start --confirm 60 lab" in said, said
    assert kernel() == before and not is_active(host), "a file alone moves nothing"
    routes = [links.ip(family, "route").replace("eth0", "br7") for family in ("-4", "-6")]
    host.netrelayctl("net-start", "lab")
    assert is_moved()
    lan.talks()
    assert links.read("br7", "address") == links.read("eth0", "address")
    now = [links.ip(family, "route") for family in ("-4", "-6")]
    assert now[0] == routes[0], now[0]
    assert set(routes[1].splitlines()) <= set(now[1].splitlines()), now[1]
    assert lab.expect_row(host, kind="host", address="eth0", peer="br7", state="set")
    assert "nothing to do" in host.netrelayctl("plan").stdout
    guest = lab.numbered(host, 5, client_nic(PORT, mac(5)))
    guest.boot()
    for target in (address(ROUTER), v6_address(ROUTER), address(HOST)):
        guest.reaches(target)
    daemon.kill()
    host.netrelayd()
    lab.expect_row(host, kind="host", address="eth0", peer="br7", state="set")
    lan.talks()
    guest.destroy()
    host.netrelayctl("net-destroy", "lab")
    restored(before, "net-destroy")
    lan.talks()


@tap.timeout(120)
def test_E4_unconfirmed(host):
    """What is not confirmed comes back by itself, whoever has died; what is confirmed stays"""
    lan = Lan()
    host.libvirtd()
    before = kernel()
    daemon = host.netrelayd()
    host.write_network("lab", NETWORK)
    host.netrelayctl("reload")
    said = host.netrelayctl("net-start", "lab", "--confirm", "1").stdout
    assert "net-confirm lab" in said, said
    os.mkdir(NOTE_IN_THE_MAKING)            # as on a full disk: it cannot be noted
    restored(before, "the manager takes it back")
    eventually(lambda: not is_active(host), 10, "it is stopped")
    assert "not confirmed in time" in daemon.text()
    assert "has not moved" in host.netrelayctl("net-confirm", "lab", check=False).stderr
    os.rmdir(NOTE_IN_THE_MAKING)
    host.netrelayctl("net-start", "lab", "--confirm", "1")
    daemon.freeze()
    eventually(lambda: not os.path.exists(RECORD), 15, "the guard takes it back")
    daemon.thaw()
    restored(before, "a manager that comes late does the rest, and moves nothing again")
    assert not is_active(host)
    host.netrelayctl("net-start", "lab", "--confirm", "3")
    daemon.kill()
    eventually(lambda: not os.path.exists(RECORD), 15, "the guard takes it back")
    assert not os.path.exists("/sys/class/net/br7/brif/eth0")
    lan.talks()
    daemon = host.netrelayd()
    restored(before, "the next manager does the rest")
    assert not is_active(host)
    host.netrelayctl("net-start", "lab", "--confirm", "600")
    host.netrelayctl("net-confirm", "lab")
    assert is_moved() and "need not" in host.netrelayctl("net-confirm", "lab", check=False).stderr
    eventually(lambda: not guards(), 10, "nobody watches any more")
    daemon.stop()
    assert run(["netrelayd", "--cleanup"], check=False).returncode == 0
    restored(before, "--cleanup")


@tap.timeout(90)
def test_E4_still_to_be_confirmed(host):
    """What is moved once more, after a SIGKILL or by an edit, is to be confirmed as before"""
    Lan()
    host.libvirtd()
    daemon = host.netrelayd()
    host.write_network("lab", NETWORK)
    host.netrelayctl("reload")
    host.netrelayctl("net-start", "lab", "--confirm", "600")
    until = recorded("until")
    daemon.kill()
    for guard in guards():
        os.kill(int(guard), signal.SIGKILL)
    with open(RECORD) as file:
        text = file.read()
    links.write(RECORD, text.replace("phase moved", "phase moving"))
    daemon = host.netrelayd()
    eventually(lambda: recorded("phase") == "moved", 15, "moved again")
    assert recorded("until") == until
    host.write_network("lab", NETWORK.replace("br7", "br8"))
    eventually(lambda: recorded("bridge") == "br8" and recorded("phase") == "moved", 15, "edited")
    assert recorded("until") == until
    host.netrelayctl("net-confirm", "lab")
    assert recorded("until") == "0"


def undone(host):
    return [fault for (kind, _), fault in lab.findings(host).items() if kind == "undone"]


def recorded(word):
    """What the record says; "" where there is none."""
    try:
        with open(RECORD) as file:
            return dict(line.strip().partition(" ")[::2] for line in file)[word]
    except FileNotFoundError:
        return ""


def guards():
    return run(["pgrep", "-f", "uplink-guard"], check=False).stdout.split()


def pretend(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    links.write(path, text)


@tap.timeout(60)
def test_E4_refused(host):
    """Refused with the reason, and nothing changed, where others look after eth0"""
    lan = Lan()
    index = links.ip_json("link", "show", "eth0")[0]["ifindex"]
    host.netrelayd()
    host.write_network("lab", NETWORK)
    host.netrelayctl("reload")
    before = kernel()

    def refused(words):
        result = host.netrelayctl("net-start", "lab", check=False)
        assert result.returncode == 1 and words in result.stderr, result.stderr
        restored(before, words)
        assert not is_active(host)

    for path, text, who in (
            (f"/run/NetworkManager/devices/{index}", "[device]\nconnection-uuid=x\n",
             "NetworkManager"),
            (f"/run/systemd/netif/links/{index}",
             "ADMIN_STATE=configured\nNETWORK_FILE=/etc/systemd/network/a.network\n", "networkd"),
            ("/run/dhclient.eth0.pid", f"{os.getpid()}\n", "a DHCP client")):
        pretend(path, text)
        refused(f"{who} looks after eth0")
        os.unlink(path)
    wireless = os.path.realpath("/sys/class/net/eth0")      # as such a device has a folder there
    run(["mount", "-t", "tmpfs", "sysfs", wireless])
    os.mkdir(f"{wireless}/wireless")
    refused("eth0 is wireless")
    run(["umount", wireless])
    links.ip("address", "change", f"{address(HOST)}/24", "dev", "eth0", "valid_lft", "5000",
             "preferred_lft", "5000")
    lease = "a DHCP client looks after eth0"
    result = host.netrelayctl("net-start", "lab", check=False)
    assert lease in result.stderr and "--force" in result.stderr, result.stderr
    host.netrelayctl("net-start", "--force", "lab")
    assert is_moved()
    lan.talks()
    host.netrelayctl("net-destroy", "lab")
    eventually(lambda: address(HOST) in links.ip("address", "show", "dev", "eth0"), 10, "back")
    links.ip("address", "change", f"{address(HOST)}/24", "dev", "eth0", "valid_lft", "forever",
             "preferred_lft", "forever")
    restored(before, "the lease gone")
    links.ip("link", "set", "eth0", "down")
    links.ip("link", "set", "eth0", "name", "eth9")
    assert "there is no device eth0" in host.netrelayctl("net-start", "lab", check=False).stderr


@tap.timeout(60)
def test_E4_with_the_host(host):
    """What is there when the host starts moves by itself; what is taken does not"""
    Lan()
    host.libvirtd()
    host.write_network("lab", NETWORK)
    host.netrelayd()
    eventually(is_moved, 10, "moved")
    assert not undone(host)
    links.ip("link", "set", "eth0", "nomaster")
    assert "somebody has undone that" in undone(host)[0]["text"]
    links.ip("link", "set", "eth0", "master", "br7")
    assert not undone(host)
    path = host.write_network("two", NETWORK.replace("lab", "two").replace("br7", "br8").replace(
        LISTEN, ""))
    host.netrelayctl("reload")
    said = host.netrelayctl("net-start", "two", check=False).stderr
    assert "eth0 is in the bridge br7 for network lab" in said, said
    os.unlink(path)
    host.netrelayctl("net-destroy", "lab")
    eventually(lambda: not os.path.exists("/sys/class/net/br7"), 10, "gone")
    links.add_bridge("br7")
    links.ip("link", "set", "eth0", "master", "br7")
    said = host.netrelayctl("net-start", "lab", check=False).stderr
    assert "leave out dev='eth0'" in said, said


GUEST, GUEST6 = address(50), v6_address(50)     # of the LAN, behind the host
PROXIED = f"""<network><name>two</name><bridge name='virbr9'/>
  <ip address='10.8.0.1' prefix='24'/><ip address='fd00:8::1' prefix='64'/>
  <forward mode='route' dev='eth0'/>
  <route address='{GUEST}' proxy='yes'/><route address='{GUEST6}' proxy='yes'/></network>"""


def add_guest():
    """A namespace with the two addresses, in the network's bridge."""
    far = stacks.Stack()
    stacks.cable(None, far, "v50")
    with far:
        links.ip("address", "add", f"{GUEST}/32", "dev", "v50")
        links.ip("address", "add", f"{GUEST6}/128", "dev", "v50", "nodad")
        links.ip("address", "add", "fd00:8::50/64", "dev", "v50", "nodad")
        links.ip("route", "add", "default", "via", "10.8.0.1", "dev", "v50", "onlink")
        links.ip("route", "add", "default", "via", "fd00:8::1", "src", GUEST6)
    return far


@tap.timeout(120)
def test_E4_D3_beside_a_routed_network(host):
    """Addresses that the host answers for by way of eth0: also when eth0 is in the other network's
    bridge, whichever of the two comes first and goes first"""
    lan = Lan()
    add_guest()
    host.libvirtd()
    host.netrelayd()
    host.write_network("lab", NETWORK)
    host.write_network("two", PROXIED)
    host.netrelayctl("reload")
    host.netrelayctl("net-destroy", "two")
    links.ip("link", "set", "v50", "nomaster")
    eventually(lambda: not os.path.exists("/sys/class/net/virbr9"), 15, "two is stopped")
    before = kernel()

    def stop(name):
        host.netrelayctl("net-destroy", name)

    def start(name):
        host.netrelayctl("net-start", name)
        eventually(lambda: os.path.exists("/sys/class/net/virbr9"), 15, "its bridge")
        links.ip("link", "set", "v50", "master", "virbr9")

    def answers():
        """To the LAN, for both families; and where eth0 is says who forwards."""
        for target in (GUEST, GUEST6):
            with lan.far:
                links.ip("neigh", "flush", "dev", "eth0")
                eventually(lambda target=target: pings(target), 20, f"the LAN reaches {target}")
        assert "nothing to do" in host.netrelayctl("plan").stdout
        lan.talks()

    start("two")
    answers()
    start("lab")
    assert is_moved()
    answers()
    stop("lab")
    answers()
    start("lab")
    stop("two")
    eventually(lambda: not links.ip("neigh", "show", "proxy"), 15, "nothing is answered for")
    start("two")
    answers()
    stop("lab")
    assert not is_moved()
    answers()
    stop("two")
    links.ip("link", "set", "v50", "nomaster")
    restored(before, "both are stopped")


class AdvertisingLan:
    """A router behind eth0 that says by advertisements what the host is to have of IPv6."""

    def __init__(self):
        links.loopback_up()
        links.write("/proc/sys/net/ipv6/conf/default/accept_dad", "0")
        links.write("/proc/sys/net/ipv6/conf/default/use_tempaddr", "2")
        self.far = stacks.Stack()
        stacks.cable(None, self.far, "eth0", (f"{address(HOST)}/24", f"{address(ROUTER)}/24"))
        with self.far:
            links.ip("address", "add", f"{v6_address(ROUTER)}/64", "dev", "eth0", "nodad")
        self.router = None

    def advertise(self, lifetime):
        """From now on with this valid lifetime, in seconds."""
        if self.router:
            self.router.kill()
            self.router.wait(10)
        with self.far:
            self.router = subprocess.Popen(
                ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0",
                 "--user=root", "--pid-file=", "--leasefile-ro", "--interface=eth0", "--enable-ra",
                 "--ra-param=eth0,4,600", f"--dhcp-range={v6_address(0)},ra-only,64,{lifetime}"])

    def heard_on(self, device, lifetime):
        """The host has an address of that lifetime there, after it has asked for one."""
        def has():
            solicit(device)
            return [one for one in of_subnet(device) if "temporary" not in one and
                    lifetime / 2 < one["valid_life_time"] <= lifetime]
        return eventually(has, 20, f"{device} has learned of {lifetime} s")[0]["local"]


def of_subnet(device):
    """The addresses of the LAN's prefix that a device has."""
    return [one for link in links.ip_json("-6", "address", "show", "dev", device)
            for one in link["addr_info"] if one["local"].startswith("fd00:9:")]


def solicit(device):
    """Asks the routers behind a device, as the kernel does where one comes up."""
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as asker:
        asker.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        asker.sendto(bytes([133, 0, 0, 0, 0, 0, 0, 0]),
                     ("ff02::2", 0, 0, socket.if_nametoindex(device)))


def leads_by(device):
    """All ways that routers have advertised lead there."""
    ways = links.ip("-6", "route", "show", "default").splitlines()
    return ways and all(f"dev {device} proto ra" in way for way in ways)


@tap.timeout(120)
def test_E4_goes_on_learning(host):
    """What the host has of routers' advertisements moves, and they are heard where it is: on the
    bridge, and on eth0 again; connections from a privacy address stay"""
    lan = AdvertisingLan()
    host.libvirtd()
    host.netrelayd()
    host.write_network("lab", NETWORK)
    host.netrelayctl("reload")
    lan.advertise(1000)
    own = lan.heard_on("eth0", 1000)
    eventually(lambda: leads_by("eth0"), 15, "a way out")
    private = eventually(lambda: [one["local"] for one in of_subnet("eth0") if "temporary" in one],
                         15, "a privacy address")[0]
    with lan.far:
        server = socket.create_server((v6_address(ROUTER), 7777), family=socket.AF_INET6)
    near = socket.create_connection((v6_address(ROUTER), 7777), 15, (private, 0))
    far, _ = server.accept()
    for place, lifetime, verb in (("br7", 4000, "net-start"), ("eth0", 16000, "net-destroy"),
                                  ("br7", 64000, "net-start"), ("eth0", 256000, "net-destroy")):
        host.netrelayctl(verb, "lab")
        assert leads_by(place), links.ip("-6", "route")
        assert {own, private} <= {one["local"] for one in of_subnet(place)}, of_subnet(place)
        lan.advertise(lifetime)
        assert lan.heard_on(place, lifetime) == own, of_subnet(place)
        assert leads_by(place), links.ip("-6", "route")
        eventually(lambda place=place: any("temporary" in one for one in of_subnet(place)), 15,
                   "a privacy address of its own")
        near.sendall(b"still here?")
        assert far.recv(64) == b"still here?"
    lan.router.kill()


tap.main(PrivateHost())
