# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one judge of what operators set (``coding_agents_*``), on the control node, before any host is touched.

What can only be known on a host (a directory is there, a file can be read) is judged there, by the part that needs it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from ..agents import AGENTS, check_versions
from ..agents.extra_settings import check_extra_settings
from ..errors import OperatorError
from . import (
    agent_cli,
    agent_settings,
    control_node,
    databricks_oauth,
    owner,
    relay,
    skills,
    toolchain,
    uninstall,
    verbs,
    web,
    workspace,
)
from .values import PREFIX, Spec, allowed, as_mapping, by_kind

GROUPS = (
    workspace,
    databricks_oauth,
    agent_settings,
    relay,
    web,
    skills,
    agent_cli,
    toolchain,
    owner,
    control_node,
    verbs,
    uninstall,
)

VARIABLES: Spec = {name: option for group in GROUPS for name, option in group.SPEC.items()}
EXAMPLES: Mapping[str, str] = {name: example for group in GROUPS for name, example in group.EXAMPLES.items()}
USE: Mapping[str, str] = {name: use for group in GROUPS for name, use in group.USE.items()}


def _extra_settings(value: Any, variable: str) -> list[str]:
    extra = as_mapping(value)
    if extra is None:
        return [f"{variable} is not a dictionary. Give settings by agent, such as {EXAMPLES['extra_settings']}."]
    check_extra_settings(extra, AGENTS)
    return []


def _cli_versions(value: Any, variable: str) -> list[str]:
    versions = as_mapping(value)
    if versions is None:
        return by_kind(variable, VARIABLES["cli_versions"], EXAMPLES["cli_versions"], value)
    check_versions(versions, AGENTS)
    return []


_CHECKS: Mapping[str, Any] = {
    **{name: check for group in GROUPS for name, check in group.CHECKS.items()},
    # What the agents' own files know.
    "cli_versions": _cli_versions,
    "extra_settings": _extra_settings,
}

CONFIG_IN_FORCE = "config_in_force"
"""Set by the lookup ``config_file`` beside what the file holds, not by operators: where it was read from."""

CONFIG_KEYS: Mapping[str, str] = {
    "host": "workspace_url",
    "profile": "profile",
    "model": "models.claude_code.default",
    "opus": "models.claude_code.opus",
    "sonnet": "models.claude_code.sonnet",
    "haiku": "models.claude_code.haiku",
    "ttl": "token_ttl_minutes",
    "settings_location": "claude_code_settings_location",
    "ai_gateway": "routing",
    "workspace_id": "workspace_id",
}
"""Keys of the JSON config file, and what they are called here. As variables, too, people bring them from there."""


def problems(given: Mapping[str, Any]) -> list[str]:
    """What is wrong with these options, one message for each mistake. An empty list: they can be used.

    ``given`` holds plain values by option. A message names the variable, the value (never a secret's), what is allowed and an example.
    """
    found = [problem for name, value in given.items() for problem in problems_of(name, value)]
    return found or together(given)


def together(given: Mapping[str, Any]) -> list[str]:
    """What does not go together, once each alone is right."""
    return [problem for group in GROUPS for problem in group.together(given)]


def unknown(names: Iterable[str]) -> list[str]:
    """A message for each name that is no variable of ours, with the one that was probably meant."""
    return [_unknown(name) for name in names if name not in VARIABLES and name != CONFIG_IN_FORCE]


def is_secret(name: str) -> bool:
    return bool(VARIABLES[name].get("no_log"))


def problems_of(name: str, value: Any) -> list[str]:
    """What is wrong with one option by itself."""
    if name not in VARIABLES:
        return [_unknown(name)]
    option, variable = VARIABLES[name], PREFIX + name
    if value is None or value == "":
        if name == "workspace_url" or option.get("default") in (None, [], {}):
            return []
        return [f"{variable} is set to nothing. Give {allowed(option, EXAMPLES[name])}, or leave it out."]
    try:
        if name in _CHECKS:
            found = _CHECKS[name](value, variable)
            return found if isinstance(found, list) else []
        return by_kind(variable, option, EXAMPLES[name], value)
    except (ValueError, OperatorError) as error:
        return [str(error)]


def _unknown(name: str) -> str:
    said = f"{PREFIX}{name}: there is no such variable."
    if name in CONFIG_KEYS and name not in agent_settings.MOVED:
        return f"{said} What it says is {PREFIX}{CONFIG_KEYS[name]} here."
    if name in agent_settings.MOVED:
        return f"{said} It is {PREFIX}{agent_settings.MOVED[name]} now."
    near = difflib.get_close_matches(name, VARIABLES, 1)
    if near:
        return f"{said} Did you mean {PREFIX}{near[0]}?"
    return f"{said} The README of fmapi.coding_agents lists them all."


def models_of(agent: str, options: Mapping[str, Any]) -> dict[str, str]:
    """The models in force of one agent: what was chosen over the agent's defaults."""
    chosen = as_mapping((as_mapping(options.get("models")) or {}).get(agent)) or {}
    return AGENTS[agent].models({slot: str(model) for slot, model in chosen.items() if model})
