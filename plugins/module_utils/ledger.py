# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger: on the host, per owner, what we wrote and what stood there before. It is the journal too.

``~/.local/state/fmapi-coding-agents/ledger.json``, 0600 in a directory 0700::

    {"schema": 1, "salt": hex, "documents": {path: entry}, "pending": {path: entry or null},
     "directories": [path, ...], "packages": {agent: {...}}}

``documents`` is what holds; ``pending`` is what a run is about to write, put down before the first byte of any document changes.
A run that was killed leaves ``pending`` behind, and :meth:`Ledger.settle` finds out from the documents' digests how far it came.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import secrets
import time
from collections.abc import Iterator
from typing import Any

from . import files
from .errors import OperatorError
from .ownership import Entry, digest

SCHEMA = 1
DIRECTORY = (".local", "state", "fmapi-coding-agents")
"""Below the owner's home."""

LOCK_WAIT_SECONDS = 30.0


class Ledger:
    """One owner's ledger, in memory. :meth:`save` writes it."""

    def __init__(self, home: str, data: dict[str, Any] | None = None) -> None:
        self.home = home
        self.directory = os.path.join(home, *DIRECTORY)
        self.path = os.path.join(self.directory, "ledger.json")
        data = data or {}
        self.is_new = not data
        """There was no ledger file."""
        self.salt: str = data.get("salt") or secrets.token_hex(16)
        self.documents: dict[str, Entry] = data.get("documents", {})
        self.pending: dict[str, Entry | None] = data.get("pending", {})
        self.directories: list[str] = data.get("directories", [])
        self.packages: dict[str, dict[str, Any]] = data.get("packages", {})

    @classmethod
    def load(cls, home: str) -> Ledger:
        """Read the ledger; an owner without one gets an empty one. Raises OperatorError for one that cannot be trusted."""
        ledger = cls(home)
        found = files.read(ledger.path)
        if found.content is None:
            return ledger
        way_out = (
            "Put the ledger back from a backup, or move it away: then the next rollout starts a new one, and what an "
            "earlier one replaced is not given back by itself"
        )
        try:
            data = json.loads(found.content)
            if not isinstance(data, dict) or not isinstance(data["salt"], str):
                raise ValueError
            if data["schema"] != SCHEMA:
                raise OperatorError(
                    f"has schema {data['schema']!r}, this collection knows {SCHEMA}",
                    ledger.path,
                    "Use the version of fmapi.coding_agents that wrote it, or a newer one",
                )
            if not all(isinstance(data.get(name, {}), dict) for name in ("documents", "pending", "packages")):
                raise ValueError
            if not all(
                entry is None or _is_entry(entry) for name in ("documents", "pending") for entry in data[name].values()
            ):
                raise ValueError
        except (ValueError, KeyError, UnicodeDecodeError, AttributeError):
            raise OperatorError(
                "is not a ledger that this collection wrote (cut off or edited)", ledger.path, way_out
            ) from None
        return cls(home, data)

    @property
    def is_empty(self) -> bool:
        return not (self.documents or self.pending or self.packages)

    def settle(self) -> None:
        """Decide, after a run that was stopped, for each document whether the old or the new record holds."""
        for path, intended in self.pending.items():
            recorded = self.documents.get(path)
            now = digest(files.read(path).content)
            if intended is None:
                if recorded is not None and now != recorded["after"]:
                    del self.documents[path]
            elif recorded is None or now != recorded["after"]:
                # A document that is neither is one that somebody edited since: the newer record, key by key.
                self.documents[path] = intended
        self.pending = {}

    def save(self) -> None:
        """Write the ledger, or take it away with the directories made for it when there is nothing left to remember."""
        if self.is_empty:
            files.remove(self.path)
            files.remove_empty_directories(self.directories)
            return
        for made in files.make_directories(self.directory, self.home):
            self.directories.append(made)
        data = {
            "schema": SCHEMA,
            "salt": self.salt,
            "documents": self.documents,
            "pending": self.pending,
            "directories": self.directories,
            "packages": self.packages,
        }
        content = (json.dumps(data, indent=1, sort_keys=True) + "\n").encode()
        files.replace(self.path, content, 0o600)


def _is_entry(entry: Any) -> bool:
    lists = ("mode", "values", "elements", "removed", "containers")
    return (
        isinstance(entry, dict)
        and all(isinstance(entry.get(name), str) for name in ("component", "format", "after"))
        and all(isinstance(entry.get(name), list) for name in lists)
        and isinstance(entry.get("undo"), (list, type(None)))
    )


@contextlib.contextmanager
def locked(home: str) -> Iterator[None]:
    """Hold the owner's lock: one run at a time changes this owner's files.

    The lock is the home directory itself, so that it leaves no file behind and needs none to be made. The kernel lets go of it
    when its holder dies.
    """
    descriptor = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
    try:
        deadline = time.monotonic() + LOCK_WAIT_SECONDS
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if error.errno in (errno.EBADF, errno.ENOLCK, errno.ENOTSUP):
                    break  # NFS locks no directory; the journal and the compare before each write still protect the files
                if error.errno not in (errno.EWOULDBLOCK, errno.EINTR):
                    raise OperatorError(f"cannot be locked ({error.strerror})", home) from None
                if time.monotonic() > deadline:
                    raise OperatorError(
                        f"another run has been changing this home's files for over {LOCK_WAIT_SECONDS:.0f} seconds",
                        home,
                        "Wait for it to end and run again",
                    ) from None
                time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)
