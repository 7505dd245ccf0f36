# SPDX-License-Identifier: GPL-2.0-or-later
"""A port on a running vde_switch: one request on its control socket, datagrams from then on."""

import os
import socket
import struct

MAGIC, VERSION, NEW_PORT = 0xfeedface, 3, 0
PATH_MAX, TEXT_MAX = 108, 128


class VdePort:
    """A station's end of it; the port lives as long as the control connection."""

    def __init__(self, folder, number):
        self.control = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.control.settimeout(5)
        self.control.connect(os.path.join(folder, "ctl"))
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        own = os.path.join(folder, f"station-{number}").encode()
        self.sock.bind(own)
        self.control.sendall(struct.pack(f"=IIIH{PATH_MAX}s{TEXT_MAX}s", MAGIC, VERSION, NEW_PORT,
                                         socket.AF_UNIX, own, b"benchmark"))
        answer = self.control.recv(2 + PATH_MAX)
        self.sock.connect(answer[2:].split(b"\0", 1)[0].decode())

    def fileno(self):
        return self.sock.fileno()

    def close(self):
        self.sock.close()
        self.control.close()
