# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which agents' programs stand on a host, which are to be ours, and where those are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..agents import AGENTS, Agent, FoundCli
from ..agents.source_npm import Npm, started_by
from ..agents.sources import Settings
from ..engine.ledger import Ledger
from ..engine.owner import Owner
from . import fetched
from .base import Options


class Program(NamedTuple):
    """One agent's program: what stands, and where ours is to stand."""

    agent: Agent
    found: FoundCli | None
    version: str
    """The one that is to be ours; empty where somebody else's will do."""
    prefix: str
    directory: str
    link: str

    @property
    def program(self) -> str:
        return self.agent.source.command_path(self.directory, self.agent.command)

    @property
    def target(self) -> str:
        """What the link holds: as it is, if it leads to the program by another name (a home may have several)."""
        if os.path.islink(self.link) and os.path.realpath(self.link) == os.path.realpath(self.program):
            return os.readlink(self.link)
        return self.program

    @property
    def title(self) -> str:
        return f"{self.agent.title} {self.version}"


def wanted_version(agent: Agent, versions: Mapping[str, Any], found: FoundCli | None) -> str | None:
    """The version to bring about, or None when what is there will do. A version that the operator names is always brought about."""
    named = versions.get(agent.name)
    if named:
        return None if found and found.version == str(named) else str(named)
    return None if found and agent.accepts(found.version) else agent.pinned_version


def describe(found: FoundCli | None, wanted: str) -> dict[str, Any]:
    """The result that modules return for one agent's program."""
    return {
        "path": found.path if found else None,
        "version": found.version if found else None,
        "source": found.source if found else None,
        "wanted_version": wanted or (found.version if found else None),
    }


# -- what is to stand --------------------------------------------------------------------------------------------------


def prefix_for(owner: Owner, options: Options) -> str:
    return os.path.normpath(options.get("npm_prefix") or owner.prefix)


def programs(owner: Owner, options: Options, ledger: Ledger) -> list[Program]:
    prefix = ledger.spelled(prefix_for(owner, options))
    return [program_of(AGENTS[name], owner, prefix, options["cli_versions"], ledger) for name in options["agents"]]


def program_of(agent: Agent, owner: Owner, prefix: str, versions: Mapping[str, Any], ledger: Ledger) -> Program:
    found = agent.find_cli(owner, prefix, os.environ)
    ours = found is not None and any(
        fetched.is_below(found.path, directory) for directory in fetched.directories(ledger)
    )
    version = wanted_version(agent, versions, None if ours and found and not found.version else found)
    if version is None and found and ours:
        version = found.version  # stays, and stays ours; where another prefix is named now, it moves there
    directory = os.path.join(prefix, *fetched.TREE, agent.name, version or "")
    return Program(agent, found, version or "", prefix, directory, os.path.join(prefix, "bin", agent.command))


def to_fetch(owner: Owner, options: Options) -> list[Program]:
    ledger = ledger_of(owner)
    return [one for one in programs(owner, options, ledger) if one.version and not stands(one, ledger)]


def stands(one: Program, ledger: Ledger) -> bool:
    """Whether it was fetched to the end, and is still whole as far as files tell."""
    whole = one.agent.source.installed_version(one.directory) == one.version
    return fetched.is_complete(ledger, one.directory) and whole and one.agent.source.is_startable(one.program)


# -- directories -------------------------------------------------------------------------------------------------------


def ledger_of(owner: Owner) -> Ledger:
    """To read, with our directories in it even when it was lost, or is root's and cannot be read by who asks."""
    ledger = Ledger(owner) if owner.is_machine and os.geteuid() != 0 else Ledger.load(owner)
    if ledger.is_new:
        trace_directories(ledger)
    return ledger


def trace_directories(ledger: Ledger) -> None:
    tree = os.path.join(ledger.owner.prefix, *fetched.TREE)
    for name in (*AGENTS, fetched.NODE):
        for version in fetched.names_in(os.path.join(tree, name)):
            directory = os.path.join(tree, name, version)
            if directory not in fetched.directories(ledger):
                # Nothing is linked to before it is complete.
                whole = is_linked(directory) and (
                    name == fetched.NODE or AGENTS[name].source.installed_version(directory) == version
                )
                ledger.packages[fetched.key(ledger, name, version)] = fetched.record(version, directory, whole)


def packages(ledger: Ledger) -> list[tuple[str, dict[str, Any]]]:
    """What the ledger has of this part's, but for what the host's package managers have installed."""
    return [
        (name, one)
        for name, one in sorted(ledger.packages.items())
        if fetched.name_of(name) != fetched.DATABRICKS_CLI and "manager" not in one
    ]


def fetch(owner: Owner, one: Program, settings: Settings) -> None:
    """Raises OperatorError. The ledger knows the directory then, which must be removed."""
    source, lock = one.agent.source, fetched.locks().get(f"{one.agent.source.package}@{one.version}")

    def get() -> None:
        source.fetch(one.version, one.directory, settings, lock)
        if settings.node and isinstance(source, Npm):
            source.start_with(os.path.join(settings.node, "node"), one.directory)
        source.try_out(one.program, settings._replace(node=""))

    fetched.fetch(ledger_of(owner), one.agent.name, one.version, one.directory, get)


def unlinked(ledger: Ledger) -> list[str]:
    return [directory for directory in fetched.directories(ledger) if not is_linked(directory)]


def is_linked(directory: str, link: str = "") -> bool:
    """Whether the command beside it (or this link) leads into a directory of ours; of a Node.js, whether such a command starts it."""
    prefix, name = fetched.prefix_of(directory), os.path.basename(os.path.dirname(directory))
    if name == fetched.NODE:
        links = [os.path.join(prefix, "bin", agent.command) for agent in AGENTS.values()]
        tree = os.path.join(prefix, *fetched.TREE)
        return any(
            os.path.islink(one)
            and fetched.is_below(one, tree)
            and fetched.is_below(started_by(one)[0] or one, directory)
            for one in links
        )
    if not link and name in AGENTS:
        link = os.path.join(prefix, "bin", AGENTS[name].command)
    return os.path.islink(link) and fetched.is_below(link, directory)
