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
from ..agents.source_npm import Npm
from ..agents.sources import Settings
from ..engine import files, obstacles, traces
from ..engine.documents.libraries import module as library
from ..engine.ledger import Ledger
from ..engine.ledger_lock import locked
from ..engine.owner import Owner
from ..engine.ownership import Wanted
from ..errors import OperatorError
from .base import NOTHING, Done, Options, Part
from .context import brought_ca
from .examination import FAIL, PASS, ROLL_OUT, WARN, Check, Examination

_TREE = ("lib", "fmapi-coding-agents")
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
            one.agent.source.require(one.version, _settings(owner, options))
            files.check_reachable(one.directory)
            obstacles.check_directory(one.directory)
        return [
            Wanted(one.link, "link", self.name, values={(): one.target}, summary=one.title)
            for one in _programs(owner, options, _ledger(owner))
            if one.version
        ]

    def missing(self, owner: Owner, options: Options) -> list[str]:
        """What is linked to already, but not whole, or is linked to no more. All else shows in the link."""
        ledger = _ledger(owner)
        wanted = [one.directory for one in _programs(owner, options, ledger) if one.version]
        again = [one for one in _to_fetch(owner, options) if _is_linked(one.directory, one.link)]
        return [
            *(f"{one.title} fetched again" for one in again),
            *(f"{one}: removed, nothing leads to it" for one in _unlinked(ledger) if one not in wanted),
        ]

    def prepare(self, owner: Owner, options: Options) -> list[str]:
        """Fetch what is missing. Returns the directories that were made for it."""
        if not _to_fetch(owner, options):
            return []
        settings = _settings(owner, options)
        _locks()  # before anything is written: where they have not travelled they are asked for
        fetched: list[str] = []
        with locked(owner):
            try:
                for one in _to_fetch(owner, options):
                    fetched.append(one.directory)
                    _fetch(owner, one, settings)
            except BaseException:
                _remove(Ledger.load(owner), fetched)
                raise
        return fetched

    def abandon(self, owner: Owner, options: Options, prepared: Any) -> None:
        if prepared:
            with locked(owner):
                _remove(Ledger.load(owner), [directory for directory in prepared if not _is_linked(directory)])

    def after(self, owner: Owner, options: Options, prepared: Any) -> None:
        """Remove the versions that nothing leads to any more."""
        if _unlinked(Ledger.load(owner)):
            with locked(owner):
                ledger = Ledger.load(owner)
                _remove(ledger, _unlinked(ledger))

    def facts(self, owner: Owner, options: Options, asking: bool) -> dict[str, Any]:
        programs = _programs(owner, options, _ledger(owner))
        return {"programs": {one.agent.name: describe(one.found, one.version) for one in programs}}

    def after_withdrawal(self, owner: Owner, options: Options, check: bool) -> Done:
        ledger = _ledger(owner)
        if not ledger.packages:
            return NOTHING
        if check:
            fates = [
                (_fate(name, record)[0], _away(ledger, record)) for name, record in sorted(ledger.packages.items())
            ]
            return Done(
                [said for said, away in fates if not away], [], tuple(away.told for _said, away in fates if away)
            )
        changes, errors = [], []
        with locked(owner):
            ledger = _ledger(owner)
            for name, record in sorted(ledger.packages.items()):
                said, previous = _fate(name, record)
                try:
                    if "directory" in record:
                        _remove(ledger, [record["directory"]])
                    else:
                        _give_back(name, record, previous, _settings(owner, options))
                        del ledger.packages[name]
                        _finish(ledger, ledger.directories)
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
            if any(_is_linked(directory, link) for directory in _directories(ledger)):
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
    ours = found is not None and any(_is_below(found.path, directory) for directory in _directories(ledger))
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
    records = [record for record in ledger.packages.values() if record.get("directory") == one.directory]
    complete = any(record.get("complete") for record in records)
    whole = one.agent.source.installed_version(one.directory) == one.version
    return complete and whole and os.access(one.program, os.X_OK)


def _settings(owner: Owner, options: Options) -> Settings:
    """Raises OperatorError for certificates that cannot be read."""
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
    )


# -- directories -------------------------------------------------------------------------------------------------------


def _ledger(owner: Owner) -> Ledger:
    """To read, with our directories in it even when it was lost."""
    ledger = Ledger.load(owner)
    if ledger.is_new:
        _trace_directories(ledger)
    return ledger


def _trace_directories(ledger: Ledger) -> None:
    tree = os.path.join(ledger.owner.prefix, *_TREE)
    for name, agent in AGENTS.items():
        for version in _names(os.path.join(tree, name)):
            directory = os.path.join(tree, name, version)
            if directory not in _directories(ledger):
                # Nothing is linked to before it is complete.
                whole = _is_linked(directory) and agent.source.installed_version(directory) == version
                ledger.packages[_key(ledger, name, version)] = _record(version, directory, whole)


def _record(version: str, directory: str, complete: bool) -> dict[str, Any]:
    return {"version": version, "directory": directory, "complete": complete}


def _key(ledger: Ledger, agent: str, version: str) -> str:
    """A free name in the ledger: one agent may have several versions there, and a version several directories."""
    names = [f"{agent}/{version}", *(f"{agent}/{version}/{number}" for number in range(2, len(ledger.packages) + 3))]
    return next(name for name in names if name not in ledger.packages)


def _directories(ledger: Ledger) -> list[str]:
    return [record["directory"] for record in ledger.packages.values() if "directory" in record]


def _fetch(owner: Owner, one: _Program, settings: Settings) -> None:
    """Raises OperatorError. The ledger knows the directory then, which must be removed."""
    ledger = _ledger(owner)
    if os.path.lexists(one.directory):
        _remove(ledger, [one.directory])
    parent = os.path.dirname(one.directory)
    ledger.directories.extend(path for path in _not_there(parent) if path not in ledger.directories)
    key = _key(ledger, one.agent.name, one.version)
    ledger.packages[key] = _record(one.version, one.directory, complete=False)
    ledger.save()
    files.make_directories(parent, owner)
    one.agent.source.fetch(
        one.version, one.directory, settings, _locks().get(f"{one.agent.source.package}@{one.version}")
    )
    one.agent.source.try_out(one.program, settings)
    ledger.packages[key]["complete"] = True
    ledger.save()


def _locks() -> Mapping[str, Any]:
    """By package and version: the packages of a known version, with their digests. Raises LibraryNeeded."""
    locks: Mapping[str, Any] = library("locks").LOCKS
    return locks


def _remove(ledger: Ledger, directories: list[str]) -> None:
    """Remove directories of ours, and what was made above them and is empty now."""
    for directory in directories:
        record = {key: one for key, one in ledger.packages.items() if one.get("directory") == directory}
        away = _away(ledger, {"directory": directory})
        if away is not None:
            raise away
        if any(one.get("complete") for one in record.values()):
            for one in record.values():
                one["complete"] = False
            ledger.save()  # a run that is killed from here on leaves a part of it
        try:
            if os.path.lexists(directory):
                shutil.rmtree(directory)
        except OSError as error:
            raise files.unusable(error, error.filename or directory, "removed") from None
        for key in record:
            del ledger.packages[key]
        agent = os.path.dirname(directory)
        above = [one for one in ledger.directories if _is_below(path=directory, directory=one)]
        _finish(ledger, [*above, agent, os.path.dirname(agent)])


def _away(ledger: Ledger, record: Mapping[str, Any]) -> files.Away | None:
    """Why a directory of ours that is not there may still be somewhere."""
    directory = record.get("directory")
    return None if directory is None or os.path.lexists(directory) else ledger.away(directory)


def _finish(ledger: Ledger, emptied: list[str]) -> None:
    ledger.remove_directories(emptied)
    ledger.save()


def _unlinked(ledger: Ledger) -> list[str]:
    return [directory for directory in _directories(ledger) if not _is_linked(directory)]


def _is_linked(directory: str, link: str = "") -> bool:
    """Whether the command beside it (or this link) leads into a directory of ours."""
    prefix, name = directory, os.path.basename(os.path.dirname(directory))
    for _level in range(len(_TREE) + 2):
        prefix = os.path.dirname(prefix)
    if not link and name in AGENTS:
        link = os.path.join(prefix, "bin", AGENTS[name].command)
    return os.path.islink(link) and _is_below(link, directory)


def _is_below(path: str, directory: str) -> bool:
    return os.path.realpath(path).startswith(os.path.join(os.path.realpath(directory), ""))


def _not_there(directory: str) -> list[str]:
    missing = []
    while not os.path.isdir(directory) and directory != os.path.dirname(directory):
        missing.append(directory)
        directory = os.path.dirname(directory)
    return missing


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


# -- the way back of what npm had installed globally, before there were directories of our own -------------------------


def _fate(name: str, record: Mapping[str, Any]) -> tuple[str, str]:
    """What becomes of a package, in words, and the version that is brought back."""
    agent = AGENTS.get(name.partition("/")[0])
    title, version = (agent.title if agent else name), record["version"]
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
    needed = agent.source.needed(str(version), _settings(examination.owner, examination.options))
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
    check, found = ("Dependencies", f"{one.agent.title} on PATH"), one.found
    if not path or found is None:
        return  # the shell does not tell
    directory = os.path.dirname(found.path)
    first = shutil.which(one.agent.command, path=path)
    way_out = f'Put it in front, for example in ~/.profile: PATH="{directory}:$PATH"'
    if first is None:
        yield Check(*check, WARN, f"{directory} is not on this user's PATH", way_out)
    elif os.path.realpath(first) != os.path.realpath(found.path):
        version = one.agent.found_at(first).version
        said = f"{first} ({version or 'of unknown version'}) comes before {found.path} on this user's PATH"
        if one.agent.accepts(version):
            yield Check(*check, WARN, said, f"Remove the former, or: {way_out}")
        else:
            yield Check(
                *check, FAIL, f"{said}, and does not work with a workspace", f"Remove the former, or: {way_out}"
            )
