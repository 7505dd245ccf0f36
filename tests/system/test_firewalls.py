#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Firewalls of others that drop what a network needs: the doctor finds them, its cures cure."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import lab
import links
import tap
from host import PrivateHost
from internet import IPS, HERE6, Internet, NamespaceGuest
from lab import PORT, address, v6_address
from outside import HERE, THERE
from process import run
from wait import eventually

BRIDGED = [f"/proc/sys/net/bridge/bridge-nf-call-{tool}" for tool in ("iptables", "ip6tables")]

# As Docker makes them, for a bridge of its own.
DOCKER = """
iptables -P FORWARD DROP
iptables -N DOCKER
iptables -N DOCKER-USER
iptables -A DOCKER-USER -j RETURN
iptables -A FORWARD -j DOCKER-USER
iptables -A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
iptables -A FORWARD -o docker0 -j DOCKER
iptables -A FORWARD -i docker0 ! -o docker0 -j ACCEPT
iptables -A FORWARD -i docker0 -o docker0 -j ACCEPT
"""


def filter_bridges(on):
    """Not each kernel can."""
    for path in filter(os.path.exists, BRIDGED):
        links.write(path, str(int(on)))


def sh(script):
    run(["sh", "-e", "-c", script])


def network(inner, listen="127.0.0.1", more=""):
    return (f"<network><name>lab</name><listen address='{listen}' port='{PORT}'{more}/>"
            f"{inner}</network>")


def all_faults(host):
    """[((kind, about), finding)]: two may be of one kind, and about one network."""
    answer = host.netrelayctl("doctor", "--json", check=False)
    return [((finding["kind"], finding["about"]), finding)
            for finding in json.loads(answer.stdout)["findings"] if finding["level"] == "fault"]


def faults(host, but=()):
    """{kind: finding}, without those of these kinds."""
    return {kind: finding for (kind, _), finding in all_faults(host) if kind not in but}


def expect_only(host, *kinds, but=()):
    eventually(lambda: set(faults(host, but)) == set(kinds), 15,
               f"findings {kinds}, in place of {faults(host, but)}")
    return [faults(host, but)[kind] for kind in kinds]


@tap.timeout(90)
def test_forward(host):
    """Docker's policy, and a chain of somebody's that rejects what goes out, or comes back"""
    internet = Internet()
    host.write_network("lab", network("<bridge name='virbr9'/><forward mode='nat'>"
                                      f"<nat ipv6='yes'/></forward>{IPS}"))
    host.libvirtd()
    host.netrelayd()
    lab.expect_row(host, kind="tap", peer="virbr9", state="connected")
    guest = NamespaceGuest("g1", 1, "virbr9")
    eventually(lambda: guest.reaches(THERE), 15, "the outside")
    filter_bridges(False)
    expect_only(host)
    sh(DOCKER)
    (found,) = expect_only(host, "forward-dropped")
    assert "FORWARD" in found["text"] and "lab" == found["about"], found
    assert not guest.reaches(THERE)
    sh(found["cure"])
    expect_only(host)
    assert guest.reaches(THERE)
    for rule, words in (("iifname virbr9 reject", "what its guests send"),
                        ("oifname virbr9 drop", "the answers")):
        sh("nft 'add table inet fw; add chain inet fw out { type filter hook forward priority 5; };"
           f"add rule inet fw out {rule}'")
        (found,) = expect_only(host, "forward-dropped")
        assert words in found["text"] and "inet fw" in found["text"], found
        assert not guest.reaches(THERE)
        sh(found["cure"])
        expect_only(host)
        assert guest.reaches(THERE)
        sh("nft delete table inet fw")
    sh("iptables-legacy -A FORWARD -j ACCEPT")
    told = host.netrelayctl("doctor", "--json").stdout
    assert '"firewall-unseen"' in told, told
    guest.close()
    internet.close()


@tap.timeout(60)
def test_bridge(host):
    """Frames between members of a bridge, which the kernel hands to a firewall that drops them"""
    if not os.path.exists(BRIDGED[0]):
        tap.skip("this kernel has no br_netfilter")
    links.add_bridge("br0")
    host.write_network("lab", network("<bridge name='br0'/>"))
    host.libvirtd()
    host.netrelayd()
    lab.expect_row(host, kind="tap", peer="br0", state="connected")
    guests = [NamespaceGuest(f"g{n}", n, "br0") for n in (1, 2)]
    filter_bridges(True)
    eventually(lambda: guests[0].reaches(address(2)), 15, "each other")
    expect_only(host)
    sh("nft 'add table ip fw; add chain ip fw out { type filter hook forward priority 0; policy "
       "drop; }'")
    (found,) = expect_only(host, "bridge-dropped")
    assert "br0" in found["text"] and not guests[0].reaches(address(2)), found
    for cure in found["cure"].split(", or: "):
        filter_bridges(True)
        sh(cure)
        expect_only(host)
        assert guests[0].reaches(address(2)), cure
    for guest in guests:
        guest.close()


@tap.timeout(60)
def test_input(host):
    """Connections of other hosts to a network that admits them; those of this host are none"""
    internet = Internet()
    host.libvirtd()
    host.netrelayd()
    sh("iptables -P INPUT DROP; iptables -A INPUT -i lo -j ACCEPT; iptables -A INPUT -m conntrack "
       "--ctstate ESTABLISHED -j ACCEPT")
    host.write_network("lab", network("", HERE))
    lab.expect_row(host, network="lab", state="listening")
    expect_only(host)
    host.write_network("lab", network("", HERE, " admit='any'"))
    (found,) = expect_only(host, "input-dropped")
    assert str(PORT) in found["text"] and "iptables -I INPUT" in found["cure"], found
    dial = ["busybox", "nc", "-w", "1", HERE, str(PORT), "-e", "true"]
    assert internet.run(*dial, check=False).returncode != 0
    sh(found["cure"])
    expect_only(host)
    assert internet.run(*dial, check=False).returncode == 0
    host.write_network("lab", network("", HERE6, " admit='any'"))
    lab.expect_row(host, network="lab", state="listening")
    expect_only(host)               # IPv6 is another table, and it is open
    internet.close()


@tap.timeout(60)
def test_input_of_guests(host):
    """What guests ask of their host: addresses, by both families, and names"""
    links.loopback_up()
    ranges = [f"<dhcp><range start='{subnet(16)}' end='{subnet(31)}'/></dhcp>"
              for subnet in (address, v6_address)]
    host.write_network("lab", network(
        f"<bridge name='virbr9'/><ip address='{address(100)}' prefix='24'>{ranges[0]}</ip>"
        f"<ip address='{v6_address(100)}' prefix='64'>{ranges[1]}</ip>"
        f"<dns><host ip='{address(100)}'><hostname>gateway</hostname></host></dns>"))
    host.libvirtd()
    host.netrelayd()
    lab.expect_row(host, 20, kind="dnsmasq", state="serving")
    guest = NamespaceGuest("g1", 1, "virbr9")

    def asks(*words):
        return run(["ip", "netns", "exec", "g1", "busybox", *words], check=False).returncode == 0

    def gets_address():
        return asks("udhcpc", "-i", "eth0", "-n", "-q", "-t", "1", "-T", "1", "-s", "/bin/true")

    def gets_name():
        return asks("timeout", "1", "busybox", "nslookup", "gateway", address(100))

    def dropped():
        return {finding["text"]: finding["cure"] for (kind, about), finding
                in all_faults(host) if kind == "input-dropped" and about == "lab"}

    eventually(gets_address, 15, "an address")
    eventually(gets_name, 15, "a name")
    assert not dropped()
    sh("nft 'add table inet fw; add chain inet fw in { type filter hook input priority 0; }; "
       "add rule inet fw in iifname virbr9 udp dport { 53, 67, 547 } drop'")
    found = dropped()
    assert len(found) == 3, found
    for what in ("addresses", "IPv6 addresses", "names"):
        assert any(text.endswith(f"its guests' questions for {what}") for text in found), found
    assert not gets_address() and not gets_name()
    for cure in found.values():
        sh(cure)
    assert not dropped()
    eventually(gets_address, 15, "an address again")
    eventually(gets_name, 15, "a name again")
    guest.close()


tap.main(PrivateHost())
