# SPDX-License-Identifier: GPL-2.0-or-later
"""What libvirt has found out about QEMU, which takes it half a second: kept in the build directory,
and lent to each private host. libvirt itself sees whether it is of this QEMU and this libvirt, so
what is lent can only be in vain.
"""

import contextlib
import os
import shutil
import tempfile

CACHE = "/var/cache/libvirt/qemu/capabilities"


def is_newer(path, other):
    return not os.path.exists(other) or os.path.getmtime(path) > os.path.getmtime(other)


def copy_all(source, target):
    """Files that target has not, or only older; each appears at once and whole."""
    os.makedirs(target, mode=0o755, exist_ok=True)
    for entry in os.scandir(source):
        if not entry.is_file() or not is_newer(entry.path, f"{target}/{entry.name}"):
            continue
        handle, path = tempfile.mkstemp(dir=target)
        os.close(handle)
        shutil.copy2(entry.path, path)
        os.rename(path, f"{target}/{entry.name}")


def lend(kept):
    if os.path.isdir(kept):
        copy_all(kept, CACHE)


def keep(kept):
    """What cannot be kept will be found out again."""
    with contextlib.suppress(OSError):
        if os.path.isdir(CACHE):
            copy_all(CACHE, kept)
