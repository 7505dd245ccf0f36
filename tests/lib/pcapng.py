# SPDX-License-Identifier: GPL-2.0-or-later
"""A capture file read back: every block's lengths are checked, what we write is kept."""

import struct

SECTION, INTERFACE, STATISTICS, FRAME = 0x0a0d0d0a, 1, 5, 6
IN, OUT = 1, 2


class Capture:
    """Of bytes: `interfaces` are (name, description), `frames` (interface, direction, time,
    length, bytes), `statistics` {interface: (received, missed)}."""

    def __init__(self, data):
        self.interfaces, self.frames, self.statistics = [], [], {}
        self.size = len(data)
        at = 0
        while at < len(data):
            kind, length = struct.unpack_from("=II", data, at)
            assert length % 4 == 0 and length >= 12, f"a block of {length} bytes"
            body = data[at + 8:at + length - 4]
            assert struct.unpack_from("=I", data, at + length - 4)[0] == length, "torn"
            assert (at == 0) == (kind == SECTION), f"block {kind:#x} at {at}"
            {SECTION: self.section, INTERFACE: self.interface, FRAME: self.frame,
             STATISTICS: self.statistic}[kind](body)
            at += length
        assert at == len(data)

    def section(self, body):
        assert struct.unpack_from("=IHHq", body) == (0x1a2b3c4d, 1, 0, -1)
        assert options(body[16:])[4].startswith(b"netrelayctl ")

    def interface(self, body):
        link, _, self.snaplen = struct.unpack_from("=HHI", body)
        found = options(body[8:])
        assert link == 1 and found[9] == b"\t", "Ethernet, and nanoseconds"
        self.interfaces.append((found[2].decode(), found.get(3, b"").decode()))

    def frame(self, body):
        number, high, low, kept, length = struct.unpack_from("=IIIII", body)
        assert number < len(self.interfaces) and kept <= length
        flags, = struct.unpack("=I", options(body[20 + kept + -kept % 4:])[2])
        self.frames.append((number, flags, (high << 32 | low) / 1e9, length, body[20:20 + kept]))

    def statistic(self, body):
        number, _, _ = struct.unpack_from("=III", body)
        found = options(body[12:])
        self.statistics[number] = tuple(struct.unpack("=Q", found[code])[0] for code in (4, 5))

    def of(self, port, direction=None):
        """The frames' bytes of one port, in order."""
        start = f"port {port}"
        names = {number for number, (name, _) in enumerate(self.interfaces)
                 if name.split(":")[0] == start}
        return [data for number, way, _, _, data in self.frames
                if number in names and direction in (None, way)]

    def missed(self):
        return sum(missed for _, missed in self.statistics.values())


def options(data):
    found = {}
    while data:
        code, length = struct.unpack_from("=HH", data)
        if code == 0:
            break
        found[code] = data[4:4 + length]
        data = data[4 + length + -length % 4:]
    return found
