# SPDX-License-Identifier: GPL-2.0-or-later
"""A long stream of frames through a wire to somebody who reads slowly, compared byte for byte."""

import os
import random
import struct
import time

from frames import enclose, mac, numbered
from peers import Server
from relayproc import Relay

BLOCK = [60, 1514, 1514, 9014, 342] * 20      # sizes of frames, again and again


def blocks():
    """The stream, endless: every frame has its number in it."""
    block = bytearray(enclose(*(numbered(mac(2), mac(1), 0, size) for size in BLOCK)))
    places, at = [], 0
    for size in BLOCK:
        places.append(at + 4 + 14)
        at += 4 + size
    number = 0
    while True:
        for place in places:
            struct.pack_into("!I", block, place, number)
            number += 1
        yield bytes(block)


def send_blocks(sock, count):
    """In a process of its own, as fast as they are taken; its pid."""
    child = os.fork()
    if child == 0:
        try:
            sock.settimeout(60)
            for _, block in zip(range(count), blocks()):
                sock.sendall(block)
            os._exit(0)
        finally:
            os._exit(1)
    return child


def read_slowly(sock, count, pause):
    """Compares what comes with the stream; pause(bytes so far) decides when nothing is read."""
    sock.settimeout(30)
    want, done = b"", 0
    stream = blocks()
    chance = random.Random(1)
    total = count * len(next(blocks()))
    while done < total:
        got = sock.recv(chance.choice((1, 700, 20000, 1 << 18)))
        assert got, f"the stream ended after {done} of {total} bytes"
        while len(want) < len(got):
            want += next(stream)
        if not want.startswith(got):
            same = len(os.path.commonprefix([got, want]))
            raise AssertionError(f"after {done + same} bytes other frames come than were sent")
        want = want[len(got):]
        done += len(got)
        pause(done)


def lose_nothing(megabytes, pause, *options):
    """So much through a wire: every frame arrives, whole and in order, and nothing else."""
    servers = [Server(2001), Server(2002)]
    with Relay(*options, "127.0.0.1:2001", "127.0.0.1:2002") as relay:
        source, sink = (server.accept() for server in servers)
        count = megabytes * 1000000 // len(next(blocks()))
        before = relay.memory()
        began = time.monotonic()
        child = send_blocks(source.sock, count)
        read_slowly(sink.sock, count, pause)
        took = time.monotonic() - began
        print(f"{megabytes} MB in {took:.1f} s, {relay.memory() - before} KiB more")
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert relay.memory() - before < 6144, f"{relay.memory() - before} KiB more"
        sink.silent(0.1)
        relay.calm()


class Pauses:
    """Nothing is read for `seconds`, each time that another `every` bytes have come."""

    def __init__(self, seconds, every):
        self.seconds = seconds
        self.every = every
        self.next = every

    def __call__(self, done):
        if done >= self.next:
            self.next += self.every
            time.sleep(self.seconds)    # this is what is slow
