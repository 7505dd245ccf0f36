#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU by hand in a group of IP multicast; the host, and guests that dial, join by one relay."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import bare                         # noqa: E402
import kit                          # noqa: E402
from bare import NOBODY, BareGuest, boot_all, dhcp_server, nic, with_net_admin    # noqa: E402
from process import run             # noqa: E402
from relayproc import Relay         # noqa: E402
from wait import eventually         # noqa: E402

GROUP, L4_PORT, LAB = "239.255.3.3", 1234, 12345
HOST = "10.66.0.1"
SEGMENT = f"socket,mcast={GROUP}:{L4_PORT},localaddr=127.0.0.1"


class TestGroup:
    """Two guests in the group, one that dials the relay, and the host on a TAP of the relay's."""

    def setup(self):
        kit.need_tun()
        self.program = with_net_admin()
        self.start_relay()
        backends = (SEGMENT, SEGMENT, f"socket,connect=127.0.0.1:{LAB}")
        self.guests = boot_all(*(
            BareGuest(f"vm{number}", nic(0, backend, f"52:54:00:00:00:{number:02x}"),
                      [f"10.66.0.1{number}/24"]) for number, backend in enumerate(backends, 1)))

    def start_relay(self):
        self.relay = Relay("-l", LAB, f"mcast:{GROUP}:{L4_PORT}@lo", f"tap:vmvlan0,ip={HOST}/24",
                           program=self.program, user=NOBODY).listening(LAB)

    def test_C2_C3_guests_in_the_group(self):
        """QEMU's own segment goes on beside the relay, and no frame comes twice"""
        one, two, _ = self.guests
        one.reaches("10.66.0.12")
        output = one.must("ping -c 20 -i 0.05 -W 2 10.66.0.12")
        assert " 20 packets received" in output and "DUP" not in output, output
        assert two.ping("10.66.0.11", count=5, interval=0.05) == (5, 5)

    def test_B3_the_host_joins(self):
        """its address on the TAP and the guests ping, both ways, and no frame comes twice"""
        for number, guest in enumerate(self.guests, 1):
            guest.reaches(HOST)
            output = run(["ping", "-c", "5", "-i", "0.05", "-W", "2", f"10.66.0.1{number}"]).stdout
            assert " 5 received" in output and "duplicates" not in output, output

    def test_B6_a_guest_without_multicast(self):
        """one that dials the relay takes part, and no frame comes twice"""
        for target in ("10.66.0.11", "10.66.0.12"):
            self.guests[2].reaches(target)
            output = self.guests[2].must(f"ping -c 20 -i 0.05 -W 2 {target}")
            assert " 20 packets received" in output and "DUP" not in output, output

    def test_B3_a_socat_in_the_same_group(self):
        """it hears what guests say, and the relay's link goes on"""
        heard = f"{bare.PLACE}/heard"
        with open(heard, "wb") as file:
            socat = subprocess.Popen(
                ["socat", "-u", f"UDP4-RECV:{L4_PORT},bind={GROUP},reuseaddr,"
                 f"ip-add-membership={GROUP}:127.0.0.1", "-"], stdout=file)
        try:
            eventually(lambda: self.guests[0].ping_once("10.66.0.12") and os.path.getsize(heard),
                       10, "socat hears the guests")
            for guest in self.guests:
                assert guest.ping(HOST, count=5, interval=0.05) == (5, 5)
        finally:
            socat.kill()
            socat.wait()

    def test_B4_addresses_by_dnsmasq(self):
        """bound to the TAP, without a file: one for each guest, over the group and over TCP"""
        dhcp_server("vmvlan0", "10.66.0", "--leasefile-ro")
        leased = {guest.get_address("eth0") for guest in self.guests}
        assert len(leased) == 3 and all(one.startswith("10.66.0.5") for one in leased), leased
        for address in leased:
            run(["ping", "-c", "2", "-i", "0.05", "-W", "2", address])
        assert not os.path.exists(f"{bare.PLACE}/leases-vmvlan0")

    def test_the_relay_restarts(self):
        """the TAP is made again with its address, and those of the group have lost nothing"""
        one, two, three = self.guests
        flow = one.start_pings("10.66.0.12", interval=0.05)
        flow.wait_replies(3)
        self.relay.kill()
        self.start_relay()
        eventually(lambda: run(["ip", "-4", "-o", "address", "show", "to", HOST]).stdout, 20,
                   "the TAP is there again, with its address")
        run(["ping", "-c", "3", "-i", "0.2", "-W", "2", "10.66.0.12"])  # tells them its new address
        two.reaches(HOST)
        sent, got = flow.stop()
        assert sent == got, f"{sent - got} of {sent} pings lost"
        three.destroy()
        three.boot()
        three.reaches("10.66.0.11")


if __name__ == "__main__":
    bare.main()
