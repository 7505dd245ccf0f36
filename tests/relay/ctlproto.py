# SPDX-License-Identifier: GPL-2.0-or-later
"""common/ctl-proto.h from the other side: a manager in Python, written from the header's text."""

import array
import os
import select
import socket
import struct
import tempfile
import time

from relayproc import Relay
from wait import eventually

VERSION = 1
TYPES = ["HELLO", "WELCOME", "DUMP", "ENDPOINT", "PORT", "DONE", "ATTACH", "DETACH", "CLOSE_PORT",
         "LABEL_PORT", "STOP", "REPLY", "EVENT_ENDPOINT", "EVENT_PORT", "EVENT_PORT_GONE",
         "CAPTURE", "EVENT_ENDPOINT_GONE", "ADMIT_PORT", "SET_OPTIONS", "MOVE_PORT", "TAKE_PORT",
         "EVENT_FORWARDER", "LISTEN", "EVENT_DEPOSIT"]
ATTRIBUTES = {                      # name: (number, kind)
    name: (number, kind) for number, (name, kind) in enumerate([
        ("version", "u"), ("network", "s"), ("pid", "u"), ("error", "u"), ("error_text", "s"),
        ("endpoint_id", "u"), ("port_id", "u"), ("endpoint", "s"), ("label", "s"), ("state", "u"),
        ("local", "s"), ("peer", "s"), ("detail", "s"), ("since", "U"), ("rx_frames", "U"),
        ("rx_bytes", "U"), ("tx_frames", "U"), ("tx_bytes", "U"), ("drops", "U"),
        ("drop_queue", "U"), ("drop_runt", "U"), ("drop_size", "U"), ("drop_stranger", "U"),
        ("drop_error", "U"), ("queued", "U"), ("drop_filter", "U"), ("drop_loop", "U"),
        ("drop_storm", "U"), ("snaplen", "u"), ("judges", "u"), ("admit_user", "u"),
        ("admit_hosts", "s"), ("options", "s"), ("looks", "u"), ("drop_host", "U"),
        ("keeps", "u"), ("deposit", "u"), ("inode", "U"), ("kind", "u"), ("claimed", "u"),
        ("source", "s"), ("forwarder", "u")], 1)}
NAMES = {number: (name, kind) for name, (number, kind) in ATTRIBUTES.items()}
LISTENING, DIALLING, UP, ENDED = range(4)
PORT_UP, PORT_CLOSING, PORT_BLOCKED, PORT_HELD, PORT_LEAVING = range(5)
DEADLINE = 5


def encode(kind, serial, **attributes):
    body = b""
    for name, values in attributes.items():
        number, form = ATTRIBUTES[name]
        put = {"u": lambda v: struct.pack("=I", v), "U": lambda v: struct.pack("=Q", v),
               "s": lambda v: v.encode()}[form]
        for value in values if isinstance(values, list) else [values]:
            body += attribute(number, put(value))
    return message(TYPES.index(kind) + 1, serial, body)


def attribute(number, raw):
    return struct.pack("=HH", number, len(raw)) + raw + b"\0" * (-len(raw) % 4)


def message(kind, serial, body=b"", version=VERSION, length=None):
    length = 12 + len(body) if length is None else length
    return struct.pack("=HHII", version, kind, serial, length) + body


def decode(data):
    """-> (type's name, serial, attributes)"""
    version, kind, serial, length = struct.unpack_from("=HHII", data)
    assert (version, length) == (VERSION, len(data)), f"a header of {data[:12].hex()}, {len(data)}"
    found = {}
    at = 12
    while at < len(data):
        number, size = struct.unpack_from("=HH", data, at)
        raw = data[at + 4:at + 4 + size]
        assert len(raw) == size, "an attribute longer than its message"
        name, form = NAMES.get(number, (number, "s"))
        found[name] = raw.decode(errors="surrogateescape") if form == "s" \
            else int.from_bytes(raw, "little")
        at += 4 + size + -size % 4
    return TYPES[kind - 1], serial, found


class Control:
    """A client of one relay. Events are kept in `events`, as (type's name, attributes)."""

    def __init__(self, path, hello=True, **greeting):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(DEADLINE)
        eventually(lambda: self.sock.connect_ex(path) == 0, DEADLINE, "the keeper takes a client")
        self.serial = 0
        self.events = []
        self.welcome = self.request("HELLO", version=VERSION, **greeting) if hello \
            else None

    def close(self):
        self.sock.close()

    def send(self, data, fd=None):
        extra = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))] \
            if fd is not None else []
        self.sock.sendmsg([data], extra)

    def next(self, deadline=DEADLINE):
        """The next message; None at the end."""
        if not select.select([self.sock], [], [], max(0, deadline))[0]:
            raise AssertionError(f"no message within {deadline:.1f} s")
        try:
            data = self.sock.recv(65536)
        except ConnectionResetError:
            return None
        return decode(data) if data else None

    def ended(self, deadline=DEADLINE):
        """Waits for the end of this connection."""
        end = time.monotonic() + deadline
        while (got := self.next(end - time.monotonic())) is not None:
            self.note(*got)

    def note(self, kind, serial, attributes):
        assert serial == 0 and kind.startswith("EVENT"), f"unasked for: {kind} {attributes}"
        self.events.append((kind, attributes))

    def answers(self, kind, fd=None, **attributes):
        """Sends a request; yields what carries its serial: (type's name, attributes)."""
        self.serial += 1
        self.send(encode(kind, self.serial, **attributes), fd)
        end = time.monotonic() + DEADLINE
        while True:
            got = self.next(end - time.monotonic())
            assert got, f"{kind}: the connection ended in place of an answer"
            if got[1] == self.serial:
                yield got[0], got[2]
            else:
                self.note(*got)

    def request(self, kind, fd=None, **attributes):
        """A request with one answer; returns its attributes, `error` always among them."""
        for _, found in self.answers(kind, fd, **attributes):
            return {"error": 0, **found}

    def must(self, kind, fd=None, **attributes):
        """The same, and it succeeds."""
        answer = self.request(kind, fd, **attributes)
        assert answer["error"] == 0, f"{kind} {attributes}: {answer}"
        return answer

    def attach(self, endpoint, label="", fd=None, **rules):
        """-> the new endpoint's id"""
        return self.must("ATTACH", fd, endpoint=endpoint, label=label, **rules)["endpoint_id"]

    def dump(self):
        """-> {id: attributes} of the endpoints, and of the ports"""
        endpoints, ports = {}, {}
        for kind, found in self.answers("DUMP"):
            if kind == "DONE":
                return endpoints, ports
            if kind == "ENDPOINT":
                endpoints[found["endpoint_id"]] = found
            else:
                assert kind == "PORT", f"{kind} in a dump"
                ports[found["port_id"]] = found

    def ports(self):
        return self.dump()[1]

    def port_of(self, endpoint_id, deadline=DEADLINE):
        """Waits until that endpoint has a port, and returns it."""
        return eventually(lambda: next((p for p in self.ports().values()
                                        if p.get("endpoint_id") == endpoint_id), None),
                          deadline, f"endpoint {endpoint_id} has a port")

    def event(self, kind, deadline=DEADLINE, **wanted):
        """Waits for an event with these attributes, and takes it out of `events`."""
        end = time.monotonic() + deadline
        while True:
            for event in self.events:
                if event[0] == kind and wanted.items() <= event[1].items():
                    self.events.remove(event)
                    return event[1]
            got = self.next(end - time.monotonic())
            assert got, "the connection ended in place of an event"
            self.note(*got)


class ManagedRelay(Relay):
    """A relay started as the manager does: everything else comes by its control socket."""

    def __init__(self, network="lab", **details):
        self.directory = tempfile.TemporaryDirectory(prefix="netrelay-")
        self.path = os.path.join(self.directory.name, "control")
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
            sock.bind(self.path)
            super().__init__("--managed", "--network", network, "--control-fd", sock.fileno(),
                             pass_fds=[sock.fileno()], **details)
        eventually(self.accepts, DEADLINE, "the relay answers on its control socket")

    def accepts(self):
        self.alive()
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
            return probe.connect_ex(self.path) == 0

    def control(self, hello=True, **greeting):
        return Control(self.path, hello, **greeting)
