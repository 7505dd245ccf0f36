#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The control socket removed under a running relay, and another one given to it."""

import errno
import os
import socket
import struct

import kit
from ctlproto import ManagedRelay


def test_listen_anew():
    """its socket removed: clients come by the one that is passed; those that are there stay"""
    with ManagedRelay() as relay:
        control = relay.control()
        endpoint = control.attach("listen:127.0.0.1:12345")
        os.unlink(relay.path)
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
            answer = control.request("LISTEN", fd=sock.fileno())    # it is nowhere yet
            assert answer["error"] == errno.EINVAL and "bound" in answer["error_text"], answer
            sock.bind(relay.path)
            control.must("LISTEN", fd=sock.fileno())
        with socket.socket() as tcp:
            assert control.request("LISTEN", fd=tcp.fileno())["error"] == errno.EINVAL
        assert control.request("LISTEN")["error"] == errno.EINVAL
        other = relay.control()
        assert other.welcome["pid"] == relay.keeper
        cred = other.sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        assert struct.unpack("iii", cred)[0] == relay.keeper
        assert other.dump()[0].keys() == control.dump()[0].keys() == {endpoint}
        relay.alive()


if __name__ == "__main__":
    kit.main()
