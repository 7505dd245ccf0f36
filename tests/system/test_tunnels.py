#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Tunnels: relays of two hosts make their networks one, whoever comes first or was away."""

import json
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import lab
import links
import tap
from guest import client_nic, server_nic
from host import PrivateHost
from lab import PORT, address, mac
from process import ours, run
from second import ITS, OURS, SecondHost
from wait import eventually

TUNNEL = 23456
CONFIG = "/etc/netrelay/netrelayd.conf"
HERE, THERE = address(101), address(102)        # of the bridges that the two networks have


def network(rest):
    return f"<network><name>lab</name><bridge name='br0'/>{rest}</network>"


def listens(host, admits, port=TUNNEL):
    return f"<listen address='{host}' port='{port}' admit='{admits}'/>"


def dials(host, port=TUNNEL):
    return f"<peer address='{host}' port='{port}'/>"


def two_hosts(host):
    """Each with a libvirtd and a bridge; no manager runs."""
    second = SecondHost(host)
    second.has_settings_of_its_own()
    host.libvirtd()
    second.libvirtd()
    links.add_bridge("br0", [f"{HERE}/24"])
    for words in (["add", "br0", "type", "bridge", "forward_delay", "0"], ["set", "br0", "up"]):
        run([*second.inside, "ip", "link", *words])
    run([*second.inside, "ip", "address", "add", f"{THERE}/24", "dev", "br0"])
    return second


def pings():
    """One that has to ask for the address first: a broadcast, by which loops are found."""
    links.ip("neigh", "flush", "dev", "br0")
    return run(["ping", "-c1", "-W1", THERE], check=False).returncode == 0


def are_one(deadline=20):
    eventually(pings, deadline, "the bridges of the two hosts reach each other")


def tunnel(connection, deadline=15, **wanted):
    """Waits for the row of the only tunnel that there is."""
    return lab.expect_row(connection, deadline, kind="peer", **wanted)


def dangling(connection, *words, deadline=20):
    """Waits until the doctor finds the tunnel with these words in the text or the cure."""
    def found():
        answer = connection.netrelayctl("doctor", "--json", check=False)
        for finding in json.loads(answer.stdout)["findings"]:
            told = f"{finding['text']}: {finding['cure']}"
            if finding["kind"] == "tunnel" and all(word in told for word in words):
                return finding
        return None
    return eventually(found, deadline, f"the doctor tells of a tunnel: {words}")


def kill_relay(connection):
    """Keeper and forwarder at once; back when it has a successor."""
    old = lab.expect_row(connection, network="lab", kind="tap")["relay_pid"]
    os.killpg(old, signal.SIGKILL)
    eventually(lambda: [row for row in lab.rows(connection, network="lab", kind="tap")
                        if row["relay_pid"] not in (0, old)], 15, "another relay")


def unplugged(device="cable0"):
    links.ip("link", "set", device, "down")
    eventually(lambda: not pings(), 10, "the cable is out")


class TestTunnel:
    """Two hosts; a guest on the one that dials."""

    def setup(self, host):
        self.host, self.second = host, two_hosts(host)
        self.manager, self.its_manager = host.netrelayd(), None
        self.write(dials(ITS))
        self.guest = lab.numbered(host, 1, client_nic(PORT, mac(1)))
        self.guest.boot()
        self.port = lab.expect_row(host, guest="vm1", state="connected")["port"]

    def write(self, rest):
        self.host.write_network(
            "lab", network(f"<listen address='127.0.0.1' port='{PORT}'/>{rest}"))

    def write_there(self, rest):
        self.second.write_network("lab", network(rest))

    def whole(self):
        """The two networks are one, and the guest has the connection that it began with."""
        are_one()
        self.guest.reaches(THERE)
        lab.expect_row(self.host, guest="vm1", state="connected", port=self.port)

    def test_comes_up_in_any_order(self):
        """who dials was first; nobody there, then one who does not admit: said, and it heals"""
        row = tunnel(self.host, state="dialling", reason="Connection refused")
        told = dangling(self.host, f"{ITS}:{TUNNEL}", "refused", f"<listen port='{TUNNEL}'")
        assert " since 20" in told["text"] and row["since"] > 0, (told, row)
        self.write_there(listens(ITS, admits="10.77.0.99"))
        self.its_manager = self.second.netrelayd()
        dangling(self.host, "ends each connection at once", "admit")
        self.write_there(listens(ITS, admits=OURS))
        self.whole()
        tunnel(self.host, state="connected", address=f"{ITS}:{TUNNEL}", peer=f"{ITS}:{TUNNEL}")
        assert f"{ITS}:{TUNNEL} from {OURS}:" in self.second.netrelayctl("status").stdout
        assert f'"{ITS}:{TUNNEL}"' in self.host.netrelayctl("graph").stdout
        assert dials(ITS) in self.host.netrelayctl("net-dumpxml", "lab").stdout

    def test_far_end_dies_and_comes_back(self):
        """its relay, its manager, and both"""
        kill_relay(self.second)
        self.whole()
        self.its_manager.kill()
        self.whole()
        relay = lab.expect_row(self.host, kind="tap")["relay_pid"]
        os.killpg(self.its_relay(), signal.SIGKILL)
        dangling(self.host, f"{ITS}:{TUNNEL}")
        self.its_manager = self.second.netrelayd()
        self.whole()
        assert lab.expect_row(self.host, kind="tap")["relay_pid"] == relay

    def its_relay(self):
        """The keeper on the second host: the one that is not this host's."""
        ours = lab.expect_row(self.host, kind="tap")["relay_pid"]
        (its,) = [pid for pid in process_groups() if pid != ours]
        return its

    def test_this_end_dies_and_comes_back(self):
        """the manager with a forwarder; the guest stays connected"""
        self.manager.kill()
        relay = process_groups()
        for pid in ours("netrelay"):
            if pid not in relay:
                os.kill(pid, signal.SIGKILL)
        self.whole_without_manager()
        self.manager = self.host.netrelayd()
        self.whole()

    def whole_without_manager(self):
        are_one()
        self.guest.reaches(THERE)

    def test_cable_out_and_in(self):
        """the same connection goes on"""
        port = tunnel(self.host, state="connected")["port"]
        unplugged()
        links.ip("link", "set", "cable0", "up")
        self.whole()
        assert tunnel(self.host, state="connected")["port"] == port

    def test_wrong_port_mended(self):
        """told, and healed at once when the file is mended; the guest keeps its connection"""
        self.write(dials(ITS, TUNNEL + 1))
        dangling(self.host, f"{ITS}:{TUNNEL + 1}", "refused", "correct the port")
        self.write(dials(ITS))
        self.whole()

    def test_name_known_later(self):
        """the relay asks again, and nobody waits for it"""
        self.write(dials("hostb.example"))
        dangling(self.host, "hostb.example", "name")
        self.guest.reaches(HERE)
        with open("/etc/hosts", "a") as hosts:
            hosts.write(f"{ITS} hostb.example\n")
        self.whole()
        tunnel(self.host, state="connected", address=f"hostb.example:{TUNNEL}")

    def test_ipv6(self):
        """as in brackets: the far end admits a prefix"""
        for inside, device, own in (([], "cable0", "fd77::1"),
                                    (self.second.inside, "cable1", "fd77::2")):
            run([*inside, "ip", "address", "add", f"{own}/64", "dev", device, "nodad"])
        self.write_there(listens("fd77::2", admits="fd77::/64"))
        self.write(dials("fd77::2"))
        tunnel(self.host, state="connected", address=f"[fd77::2]:{TUNNEL}")
        self.whole()
        self.write_there(listens(ITS, admits=OURS))
        self.write(dials(ITS))
        self.whole()

    def test_no_way(self):
        """no route to the far end's address"""
        self.write(dials("192.0.2.9"))
        dangling(self.host, "192.0.2.9", "unreachable", "open the way")
        self.write(dials(ITS))
        self.whole()

    def test_both_dial_each_other(self):
        """by one file for both; one of the two tunnels is blocked, said, and takes over later"""
        both = f"<listen port='{TUNNEL}' admit='{OURS} {ITS}'/>{dials(OURS)}{dials(ITS)}"
        self.write(both)
        self.write_there(both)
        tunnel(self.second, address=f"{OURS}:{TUNNEL}")
        eventually(lambda: pings() and len(self.blocked()) == 1, 30, "one of the two is blocked")
        self.guest.reaches(THERE)
        for connection in (self.host, self.second):
            assert len(lab.rows(connection, kind="peer")) == 1, "it dials itself"
        self.write(listens(OURS, admits=ITS))
        eventually(lambda: not lab.rows(self.host, kind="peer"), 10, "the first tunnel is gone")
        self.whole()
        self.write_there(listens(ITS, admits=OURS))
        eventually(lambda: not lab.rows(self.second, kind="peer"), 10, "the other one, too")
        self.write(dials(ITS))
        self.whole()

    def blocked(self):
        return [row for connection in (self.host, self.second)
                for row in lab.rows(connection, state="blocked")]

    def test_own_tunnel_of_one_nic(self):
        """peer= in the metadata: refused with the line to add, then a network of its own"""
        self.write("")
        self.second.write_network("lab", network(listens(ITS, admits=OURS)))
        wish = lab.metadata(f"mac='{mac(2)}' peer='{ITS}:{TUNNEL}'")
        guest = lab.numbered(self.host, 2, server_nic(PORT + 1, mac(2)), metadata=wish)
        refused = guest.try_start()
        for word in ("vm2", f"peers={ITS}:{TUNNEL}", "[policy]", CONFIG):
            assert refused.rc != 0 and word in refused.stderr, refused
        with open(CONFIG, "w") as config:
            config.write(f"[policy]\npeers={ITS}/32:{TUNNEL}-{TUNNEL + 1}\n")
        self.host.netrelayctl("reload")
        guest.boot()
        guest.reaches(THERE)
        lab.expect_row(self.host, network=f"peer:{mac(2)}", guest="vm2", state="connected")
        assert not guest.ping_once(HERE), "it is in the network of others"
        shown = json.loads(self.host.netrelayctl("status", "vm2", "--json").stdout)["rows"]
        assert {row["kind"] for row in shown} == {"server", "peer"}, shown
        self.change(guest, f"{ITS}:{TUNNEL + 1}")
        dangling(self.host, f"peer:{mac(2)}", f"{ITS}:{TUNNEL + 1}", "refused")
        self.change(guest, f"{ITS}:{TUNNEL}")
        guest.reaches(THERE)
        guest.destroy()
        eventually(lambda: not lab.rows(self.host, network=f"peer:{mac(2)}"), 10, "it is gone")

    def change(self, guest, peer):
        self.host.virsh("metadata", guest.name, "urn:netrelay:domain:1", "--key", "netrelay",
                        "--live", "--set",
                        f"<domain><interface mac='{mac(2)}' peer='{peer}'/></domain>")


def process_groups():
    """The keepers of all relays: each leads its group."""
    return [pid for pid in ours("netrelay") if os.getpgid(pid) == pid]


if __name__ == "__main__":
    tap.main(PrivateHost())
