# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger: on the host, per owner, what we wrote and what stood there before. It is the journal too.

``~/.local/state/fmapi-coding-agents/ledger.json``, 0600 in a directory 0700::

    {"schema": 2, "collection_version": ..., "written_at": UTC, "salt": hex, "documents": {path: entry},
     "pending": {path: {"before": digest or null, "after": digest or null, "entry": entry or null}},
     "directories": [path, ...], "packages": {agent: {"version": ..., "directory": path}}}

``documents`` is what holds; ``pending`` is what a run is about to write, put down before the first byte of any document changes.
A run that was killed leaves ``pending`` behind, and :meth:`Ledger.settle` finds out from the documents' digests how far it came.

A path in the home is written as ``~/...``: a home that was moved or copied takes its ledger along, which then tells of the files in
it and never of those in the other. In memory each path is absolute.

Schema 1 wrote absolute paths, called components otherwise, and knew packages that npm had installed globally (``prefix``,
``previous`` and ``version``), which stay as they are. It is read, and written as schema 2.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator
from typing import Any, Callable, Dict  # noqa: UP035

from ..errors import OperatorError
from ..places import DATA_DIRECTORY, STATE_DIRECTORY
from ..version import VERSION
from . import files
from .documents import FORMATS, LinkDocument
from .owner import Owner
from .ownership import Entry, digest

SCHEMA = 2

_Data = Dict[str, Any]  # noqa: UP006
_HOME = "~/"
_PACKAGE_PLACES = ("directory", "prefix")
_SCHEMA_1_SIGN_IN = "workspace_auth"

LOCK_WAIT_SECONDS = 30.0


class Ledger:
    """One owner's ledger, in memory. :meth:`save` writes it."""

    def __init__(self, owner: Owner, data: _Data | None = None) -> None:
        """``data`` is what the file holds."""
        self.owner = owner
        self.directory = owner.state
        self.path = os.path.join(self.directory, "ledger.json")
        self.is_new = not data
        """There was no ledger file."""
        self._homes = [os.path.join(home, "") for home in (owner.home, os.path.realpath(owner.home))]
        told = _with_paths(data or {}, self._absolute)
        self.salt: str = told.get("salt") or os.urandom(16).hex()
        self.documents: dict[str, Entry] = told["documents"]
        self.pending: dict[str, dict[str, Any]] = told["pending"]
        self.directories: list[str] = told["directories"]
        self.packages: dict[str, dict[str, Any]] = told["packages"]

    @classmethod
    def load(cls, owner: Owner) -> Ledger:
        """Read the ledger; an owner without one gets an empty one. Raises OperatorError for one that cannot be trusted."""
        ledger = cls(owner)
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
            if type(data["schema"]) is not int or not 1 <= data["schema"] <= SCHEMA:
                raise OperatorError(
                    f"has schema {data['schema']!r}, this collection knows those up to {SCHEMA}",
                    ledger.path,
                    "Use the version of fmapi.coding_agents that wrote it, or a newer one",
                )
            if not _is_content(data):
                raise ValueError
        except (ValueError, KeyError, TypeError, RecursionError):
            raise OperatorError(
                "is not a ledger that this collection wrote (cut off or edited)", ledger.path, way_out
            ) from None
        return cls(owner, _of_schema_1(data) if data["schema"] == 1 else data)

    def spelled(self, path: str) -> str:
        """A path in the home as one that begins with the home's name: by symbolic links, a home can be reached by other names."""
        below = self._below_home(path)
        return path if below is None else self._homes[0] + below

    def _below_home(self, path: str) -> str | None:
        if not path.startswith(self._homes[0]):
            path = files.place(path, link=True)
        return next((path[len(home) :] for home in self._homes if path.startswith(home)), None)

    def _absolute(self, path: str) -> str:
        return self._homes[0] + path[len(_HOME) :] if path.startswith(_HOME) else self.spelled(path)

    def _stored(self, path: str) -> str:
        below = self._below_home(path)
        return path if below is None else _HOME + below

    @property
    def is_empty(self) -> bool:
        return not (self.documents or self.pending or self.packages)

    def settle(self) -> None:
        """Decide, after a run that was stopped, for each document whether the old or the new record holds."""
        for path, intent in self.pending.items():
            now = self._digest_now(path, intent["entry"] or self.documents.get(path))
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

    @staticmethod
    def _digest_now(path: str, entry: Entry | None) -> str | None:
        if entry is None or entry["format"] != LinkDocument.format:
            return digest(files.read(path).content)
        try:
            return digest(files.read_link(path).content)
        except files.NoLink:
            return ""

    def save(self) -> None:
        """Write the ledger, or take it away with the directories made for it when there is nothing left to remember."""
        files.remove_leftovers(self.path)
        if self.is_empty:
            files.remove(self.path)
            # Ours by its name: a run that was killed before its first ledger stood has recorded no directory.
            files.remove_empty_directories([self.directory, *self.directories])
            return
        made = files.make_directories(self.directory, self.owner)
        self.directories.extend(one for one in made if one not in self.directories)
        held = {
            "documents": self.documents,
            "pending": self.pending,
            "directories": self.directories,
            "packages": self.packages,
        }
        data = {
            "schema": SCHEMA,
            "collection_version": VERSION,
            "written_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "salt": self.salt,
            **_with_paths(held, self._stored),
        }
        content = (json.dumps(data, indent=1, sort_keys=True) + "\n").encode()
        files.replace(self.path, content, 0o600)


def _with_paths(data: _Data, spelled: Callable[[str], str]) -> _Data:
    """What a ledger holds, with each of its paths spelled otherwise."""

    def entry_with(entry: Entry | None) -> Entry | None:
        return {**entry, "backup": spelled(entry["backup"])} if entry and entry.get("backup") else entry

    def package_with(package: _Data) -> _Data:
        return {name: spelled(value) if name in _PACKAGE_PLACES else value for name, value in package.items()}

    return {
        **data,
        "documents": {spelled(path): entry_with(entry) for path, entry in data.get("documents", {}).items()},
        "pending": {
            spelled(path): {**intent, "entry": entry_with(intent["entry"])}
            for path, intent in data.get("pending", {}).items()
        },
        "directories": [spelled(path) for path in data.get("directories", ())],
        "packages": {agent: package_with(package) for agent, package in data.get("packages", {}).items()},
    }


def _of_schema_1(data: _Data) -> _Data:
    """A ledger of schema 1 as schema 2 would have written it. Where the home was then, the directory made for the ledger tells."""
    tail = os.path.join("/", *STATE_DIRECTORY)
    told = [path[: -len(tail)] for path in data["directories"] if path.endswith(tail)]
    homes = [os.path.join(one, "") for home in told for one in (home or "/", os.path.realpath(home or "/"))]

    def stored(path: str) -> str:
        return next((_HOME + path[len(home) :] for home in homes if path.startswith(home)), path)

    converted = _with_paths(data, stored)
    records = list(converted["documents"].items())
    records += [(path, intent["entry"]) for path, intent in converted["pending"].items() if intent["entry"]]
    for path, entry in records:
        entry["component"] = _component_of_schema_1(path, entry)
    return converted


def _component_of_schema_1(path: str, entry: Entry) -> str:
    """Schema 1 had the login item with the profile and the token helper, and the settings under each agent's name."""
    if entry["component"] != _SCHEMA_1_SIGN_IN:
        return "agent_settings"
    is_login_item = entry["format"] != "ini" and os.path.join("/", *DATA_DIRECTORY, "") not in path
    return "login_item" if is_login_item else "databricks_oauth"


def _is_content(data: _Data) -> bool:
    """Whether every part has the form in which :meth:`Ledger.save` writes it: what is read here is acted upon."""
    pending, packages = data["pending"], data["packages"]
    return (
        all(isinstance(data[name], dict) for name in ("documents", "pending", "packages"))
        and all(_is_entry(entry) for entry in data["documents"].values())
        and all(isinstance(intent, dict) and {"before", "after", "entry"} <= set(intent) for intent in pending.values())
        and all(intent["entry"] is None or _is_entry(intent["entry"]) for intent in pending.values())
        and all(isinstance(package, dict) for package in packages.values())
        and all(isinstance(package["version"], str) for package in packages.values())
        and all(any(name in package for name in _PACKAGE_PLACES) for package in packages.values())
        and all(isinstance(package.get(name, ""), str) for package in packages.values() for name in _PACKAGE_PLACES)
        and _is_list_of(data["directories"], str)
        and all(path.startswith(("/", _HOME)) for path in (*data["documents"], *pending, *data["directories"]))
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
        and isinstance(entry.get("backup") or "", str)
        and isinstance(entry.get("summary", ""), str)
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
def locked(owner: Owner) -> Iterator[None]:
    """Hold the owner's lock: one run at a time changes this owner's files.

    The lock is the home directory itself, so that it leaves no file behind and needs none to be made. The kernel lets go of it
    when its holder dies.
    """
    home = owner.home
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
