# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger: on the host, per owner, what we wrote and what stood there before. It is the journal too.

``~/.local/state/fmapi-coding-agents/ledger.json``, 0600 in a directory 0700 (of the machine
``/var/lib/fmapi-coding-agents/ledger.json``)::

    {"schema": 2, "collection_version": ..., "written_at": UTC, "salt": hex, "documents": {path: entry},
     "pending": {path: {"before": digest or null, "after": digest or null, "entry": entry or null}},
     "directories": [path, ...], "packages": {agent: {"version": ..., "directory": path}},
     "former": {path: entry}, "mounts": [path, ...]}

``documents`` is what holds; ``pending`` is what a run is about to write, put down before the first byte of any document changes.
A run that was killed leaves ``pending`` behind, and :meth:`Ledger.settle` finds out from the documents' digests how far it came.
``former`` tells of documents in which nothing is ours any more what had been: an editor may still bring it back. ``mounts`` are
the places below which something of ours stands on storage of its own, which may be away one day. Both are left out when empty.

While the directories for the ledger are made, and while they go, it stands beside the outermost of them (:data:`EARLY_NAME`): so a
run that is killed leaves no directory that nobody knows of.

A path in the home is written as ``~/...``: a home that was moved or copied takes its ledger along, which then tells of the files in
it and never of those in the other. In memory each path is absolute.

Schema 1 wrote absolute paths, called components otherwise, and knew packages that npm had installed globally (``prefix``,
``previous`` and ``version``), which stay as they are. It is read, and written as schema 2.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any, Iterable  # noqa: UP035

from .. import careful
from ..errors import OperatorError
from ..places import LEDGER_NAME, STATE_DIRECTORY
from ..version import VERSION
from . import files
from .documents import LinkDocument
from .ledger_schema import HOME, PACKAGE_PLACES, Data, is_content, of_schema_1, with_paths
from .owner import Owner
from .past import Entry, digest, former_of, remembering

SCHEMA = 2
EARLY_NAME = ".fmapi-coding-agents-ledger.json"

_LEFT_OUT_WHEN_EMPTY = ("former", "mounts")
_FORMER_DOCUMENTS = 64


class Ledger:
    """One owner's ledger, in memory. :meth:`save` writes it."""

    _sound = b""
    """What was judged last: the parts of a run read the same ledger again and again."""

    def __init__(self, owner: Owner, data: Data | None = None) -> None:
        """``data`` is what the file holds."""
        self.owner = owner
        self.directory = owner.state
        self.path = os.path.join(self.directory, LEDGER_NAME)
        self.is_new = not data
        """There was no ledger file."""
        self._homes = [os.path.join(home, "") for home in (owner.home, os.path.realpath(owner.home))]
        told = with_paths(data or {}, self._absolute)
        self.salt: str = told.get("salt") or os.urandom(16).hex()
        self.documents: dict[str, Entry] = told["documents"]
        self.pending: dict[str, dict[str, Any]] = told["pending"]
        self.directories: list[str] = told["directories"]
        self.packages: dict[str, dict[str, Any]] = told["packages"]
        self.former: dict[str, Entry] = told["former"]
        self.mounts: list[str] = told["mounts"]
        self.leftovers: list[str] = []
        """What a run that was killed has left of the ledger itself: former values are in it."""

    @classmethod
    def load(cls, owner: Owner) -> Ledger:
        """Read the ledger; an owner without one gets an empty one. Raises OperatorError for one that cannot be trusted."""
        path = cls(owner).path
        early = [one for one in _early_paths(owner) if os.path.lexists(one)]
        found = files.read(path)
        leftovers = [*files.leftovers(path), *(early if found.content is not None else ())]
        if found.content is None:
            leftovers += [left for one in _early_paths(owner) for left in files.leftovers(one)]
            if early:
                path, found = early[0], files.read(early[0])
        if found.content is not None:
            _require_ours(owner, path)
        ledger = cls(owner) if found.content is None else cls._read(owner, path, found.content)
        ledger.leftovers = leftovers
        return ledger

    @classmethod
    def _read(cls, owner: Owner, path: str, content: bytes) -> Ledger:
        way_out = (
            "Put the ledger back from a backup, or move it away: then the next rollout starts a new one, and what an "
            "earlier one replaced is not given back by itself"
        )
        try:
            data = json.loads(content)
            if not isinstance(data, dict) or not isinstance(data["salt"], str):
                raise ValueError
            if (
                isinstance(data["schema"], bool)
                or not isinstance(data["schema"], int)
                or not 1 <= data["schema"] <= SCHEMA
            ):
                raise OperatorError(
                    f"has schema {data['schema']!r}, this collection knows those up to {SCHEMA}",
                    path,
                    "Use the version of fmapi.coding_agents that wrote it, or a newer one",
                )
            if content != cls._sound and not is_content(data):
                raise ValueError
            cls._sound = content
        except (ValueError, KeyError, TypeError, RecursionError):
            raise OperatorError(
                "is not a ledger that this collection wrote (cut off or edited)", path, way_out
            ) from None
        return cls(owner, of_schema_1(data) if data["schema"] == 1 else data)

    def spelled(self, path: str) -> str:
        """A path in the home as one that begins with the home's name: by symbolic links, a home can be reached by other names."""
        below = self._below_home(path)
        return path if below is None else self._homes[0] + below

    def _below_home(self, path: str) -> str | None:
        if not path.startswith(self._homes[0]):
            path = files.place(path, link=True)
        return next((path[len(home) :] for home in self._homes if path.startswith(home)), None)

    def _absolute(self, path: str) -> str:
        return self._homes[0] + path[len(HOME) :] if path.startswith(HOME) else self.spelled(path)

    def _stored(self, path: str) -> str:
        below = self._below_home(path)
        return path if below is None else HOME + below

    @property
    def is_empty(self) -> bool:
        """Nothing is left to remember; directories alone are no reason, unless they cannot be reached now."""
        return not (self.documents or self.pending or self.packages or self.away_directories())

    def away_directories(self) -> list[str]:
        """Those of ours that may be there, and cannot be reached now."""
        return [path for path in self.directories if not os.path.isdir(path) and self.away(path) is not None]

    def away(self, path: str, link: bool = False) -> files.Away | None:
        """Why what is ours at a path, and is not found there, may still be somewhere; None where it is gone."""
        try:
            files.check_reachable(os.path.dirname(path) if link else path, path)
        except files.Away as error:
            return error
        where = files.place(path, link)
        for mount in self.mounts:
            place = files.place(mount)
            if _is_at_or_below(where, place) and not files.is_mounted(place):
                way_out = "Mount it and run again. If it will not come back, put a file in the place of this one ({} in JSON) first"
                return files.Away(f"is on what was mounted at {mount}, and nothing is mounted there now", path, way_out)
        return None

    def accept(self, path: str, link: bool = False) -> None:
        """A document is there although what it was on is not mounted: that storage is not asked for any more."""
        where = files.place(path, link)
        self.mounts = [
            one
            for one in self.mounts
            if not _is_at_or_below(where, files.place(one)) or files.is_mounted(files.place(one))
        ]

    def record(self, path: str) -> Entry | None:
        """What is known of a document: of what is ours in it, or else of what was."""
        return self.documents.get(path) or self.former.get(path)

    def set(self, path: str, entry: Entry | None, former: Entry | None = None) -> None:
        """What holds of a document from now on; None where nothing is ours in it any more, and what is remembered of it then."""
        if entry is not None:
            self.documents[path] = entry
            self.former.pop(path, None)
        else:
            old = self.documents.pop(path, None)
            self.remember(path, former or (former_of(old) if old else None))

    def remember(self, path: str, former: Entry | None) -> None:
        """Of a document in which nothing is ours any more: what could come back, and what its owner has there."""
        if former is not None:
            self.former = {**{one: kept for one, kept in self.former.items() if one != path}, path: former}
            self.former = dict(list(self.former.items())[-_FORMER_DOCUMENTS:])

    def settle(self) -> list[str]:
        """Decide, after a run that was stopped, for each document whether the old or the new record holds; returns their paths.

        What cannot be reached now stays undecided.
        """
        undecided: dict[str, dict[str, Any]] = {}
        for path, intent in self.pending.items():
            old, new = self.documents.get(path), intent["entry"]
            try:
                now = self._digest_now(path, new or old)
            except files.Away:
                undecided[path] = intent
                continue
            if now == intent["after"] or (now != intent["before"] and new is not None):
                self.set(path, new)  # or somebody edited it since: the newer record, key by key
            elif old is not None:
                self.documents[path] = remembering(old, new)
            else:
                self.remember(path, former_of(new) if new else None)
        decided = [path for path in self.pending if path not in undecided]
        self.pending = undecided
        return decided

    def _digest_now(self, path: str, entry: Entry | None) -> str | None:
        """Raises Away."""
        link = entry is not None and entry["format"] == LinkDocument.format
        try:
            found = digest(files.read_link(path).content if link else files.read(path).content)
        except files.SomethingElse:
            return ""
        away = self.away(path, link) if found is None else None
        if away is not None:
            raise away
        return found

    def record_directories(self, directory: str) -> None:
        """Enter those that have to be made for a directory, before they are: outermost first."""
        missing: list[str] = []
        while not os.path.isdir(directory) and directory != os.path.dirname(directory):
            missing.insert(0, self.spelled(directory))
            directory = os.path.dirname(directory)
        self.directories.extend(one for one in missing if one not in self.directories)

    def make_directories(self, directory: str) -> None:
        """Make a directory, and what is missing above it, known to the ledger before they are there."""
        if os.path.isdir(directory):
            return
        known = len(self.directories)
        self.record_directories(directory)
        if len(self.directories) > known:
            self.save()
        files.make_directories(directory, self.owner)

    def remove_directories(self, directories: Iterable[str]) -> None:
        """Remove those that are empty by now, and forget those that are gone for good."""
        files.remove_empty_directories(directories)
        needed = [self._place(path, self._entry_of(path)) for path in (*self.documents, *self.pending)]
        needed += [one[name] for one in self.packages.values() for name in PACKAGE_PLACES if name in one]
        needed += [self.owner.data, self.owner.cache, self.directory]
        spelled = [self.spelled(one) for one in needed]
        self.directories = [
            path
            for path in self.directories
            if os.path.isdir(path) or any(_is_at_or_below(one, path) for one in spelled) or self.away(path) is not None
        ]

    def save(self) -> None:
        """Write the ledger, or take it away with the directories made for it when there is nothing left to remember."""
        files.remove_leftovers(self.path)
        for leftover in self.leftovers:
            if leftover not in _early_paths(self.owner):
                files.discard(leftover)
        if self.is_empty:
            self._end()
            return
        self.record_directories(self.directory)
        self.mounts = self._mounts_now()
        held = {
            "documents": self.documents,
            "pending": self.pending,
            "directories": self.directories,
            "packages": self.packages,
            "former": self.former,
            "mounts": self.mounts,
        }
        spelled = with_paths(held, self._stored)
        data = {
            "schema": SCHEMA,
            "collection_version": VERSION,
            "written_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "salt": self.salt,
            **{name: value for name, value in spelled.items() if value or name not in _LEFT_OUT_WHEN_EMPTY},
        }
        content = (json.dumps(data, indent=1, sort_keys=True) + "\n").encode()
        early = "" if os.path.isdir(self.directory) else self._early_path()
        if early:
            files.replace(early, content, 0o600)
        try:
            files.make_directories(self.directory, self.owner)
            files.replace(self.path, content, 0o600)
        except OperatorError:
            if early:
                files.discard(early)
            raise
        for one in _early_paths(self.owner):
            files.discard(one)
        self.leftovers = []

    def _end(self) -> None:
        """Remove the ledger with all that was made for it, and for what it told of; the record of the directories goes last."""
        chain, above = [self.directory], os.path.dirname(self.directory)
        while self.spelled(above) in self.directories:
            chain.append(above)
            above = os.path.dirname(above)
        own = (self.owner.data, self.owner.cache)
        files.remove_empty_directories(
            one for one in {*self.directories, *own} if one not in [self.spelled(link) for link in chain]
        )
        early = os.path.join(above, EARLY_NAME)
        for one in (*_early_paths(self.owner), self.path):
            if one != early and os.path.lexists(one):
                try:
                    os.rename(one, early)
                except OSError:  # nothing is lost but the record of the directories, should we be killed here
                    files.remove(one)
        # Ours by its name: an older version recorded no directory before its first ledger stood.
        files.remove_empty_directories([*chain, *self.directories, *own])
        for one in _early_paths(self.owner):
            files.remove(one)
        self.leftovers = []

    def _early_path(self) -> str:
        """Where the ledger stands until the directory for it is made."""
        above = os.path.dirname(self.directory)
        while not os.path.isdir(above):
            above = os.path.dirname(above)
        return os.path.join(above, EARLY_NAME)

    def _entry_of(self, path: str) -> Entry | None:
        found: Entry | None = self.pending.get(path, {}).get("entry") or self.documents.get(path)
        return found

    @staticmethod
    def _place(path: str, entry: Entry | None) -> str:
        return files.place(path, entry is not None and entry["format"] == LinkDocument.format)

    def _mounts_now(self) -> list[str]:
        """Where the storage of what is ours is mounted, if that is not the home's own; what is away now stays known."""
        points = files.mount_points()
        home = os.path.realpath(self.owner.home)
        places = [self._place(path, self._entry_of(path)) for path in (*self.documents, *self.pending)]
        places += [os.path.realpath(one) for one in self.directories]
        places += [
            os.path.realpath(one[name]) for one in self.packages.values() for name in PACKAGE_PLACES if name in one
        ]
        found = {files.mount_point(one, points) for one in set(places)}
        away = [one for one in map(files.place, self.mounts) if not files.is_mounted(one)]
        found.update(one for one in away if any(_is_at_or_below(place, one) for place in places))
        return sorted(self.spelled(one) for one in found if not _is_at_or_below(home, one))


def _early_paths(owner: Owner) -> list[str]:
    """Where the ledger may stand while the directories for it are made or go."""
    if owner.is_machine:
        above = os.path.dirname(owner.state)
        return [os.path.join(one, EARLY_NAME) for one in (os.path.dirname(above), above)]
    return [os.path.join(owner.home, *STATE_DIRECTORY[:depth], EARLY_NAME) for depth in range(len(STATE_DIRECTORY))]


def _is_at_or_below(path: str, directory: str) -> bool:
    return path == directory or path.startswith(os.path.join(directory, ""))


def _require_ours(owner: Owner, path: str) -> None:
    """Raises OperatorError for a ledger that somebody else may have written: what it says is done with its owner's rights."""
    for one in (os.path.dirname(path), path):
        if careful.is_of_others(one, owner.uid):
            raise OperatorError(
                f"is not to be trusted: {careful.told(one, owner.uid)}",
                path,
                f"See that what it says is yours, or move it away. Then run: {careful.way_out(one, owner.uid)}",
            )
