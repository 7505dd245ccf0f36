# SPDX-License-Identifier: GPL-2.0-or-later
"""Large labs without a QEMU: domain XML by the hundred, libvirt's hook by hand, what it costs."""

import os
import subprocess
import time
import uuid
from xml.sax.saxutils import quoteattr

HOOK = "/etc/libvirt/hooks/qemu.d/50-netrelay"
TEST_NAMESPACE = "http://libvirt.org/schemas/domain/test/1.0"
SHUT_OFF = 5                    # libvirt's number, for its test driver


def mac(guest, nic):
    return f"52:54:{guest >> 8:02x}:{guest & 255:02x}:{nic >> 8:02x}:{nic & 255:02x}"


def client(port, address="127.0.0.1"):
    return ("<interface type='client'>{mac}"
            f"<source address='{address}' port='{port}'/></interface>")


def server(port, address="127.0.0.1"):
    return client(port, address).replace("'client'", "'server'")


def udp(source, local):
    return ("<interface type='udp'>{mac}"
            f"<source address='{source[0]}' port='{source[1]}'>"
            f"<local address='{local[0]}' port='{local[1]}'/></source></interface>")


def domain(number, nics, details="", kind="kvm"):
    """The XML of guest `number`, from its NICs as client(), server() and udp() have them."""
    devices = "".join(nic.format(mac=f"<mac address='{mac(number, i)}'/>")
                      for i, nic in enumerate(nics))
    return (f"<domain type={quoteattr(kind)}><name>vm{number}</name>"
            f"<uuid>{uuid.UUID(int=number + 1)}</uuid><memory>1024</memory>{details}"
            f"<os><type>hvm</type></os><devices>{devices}</devices></domain>")


def ring_guest(number, count):
    """Two links of a ring of guests, which are nobody else's; a client of one of ten addresses; a
    server. Most of what labs have is like that."""
    def end(owner, side):
        return f"127.1.{owner % count >> 8}.{owner % count & 255}", 5000 + side

    return [udp(end(number + 1, 1), end(number, 2)), udp(end(number - 1, 2), end(number, 1)),
            client(20000 + number % 10), server(23456, f"127.2.{number >> 8}.{number & 255}")]


def test_driver(path, count):
    """Writes a node of libvirt's test driver with `count` defined guests; returns its URI."""
    off = f"<test:runstate>{SHUT_OFF}</test:runstate>"
    with open(path, "w") as node:
        node.write(f"<node xmlns:test='{TEST_NAMESPACE}'>")
        for number in range(count):
            node.write(domain(number, ring_guest(number, count), off, "test"))
        node.write("</node>")
    return f"test://{path}"


class Hooked:
    """libvirt's hook, run by hand as libvirt runs it; `seconds` from its start to its exit."""

    def __init__(self, name, xml, operation="prepare"):
        self.began = time.monotonic()
        self.process = subprocess.Popen([HOOK, name, operation, "begin", "-"],
                                        stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.process.stdin.write(xml)
        self.process.stdin.close()
        self.seconds = None

    def running(self):
        return self.process.poll() is None

    def result(self):
        """Until it has ended: its exit code, and what it said."""
        said = self.process.stderr.read()
        code = self.process.wait()
        self.seconds = time.monotonic() - self.began
        return code, said

    def wait(self):
        """Until it has ended; it has to let the guest start, without a word."""
        assert self.result() == (0, ""), "the guest may not start, or not without a word"
        return self


def prepare(number, nics):
    return Hooked(f"vm{number}", domain(number, nics))


def release(number, nics):
    """As libvirt does where a guest has ended, or could not be started."""
    subprocess.run([HOOK, f"vm{number}", "release", "end", "-"], input=domain(number, nics),
                   text=True, check=True)


def switches(pid):
    """How often a process, with all its threads, was given a CPU."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status") as status:
            total += sum(int(line.split()[1]) for line in status if "ctxt_switches" in line)
    return total


def private_kib(pid):
    """How much memory is this process's alone. Pages of files are not: whether somebody else has
    the same library mapped just now says nothing of the process."""
    with open(f"/proc/{pid}/smaps_rollup") as rollup:
        return sum(int(line.split()[1]) for line in rollup if line.startswith("Private_Dirty"))
