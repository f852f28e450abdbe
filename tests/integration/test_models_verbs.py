# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks list_models and validate_models: no host, no inventory, one report, an exit status that tells."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.control_node import ControlNode, Play, workspace_variables
from tests.terminal import Conversation
from tests.workspace.client import Workspace

AGENTS = ["claude_code", "codex"]


@pytest.fixture
def variables(workspace: Workspace) -> dict[str, Any]:
    return {**workspace_variables(workspace), "coding_agents_agents": AGENTS}


def told(play: Play) -> str:
    return " ".join(" ".join(play.report()).split())


@pytest.mark.matrix
def test_what_is_served_is_listed_without_a_host_with_variables_for_all(
    control: ControlNode, workspace: Workspace, variables: dict[str, Any]
) -> None:
    # A host that nobody can reach: nothing is asked of it.
    away = {"away": {"ansible_connection": "ssh", "ansible_host": "192.0.2.1"}}
    play = control.run(
        "list_models",
        away,
        "-e",
        "coding_agents_report=models.json",
        variables=variables,
        watch=[workspace.client_secret],
    )
    assert play.ok().starts == {"away": 0} and play.stats("localhost")["changed"] == 0
    assert "* system.ai.claude-opus-4-6 READY claude_code.default, claude_code.opus" in told(play)
    assert "* system.ai.gpt-5-5 READY codex.default" in told(play)
    assert workspace.client_secret not in play.output
    (found,) = json.loads((play.directory / "models.json").read_text())["workspaces"]
    assert (found["workspace_url"], found["hosts"]) == (workspace.url, ["localhost"])
    rows = {row["name"]: row for row in found["served"]}
    assert rows["system.ai.gpt-5-5"]["used_by"] == ["codex.default"]
    assert rows["databricks-claude-opus-4-5"]["state"] == "NOT_READY"


def test_a_query_is_over_the_same_facts_and_the_hosts_of_a_pattern_may_be_named(
    control: ControlNode, workspace: Workspace, variables: dict[str, Any]
) -> None:
    hosts = {"one": variables, "two": {**variables, "coding_agents_agents": ["gemini"]}}
    query = "[?contains(agents, 'gemini') && kind == 'serving_endpoint'].name"
    play = control.run(
        "list_models", hosts, "-e", json.dumps({"coding_agents_hosts": "two", "coding_agents_models_query": query})
    )
    assert '[ "databricks-gemini-3-5-flash", "databricks-gemini-3-pro" ]' in told(play.ok())


def test_validation_fails_exactly_where_a_model_cannot_be_used(
    control: ControlNode, workspace: Workspace, variables: dict[str, Any]
) -> None:
    waiting = {"claude_code": {"haiku": "databricks-claude-opus-4-5"}}
    play = control.run("validate_models", {}, variables={**variables, "coding_agents_models": waiting})
    assert "Models of 5 choices: 1 with warnings, 4 ready" in told(play.ok())
    workspace.control(endpoint_state={"name": "databricks-gpt-5-5", "ready": "ABSENT"})
    lacking = {**waiting, "codex": {"default": "databricks-gpt-5-5"}}
    play = control.run("validate_models", {}, variables={**variables, "coding_agents_models": lacking})
    assert play.status == 2
    report = [line for line in play.report() if line.startswith(("FAIL", "WARN", "PASS"))]
    assert [line.split()[0] for line in report] == ["FAIL", "WARN", "PASS", "PASS"], "errors first"
    assert "databricks-gpt-5-5 (codex.default): NOT_FOUND" in told(play) and "-> Name databricks-gpt-5-2" in told(play)


def test_without_an_inventory_and_without_anybody_who_may_ask_it_fails_with_the_way_out(
    control: ControlNode, workspace: Workspace
) -> None:
    directory = control.directory / "nothing"
    directory.mkdir()
    command = [str(control.programs / "ansible-playbook"), "fmapi.coding_agents.list_models"]
    given = ["-e", f"coding_agents_workspace_url={workspace.url}", "-e", f"coding_agents_ca_file={workspace.ca_file}"]
    done = subprocess.run(
        [*command, *given], env=control.environment(), cwd=directory, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and "coding_agents_auth_profile" in done.stdout, done.stdout
    signed_in = control.environment({"DATABRICKS_HOST": workspace.url, "DATABRICKS_TOKEN": workspace.mint()})
    done = subprocess.run([*command, *given], env=signed_in, cwd=directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "* system.ai.claude-opus-4-6" in done.stdout, done.stdout


def test_in_a_terminal_there_are_colours_and_its_width_unless_told_otherwise(
    control: ControlNode, variables: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "vars.json"
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as stream:
        json.dump(variables, stream)
    command = [str(control.programs / "ansible-playbook"), "fmapi.coding_agents.list_models", "-e", f"@{path}"]
    plain = control.environment()
    seen = {}
    for name, env in (
        ("coloured", {key: value for key, value in plain.items() if key != "NO_COLOR"}),
        ("plain", plain),
    ):
        terminal = Conversation(command, env, tmp_path, columns=130)
        assert terminal.end() == 0, terminal.shown
        seen[name] = terminal.raw
    assert "\x1b[0;32m* system.ai.gpt-5-5" in seen["coloured"]
    assert "\x1b" not in seen["plain"] and "* system.ai.gpt-5-5" in seen["plain"]
