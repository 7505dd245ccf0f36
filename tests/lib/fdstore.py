# SPDX-License-Identifier: GPL-2.0-or-later
"""systemd's part towards a service: what it is told, and the descriptors that it keeps for it."""

import array
import contextlib
import os
import socket
import sys
import threading

PLACE = 300                         # where a service's descriptors wait for their numbers
HAND_OVER = f"""
import os, sys
n = int(sys.argv[1])
for i in range(n):
    os.dup2({PLACE} + i, 3 + i)
os.closerange(3 + n, {PLACE} + n)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""


class Systemd:
    """The receiving end of sd_notify(3), with a descriptor store."""

    def __init__(self, path="/run/notify.sock"):
        self.path = path
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(path)
        self.stored = {}            # name: descriptor
        self.lock = threading.Lock()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            data, extra, _, _ = self.sock.recvmsg(4096, socket.CMSG_SPACE(4))
            said = dict(line.split("=", 1) for line in data.decode().split("\n") if line)
            fds = [array.array("i", piece[2])[0] for piece in extra]
            with self.lock:
                self.handle(said, fds)

    def handle(self, said, fds):
        name = said.get("FDNAME", "stored")
        assert ":" not in name and len(name) < 256, name
        if said.get("FDSTORE") == "1":
            assert name not in self.stored, f"{name} is stored twice"
            self.stored[name] = fds.pop()
        if said.get("FDSTOREREMOVE") == "1":
            with contextlib.suppress(KeyError):
                os.close(self.stored.pop(name))

    def names(self):
        with self.lock:
            return sorted(self.stored)

    def start(self, host):
        """The manager, with what was stored."""
        with self.lock:
            names = list(self.stored)
            for i, name in enumerate(names):
                os.dup2(self.stored[name], PLACE + i)
            places = [PLACE + i for i in range(len(names))]
        daemon = host.netrelayd(
            wrapper=[sys.executable, "-c", HAND_OVER, str(len(names))], pass_fds=places,
            env={"NOTIFY_SOCKET": self.path, "LISTEN_FDS": str(len(names)),
                 "LISTEN_FDNAMES": ":".join(names)})
        for place in places:
            os.close(place)
        return daemon
