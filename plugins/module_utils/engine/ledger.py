# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger: on the host, per owner, what we wrote and what stood there before. It is the journal too.

``~/.local/state/fmapi-coding-agents/ledger.json``, 0600 in a directory 0700::

    {"schema": 1, "collection_version": ..., "written_at": UTC, "salt": hex, "documents": {path: entry},
     "pending": {path: {"before": digest or null, "after": digest or null, "entry": entry or null}},
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
import time
from collections.abc import Iterator
from typing import Any

from . import files
from .documents import FORMATS
from ..errors import OperatorError
from .ownership import Entry, digest
from ..version import VERSION

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
        self.salt: str = data.get("salt") or os.urandom(16).hex()
        self.documents: dict[str, Entry] = data.get("documents", {})
        self.pending: dict[str, dict[str, Any]] = data.get("pending", {})
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
            if isinstance(data["schema"], bool) or data["schema"] != SCHEMA:
                raise OperatorError(
                    f"has schema {data['schema']!r}, this collection knows {SCHEMA}",
                    ledger.path,
                    "Use the version of fmapi.coding_agents that wrote it, or a newer one",
                )
            if not _is_content(data):
                raise ValueError
        except (ValueError, KeyError, TypeError, RecursionError):
            raise OperatorError(
                "is not a ledger that this collection wrote (cut off or edited)", ledger.path, way_out
            ) from None
        return cls(home, data)

    @property
    def is_empty(self) -> bool:
        return not (self.documents or self.pending or self.packages)

    def settle(self) -> None:
        """Decide, after a run that was stopped, for each document whether the old or the new record holds."""
        for path, intent in self.pending.items():
            now = digest(files.read(path).content)
            if now == intent["after"]:
                holds = intent["entry"]
            elif now == intent["before"] or intent["entry"] is None:
                holds = self.documents.get(path)
            else:
                holds = intent["entry"]  # somebody edited it since: the newer record, key by key
            if holds is None:
                self.documents.pop(path, None)
            else:
                self.documents[path] = holds
        self.pending = {}

    def save(self) -> None:
        """Write the ledger, or take it away with the directories made for it when there is nothing left to remember."""
        files.remove_leftovers(self.path)
        if self.is_empty:
            files.remove(self.path)
            # Ours by its name: a run that was killed before its first ledger stood has recorded no directory.
            files.remove_empty_directories([self.directory, *self.directories])
            return
        for made in files.make_directories(self.directory, self.home):
            self.directories.append(made)
        data = {
            "schema": SCHEMA,
            "collection_version": VERSION,
            "written_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "salt": self.salt,
            "documents": self.documents,
            "pending": self.pending,
            "directories": self.directories,
            "packages": self.packages,
        }
        content = (json.dumps(data, indent=1, sort_keys=True) + "\n").encode()
        files.replace(self.path, content, 0o600)


def _is_content(data: dict[str, Any]) -> bool:
    """Whether every part has the form in which :meth:`Ledger.save` writes it: what is read here is acted upon."""
    pending, packages = data["pending"], data["packages"]
    return (
        all(isinstance(data[name], dict) for name in ("documents", "pending", "packages"))
        and all(os.path.isabs(path) for path in (*data["documents"], *pending))
        and all(_is_entry(entry) for entry in data["documents"].values())
        and all(isinstance(intent, dict) and {"before", "after", "entry"} <= set(intent) for intent in pending.values())
        and all(intent["entry"] is None or _is_entry(intent["entry"]) for intent in pending.values())
        and all(isinstance(package, dict) for package in packages.values())
        and all(isinstance(package[name], str) for package in packages.values() for name in ("prefix", "version"))
        and _is_list_of(data["directories"], str)
    )


def _is_entry(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and all(isinstance(entry[name], str) for name in ("component", "after"))
        and entry["format"] in FORMATS
        and isinstance(entry["created"], bool)
        and len(entry["mode"]) == 2
        and all(mode is None or isinstance(mode, int) for mode in entry["mode"])
        and (entry["undo"] is None or all(_is_edit(edit) for edit in entry["undo"]))
        and _is_list_of(entry["leftovers"], str)
        and all(_is_list_of(path, str) for path in entry["containers"])
        and all(_has(record, "digest") and isinstance(record["digest"], str) for record in entry["values"])
        and all(_has(record, "element") for record in entry["elements"])
        and all(_has(record, "prior") for record in entry["removed"])
    )


def _has(record: Any, name: str) -> bool:
    return isinstance(record, dict) and name in record and _is_list_of(record["path"], str)


def _is_edit(edit: Any) -> bool:
    return len(edit) == 3 and [type(part) for part in edit] == [int, int, str]


def _is_list_of(value: Any, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(one, kind) for one in value)


@contextlib.contextmanager
def locked(home: str) -> Iterator[None]:
    """Hold the owner's lock: one run at a time changes this owner's files.

    The lock is the home directory itself, so that it leaves no file behind and needs none to be made. The kernel lets go of it
    when its holder dies.
    """
    try:
        descriptor = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise files.unusable(error, home, "opened") from None
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
                    raise files.unusable(error, home, "locked") from None
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
