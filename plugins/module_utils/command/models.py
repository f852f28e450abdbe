# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the workspace serves to this person, and which of it the agents here are set to use."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .. import careful
from ..agents import AGENTS
from ..engine.owner import Owner
from ..errors import OperatorError
from ..host_program import model_services, session, workspace
from ..host_program.config import Config
from ..parts.wanted_state import remembered
from ..routing import SYSTEM_SCHEMA, base_model_name, is_model_service

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
        found.setdefault(base_model_name(model), "NOT_FOUND")
    rows = [
        {
            "name": name,
            "state": state,
            "used_by": [one for model in used for one in used[model] if base_model_name(model) == name],
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


def _services(config: Config, token: str, used: Iterable[str]) -> dict[str, str]:
    """Model services of Databricks' own schema and of those in use; none where this identity may not list them."""

    def get(path: str) -> Mapping[str, Any] | None:
        try:
            return _get(config, token, path)
        except OperatorError:
            return None

    schemas = dict.fromkeys([SYSTEM_SCHEMA, *(one.rpartition(".")[0] for one in used if is_model_service(one))])
    return {name: _SERVED for schema in schemas for name in model_services.listed(get, schema)}


def _get(config: Config, token: str, path: str) -> dict[str, Any]:
    answer = workspace.ask(config.workspace_url, path, f"Bearer {token}", config.ca_file)
    if answer.status != 200:
        raise OperatorError(f"answers with HTTP {answer.status}", config.workspace_url, "Run: coding-agents doctor")
    return answer.body or {}
