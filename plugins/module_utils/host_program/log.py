# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The optional log of the token helper: one line for each event, never a token. A log that cannot be written changes nothing."""

from __future__ import annotations

import contextlib
import os
import stat
import time

from .config import Config

MOST_BYTES = 256 * 1024
"""A log that has grown to this takes the place of the old one (``.1``), and a new one begins."""

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def write(config: Config, event: str) -> None:
    """Add a line: when, which process, what."""
    if config.log:
        append(config.log_file, " ".join(event.split()), MOST_BYTES)


def append(path: str, event: str, most: int) -> None:
    """Add a line to a log of at most so many bytes, or leave it where that does not work."""
    with contextlib.suppress(OSError):
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        descriptor = _open(path, most)
        try:
            line = f"{moment(time.time())} {os.getpid()} {event}\n"
            os.write(descriptor, line.encode("utf-8", "replace"))
        finally:
            os.close(descriptor)


def moment(seconds: float) -> str:
    """A time as the log has it: UTC, whole seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _open(path: str, most: int) -> int:
    """The log, private and not too long. Raises OSError, also where something else than a file of ours stands."""
    descriptor = os.open(path, _FLAGS, 0o600)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError("no file")
        if status.st_size < most:
            os.fchmod(descriptor, 0o600)
            return descriptor
        if os.stat(path).st_ino == status.st_ino:  # else somebody else has just done it
            os.replace(path, path + ".1")
    except OSError:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return os.open(path, _FLAGS, 0o600)
