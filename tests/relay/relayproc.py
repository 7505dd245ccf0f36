# SPDX-License-Identifier: GPL-2.0-or-later
"""A relay that a test runs: its two processes, what they hold, and its log."""

import os
import resource
import signal
import socket
import subprocess
import tempfile
import time

import kit
import sanitizer
from wait import eventually

DEADLINE = 5
COMPANIONS = ("netrelay-user", "netrelay-vde")


class Relay:
    """`netrelay` with these arguments. It is up when it listens where it was told to."""

    def __init__(self, *arguments, stdin=subprocess.DEVNULL, stdout=None, stderr=None, pass_fds=(),
                 descriptors=None, env=None, program=None, user=None):
        self.arguments = [str(argument) for argument in arguments]
        self.log = tempfile.NamedTemporaryFile(prefix="netrelay-", suffix=".log")

        def limit():
            if descriptors:
                both = descriptors if isinstance(descriptors, tuple) else (descriptors,) * 2
                resource.setrlimit(resource.RLIMIT_NOFILE, both)
        self.process = subprocess.Popen(
            [program or kit.netrelay(), *self.arguments], stdin=stdin, pass_fds=pass_fds,
            preexec_fn=limit, stdout=stdout or self.log, stderr=stderr or self.log,
            env={**os.environ, **(env or {})}, **identity(user))
        self.keeper = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind:
            print(f"-- log of netrelay {' '.join(self.arguments)}\n{self.text()[-4000:]}")
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.kill()             # the next one may want its addresses
        if not kind:
            sanitizer.expect_silence(self.text(), f"netrelay {' '.join(self.arguments)}")

    def text(self):
        """All that it wrote to standard error."""
        with open(self.log.name, errors="replace") as log:
            return log.read()

    def alive(self):
        assert self.process.poll() is None, \
            f"the relay ended: {self.process.returncode}\n{self.text()}"
        return self

    def listening(self, *l4_ports, deadline=DEADLINE):
        """Waits until these TCP ports are listened on; found without a connection."""
        eventually(lambda: self.alive() and set(l4_ports) <= listeners(), deadline,
                   f"listens on {l4_ports}")
        return self

    def bound(self, *l4_ports, deadline=DEADLINE):
        """Waits until these UDP ports are bound."""
        eventually(lambda: self.alive() and set(l4_ports) <= udp_ports(), deadline,
                   f"binds UDP {l4_ports}")
        return self

    def connected(self, *l4_ports, deadline=DEADLINE):
        """Waits until UDP sockets with these ports have their peers; one that is only bound may for
        a moment have this machine's every address."""
        eventually(lambda: self.alive() and set(l4_ports) <= table("udp", ("01",)), deadline,
                   f"connects UDP {l4_ports}")
        return self

    def forwarder(self, deadline=15):
        """The pid of its sandboxed half, once it is sandboxed.

        On a machine with far more to do than it has CPUs a new process was seen to wait for 5 s.
        """
        try:
            return eventually(lambda: self.alive() and forwarder_of(self.keeper), deadline,
                              "there is a forwarder")
        except AssertionError as error:
            seen = {pid: (stat_of(pid)[:1], status(pid, "Seccomp")) for pid in self.processes()}
            raise AssertionError(f"{error}; processes {seen}") from None

    def kill_forwarder(self):
        """SIGKILL of whichever there is; the one that was found may have been killed before."""
        while True:
            try:
                os.kill(self.forwarder(), signal.SIGKILL)
                return
            except ProcessLookupError:
                continue

    def processes(self):
        """Keeper and forwarder, and whatever else it started."""
        return [self.keeper, *children(self.keeper)]

    def holds(self):
        """Descriptors held by each of its two long-lived processes."""
        return {name: descriptors(pid) for name, pid in
                (("keeper", self.keeper), ("forwarder", self.forwarder()))}

    def memory(self):
        """KiB of both processes that are resident; shared memory of both is counted once."""
        return sum(status(pid, "RssAnon") for pid in (self.keeper, self.forwarder())) \
            + status(self.forwarder(), "RssShmem")

    def calm(self, seconds=0.5, ticks=3, deadline=10):
        """Waits until its processes use hardly any CPU: below 6 % of one."""
        def idle():
            before = self.cpu_ticks()
            time.sleep(seconds)     # a rate has no other measure
            return self.cpu_ticks() - before <= ticks
        eventually(idle, deadline, "the relay is idle when nothing moves")

    def cpu_ticks(self):
        """Hundredths of a second used by its processes."""
        return sum(cpu_ticks(pid) for pid in self.processes())

    def holds_again(self, before, deadline=DEADLINE):
        """Waits until no more descriptors are held than before."""
        eventually(lambda: all(self.holds()[name] <= count for name, count in before.items()),
                   deadline, f"no more descriptors than {before}, in place of {self.holds()}")

    def term(self, deadline=1.0, number=signal.SIGTERM):
        """Ends it politely: exit 0 in time, no process left. Returns the seconds it took."""
        processes = self.processes()
        began = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(deadline + 4)
        took = time.monotonic() - began
        assert code == 0, f"exit {code} after signal {number}\n{self.text()}"
        assert took <= deadline, f"took {took:.2f} s to end"
        self.gone(processes)
        return took

    def kill(self):
        """SIGKILL of its keeper; back when everything of it is gone."""
        processes = self.processes()
        self.process.kill()
        self.process.wait(DEADLINE)
        self.gone(processes, DEADLINE)

    @staticmethod
    def gone(processes, deadline=2):
        eventually(lambda: not [pid for pid in processes if is_running(pid)], deadline,
                   f"all of {processes} are gone")


def identity(uid):
    """The arguments of subprocess that make a program that user's, without any group."""
    return {"user": uid, "group": uid, "extra_groups": []} if uid else {}


def run(*arguments, deadline=5, **details):
    """Runs it to its end: for wrong arguments, help, and addresses that are taken."""
    began = time.monotonic()
    result = subprocess.run([kit.netrelay(), *map(str, arguments)], stdin=subprocess.DEVNULL,
                            capture_output=True, text=True, timeout=deadline, check=False,
                            **details)
    result.seconds = time.monotonic() - began
    return result


def children(parent):
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and stat_of(int(entry))[1:2] == [str(parent)]:
            found.append(int(entry))
    return found


def stat_of(pid):
    """/proc/PID/stat behind the name: state, parent, ..."""
    try:
        with open(f"/proc/{pid}/stat") as text:
            return text.read().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def is_running(pid):
    return stat_of(pid)[:1] not in ([], ["Z"], ["X"])


def forwarder_of(keeper):
    """The keeper's child that is behind a seccomp list, and no companion: another program."""
    for pid in children(keeper):
        if is_running(pid) and status(pid, "Seccomp") == 2 and name_of(pid) not in COMPANIONS:
            return pid
    return None


def name_of(pid):
    try:
        with open(f"/proc/{pid}/comm") as text:
            return text.read().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def status(pid, key):
    """A number from /proc/PID/status; hexadecimal masks too. 0 where it is not there."""
    try:
        with open(f"/proc/{pid}/status") as text:
            for line in text:
                if line.startswith(key + ":"):
                    return int(line.split()[1], 16 if key.startswith("Cap") else 10)
    except (FileNotFoundError, ProcessLookupError):
        pass
    return 0


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def cpu_ticks(pid):
    fields = stat_of(pid)
    return int(fields[11]) + int(fields[12]) if fields else 0


def cpu_waits():
    """{pid: milliseconds for which each relay process here was ready to run and had no CPU}."""
    found = {}
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and os.readlink(f"/proc/{entry}/exe").endswith("/netrelay"):
                with open(f"/proc/{entry}/schedstat") as text:
                    found[int(entry)] = int(text.read().split()[1]) / 1e6
        except OSError:
            pass                    # gone meanwhile
    return found


def table(name, state):
    """Local port numbers of one of the kernel's socket tables."""
    found = set()
    for suffix in ("", "6"):
        try:
            with open(f"/proc/self/net/{name}{suffix}") as lines:
                next(lines)
                rows = [line.split() for line in lines]
        except FileNotFoundError:
            continue
        found |= {int(row[1].rsplit(":", 1)[1], 16) for row in rows if row[3] in state}
    return found


def listeners():
    """TCP ports that are listened on here."""
    return table("tcp", ("0A",))


def udp_ports():
    """UDP ports that are bound here, connected or not."""
    return table("udp", ("07", "01"))


def links():
    """Names of the network devices here."""
    return {name for _, name in socket.if_nameindex()}
