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

import os
import shutil
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ..agents import AGENTS, Agent, FoundCli, check_versions
from ..agents.base import version_key
from ..agents.source_npm import Npm, started_by
from ..agents.sources import Settings
from ..engine import files, obstacles, traces
from ..engine.documents.libraries import module as library
from ..engine.ledger import Ledger
from ..engine.ledger_lock import locked
from ..engine.owner import Owner
from ..engine.ownership import Wanted
from ..errors import OperatorError
from . import fetched
from .base import NOTHING, Done, Options, Part
from .examination import FAIL, PASS, ROLL_OUT, WARN, Check, Examination

_TREE = fetched.TREE
_NODE = "node"
"""Whose directory of ours is that of the Node.js which agents run on, where the host has none that will do."""
_NEWER_NODE = "Install a newer Node.js, and put it first on this user's PATH"


class _Program(NamedTuple):
    """One agent's program: what stands, and where ours is to stand."""

    agent: Agent
    found: FoundCli | None
    version: str
    """The one that is to be ours; empty where somebody else's will do."""
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


class AgentCli(Part):
    name = "agent_cli"

    def wanted(self, owner: Owner, options: Options) -> list[Wanted]:
        check_versions(options["cli_versions"], AGENTS)
        for one in _to_fetch(owner, options):
            node = _node_for(one, options, _ledger(owner), fetched.settings(owner, options))
            for directory in (one.directory, *([os.path.dirname(node)] if node else [])):
                files.check_reachable(directory)
                obstacles.check_directory(directory)
        return [
            Wanted(one.link, "link", self.name, values={(): one.target}, summary=one.title)
            for one in _programs(owner, options, _ledger(owner))
            if one.version
        ]

    def missing(self, owner: Owner, options: Options) -> list[str]:
        """What is linked to already, but not whole, or is linked to no more. All else shows in the link."""
        ledger = _ledger(owner)
        wanted = [one.directory for one in _programs(owner, options, ledger) if one.version]
        to_fetch = _to_fetch(owner, options)
        again = [one for one in to_fetch if _is_linked(one.directory, one.link)]
        nodes = _nodes_for(to_fetch, owner, options, ledger)
        wanted += nodes
        return [
            *(f"Node.js {os.path.basename(one)} fetched" for one in nodes if not _node_stands(ledger, one)),
            *(f"{one.title} fetched again" for one in again),
            *(f"{one}: removed, nothing leads to it" for one in _unlinked(ledger) if one not in wanted),
        ]

    def prepare(self, owner: Owner, options: Options) -> list[str]:
        """Fetch what is missing. Returns the directories that were made for it."""
        if not _to_fetch(owner, options):
            return []
        settings = fetched.settings(owner, options)
        _locks()  # before anything is written: where they have not travelled they are asked for
        made: list[str] = []
        with locked(owner):
            try:
                for one in _to_fetch(owner, options):
                    node = _node_for(one, options, _ledger(owner), settings)
                    if _is_ours(node, one) and not _node_stands(_ledger(owner), os.path.dirname(node)):
                        made.append(os.path.dirname(node))
                        _fetch_node(owner, os.path.dirname(node), settings)
                    made.append(one.directory)
                    _fetch(owner, one, settings._replace(node=node))
            except BaseException:
                fetched.remove(Ledger.load(owner), made)
                raise
        return made

    def abandon(self, owner: Owner, options: Options, prepared: Any) -> None:
        if prepared:
            with locked(owner):
                fetched.remove(Ledger.load(owner), [directory for directory in prepared if not _is_linked(directory)])

    def after(self, owner: Owner, options: Options, prepared: Any) -> None:
        """Remove the versions that nothing leads to any more."""
        if _unlinked(Ledger.load(owner)):
            with locked(owner):
                ledger = Ledger.load(owner)
                fetched.remove(ledger, _unlinked(ledger))

    def facts(self, owner: Owner, options: Options, asking: bool) -> dict[str, Any]:
        programs = _programs(owner, options, _ledger(owner))
        return {"programs": {one.agent.name: describe(one.found, one.version) for one in programs}}

    def after_withdrawal(self, owner: Owner, options: Options, check: bool) -> Done:
        ledger = _ledger(owner)
        packages = _packages(ledger)
        if not packages:
            return NOTHING
        if check:
            fates = [(_fate(name, record)[0], fetched.away(ledger, record)) for name, record in packages]
            return Done(
                [said for said, away in fates if not away], [], tuple(away.told for _said, away in fates if away)
            )
        changes, errors = [], []
        with locked(owner):
            ledger = _ledger(owner)
            for name, record in _packages(ledger):
                said, previous = _fate(name, record)
                try:
                    if "directory" in record:
                        fetched.remove(ledger, [record["directory"]])
                    else:
                        _give_back(name, record, previous, fetched.settings(owner, options))
                        del ledger.packages[name]
                        fetched.finish(ledger, ledger.directories)
                    changes.append(said)
                except OperatorError as error:
                    errors.append(error.told)
        return Done(changes, [], tuple(errors))

    def checks(self, examination: Examination) -> Iterator[Check]:
        for one in _programs(examination.owner, examination.options, _ledger(examination.owner)):
            check = ("Dependencies", one.agent.title)
            if one.found is None:
                yield Check(*check, FAIL, "is not installed", _way_to(one.agent, examination))
            elif not one.agent.accepts(one.found.version):
                said = f"{one.found.version} does not work with a workspace"
                yield Check(*check, FAIL, said, _way_to(one.agent, examination))
            else:
                unfit = _unfit(one.agent, one.found, examination)
                if unfit:
                    yield Check(*check, FAIL, f"{one.found.path} does not start: {unfit}", _NEWER_NODE)
                    continue
                yield Check(*check, PASS, f"{one.found.version or 'of unknown version'} ({one.found.path})")
                yield from _on_path(one, _behind_launchers(examination))

    def traces(self, ledger: Ledger) -> None:
        """Only the usual prefix is known then."""
        _trace_directories(ledger)
        for agent in AGENTS.values():
            link = os.path.join(ledger.owner.prefix, "bin", agent.command)
            if any(_is_linked(directory, link) for directory in fetched.directories(ledger)):
                traces.whole_file(ledger, self.name, link, "link")


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


def _prefix(owner: Owner, options: Options) -> str:
    return os.path.normpath(options.get("npm_prefix") or owner.prefix)


def _programs(owner: Owner, options: Options, ledger: Ledger) -> list[_Program]:
    prefix = ledger.spelled(_prefix(owner, options))
    return [_program(AGENTS[name], owner, prefix, options["cli_versions"], ledger) for name in options["agents"]]


def _program(agent: Agent, owner: Owner, prefix: str, versions: Mapping[str, Any], ledger: Ledger) -> _Program:
    found = agent.find_cli(owner, prefix, os.environ)
    ours = found is not None and any(
        fetched.is_below(found.path, directory) for directory in fetched.directories(ledger)
    )
    version = wanted_version(agent, versions, None if ours and found and not found.version else found)
    if version is None and found and ours:
        version = found.version  # stays, and stays ours; where another prefix is named now, it moves there
    directory = os.path.join(prefix, *_TREE, agent.name, version or "")
    return _Program(agent, found, version or "", directory, os.path.join(prefix, "bin", agent.command))


def _to_fetch(owner: Owner, options: Options) -> list[_Program]:
    ledger = _ledger(owner)
    return [one for one in _programs(owner, options, ledger) if one.version and not _stands(one, ledger)]


def _stands(one: _Program, ledger: Ledger) -> bool:
    """Whether it was fetched to the end, and is still whole as far as files tell."""
    whole = one.agent.source.installed_version(one.directory) == one.version
    return fetched.is_complete(ledger, one.directory) and whole and one.agent.source.is_startable(one.program)


def _node_for(one: _Program, options: Options, ledger: Ledger, settings: Settings) -> str:
    """Where the Node.js is that a program is fetched and started with: empty for the one that the host has first on its PATH.

    One of ours need not stand there yet. Raises OperatorError where nothing can be fetched, or nothing will do.
    """
    source = one.agent.source
    found = source.node_for(one.version, settings) if isinstance(source, Npm) else ""
    if not isinstance(source, Npm) or found is not None:
        source.require(one.version, settings._replace(node=found or ""))
        return found or ""
    from ..agents.source_release import NODE, NODE_VERSION  # who only looks need not pay for it

    tree = os.path.join(fetched.prefix_of(one.directory), *_TREE, _NODE)
    standing = [
        directory
        for directory in fetched.directories(ledger)
        if os.path.dirname(directory) == tree
        and _node_stands(ledger, directory)
        and source.runs_on(os.path.basename(directory), one.version)
    ]
    if standing:
        return os.path.join(max(standing, key=lambda one: version_key(os.path.basename(one))), "bin")
    if not fetched.may_fetch_tools(options) or not source.runs_on(NODE_VERSION, one.version):
        source.require(one.version, settings)
    NODE.require(NODE_VERSION, settings)
    return os.path.join(tree, NODE_VERSION, "bin")


def _node_stands(ledger: Ledger, directory: str) -> bool:
    return fetched.is_complete(ledger, directory) and os.access(os.path.join(directory, "bin", "node"), os.X_OK)


def _is_ours(node: str, one: _Program) -> bool:
    tree = os.path.join(fetched.prefix_of(one.directory), *_TREE, _NODE, "")
    return node.startswith(tree)


def _nodes_for(to_fetch: list[_Program], owner: Owner, options: Options, ledger: Ledger) -> list[str]:
    """The directories of ours with a Node.js for these, each once; those, too, that do not stand yet."""
    nodes = [(one, _node_for(one, options, ledger, fetched.settings(owner, options))) for one in to_fetch]
    return list(dict.fromkeys(os.path.dirname(node) for one, node in nodes if _is_ours(node, one)))


# -- directories -------------------------------------------------------------------------------------------------------


def _ledger(owner: Owner) -> Ledger:
    """To read, with our directories in it even when it was lost."""
    ledger = Ledger.load(owner)
    if ledger.is_new:
        _trace_directories(ledger)
    return ledger


def _trace_directories(ledger: Ledger) -> None:
    tree = os.path.join(ledger.owner.prefix, *_TREE)
    for name in (*AGENTS, _NODE):
        for version in fetched.names_in(os.path.join(tree, name)):
            directory = os.path.join(tree, name, version)
            if directory not in fetched.directories(ledger):
                # Nothing is linked to before it is complete.
                whole = _is_linked(directory) and (
                    name == _NODE or AGENTS[name].source.installed_version(directory) == version
                )
                ledger.packages[fetched.key(ledger, name, version)] = fetched.record(version, directory, whole)


def _packages(ledger: Ledger) -> list[tuple[str, dict[str, Any]]]:
    """What the ledger has of this part's."""
    return [
        (name, one) for name, one in sorted(ledger.packages.items()) if fetched.name_of(name) != fetched.DATABRICKS_CLI
    ]


def _fetch_node(owner: Owner, directory: str, settings: Settings) -> None:
    from ..agents.source_release import NODE

    version = os.path.basename(directory)

    def get() -> None:
        NODE.fetch(version, directory, settings)
        NODE.try_out(NODE.command_path(directory), settings)

    fetched.fetch(_ledger(owner), _NODE, version, directory, get)


def _fetch(owner: Owner, one: _Program, settings: Settings) -> None:
    """Raises OperatorError. The ledger knows the directory then, which must be removed."""
    source, lock = one.agent.source, _locks().get(f"{one.agent.source.package}@{one.version}")

    def get() -> None:
        source.fetch(one.version, one.directory, settings, lock)
        if settings.node and isinstance(source, Npm):
            source.start_with(os.path.join(settings.node, "node"), one.directory)
        source.try_out(one.program, settings._replace(node=""))

    fetched.fetch(_ledger(owner), one.agent.name, one.version, one.directory, get)


def _locks() -> Mapping[str, Any]:
    """By package and version: the packages of a known version, with their digests. Raises LibraryNeeded."""
    locks: Mapping[str, Any] = library("locks").LOCKS
    return locks


def _unlinked(ledger: Ledger) -> list[str]:
    return [directory for directory in fetched.directories(ledger) if not _is_linked(directory)]


def _is_linked(directory: str, link: str = "") -> bool:
    """Whether the command beside it (or this link) leads into a directory of ours; of a Node.js, whether such a command starts it."""
    prefix, name = fetched.prefix_of(directory), os.path.basename(os.path.dirname(directory))
    if name == _NODE:
        links = [os.path.join(prefix, "bin", agent.command) for agent in AGENTS.values()]
        tree = os.path.join(prefix, *_TREE)
        return any(
            os.path.islink(one)
            and fetched.is_below(one, tree)
            and fetched.is_below(started_by(one)[0] or one, directory)
            for one in links
        )
    if not link and name in AGENTS:
        link = os.path.join(prefix, "bin", AGENTS[name].command)
    return os.path.islink(link) and fetched.is_below(link, directory)


# -- the way back of what npm had installed globally, before there were directories of our own -------------------------


def _fate(name: str, record: Mapping[str, Any]) -> tuple[str, str]:
    """What becomes of a package, in words, and the version that is brought back."""
    agent = AGENTS.get(name.partition("/")[0])
    title = agent.title if agent else "Node.js" if fetched.name_of(name) == _NODE else name
    version = record["version"]
    if "directory" in record or agent is None:
        return f"{title} {version}: removed", ""
    now = agent.source.installed_version(record["prefix"])
    if now is None:
        return f"{title}: was already gone", ""
    if now != version:
        return f"{title}: left as it is: {now} is not the {version} that we installed", ""
    previous = str(record.get("previous") or "")
    return f"{title}: back to {previous}" if previous else f"{title}: {now} removed", previous


def _give_back(name: str, record: Mapping[str, Any], previous: str, settings: Settings) -> None:
    agent = AGENTS.get(name)
    if agent is None or not isinstance(agent.source, Npm):
        return
    if agent.source.installed_version(record["prefix"]) == record["version"]:
        if previous:
            agent.source.fetch(previous, record["prefix"], settings)
        else:
            agent.source.remove(record["prefix"], settings)


# -- the doctor --------------------------------------------------------------------------------------------------------


def _way_to(agent: Agent, examination: Examination) -> str:
    """What brings the program: a rollout cannot where what it fetches with is not there."""
    version = examination.options["cli_versions"].get(agent.name) or agent.pinned_version
    if isinstance(agent.source, Npm) and fetched.may_fetch_tools(examination.options):
        return ROLL_OUT
    needed = agent.source.needed(str(version), fetched.settings(examination.owner, examination.options))
    return f"{needed}, then run the rollout" if needed else ROLL_OUT


def _unfit(agent: Agent, found: FoundCli, examination: Examination) -> str:
    """Why it cannot run in the person's terminal. In check mode no program is started that could tell."""
    path = examination.shell().get("PATH") or examination.environment.get("PATH", "")
    if examination.offline:
        return ""
    return agent.source.unfit(found.path, found.version or agent.pinned_version, examination.owner.home, {"PATH": path})


def _behind_launchers(examination: Examination) -> str:
    """The person's PATH without our own directory: its commands start the program that comes next."""
    path = examination.shell().get("PATH", "").split(os.pathsep)
    return os.pathsep.join(one for one in path if os.path.normpath(one) != examination.owner.launchers)


def _on_path(one: _Program, path: str) -> Iterator[Check]:
    """Whether the person who types the command gets the program that was found, or at least another that will do."""
    check, found = f"{one.agent.title} on PATH", one.found
    if not path or found is None:
        return  # the shell does not tell
    directory = os.path.dirname(found.path)
    first = shutil.which(one.agent.command, path=path)
    way_out = f'Put it in front, for example in ~/.profile: PATH="{directory}:$PATH"'
    if first is None:
        yield Check("Environment", check, WARN, f"{directory} is not on this user's PATH", way_out)
    elif os.path.realpath(first) != os.path.realpath(found.path):
        version = one.agent.found_at(first).version
        said = f"{first} ({version or 'of unknown version'}) comes before {found.path} on this user's PATH"
        if one.agent.accepts(version):
            yield Check("Conflicts", check, WARN, said, f"Remove the former, or: {way_out}")
        else:
            said += ", and does not work with a workspace"
            yield Check("Conflicts", check, FAIL, said, f"Remove the former, or: {way_out}")
