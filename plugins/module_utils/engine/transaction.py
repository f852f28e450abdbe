# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring all documents of one owner to the wanted state: all or none."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..errors import OperatorError
from . import files, obstacles
from .documents import FORMATS, LibraryNeeded, LinkDocument, WholeFile
from .ledger import Ledger
from .ledger_lock import locked
from .owner import Owner
from .ownership import PRIVATE, Plan, Wanted, plan
from .past import Entry, digest, holds_ours

_TRIES = 5
"""How often a file that another program keeps rewriting is merged again before we give up."""


class Unfinished(OperatorError):
    """A run failed, and not all that it had written could be put back."""


class Outcome(NamedTuple):
    """What a transaction did, or in check mode would do."""

    plans: list[Plan]
    interrupted: bool
    """An earlier run was stopped half-way; this one finishes or undoes what it had begun."""
    left: tuple[str, ...] = ()
    """Of a way back: what is still ours and cannot be reached now, and why. The ledger keeps it for the next one."""

    @property
    def changed(self) -> bool:
        return self.interrupted or any(one.changed for one in self.plans)

    @property
    def notes(self) -> list[str]:
        return [f"{one.path}: {note}" for one in self.plans for note in one.notes]

    @property
    def changes(self) -> list[str]:
        changes = [f"{one.path}: {change}" for one in self.plans for change in one.changes]
        return [*changes, "a run that was interrupted is brought to its end"] if self.interrupted else changes


def bring(
    owner: Owner,
    components: Sequence[str],
    wanted: Sequence[Wanted],
    check: bool,
    rebuild: Callable[[Ledger], None] | None = None,
) -> Outcome:
    """Bring the documents of ``components`` to what is ``wanted``; what we own there and is not wanted any more is taken back.

    One call brings the documents of all parts that a run has for an owner: they are written together or not at all. ``wanted`` is
    in writing order: every prefix of it must work. With ``check``, nothing is written or locked. ``rebuild`` is called with a
    ledger that was not there, to fill it from what can still be known.

    A way back (nothing is wanted) goes as far as it can: what is on storage that is away stays in the ledger, and is told. Raises
    OperatorError before anything is changed, or, when a write fails, after what was written has been put back; Unfinished where
    that could not be.
    """
    if check:
        return _Survey(_load(owner, rebuild), components, wanted).outcome
    with locked(owner):
        ledger = _load(owner, rebuild)
        survey = _Survey(ledger, components, wanted)
        outcome = survey.outcome
        _remove_leftovers(ledger, outcome.plans)
        recorded = ledger.documents
        records_differ = any(one.entry != recorded[one.path] for one in outcome.plans if one.path in recorded)
        if outcome.changed or records_differ or survey.remembers_more:
            _apply(ledger, survey)
        elif ledger.is_empty:
            ledger.save()  # takes away the directory that a run leaves which is killed as it removes the ledger
        return outcome


def _load(owner: Owner, rebuild: Callable[[Ledger], None] | None) -> Ledger:
    ledger = Ledger.load(owner)
    if rebuild is not None and not (ledger.documents or ledger.pending or ledger.former):
        rebuild(ledger)
    return ledger


class _Survey:
    """All documents of a run as they stand, and what is to become of each. Reads files only."""

    def __init__(self, ledger: Ledger, components: Sequence[str], wanted: Sequence[Wanted]) -> None:
        self.ledger = ledger
        self.wanted = {ledger.spelled(one.path): one for one in wanted}
        self.plans: list[Plan] = []
        self.found: dict[str, files.Found] = {}
        self.left: list[files.Away] = []
        self.remembers_more = False
        """An owner has other values than before, where ours could come back."""
        self._way_back = not wanted
        self._places: dict[str, files.Found] = {}
        """What will stand where a document is to change: another may be the same file, by a link."""
        interrupted = bool(ledger.settle()) or bool(ledger.leftovers)
        for path, one in self.wanted.items():
            self._add(path, one.format, one)
        self._take_back(components)
        for path, entry in list(ledger.former.items()):
            if entry["component"] in components and path not in self.found:
                self._clear(path, entry)
        if self._way_back:
            self.left += [one for one in map(ledger.away, ledger.away_directories()) if one is not None]
        self.outcome = Outcome(self.plans, interrupted, tuple(_told(self.left)))
        if self.outcome.changed:
            _check_ledger(ledger)

    def _take_back(self, components: Sequence[str]) -> None:
        """What is not wanted any more. Of documents that are one file, that which was written last comes first."""
        records = {**{path: one["entry"] for path, one in self.ledger.pending.items()}, **self.ledger.documents}
        ahead = {
            path: entry
            for path, entry in records.items()
            if entry and entry["component"] in components and path not in self.found
        }
        places = {path: files.place(path, _is_link(entry["format"])) for path, entry in ahead.items()}
        while ahead:
            path = self._last_written(ahead, places)
            entry = ahead.pop(path)
            try:
                if path in self.ledger.pending:  # has not been settled, for that reason
                    raise self.ledger.away(path, _is_link(entry["format"])) or files.Away("cannot be reached", path)
                self._add(path, entry["format"], None)
            except files.SomethingElse:
                self.plans.append(_left_to_its_owner(path, entry))
            except files.Away as error:
                if not self._way_back:
                    raise
                self.left.append(error)

    def _last_written(self, ahead: dict[str, Entry], places: dict[str, str]) -> str:
        first = next(iter(ahead))
        same = [path for path in ahead if places[path] == places[first]]
        if len(same) > 1:
            with contextlib.suppress(OperatorError):
                now = digest(self._read(first, ahead[first]["format"]).content)
                return next((path for path in same if ahead[path]["after"] == now), first)
        return first

    def _clear(self, path: str, entry: Entry) -> None:
        """Take out what is back of a document that nothing is ours in any more. It is its owner's, whatever they made of it."""
        with contextlib.suppress(OperatorError):
            found = self._read(path, entry["format"])
            made = _plan_one(self.ledger, path, found, None)
            if made.changed:
                self._enter(path, found, made)
            elif made.former != entry:
                self.ledger.remember(path, made.former)
                self.remembers_more = True

    def _add(self, path: str, kind: str, wanted: Wanted | None) -> None:
        found = self._read(path, kind)
        away = self.ledger.away(path, _is_link(kind)) if found.content is None or self.ledger.mounts else None
        if away is not None and found.content is None:
            raise away
        made = _plan_one(self.ledger, path, found, wanted)
        entry = self.ledger.record(path)
        if away is not None and wanted is None and entry and not holds_ours(found.content, entry, self.ledger.salt):
            raise away  # it is another, made while the storage was away
        if away is not None:
            self.ledger.accept(path, _is_link(kind))
        self._enter(path, found, made)

    def _enter(self, path: str, found: files.Found, made: Plan) -> None:
        self.found[path] = found
        self.plans.append(made)
        if made.changed:
            will_be = files.Found(made.after, made.mode_after if made.after is not None else None)
            self._places[files.place(path, made.is_link)] = will_be

    def _read(self, path: str, kind: str) -> files.Found:
        found = _read(path, kind)
        return self._places.get(files.place(path, _is_link(kind)), found) if self._places else found


def _told(left: list[files.Away]) -> list[str]:
    return list(dict.fromkeys(one.told for one in left))


def _check_ledger(ledger: Ledger) -> None:
    """Raise OperatorError where the ledger cannot be written, or nobody else be kept out."""
    obstacles.check_change(ledger.path)
    if not os.access(ledger.owner.home, os.R_OK):
        raise OperatorError("cannot be opened", ledger.owner.home, "Give its owner leave to read it (chmod u+r)")


def _plan_one(ledger: Ledger, path: str, found: files.Found, wanted: Wanted | None) -> Plan:
    entry = ledger.record(path)
    if entry and wanted and _is_link(entry["format"]) != _is_link(wanted.format):
        raise OperatorError(
            f"is a {entry['format']} of ours, and is to be a {wanted.format}",
            path,
            "Uninstall first, then roll out again",
        )
    aside = entry.get("backup") if entry else None
    backup = files.read(aside).content if aside and wanted is None else None
    made = plan(path, *found, entry, wanted, ledger.salt, backup)
    if made.after is None and made.before is not None and not made.is_link and os.path.islink(path):
        # The owner moved our file and linked to it: without its target the link would dangle, and the next rollout refuse it.
        made.after = FORMATS[made.format].blank()
    if made.changed:
        _check_change(ledger, made)
    return made


def _check_change(ledger: Ledger, made: Plan) -> None:
    """Raise OperatorError for what a write would fail at, as far as it can be known."""
    if made.before is not None and made.format not in (WholeFile.format, LinkDocument.format):
        obstacles.check_replaceable(made.path, ledger.owner.home)
    mode_only = made.after is not None and made.after == made.before
    obstacles.check_change(made.path, made.is_link, removed=made.after is None, mode_only=mode_only)
    if made.backup:
        obstacles.check_change(made.backup, removed=made.entry is None)
    others = obstacles.other_names(made.path) if made.before is not None and not made.is_link and not mode_only else 0
    if others:
        made.notes.append(f"had {others + 1} names (hard links): the others keep what it held")


def _left_to_its_owner(path: str, entry: Entry) -> Plan:
    made = Plan(path, entry["component"], entry["format"], None, None, None)
    kind = "symbolic link" if made.is_link else "regular file"
    made.notes.append(f"is no {kind} any more: left as it is")
    return made


def _is_link(kind: str) -> bool:
    return kind == LinkDocument.format


def _read(path: str, kind: str) -> files.Found:
    return files.read_link(path) if _is_link(kind) else files.read(path)


def _replace(one: Plan, content: bytes, mode: int | None, expected: files.Found | None = None) -> None:
    if one.is_link:
        files.replace_link(one.path, os.fsdecode(content), expected)
    else:
        files.replace(one.path, content, PRIVATE if mode is None else mode, expected)


def _remove_leftovers(ledger: Ledger, plans: list[Plan]) -> None:
    """What killed runs have left beside any document, the one that they had been at or another: former values are in it."""
    records = {**ledger.former, **ledger.documents}
    kinds = {path: entry["format"] for path, entry in records.items()}
    kinds.update((one.path, one.format) for one in plans)
    kinds.update((one["backup"], WholeFile.format) for one in records.values() if one.get("backup"))
    kinds.update((one.backup, WholeFile.format) for one in plans if one.backup)
    for path, kind in kinds.items():
        files.remove_leftovers(path, _is_link(kind))


def _apply(ledger: Ledger, survey: _Survey) -> None:
    plans, found = survey.plans, survey.found
    changing = [one for one in plans if one.changed]
    undecided = ledger.pending
    begun: list[Plan] = []
    try:
        _save_intent(ledger, plans, undecided)
        for position, one in enumerate(changing):
            begun.append(one)
            for attempt in range(_TRIES):
                try:
                    _write(ledger, one, found[one.path])
                    break
                except files.ChangedMeanwhile:
                    if attempt == _TRIES - 1:
                        raise OperatorError(
                            f"is being rewritten by another program; gave up after {_TRIES} tries",
                            one.path,
                            "Close the agent that uses it and run again",
                        ) from None
                    found[one.path] = _read(one.path, one.format)
                    again = _plan_one(ledger, one.path, found[one.path], survey.wanted.get(one.path))
                    plans[plans.index(one)] = changing[position] = begun[-1] = one = again
                    _save_intent(ledger, plans, undecided)
    except (OperatorError, LibraryNeeded) as problem:
        stays = _put_back(begun)
        if stays:
            # The journal on the host still says what was about to be done: the next run brings it to its end.
            error = problem if isinstance(problem, OperatorError) else OperatorError("a file was changed meanwhile")
            said = f"{error.what}. What was already written stays ({stays}): the next run finishes it"
            raise Unfinished(said, error.where, error.way_out) from None
        ledger.pending = undecided
        with contextlib.suppress(OperatorError):  # a journal that stays behind is settled by the next run
            _finish(ledger)
        raise
    for one in plans:
        ledger.set(one.path, one.entry, one.former)
    ledger.pending = undecided
    try:
        _finish(ledger)
    except OperatorError as error:
        if not changing:
            raise
        # The journal stands since before the first write: with it, the next run finds out that all was done.
        said = f"{error.what}. The files are changed as wanted, and the next run records that"
        raise Unfinished(said, error.where, error.way_out) from None


def _save_intent(ledger: Ledger, plans: list[Plan], undecided: dict[str, Any]) -> None:
    """Write down what is about to be done, and make the directories it needs (they are in the ledger first, too)."""
    intents = {
        one.path: {"before": digest(one.before), "after": digest(one.after), "entry": one.entry}
        for one in plans
        if one.changed
    }
    ledger.pending = {**undecided, **intents}
    for one in plans:
        if one.after is not None:
            ledger.record_directories(os.path.dirname(files.place(one.path, one.is_link)))
    if any(one.entry is not None for one in plans):
        # What runs on the host later makes this one where it is missing.
        ledger.record_directories(ledger.owner.cache)
    ledger.save()


def _write(ledger: Ledger, one: Plan, found: files.Found) -> None:
    if one.backup and one.entry is not None and one.before is not None:
        files.replace(one.backup, one.before, 0o600)
    _write_document(ledger, one, found)
    if one.backup and one.entry is None:
        files.remove(one.backup)


def _write_document(ledger: Ledger, one: Plan, found: files.Found) -> None:
    where = files.place(one.path, one.is_link)
    if one.after is None:
        files.remove(where, found, one.is_link)
    elif one.after == one.before and one.mode_after is not None:
        files.set_mode(one.path, one.mode_after)
    else:
        files.make_directories(os.path.dirname(where), ledger.owner)
        _replace(one, one.after, one.mode_after, found)


def _put_back(begun: list[Plan]) -> str:
    """A write failed: put back what this run had written, newest first; says of what could not be, or nothing.

    The document whose write failed is among them: it may have been replaced before the error came.
    """
    stays = []
    for one in reversed(begun):
        try:
            _put_back_one(one)
        except OperatorError as error:
            stays.append(str(error))
    return "; ".join(stays)


def _put_back_one(one: Plan) -> None:
    if one.backup and one.before is not None and one.entry is None and one.after is not None:
        files.replace(one.backup, one.after, 0o600)  # was given back and removed: aside again
    try:
        now = _read(one.path, one.format)
    except files.SomethingElse:
        return
    if now == files.Found(one.after, one.mode_after if one.after is not None else None):
        if one.before is None:
            files.remove(files.place(one.path, one.is_link), link=one.is_link)
        else:
            _replace(one, one.before, one.mode_before)
    # Otherwise it was not reached, or somebody has written since: theirs stays.
    if one.backup and one.entry is not None and files.read(one.path).content == one.before:
        files.remove(one.backup)


def _finish(ledger: Ledger) -> None:
    keep = {
        ledger.spelled(os.path.dirname(files.place(path, _is_link(entry["format"]))))
        for path, entry in ledger.documents.items()
    }
    ledger.remove_directories(path for path in ledger.directories if path not in keep)
    ledger.save()
