#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Two guests and a relay with user:, all of them nobody's: addresses, names, boot file, way out."""

import hashlib
import os
import random
import signal
import sys
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import bare                         # noqa: E402
from bare import NOBODY, PLACE, BareGuest, boot_all, nic    # noqa: E402
from companions import companion    # noqa: E402
from outside import THERE, WEB, Outside, bulk, own_etc      # noqa: E402
from relayproc import Relay, status # noqa: E402
from wait import eventually         # noqa: E402

GATEWAY = "10.0.2.2"


def md5(data):
    return hashlib.md5(data).hexdigest()


class TestUser:
    """One relay, two guests, servers on another network."""

    def setup(self):
        bare.need_companion("user")
        own_etc()
        Outside()
        self.image = random.Random(3).randbytes(300000)
        os.mkdir(f"{PLACE}/boot")
        with open(f"{PLACE}/boot/pxe.0", "wb") as file:
            file.write(self.image)
        self.relay = Relay("-l", "127.0.0.1:12345", f"user:tftp={PLACE}/boot,bootfile=pxe.0,"
                           "hostfwd=tcp:127.0.0.1:2280-10.0.2.16:80", user=NOBODY)
        self.relay.listening(12345)
        self.one, self.two = boot_all(*(
            BareGuest(f"vm{n}", nic(0, "socket,connect=127.0.0.1:12345", f"52:54:00:00:00:0{n}"))
            for n in (1, 2)))

    def test_B7_nobody_has_a_privilege(self):
        """keeper, forwarder and companion are an ordinary user's"""
        for pid in (self.relay.keeper, self.relay.forwarder(),
                    companion(self.relay, "netrelay-user")):
            assert status(pid, "Uid") == NOBODY
            assert not status(pid, "CapPrm") and not status(pid, "CapEff"), pid

    def test_C6_each_guest_gets_an_address(self):
        """by udhcpc, one after the other"""
        assert self.one.configure() == "10.0.2.15/24"
        assert self.two.configure() == "10.0.2.16/24"

    def test_B7_the_guests_share_one_segment(self):
        """they reach each other and the gateway"""
        self.one.reaches("10.0.2.16")
        self.two.reaches("10.0.2.15")
        for guest in (self.one, self.two):
            guest.reaches(GATEWAY)

    def test_C6_ipv6(self):
        """each makes itself an address of the prefix that is advertised"""
        for guest in (self.one, self.two):
            eventually(lambda guest=guest: "fec0::" in guest.must("ip -6 addr show eth0"), 20,
                       "an address by router advertisement")
            guest.reaches("fec0::2")

    def test_C6_a_page_from_outside(self):
        """by its name, 200 KB, whole"""
        for guest in (self.one, self.two):
            said = guest.must(f"wget -q -O - http://www.example:{WEB}/ | md5sum")
            assert said.split()[0] == md5(bulk()), said

    def test_C6_tftp(self):
        """the boot file, and nothing beside it"""
        said = self.one.must(f"cd /tmp; tftp -g -r pxe.0 {GATEWAY}; md5sum <pxe.0")
        assert said.split()[0] == md5(self.image), said
        assert self.one.sh(f"cd /tmp; tftp -g -r ../kernel -l x {GATEWAY}")[0] != 0

    def test_C6_hostfwd(self):
        """a page of the second guest's, from the host"""
        self.two.must("mkdir -p /tmp/www; echo hello >/tmp/www/index.html; httpd -p 80 -h /tmp/www")
        with urllib.request.urlopen("http://127.0.0.1:2280/index.html", timeout=10) as page:
            assert page.read() == b"hello\n"

    def test_sigkill_of_the_companion(self):
        """the guests' own traffic does not notice, and both are served again"""
        flow = self.one.start_pings("10.0.2.16")
        flow.wait_replies(3)
        was = companion(self.relay, "netrelay-user")
        os.kill(was, signal.SIGKILL)
        companion(self.relay, "netrelay-user", but=was)
        for guest in (self.one, self.two):
            said = guest.must(f"wget -q -O - http://{THERE}:{WEB}/ | md5sum")
            assert said.split()[0] == md5(bulk()), said
        flow.wait_replies(3)
        sent, received = flow.stop()
        assert received >= sent - 1, f"{received} of {sent} pings"
        assert self.two.configure() == "10.0.2.16/24"

    def teardown(self):
        for guest in (self.one, self.two):
            guest.destroy()
        self.relay.term()


bare.main()
