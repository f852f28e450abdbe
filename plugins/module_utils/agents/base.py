# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an agent's file has to answer."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..engine.documents import Document, KeyPath
from ..engine.owner import Owner
from ..engine.ownership import Wanted
from ..errors import OperatorError
from .sources import Source

COMPONENT = "agent_settings"
"""Of every agent's documents: the part that they belong to."""

_USUAL_DIRECTORIES = ("/usr/local/bin", "/opt/homebrew/bin", "/usr/bin")
_VERSION = re.compile(r"[0-9]+(?:[.-][0-9A-Za-z]+)*")


class AgentOptions(NamedTuple):
    """What an agent's documents depend on."""

    owner: Owner
    workspace_url: str
    base_urls: Mapping[str, str]
    """Base URL by wire dialect, by the routing in force."""
    token_helper: str
    token_ttl_minutes: int
    models: Mapping[str, str] = {}
    """What the operator chose for this agent, by its choices."""
    ca_file: str | None = None
    proxy: str | None = None
    no_proxy: str | None = None
    own: Mapping[str, Any] = {}
    """This agent's own options (:attr:`Agent.own_options`), without its name in front."""


class FoundCli(NamedTuple):
    """An agent's program as it stands on a host, read from files: its command, version, and how it was installed."""

    path: str
    version: str
    source: str


class Problem(NamedTuple):
    """Something on the host that keeps a configured agent from answering, or may; ``severity`` is ``FAIL`` or ``WARN``."""

    severity: str
    what: str
    way_out: str


class Agent:
    """One coding agent."""

    name = ""
    title = ""
    command = ""
    source: Source
    """Where its program comes from."""
    pinned_version = ""
    """What is installed when the operator names no version: the one that our tests prompt."""
    minimum_version = ""
    denied_versions: tuple[str, ...] = ()
    dialects: tuple[str, ...] = ()
    """The wire dialects that it speaks: their base URLs must be known."""
    model_defaults: Mapping[str, str] = {}
    """By choice of a model: what it is without the operator's word."""
    model_slots: Mapping[str, str] = {}
    """By choice of a model: what it is for, in one sentence."""
    reasons: Mapping[KeyPath, str] = {}
    """Why each key of its documents is written, for the documentation."""
    renewal = ""
    """How it comes to a new token, in one sentence."""
    measured = ""
    """What was measured with which version, in one sentence."""
    own_options: Mapping[str, Mapping[str, Any]] = {}
    """Options that only this agent knows, by a name without the agent's: an argument specification each, with ``description`` (a
    list of sentences) and ``example`` (a value as it stands in YAML).
    """
    element_lists: frozenset[KeyPath] = frozenset()
    """Lists of the main document that the operator's extra settings add to; any other list is one value, set as a whole."""

    def documents(self, options: AgentOptions) -> list[Wanted]:
        """The agent's documents in writing order. The last is the main one: what extra settings go into.

        Raises OperatorError for an own option that does not fit this host.
        """
        raise NotImplementedError

    def usual_files(self, owner: Owner) -> dict[str, str]:
        """Where the agent's documents usually are, and their formats: for an uninstall that has no ledger."""
        raise NotImplementedError

    def known_as_ours(self, document: Document, token_helper: str) -> list[KeyPath]:
        """The keys in one of those documents that can only be ours. For an uninstall that has no ledger."""
        raise NotImplementedError

    def problems(self, options: AgentOptions, environment: Mapping[str, str]) -> list[Problem]:
        """What the doctor should say about this host's environment and files, beyond drift."""
        raise NotImplementedError

    def prompt_command(self, program: str, prompt: str) -> list[str]:
        """argv for one prompt without a terminal."""
        raise NotImplementedError

    def models(self, chosen: Mapping[str, str]) -> dict[str, str]:
        """The models in force: what the operator chose over our defaults."""
        return {**self.model_defaults, **{slot: model for slot, model in chosen.items() if model}}

    def own(self, options: AgentOptions, name: str) -> Any:
        """The value of one of the agent's own options."""
        return options.own.get(name, self.own_options[name].get("default"))

    def find_cli(self, owner: Owner, prefix: str, environment: Mapping[str, str]) -> FoundCli | None:
        """The agent's program: in our prefix, else on PATH and in the usual places. Never starts it."""
        ours = [os.path.join(prefix, "bin"), os.path.join(owner.home, ".local", "bin"), os.path.join(owner.home, "bin")]
        given = [one for one in environment.get("PATH", "").split(os.pathsep) if os.path.isabs(one)]
        program = shutil.which(self.command, path=os.pathsep.join([*ours, *given, *_USUAL_DIRECTORIES]))
        if program is None:
            return None
        version = self.source.version_of(program)
        return FoundCli(program, version, self.source.name) if version else self._other_install(program)

    def _other_install(self, program: str) -> FoundCli:
        return FoundCli(program, "", "unknown")

    def accepts(self, version: str) -> bool:
        """Whether this version works with a workspace; an unknown version is not judged."""
        if not version:
            return True
        return version_key(version) >= version_key(self.minimum_version) and version not in self.denied_versions


def version_key(version: str) -> tuple[int, ...]:
    """``2.1.197`` as numbers; a pre-release counts as its release."""
    numbers = []
    for part in version.split("-")[0].split("."):
        numbers.append(int(part) if part.isdigit() else 0)
    return tuple(numbers)


def check_versions(versions: Mapping[str, Any], agents: Mapping[str, Agent]) -> None:
    """Raises OperatorError for an agent that we do not know, and for what is no version or must not be installed."""
    for name, version in versions.items():
        if name not in agents:
            known = ", ".join(sorted(agents))
            raise OperatorError(f"{name} is no agent", "coding_agents_cli_versions", f"Known are: {known}")
        agent, where = agents[name], f"coding_agents_cli_versions.{name}"
        if not isinstance(version, str) or not _VERSION.fullmatch(version):
            example = agent.pinned_version
            raise OperatorError(f"{version!r} is no version", where, f"Give it like '{example}', in quotes")
        if not agent.accepts(version):
            but = f" but not {', '.join(agent.denied_versions)}" if agent.denied_versions else ""
            raise OperatorError(
                f"{agent.title} {version} does not work with a workspace",
                where,
                f"Use {agent.pinned_version}, or another from {agent.minimum_version}{but}",
            )
