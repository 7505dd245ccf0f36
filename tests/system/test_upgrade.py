#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Another program is installed: running relays become that one, and guests keep their links."""

import json
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))
sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../relay"))

import lab
import links
import tap
from host import PrivateHost
from lab import PORT
from peers import dial, meet, talk
from process import ours
from wait import eventually

PROGRAM = "/usr/bin/netrelay"
BUILD = os.environ["NETRELAY_BUILD"]
NETWORK = "<network><name>{}</name><listen address='127.0.0.1' port='{}'/>{}</network>"


class TestUpgrade:
    """Two networks with two connections each, and one that has nothing but a TAP; the good program
    is put back at the end."""

    def setup(self, host):
        self.host = host
        links.write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1")    # kernels chat by it
        links.add_bridge("br0")
        host.write_network("lab", NETWORK.format("lab", PORT, "<bridge name='br0'/>"))
        host.write_network("other", NETWORK.format("other", PORT + 1, ""))
        links.add_bridge("br1")
        host.write_network("quiet", "<network><name>quiet</name><bridge name='br1'/></network>")
        host.netrelayd()
        eventually(lambda: len(links.members("br1")) == 1, 20, "the quiet one has its TAP")
        self.pairs = []
        for network, number in (("lab", PORT), ("other", PORT + 1)):
            lab.expect_row(host, network=network, state="listening")
            self.pairs.append(meet(dial(number), dial(number)))

    def install(self, source=None, text=None):
        """Puts another program in its place, as a package does it."""
        if text:
            with open(f"{PROGRAM}.new", "w") as file:
                file.write(text)
        else:
            shutil.copy(source or f"{BUILD}/relay/netrelay", f"{PROGRAM}.new")
        os.chmod(f"{PROGRAM}.new", 0o755)
        os.rename(f"{PROGRAM}.new", PROGRAM)

    def outdated(self):
        """Networks of whose relays the doctor says that they are of before."""
        found = json.loads(self.host.netrelayctl("doctor", "--json", check=False).stdout)
        return {finding["about"]: finding["cure"] for finding in found["findings"]
                if finding["kind"] == "relay-outdated"}

    def upgrade(self, *networks):
        """-> exit code, {network: outcome}"""
        result = self.host.netrelayctl("upgrade", "--json", *networks, check=False)
        rows = json.loads(result.stdout)["networks"]
        return result.returncode, {row["network"]: row["outcome"] for row in rows}

    def all_talk(self):
        for pair in self.pairs:
            talk(*pair)

    def test_nothing_to_do(self):
        """What runs is what is installed"""
        was = ours("netrelay")
        assert self.upgrade() == (0, dict.fromkeys(("lab", "other", "quiet"), "current"))
        assert ours("netrelay") == was and not self.outdated()
        result = self.host.netrelayctl("upgrade", "nowhere", check=False)
        assert result.returncode == 1 and "no relay" in result.stderr, result.stderr

    def test_upgraded(self):
        """Both become the new program, one by one; connections stay, newcomers are served"""
        was = set(ours("netrelay", "netrelay-fwd"))
        self.install(f"{BUILD}/tests/relay/netrelay-later")
        assert self.outdated() == {name: f"netrelayctl upgrade {name}"
                                   for name in ("lab", "other", "quiet")}
        assert self.upgrade("other") == (0, {"other": "upgraded"})
        assert set(self.outdated()) == {"lab", "quiet"}
        assert self.upgrade() == (0, {"lab": "upgraded", "other": "current", "quiet": "upgraded"})
        assert not self.outdated() and not was & set(ours("netrelay", "netrelay-fwd"))
        self.all_talk()
        meet(dial(PORT), self.pairs[0][0])
        for bridge in ("br0", "br1"):
            eventually(lambda bridge=bridge: len(links.members(bridge)) == 1, 10,
                       f"a TAP is in {bridge} again")

    def goes_back(self, **program):
        """What is installed is no good: the relay goes on as it was, and says so."""
        self.install(**program)
        result = self.host.netrelayctl("upgrade", "lab", check=False)
        assert result.returncode == 1, result
        assert "the one before goes on" in result.stderr, result.stderr
        self.all_talk()
        assert set(self.outdated()) == {"lab", "other", "quiet"}
        lab.expect_row(self.host, network="lab", state="connected")
        return result.stderr

    def test_one_that_ends_at_once(self):
        """Back to the program of before, which is not even a file any more"""
        assert "exit status 3" in self.goes_back(text="#!/bin/sh\nexit 3\n")

    def test_one_that_is_none(self):
        """The kernel cannot run it"""
        self.goes_back(text="nonsense")

    def test_one_that_hangs(self):
        """It is not waited for long"""
        assert "not ready in time" in self.goes_back(text="#!/bin/sh\nexec sleep 1000\n")

    def test_one_that_does_not_know_the_memory(self):
        """It would begin anew; the connections are not let go"""
        assert "memory" in self.goes_back(source=f"{BUILD}/tests/relay/netrelay-foreign")

    def test_a_good_one_after_all(self):
        """Those that went back are upgraded later"""
        self.install()
        assert self.upgrade() == (0, dict.fromkeys(("lab", "other", "quiet"), "upgraded"))
        self.all_talk()
        assert self.upgrade() == (0, dict.fromkeys(("lab", "other", "quiet"), "current"))


if __name__ == "__main__":
    tap.main(PrivateHost())
