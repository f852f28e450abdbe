# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directories of programs that we fetched: ``PREFIX/lib/fmapi-coding-agents/NAME/VERSION``.

The ledger's ``packages`` has each before anything is written into it, so a run that is killed leaves nothing that nobody knows of.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from typing import Any, Callable

from ..agents import source_system
from ..agents.sources import Settings
from ..engine import files
from ..engine.documents.libraries import module as library
from ..engine.ledger import Ledger
from ..engine.owner import Owner
from .base import Options
from .context import brought_ca

TREE = ("lib", "fmapi-coding-agents")
NODE, DATABRICKS_CLI = source_system.NODE, source_system.DATABRICKS_CLI
"""Whose directories of ours, beside those of agents, and whose records these are."""


def settings(owner: Owner, options: Options) -> Settings:
    """What fetching depends on. Raises OperatorError for certificates that cannot be read."""
    certificates = brought_ca(options) if options.get("ca_file") else None
    if options.get("ca_file") and certificates is None:
        certificates = (files.read(options["ca_file"]).content or b"").decode("utf-8", "replace")
    return Settings(
        owner.home,
        dict(os.environ),
        npm_registry=options.get("npm_registry") or None,
        pip_index=options.get("pip_index") or None,
        proxy=options.get("proxy") or None,
        no_proxy=options.get("no_proxy") or None,
        certificates=certificates or None,
        mirror=options.get("mirror") or None,
        for_all_users=owner.is_machine,
    )


def locks() -> Mapping[str, Any]:
    """By package and version: what a known version consists of, with its digests. Raises LibraryNeeded."""
    found: Mapping[str, Any] = library("locks").LOCKS
    return found


def may_fetch_tools(options: Options) -> bool:
    """Whether the operator names a source from which we may bring what agents need."""
    return any(one != "already_present" for one in options.get("toolchain_sources") or ())


def record(version: str, directory: str, complete: bool) -> dict[str, Any]:
    return {"version": version, "directory": directory, "complete": complete}


def key(ledger: Ledger, name: str, version: str) -> str:
    """A free name in the ledger: one program may have several versions there, and a version several directories."""
    names = [f"{name}/{version}", *(f"{name}/{version}/{number}" for number in range(2, len(ledger.packages) + 3))]
    return next(one for one in names if one not in ledger.packages)


def name_of(package: str) -> str:
    """Whose directory it is, by its name in the ledger."""
    return package.partition("/")[0]


def directories(ledger: Ledger, of_sign_in: bool = False) -> list[str]:
    """Those of agents and of what they run on, or else the sign-in's, which are the Databricks CLI's."""
    return [
        one["directory"]
        for package, one in ledger.packages.items()
        if "directory" in one and (name_of(package) == DATABRICKS_CLI) is of_sign_in
    ]


def is_complete(ledger: Ledger, directory: str) -> bool:
    """Whether it was fetched to the end."""
    return any(one.get("complete") for one in ledger.packages.values() if one.get("directory") == directory)


def fetch(ledger: Ledger, name: str, version: str, directory: str, get: Callable[[], None]) -> None:
    """Have a directory made and filled by ``get``.

    Raises OperatorError. The ledger knows the directory then, which must be removed.
    """
    if os.path.lexists(directory):
        remove(ledger, [directory])
    parent = os.path.dirname(directory)
    ledger.directories.extend(path for path in _not_there(parent) if path not in ledger.directories)
    package = key(ledger, name, version)
    ledger.packages[package] = record(version, directory, complete=False)
    ledger.save()
    files.make_directories(parent, ledger.owner)
    get()
    ledger.packages[package]["complete"] = True
    ledger.save()


def remove(ledger: Ledger, unwanted: Iterable[str]) -> None:
    """Remove directories of ours, and what was made above them and is empty now."""
    for directory in unwanted:
        known = {package: one for package, one in ledger.packages.items() if one.get("directory") == directory}
        gone = away(ledger, {"directory": directory})
        if gone is not None:
            raise gone
        if any(one.get("complete") for one in known.values()):
            for one in known.values():
                one["complete"] = False
            ledger.save()  # a run that is killed from here on leaves a part of it
        try:
            if os.path.lexists(directory):
                shutil.rmtree(directory)
        except OSError as error:
            raise files.unusable(error, error.filename or directory, "removed") from None
        for package in known:
            del ledger.packages[package]
        name = os.path.dirname(directory)
        above = [one for one in ledger.directories if is_below(path=directory, directory=one)]
        finish(ledger, [*above, name, os.path.dirname(name)])


def away(ledger: Ledger, package: Mapping[str, Any]) -> files.Away | None:
    """Why a directory of ours that is not there may still be somewhere."""
    directory = package.get("directory")
    return None if directory is None or os.path.lexists(directory) else ledger.away(directory)


def finish(ledger: Ledger, emptied: list[str]) -> None:
    ledger.remove_directories(emptied)
    ledger.save()


def prefix_of(directory: str) -> str:
    """What it is below, such as ``~/.local``."""
    for _level in range(len(TREE) + 2):
        directory = os.path.dirname(directory)
    return directory


def is_below(path: str, directory: str) -> bool:
    return os.path.realpath(path).startswith(os.path.join(os.path.realpath(directory), ""))


def names_in(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


def _not_there(directory: str) -> list[str]:
    missing = []
    while not os.path.isdir(directory) and directory != os.path.dirname(directory):
        missing.append(directory)
        directory = os.path.dirname(directory)
    return missing
