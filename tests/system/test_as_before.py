#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks of each kind, stopped, killed and started again: the host is as it was before them."""

import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import lab
import links
import stacks
import tap
from host import PrivateHost
from lab import PORT, address, v6_address
from process import OURS, kill_all, ours
from untouched import as_it_was, everything, records, restored
from wait import eventually

HOST = 100
BRIDGE = "<bridge name='br7'/>"
RANGE = f"<dhcp><range start='{address(10)}' end='{address(29)}'/></dhcp>"
SIX = f"<ip address='{v6_address(HOST)}' prefix='64'/>"
IPS = f"<ip address='{address(HOST)}' prefix='24'/>{SIX}"
OF_THE_LAN = ("<route address='203.0.113.10' proxy='yes'/>"
              "<route address='2001:db8::10' proxy='yes'/>")
KINDS = {
    "none": f"{BRIDGE}{IPS}",
    "dhcp": f"{BRIDGE}<ip address='{address(HOST)}' prefix='24'>{RANGE}</ip>{SIX}",
    "route": f"{BRIDGE}{IPS}<forward mode='route'/>",
    "proxy": f"{BRIDGE}{IPS}<forward mode='route' dev='eth0'/>{OF_THE_LAN}",
    "nat": f"{BRIDGE}{IPS}<forward mode='nat'><nat ipv6='yes'/></forward>",
    "bridge": f"{BRIDGE}<forward mode='bridge' dev='eth0'/>",
    "user": "<forward mode='user'/>",
}
STEADY = {"set", "connected", "listening", "serving"}


class TestAsBefore:
    """One host with a LAN, and on it one network after the other"""

    def setup(self, host):
        self.host = host
        links.write("/proc/sys/net/ipv6/conf/default/accept_dad", "0")
        self.far = stacks.Stack()
        stacks.cable(None, self.far, "eth0", ("203.0.113.2/24", "203.0.113.1/24"))
        links.ip("address", "add", "2001:db8::2/64", "dev", "eth0", "nodad")
        links.ip("route", "add", "default", "via", "203.0.113.1")
        links.ip("route", "add", "default", "via", "2001:db8::1")
        host.libvirtd()
        self.daemon = host.netrelayd()
        lab.report(host)
        eventually(lambda: "fe80::/64 dev eth0" in links.ip("-6", "route"), 10, "IPv6 is ready")
        self.before = everything()

    def define(self, kind):
        """Its file; a network that takes the LAN's device waits for more than that."""
        listen = f"<listen address='127.0.0.1' port='{PORT}'/>"
        return self.host.write_network(
            "lab", f"<network><name>lab</name>{listen}{KINDS[kind]}</network>")

    def start(self, kind):
        path = self.define(kind)
        if kind == "bridge":
            self.host.netrelayctl("reload")
            self.host.netrelayctl("net-start", "lab")
        self.expect_steady()
        return path

    def expect_steady(self):
        """Each row of it is as it is to be."""
        def states():
            return {row["state"] for row in lab.rows(self.host, network="lab")}
        eventually(lambda: states() and states() <= STEADY, 20, "all of the network is there")

    def restart(self):
        self.daemon = self.host.netrelayd()

    def life_of(self, kind):
        path = self.start(kind)
        running = everything()
        assert running != self.before
        self.daemon.kill()
        self.restart()
        self.expect_steady()
        as_it_was(running, f"{kind}: the manager is killed", everything)
        self.host.netrelayctl("net-destroy", "lab")
        self.host.netrelayctl("net-undefine", "lab")
        restored(self.before, f"{kind}: it is stopped", everything)

        self.start(kind)
        self.die(path)
        restored(self.before, f"{kind}: all are killed", everything)

        path = self.define(kind)
        with subprocess.Popen(["netrelayctl", "net-start", "lab"], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL):
            end = time.monotonic() + 0.5
            while not (records() or ours("netrelay")) and time.monotonic() < end:
                pass
            self.die(path)
        restored(self.before, f"{kind}: all are killed while it begins", everything)

    def die(self, path):
        """All of ours at once; and its file is gone before anybody looks again."""
        kill_all(*OURS, "dnsmasq")
        os.unlink(path)
        self.restart()

    @tap.timeout(90)
    def test_E1_of_the_host_alone(self):
        """a bridge with addresses"""
        self.life_of("none")

    @tap.timeout(90)
    def test_E7_with_dhcp(self):
        """addresses and names from a dnsmasq of ours"""
        self.life_of("dhcp")

    @tap.timeout(90)
    def test_E6_routed(self):
        """forwarding, by both families"""
        self.life_of("route")

    @tap.timeout(90)
    def test_D2_proxied(self):
        """addresses of the LAN that are answered for"""
        self.life_of("proxy")

    @tap.timeout(90)
    def test_nat(self):
        """rules that masquerade"""
        self.life_of("nat")

    @tap.timeout(90)
    def test_E4_bridged(self):
        """what eth0 had is on the bridge"""
        self.life_of("bridge")

    @tap.timeout(90)
    def test_C6_user_mode(self):
        """nothing of the kernel's"""
        self.life_of("user")


tap.main(PrivateHost())
