# SPDX-License-Identifier: GPL-2.0-or-later
"""What guests reach by way of their host: the world outside, and guests that are namespaces."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "relay"))

# pylint: disable=wrong-import-position
import links
from lab import address, v6_address
from outside import Outside
from process import run

HOST = 100                                      # the host's number among the guests' addresses
IPS = (f"<ip address='{address(HOST)}' prefix='24'/>"
       f"<ip family='ipv6' address='{v6_address(HOST)}' prefix='64'/>")
HERE6, THERE6 = "2001:db8::2", "2001:db8::1"    # beside outside.HERE and THERE


def pings(target, *prefix):
    """Whether one ping is answered; `prefix` goes before the command."""
    return run([*prefix, "busybox", "ping", "-c", "1", "-W", "1", target],
               check=False).returncode == 0


class Internet(Outside):
    """With IPv6, too. It knows the host, and no way to any guest."""

    def __init__(self):
        links.write("/proc/sys/net/ipv6/conf/default/accept_dad", "0")
        super().__init__()
        self.enter = ["nsenter", "--net", "--target", str(self.pid)]
        self.run("ip", "address", "add", f"{THERE6}/64", "dev", "in0", "nodad")
        links.ip("address", "add", f"{HERE6}/64", "dev", "out0", "nodad")
        links.ip("route", "add", "default", "via", THERE6)

    def run(self, *words, check=True):
        return run([*self.enter, *words], check=check)

    def reaches(self, target):
        return pings(target, *self.enter)


class NamespaceGuest:
    """A guest of the host's subnet: a network namespace with a cable into the bridge."""

    def __init__(self, name, number, bridge):
        self.name = name
        links.ip("netns", "add", name)
        links.ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
        links.ip("link", "set", name, "master", bridge, "up")
        for words in (("address", "add", f"{address(number)}/24", "dev", "eth0"),
                      ("address", "add", f"{v6_address(number)}/64", "dev", "eth0", "nodad"),
                      ("link", "set", "eth0", "up"),
                      ("route", "add", "default", "via", address(HOST)),
                      ("route", "add", "default", "via", v6_address(HOST))):
            links.ip("-netns", name, *words)

    def reaches(self, target):
        return pings(target, "ip", "netns", "exec", self.name)

    def close(self):
        links.ip("link", "del", self.name)
        links.ip("netns", "del", self.name)
