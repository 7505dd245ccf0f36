#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""netrelayctl attach and detach: where a NIC belongs, said in the guest's metadata."""

import json
import os
import signal
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../lib"), os.path.join(HERE, "../relay")]

import lab
import links
import tap
from frames import BROADCAST, frame
from frames import mac as hwaddress
from guest import client_nic
from host import PrivateHost
from lab import PORT, mac
from peers import dial
from relayproc import forwarder_of

NAMESPACE = "urn:netrelay:domain:1"


def network(name, port, rest=""):
    return (f"<network><name>{name}</name>"
            f"<listen address='127.0.0.1' port='{port}'/>{rest}</network>")


def said(host, guest, *options):
    """What our element says in the guest's XML, or None."""
    answer = host.virsh("metadata", guest, NAMESPACE, *options, check=False)
    if answer.returncode != 0:
        assert "not present" in answer.stderr or "not found" in answer.stderr, answer
        return None
    return answer.stdout.strip().replace("'", '"')


def attach(host, *words, check=True):
    return host.netrelayctl("attach", *words, check=check)


def detach(host, *words, check=True):
    return host.netrelayctl("detach", *words, check=check)


def refused(answer, *words, code=1):
    """It failed with one sentence that has these words."""
    assert answer.returncode == code and not answer.stdout.strip(), answer
    assert len(answer.stderr.splitlines()) == 1, answer.stderr
    for word in words:
        assert word in answer.stderr, (word, answer.stderr)


class TestDefinition:
    """A guest that does not run: its definition is what there is to change."""

    def setup(self, host):
        self.host = host
        host.libvirtd()
        host.netrelayd()
        host.write_network("lab", network("lab", PORT))
        host.write_network("office", network("office", PORT + 1))
        host.netrelayctl("reload")
        tail = "<alias name='ua-lan'/>"
        host.guest("vm1", [client_nic(5001, mac(1), tail=tail), client_nic(5002, mac(2)),
                           f"<interface type='ethernet'><mac address='{mac(3)}'/></interface>"])
        lab.eventually(lambda: host.netrelayctl("complete", "--", "attach", "").stdout == "vm1\n",
                       10, "the manager knows the guest")

    def line(self):
        return said(self.host, "vm1")

    def says(self, *lines):
        """The guest's metadata has these lines, a line each."""
        expected = "\n".join(["<domain>", *(f"  {line}" for line in lines), "</domain>"])
        assert self.line() == expected, f"{self.line()}, in place of {expected}"

    def test_there_and_back(self):
        """Said by one name, moved by another one, taken back: nothing of it is left"""
        answer = attach(self.host, "vm1", "--mac", mac(1), "--network", "lab")
        assert answer.stdout == "NIC ua-lan of guest vm1 attached to network lab\n", answer
        assert answer.stderr == ""
        self.says(f'<interface mac="{mac(1)}" network="lab"/>')
        answer = attach(self.host, "vm1", "--alias", "ua-lan", "--network", "office", "--json")
        told = json.loads(answer.stdout)
        assert told["was"] == "lab" and told["where"] == "office" and told["config"], told
        assert not told["live"] and not told["running"] and told["trouble"] == "", told
        self.says(f'<interface mac="{mac(1)}" network="office"/>')
        answer = detach(self.host, "vm1", "--alias", "ua-lan")
        assert answer.stdout == "NIC ua-lan of guest vm1 detached from network office\n", answer
        assert self.line() is None
        assert NAMESPACE not in self.host.virsh("dumpxml", "vm1").stdout
        refused(detach(self.host, "vm1", "--mac", mac(1), check=False), "vm1", "does not attach")

    def test_others_lines_stay(self):
        """What is said of other NICs, and what else is said of this one, is as it was"""
        before = (f"<domain><interface mac='{mac(2)}' ignore='yes'/>"
                  f"<interface alias='ua-lan' pin='yes'/></domain>")
        self.host.virsh("metadata", "vm1", NAMESPACE, "--key", "netrelay", "--set", before)
        attach(self.host, "vm1", "--mac", mac(1), "--network", "lab")
        self.says(f'<interface mac="{mac(2)}" ignore="yes"/>',
                  '<interface alias="ua-lan" pin="yes" network="lab"/>')
        detach(self.host, "vm1", "--mac", mac(1))
        self.says(f'<interface mac="{mac(2)}" ignore="yes"/>',
                  '<interface alias="ua-lan" pin="yes"/>')
        self.host.virsh("metadata", "vm1", NAMESPACE, "--remove")

    def test_refused(self):
        """What cannot be is not written, and why is said in one sentence"""
        host = self.host
        refused(attach(host, "vm1", "--mac", mac(9), "--network", "lab", check=False),
                "vm1", "no interface", mac(9))
        refused(attach(host, "vm1", "--mac", mac(3), "--network", "lab", check=False),
                "vm1", "client, server, udp or mcast")
        refused(attach(host, "vm1", "--alias", "net0", "--network", "lab", check=False), "ua-")
        refused(attach(host, "vm1", "--mac", mac(1), "--network", "nowhere", check=False),
                "network nowhere", "does not exist", "/etc/netrelay/networks")
        refused(attach(host, "vm1", "--mac", mac(1), "--network", "a b", check=False), "a b")
        refused(attach(host, "vm1", "--mac", mac(1), "--bridge", "br0", check=False),
                "bridge br0", "bridges=br0", "netrelayd.conf")
        refused(attach(host, "vm1", "--mac", mac(1), "--peer", "hostb:1", check=False),
                "hostb", "peers=")
        refused(attach(host, "vm2", "--mac", mac(1), "--network", "lab", check=False), "vm2",
                "virsh list")
        refused(attach(host, "vm1", "--live", "--mac", mac(1), "--network", "lab", check=False),
                "vm1", "does not run")
        host.netrelayctl("net-destroy", "office")
        refused(attach(host, "vm1", "--mac", mac(1), "--network", "office", check=False),
                "office is stopped", "net-start office")
        host.netrelayctl("net-start", "office")
        assert self.line() is None

    def test_usage(self):
        """One name of a NIC and one place; otherwise nothing is tried"""
        host = self.host
        refused(attach(host, "vm1", "--network", "lab", check=False), "--mac", code=2)
        refused(attach(host, "vm1", "--mac", mac(1), check=False), "--network", code=2)
        refused(attach(host, "vm1", "--mac", "zz", "--network", "lab", check=False), "'zz'", code=2)
        refused(detach(host, "vm1", "--mac", "zz", check=False), "'zz'", code=2)
        refused(attach(host, "vm1", "--mac", mac(1), "--network", "lab", "--bridge", "br0",
                       check=False), "--network", code=2)
        refused(attach(host, "vm1", "--mac", mac(1), "--network", "lab", "--current", "--config",
                       check=False), "--current", code=2)
        refused(detach(host, "vm1", "--mac", mac(1), "--network", "lab", check=False),
                "--network", code=2)

    def test_what_is_gone(self):
        """The line of a NIC that was taken from the guest can be taken back, by its name"""
        self.host.virsh("metadata", "vm1", NAMESPACE, "--key", "netrelay", "--set",
                        f"<domain><interface mac='{mac(9)}' network='lab'/></domain>")
        refused(attach(self.host, "vm1", "--mac", mac(1), "--network", "lab", check=False), mac(9))
        detach(self.host, "vm1", "--mac", mac(9))
        assert self.line() is None

    def test_what_is_faulty(self):
        """A faulty line is mended by saying where its NIC belongs; another NIC's place, and that
        it cannot be had, is not asked for"""
        for line in (f"<interface mac='{mac(1)}' network='a b'/>",
                     f"<interface mac='{mac(2)}' network='nowhere'/>"):
            self.host.virsh("metadata", "vm1", NAMESPACE, "--key", "netrelay", "--set",
                            f"<domain>{line}</domain>")
            attach(self.host, "vm1", "--mac", mac(1), "--network", "lab")
            assert f'mac="{mac(1)}" network="lab"' in self.line(), self.line()
        self.host.virsh("metadata", "vm1", NAMESPACE, "--remove")

    def test_names_are_offered(self):
        """The shell's completion knows guests, NICs and networks"""
        def offered(*words):
            return self.host.netrelayctl("complete", "--", *words).stdout.split()

        assert offered("attach", "vm1", "--mac", "") == [mac(1), mac(2)]
        assert offered("attach", "vm1", "--alias", "ua") == ["ua-lan"]
        assert offered("attach", "vm1", "--network", "o") == ["office"]
        links.add_bridge("br7", [])
        assert offered("attach", "vm1", "--bridge", "") == ["br7"]
        assert "--live" in offered("attach", "vm1", "--")
        assert "--peer" not in offered("detach", "vm1", "--")


@tap.timeout(120)
class TestRunning:
    """vm1 goes from network to network; vm2 is in the lab, vm3 in the office."""

    def setup(self, host):
        self.host = host
        host.libvirtd()
        self.manager = host.netrelayd()
        host.write_network("lab", network("lab", PORT))
        host.write_network("office", network("office", PORT + 1))
        host.netrelayctl("reload")
        nics = {1: client_nic(5001, mac(1)), 2: client_nic(PORT, mac(2)),
                3: client_nic(PORT + 1, mac(3))}
        self.guests = {n: lab.numbered(host, n, nic) for n, nic in nics.items()}
        for guest in self.guests.values():
            guest.start()
        for guest in self.guests.values():
            guest.wait_up()
        lab.expect_row(host, guest="vm1", network="127.0.0.1:5001", state="connected")
        self.qemu = self.connection()

    def connection(self):
        """The one connection of vm1's QEMU."""
        rows = lab.rows(self.host, guest="vm1")
        assert len(rows) == 1, rows
        return rows[0]["peer"]

    def is_in(self, name):
        """It is there already."""
        assert lab.rows(self.host, guest="vm1", network=name, state="connected")

    def meets(self, number, others):
        """vm1 reaches this guest, and none of the others; over the connection that it made."""
        assert self.connection() == self.qemu
        self.guests[1].reaches(lab.address(number))
        for other in others:
            assert not self.guests[1].ping_once(lab.address(other)), f"vm{other} is reached"
        self.guests[1].must("test $(cat /sys/class/net/eth0/carrier) = 1")

    def test_moves_at_once(self):
        """From the network of its address to one, to another, and back: its link never falls"""
        host = self.host
        answer = attach(host, "vm1", "--mac", mac(1), "--network", "lab")
        assert answer.stdout == (f"NIC {mac(1)} of guest vm1 attached to network lab, until "
                                 f"the guest is stopped\n"), answer
        self.is_in("lab")
        self.meets(2, [3])
        attach(host, "vm1", "--mac", mac(1), "--network", "office", "--live", "--config")
        self.is_in("office")
        self.meets(3, [2])
        assert said(host, "vm1", "--config") == said(host, "vm1", "--live")
        attach(host, "vm1", "--mac", mac(1), "--network", "lab", "--live")
        self.meets(2, [3])
        answer = detach(host, "vm1", "--mac", mac(1), "--live", "--config")
        assert answer.stdout == (f"NIC {mac(1)} of guest vm1 detached from network lab, and in its "
                                 f"definition from network office\n"), answer
        self.is_in("127.0.0.1:5001")
        assert said(host, "vm1") is None and said(host, "vm1", "--config") is None

    def test_both_or_none(self):
        """Each side is judged, and none is written where the other one cannot be"""
        host, line = self.host, f"<interface mac='{mac(9)}' network='lab'/>"
        for side in ("--live", "--config"):
            refused(attach(host, "vm1", "--mac", mac(1), "--network", "nowhere", side,
                           check=False), "network nowhere", "does not exist")
        host.virsh("metadata", "vm1", NAMESPACE, "--key", "netrelay", "--config", "--set",
                   f"<domain>{line}</domain>")
        refused(attach(host, "vm1", "--mac", mac(1), "--network", "lab", "--live", "--config",
                       check=False), "vm1", mac(9))
        assert said(host, "vm1", "--live") is None
        host.virsh("metadata", "vm1", NAMESPACE, "--config", "--remove")

    def test_nic_of_the_definition(self):
        """One that the guest has from its next start on is attached in its definition"""
        with self.host.file_with(client_nic(5004, mac(4), tail="<alias name='ua-new'/>")) as path:
            self.host.virsh("attach-device", "vm1", path, "--config")   # libvirt tells nobody
        answer = attach(self.host, "vm1", "--mac", mac(4), "--network", "lab", "--config").stdout
        assert answer == "NIC ua-new of guest vm1 attached to network lab, from its next start on\n"

    def test_transient_guest(self):
        """It has no definition; and what it is told lasts as long as itself"""
        guest = self.host.guest("passing", [client_nic(5005, mac(5))], define=False)
        with self.host.file_with(guest.xml) as path:
            self.host.virsh("create", path)
        lab.expect_row(self.host, guest="passing", state="connected")
        refused(attach(self.host, "passing", "--mac", mac(5), "--network", "lab", "--config",
                       check=False), "passing", "transient")
        answer = attach(self.host, "passing", "--mac", mac(5), "--network", "lab")
        assert answer.stdout == f"NIC {mac(5)} of guest passing attached to network lab\n", answer
        self.host.virsh("destroy", "passing")

    def test_trouble(self):
        """It is written, and said what is not as it should be: a bridge that is not there"""
        host = self.host
        path = host.write_network("far", network("far", PORT + 2, "<bridge name='br7'/>"))
        lab.expect_row(host, network="far", kind="tap", state="failed")
        answer = attach(host, "vm1", "--mac", mac(1), "--network", "far", check=False)
        assert answer.returncode == 1 and "attached to network far" in answer.stdout, answer
        assert len(answer.stderr.splitlines()) == 1 and "br7" in answer.stderr, answer
        self.is_in("far")
        answer = attach(host, "vm1", "--mac", mac(1), "--network", "lab", "--config")
        assert answer.stderr == "", "what it will be has nothing to do with what it is"
        detach(host, "vm1", "--mac", mac(1), "--config")
        detach(host, "vm1", "--mac", mac(1))
        self.is_in("127.0.0.1:5001")
        os.unlink(path)

    def test_next_start(self):
        """--config changes nothing that runs, and says so"""
        answer = attach(self.host, "vm1", "--mac", mac(1), "--network", "lab", "--config")
        assert answer.stdout.endswith("attached to network lab, from its next start on\n"), answer
        assert lab.rows(self.host, guest="vm1", network="127.0.0.1:5001", state="connected")
        attach(self.host, "vm1", "--mac", mac(1), "--network", "office", "--live")
        answer = detach(self.host, "vm1", "--mac", mac(1), "--live", "--config")
        assert answer.stdout.endswith("detached from network office, and in its definition from "
                                      "network lab\n"), answer

    def test_there_while_everything_dies(self):
        """The manager and forwarders are killed at the moment; the guest gets there all the same"""
        for number, name in ((2, "lab"), (3, "office")) * 2:
            relays = {row["relay_pid"] for row in lab.rows(self.host, state="connected")
                      if row["relay_pid"]}
            assert len(relays) > 1, relays
            self.host.virsh("metadata", "vm1", NAMESPACE, "--key", "netrelay", "--live", "--set",
                            f"<domain><interface mac='{mac(1)}' network='{name}'/></domain>")
            self.manager.kill()
            forwarders = [pid for pid in map(forwarder_of, relays) if pid]
            assert forwarders, f"none of relays {relays} has one"
            for pid in forwarders:
                os.kill(pid, signal.SIGKILL)
            self.manager.start()
            lab.expect_row(self.host, guest="vm1", network=name, state="connected")
            self.meets(number, [])

    def test_paused_guest(self):
        """One that reads nothing goes when it reads again, and that is said"""
        self.host.virsh("suspend", "vm1")
        somebody, (row,) = dial(PORT + 1), lab.rows(self.host, guest="vm1")
        assert row["network"] == "office", row
        while not lab.rows(self.host, guest="vm1")[0]["drops"] > row["drops"]:
            somebody.send(*[frame(BROADCAST, hwaddress(99), size=1500)] * 1000)
        answer = attach(self.host, "vm1", "--mac", mac(1), "--network", "lab", check=False)
        assert answer.returncode == 1 and "has not read" in answer.stderr, answer
        assert "attached to network lab" in answer.stdout, answer
        self.host.virsh("resume", "vm1")
        lab.expect_row(self.host, guest="vm1", network="lab", state="connected")
        self.meets(2, [3])

    def test_relay_that_does_not_answer(self):
        """The one that has the connection is stopped: said so; it gives it when it goes on"""
        relay = lab.expect_row(self.host, guest="vm1", state="connected")
        os.kill(relay["relay_pid"], signal.SIGSTOP)
        answer = attach(self.host, "vm1", "--mac", mac(1), "--network", "office", check=False)
        os.kill(relay["relay_pid"], signal.SIGCONT)
        assert answer.returncode == 1 and "attached to network office" in answer.stdout, answer
        for words in (f"{relay['network']} does not answer", "moves by itself"):
            assert words in answer.stderr, answer
        lab.expect_row(self.host, guest="vm1", network="office", state="connected", deadline=20)
        self.meets(3, [2])

    def test_back_to_what_is_stopped(self):
        """Where it is taken back to, by its address, is a network that a person has stopped"""
        self.host.write_network("home", network("home", 5001))
        lab.expect_row(self.host, network="home", state="listening")
        self.host.netrelayctl("net-destroy", "home")
        answer = detach(self.host, "vm1", "--mac", mac(1), check=False)
        assert answer.returncode == 1 and "detached from network" in answer.stdout, answer
        assert "network home is stopped" in answer.stderr, answer


def test_without_libvirt(host):
    """Nothing can be written, and who is missing is said"""
    daemon = host.libvirtd()
    host.netrelayd()
    host.guest("vm1", [client_nic(PORT, mac(1))])
    lab.eventually(lambda: host.netrelayctl("complete", "--", "attach", "").stdout == "vm1\n",
                   10, "the manager knows the guest")
    daemon.stop()
    lab.eventually(lambda: lab.report(host)["summary"]["libvirt"] != "connected", 10, "it is lost")
    for name in ("vm1", "vm2"):
        refused(detach(host, name, "--mac", mac(1), check=False), "connection to libvirt")


if __name__ == "__main__":
    tap.main(PrivateHost())
