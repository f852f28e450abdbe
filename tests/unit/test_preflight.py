# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The preflight: real ansible-playbook runs of its module, and its rules one by one."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.workspace import client, preflight
from ansible_collections.fmapi.coding_agents.plugins.module_utils.workspace.errors import WorkspaceError

from tests.unit.control_node import play
from tests.workspace.client import Workspace


def variables(workspace: Workspace, **more: Any) -> dict[str, Any]:
    """What an operator sets for hosts of a service principal."""
    return {
        "coding_agents_workspace_url": workspace.url,
        "coding_agents_ca_file": workspace.ca_file,
        "coding_agents_identity": "service_principal",
        "coding_agents_client_id": workspace.client_id,
        "coding_agents_client_secret": workspace.client_secret,
        **more,
    }


CHECK: dict[str, Any] = {"name": "Check", "fmapi.coding_agents.workspace_info": {}, "register": "checked"}
SHOW: dict[str, Any] = {
    "name": "Show the result",
    "ansible.builtin.debug": {
        "msg": "{{ inventory_hostname }} {{ checked.workspace_url }} {{ checked.routing }} {{ checked.workspace_id }} "
        "{{ checked.checked }} {{ checked.models | length }}"
    },
}


@pytest.fixture(scope="module")
def second_workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with Workspace(tmp_path_factory.mktemp("second")) as running:
        yield running


@pytest.mark.matrix
def test_five_hosts_on_two_workspaces_ask_each_workspace_once(
    workspace: Workspace, second_workspace: Workspace, tmp_path: Path
) -> None:
    second_workspace.reset()
    hosts = {
        f"host{number}": variables(workspace if number < 3 else second_workspace, coding_agents_routing="auto")
        for number in range(5)
    }
    secrets = {workspace.client_secret, second_workspace.client_secret}
    kept = tmp_path / "kept"
    keep: dict[str, Any] = {
        "name": "Keep what the run left in its temporary directory",
        "ansible.builtin.set_fact": {
            "kept": '{{ lookup(\'ansible.builtin.pipe\', \'find LOCAL -name "fmapi-*" -printf "%m %f\\n"; '
            'cp $(find LOCAL -name "fmapi-*.json") KEPT\').splitlines() }}'.replace(
                "LOCAL", str(tmp_path / "local")
            ).replace("KEPT", str(kept))
        },
        "run_once": True,
    }
    kept.mkdir()
    show: dict[str, Any] = {
        "name": "Show what was kept",
        "ansible.builtin.debug": {"msg": "{{ kept | join(' ; ') }}"},
        "run_once": True,
    }
    tasks = [CHECK, SHOW, keep, show]
    run = play(tmp_path, hosts, tasks, ["-vvv", "--check", "--diff"], ANSIBLE_LOCAL_TEMP=str(tmp_path / "local"))
    assert run.code == 0, run.output
    for number in range(5):
        one = workspace if number < 3 else second_workspace
        assert f"host{number} {one.url} gateway {one.workspace_id} True 3" in run.output
    for one in (workspace, second_workspace):
        requests = one.requests()
        assert [entry["path"] for entry in requests].count("/api/2.0/serving-endpoints") == 1
        assert [entry["path"] for entry in requests].count("/oidc/v1/token") == 1
        # The token request of a service principal lives in memory and writes nothing anywhere: all else only reads.
        assert {(entry["method"], entry["path"]) for entry in requests if entry["method"] != "GET"} == {
            ("POST", "/oidc/v1/token")
        }
    # One answer and one lock for each workspace, for nobody but the operator, gone with the run, and without a secret.
    assert run.output.count("600 fmapi-coding-agents-once-") >= 4
    assert len(list(kept.iterdir())) == 2
    assert not list((tmp_path / "local").rglob("fmapi-*"))
    for secret in secrets:
        assert secret not in run.output
        assert all(secret not in path.read_text("utf-8") for path in kept.iterdir())


BAD_INPUT: dict[str, tuple[dict[str, Any], str]] = {
    "http": ({"coding_agents_workspace_url": "http://dbc.example"}, "coding_agents_workspace_url"),
    "path": ({"coding_agents_workspace_url": "https://dbc.example/sql"}, "has a path"),
    "query": ({"coding_agents_workspace_url": "https://dbc.example?o=1"}, "has a query"),
    "unset": ({"coding_agents_workspace_url": ""}, "coding_agents_workspace_url is not set"),
    "routing": ({"coding_agents_routing": "turbo"}, "Use one of: gateway, serving_endpoints, gateway_host, auto"),
    "ttl0": ({"coding_agents_token_ttl_minutes": 0}, "coding_agents_token_ttl_minutes is 0"),
    "ttl61": ({"coding_agents_token_ttl_minutes": 61}, "coding_agents_token_ttl_minutes is 61"),
    "ttltext": ({"coding_agents_token_ttl_minutes": "ten"}, "not a whole number"),
    "profile": ({"coding_agents_profile": "my profile]"}, "coding_agents_profile is 'my profile]'"),
    "agent": ({"coding_agents_agents": ["claude_code", "clod"]}, "coding_agents_agents names clod"),
    "noagent": ({"coding_agents_agents": []}, "coding_agents_agents names no agent"),
    "slot": ({"coding_agents_models": {"claude_code": {"opsu": "x"}}}, "coding_agents_models.claude_code has opsu"),
    "models": ({"coding_agents_models": ["x"]}, "coding_agents_models is not a dictionary"),
    "modelname": ({"coding_agents_models": {"claude_code": {"opus": "a b"}}}, "coding_agents_models.claude_code.opus"),
    "earlier": ({"coding_agents_models": {"opus": "x"}}, "Write coding_agents_models: {claude_code: {opus: x}}"),
    "unknown": ({"coding_agents_modles": {}}, "Did you mean coding_agents_models?"),
    "identity": ({"coding_agents_identity": "root"}, "coding_agents_identity is 'root'"),
    "secret": ({"coding_agents_client_secret": ""}, "coding_agents_client_secret is not set"),
    "workspaceid": ({"coding_agents_workspace_id": "12x"}, "coding_agents_workspace_id"),
    "cafile": (
        {"coding_agents_ca_file": "nowhere/ca.pem"},
        "coding_agents_ca_file nowhere/ca.pem: is not on the control",
    ),
    "ourcafile": (
        {"coding_agents_preflight_ca_file": "/x.pem"},
        "coding_agents_preflight_ca_file /x.pem: is not on the",
    ),
}


@pytest.mark.matrix
def test_bad_input_is_refused_before_anything_is_sent(workspace: Workspace, tmp_path: Path) -> None:
    hosts = {name: variables(workspace, **wrong) for name, (wrong, _said) in BAD_INPUT.items()}
    run = play(tmp_path, hosts, [CHECK], ["-vvv"])
    assert set(run.failures) == set(BAD_INPUT)
    for name, (_wrong, said) in BAD_INPUT.items():
        assert said in run.failures[name]["msg"], name
    assert workspace.requests() == []
    assert workspace.client_secret not in run.output


def test_what_only_the_workspace_can_refuse(workspace: Workspace, tmp_path: Path) -> None:
    with socket.socket() as silent, socket.socket() as free:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        free.bind(("127.0.0.1", 0))
        closed = f"https://127.0.0.1:{free.getsockname()[1]}"
        free.close()
        table: dict[str, tuple[dict[str, Any], str]] = {
            "model": (
                {"coding_agents_models": {"claude_code": {"opus": "databricks-claude-opus-4-7"}}},
                "databricks-claude-opus-4-7 (coding_agents_models.claude_code.opus): did you mean databricks-claude-opus-4-6",
            ),
            "secret": ({"coding_agents_client_secret": "dose-planted-wrong"}, "coding_agents_client_secret"),
            "silent": (
                {"coding_agents_workspace_url": f"https://127.0.0.1:{silent.getsockname()[1]}"},
                "did not answer within 5 s",
            ),
            "closed": ({"coding_agents_workspace_url": closed}, "the connection was refused"),
            "untrusted": ({"coding_agents_ca_file": ""}, "name its PEM file in coding_agents_ca_file"),
            "hostsca": ({"coding_agents_ca_file": "/x.pem"}, "name one in coding_agents_preflight_ca_file"),
            "elsewhere": ({"coding_agents_workspace_id": "42"}, f"is 42, but {workspace.url} is the workspace"),
            "host": ({"coding_agents_routing": "gateway_host"}, "not known for 127.0.0.1"),
        }
        hosts = {name: variables(workspace, **wrong) for name, (wrong, _said) in table.items()}
        run = play(tmp_path, hosts, [CHECK], ["-vvv", "--forks", "10"])
    assert set(run.failures) == set(table), run.output
    for name, (_wrong, said) in table.items():
        assert said in run.failures[name]["msg"], name
    assert "dose-planted-wrong" not in run.output
    assert workspace.client_secret not in run.output


def test_a_failure_is_found_once_and_told_to_every_host(workspace: Workspace, tmp_path: Path) -> None:
    bad = variables(workspace, coding_agents_client_secret="dose-wrong")
    run = play(tmp_path, {f"host{number}": bad for number in range(4)}, [CHECK])
    assert len(run.failures) == 4
    assert len({result["msg"] for result in run.failures.values()}) == 1
    assert [entry["path"] for entry in workspace.requests()].count("/oidc/v1/token") == 1


def test_without_credentials_the_models_are_not_checked_and_that_is_said(workspace: Workspace, tmp_path: Path) -> None:
    hosts = {
        "host": variables(
            workspace, coding_agents_identity="user", coding_agents_models={"claude_code": {"opus": "absent"}}
        )
    }
    run = play(tmp_path, hosts, [CHECK, SHOW])
    assert run.code == 0, run.output
    assert f"host {workspace.url} gateway {workspace.workspace_id} False 0" in run.output
    # Displays break warnings at the width of the terminal.
    assert "The models were not checked" in " ".join(run.output.split())
    assert {entry["token"] for entry in workspace.requests()} == {"none"}


def test_a_user_is_checked_with_the_control_nodes_own_profile(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / ".databrickscfg").write_text(f"[mine]\nhost = {workspace.url}\ntoken = {workspace.mint()}\n")
    own = {"coding_agents_identity": "user", "coding_agents_auth_profile": "mine", "coding_agents_preflight": False}
    hosts = {"host": variables(workspace, **own)}
    run = play(tmp_path, hosts, [CHECK, SHOW])
    assert run.code == 0, run.output
    assert f"host {workspace.url} gateway {workspace.workspace_id} True 3" in run.output


# -- rules, without Ansible ----------------------------------------------------------------------------------------------


def given(workspace: Workspace, **more: Any) -> dict[str, Any]:
    return {
        "workspace_url": workspace.url,
        "ca_file": workspace.ca_file,
        "profile": "fmapi-coding-agents",
        "identity": "service_principal",
        "client_id": workspace.client_id,
        "client_secret": workspace.client_secret,
        "agents": ["claude_code"],
        "models": {},
        "routing": "gateway",
        "token_ttl_minutes": 15,
        **more,
    }


def test_the_result_is_complete_and_holds_no_secret(workspace: Workspace) -> None:
    result = preflight.check(given(workspace))
    assert result == {
        "workspace_url": workspace.url,
        "workspace_id": workspace.workspace_id,
        "routing": "gateway",
        "routing_reason": "set by the operator",
        "user_name": workspace.client_id,
        "models": [
            {"model": "system.ai.claude-opus-4-6", "status": "READY"},
            {"model": "system.ai.claude-sonnet-4-6", "status": "READY"},
            {"model": "system.ai.claude-haiku-4-5", "status": "READY"},
        ],
        "models_in_force": {
            "claude_code": {
                "default": "system.ai.claude-opus-4-6",
                "opus": "system.ai.claude-opus-4-6",
                "sonnet": "system.ai.claude-sonnet-4-6",
                "haiku": "system.ai.claude-haiku-4-5",
            }
        },
        "models_chosen": {},
        "models_reason": "named as model services: system.ai lists them",
        "checked": True,
        "warnings": [],
    }
    assert workspace.client_secret not in json.dumps(result)


def test_a_routing_that_nobody_named_is_the_default_and_is_said_to_be(workspace: Workspace) -> None:
    for more, reason in (({"routing": None}, "the default"), ({"routing_is_set": False}, "the default")):
        result = preflight.check({name: one for name, one in given(workspace, **more).items() if one is not None})
        assert (result["routing"], result["routing_reason"]) == ("gateway", reason)


def test_a_model_that_is_not_ready_is_a_warning(workspace: Workspace) -> None:
    workspace.control(endpoint_state={"name": "databricks-claude-opus-4-6", "ready": "NOT_READY"})
    result = preflight.check(given(workspace))
    assert result["models"][0] == {"model": "databricks-claude-opus-4-6", "status": "NOT_READY"}
    named = "coding_agents_models.claude_code.default, coding_agents_models.claude_code.opus"
    assert [named in one for one in result["warnings"]] == [True]


def test_every_missing_model_is_named_at_once(workspace: Workspace) -> None:
    models = {"opus": "databricks-claude-opus-5", "haiku": "system.ai.claude-haiku-4", "sonnet": "zzz"}
    with pytest.raises(OperatorError) as caught:
        preflight.check(given(workspace, models={"claude_code": models}))
    for slot, model in models.items():
        assert f"{model} (coding_agents_models.claude_code.{slot})" in str(caught.value)
    assert "system.ai.claude-haiku-4-5" in str(caught.value)
    assert "nothing served there looks like it" in str(caught.value)


@pytest.mark.parametrize(
    ("model", "served_as"),
    [
        ("system.ai.gpt-5-5", "mlflow/v1/chat/completions, openai/v1/responses"),
        ("databricks-gemini-3-5-flash", "mlflow/v1/chat/completions, gemini/v1/generateContent"),
        ("databricks-gpt-oss-120b[1m]", "mlflow/v1/chat/completions"),
    ],
)
def test_a_model_in_no_dialect_of_the_agent_is_refused(workspace: Workspace, model: str, served_as: str) -> None:
    models = {"opus": model, "default": model, "haiku": "zzz"}
    with pytest.raises(OperatorError) as caught:
        preflight.check(given(workspace, models={"claude_code": models}))
    variables = "coding_agents_models.claude_code.default, coding_agents_models.claude_code.opus"
    said = f"{model} ({variables}) is served as {served_as}, but Claude Code speaks anthropic/v1/messages"
    assert said in str(caught.value)
    assert str(caught.value).count("is served as") == 1
    assert "zzz (coding_agents_models.claude_code.haiku)" in str(caught.value)


def test_a_model_in_one_dialect_of_the_agent_is_enough(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    models = {"claude_code": {"opus": "databricks-gpt-5-5", "sonnet": "system.ai.gpt-oss-120b"}}
    monkeypatch.setattr(type(AGENTS["claude_code"]), "dialects", ("anthropic", "chat"))
    assert preflight.check(given(workspace, models=models))["checked"] is True
    monkeypatch.setattr(type(AGENTS["claude_code"]), "dialects", ("anthropic", "responses"))
    with pytest.raises(
        OperatorError, match=r"system\.ai\.gpt-oss-120b .* speaks anthropic/v1/messages or openai/v1/resp"
    ) as caught:
        preflight.check(given(workspace, models=models))
    assert "databricks-gpt-5-5" not in str(caught.value)


def test_dialects_that_are_not_told_are_not_judged(workspace: Workspace) -> None:
    path = "/api/2.0/serving-endpoints:foundation-models"
    models = {"claude_code": {"opus": "databricks-gpt-5-5", "sonnet": "team-claude-external"}}
    for status in (403, 404):
        workspace.control(fail_next={"path_prefix": path, "status": status})
        assert preflight.check(given(workspace, models=models))["checked"] is True
        assert workspace.requests(path)[-1]["status"] == status
    with pytest.raises(OperatorError, match="is served as"):
        preflight.check(given(workspace, models=models))


def test_dialects_of_endpoints_are_asked_for_where_one_is_named(workspace: Workspace) -> None:
    path = "/api/2.0/serving-endpoints:foundation-models"
    preflight.check(given(workspace))
    assert workspace.requests(path) == []
    preflight.check(given(workspace, models={"claude_code": {"opus": "databricks-claude-opus-4-6"}}))
    assert len(workspace.requests(path)) == 1


def test_model_services_and_suffixes(workspace: Workspace) -> None:
    models = {"default": "system.ai.claude-opus-4-6", "opus": "databricks-claude-opus-4-6[1m]"}
    result = preflight.check(given(workspace, models={"claude_code": models}))
    assert {one["status"] for one in result["models"]} == {"READY"}
    assert result["models"][0]["model"] == "system.ai.claude-opus-4-6"


@pytest.mark.parametrize("signed_in", [True, False])
def test_auto_takes_the_gateway_only_where_there_is_one(workspace: Workspace, signed_in: bool, bare: None) -> None:
    identity = "service_principal" if signed_in else "user"
    assert preflight.check(given(workspace, routing="auto", identity=identity))["routing"] == "gateway"
    workspace.control(gateway=False)
    result = preflight.check(given(workspace, routing="auto", identity=identity))
    assert result["routing"] == "serving_endpoints"
    assert "gateway" in result["routing_reason"]
    assert any("without credentials" in one for one in result["warnings"]) is not signed_in


def test_a_gateway_that_is_named_but_absent_is_a_warning(workspace: Workspace) -> None:
    workspace.control(gateway=False)
    result = preflight.check(given(workspace))
    assert result["routing"] == "gateway"
    assert ["auto or serving_endpoints" in one for one in result["warnings"]] == [True]


def test_a_gateway_that_refuses_or_lists_nothing(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    real = client.Workspace.get
    answer: list[Any] = [WorkspaceError("forbidden", "lacks a grant", "there", "It needs: much.")]

    def get(self: client.Workspace, path: str, *arguments: Any, **options: Any) -> dict[str, Any]:
        if path != preflight.GATEWAY_MODELS:
            return real(self, path, *arguments, **options)
        if isinstance(answer[0], Exception):
            raise answer[0]
        found: dict[str, Any] = answer[0]
        return found

    monkeypatch.setattr(client.Workspace, "get", get)
    result = preflight.check(given(workspace, routing="auto"))
    assert result["routing"] == "serving_endpoints"
    assert ["It needs: much." in one for one in result["warnings"]] == [True]
    answer[0] = {"data": []}
    result = preflight.check(given(workspace, routing="auto"))
    assert result["routing"] == "gateway"
    assert ["lists no model" in one for one in result["warnings"]] == [True]
    answer[0] = WorkspaceError("server_error", "has trouble", "there")
    with pytest.raises(OperatorError, match="has trouble"):
        preflight.check(given(workspace, routing="auto"))


def test_the_gateway_host_needs_a_workspace_id_which_is_detected(workspace: Workspace) -> None:
    with pytest.raises(OperatorError, match="not known for 127"):
        preflight.check(given(workspace, routing="gateway_host"))


def test_a_sign_in_of_the_control_node_that_is_refused_is_a_warning(
    workspace: Workspace, bare: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABRICKS_TOKEN", "dapi-out-of-date")
    result = preflight.check(given(workspace, identity="user"))
    assert result["checked"] is False
    assert any("own sign-in did not work" in one for one in result["warnings"])
    assert "dapi-out-of-date" not in json.dumps(result)


def test_a_named_profile_that_is_refused_is_an_error(workspace: Workspace, bare: None, tmp_path: Path) -> None:
    (tmp_path / ".databrickscfg").write_text(f"[mine]\nhost = {workspace.url}\ntoken = dapi-out-of-date\n")
    with pytest.raises(OperatorError, match="not valid for this workspace"):
        preflight.check(given(workspace, identity="user", auth_profile="mine"))


def test_a_personal_access_token_is_asked_with_and_a_wrong_one_is_an_error(workspace: Workspace, bare: None) -> None:
    token = workspace.mint()
    person = {"identity": "pat", "client_id": "", "client_secret": ""}
    result = preflight.check(given(workspace, **person, pat=token))
    assert result["checked"] is True and token not in json.dumps(result)
    with pytest.raises(OperatorError) as caught:
        preflight.check(given(workspace, **person, pat="dapi-planted-wrong"))
    assert "coding_agents_pat" in str(caught.value) and "planted" not in str(caught.value)
    assert preflight.check(given(workspace, **person))["checked"] is False, (
        "the hosts have it, the control node does not"
    )
