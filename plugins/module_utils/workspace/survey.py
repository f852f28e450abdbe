# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a workspace serves, for whom, and a verdict on each model that agents are to ask for. Control node only, reads only.

Where the preflight ends at the first model that cannot be, this says of each what it is: both ask by the same rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from ..agents import AGENTS
from ..routing import API_TYPES, MODEL_SERVICES, SYSTEM_SCHEMA, base_model_name, is_model_service
from . import client
from .endpoints import (
    NOT_FOUND,
    NOT_READY,
    READY,
    close_matches,
    model_family,
)
from .errors import GRANTS, WorkspaceError
from .preflight import Options, find, foreign_to, opened

FORBIDDEN = "FORBIDDEN"
UNKNOWN = "UNKNOWN"

PASS, WARN, FAIL, SKIP = "PASS", "WARN", "FAIL", "SKIP"

ENDPOINT, SERVICE = "serving_endpoint", "model_service"

_DIALECTS = {api_type: dialect for dialect, api_type in API_TYPES.items()}
_MAY_LOOK_ONLY = "CAN_VIEW"


def survey(given: Mapping[str, Any], closely: bool) -> dict[str, Any]:
    """List what the workspace serves, and judge the models that agents are to ask for.

    :param given: the options of the module models_info, judged before.
    :param closely: ask for each of those models by itself, too: only so one that is not there and one that is refused are told apart.
    :return: the module's documented result, plus ``warnings``. No secret.
    :raises OperatorError: nobody can be asked.
    """
    options = Options(given)
    warnings: list[str] = []
    with opened(options) as workspace:
        found = find(options, workspace, True, warnings)
        used = _used(found.in_force)
        asked = _Asked(workspace, found.workspace_id, [*options.schemas, *_schemas(used)])
        models = asked.models(used)
        verdicts = _Judge(asked, models, closely)
        choices = [
            verdicts.of(agent, choice, model)
            for agent, names in found.in_force.items()
            for choice, model in names.items()
        ]
    return {
        "workspace_url": options.workspace_url,
        "workspace_id": found.workspace_id,
        "user_name": found.user_name,
        "routing": found.routing,
        "routing_reason": found.routing_reason,
        "models_reason": found.models_reason,
        "served": models,
        "choices": choices,
        "validated": closely,
        "warnings": [*warnings, *asked.warnings()],
    }


def _used(in_force: Mapping[str, Mapping[str, str]]) -> dict[str, list[str]]:
    """``{model: the choices that ask for it}``, by the name that the workspace knows."""
    found: dict[str, list[str]] = {}
    for agent, names in in_force.items():
        for choice, model in names.items():
            if model:
                found.setdefault(base_model_name(model), []).append(f"{agent}.{choice}")
    return found


def _schemas(names: Iterable[str]) -> list[str]:
    return [name.rpartition(".")[0] for name in names if is_model_service(name)]


class _Asked:
    """The two listings of a workspace. One that is refused leaves the other."""

    def __init__(self, workspace: client.Workspace, workspace_id: str | None, schemas: Iterable[str]) -> None:
        self._workspace = workspace
        self._workspace_id = workspace_id
        self.endpoints: list[dict[str, Any]] = []
        self.services: dict[str, dict[str, list[str]]] = {}
        self.refused: dict[str, WorkspaceError] = {}
        """Why a listing was refused: by schema, and that of the endpoints by an empty name."""
        try:
            self.endpoints = workspace.served((), every=True).endpoints
        except WorkspaceError as error:
            self._keep("", error)
        for schema in dict.fromkeys((*schemas, SYSTEM_SCHEMA)):
            try:
                self.services[schema] = workspace.model_services(schema, workspace_id)
            except WorkspaceError as error:
                self._keep(schema, error)

    def _keep(self, name: str, error: WorkspaceError) -> None:
        if error.kind not in client.NOT_TOLD:
            raise error
        self.refused[name] = error

    def warnings(self) -> list[str]:
        """What is missing in the list for a refusal. That an older workspace has no model services is none."""
        return [
            f"{f'The model services of {schema}' if schema else 'The serving endpoints'} are not listed: {error}"
            for schema, error in self.refused.items()
            if error.kind == "forbidden"
        ]

    def models(self, used: Mapping[str, list[str]]) -> list[dict[str, Any]]:
        """Endpoints, then services, each by name."""
        rows = [
            _row(one["name"], ENDPOINT, one["state"], one["api_types"], one["family"], one["tier"], one["task"], used)
            for one in self.endpoints
        ]
        for listed in self.services.values():
            rows += [
                _row(name, SERVICE, READY, api_types, *model_family(name), None, used)
                for name, api_types in listed.items()
            ]
        return sorted(rows, key=lambda row: (row["kind"] != ENDPOINT, str(row["name"])))

    def by_itself(self, model: str) -> tuple[str, WorkspaceError | None]:
        """Of a model that no listing has: its state, and the refusal if there was one."""
        service = is_model_service(model)
        refused = self.refused.get(model.rpartition(".")[0] if service else "")
        if refused is not None:
            return (FORBIDDEN if refused.kind == "forbidden" else NOT_FOUND), refused
        try:
            self._workspace.get(_path(model), headers=self._headers(service))
        except WorkspaceError as error:
            if error.kind == "forbidden":
                return FORBIDDEN, error
            if error.kind not in client.NOT_TOLD:
                raise
        return NOT_FOUND, None

    def may_query(self, endpoint: str) -> bool:
        """Whether an endpoint that is listed may be queried. Who may not see its details is not judged by that."""
        try:
            detail = self._workspace.get(_path(endpoint))
        except WorkspaceError as error:
            if error.kind not in client.NOT_TOLD:
                raise
            return True
        return detail.get("permission_level") != _MAY_LOOK_ONLY

    def _headers(self, service: bool) -> dict[str, str]:
        return {"X-Databricks-Org-Id": self._workspace_id} if service and self._workspace_id else {}


def _path(model: str) -> str:
    name = quote(model, safe="")
    if is_model_service(model):
        return f"{MODEL_SERVICES}/{name}"
    return f"/api/2.0/serving-endpoints/{name}"


def _row(
    name: str,
    kind: str,
    state: str,
    api_types: list[str],
    family: str,
    tier: str | None,
    task: str | None,
    used: Mapping[str, list[str]],
) -> dict[str, Any]:
    dialects = [_DIALECTS[one] for one in api_types if one in _DIALECTS]
    return {
        "name": name,
        "kind": kind,
        "state": state,
        "ready": state == READY,
        "dialects": dialects,
        "api_types": list(api_types),
        "agents": [agent for agent in AGENTS if set(AGENTS[agent].dialects) & set(dialects)],
        "family": family,
        "tier": tier,
        "task": task,
        "used_by": used.get(name, []),
    }


class _Judge:
    """The verdicts, each model asked for once."""

    def __init__(self, asked: _Asked, models: Iterable[Mapping[str, Any]], closely: bool) -> None:
        self._asked = asked
        self._rows = {str(row["name"]): row for row in models}
        self._closely = closely
        self._known: dict[str, tuple[str, WorkspaceError | None]] = {}

    def of(self, agent: str, choice: str, model: str) -> dict[str, Any]:
        state, status, detail, fix = "", SKIP, "no model is configured", ""
        if model:
            state, refused = self._state(base_model_name(model))
            status, detail, fix = self._said(agent, model, state, refused)
        return {
            "agent": agent,
            "choice": choice,
            "variable": f"coding_agents_models.{agent}.{choice}",
            "model": model,
            "state": state,
            "status": status,
            "detail": detail,
            "fix": fix,
        }

    def _state(self, model: str) -> tuple[str, WorkspaceError | None]:
        if model not in self._known:
            self._known[model] = self._found(model)
        return self._known[model]

    def _found(self, model: str) -> tuple[str, WorkspaceError | None]:
        row = self._rows.get(model)
        if row is None:
            return self._asked.by_itself(model) if self._closely else (NOT_FOUND, None)
        if self._closely and row["kind"] == ENDPOINT and not self._asked.may_query(model):
            return FORBIDDEN, None
        return str(row["state"]), None

    def _said(self, agent: str, model: str, state: str, refused: WorkspaceError | None) -> tuple[str, str, str]:
        """Status, detail and the way out."""
        if state == NOT_FOUND:
            near = close_matches(base_model_name(model), self._rows)
            return (
                FAIL,
                "the workspace does not serve it, or does not show it to this identity",
                f"Name {' or '.join(near) or 'one that fmapi.coding_agents.list_models lists'}, or let the identity query it",
            )
        if state == FORBIDDEN:
            said = f": {refused.what}" if refused is not None else ""
            return FAIL, f"this identity may not query it{said}", f"Grant it: {GRANTS}"
        foreign = foreign_to(agent, self._rows[base_model_name(model)]["api_types"])
        if foreign:
            return FAIL, f"it {foreign}", f"Name a model that fmapi.coding_agents.list_models shows for {agent}"
        if state == READY:
            return PASS, "ready", ""
        said = "is not ready" if state == NOT_READY else "does not tell whether it is ready"
        return WARN, f"it {said}: it answers later or not", "Wait, look at its page in the workspace, or name another"
