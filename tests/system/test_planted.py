#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What others may have put where the manager keeps its sockets, before it was there."""

import os
import shutil
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import lab
import tap
from guest import client_nic
from host import PrivateHost
from lab import PORT, mac
from process import ours, run

TRAP = "/var/lib/trap"          # what a planted link leads to


def trap():
    os.makedirs(f"{TRAP}/relays", exist_ok=True)
    with open(f"{TRAP}/file", "w") as file:
        file.write("untouched")


def untouched():
    assert sorted(os.listdir(TRAP)) == ["file", "relays"] and not os.listdir(f"{TRAP}/relays")
    with open(f"{TRAP}/file") as file:
        assert file.read() == "untouched"


def link_for_directory(path):
    os.symlink(TRAP, path)


def directory_of_another(path):
    os.mkdir(path)
    shutil.chown(path, "tester")


def directory_for_all(path):
    os.mkdir(path)
    os.chmod(path, 0o777)


def file_for_directory(path):
    with open(path, "w"):
        pass


def test_planted_directories(host):
    """D8: a link, another's directory, one for all, a file: refused, named, and not gone into"""
    trap()
    for plant, word in ((link_for_directory, "is not a directory"),
                        (directory_of_another, "belongs to another user"),
                        (directory_for_all, "can be written by other users"),
                        (file_for_directory, "is not a directory")):
        for path in (host.state_directory, f"{host.state_directory}/relays"):
            shutil.rmtree(host.state_directory, ignore_errors=True)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            plant(path)
            result = run(["/usr/sbin/netrelayd"], check=False, deadline=10)
            assert result.returncode != 0, (plant.__name__, path)
            for expected in (path, word, "remove it"):
                assert expected in result.stderr, (plant.__name__, result.stderr)
            untouched()
            if not os.path.isdir(path) or os.path.islink(path):
                os.unlink(path)
    assert not ours()


@tap.timeout(90)
def test_planted_sockets(host):
    """D8: names in the directory that lead elsewhere are replaced, and what they lead to stays"""
    trap()
    os.makedirs(f"{host.state_directory}/relays", 0o755)
    os.chmod(f"{host.state_directory}/relays", 0o700)
    for name in ("hook.sock", "control.sock", "relays/lab.sock", "relays/0.sock"):
        os.symlink(f"{TRAP}/file", f"{host.state_directory}/{name}")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as nobody:
        nobody.bind(f"{host.state_directory}/relays/nobody.sock")
    host.libvirtd()
    host.write_network("lab", f"<network><name>lab</name><listen port='{PORT}'/></network>")
    host.netrelayd()
    guest = lab.numbered(host, 1, client_nic(PORT, mac(1)))
    guest.start()
    lab.expect_row(host, guest="vm1", network="lab", state="connected")
    untouched()
    left = [name for name in lab.relay_files(host)
            if os.path.islink(f"{host.state_directory}/relays/{name}")]
    assert not left, left
    assert "nobody.sock" not in lab.relay_files(host)


tap.main(PrivateHost())
