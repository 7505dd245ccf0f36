# SPDX-License-Identifier: GPL-2.0-or-later
"""A network of its own for each test, and nothing more: enough for the relay alone.

    import netns, tap

    def test_something(): ...

    tap.main(netns.OwnNetwork())

Works without root where the kernel lets users make namespaces; the test is then root in its own.
"""

import os

import links
import namespaces as ns
from tap import Skip, Surroundings


class OwnNetwork(Surroundings):
    """Network, mounts and processes of a test's own; loopback is up."""

    def open(self):
        if os.geteuid() != 0 and not may_unshare_user():
            raise Skip("needs root, for this kernel lets users make no namespaces")

    def enter(self):
        if os.geteuid() != 0:
            become_root_of_new_namespace()
        ns.unshare(ns.NEWNET | ns.NEWNS | ns.NEWIPC)
        ns.enter_pid_namespace()
        ns.make_mounts_private()
        ns.mount("proc", "/proc", "proc", ns.MS_NOSUID | ns.MS_NODEV | ns.MS_NOEXEC)
        ns.mount("sysfs", "/sys", "sysfs", ns.MS_NOSUID | ns.MS_NODEV | ns.MS_NOEXEC)
        links.loopback_up()
        return {}


def become_root_of_new_namespace():
    uid, gid = os.getuid(), os.getgid()
    ns.unshare(ns.NEWUSER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        links.write(f"/proc/self/{name}", text)


def may_unshare_user():
    child = os.fork()
    if child == 0:
        try:
            become_root_of_new_namespace()
            os._exit(0)
        except OSError:
            os._exit(1)
    return ns.exit_code_of(child) == 0
