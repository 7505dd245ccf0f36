# SPDX-License-Identifier: GPL-2.0-or-later
"""`netrelayctl events --json` beside a test: what it has printed, and waiting for more of it.

    with Follower(host) as events:
        ...
        events.expect("guest-started", guest="vm1")

Each expectation is met by what comes after the one before it was met; `past` looks at all.
"""

import json
import os
import signal
import subprocess
import tempfile

from process import environment_of, identity_of
from wait import eventually


class Follower:
    def __init__(self, connection, *words):
        self.out = tempfile.TemporaryFile()
        self.errors = tempfile.TemporaryFile()
        self.connection = connection
        self.position = 0
        self.process = subprocess.Popen(
            ["/usr/bin/netrelayctl", "events", "--json", *words], stdin=subprocess.DEVNULL,
            stdout=self.out, stderr=self.errors, cwd="/",
            env=environment_of(connection.user, connection.env),
            **identity_of(connection.user))

    def __enter__(self):
        """It listens once it tells of a reload."""
        def told():
            self.connection.netrelayctl("reload", check=False)
            return self.past("reloaded")
        eventually(told, 20, "events are told")
        self.position = len(self.past())
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(10)
        self.out.close()
        self.errors.close()

    def past(self, event=None, **wanted):
        """All that it has printed until now, or those events that have these values."""
        # Its position in the file is the follower's, which writes.
        written = os.pread(self.out.fileno(), os.fstat(self.out.fileno()).st_size, 0)
        lines = written.split(b"\n")[:-1]
        if event:
            wanted["event"] = event
        return [found for found in map(json.loads, lines)
                if all(found.get(key) == value for key, value in wanted.items())]

    def expect(self, event, deadline=15, **wanted):
        """Waits for this event, behind the last one that was expected."""
        def found():
            events = self.past()
            for index in range(self.position, len(events)):
                if all(events[index].get(key) == value
                       for key, value in {"event": event, **wanted}.items()):
                    self.position = index + 1
                    return events[index]
            return None
        try:
            return eventually(found, deadline, f"{event} {wanted}")
        except AssertionError as error:
            raise AssertionError(f"{error}, behind event {self.position} of "
                                 f"{[(e['event'], e['text']) for e in self.past()]}") from None

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def interrupt(self):
        """Ctrl-C; its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(10)
