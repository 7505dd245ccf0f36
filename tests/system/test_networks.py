#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks by command: their files, and whether they are there."""

import json
import os
import stat
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import lab
import links
import tap
from guest import client_nic
from host import PrivateHost
from lab import PORT, mac
from process import run
from wait import eventually


def network(name="lab", port=PORT, rest=""):
    return (f"<network><!-- ours -->\n  <name>{name}</name>\n"
            f"  <listen address='127.0.0.1' port='{port}'/>{rest}\n</network>\n")


def define(connection, text, check=True):
    with connection.file_with(text) as path:
        return connection.netrelayctl("net-define", path, check=check)


def read(path):
    with open(path) as file:
        return file.read()


def refused(answer, *words, out=""):
    """It failed with one sentence that has these words, and printed what was asked for."""
    assert answer.returncode == 1 and bool(answer.stdout.strip()) == bool(out), answer
    assert out in answer.stdout, answer
    assert len(answer.stderr.splitlines()) == 1, answer.stderr
    for word in words:
        assert word in answer.stderr, (word, answer.stderr)


def files(connection):
    return sorted(os.listdir(connection.networks_directory))


def test_define_dump_undefine(host):
    """A network comes, is shown as it was written, is redefined in its place, and goes"""
    host.libvirtd()
    host.netrelayd()
    answer = define(host, network())
    assert answer.stdout.startswith("Network lab defined from "), answer
    lab.expect_row(host, network="lab", state="listening", address=f"127.0.0.1:{PORT}")
    path = f"{host.networks_directory}/lab.xml"
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o644
    assert host.netrelayctl("net-dumpxml", "lab").stdout == network()
    os.rename(path, f"{host.networks_directory}/10-ours.xml")
    define(host, network(port=PORT + 1))
    assert files(host) == ["10-ours.xml"], "a network has one file, whatever that is called"
    lab.expect_row(host, network="lab", state="listening", address=f"127.0.0.1:{PORT + 1}")
    answer = host.netrelayctl("net-undefine", "lab")
    assert answer.stdout == "Network lab has been undefined\n", answer
    assert files(host) == []
    lab.no_relays()
    refused(host.netrelayctl("net-undefine", "lab", check=False), "no network 'lab'")
    refused(host.netrelayctl("net-dumpxml", "lab", check=False), "no network 'lab'")


def test_faults_change_nothing(host):
    """What is faulty, or has what another one has, is refused by file, line and element"""
    host.netrelayd()
    define(host, network())
    before = lab.expect_row(host, network="lab", state="listening")
    refused(define(host, network(rest="<bridge nam='br0'/>"), check=False),
            ".xml:3: <bridge>: attribute 'nam'", "expected")
    refused(define(host, network("other"), check=False), f"127.0.0.1:{PORT}", "lab")
    refused(define(host, "<network><name>../../evil</name></network>", check=False), "<name>")
    refused(host.netrelayctl("net-define", "/nowhere.xml", check=False), "/nowhere.xml")
    refused(host.netrelayctl("net-undefine", "../netrelayd", check=False), "no network")
    os.rename(f"{host.networks_directory}/lab.xml", f"{host.networks_directory}/office.xml")
    refused(define(host, network("office", PORT + 1), check=False), "office.xml", "lab")
    assert files(host) == ["office.xml"] and read(
        f"{host.networks_directory}/office.xml") == network()
    assert os.path.exists("/etc/netrelay/netrelayd.conf")
    assert lab.expect_row(host, network="lab", state="listening") == before


def test_faulty_file_is_mended(host):
    """A file that the manager refused is shown, edited and removed by its name all the same"""
    host.netrelayd()
    host.write_network("lab", "<network><name>lab</name><bridge/></network>")
    assert "<bridge/>" in host.netrelayctl("net-dumpxml", "lab").stdout
    host.env["EDITOR"] = "sed -i s,<bridge/>,,"
    host.netrelayctl("net-edit", "lab")
    define(host, network())
    lab.expect_row(host, network="lab", state="listening")


def test_edit(host):
    """An editor with words of its own; what it leaves as it was is not written"""
    host.netrelayd()
    define(host, network())
    host.env["TMPDIR"] = "/run/edited"
    os.mkdir("/run/edited")
    host.env["EDITOR"] = "true"
    answer = host.netrelayctl("net-edit", "lab")
    assert answer.stdout == "Network lab XML configuration not changed.\n", answer
    host.env["EDITOR"] = "false"
    refused(host.netrelayctl("net-edit", "lab", check=False), "editor")
    host.env["VISUAL"] = f"sed -i s/{PORT}/{PORT + 1}/"
    answer = host.netrelayctl("net-edit", "lab")
    assert answer.stdout == "Network lab XML configuration edited.\n", answer
    lab.expect_row(host, network="lab", state="listening", address=f"127.0.0.1:{PORT + 1}")
    host.env["VISUAL"] = "sed -i s/lab/office/"
    renamed = host.netrelayctl("net-edit", "lab", check=False)
    assert renamed.returncode == 1 and "network lab" in renamed.stderr, renamed
    assert files(host) == ["lab.xml"] and os.listdir("/run/edited") == []


def test_edit_again(host):
    """A mistake is said, and one's own text can be mended; or nothing is changed"""
    host.netrelayd()
    define(host, network())
    script = "/run/editor"
    with open(script, "w") as file:
        file.write(f"#!/bin/sh\n"
                   f"if grep -q 99999 \"$1\"; then sed -i s/99999/{PORT + 2}/ \"$1\"\n"
                   f"else sed -i s/{PORT}/99999/ \"$1\"; fi\n")
    os.chmod(script, 0o755)
    host.env["EDITOR"] = script
    for words in ("n\n", ""):
        answer = host.netrelayctl("net-edit", "lab", check=False, text_in=words)
        assert answer.returncode == 1 and "lab.xml:3: <listen>: port 99999" in answer.stderr, answer
        assert host.netrelayctl("net-dumpxml", "lab").stdout == network()
    answer = host.netrelayctl("net-edit", "lab", text_in="what\ny\n")
    assert "configuration edited" in answer.stdout, answer
    lab.expect_row(host, network="lab", state="listening", address=f"127.0.0.1:{PORT + 2}")


def test_two_who_edit(host):
    """What somebody else wrote while the editor was open is not lost"""
    define(host, network())
    path = f"{host.networks_directory}/lab.xml"
    other = network(port=PORT + 1)
    host.env["EDITOR"] = "/run/editor"
    with open("/run/editor", "w") as file:
        file.write(f"#!/bin/sh\nsed -i s/{PORT}/{PORT + 5}/ \"$1\"\n"
                   f"sed -i s/{PORT}/{PORT + 1}/ {path}\n")
    os.chmod("/run/editor", 0o755)
    answer = host.netrelayctl("net-edit", "lab", check=False)
    assert answer.returncode == 1 and "somebody else" in answer.stderr, answer
    assert read(path) == other


def test_without_manager(host):
    """Files are written all the same, which is said, and the manager finds them when it starts"""
    answer = define(host, network())
    assert answer.returncode == 0 and "not running" in answer.stderr, answer
    host.netrelayd()
    lab.expect_row(host, network="lab", state="listening")


def test_other_folder(host):
    """The manager says where its network files are"""
    os.makedirs("/run/networks")
    host.netrelayd("--networks", "/run/networks")
    define(host, network())
    assert os.listdir("/run/networks") == ["lab.xml"]
    lab.expect_row(host, network="lab", state="listening")


def test_session(host):
    """A user's networks are the user's; root's are not for others to change"""
    session = host.session("tester")
    session.netrelayd()
    define(session, network())
    assert files(session) == ["lab.xml"]
    lab.expect_row(session, network="lab", state="listening")
    with session.file_with(network("mine", PORT + 1)) as path:
        answer = session.netrelayctl("--system", "net-define", path, check=False)
    assert answer.returncode == 1 and files(host) == [], answer
    session.netrelayctl("net-undefine", "lab")
    eventually(lambda: not lab.rows(session, network="lab"), 10, "the network is gone")


def listed(connection, *options):
    """net-list: {name: (state, autostart)}."""
    found = json.loads(connection.netrelayctl("net-list", "--json", *options).stdout)
    return {row["name"]: (row["state"], row["autostart"]) for row in found["networks"]}


def test_list(host):
    """Active ones, inactive ones, all; with files, for people and for programs"""
    host.libvirtd()
    host.netrelayd()
    define(host, network())
    define(host, network("office", PORT + 1))
    host.netrelayctl("net-destroy", "office")
    host.netrelayctl("net-autostart", "--disable", "lab")
    lab_row, office_row = ("active", False), ("inactive", True)
    assert listed(host) == {"lab": lab_row}
    assert listed(host, "--inactive") == {"office": office_row}
    assert listed(host, "--all") == {"lab": lab_row, "office": office_row}
    table = host.netrelayctl("net-list", "--all").stdout.splitlines()
    assert table[0].split() == ["NAME", "STATE", "AUTOSTART", "FILE"], table
    assert table[1].split() == ["lab", "active", "no", "/etc/netrelay/networks/lab.xml"], table
    assert host.netrelayctl("complete", "--", "net-start", "o").stdout == "office\n"
    assert "lab" in host.netrelayctl("complete", "--", "--relay", "").stdout.split()
    host.write_network("lab", "<network>")
    host.netrelayctl("reload", check=False)
    assert listed(host) == {"lab": lab_row}, "its file is faulty, and the network goes on"


def test_list_without_manager(host):
    """What the files say, and that nobody knows the rest"""
    define(host, network())
    answer = host.netrelayctl("net-list")
    assert "unknown" in answer.stdout and "not running" in answer.stderr, answer


def test_destroy_without_libvirt(host):
    """What a person stops goes, also while libvirt's list of guests has not come; what we connect
    to is no reason to refuse it"""
    host.netrelayd()
    with host.file_with(network(rest="<bridge name='br0'/>")) as path:
        said = host.netrelayctl("net-define", path).stderr
    assert said.startswith("netrelayctl: network lab: bridge br0 does not exist;"), said
    links.add_bridge("br0")
    lab.expect_row(host, network="lab", kind="tap", state="connected")
    host.netrelayctl("net-destroy", "lab")
    lab.no_relays(deadline=3)
    host.netrelayctl("net-start", "lab")
    lab.expect_row(host, network="lab", state="listening")


def test_destroy_and_start(host):
    """Stopped means stopped: through a restart and SIGKILL of the manager, until it is started"""
    host.libvirtd()
    manager = host.netrelayd()
    define(host, network())
    assert host.netrelayctl("net-destroy", "lab").stdout == "Network lab destroyed\n"
    lab.no_relays()
    (row,) = lab.rows(host)
    assert row["network"] == "lab" and row["state"] == "stopped", row
    assert "net-start lab" in row["reason"] and "stopped" in host.netrelayctl("status").stdout
    refused(host.netrelayctl("net-destroy", "lab", check=False), "lab is not active")
    refused(host.netrelayctl("net-destroy", "--force", "nowhere", check=False), "'nowhere'")
    manager.kill()
    manager.start()
    assert listed(host, "--all") == {"lab": ("inactive", True)}
    guest = host.guest("vm1", [client_nic(PORT, mac(1))])
    for end in (None, manager.kill):
        if end:
            end()
        code, words, _ = guest.try_start()
        assert code != 0 and "network lab is stopped; netrelayctl net-start lab" in words, words
        with host.file_with(host.virsh("dumpxml", "vm1").stdout) as path:
            refused(host.netrelayctl("plan", "--xml", path, check=False), "refused", out="stopped")
    manager.start()
    assert host.netrelayctl("net-start", "lab").stdout == "Network lab started\n"
    refused(host.netrelayctl("net-start", "lab", check=False), "lab is active already")
    lab.expect_row(host, network="lab", state="listening")
    manager.kill()
    manager.start()
    assert listed(host) == {"lab": ("active", True)}


@tap.timeout(90)
def test_destroy_beside_guests(host):
    """A network that guests have dialled is stopped only by force; then nothing of it is left"""
    host.libvirtd()
    host.netrelayd()
    define(host, network())
    guests = {n: lab.numbered(host, n, client_nic(PORT, mac(n))) for n in (1, 2)}
    lab.start_all(guests)
    lab.all_meet(guests)
    host.guest("vm3", [client_nic(PORT, mac(n)) for n in (3, 4)]).start()
    for number in (3, 4):
        lab.expect_row(host, mac=mac(number), state="connected")
    for port, rest in ((PORT, ""), (PORT + 1, "<match type='client'/>")):
        define(host, network(port=port, rest=rest))     # the listener goes that they came through
        answer = host.netrelayctl("net-destroy", "lab", check=False)
        refused(answer, "vm1", "vm2", "--force")
        assert answer.stderr.count("vm3") == 1, answer
    lab.expect_row(host, network="lab", state="listening", address=f"127.0.0.1:{PORT + 1}")
    refused(host.netrelayctl("net-destroy", "lab", check=False), "vm1", "vm2", "--force")
    define(host, network())
    lab.all_meet(guests)
    cut_off = host.netrelayctl("net-destroy", "lab", "--force").stderr
    assert "revive vm1" in cut_off and "revive vm2" in cut_off, cut_off
    lab.no_relays()
    row = lab.expect_row(host, guest="vm1", state="refused")
    assert "net-start lab" in row["reason"], row
    cut_off = host.netrelayctl("net-start", "lab").stderr
    assert "revive vm1" in cut_off and "revive vm2" in cut_off, cut_off
    row = lab.expect_row(host, guest="vm1", state="waiting")
    assert "was cut off when a person stopped the network" in row["reason"], row
    guests[1].destroy()
    guests[1].start()
    lab.expect_row(host, guest="vm1", state="connected")


def test_start_that_fails(host):
    """A network whose bridge is not there is started, and one hears what is missing"""
    host.libvirtd()
    host.netrelayd()
    host.write_network("lab", network(rest="<bridge name='br7'/>"))
    host.netrelayctl("reload")
    host.netrelayctl("net-destroy", "lab")
    refused(host.netrelayctl("net-start", "lab", check=False), "br7")
    assert listed(host) == {"lab": ("active", True)}


def test_corrected(host):
    """What failed many times is tried at once when its file is corrected"""
    links.add_bridge("br0", ["192.0.2.1/24"])
    host.netrelayd()
    subnet = "<bridge name='br7'/><ip address='{}' prefix='24'/>"
    host.write_network("lab", network(rest=subnet.format("192.0.2.77")))
    for _ in range(6):                  # each time the next try by itself is twice as far away
        host.netrelayctl("reload")
        assert lab.expect_row(host, kind="host", state="failed")["reason"], "it is said"
    host.write_network("lab", network(rest=subnet.format("192.0.3.77")))
    host.netrelayctl("reload")
    assert lab.rows(host, kind="host", state="set"), lab.rows(host, kind="host")


def test_autostart(host):
    """Off: what runs goes on, also with another manager; the next boot begins without it"""
    host.libvirtd()
    manager = host.netrelayd()
    define(host, network())
    answer = host.netrelayctl("net-autostart", "lab", "--disable")
    assert answer.stdout == "Network lab unmarked as autostarted\n", answer
    mark = "/etc/netrelay/networks/no-autostart/lab"
    assert "net-autostart" in read(mark)
    assert listed(host) == {"lab": ("active", False)}
    manager.kill()
    manager.start()
    assert listed(host) == {"lab": ("active", False)}

    def boot():
        manager.stop()
        run(["netrelayd", "--cleanup"])
        manager.start()

    boot()
    assert listed(host, "--all") == {"lab": ("inactive", False)}
    host.netrelayctl("net-start", "lab")
    manager.kill()
    manager.start()
    assert listed(host) == {"lab": ("active", False)}
    answer = host.netrelayctl("net-autostart", "lab")
    assert answer.stdout == "Network lab marked as autostarted\n" and not os.path.exists(mark)
    boot()
    assert listed(host) == {"lab": ("active", True)}
    host.netrelayctl("net-autostart", "lab", "--disable")
    host.netrelayctl("net-undefine", "lab")
    assert not os.path.exists(os.path.dirname(mark)), "what is empty is in nobody's way"
    refused(host.netrelayctl("net-autostart", "lab", check=False), "no network 'lab'")


def test_bridge_of_a_session(host):
    """A user's network with a bridge is kept as it is, and one hears what will not be"""
    session = host.session("tester")
    session.netrelayd()
    answer = define(session, network(rest="<bridge name='br0'/>"))
    assert "br0" in answer.stderr and "system's manager" in answer.stderr, answer
    assert not define(session, network()).stderr


def test_autostart_in_a_home(host):
    """A user without a directory in /run: what is of another boot does not count"""
    session = host.session("tester")
    manager = session.netrelayd()
    define(session, network())
    define(session, network("office", PORT + 1))
    session.netrelayctl("net-destroy", "office")
    session.netrelayctl("net-autostart", "--disable", "lab")
    note = f"{session.state_directory}/stopped"
    manager.stop()
    with open("/proc/sys/kernel/random/boot_id") as file:
        boot = file.read()
    assert read(note) == boot + "office\n"
    with open(note, "w") as file:
        file.write("another\noffice\n")
    manager.start()
    assert listed(session, "--all") == {"lab": ("inactive", False), "office": ("active", True)}


def test_nothing_is_left(host):
    """Once nothing is stopped, there is no trace of it; and cleaning up takes what there is"""
    host.libvirtd()
    manager = host.netrelayd()
    define(host, network())
    host.netrelayctl("net-destroy", "lab")
    assert os.path.exists("/run/netrelay/stopped")
    host.netrelayctl("net-start", "lab")
    assert not os.path.exists("/run/netrelay/stopped")
    host.netrelayctl("net-destroy", "lab")
    manager.stop()
    run(["netrelayd", "--cleanup"])
    assert not os.path.exists("/run/netrelay")


tap.main(PrivateHost())
