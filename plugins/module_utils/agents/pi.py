# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pi: a provider of its own in ``~/.pi/agent/models.json``, which runs a command for a token before every request.

Keys, the command form ``!COMMAND`` and the variables: the documentation that comes in the package (docs/models.md, docs/settings.md),
and as measured with 0.74.2.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping
from typing import Any

from ..engine.documents import Document, KeyPath
from ..engine.documents.whole_file import WHOLE, WholeFile
from ..engine.owner import Owner
from ..engine.ownership import Wanted, whole_file
from .base import (
    CLAUDE_MODELS,
    CLAUDE_SLOTS,
    CODING_AGENT_HEADER,
    COMPONENT,
    WHY_CODING_AGENT_HEADER,
    Agent,
    AgentOptions,
    Launch,
    SkillPlace,
    network_reasons,
    network_variables,
    shared_skills,
)
from .shapes import TEXT, Either, Needs, or_null
from .source_npm import Npm

_PROVIDER = "databricks"
_OURS = ("providers", _PROVIDER)
_DIRECTORY = (".pi", "agent")
_HEADER, _ON = CODING_AGENT_HEADER


_COMMANDS = ("install", "remove", "uninstall", "update", "list", "config")
_MODEL = {
    "reasoning": False,
    "input": ["text", "image"],
    "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0},
    "contextWindow": 200_000,
    "maxTokens": 32_000,
}
"""Of every Claude model. An extension has to say it."""

_EXTENSION = """\
// Written by fmapi.coding_agents: the provider for the models of the Databricks workspace.
export default function (pi) {{
  pi.registerProvider({provider}, {settings})
}}
"""

_PLACES = or_null(Either((TEXT, [TEXT])))
_SETTINGS: Mapping[str, Any] = {
    **dict.fromkeys(("extensions", "prompts", "themes", "enabledModels"), _PLACES),
    "skills": or_null(Either((TEXT, [TEXT], {}))),
    "packages": or_null(Either((TEXT, [Either((TEXT, Needs(("source",), {"source": TEXT})))]))),
    "sessionDir": or_null(TEXT),
}
"""Of its main file: it judges nothing, and breaks down where it uses one of these. All other values it passes over, whatever they are
(each of its keys with one to four values of another kind).
"""


class Pi(Agent):
    name = "pi"
    title = "Pi"
    command = "pi"
    source = Npm("@earendil-works/pi-coding-agent", node={"0": "20.6.0", "0.75": "22.19"})
    # Not 0.75: with Node.js 20, which many hosts have, it installs with a mere warning, and then does not start.
    pinned_version = "0.74.2"
    minimum_version = "0.74.0"
    dialects = ("anthropic",)
    listings = {"anthropic": "/v1/models"}
    model_defaults = CLAUDE_MODELS
    model_slots = CLAUDE_SLOTS
    reasons = {
        (*_OURS, "baseUrl"): "Requests go to the workspace.",
        (*_OURS, "api"): "The dialect that is spoken there.",
        (*_OURS, "apiKey"): "The command that prints a token: no token stands in the file.",
        (*_OURS, "authHeader"): "A workspace takes a token as C(Authorization: Bearer).",
        (*_OURS, "headers", _HEADER): WHY_CODING_AGENT_HEADER,
        (*_OURS, "compat", "supportsEagerToolInputStreaming"): "Gateways refuse that field of a tool's definition.",
        (*_OURS, "models"): "What its list of models offers.",
        ("defaultProvider",): "Else it takes another whose key it finds in the environment.",
        ("defaultModel",): "The model that a session begins with.",
        ("PI_OFFLINE",): "Else it asks others for newer versions and programs as it starts.",
        ("PI_CODING_AGENT_DIR",): "It would lead to other files than those above.",
        **network_reasons(),
        WHOLE: "For all users of a host: the provider, which Pi reads from the user's home else.",
    }
    renewal = "It runs the token helper before every request: a token that ends is not noticed."
    measured = (
        "With 0.74.2: first answer by its bare name, expired tokens in a session at 401 and 403, the way back. A busy workspace "
        "(HTTP 429) it gives up after 12 tries and 25 seconds; a model that is gone (404) at once. With 1.6.0 and "
        "Node.js 22: the first answer, a busy workspace and a model that is gone."
    )

    machine_scope = (
        "It reads nothing that is for all users: our command gives it an extension, which has the provider, and the model. Who starts "
        "the program by its path has neither."
    )

    shape = _SETTINGS
    misfit_effect = "does not start"

    def documents(self, options: AgentOptions) -> list[Wanted]:
        if options.owner.is_machine:
            text = _extension(self._provider(options), self.models(options.models))
            return [whole_file(_extension_file(options.owner), COMPONENT, text.encode(), "extension with the provider")]
        models = self.models(options.models)
        others = {**models, **options.other_names}
        directory = os.path.join(options.owner.home, *_DIRECTORY)
        providers = Wanted(
            path=os.path.join(directory, "models.json"),
            format="jsonc",
            component=COMPONENT,
            values={**self._provider(options), (*_OURS, "models"): _listed(models)},
            as_good={(*_OURS, "models"): _listed(others)} if options.other_names else {},
            mode=0o600,
        )
        settings = Wanted(
            path=os.path.join(directory, "settings.json"),
            format="json",
            component=COMPONENT,
            values={("defaultProvider",): _PROVIDER, ("defaultModel",): models["default"]},
            as_good={("defaultModel",): others["default"]} if "default" in options.other_names else {},
            mode=0o644,
        )
        return [providers, settings]

    def _provider(self, options: AgentOptions) -> dict[KeyPath, Any]:
        return {
            (*_OURS, "baseUrl"): options.base_urls["anthropic"],
            (*_OURS, "api"): "anthropic-messages",
            (*_OURS, "apiKey"): _key_command(options.token_helper),
            (*_OURS, "authHeader"): True,
            (*_OURS, "headers", _HEADER): _ON,
            (*_OURS, "compat", "supportsEagerToolInputStreaming"): False,
        }

    def launch(self, options: AgentOptions) -> Launch:
        """Its files cannot say these: the authority, the proxy, and that it asks nobody else as it starts."""
        launch = Launch({"PI_OFFLINE": "1", **network_variables(options)}, unset=("PI_CODING_AGENT_DIR",))
        if not options.owner.is_machine:
            return launch
        model = f"{_PROVIDER}/{self.models(options.models)['default']}"
        skills = ("--skill", self.skill_place(options.owner).directory) if options.skills else ()
        arguments = ("--extension", _extension_file(options.owner), *skills, "--model", model)
        return launch._replace(arguments=arguments, bare_commands=_COMMANDS)

    def skill_place(self, owner: Owner) -> SkillPlace:
        return shared_skills(owner)

    def usual_files(self, owner: Owner) -> dict[str, str]:
        if owner.is_machine:
            return {_extension_file(owner): WholeFile.format}
        directory = os.path.join(owner.home, *_DIRECTORY)
        return {os.path.join(directory, "models.json"): "jsonc", os.path.join(directory, "settings.json"): "json"}

    def known_as_ours(self, document: Document, token_helper: str) -> list[KeyPath]:
        if isinstance(document, WholeFile):
            return [WHOLE]  # in a directory of ours
        if document.get(("defaultProvider",)) == _PROVIDER:  # the provider by that name goes, too
            return [("defaultProvider",), ("defaultModel",)]
        if document.get((*_OURS, "apiKey")) != _key_command(token_helper):
            return []
        return [*self._provider(self.with_helper(token_helper)), (*_OURS, "models")]

    prompt_tokens = 1_000

    def prompt_command(self, program: str, prompt: str) -> list[str]:
        # Nothing of a project, and no tool: a reply is all that is wanted.
        return [program, "--print", "--no-session", "--no-tools", "--no-extensions", "--no-context-files", prompt]


def _key_command(helper: str) -> str:
    """Run by ``/bin/sh -c``."""
    return f"!{shlex.quote(helper)}"


def _extension_file(owner: Owner) -> str:
    return os.path.join(owner.data, "pi", "provider.js")


def _extension(provider: Mapping[KeyPath, Any], models: Mapping[str, str]) -> str:
    """The same provider as in a file of its own, for which more has to be said of each model."""
    compatible = (*_OURS, "compat")
    settings: dict[str, Any] = {"name": "Databricks"}
    for key, value in provider.items():
        inside = settings
        for name in key[len(_OURS) : -1] if key[:-1] != compatible else ():
            inside = inside.setdefault(name, {})
        if key[:-1] != compatible:
            inside[key[-1]] = value
    more = {**_MODEL, "compat": {key[-1]: value for key, value in provider.items() if key[:-1] == compatible}}
    settings["models"] = [{**one, "name": one["id"], **more} for one in _listed(models)]
    return _EXTENSION.format(provider=json.dumps(_PROVIDER), settings=json.dumps(settings, indent=2))


def _listed(models: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"id": name} for name in dict.fromkeys(models.values())]


AGENT = Pi()
