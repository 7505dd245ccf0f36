#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The runtime directory, or what is in it, removed under a running manager."""

import os
import shutil
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import lab
import tap
from guest import client_nic
from host import PrivateHost
from lab import PORT, address, mac
from process import accepts, ours, run
from wait import eventually

NAMED = f"""<network><name>lab</name><listen address='127.0.0.1' port='{PORT}'/></network>"""
OFF = "<network><name>off</name><listen address='127.0.0.1' port='2001'/></network>"


def sockets(connection, relays=1):
    """Whether hook, tools and a successor find their way again."""
    place = connection.state_directory
    files = lab.relay_files(connection)
    return (accepts(connection.hook_socket, socket.SOCK_SEQPACKET)
            and accepts(f"{place}/control.sock") and len(files) == relays
            and all(accepts(f"{place}/relays/{name}", socket.SOCK_SEQPACKET) for name in files))


def made_again(connection, daemon, what):
    eventually(lambda: sockets(connection), 15, f"made again: {what}")
    eventually(lambda: "it is made again" in daemon.text(), 5, "it is said")
    assert daemon.text().count("it is made again") == 1, "more than once in a minute"
    assert "GLib" not in daemon.text()


def rights(host):
    """Of the socket that others may ask at."""
    found = os.stat(f"{host.state_directory}/control.sock")
    return found.st_mode, found.st_uid, found.st_gid


def remove(connection, what):
    path = f"{connection.state_directory}/{what}"
    if os.path.isdir(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)


@tap.timeout(120)
def test_removed_directory(host):
    """named guests start, nothing is lost, a successor adopts the relay, nothing is left behind"""
    host.libvirtd()
    host.write_network("lab", NAMED)
    host.write_network("off", OFF)
    daemon = host.netrelayd()
    host.netrelayctl("net-destroy", "off")
    eventually(lambda: sockets(host), 10, "one network is up")
    before = rights(host)
    guests = {1: lab.numbered(host, 1, client_nic(PORT, mac(1)))}
    guests[1].boot()
    relays = ours("netrelay")
    socket_name = lab.relay_files(host)[0]
    # A socket first: after each repair all is looked at once more, which would find it by itself.
    for what in (f"relays/{socket_name}", "", "", "relays", "hook.sock", "control.sock"):
        remove(host, what)
        made_again(host, daemon, what or "the directory")
    assert os.stat(host.state_directory).st_mode & 0o777 == 0o755
    eventually(lambda: rights(host) == before, 5, "the group may ask again")
    eventually(lambda: os.path.exists(f"{host.state_directory}/stopped"), 5, "stopped is noted")
    guests[2] = lab.numbered(host, 2, client_nic(PORT, mac(2)))
    guests[2].boot()
    lab.all_meet(guests)
    flow = guests[1].start_pings(address(2))
    flow.wait_replies(5)
    daemon.restart()
    for number in guests:
        lab.expect_row(host, guest=f"vm{number}", state="connected")
    flow.wait_replies(5)
    sent, received = flow.stop()
    assert sent == received, f"{received} of {sent} pings answered"
    assert ours("netrelay") == relays, "the relays are others"
    for guest in guests.values():
        guest.destroy()
    for name in ("lab", "off"):
        os.unlink(f"{host.networks_directory}/{name}.xml")
    lab.no_relays()
    lab.expect_no_relay_files(host)
    daemon.stop()
    host.expect_nothing_left()


def test_something_in_its_place(host):
    """what cannot be made again is said, and tried until it can"""
    host.write_network("lab", NAMED)
    daemon = host.netrelayd()
    eventually(lambda: sockets(host), 10, "the network is up")
    remove(host, "")
    with open(host.state_directory, "w"):
        pass
    eventually(lambda: "cannot be made again: " in daemon.text(), 10, "it is said")
    assert "is not a directory; remove it" in daemon.text(), daemon.text()
    os.unlink(host.state_directory)
    made_again(host, daemon, "the directory")


@tap.timeout(120)
def test_removed_cache_of_a_session(host):
    """a user empties ~/.cache: the tools find the manager, and a second one does not start"""
    session = host.session()
    daemon = session.netrelayd()
    session.write_network("lab", NAMED)
    eventually(lambda: sockets(session), 15, "the network is up")
    relays = ours("netrelay")
    shutil.rmtree(f"{session.home}/.cache")
    made_again(session, daemon, "~/.cache")
    assert os.stat(session.state_directory).st_mode & 0o777 == 0o700
    second = run(["/usr/sbin/netrelayd"], user=session.user, env=session.env, check=False)
    assert second.returncode == 1 and "another netrelayd is running" in second.stderr, second
    daemon.restart()
    eventually(lambda: sockets(session), 15, "the network is up")
    assert ours("netrelay") == relays, "the relay is another one"


@tap.timeout(120)
def test_removed_while_nobody_runs(host):
    """relays whose sockets went while no manager was there are found by who comes then"""
    host.libvirtd()
    host.write_network("lab", NAMED)
    daemon = host.netrelayd()
    guest = lab.numbered(host, 1, client_nic(PORT, mac(1)))
    guest.start()
    lab.expect_row(host, guest="vm1", state="connected")
    relays = ours("netrelay")
    for what in (f"relays/{lab.relay_files(host)[0]}", ""):
        daemon.kill()
        remove(host, what)
        daemon = host.netrelayd()
        eventually(lambda: sockets(host), 15, f"made again: {what or 'the directory'}")
        lab.expect_row(host, guest="vm1", state="connected")
        assert ours("netrelay") == relays, "the relays are others"
        daemon.kill()       # and what was made again leads to it, too
        daemon = host.netrelayd()
        lab.expect_row(host, guest="vm1", state="connected")
        assert ours("netrelay") == relays, "the relays are others"
        host.netrelayctl("net-destroy", "lab", "--force")       # for a relay of our own making
        lab.no_relays()
        host.netrelayctl("net-start", "lab")
        guest.destroy()
        guest.start()
        lab.expect_row(host, guest="vm1", state="connected")
        relays = ours("netrelay")
    guest.destroy()
    os.unlink(f"{host.networks_directory}/lab.xml")
    lab.no_relays()
    lab.expect_no_relay_files(host)     # a manager that ends leaves them to the next one
    daemon.stop()
    host.expect_nothing_left()


LOSE_SOCKET = """
import os, shutil, socket, sys
listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
listener.bind("/run/netrelay/hook.sock")
listener.listen()
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
if sys.argv[1] == "removed":
    shutil.rmtree("/run/netrelay")
else:
    os.unlink("/run/netrelay/hook.sock")
    left = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    left.bind("/run/netrelay/hook.sock")    # as by a manager that was killed
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.argv[2], sys.argv[2:])
"""


def test_removed_socket_of_systemd(host):
    """one that is handed over, and is nowhere: the manager makes its own, and says so"""
    for how in ("removed", "replaced"):
        os.makedirs(host.state_directory, exist_ok=True)
        daemon = host.netrelayd(wrapper=[sys.executable, "-c", LOSE_SOCKET, how])
        assert f"somebody removed {host.hook_socket}" in daemon.text(), daemon.text()
        host.netrelayctl("hook", "prepare", "--", "a", text_in=(
            "<domain id='1'><name>a</name><uuid>11111111-1111-4111-8111-111111111111</uuid>"
            f"<devices>{client_nic(PORT, mac(1))}</devices></domain>"))
        assert ours("netrelay"), "the hook was not answered by the manager"
        daemon.stop()
        run(["/usr/sbin/netrelayd", "--cleanup"])
        host.expect_nothing_left()


@tap.timeout(120)
def test_renamed_parent(host):
    """a directory above is renamed, of which nobody tells: found with the next look at libvirt"""
    session = host.session()
    session.virsh("list")
    session.write_network("lab", NAMED)
    daemon = session.netrelayd()        # which looks again some seconds after its first look
    os.rename(f"{session.home}/.cache", f"{session.home}/.cache.old")
    eventually(lambda: sockets(session), 90, "made again")
    assert daemon.text().count("it is made again") == 1, daemon.text()
    relays = ours("netrelay")
    daemon.restart()
    eventually(lambda: sockets(session), 15, "the network is up")
    assert ours("netrelay") == relays, "the relay is another one"


tap.main(PrivateHost())
