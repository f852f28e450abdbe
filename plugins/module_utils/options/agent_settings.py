# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which agents, with which models and settings. What only one agent knows comes from that agent's own file."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

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
    "extra_settings": "{claude_code: {includeCoAuthoredBy: false}}",
    **{name: str(said["example"]) for name, said in OWN_OPTIONS.items()},
}
USE = {"agents": "usual", "models": "usual", "extra_settings": "usual"}


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
                near = difflib.get_close_matches(str(slot), slots, 1)
                hint = f" Did you mean {near[0]}?" if near else ""
                said = f"{variable}.{name} has {slot}, which is no choice of a model"
                found.append(f"{said}. Use only: {', '.join(slots)}.{hint}")
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
    near = difflib.get_close_matches(name, AGENTS, 1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return f"{variable} has {name}, which is no agent. Use only: {', '.join(sorted(AGENTS))}.{hint}"


CHECKS = {
    "agents": _agents,
    "models": _models,
    **{name: said["check"] for name, said in OWN_OPTIONS.items() if "check" in said},
}

MOVED = {name[len(agent) + 1 :]: name for agent in AGENTS for name in OWN_OPTIONS if name.startswith(f"{agent}_")}
"""Earlier names of variables that only one agent knows, without its name."""


def together(given: Mapping[str, Any]) -> list[str]:
    return []
