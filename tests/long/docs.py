#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Pages of docs/ that one can follow: every command in them that has a prompt is run, in order.
A minute or two. To be run when a page changes, or what its commands do.

A command is as it stands there; only its guest's disk, vm1.img, is the tests' own guest.
"""

import collections
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import bare                         # noqa: E402
import install                      # noqa: E402
import kit                          # noqa: E402
import links                        # noqa: E402
import namespaces as ns             # noqa: E402
import tap                          # noqa: E402
from bare import MACHINE, NOBODY, PLACE    # noqa: E402
from guest import CONFIGURE, Console, kernel_command_line    # noqa: E402
from outside import own_etc         # noqa: E402
from process import run             # noqa: E402
from relayproc import listeners     # noqa: E402
from wait import eventually         # noqa: E402

BLOCK = re.compile(r"(?:^    .*\n)+", re.MULTILINE)
COMMAND = re.compile(r"(\$|#|hostb#|router#|vm\d#) (.*)")
Step = collections.namedtuple("Step", "prompt command shown")
AGAIN = ("ping", "udhcpc")          # what a person tries again, where something is just coming up
EXAMPLES = "/usr/share/doc/netrelay/examples"
LEASE_SCRIPT = "/etc/udhcpc/default.script"

QEMU = """#!/usr/bin/python3
import os, sys
rest = [word for word in sys.argv[1:] if not word.endswith(".img")]
os.execv("/usr/bin/qemu-system-x86_64", ["qemu-system-x86_64", *{machine!r},
    "-kernel", "{place}/kernel", "-initrd", "{place}/initrd.img", "-append",
    os.environ["GUEST_COMMAND_LINE"], "-serial", "file:" + os.environ["GUEST_LOG"],
    "-serial", "unix:" + os.environ["GUEST_SHELL"] + ",server=on,wait=off", *rest])
"""


def steps_of(page):
    """The commands as one reads them there, each with the lines that it is shown to print."""
    with open(f"{install.TREE}/docs/{page}") as file:
        blocks = BLOCK.findall(file.read())
    steps = [step for block in blocks for step in steps_in(block)]
    assert len(steps) > 5, f"{page} has another form"
    return steps


def steps_in(block):
    steps = []
    lines = iter([line[4:] for line in block.splitlines()])
    for line in lines:
        match = COMMAND.fullmatch(line)
        if match:
            steps.append(Step(match.group(1), whole(match.group(2), lines), []))
        elif steps:
            steps[-1].shown.append(line)
    return steps


def whole(command, lines):
    """With the lines that belong to it."""
    document = "<<'END'" in command
    while command.endswith("\\") or document and not command.endswith("\nEND"):
        command += "\n" + next(lines)
    return command


def with_leases(guest):
    """The tests' guest has not even udhcpc's script."""
    guest.must(f"mkdir -p {os.path.dirname(LEASE_SCRIPT)}; cat >{LEASE_SCRIPT} <<'EOF'\n"
               f"{CONFIGURE}EOF\nchmod 755 {LEASE_SCRIPT}")


class Reader:
    """Who follows a page: a user jane, in a folder of hers, and root."""

    def __init__(self):
        self.other = None           # the namespace of hostb
        self.home = f"{PLACE}/jane"
        self.guests = {}
        for folder in (self.home, f"{PLACE}/bin"):
            os.mkdir(folder)
        os.chown(self.home, NOBODY, NOBODY)
        os.environ["PATH"] = f"{PLACE}/bin:{PLACE}/relay:{os.environ['PATH']}"
        shutil.copy(kit.built("ctl/netrelayctl"), f"{PLACE}/bin")
        with open(f"{PLACE}/bin/qemu-system-x86_64", "w") as file:
            file.write(QEMU.format(machine=MACHINE, place=PLACE))
        os.chmod(f"{PLACE}/bin/qemu-system-x86_64", 0o755)
        self.install()

    def install(self):
        """What the package brings, and jane."""
        own_etc()
        ns.mount("doc", "/usr/share/doc", "tmpfs", 0, "mode=755")
        os.makedirs(EXAMPLES)
        for name in ("qemu-ifup", "qemu-ifdown"):
            shutil.copy(f"{install.TREE}/contrib/{name}", EXAMPLES)
        with open("/etc/passwd") as file:
            others = file.read()
        with open("/etc/passwd", "w") as file:
            file.write(f"jane:x:{NOBODY}:{NOBODY}::{self.home}:/bin/sh\n{others}")

    def follow(self, page):
        for prompt, command, shown in steps_of(page):
            print(prompt, command, flush=True)
            assert not shown, f"nobody here compares what is shown below {command}"
            if prompt in ("$", "#"):
                self.on_the_host(command, 0 if prompt == "#" else NOBODY)
            elif prompt == "hostb#":
                self.on_the_other(command)
            else:
                self.in_a_guest(self.guests[prompt[:-1]], command)

    def on_the_host(self, command, user):
        background = command.endswith(" &")
        arguments = {"cwd": self.home, "user": user, "group": user, "extra_groups": [],
                     "stdin": subprocess.DEVNULL, "env": os.environ | self.guest_of(command)}
        words = ["sh", "-c", command.removesuffix("&")]
        if background:
            self.came_up(subprocess.Popen(words, **arguments), command)
        elif command.startswith(AGAIN):
            eventually(lambda: subprocess.run(words, check=False, **arguments).returncode == 0,
                       20, command)
        else:
            subprocess.run(words, check=True, timeout=20, **arguments)

    def on_the_other(self, command):
        """A host of its own, at the other end of a cable, as far as networks go."""
        if not self.other:
            self.other = subprocess.Popen(["unshare", "--net", "sleep", "infinity"],
                                          preexec_fn=ns.die_with_parent)
            eventually(lambda: os.stat(f"/proc/{self.other.pid}/ns/net").st_ino
                       != os.stat("/proc/self/ns/net").st_ino, 5, "hostb is there")
            links.ip("link", "add", "cable", "type", "veth", "peer", "name", "cable",
                     "netns", str(self.other.pid))
            for where, address in (([], "192.0.2.1/24"), (self.inside(), "192.0.2.2/24")):
                run([*where, "ip", "address", "add", address, "dev", "cable"])
                run([*where, "ip", "link", "set", "cable", "up"])
        words = [*self.inside(), "sh", "-c", command.removesuffix("&")]
        if command.endswith(" &"):
            subprocess.Popen(words, stdin=subprocess.DEVNULL)
        else:
            run(words)

    def inside(self):
        return ["nsenter", f"--net=/proc/{self.other.pid}/ns/net"]

    def guest_of(self, command):
        """The environment for the guest that this starts."""
        match = re.search(r"\b(vm\d)\.img", command)
        if not match:
            return {}
        guest = self.guests[match.group(1)] = Console(match.group(1), self.home)
        return {"GUEST_LOG": guest.log, "GUEST_SHELL": guest.shell,
                "GUEST_COMMAND_LINE": kernel_command_line(guest.number)}

    def came_up(self, process, command):
        """Waits for what later commands need of it."""
        l4_port = re.search(r"-l 127\.0\.0\.1:(\d+)", command)
        device = re.search(r"tap:(\w+)", command)
        eventually(lambda: process.poll() is not None
                   or (not l4_port or int(l4_port.group(1)) in listeners())
                   and (not device or links.is_up(device.group(1))), 20, f"{command} is up")
        assert process.poll() is None, f"{command} ended with {process.returncode}"

    def in_a_guest(self, guest, command):
        guest.wait_up(60)
        if command.startswith("udhcpc"):
            with_leases(guest)
        if command.startswith(AGAIN):
            eventually(lambda: guest.sh(command, 30)[0] == 0, 20, f"{guest.name}# {command}")
        else:
            guest.must(command)


@tap.timeout(200)
def test_relay_between_hosts():
    """docs/relay-between-hosts.md"""
    kit.need_tun()
    Reader().follow("relay-between-hosts.md")


@tap.timeout(200)
def test_multicast_segment():
    """docs/multicast-segment.md"""
    kit.need_tun()
    bare.need_companion("user")
    Reader().follow("multicast-segment.md")


@tap.timeout(200)
def test_qemu_by_hand():
    """docs/qemu-by-hand.md"""
    kit.need_tun()
    bare.need_companion("user")
    bare.need_companion("vde")
    Reader().follow("qemu-by-hand.md")


if __name__ == "__main__":
    bare.main()
