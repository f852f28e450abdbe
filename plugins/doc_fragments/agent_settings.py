# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which agents, with which models and settings. What only one agent knows is documented in that agent's own file."""

from __future__ import annotations

import json
from typing import Any

from ..module_utils.agents import AGENTS
from ..module_utils.options.agent_settings import OWN_OPTIONS, SPEC

_AGENTS = json.dumps(SPEC["agents"]["choices"])

_LISTED = f"""
options:
  agents:
    description:
      - The coding agents. What was set for an agent that is not listed any more is taken back.
    type: list
    elements: str
    choices: {_AGENTS}
    default: {json.dumps(SPEC["agents"]["default"])}
"""

_SETTINGS = """
  models:
    description:
      - Names of serving endpoints (or Unity Catalog model services) for the agents' model choices, by agent.
      - A choice that is not named keeps the agent's default. Where the gateway serves it and the workspace lists it as a model
        service, its name is that of the service (C(system.ai.*)). The preflight finds that out, with credentials; a run without
        it writes the name of the serving endpoint, and leaves that of the service where it is.
    type: dict
    default: {}
    suboptions:
@@
  models_auto:
    description:
      - Whether the preflight chooses, for each choice that O(models) leaves open, the newest model of the family of the agent's
        default (such as C(claude-opus)) that the workspace serves now. Versions are compared as numbers.
      - Where the gateway is used, of the model services of C(coding_agents_models_schemas), and of serving endpoints for what is
        not among these; with other routings, of serving endpoints that are V(READY). Of a family that nobody serves the default stays.
      - The report shows the choice; C(coding_agents_models_file) keeps it. It needs a sign-in on the control node. Without this option
        no model changes by itself.
    type: bool
    default: false
  base_urls:
    description:
      - Base URLs for agents that are to ask another address than O(routing) says, such as a relay, by agent. One URL, or for an agent
        that speaks several wire dialects one by dialect.
      - The workspace's tokens are sent there. V(https), or V(http) for what listens on the host itself (C(127.0.0.1), C(localhost)).
        The agent appends the path of its dialect, as it does to the addresses that O(routing) stands for.
    type: dict
    default: {}
  extra_settings:
    description:
      - Your own settings for agents, by agent, such as V({"claude_code":{"includeCoAuthoredBy":false}}).
      - Each setting is put into the agent's main document by its keys, and given back like those of this collection. Diffs show none.
      - Lists to which an agent's own members belong (C(permissions.allow) of Claude Code, for example) are added to; any other list is
        set as a whole.
      - What this collection sets itself is refused.
    type: raw
"""


def _indented(lines: list[str], depth: int) -> str:
    return "\n".join(f"{' ' * depth}{line}" for line in lines)


def _option(name: str, said: dict[str, Any], depth: int = 2) -> str:
    facts = [f"{fact}: {json.dumps(said[fact])}" for fact in ("type", "elements", "choices", "default") if fact in said]
    lines = [f"{name}:", "  description:", *(f"    - {json.dumps(one)}" for one in said["description"])]
    return _indented([*lines, *(f"  {fact}" for fact in facts)], depth)


def _models() -> str:
    described = []
    for name, agent in sorted(AGENTS.items()):
        lines = [f"{name}:", "  description:", f"    - Those of {agent.title}.", "  type: dict", "  suboptions:"]
        described.append(_indented(lines, 6))
        for slot, default in agent.model_defaults.items():
            said = {"type": "str", "description": [f"The model of its choice C({slot}). Without it V({default})."]}
            described.append(_option(slot, said, 10))
    return "\n".join(described)


class ModuleDocFragment:
    """All of the group, or with C(.agents) the list of agents alone."""

    # Annotated, so that linters of documentation do not take it for a text that stands here.
    DOCUMENTATION: str = (
        _LISTED
        + _SETTINGS.replace("@@", _models())
        + "\n".join(_option(name, said) for name, said in OWN_OPTIONS.items())
        + "\n"
    )

    AGENTS: str = _LISTED
