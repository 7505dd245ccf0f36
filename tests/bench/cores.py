# SPDX-License-Identifier: GPL-2.0-or-later
"""Which CPU does what: one core for the relay under test, another one for everything around it.

The relay's processes start on theirs and so stay there, whatever they fork.
"""

import os
import subprocess
import time

SIBLINGS = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
SCHED_CLOCK = 2     # the kernel's number for the exact CPU time of a process, all threads of it


def shares_core(cpu, other):
    """Whether two CPUs are threads of one core: each would slow down the other one."""
    try:
        with open(SIBLINGS.format(cpu)) as one, open(SIBLINGS.format(other)) as another:
            return one.read() == another.read()
    except OSError:
        return False


def choose():
    """(the relay's CPU, the load's); the same one twice where there are no two cores."""
    cpus = sorted(os.sched_getaffinity(0))
    return cpus[0], next((cpu for cpu in cpus[1:] if not shares_core(cpus[0], cpu)), cpus[0])


RELAY, LOAD = choose()


def start(argv, core, pass_fds=(), namespace=None, **details):
    """A process on that core, in a named network namespace if there is one."""
    if namespace:
        argv = ["ip", "netns", "exec", namespace, *argv]
    details.setdefault("stdin", subprocess.DEVNULL)
    details.setdefault("stdout", subprocess.DEVNULL)
    return subprocess.Popen([str(word) for word in argv], pass_fds=pass_fds,
                            preexec_fn=lambda: os.sched_setaffinity(0, {core}), **details)


def cpu_ns(pids):
    """The CPU time that these processes have used so far; one that is gone counts nothing."""
    total = 0
    for pid in pids:
        try:
            total += time.clock_gettime_ns((~pid << 3) | SCHED_CLOCK)
        except OSError:
            pass
    return total


def stop(process):
    if process.poll() is None:
        process.kill()
    process.wait(10)
