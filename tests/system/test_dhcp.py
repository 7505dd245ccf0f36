#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks whose guests get addresses and names from a dnsmasq of ours."""

import json
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import lab
import links
import stacks
import tap
from guest import client_nic
from host import PrivateHost
from lab import PORT, address, mac, v6_address
from process import ours, run
from wait import eventually

HOST = 100
SERVER = address(HOST)
FIXED = address(50)
PROGRAM = "/usr/sbin/dnsmasq"
LEASES = "/var/lib/netrelay/dnsmasq"
NETWORK = f"""<network><name>lab</name>
  <listen address='127.0.0.1' port='{PORT}'/>
  <bridge name='virbr9'/>
  <ip address='{SERVER}' prefix='24'>
    <dhcp>
      <range start='{address(10)}' end='{address(29)}'><lease expiry='2' unit='hours'/></range>
      <host mac='{mac(2)}' name='web' ip='{FIXED}'/>
    </dhcp>
  </ip>
  <ip family='ipv6' address='{v6_address(HOST)}' prefix='64'/>
  <domain name='lab.example'/>
  <dns><host ip='{SERVER}'><hostname>gateway</hostname></host></dns>
</network>"""
PLAIN = f"""<network><name>lab</name><bridge name='virbr9'/>
  <ip address='{SERVER}' prefix='24'>{{}}</ip></network>"""
RANGE = f"<dhcp><range start='{address(10)}' end='{address(29)}'/></dhcp>"

# What udhcpc calls: it takes the address, and notes what else it was told.
SCRIPT = """#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr add $ip/$mask dev $interface
echo "$ip router=$router dns=$dns domain=$domain lease=$lease" >/tmp/lease
"""


def server():
    """The one dnsmasq's PID, once there is just one."""
    return eventually(lambda: len(ours("dnsmasq")) == 1 and ours("dnsmasq")[0], 15,
                      f"one dnsmasq, and not {ours('dnsmasq')}")


def get_lease(guest, name):
    """As a guest's system does it; returns what it was told."""
    guest.must(f"cat >/tmp/udhcpc <<'EOF'\n{SCRIPT}EOF\nchmod +x /tmp/udhcpc")
    guest.must(f"udhcpc -i eth0 -n -q -t 20 -T 1 -x hostname:{name} -s /tmp/udhcpc", 60)
    return guest.must("cat /tmp/lease").strip()


def leases(host, network="lab"):
    return json.loads(host.netrelayctl("net-dhcp-leases", network, "--json").stdout)["leases"]


def resolves(guest, name, expected):
    eventually(lambda: expected in guest.sh(f"nslookup {name} {SERVER}")[1], 10,
               f"{name} is {expected}")


def listens(pid):
    """Where a process listens, or waits for datagrams: "ADDRESS:PORT" each."""
    lines = run(["ss", "-Hlntup"]).stdout.splitlines()
    return sorted(line.split()[4] for line in lines if f"pid={pid}," in line)


def expect_to_listen(wanted):
    """Its own link-local addresses aside, which come by themselves."""
    eventually(lambda: {a for a in listens(server()) if "[fe80" not in a} == set(wanted), 10,
               f"it listens on {wanted}")


def doctor_says(host, reason):
    """The doctor has it as what is wrong, and what to do."""
    wrong, cure = reason.split("; ")
    found = json.loads(host.netrelayctl("doctor", "--json", check=False).stdout)["findings"]
    return [one for one in found if one["text"].endswith(wrong) and one["cure"] == cure]


def station(bridge, name):
    """A machine on the bridge that takes what routers announce."""
    far = stacks.Stack()
    links.ip("link", "add", name, "type", "veth", "peer", "name", f"{name}-far")
    links.ip("link", "set", f"{name}-far", "netns", f"/proc/{os.getpid()}/fd/{far.fd}")
    links.ip("link", "set", name, "master", bridge, "up")
    with far:
        links.ip("link", "set", f"{name}-far", "up")
    return far


class TestServed:
    """Two guests over NICs of type client, and what happens to their server meanwhile"""

    def setup(self, host):
        self.host = host
        links.loopback_up()
        self.before = links.snapshot()
        host.libvirtd()
        self.path = host.write_network("lab", NETWORK)
        self.daemon = host.netrelayd()
        self.guests = {n: host.guest(f"vm{n}", [client_nic(PORT, mac(n))]) for n in (1, 2)}
        for guest in self.guests.values():
            guest.start()
        lab.expect_row(host, 20, kind="dnsmasq", address="virbr9", state="serving")

    @tap.timeout(180)
    def test_E7_guests_take_leases(self):
        """of the range, and the one that is meant for them; nothing says that the host leads on"""
        one, two = self.guests[1], self.guests[2]
        told = get_lease(one, "db")
        self.first = told.split()[0]
        assert self.first in {address(n) for n in range(10, 30)}, told
        assert f"router= dns={SERVER} domain=lab.example lease=7200" in told, told
        assert get_lease(two, "anything").split()[0] == FIXED
        one.reaches(FIXED)
        rows = {row["mac"]: row for row in leases(self.host)}
        assert rows[mac(1)]["ip"] == f"{self.first}/24" and rows[mac(1)]["hostname"] == "db", rows
        assert rows[mac(2)]["ip"] == f"{FIXED}/24" and rows[mac(2)]["hostname"] == "web", rows
        assert all(row["protocol"] == "ipv4" and row["expiry"] for row in rows.values()), rows
        table = self.host.netrelayctl("net-dhcp-leases", "lab").stdout
        assert re.search(rf"{mac(2)} +ipv4 +{FIXED}/24 +web ", table), table

    @tap.timeout(120)
    def test_D8_guests_know_names(self):
        """one another's, with and without the domain, and the host's; of others nothing is asked"""
        one, two = self.guests[1], self.guests[2]
        resolves(one, "web", FIXED)
        resolves(two, "db.lab.example", self.first)
        resolves(two, "gateway", SERVER)
        resolves(one, f"{FIXED}", "web.lab.example")
        assert "can't" in one.sh(f"nslookup elsewhere.example {SERVER} 2>&1")[1].replace(
            "REFUSED", "can't")

    @tap.timeout(120)
    def test_E7_router_advertisements(self):
        """a station makes itself an address of the subnet, and no route by way of the host"""
        with station("virbr9", "v0"):
            taken = eventually(
                lambda: [a for link in links.ip_json("-6", "address", "show", "dev", "v0-far")
                         for a in link["addr_info"] if a["local"].startswith("fd00:9:")
                         and "tentative" not in a], 20, "an address by router advertisement")
            assert taken[0]["prefixlen"] == 64
            eventually(lambda: run(["busybox", "ping6", "-c", "1", "-W", "1", v6_address(HOST)],
                                   check=False).returncode == 0, 20, "the host answers")
            assert "default" not in links.ip("-6", "route")
        links.ip("link", "del", "v0")

    def test_E7_heard_on_the_guests_side_only(self):
        """no port on another device, no privilege but what DHCP needs, no file of its own"""
        pid = server()
        expect_to_listen([f"{SERVER}:53", f"[{v6_address(HOST)}]:53", "0.0.0.0%virbr9:67",
                          "[::]%virbr9:547"])
        with open(f"/proc/{pid}/status") as file:
            status = file.read()
        assert "Uid:\t0" not in status and "NoNewPrivs:\t1" in status, status
        assert int(re.search(r"CapPrm:\s+(\w+)", status)[1], 16) == 1 << 10 | 1 << 12 | 1 << 13
        assert not [n for n in os.listdir("/run/netrelay") if "dnsmasq" in n]

    @tap.timeout(120)
    def test_E7_its_death_is_mended(self):
        """another one comes with the same leases, at once and, where it dies again, later"""
        for _ in range(2):
            pid = server()
            os.kill(pid, 9)
            eventually(lambda: server() != pid, 20, "another dnsmasq")
        assert "dnsmasq was killed by signal 9" in self.daemon.text()
        lab.expect_row(self.host, 20, kind="dnsmasq", state="serving")
        resolves(self.guests[1], "web", FIXED)
        assert get_lease(self.guests[1], "db").split()[0] == self.first

    @tap.timeout(120)
    def test_E7_the_manager_is_killed(self):
        """its dnsmasq ends, the next manager's serves the same leases, no guest's link is hurt"""
        pings = self.guests[1].start_pings(FIXED)
        pid = server()
        self.daemon.kill()
        eventually(lambda: pid not in ours("dnsmasq"), 20, "it ends with the manager")
        self.daemon = self.host.netrelayd()
        assert server() != pid
        resolves(self.guests[1], "db", self.first)
        sent, received = pings.stop()
        assert sent == received, f"{received} of {sent} pings"

    @tap.timeout(120)
    def test_E7_refused_where_the_bridge_leads_out(self):
        """it ends as soon as there is a way out, which is said, and is back when that is gone"""
        links.ip("link", "add", "far0", "type", "veth", "peer", "name", "far1")
        links.ip("link", "add", "link", "far0", "name", "out0", "type", "macvlan")
        links.ip("link", "set", "out0", "master", "virbr9")
        row = lab.expect_row(self.host, 20, kind="dnsmasq", state="failed")
        assert "out0 is in the bridge virbr9 and leads out of this host" in row["reason"], row
        assert not ours("dnsmasq")
        assert doctor_says(self.host, row["reason"])
        links.ip("link", "del", "far0")
        lab.expect_row(self.host, 20, kind="dnsmasq", state="serving")

    @tap.timeout(120)
    def test_E7_nothing_is_left(self):
        """a stopped network keeps its leases and nothing else, one that is gone not even these"""
        for guest in self.guests.values():
            guest.destroy()
        self.host.netrelayctl("net-destroy", "lab")
        assert not ours("dnsmasq")
        eventually(lambda: links.snapshot() == self.before, 20, "the kernel is as it was")
        self.host.netrelayctl("net-start", "lab")
        assert {row["mac"] for row in leases(self.host)} == {mac(1), mac(2)}
        self.host.netrelayctl("net-undefine", "lab")
        eventually(lambda: not ours("dnsmasq") and not os.listdir(LEASES), 20, "nothing is left")
        eventually(lambda: links.snapshot() == self.before, 20, "the kernel is as it was")


@tap.timeout(120)
def test_E7_dnsmasq_is_missing(host):
    """The network is there without it, one sentence names the package, and it is tried again"""
    os.rename(PROGRAM, f"{PROGRAM}.away")
    host.write_network("lab", PLAIN.format(RANGE))
    host.netrelayd()
    row = lab.expect_row(host, 20, kind="dnsmasq", state="failed")
    assert row["reason"] == f"{PROGRAM} is not there; install dnsmasq-base", row
    assert doctor_says(host, row["reason"])
    assert lab.expect_row(host, 20, kind="host", state="set")
    os.rename(f"{PROGRAM}.away", PROGRAM)
    lab.expect_row(host, 20, kind="dnsmasq", state="serving")


@tap.timeout(120)
def test_D7_addresses_follow_the_file(host):
    """Static addresses first, then DHCP on the TAP's bridge alone, then static ones again"""
    path = host.write_network("lab", PLAIN.format(""))
    host.netrelayd()
    lab.expect_row(host, 20, kind="host", state="set")
    assert not lab.rows(host, kind="dnsmasq") and not ours("dnsmasq")
    fault = host.netrelayctl("net-dhcp-leases", "lab", check=False)
    assert fault.returncode == 1 and "its file has no <dhcp>" in fault.stderr, fault
    host.write_network("lab", PLAIN.format(RANGE))
    lab.expect_row(host, 20, kind="dnsmasq", state="serving")
    pid = server()
    expect_to_listen(["0.0.0.0%virbr9:67", f"{SERVER}:53"])
    host.write_network("lab", PLAIN.format(RANGE.replace(address(29), address(19))))
    eventually(lambda: server() != pid, 20, "told anew")
    assert lab.expect_row(host, 20, kind="dnsmasq", state="serving")
    assert not leases(host)
    links.ip("address", "add", "192.0.2.1/24", "dev", "lo")
    expect_to_listen(["0.0.0.0%virbr9:67", f"{SERVER}:53"])
    host.write_network("lab", PLAIN.format(""))
    eventually(lambda: not ours("dnsmasq"), 20, "no dnsmasq")
    os.unlink(path)


FIXED6 = v6_address(0x50)
NETWORK6 = f"""<network><name>lab</name><bridge name='virbr9'/>
  <ip address='{v6_address(HOST)}' prefix='64'><dhcp>
    <range start='{v6_address(0x1000)}' end='{v6_address(0x10ff)}'/>
    <host mac='{mac(2)}' name='web' ip='{FIXED6}'/>
  </dhcp></ip><domain name='lab.example'/></network>"""

# What dhclient calls: it takes the address, and notes what else it was told.
SCRIPT6 = """#!/bin/sh
[ "$reason" = BOUND6 ] || exit 0
ip address add $new_ip6_address/128 dev $interface nodad
echo "$new_ip6_address dns=$new_dhcp6_name_servers" >$lease
"""


def ask_for_lease6(far, device, number):
    """By DHCPv6, without waiting: told6() does."""
    folder = f"/run/dhclient-{device}"
    os.mkdir(folder)
    links.write(f"{folder}/script", SCRIPT6)
    os.chmod(f"{folder}/script", 0o755)
    with far:
        links.ip("link", "set", f"{device}-far", "down")
        links.ip("link", "set", f"{device}-far", "address", mac(number), "up")
        eventually(lambda: "fe80" in links.ip("-6", "address", "show", "dev", f"{device}-far",
                                              "-tentative"), 15, "a link-local address")
        run(["dhclient", "-6", "-nw", "-D", "LL", "-sf", f"{folder}/script", "-lf",
             f"{folder}/leases", "-pf", f"{folder}/pid", "-e", f"lease={folder}/told",
             f"{device}-far"])


def told6(device):
    """What its server said."""
    path = f"/run/dhclient-{device}/told"
    eventually(lambda: os.path.exists(path) and os.path.getsize(path), 20, "a lease")
    with open(path) as file:
        return file.read().strip()


@tap.timeout(90)
def test_E7_addresses_by_DHCPv6(host):
    """Of the range, and the one that is meant for a station; both are shown, and have names"""
    if not shutil.which("dhclient", path="/usr/sbin:/sbin"):
        tap.skip("isc-dhcp-client is not installed")
    host.write_network("lab", NETWORK6)
    host.netrelayd()
    lab.expect_row(host, 20, kind="dnsmasq", address="virbr9", state="serving")
    one, two = station("virbr9", "v0"), station("virbr9", "v1")
    ask_for_lease6(one, "v0", 1)
    ask_for_lease6(two, "v1", 2)
    told = told6("v0")
    first = told.split()[0]
    assert first.startswith("fd00:9::10"), told
    assert told.endswith(f" dns={v6_address(HOST)}"), told
    assert told6("v1").split()[0] == FIXED6
    rows = {row["mac"]: row for row in leases(host)}
    assert rows[mac(1)]["ip"] == f"{first}/64" and rows[mac(1)]["protocol"] == "ipv6", rows
    assert rows[mac(2)]["ip"] == f"{FIXED6}/64" and rows[mac(2)]["hostname"] == "web", rows
    with two:
        said = run(["busybox", "nslookup", "web.lab.example", v6_address(HOST)], check=False)
        assert FIXED6 in said.stdout.partition("Name:")[2], said


tap.main(PrivateHost())
