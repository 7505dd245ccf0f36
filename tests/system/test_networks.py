#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Network files by command: net-define, net-undefine, net-dumpxml, net-edit."""

import os
import stat
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import lab
import tap
from host import PrivateHost
from lab import PORT
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


def refused(answer, *words):
    """It failed with one sentence that has these words."""
    assert answer.returncode == 1 and not answer.stdout.strip(), answer
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
    assert os.listdir("/run/edited") == []


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


tap.main(PrivateHost())
