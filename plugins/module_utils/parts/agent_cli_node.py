# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Node.js that agents of npm are fetched and started with: the host's own, one of ours, or one that is to be brought."""

from __future__ import annotations

import os
from typing import NamedTuple

from ..agents.base import version_key
from ..agents.source_npm import Npm
from ..agents.source_system import Offer
from ..agents.sources import Settings, Source
from ..engine.ledger import Ledger
from ..engine.owner import Owner
from ..errors import OperatorError
from . import fetched, system_packages
from .base import Done, Options
from .system_packages import Choice


class Node(NamedTuple):
    """Where one is."""

    directory: str
    """Empty for the one that the host has first on its PATH."""
    choice: Choice | None = None
    """Where it is to come from, while it is not there yet."""


def node_for(source: Source, version: str, prefix: str, owner: Owner, options: Options, ledger: Ledger) -> Node:
    """The one that a version of a program is fetched and started with.

    Raises OperatorError where nothing can be fetched, or nothing will do.
    """
    settings = fetched.settings(owner, options)
    found = source.node_for(version, settings) if isinstance(source, Npm) else ""
    if not isinstance(source, Npm) or found is not None:
        source.require(version, settings._replace(node=found or ""))
        return Node(found or "")
    from ..agents.source_release import NODE as RELEASE  # who only looks need not pay for it
    from ..agents.source_release import NODE_VERSION

    tree = tree_of(prefix)
    standing = [
        directory
        for directory in fetched.directories(ledger)
        if os.path.dirname(directory) == tree
        and stands(ledger, directory)
        and source.runs_on(os.path.basename(directory), version)
    ]
    if standing:
        return Node(os.path.join(max(standing, key=lambda one: version_key(os.path.basename(one))), "bin"))
    choice = system_packages.chosen(fetched.NODE, lambda node: source.runs_on(node, version), owner, options)
    if choice.offer is not None:
        return Node("", choice)
    if choice.source != system_packages.VENDOR or not source.runs_on(NODE_VERSION, version):
        _require(source, version, settings, choice)
    RELEASE.require(NODE_VERSION, settings)
    return Node(os.path.join(tree, NODE_VERSION, "bin"), choice)


def _require(source: Npm, version: str, settings: Settings, choice: Choice) -> None:
    """Raises OperatorError, which says what became of each source that the operator had named."""
    try:
        source.require(version, settings)
    except OperatorError as error:
        raise OperatorError(f"{error.what}{choice.passed_over}", error.where, error.way_out) from None


def stands(ledger: Ledger, directory: str) -> bool:
    return fetched.is_complete(ledger, directory) and os.access(os.path.join(directory, "bin", "node"), os.X_OK)


def tree_of(prefix: str) -> str:
    """Where those of ours are."""
    return os.path.join(prefix, *fetched.TREE, fetched.NODE)


def is_ours(node: Node, prefix: str) -> bool:
    return node.directory.startswith(os.path.join(tree_of(prefix), ""))


def fetch(ledger: Ledger, directory: str, settings: Settings) -> None:
    """Raises OperatorError. The ledger knows the directory then, which must be removed."""
    from ..agents.source_release import NODE as RELEASE

    version = os.path.basename(directory)

    def get() -> None:
        RELEASE.fetch(version, directory, settings, fetched.locks().get(f"{RELEASE.package}@{version}"))
        RELEASE.try_out(RELEASE.command_path(directory), settings)

    fetched.fetch(ledger, fetched.NODE, version, directory, get)


def install(offer: Offer, owner: Owner, options: Options) -> str:
    """With a package manager of the host. Returns its key in the ledger. Raises OperatorError."""
    return system_packages.install(fetched.NODE, offer, owner, options)


def installed(ledger: Ledger) -> bool:
    """Whether a package manager has brought one for us."""
    return bool(system_packages.records(ledger, fetched.NODE))


def withdraw(owner: Owner, options: Options, check: bool) -> Done:
    return system_packages.withdraw(fetched.NODE, owner, options, check)
