# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the workspace serves to this person, and which of it the agents here are set to use."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from .. import careful
from ..agents import AGENTS
from ..engine.owner import Owner
from ..errors import OperatorError
from ..host_program import session, workspace
from ..host_program.config import Config
from ..parts.wanted_state import remembered
from ..routing import SYSTEM_SCHEMA

_MOST_PAGES = 50
_SERVED = "served"


def configured(owner: Owner) -> dict[str, list[str]]:
    """By model, the agents that are set to use it. Raises OperatorError where nothing is remembered."""
    options = remembered(owner).options
    found: dict[str, list[str]] = {}
    for agent, chosen in (options.get("models") or {}).items():
        for model in dict.fromkeys(map(str, chosen.values())):
            found.setdefault(model, []).append(AGENTS[agent].title if agent in AGENTS else agent)
    return found


def served(config: Config, used: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """``{"name", "state", "used_by"}`` of each, those in use first. Raises TokenError, OperatorError.

    A model in use that is not listed has the state NOT_FOUND.
    """
    token = session.token(config, dict(os.environ)).value
    found = {**_endpoints(config, token), **_services(config, token, used)}
    for model in used:
        found.setdefault(model.partition("[")[0], "NOT_FOUND")  # an agent's own suffix, such as [1m]
    rows = [
        {
            "name": name,
            "state": state,
            "used_by": [one for model in used for one in used[model] if model.partition("[")[0] == name],
        }
        for name, state in found.items()
    ]
    return sorted(rows, key=lambda one: (not one["used_by"], one["name"]))


def _endpoints(config: Config, token: str) -> dict[str, str]:
    listed = _get(config, token, "/api/2.0/serving-endpoints").get("endpoints")
    found = {}
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, dict) and isinstance(one.get("name"), str):
            state = one.get("state")
            found[one["name"]] = careful.line(state.get("ready", ""), 40) if isinstance(state, dict) else "unknown"
    return found


def _services(config: Config, token: str, used: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Model services of Databricks' own schema and of those in use; none where this identity may not list them."""
    schemas = dict.fromkeys([SYSTEM_SCHEMA, *(model.rpartition(".")[0] for model in used if model.count(".") == 2)])
    found = {}
    for schema in schemas:
        page = ""
        for _number in range(_MOST_PAGES):
            path = f"/api/2.1/unity-catalog/model-services?parent=schemas/{quote(schema)}&page_size=50{page}"
            try:
                body = _get(config, token, path)
            except OperatorError:
                break
            for one in body.get("model_services") or ():
                name = one.get("name") if isinstance(one, dict) else None
                if isinstance(name, str):
                    found[name.rpartition("/")[2]] = _SERVED
            more = body.get("next_page_token")
            if not isinstance(more, str) or not more:
                break
            page = f"&page_token={quote(more, safe='')}"
    return found


def _get(config: Config, token: str, path: str) -> dict[str, Any]:
    answer = workspace.ask(config.workspace_url, path, f"Bearer {token}", config.ca_file)
    if answer.status != 200:
        raise OperatorError(f"answers with HTTP {answer.status}", config.workspace_url, "Run: coding-agents doctor")
    return answer.body or {}
