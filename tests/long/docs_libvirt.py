#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Pages of docs/ with libvirt's guests: their commands are run as docs.py runs those of the others,
and print what is shown below them. The guests' NIC is the page's own. Half a minute each.
"""

import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../lib"), os.path.join(HERE, "../relay")]

import install
import lab
import links
import stacks
import tap
from docs import AGAIN, steps_of, with_leases
from host import PrivateHost
from process import run
from wait import eventually

NIC = re.compile(r"^    <interface type='client'>\n(?:    .*\n)*?    </interface>", re.MULTILINE)
OWN_MAC = re.compile(r"<mac .*/>\s*")
TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
FOUND = {"netrelayctl doctor": 1}       # exit codes that are not 0: it shows what is wrong
OTHERWISE = (("apt-get install", "dpkg --status"),      # the tests' host has no network
             ("virsh shutdown", "virsh destroy"))       # their guest does not hear its button
HERE4, ROUTER4 = "203.0.113.2", "203.0.113.1"
HERE6, ROUTER6 = "2001:db8::2", "2001:db8::1"


class Lan:
    """What eth0 of this host leads to: a router."""

    def __init__(self):
        links.write("/proc/sys/net/ipv6/conf/default/accept_dad", "0")
        self.router = stacks.Stack()
        stacks.cable(None, self.router, "eth0", (f"{HERE4}/24", f"{ROUTER4}/24"))
        links.ip("address", "add", f"{HERE6}/64", "dev", "eth0", "nodad")
        links.ip("route", "add", "default", "via", ROUTER4)
        links.ip("route", "add", "default", "via", ROUTER6)
        with self.router:
            links.ip("address", "add", f"{ROUTER6}/64", "dev", "eth0", "nodad")

    def sh(self, command):
        with self.router:
            return sh(command)

    def serve_addresses(self):
        with self.router:
            subprocess.Popen(["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null",
                              "--port=0", "--user=root", "--interface=eth0", "--bind-interfaces",
                              "--leasefile-ro", "--pid-file=",
                              "--dhcp-range=203.0.113.50,203.0.113.59,255.255.255.0,1h"])


def sh(command, **who):
    done = run(["sh", "-c", command], check=False, **who)
    return done.returncode, done.stdout + done.stderr


class Reader:
    """Who follows a page: the user of this connection, who edits guests as it says."""

    def __init__(self, connection, page, lan=None):
        self.connection = connection
        self.page = page
        self.lan = lan
        self.guests = {}
        with open(f"{install.TREE}/docs/{page}") as file:
            self.nic = NIC.search(file.read()).group()

    def follow(self, prompts, meanwhile=None):
        """`meanwhile` has what happens to the reader, before a command."""
        for step in steps_of(self.page):
            print(step.prompt, step.command, flush=True)
            for word, happen in (meanwhile or {}).items():
                if step.command.startswith(word):
                    happen()
            if step.prompt in prompts:
                self.do(step, self.on_the_host)
            elif step.prompt == "router#":
                self.do(step, self.lan.sh)
            else:
                self.do(step, self.guest(step.prompt[:-1]).sh)

    def do(self, step, by):
        """What a person tries again, where something is just coming up, is tried again here."""
        if step.command.startswith(AGAIN):
            said = eventually(lambda: succeeded(*by(step.command)), 30, step.command)
        else:
            code, said = by(step.command)
            assert code == FOUND.get(step.command, 0), f"{step.command}: {code}\n{said}"
        for line in step.shown:
            assert plain(line) in map(plain, said.splitlines()), f"not {line!r}, but\n{said}"

    def on_the_host(self, command):
        for theirs, ours in OTHERWISE:
            command = command.replace(theirs, ours)
        return sh(command, user=self.connection.user, env=self.connection.env)

    def guest(self, name):
        if name not in self.guests:
            number = int(name.removeprefix("vm"))
            nic = OWN_MAC.sub("", self.nic).replace("<model",
                                                    f"<mac address='{lab.mac(number)}'/><model")
            self.guests[name] = self.connection.guest(name, [nic])
            self.guests[name].boot()
            with_leases(self.guests[name])
        return self.guests[name]


def succeeded(code, said):
    return code == 0 and (said or "nothing")


def plain(line):
    """As one compares two of them."""
    return " ".join(TIME.sub("TIME", line).split())


@tap.timeout(100)
def test_host_only(host):
    """docs/host-only.md"""
    host.libvirtd()
    host.netrelayd()
    Reader(host, "host-only.md").follow("#")


@tap.timeout(100)
def test_without_privileges(host):
    """docs/without-privileges.md"""
    session = host.session(runtime_dir=True)
    session.netrelayd()
    Reader(session, "without-privileges.md").follow("$")


@tap.timeout(100)
def test_routed(host):
    """docs/routed.md"""
    lan = Lan()
    host.libvirtd()
    host.netrelayd()
    Reader(host, "routed.md", lan).follow("#")


def add_docker_rules():
    for words in (["-P", "FORWARD", "DROP"], ["-N", "DOCKER-USER"],
                  ["-A", "FORWARD", "-j", "DOCKER-USER"]):
        run(["iptables", *words])


@tap.timeout(100)
def test_nat(host):
    """docs/nat.md"""
    lan = Lan()
    host.libvirtd()
    host.netrelayd()
    Reader(host, "nat.md", lan).follow("#", {"netrelayctl doctor": add_docker_rules})


@tap.timeout(100)
def test_bridged(host):
    """docs/bridged.md"""
    lan = Lan()
    lan.serve_addresses()
    host.libvirtd()
    host.netrelayd()
    before = links.ip("address", "show", "eth0")
    Reader(host, "bridged.md", lan).follow("#")
    assert links.ip("address", "show", "eth0") == before


@tap.timeout(100)
def test_addresses(host):
    """docs/addresses.md"""
    host.libvirtd()
    host.netrelayd()
    Reader(host, "addresses.md").follow("#")


if __name__ == "__main__":
    tap.main(PrivateHost())
