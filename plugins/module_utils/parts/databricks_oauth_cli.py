# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Databricks CLI, with which a person signs in: fetched where a host has none that will do.

It stands below ``~/.local``, whatever prefix agents have: there the host program looks for it.
"""

from __future__ import annotations

import contextlib
import os

from ..engine import files, obstacles, traces
from ..engine.ledger import Ledger
from ..engine.ledger_lock import locked
from ..engine.owner import Owner
from ..engine.ownership import Wanted
from ..errors import OperatorError
from ..host_program import user_sign_in
from ..host_program.config import Config
from . import fetched, system_packages
from .base import NOTHING, Done, Options
from .downloads import given
from .system_packages import Choice, Prepared

_TITLE = "Databricks CLI"


def wanted(owner: Owner, config: Config, options: Options, component: str) -> list[Wanted]:
    """The link to it; nothing where no person signs in, and where one of the person's own will do."""
    directory = _directory(owner, config, options)
    if not directory:
        return []
    if not _stands(_ledger(owner), directory):
        from ..agents.source_release import DATABRICKS_CLI  # who only looks need not pay for it

        DATABRICKS_CLI.require(os.path.basename(directory), fetched.settings(owner, options))
        files.check_reachable(directory)
        obstacles.check_directory(directory)
    summary = f"{_TITLE} {os.path.basename(directory)}"
    return [Wanted(_link(owner), "link", component, values={(): _target(owner, directory)}, summary=summary)]


def missing(owner: Owner, config: Config, options: Options) -> list[str]:
    """What is linked to already and not whole, or is linked to no more."""
    directory = _directory(owner, config, options)
    choice = _choice(owner, config, options)
    sources = []
    if choice is not None and (choice.offer is not None or choice.passed_over):
        sources = [
            system_packages.said(choice.offer, choice) if choice.offer is not None else f"{_TITLE}{choice.passed_over}"
        ]
    if not directory and not os.path.lexists(_tree(owner)):
        return sources  # most hosts: their look need not read the ledger once more
    ledger = _ledger(owner)
    again = bool(directory) and _is_linked(owner, directory) and not _stands(ledger, directory)
    unlinked = [one for one in _unlinked(owner, ledger) if one != directory]
    return [
        *sources,
        *([f"{_TITLE} {os.path.basename(directory)} fetched again"] if again else []),
        *(f"{one}: removed, nothing leads to it" for one in unlinked),
    ]


def downloads(owner: Owner, config: Config, options: Options) -> list[str]:
    """The tool, where it is to be fetched."""
    directory = _directory(owner, config, options)
    return [fetched.DATABRICKS_CLI] if directory and not _stands(_ledger(owner), directory) else []


def fetch(owner: Owner, config: Config, options: Options) -> Prepared:
    """Bring it if it is missing."""
    choice = _choice(owner, config, options)
    if choice is not None and choice.offer is not None:
        with locked(owner):
            return Prepared([], [system_packages.install(fetched.DATABRICKS_CLI, choice.offer, owner, options)])
    directory = _directory(owner, config, options)
    if not directory or _stands(_ledger(owner), directory):
        return Prepared([], [])
    from ..agents.source_release import DATABRICKS_CLI

    version = os.path.basename(directory)
    # Before anything is written: where they have not travelled they are asked for.
    lock = fetched.locks().get(f"{DATABRICKS_CLI.package}@{version}")

    def get() -> None:
        with given(options, fetched.settings(owner, options)) as settings:
            DATABRICKS_CLI.fetch(version, directory, settings, lock)
            DATABRICKS_CLI.try_out(DATABRICKS_CLI.command_path(directory), settings)

    with locked(owner):
        try:
            fetched.fetch(_ledger(owner), fetched.DATABRICKS_CLI, version, directory, get)
        except BaseException:
            fetched.remove(_ledger(owner), [directory])
            raise
    return Prepared([directory], [])


def abandon(owner: Owner, options: Options, made: Prepared) -> None:
    """Something that came later has failed."""
    if made.directories or made.packages:
        with locked(owner):
            fetched.remove(_ledger(owner), [one for one in made.directories if not _is_linked(owner, one)])
            system_packages.take_back(made.packages, owner, options)


def tidy(owner: Owner) -> None:
    """Remove what nothing leads to any more."""
    if _unlinked(owner, _ledger(owner)):
        with locked(owner):
            ledger = _ledger(owner)
            fetched.remove(ledger, _unlinked(owner, ledger))


def give_back(owner: Owner, options: Options, check: bool) -> Done:
    directories = fetched.directories(_ledger(owner), of_sign_in=True)
    if not directories and not system_packages.records(_ledger(owner), fetched.DATABRICKS_CLI):
        return NOTHING
    changes, errors = [], []
    with contextlib.nullcontext() if check else locked(owner):
        for directory in directories:
            try:
                ledger = _ledger(owner)
                away = fetched.away(ledger, {"directory": directory})
                if away is not None:
                    raise away
                if not check:
                    fetched.remove(ledger, [directory])
                changes.append(f"{_TITLE} {os.path.basename(directory)}: removed")
            except OperatorError as error:
                errors.append(error.told)
        installed = system_packages.withdraw(fetched.DATABRICKS_CLI, owner, options, check)
    return Done(changes, [], tuple(errors)).and_then(installed)


def trace(ledger: Ledger, component: str) -> None:
    """Fill a ledger that was lost."""
    _trace_directories(ledger)
    if any(_is_linked(ledger.owner, one) for one in fetched.directories(ledger, of_sign_in=True)):
        traces.whole_file(ledger, component, _link(ledger.owner), "link")


def _trace_directories(ledger: Ledger) -> None:
    tree = _tree(ledger.owner)
    for version in fetched.names_in(tree):
        directory = os.path.join(tree, version)
        if directory not in fetched.directories(ledger, of_sign_in=True):
            # Nothing is linked to before it is complete.
            name, whole = fetched.DATABRICKS_CLI, _is_linked(ledger.owner, directory)
            ledger.packages[fetched.key(ledger, name, version)] = fetched.record(version, directory, whole)


def _directory(owner: Owner, config: Config, options: Options) -> str:
    """Where the one that is to be ours stands, or is to stand; empty where none is to be."""
    if config.identity != "user":
        return ""
    tree, link = _tree(owner), _link(owner)
    if os.path.islink(link) and fetched.is_below(link, tree):
        return os.path.join(
            tree, os.path.relpath(os.path.realpath(link), os.path.realpath(tree)).split(os.sep, maxsplit=1)[0]
        )
    choice = _choice(owner, config, options)
    if choice is None or choice.source != system_packages.VENDOR:
        return ""
    if os.path.lexists(link) and not os.path.islink(link):
        return ""  # a person's own program, whatever it is: the doctor says what is wrong with it
    from ..agents.source_release import DATABRICKS_CLI_VERSION

    return os.path.join(tree, DATABRICKS_CLI_VERSION)


def _choice(owner: Owner, config: Config, options: Options) -> Choice | None:
    """Where it is to come from; None where nobody needs one, one of ours is linked to, or the host has one that will do."""
    link = _link(owner)
    if config.identity != "user" or (os.path.islink(link) and fetched.is_below(link, _tree(owner))):
        return None
    if user_sign_in.may_do(config, dict(os.environ)):
        return None
    return system_packages.chosen(fetched.DATABRICKS_CLI, lambda _version: True, owner, options)


def _tree(owner: Owner) -> str:
    return os.path.join(owner.prefix, *fetched.TREE, fetched.DATABRICKS_CLI)


def _link(owner: Owner) -> str:
    return os.path.join(owner.prefix, "bin", "databricks")


def _target(owner: Owner, directory: str) -> str:
    """As it is, if it leads there by another name: a home may have several."""
    link = _link(owner)
    return os.readlink(link) if _is_linked(owner, directory) else os.path.join(directory, "databricks")


def _is_linked(owner: Owner, directory: str) -> bool:
    return os.path.islink(_link(owner)) and fetched.is_below(_link(owner), directory)


def _stands(ledger: Ledger, directory: str) -> bool:
    return fetched.is_complete(ledger, directory) and os.access(os.path.join(directory, "databricks"), os.X_OK)


def _ledger(owner: Owner) -> Ledger:
    """To read, with our directories in it even when it was lost."""
    ledger = Ledger.load(owner)
    if ledger.is_new:
        _trace_directories(ledger)
    return ledger


def _unlinked(owner: Owner, ledger: Ledger) -> list[str]:
    return [one for one in fetched.directories(ledger, of_sign_in=True) if not _is_linked(owner, one)]
