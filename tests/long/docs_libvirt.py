#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Pages of docs/ with libvirt's guests: their commands are run as docs.py runs those of the others.
The guests' NIC is the page's own <interface>. Half a minute each.
"""

import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../lib"), os.path.join(HERE, "../relay")]

import install
import lab
import links
import tap
from docs import AGAIN, commands_of, with_leases
from host import PrivateHost
from process import run
from wait import eventually

NIC = re.compile(r"^    <interface type='client'>\n(?:    .*\n)*?    </interface>", re.MULTILINE)


class Reader:
    """Who follows a page: the user of this connection, who edits guests as it says."""

    def __init__(self, connection, page):
        self.connection = connection
        self.page = page
        self.guests = {}
        with open(f"{install.TREE}/docs/{page}") as file:
            self.nic = NIC.search(file.read()).group()

    def follow(self, prompts):
        for prompt, command in commands_of(self.page):
            print(prompt, command, flush=True)
            if prompt in prompts:
                self.do(command, self.on_the_host)
            else:
                self.do(command, self.guest(prompt[:-1]).sh)

    def do(self, command, by):
        """What a person tries again, where something is just coming up, is tried again here."""
        if command.startswith(AGAIN):
            eventually(lambda: by(command)[0] == 0, 30, command)
        else:
            code, said = by(command)
            assert code == 0, f"{command}: {code}\n{said}"

    def on_the_host(self, command):
        done = run(["sh", "-c", command], user=self.connection.user, env=self.connection.env,
                   check=False)
        return done.returncode, done.stdout + done.stderr

    def guest(self, name):
        if name not in self.guests:
            number = len(self.guests) + 1
            nic = self.nic.replace("<model", f"<mac address='{lab.mac(number)}'/><model")
            self.guests[name] = self.connection.guest(name, [nic])
            self.guests[name].boot()
            with_leases(self.guests[name])
        return self.guests[name]


@tap.timeout(100)
def test_host_only(host):
    """docs/host-only.md"""
    links.loopback_up()
    host.libvirtd()
    host.netrelayd()
    Reader(host, "host-only.md").follow("#")


@tap.timeout(100)
def test_without_privileges(host):
    """docs/without-privileges.md"""
    session = host.session(runtime_dir=True)
    session.netrelayd()
    Reader(session, "without-privileges.md").follow("$")


if __name__ == "__main__":
    tap.main(PrivateHost())
