# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One writer at a time for a home: the lock that every change of a ledger is made under."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterator

from ..errors import OperatorError
from . import files
from .owner import Owner

LOCK_NAME = ".fmapi-coding-agents-lock"
LOCK_WAIT_SECONDS = 30.0


@contextlib.contextmanager
def locked(owner: Owner) -> Iterator[None]:
    """Hold the owner's lock: one run at a time changes this owner's files.

    The lock is the home directory itself, so that it leaves no file behind and needs none to be made. The kernel lets go of it
    when its holder dies. NFS locks no directory: there it is a file in the home, for as long as the run takes.
    """
    home = owner.home
    try:
        descriptor = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise files.unusable(error, home, "opened") from None
    deadline = time.monotonic() + LOCK_WAIT_SECONDS
    try:
        if _lock(descriptor, home, deadline):
            yield
        else:
            with _lock_file(home, deadline):
                yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _lock_file(home: str, deadline: float) -> Iterator[None]:
    """Where that cannot be locked either, the journal and the compare before each write still protect the files."""
    path, descriptor = os.path.join(home, LOCK_NAME), -1
    try:
        while descriptor < 0:
            try:
                descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
            except OSError:
                break  # what is to be written will say why
            _lock(descriptor, home, deadline)
            if not _is_open_file(path, descriptor):  # its holder took it away as we waited
                os.close(descriptor)
                descriptor = -1
        yield
    finally:
        if descriptor >= 0:
            files.discard(path)
            os.close(descriptor)


def _is_open_file(path: str, descriptor: int) -> bool:
    try:
        there, here = os.lstat(path), os.fstat(descriptor)
    except OSError:
        return False
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


def _lock(descriptor: int, home: str, deadline: float) -> bool:
    """Wait for a lock; False where the file system has none. Raises OperatorError when somebody else holds it too long."""
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError as error:
            if error.errno in (errno.EBADF, errno.ENOLCK, errno.ENOTSUP):
                return False
            if error.errno not in (errno.EWOULDBLOCK, errno.EINTR):
                raise files.unusable(error, home, "locked") from None
            if time.monotonic() > deadline:
                raise OperatorError(
                    f"another run has been changing this home's files for over {LOCK_WAIT_SECONDS:.0f} seconds",
                    home,
                    "Wait for it to end and run again",
                ) from None
            time.sleep(0.05)
