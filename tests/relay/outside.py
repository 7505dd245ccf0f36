# SPDX-License-Identifier: GPL-2.0-or-later
"""The world outside of a test's network: one more network behind a cable, with servers in it."""

import os
import selectors
import signal
import socket
import struct

import links
import namespaces as ns
from wait import eventually

HERE, THERE = "198.51.100.2", "198.51.100.1"
NAMES = {"www.example": THERE, "other.example": "192.0.2.77"}
GREETING, ECHO, BULK, WEB, DNS = 8001, 8002, 8003, 8080, 53
BULK_SIZE = 200000


def bulk():
    return struct.pack("!50000I", *range(50000))


class Outside:
    """Servers at THERE: who is it (GREETING), echo by TCP and UDP (ECHO), much (BULK), the same as
    a page (WEB), DNS."""

    def __init__(self, second_dns=None):
        self.addresses = [THERE] + ([second_dns] if second_dns else [])
        go, say = os.pipe()
        done, tell = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            self.child(go, tell)
        os.read(done, 1)            # it is in its own network
        links.ip("link", "add", "out0", "type", "veth", "peer", "name", "in0")
        links.ip("link", "set", "in0", "netns", str(self.pid))
        links.ip("addr", "add", f"{HERE}/24", "dev", "out0")
        links.ip("link", "set", "out0", "up")
        links.ip("route", "add", "default", "via", THERE)
        os.write(say, b"x")
        os.read(done, 1)            # its servers are there
        eventually(lambda: links.ip_json("link", "show", "out0")[0]["operstate"] == "UP", 5,
                   "the cable is in")

    def child(self, go, tell):
        try:
            ns.die_with_parent()
            ns.unshare(ns.NEWNET)
            os.write(tell, b"x")
            os.read(go, 1)
            links.loopback_up()
            for address in self.addresses:
                links.ip("addr", "add", f"{address}/24", "dev", "in0")
            links.ip("link", "set", "in0", "up")
            serve(self.addresses, lambda: os.write(tell, b"x"))
        finally:
            os._exit(1)

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def serve(addresses, is_ready):
    """For ever; each connection in a process of its own, so that none waits for another."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    waiting = selectors.DefaultSelector()
    for l4_port, answer in ((GREETING, greet), (ECHO, echo), (BULK, pour), (WEB, web)):
        server = socket.create_server((THERE, l4_port))
        waiting.register(server, selectors.EVENT_READ, connected_to(answer))
    for place, answer in ((address, dns_of(n)) for n, address in enumerate(addresses)):
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind((place, DNS))
        waiting.register(server, selectors.EVENT_READ, answer)
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((THERE, ECHO))
    waiting.register(server, selectors.EVENT_READ, lambda sock: sock.sendto(*sock.recvfrom(9000)))
    is_ready()
    while True:
        for key, _ in waiting.select():
            key.data(key.fileobj)


def connected_to(answer):
    def accept(server):
        connection, (address, _) = server.accept()
        if os.fork() == 0:
            try:
                answer(connection, address)
            finally:
                os._exit(0)
        connection.close()
    return accept


def greet(connection, address):
    connection.sendall(f"hello {address}".encode())


def pour(connection, _address):
    connection.sendall(bulk())


def web(connection, _address):
    connection.recv(9000)
    connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % BULK_SIZE + bulk())


def echo(connection, _address):
    while data := connection.recv(9000):
        connection.sendall(data)


def dns_of(number):
    """A name server: the second one knows other addresses."""
    def answer(sock):
        question, client = sock.recvfrom(512)
        if len(question) < 18:
            return                  # no question
        name, at = [], 12
        while question[at]:
            name.append(question[at + 1:at + 1 + question[at]].decode())
            at += 1 + question[at]
        address = socket.inet_aton(NAMES.get(".".join(name), "0.0.0.0"))
        if number:
            address = address[:3] + bytes([200 + number])
        sock.sendto(question[:2] + struct.pack("!HHHHH", 0x8180, 1, 1, 0, 0) + question[12:at + 5]
                    + struct.pack("!HHHIH", 0xc00c, 1, 1, 60, 4) + address, client)
    return answer


def own_etc(text=f"nameserver {THERE}\n"):
    """A folder /etc of the test's own, with this resolv.conf and little more."""
    kept = {}
    for path in ("/etc/passwd", "/etc/group", "/etc/nsswitch.conf"):
        with open(path) as file:
            kept[path] = file.read()
    ns.mount("tmpfs", "/etc", "tmpfs", ns.MS_NOSUID | ns.MS_NODEV)
    for path, content in {**kept, "/etc/resolv.conf": text}.items():
        links.write(path, content)


def replace(path, text):
    """As a daemon does it: whoever has the old file keeps it."""
    links.write(path + ".new", text)
    os.rename(path + ".new", path)
