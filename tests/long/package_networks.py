#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Networks of each kind on a host that has the Debian package, under its unit, as users have it.

What the unit forbids is forbidden here: the kernel's settings, rules and devices, a dnsmasq, a
netrelay-user and the guard of an uplink have to work all the same, through restarts, kills, an
upgrade (from the commit NETRELAY_PREVIOUS, if that is set) and the removal.
"""

import base64
import difflib
import os
import re
import shutil
import sys
import urllib.request

sys.path[:0] = [os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", folder)
                for folder in ("lib", "relay")]

import links                        # noqa: E402
import stacks                       # noqa: E402
import tap                          # noqa: E402
from outside import GREETING, HERE, THERE, Outside    # noqa: E402
from packaging import INSTALL, Installed, Packaging, define_guest    # noqa: E402
from process import run             # noqa: E402
from wait import eventually         # noqa: E402

LISTEN = "<listen address='127.0.0.1' port='{}'/>"
DHCP = "<dhcp><range start='{0}.10' end='{0}.25'/></dhcp>"
NETWORKS = {
    "routed": "<bridge name='br1'/><forward mode='route' dev='out0'/>"
              "<ip address='10.1.0.1' prefix='24'/>",
    "nat": LISTEN.format(12341) + "<bridge name='br2'/><forward mode='nat' dev='out0'/>"
           f"<ip address='10.2.0.1' prefix='24'>{DHCP.format('10.2.0')}</ip>"
           "<ip address='fd00:2::1' prefix='64'/><domain name='nat.example'/>",
    "lan": "<bridge name='br7'/><forward mode='bridge' dev='eth1'/>",
    "user": LISTEN.format(12342) + "<forward mode='user'><portForward proto='tcp' "
            "address='127.0.0.1' to='10.4.0.10'><range start='2280' to='80'/></portForward>"
            f"</forward><ip address='10.4.0.2' prefix='24'>{DHCP.format('10.4.0')}</ip>",
}
LAN = ("192.0.2.2/24", "192.0.2.1/24")      # eth1 of the host, and who is beyond it
CONFIGURE = """case $1 in bound)
ip addr replace $ip/$mask dev $interface
ip route replace default via $router
esac
"""
# An address by DHCP, a page for others, and a line each time that the outside answers.
GUEST_RUNS = f"""cat >/tmp/dhcp <<'END'
#!/bin/sh
{CONFIGURE}END
chmod 755 /tmp/dhcp
mkdir /tmp/www
echo hello >/tmp/www/index.html
httpd -p 80 -h /tmp/www
udhcpc -i eth0 -n -q -t 60 -T 1 -s /tmp/dhcp
while :; do echo "heard: $(nc -w 5 {THERE} {GREETING} </dev/null)"; sleep 1; done
"""


def kernel():
    """All that a network could have changed, in lines."""
    settings = run(["sh", "-c", "grep -s . /proc/sys/net/ipv4/conf/*/* /proc/sys/net/ipv6/conf/*/*"
                    " /proc/sys/net/ipv4/ip_forward"], check=False).stdout
    devices = links.without(links.snapshot(), ("preferred_life_time", "valid_life_time"))
    texts = [links.ip("route", "show", "table", "all"), run(["nft", "list", "ruleset"]).stdout,
             *(line for line in settings.splitlines() if "stable_secret" not in line)]
    return [*(str(device) for device in devices.values()), *"\n".join(texts).splitlines()]


def is_as(before, what):
    """Waits until the kernel is as it was, and shows what is not."""
    try:
        eventually(lambda: kernel() == before, 30, f"{what}: the kernel is as it was")
    except AssertionError:
        print("\n".join(difflib.unified_diff(before, kernel(), lineterm="", n=0)))
        raise


def on(device):
    """Whether it has the LAN's address of this host."""
    return re.search(rf" {device} +inet {LAN[0]} ", links.ip("-4", "-oneline", "address", "show"))


def pings(target):
    return run(["busybox", "ping", "-c", "1", "-W", "1", target], check=False).returncode == 0


class Station:
    """A machine in one of the host's bridges."""

    def __init__(self, bridge, name):
        self.bridge, self.name = bridge, name
        self.stack = stacks.Stack()
        stacks.cable(None, self.stack, name)
        links.ip("link", "set", name, "master", bridge)

    def lease(self):
        """The address that DHCP gives it, or None."""
        with self.stack:
            said = run(["busybox", "udhcpc", "-i", self.name, "-n", "-q", "-f", "-t", "5", "-T",
                        "1", "-s", "/bin/true"], check=False)
        found = re.search(r"lease of (\S+) obtained", said.stderr + said.stdout)
        return found and found[1]

    def close(self):
        links.ip("link", "del", self.name)
        self.stack.close()


class TestNetworks(Installed):
    """One after the other, as it goes in life."""

    def setup(self, host, package):
        self.host = host("networks", package(os.environ.get("NETRELAY_PREVIOUS")),
                         "dnsmasq-base libnftables1 procps")
        shutil.copy(package(), f"{self.host.root}/root/new.deb")
        self.host.boot()
        self.host.sh("systemctl start libvirtd && virsh -q list")
        self.host.sh(f"{INSTALL} /root/netrelay.deb")
        stacks.enter(os.open(f"/proc/{self.host.first}/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        for setting in ("accept_dad", "autoconf"):
            links.write(f"/proc/sys/net/ipv6/conf/default/{setting}", "0")
        self.outside = Outside()
        run(["nsenter", "--net", "--target", str(self.outside.pid), "ip", "route", "add",
             "10.1.0.0/24", "via", HERE])
        self.lan = stacks.Stack()
        stacks.cable(None, self.lan, "eth1", LAN)
        eventually(lambda: "fe80" in links.ip("-6", "address", "show", "dev", "eth1") and
                   "fe80" in links.ip("-6", "address", "show", "dev", "out0"), 20, "all is settled")
        command = base64.b64encode(GUEST_RUNS.encode()).decode()
        define_guest(self.host, 1, f"nr.run={command}", 12341)
        define_guest(self.host, 2, f"nr.run={command}", 12342)
        self.before = kernel()

    @tap.timeout(600)
    def test_each_kind(self):
        """Routed, NAT, addresses by DHCP, the LAN by an uplink, user mode: all are there"""
        for name, text in NETWORKS.items():
            self.write_network(name, text)
        self.host.sh("netrelayctl reload && netrelayctl net-start lan")
        self.host.sh("virsh -q start vm1 && virsh -q start vm2")
        eventually(lambda: "br1" in links.snapshot(), 20, "br1")
        self.station = Station("br1", "sta0")
        with self.station.stack:
            links.ip("address", "add", "10.1.0.9/24", "dev", "sta0")
            links.ip("route", "add", "default", "via", "10.1.0.1")
        self.all_work()

    @tap.timeout(300)
    def test_another_manager(self):
        """The unit restarted, and its manager killed: nothing that was laid changes"""
        laid, relays = kernel(), self.relays()
        for command in ("restart netrelayd", "kill --kill-whom=main --signal=KILL netrelayd"):
            self.replace_manager(f"systemctl {command}")
            self.all_work()
            is_as(laid, command)
        assert self.relays() == relays

    @tap.timeout(300)
    def test_all_killed(self):
        """All processes of the unit killed, the relays too: systemd keeps what guests need"""
        relays = self.relays()
        self.replace_manager("systemctl kill --signal=KILL netrelayd")
        self.all_work()
        assert not set(self.relays()) & set(relays)

    @tap.timeout(300)
    def test_stopped(self):
        """The unit stopped: all goes on but DHCP; an uplink that nobody confirmed comes back"""
        self.host.sh("netrelayctl net-destroy lan")
        eventually(lambda: on("eth1") and not on("br7"), 20, "eth1 has its address again")
        self.host.sh("netrelayctl net-start --confirm 3 lan")
        assert on("br7") and not on("eth1")
        self.host.sh("systemctl stop netrelayd.socket netrelayd.service")
        self.guests_go_on(1, 2)
        self.routed_goes_on()
        assert not self.lease()
        eventually(lambda: on("eth1") and not on("br7"), 30, "the guard has given it back")
        self.host.sh("systemctl start netrelayd.socket netrelayd.service")
        self.host.sh("netrelayctl net-start lan")
        self.all_work()

    @tap.timeout(300)
    def test_upgraded(self):
        """An upgrade restarts the manager and replaces relays, under networks of each kind"""
        relays, laid = self.relays(), kernel()
        self.replace_manager(f"{INSTALL} --reinstall /root/new.deb")
        self.all_work()
        assert len(self.relays()) == len(relays)
        is_as(laid, "an upgrade")

    @tap.timeout(120)
    def test_leases_go_with_their_network(self):
        """What the unit leaves of root's rights is enough to remove them"""
        self.write_network("short", NETWORKS["nat"].replace("10.2.", "10.3.").replace("br2", "br3")
                           .replace("fd00:2", "fd00:3").replace("12341", "12343"))
        eventually(lambda: "short.leases" in self.leases(), 20, "dnsmasq serves it")
        self.host.sh("netrelayctl net-destroy short && netrelayctl net-undefine short")
        eventually(lambda: self.leases() == ["nat.leases"], 20, "its leases are removed")

    @tap.timeout(300)
    def test_removed(self):
        """The package removed: what no guest of libvirt's needs goes, the rest goes on"""
        self.station.close()
        self.host.sh("apt-get remove -q -y netrelay")
        eventually(lambda: on("eth1") and not on("br7"), 20, "eth1 has its address again")
        eventually(lambda: "br1" not in links.snapshot(), 20, "the routed network goes")
        self.guests_go_on(1, 2)
        eventually(self.lease, 20, "a lease can be renewed")

    @tap.timeout(300)
    def test_purged(self):
        """Purged under guests: with them the last trace goes, and the host is as it was before"""
        self.host.sh("apt-get purge -q -y netrelay")
        self.guests_go_on(1, 2)
        self.host.sh("virsh -q destroy vm1")
        self.guests_go_on(2)
        self.host.sh("virsh -q destroy vm2")
        is_as(self.before, "without guests")
        self.no_trace()
        self.nothing_failed()
        assert not self.host.sh("journalctl -b -t netrelayd | grep -i 'not permitted'", check=False)

    # What is done, and looked at, again and again

    def write_network(self, name, text):
        self.write(f"/etc/netrelay/networks/{name}.xml",
                   f"<network><name>{name}</name>{text}</network>")

    def heard(self, number):
        """How often the guest has been answered from outside."""
        try:
            with open(f"{self.host.root}/var/log/libvirt/qemu/vm{number}.serial",
                      errors="replace") as log:
                return log.read().count(f"heard: hello {HERE}")
        except FileNotFoundError:
            return 0

    def guests_go_on(self, *numbers):
        for number in numbers:
            before = self.heard(number)
            eventually(lambda n=number, b=before: self.heard(n) >= b + 2, 60,
                       f"vm{number} hears the outside")

    def routed_goes_on(self):
        with self.station.stack:
            eventually(lambda: pings(THERE), 20, "the outside, from the routed network")

    def all_work(self):
        self.guests_go_on(1, 2)
        self.routed_goes_on()
        with self.lan:
            eventually(lambda: pings("192.0.2.2"), 20, "the host, from the LAN")
        assert on("br7") and not on("eth1")
        eventually(self.lease, 20, "a lease")
        with urllib.request.urlopen("http://127.0.0.1:2280/index.html", timeout=15) as page:
            assert page.read() == b"hello\n"

    def lease(self):
        """A machine in the network with DHCP is given an address."""
        station = Station("br2", "sta1")
        try:
            return station.lease()
        finally:
            station.close()

    def leases(self):
        return sorted(os.listdir(f"{self.host.root}/var/lib/netrelay/dnsmasq"))

    def replace_manager(self, command):
        before = self.manager()
        self.host.sh(command)
        eventually(lambda: self.manager() not in ("0", before), 20, "another manager")


if __name__ == "__main__":
    tap.main(Packaging())
