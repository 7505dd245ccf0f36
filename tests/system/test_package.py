#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the package promises, without building it: its facts, and a removal under running guests.

tests/long/package.py builds, installs and purges it in a clean Debian.
"""

import hashlib
import os
import re
import shutil
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import lab
import links
import tap
from guest import client_nic, server_nic
from host import PrivateHost
from install import TREE
from lab import PORT, address, mac
from process import ours, run
from wait import eventually

BRIDGED = f"""<network><name>lab</name><listen address='127.0.0.1' port='{PORT}'/>
<bridge name='br0'/></network>"""
PROGRAMS = ("/usr/sbin/netrelayd", "/usr/bin/netrelayctl", "/usr/bin/netrelay")
HOOK = "/etc/libvirt/hooks/qemu.d/50-netrelay"
SETTINGS = "/etc/netrelay/netrelayd.conf"
MANIFEST = "/var/lib/netrelay/manifest"
KEPT = "/run/removed"
RETIRED = "/run/netrelayd-retired.pid"
# What dh's build system and Debian's own list of build-essential packages stand for.
ESSENTIAL = {"gcc", "libc6-dev"}
DEBHELPER = {"debhelper-compat", "dh-sequence-installsysusers"}


def read(path):
    with open(f"{TREE}/{path}") as file:
        return file.read()


def test_package_needs_what_the_build_needs():
    """The package's build dependencies are the ones that contrib/install-packages.sh installs"""
    build, package = (set(run([f"{TREE}/contrib/install-packages.sh", "--list", purpose])
                          .stdout.split()) for purpose in ("build", "package"))
    text = re.search(r"^Build-Depends:(.*?)^\S", read("debian/control"), re.M | re.S).group(1)
    depends = [word.strip() for word in text.split(",")]
    to_check = {word.split()[0] for word in depends if word.endswith(" <!nocheck>")}
    to_build = {word.split()[0] for word in depends} - to_check
    assert to_build - DEBHELPER == build - ESSENTIAL, to_build ^ build
    assert to_check <= package, to_check - package


def test_package_version():
    """The package has the program's version"""
    version = re.search(r"^  version: '(.*?)'", read("meson.build"), re.M).group(1)
    assert read("debian/changelog").startswith(f"netrelay ({version}) ")


def test_settings_of_quickstart(host):
    """Make room for the package's, so that dpkg has nothing to ask; not where they are edited"""
    with open(SETTINGS, "rb") as file:
        text = file.read()
    os.makedirs(os.path.dirname(MANIFEST))
    with open(MANIFEST, "w") as file:
        file.write(f"d - /etc/netrelay\nf {hashlib.sha256(text).hexdigest()} {SETTINGS}\n")
    with open(SETTINGS, "ab") as file:
        file.write(b"# edited\n")
    script("preinst", "install")
    assert os.path.exists(SETTINGS)
    with open(SETTINGS, "wb") as file:
        file.write(text)
    script("preinst", "install")
    assert not os.path.exists(SETTINGS)
    script("preinst", "install")


def listens(l4_port):
    """Whether somebody listens there; a connection to ask would be one too many for a guest's."""
    return bool(run(["ss", "-Htln", f"sport = {l4_port}"]).stdout.strip())


def script(name, word):
    """Runs a script of the package as dpkg does, without what debhelper adds for systemd."""
    done = run(["sh", f"{TREE}/debian/netrelay.{name}", word])
    assert not done.stderr, done
    return done.stdout


def remove_package():
    """Settings stay, and so does the hook, which is one. Returns what is said."""
    said = script("prerm", "remove")
    os.makedirs(KEPT)
    for path in PROGRAMS:
        shutil.copy(path, KEPT)
        os.unlink(path)
    script("postrm", "remove")
    return said


def install_package():
    for path in PROGRAMS:
        shutil.copy(f"{KEPT}/{os.path.basename(path)}", path)
    return script("postinst", "configure")


@tap.timeout(60)
def test_hook_shown_to_libvirt(host):
    """A libvirtd that had no hook when it started runs it once the package is installed"""
    shutil.move(HOOK, "/run/hook")
    host.libvirtd()
    host.netrelayd()
    shutil.move("/run/hook", HOOK)
    script("postinst", "configure")
    guest = lab.numbered(host, 1, client_nic(PORT, mac(1)))
    guest.start()
    lab.expect_row(host, guest="vm1", state="connected")
    assert "guest vm1 is about to start" in host.daemons[-1].text()
    guest.destroy()
    lab.no_relays()


@tap.timeout(120)
def test_removed_under_guests(host):
    """Removed while guests run: no ping is lost, the last guest takes all along"""
    links.add_bridge("br0", [f"{address(100)}/24"])
    host.write_network("lab", BRIDGED)
    host.libvirtd()
    daemon = host.netrelayd()
    guests = {n: lab.numbered(host, n, client_nic(PORT, mac(n))) for n in (1, 2)}
    lab.start_all(guests)
    lab.all_meet(guests)
    flow = guests[1].start_pings(address(2))
    flow.wait_replies(5)
    said = remove_package()
    assert "  vm1\n  vm2\n" in said and daemon.ended(), said
    eventually(lambda: not listens(PORT), 10, "the address is free")
    flow.wait_replies(10)
    sent, received = flow.stop()
    assert sent == received, f"{received} of {sent} pings answered"
    guests[1].reaches(address(100))

    late = lab.numbered(host, 3, client_nic(PORT, mac(3)))
    late.start()                    # and is deaf: QEMU does not mind that nobody is there
    late.destroy()
    server = lab.numbered(host, 4, server_nic(PORT, mac(4)))
    server.boot()
    assert listens(PORT)
    server.destroy()

    guests[1].destroy()
    guests[2].reaches(address(100))
    assert ours("netrelayd") and ours("netrelay")
    guests[2].destroy()
    host.expect_nothing_left(foreign=["br0", "lo"])
    assert not os.path.exists("/run/netrelay")
    script("postrm", "purge")
    assert not os.path.exists("/etc/netrelay") and not os.path.exists(RETIRED)
    plain = host.guest("plain")
    plain.start()
    plain.destroy()


@tap.timeout(120)
def test_installed_again_under_guests(host):
    """Removed and installed again while a guest runs: the new manager takes it over"""
    host.libvirtd()
    host.netrelayd()
    guests = {1: lab.numbered(host, 1, client_nic(PORT, mac(1)))}
    guests[1].boot()
    relays = ours("netrelay")
    remove_package()
    eventually(lambda: not listens(PORT), 10, "the address is free")
    install_package()
    assert not ours("netrelayd"), "there are two managers"
    host.netrelayd()
    lab.expect_row(host, guest="vm1", state="connected")
    guests[2] = lab.numbered(host, 2, client_nic(PORT, mac(2)))
    guests[2].boot()
    lab.all_meet(guests)
    assert ours("netrelay") == relays


@tap.timeout(60)
def test_removed_without_guests(host):
    """Removed when no guest runs, and no libvirtd: nothing is left"""
    host.netrelayd()
    assert not remove_package()
    host.expect_nothing_left(foreign=["lo"])
    assert not os.path.exists("/run/netrelay")


@tap.timeout(90)
def test_removed_with_a_bridge_of_its_own(host):
    """E1, E7: the bridge, its address and its dnsmasq stay for the last guest, and go with it"""
    host.write_network("lab", f"<network><name>lab</name><listen address='127.0.0.1' "
                              f"port='{PORT}'/><bridge name='virbr9'/>"
                              f"<ip address='{address(100)}' prefix='24'><dhcp><range "
                              f"start='{address(1)}' end='{address(9)}'/></dhcp></ip></network>")
    host.libvirtd()
    host.netrelayd()
    guest = lab.numbered(host, 1, client_nic(PORT, mac(1)))
    guest.start()
    lab.expect_row(host, guest="vm1", state="connected")
    remove_package()
    eventually(lambda: not listens(PORT), 10, "the address is free")
    assert links.ip_json("address", "show", "virbr9")[0]["addr_info"], "it is gone too early"
    eventually(lambda: ours("dnsmasq"), 15, "a lease can be renewed")
    script("postrm", "purge")
    before = ours("dnsmasq")
    os.kill(before[0], signal.SIGKILL)
    eventually(lambda: ours("dnsmasq") not in ([], before), 15, "another dnsmasq")
    guest.destroy()
    host.expect_nothing_left(foreign=["lo"])
    assert not os.path.exists("/run/netrelay") and not os.path.exists("/var/lib/netrelay")


@tap.timeout(60)
def test_managers_that_nobody_restarts(host):
    """One started by hand, and a user's: named when their program is exchanged, or taken away"""
    mine = host.netrelayd()
    session = host.session()
    theirs = session.netrelayd()
    assert not script("postinst", "configure")
    shutil.copy(PROGRAMS[0], f"{PROGRAMS[0]}.dpkg-new")
    os.rename(f"{PROGRAMS[0]}.dpkg-new", PROGRAMS[0])
    said = script("postinst", "configure")
    for daemon, user in ((mine, "root"), (theirs, session.user)):
        assert f"  {user}, pid {daemon.pid}\n" in said, said
    said = remove_package()
    assert f"  {session.user}, pid {theirs.pid}\n" in said and f"pid {mine.pid}" not in said, said
    assert not theirs.ended()


if __name__ == "__main__":
    tap.main(PrivateHost())
