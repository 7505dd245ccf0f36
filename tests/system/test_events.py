#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""netrelayctl events: what happens is told, once, to whoever listens."""

import os
import re
import select
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../lib"), os.path.join(HERE, "../relay")]

import lab
import sanitizer
import tap
from follower import Follower
from guest import client_nic
from host import PrivateHost
from lab import PORT, mac
from peers import dial
from relayproc import forwarder_of
from wait import eventually

NOBODY = 65534


def strangers(count):
    """So many connections of somebody who is no guest, each of them closed."""
    os.seteuid(NOBODY)
    try:
        for _ in range(count):
            dial(PORT).closed(5)
    finally:
        os.seteuid(0)


def network(name, port):
    return (f"<network><name>{name}</name>"
            f"<listen address='127.0.0.1' port='{port}'/></network>")


@tap.timeout(120)
def test_a_guest_and_its_relay(host):
    """A1, B7, D2: start, strangers, a killed relay, a deaf guest, its end: each told, in order"""
    host.libvirtd()
    host.netrelayd()
    guest = lab.numbered(host, 1, client_nic(PORT, mac(1)))
    with Follower(host) as events, Follower(host, "vm1") as of_guest:
        guest.start()
        events.expect("guest-starting", guest="vm1")
        connected = events.expect("nic-connected", guest="vm1", mac=mac(1))
        relay = lab.expect_row(host, guest="vm1", state="connected")["relay_pid"]
        assert events.past("relay-started", relay_pid=relay), events.past()
        assert events.past("network-up", network=connected["network"]), events.past()
        eventually(lambda: events.past("guest-started", guest="vm1"), 15, "guest-started")
        people = subprocess.Popen(["/usr/bin/netrelayctl", "events", "--seconds", "60"], text=True,
                                  stdout=subprocess.PIPE)
        eventually(lambda: host.netrelayctl("reload") and
                   select.select([people.stdout], [], [], 0)[0], 10, "it tells")
        strangers(5)
        told = events.expect("stranger", network=connected["network"])
        assert "nobody" in told["text"], told
        eventually(lambda: sum(e.get("count", 1) for e in events.past("stranger")) == 5, 10,
                   "five strangers, told one by one or counted")
        for event in events.past("stranger"):
            while "  stranger " not in (line := people.stdout.readline()):
                pass
            assert ("times)" in line) == (event.get("count", 1) > 1), line
        people.kill()
        os.kill(forwarder_of(relay), signal.SIGKILL)
        events.expect("relay-mended", network=connected["network"])
        assert not events.past("nic-disconnected"), events.past()
        os.kill(relay, signal.SIGKILL)
        died = events.expect("relay-died", network=connected["network"])
        assert died["text"].endswith("; another one goes on with its connections"), died
        next_one = events.expect("relay-started", network=connected["network"])
        lab.expect_row(host, guest="vm1", state="connected", relay_pid=next_one["relay_pid"])
        host.write_network("lab", network("lab", PORT))
        lab.expect_row(host, guest="vm1", state="connected", network="lab")
        host.netrelayctl("net-destroy", "lab", "--force")    # ends connections, unlike a death
        eventually(lambda: events.past("nic-disconnected", guest="vm1", mac=mac(1)), 10,
                   "its connection has ended")
        host.netrelayctl("net-start", "lab")
        deaf = events.expect("fault", fault="deaf", guest="vm1", deadline=30)
        guest.destroy()
        events.expect("guest-ended", guest="vm1")
        eventually(lambda: events.past("cleared", fault="deaf"), 10, "the fault is cleared")
        assert len(events.past("relay-died")) == 1, events.past("relay-died")
        assert not events.past("relay-ended", relay_pid=relay), "a death is told once"
        seen = [event["event"] for event in of_guest.past(guest="vm1")]
        assert {"guest-starting", "nic-connected", "fault", "guest-ended"} <= set(seen), seen
        assert not of_guest.past("relay-died"), "only what is asked for"
        times = [event["time"] for event in events.past()]
        assert times == sorted(times) and deaf["time"] - connected["time"] >= 5, times
        assert events.interrupt() == 0


def test_networks_and_files(host):
    """Networks come, change, are stopped, go; a broken file is a fault until it is mended"""
    host.netrelayd()
    with Follower(host) as events, Follower(host, "lab") as of_lab:
        host.write_network("other", network("other", PORT + 2))
        events.expect("network-up", network="other")
        path = host.write_network("lab", network("lab", PORT))
        up = events.expect("network-up", network="lab")
        assert f"listen:127.0.0.1:{PORT}" in up["text"], up
        events.expect("relay-started", network="lab")
        host.write_network("lab", network("lab", PORT + 1))
        events.expect("network-changed", network="lab")
        host.netrelayctl("net-destroy", "lab")
        events.expect("network-stopped", network="lab")
        events.expect("relay-ended", network="lab")
        host.netrelayctl("net-start", "lab")
        events.expect("network-up", network="lab")
        broken = host.write_network("broken", "<network>")
        fault = events.expect("fault", fault="file")
        assert "broken.xml" in fault["text"], fault
        os.unlink(broken)
        events.expect("cleared", fault="file")
        os.unlink(path)
        events.expect("network-gone", network="lab")
        of_lab.expect("cleared", fault="file")
        of_lab.expect("network-gone", network="lab")
        assert {event["network"] for event in of_lab.past() if "network" in event} == {"lab"}
        assert not events.past("missed"), events.past()


def test_lines_for_people(host):
    """A line each, time, word, sentence; --seconds ends it, and so does the reader of its pipe"""
    host.netrelayd()
    with Follower(host) as events:
        process = subprocess.Popen(["/usr/bin/netrelayctl", "events"], text=True,
                                   stdout=subprocess.PIPE)
        host.write_network("lab", network("lab", PORT))
        events.expect("relay-started", network="lab")
        eventually(lambda: host.netrelayctl("reload") and events.expect("reloaded"), 10, "reloaded")
        line = process.stdout.readline()
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}  [a-z-]+ +\S.*\n", line), line
        process.stdout.close()
        assert process.wait(10) == 0
        bounded = host.netrelayctl("events", "--seconds", "0.1")
        # The manager sees the new file by itself, too, a little later. What was before is not told.
        assert all("  reloaded " in line for line in bounded.stdout.splitlines()), bounded
        assert bounded.stderr == "", bounded
    with open("/dev/full", "w") as full:
        process = subprocess.Popen(["/usr/bin/netrelayctl", "events"], stdout=full)
    eventually(lambda: host.netrelayctl("reload") and process.poll() is not None, 10, "it ends")
    assert process.returncode == 1, "what was lost is no success"
    wrong = host.netrelayctl("events", "--seconds", "soon", check=False)
    assert wrong.returncode == 2 and len(wrong.stderr.splitlines()) == 1, wrong


def test_the_manager_is_waited_for(host):
    """D1: killed, started again, frozen: said, and events go on; without one: exit 3"""
    alone = host.netrelayctl("events", check=False)
    assert alone.returncode == 3 and "netrelayd is not running" in alone.stderr, alone
    assert len(alone.stderr.splitlines()) == 1, alone
    daemon = host.netrelayd()
    host.write_network("lab", network("lab", PORT))
    host.netrelayctl("reload")
    with Follower(host) as events:
        daemon.kill()
        events.expect("manager-lost")
        daemon.start()
        events.expect("manager-back")
        lab.expect_row(host, network="lab", state="listening")
        host.write_network("two", network("two", PORT + 1))
        events.expect("network-up", network="two")
        assert not events.past("relay-started", network="lab"), "an adopted relay is no news"
        assert daemon.stop() == 0
        events.expect("manager-lost")


@tap.timeout(90)
def test_a_reader_that_does_not_read(host):
    """D10: it costs the manager neither memory nor time, and is told how much it has missed"""
    daemon = host.netrelayd()

    def resident():
        with open(f"/proc/{daemon.pid}/status") as status:
            return int(re.search(r"VmRSS:\s*(\d+)", status.read()).group(1))

    def told_since(time, follower):
        """How many it was told, or told that it missed."""
        return sum(event["count"] if event["event"] == "missed" else 1
                   for event in follower.past() if event["time"] > time)

    with Follower(host) as quick, Follower(host) as slow:
        began = quick.past()[-1]["time"]
        slow.freeze()
        for _ in range(2):
            paths = [host.write_network(f"broken{number}", "<network>") for number in range(1400)]
            host.netrelayctl("reload", check=False)
            for path in paths:
                os.unlink(path)
            host.netrelayctl("reload")
        eventually(lambda: len(quick.past("cleared")) == len(quick.past("fault")) >= 2800, 20,
                   "all is mended, and told")
        assert not quick.past("missed"), "who reads misses nothing"
        assert resident() < 64 * 1024 + sanitizer.KEPT_KB, f"{resident()} KiB"
        slow.thaw()
        eventually(lambda: told_since(began, slow) == told_since(began, quick), 20,
                   "the slow one knows how much it has missed")
        assert sum(event["count"] for event in slow.past("missed")) > 1000, slow.past("missed")


if __name__ == "__main__":
    tap.main(PrivateHost())
