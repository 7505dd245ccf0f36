# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests whose QEMU comes up when the test says so."""

import os

EMULATOR = "/usr/bin/slow-qemu"
DIRECTORY = "/run/test-slow"

# libvirt asks an emulator what it can do, without a guest's name.
PROGRAM = f"""#!/bin/sh
for word; do case "$word" in guest=*) name="${{word#guest=}}"; name="${{name%%,*}}";; esac; done
while [ -n "$name" ] && [ -e "{DIRECTORY}/$name" ]; do sleep 0.05; done
[ -z "$name" ] || [ ! -e "{DIRECTORY}/$name.fails" ] || exit 1
exec /usr/bin/qemu-system-x86_64 "$@"
"""


def install():
    """On the private host; then guests may be made slow."""
    os.makedirs(DIRECTORY, 0o755)
    with open(EMULATOR, "w") as file:
        file.write(PROGRAM)
    os.chmod(EMULATOR, 0o755)


def hold(guest):
    """From its next start on its QEMU waits for let_go(); returns the guest."""
    if EMULATOR not in guest.xml:
        guest.xml = guest.xml.replace("/usr/bin/qemu-system-x86_64", EMULATOR)
        guest.define()
    open(f"{DIRECTORY}/{guest.name}", "w").close()
    return guest


def let_go(guest, fails=False):
    if fails:
        open(f"{DIRECTORY}/{guest.name}.fails", "w").close()
    os.unlink(f"{DIRECTORY}/{guest.name}")
