# SPDX-License-Identifier: GPL-2.0-or-later
"""What a network could change on its host, as text: the same before and after.

    before = untouched.kernel()
    ...
    untouched.restored(before, "net-destroy")
"""

import difflib
import os
import re

import links
from process import listing, run
from wait import eventually

RUNTIME = "/run/netrelay"
JOURNAL = f"{RUNTIME}/kernel-changes"
UPLINKS = f"{RUNTIME}/uplinks"
FOLDERS = (RUNTIME, "/var/lib/netrelay")
FOREVER = 0xffffffff
PROGRAMS = re.compile("netrelay|dnsmasq")


def kernel():
    """Links, addresses, routes, neighbours that are answered for, settings, rules; a line each.

    How long something is valid counts down: only whether it ends is compared."""
    settings = run(["sh", "-c", "grep -s . /proc/sys/net/ipv4/conf/*/* /proc/sys/net/ipv6/conf/*/*"
                    " /proc/sys/net/ipv4/ip_forward"], check=False).stdout
    texts = [re.sub(r"expires \d+sec", "expires", links.ip("route", "show", "table", "all")),
             re.sub(r"expires \d+sec", "expires", links.ip("-6", "route", "show", "table", "all")),
             links.ip("rule"), links.ip("-6", "rule"),
             links.ip("neigh", "show", "proxy"), links.ip("-6", "neigh", "show", "proxy"),
             re.sub(r"packets \d+ bytes \d+", "", run(["nft", "list", "ruleset"]).stdout),
             *(line for line in settings.splitlines() if "stable_secret" not in line)]
    devices = [f"{name}: {timeless(device)}" for name, device in links.snapshot().items()]
    return [*devices, *"\n".join(texts).splitlines()]


def timeless(value):
    """A device, where each lifetime only says whether it ends."""
    if isinstance(value, dict):
        return {key: item if not key.endswith("_life_time") else item == FOREVER
                for key, item in ((key, timeless(item)) for key, item in value.items())}
    return [timeless(item) for item in value] if isinstance(value, list) else value


def everything():
    """The kernel's, and which processes and files of ours there are."""
    files = [f"file {root}/{name}" for folder in FOLDERS for root, _, names in os.walk(folder)
             for name in names]
    processes = [f"process {name}" for name in listing().values() if PROGRAMS.match(name)]
    return [*kernel(), *sorted(processes), *sorted(files)]


def restored(before, what, now=kernel, deadline=15):
    """Waits until now() is what it was `before`. The TAP goes a moment after its relay, the bridge
    after the TAP, the record of what was changed at last."""
    as_it_was(before, what, now, deadline)
    eventually(lambda: not records(), deadline, f"{what}: nothing is recorded any more")


def records():
    """The files that say what was changed."""
    found = [JOURNAL] if os.path.exists(JOURNAL) else []
    return found + (os.listdir(UPLINKS) if os.path.isdir(UPLINKS) else [])


def as_it_was(before, what, now=kernel, deadline=15):
    """The same, while something may be recorded."""
    try:
        eventually(lambda: now() == before, deadline, f"{what}: all is as it was")
    except AssertionError:
        print("\n".join(difflib.unified_diff(before, now(), lineterm="", n=0)))
        raise
