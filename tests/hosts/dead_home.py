# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A home on a file server that is gone, in a program: ``python3 dead_home.py DESCRIPTOR DIRECTORY UID`` as root.

It mounts a file system of its own (FUSE) on the directory, says so, takes every request of the kernel and answers none. Whoever looks
into the directory waits in the kernel and cannot be killed, as with NFS. When this program ends, they get an error.

The descriptor is one of ``/dev/fuse``, which a container's ``/dev`` does not have. Nothing but the standard library: it runs on hosts.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

_INIT = 26


@contextlib.contextmanager
def dead_home(directory: str, uid: int, within: Sequence[str] = ()) -> Iterator[None]:
    """Let a home be dead meanwhile; ``within`` is a command that takes others into a host (``nsenter ...``)."""
    device = os.open("/dev/fuse", os.O_RDWR)
    source = Path(__file__).read_text(encoding="utf-8")
    process = subprocess.Popen(
        [*within, "python3", "-I", "-c", source, str(device), directory, str(uid)],
        pass_fds=[device],
        stdout=subprocess.PIPE,
    )
    os.close(device)
    try:
        assert process.stdout is not None and process.stdout.readline() == b"mounted\n"
        yield
    finally:
        process.kill()
        process.communicate()
        # Not umount(8): with the mounts of another host it has not its processes, and looks for itself there. Detached: who waited
        # there may take a moment to go.
        program = "import ctypes, sys; sys.exit(ctypes.CDLL(None).umount2(sys.argv[1].encode(), 2))"
        subprocess.run([*within, "python3", "-I", "-c", program, directory], check=True)


def main() -> None:
    device, directory, uid = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    options = f"fd={device},rootmode=40000,user_id={uid},group_id={uid},allow_other"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"gone", directory.encode(), b"fuse", 0, options.encode()) != 0:
        raise OSError(ctypes.get_errno(), "cannot be mounted", directory)
    while True:
        request = os.read(device, 1 << 18)
        _length, operation, unique = struct.unpack_from("<IIQ", request)
        if operation == _INIT:
            # The kernel holds all other requests back until it is told the version and the sizes.
            major, minor, ahead = struct.unpack_from("<III", request, 40)
            answer = struct.pack("<IIIIHHI", major, min(minor, 31), ahead, 0, 12, 10, 1 << 16) + bytes(36)
            os.write(device, struct.pack("<IiQ", 16 + len(answer), 0, unique) + answer)
            print("mounted", flush=True)


if __name__ == "__main__":
    main()
