# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the preflight believes of models: by which of its two names a model is asked for that nobody named."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.routing import model_service_of
from ansible_collections.fmapi.coding_agents.plugins.module_utils.workspace import preflight
from ansible_collections.fmapi.coding_agents.plugins.module_utils.workspace.errors import WorkspaceError

from tests.workspace.client import Workspace

ENDPOINTS = dict(AGENTS["claude_code"].model_defaults)
SERVICES = {slot: model_service_of(name) for slot, name in ENDPOINTS.items()}
LISTING = "/api/2.1/unity-catalog/model-services"
OPUS = ENDPOINTS["opus"]


def check(workspace: Workspace, **more: Any) -> dict[str, Any]:
    principal = {
        "identity": "service_principal",
        "client_id": workspace.client_id,
        "client_secret": workspace.client_secret,
    }
    return preflight.check({"workspace_url": workspace.url, "ca_file": workspace.ca_file, **principal, **more})


def in_force(answer: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = answer["models_in_force"]["claude_code"]
    return found


def test_a_model_service_is_an_endpoint_by_another_name() -> None:
    assert model_service_of("databricks-claude-opus-4-6") == "system.ai.claude-opus-4-6"
    assert model_service_of("databricks-claude-opus-4-6[1m]") == "system.ai.claude-opus-4-6[1m]"
    for name in ("team-claude", "main.default.claude", "system.ai.claude-opus-4-6"):
        assert model_service_of(name) == name


@pytest.mark.parametrize("routing", ["gateway", "auto"])
def test_models_that_nobody_named_are_model_services_where_the_workspace_lists_them(
    workspace: Workspace, routing: str
) -> None:
    answer = check(workspace, routing=routing)
    assert in_force(answer) == SERVICES
    assert {one["model"]: one["status"] for one in answer["models"]} == dict.fromkeys(SERVICES.values(), "READY")
    assert "system.ai lists them" in answer["models_reason"]
    assert len(workspace.requests(LISTING)) == 1, "asked once"


def test_an_older_workspace_has_endpoints_only(workspace: Workspace) -> None:
    workspace.control(model_services=False)
    answer = check(workspace)
    assert in_force(answer) == ENDPOINTS
    assert {one["model"] for one in answer["models"]} == set(ENDPOINTS.values())
    assert "serving endpoints" in answer["models_reason"]


@pytest.mark.parametrize("status", [400, 403, 404])
def test_model_services_that_cannot_be_listed_are_not_used(workspace: Workspace, status: int) -> None:
    workspace.control(fail_next={"path_prefix": LISTING, "status": status})
    answer = check(workspace)
    assert in_force(answer) == ENDPOINTS and answer["checked"]
    assert not [one for one in answer["warnings"] if "model" in one], "the endpoints answer: nobody has to do anything"


def test_a_workspace_in_trouble_does_not_change_what_models_are_called(workspace: Workspace) -> None:
    """Else one bad minute would rename the models of all hosts."""
    workspace.control(fail_next={"path_prefix": LISTING, "status": 503, "count": 1000})
    with pytest.raises(WorkspaceError, match="has trouble of its own"):
        check(workspace)


def test_only_the_gateway_knows_model_services(workspace: Workspace) -> None:
    for control, routing in (({}, "serving_endpoints"), ({"gateway": False}, "auto")):
        workspace.control(**control)
        answer = check(workspace, routing=routing)
        assert (answer["routing"], in_force(answer)) == ("serving_endpoints", ENDPOINTS)
    assert workspace.requests(LISTING) == []


def test_what_the_operator_names_keeps_its_name(workspace: Workspace) -> None:
    answer = check(workspace, models={"claude_code": {"opus": OPUS, "haiku": "system.ai.claude-haiku-4-5"}})
    assert in_force(answer) == {**SERVICES, "opus": OPUS}
    everything = check(workspace, models={"claude_code": dict(ENDPOINTS)})
    assert in_force(everything) == ENDPOINTS
    assert everything["models_reason"] == "set by the operator"


def test_a_model_that_is_served_as_a_service_only_is_found(workspace: Workspace) -> None:
    """The endpoints of a workspace that enforces its gateway may go: what then stands in the settings must not be their name."""
    one = {"name": OPUS, "ready": "NOT_READY"}
    workspace.control(endpoint_state=one)
    answer = check(workspace)
    assert in_force(answer) == {**SERVICES, "default": OPUS, "opus": OPUS}, "not listed, so not used"
    workspace.control(endpoint_state={**one, "ready": "ABSENT"})
    with pytest.raises(OperatorError, match=r"claude_code\.opus"):
        check(workspace)


def test_without_a_sign_in_nothing_is_decided(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    answer = preflight.check({"workspace_url": workspace.url, "ca_file": workspace.ca_file, "identity": "user"})
    assert not answer["checked"] and in_force(answer) == ENDPOINTS
    assert answer["models_reason"].endswith("nobody was signed in who could ask")
