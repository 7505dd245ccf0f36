#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""netrelayctl doctor: each of its findings, provoked, and a healthy host that gives none."""

import json
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import lab
import links
import tap
from guest import client_nic, server_nic, udp_nic
from host import PrivateHost
from lab import PORT, address, mac
from process import run, tail
from wait import eventually

HOOK = "/etc/libvirt/hooks/qemu.d/50-netrelay"
LAB = f"""<network><name>lab</name>
<listen address='127.0.0.1' port='{PORT}'/><bridge name='br0'/></network>"""


def findings(connection):
    """{(kind, about): finding}; the exit code says whether there is any."""
    answer = connection.netrelayctl("doctor", "--json", check=False)
    found = json.loads(answer.stdout)["findings"]
    assert answer.returncode == (1 if found else 0), answer
    for finding in found:
        assert finding["text"] and not finding["text"].endswith("."), finding
        assert "\n" not in finding["text"] + finding["cure"], finding
    return {(finding["kind"], finding["about"]): finding for finding in found}


def expect_only(connection, *wanted, deadline=10):
    """Waits until these are all findings, and returns them."""
    eventually(lambda: set(findings(connection)) == set(wanted), deadline,
               f"findings {wanted}, in place of {findings(connection)}")
    found = findings(connection)
    return [found[key] for key in wanted]


@tap.timeout(90)
def test_healthy(host):
    """Guests of every type, a bridge, networks of others: nothing is found, but udp is as it is"""
    host.libvirtd()
    links.add_bridge("br0", ["10.9.0.100/24"])
    links.add_bridge("virbr9", ["10.9.9.1/24"])         # as libvirt's, without a guest
    host.write_network("lab", LAB)
    host.netrelayd()
    host.guest("one", [client_nic(PORT, mac(1)), client_nic(7000, mac(2))]).start()
    host.guest("two", [server_nic(7001, mac(3)), udp_nic(5601, 5602, mac(4))]).start()
    lab.expect_row(host, guest="one", network="lab", state="connected")
    expect_only(host)
    answer = host.netrelayctl("doctor")
    first, note = answer.stdout.splitlines()
    assert first == "nothing found: all is as it should be", answer
    assert note.startswith(f"note: guest two, NIC {mac(4)}: "), answer


def test_nothing_runs(host):
    """No manager: said with its cure, and the host is looked at all the same"""
    links.ip("link", "add", "br0", "type", "bridge")
    absent, _ = expect_only(host, ("manager", "/run/netrelay"), ("bridge-down", "br0"))
    assert "netrelayd" in absent["cure"], absent
    answer = host.netrelayctl("doctor", check=False)
    assert "    cure: ip link set br0 up\n" in answer.stdout, answer
    assert answer.returncode == 1 and not answer.stderr, answer
    links.ip("link", "set", "br0", "up")
    expect_only(host, ("manager", "/run/netrelay"))


def test_hook(host):
    """The hook is not installed, or not executable"""
    host.libvirtd()
    host.netrelayd()
    lab.report(host)
    expect_only(host)
    os.chmod(HOOK, 0o644)
    (found,) = expect_only(host, ("hook", HOOK))
    assert "executable" in found["text"] and f"chmod +x {HOOK}" in found["cure"], found
    os.unlink(HOOK)
    (found,) = expect_only(host, ("hook", HOOK))
    assert "not installed" in found["text"] and "reload" in found["cure"], found


@tap.timeout(90)
def test_deaf_guest(host):
    """A guest that started when nobody listened is revived: it answers, and has not booted"""
    host.libvirtd()
    deaf = lab.numbered(host, 1, client_nic(PORT, mac(1)))
    deaf.boot()
    host.netrelayd()
    other = lab.numbered(host, 2, client_nic(PORT, mac(2)))
    other.boot()
    (found,) = expect_only(host, ("deaf", "vm1"))
    assert f"127.0.0.1:{PORT}" in found["text"] and mac(1) in found["text"], found
    assert found["cure"] == "netrelayctl revive vm1", found
    offered = host.netrelayctl("complete", "--", "revive", "vm").stdout.split()
    assert sorted(offered) == ["vm1", "vm2"], offered
    host.netrelayctl("revive", "vm1")
    lab.expect_row(host, guest="vm1", state="connected")
    other.reaches(address(1))
    assert "netrelay-guest: up" not in tail(deaf.log), tail(deaf.log)   # libvirt made it anew
    expect_only(host)


@tap.timeout(60)
def test_revive_in_a_session(host):
    """Without privilege, and a name that a shell would take apart"""
    session = host.session(runtime_dir=True)
    guest = session.guest("-x;$(id)", [client_nic(PORT, mac(1))])
    guest.start()
    session.netrelayd()
    (found,) = expect_only(session, ("deaf", "-x;$(id)"))
    run(["sh", "-c", found["cure"]], user=session.user, env=session.env)
    expect_only(session)


def test_revive_refused(host):
    """No such guest, one that does not run, one that libvirt cannot save: a sentence, and exit 1"""
    host.libvirtd()
    host.netrelayd()
    host.guest("idle", [client_nic(PORT, mac(1))])
    passing = host.guest("passing", [client_nic(PORT, mac(2))], define=False)
    with host.file_with(passing.xml) as path:
        host.virsh("create", path)
    for name, word in (("nobody", "no guest"), ("idle", "does not run"), ("passing", "transient")):
        answer = host.netrelayctl("revive", name, check=False)
        assert answer.returncode == 1 and word in answer.stderr, answer
        assert answer.stderr.startswith("netrelayctl: ") and answer.stderr.count("\n") == 1, answer
    assert host.virsh("domstate", "passing").stdout.strip() == "running"


@tap.timeout(90)
def test_hook_unread(host):
    """The hook came after libvirtd, which does not call it: reload, and revive who is deaf"""
    os.rename(HOOK, "/etc/hook")
    host.libvirtd()
    os.rename("/etc/hook", HOOK)
    host.netrelayd()
    expect_only(host)
    guest = host.guest("vm1", [client_nic(PORT, mac(1))])
    guest.start()
    unread, _ = expect_only(host, ("hook-unread", HOOK), ("deaf", "vm1"))
    assert "vm1" in unread["text"] and "reload libvirtd" in unread["cure"], unread
    host.reload_libvirtd()

    def revived():
        host.netrelayctl("revive", "vm1")
        return not findings(host)

    eventually(revived, 40, "libvirtd has reloaded, and the guest is connected")


def test_conflict_of_definitions(host):
    """Two definitions with one address: both are named, before any of them runs"""
    host.libvirtd()
    host.netrelayd()
    host.guest("one", [server_nic(7001, mac(1))])
    host.guest("two", [server_nic(7001, mac(2))])
    found = eventually(lambda: list(findings(host).values()), 10, "a conflict")
    assert len(found) == 1 and found[0]["kind"] == "port-conflict", found
    for word in ("one", "two", mac(1), mac(2), "127.0.0.1:7001"):
        assert word in found[0]["text"], (word, found)


def test_foreign(host):
    """Another process has the address: named, with what to do"""
    host.libvirtd()
    host.netrelayd()
    with socket.create_server(("127.0.0.1", PORT)):
        host.guest("x;y", [client_nic(PORT, mac(1))]).start()
        (found,) = expect_only(host, ("foreign", "x;y"))
    assert f"pid {os.getpid()}" in found["text"] and "end that process" in found["cure"], found


def test_faults(host):
    """A network file that is refused; libvirt's daemon is away"""
    daemon = host.libvirtd()
    host.netrelayd()
    host.write_network("bad", "<network><nmae>bad</nmae></network>")
    (found,) = expect_only(host, ("file", ""))
    assert "bad.xml" in found["text"] and "nmae" in found["text"], found
    daemon.stop()
    _, found = expect_only(host, ("file", ""), ("libvirt", ""))
    assert "qemu:///system" in found["text"], found


def test_bridge_of_a_network(host):
    """E8: a network's bridge leads nowhere, or is down; a member has the bridge's address"""
    links.add_bridge("br0")
    host.write_network("lab", LAB)
    host.libvirtd()
    host.netrelayd()
    device = lab.expect_row(host, network="lab", kind="tap", state="connected")["address"]
    (found,) = expect_only(host, ("bridge-empty", "br0"))
    assert device in found["text"] and "lab" in found["text"], found
    links.ip("tuntap", "add", "eth9", "mode", "tap")
    links.ip("link", "set", "eth9", "master", "br0")
    expect_only(host)
    links.ip("link", "set", "br0", "down")
    (found,) = expect_only(host, ("bridge-down", "br0"))
    assert "members" not in found["text"], found
    links.ip("link", "set", "br0", "up")
    links.ip("address", "add", "10.9.0.1/24", "dev", "eth9")
    (found,) = expect_only(host, ("member-address", "eth9"))
    run(["sh", "-c", found["cure"]])
    expect_only(host)
    assert [a["local"] for a in links.ip_json("address", "show", "br0")[0]["addr_info"]
            if a["family"] == "inet"] == ["10.9.0.1"]


def test_bare_bridge(host):
    """E8: a TAP with an address of its own beside an empty bridge that is down; the cures cure"""
    links.ip("link", "add", "br0", "type", "bridge")
    links.ip("tuntap", "add", "tap0", "mode", "tap")
    links.ip("address", "add", "10.9.0.1/24", "dev", "tap0")
    down, alone, _ = expect_only(host, ("bridge-down", "br0"), ("tap-alone", "tap0"),
                                 ("manager", "/run/netrelay"))
    assert "no members" in down["text"] and "br0" in alone["text"], (down, alone)
    for finding in (down, alone):
        run(["sh", "-c", finding["cure"]])
    expect_only(host, ("manager", "/run/netrelay"))


@tap.timeout(60)
def test_session(host):
    """A user without a runtime directory"""
    session = host.session()
    session.netrelayd()
    (found,) = expect_only(session, ("runtime-directory", f"/run/user/{uid_of('tester')}"))
    assert "loginctl" in found["cure"], found


def test_session_with_runtime_dir(host):
    """A user who has one: nothing is found"""
    session = host.session(runtime_dir=True)
    session.netrelayd()
    lab.report(session)
    expect_only(session)


def uid_of(name):
    return int(run(["id", "-u", name]).stdout)


tap.main(PrivateHost())
