# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a workspace serves, and the verdict on what agents are to ask for, against the simulated workspace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible import constants
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.routing import API_TYPES
from ansible_collections.fmapi.coding_agents.plugins.module_utils.workspace import client, sdk, survey
from ansible_collections.fmapi.coding_agents.plugins.plugin_utils import asking

from tests.workspace.client import Workspace

OPUS = "databricks-claude-opus-4-6"


def surveyed(workspace: Workspace, closely: bool = True, **own: Any) -> dict[str, Any]:
    identity = {
        "identity": "service_principal",
        "client_id": workspace.client_id,
        "client_secret": workspace.client_secret,
    }
    given = {"workspace_url": workspace.url, "ca_file": str(workspace.ca_file), **identity, **own}
    return survey.survey(given, closely)


def verdict(found: dict[str, Any], choice: str) -> tuple[str, str, str]:
    """State, status and way out of ``AGENT.CHOICE``."""
    (one,) = (one for one in found["choices"] if f"{one['agent']}.{one['choice']}" == choice)
    return one["state"], one["status"], one["fix"]


def row(found: dict[str, Any], name: str) -> dict[str, Any]:
    (one,) = (one for one in found["served"] if one["name"] == name)
    return one


def test_endpoints_and_services_are_listed_with_who_can_speak_to_them_and_who_asks_for_them(
    workspace: Workspace,
) -> None:
    found = surveyed(
        workspace, closely=False, agents=["claude_code", "codex"], models={"codex": {"default": "databricks-gpt-5-2"}}
    )
    kinds = [one["kind"] for one in found["served"]]
    assert kinds == sorted(kinds, reverse=True) and set(kinds) == {"serving_endpoint", "model_service"}
    assert row(found, "databricks-claude-opus-4-5")["state"] == "NOT_READY"
    for one in found["served"]:
        spoken = {
            agent
            for agent in AGENTS
            if {API_TYPES[dialect] for dialect in AGENTS[agent].dialects} & set(one["api_types"])
        }
        assert set(one["agents"]) == spoken, one["name"]
    assert row(found, "team-claude-external")["agents"] == row(found, "team-claude-external")["dialects"] == []
    assert row(found, "system.ai.claude-opus-4-6")["used_by"] == ["claude_code.default", "claude_code.opus"]
    assert row(found, "databricks-gpt-5-2")["used_by"] == ["codex.default"], "what the operator names is not renamed"
    assert row(found, OPUS)["used_by"] == []
    assert workspace.client_secret not in str(found)


def test_the_list_asks_for_no_single_model(workspace: Workspace) -> None:
    surveyed(workspace, closely=False, models={"claude_code": {"opus": "no-such-model"}})
    single = [one["path"] for one in workspace.requests() if "/serving-endpoints/" in one["path"]]
    assert single == []


def test_what_is_ready_not_ready_not_there_and_refused_is_told_apart(workspace: Workspace) -> None:
    workspace.control(
        new_service={"name": "main.agents.mine", "like": OPUS},
        endpoint_state={"name": "databricks-claude-haiku-4-5", "ready": "ABSENT"},
        fail_next=[
            {"path_prefix": "/api/2.0/serving-endpoints/databricks-claude-haiku-4-5", "status": 403, "count": 9},
            {"path_prefix": "/api/2.1/unity-catalog/model-services/main.agents.theirs", "status": 403, "count": 9},
        ],
    )
    models = {
        "claude_code": {
            "default": f"{OPUS}[1m]",
            "opus": "databricks-claude-opus-4-5",
            "sonnet": "databricks-claude-sonet-4-6",
            "haiku": "databricks-claude-haiku-4-5",
        },
        "opencode": {"default": "main.agents.mine", "sonnet": "main.agents.theirs", "haiku": "main.agents.nobodys"},
    }
    found = surveyed(workspace, agents=["claude_code", "opencode"], models=models)
    states = {f"{one['agent']}.{one['choice']}": (one["state"], one["status"]) for one in found["choices"]}
    assert states == {
        "claude_code.default": ("READY", "PASS"),
        "claude_code.opus": ("NOT_READY", "WARN"),
        "claude_code.sonnet": ("NOT_FOUND", "FAIL"),
        "claude_code.haiku": ("FORBIDDEN", "FAIL"),
        "opencode.default": ("READY", "PASS"),
        "opencode.sonnet": ("FORBIDDEN", "FAIL"),
        "opencode.haiku": ("NOT_FOUND", "FAIL"),
    }
    assert "Name databricks-claude-sonnet-4-6" in verdict(found, "claude_code.sonnet")[2]
    assert "CAN QUERY" in verdict(found, "claude_code.haiku")[2]
    assert all(bool(one["fix"]) is (one["status"] != "PASS") for one in found["choices"])


def test_an_endpoint_that_may_only_be_looked_at_is_forbidden(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    get = client.Workspace.get

    def looked_at(self: client.Workspace, path: str, *args: Any, **more: Any) -> dict[str, Any]:
        answer = get(self, path, *args, **more)
        return {**answer, "permission_level": "CAN_VIEW"} if path.endswith(OPUS) else answer

    monkeypatch.setattr(client.Workspace, "get", looked_at)
    found = surveyed(workspace, models={"claude_code": {"opus": OPUS, "haiku": "databricks-claude-haiku-4-5"}})
    assert verdict(found, "claude_code.opus")[:2] == ("FORBIDDEN", "FAIL")
    assert verdict(found, "claude_code.haiku")[:2] == ("READY", "PASS")


def test_who_may_not_see_the_details_of_what_is_listed_is_not_judged_by_that(workspace: Workspace) -> None:
    workspace.control(fail_next={"path_prefix": f"/api/2.0/serving-endpoints/{OPUS}", "status": 403, "count": 9})
    found = surveyed(workspace, models={"claude_code": {"opus": OPUS}})
    assert verdict(found, "claude_code.opus")[:2] == ("READY", "PASS")


def test_a_listing_that_is_refused_leaves_the_other_and_says_so(workspace: Workspace) -> None:
    workspace.control(fail_next={"path_prefix": "/api/2.0/serving-endpoints", "status": 403, "count": 99})
    found = surveyed(workspace, models={"claude_code": {"sonnet": "databricks-claude-sonnet-4-6"}})
    assert {one["kind"] for one in found["served"]} == {"model_service"}
    assert verdict(found, "claude_code.sonnet")[:2] == ("FORBIDDEN", "FAIL")
    assert verdict(found, "claude_code.opus")[:2] == ("READY", "PASS")
    assert any("serving endpoints are not listed" in warning for warning in found["warnings"])


def test_a_workspace_without_model_services_is_listed_without_a_warning(workspace: Workspace) -> None:
    workspace.control(model_services=False)
    found = surveyed(workspace, models={"claude_code": {"opus": "system.ai.claude-opus-4-6"}})
    assert {one["kind"] for one in found["served"]} == {"serving_endpoint"}
    assert verdict(found, "claude_code.opus")[:2] == ("NOT_FOUND", "FAIL")
    assert verdict(found, "claude_code.haiku")[:2] == ("READY", "PASS")
    assert found["warnings"] == []


def test_a_model_in_no_dialect_of_its_agent_cannot_be_used(workspace: Workspace) -> None:
    found = surveyed(workspace, agents=["gemini"], models={"gemini": {"flash": "databricks-gpt-5-5"}})
    state, status, fix = verdict(found, "gemini.flash")
    assert (state, status) == ("READY", "FAIL") and "gemini" in fix
    assert row(found, "databricks-gpt-5-5")["used_by"] == ["gemini.flash"]


def test_the_newest_models_are_judged_where_they_are_to_be_chosen(workspace: Workspace) -> None:
    workspace.control(new_endpoint={"name": "databricks-claude-opus-4-9", "like": OPUS})
    found = surveyed(workspace, models_auto=True)
    assert row(found, "system.ai.claude-opus-4-9")["used_by"] == ["claude_code.default", "claude_code.opus"]


@pytest.mark.parametrize("checks", [True, False])
def test_without_databricks_sdk_the_way_out_is_one_for_what_was_asked(
    checks: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path))
    monkeypatch.setattr(sdk, "IMPORT_ERROR", ImportError("no databricks"))
    options = {"workspace_url": "https://dbc-a1b2c3d4-e5f6.cloud.databricks.com"}
    answer = asking.ask(options, False) if checks else asking.survey(options, False, False)
    assert answer["failed"] and "databricks-sdk" in answer["msg"]
    assert ("coding_agents_preflight" in answer["msg"]) is checks, "a list cannot go without"


def test_where_nobody_can_be_asked_it_fails(workspace: Workspace, bare: None) -> None:
    with pytest.raises(OperatorError) as caught:
        survey.survey({"workspace_url": workspace.url, "ca_file": str(workspace.ca_file)}, False)
    assert workspace.url in str(caught.value)
