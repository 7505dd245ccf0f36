# SPDX-License-Identifier: GPL-2.0-or-later
"""What a private host has installed: the product, a guest to boot, users, libvirt's settings."""

import os
import pwd
import re
import shutil
import subprocess
import uuid

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("NETRELAY_BUILD", os.path.join(TREE, "build"))
GUEST = os.environ.get("NETRELAY_GUEST", os.path.join(BUILD, "guest"))
CAPABILITIES = os.path.join(BUILD, "qemu-capabilities")
HOST_NAME = "testhost"
IMAGE = "/var/lib/test-image"
UNIT = "/usr/lib/systemd/system/netrelayd.service"
SYSUSERS = "/usr/lib/sysusers.d/netrelay.conf"

LIBVIRTD_CONF = """
host_uuid = "{uuid}"
auth_unix_ro = "none"
auth_unix_rw = "none"
unix_sock_group = "libvirt"
unix_sock_rw_perms = "0770"
"""

# No mount namespace around QEMU: it would move /dev, and with it our missing KVM, out of the way.
QEMU_CONF = """
namespaces = []
cgroup_controllers = []
security_driver = "none"
remember_owner = 0
"""


def command(*argv):
    """Runs an installation step; what it prints is shown only when it fails."""
    result = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, check=False)
    if result.returncode:
        raise RuntimeError(f"{' '.join(argv)} failed\n{result.stdout}")


def make_guest():
    """On the machine itself, so that it is there for the next run too."""
    command(os.path.join(TREE, "tests/guest/make-guest.sh"), GUEST)


def guest_image():
    """The guest is copied, for libvirt gives the files of a guest to QEMU's user."""
    os.makedirs(IMAGE, exist_ok=True)
    for name in ("kernel", "initrd.img"):
        shutil.copy(os.path.join(GUEST, name), IMAGE)


def product():
    """Installs the build at the paths that users have it at."""
    if not os.path.exists(os.path.join(BUILD, "build.ninja")):
        raise RuntimeError(f"no build in {BUILD}; run tests/run.sh, or set NETRELAY_BUILD")
    command("meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir=/")


def unit_limits():
    """What a program is started with to have the capabilities that the manager's unit leaves."""
    with open(UNIT) as file:
        lines = re.findall(r"^CapabilityBoundingSet=(.*)$", file.read(), re.M)
    names = ["+" + name.removeprefix("CAP_").lower() for name in " ".join(lines).split()]
    return ["setpriv", "--bounding-set", ",".join(["-all", *names])]


def has_user(name):
    try:
        pwd.getpwnam(name)
        return True
    except KeyError:
        return False


def users():
    """The product's own user, as packages make it, and a person without privileges."""
    if os.path.exists(SYSUSERS) and shutil.which("systemd-sysusers"):
        command("systemd-sysusers", SYSUSERS)
    if not has_user("netrelay"):
        command("useradd", "--system", "--no-create-home", "--home-dir", "/run/netrelay",
                "--shell", "/usr/sbin/nologin", "netrelay")
    if not has_user("tester"):
        os.makedirs("/var/home", exist_ok=True)
        command("useradd", "--create-home", "--home-dir", "/var/home/tester", "tester")


def hosts():
    """Without a name server, names are looked up here or fail after a while."""
    with open("/etc/hosts", "w") as file:
        file.write(f"127.0.0.1 localhost\n127.0.1.1 {HOST_NAME}\n::1 localhost ip6-localhost\n")


def libvirt():
    """Empty of guests and networks, with settings under which QEMU runs in a private host."""
    for path in ("/etc/libvirt/qemu", "/var/lib/libvirt/qemu", "/etc/libvirt/hooks"):
        shutil.rmtree(path, ignore_errors=True)
    os.makedirs("/etc/libvirt/hooks")
    with open("/etc/libvirt/libvirtd.conf", "w") as conf:
        conf.write(LIBVIRTD_CONF.format(uuid=uuid.uuid4()))
    with open("/etc/libvirt/qemu.conf", "w") as conf:
        conf.write(QEMU_CONF)
