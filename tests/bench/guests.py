# SPDX-License-Identifier: GPL-2.0-or-later
"""Two real guests with iperf3: through netrelay, and with one dialling the other, without a relay.

The guest is that of the tests (tests/guest), with iperf3 and its libraries in a second archive.
QEMU has no core of its own: two guests and a relay are more than most machines have cores for.
"""

import base64
import gzip
import os
import re
import shutil
import subprocess
import tempfile

import cores
import kit
import relayproc
import subjects as of
from wait import eventually

BOOTED = 90
PROBED = 15
ARGUMENTS = ("console=ttyS0 quiet panic=-1 mitigations=off nokaslr tsc=reliable no_timer_check "
             "nr.name={name} nr.eth0=10.98.0.{number}/24 nr.run={run}")
SERVER = "iperf3 -s -1"
CLIENT = ("until ping -c 1 -W 1 10.98.0.1; do :; done; "
          "until iperf3 -c 10.98.0.1 -f k -t {seconds} >/tmp/out 2>&1; do sleep 1; done; "
          "cat /tmp/out")
RESULT = re.compile(r"([\d.]+) Kbits/sec\s+receiver")


def image():
    return os.environ.get("NETRELAY_GUEST") or kit.built("guest")


def accelerator():
    """KVM where a guest comes up with it: some machines have the device and no more."""
    try:
        subprocess.run(
            ["qemu-system-x86_64", "-M", "pc", "-accel", "kvm", "-m", "256", "-nodefaults",
             "-display", "none", "-kernel", os.path.join(image(), "kernel"), "-initrd",
             os.path.join(image(), "initrd.img"), "-append", "quiet panic=-1 nr.poweroff"],
            stdin=subprocess.DEVNULL, capture_output=True, timeout=PROBED, check=True)
        return "kvm"
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        return "tcg"


def make_image():
    """The tests' guest; downloads packages where it is not made yet."""
    subprocess.run([os.path.join(kit.HERE, "..", "guest", "make-guest.sh"), image()], check=True)


def libraries(program):
    """What ldd says it needs, the loader too."""
    text = subprocess.run(["ldd", program], stdout=subprocess.PIPE, text=True, check=True).stdout
    return re.findall(r"(/\S+) \(0x", text)


def make_initrd(folder):
    """The tests' archive and one with iperf3 behind it, which the kernel unpacks over the first."""
    program = shutil.which("iperf3")
    if not program:
        raise FileNotFoundError("iperf3")
    tree = os.path.join(folder, "tree")
    for path in [program, *libraries(program)]:
        target = tree + ("/bin/iperf3" if path == program else path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        shutil.copy(os.path.realpath(path), target)
    archive = subprocess.run("find . | cpio -o -H newc -R 0:0 --quiet", shell=True, cwd=tree,
                             stdout=subprocess.PIPE, check=True).stdout
    path = os.path.join(folder, "initrd.img")
    with open(os.path.join(image(), "initrd.img"), "rb") as first, open(path, "wb") as whole:
        whole.write(first.read() + gzip.compress(archive, 1))
    return path


class Guests:
    """The image is made once; each measurement boots two guests."""

    def __init__(self):
        self.folder = self.accel = None

    def initrd(self):
        if not self.folder:
            self.folder = tempfile.TemporaryDirectory(prefix="bench-guest-")
            make_initrd(self.folder.name)
            self.accel = accelerator()
        return os.path.join(self.folder.name, "initrd.img")

    def boot(self, subject, number, netdev, run):
        """Starts one; returns where its console is written."""
        log = os.path.join(subject.enter_context(tempfile.TemporaryDirectory()), "console")
        arguments = ARGUMENTS.format(name=f"guest{number}", number=number,
                                     run=base64.b64encode(run.encode()).decode())
        process = subprocess.Popen(
            ["qemu-system-x86_64", "-M", "pc", "-accel", self.accel, "-m", "256", "-nodefaults",
             "-display", "none", "-kernel", os.path.join(image(), "kernel"), "-initrd",
             self.initrd(), "-append", arguments, "-serial", f"file:{log}", "-netdev",
             f"socket,id=n,{netdev}", "-device",
             f"virtio-net-pci,netdev=n,mac=52:54:00:98:00:0{number},romfile="],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        subject.callback(cores.stop, process)
        return log

    def measure(self, subject, l4_port, netdev, seconds):
        """The first guest has `netdev`, the second one dials the port once it is listened on."""
        self.initrd()
        with subject:
            self.boot(subject, 1, netdev, SERVER)
            eventually(lambda: l4_port in relayproc.listeners(), 10, f"port {l4_port} listens")
            log = self.boot(subject, 2, f"connect=127.0.0.1:{l4_port}",
                            CLIENT.format(seconds=seconds))
            found = eventually(lambda: RESULT.search(text_of(log)), BOOTED + seconds,
                               "iperf3 in a guest prints its result")
        return {"gbit_per_s": float(found[1]) / 1e6, "faults": {}}


def text_of(path):
    try:
        with open(path, errors="replace") as text:
            return text.read()
    except FileNotFoundError:
        return ""


guests = Guests()


def whole(seconds):
    return max(2, round(seconds * 4))


def through_netrelay(seconds):
    subject = of.switch(0)
    return guests.measure(subject, subject.l4_port, f"connect=127.0.0.1:{subject.l4_port}",
                          whole(seconds))


def direct(seconds):
    l4_port = next(of.l4_ports)
    return guests.measure(of.Subject(), l4_port, f"listen=127.0.0.1:{l4_port}", whole(seconds))
