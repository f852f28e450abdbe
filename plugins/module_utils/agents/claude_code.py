# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claude Code: all that this collection knows about it. Measured with 2.1.197 unless said."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Mapping
from typing import Any

from ..engine.documents import MISSING, Document, KeyPath
from ..engine.masking import is_databricks_token
from ..engine.owner import Owner
from ..engine.ownership import Wanted
from ..errors import OperatorError
from ..places import DATA_DIRECTORY
from .base import COMPONENT, Agent, AgentOptions, FoundCli, Problem
from .sources import Npm

_TOKEN: KeyPath = ("env", "ANTHROPIC_AUTH_TOKEN")

_OUTRANKING = (
    "ANTHROPIC_AUTH_TOKEN",  # wins over apiKeyHelper in the Authorization header
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CODE_USE_FOUNDRY",
    "ANTHROPIC_SMALL_FAST_MODEL",  # older name, outranks the haiku default
)

_CODING_AGENT_HEADER = "x-databricks-use-coding-agent-mode: true"
_NO_BETAS = "CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS"

_HOME = "home"
_MANAGED_SETTINGS = (
    "/etc/claude-code/managed-settings.json",
    "/Library/Application Support/ClaudeCode/managed-settings.json",
)


class ClaudeCode(Agent):
    name = "claude_code"
    title = "Claude Code"
    command = "claude"
    source = Npm("@anthropic-ai/claude-code", needs_scripts=True)  # one of them puts the program in place
    pinned_version = "2.1.197"
    minimum_version = "2.1.83"
    # 2.1.265 to 2.1.267 send what a gateway refuses (a tool schema, a forced sign-in); reported, not measured.
    denied_versions = ("2.1.265", "2.1.266", "2.1.267")
    dialects = ("anthropic",)
    model_defaults = {
        "default": "databricks-claude-opus-4-6",
        "opus": "databricks-claude-opus-4-6",
        "sonnet": "databricks-claude-sonnet-4-6",
        "haiku": "databricks-claude-haiku-4-5",
    }
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
        ): "Gateways refuse the vendor's web search; only the bare name C(WebSearch) removes the tool.",
        ("env", "ANTHROPIC_BASE_URL"): "Requests go to the workspace.",
        ("env", "ANTHROPIC_MODEL"): "The model that a session begins with.",
        ("env", "ANTHROPIC_DEFAULT_OPUS_MODEL"): "The vendor's names of models mean nothing to a workspace.",
        ("env", "ANTHROPIC_DEFAULT_SONNET_MODEL"): "The vendor's names of models mean nothing to a workspace.",
        ("env", "ANTHROPIC_DEFAULT_HAIKU_MODEL"): "The vendor's names of models mean nothing to a workspace.",
        ("env", "ANTHROPIC_CUSTOM_HEADERS"): "The workspace counts the request as a coding agent's.",
        ("env", "CLAUDE_CODE_API_KEY_HELPER_TTL_MS"): "How long a token is kept before the helper is asked again.",
        (
            "env",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
        ): "Else it talks to its vendor in the background, and updates itself.",
        ("env", "CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS"): "Gateways may refuse experimental headers.",
        ("env", "NODE_EXTRA_CA_CERTS"): "The private certificate authority, where one is named.",
        ("env", "HTTPS_PROXY"): "The way to the workspace, where a proxy is named.",
        ("env", "NO_PROXY"): "What the proxy is not for.",
    }
    renewal = "It runs the token helper again when the time to live has passed, and at once after HTTP 401."
    measured = "With 2.1.197: first answer, expired tokens in a long session at 401 and 403, refused models."

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
    }

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
            elements={
                ("permissions", "deny"): ("WebSearch",)
            },  # only the bare name removes the tool, which gateways refuse
            superseded=tuple(("env", name) for name in self._superseded(options)),
            forget=_databricks_token,
            mode=0o644,
        )
        return [state, settings]

    def _values(self, options: AgentOptions) -> dict[KeyPath, Any]:
        return {
            # Run as /bin/sh -c, so a path with a space needs its quotes.
            ("apiKeyHelper",): shlex.quote(options.token_helper),
            **{("env", name): value for name, value in self._environment(options).items()},
        }

    def _environment(self, options: AgentOptions) -> dict[str, str]:
        models = self.models(options.models)
        environment = {
            "ANTHROPIC_BASE_URL": options.base_urls["anthropic"],
            "ANTHROPIC_MODEL": models["default"],
            "ANTHROPIC_DEFAULT_OPUS_MODEL": models["opus"],
            "ANTHROPIC_DEFAULT_SONNET_MODEL": models["sonnet"],
            "ANTHROPIC_DEFAULT_HAIKU_MODEL": models["haiku"],
            "ANTHROPIC_CUSTOM_HEADERS": _CODING_AGENT_HEADER,
            "CLAUDE_CODE_API_KEY_HELPER_TTL_MS": str(options.token_ttl_minutes * 60_000),
            # Else it talks to api.anthropic.com in the background, and updates itself away from the pinned version.
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        }
        if not self.own(options, "experimental_betas"):
            environment[_NO_BETAS] = "1"
        optional = {
            "NODE_EXTRA_CA_CERTS": options.ca_file,
            "HTTPS_PROXY": options.proxy,
            "NO_PROXY": options.no_proxy,
        }
        return {**environment, **{name: value for name, value in optional.items() if value}}

    def _superseded(self, options: AgentOptions) -> list[str]:
        return [*_OUTRANKING, *([_NO_BETAS] if self.own(options, "experimental_betas") else [])]

    def _settings_file(self, options: AgentOptions) -> str:
        """Raises OperatorError for a place that is not there: a whole tree by a mistyped name would help nobody."""
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
        return os.path.join(os.path.normpath(directory), ".claude", "settings.json")

    def usual_files(self, owner: Owner) -> dict[str, str]:
        return {os.path.join(owner.home, ".claude", "settings.json"): "json"}

    def known_as_ours(self, document: Document, token_helper: str) -> list[KeyPath]:
        if document.get(("apiKeyHelper",)) != shlex.quote(token_helper):
            return []
        # Without a proxy: that is the same for the person's other programs, and may have been theirs.
        any_options = AgentOptions(Owner("", 0, 0, "/"), "", {"anthropic": ""}, token_helper, 0, ca_file="any")
        return list(self._values(any_options))

    def problems(self, options: AgentOptions, environment: Mapping[str, str]) -> list[Problem]:
        found = []
        for name in _OUTRANKING[:4]:
            if environment.get(name):
                found.append(
                    Problem(
                        "FAIL", f"{name} is set in this user's environment and outranks the settings", f"Unset {name}"
                    )
                )
        if environment.get("CLAUDE_CONFIG_DIR"):
            found.append(
                Problem(
                    "FAIL",
                    "CLAUDE_CONFIG_DIR is set: Claude Code reads its settings from there",
                    "Unset CLAUDE_CONFIG_DIR",
                )
            )
        found.extend(_proxy_problems(options, environment))
        for path in _MANAGED_SETTINGS:
            overridden = _managed_keys(path) & {"apiKeyHelper", *self._environment(options)}
            if overridden:
                found.append(
                    Problem(
                        "WARN", f"{path} overrides {', '.join(sorted(overridden))}", "Take them out, or set them alike"
                    )
                )
        return found

    def prompt_command(self, program: str, prompt: str) -> list[str]:
        return [program, "-p", prompt, "--max-turns", "1"]

    def _other_install(self, program: str) -> FoundCli:
        """Anthropic's own installer links ``~/.local/bin/claude`` to ``~/.local/share/claude/versions/VERSION``."""
        version = os.path.basename(os.path.realpath(program))
        return FoundCli(program, version if re.fullmatch(r"\d+\.\d+\.\d+", version) else "", "installer")


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
    value = document.get(key)
    url = document.get(("env", "ANTHROPIC_BASE_URL"))
    # A base URL that we have set says nothing about a token that its owner has put beside it since.
    by_another_tool = os.path.join(*DATA_DIRECTORY) not in str(document.get(("apiKeyHelper",)))
    databricks_url = url is not MISSING and re.search(r"/serving-endpoints/|ai-gateway|databricks", str(url))
    of_another = str(value).startswith("sk-")
    if key == _TOKEN and (is_databricks_token(value) or (by_another_tool and databricks_url and not of_another)):
        return "env.ANTHROPIC_AUTH_TOKEN held a Databricks token: taken out for good, it will not be given back on uninstall"
    return None


def _managed_keys(path: str) -> set[str]:
    try:
        with open(path, encoding="utf-8-sig") as stream:
            managed: Any = json.load(stream)
        return {key for key in managed if key == "apiKeyHelper"} | set(managed.get("env", {}))
    except (OSError, ValueError, AttributeError, TypeError):
        return set()
