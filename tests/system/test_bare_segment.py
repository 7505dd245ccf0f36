#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests with a user-mode NIC and one in a multicast group, as nobody; then the host with them."""

import os
import subprocess
import sys
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import bare                         # noqa: E402
import kit                          # noqa: E402
import links                        # noqa: E402
import tap                          # noqa: E402
from bare import NOBODY, BareGuest, boot_all, nic, with_net_admin    # noqa: E402
from outside import BULK_SIZE, THERE, WEB, Outside, own_etc    # noqa: E402
from process import run             # noqa: E402
from relayproc import Relay, status # noqa: E402
from wait import eventually         # noqa: E402

GROUP, L4_PORT = "239.255.3.4", 1234
SEGMENT = f"mcast:{GROUP}:{L4_PORT}@lo"
NUMBERS = (1, 2, 3)                 # the text's VMN
SERVICES = {22: "0022", 2375: "2375"}
SOCAT = (f"UDP4-DATAGRAM:{GROUP}:{L4_PORT},bind=:{L4_PORT},reuseaddr,"
         f"ip-add-membership={GROUP}:127.0.0.1,ip-multicast-if=127.0.0.1",
         "TUN:10.67.0.1/24,tun-type=tap,iff-no-pi,iff-up,tun-name=socat0")


def user_nic(number):
    """QEMU's own stack, and a port of the host for each service."""
    forwards = ",".join(f"hostfwd=tcp:127.0.0.1:{number}{host}-:{inside}"
                        for inside, host in SERVICES.items())
    return nic(0, f"user,{forwards}", f"52:54:00:00:00:{number:02x}")


def segment_nic(number):
    return nic(1, f"socket,mcast={GROUP}:{L4_PORT},localaddr=127.0.0.1",
               f"52:54:00:00:01:{number:02x}")


def pings(address):
    """All of five from this host are answered, once each."""
    output = run(["ping", "-c", "5", "-i", "0.05", "-W", "2", address]).stdout
    assert " 5 received" in output and "duplicates" not in output, output


class TestSegment:
    """Three guests; what joins their segment comes and goes."""

    def setup(self):
        own_etc()
        Outside()
        self.guests = boot_all(*(
            BareGuest(f"vm{number}", user_nic(number) + segment_nic(number),
                      ["", f"10.66.0.1{number}/24,10.67.0.1{number}/24"]) for number in NUMBERS),
            deadline=100)

    def all_meet(self, addresses):
        for guest in self.guests:
            for address in addresses:
                guest.reaches(address)

    @tap.timeout(120)
    def test_B1_every_guest_pings_every_other_one(self):
        """on the second NIC; all of it is an ordinary user's, and no device was made"""
        self.all_meet(f"10.66.0.1{number}" for number in NUMBERS)
        for guest in self.guests:
            assert status(guest.process.pid, "Uid") == NOBODY
            assert not status(guest.process.pid, "CapPrm")
        assert links.names() == ["out0"], links.names()     # the cable to the test's outside

    def test_B1_ports_of_the_host(self):
        """VMN0022 and VMN2375 lead to the guest with that number, by its first NIC"""
        for number, guest in zip(NUMBERS, self.guests):
            assert guest.get_address("eth0") == "10.0.2.15"
            guest.must(f"mkdir -p /tmp/www; echo guest {number} >/tmp/www/index.html")
            for inside, host in SERVICES.items():
                guest.must(f"httpd -p {inside} -h /tmp/www")
                place = f"http://127.0.0.1:{number}{host}/"
                with urllib.request.urlopen(place, timeout=15) as page:
                    assert page.read() == f"guest {number}\n".encode()

    def test_B3_one_wire_in_place_of_socat(self):
        """group and TAP: the host and each guest ping, with a socat's TAP in the same group"""
        kit.need_tun()
        links.write("/proc/sys/net/ipv4/conf/all/arp_ignore", "1")  # one host, two devices there
        with Relay(SEGMENT, "tap:vmvlan0,ip=10.66.0.1/24", program=with_net_admin(),
                   user=NOBODY), subprocess.Popen(["socat", *SOCAT]) as socat:
            try:
                eventually(lambda: links.is_up("socat0") and links.is_up("vmvlan0"), 15, "TAPs")
                self.all_meet(("10.66.0.1", "10.67.0.1"))
                for number in NUMBERS:
                    pings(f"10.66.0.1{number}")
                    run(["ping", "-c", "3", "-i", "0.05", "-W", "2", f"10.67.0.1{number}"])
            finally:
                socat.kill()
        eventually(lambda: links.names() == ["out0"], 15, "both TAPs are gone")
        self.all_meet(f"10.66.0.1{number}" for number in NUMBERS)

    def test_B4_B7_one_uplink_for_the_segment(self):
        """user: gives addresses over the group, and all of them reach each other and the outside"""
        bare.need_companion("user")
        for guest in self.guests:
            guest.must("ip link set eth0 down; ip addr flush dev eth0; ip addr flush dev eth1")
        with Relay(SEGMENT, "user:", user=NOBODY) as relay:
            leased = [guest.get_address("eth1") for guest in self.guests]
            assert sorted(leased) == ["10.0.2.15", "10.0.2.16", "10.0.2.17"], leased
            self.all_meet(["10.0.2.2", *leased])
            for guest in self.guests:
                size = guest.must(f"wget -q -O - http://{THERE}:{WEB}/ | wc -c").strip()
                assert size == str(BULK_SIZE), size
            assert status(relay.keeper, "Uid") == NOBODY and not status(relay.keeper, "CapPrm")


if __name__ == "__main__":
    bare.main()
