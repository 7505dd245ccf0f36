# SPDX-License-Identifier: GPL-2.0-or-later
"""Several hosts on one machine: network stacks beside the test's own, with cables between them.

    far = stacks.Stack()
    stacks.cable(None, far, "lan0", addresses=("10.1.0.1/24", "10.1.0.2/24"))
    with far:
        ...             what is started, opened or asked for in here is on that host

Files in /sys/class/net stay those of the test's own network: ask links.ip_json() instead.
"""

import ctypes
import os

import links
import namespaces as ns


class Stack:
    """A host's network; it goes when it is closed and nobody is in it."""

    def __init__(self):
        with Home():
            ns.unshare(ns.NEWNET)
            self.fd = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            links.loopback_up()
        self.homes = []

    def __enter__(self):
        self.homes.append(Home().__enter__())
        enter(self.fd)
        return self

    def __exit__(self, *_):
        self.homes.pop().__exit__()

    def close(self):
        os.close(self.fd)


class Home:
    """Where we are now, to come back to."""

    def __enter__(self):
        self.fd = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        return self

    def __exit__(self, *_):
        enter(self.fd)
        os.close(self.fd)


def enter(fd):
    ns.check(ns.libc.setns(ctypes.c_int(fd), ctypes.c_int(ns.NEWNET)), "setns")


def cable(one, other, name, addresses=(), mtu=1500):
    """A link called `name` on both stacks (None: the one we are on), up, with an address each."""
    far = f"{name}-far"
    links.ip("link", "add", name, "mtu", str(mtu), "type", "veth",
             "peer", "name", far, "mtu", str(mtu))
    for stack, end, address in ((one, name, addresses[:1]), (other, far, addresses[1:])):
        if stack:
            links.ip("link", "set", end, "netns", f"/proc/{os.getpid()}/fd/{stack.fd}")
        with stack or Home():
            if end != name:
                links.ip("link", "set", end, "name", name)
            for text in address:
                links.ip("address", "add", text, "dev", name, "nodad")
            links.ip("link", "set", name, "up")
