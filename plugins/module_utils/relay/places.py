# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a relay keeps what is its user's: below the state directory in their home, in machine scope, too."""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
import stat
from typing import NamedTuple

from .. import careful
from ..places import STATE_DIRECTORY

_KEY_BYTES = 32
_LONGEST_KEY_FILE = 200


class Places(NamedTuple):
    """Of one user."""

    home: str

    @property
    def directory(self) -> str:
        """0700."""
        return os.path.join(self.home, *STATE_DIRECTORY, "relay")

    @property
    def key(self) -> str:
        """What every request must bring, 0600."""
        return os.path.join(self.directory, "key")

    @property
    def running(self) -> str:
        """Which process listens: JSON, written by it."""
        return os.path.join(self.directory, "running.json")

    @property
    def log(self) -> str:
        return os.path.join(self.directory, "relay.log")

    @property
    def clients(self) -> str:
        """A directory: one file for each client that lives (see clients.py)."""
        return os.path.join(self.directory, "clients")

    def make(self) -> None:
        """Make the directory, for its owner alone. Raises OSError."""
        os.makedirs(self.directory, mode=0o700, exist_ok=True)
        status = os.stat(self.directory)
        if status.st_uid != os.geteuid():
            raise OSError(f"{self.directory} belongs to {careful.user_name(status.st_uid)}")
        if stat.S_IMODE(status.st_mode) & 0o077:
            os.chmod(self.directory, 0o700)


def read_key(places: Places) -> str | None:
    """The key, or None where there is none that can be trusted: one that others can read is no secret."""
    try:
        with os.fdopen(careful.open_regular(places.key, follow=False), encoding="ascii") as stream:
            status = os.fstat(stream.fileno())
            text = stream.read(_LONGEST_KEY_FILE).strip()
    except (OSError, ValueError):
        return None
    private = status.st_uid == os.geteuid() and not stat.S_IMODE(status.st_mode) & 0o077
    return text if private and len(text) == 2 * _KEY_BYTES and text.isalnum() else None


def own_key(places: Places) -> str:
    """The key, made now if there is none yet. It never changes by itself: agents have it in their environment.

    Raises OSError where none can be made, or where what stands there is no key of ours.
    """
    found = read_key(places)
    if found is not None:
        return found
    places.make()
    # It appears under its name complete: who comes at the same moment must not read half of it.
    temporary = f"{places.key}.{os.getpid()}.{secrets.token_hex(4)}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as stream:
            stream.write(secrets.token_hex(_KEY_BYTES) + "\n")
        with contextlib.suppress(FileExistsError):
            os.link(temporary, places.key)
    finally:
        os.unlink(temporary)
    found = read_key(places)
    if found is None:
        raise OSError(f"{places.key} is no key that only its owner can read. Remove it, and a new one is made")
    return found


def is_key(given: str, key: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), key.encode())
