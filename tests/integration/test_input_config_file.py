# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON config file in real plays: its rank, hosts with their own, and mistakes in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests import homes
from tests.control_node import ControlNode, Operator

OWN_PLAYBOOK = """\
- name: A playbook of somebody's own
  hosts: all
  gather_facts: false
{vars_files}
  tasks:
    - name: Roll out
      ansible.builtin.import_role:
        name: fmapi.coding_agents.coding_agents
"""
LOADED = "  vars_files:\n    - \"{{ lookup('fmapi.coding_agents.config_file') }}\""


def _written(path: Path, **keys: Any) -> str:
    path.write_text(json.dumps(keys))
    return str(path)


def _settings(home: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((home / ".claude" / "settings.json").read_text())["env"]
    return loaded


@pytest.mark.matrix
def test_extra_variables_rank_over_the_file_and_the_file_over_the_inventory(
    operator: Operator, control: ControlNode, tmp_path: Path
) -> None:
    """Named in the inventory, for each host its own; a host without one keeps what the inventory says."""
    sonnet = "databricks-claude-sonnet-4-6"
    files = {
        "one": _written(tmp_path / "one.json", version=1, profile="of-file", ttl=20, model=sonnet, ai_gateway=False),
        "two": _written(tmp_path / "two.json", host=operator.workspace.url, ttl=40, profile=""),
    }
    inventory: dict[str, Any] = {"profile": "of-inventory", "token_ttl_minutes": 10, "routing": "gateway"}
    hosts = {
        name: operator.variables(homes.bare(tmp_path / name), config=files.get(name), **inventory)
        for name in ("one", "two", "none")
    }
    hosts["none"]["coding_agents_config"] = "{{ none }}"
    hosts["two"]["coding_agents_workspace_url"] = "https://replaced-by-the-file.example.com"
    control.run("rollout", hosts, "-e", "coding_agents_token_ttl_minutes=30").ok()
    assert {_settings(tmp_path / name)["CLAUDE_CODE_API_KEY_HELPER_TTL_MS"] for name in hosts} == {"1800000"}
    profiles = {name: (tmp_path / name / ".databrickscfg").read_text() for name in hosts}
    assert ["of-file" in profiles["one"], "of-inventory" in profiles["two"], "of-inventory" in profiles["none"]] == [
        True
    ] * 3
    assert _settings(tmp_path / "one")["ANTHROPIC_MODEL"] == sonnet
    bases = {name: _settings(tmp_path / name)["ANTHROPIC_BASE_URL"] for name in hosts}
    assert bases["one"].endswith("/serving-endpoints/anthropic") and bases["two"].endswith("/ai-gateway/anthropic")
    play = control.run("rollout", hosts).ok()
    assert _settings(tmp_path / "one")["CLAUDE_CODE_API_KEY_HELPER_TTL_MS"] == "1200000"
    assert _settings(tmp_path / "two")["CLAUDE_CODE_API_KEY_HELPER_TTL_MS"] == "2400000"
    assert _settings(tmp_path / "none")["CLAUDE_CODE_API_KEY_HELPER_TTL_MS"] == "600000"
    assert not list((play.directory.parent / "ansible").rglob("fmapi-coding-agents-config-*")), "gone with the run"


def test_a_relative_path_begins_where_the_play_was_started(
    operator: Operator, control: ControlNode, tmp_path: Path
) -> None:
    home = homes.bare(tmp_path / "home")
    _written(tmp_path / "config.json", ttl=20)
    # Plays start in a directory of their own below tmp_path.
    control.run("rollout", {"host": operator.variables(home)}, "-e", "coding_agents_config=../config.json").ok()
    assert _settings(home)["CLAUDE_CODE_API_KEY_HELPER_TTL_MS"] == "1200000"


MISTAKES: dict[str, tuple[str, str]] = {
    "typo": ('{"opsu": "x"}', "opsu is no key of a config file (did you mean opus?)"),
    "json": ('{\n  "ttl" 5\n}', "is not JSON (line 2, column 9"),
    "range": ('{"ttl": 90}', "ttl: coding_agents_token_ttl_minutes is 90"),
    "template": ("{\"profile\": \"{{ lookup('pipe', 'touch HERE') }}\"}", "profile holds a template"),
}


@pytest.mark.matrix
@pytest.mark.parametrize("name", MISTAKES)
def test_a_file_that_is_wrong_ends_the_run_before_any_host_is_touched(
    operator: Operator, control: ControlNode, tmp_path: Path, name: str
) -> None:
    text, said = MISTAKES[name]
    path = tmp_path / "config.json"
    path.write_text(text.replace("HERE", str(tmp_path / "touched")))
    hosts = {"host": operator.variables(homes.bare(tmp_path / "home"), config=str(path))}
    play = control.run("rollout", hosts)
    assert play.status != 0 and play.starts == {"host": 0}
    told = " ".join(play.output.split())  # displays break lines
    assert said in told and str(path) in told, play.output
    assert "Traceback" not in play.output
    assert not (tmp_path / "touched").exists()


def test_a_name_that_cannot_be_read_is_not_passed_over(
    operator: Operator, control: ControlNode, tmp_path: Path
) -> None:
    hosts = {"host": operator.variables(homes.bare(tmp_path / "home"), config="{{ nobody_set_this }}/config.json")}
    play = control.run("rollout", hosts)
    assert play.status != 0 and play.starts == {"host": 0}
    assert "nobody_set_this" in play.output


def test_a_playbook_of_one_s_own_reads_it_by_the_lookup_and_is_refused_without(
    operator: Operator, control: ControlNode, tmp_path: Path
) -> None:
    path = _written(tmp_path / "config.json", profile="of-file", ttl=20)
    home = homes.bare(tmp_path / "home")
    hosts = {"host": operator.variables(home, config=path, profile="of-inventory")}
    (tmp_path / "loaded.yml").write_text(OWN_PLAYBOOK.format(vars_files=LOADED))
    (tmp_path / "not.yml").write_text(OWN_PLAYBOOK.format(vars_files=""))
    refused = control.run(tmp_path / "not.yml", hosts)
    assert refused.status != 0 and refused.starts == {"host": 0}
    assert (
        "this play does not read it" in refused.message()
        and "lookup('fmapi.coding_agents.config_file')" in refused.message()
    )
    control.run(tmp_path / "loaded.yml", hosts).ok()
    assert _settings(home)["CLAUDE_CODE_API_KEY_HELPER_TTL_MS"] == "1200000"
    assert "[of-file]" in (home / ".databrickscfg").read_text()
