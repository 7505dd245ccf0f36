#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest's port may: <bandwidth>, which libvirt only keeps, and its own address alone."""

import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../lib"))

import lab
import tap
from guest import client_nic, server_nic, udp_nic
from host import PrivateHost
from lab import PORT, address, mac
from wait import eventually

KIB = 1200


def bandwidth(**directions):
    return "<bandwidth>" + "".join(f"<{way} average='{average}'/>"
                                   for way, average in directions.items()) + "</bandwidth>"


def serve(guest):
    """It hands out /b, so many KiB."""
    guest.must(f"mkdir /tmp/www; dd if=/dev/zero of=/tmp/www/b bs=1024 count={KIB}; "
               "httpd -p 80 -h /tmp/www")


def fetch(guest, source):
    """KiB in a second that the guest gets from guest `source`."""
    begin = time.monotonic()
    guest.must(f"wget -q -O /dev/null http://{address(source)}/b", deadline=60)
    return KIB / (time.monotonic() - begin)


def check(rate, limit, text):
    assert limit * 0.6 < rate < limit * 1.15, f"{text}: {rate:.0f} KiB/s in place of {limit}"


WORDS = {"ingress": "sends at most", "egress": "gets at most", "pin": "pinned to"}


def options(host, name):
    """What the port of that guest has, which the table says in words."""
    row = lab.expect_row(host, guest=name, state="connected")
    found = row.get("options", "")
    table = host.netrelayctl("status", name).stdout
    for key, words in WORDS.items():
        assert (f"{key}=" in found) == (words in table), (found, table)
    return found


def has(host, name, wanted):
    return lambda: options(host, name) == wanted


@tap.timeout(150)
def test_what_each_kind_of_nic_may(host):
    """bandwidth of server and udp NICs, each way, beside a client NIC that has none"""
    host.libvirtd()
    host.netrelayd()
    host.write_network("lab", f"<network><name>lab</name><match type='server'/>"
                              f"<listen address='127.0.0.1' port='{PORT}'/>"
                              f"<udp address='127.0.0.1' port='{PORT + 1}'/></network>")
    host.netrelayctl("reload")
    tail = bandwidth(inbound=800, outbound=400)
    guests = {1: lab.numbered(host, 1, client_nic(PORT, mac(1))),
              2: lab.numbered(host, 2, server_nic(PORT + 2, mac(2), tail=tail)),
              3: lab.numbered(host, 3, udp_nic(PORT + 1, PORT + 3, mac(3), tail=tail))}
    lab.start_all(guests)
    lab.all_meet(guests)
    for guest in guests.values():
        serve(guest)
    assert options(host, "vm1") == ""
    for number in (2, 3):
        assert options(host, f"vm{number}") == "ingress=400,egress=800"
        told = host.netrelayctl("status", f"vm{number}").stdout
        assert "    sends at most 400 KiB/s, gets at most 800 KiB/s\n" in told, told
        check(fetch(guests[1], number), 400, f"from vm{number}")
        check(fetch(guests[number], 1), 800, f"to vm{number}")


@tap.timeout(120)
def test_what_is_kept_and_what_is_followed(host):
    """limits outlast the manager and come anew with a start; the link's state is followed, live"""
    host.libvirtd()
    manager = host.netrelayd()
    guest = lab.numbered(host, 1, client_nic(PORT, mac(1), tail=bandwidth(outbound=400)))
    guest.boot()
    eventually(has(host, "vm1", "ingress=400"), 10, "its limit")
    refused = host.virsh("domiftune", "vm1", mac(1), "--inbound", "100", "--live", check=False)
    assert refused.returncode and "interfaces of type 'client'" in refused.stderr, refused
    port = lab.expect_row(host, guest="vm1")["port"]
    manager.kill()
    host.netrelayd()
    eventually(has(host, "vm1", "ingress=400"), 10, "its limit, after a kill of the manager")
    host.virsh("domif-setlink", "vm1", mac(1), "down")
    host.netrelayctl("reload")          # reads all guests anew, as is done each minute
    row = lab.expect_row(host, guest="vm1", state="connected", link="down")
    assert row["port"] == port, "the guest has another connection"
    assert "its link is set down" in host.netrelayctl("status").stdout
    guest.xml = guest.xml.replace("outbound average='400'", "inbound average='900'")
    guest.define()
    guest.destroy()
    guest.start()
    eventually(has(host, "vm1", "egress=900"), 20, "its limit from the next start on")


@tap.timeout(90)
def test_a_pinned_nic(host):
    """pin='yes' in the metadata: the guest reaches others with its own address only"""
    host.libvirtd()
    host.netrelayd()
    pinned = lab.numbered(host, 1, client_nic(PORT, mac(1)),
                          metadata=lab.metadata(f"mac='{mac(1)}' pin='yes'"))
    guests = {1: pinned, 2: lab.numbered(host, 2, client_nic(PORT, mac(2)))}
    lab.start_all(guests)
    lab.all_meet(guests)
    assert options(host, "vm1") == f"pin={mac(1)}" and options(host, "vm2") == ""
    for guest, other, reached in ((guests[2], 1, True), (pinned, 2, False)):
        guest.must("ip link set eth0 address 52:54:00:00:99:99; ip neigh flush dev eth0")
        assert (guest.ping(address(other), count=3)[1] > 0) == reached, guest.name
    lab.expect_drops(host, guest="vm1")
    pinned.must(f"ip link set eth0 address {mac(1)}")
    pinned.reaches(address(2))


if __name__ == "__main__":
    tap.main(PrivateHost())
