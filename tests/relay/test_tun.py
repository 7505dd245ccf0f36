#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""TAPs without the right to: /dev/net/tun is closed or missing, a TAP is another user's."""

import contextlib
import os
import shutil
import stat
import tempfile

import kit
import links
import namespaces as ns
from peers import LinkPeer, dial, exchange
from relayproc import Relay, identity, links as devices, run
from wait import eventually

NOBODY = 65534
TUN = os.makedev(10, 200)


@contextlib.contextmanager
def program():
    """The relay where anybody may run it: the tree may be where nobody else may look."""
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        os.environ["NETRELAY"] = shutil.copy(kit.netrelay(), place)
        yield


def tun_with(mode):
    """/dev/net/tun of root's with this mode; None: there is none."""
    kit.need_root()
    kit.need_tun()
    ns.mount("none", "/dev/net", "tmpfs", options="mode=755")
    if mode is not None:
        os.mknod("/dev/net/tun", stat.S_IFCHR, TUN)
        os.chmod("/dev/net/tun", mode)


def refused(endpoint, expected, **user):
    """exit 1 at once, one line, nothing is left"""
    before = devices()
    result = run("-l", "12345", endpoint, **user)
    assert result.returncode == 1 and result.seconds < 1, result
    assert result.stderr == f"<3>netrelay: {endpoint.split(':')[1]}{expected}\n", result.stderr
    assert devices() == before


def test_tun_is_closed():
    """a user who may not open /dev/net/tun: it is named, for a bridge and for a TAP of his"""
    tun_with(0o600)
    links.add_bridge("br0")
    links.ip("tuntap", "add", "dev", "t0", "mode", "tap", "user", str(NOBODY))
    with program():
        for endpoint in ("bridge:br0", "tap:t0", "tap:t1"):
            refused(endpoint, ": /dev/net/tun may not be opened: see its owner and mode",
                    **identity(NOBODY))


def test_tun_is_missing():
    """no /dev/net/tun, as in containers: it is named, for root too"""
    tun_with(None)
    links.add_bridge("br0")
    for endpoint in ("bridge:br0", "tap:t0"):
        refused(endpoint, ": there is no /dev/net/tun: load the module tun, or let this container "
                "have it")


def test_a_user_has_no_rights():
    """/dev/net/tun is open to all, and CAP_NET_ADMIN is what is missing"""
    tun_with(0o666)
    links.add_bridge("br0")
    with program():
        for endpoint, kind in (("bridge:br0", "bridge"), ("tap:t0", "TAP")):
            refused(endpoint, f": CAP_NET_ADMIN is needed for a {kind}: run netrelay as root or "
                    "give it this capability", **identity(NOBODY))


def test_another_users_tap():
    """one of another user's is refused with that reason; one of his own serves him"""
    tun_with(0o666)
    kit.quiet_kernel()
    for name, owner in (("t1", 1), ("t2", NOBODY)):
        links.ip("tuntap", "add", "dev", name, "mode", "tap", "user", str(owner))
        links.ip("link", "set", name, "up")
    with program():
        refused("tap:t1", " is another user's TAP: make one for this user, or run netrelay as root "
                "or with CAP_NET_ADMIN", **identity(NOBODY))
        with Relay("-l", "12345", "tap:t2", user=NOBODY) as relay:
            relay.listening(12345)
            eventually(lambda: links.read("t2", "carrier") == "1", 5, "t2 has its reader")
            exchange(dial(12345), LinkPeer("t2"))


if __name__ == "__main__":
    kit.main()
