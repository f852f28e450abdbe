# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tools that come from the host's own package managers: which source is next, what was new with it, and its way back.

The ledger's ``packages`` has ``TOOL/MANAGER`` with all that is to be new before anything is installed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, Callable, NamedTuple

from ..agents.source_system import DATABRICKS_CLI, NODE, Offer, PackageManager
from ..agents.sources import Settings
from ..engine.ledger import Ledger
from ..engine.owner import Owner
from ..errors import OperatorError
from . import fetched
from .base import NOTHING, Done, Options

HOMEBREW, DISTRIBUTION, VENDOR = "homebrew", "distribution", "vendor"
_TITLES = {NODE: "Node.js", DATABRICKS_CLI: "Databricks CLI"}


class Choice(NamedTuple):
    """Where a tool comes from that the host does not have."""

    source: str
    """A word of ``coding_agents_toolchain_sources``; empty where none of those can bring it."""
    offer: Offer | None
    """Of a package manager."""
    passed_over: str
    """Which sources came before it and why they are not it, in brackets; empty where there were none."""


class Prepared(NamedTuple):
    """What a run has made before anything was written."""

    directories: list[str]
    packages: list[str]
    """Keys of the ledger: of what package managers have installed."""


def chosen(tool: str, fits: Callable[[str], bool], owner: Owner, options: Options) -> Choice:
    """The first of the operator's sources that can bring a version which will do. Reaches nobody, and writes nothing."""
    told: list[str] = []
    settings = fetched.settings(owner, options)
    for source in options.get("toolchain_sources") or ():
        if source == VENDOR:
            return Choice(source, None, _in_brackets(told))
        if source in (HOMEBREW, DISTRIBUTION):
            found = _offer(source, tool, fits, settings)
            if isinstance(found, Offer):
                return Choice(source, found, _in_brackets(told))
            told.append(f"not from {source}: {found}")
    return Choice("", None, _in_brackets(told))


def _offer(source: str, tool: str, fits: Callable[[str], bool], settings: Settings) -> Offer | str:
    """Or why there is none."""
    manager = _manager_of(source, settings)
    if isinstance(manager, str):
        return manager
    if tool not in manager.packages:
        return f"{manager.name} has no {_TITLES[tool]}"
    return manager.refusal(settings) or manager.offer(tool, fits, settings)


def said(offer: Offer, choice: Choice) -> str:
    """What is going to be done, as results tell it."""
    return f"{offer.title} installed with {offer.manager}{choice.passed_over}"


def install(tool: str, offer: Offer, owner: Owner, options: Options) -> str:
    """Returns the key of its record in the ledger. Raises OperatorError; what was new by then is removed again."""
    settings, manager = fetched.settings(owner, options), _known(offer.manager)
    new = manager.new(offer, settings)
    ledger = Ledger.load(owner)
    key = fetched.key(ledger, tool, offer.manager)
    record = {"version": offer.version, "prefix": manager.prefix, "manager": offer.manager, "names": new}
    ledger.packages[key] = record
    ledger.save()
    try:
        manager.install(offer, settings)
        there = manager.installed(settings)
        record["names"] = [one for one in new if one in there]
        ledger.save()
    except BaseException:
        with contextlib.suppress(OperatorError):  # what failed first is to be told; the ledger knows what stays
            take_back([key], owner, options)
        raise
    return key


def take_back(keys: Sequence[str], owner: Owner, options: Options) -> None:
    """Something has failed: what this run has installed goes."""
    for key in keys:
        ledger = Ledger.load(owner)
        if key in ledger.packages:
            _remove(ledger.packages[key], fetched.settings(owner, options))
            _forget(ledger, key)


def records(ledger: Ledger, tool: str) -> list[tuple[str, dict[str, Any]]]:
    return [
        (key, one) for key, one in sorted(ledger.packages.items()) if "manager" in one and fetched.name_of(key) == tool
    ]


def withdraw(tool: str, owner: Owner, options: Options, check: bool) -> Done:
    """Remove what we have installed, where the operator wants that, but for what something else needs by now.

    Unless it is to check only, the ledger must be locked.
    """
    changes, warnings, errors = [], [], []
    settings = fetched.settings(owner, options)
    for key, record in records(Ledger.load(owner), tool):
        title = f"{_TITLES[tool]} of {record['manager']}"
        try:
            if not options.get("uninstall_programs"):
                names = " ".join(_names(record))
                warnings.append(
                    f"{title}: stays ({names}). With coding_agents_uninstall_programs it would have been removed"
                )
            else:
                gone, kept = _removable(record, settings) if check else _remove(record, settings)
                changes += [f"{title}: removed ({' '.join(gone)})"] if gone else []
                warnings += [f"{title}: {name} stays, {who} needs it" for name, who in kept.items()]
            if not check:
                _forget(Ledger.load(owner), key)
        except OperatorError as error:
            errors.append(error.told)
    return Done(changes, warnings, tuple(errors)) if changes or warnings or errors else NOTHING


def _removable(record: dict[str, Any], settings: Settings) -> tuple[list[str], dict[str, str]]:
    manager = _known(record["manager"])
    refusal = manager.refusal(settings)
    if refusal:
        raise OperatorError(
            f"cannot be removed: {refusal}", f"what {record['manager']} has installed", "Mend that and run again"
        )
    return manager.removable(_names(record), settings)


def _remove(record: dict[str, Any], settings: Settings) -> tuple[list[str], dict[str, str]]:
    gone, kept = _removable(record, settings)
    if gone:
        _known(record["manager"]).remove(gone, settings)
    return gone, kept


def _names(record: dict[str, Any]) -> list[str]:
    names = record.get("names")
    return [one for one in names if isinstance(one, str)] if isinstance(names, list) else []


def _forget(ledger: Ledger, key: str) -> None:
    del ledger.packages[key]
    fetched.finish(ledger, ledger.directories)


def _in_brackets(told: list[str]) -> str:
    return f" ({'; '.join(told)})" if told else ""


def _manager_of(source: str, settings: Settings) -> PackageManager | str:
    """Or why there is none on this host."""
    from ..agents import source_distribution, source_homebrew  # who only looks need not pay for it

    return source_homebrew.HOMEBREW if source == HOMEBREW else source_distribution.of_this_host(settings)


def _known(name: str) -> PackageManager:
    from ..agents import source_distribution, source_homebrew

    managers = {**source_distribution.MANAGERS, source_homebrew.HOMEBREW.name: source_homebrew.HOMEBREW}
    if name not in managers:
        raise OperatorError(
            "is no package manager that this collection knows", name, "Use the version that wrote the ledger"
        )
    return managers[name]
