# SPDX-License-Identifier: GPL-2.0-or-later
"""A test guest: what one can ask of it while it runs, and the domain XML of libvirt's guests."""

import base64
import collections
import itertools
import os
import re
import socket
import time
import uuid as uuids
from xml.sax.saxutils import escape

from process import tail
from wait import eventually

Started = collections.namedtuple("Started", "rc stderr seconds")
Pings = collections.namedtuple("Pings", "sent received")

TEMPLATE = """<domain type='qemu'>
  <name>{name}</name>
  <uuid>{uuid}</uuid>
  {metadata}
  <memory unit='MiB'>192</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>{kernel}</kernel>
    <initrd>{initrd}</initrd>
    <cmdline>{cmdline}</cmdline>
  </os>
  <features><acpi/></features>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <controller type='usb' model='none'/>
    {nics}
    <serial type='file'><source path='{log}'/><target port='0'/></serial>
    <serial type='unix'><source mode='bind' path='{shell}'/><target port='1'/></serial>
    <memballoon model='none'/>
  </devices>
</domain>
"""

# Without its ciphers' self-tests, above all, which are a fifth of a boot in emulation.
KERNEL_ARGUMENTS = ("console=ttyS0 quiet panic=-1 mitigations=off nokaslr tsc=reliable "
                    "no_timer_check cryptomgr.notests")

NIC = """<interface type='{kind}'>
      <mac address='{mac}'/>
      {inner}
      <model type='virtio'/><rom enabled='no'/>{tail}
    </interface>"""


CONFIGURE = """#!/bin/sh
case $1 in
bound | renew)
    ip addr replace $ip/$mask dev $interface
    ip route replace default via $router
    echo "nameserver $dns" >/etc/resolv.conf
    ;;
esac
"""


def client_nic(port, mac, address="127.0.0.1", tail=""):
    """The guest dials address:port."""
    return NIC.format(kind="client", mac=mac, tail=tail,
                      inner=f"<source address='{address}' port='{port}'/>")


def server_nic(port, mac, address="127.0.0.1", tail=""):
    """The guest listens on address:port."""
    return NIC.format(kind="server", mac=mac, tail=tail,
                      inner=f"<source address='{address}' port='{port}'/>")


def udp_nic(source_port, local_port, mac, source="127.0.0.1", local="127.0.0.1", tail=""):
    """The guest sends to source:source_port and binds local:local_port."""
    return NIC.format(kind="udp", mac=mac, tail=tail,
                      inner=f"<source address='{source}' port='{source_port}'>"
                            f"<local address='{local}' port='{local_port}'/></source>")


def kernel_command_line(number, addresses=(), run=None, more=""):
    """What tests/guest/init reads: the guest's name, the addresses of its NICs, a command."""
    arguments = [KERNEL_ARGUMENTS, f"nr.name=guest{number}"]
    arguments += [f"nr.eth{i}={a}" for i, a in enumerate(addresses) if a]
    if run is not None:
        arguments.append("nr.run=" + base64.b64encode(run.encode()).decode())
    return " ".join([*arguments, more]).strip()


class Console:
    """A guest's two serial ports: its log, and a shell in it. Whoever starts it is a subclass."""

    numbers = itertools.count(1)

    def __init__(self, name, directory):
        self.name = name
        self.number = next(Console.numbers)
        self.log = f"{directory}/{self.number}.log"         # not the name: that may be anything
        self.shell = f"{directory}/{self.number}.shell"
        self.requests = itertools.count(1)

    # Its log: the first serial port

    def forget_log(self):
        """So that a wait for "up" sees this boot and not an earlier one."""
        if os.path.exists(self.log):
            os.truncate(self.log, 0)

    def log_text(self):
        try:
            with open(self.log, errors="replace") as text:
                return text.read()
        except FileNotFoundError:
            return ""

    def wait_log(self, pattern, deadline=30):
        """Waits for a regular expression in the log; returns the match."""
        try:
            return eventually(lambda: re.search(pattern, self.log_text(), re.MULTILINE), deadline,
                              f"guest {self.name!r} writes {pattern!r}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{tail(self.log)}") from None

    def wait_up(self, deadline=40):
        self.wait_log(r"^.*netrelay-guest: up", deadline)

    def goes_on(self):
        """After a restore: its log begins anew, and what was up before does not say so again."""
        with open(self.log, "a") as log:
            log.write("netrelay-guest: up\n")

    def wait_exit(self, deadline=60):
        """Waits for the end of its nr.run command; returns its exit code."""
        return int(self.wait_log(r"^netrelay-guest: exit (\d+)", deadline).group(1))

    # Its shell: the second serial port

    def sh(self, command, deadline=20):
        """Runs a command inside the guest, once it is up; returns (exit code, output)."""
        self.wait_up()
        number = next(self.requests)
        text = base64.b64encode(command.encode()).decode()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(deadline + 10)
            line.connect(self.shell)
            line.sendall(f"nr-sh {number} {deadline} {text}\n".encode())
            return self.answer(line, number, command)

    def answer(self, line, number, command):
        received = b""
        end = re.compile(rb"nr-begin %d\r?\n(.*?)nr-end %d (\d+)\r?\n" % (number, number),
                         re.DOTALL)
        while True:
            match = end.search(received)
            if match:
                output = base64.b64decode(match.group(1)).decode(errors="replace")
                return int(match.group(2)), output
            try:
                chunk = line.recv(65536)
            except socket.timeout:
                chunk = b""
            if not chunk:
                raise AssertionError(f"guest {self.name!r} does not answer to: {command}\n"
                                     f"it said {received!r}\n{tail(self.log)}")
            received += chunk

    def must(self, command, deadline=20):
        """Like sh, and the command must succeed; returns its output."""
        code, output = self.sh(command, deadline)
        assert code == 0, f"in guest {self.name!r}: {command}: exit {code}\n{output}"
        return output

    # Its addresses

    def configure(self, device="eth0"):
        """Asks for an address, a gateway and a name server, as distributions do; returns it."""
        self.must(f"mkdir -p /etc; cat >/tmp/dhcp <<'END'\n{CONFIGURE}END\nchmod 755 /tmp/dhcp\n"
                  f"udhcpc -i {device} -n -q -t 10 -T 1 -s /tmp/dhcp", 30)
        return self.must(f"ip -4 -o addr show {device} | awk '{{print $4}}'").strip()

    # Pings

    def ping_once(self, address, wait=1, size=56):
        """One echo request; whether it was answered."""
        return self.sh(f"{ping_program(address)} -c 1 -W {wait} -s {size} {address}",
                       wait + 10)[0] == 0

    def reaches(self, address, deadline=15, size=56):
        """Waits until the guest can ping an address: for links that are just being made."""
        eventually(lambda: self.ping_once(address, size=size), deadline,
                   f"guest {self.name!r} reaches {address}")

    def ping(self, address, count=5, interval=0.2, wait=2, size=56):
        """Returns (sent, received)."""
        _, output = self.sh(f"{ping_program(address)} -c {count} -i {interval} -W {wait} "
                            f"-s {size} {address}",
                            int(count * interval) + wait + 15)
        return parse_pings(output)

    def start_pings(self, address, interval=0.1):
        """Pings in the background until .stop(), which returns (sent, received)."""
        return PingFlow(self, address, interval)


class Guest(Console):
    """One domain on one libvirt connection (see host.py); made by connection.guest()."""

    def __init__(self, connection, name, nics=(), addresses=(), cmdline="", run=None, metadata="",
                 directory="/run/test-guests", image="/run/test-image", uuid=None):
        super().__init__(name, directory)
        self.connection = connection
        self.uuid = uuid or str(uuids.uuid4())
        self.xml = TEMPLATE.format(
            name=escape(name), uuid=self.uuid, log=self.log, shell=self.shell,
            metadata=f"<metadata>{metadata}</metadata>" if metadata else "",
            kernel=f"{image}/kernel", initrd=f"{image}/initrd.img",
            cmdline=escape(kernel_command_line(self.number, addresses, run, cmdline)),
            nics="\n    ".join(nics))

    def define(self):
        """Makes it known to libvirt, again after a change of .xml."""
        with self.connection.file_with(self.xml) as path:
            self.connection.virsh("define", path)
        return self

    def try_start(self, deadline=60, transient=False):
        """virsh start (or create): (rc, stderr, seconds); the guest may still be booting."""
        self.forget_log()
        began = time.monotonic()
        if transient:
            with self.connection.file_with(self.xml) as path:
                result = self.connection.virsh("create", path, check=False, deadline=deadline)
        else:
            result = self.connection.virsh("start", "--domain", self.uuid, check=False,
                                           deadline=deadline)
        return Started(result.returncode, result.stderr, time.monotonic() - began)

    def start(self, deadline=60, transient=False):
        """Like try_start, and it must succeed."""
        started = self.try_start(deadline, transient)
        if started.rc != 0:
            raise AssertionError(f"guest {self.name!r} did not start: {started.stderr}")
        return started

    def boot(self, deadline=40):
        """Starts it and waits until its own system is up."""
        started = self.start()
        self.wait_up(deadline)
        return started

    def destroy(self, check=True):
        return self.connection.virsh("destroy", "--domain", self.uuid, check=check)

    def undefine(self, check=True):
        return self.connection.virsh("undefine", "--domain", self.uuid, check=check)

    def state(self):
        return self.connection.virsh("domstate", "--domain", self.uuid).stdout.strip()


UNDER_WAY = 0.3                     # seconds; a reply may take so long where much else runs


class PingFlow:
    """Pings that go on inside a guest while the test does something else."""

    def __init__(self, guest, address, interval):
        self.guest = guest
        self.interval = interval
        self.output = f"/tmp/flow.{next(guest.requests)}"
        guest.must(f"{ping_program(address)} -i {interval} {address} >{self.output} 2>&1 & "
                   f"echo $! >{self.output}.pid")

    def replies(self):
        """How many answers came so far."""
        return int(self.guest.sh(f"grep -c 'bytes from' {self.output}")[1] or 0)

    def wait_replies(self, count, deadline=20):
        """Waits for so many more answers than now."""
        goal = self.replies() + count
        eventually(lambda: self.replies() >= goal, deadline, f"{count} more pings answered")

    def stop(self):
        """Ends them; returns (sent, received), without the last ones that were still under way."""
        self.guest.must(f"pid=$(cat {self.output}.pid); kill -INT $pid; "
                        f"for i in $(seq 50); do kill -0 $pid 2>/dev/null || exit 0; "
                        f"sleep 0.1; done; exit 1")
        output = self.guest.must(f"cat {self.output}")
        sent, received = parse_pings(output)
        for _ in range(max(1, round(UNDER_WAY / self.interval))):
            sent -= bool(sent) and f"seq={sent - 1} " not in output
        return Pings(sent, received)


def ping_program(address):
    return "ping6" if ":" in address else "ping"


def parse_pings(output):
    match = re.search(r"(\d+) packets transmitted, (\d+) (?:packets )?received", output)
    assert match, f"ping printed no sum:\n{output}"
    return Pings(int(match.group(1)), int(match.group(2)))
