# SPDX-License-Identifier: GPL-2.0-or-later
"""A Debian in a folder: commands in it, and a boot with its own systemd as process 1.

What is mounted and started belongs to namespaces which end with the process that made them.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess

from tap import Skip
from wait import eventually

SUITE = "bookworm"
ENVIRONMENT = ["/usr/bin/env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
               "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8", "TERM=dumb"]
DEVICES = "null zero full random urandom tty"

# The folder becomes /; $root is left behind.
ENTER = """set -e
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t tmpfs tmpfs "$root/run"
{mounts}
mkdir -p "$root/.outside"
cd "$root"
pivot_root . .outside
cd /
mount -t proc proc /proc
umount -l /.outside
"""
OF_THE_HOST = """mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
"""
OF_ITS_OWN = f"""mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs tmpfs "$root/dev"
for name in {DEVICES}; do
    touch "$root/dev/$name"
    mount --bind "/dev/$name" "$root/dev/$name"
done
mkdir "$root/dev/net" "$root/dev/pts" "$root/dev/shm"
mknod -m 666 "$root/dev/net/tun" c 10 200
mount -t devpts devpts "$root/dev/pts"
mount -t tmpfs tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ip link set lo up
"""


def make_clean(folder):
    """A minimal Debian, unless there is one: NETRELAY_CLEAN may name it."""
    if os.path.exists(f"{folder}/etc/debian_version"):
        return folder
    if not shutil.which("debootstrap"):
        raise Skip("debootstrap is not installed: contrib/install-packages.sh package")
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run(["debootstrap", "--variant=minbase", SUITE, f"{folder}.new"], check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    os.rename(f"{folder}.new", folder)
    return folder


def unified_hierarchy():
    """Where cgroups of version 2 are mounted, alone or beside those of version 1."""
    with open("/proc/self/mounts") as mounts:
        found = re.search(r"^\S+ (\S+) cgroup2 ", mounts.read(), re.M)
    if not found:
        raise Skip("there are no cgroups of version 2 for a systemd")
    return found.group(1)


def answer_of(argv, deadline, check, **more):
    result = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, timeout=deadline, check=False,
                            **more)
    print(f"$ {argv[-1]}\n{result.stdout}")
    if check and result.returncode != 0:
        raise AssertionError(f"{argv[-1]}: exit {result.returncode}\n{result.stdout[-3000:]}")
    return result.stdout


class Debian:
    """A copy of the clean one."""

    def __init__(self, clean, root):
        self.root = root
        self.machine = None
        self.first = None               # process 1 of the booted one
        self.cgroup = None
        shutil.rmtree(root, ignore_errors=True)
        subprocess.run(["cp", "-a", "--reflink=auto", clean, root], check=True)
        for name in ("resolv.conf", "hosts"):
            shutil.copy(f"/etc/{name}", f"{root}/etc/{name}")

    def chroot(self, command, deadline=900, check=True):
        """With the host's network, so that packages can be had, and without services."""
        script = ENTER.format(mounts=OF_THE_HOST) + f"exec {shlex.join(ENVIRONMENT)} sh -c \"$1\""
        return answer_of(["unshare", "-m", "-p", "-f", "--kill-child", "sh", "-c", script, "sh",
                          command], deadline, check, env={**os.environ, "root": self.root})

    def boot(self):
        """With a network of its own that leads nowhere."""
        self.cgroup = f"{unified_hierarchy()}/netrelay-debian-{os.getpid()}"
        os.mkdir(self.cgroup)
        script = (ENTER.format(mounts=OF_ITS_OWN) +
                  f"exec {shlex.join(ENVIRONMENT)} container=netrelay-test /lib/systemd/systemd")
        outside = f"echo $$ >{self.cgroup}/cgroup.procs; exec \"$@\""
        self.machine = subprocess.Popen(
            ["sh", "-c", outside, "sh", "unshare", "-m", "-p", "-f", "-n", "-u", "-i", "-C",
             "--kill-child", "sh", "-c", script], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env={**os.environ, "root": self.root})
        self.first = eventually(self.find_first, 20, "process 1")
        eventually(lambda: self.sh("systemctl is-system-running", check=False).strip()
                   in ("running", "degraded"), 60, "systemd is up")

    def find_first(self):
        pid = self.machine.pid
        with open(f"/proc/{pid}/task/{pid}/children") as children:
            found = children.read().split()
        if not found:
            return None
        with open(f"/proc/{found[0]}/comm") as name:
            return found[0] if name.read().strip() == "systemd" else None

    def sh(self, command, deadline=120, check=True):
        """In the booted one."""
        return answer_of(["nsenter", "-t", self.first, "-m", "-p", "-n", "-u", "-i", "-C",
                          *ENVIRONMENT, "sh", "-c", command], deadline, check)

    def end(self):
        """Ends what runs in it, and removes it."""
        if self.machine:
            self.machine.send_signal(signal.SIGKILL)
            self.machine.wait()
        if self.cgroup:
            eventually(self.cgroup_removed, 20, "its cgroups are removed")
        shutil.rmtree(self.root, ignore_errors=True)

    def cgroup_removed(self):
        for path, _, _ in os.walk(self.cgroup, topdown=False):
            try:
                os.rmdir(path)
            except OSError:
                return False
        return not os.path.exists(self.cgroup)
