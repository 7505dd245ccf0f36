#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""netrelayctl status and plan."""

import json
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import lab
import tap
from guest import client_nic, server_nic, udp_nic
from host import PrivateHost
from lab import PORT, address, mac
from wait import eventually

HEADINGS = ["NETWORK", "PORT", "GUEST", "NIC", "KIND", "ADDRESS", "STATE", "RX", "TX", "DROPS"]


@tap.timeout(90)
def test_status_table_and_json(host):
    """Every column for a person, every value for a program; counters that count"""
    host.libvirtd()
    host.netrelayd()
    guests = {n: lab.numbered(host, n, client_nic(PORT, mac(n))) for n in (1, 2)}
    lab.start_all(guests)
    lab.all_meet(guests)
    table = host.netrelayctl("status").stdout.splitlines()
    assert table[0].split() == HEADINGS, table[0]
    assert len([line for line in table if "vm1" in line and "connected" in line]) == 1, table
    assert not any("\x1b" in line for line in table), "colours in a pipe"
    before = lab.expect_row(host, guest="vm1", state="connected")
    assert before["address"] == f"127.0.0.1:{PORT}" and before["kind"] == "client"
    assert before["mac"] == mac(1) and before["port"] > 0 and before["relay_pid"] > 0
    sent, received = guests[1].ping(address(2), count=10)
    assert (sent, received) == (10, 10)
    after = lab.expect_row(host, guest="vm1", state="connected")
    for key in ("rx_frames", "tx_frames"):
        assert after[key] >= before[key] + 10, (key, before, after)
    for key in ("rx_bytes", "tx_bytes"):
        assert after[key] >= before[key] + 10 * 98, (key, before, after)
    assert after["drops"] == 0
    plan = host.netrelayctl("plan")
    assert "nothing" in plan.stdout.lower(), plan.stdout


def test_status_without_manager(host):
    """No manager: exit 3 and one sentence that says what to do"""
    answer = host.netrelayctl("status", check=False)
    assert answer.returncode == 3 and "netrelayd" in answer.stderr, answer
    assert len(answer.stderr.splitlines()) == 1, answer.stderr


def test_status_of_nobody(host):
    """A name that nothing has: a sentence and an exit code, beside what there is"""
    host.write_network("lab", f"<network><name>lab</name>"
                              f"<listen address='127.0.0.1' port='{PORT}'/></network>")
    host.netrelayd()
    lab.expect_row(host, network="lab", state="listening")
    assert not host.netrelayctl("status", "lab").stderr
    for more in ([], ["--json"]):
        answer = host.netrelayctl("status", "lab", "nobody", *more, check=False)
        assert answer.returncode == 1 and "listening" in answer.stdout, answer
        assert "'nobody'" in answer.stderr and answer.stderr.count("\n") == 1, answer
    answer = host.netrelayctl("status", "nobody", check=False)
    assert "nothing is there" in answer.stderr and "nothing" not in answer.stdout, answer


def test_reload_says_what_is_wrong(host):
    """A fault in the settings, and a second file of one name: said; what was there goes on"""
    host.netrelayd()
    host.write_network("lab", f"<network><name>lab</name>"
                              f"<listen address='127.0.0.1' port='{PORT}'/></network>")
    host.netrelayctl("reload")
    before = lab.expect_row(host, network="lab", state="listening")
    host.write_network("dup", f"<network><name>lab</name>"
                              f"<listen address='127.0.0.1' port='{PORT + 1}'/></network>")
    with open("/etc/netrelay/netrelayd.conf", "w") as settings:
        settings.write("[policy]\nbrigdes=br0\n")
    answer = host.netrelayctl("reload", check=False)
    assert answer.returncode == 1 and "brigdes" in answer.stderr, answer
    assert "dup.xml" in answer.stderr, answer
    assert lab.expect_row(host, network="lab", state="listening") == before
    shown = host.netrelayctl("status").stdout
    assert "brigdes" in shown and "dup.xml" in shown, shown


def test_one_relay_by_its_network(host):
    """The manager's relay, asked itself by the network's name: shown, captured, told by SIGUSR1"""
    host.netrelayd()
    host.write_network("lab", f"<network><name>lab</name>"
                              f"<listen address='127.0.0.1' port='{PORT}'/></network>")
    host.netrelayctl("reload")
    relay = lab.expect_row(host, network="lab", state="listening")["relay_pid"]
    shown = host.netrelayctl("--relay", "lab").stdout
    assert "network lab" in shown and f"listen:127.0.0.1:{PORT}" in shown, shown
    file = "/tmp/lab.pcapng"
    host.netrelayctl("--relay", "lab", "capture", "--seconds", "0.1", "--write", file)
    with open(file, "rb") as capture:
        assert capture.read(4) == bytes.fromhex("0a0d0d0a")
    os.kill(relay, signal.SIGUSR1)
    os.kill(relay, 0)
    assert host.netrelayctl("--relay", "lab", "status").stdout == shown


def test_status_keeps_no_descriptor(host):
    """D10: asking a hundred times leaves the manager as it was"""
    daemon = host.netrelayd()
    lab.report(host)

    def descriptors():
        return len(os.listdir(f"/proc/{daemon.pid}/fd"))

    before = descriptors()
    for _ in range(100):
        lab.report(host)
    eventually(lambda: descriptors() <= before, 5, "the connections' descriptors are closed")


def test_plan_of_a_file(host):
    """plan --xml says what each NIC would get, without libvirt and without a manager"""
    host.write_network("lab", "<network><name>lab</name>"
                              "<match domain='vm*' type='server'/></network>")
    limits = "<bandwidth><outbound average='400' peak='800'/></bandwidth>"
    nics = [client_nic(PORT, mac(1), tail=limits), server_nic(23456, mac(2)),
            udp_nic(5601, 5602, mac(3))]
    guest = host.guest("vm1", nics, define=False)
    with host.file_with(guest.xml) as path:
        text = host.netrelayctl("plan", "--xml", path).stdout
        found = json.loads(host.netrelayctl("plan", "--xml", path, "--json").stdout)
    for word in (f"127.0.0.1:{PORT}", "lab", "unconnected",
                 "sends at most 400 KiB/s (peak 800 KiB/s)\n"):
        assert word in text, (word, text)
    assert all(text.count(mac(number)) == 1 for number in (1, 2, 3)), text
    assert [nic["kind"] for nic in found["nics"]] == ["client", "server", "udp"], found
    assert found["nics"][0]["options"] == "ingress=400:800", found
    assert found["nics"][1]["network"] == "lab", found


def test_plan_of_a_refused_guest(host):
    """plan --xml exits with 1 where the start would be refused"""
    guest = host.guest("vm1", [client_nic(PORT, mac(1))], define=False,
                       metadata=lab.metadata(f"mac='{mac(1)}' network='nowhere'"))
    with host.file_with(guest.xml) as path:
        answer = host.netrelayctl("plan", "--xml", path, check=False)
    assert answer.returncode == 1 and "nowhere" in answer.stdout + answer.stderr, answer


def test_plan_of_nonsense(host):
    """XML that is none: one sentence, exit 1"""
    answer = host.netrelayctl("plan", "--xml", "-", check=False, text_in="<domain")
    assert answer.returncode == 1 and len(answer.stderr.splitlines()) == 1, answer


def test_reload_reads_network_files(host):
    """A new file is a network after reload, a removed one is gone"""
    host.libvirtd()
    host.netrelayd()
    path = host.write_network("lab", f"<network><name>lab</name>"
                                     f"<listen address='127.0.0.1' port='{PORT}'/></network>")
    host.netrelayctl("reload")
    lab.expect_row(host, network="lab", state="listening", address=f"127.0.0.1:{PORT}")
    os.unlink(path)
    host.netrelayctl("reload")
    eventually(lambda: not lab.rows(host, network="lab"), 10, "the network is gone")
    lab.no_relays()


tap.main(PrivateHost())
