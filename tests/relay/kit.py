# SPDX-License-Identifier: GPL-2.0-or-later
"""Where things are, and how a test file here starts: import this first.

The relay is tested from outside: the real program, real sockets, each test in a network of its own.
`NETRELAY` names another binary, `NETRELAY_BUILD` another build directory.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))

# pylint: disable=wrong-import-position
import links
import netns
import tap


def built(path):
    """A file in the build directory."""
    build = os.environ.get("NETRELAY_BUILD") or os.path.join(HERE, "..", "..", "build")
    return os.path.abspath(os.path.join(build, path))


def netrelay():
    """The program under test."""
    return os.environ.get("NETRELAY") or built("relay/netrelay")


class Surroundings(netns.OwnNetwork):
    """A network of its own, and the program must be there."""

    def open(self):
        super().open()
        for program in (netrelay(), built("tests/relay/load")):
            if not os.access(program, os.X_OK):
                raise FileNotFoundError(f"{program} is not built")


def need_tun():
    """Skips the test where TAPs cannot be made: /dev/net/tun is often root's alone."""
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        tap.skip("/dev/net/tun is not ours to open")


def need_root():
    """Skips the test in a user namespace: it looks into other processes' descriptors, say."""
    with open("/proc/self/uid_map") as text:
        if text.read().split()[:2] != ["0", "0"]:
            tap.skip("needs root outside of the test's namespaces")


def quiet_kernel():
    """No IPv6 on devices made from here on: the kernel says nothing by itself."""
    links.write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1")


def main():
    tap.main(Surroundings())
