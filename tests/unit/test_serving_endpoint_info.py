# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module serving_endpoint_info, called as Ansible calls it, against the simulated workspace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.unit.control_node import COLLECTIONS, own_environment, play
from tests.workspace.client import Workspace


def call(workspace: Workspace, tmp_path: Path, **options: Any) -> dict[str, Any]:
    """Run the module in a process of its own, its arguments on standard input."""
    arguments = {
        "workspace_url": workspace.url,
        "ca_file": workspace.ca_file,
        "client_id": workspace.client_id,
        "client_secret": workspace.client_secret,
        **options,
    }
    arguments = {key: value for key, value in arguments.items() if value is not None}
    name = "ansible_collections.fmapi.coding_agents.plugins.modules.serving_endpoint_info"
    # ansible-core 2.19 and later name the encoding of the arguments beside them; older ones take no notice.
    starter = (
        "import runpy, sys\n"
        "from ansible.module_utils import basic\n"
        "basic._ANSIBLE_ARGS = sys.stdin.buffer.read()\n"
        "basic._ANSIBLE_PROFILE = 'legacy'\n"
        f"runpy.run_module({name!r}, run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", starter],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**own_environment(tmp_path), "PYTHONPATH": os.pathsep.join([str(COLLECTIONS)])},
    )
    result: dict[str, Any] = json.loads(done.stdout)
    # How a module of ansible-core 2.22 tells the control node what to mask; taken off there.
    result.pop("_ansible_new_secrets", None)
    assert workspace.client_secret not in json.dumps(result) + done.stderr
    return result


def test_everything_the_workspace_serves(workspace: Workspace, tmp_path: Path) -> None:
    result = call(workspace, tmp_path)
    assert result["changed"] is False
    assert result["workspace_url"] == workspace.url
    names = [endpoint["name"] for endpoint in result["endpoints"]]
    assert names == sorted(names) and "databricks-claude-opus-4-6" in names
    opus = result["endpoints"][names.index("databricks-claude-opus-4-6")]
    assert (opus["state"], opus["ready"], opus["family"], opus["tier"]) == ("READY", True, "claude", "opus")
    assert opus["gateway"]["usage_tracking"] is True
    speaks = {endpoint["name"]: endpoint["api_types"] for endpoint in result["endpoints"]}
    assert speaks["databricks-claude-opus-4-6"] == ["mlflow/v1/chat/completions", "anthropic/v1/messages"]
    assert speaks["databricks-gpt-5-5"] == ["mlflow/v1/chat/completions", "openai/v1/responses"]
    assert speaks["databricks-gemini-3-5-flash"] == ["mlflow/v1/chat/completions", "gemini/v1/generateContent"]
    assert speaks["team-claude-external"] == []
    assert "validation" not in result and "query_result" not in result
    assert {entry["method"] for entry in workspace.requests("/api")} == {"GET"}


def test_filters_query_and_verdicts(workspace: Workspace, tmp_path: Path) -> None:
    workspace.control(endpoint_state={"name": "databricks-claude-haiku-4-5", "ready": "NOT_READY"})
    result = call(
        workspace,
        tmp_path,
        family="claude",
        name="*haiku*",
        query="[?!ready].name",
        names=[
            "databricks-claude-opus-4-6",
            "databricks-claude-haiku-4-5",
            "databricks-claude-opus-4-7",
            "system.ai.claude-opus-4-6",
            "system.ai.absent",
            "system.ai.gpt-5-5",
        ],
    )
    assert {endpoint["family"] for endpoint in result["endpoints"]} == {"claude"}
    assert result["query_result"] == ["databricks-claude-haiku-4-5"]
    assert [(one["name"], one["status"]) for one in result["validation"]] == [
        ("databricks-claude-opus-4-6", "READY"),
        ("databricks-claude-haiku-4-5", "NOT_READY"),
        ("databricks-claude-opus-4-7", "NOT_FOUND"),
        ("system.ai.claude-opus-4-6", "READY"),
        ("system.ai.absent", "NOT_FOUND"),
        ("system.ai.gpt-5-5", "READY"),
    ]
    chat, claude, gpt = "mlflow/v1/chat/completions", "anthropic/v1/messages", "openai/v1/responses"
    assert [one["api_types"] for one in result["validation"]] == [
        [chat, claude],
        [chat, claude],
        [],
        [chat, claude],
        [],
        [chat, gpt],
    ]
    assert result["validation"][2]["close_matches"][0] == "databricks-claude-opus-4-6"


@pytest.mark.parametrize("status", [403, 404])
def test_a_workspace_that_does_not_tell_dialects_is_no_error(workspace: Workspace, tmp_path: Path, status: int) -> None:
    path = "/api/2.0/serving-endpoints:foundation-models"
    workspace.control(fail_next={"path_prefix": path, "status": status, "count": 9})
    result = call(workspace, tmp_path, names=["databricks-gpt-5-5"])
    assert {tuple(endpoint["api_types"]) for endpoint in result["endpoints"]} == {()}
    assert result["validation"][0]["status"] == "READY"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"client_secret": "wrong-secret"}, "coding_agents_client_secret"),
        ({"client_id": None, "client_secret": None}, "no credentials"),
        ({"query": "[?"}, "query: is not a JMESPath expression"),
        ({"query": "sum([].name)"}, "query: cannot be applied"),
        ({"workspace_url": "http://dbc.example"}, "https only"),
        ({"ca_file": None}, "coding_agents_ca_file"),
    ],
)
def test_failures_say_what_where_and_the_way_out(
    workspace: Workspace, tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    result = call(workspace, tmp_path, **options)
    assert result["failed"] is True
    assert said in result["msg"]


@pytest.mark.matrix
def test_a_task_shows_no_secret(workspace: Workspace, tmp_path: Path) -> None:
    token = workspace.mint(kind="pat")
    here: dict[str, Any] = {
        "delegate_to": "localhost",
        "become": False,
        "vars": {"ansible_python_interpreter": sys.executable},
    }
    options = {"workspace_url": workspace.url, "ca_file": workspace.ca_file, "query": "length(@)"}
    tasks: list[dict[str, Any]] = [
        {
            "name": "List",
            "fmapi.coding_agents.serving_endpoint_info": {**options, "token": "{{ planted_token }}"},
            "register": "served",
            **here,
        },
        {"name": "Show", "ansible.builtin.debug": {"var": "served"}},
        {
            "name": "Fail",
            "fmapi.coding_agents.serving_endpoint_info": {
                **options,
                "client_id": workspace.client_id,
                "client_secret": "{{ planted_secret }}",
            },
            **here,
        },
    ]
    hosts = {"host": {"planted_token": token, "planted_secret": "dose-planted-and-wrong"}}
    run = play(tmp_path, hosts, tasks, ["-vvv", "--check", "--diff"])
    assert '"query_result": 11' in run.output, run.output
    assert "coding_agents_client_secret" in run.output
    assert token not in run.output
    assert "dose-planted-and-wrong" not in run.output
