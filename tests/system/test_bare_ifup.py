#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""contrib/qemu-ifup and qemu-ifdown as the network scripts of a QEMU by hand."""

import contextlib
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import bare                         # noqa: E402
import install                      # noqa: E402
import kit                          # noqa: E402
import links                        # noqa: E402
import namespaces as ns             # noqa: E402
import tap                          # noqa: E402
from bare import NOBODY, PLACE, BareGuest, boot_all, device    # noqa: E402
from wait import eventually         # noqa: E402

SCRIPTS = f"{install.TREE}/contrib"
BRIDGES = {"br7": "10.7.0.1/24", "br9": "10.9.0.1/24"}
STRANGE = "b;$(id)'x"               # the kernel takes it


def scripts_of(bridge):
    """Links to ours, as one makes them for this bridge: QEMU's options."""
    options = []
    for option, name in (("script", "qemu-ifup"), ("downscript", "qemu-ifdown")):
        path = f"{PLACE}/{name}-{bridge}"
        if not os.path.islink(path):
            os.symlink(f"{SCRIPTS}/{name}", path)
        options.append(f"{option}={path}")
    return ",".join(options)


def prepare():
    """netrelayctl where scripts find it, and two bridges with the host's addresses."""
    kit.need_tun()
    os.makedirs(f"{PLACE}/bin", exist_ok=True)
    shutil.copy(kit.built("ctl/netrelayctl"), f"{PLACE}/bin")    # where nobody may run it, too
    os.environ["PATH"] = f"{PLACE}/bin:{os.environ['PATH']}"
    for name, address in BRIDGES.items():
        links.add_bridge(name, [address])


def hardware(number):
    return f"52:54:00:00:00:{number:02x}"


def guest(number, network, subnet):
    return BareGuest(f"vm{number}", network, [f"10.{subnet}.0.{number + 10}/24"], user=0)


def bridges():
    """What they have been given: without what the kernel finds itself."""
    return [(name, links.read(name, "address"), links.read(name, "mtu"), links.is_up(name),
             links.members(name), links.ip("-4", "-o", "address", "show", "dev", name))
            for name in BRIDGES]


def taps():
    return [name for name in links.names() if links.read(name, "tun_flags")]


def quit_all(*guests):
    """As a person ends them: QEMU runs its scripts."""
    for one in guests:
        one.process.terminate()
    for one in guests:
        one.process.wait(20)


def qemu(*network):
    """One that ends before its guest has booted: (exit code, what it said)."""
    ended = subprocess.run(["qemu-system-x86_64", *bare.MACHINE, "-S", *network], timeout=30,
                           stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stderr


@contextlib.contextmanager
def paused(*network):
    """QEMU without a guest, which has its devices; it ends in order, once it listens to anybody."""
    command = ["qemu-system-x86_64", *bare.MACHINE, "-S", "-monitor", "stdio", *network]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.communicate(b"quit\n", timeout=20)


@tap.timeout(120)
def test_E2_E3_E5_bridges_by_name():
    """guests choose by a link's name or a variable; TAPs come and go, bridges stay as they were"""
    prepare()
    before = bridges()
    nine = scripts_of("br9")
    one = guest(1, ["-nic", f"tap,model=virtio,mac={hardware(1)},{nine}"], 9)
    two = guest(2, ["-netdev", f"type=tap,id=n0,{nine}", *device("n0", hardware(2))], 9)
    os.environ["NETRELAY_BRIDGE"] = "br7"
    three = guest(3, ["-netdev", f"tap,id=n0,script={SCRIPTS}/qemu-ifup,"
                      f"downscript={SCRIPTS}/qemu-ifdown", *device("n0", hardware(3))], 7)
    boot_all(one, two, three)
    assert (len(links.members("br9")), len(links.members("br7"))) == (2, 1)
    for who, address in ((one, "10.9.0.1"), (one, "10.9.0.12"), (two, "10.9.0.11"),
                         (three, "10.7.0.1")):
        who.reaches(address)
    one.destroy()                       # SIGKILL: no script is run
    eventually(lambda: len(taps()) == 2, 10, "its TAP goes with it")
    two.reaches("10.9.0.1")
    quit_all(two, three)
    assert taps() == [] and bridges() == before


def test_E2_what_ifdown_does():
    """a TAP that outlives its QEMU is out of the bridge and down, as it was before"""
    prepare()
    links.ip("tuntap", "add", "tap5", "mode", "tap")
    with paused("-netdev", f"tap,id=n0,ifname=tap5,{scripts_of('br9')}"):
        eventually(lambda: links.members("br9") == ["tap5"] and links.is_up("tap5"), 15,
                   "the TAP is in its bridge, and up")
    assert links.members("br9") == [] and not links.is_up("tap5")


def test_E2_names_that_a_shell_would_take_apart():
    """of the TAP and of the bridge: nothing is run, and they meet"""
    prepare()
    links.add_bridge(STRANGE)
    scripts = scripts_of(STRANGE)
    with paused("-netdev", f"tap,id=n0,ifname=*,{scripts}"):
        eventually(lambda: links.members(STRANGE) == ["*"], 15, "the TAP is in its bridge")
    assert taps() == []


def test_E2_what_is_refused():
    """one sentence of ours, QEMU does not start, and nothing is left"""
    prepare()
    links.ip("link", "add", "d0", "type", "veth", "peer", "name", "d1")
    before = links.snapshot()
    os.environ.pop("NETRELAY_BRIDGE", None)
    for scripts, said in (
            (scripts_of("br1"), "there is no bridge br1; make it: ip link add br1 type bridge"),
            (scripts_of("-x"), "there is no bridge -x"),
            (scripts_of("d0"), "d0 is not a bridge"),
            (f"script={SCRIPTS}/qemu-ifup,downscript=no", "NETRELAY_BRIDGE=BRIDGE qemu-ifup TAP")):
        code, stderr = qemu("-netdev", f"tap,id=n0,{scripts}")
        assert code == 1 and said in stderr, (code, stderr)
    links.ip("tuntap", "add", "tap5", "mode", "tap", "user", str(NOBODY))
    for words, user, said in (
            (("tap-join", "d0", "br9"), 0, "d0 is not a TAP"),
            (("tap-join", "t9", "br9"), 0, "there is no device t9"),
            (("tap-leave", "tap5", "br9"), 0, "tap5 is not in bridge br9"),
            (("tap-join", "tap5", "br9"), NOBODY, "tap5 into bridge br9 needs CAP_NET_ADMIN")):
        ended = subprocess.run(["netrelayctl", *words], capture_output=True, text=True,
                               check=False, user=user, group=user, extra_groups=[])
        assert ended.returncode == 1 and said in ended.stderr, ended
        assert ended.stderr.count("\n") == 1, ended
    links.ip("link", "del", "tap5")
    assert links.snapshot() == before


def test_E2_a_bridge_that_is_down():
    """is joined, and one hears that nothing passes it"""
    prepare()
    links.ip("link", "set", "br9", "down")
    links.ip("tuntap", "add", "tap5", "mode", "tap")
    ended = subprocess.run(["netrelayctl", "tap-join", "tap5", "br9"], capture_output=True,
                           text=True, check=True)
    assert "bridge br9 is down, so no frame passes it" in ended.stderr, ended
    assert links.members("br9") == ["tap5"]


@tap.timeout(120)
def test_D6_net_tap_in_each_form():
    """-net tap with a name, the next free one, and by /etc/qemu-ifup of itself: the host answers"""
    prepare()
    links.ip("tuntap", "add", "tap0", "mode", "tap")
    links.ip("address", "add", "10.5.0.1/24", "dev", "tap0")
    links.ip("link", "set", "tap0", "up")
    for name in ("qemu-ifup", "qemu-ifdown"):
        if not os.path.exists(f"/etc/{name}"):
            tap.skip(f"Debian's QEMU has put no /etc/{name} here")
        ns.bind(f"{SCRIPTS}/{name}", f"/etc/{name}")
    os.environ["NETRELAY_BRIDGE"] = "br9"

    def net(number, backend):
        return ["-net", f"nic,model=virtio,macaddr={hardware(number)}", "-net", backend]

    one = guest(1, net(1, "tap,script=no,downscript=no,ifname=tap0"), 5)
    two = guest(2, net(2, "tap"), 9)
    boot_all(one, two)
    one.reaches("10.5.0.1")
    two.reaches("10.9.0.1")
    assert taps() == ["tap0", "tap1"] and links.members("br9") == ["tap1"]
    quit_all(one, two)
    assert taps() == ["tap0"]


if __name__ == "__main__":
    bare.main()
