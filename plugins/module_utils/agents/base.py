# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an agent's file has to answer."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ..engine.documents import Document, KeyPath
from ..engine.ownership import Wanted


@dataclass(frozen=True)
class AgentOptions:
    """What an agent's documents depend on. ``settings_directory`` is the home, or the directory the operator named."""

    home: str
    settings_directory: str
    workspace_url: str
    base_urls: Mapping[str, str]
    """Base URL by wire dialect, by the routing in force."""
    token_helper: str
    token_ttl_minutes: int
    models: Mapping[str, str] = field(default_factory=dict)
    ca_file: str | None = None
    experimental_betas: bool = False


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
    npm_package = ""
    pinned_version = ""
    """What is installed when the operator names no version: the one that our tests prompt."""
    minimum_version = ""
    denied_versions: tuple[str, ...] = ()
    model_defaults: Mapping[str, str] = {}
    element_lists: frozenset[KeyPath] = frozenset()
    """Lists of the main document that the operator's extra settings add to; any other list is one value, set as a whole."""

    def documents(self, options: AgentOptions) -> list[Wanted]:
        """The agent's documents in writing order. The last is the main one: what extra settings go into."""
        raise NotImplementedError

    def usual_files(self, home: str) -> dict[str, str]:
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

    def find_cli(self, home: str, prefix: str, environment: Mapping[str, str]) -> FoundCli | None:
        """The agent's program: in our npm prefix, else on PATH and in the usual places. Never starts it."""
        own = [os.path.join(prefix, "bin"), os.path.join(home, ".local", "bin"), os.path.join(home, "bin")]
        usual = ["/usr/local/bin", "/opt/homebrew/bin", "/usr/bin"]
        given = [one for one in environment.get("PATH", "").split(os.pathsep) if os.path.isabs(one)]
        program = shutil.which(self.command, path=os.pathsep.join([*own, *given, *usual]))
        if program is None:
            return None
        version = self._npm_version(os.path.realpath(program))
        if version:
            return FoundCli(program, version, "npm")
        return self._other_install(program)

    def installed_by_npm(self, prefix: str) -> str | None:
        """The version that npm has put into ``prefix``, or None."""
        return self._npm_version(os.path.join(prefix, "lib", "node_modules", *self.npm_package.split("/"), "program"))

    def _npm_version(self, program: str) -> str | None:
        """The version in the package.json above a program that npm installed."""
        directory = os.path.dirname(program)
        for _level in range(4):
            try:
                with open(os.path.join(directory, "package.json"), encoding="utf-8") as stream:
                    package = json.load(stream)
                if package.get("name") == self.npm_package:
                    return str(package["version"])
            except (OSError, ValueError, KeyError, AttributeError):
                pass
            directory = os.path.dirname(directory)
        return None

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
