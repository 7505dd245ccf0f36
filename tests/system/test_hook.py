#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The hook: a barrier for guests that somebody names, and nothing at all for all others."""

import os
import re
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import lab
import tap
from guest import client_nic, server_nic, udp_nic
from host import PrivateHost
from lab import PORT, mac
from process import run
from wait import eventually

HOOK = "/etc/libvirt/hooks/qemu.d/50-netrelay"
LAB = f"<network><name>lab</name><listen address='127.0.0.1' port='{PORT}'/></network>"
LAB_BRIDGE = """<network><name>lab</name>
<bridge name='br9'/><match domain='vm1' type='client'/></network>"""
# Starting a guest without any network of ours takes some 1.5 s here; libvirt's own work.
UNDELAYED = 8


def listener(port, address="127.0.0.1", kind=socket.SOCK_STREAM):
    """A foreign process's socket: this test's own."""
    holder = socket.socket(socket.AF_INET, kind)
    holder.bind((address, port))
    if kind == socket.SOCK_STREAM:
        holder.listen()
    return holder


def own_name():
    """What the kernel calls this process."""
    with open("/proc/self/comm") as text:
        return text.read().strip()


def one_sentence(stderr):
    """What the hook said: the one line of it that libvirt shows behind the exit status."""
    match = re.search(r"unexpected exit status \d+: (.*)", stderr, re.DOTALL)
    assert match, f"no word of the hook in {stderr!r}"
    lines = [line for line in match.group(1).splitlines() if line.strip()]
    assert len(lines) == 1, f"more than one line: {lines}"
    return lines[0]


def refused(guest, *words):
    """The guest's start fails with one sentence that has all these words."""
    started = guest.try_start()
    assert started.rc != 0, f"{guest.name} started"
    sentence = one_sentence(started.stderr)
    missing = [word for word in words if word not in sentence]
    assert not missing, f"{missing} not in {sentence!r}"
    assert guest.state() == "shut off"
    return started


def starts(guest):
    started = guest.try_start()
    assert started.rc == 0, started.stderr
    assert started.seconds < UNDELAYED, f"took {started.seconds} s"
    return guest


def client(host, number, **details):
    return lab.numbered(host, number, client_nic(PORT, mac(number)), **details)


def test_hook_port_taken(host):
    """A named address that another process holds: refused with guest, NIC, address, holder"""
    host.libvirtd()
    host.write_network("lab", LAB)
    with listener(PORT):
        host.netrelayd()
        refused(client(host, 1), "vm1", mac(1), f"127.0.0.1:{PORT}", own_name(),
                f"pid {os.getpid()}")
    # Free again: the next start is served, without a restart of anything.
    eventually(lambda: host.guests[0].try_start().rc == 0, 60, "the guest starts")


def test_hook_bridge_missing(host):
    """A named bridge that is not there"""
    host.libvirtd()
    host.write_network("lab", LAB_BRIDGE)
    host.netrelayd()
    refused(client(host, 1), "vm1", "lab", "br9")


def test_hook_network_missing(host):
    """Metadata that names a network which is not there"""
    host.libvirtd()
    host.netrelayd()
    wish = lab.metadata(f"mac='{mac(1)}' network='nowhere'")
    refused(client(host, 1, metadata=wish), "vm1", mac(1), "nowhere")


def test_hook_metadata_broken(host):
    """Metadata of ours that cannot be read: said with what was expected"""
    host.libvirtd()
    host.netrelayd()
    wish = lab.metadata(f"mac='{mac(1)}' netwrok='lab'")
    refused(client(host, 1, metadata=wish), "vm1", "netwrok")


def test_hook_manager_dead_and_named(host):
    """No manager, and a file names the NIC: refused, with how to start it"""
    host.libvirtd()
    host.write_network("lab", LAB)
    assert refused(client(host, 1), "vm1", mac(1), "lab", "netrelayd").seconds < UNDELAYED


def test_hook_manager_dead_and_unnamed(host):
    """No manager: what nobody names starts as ever, undelayed"""
    host.libvirtd()
    host.write_network("other", LAB.replace("lab", "other").replace(str(PORT), "1"))
    starts(client(host, 1))
    starts(host.guest("vm2"))


def test_hook_manager_stopped(host):
    """A manager under SIGSTOP: the named guest gets its sentence, the others start"""
    host.libvirtd()
    host.write_network("lab", LAB)
    host.netrelayd().freeze()
    refused(client(host, 1), "vm1", "lab", "netrelayd")
    starts(host.guest("vm2"))
    starts(lab.numbered(host, 3, client_nic(PORT + 1, mac(3))))


def test_hook_manager_crashed(host):
    """A manager killed with its sockets left behind"""
    host.libvirtd()
    host.write_network("lab", LAB)
    host.netrelayd().kill()
    refused(client(host, 1), "vm1", "lab", "netrelayd")
    starts(host.guest("vm2"))


def test_hook_package_removed(host):
    """The hook's file alone is left of the package: as if it had never been there"""
    host.libvirtd()
    host.write_network("lab", LAB)
    os.unlink("/usr/bin/netrelayctl")
    starts(client(host, 1))


def test_hook_foreign_listener(host):
    """D14: another process serves the address of an implicit client: left alone, shown"""
    host.libvirtd()
    with listener(PORT) as server:
        host.netrelayd()
        starts(client(host, 1))
        server.settimeout(20)
        server.accept()[0].close()
        row = lab.expect_row(host, guest="vm1", state="foreign")
        assert own_name() in row["reason"], row


def test_hook_foreign_listener_restarts(host):
    """D14: its address stays free for it while it is away for a moment"""
    host.libvirtd()
    server = listener(PORT)
    daemon = host.netrelayd()
    starts(client(host, 1))
    lab.expect_row(host, guest="vm1", state="foreign")
    server.close()
    host.netrelayctl("reload")
    daemon.signal(1)
    host.netrelayctl("reload")
    listener(PORT).close()


def test_hook_conflict_of_two_guests(host):
    """Two running guests that would bind one address: the second is refused, with both names"""
    host.libvirtd()
    host.netrelayd()
    starts(lab.numbered(host, 1, server_nic(23456, mac(1))))
    refused(lab.numbered(host, 2, server_nic(23456, mac(2))), "vm1", "vm2", "23456")
    starts(lab.numbered(host, 3, udp_nic(5601, 5602, mac(3))))
    refused(lab.numbered(host, 4, udp_nic(5603, 5602, mac(4))), "vm3", "vm4", "5602")


@tap.timeout(120)
def test_hook_wrong_addresses(host):
    """Addresses that cannot be served: explained; refused only where somebody names the NIC"""
    host.libvirtd()
    host.write_network("lab", "<network><name>lab</name>"
                              "<match domain='named*' type='client'/></network>")
    host.netrelayd()
    for number, (where, port, word) in enumerate([("127.0.0.1", 70000, "70000"),
                                                  ("127.0.0.1", 0, "port 0")], 1):
        nic = client_nic(port, mac(number), address=where)
        starts(host.guest(f"vm{number}", [nic])).destroy()
        refused(host.guest(f"named{number}", [nic]), f"named{number}", word)
    # QEMU itself does not start with these; the reason is ours where we are asked.
    for number, (where, word) in enumerate([("", "address ''"), ("::1", "IPv4")], 5):
        refused(host.guest(f"named{number}", [client_nic(PORT, mac(number), address=where)]),
                f"named{number}", word)


def test_hook_host_name(host):
    """A host name is a legal address"""
    host.libvirtd()
    host.netrelayd()
    guests = {n: lab.numbered(host, n, client_nic(PORT, mac(n), address="localhost"))
              for n in (1, 2)}
    lab.start_all(guests)
    lab.all_meet(guests)


@tap.timeout(120)
def test_hook_names_are_data(host):
    """D5: names with blanks, quotes, shell words, control bytes"""
    host.libvirtd()
    host.write_network("lab", LAB)
    daemon = host.netrelayd()
    names = ["a b", "$(touch x)", ";reboot", "q'uo\"te", "-rf", "..x", "%n%s", "tab\there",
             "\u202eright", "\u00fcn\u00ef", "n" * 200]
    for number, name in enumerate(names, 1):
        guest = lab.numbered(host, number, client_nic(PORT, mac(number)))
        guest.undefine()
        named = host.guest(name, [client_nic(PORT, mac(number))])
        starts(named)
        lab.expect_row(host, mac=mac(number), state="connected")
        named.destroy()
    assert not os.path.exists("/x")
    shown = host.netrelayctl("status").stdout + daemon.text()
    assert "\t" not in shown and "\u202e" not in shown, "raw control characters are shown"


def test_hook_answers_while_libvirt_hangs(host):
    """D13: libvirtd under SIGSTOP; a prepare with its XML is answered, nothing is torn down"""
    libvirtd = host.libvirtd()
    host.netrelayd()
    first = client(host, 1)
    first.boot()
    lab.expect_row(host, guest="vm1", state="connected")
    libvirtd.freeze()
    second = client(host, 2, define=False)
    xml = second.xml.replace("<domain type='qemu'>", "<domain type='qemu' id='77'>")
    answer = run([HOOK, "vm2", "prepare", "begin", "-"], text_in=xml, deadline=15, check=False)
    assert answer.returncode == 0, answer
    lab.expect_row(host, guest="vm1", state="connected")
    lab.expect_row(host, guest="vm2", state="waiting")
    libvirtd.thaw()
    run([HOOK, "vm2", "release", "end", "-"], text_in=xml)
    eventually(lambda: not lab.rows(host, guest="vm2"), 15, "the guest is forgotten")
    lab.expect_row(host, guest="vm1", state="connected")


def test_hook_ends_never_fail(host):
    """release, stopped and reconnect: 0 whatever happens, and nothing is said"""
    for xml in ("", "<domain", "<domain/>", "x" * 100000):
        for call in (["release", "end"], ["stopped", "end"], ["reconnect", "begin"]):
            answer = run([HOOK, "vm1", *call, "-"], text_in=xml, check=False, deadline=10)
            assert answer.returncode == 0, (call, xml[:10], answer)
    host.netrelayd().freeze()
    for call in (["release", "end"], ["stopped", "end"], ["reconnect", "begin"]):
        answer = run([HOOK, "vm1", *call, "-"], text_in=client(host, 1, define=False).xml,
                     check=False, deadline=10)
        assert answer.returncode == 0, (call, answer)


def test_hook_unparsable_xml(host):
    """A prepare whose XML we cannot read refuses nobody"""
    host.netrelayd()
    for xml in ("", "<domain", "<!DOCTYPE x [<!ENTITY a 'b'>]><domain>&a;</domain>"):
        answer = run([HOOK, "vm1", "prepare", "begin", "-"], text_in=xml, check=False, deadline=10)
        assert answer.returncode == 0, (xml, answer)


def test_hook_broken_file_beside_good_ones(host):
    """D7: a broken network file is named in the status; the good ones work"""
    host.libvirtd()
    host.write_network("lab", LAB)
    host.write_network("broken", "<network>\n<name>broken</name>\n<lisen/>\n</network>")
    host.netrelayd()
    guests = {n: client(host, n) for n in (1, 2)}
    lab.start_all(guests)
    lab.all_meet(guests)
    faults = lab.report(host)["summary"]["faults"]
    assert len(faults) == 1 and "broken.xml:3" in faults[0] and "lisen" in faults[0], faults


tap.main(PrivateHost())
