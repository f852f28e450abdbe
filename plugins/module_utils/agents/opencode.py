# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenCode: a provider of its own in ``~/.config/opencode/opencode.json``, and a plugin that gets a token for every request to it.

It speaks all four dialects; here it is Messages, in which its file needs least. With any plugin it wants to install a package from
the npm registry as it starts, and waits for that: a setting for npm in its own directory keeps it from asking. Keys and variables:
as measured with 1.18.33.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from ..engine.documents import Document, KeyPath
from ..engine.documents.dotenv_document import DotenvDocument
from ..engine.documents.whole_file import WHOLE, WholeFile
from ..engine.owner import Owner
from ..engine.ownership import Wanted, whole_file
from .base import (
    CLAUDE_MODELS,
    CODING_AGENT_HEADER,
    COMPONENT,
    WHY_CODING_AGENT_HEADER,
    Agent,
    AgentOptions,
    Launch,
    Problem,
    SkillPlace,
    machine_directory,
    network_reasons,
    network_variables,
    shared_skills,
)
from .opencode_settings import SETTINGS
from .source_npm import Npm

_PROVIDER = "databricks"
_OURS: KeyPath = ("provider", _PROVIDER)
_PLACEHOLDER = "set-by-the-plugin-fmapi-coding-agents"
"""Without any token it begins no request. This one opens nothing, and tells that the entry is ours."""
_DIRECTORY = (".config", "opencode")
_HEADER, _ON = CODING_AGENT_HEADER
_NPM = {"offline": "true", "fetch-retries": "0"}
"""By what the operator allows, one or the other."""
_SKILLS: KeyPath = ("skills", "paths")
_CONTEXT, _OUTPUT = 200_000, 32_000
"""Of every Claude model. OpenCode, which does not know these names, would never shorten a session."""

_PLUGIN_NAME = "fmapi-coding-agents.js"
_PLUGIN = """\
// Written by fmapi.coding_agents: a fresh token for each request to the Databricks workspace, and for no other.
import {{ execFile }} from "node:child_process"

const helper = {helper}

const token = () =>
  new Promise((resolve, reject) =>
    execFile(helper, (error, stdout, stderr) =>
      error ? reject(new Error(stderr.trim() || error.message)) : resolve(stdout.trim()),
    ),
  )

const ask = async (url, request) => {{
  const headers = new Headers(request?.headers)
  headers.set("Authorization", `Bearer ${{await token()}}`)
  // Sent for its name alone, whatever is asked: gateways refuse it.
  const betas = (headers.get("anthropic-beta") ?? "").split(",").filter((one) => !one.trim().startsWith("structured-outputs-"))
  if (betas.join("")) headers.set("anthropic-beta", betas.join(","))
  else headers.delete("anthropic-beta")
  return fetch(url, {{ ...request, headers }})
}}

export default {{
  id: "fmapi-coding-agents",
  async server() {{
    return {{
      config: async (config) => {{
        const options = config.provider?.[{provider}]?.options
        // Only where the requests still go to the workspace.
        if (options?.authToken === {placeholder} && options.baseURL === {url}) options.fetch = ask
      }},
    }}
  }},
}}
"""


class OpenCode(Agent):
    name = "opencode"
    title = "OpenCode"
    command = "opencode"
    source = Npm("opencode-ai", needs_scripts=True)  # a script puts the program in place
    pinned_version = "1.18.33"
    minimum_version = "1.18.33"  # none before was tried
    dialects = ("anthropic",)
    listings = {"anthropic": "/v1/models"}
    model_defaults = CLAUDE_MODELS
    model_slots = {
        "default": "The model that a session begins with, C(databricks/default).",
        "sonnet": "Another that its list of models offers, C(databricks/sonnet).",
        "haiku": "The model for titles and other small tasks, C(databricks/haiku).",
    }
    reasons = {
        ("plugin",): "For all users of a host: where the plugin stands.",
        _SKILLS: "For all users of a host: where our skills stand.",
        (
            "npm_config_offline",
        ): "For all users of a host: else, having a plugin, it asks the npm registry as it starts.",
        ("npm_config_fetch_retries",): "Instead, where C(coding_agents_opencode_downloads) is true: it asks once.",
        WHOLE: "The plugin: it asks the token helper before every request.",
        ("OPENCODE_DISABLE_MODELS_FETCH",): "Else it asks for a list of all vendors' models as it starts.",
        ("OPENCODE_DISABLE_LSP_DOWNLOAD",): "Else it fetches language servers.",
        ("OPENCODE_CONFIG_CONTENT",): "It would come before the settings.",
        ("OPENCODE_PURE",): "It would leave out the plugin.",
        **network_reasons(),
        ("offline",): "Else, having a plugin, it asks the npm registry as it starts, and waits for the answer.",
        ("fetch-retries",): "Instead, where C(coding_agents_opencode_downloads) is true: it asks once.",
        ("autoupdate",): "Else it replaces itself by a version that nobody has tried here.",
        ("model",): "The model that a session begins with.",
        ("small_model",): "Else it may ask another provider for titles.",
        (*_OURS, "name"): "As its list of models shows it.",
        (*_OURS, "npm"): "The dialect that is spoken there: Messages. It comes with the program.",
        (*_OURS, "options", "baseURL"): "Requests go to the workspace.",
        (*_OURS, "options", "authToken"): "No token: the plugin puts one in its place. Without any it asks nothing.",
        (*_OURS, "options", "headers", _HEADER): WHY_CODING_AGENT_HEADER,
        **{
            (*_OURS, "models", slot, *key): why
            for slot in model_defaults
            for key, why in (
                (("id",), "What the workspace is asked for."),
                (("name",), "As its list of models shows it."),
                (("limit", "context"), "Else it never shortens a long session."),
                (("limit", "output"), "Goes with the former."),
                (
                    ("options", "toolStreaming"),
                    "Gateways refuse C(eager_input_streaming), a field of a tool's definition.",
                ),
            )
        },
    }
    renewal = (
        "Its plugin runs the token helper before every request: a token that ends is not noticed. With C(--pure), which leaves "
        "plugins out, it has no token."
    )
    measured = (
        "With 1.18.33: first answer by its bare name, expired tokens in a session at 401 and 403, names it looks up without a "
        "terminal (none), no token of ours for other providers, the way back. A busy workspace (HTTP 429) it gives up after 5 "
        "retries: 6 seconds with C(Retry-After: 1), 80 without; a model that is gone (404) at once. No setting changes that. It "
        "speaks the other three dialects as well."
    )

    own_options = {
        "downloads": {
            "type": "bool",
            "default": False,
            "description": [
                "Whether OpenCode may ask the npm registry for what the person's own plugins need.",
                "With V(true) it asks at every start, for a package that each plugin may use, until it has it.",
            ],
            "example": "true",
        },
    }

    machine_scope = (
        "It reads C(opencode.json) there for every user, which wins over a user's own; a project's own file wins over both. What "
        "keeps it from asking the npm registry comes from our command only."
    )

    deciding = frozenset({("model",), (*_OURS, "options", "baseURL"), (*_OURS, "options", "authToken")})
    shape = SETTINGS
    misfit_effect = "does not start"
    element_lists = frozenset({_SKILLS})

    def documents(self, options: AgentOptions) -> list[Wanted]:
        directory = _directory(options.owner)
        npm = Wanted(
            path=os.path.join(directory, ".npmrc"),
            format="dotenv",
            component=COMPONENT,
            values={(name,): value for name, value in self._npm(options).items()},
            mode=0o600,
        )
        text = _plugin(options.token_helper, _base_url(options))
        plugin = whole_file(_plugin_file(options.owner), COMPONENT, text.encode(), "plugin that gets tokens")
        settings = Wanted(
            path=_settings_file(options.owner),
            format="jsonc",
            component=COMPONENT,
            values=self._values(options),
            as_good={
                (*_OURS, "models", slot, key): name
                for slot, name in options.other_names.items()
                for key in ("id", "name")
            },
            mode=0o600,
        )
        if options.owner.is_machine:
            # For npm, only a user's own file or the environment counts: our command has it there.
            lists: dict[KeyPath, tuple[str, ...]] = {("plugin",): (_plugin_file(options.owner),)}
            if options.skills:
                lists[_SKILLS] = (self.skill_place(options.owner).directory,)
            return [plugin, settings.replaced(elements=lists)]
        return [npm, plugin, settings]

    def _npm(self, options: AgentOptions) -> dict[str, str]:
        name = "fetch-retries" if self.own(options, "downloads") else "offline"
        return {name: _NPM[name]}

    def _values(self, options: AgentOptions) -> dict[KeyPath, Any]:
        values: dict[KeyPath, Any] = {
            ("autoupdate",): False,
            ("model",): f"{_PROVIDER}/default",
            ("small_model",): f"{_PROVIDER}/haiku",
            (*_OURS, "name"): "Databricks",
            (*_OURS, "npm"): "@ai-sdk/anthropic",
            (*_OURS, "options", "baseURL"): _base_url(options),
            (*_OURS, "options", "authToken"): _PLACEHOLDER,
            (*_OURS, "options", "headers", _HEADER): _ON,
        }
        for slot, model in self.models(options.models).items():
            one = (*_OURS, "models", slot)
            values.update({(*one, "id"): model, (*one, "name"): model})
            values.update({(*one, "limit", "context"): _CONTEXT, (*one, "limit", "output"): _OUTPUT})
            values[(*one, "options", "toolStreaming")] = False
        return values

    def launch(self, options: AgentOptions) -> Launch:
        """Its files cannot say these: the authority, the proxy, and that it asks nobody for lists of models and language servers."""
        npm = self._npm(options) if options.owner.is_machine else {}
        return Launch(
            {
                **{f"npm_config_{name.replace('-', '_')}": value for name, value in npm.items()},
                "OPENCODE_DISABLE_MODELS_FETCH": "1",
                "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
                **network_variables(options),
            },
            unset=("OPENCODE_CONFIG_CONTENT", "OPENCODE_PURE"),
        )

    def skill_place(self, owner: Owner) -> SkillPlace:
        return shared_skills(owner)

    def usual_files(self, owner: Owner) -> dict[str, str]:
        directory = _directory(owner)
        settings = {os.path.join(directory, name): "jsonc" for name in ("opencode.json", "opencode.jsonc")}
        return {**settings, _plugin_file(owner): "file", os.path.join(directory, ".npmrc"): "dotenv"}

    def known_as_ours(self, document: Document, token_helper: str) -> list[KeyPath]:
        if isinstance(document, WholeFile):
            text = document.get(WHOLE)
            return [WHOLE] if isinstance(text, str) and text.startswith(_PLUGIN.partition("{")[0]) else []
        if isinstance(document, DotenvDocument):  # nobody else's, if nothing else is there
            return [(name,) for name, value in _NPM.items() if document.text.split() == [f"{name}={value}"]]
        if document.get((*_OURS, "options", "authToken")) != _PLACEHOLDER:
            return []
        # For all users of a host, lists name what is ours; it is gone then.
        data = os.path.dirname(token_helper)
        lists = {("plugin",): os.path.join(data, "opencode", _PLUGIN_NAME), _SKILLS: os.path.join(data, "skills")}
        return [
            *(key for key, listed in lists.items() if document.get(key) == [listed]),
            *(
                key
                for key, value in self._values(self.with_helper(token_helper)).items()
                if key[: len(_OURS)] == _OURS or document.get(key) == value
            ),
        ]

    def problems(self, options: AgentOptions, environment: Mapping[str, str], version: str) -> list[Problem]:
        found = []
        place, usual = environment.get("XDG_CONFIG_HOME"), os.path.join(options.owner.home, _DIRECTORY[0])
        if place and os.path.normpath(place) != usual:
            what = f"XDG_CONFIG_HOME is {place}, where {self.title} looks for its settings instead of {usual}"
            found.append(Problem("FAIL", what, f"Unset it, or start {self.command} without it"))
        for name in ("OPENCODE_CONFIG", "OPENCODE_CONFIG_DIR"):
            if environment.get(name):
                found.append(Problem("WARN", f"{name} is set: what is there outranks the settings", f"Unset {name}"))
        return found

    prompt_tokens = 4_000

    def prompt_command(self, program: str, prompt: str) -> list[str]:
        return [program, "run", prompt]

    # Nothing of a project, and no tool: a reply is all that is wanted.
    prompt_environment = {"OPENCODE_DISABLE_PROJECT_CONFIG": "1", "OPENCODE_PERMISSION": '{"*":"deny"}'}


def _directory(owner: Owner) -> str:
    if owner.is_machine:
        return machine_directory("/etc/opencode", "/Library/Application Support/opencode")
    return os.path.join(owner.home, *_DIRECTORY)


def _settings_file(owner: Owner) -> str:
    """Of the two names that it reads, the one that outranks the other if it is there."""
    directory = _directory(owner)
    outranking = os.path.join(directory, "opencode.jsonc")
    return outranking if os.path.lexists(outranking) else os.path.join(directory, "opencode.json")


def _plugin_file(owner: Owner) -> str:
    if owner.is_machine:
        return os.path.join(owner.data, "opencode", _PLUGIN_NAME)
    return os.path.join(_directory(owner), "plugin", _PLUGIN_NAME)


def _base_url(options: AgentOptions) -> str:
    return f"{options.base_urls['anthropic']}/v1"


def _plugin(helper: str, url: str) -> str:
    return _PLUGIN.format(
        helper=json.dumps(helper),
        provider=json.dumps(_PROVIDER),
        placeholder=json.dumps(_PLACEHOLDER),
        url=json.dumps(url),
    )


AGENT = OpenCode()
