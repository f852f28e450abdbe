# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claude Code: all that this collection knows about it. Measured with 2.1.331 and 2.1.197 unless said."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Mapping
from typing import Any

from .. import careful
from ..engine.documents import MISSING, Document, KeyPath
from ..engine.owner import Owner
from ..engine.ownership import Wanted
from ..errors import OperatorError
from ..places import DATA_DIRECTORY, machine_places
from . import claude_code_managed, claude_code_projects
from .base import (
    CODING_AGENT_HEADER,
    COMPONENT,
    HAIKU,
    OPUS,
    SONNET,
    WHY_CODING_AGENT_HEADER,
    Agent,
    AgentOptions,
    FoundCli,
    Problem,
    SkillPlace,
    machine_directory,
    network_reasons,
    network_variables,
)
from .claude_code_managed import refused_models
from .claude_code_settings import SETTINGS
from .source_npm import Npm

_TOKEN: KeyPath = ("env", "ANTHROPIC_AUTH_TOKEN")

_NEUTRALIZED = (
    "ANTHROPIC_AUTH_TOKEN",  # wins over apiKeyHelper in the Authorization header
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CODE_USE_FOUNDRY",
    "CLAUDE_CODE_USE_MANTLE",
    "CLAUDE_CODE_USE_ANTHROPIC_AWS",
)
"""What a shell exports of these is without effect while they stand in the settings with nothing in them (2.1.197, 2.1.331)."""

_OUTRANKING = (
    "CLAUDE_CODE_SIMPLE",  # reads no settings file
    "CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST",
    "ANTHROPIC_UNIX_SOCKET",
)
"""Of these, even nothing in the settings does not help, or not for all versions."""

_EMPTY = "Empty: what a shell exports of it would outrank the token helper or the workspace, and is without effect so."
_MODEL_VARIABLES = {
    "default": "ANTHROPIC_MODEL",
    "opus": "ANTHROPIC_DEFAULT_OPUS_MODEL",
    "sonnet": "ANTHROPIC_DEFAULT_SONNET_MODEL",
    "haiku": "ANTHROPIC_DEFAULT_HAIKU_MODEL",
}
_OLDER_NAMES = ("ANTHROPIC_SMALL_FAST_MODEL",)  # of ANTHROPIC_DEFAULT_HAIKU_MODEL

_DISCOVERY = "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY"
"""By itself: CLAUDE_CODE_USE_GATEWAY, which others set beside it, is not needed (2.1.331)."""

_NO_BETAS = "CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS"
_MAX_RETRIES = "3"
"""Of its own it tries ten times and more: three minutes before a person hears that the sign-in is over, or that a grant is missing.
So it is 4 (2.1.197) or 9 seconds (2.1.331), and three refusals in a row of a busy workspace (429, 5xx) cost no prompt. With 1, two do.
"""

_HOME = "home"
_MACHINE_NAME = "50-fmapi-coding-agents.json"
_NOISE = re.compile(r"doesn't recognize the model|^\[claude-code:unrecognized_model\]")
"""It knows the names of its vendor's models only: what it says of others is no reason."""

_SESSION_HOOKS = (("SessionStart", "startup", "session-start", 15), ("SessionEnd", "*", "session-end", 5))
"""Event, which of its kinds, what our command does then, and for how many seconds at most."""


class ClaudeCode(Agent):
    name = "claude_code"
    title = "Claude Code"
    command = "claude"
    # The shell functions of the script fmapi-codingagent-setup, by the age of the script.
    other_commands = ("claude_fmapi", "dbx-fmapi-claude", "fmapi-claude")
    # Its package asks for Node.js 22, and does not run on it: with 20 it is installed, and answers.
    source = Npm("@anthropic-ai/claude-code", needs_scripts=True)  # a script puts the program in place
    pinned_version = "2.1.331"
    minimum_version = "2.1.83"
    # 2.1.265 to 2.1.267 send what a gateway refuses (a tool schema, a forced sign-in); reported, not measured.
    denied_versions = ("2.1.265", "2.1.266", "2.1.267")
    dialects = ("anthropic",)
    listings = {"anthropic": "/v1/models"}
    model_defaults = {"default": OPUS, "opus": OPUS, "sonnet": SONNET, "haiku": HAIKU}
    model_slots = {
        "default": "The model that a session begins with.",
        "opus": "The model behind the alias opus.",
        "sonnet": "The model behind the alias sonnet.",
        "haiku": "The model behind the alias haiku, also used for small tasks in the background.",
    }
    reasons = {
        ("hasCompletedOnboarding",): "A theme picker would block the first start.",
        ("apiKeyHelper",): "The command that prints a token: no token stands in the settings.",
        (
            "permissions",
            "deny",
        ): "Gateways refuse the vendor's web search; only the bare name C(WebSearch) removes the tool. Left out where the "
        "relay searches (C(coding_agents_web_search)).",
        **{("hooks", event): "Where it uses the relay: that counts the session." for event, *_rest in _SESSION_HOOKS},
        ("env", "ANTHROPIC_BASE_URL"): "Requests go to the workspace.",
        ("env", "ANTHROPIC_MODEL"): "The model that a session begins with.",
        ("env", "ANTHROPIC_DEFAULT_OPUS_MODEL"): "The vendor's names of models mean nothing to a workspace.",
        ("env", "ANTHROPIC_DEFAULT_SONNET_MODEL"): "The vendor's names of models mean nothing to a workspace.",
        ("env", "ANTHROPIC_DEFAULT_HAIKU_MODEL"): "The vendor's names of models mean nothing to a workspace.",
        ("env", "ANTHROPIC_CUSTOM_HEADERS"): WHY_CODING_AGENT_HEADER,
        ("env", "CLAUDE_CODE_API_KEY_HELPER_TTL_MS"): "How long a token is kept before the helper is asked again.",
        (
            "env",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
        ): "Else it talks to its vendor in the background, and updates itself.",
        (
            "env",
            "CLAUDE_CODE_MAX_RETRIES",
        ): "Else it tries for minutes before it says that a sign-in is over or a grant is missing.",
        ("env", "CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS"): "Gateways may refuse experimental headers.",
        ("env", _DISCOVERY): "It asks the gateway which models there are, as it starts.",
        **{("env", name): _EMPTY for name in _NEUTRALIZED},
        **{("env", *key): why for key, why in network_reasons().items()},
    }
    renewal = (
        "It runs the token helper again when the time to live has passed, and at once after HTTP 401; since 2.1.331 "
        "after 403, too."
    )
    measured = (
        "With 2.1.331: first answer, expired tokens in a long session at 401 and 403, refused models. With 2.1.197, too: "
        "first answer, an expired token, what a shell exports, settings that are dropped, managed files. "
        "With 2.1.332: the first answer, a busy workspace and a model that is gone."
    )

    own_options = {
        "settings_location": {
            "type": "str",
            "default": _HOME,
            "description": [
                "V(home), or the absolute path of an existing directory whose C(.claude/settings.json) is written instead.",
            ],
            "example": _HOME,
        },
        "experimental_betas": {
            "type": "bool",
            "default": False,
            "description": ["Whether Claude Code may send its experimental beta headers. Gateways may refuse them."],
            "example": "true",
        },
        "gateway_model_discovery": {
            "type": "bool",
            "default": False,
            "description": [
                "Whether Claude Code asks the gateway as it starts which models there are (C(/v1/models)), and keeps the list in "
                "C(~/.claude/cache/gateway-models.json), for its list of models.",
                "Measured with 2.1.331: also before a prompt with C(-p), which is answered where there is no list, too. 2.1.197 "
                "did not ask there. What the list of models shows of it was not measured.",
            ],
            "example": "true",
        },
    }

    owns_machine_file = True
    searches_by_vendor = True
    machine_scope = (
        "It reads C(managed-settings.d/50-fmapi-coding-agents.json) for every user; that wins over a user's own settings. "
        "Before its first session in a terminal, it asks each user for a theme."
    )

    misleading = {
        "ANTHROPIC_API_KEY": "in a terminal Claude Code asks whether to use that key instead of the workspace"
    }
    shape = SETTINGS
    element_lists = frozenset(("permissions", name) for name in ("allow", "ask", "deny", "additionalDirectories"))

    def documents(self, options: AgentOptions) -> list[Wanted]:
        state = Wanted(
            path=os.path.join(options.owner.home, ".claude.json"),
            format="json",
            component=COMPONENT,
            values={("hasCompletedOnboarding",): True},  # else a theme picker blocks the first start
            mode=0o600,
        )
        settings = Wanted(
            path=self._settings_file(options),
            format="json",
            component=COMPONENT,
            values=self._values(options),
            as_good={("env", _MODEL_VARIABLES[slot]): name for slot, name in options.other_names.items()},
            elements={
                # Only the bare name removes the tool, which gateways refuse.
                **({} if options.searches else {("permissions", "deny"): ("WebSearch",)}),
                **_session_hooks(options.session_command),
            },
            superseded=tuple(("env", name) for name in self._superseded(options)),
            forget=_databricks_token,
            mode=0o644,
        )
        return [settings] if options.owner.is_machine else [state, settings]

    def _values(self, options: AgentOptions) -> dict[KeyPath, Any]:
        return {
            # Run as /bin/sh -c, so a path with a space needs its quotes.
            ("apiKeyHelper",): shlex.quote(options.token_helper),
            **{("env", name): value for name, value in self._environment(options).items()},
            **{("env", name): "" for name in _NEUTRALIZED},
        }

    def _environment(self, options: AgentOptions) -> dict[str, str]:
        models = self.models(options.models)
        environment = {
            "ANTHROPIC_BASE_URL": options.base_urls["anthropic"],
            **{variable: models[slot] for slot, variable in _MODEL_VARIABLES.items()},
            "ANTHROPIC_CUSTOM_HEADERS": ": ".join(CODING_AGENT_HEADER),
            "CLAUDE_CODE_API_KEY_HELPER_TTL_MS": str(options.token_ttl_minutes * 60_000),
            # Else it talks to api.anthropic.com in the background, and updates itself away from the pinned version.
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "CLAUDE_CODE_MAX_RETRIES": _MAX_RETRIES,
        }
        if not self.own(options, "experimental_betas"):
            environment[_NO_BETAS] = "1"
        if self.own(options, "gateway_model_discovery"):
            environment[_DISCOVERY] = "1"
        return {**environment, **network_variables(options)}

    def _superseded(self, options: AgentOptions) -> list[str]:
        return [*_OUTRANKING, *_OLDER_NAMES, *([_NO_BETAS] if self.own(options, "experimental_betas") else [])]

    def _settings_file(self, options: AgentOptions) -> str:
        """Raises OperatorError for a place that is not there: a whole tree by a mistyped name would help nobody."""
        if options.owner.is_machine:
            return _machine_file()
        directory, home = str(self.own(options, "settings_location")), options.owner.home
        if directory == _HOME:
            return os.path.join(home, ".claude", "settings.json")
        if directory == "~" or directory.startswith("~/"):
            directory = home + directory[1:]  # the owner's, whoever runs this
        where = f"coding_agents_{self.name}_settings_location {directory}"
        way_out = "Name an existing directory, or home"
        if not os.path.isabs(directory):
            raise OperatorError("is neither the word home nor an absolute path", where, way_out)
        if not os.path.isdir(directory):
            raise OperatorError("is no directory on this host", where, way_out)
        directory = os.path.normpath(directory)
        _refuse_hostile(directory, options.owner, where)
        return os.path.join(directory, ".claude", "settings.json")

    def skill_place(self, owner: Owner) -> SkillPlace:
        """A plugin is found in a home only. An earlier script's registration is found nowhere (both with 2.1.331)."""
        permission = "Bash(COMMAND)"
        if owner.is_machine:
            directory = os.path.join(machine_directory(*claude_code_managed.DIRECTORIES), ".claude", "skills")
            return SkillPlace(directory, permission=permission)
        place = os.path.join(owner.home, ".claude")
        registry = os.path.join(place, "plugins", "installed_plugins.json")
        return SkillPlace(os.path.join(place, "skills"), True, permission, registry)

    def usual_files(self, owner: Owner) -> dict[str, str]:
        if owner.is_machine:
            return {_machine_file(): "json"}
        return {os.path.join(owner.home, ".claude", "settings.json"): "json"}

    def known_as_ours(self, document: Document, token_helper: str) -> list[KeyPath]:
        if document.get(("apiKeyHelper",)) != shlex.quote(token_helper):
            return []
        # Without a proxy: that is the same for the person's other programs, and may have been theirs.
        known = list(self._values(self.with_helper(token_helper, ca_file="any", own={"gateway_model_discovery": True})))
        # In a person's own file, the list may be theirs.
        is_machine = os.path.dirname(token_helper) == machine_places().data
        return [*known, ("permissions", "deny")] if is_machine else known

    def outranking(self, settings: Mapping[str, Any]) -> tuple[str, ...]:
        environment = settings.get("env")
        present = environment if isinstance(environment, dict) else {}
        return ("CLAUDE_CONFIG_DIR", *_OUTRANKING, *(name for name in _NEUTRALIZED if present.get(name) != ""))

    def troubles(self, options: AgentOptions, settings: Mapping[str, Any]) -> list[Problem]:
        found = super().troubles(options, settings)
        refused = refused_models(
            {"availableModels": settings.get("availableModels")}, [*self.models(options.models).values()]
        )
        if refused:
            what = f"availableModels does not list {', '.join(refused)}, so Claude Code asks for another model"
            found.append(Problem("FAIL", what, "List them, or take availableModels out"))
        return found

    def problems(self, options: AgentOptions, environment: Mapping[str, str], version: str) -> list[Problem]:
        models = list(self.models(options.models).values())
        outranking = (*_NEUTRALIZED, *_OUTRANKING)
        ours, settings_file = self._environment(options), self._settings_file(options)
        managed = claude_code_managed.problems(
            ours, options.token_helper, models, outranking, version or self.pinned_version
        )
        return [
            *_proxy_problems(options, environment),
            *managed,
            *claude_code_projects.problems(
                options.owner.home, settings_file, ours["ANTHROPIC_BASE_URL"], options.token_helper, _leads_away
            ),
            *_leftovers(settings_file),
        ]

    prompt_tokens = 1_000

    def prompt_command(self, program: str, prompt: str) -> list[str]:
        # No server, hook or setting of a project: there is none, and none is to be found above either.
        own = ["--setting-sources", "user", "--strict-mcp-config"]
        # Of the 22 000 tokens that it would have the model read, its own instructions and the tools are all but 400.
        own += ["--tools", "", "--system-prompt", "Answer briefly.", "--output-format", "json"]
        return [program, "-p", prompt, "--max-turns", "1", *own]

    prompt_environment = {"CLAUDE_CODE_MAX_RETRIES": "1"}

    def reply(self, stdout: str) -> str:
        result = _result(stdout).get("result")
        return result if isinstance(result, str) else super().reply(stdout)

    def tokens(self, stdout: str, stderr: str) -> int | None:
        usage = _result(stdout).get("usage")
        counts = [count for name, count in usage.items() if name.endswith("_tokens")] if isinstance(usage, dict) else []
        return sum(one for one in counts if isinstance(one, int)) or None

    def reason(self, stdout: str, stderr: str) -> str:
        lines = [line for line in f"{self.reply(stdout)}\n{stderr}".splitlines() if not _NOISE.search(line)]
        return " ".join(" ".join(lines).split())

    def _other_install(self, program: str) -> FoundCli:
        """Anthropic's own installer links ``~/.local/bin/claude`` to ``~/.local/share/claude/versions/VERSION``."""
        version = os.path.basename(os.path.realpath(program))
        known = re.fullmatch(r"\d+\.\d+\.\d+", version) is not None
        return FoundCli(program, version, "installer") if known else super()._other_install(program)


def _leads_away(variable: str, value: object) -> bool:
    return variable in _NEUTRALIZED and claude_code_managed.is_on(value)


def _leftovers(path: str) -> list[Problem]:
    """Hooks of a proxy on the host, which nothing asks any more."""
    hooks = json.dumps(claude_code_projects.read_object(path).get("hooks"))
    if "databricks-claude hooks" not in hooks:
        return []
    what = f"{path} has hooks of databricks-claude, which start a proxy that nobody asks any more"
    return [Problem("WARN", what, "Take them out: databricks-claude --uninstall-hooks")]


def _result(stdout: str) -> dict[str, Any]:
    """What a prompt without a terminal ended with; nothing where it said something else."""
    try:
        found = json.loads(stdout)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _machine_file() -> str:
    return os.path.join(machine_directory(*claude_code_managed.DIRECTORIES), "managed-settings.d", _MACHINE_NAME)


def _refuse_hostile(directory: str, owner: Owner, where: str) -> None:
    """Raises OperatorError where somebody else decides what stands in the directory, or a file of a repository leads out of it.

    In a home, links are its owner's way to have their settings elsewhere. Here they may have come with what was cloned: to follow one
    would put our text, and a copy of what stands there, wherever it says.
    """
    try:
        weak = careful.weak_spot(directory, owner.uid)
        weak = weak or careful.weak_spot(os.path.join(directory, ".claude"), owner.uid)
        found = os.listdir(os.path.join(directory, ".claude")) if weak is None else []
    except FileNotFoundError:
        return
    except OSError as error:
        raise OperatorError(f"cannot be looked at ({error.strerror})", where, "Name another directory") from None
    if weak is not None:
        raise OperatorError(
            f"would be written to with the rights of {owner.user}, and others could say where to: "
            f"{careful.told(weak, owner.uid)}",
            where,
            f"Name a directory that belongs to {owner.user}, or: {careful.way_out(weak, owner.uid)}",
        )
    ours = [".claude", *(os.path.join(".claude", name) for name in found if "settings.json" in name)]
    for name in ours:
        path = os.path.join(directory, name)
        if os.path.islink(path):
            target = careful.line(os.readlink(path))
            raise OperatorError(f"holds the symbolic link {name} to {target}", where, "Remove the link, or name home")


def _proxy_problems(options: AgentOptions, environment: Mapping[str, str]) -> list[Problem]:
    """Names in capitals give way to the settings. Those in small letters, which the settings do not have, come before both."""
    if not options.proxy:
        names = [name for name in ("https_proxy", "HTTPS_PROXY") if environment.get(name)]
        said = "is set: requests to the workspace go through it"
        return [Problem("WARN", f"{name} {said}", "Check NO_PROXY, or set coding_agents_proxy") for name in names[:1]]
    return [
        Problem("WARN", f"{name} is set to something else, and outranks the settings", f"Unset {name}, or set it alike")
        for name, ours in (("https_proxy", options.proxy), ("no_proxy", options.no_proxy))
        if ours and environment.get(name, ours) != ours
    ]


def _databricks_token(document: Document, key: KeyPath) -> str | None:
    """A Databricks token in the settings is what older set-ups left: a live credential, not something to keep."""
    value = document.get(key) if key == _TOKEN else ""
    if not value:
        return None
    from ..engine.masking import is_databricks_token  # few have such a token

    url = document.get(("env", "ANTHROPIC_BASE_URL"))
    # A base URL that we have set says nothing about a token that its owner has put beside it since.
    by_another_tool = os.path.join(*DATA_DIRECTORY) not in str(document.get(("apiKeyHelper",)))
    databricks_url = url is not MISSING and re.search(r"/serving-endpoints/|ai-gateway|databricks", str(url))
    of_another = str(value).startswith("sk-")
    if is_databricks_token(value) or (by_another_tool and databricks_url and not of_another):
        return "env.ANTHROPIC_AUTH_TOKEN held a Databricks token: taken out for good, it will not be given back on uninstall"
    return None


def _session_hooks(command: str) -> dict[KeyPath, tuple[Any, ...]]:
    """What stands beside other tools' hooks, where a relay is to know of sessions."""
    if not command:
        return {}
    return {
        ("hooks", event): (
            {"matcher": matcher, "hooks": [{"type": "command", "command": f"{command} {action}", "timeout": seconds}]},
        )
        for event, matcher, action, seconds in _SESSION_HOOKS
    }


AGENT = ClaudeCode()
