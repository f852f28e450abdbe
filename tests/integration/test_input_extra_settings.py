# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's own agent settings from inventory to file and back, with planted secrets that nobody may see."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests import homes
from tests.control_node import ControlNode, Operator, Play
from tests.hosts.tree import differences, manifest
from tests.planted import REMEMBERED, holding

SECRET, ROTATED, HOOK = "planted-s3cr3t of the operator", "planted-r0tated-secret", "planted-h00k --key abc"

FACTS = """\
- import_playbook: fmapi.coding_agents.rollout
- name: What an operator does with results
  hosts: all
  gather_facts: false
  tasks:
    - name: Once more, by hand
      fmapi.coding_agents.coding_agents:
        parts: [agent_settings]
      register: agents
    - name: Keep them as facts
      ansible.builtin.set_fact:
        cacheable: true
        kept: "{{ [__coding_agents_look, agents] }}"
    - name: Print them, and two words that must stay readable
      ansible.builtin.debug:
        msg: "{{ kept }} port 11 is true"
"""


def extra(secret: str) -> dict[str, Any]:
    return {
        "claude_code": {
            "cleanupPeriodDays": 11,
            "includeCoAuthoredBy": True,
            "env": {"CORP_SEARCH": secret, "CORP_PORT": "11", "CORP_FLAG": "true"},
            "hooks": {"PreToolUse": [{"hooks": [{"type": "command", "command": HOOK}]}]},
        }
    }


@pytest.mark.matrix
def test_extra_settings_are_set_shown_to_nobody_and_given_back(
    operator: Operator, control: ControlNode, tmp_path: Path
) -> None:
    home = homes.lived_in(tmp_path / "home")
    before = manifest(str(home))
    planted = {SECRET, ROTATED, HOOK}
    (tmp_path / "facts.yml").write_text(FACTS)
    loud = {
        "ANSIBLE_CACHE_PLUGIN": "ansible.builtin.jsonfile",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(tmp_path / "facts"),
        "ANSIBLE_LOG_PATH": str(tmp_path / "log"),
    }

    def run(playbook: str | Path, secret: str, *options: str) -> Play:
        variables = operator.variables(home, extra_settings=extra(secret))
        return control.run(
            playbook, {"host": variables}, "-vvvv", "--diff", *options, environment=loud, watch=[*planted]
        ).ok()

    plays = [run("rollout", SECRET, "--check"), run(tmp_path / "facts.yml", SECRET)]
    path = (home / ".claude" / "settings.json").resolve()
    now = json.loads(path.read_text())
    assert now["env"]["CORP_SEARCH"] == SECRET and now["env"]["EDITOR"] == "vim"
    assert now["hooks"]["PreToolUse"][0]["hooks"][0]["command"] == HOOK and now["hooks"]["Stop"]
    again = run("rollout", SECRET)
    assert again.changed() == 0 and again.starts["host"] == 1
    plays += [again, run("rollout", ROTATED), run("doctor", ROTATED)]
    assert json.loads(path.read_text())["env"]["CORP_SEARCH"] == ROTATED
    assert holding(home, planted) == {str(path.relative_to(home)), REMEMBERED}, "not in the ledger either"
    assert {one.stat().st_mode & 0o777 for one in (path, home / REMEMBERED)} == {0o600}
    plays.append(control.run("uninstall", {"host": {"coding_agents_home": str(home)}}, "-vvvv", "--diff").ok())
    assert differences(before, manifest(str(home))) == []

    for play in plays:
        assert holding(play.directory, planted) - {"inventory.json"} == set()
    for name in ("facts", "ansible", "control-home"):
        assert holding(tmp_path / name, planted) == set()
    assert not any(one in (tmp_path / "log").read_text() for one in planted)
    # Nothing else is hidden.
    diff = plays[0].shown("host")["~/.claude/settings.json"]
    for readable in (
        '"CORP_PORT": "11"',
        '"CORP_FLAG": "true"',
        '"cleanupPeriodDays": 11',
        '"includeCoAuthoredBy": true',
    ):
        assert f"+\t\t{readable}" in diff or f"+\t{readable}" in diff, diff
    assert "port 11 is true" in plays[1].output
    assert "env.CORP_SEARCH" in json.dumps(plays[1].results("coding_agents")), "what was changed is named"


def test_extra_settings_that_conflict_stop_the_host_before_anything_is_touched(
    operator: Operator, tmp_path: Path
) -> None:
    home = homes.lived_in(tmp_path / "home")
    before = manifest(str(home))
    play = operator.rollout(home, extra_settings={"claude_code": {"env": {"ANTHROPIC_MODEL": SECRET}}})
    assert "coding_agents_extra_settings.claude_code.env.ANTHROPIC_MODEL: is set by this collection" in play.message()
    assert SECRET not in play.output
    assert play.starts["host"] == 0
    assert differences(before, manifest(str(home)), times=True) == []


def test_extra_settings_given_as_text_are_read(operator: Operator, control: ControlNode, tmp_path: Path) -> None:
    """``-e name=value`` gives text."""
    home = homes.bare(tmp_path / "home")
    text = json.dumps({"claude_code": {"theme": "dark"}})
    hosts = {"host": operator.variables(home)}
    control.run("rollout", hosts, "-e", f"coding_agents_extra_settings='{text}'").ok()
    assert json.loads((home / ".claude" / "settings.json").read_text())["theme"] == "dark"
