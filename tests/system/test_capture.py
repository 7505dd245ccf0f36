#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""netrelayctl capture by way of the manager: a network's frames, and a guest's wherever it is."""

import grp
import os
import pty
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import lab
import links
import tap
from capturing import Running
from guest import client_nic, server_nic, udp_nic
from host import PrivateHost
from lab import PORT, address, mac
from pcapng import IN
from process import ours, run
from wait import eventually

OTHER_PORT = PORT + 1
NETWORKS = (f"127.0.0.1:{PORT}", f"127.0.0.1:{OTHER_PORT}")

NETWORK = """<network><name>{}</name><listen address='127.0.0.1' port='{}'/>{}</network>"""
NOBODY = 65534


def capture(*words, **details):
    return Running(["/usr/bin/netrelayctl", "capture", *words], **details)


def names(found):
    return {name for name, _ in found.interfaces}


def frames_of(found, name):
    """The frames' bytes of the interface of that name."""
    numbers = {number for number, (known, _) in enumerate(found.interfaces) if known == name}
    return [data for number, _, _, _, data in found.frames if number in numbers]


def calls(guest, *destinations):
    """Asks for addresses that nobody has: everybody hears it."""
    for destination in destinations:
        guest.sh(f"ping -c 1 -W 1 {destination}")


def relay_pid(host, network):
    return lab.rows(host, network=network)[0]["relay_pid"]


class TestCapture:
    def setup(self, host):
        """Two guests, each with a NIC in each of two networks, and one that nobody dials yet."""
        self.host = host
        host.libvirtd()
        host.write_network("lab", NETWORK.format("lab", 12398, ""))
        host.write_network("office", NETWORK.format("office", 12399, ""))
        host.netrelayd()
        self.one, self.other = [
            host.guest(f"vm{n}", [client_nic(PORT, mac(n)), client_nic(OTHER_PORT, mac(n + 10)),
                                  server_nic(7000 + n, mac(n + 20))],
                       addresses=[f"{address(n)}/24", f"10.9.1.{n}/24", f"10.9.2.{n}/24"])
            for n in (1, 2)]
        self.other.start()
        self.one.boot()
        for number in (1, 2, 11, 12):
            lab.expect_row(host, mac=mac(number), state="connected")

    @tap.timeout(90)
    def test_a_guest_with_its_nics(self):
        """each NIC is an interface that is named GUEST/NIC; of other guests there is nothing"""
        running = capture("vm1")
        only = capture(f"vm1/{mac(11).upper()}")
        calls(self.one, address(77), "10.9.1.77")
        eventually(lambda: len(names(running.captured())) == 2 and only.captured().frames, 10,
                   "frames of both are written")
        found, of_one = running.end(), only.end()
        assert names(found) == {f"vm1/{mac(1)}", f"vm1/{mac(11)}"}, found.interfaces
        assert {text.split(",")[0] for _, text in found.interfaces} == \
            {f"network {name}" for name in NETWORKS}, found.interfaces
        assert names(of_one) == {f"vm1/{mac(11)}"}, of_one.interfaces
        own = bytes.fromhex(mac(11).replace(":", ""))
        assert any(data[6:12] == own for data in frames_of(of_one, f"vm1/{mac(11)}"))

    @tap.timeout(60)
    def test_a_network(self):
        """each frame once, where it comes in, by its guest's name; --packets ends it"""
        running = capture(NETWORKS[0], "--packets", 2)
        calls(self.one, address(78))
        found = running.ended()
        assert len(found.frames) == 2 and {way for _, way, _, _, _ in found.frames} == {IN}
        assert names(found) <= {f"vm{n}/{mac(n)}" for n in (1, 2)}, found.interfaces

    @tap.timeout(90)
    def test_a_guest_that_moves(self):
        """a NIC that we dial goes to another network while it runs, and is captured there"""
        nic = f"vm2/{mac(22)}"
        self.other.wait_up()
        self.host.netrelayctl("attach", "vm2", "--mac", mac(22), "--network", "lab")
        lab.expect_row(self.host, mac=mac(22), network="lab", state="connected", deadline=20)
        running = capture(nic)
        calls(self.other, "10.9.2.80")
        eventually(lambda: running.captured().frames, 10, "frames of it in lab")
        self.host.netrelayctl("attach", "vm2", "--mac", mac(22), "--network", "office")
        running.wait_for("office: captured, too, from now on", 20)
        lab.expect_row(self.host, mac=mac(22), network="office", state="connected", deadline=20)
        before = len(running.captured().frames)
        calls(self.other, "10.9.2.81")
        eventually(lambda: len(running.captured().frames) > before, 10, "and in office")
        assert names(running.end()) == {nic}

    @tap.timeout(60)
    def test_a_member_of_the_group(self):
        """whoever may ask the manager may capture; whoever may not, may not"""
        details = {"user": NOBODY, "group": NOBODY, "cwd": "/"}
        group = grp.getgrnam("libvirt").gr_gid
        running = capture("vm1", "--system", extra_groups=[group], **details)
        calls(self.one, address(82))
        eventually(lambda: running.captured().frames, 10, "frames are written")
        assert names(running.end()) <= {f"vm1/{mac(1)}", f"vm1/{mac(11)}"}
        answer = subprocess.run(["/usr/bin/netrelayctl", "capture", "vm1", "--system"],
                                capture_output=True, extra_groups=[], timeout=20, **details)
        assert answer.returncode == 1 and not answer.stdout, answer

    @tap.timeout(90)
    def test_a_guest_that_starts_again(self):
        """it has other ports, of other relays, and is captured on, as the same interfaces"""
        running = capture("vm1")
        was = relay_pid(self.host, NETWORKS[0])
        calls(self.one, address(79))
        self.one.destroy()
        self.other.destroy()
        for network in NETWORKS:
            running.wait_for(f"{network}: the relay has ended; the capture goes on", 15)
        before = len(running.captured().frames)
        self.one.boot()
        for network in NETWORKS:
            running.wait_for(f"{network}: captured, too", 15)
        assert relay_pid(self.host, NETWORKS[0]) != was
        calls(self.one, address(79), "10.9.1.79")
        eventually(lambda: len(running.captured().frames) > before and
                   len(names(running.captured())) == 2, 10, "frames are written")
        found = running.end()
        assert sorted(name for name, _ in found.interfaces) == \
            [f"vm1/{mac(1)}", f"vm1/{mac(11)}"], found.interfaces

    @tap.timeout(60)
    def test_what_is_refused(self):
        """one sentence each: a terminal, a name that nobody has, a wrong bound"""
        main, terminal = pty.openpty()
        answer = subprocess.run(["netrelayctl", "capture", "vm1"], stdout=terminal,
                                stderr=subprocess.PIPE, text=True, timeout=20)
        os.close(terminal)
        os.close(main)
        assert answer.returncode == 1 and "standard output is a terminal" in answer.stderr, answer
        for words, code, said in ((["vm3"], 1, "there is no network"),
                                  (["vm1/eth7"], 1, "there is no network"),
                                  (["vm"], 1, "there is no network"),
                                  (["vm1", "--packets", "0"], 2, "a number from 1"),
                                  ([], 2, "usage:"), (["vm1", "vm2"], 2, "usage:")):
            answer = self.host.netrelayctl("capture", *words, check=False)
            assert answer.returncode == code and said in answer.stderr, (words, answer)
            assert len(answer.stderr.splitlines()) == 1 and not answer.stdout, (words, answer)


@tap.timeout(60)
def test_nics_without_a_port(host):
    """a pair that talks directly is refused, with its reason; without a manager: code 3"""
    assert host.netrelayctl("capture", "one", check=False).returncode == 3
    host.libvirtd()
    host.netrelayd()
    host.guest("one", [udp_nic(5601, 5602, mac(3))]).start()
    host.guest("two", [udp_nic(5602, 5601, mac(4))]).start()
    lab.expect_row(host, guest="two", state="direct")
    answer = host.netrelayctl("capture", "one", check=False)
    assert answer.returncode == 1 and "is direct" in answer.stderr, answer


@tap.timeout(90)
def test_the_manager_comes_and_goes(host):
    """a capture does not need it; a relay that is killed has a successor, which is captured"""
    host.libvirtd()
    links.add_bridge("br0", ["10.9.0.254/24"])
    host.write_network("lab", NETWORK.format("lab", 12398, "<bridge name='br0'/>"))
    daemon = host.netrelayd()
    lab.expect_row(host, network="lab", kind="tap", state="connected")
    running = capture("lab")
    daemon.kill()
    run(["ping", "-c", "1", "-W", "1", "10.9.0.77"], check=False)
    eventually(lambda: running.captured().frames, 10, "the host's ARP is written")
    host.netrelayd()
    for pid in ours("netrelay"):
        os.kill(pid, 9)
    running.wait_for("lab: the relay has ended; the capture goes on", 10)
    running.wait_for("lab: captured, too, from now on", 20)
    was = len(running.captured().frames)
    run(["ping", "-c", "1", "-W", "1", "10.9.0.78"], check=False)
    eventually(lambda: len(running.captured().frames) > was, 10, "the successor's frames, too")
    found = running.end()
    assert names(found) == {"port 1: nrtap0"}, found.interfaces


tap.main(PrivateHost())
