# SPDX-License-Identifier: GPL-2.0-or-later
"""netrelayctl capture, running, and the file it writes."""

import os
import re
import select
import signal
import struct
import subprocess
import tempfile

from pcapng import Capture
from wait import eventually


class Running:
    """A capture, begun; argv is the command's, a caller's `stdout` takes its frames, and the
    details are of its process."""

    def __init__(self, argv, stdout=None, **details):
        self.file = tempfile.NamedTemporaryFile(prefix="netrelay-", suffix=".pcapng")
        self.process = subprocess.Popen(list(map(str, argv)), bufsize=0, stdin=subprocess.DEVNULL,
                                        stdout=stdout or self.file, stderr=subprocess.PIPE,
                                        **details)
        self.error = ""
        self.wait_for("capturing")

    def wait_for(self, word, deadline=5):
        def said():
            if select.select([self.process.stderr], [], [], 0.05)[0]:
                self.error += os.read(self.process.stderr.fileno(), 4096).decode()
            return word in self.error
        try:
            eventually(said, deadline, f"it says {word!r}")
        except AssertionError as error:
            raise AssertionError(f"{error}, in place of {self.error!r}") from None

    def ended(self, code=0, deadline=5):
        """Waits until it ends by itself; what it captured."""
        assert self.process.wait(deadline) == code, self.process.stderr.read()
        self.error += self.process.stderr.read().decode()
        return self.captured()

    def captured(self):
        """What is in the file. While it runs it may be amid a write: then it is read again."""
        return eventually(self.read, 5, f"{self.file.name} is whole")

    def read(self):
        with open(self.file.name, "rb") as file:
            data = file.read()
        try:
            return Capture(data)
        except (AssertionError, struct.error):
            if self.process.poll() is not None:
                raise
            return None

    def has(self, frames):
        """Waits until so many are in the file: a frame may arrive before it is captured."""
        eventually(lambda: len(self.captured().frames) >= frames, 5, f"{frames} are captured")

    def end(self):
        """Ctrl-C; what it captured."""
        self.process.send_signal(signal.SIGINT)
        return self.ended()

    def counted(self):
        """(captured, missed), as it says at its end."""
        return tuple(map(int, re.search(r"(\d+) frames captured, (\d+) missed", self.error)
                         .groups()))
