# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU by hand, without libvirt: guests whose NICs are said on the command line.

    bare.main()                 each test has a network of its own, and no privilege need be used

Everything lies in memory, where any user may look: tests run QEMU, and the relay, as nobody.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "relay"))

# pylint: disable=wrong-import-position
import install
import kit
import namespaces as ns
import tap
from guest import Console, kernel_command_line
from process import run
from wait import eventually

PLACE = "/run"
TUN = "/dev/net/tun"
NOBODY = 65534
MACHINE = ["-machine", "pc,usb=off", "-accel", "tcg", "-m", "160", "-display", "none",
           "-nodefaults", "-no-user-config"]


LEASE_SCRIPT = r"""#!/bin/sh
[ "$1" = bound ] || exit 0
echo $ip >/tmp/ip
ip addr add $ip/$mask dev $interface
[ -z "$router" ] || ip route add default via $router
"""


class BareHost(kit.Surroundings):
    """The relay, a guest's image, and QEMU."""

    def open(self):
        super().open()
        if os.geteuid() != 0:
            tap.skip("needs root, to become other users")
        if not shutil.which("qemu-system-x86_64"):
            tap.skip("QEMU is not installed")
        install.make_guest()
        self.program = kit.netrelay()

    def enter(self):
        fixtures = super().enter()
        ns.mount("run", PLACE, "tmpfs", 0, "mode=755")
        if os.path.exists(TUN):     # as udev makes it: anybody may open it, and then own a TAP
            os.mknod(f"{PLACE}/tun", 0o020666, os.makedev(10, 200))
            os.chmod(f"{PLACE}/tun", 0o666)
            ns.bind(f"{PLACE}/tun", TUN)
        for name in ("kernel", "initrd.img"):
            shutil.copy(os.path.join(install.GUEST, name), PLACE)
        os.environ["NETRELAY"] = self.copy_program()
        return fixtures

    def copy_program(self):
        """The relay, and beside it its companions, where it looks for them in a build tree."""
        build = os.path.dirname(os.path.dirname(self.program))
        for kind in ("user", "vde"):
            companion = f"relay-{kind}/netrelay-{kind}"
            if os.path.exists(f"{build}/{companion}"):
                os.mkdir(f"{PLACE}/relay-{kind}")
                shutil.copy(f"{build}/{companion}", f"{PLACE}/{companion}")
        os.mkdir(f"{PLACE}/relay")
        return shutil.copy(self.program, f"{PLACE}/relay")


def need_companion(kind):
    """Skips the test where the relay was built without such endpoints."""
    if not os.path.exists(f"{PLACE}/relay-{kind}/netrelay-{kind}"):
        tap.skip(f"built without {kind}: endpoints")


def main():
    tap.main(BareHost())


def with_net_admin():
    """A copy of the relay whose file gives whoever runs it CAP_NET_ADMIN, and nothing else."""
    os.makedirs(f"{PLACE}/with-net-admin", exist_ok=True)
    copy = shutil.copy(kit.netrelay(), f"{PLACE}/with-net-admin")
    run(["setcap", "cap_net_admin+ep", copy])
    return copy


def dhcp_server(device, subnet, *more):
    """dnsmasq there, with SUBNET.50 to .59; returns the process."""
    return subprocess.Popen(
        ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=root",
         f"--interface={device}", "--bind-interfaces", "--no-ping", "--log-facility=-",
         f"--dhcp-leasefile={PLACE}/leases-{device}", f"--pid-file={PLACE}/dnsmasq-{device}.pid",
         f"--dhcp-range={subnet}.50,{subnet}.59,255.255.255.0,1h", *more])


def nic(number, backend, mac):
    """NIC `number`, and what is behind it: "socket,connect=127.0.0.1:12345"."""
    kind, _, options = backend.partition(",")
    return ["-netdev", f"{kind},id=n{number}{',' if options else ''}{options}",
            *device(f"n{number}", mac)]


def device(netdev, mac):
    return ["-device", f"virtio-net-pci,netdev={netdev},mac={mac},romfile="]


class BareGuest(Console):
    """One QEMU process; `network` is the part of its command line that matters here."""

    def __init__(self, name, network, addresses=(), cmdline="", user=NOBODY):
        self.directory = tempfile.mkdtemp(prefix="guest-", dir=PLACE)
        os.chown(self.directory, user, user)
        super().__init__(name, self.directory)
        self.network = network
        self.user = user
        self.command_line = kernel_command_line(self.number, addresses, more=cmdline)
        self.process = None

    def start(self):
        """Starts it; it may still be booting when this returns."""
        self.forget_log()
        for path in (self.log, self.shell):
            if os.path.exists(path):
                os.unlink(path)
        self.process = subprocess.Popen(
            ["qemu-system-x86_64", *MACHINE, "-kernel", f"{PLACE}/kernel",
             "-initrd", f"{PLACE}/initrd.img", "-append", self.command_line,
             "-serial", f"file:{self.log}", "-serial", f"unix:{self.shell},server=on,wait=off",
             *self.network],
            stdin=subprocess.DEVNULL, user=self.user, group=self.user, extra_groups=[])
        return self

    def boot(self, deadline=40):
        """Starts it and waits until its own system is up."""
        self.start()
        self.wait_up(deadline)
        return self

    def get_address(self, device):
        """Asks for one by DHCP, and sets it and the router; returns it."""
        self.must(f"cat >/tmp/lease <<'EOF'\n{LEASE_SCRIPT}EOF\nchmod +x /tmp/lease")
        self.must(f"udhcpc -i {device} -n -q -t 10 -T 1 -s /tmp/lease", 30)
        return self.must("cat /tmp/ip").strip()

    def destroy(self):
        self.process.kill()
        self.process.wait()

    def pause(self):
        """As long as it is paused it reads nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)


def boot_all(*guests, deadline=60):
    """Together, which is quicker than one by one."""
    for guest in guests:
        guest.start()
    for guest in guests:
        eventually(lambda guest=guest: "netrelay-guest: up" in guest.log_text()
                   or guest.process.poll() is not None, deadline, f"{guest.name} boots")
        assert guest.process.poll() is None, f"QEMU of {guest.name} ended"
    return guests
