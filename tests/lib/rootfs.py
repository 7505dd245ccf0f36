# SPDX-License-Identifier: GPL-2.0-or-later
"""The file system of a private host: the machine's own, with copies of what a test may change.

/usr, /etc and /var are overlays whose changes go to memory, /run is empty, /dev has no KVM. So a
product can be installed, and a libvirtd run, at the very paths that a user has, and the machine
outside sees nothing of it.
"""

import os

import namespaces as ns

OVERLAID = ("usr", "etc", "var")
STORE = "/run/test-host"            # upper sides of the overlays; in memory like all of /run
DEVICES = (("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8),
           ("urandom", 1, 9), ("tty", 5, 0), ("net/tun", 10, 200))


def layer():
    """Mounts an empty /run and overlays; can be done again, on top of an earlier layer."""
    ns.mount("run", "/run", "tmpfs", ns.MS_NOSUID | ns.MS_NODEV, "mode=755")
    for name in OVERLAID:
        upper, work = f"{STORE}/{name}", f"{STORE}/{name}.work"
        os.makedirs(upper)
        os.makedirs(work)
        ns.mount("overlay", f"/{name}", "overlay", 0,
                 f"lowerdir=/{name},upperdir={upper},workdir={work}")
    os.chmod(STORE, 0o700)
    if not all(os.path.ismount(f"/{name}") for name in OVERLAID):
        raise RuntimeError("the machine's own files would be changed")  # a mistake in here


def devices():
    """A /dev like the one udev makes, without KVM: broken or not, tests are to run the same."""
    ns.mount("dev", "/dev", "tmpfs", ns.MS_NOSUID, "mode=755")
    for directory in ("net", "pts", "shm"):
        os.mkdir(f"/dev/{directory}")
    for name, major, minor in DEVICES:
        os.mknod(f"/dev/{name}", 0o666 | 0o020000, os.makedev(major, minor))
        os.chmod(f"/dev/{name}", 0o666)
    ns.mount("devpts", "/dev/pts", "devpts", ns.MS_NOSUID | ns.MS_NOEXEC,
             "newinstance,ptmxmode=0666,mode=620")
    ns.mount("shm", "/dev/shm", "tmpfs", ns.MS_NOSUID | ns.MS_NODEV, "mode=1777")
    for name, target in (("ptmx", "pts/ptmx"), ("fd", "/proc/self/fd"),
                         ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        os.symlink(target, f"/dev/{name}")


def kernel_trees():
    """/proc of our processes, /sys of our network, without cgroups: libvirt then makes none."""
    ns.mount("proc", "/proc", "proc", ns.MS_NOSUID | ns.MS_NODEV | ns.MS_NOEXEC)
    ns.mount("sysfs", "/sys", "sysfs", ns.MS_NOSUID | ns.MS_NODEV | ns.MS_NOEXEC)
