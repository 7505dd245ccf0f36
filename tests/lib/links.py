# SPDX-License-Identifier: GPL-2.0-or-later
"""Network devices of the private host: making bridges, reading what the kernel says of links."""

import json
import os

from process import run


def ip(*words):
    return run(["ip", *words]).stdout


def ip_json(*words):
    return json.loads(ip("-json", "-details", *words) or "[]")


def loopback_up():
    ip("link", "set", "lo", "up")


def add_bridge(name, addresses=(), mtu=None):
    """A bridge as somebody else might have made it; IPv6 addresses are usable at once."""
    ip("link", "add", name, "type", "bridge", "forward_delay", "0")
    if mtu:
        ip("link", "set", name, "mtu", str(mtu))
    write(f"/proc/sys/net/ipv6/conf/{name}/accept_dad", "0")
    for address in addresses:
        ip("address", "add", address, "dev", name)
    ip("link", "set", name, "up")


def is_up(link):
    return int(read(link, "flags") or "0", 16) & 1 == 1     # IFF_UP


def read(link, attribute):
    """An attribute in /sys/class/net, as text; None where the link has none."""
    try:
        with open(f"/sys/class/net/{link}/{attribute}") as text:
            return text.read().strip()
    except OSError:
        return None


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def names():
    """All links here but the loopback."""
    return sorted(name for name in os.listdir("/sys/class/net") if name != "lo")


def members(bridge):
    """The links enslaved to a bridge."""
    return sorted(os.listdir(f"/sys/class/net/{bridge}/brif"))


# What changes by itself, or by a member of a bridge coming and going.
VOLATILE = ("stats", "stats64", "age", "hello_timer", "tcn_timer", "topology_change_timer",
            "gc_timer", "forward_delay_timer", "hold_timer", "operstate", "flags", "bridge_id",
            "root_id")


def snapshot():
    """What `ip -d` says of links and addresses; equal before and after, where all is restored.

    The address of a bridge without members follows its next member: give it one to compare.
    """
    return {link["ifname"]: without(link, VOLATILE) for link in ip_json("address", "show")}


def without(value, keys):
    """A copy with those keys removed, however deep."""
    if isinstance(value, dict):
        return {k: without(v, keys) for k, v in value.items() if k not in keys}
    if isinstance(value, list):
        return [without(item, keys) for item in value]
    return value
