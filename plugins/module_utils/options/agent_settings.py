# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which agents, with which models and settings. What only one agent knows comes from that agent's own file."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from ..routing import EXAMPLE_BASE_URL, normalize_base_url
from .values import Spec, as_list, as_mapping, by_kind, registry, shown

AGENTS = registry("agents", "AGENTS")

_OF_AN_AGENT = ("description", "example", "use", "check")
"""What an agent's own option says beyond an argument specification."""

OWN_OPTIONS: dict[str, dict[str, Any]] = {
    f"{name}_{option}": dict(said) for name, agent in AGENTS.items() for option, said in agent.own_options.items()
}
"""Each agent's own options by their whole name, with their description and example."""

OWN: Spec = {
    name: {key: value for key, value in said.items() if key not in _OF_AN_AGENT} for name, said in OWN_OPTIONS.items()
}
SPEC: Spec = {
    "agents": {"type": "list", "elements": "str", "default": ["claude_code"]},
    "models": {"type": "dict", "default": {}},
    "models_auto": {"type": "bool", "default": False},
    "base_urls": {"type": "dict", "default": {}},
    # Handed to the host as one text: of a dictionary, Ansible would hide every word and number wherever it appears in a result.
    "extra_settings": {"type": "raw", "no_log": True},
    **OWN,
}
if AGENTS:
    SPEC["agents"]["choices"] = sorted(AGENTS)
    SPEC["models"]["options"] = {
        name: {"type": "dict", "options": {slot: {"type": "str"} for slot in agent.model_defaults}}
        for name, agent in sorted(AGENTS.items())
    }
EXAMPLES = {
    "agents": "[claude_code]",
    "models": "{claude_code: {opus: system.ai.claude-opus-4-6}}",
    "models_auto": "true",
    "base_urls": f"{{claude_code: {EXAMPLE_BASE_URL}}}",
    "extra_settings": "{claude_code: {includeCoAuthoredBy: false}}",
    **{name: str(said["example"]) for name, said in OWN_OPTIONS.items()},
}
USE = {"agents": "usual", "models": "usual", "models_auto": "usual", "extra_settings": "usual"}


def needs_libraries(agents: Any) -> bool:
    """Whether one of these agents (those of the default, if none are named) has a document whose parser hosts may lack."""
    names = as_list(agents) or SPEC["agents"]["default"]
    return any(name in AGENTS and AGENTS[name].needs_libraries for name in names)


def is_model_id(model: Any) -> bool:
    return isinstance(model, str) and model.isascii() and model.isprintable() and " " not in model


def _agents(value: Any, variable: str) -> list[str]:
    if not as_list(value):
        # More often a mistake in a template than a wish: what withdraws everything has a name of its own.
        known = ", ".join(SPEC["agents"]["choices"])
        return [f"{variable} names no agent. Use one or more of: {known}, or run the playbook uninstall."]
    return by_kind(variable, SPEC["agents"], EXAMPLES["agents"], value)


def _models(value: Any, variable: str) -> list[str]:
    by_agent = as_mapping(value)
    if by_agent is None:
        return [f"{variable} is not a dictionary. Give model ids by agent, such as {EXAMPLES['models']}."]
    found = []
    for name, chosen in by_agent.items():
        if name not in AGENTS:
            found.append(_no_agent(str(name), chosen, variable))
            continue
        slots, models = AGENTS[name].model_defaults, as_mapping(chosen)
        if models is None:
            found.append(f"{variable}.{name} is not a dictionary. Give model ids by {', '.join(slots)}.")
            continue
        for slot, model in models.items():
            if slot not in slots:
                said = f"{variable}.{name} has {slot}, which is no choice of a model"
                found.append(f"{said}. Use only: {', '.join(slots)}.{_near(str(slot), slots)}")
            elif model and not is_model_id(model):
                found.append(
                    f"{variable}.{name}.{slot} is {shown(model)}, which is no model id. "
                    f"Give the name of a serving endpoint or model service, such as {slots[slot]}."
                )
    return found


def _no_agent(name: str, chosen: Any, variable: str) -> str:
    """An earlier form had no agents in it: then the new one is spelled out."""
    owner = next((agent for agent in AGENTS.values() if name in agent.model_defaults), None)
    if owner is not None and isinstance(chosen, str):
        return (
            f"{variable}.{name}: models are named by agent. Write {variable}: {{{owner.name}: {{{name}: {chosen}}}}}."
        )
    return _unknown_agent(name, variable)


def _unknown_agent(name: str, variable: str) -> str:
    return f"{variable} has {name}, which is no agent. Use only: {', '.join(sorted(AGENTS))}.{_near(name, AGENTS)}"


def _near(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), 1)
    return f" Did you mean {near[0]}?" if near else ""


def _base_urls(value: Any, variable: str) -> list[str]:
    by_agent = as_mapping(value)
    if by_agent is None:
        return [f"{variable} is not a dictionary. Give base URLs by agent, such as {EXAMPLES['base_urls']}."]
    found = []
    for name, named in by_agent.items():
        if name not in AGENTS:
            found.append(_unknown_agent(str(name), variable))
            continue
        title, dialects, where = AGENTS[name].title, AGENTS[name].dialects, f"{variable}.{name}"
        by_dialect = named if isinstance(named, Mapping) else None
        if by_dialect is None and named and len(dialects) > 1:
            found.append(f"{where} is one URL, but {title} speaks {', '.join(dialects)}. Give a URL for each of them.")
            continue
        for dialect, url in (by_dialect if by_dialect is not None else {"": named}).items():
            if dialect and dialect not in dialects:
                said = f"{where} has {dialect}, which is no dialect that {title} speaks"
                found.append(f"{said}. Use only: {', '.join(dialects)}.{_near(str(dialect), dialects)}")
            elif url:
                found += _base_url(url, f"{where}.{dialect}" if dialect else where)
    return found


def _base_url(url: Any, where: str) -> list[str]:
    try:
        normalize_base_url(url, where)
    except ValueError as error:
        return [str(error)]
    return []


CHECKS = {
    "agents": _agents,
    "models": _models,
    "base_urls": _base_urls,
    **{name: said["check"] for name, said in OWN_OPTIONS.items() if "check" in said},
}

MOVED = {name[len(agent) + 1 :]: name for agent in AGENTS for name in OWN_OPTIONS if name.startswith(f"{agent}_")}
"""Earlier names of variables that only one agent knows, without its name."""


def together(given: Mapping[str, Any]) -> list[str]:
    return []
