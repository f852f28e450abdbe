# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hermes: a provider in ``~/.hermes/config.yaml``, and a plugin that asks the token helper before every request.

Its configuration knows no command for a token, and a refused one ends the turn. Keys, the plugin's interface and the names of
variables that it keeps from its own commands: its source, and as measured with 0.19.0.

For all users of a host there is ``/etc/hermes/config.yaml``, whose values win one by one, but no directory of plugins: the plugin is a
Python package there, which Hermes finds where our command says, whoever installed Hermes.
"""

from __future__ import annotations

import os
import re
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
    Problem,
    SkillPlace,
    network_reasons,
    network_variables,
)
from .shapes import NUMBER, TEXT, TRUTH, Either, matching, or_null, section
from .source_pip import Pip

_PROVIDER = "databricks"
_OURS = ("providers", _PROVIDER)
_PLUGIN = "fmapi_coding_agents"
_DIALECT = "chat_completions"
_DIRECTORY = ".hermes"
_ENABLED: KeyPath = ("plugins", "enabled")

_HEADER, _ON = CODING_AGENT_HEADER
_AUTHORITY = "HERMES_CA_BUNDLE"
_VARIABLE = "AUXILIARY_DATABRICKS_API_KEY"
"""Variables of this form Hermes does not pass on to the commands that a model runs."""

_MANIFEST = f"""\
# Written by fmapi.coding_agents.
name: {_PLUGIN}
version: "1"
description: Asks the token helper before every request.
"""

_PACKAGE = f"{_PLUGIN}-1.dist-info"
_PACKAGE_FACTS = f"""\
Metadata-Version: 2.1
Name: {_PLUGIN}
Version: 1
Summary: Asks the token helper before every request. Written by fmapi.coding_agents.
"""
_ENTRY_POINTS = f"""\
[hermes_agent.plugins]
{_PLUGIN} = {_PLUGIN}
"""
"""Which of a package's modules are plugins."""
_MODULE = f"{_PLUGIN}.py"
_MODULES = "PYTHONPATH"
"""Directories in which Python looks for modules."""

_CODE = '''\
# Written by fmapi.coding_agents.
"""Asks the token helper before every request: Hermes itself reads a token once, and a token lives for an hour."""

import os
import re
import shutil
import subprocess

HELPER = {helper!a}


def _token():
    # What the helper has to say goes to the person: standard error is theirs.
    done = subprocess.run([HELPER], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, check=True)
    os.environ[{variable!a}] = done.stdout.strip()  # for titles and the like, which pass no plugin
    return done.stdout.strip()


def _with_token(request, **_context):
    headers = {{**(request.get("extra_headers") or {{}}), "Authorization": "Bearer " + _token()}}
    return {{"request": {{**request, "extra_headers": headers}}}}


def _ask_nobody_else():
    # Its sessions ask the Python index for a newer version and models.dev for a list of models, and no setting stops that.
    try:
        from agent import models_dev
        from hermes_cli import banner

        models_dev.MODELS_DEV_URL = ""
        banner.check_for_updates = lambda: None
    except ImportError:
        pass


def register(context):
    # Python has just put it there, and an uninstall would leave it.
    shutil.rmtree(os.path.join(os.path.dirname(__file__), "__pycache__"), ignore_errors=True)
    context.register_middleware("llm_request", _with_token)
    _ask_nobody_else()
    try:
        _token()
    except (OSError, subprocess.SubprocessError):
        pass  # who only lists sessions needs none
'''


_NUMBER_AS_TEXT = matching("a number as text", lambda text: bool(re.fullmatch(r"\s*\d+(\.\d*)?\s*", text)))
_SETTINGS: Mapping[str, Any] = {
    "agent": or_null({"max_turns": or_null(NUMBER)}),
    "auxiliary": or_null({}),
    "checkpoints": Either((TRUTH, {})),
    "compression": section({"threshold": Either((NUMBER, _NUMBER_AS_TEXT))}),
    "display": or_null({}),
    "logging": section({"level": or_null(TEXT)}),
    "mcp_servers": or_null({}),
    "terminal": or_null({}),
}
"""It judges nothing, and breaks down where it uses one of these. All other keys were tried with a number, and are passed over."""


class Hermes(Agent):
    name = "hermes"
    title = "Hermes"
    command = "hermes"
    # As it tells its version, it asks a Python index for a newer one, which no mirror stands for.
    source = Pip("hermes-agent", pythons=("3.13", "3.12", "3.11"), trial="--help")
    pinned_version = "0.19.0"
    minimum_version = "0.19.0"  # no older one was tried
    dialects = ("chat",)
    model_defaults = CLAUDE_MODELS
    model_slots = CLAUDE_SLOTS
    reasons = {
        **network_reasons(_AUTHORITY),
        ("HERMES_HOME",): "It would lead to other settings.",
        ("CUSTOM_BASE_URL",): "It would come before the workspace.",
        ("HERMES_INFERENCE_PROVIDER",): "It would come before the provider in the settings.",
        ("HERMES_INFERENCE_MODEL",): "It would come before the model in the settings.",
        (_VARIABLE,): "The plugin sets it: an old one would be sent.",
        WHOLE: "The plugin that asks the token helper before every request.",
        ("model", "default"): "The model that a session begins with.",
        ("model", "provider"): "Requests go to the workspace.",
        ("model", "context_length"): "Else it asks vendors' lists of models how much one can read.",
        (*_OURS, "base_url"): "Requests go to the workspace.",
        (*_OURS, "key_env"): "The variable in which the plugin keeps a token: none stands in the file.",
        (
            *_OURS,
            "transport",
        ): "The dialect that is spoken there: with the others it sends the token in a way that a workspace refuses.",
        (*_OURS, "discover_models"): "What its list offers is named here.",
        (*_OURS, "models"): "What its list of models offers.",
        (*_OURS, "extra_headers", _HEADER): WHY_CODING_AGENT_HEADER,
        (*_OURS, "ssl_ca_cert"): "The private certificate authority, where one is named.",
        _ENABLED: "Hermes runs only plugins that are named here.",
        ("security", "allow_lazy_installs"): "Else it installs packages as it starts.",
        ("security", "tirith_enabled"): "Else it looks for a scanner on github.com.",
        ("model_catalog", "enabled"): "Else it fetches vendors' lists of models.",
    }
    renewal = "A plugin of ours runs the token helper before every request: a token that ends is not noticed."
    measured = (
        "With 0.19.0: first answer by its bare name, expired tokens in a turn at 401 and 403, no token in its files or for its "
        "commands, what outranks, nobody else asked (a session, too), the doctor's prompt, the way back. Its prompts with "
        "C(-z) end with status 0 even where they were refused; C(hermes chat --quiet --query) tells. C(hermes --version) "
        "asks the Python index for a newer one. A busy workspace (HTTP 429) and a model that is gone (404) it gives up after 3 tries, "
        "5 to 10 seconds."
    )

    own_options = {
        "context_length": {
            "type": "int",
            "default": 200000,
            "description": [
                "How many tokens the models in use can read. Hermes compresses a session before it is longer."
            ],
            "example": "128000",
        },
    }

    machine_scope = (
        "It reads C(config.yaml) there for every user, and each value in it wins over a user's own; its list of plugins, too: name "
        "others in C(coding_agents_extra_settings). The plugin that gets tokens comes from our command only: who starts the program "
        "by its path has none."
    )

    element_lists = frozenset((_ENABLED,))

    shape = _SETTINGS
    misfit_effect = "does not answer"

    def documents(self, options: AgentOptions) -> list[Wanted]:
        models, is_machine = self.models(options.models), options.owner.is_machine
        others = {**models, **options.other_names}
        as_good: dict[KeyPath, Any] = {(*_OURS, "models"): _listed(others)} if options.other_names else {}
        if "default" in options.other_names:
            as_good[("model", "default")] = others["default"]
        config = Wanted(
            path=_config(options.owner),
            format="yaml",
            component=COMPONENT,
            values={
                **self._provider(options),
                **({(*_OURS, "api_mode"): _DIALECT} if is_machine else {}),
                (*_OURS, "models"): _listed(models),
                ("model", "default"): models["default"],
                ("model", "provider"): _PROVIDER,
                ("model", "context_length"): self.own(options, "context_length"),
                ("security", "allow_lazy_installs"): False,
                ("security", "tirith_enabled"): False,
                ("model_catalog", "enabled"): False,
            },
            as_good=as_good,
            elements={_ENABLED: (_PLUGIN,)},
            superseded=(("model", "base_url"), ("model", "api_key"), ("model", "api_mode")),  # of another provider
            mode=0o600,
        )
        plugin = [
            whole_file(path, COMPONENT, text.encode(), _plugin_title(path))
            for path, text in _plugin_files(options.owner, options.token_helper).items()
        ]
        return [*plugin, config]

    def _provider(self, options: AgentOptions) -> dict[KeyPath, Any]:
        authority: dict[KeyPath, Any] = {(*_OURS, "ssl_ca_cert"): options.ca_file} if options.ca_file else {}
        return {
            (*_OURS, "base_url"): options.base_urls["chat"],
            (*_OURS, "key_env"): _VARIABLE,
            (*_OURS, "transport"): _DIALECT,
            (*_OURS, "discover_models"): False,
            (*_OURS, "extra_headers", _HEADER): _ON,
            **authority,
        }

    def launch(self, options: AgentOptions) -> Launch:
        """Its files cannot say these: the proxy, the authority for what it asks beside the models, where a plugin for all users is."""
        unset = ("HERMES_HOME", "CUSTOM_BASE_URL", "HERMES_INFERENCE_PROVIDER", "HERMES_INFERENCE_MODEL", _VARIABLE)
        launch = Launch(network_variables(options, _AUTHORITY), unset=unset)
        if not options.owner.is_machine:
            return launch
        return launch._replace(
            unset=(*unset, "HERMES_MANAGED_DIR"), first_directories={_MODULES: (_plugin(options.owner), os.pathsep)}
        )

    def skill_place(self, owner: Owner) -> SkillPlace | None:
        """It does not look where several agents do, unless its settings say so."""
        return None if owner.is_machine else SkillPlace(os.path.join(owner.home, _DIRECTORY, "skills"))

    def usual_files(self, owner: Owner) -> dict[str, str]:
        return {_config(owner): "yaml", **dict.fromkeys(_plugin_files(owner, ""), WholeFile.format)}

    def known_as_ours(self, document: Document, token_helper: str) -> list[KeyPath]:
        if isinstance(document, WholeFile):
            return [WHOLE] if document.get(WHOLE) in _texts(token_helper).values() else []
        if document.get((*_OURS, "key_env")) != _VARIABLE:
            return []
        known = [*self._provider(self.with_helper(token_helper, ca_file="/")), (*_OURS, "api_mode"), (*_OURS, "models")]
        if document.get(("model", "provider")) == _PROVIDER:  # the provider by that name goes, too
            known += [("model", "provider"), ("model", "default")]
        return [*known, _ENABLED] if document.get(_ENABLED) == [_PLUGIN] else known

    def troubles(self, options: AgentOptions, settings: Mapping[str, Any]) -> list[Problem]:
        """Each keeps 0.19.0 from an answer."""
        found = super().troubles(options, settings)
        plugins, providers = settings.get("plugins"), settings.get("providers")
        disabled = plugins.get("disabled") if isinstance(plugins, dict) else None
        if isinstance(disabled, list) and _PLUGIN in disabled:
            what = f"plugins.disabled lists {_PLUGIN}: Hermes has no token then"
            found.append(Problem("FAIL", what, "Take it out of that list"))
        ours = providers.get(_PROVIDER) if isinstance(providers, dict) else None
        mode = ours.get("api_mode", _DIALECT) if isinstance(ours, dict) else _DIALECT
        if mode != _DIALECT:
            what = f"{'.'.join(_OURS)}.api_mode is another than {_DIALECT}, and comes before our transport"
            found.append(Problem("FAIL", what, "Take it out"))
        return found

    prompt_tokens = 2_500

    def prompt_command(self, program: str, prompt: str) -> list[str]:
        # Not -z, which ends well whatever happened; no rules of a project, and of the tools those that do nothing alone.
        return [program, "chat", "--quiet", "--ignore-rules", "--toolsets", "todo", "--query", prompt]


def _config(owner: Owner) -> str:
    if owner.is_machine:
        return "/etc/hermes/config.yaml"
    return os.path.join(owner.home, _DIRECTORY, "config.yaml")


def _plugin(owner: Owner) -> str:
    """The directory of its files."""
    if owner.is_machine:
        return os.path.join(owner.data, "hermes")
    return os.path.join(owner.home, _DIRECTORY, "plugins", _PLUGIN)


def _texts(token_helper: str) -> dict[str, str]:
    """What its files hold, by their names in either form."""
    code = _CODE.format(helper=token_helper, variable=_VARIABLE)
    return {
        "plugin.yaml": _MANIFEST,
        "__init__.py": code,
        "METADATA": _PACKAGE_FACTS,
        "entry_points.txt": _ENTRY_POINTS,
        _MODULE: code,
    }


def _plugin_files(owner: Owner, token_helper: str) -> dict[str, str]:
    """What a user's directory of plugins has, or a Python package, by path."""
    of_a_package = (f"{_PACKAGE}/METADATA", f"{_PACKAGE}/entry_points.txt", _MODULE)
    names = of_a_package if owner.is_machine else ("plugin.yaml", "__init__.py")
    texts = _texts(token_helper)
    return {os.path.join(_plugin(owner), name): texts[os.path.basename(name)] for name in names}


def _plugin_title(path: str) -> str:
    return "plugin that asks the token helper" if path.endswith(".py") else "plugin's description"


def _listed(models: Mapping[str, str]) -> list[str]:
    return [*dict.fromkeys(models.values())]


AGENT = Hermes()
