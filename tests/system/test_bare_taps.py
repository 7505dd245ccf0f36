#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""TAPs that others made: an ordinary user's QEMU and relays on them, and what the doctor says."""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import bare                         # noqa: E402
import kit                          # noqa: E402
import links                        # noqa: E402
import tap                          # noqa: E402
from bare import NOBODY, BareGuest, boot_all, device, nic    # noqa: E402
from lab import mac                 # noqa: E402
from outside import GREETING, HERE, THERE, Outside      # noqa: E402
from process import run             # noqa: E402
from relayproc import Relay, status # noqa: E402
from wait import eventually         # noqa: E402

GATEWAY = "192.168.77.1"
GUEST_MAX = 3


def address(number):
    """Counted upwards from the first guest's."""
    return f"192.168.77.{10 + number}"


def make_tap(number):
    """As tunctl -t tapN -u USER -g GROUP has it, each time the same, with a route to its guest."""
    name = f"tap{number}"
    links.ip("tuntap", "add", name, "mode", "tap", "user", str(NOBODY), "group", str(NOBODY))
    links.write(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6", "1")
    links.ip("link", "set", name, "address", f"02:00:00:00:77:{number:02x}")
    links.ip("link", "set", name, "up")
    links.ip("route", "add", "unicast", address(number), "dev", name)


def as_it_is():
    """Links, settings, routes. Of tap0 routes alone: QEMU itself leaves its virtio headers on."""
    taps = [f"tap{number}" for number in range(1, GUEST_MAX)]
    snapshot = links.without(links.snapshot(), ["ifindex"])
    del snapshot["tap0"]
    owners = [links.read(name, key) for name in taps for key in ("owner", "group", "tun_flags")]
    settings = [text_of(f"/proc/sys/net/ipv4/conf/{name}/{key}")
                for name in [*taps, "all"] for key in ("proxy_arp", "forwarding", "rp_filter")]
    return snapshot, owners, settings, [line.replace("linkdown", "").split() for line in routes("")]


def text_of(path):
    with open(path) as file:
        return file.read()


def routes(word):
    return [line for family in ("-4", "-6") for line in links.ip(family, "route").splitlines()
            if word in line]


class TestTaps:
    """One guest on its TAP by QEMU itself, two by a relay each, all of them nobody's."""

    def setup(self):
        kit.need_tun()
        links.ip("address", "add", f"{GATEWAY}/32", "dev", "lo")
        links.write("/proc/sys/net/ipv4/ip_forward", "1")
        for number in range(GUEST_MAX):
            make_tap(number)
        self.before = as_it_is()
        self.relays = {number: self.relay_of(number) for number in (1, 2)}
        backends = ("tap,ifname=tap0,script=no,downscript=no",
                    "socket,connect=127.0.0.1:12001", "socket,connect=127.0.0.1:12002")
        self.guests = boot_all(*(BareGuest(f"vm{n}", nic(0, backend, mac(n)),
                                           [f"{address(n)}/32"]) for n, backend
                                 in enumerate(backends)), deadline=100)
        for guest in self.guests:
            guest.must(f"ip route add {GATEWAY} dev eth0; ip route add default via {GATEWAY}")

    def relay_of(self, number):
        relay = Relay(f"listen:127.0.0.1:{12000 + number}", f"tap:tap{number}", user=NOBODY)
        relay.listening(12000 + number)
        return relay

    @tap.timeout(120)
    def test_D4_C4_each_guest_reaches_the_host_and_the_others(self):
        """by routes alone, from both sides; nobody has a privilege"""
        for guest in self.guests:
            guest.reaches(GATEWAY)
            for number in range(GUEST_MAX):
                guest.reaches(address(number))
            assert status(guest.process.pid, "CapPrm") == 0
        for number in range(GUEST_MAX):
            run(["ping", "-c", "2", "-i", "0.05", "-W", "2", address(number)])
        for relay in self.relays.values():
            assert status(relay.keeper, "CapPrm") == status(relay.forwarder(), "CapPrm") == 0

    def test_D5_one_host_route_for_each_guest(self):
        """as `ip route | grep tap` shows them: scope link"""
        shown = [line.split()[:5] for line in routes("tap")]
        assert shown == [[address(number), "dev", f"tap{number}", "scope", "link"]
                         for number in range(GUEST_MAX)], shown

    @tap.timeout(60)
    def test_D8_without_a_bridge(self):
        """host and guest, a name, the Internet: by routes, without NAT"""
        outside = Outside()
        run(["nsenter", "--net", "--target", str(outside.pid), "ip", "route", "add",
             "192.168.77.0/24", "via", HERE])
        for number, guest in enumerate(self.guests):
            guest.reaches(THERE)
            assert guest.must(f"nc -w 5 {THERE} {GREETING}") == f"hello {address(number)}"
            eventually(lambda guest=guest: THERE in guest.sh(f"nslookup www.example {THERE}")[1]
                       .partition("www.example")[2], 15, "it knows a name")
        assert not links.ip("link", "show", "type", "bridge")
        assert not run(["nft", "list", "ruleset"]).stdout
        outside.close()
        eventually(lambda: "out0" not in links.names(), 15, "the outside is gone")

    def test_E9_made_again_by_others(self):
        """as by ifdown and ifup: the relay waits for it, and its guest is there again"""
        links.ip("link", "del", "tap1")
        eventually(lambda: "tap1" in self.relays[1].text(), 15, "the relay says that it is gone")
        make_tap(1)
        self.guests[1].reaches(GATEWAY)
        self.guests[0].reaches(address(1))

    def test_E9_left_as_they_were(self):
        """guests and relays end, one by SIGKILL: links, addresses, routes, settings, owners"""
        for guest in self.guests:
            guest.destroy()
        self.relays[1].term()
        self.relays[2].kill()

        try:
            eventually(lambda: as_it_is() == self.before, 15, "all is as it was")
        finally:
            print([pair for pair in zip(self.before, as_it_is()) if pair[0] != pair[1]])


def doctor():
    """{device: finding} of the faults: no manager runs here, which it also says."""
    answer = subprocess.run(["netrelayctl", "doctor", "--json"], capture_output=True, text=True,
                            check=False)
    return {finding["about"]: finding for finding in json.loads(answer.stdout)["findings"]
            if finding["about"] in links.names() and finding["level"] == "fault"}


@tap.timeout(90)
def test_E8_a_guest_beside_an_empty_bridge():
    """tap0 has the address, br0 is down, QEMU made tap1: each is named, and the cures cure"""
    kit.need_tun()
    os.environ["PATH"] = f"{kit.built('ctl')}:{os.environ['PATH']}"
    links.ip("link", "add", "br0", "type", "bridge")
    links.ip("tuntap", "add", "tap0", "mode", "tap")
    links.ip("address", "add", "10.8.0.1/24", "dev", "tap0")
    links.ip("link", "set", "tap0", "up")
    guest = BareGuest("vm1", ["-netdev", "tap,id=n0,script=no,downscript=no",
                              *device("n0", mac(1))], ["10.8.0.2/24"], user=0).boot()
    assert not guest.ping_once("10.8.0.1")
    found = doctor()
    assert {about: finding["kind"] for about, finding in found.items()} == {
        "br0": "bridge-down", "tap0": "tap-alone", "tap1": "tap-alone"}, found
    for about, said in (("br0", "is down and has no members"), ("tap0", "the address 10.8.0.1/24"),
                        ("tap1", "in no bridge and down")):
        assert said in found[about]["text"], found[about]
        run(["sh", "-c", found[about]["cure"]])
    guest.reaches("10.8.0.1")
    assert not doctor(), doctor()


if __name__ == "__main__":
    bare.main()
