# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring all documents of one owner to the wanted state: all or none."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..errors import OperatorError
from . import files
from .documents import FORMATS, LinkDocument, WholeFile
from .ledger import Ledger, locked
from .owner import Owner
from .ownership import (
    PRIVATE,
    Plan,
    Wanted,
    digest,
    plan,
)

_TRIES = 5
"""How often a file that another program keeps rewriting is merged again before we give up."""


class Outcome(NamedTuple):
    """What a transaction did, or in check mode would do."""

    plans: list[Plan]
    interrupted: bool
    """An earlier run was stopped half-way; this one finishes or undoes what it had begun."""

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
    Raises OperatorError before anything is changed, or, when a write fails, after what was written has been put back.
    """
    if check:
        ledger = _load(owner, rebuild)
        pending = bool(ledger.pending)
        return Outcome(_plan_all(ledger, components, wanted)[0], pending)
    with locked(owner):
        ledger = _load(owner, rebuild)
        records = {**ledger.documents, **{path: one["entry"] for path, one in ledger.pending.items() if one["entry"]}}
        interrupted = {path: path in records and _is_link(records[path]["format"]) for path in ledger.pending}
        plans, found = _plan_all(ledger, components, wanted)
        outcome = Outcome(plans, bool(interrupted))
        recorded = ledger.documents
        if outcome.changed or any(one.entry != recorded[one.path] for one in plans if one.path in recorded):
            for path, link in interrupted.items():
                files.remove_leftovers(path, link)
            _apply(ledger, plans, found, wanted)
        elif ledger.is_empty:
            ledger.save()  # takes away the directory that a run leaves which is killed as it removes the ledger
        return outcome


def _load(owner: Owner, rebuild: Callable[[Ledger], None] | None) -> Ledger:
    ledger = Ledger.load(owner)
    if rebuild is not None and not (ledger.documents or ledger.pending):
        rebuild(ledger)
    return ledger


def _plan_all(
    ledger: Ledger, components: Sequence[str], wanted: Sequence[Wanted]
) -> tuple[list[Plan], dict[str, files.Found]]:
    ledger.settle()
    found: dict[str, files.Found] = {}
    plans = []
    for one in wanted:
        path = ledger.spelled(one.path)
        found[path] = _read(path, one.format)
        plans.append(_plan_one(ledger, path, found[path], one))
    for path, entry in ledger.documents.items():
        if entry["component"] in components and path not in found:
            try:
                found[path] = _read(path, entry["format"])
                plans.append(_plan_one(ledger, path, found[path], None))
            except files.NoLink:
                plans.append(_left_to_its_owner(path, entry["component"]))
    return plans, found


def _plan_one(ledger: Ledger, path: str, found: files.Found, wanted: Wanted | None) -> Plan:
    entry = ledger.documents.get(path)
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
    if made.changed and made.before is not None and made.format not in (WholeFile.format, LinkDocument.format):
        files.check_replaceable(path)
    if made.changed:
        files.check_directory(path, made.is_link)
    return made


def _left_to_its_owner(path: str, component: str) -> Plan:
    made = Plan(path, component, LinkDocument.format, None, None, None)
    made.notes.append("is no symbolic link any more: left as it is")
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


def _apply(ledger: Ledger, plans: list[Plan], found: dict[str, files.Found], wanted: Sequence[Wanted]) -> None:
    by_path = {ledger.spelled(one.path): one for one in wanted}
    changing = [one for one in plans if one.changed]
    begun: list[Plan] = []
    try:
        _save_intent(ledger, plans)
        for position, one in enumerate(changing):
            begun.append(one)
            files.remove_leftovers(one.path, one.is_link)
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
                    again = _plan_one(ledger, one.path, found[one.path], by_path.get(one.path))
                    plans[plans.index(one)] = changing[position] = begun[-1] = one = again
                    _save_intent(ledger, plans)
    except OperatorError as error:
        stays = _put_back(begun)
        if stays:
            # The journal on the host still says what was about to be done: the next run brings it to its end.
            said = f"{error.what}. What was already written stays ({stays}): the next run finishes it"
            raise OperatorError(said, error.where, error.way_out) from None
        ledger.pending = {}
        with contextlib.suppress(OperatorError):  # a journal that stays behind is settled by the next run
            _finish(ledger)
        raise
    for one in plans:
        if one.entry is None:
            ledger.documents.pop(one.path, None)
        else:
            ledger.documents[one.path] = one.entry
    ledger.pending = {}
    try:
        _finish(ledger)
    except OperatorError as error:
        if not changing:
            raise
        # The journal stands since before the first write: with it, the next run finds out that all was done.
        said = f"{error.what}. The files are changed as wanted, and the next run records that"
        raise OperatorError(said, error.where, error.way_out) from None


def _save_intent(ledger: Ledger, plans: list[Plan]) -> None:
    """Write down what is about to be done, and make the directories it needs (they are in the ledger first, too)."""
    ledger.pending = {
        one.path: {"before": digest(one.before), "after": digest(one.after), "entry": one.entry}
        for one in plans
        if one.changed
    }
    missing: list[str] = []
    for one in plans:
        directory = os.path.dirname(files.place(one.path, one.is_link))
        while one.after is not None and not os.path.isdir(directory):
            if ledger.spelled(directory) not in (*missing, *ledger.directories):
                missing.append(ledger.spelled(directory))
            directory = os.path.dirname(directory)
    ledger.directories.extend(missing)
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
    except files.NoLink:
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
    files.remove_empty_directories(path for path in ledger.directories if path not in keep)
    ledger.directories = [path for path in ledger.directories if os.path.isdir(path)]
    ledger.save()
