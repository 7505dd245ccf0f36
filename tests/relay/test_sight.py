#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a person sees of a running relay: the control socket by hand, its counters, its log."""

import os
import socket
import tempfile

import kit
from relayproc import run


def test_control_path_that_is_taken_stays():
    """a file, a folder, a listening socket: exit 1, one line that names the path, all as before"""
    with tempfile.TemporaryDirectory() as folder:
        plain, living = os.path.join(folder, "plain"), os.path.join(folder, "living")
        with open(plain, "w") as file:
            file.write("dear")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(living)
            listener.listen()
            for path, why in ((plain, "exists"), (folder, "exists"), (living, "in use"),
                              (f"{folder}/none/control", "No such"), ("/" + 200 * "x", "too long")):
                result = run("--control", path, "-l", "12345")
                assert result.returncode == 1 and result.stderr.count("\n") == 1, result
                assert path[:100] in result.stderr and why in result.stderr, result.stderr
        with open(plain) as file:
            assert file.read() == "dear"
        assert sorted(os.listdir(folder)) == ["living", "plain"]


if __name__ == "__main__":
    kit.main()
