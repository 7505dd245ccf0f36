#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Who dials a network without being a guest: nothing of it comes in, and nothing goes out."""

import contextlib
import os
import pwd
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../lib"), os.path.join(HERE, "../relay")]

import lab
import tap
from ctlproto import PORT_HELD, PORT_UP, Control
from follower import Follower
from frames import BROADCAST, frame
from frames import mac as hwaddress
from guest import client_nic
from host import PrivateHost
from lab import PORT, mac
from peers import dial, meet, talk
from process import ours
from stacks import Stack, cable
from wait import eventually

NOBODY = 65534
PESTERING = 6000
CUT_OFF = "a control client does not read: cut off"
WORD = frame(BROADCAST, hwaddress(0x99), b"let me in")


@contextlib.contextmanager
def being(uid):
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(0)


def stranger_is_closed(uid=NOBODY):
    """It speaks, hears nothing, and is closed at once."""
    with being(uid):
        stranger = dial(PORT)
    with contextlib.suppress(ConnectionError):
        stranger.send(WORD)
    stranger.closed(2)
    assert not stranger.waiting, f"it was told {stranger.waiting}"


def relay_of(connection):
    """A client of the one relay that there is, which only looks."""
    eventually(lambda: lab.relay_files(connection), 10, "a relay's socket")
    return Control(f"{connection.state_directory}/relays/{lab.relay_files(connection)[0]}")


def refused(connection):
    """How many the network's listener has refused."""
    with contextlib.closing(relay_of(connection)) as control:
        return sum(row.get("drop_stranger", 0) for row in control.dump()[0].values())


@tap.timeout(120)
def test_strangers_system(host):
    """B7: another user's connections beside two guests: closed, counted, said once"""
    host.libvirtd()
    daemon = host.netrelayd()
    guests = lab.two_guests(host)
    flow = guests[1].start_pings(lab.address(2))
    flow.wait_replies(2)
    before = refused(host)
    for _ in range(20):
        stranger_is_closed()
    flow.wait_replies(2)
    sent, received = flow.stop()
    assert sent == received, f"{sent - received} of {sent} pings lost"
    assert refused(host) == before + 20
    assert daemon.text().count("they are no guest's") == 1, daemon.text()
    assert "(nobody)" in daemon.text()


@tap.timeout(120)
def test_strangers_while_the_manager_is_away(host):
    """D1: stopped, and killed: strangers are closed all the same, and a guest comes in again"""
    host.libvirtd()
    daemon = host.netrelayd()
    guests = lab.two_guests(host)
    daemon.freeze()
    with being(NOBODY):
        stranger = dial(PORT)
    stranger.send(WORD)
    stranger.closed(8)                  # the keeper waits for the manager's word, for a while
    assert not stranger.waiting
    daemon.thaw()
    daemon.kill()
    stranger_is_closed()
    guests[1].destroy()
    guests[1].boot()
    lab.all_meet(guests)
    daemon.start()
    lab.expect_row(host, guest="vm1", state="connected")


@tap.timeout(120)
def test_strangers_again_and_again(host):
    """D9: who dials as fast as a machine can gets no relay to give up its manager"""
    host.libvirtd()
    daemon = host.netrelayd()
    guest = lab.numbered(host, 1, client_nic(PORT, mac(1)))
    guest.boot()
    with being(NOBODY):
        for _ in range(PESTERING):
            dial(PORT).close()
    assert CUT_OFF not in daemon.text(), daemon.text()
    lab.expect_row(host, guest="vm1", state="connected")


@tap.timeout(120)
def test_manager_that_was_cut_off(host):
    """D1: one that did not read for too long asks its relay anew, and takes it for no other's"""
    host.libvirtd()
    daemon = host.netrelayd()
    guest = lab.numbered(host, 1, client_nic(PORT, mac(1)))
    guest.boot()
    lab.expect_row(host, guest="vm1", state="connected")
    relays = ours("netrelay")
    daemon.freeze()
    with contextlib.closing(relay_of(host)) as control:
        def tell_much():
            endpoint = control.attach(f"tcp:127.0.0.9:{PORT}")
            control.must("DETACH", endpoint_id=endpoint)
            return CUT_OFF in daemon.text()
        while not tell_much():
            pass
    daemon.thaw()
    lab.expect_row(host, guest="vm1", state="connected", network=f"127.0.0.1:{PORT}")
    assert ours("netrelay") == relays
    guest.destroy()
    lab.no_relays()
    lab.expect_no_relay_files(host)
    assert daemon.text().count("has cut us off") == 1, daemon.text()


@tap.timeout(120)
def test_strangers_of_a_session(host):
    """A5: in a user's session nobody else, and whatever that user runs"""
    session = host.session(runtime_dir=True)
    session.netrelayd()
    guests = lab.two_guests(session)
    stranger_is_closed()
    stranger_is_closed(pwd.getpwnam("libvirt-qemu").pw_uid)
    with being(pwd.getpwnam(session.user).pw_uid):
        own = dial(PORT)
    with contextlib.closing(relay_of(session)) as control:
        eventually(lambda: [port["state"] for port in control.ports().values()] == [PORT_UP] * 3,
                   5, "one's own process is let in")
    own.close()
    lab.all_meet(guests)


@tap.timeout(120)
def test_guests_are_admitted_by_name(host):
    """F1: a guest's connections are held until its NICs are known, and what they may, no longer"""
    host.libvirtd()
    host.netrelayd()
    slow = "<bandwidth><outbound average='400'/></bandwidth>"
    guest = host.guest("vm1", [client_nic(PORT, mac(n), tail=slow) for n in (1, 2)],
                       addresses=[f"{lab.address(n)}/24" for n in (1, 2)])
    witness = lab.numbered(host, 3, client_nic(PORT, mac(3)))
    witness.boot()
    with contextlib.closing(relay_of(host)) as control:
        guest.start()
        for _ in range(2):
            held = control.event("EVENT_PORT", 20, state=PORT_HELD)
            up = control.event("EVENT_PORT", 2, port_id=held["port_id"], state=PORT_UP)
            assert up["label"].rsplit("/", 1)[1] in (mac(1), mac(2)), up
            assert up["options"] == ",ingress=400", up


def admits_as_its_file_says(host, daemon):
    far = Stack()
    cable(None, far, "lan0", ("10.9.9.1/24", "10.9.9.2/24"))

    def admitted():
        """The last of the listener's hosts, which the relay tells; False: nobody listens."""
        with contextlib.closing(relay_of(host)) as control:
            return next((row.get("admit_hosts") for row in control.dump()[0].values()), False)

    def write(*hosts):
        admit = f" admit='{' '.join(hosts)}'" if hosts else ""
        host.write_network("lab", f"<network><name>lab</name><listen address='10.9.9.1' "
                                  f"port='{PORT}'{admit}/></network>")
        host.netrelayctl("reload")
        eventually(lambda: admitted() == (hosts[-1] if hosts else None), 10, f"admits {hosts}")

    def dial_from_there():
        with far:
            return dial(PORT, "10.9.9.1")

    write()
    with Follower(host) as events:
        dial_from_there().closed(2)
        told = events.expect("stranger", network="lab")["text"]
        assert "10.9.9.2 was closed" in told, told
    assert "from another host" in daemon.text(), daemon.text()
    row = lab.expect_row(host, network="lab", kind="listen", state="listening")
    assert "10.9.9.2 was closed: its admit=" in row["reason"], row
    write("10.8.0.0/16", "10.9.9.0/30")
    one, other = meet(dial_from_there(), dial_from_there())
    talk(one, other)
    write("10.8.0.0/16")
    dial_from_there().closed(2)
    talk(one, other)


@tap.timeout(60)
def test_other_hosts(host):
    """E6: a listener admits the hosts of its admit=, which may change, and no more"""
    host.libvirtd()
    daemon = host.netrelayd()
    eventually(lambda: "connected to libvirt" in daemon.text(), 10, "the list of guests")
    admits_as_its_file_says(host, daemon)


@tap.timeout(60)
def test_other_hosts_while_libvirt_is_away(host):
    """E6: nothing that stands is taken away without libvirt's list, but admit= changes at once"""
    admits_as_its_file_says(host, host.netrelayd())
    host.write_network("lab", "<network><name>lab</name></network>")
    host.netrelayctl("reload")
    with contextlib.closing(relay_of(host)) as control:
        listeners = [row["endpoint"] for row in control.dump()[0].values()]
    assert listeners == [f"listen:10.9.9.1:{PORT}"], listeners


if __name__ == "__main__":
    tap.main(PrivateHost())
