# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring all documents of one owner to the wanted state: all or none."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

from . import files
from .documents import FORMATS, WholeFile
from ..errors import OperatorError
from .ledger import Ledger, locked
from .ownership import (
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
    home: str,
    components: Sequence[str],
    wanted: Sequence[Wanted],
    check: bool,
    rebuild: Callable[[Ledger], None] | None = None,
) -> Outcome:
    """Bring the documents of ``components`` to what is ``wanted``; what we own there and is not wanted any more is taken back.

    ``wanted`` is in writing order: every prefix of it must work. With ``check``, nothing is written or locked. ``rebuild`` is
    called with a ledger that was not there, to fill it from what can still be known.
    Raises OperatorError before anything is changed, or, when a write fails, after what was written has been put back.
    """
    if check:
        ledger = _load(home, rebuild)
        pending = bool(ledger.pending)
        return Outcome(_plan_all(ledger, components, wanted)[0], pending)
    with locked(home):
        ledger = _load(home, rebuild)
        interrupted = list(ledger.pending)
        plans, found = _plan_all(ledger, components, wanted)
        outcome = Outcome(plans, bool(interrupted))
        recorded = ledger.documents
        if outcome.changed or any(one.entry != recorded[one.path] for one in plans if one.path in recorded):
            for path in interrupted:
                files.remove_leftovers(path)
            _apply(ledger, plans, found, wanted)
        elif ledger.is_empty:
            ledger.save()  # takes away the directory that a run leaves which is killed as it removes the ledger
        return outcome


def _load(home: str, rebuild: Callable[[Ledger], None] | None) -> Ledger:
    ledger = Ledger.load(home)
    if ledger.is_new and rebuild is not None:
        rebuild(ledger)
    return ledger


def _plan_all(
    ledger: Ledger, components: Sequence[str], wanted: Sequence[Wanted]
) -> tuple[list[Plan], dict[str, files.Found]]:
    ledger.settle()
    found: dict[str, files.Found] = {}
    plans = []
    for one in wanted:
        found[one.path] = files.read(one.path)
        plans.append(_plan_one(ledger, one.path, found[one.path], one))
    for path, entry in ledger.documents.items():
        if entry["component"] in components and path not in found:
            found[path] = files.read(path)
            plans.append(_plan_one(ledger, path, found[path], None))
    return plans, found


def _plan_one(ledger: Ledger, path: str, found: files.Found, wanted: Wanted | None) -> Plan:
    entry = ledger.documents.get(path)
    aside = entry.get("backup") if entry else None
    backup = files.read(aside).content if aside and wanted is None else None
    made = plan(path, *found, entry, wanted, ledger.salt, backup)
    if made.after is None and made.before is not None and os.path.islink(path):
        # The owner moved our file and linked to it: without its target the link would dangle, and the next rollout refuse it.
        made.after = FORMATS[made.format].blank()
    if made.changed and made.before is not None and made.format != WholeFile.format:
        files.check_replaceable(path)
    if made.changed:
        files.check_directory(path)
    return made


def _apply(ledger: Ledger, plans: list[Plan], found: dict[str, files.Found], wanted: Sequence[Wanted]) -> None:
    by_path = {one.path: one for one in wanted}
    changing = [one for one in plans if one.changed]
    begun: list[Plan] = []
    try:
        _save_intent(ledger, plans)
        for position, one in enumerate(changing):
            begun.append(one)
            files.remove_leftovers(one.path)
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
                    found[one.path] = files.read(one.path)
                    again = _plan_one(ledger, one.path, found[one.path], by_path.get(one.path))
                    plans[plans.index(one)] = changing[position] = begun[-1] = one = again
                    _save_intent(ledger, plans)
    except OperatorError as error:
        stays = _put_back(begun)
        if stays:
            # The journal on the host still says what was about to be done: the next run brings it to its end.
            raise OperatorError(
                f"{error}. What was already written stays ({stays}): the next run finishes it"
            ) from None
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
    _finish(ledger)


def _save_intent(ledger: Ledger, plans: list[Plan]) -> None:
    """Write down what is about to be done, and make the directories it needs (they are in the ledger first, too)."""
    ledger.pending = {
        one.path: {"before": digest(one.before), "after": digest(one.after), "entry": one.entry}
        for one in plans
        if one.changed
    }
    missing = []
    for one in plans:
        directory = os.path.dirname(os.path.realpath(one.path))
        while one.after is not None and not os.path.isdir(directory):
            if directory not in missing and directory not in ledger.directories:
                missing.append(directory)
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
    if one.after is None:
        files.remove(os.path.realpath(one.path), found)
    elif one.after == one.before and one.mode_after is not None:
        files.set_mode(one.path, one.mode_after)
    else:
        files.make_directories(os.path.dirname(os.path.realpath(one.path)), ledger.home)
        files.replace(one.path, one.after, one.mode_after if one.mode_after is not None else 0o600, found)


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
    if files.read(one.path) == files.Found(one.after, one.mode_after if one.after is not None else None):
        if one.before is None:
            files.remove(os.path.realpath(one.path))
        else:
            files.replace(one.path, one.before, one.mode_before if one.mode_before is not None else 0o600)
    # Otherwise it was not reached, or somebody has written since: theirs stays.
    if one.backup and one.entry is not None and files.read(one.path).content == one.before:
        files.remove(one.backup)


def _finish(ledger: Ledger) -> None:
    keep = {os.path.dirname(os.path.realpath(path)) for path in ledger.documents}
    files.remove_empty_directories(path for path in ledger.directories if path not in keep)
    ledger.directories = [path for path in ledger.directories if os.path.isdir(path)]
    ledger.save()
