#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""netrelayctl graph: who talks to whom, as graphviz reads it."""

import json
import os
import shutil
import sys
import xml.etree.ElementTree as ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import lab
import links
import tap
from guest import client_nic, server_nic, udp_nic
from host import PrivateHost
from lab import PORT, mac

EVIL = 'vm"];evil[label="&lt;\\N'
LAB = f"""<network><name>lab</name>
<listen address='127.0.0.1' port='{PORT}'/><bridge name='br0'/></network>"""


def lines_of(host):
    """{(kind and name of one end, of the other, state)}, as the JSON has it."""
    graph = json.loads(host.netrelayctl("graph", "--json").stdout)
    ends = {node["id"]: (node["kind"], node["name"]) for node in graph["nodes"]}
    return {(ends[edge["from"]], ends[edge["to"]], edge["state"]) for edge in graph["edges"]}


def svg_texts(host):
    """All that is written in the picture."""
    tree = ElementTree.fromstring(host.netrelayctl("graph", "--svg").stdout)
    return [text.text for text in tree.iter("{http://www.w3.org/2000/svg}text")]


@tap.timeout(90)
def test_graph(host):
    """A network with a bridge, a direct pair, a NIC left alone, and a name full of traps"""
    host.libvirtd()
    links.add_bridge("br0")
    host.write_network("lab", LAB)
    host.netrelayd()
    host.guest(EVIL, [client_nic(PORT, mac(1)), server_nic(7001, mac(2))]).start()
    host.guest("one", [udp_nic(5601, 5602, mac(3))]).start()
    host.guest("two", [udp_nic(5602, 5601, mac(4))]).start()
    lab.expect_row(host, guest=EVIL, state="connected")
    lab.expect_row(host, guest="two", state="direct")
    assert lines_of(host) == {
        (("guest", EVIL), ("network", "lab"), "connected"),
        (("guest", EVIL), ("address", "127.0.0.1:7001"), "unconnected"),
        (("guest", "one"), ("guest", "two"), "direct"),
        (("network", "lab"), ("bridge", "br0"), "connected"),
    }
    if not shutil.which("dot"):
        return
    texts = svg_texts(host)
    assert {"one", "two", "lab", "br0", f"{mac(3)} - {mac(4)}"} <= set(texts), texts
    assert [text for text in texts if text.startswith("vm")] == [EVIL], texts


def test_graph_without_graphviz(host):
    """--svg says what is missing; without a manager the exit code is 3"""
    assert host.netrelayctl("graph", check=False).returncode == 3
    host.netrelayd()
    assert host.netrelayctl("graph").stdout.startswith("graph netrelay {")
    if shutil.which("dot"):
        os.unlink(shutil.which("dot"))      # of this private host
    assert host.netrelayctl("graph", "--svg", "--json", check=False).returncode == 2
    answer = host.netrelayctl("graph", "--svg", check=False)
    assert answer.returncode == 1 and "graphviz" in answer.stderr, answer
    assert not answer.stdout and len(answer.stderr.splitlines()) == 1, answer


tap.main(PrivateHost())
