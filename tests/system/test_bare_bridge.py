#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU by hand, and the kernel's side: a bridge on another host, a TAP of somebody else's."""

import hashlib
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import bare                         # noqa: E402
import kit                          # noqa: E402
import links                        # noqa: E402
from bare import NOBODY, BareGuest, dhcp_server, nic, with_net_admin    # noqa: E402
from process import run             # noqa: E402
from relayproc import Relay, listeners, status    # noqa: E402
from stacks import Stack, cable     # noqa: E402
from wait import eventually         # noqa: E402

CAP_NET_ADMIN = 1 << 12
LAB, TAPPED, FAR = 12345, 12346, 8010


def devices():
    """What is here, and what it was given: without the addresses that the kernel finds itself."""
    return {link["ifname"]: (link["mtu"], link["address"], link.get("master"), link.get("linkinfo"),
                             sorted(one["local"] for one in link["addr_info"]
                                    if one["scope"] == "global" and not one.get("dynamic")))
            for link in links.snapshot().values()}


def all_of(sock):
    """What somebody sends until he ends."""
    with sock:
        sock.settimeout(20)
        return b"".join(iter(lambda: sock.recv(1 << 20), b""))


class TestHosts:
    """A guest with two NICs: to a bridge on the next host, and to a TAP that was there before.

        eth0 - relay - TCP - relay - br0 on the far host        eth1 - relay - qtap0 - "Internet"
    """

    def setup(self):
        kit.need_tun()
        self.far, self.internet = Stack(), Stack()
        cable(None, self.far, "lan0", ("192.0.2.1/24", "192.0.2.2/24"))
        cable(None, self.internet, "wan0", ("198.51.100.1/24", "198.51.100.2/24"))
        self.bridge_there()
        self.tap_here()
        self.guest = BareGuest("vm1", nic(0, f"socket,connect=127.0.0.1:{LAB}", "52:54:00:00:00:01")
                               + nic(1, f"socket,connect=127.0.0.1:{TAPPED}", "52:54:00:00:01:01"),
                               ["", "10.78.0.2/24,fd00:78::2/64"], "nr.mtu0=9000").boot()

    def bridge_there(self):
        self.program = with_net_admin()
        with self.far:
            links.add_bridge("br0", ["10.77.0.1/24", "fd00:77::1/64"], mtu=9000)
            self.far_before = devices()
            dhcp_server("br0", "10.77.0", "--enable-ra", "--dhcp-range=fd00:77::,ra-only,64,1h")
            self.far_relay = Relay("-l", f"192.0.2.2:{FAR}", "br0", program=self.program,
                                   user=NOBODY).listening(FAR)
        self.near_relay = Relay(f"listen:127.0.0.1:{LAB}", f"192.0.2.2:{FAR}", user=NOBODY)
        self.near_relay.listening(LAB)

    def tap_here(self):
        links.ip("tuntap", "add", "dev", "qtap0", "mode", "tap", "user", str(NOBODY))
        links.write("/proc/sys/net/ipv6/conf/qtap0/accept_dad", "0")
        for address in ("10.78.0.1/24", "fd00:78::1/64"):
            links.ip("address", "add", address, "dev", "qtap0")
        links.ip("link", "set", "qtap0", "up")
        self.near_before = devices()
        self.tap_relay = Relay("-l", TAPPED, "tap:qtap0", user=NOBODY).listening(TAPPED)

    def test_A5_a_file_capability_is_enough(self):
        """a user's relay with CAP_NET_ADMIN alone has a TAP in the bridge; all else has nothing"""
        with self.far:
            taps = eventually(lambda: [link["ifname"] for link in links.ip_json("link", "show")
                                       if link.get("master") == "br0"], 5, "a TAP in the bridge")
        assert len(taps) == 1, taps
        assert status(self.far_relay.keeper, "CapEff") == CAP_NET_ADMIN
        assert status(self.far_relay.keeper, "Uid") == NOBODY
        for pid in (self.far_relay.forwarder(), self.near_relay.keeper, self.tap_relay.keeper,
                    self.guest.process.pid):
            assert status(pid, "CapEff") == status(pid, "CapPrm") == 0, pid
            assert status(pid, "Uid") == NOBODY, pid

    def test_A4_A10_an_address_by_DHCP(self):
        """asked for and given through two relays; the bridge's host and the guest ping"""
        lease = self.guest.get_address("eth0")
        self.guest.reaches("10.77.0.1")
        assert lease.startswith("10.77.0.5"), lease
        with self.far:
            run(["ping", "-c", "3", "-i", "0.05", "-W", "2", lease])
        self.lease = lease

    def test_A4_A10_neighbours_of_IPv6(self):
        """a router's advertisement gives an address; neighbours are found from both sides"""
        found = eventually(lambda: [word.split("/")[0] for word
                                    in self.guest.must("ip -6 -o addr show dev eth0").split()
                                    if word.startswith("fd00:77:")], 15, "an address by SLAAC")
        self.guest.reaches("fd00:77::1")
        with self.far:
            eventually(lambda: run(["ping", "-c", "1", "-W", "1", found[0]],
                                   check=False).returncode == 0, 10, "ping of the guest")

    def test_A9_jumbo_frames_between_hosts(self):
        """8,972 bytes that must not be fragmented, over a path of 1,500"""
        with self.far:
            run(["ping", "-M", "do", "-s", "8972", "-c", "3", "-i", "0.05", "-W", "2", self.lease])
        before = self.sent()
        assert self.guest.ping("10.77.0.1", count=3, interval=0.05, size=8972) == (3, 3)
        assert self.sent() - before < 6, "the guest has fragmented"

    def sent(self):
        return int(self.guest.must("cat /sys/class/net/eth0/statistics/tx_packets"))

    def test_A10_eight_megabytes_by_TCP_each_way(self):
        """the kernel's long segments are cut for the guest, and joined from it: the same bytes"""
        self.carry(self.far, "10.77.0.1")

    def carry(self, stack, address):
        """A file from the guest to a server on that host, and back."""
        md5 = self.guest.must("dd if=/dev/urandom of=/tmp/there bs=1M count=8 2>/dev/null; "
                              "md5sum </tmp/there", 30).split()[0]
        with stack:
            listener = socket.create_server((address, 9000))
        listener.settimeout(20)
        try:
            self.guest.must(f"nc {address} 9000 </tmp/there >/dev/null & :")
            content = all_of(listener.accept()[0])
            assert hashlib.md5(content).hexdigest() == md5, f"{len(content)} other bytes came"
            self.guest.must(f"nc {address} 9000 >/tmp/back </dev/null & :")
            with listener.accept()[0] as sock:
                sock.sendall(content)
            eventually(lambda: md5 in self.guest.must("md5sum </tmp/back"), 20,
                       "the guest has what was sent")
        finally:
            listener.close()

    def test_A10_the_cable_is_pulled_for_a_second(self):
        """the hosts do not reach each other, and do again: TCP has lost nothing"""
        flow = self.guest.start_pings("10.77.0.1", interval=0.3)    # its ping has room for 12
        flow.wait_replies(3)
        links.ip("link", "set", "lan0", "down")
        at, before = flow.replies(), self.sent()
        eventually(lambda: self.sent() >= before + 3, 5, "more pings are sent")
        assert flow.replies() == at, "there is another way to the far host"
        links.ip("link", "set", "lan0", "up")
        flow.wait_replies(5)
        sent, got = flow.stop()
        assert sent == got, f"{sent - got} of {sent} pings lost"

    def test_A10_the_far_relay_restarts(self):
        """the guest's own relay keeps its connection and dials the other one again"""
        self.far_relay.kill()
        with self.far:
            self.far_relay = Relay("-l", f"192.0.2.2:{FAR}", "br0", user=NOBODY,
                                   program=self.program).listening(FAR)
        self.guest.reaches("10.77.0.1")

    def test_C4_a_TAP_that_was_there(self):
        """its owner's relay opens it by name; the address on it and the guest ping"""
        self.guest.reaches("10.78.0.1")
        self.guest.reaches("fd00:78::1")
        run(["ping", "-c", "3", "-i", "0.05", "-W", "2", "10.78.0.2"])

    def test_C4_the_internet_behind_it(self):
        """with forwarding on this host the guest reaches a network behind it, and loads files"""
        links.write("/proc/sys/net/ipv4/ip_forward", "1")
        with self.internet:
            links.ip("route", "add", "10.78.0.0/24", "via", "198.51.100.1")
        self.guest.must("ip route add 198.51.100.0/24 via 10.78.0.1 dev eth1")
        self.guest.reaches("198.51.100.2")
        self.carry(self.internet, "198.51.100.2")

    def test_C4_A4_what_is_left(self):
        """the relays end: the TAP is as it was, the bridge too, and nothing else is there"""
        self.tap_relay.term()
        self.near_relay.term()
        with self.far:
            assert FAR in listeners()
            self.far_relay.term()
            assert devices() == self.far_before, "the far host has changed"
        self.guest.destroy()
        assert devices() == self.near_before, "this host has changed"


if __name__ == "__main__":
    bare.main()
