# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an agent's file has to answer."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..engine.documents import FORMATS, Document, KeyPath
from ..engine.owner import Owner
from ..engine.ownership import Wanted
from ..errors import OperatorError
from .programs import USUAL_DIRECTORIES, directories_of_managers, given_directories
from .shapes import Misfit, misfits
from .sources import Source

COMPONENT = "agent_settings"
"""Of every agent's documents: the part that they belong to."""

OPUS, SONNET, HAIKU = "databricks-claude-opus-4-6", "databricks-claude-sonnet-4-6", "databricks-claude-haiku-4-5"
"""What agents ask for that take any model, by the names of serving endpoints."""

CLAUDE_MODELS = {"default": OPUS, "sonnet": SONNET, "haiku": HAIKU}
CLAUDE_SLOTS = {
    "default": "The model that a session begins with.",
    "sonnet": "Another that its list of models offers.",
    "haiku": "Another that its list of models offers.",
}
"""For an agent whose list of models is what the operator has chosen."""

CODING_AGENT_HEADER = ("x-databricks-use-coding-agent-mode", "true")
WHY_CODING_AGENT_HEADER = "The workspace counts the request as a coding agent's."

NODE_AUTHORITY = "NODE_EXTRA_CA_CERTS"
"""The variable in which Node.js takes the authorities that it is to trust beside its own."""

_MOST_DIGITS = 18
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
    other_names: Mapping[str, str] = {}
    """By its choices, other names of models that nobody chose: as good, where one is in the settings already."""
    ca_file: str | None = None
    proxy: str | None = None
    no_proxy: str | None = None
    searches: bool = False
    """Whether its search of the web works, because the relay does it."""
    own: Mapping[str, Any] = {}
    """This agent's own options (:attr:`Agent.own_options`), without its name in front."""
    session_command: str = ""
    """The start of the commands that the relay wants to be called as a session begins and ends (``session-start``, ``session-end``);
    empty where there is no such relay.
    """
    skills: bool = False
    """Whether skills of ours stand in its place for them: there are places of which an agent has to be told."""


class Launch(NamedTuple):
    """What an agent needs in its environment, where its files cannot say it: a command of ours starts it so."""

    environment: Mapping[str, str] = {}
    token_variables: tuple[str, ...] = ()
    """These hold a token that is fresh as the agent starts, for agents that read it once."""
    unset: tuple[str, ...] = ()
    """What a shell may export, and would outrank the rest."""
    first_directories: Mapping[str, tuple[str, str]] = {}
    """By variable that is a list of directories: the one that comes first in it, and what stands between two."""
    arguments: tuple[str, ...] = ()
    """Before those that the person gives."""
    bare_commands: tuple[str, ...] = ()
    """First words of the person's with which these arguments do not go."""


class SkillPlace(NamedTuple):
    """Where an agent finds skills: directories that have a ``SKILL.md`` each."""

    directory: str
    takes_plugins: bool = False
    """Whether a directory in it may be a plugin, whose skills bear its name."""
    permission: str = ""
    """What a skill says to let the agent run ``COMMAND`` without asking the person; empty where it asks them by its own rules."""
    older_registry: str = ""
    """A file of the agent's in which an older script has registered skills, in a form that the agent does not read."""


def shared_skills(owner: Owner) -> SkillPlace:
    """Where several agents look below each home. For all users of a host there is no such place: each agent is told of ours."""
    home = os.path.join(owner.home, ".agents")
    return SkillPlace(os.path.join(owner.data if owner.is_machine else home, "skills"))


def machine_directory(linux: str, darwin: str) -> str:
    """Where an agent reads what is for all users, on the system that we are on."""
    return darwin if sys.platform == "darwin" else linux


def network_variables(options: AgentOptions, authority: str = NODE_AUTHORITY) -> dict[str, str]:
    """How a program finds its way to the workspace, where more is named than the URL. ``authority``: its variable for that."""
    named = {authority: options.ca_file, "HTTPS_PROXY": options.proxy, "NO_PROXY": options.no_proxy}
    return {name: value for name, value in named.items() if value}


def network_reasons(authority: str = NODE_AUTHORITY) -> dict[KeyPath, str]:
    """Why each of those is set, for the documentation."""
    return {
        (authority,): "The private certificate authority, where one is named.",
        ("HTTPS_PROXY",): "The way to the workspace, where a proxy is named.",
        ("NO_PROXY",): "What the proxy is not for.",
    }


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
    other_commands: tuple[str, ...] = ()
    """By which older tools started it: a shell's function of such a name is taken over, and a command of ours takes its place."""
    source: Source
    """Where its program comes from."""
    pinned_version = ""
    """What is installed when the operator names no version: the one that our tests prompt."""
    minimum_version = ""
    denied_versions: tuple[str, ...] = ()
    dialects: tuple[str, ...] = ()
    """The wire dialects that it speaks: their base URLs must be known."""
    listings: Mapping[str, str] = {}
    """By dialect: the path below a gateway's base URL that lists what can be asked. Where it answers, the gateway is there."""
    model_defaults: Mapping[str, str] = {}
    """By choice of a model: what it is without the operator's word."""
    model_slots: Mapping[str, str] = {}
    """By choice of a model: what it is for, in one sentence."""
    reasons: Mapping[KeyPath, str] = {}
    """Why each key of its documents is written, for the documentation."""
    searches_by_vendor = False
    """Whether it has a tool that its model's vendor would run, and that the relay can run in its place."""
    reads_token_once = False
    """Whether it comes to no new token by itself: then its sessions end with the token, unless there is a relay."""
    renewal = ""
    """How it comes to a new token, in one sentence."""
    measured = ""
    """What was measured with which version, in one sentence."""
    owns_machine_file = False
    """Whether its vendor has a directory for files of several managers: then the machine has a main document of ours alone."""
    machine_scope = ""
    """What there is to know of it where it is set for all users of a host, in one or two sentences; empty where it cannot be."""
    no_machine_scope = "nobody has tried it"
    """Why it cannot, as a clause."""
    own_options: Mapping[str, Mapping[str, Any]] = {}
    """Options that only this agent knows, by a name without the agent's: an argument specification each, with ``description`` (a
    list of sentences) and ``example`` (a value as it stands in YAML).
    """
    element_lists: frozenset[KeyPath] = frozenset()
    """Lists of the main document that the operator's extra settings add to; any other list is one value, set as a whole."""

    shape: Any = {}
    """Of the main document: another shape, and the agent does what ``misfit_effect`` says. An empty one judges nothing."""

    deciding: frozenset[KeyPath] = frozenset()
    """Of the main document, the keys that say where requests go, with what token, and to which model: who sets another value in a file
    for all users of the host takes the agent away from the workspace. Not of an agent that judges such files itself.
    """

    misleading: Mapping[str, str] = {}
    """Variables that do not outrank the settings, and mislead a person all the same: what comes of each, as a clause."""

    misfit_effect = "drops the whole file"
    """What the agent does with a value of another shape."""

    def documents(self, options: AgentOptions) -> list[Wanted]:
        """The agent's documents in writing order. The last is the main one: what extra settings go into. An agent that takes all from
        its environment has none.

        Raises OperatorError for an own option that does not fit this host.
        """
        raise NotImplementedError

    def main_document(self, options: AgentOptions) -> Wanted | None:
        """The last of its documents, if it has any."""
        return next(reversed(self.documents(options)), None)

    def launch(self, options: AgentOptions) -> Launch | None:
        """What has to be in the agent's environment as it starts; None for an agent that finds all in its files."""
        return None

    def skill_place(self, owner: Owner) -> SkillPlace | None:
        """Where it finds skills; None where it has no such place, or none is known."""
        return None

    def usual_files(self, owner: Owner) -> dict[str, str]:
        """Where the agent's documents usually are, and their formats: for an uninstall that has no ledger."""
        return {}

    @property
    def needs_libraries(self) -> bool:
        """Whether one of those formats is read with a parser that hosts may lack."""
        return any(FORMATS[kind].library for kind in self.usual_files(Owner("", -1, -1, "/")).values())

    def known_as_ours(self, document: Document, token_helper: str) -> list[KeyPath]:
        """The keys in one of those documents that can only be ours. For an uninstall that has no ledger.

        Of TOML and YAML, only documents that name something of ours are asked.
        """
        return []

    def with_helper(self, token_helper: str, **more: Any) -> AgentOptions:
        """Options of which no more than the helper is known: which keys are ours depends on nothing else."""
        nowhere = Owner("", 0, 0, "/")
        return AgentOptions(nowhere, "", dict.fromkeys(self.dialects, ""), token_helper, 0, **more)

    def outranking(self, settings: Mapping[str, Any]) -> tuple[str, ...]:
        """The variables of an environment that would keep the agent from obeying these settings, its main document."""
        return ()

    def problems(self, options: AgentOptions, environment: Mapping[str, str], version: str) -> list[Problem]:
        """What the doctor should say about this host's environment and files, beyond drift and what is outranking.

        ``version`` is that of the program that stands there, if it is known.
        """
        return []

    def misfits(self, settings: Mapping[str, Any]) -> list[Misfit]:
        """The values for which the agent would drop its whole main document."""
        return list(misfits(settings, self.shape))

    def troubles(self, options: AgentOptions, settings: Mapping[str, Any]) -> list[Problem]:
        """What in the main document, beside our own keys, keeps the agent from answering: for the doctor and the rollout."""
        return [
            Problem("FAIL", f"{one}, else {self.title} {self.misfit_effect}", "Correct it, or take it out")
            for one in self.misfits(settings)
        ]

    def prompt_command(self, program: str, prompt: str) -> list[str]:
        """argv for one prompt without a terminal."""
        raise NotImplementedError

    prompt_environment: Mapping[str, str] = {}
    """For that prompt: what makes the agent give up within seconds."""

    prompt_tokens = 0
    """How many tokens the doctor's prompt may cost, with what the agent sends beside it: measured, and rounded up."""

    def reply(self, stdout: str) -> str:
        """What the agent answered to it."""
        return stdout.strip()

    def tokens(self, stdout: str, stderr: str) -> int | None:
        """How many tokens it cost; None where the agent does not tell."""
        return None

    def reason(self, stdout: str, stderr: str) -> str:
        """Why a prompt was not answered, from what the agent said: on one line."""
        return " ".join(f"{stdout}\n{stderr}".split())

    def models(self, chosen: Mapping[str, str]) -> dict[str, str]:
        """The models in force: what the operator chose over our defaults."""
        return {**self.model_defaults, **{slot: model for slot, model in chosen.items() if model}}

    def own(self, options: AgentOptions, name: str) -> Any:
        """The value of one of the agent's own options."""
        return options.own.get(name, self.own_options[name].get("default"))

    def find_cli(self, owner: Owner, prefix: str, environment: Mapping[str, str]) -> FoundCli | None:
        """The agent's program: in our prefix, else on PATH, in the usual places and those of version managers. Never starts it."""
        if owner.is_machine:
            # What root has on PATH or at home is nothing that everybody can start.
            directories = [os.path.join(prefix, "bin"), *USUAL_DIRECTORIES]
        else:
            own = [os.path.join(owner.home, ".local", "bin"), os.path.join(owner.home, "bin")]
            managed = directories_of_managers(owner.home, environment)
            given = given_directories(environment)
            directories = [os.path.join(prefix, "bin"), *own, *given, *USUAL_DIRECTORIES, *managed]
        directories = [one for one in directories if os.path.normpath(one) != owner.launchers]
        program = shutil.which(self.command, path=os.pathsep.join(directories))
        return None if program is None else self.found_at(program)

    def found_at(self, program: str) -> FoundCli:
        """What a program is, wherever it stands."""
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
    """``2.1.197`` as numbers; a pre-release counts as its release. What is no number of a version, which files may hold, is 0."""
    numbers = []
    for part in version.split("-")[0].split("."):
        numbers.append(int(part) if part.isascii() and part.isdigit() and len(part) <= _MOST_DIGITS else 0)
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
