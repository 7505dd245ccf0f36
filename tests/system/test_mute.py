#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Relays that live and take no connection: nobody makes a second one, and they are found again."""

import contextlib
import os
import shutil
import signal
import socket
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../lib"), os.path.join(HERE, "../relay")]

import lab
import tap
from ctlproto import Control
from host import PrivateHost
from lab import PORT, address
from process import ours
from wait import eventually

CUT_OFF = "a control client does not read: cut off"
NAMED = f"""<network><name>lab</name><listen address='127.0.0.1' port='{PORT}'/></network>"""


@contextlib.contextmanager
def stopped(pid):
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def keeper():
    """The relay's first process: its forwarder is younger."""
    return ours("netrelay")[0]


def control_socket(host):
    return f"{host.state_directory}/relays/{lab.relay_files(host)[0]}"


def crowd(path):
    """Connections until no more are taken; keep them."""
    held = []
    while True:
        held.append(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK))
        try:
            held[-1].connect(path)
        except BlockingIOError:
            return held


def named_network(host):
    host.libvirtd()
    host.write_network("lab", NAMED)
    daemon = host.netrelayd()
    return daemon, lab.two_guests(host)


def same_relay_again(host, relays, flow):
    for name in ("vm1", "vm2"):
        lab.expect_row(host, 20, guest=name, network="lab", state="connected")
    flow.wait_replies(5)
    sent, received = flow.stop()
    assert sent == received, f"{received} of {sent} pings answered"
    assert ours("netrelay") == relays, "the relays are others"


class TestMute:
    """One host: a keeper that is stopped, while its forwarder goes on."""

    def setup(self, host):
        self.host = host
        self.daemon, self.guests = named_network(host)

    def test_a_full_backlog_at_the_start(self):
        """D3: a manager that starts beside it waits for it, and adopts it when it goes on"""
        relays, flow = ours("netrelay"), self.guests[1].start_pings(address(2))
        with stopped(keeper()):
            held = crowd(control_socket(self.host))
            self.daemon.restart()
            eventually(lambda: "does not answer" in self.daemon.text(), 15, "it is said")
            lab.expect_row(self.host, 15, guest="vm1")
            assert ours("netrelay") == relays, "a second relay"
            flow.wait_replies(5)
        for one in held:
            one.close()
        same_relay_again(self.host, relays, flow)

    def test_a_full_backlog_when_cut_off(self):
        """D3: a relay that has cut its manager off and takes no connection is not dead"""
        relays, flow = ours("netrelay"), self.guests[1].start_pings(address(2))
        path = control_socket(self.host)
        self.daemon.freeze()
        with contextlib.closing(Control(path)) as control:
            while CUT_OFF not in self.daemon.text():
                endpoint = control.attach(f"tcp:127.0.0.9:{PORT}")
                control.must("DETACH", endpoint_id=endpoint)
        said = self.daemon.text().count("does not answer")
        with stopped(keeper()):
            held = crowd(path)
            self.daemon.thaw()
            eventually(lambda: self.daemon.text().count("does not answer") > said, 15, "it is said")
            lab.expect_row(self.host, 15, guest="vm1", network="lab", state="connected")
            assert ours("netrelay") == relays, "a second relay"
        for one in held:
            one.close()
        same_relay_again(self.host, relays, flow)

    def test_a_socket_that_was_not_read_yet(self):
        """D2: its socket is made again, the manager restarts, and then the keeper hears of it"""
        relays, flow = ours("netrelay"), self.guests[1].start_pings(address(2))
        with stopped(keeper()):
            shutil.rmtree(self.host.state_directory)
            eventually(lambda: len(lab.relay_files(self.host)) == 1, 15, "made again")
            self.daemon.restart()
            flow.wait_replies(5)
            assert len(lab.relay_files(self.host)) == 1
            assert ours("netrelay") == relays, "a second relay"
        same_relay_again(self.host, relays, flow)


if __name__ == "__main__":
    tap.main(PrivateHost())
