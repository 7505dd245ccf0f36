# SPDX-License-Identifier: GPL-2.0-or-later
"""A private host for each test, with the real libvirtd, QEMU and the installed product in it.

    import host, tap

    def test_something(host):
        host.libvirtd()
        ...

    tap.main(host.PrivateHost())

Mounts, network, processes and host name are the test's own; when it ends, all of it is gone.
"""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import tempfile

import capabilities
import install
import links
import namespaces as ns
import rootfs
import sanitizer
from guest import Guest
from process import Daemon, accepts, ours, run, tail
from tap import Skip, Surroundings
from wait import eventually

LOGS = "/run/test-logs"
NEEDED = ("libvirtd", "virtlogd", "virsh", "qemu-system-x86_64", "ip", "meson", "useradd")


class PrivateHost(Surroundings):
    """Prepares the files once, and gives each test a host of its own made from them."""

    def __init__(self, product=True):
        self.product = product
        self.host = None

    def open(self):
        if os.geteuid() != 0:
            raise Skip("needs root, for namespaces of its own")
        missing = [p for p in NEEDED if not shutil.which(p, path="/usr/sbin:/usr/bin:/sbin:/bin")]
        if missing:
            raise Skip(f"not installed: {', '.join(missing)}")
        install.make_guest()
        ns.unshare(ns.NEWNS)
        ns.make_mounts_private()
        rootfs.layer()
        install.hosts()
        install.guest_image()
        install.libvirt()
        capabilities.lend(install.CAPABILITIES)
        if self.product:
            install.product()
        install.users()

    def enter(self):
        ns.unshare(ns.NEWNS | ns.NEWNET | ns.NEWUTS | ns.NEWIPC)
        ns.enter_pid_namespace()
        ns.make_mounts_private()
        rootfs.kernel_trees()
        rootfs.layer()
        rootfs.devices()
        ns.set_host_name(install.HOST_NAME)
        os.makedirs(LOGS, 0o777)
        os.chmod(LOGS, 0o1777)
        links.loopback_up()
        self.host = Host()
        return {"host": self.host}

    def check(self):
        for name in sorted(os.listdir(LOGS)):
            with open(f"{LOGS}/{name}", errors="replace") as log:
                sanitizer.expect_silence(log.read(), name)

    def diagnostics(self):
        return self.host.diagnostics() if self.host else []

    def leave(self):
        capabilities.keep(install.CAPABILITIES)


class Connection:
    """One libvirt connection and the netrelayd beside it: the system's, or a user's session."""

    def __init__(self, user, uri, home, runtime):
        self.user = user
        self.uri = uri
        self.home = home
        self.runtime = runtime              # XDG_RUNTIME_DIR, where the user has one
        self.env = {"XDG_RUNTIME_DIR": runtime} if runtime else {}
        self.daemons = []
        self.guests = []
        self.directory = tempfile.mkdtemp(prefix=f"guests-{user}-", dir="/run")
        os.chmod(self.directory, 0o755)
        shutil.chown(self.directory, user)

    # libvirt

    def virsh(self, *words, check=True, deadline=60):
        return run(["virsh", "--quiet", "--connect", self.uri, *words], user=self.user,
                   env=self.env, check=check, deadline=deadline)

    @contextlib.contextmanager
    def file_with(self, text):
        """A file for a program of this user's to read."""
        with tempfile.NamedTemporaryFile("w", suffix=".xml", dir=self.directory) as file:
            file.write(text)
            file.flush()
            os.chmod(file.name, 0o644)
            yield file.name

    def guest(self, name, nics=(), define=True, **details):
        """A guest of this connection; see guest.Guest for the details."""
        guest = Guest(self, name, nics, directory=self.directory, image=install.IMAGE, **details)
        self.guests.append(guest)
        return guest.define() if define else guest

    # netrelayd and its tools

    @property
    def state_directory(self):
        """Where netrelayd has its sockets; follows from the user alone."""
        if self.user == "root":
            return "/run/netrelay"
        uid = pwd.getpwnam(self.user).pw_uid
        if os.path.isdir(f"/run/user/{uid}"):
            return f"/run/user/{uid}/netrelay"
        return f"{self.home}/.cache/netrelay"

    @property
    def networks_directory(self):
        if self.user == "root":
            return "/etc/netrelay/networks"
        return f"{self.home}/.config/netrelay/networks"

    @property
    def hook_socket(self):
        return f"{self.state_directory}/hook.sock"

    def start_daemon(self, name, argv, ready, user=None, env=None, pass_fds=()):
        log = f"{LOGS}/{name}-{user or self.user}.log"
        daemon = Daemon(name, argv, log, ready, user or self.user, {**self.env, **(env or {})},
                        pass_fds)
        self.daemons.append(daemon)
        return daemon.start()

    def netrelayd(self, *arguments, user=None, env=None, wrapper=(), pass_fds=()):
        """Starts the manager and waits until hooks are answered. `wrapper` goes before its path.

        The system's can do no more than its unit lets it do.
        """
        limits = install.unit_limits() if (user or self.user) == "root" else []
        return self.start_daemon(
            "netrelayd", [*limits, *wrapper, "/usr/sbin/netrelayd", *arguments],
            lambda: accepts(self.hook_socket, socket.SOCK_SEQPACKET), user, env, pass_fds)

    def netrelayctl(self, *words, check=True, deadline=30, text_in=None):
        return run(["/usr/bin/netrelayctl", *words], user=self.user, env=self.env, check=check,
                   deadline=deadline, text_in=text_in)

    def write_network(self, name, xml):
        """Puts a network file where netrelayd reads it."""
        self.make_directory(self.networks_directory)
        path = f"{self.networks_directory}/{name}.xml"
        with open(path, "w") as file:
            file.write(xml)
        shutil.chown(path, self.user)
        return path

    def make_directory(self, path):
        """With its parents, as that user."""
        run(["mkdir", "-p", path], user=self.user)

    def diagnostics(self):
        for daemon in self.daemons:
            how = "running" if daemon.running() else f"ended: {daemon.process.poll()}"
            yield f"== {daemon.name} of {daemon.user} ({how}): {daemon.log}"
            yield from tail(daemon.log).splitlines()
        for guest in self.guests:
            yield f"== guest {guest.name!r}, serial port"
            yield from tail(guest.log, 25).splitlines()


class Host(Connection):
    """The private host; as a connection it is qemu:///system."""

    def __init__(self):
        super().__init__("root", "qemu:///system", "/root", None)
        self.sessions = []
        self.virtlogd_daemon = None
        self.libvirtd_daemon = None

    def libvirtd(self):
        """The system's libvirtd, started at the first call, with the virtlogd it needs."""
        if self.virtlogd_daemon is None:
            self.virtlogd_daemon = self.start_daemon(
                "virtlogd", ["/usr/sbin/virtlogd"],
                lambda: accepts("/run/libvirt/virtlogd-sock"))
        if self.libvirtd_daemon is None:
            self.libvirtd_daemon = self.start_daemon("libvirtd", ["/usr/sbin/libvirtd"],
                                                     self.libvirt_answers)
        return self.libvirtd_daemon

    def libvirt_answers(self):
        return (accepts("/run/libvirt/libvirt-sock")
                and self.virsh("uri", check=False).returncode == 0)

    def reload_libvirtd(self):
        """SIGHUP, after which it sees hooks that were installed when it had none."""
        self.libvirtd_daemon.signal(signal.SIGHUP)

    def session(self, user="tester", runtime_dir=False):
        """qemu:///session of a user; virsh starts that user's libvirtd when first needed."""
        entry = pwd.getpwnam(user)
        runtime = None
        if runtime_dir:
            runtime = f"/run/user/{entry.pw_uid}"
            os.makedirs(runtime)
            os.chmod(runtime, 0o700)
            shutil.chown(runtime, user, entry.pw_gid)
        session = Connection(user, "qemu:///session", entry.pw_dir, runtime)
        self.sessions.append(session)
        return session

    def leftovers(self, foreign=()):
        """What of ours there is: processes, links, files. Empty lists when all is cleaned up."""
        files = []
        for connection in [self, *self.sessions]:
            for root, _, names in os.walk(connection.state_directory):
                files += [os.path.join(root, name) for name in names]
        return {"processes": ours(), "links": [n for n in links.names() if n not in foreign],
                "files": sorted(files)}

    def expect_nothing_left(self, foreign=(), deadline=10):
        """Fails unless every process, link and file of ours goes away; `foreign` links may stay."""
        try:
            eventually(lambda: not any(self.leftovers(foreign).values()), deadline, "cleaned up")
        except AssertionError:
            raise AssertionError(f"after {deadline} s there is still "
                                 f"{self.leftovers(foreign)}") from None

    def diagnostics(self):
        yield from super().diagnostics()
        for session in self.sessions:
            yield from session.diagnostics()
        yield "== processes"
        yield from run(["ps", "-eo", "pid,ppid,user,stat,args"], check=False).stdout.splitlines()
