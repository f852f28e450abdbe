# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Agents' programs: which version stands, whether it will do, how the wanted one is brought about.

Each version that we fetch has a directory of its own, ``PREFIX/lib/fmapi-coding-agents/AGENT/VERSION``, and ``PREFIX/bin/COMMAND`` is
a link into it. The link is a document like any other: what stood in its place is given back, and agents are switched to a version in
the same transaction as to its settings. The ledger's ``packages`` has each directory before anything is written into it, so a run that
is killed leaves nothing that nobody knows of.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from ..agents import AGENTS, check_versions
from ..engine import files, obstacles, traces
from ..engine.ledger import Ledger
from ..engine.ledger_lock import locked
from ..engine.owner import Owner
from ..engine.ownership import Wanted
from ..errors import OperatorError
from . import agent_cli_checks, agent_cli_former, agent_cli_node, downloads, fetched, system_packages
from .agent_cli_node import Node
from .agent_cli_programs import (
    Program,
    describe,
    fetch,
    is_linked,
    ledger_of,
    packages,
    programs,
    to_fetch,
    trace_directories,
    unlinked,
)
from .base import NOTHING, Done, Options, Part
from .examination import Check, Examination
from .system_packages import Prepared


class AgentCli(Part):
    name = "agent_cli"

    def wanted(self, owner: Owner, options: Options) -> list[Wanted]:
        check_versions(options["cli_versions"], AGENTS)
        for one in to_fetch(owner, options):
            node = _node_for(one, owner, options)
            for directory in (one.directory, *([os.path.dirname(node.directory)] if node.directory else [])):
                files.check_reachable(directory)
                obstacles.check_directory(directory)
        return [
            Wanted(one.link, "link", self.name, values={(): one.target}, summary=one.title)
            for one in programs(owner, options, ledger_of(owner))
            if one.version
        ]

    def missing(self, owner: Owner, options: Options) -> list[str]:
        """What is linked to already, but not whole, or is linked to no more. All else shows in the link."""
        ledger = ledger_of(owner)
        fetching = to_fetch(owner, options)
        again = [one for one in fetching if is_linked(one.directory, one.link)]
        nodes = [(one, _node_for(one, owner, options)) for one in fetching]
        ours = {
            os.path.dirname(node.directory): node for one, node in nodes if agent_cli_node.is_ours(node, one.prefix)
        }
        wanted = {*ours, *(one.directory for one in programs(owner, options, ledger) if one.version)}
        return [
            *dict.fromkeys(
                system_packages.said(node.choice.offer, node.choice)
                for _one, node in nodes
                if node.choice and node.choice.offer
            ),
            *(
                f"Node.js {os.path.basename(directory)} fetched{node.choice.passed_over if node.choice else ''}"
                for directory, node in ours.items()
                if not agent_cli_node.stands(ledger, directory)
            ),
            *(f"{one.title} fetched again" for one in again),
            *(f"{one}: removed, nothing leads to it" for one in unlinked(ledger) if one not in wanted),
        ]

    def downloads(self, owner: Owner, options: Options) -> tuple[dict[str, str], list[str]]:
        fetching = to_fetch(owner, options)
        nodes = [(one, _node_for(one, owner, options)) for one in fetching]
        lacking = any(_is_lacking(one, node, ledger_of(owner)) for one, node in nodes)
        return {one.agent.name: one.version for one in fetching}, [fetched.NODE] if lacking else []

    def prepare(self, owner: Owner, options: Options) -> Prepared:
        """Fetch what is missing."""
        if not to_fetch(owner, options):
            return Prepared([], [])
        fetched.locks()  # before anything is written: where they have not travelled they are asked for
        made = Prepared([], [])
        with downloads.given(options, fetched.settings(owner, options)) as settings, locked(owner):
            try:
                for one in to_fetch(owner, options):
                    node = _node_for(one, owner, options)
                    if node.choice and node.choice.offer:
                        made.packages.append(agent_cli_node.install(node.choice.offer, owner, options))
                        node = _node_for(one, owner, options)
                    if _is_lacking(one, node, ledger_of(owner)):
                        directory = os.path.dirname(node.directory)
                        made.directories.append(directory)
                        agent_cli_node.fetch(ledger_of(owner), directory, settings)
                    made.directories.append(one.directory)
                    fetch(owner, one, settings._replace(node=node.directory))
            except BaseException:
                fetched.remove(Ledger.load(owner), made.directories)
                with contextlib.suppress(OperatorError):  # what failed first is to be told; the ledger knows what stays
                    system_packages.take_back(made.packages, owner, options)
                raise
        return made

    def abandon(self, owner: Owner, options: Options, prepared: Any) -> None:
        if prepared.directories or prepared.packages:
            with locked(owner):
                unlinked_now = [one for one in prepared.directories if not is_linked(one)]
                fetched.remove(Ledger.load(owner), unlinked_now)
                if unlinked_now == prepared.directories:  # else something stands that runs on them
                    system_packages.take_back(prepared.packages, owner, options)

    def after(self, owner: Owner, options: Options, prepared: Any) -> None:
        """Remove the versions that nothing leads to any more."""
        if unlinked(Ledger.load(owner)):
            with locked(owner):
                ledger = Ledger.load(owner)
                fetched.remove(ledger, unlinked(ledger))

    def facts(self, owner: Owner, options: Options, asking: bool) -> dict[str, Any]:
        found = programs(owner, options, ledger_of(owner))
        return {"programs": {one.agent.name: describe(one.found, one.version) for one in found}}

    def after_withdrawal(self, owner: Owner, options: Options, check: bool) -> Done:
        ledger = ledger_of(owner)
        if check:
            fates = [
                (agent_cli_former.fate(name, record)[0], fetched.away(ledger, record))
                for name, record in packages(ledger)
            ]
            done = Done(
                [said for said, away in fates if not away], [], tuple(away.told for _said, away in fates if away)
            )
            return done.and_then(agent_cli_node.withdraw(owner, options, check))
        if not packages(ledger) and not agent_cli_node.installed(ledger):
            return NOTHING
        changes, errors = [], []
        with locked(owner):
            ledger = ledger_of(owner)
            for name, record in packages(ledger):
                said, previous = agent_cli_former.fate(name, record)
                try:
                    if "directory" in record:
                        fetched.remove(ledger, [record["directory"]])
                    else:
                        agent_cli_former.give_back(name, record, previous, fetched.settings(owner, options))
                        del ledger.packages[name]
                        fetched.finish(ledger, ledger.directories)
                    changes.append(said)
                except OperatorError as error:
                    errors.append(error.told)
            return Done(changes, [], tuple(errors)).and_then(agent_cli_node.withdraw(owner, options, check))

    def checks(self, examination: Examination) -> Iterator[Check]:
        for one in programs(examination.owner, examination.options, ledger_of(examination.owner)):
            yield from agent_cli_checks.of_program(one.agent, one.found, examination)

    def traces(self, ledger: Ledger) -> None:
        """Only the usual prefix is known then."""
        trace_directories(ledger)
        for agent in AGENTS.values():
            link = os.path.join(ledger.owner.prefix, "bin", agent.command)
            if any(is_linked(directory, link) for directory in fetched.directories(ledger)):
                traces.whole_file(ledger, self.name, link, "link")


def _is_lacking(one: Program, node: Node, ledger: Ledger) -> bool:
    """Whether the Node.js that a program needs is to be ours, and does not stand yet."""
    directory = os.path.dirname(node.directory)
    return agent_cli_node.is_ours(node, one.prefix) and not agent_cli_node.stands(ledger, directory)


def _node_for(one: Program, owner: Owner, options: Options) -> Node:
    return agent_cli_node.node_for(one.agent.source, one.version, one.prefix, owner, options, ledger_of(owner))
