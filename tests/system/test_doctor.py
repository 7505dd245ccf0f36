#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""netrelayctl doctor: each of its findings, provoked, and a healthy host that gives none."""

import contextlib
import os
import shutil
import signal
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import lab
import links
import tap
from guest import client_nic, server_nic, udp_nic
from host import PrivateHost
from lab import PORT, address, findings, mac
from process import run, tail
from wait import eventually

HOOK = "/etc/libvirt/hooks/qemu.d/50-netrelay"
LAB = f"""<network><name>lab</name>
<listen address='127.0.0.1' port='{PORT}'/><bridge name='br0'/></network>"""


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
    first, notice, cure = answer.stdout.splitlines()
    assert first == "nothing found: all is as it should be", answer
    assert notice.startswith(f"notice: guest two, NIC {mac(4)}: "), answer
    assert "guard-udp=yes" in cure and set(findings(host, "notice")) == {("open", "two")}


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
    """F: one address in two definitions: a notice that names both, as they may run in turn"""
    host.libvirtd()
    host.netrelayd()
    host.guest("one", [server_nic(7001, mac(1))])
    host.guest("two", [server_nic(7001, mac(2))])
    (found,) = eventually(lambda: list(findings(host, "notice").values()), 10, "a notice")
    assert found["kind"] == "port-conflict", found
    for word in ("one", "two", mac(1), mac(2), "127.0.0.1:7001"):
        assert word in found["text"], (word, found)
    first, notice, cure = host.netrelayctl("doctor").stdout.splitlines()
    assert first.startswith("nothing found") and notice == f"notice: {found['text']}"
    assert cure.strip() == f"if need be: {found['cure']}"


def test_conflict_in_one_definition(host):
    """F: one address for two NICs of a guest: a fault, whether QEMU starts with it or not"""
    host.libvirtd()
    host.netrelayd()
    for name, nics, starts, words in (
            ("tcp", [server_nic(7001, mac(1)), server_nic(7001, mac(2))], False, "cannot start"),
            ("udp", [udp_nic(5601, 5602, mac(3)), udp_nic(5603, 5602, mac(4))], True, "one of")):
        guest = host.guest(name, nics)
        (found,) = expect_only(host, ("port-conflict", name))
        assert words in found["text"] and "127.0.0.1:" in found["text"], found
        assert (guest.try_start().rc == 0) == starts, name
        guest.destroy(check=starts)
        guest.undefine()


def test_foreign(host):
    """Another process has the address: named, with what to do"""
    host.libvirtd()
    host.netrelayd()
    with socket.create_server(("127.0.0.1", PORT)):
        host.guest("x;y", [client_nic(PORT, mac(1))]).start()
        (found,) = expect_only(host, ("foreign", "x;y"))
    assert f"pid {os.getpid()}" in found["text"] and "end that process" in found["cure"], found
    (found,) = expect_only(host, ("foreign", "x;y"))
    assert "pid" not in found["text"] and "netrelayctl revive" in found["cure"], found


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


def test_bridges_of_others(host):
    """A bridge of the host that is down is a fault where it is used, and worth a word elsewhere"""
    links.ip("link", "add", "br7", "type", "bridge")
    host.write_network("lab", LAB)
    links.add_bridge("br0", ["10.9.0.1/24"])
    host.libvirtd()
    host.netrelayd()
    lab.expect_row(host, network="lab", kind="tap", state="connected")
    eventually(lambda: ("bridge-down", "br7") in findings(host, "notice"), 10,
               "a notice")
    assert not findings(host), findings(host)


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


def test_tap_elsewhere(host):
    """The TAP of a network was moved out of its bridge, or into another one; the cure cures

    At its next pass the manager puts back a TAP that is in no bridge, so it may be moved twice."""
    for bridge in ("br0", "br1"):
        links.add_bridge(bridge, ["10.9.0.1/24"])
    host.write_network("lab", LAB)
    host.libvirtd()
    host.netrelayd()
    device = lab.expect_row(host, network="lab", kind="tap", state="connected")["address"]
    expect_only(host)
    for words, where in ((["nomaster"], "none"), (["master", "br1"], "br1")):
        def moved(words=words):
            links.ip("link", "set", device, *words)
            return findings(host).get(("tap-elsewhere", device))
        found = eventually(moved, 10, "it is found")
        assert found["text"].endswith(f"not in bridge br0, but in {where}"), found
        run(["sh", "-c", found["cure"]])
        expect_only(host)
        assert links.members("br0") == [device]


def test_apparmor(host):
    """AppArmor confines libvirt's daemon, and the hook calls a program where it may run none

    Kernels that tests run on may be without AppArmor, so its word on libvirtd is a file of the
    test's, bound over the one in /proc that the doctor reads. What the profile itself lets a hook
    do is looked at by tests/lint/apparmor."""
    daemon = host.libvirtd()
    host.netrelayd()
    label, program = "/run/label", "/usr/local/bin/netrelayctl"
    with open(label, "w") as file:
        file.write("libvirtd (enforce)\n")
    run(["mount", "--bind", label, f"/proc/{daemon.pid}/attr/current"])
    expect_only(host)
    run(["sed", "-i", f"s|^ctl=.*|ctl={program}|", HOOK])
    (found,) = expect_only(host, ("apparmor", program))
    assert "libvirtd (enforce)" in found["text"] and "apparmor.d/local" in found["cure"], found
    with open(label, "w") as file:
        file.write("libvirtd (complain)\n")
    expect_only(host)


def test_failed_and_refused(host):
    """D12: a bridge that is not there; a running guest's network that was stopped; a port that
    is none"""
    host.libvirtd()
    host.write_network("lab", LAB)
    host.write_network("office", f"<network><name>office</name>"
                                 f"<listen address='127.0.0.1' port='{PORT + 1}'/></network>")
    host.netrelayd()
    (found,) = expect_only(host, ("failed", "lab"))
    assert "br0" in found["text"], found
    host.guest("one", [client_nic(PORT + 1, mac(1))]).start()
    lab.expect_row(host, guest="one", state="connected")
    host.netrelayctl("net-destroy", "--force", "office")
    refused, _ = expect_only(host, ("refused", "one"), ("failed", "lab"))
    assert "office is stopped" in refused["text"] and mac(1) in refused["text"], refused
    assert "net-start office" in refused["cure"], refused
    links.add_bridge("br0", ["10.9.0.1/24"])
    expect_only(host, ("refused", "one"))
    host.guest("two", [client_nic(70000, mac(2))]).start()
    _, faulty = expect_only(host, ("refused", "one"), ("refused", "two"))
    assert "70000" in faulty["text"], faulty


@tap.timeout(90)
def test_moved(host):
    """A guest that belongs to another network by now, whose relay does not answer"""
    network = f"<network><name>lab</name><listen address='127.0.0.1' port='{PORT + 1}'/>"
    host.write_network("lab", network + "</network>")
    host.libvirtd()
    host.netrelayd()
    keeper = lab.expect_row(host, network="lab", state="listening")["relay_pid"]
    host.guest("one", [client_nic(PORT, mac(1))]).start()
    lab.expect_row(host, guest="one", state="connected")
    os.kill(keeper, signal.SIGSTOP)
    host.write_network("lab", network + "<match domain='one' type='client'/></network>")
    (found,) = expect_only(host, ("moved", "one"))
    assert f"127.0.0.1:{PORT}" in found["text"] and mac(1) in found["text"], found
    found = eventually(lambda: next((told for told in findings(host).values()
                                     if "lab does not answer" in told["text"]), None), 20,
                       "the relay that does not answer is blamed, and not the guest")
    assert f"kill -CONT {keeper}" in found["cure"], found
    os.kill(keeper, signal.SIGCONT)
    expect_only(host, deadline=30)
    lab.expect_row(host, guest="one", network="lab", state="connected")


@tap.timeout(90)
def test_unreachable(host):
    """A guest that listens and is named, and others have taken the one place that it has"""
    host.libvirtd()
    host.netrelayd()
    host.guest("one", [server_nic(7001, mac(1))]).start()
    lab.expect_row(host, guest="one", state="unconnected")
    for count, words in ((2, "cannot be reached"), (1, f"(pid {os.getpid()})")):
        with contextlib.ExitStack() as others:
            for _ in range(count):      # QEMU serves one, and the kernel lets another one wait
                others.enter_context(socket.create_connection(("127.0.0.1", 7001)))
            host.write_network("lab", "<network><name>lab</name><match domain='one'/></network>")
            (found,) = expect_only(host, ("unreachable", "one"), deadline=30)
            for word in (words, "127.0.0.1:7001", mac(1)):
                assert word in found["text"], found
            if count > 1:
                os.unlink(f"{host.networks_directory}/lab.xml")
                lab.expect_row(host, guest="one", state="unconnected")
    lab.expect_row(host, guest="one", state="connected", deadline=30)
    expect_only(host)


def test_tunnels_within_one_host(host):
    """Two networks of one host that dial each other: no admit= helps; one file for both does"""
    def listens(port):
        return f"<listen address='127.0.0.1' port='{port}' admit='any'/>"

    def network(name, *rest):
        return f"<network><name>{name}</name>{''.join(rest)}</network>"

    def cure_of(name):
        found = findings(host).get(("tunnel", name), {"text": "", "cure": ""})
        return found["cure"] if "on this host" in found["text"] else None

    host.libvirtd()
    for name, ours, theirs in (("lab", PORT, PORT + 1), ("office", PORT + 1, PORT)):
        host.write_network(name, network(name, listens(ours),
                                         f"<peer address='127.0.0.1' port='{theirs}'/>"))
    host.netrelayd()
    for name in ("lab", "office"):
        cure = eventually(lambda: cure_of(name), 20, f"the tunnel of {name}")
        assert "<listen> of both" in cure and "admit='" not in cure, cure
    os.unlink(f"{host.networks_directory}/office.xml")
    host.write_network("lab", network("lab", listens(PORT), listens(PORT + 1)))
    expect_only(host)


def test_loop(host):
    """A network that reaches its own bridge a second time, by a wire that somebody laid"""
    links.add_bridge("br0", ["10.9.0.1/24"])
    host.libvirtd()
    host.write_network("lab", LAB)
    host.netrelayd()
    lab.expect_row(host, network="lab", kind="tap", state="connected")
    expect_only(host)
    wire = host.start_daemon("wire", ["/usr/bin/netrelay", "br0", f"127.0.0.1:{PORT}"],
                             lambda: len(links.members("br0")) == 2)

    def blocked():
        run(["ping", "-c", "1", "-W", "0.2", "10.9.0.77"], check=False)    # a broadcast: its ARP
        return [key for key in findings(host) if key == ("loop", "lab")]

    eventually(blocked, 15, "the loop is found")
    assert "two ways" in findings(host)["loop", "lab"]["cure"]
    wire.stop()
    expect_only(host, deadline=20)


@tap.timeout(60)
def test_session(host):
    """A user without a runtime directory, or with what is none"""
    session = host.session()
    session.netrelayd()
    place = f"/run/user/{uid_of('tester')}"
    (found,) = expect_only(session, ("runtime-directory", place))
    assert "loginctl" in found["cure"], found
    os.makedirs(place)                                  # root's
    expect_only(session, ("runtime-directory", place))
    os.rmdir(place)
    with open(place, "x"):
        shutil.chown(place, "tester")
    expect_only(session, ("runtime-directory", place))


def test_session_with_runtime_dir(host):
    """A user who has one: nothing is found"""
    session = host.session(runtime_dir=True)
    session.netrelayd()
    lab.report(session)
    expect_only(session)


def uid_of(name):
    return int(run(["id", "-u", name]).stdout)


tap.main(PrivateHost())
