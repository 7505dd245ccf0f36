#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may ask the manager, and what everybody else is told."""

import grp
import os
import pwd
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import tap
from host import PrivateHost
from process import ours, run
from wait import eventually

INTERFACE = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                         "../../daemon/manager-dbus.xml")
STRANGER = 4711                 # of no database
SOME_GROUP = 4712
CONF = "/etc/netrelay/netrelayd.conf"


def group_id(name):
    return grp.getgrnam(name).gr_gid


def as_process(argv, uid, gid=SOME_GROUP, groups=()):
    """Run by a process with just these credentials, whatever a database says of its user."""
    return subprocess.run(argv, user=uid, group=gid, extra_groups=list(groups), cwd="/",
                          capture_output=True, text=True, timeout=30, check=False,
                          env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": "/"})


def asks(uid, gid=SOME_GROUP, groups=(), words=("status",)):
    return as_process(["/usr/bin/netrelayctl", *words, "--system"], uid, gid, groups)


def answered(result):
    assert result.returncode == 0, result
    return True


def refused(result, *words):
    assert result.returncode == 1 and not result.stdout, result
    assert result.stderr.count("\n") == 1, result.stderr
    for word in words:
        assert word in result.stderr, (word, result.stderr)


def mode_and_group(connection):
    status = os.stat(f"{connection.state_directory}/control.sock")
    return oct(status.st_mode & 0o777), status.st_gid


def settings(text):
    os.makedirs(os.path.dirname(CONF), exist_ok=True)
    with open(CONF, "w") as file:
        file.write(text)


def methods():
    """(interface, method) of all that there are, D-Bus's own among them."""
    with open(INTERFACE) as text:
        own = re.findall(r"<method name='(\w+)'", text.read())
    assert len(own) >= 8, own
    return [*(("org.netrelay.Manager1", name) for name in own),
            *(("org.freedesktop.DBus." + interface, name) for interface, name in (
                ("Introspectable", "Introspect"), ("Peer", "Ping"), ("Properties", "GetAll")))]


# A D-Bus client: path, interface, method, and who it says it is. It calls without arguments, which
# is answered by everybody who answers, if only with an error; and goes on with what is behind it.
CLIENT = """
import os, socket, sys
def pad(data): return data + b"\\0" * (-len(data) % 8)
def field(code, kind, value):
    return bytes([code, 1]) + kind + b"\\0" + len(value).to_bytes(4, "little") + value + b"\\0"
fields = (pad(field(1, b"o", b"/org/netrelay/Manager1")) + pad(field(3, b"s", sys.argv[3].encode()))
          + field(2, b"s", sys.argv[2].encode()))
call = pad(b"l\\1\\0\\1" + (0).to_bytes(4, "little") + (1).to_bytes(4, "little")
           + len(fields).to_bytes(4, "little") + fields)
claimed = sys.argv[4] if len(sys.argv) > 4 else str(os.geteuid())
heard = b""
with socket.socket(socket.AF_UNIX) as s:
    s.settimeout(10)
    s.connect(sys.argv[1])
    try:
        s.sendall(b"\\0AUTH EXTERNAL " + claimed.encode().hex().encode() + b"\\r\\n")
        s.recv(4096)
        s.sendall(b"BEGIN\\r\\n" + call)
        heard = s.recv(65536)
    except ConnectionError:
        pass
"""
SAYING = """
    print("answered" if heard[:2] in (b"l\\2", b"l\\3") else heard or "nothing")
"""
STAYING = """
    assert heard
    print("in", flush=True)
    while s.recv(4096): pass
    print("out")
"""


def is_answered(path, uid, gid, *claimed, groups=(), interface="org.netrelay.Manager1",
                name="Plan"):
    result = as_process(["python3", "-c", CLIENT + SAYING, path, interface, name, *claimed],
                        uid, gid, groups)
    assert result.stdout in ("answered\n", "nothing\n"), result
    return result.stdout == "answered\n"


def test_rights_of_the_group(host):
    """root and members of the group are answered, by any of a process's groups; others not"""
    host.netrelayd()
    libvirt = group_id("libvirt")
    assert mode_and_group(host) == ("0o660", libvirt)
    answered(asks(0, 0))
    answered(asks(STRANGER, libvirt))
    answered(asks(STRANGER, SOME_GROUP, [1, SOME_GROUP, libvirt]))
    answered(asks(STRANGER, libvirt, words=("reload",)))
    refused(asks(STRANGER), "group libvirt")
    refused(asks(STRANGER, SOME_GROUP, range(5000, 5100)), "group libvirt")
    refused(asks(pwd.getpwnam("libvirt-qemu").pw_uid, group_id("kvm")), "group libvirt")
    refused(asks(pwd.getpwnam("netrelay").pw_uid, group_id("netrelay")), "group libvirt")


def test_rights_cure(host):
    """Who is refused is told how to get in; whose login is older than the membership, that"""
    host.netrelayd()
    tester = pwd.getpwnam("tester")
    refused(asks(tester.pw_uid, tester.pw_gid), "usermod -aG libvirt tester", "log in again")
    run(["usermod", "-aG", "libvirt", "tester"])
    refused(asks(tester.pw_uid, tester.pw_gid), "tester has been added", "log in again")
    answered(run(["/usr/bin/netrelayctl", "status", "--system"], user="tester"))


def test_rights_at_every_method(host):
    """No method, no description and so no signal for strangers, even where the file lets them in"""
    host.netrelayd()
    path = f"{host.state_directory}/control.sock"
    libvirt = group_id("libvirt")
    for interface, name in methods():
        os.chmod(path, 0o666)           # Reload puts it right
        call = {"interface": interface, "name": name}
        assert not is_answered(path, STRANGER, SOME_GROUP, **call), call
        assert is_answered(path, STRANGER, libvirt, **call), call
    assert not is_answered(path, STRANGER, SOME_GROUP, "0"), "who claims to be root is not"
    others = [group for group in range(1, 3000) if group != libvirt]
    assert not is_answered(path, STRANGER, SOME_GROUP, groups=others)
    assert is_answered(path, STRANGER, SOME_GROUP, groups=[*others, libvirt])
    assert is_answered(path, 0, 0)


def test_rights_of_the_other_sockets(host):
    """The hook's socket and the relays' are root's alone, also for the group"""
    host.netrelayd()
    host.write_network("lab", "<network><name>lab</name><listen port='12345'/></network>")
    host.netrelayctl("reload")
    eventually(lambda: ours("netrelay"), 10, "a relay")
    relays = f"{host.state_directory}/relays"
    assert os.stat(relays).st_mode & 0o777 == 0o700
    names = [f"{relays}/{name}" for name in os.listdir(relays)]
    assert names
    probe = ("import socket, sys; s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); "
             "s.connect(sys.argv[1])")
    for path in (host.hook_socket, *names):
        assert not os.stat(path).st_mode & 0o077, path
        result = as_process(["python3", "-c", probe, path], STRANGER, group_id("libvirt"))
        assert "PermissionError" in result.stderr, (path, result)
    by_name = ["/usr/bin/netrelayctl", "--system", "--relay", "lab"]
    member = (STRANGER, group_id("libvirt"))
    assert "listen:*:12345" in as_process([*by_name, "status"], *member).stdout
    refused(as_process([*by_name, "stop"], *member), "may look")
    refused(as_process([*by_name, "status"], STRANGER), "group libvirt")
    # Where the files let everybody in, the credentials say no.
    os.chmod(relays, 0o755)
    for path in (host.hook_socket, *names):
        os.chmod(path, 0o666)
        result = as_process(["python3", "-c", probe + "; s.settimeout(10); print(s.recv(9))",
                             path], STRANGER, group_id("libvirt"))
        assert result.stdout == "b''\n" or "ConnectionReset" in result.stderr, (path, result)


def test_rights_are_settings(host):
    """Another group, none, and one that does not exist: from the next reload on"""
    daemon = host.netrelayd()
    libvirt, adm = group_id("libvirt"), group_id("adm")
    path = f"{host.state_directory}/control.sock"
    member = subprocess.Popen(["python3", "-c", CLIENT + STAYING, path,
                               "org.netrelay.Manager1", "Plan"], user=STRANGER, group=libvirt,
                              extra_groups=[], stdout=subprocess.PIPE, text=True)
    assert member.stdout.readline() == "in\n"
    settings("[control]\ngroup=adm\n")
    host.netrelayctl("reload")
    assert member.stdout.read() == "out\n", "who was connected is put out"
    assert member.wait(10) == 0
    assert mode_and_group(host) == ("0o660", adm)
    refused(asks(STRANGER, libvirt), "group adm")
    answered(asks(STRANGER, adm))
    settings("[control]\ngroup=\n")
    host.netrelayctl("reload")
    assert mode_and_group(host) == ("0o600", 0)
    refused(asks(STRANGER, adm), "answers root only", "[control]")
    settings("[control]\ngroup=wheels\n")
    host.netrelayctl("reload")
    assert "there is no group wheels" in daemon.text(), daemon.text()
    assert mode_and_group(host) == ("0o600", 0)
    refused(asks(STRANGER, libvirt), "answers root only")
    settings("[control]\ngroup=libvirt\n")
    host.netrelayctl("reload")
    answered(asks(STRANGER, libvirt))


def test_rights_to_write(host):
    """The group may ask; network files stay root's, and one hears so"""
    host.netrelayd()
    with host.file_with("<network><name>lab</name></network>") as path:
        os.chmod(path, 0o644)
        refused(asks(STRANGER, group_id("libvirt"), words=("net-define", path)), "root's to write")
    host.write_network("lab", "<network><name>lab</name></network>")
    host.netrelayctl("reload")
    refused(asks(STRANGER, group_id("libvirt"), words=("net-undefine", "lab")), "root's to write")


def test_rights_without_a_capability(host):
    """Without CAP_CHOWN all is the same; without CAP_SETGID, root is served"""
    daemon = host.netrelayd(wrapper=["setpriv", "--bounding-set", "-chown"])
    assert mode_and_group(host) == ("0o660", group_id("libvirt"))
    daemon.stop()
    daemon = host.netrelayd(wrapper=["setpriv", "--bounding-set", "-chown,-setgid"])
    assert "its group cannot be set" in daemon.text(), daemon.text()
    answered(asks(0, 0))
    refused(asks(STRANGER, group_id("libvirt")), "answers root only")


def test_rights_of_a_session(host):
    """A user's manager is for that user, and for root; not for the group, nor for another user"""
    session = host.session(runtime_dir=True)
    config = f"{session.home}/.config/netrelay"
    session.make_directory(config)
    with open(f"{config}/netrelayd.conf", "w") as file:
        file.write("[control]\ngroup=libvirt\n")
    session.netrelayd()
    assert mode_and_group(session) == ("0o600", pwd.getpwnam("tester").pw_gid)
    answered(session.netrelayctl("status"))
    where = ["/usr/bin/netrelayctl", "status", "--socket", session.state_directory]
    libvirt = group_id("libvirt")
    refused(as_process(where, STRANGER, libvirt), "another user's")
    os.chmod(f"/run/user/{pwd.getpwnam('tester').pw_uid}", 0o755)
    refused(as_process(where, STRANGER, libvirt), "as tester")
    os.chmod(session.state_directory, 0o755)
    refused(as_process(where, STRANGER, libvirt), "as tester")
    path = f"{session.state_directory}/control.sock"
    os.chmod(path, 0o666)
    assert not is_answered(path, STRANGER, libvirt)
    assert is_answered(path, 0, 0)


if __name__ == "__main__":
    tap.main(PrivateHost())
