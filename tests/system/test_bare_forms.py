#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every way in which a QEMU by hand speaks over sockets, at the relay's endpoints, as nobody."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import bare                         # noqa: E402
from bare import NOBODY, BareGuest, boot_all, device, nic    # noqa: E402
from relayproc import Relay         # noqa: E402


def hardware(number, which):
    return f"52:54:00:00:{which:02x}:{number:02x}"


class Form:
    """A netdev of QEMU, and the relay's endpoint that fits; `base` keeps port numbers apart."""

    def __init__(self, netdev, endpoint):
        self.netdev = netdev
        self.endpoint = endpoint

    def at(self, base):
        """(netdev, endpoint) with port numbers from `base` on."""
        return (text.format(p=base, q=base + 1) for text in (self.netdev, self.endpoint))


LAB = f"{bare.PLACE}/lab"       # where nobody may make sockets
STREAM = "stream,addr.type=inet,addr.host={host},addr.port={{p}},server={server}"
DGRAM = ("dgram,local.type=inet,local.host=127.0.0.1,local.port={p},"
         "remote.type=inet,remote.host=127.0.0.1,remote.port={q}")
FORMS = {
    "socket listen": Form("socket,listen=127.0.0.1:{p}", "127.0.0.1:{p}"),
    "socket connect": Form("socket,connect=127.0.0.1:{p}", "listen:127.0.0.1:{p}"),
    "socket udp": Form("socket,udp=127.0.0.1:{q},localaddr=127.0.0.1:{p}", "{q}:127.0.0.1:{p}"),
    "stream server": Form(STREAM.format(host="::1", server="on"), "[::1]:{p}"),
    "stream client": Form(STREAM.format(host="::1", server="off"), "listen:[::1]:{p}"),
    "dgram": Form(DGRAM, "udp:127.0.0.1:{q}:127.0.0.1:{p}"),
    "unix stream server": Form(f"stream,addr.type=unix,addr.path={LAB}/{{p}},server=on",
                               f"unix:{LAB}/{{p}}"),
    "unix stream client": Form(f"stream,addr.type=unix,addr.path={LAB}/{{p}},server=off",
                               f"unix-listen:{LAB}/{{p}}"),
    "unix dgram": Form(f"dgram,local.type=unix,local.path={LAB}/{{p}},"
                       f"remote.type=unix,remote.path={LAB}/{{q}}",
                       f"unix-dgram:{LAB}/{{q}}:{LAB}/{{p}}"),
}


class TestForms:
    """Two guests with a NIC of each form; a wire joins each with the other guest's next form."""

    def setup(self):
        os.mkdir(LAB)
        os.chown(LAB, NOBODY, NOBODY)
        names = list(FORMS)
        self.pairs = list(zip(names, names[1:] + names[:1]))
        self.relays = []
        nics = {1: [], 2: []}
        for which, pair in enumerate(self.pairs):
            endpoints = []
            for number, form in enumerate(pair, 1):
                netdev, endpoint = FORMS[form].at(2000 + 1000 * number + 10 * which)
                nics[number] += nic(which, netdev, hardware(number, which))
                endpoints.append(endpoint)
            self.relays.append(Relay(*endpoints, user=NOBODY))
        for relay in self.relays:
            relay.forwarder()
        self.one, self.two = boot_all(*(
            BareGuest(f"vm{number}", nics[number],
                      [f"10.{i}.0.{number}/24,fd00:{i}::{number}/64" for i in range(len(names))])
            for number in (1, 2)))

    def test_A8_every_form_beside_another(self):
        """ping over IPv4 and IPv6, short and long, from both ends"""
        for which, pair in enumerate(self.pairs):
            print(pair)
            self.one.reaches(f"10.{which}.0.2")
            self.two.reaches(f"fd00:{which}::1")
            self.one.reaches(f"10.{which}.0.2", size=9000)
            self.two.reaches(f"10.{which}.0.1", size=1472)

    def test_A9_jumbo_frames(self):
        """an MTU of 9000 on every one of them: 8,972 bytes in one frame"""
        for guest in (self.one, self.two):
            guest.must("for nic in /sys/class/net/eth*; do ip link set ${nic##*/} mtu 9000; done")
        for which, pair in enumerate(self.pairs):
            print(pair)
            before = self.frames_of(which)
            assert self.one.ping_once(f"10.{which}.0.2", size=8972), f"{pair}: no answer"
            assert self.frames_of(which) - before <= 4, "it was fragmented"

    def frames_of(self, which):
        """Frames that the first guest sent there."""
        return int(self.one.must(f"cat /sys/class/net/eth{which}/statistics/tx_packets"))

    def test_A11_udp_is_complete_on_one_host(self):
        """50 pings over each pair with UDP in it: none is lost"""
        for which, pair in enumerate(self.pairs):
            if "socket udp" in pair or "dgram" in pair:
                # The guest's ping itself has room for few answers that come late and together.
                got = self.one.ping(f"10.{which}.0.2", count=50, interval=0.03, size=1000)
                assert got == (50, 50), f"{pair}: {got}"


class TestLegacy:
    """`-net nic -net socket,...`: what older texts have, hubs with unlike numbers, as nobody."""

    def setup(self):
        self.start_relay()
        legacy = ["-net", f"nic,model=virtio,macaddr={hardware(1, 0)}",
                  "-net", "socket,listen=127.0.0.1:8010"]
        hub = ["-netdev", "socket,id=far,connect=127.0.0.1:8011",
               "-netdev", "hubport,id=hfar,hubid=2,netdev=far",
               "-netdev", "hubport,id=hnear,hubid=2", *device("hnear", hardware(2, 0))]
        self.one, self.two = boot_all(BareGuest("vm1", legacy, ["10.0.0.1/24,fd00::1/64"]),
                                      BareGuest("vm2", hub, ["10.0.0.2/24,fd00::2/64"]))

    def start_relay(self):
        self.relay = Relay("127.0.0.1:8010", "listen:127.0.0.1:8011", user=NOBODY)
        self.relay.listening(8011)

    def test_C1_C3_listen_and_connect_with_unlike_hubs(self):
        """one has the old `-net` pair, on hub 0, the other hub ports, on hub 2: they ping"""
        self.one.reaches("10.0.0.2")
        self.two.reaches("fd00::1")
        assert self.two.ping("10.0.0.1", count=10, interval=0.05) == (10, 10)

    def test_A2_the_listening_guest_restarts(self):
        """it is dialled again, and the one that dials has noticed nothing"""
        self.one.destroy()
        self.one.boot()
        self.two.reaches("10.0.0.1")
        self.relay.alive()

    def test_A2_the_dialling_guest_and_the_relay_restart(self):
        """both are killed: the one that listens is found by the next relay, and goes on"""
        self.two.destroy()
        self.relay.kill()
        self.start_relay()
        self.two.boot()
        self.one.reaches("10.0.0.2")
        assert self.two.ping("10.0.0.1", count=10, interval=0.05) == (10, 10)


if __name__ == "__main__":
    bare.main()
