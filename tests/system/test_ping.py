#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""netrelayctl ping: where the way from one NIC to another ends, and each way to end once."""

import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import lab
import links
import tap
from guest import client_nic, udp_nic
from host import PrivateHost
from lab import PORT, address, mac
from wait import eventually

NETWORK = """<network><name>{}</name><listen address='127.0.0.1' port='{}'/>{}</network>"""
NOBODY = address(77)                        # who asks for it asks everybody


def ping(host, one, other, *words, code=0):
    """-> what it says of the way, read."""
    answer = host.netrelayctl("ping", one, other, "--json", *words, check=False)
    assert answer.returncode == code, answer
    found = json.loads(answer.stdout)
    assert found["whole"] == (code == 0) == all(hop["whole"] for hop in found["hops"]), found
    return found


def names(found):
    return [hop["name"] for hop in found["hops"]]


def end(host, one, other, *words):
    """The hop where the way ends: its name, and the sentence."""
    found = ping(host, one, other, "--seconds", "0", *words, code=1)
    return next((hop["name"], hop["text"]) for hop in found["hops"] if not hop["whole"])


def frames(found):
    """{(from, to): has a frame arrived}"""
    return {(way["from"], way["to"]): way["arrived"] > 0 for way in found["frames"]}


class TestPing:
    def setup(self, host):
        """Two networks meet in a bridge, the third one has a tunnel to somewhere else."""
        self.host = host
        host.libvirtd()
        links.add_bridge("br0")
        inner = ("<bridge name='br0'/>", "<bridge name='br0'/>",
                 "<peer address='127.0.0.1' port='9'/>")
        for number, elements in enumerate(inner, 1):
            host.write_network(f"net{number}", NETWORK.format(f"net{number}", PORT + number,
                                                              elements))
        host.netrelayd()
        self.one, self.two = [lab.numbered(host, n, client_nic(PORT + n, mac(n))) for n in (1, 2)]
        self.two.start()
        host.guest("vm3", [client_nic(PORT + 3, mac(n)) for n in (3, 4)]).start()
        self.nic = [None] + [f"vm{min(n, 3)}/{mac(n)}" for n in range(1, 5)]
        self.one.boot()
        self.two.wait_up()
        for number in range(1, 5):
            lab.expect_row(host, mac=mac(number), state="connected")
        self.tap = [None] + [lab.expect_row(host, network=f"net{n}", kind="tap",
                                            state="connected")["address"] for n in (1, 2)]

    @tap.timeout(90)
    def test_a_whole_way(self):
        """through a bridge: each hop, and frames of both that arrive; on one network: three"""
        flows = [self.one.start_pings(NOBODY), self.two.start_pings(NOBODY)]
        found = ping(self.host, self.nic[1], "vm2", "--seconds", "15")
        for flow in flows:
            flow.stop()
        assert names(found) == [self.nic[1], "network net1", f"TAP {self.tap[1]}", "bridge br0",
                                f"TAP {self.tap[2]}", "network net2", self.nic[2]], found
        assert frames(found) == {(self.nic[1], self.nic[2]): True,
                                 (self.nic[2], self.nic[1]): True}, found
        found = ping(self.host, *self.nic[3:], "--seconds", "0")
        assert names(found) == [self.nic[3], "network net3", self.nic[4]] and not found["frames"]
        text = self.host.netrelayctl("ping", *self.nic[3:], "--seconds", "0.1").stdout.splitlines()
        assert len(text) == 6 and text[0].startswith(f"ok    {self.nic[3]}"), text
        assert text[5] == "the way is whole, as far as it can be seen", text

    @tap.timeout(60)
    def test_a_link_that_is_down(self):
        """libvirt's own switch of a NIC, at either end"""
        self.host.virsh("domif-setlink", "vm2", mac(2), "down")
        self.host.netrelayctl("reload")     # libvirt tells nobody
        eventually(lambda: lab.rows(self.host, mac=mac(2), link="down"), 10, "it is known")
        for way in (("vm1", "vm2"), ("vm2", "vm1")):
            assert end(self.host, *way) == (self.nic[2], "its link is set down")
        self.host.virsh("domif-setlink", "vm2", mac(2), "up")
        self.host.netrelayctl("reload")
        eventually(lambda: not lab.rows(self.host, mac=mac(2), link="down"), 10, "it is up again")
        ping(self.host, "vm1", "vm2", "--seconds", "0")

    @tap.timeout(60)
    def test_a_bridge_that_is_down(self):
        """the first TAP in it says so; with a cure that cures"""
        links.ip("link", "set", "br0", "down")
        assert end(self.host, "vm1", "vm2") == (f"TAP {self.tap[1]}", "bridge br0 is down")
        answer = self.host.netrelayctl("ping", "vm1", "vm2", check=False)
        assert "the way ends at TAP " in answer.stdout.splitlines()[-1], answer
        assert "cure: ip link set br0 up" in answer.stdout, answer
        links.ip("link", "set", "br0", "up")
        ping(self.host, "vm1", "vm2", "--seconds", "0")

    @tap.timeout(60)
    def test_networks_that_nothing_joins(self):
        """said where the one network is left; a tunnel to elsewhere may know more"""
        name, text = end(self.host, "vm1", self.nic[3])
        assert name == "the gap between them" and text.endswith("leads on to network net3"), text
        _, text = end(self.host, self.nic[3], "vm1")
        assert text.endswith("network net1, and where its tunnel to 127.0.0.1:9 leads cannot be "
                             "seen from here"), text

    @tap.timeout(90)
    def test_frames_that_a_bridge_keeps(self):
        """all looks well, and frames for everybody do not arrive: the way ends in between"""
        for device in self.tap[1:]:
            links.ip("link", "set", device, "type", "bridge_slave", "isolated", "on")
        flow = self.one.start_pings(NOBODY)
        found = ping(self.host, "vm1", "vm2", "--seconds", "5", code=1)
        flow.stop()
        lost = [hop["text"] for hop in found["hops"] if hop["name"] == "a point in between"]
        assert found["hops"][-1]["text"] in lost, found     # vm2 may ask who is there, too
        assert any(f"came from {self.nic[1]}" in text for text in lost), found
        for device in self.tap[1:]:
            links.ip("link", "set", device, "type", "bridge_slave", "isolated", "off")

    def test_completion(self):
        """NICs that there are, by their guests; a capture may mean networks and guests, too"""
        def offered(*words):
            return sorted(self.host.netrelayctl("complete", "--", *words).stdout.splitlines())
        assert offered("ping", "vm3/") == self.nic[3:], offered("ping", "vm3/")
        assert offered("ping", "vm1", "") == self.nic[1:], offered("ping", "vm1", "")
        assert offered("capture", "") == sorted(["net1", "net2", "net3", "vm1", "vm2", "vm3",
                                                 *self.nic[1:]]), offered("capture", "")

    @tap.timeout(60)
    def test_what_is_no_question(self):
        """one sentence each: nobody of that name, a NIC and itself, words that are missing"""
        for words, code, said in ((["vm1", "vm9"], 1, "no active guest"),
                                  (["vm1/eth9", "vm2"], 1, "no active guest"),
                                  (["vm1", "vm1"], 1, "from a NIC to itself"),
                                  (["vm1"], 2, "usage:"),
                                  (["vm1", "vm2", "--seconds", "x"], 2, "expected seconds")):
            answer = self.host.netrelayctl("ping", *words, check=False)
            assert answer.returncode == code and said in answer.stderr, (words, answer)
            assert len(answer.stderr.splitlines()) == 1 and not answer.stdout, (words, answer)


@tap.timeout(60)
def test_a_direct_pair_and_a_deaf_guest(host):
    """guests that meet without us, and nobody else; a guest whose network was stopped"""
    assert host.netrelayctl("ping", "one", "two", check=False).returncode == 3
    host.libvirtd()
    host.netrelayd()
    host.guest("one", [udp_nic(5601, 5602, mac(1))]).start()
    host.guest("two", [udp_nic(5602, 5601, mac(2))]).start()
    host.guest("three", [client_nic(PORT, mac(3)), client_nic(PORT, mac(4))]).start()
    lab.expect_row(host, guest="two", state="direct")
    lab.expect_row(host, mac=mac(4), state="connected")
    found = ping(host, "one", "two")
    assert names(found) == [f"one/{mac(1)}", "between them", f"two/{mac(2)}"], found
    assert "without us" in found["hops"][1]["text"] and not found["frames"], found
    name, text = end(host, "one", f"three/{mac(3)}")
    assert name == "the gap between them" and text == f"one/{mac(1)} is on no network", text
    answer = host.netrelayctl("ping", "one", "three", check=False)
    assert answer.returncode == 1 and "'three' has 2 NICs; say which: three/" in answer.stderr
    host.write_network("lab", "<network><name>lab</name>"
                              f"<listen address='127.0.0.1' port='{PORT}'/></network>")
    lab.expect_row(host, mac=mac(3), state="connected", network="lab")
    host.netrelayctl("net-destroy", "--force", "lab")
    host.netrelayctl("net-start", "lab")
    lab.expect_row(host, mac=mac(3), state="waiting", deadline=20)
    name, text = end(host, f"three/{mac(3)}", f"three/{mac(4)}")
    assert name == f"three/{mac(3)}" and text.startswith("it is waiting: "), text


tap.main(PrivateHost())
