# SPDX-License-Identifier: GPL-2.0-or-later
"""Ethernet frames, and QEMU's stream framing around them."""

import random
import struct

FRAME_MAX = 69632
BROADCAST = b"\xff" * 6
ETHERTYPE = 0x88b5                  # local experiments: nobody answers it


def mac(number):
    """The address of station `number`."""
    return b"\x52\x54\x00" + number.to_bytes(3, "big")


def frame(dst, src, payload=b"", ethertype=ETHERTYPE, size=None):
    """A frame; `size` fills it up with bytes that follow from what is in it."""
    head = dst + src + struct.pack("!H", ethertype) + payload
    if size is None:
        return head
    return (head + filling(size, sum(head)))[:size]


def filling(size, seed=0):
    """Bytes which look random and are the same for the same arguments."""
    return random.Random(seed).randbytes(size)


def numbered(dst, src, number, size=60):
    return frame(dst, src, struct.pack("!I", number), size=size)


def header(length):
    return struct.pack("!I", length)


def enclose(*several):
    """What these frames are on a stream."""
    return b"".join(header(len(one)) + one for one in several)


def padded(one):
    """What a TAP hands to a bridge."""
    return one.ljust(60, b"\0")


class Decoder:
    """Bytes of a stream to frames, from any split."""

    def __init__(self):
        self.pending = b""

    def feed(self, data):
        self.pending += data
        found = []
        at = 0
        while len(self.pending) - at >= 4:
            length, = struct.unpack_from("!I", self.pending, at)
            assert length <= FRAME_MAX, f"a length of {length} came: the stream is torn"
            if len(self.pending) - at - 4 < length:
                break
            found.append(self.pending[at + 4:at + 4 + length])
            at += 4 + length
        self.pending = self.pending[at:]
        return found
