# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's own TCP, of iperf3, from one network to another one through a relay of two TAPs.

Client and server have a network namespace each, and a veth into a bridge each; what is measured
joins the bridges. Both share the generator's core.
"""

import json
import subprocess

import cores
import links
import subjects as of
from wait import eventually

L4_PORT = 5201
ADDRESS = "10.99.0.{}"


class Networks(of.Subject):
    """Two bridges, with a host of its own behind each."""

    bridges, hosts = (), ()

    def build(self):
        self.bridges = [of.new_bridge(self) for _ in range(2)]
        self.hosts = [self.host(bridge, number)
                      for number, bridge in enumerate(self.bridges, 1)]

    def host(self, bridge, number):
        name = f"host{next(of.numbers)}"
        links.ip("netns", "add", name)
        self.callback(links.ip, "netns", "del", name)
        links.ip("link", "add", f"v-{name}", "type", "veth", "peer", "name", "eth0", "netns", name)
        links.ip("link", "set", f"v-{name}", "master", bridge, "up")
        links.ip("-n", name, "address", "add", f"{ADDRESS.format(number)}/24", "dev", "eth0")
        links.ip("-n", name, "link", "set", "eth0", "up")
        return name

    def netrelay(self):
        relay = self.enter_context(of.Netrelay())
        relay.relay(*(f"bridge:{bridge}" for bridge in self.bridges))
        for bridge in self.bridges:
            eventually(lambda name=bridge: len(links.members(name)) == 2, 10,
                       "netrelay's TAPs are in their bridges")
        self.started += relay.started

    def bare(self, tap):
        of.reference(self, "tso", [tap(bridge) for bridge in self.bridges])

    def cable(self):
        """The bridges themselves, joined by the kernel."""
        ends = [f"c{next(of.numbers)}" for _ in range(2)]
        links.ip("link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
        for end, bridge in zip(ends, self.bridges):
            links.ip("link", "set", end, "master", bridge, "up")

    def reach(self):
        eventually(lambda: subprocess.run(
            ["ip", "netns", "exec", self.hosts[0], "ping", "-c", "1", "-W", "1",
             ADDRESS.format(2)], stdout=subprocess.DEVNULL, check=False).returncode == 0, 10,
            "the two hosts reach one another")

    def iperf(self, seconds):
        server = cores.start(["iperf3", "-s", "-1"], cores.LOAD, namespace=self.hosts[1])
        self.callback(cores.stop, server)
        eventually(lambda: listens(self.hosts[1]), 10, "iperf3 listens")
        before = cores.cpu_ns(self.pids())
        client = subprocess.run(
            ["taskset", "-c", str(cores.LOAD), "ip", "netns", "exec", self.hosts[0], "iperf3",
             "-c", ADDRESS.format(2), "-J", "-t", str(max(1, round(seconds))), "-O", "0"],
            stdout=subprocess.PIPE, text=True, check=False, timeout=seconds + 60)
        used = cores.cpu_ns(self.pids()) - before
        return said(json.loads(client.stdout), used)


def listens(host):
    return f":{L4_PORT} " in subprocess.run(["ip", "netns", "exec", host, "ss", "-Hltn"],
                                            stdout=subprocess.PIPE, text=True, check=True).stdout


def said(report, used_ns):
    if "error" in report:
        raise RuntimeError(f"iperf3: {report['error']}")
    received = report["end"]["sum_received"]
    return {"gbit_per_s": received["bits_per_second"] / 1e9, "seconds": received["seconds"],
            "cpu_ns": used_ns, "relay_busy": used_ns / 1e9 / received["seconds"],
            "cpu_ms_per_gbyte": used_ns / 1e6 / (received["bytes"] / 1e9), "faults": {}}


def measure(join, seconds):
    with Networks() as networks:
        networks.build()
        join(networks)
        networks.reach()
        return networks.iperf(seconds)


def through_netrelay(seconds):
    return measure(Networks.netrelay, seconds)


def through_segments(seconds):
    return measure(lambda networks: networks.bare(of.VnetTap), seconds)


def through_plain_taps(seconds):
    return measure(lambda networks: networks.bare(of.enslaved_tap), seconds)


def through_nothing(seconds):
    return measure(Networks.cable, seconds)
