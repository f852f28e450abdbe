# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planted secrets appear nowhere but where they belong: not in output, facts, logs, callbacks, processes, loose files."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from tests import homes
from tests.control_node import ControlNode, Operator, Play
from tests.planted import REMEMBERED, holding, leaks, loud, token_mark

PLAY = """\
- import_playbook: fmapi.coding_agents.rollout
- import_playbook: fmapi.coding_agents.doctor
- name: What an operator does with results
  hosts: all
  gather_facts: false
  tasks:
    - name: Ask the workspace
      fmapi.coding_agents.workspace_info:
      register: workspace
    - name: Look
      fmapi.coding_agents.coding_agents_info:
      register: look
    - name: Give everything back
      fmapi.coding_agents.coding_agents:
        state: absent
      register: given_back
    - name: Bring it about again
      fmapi.coding_agents.coding_agents:
      register: brought
    - name: Examine
      fmapi.coding_agents.agent_doctor:
      register: doctor
    - name: Keep them as facts
      ansible.builtin.set_fact:
        cacheable: true
        kept: "{{ [__coding_agents_look, workspace, look, given_back, brought, doctor] }}"
    - name: Print them
      ansible.builtin.debug:
        msg: "{{ kept }} port 11 is true"
    - name: Keep the home as the rollout left it, for the test to look at
      ansible.builtin.command:
        argv: [cp, -a, "{{ coding_agents_home }}", "{{ coding_agents_home }}-rolled-out"]
- import_playbook: fmapi.coding_agents.uninstall
"""

FAILING = """\
- name: What an operator does with failures
  hosts: all
  gather_facts: false
  tasks:
    - name: Roll out
      block:
        - name: Look, and bring about
          ansible.builtin.import_role:
            name: fmapi.coding_agents.coding_agents
      rescue:
        - name: Keep the failure
          ansible.builtin.set_fact:
            cacheable: true
            kept: "{{ ansible_failed_result }}"
        - name: Print it and fail
          ansible.builtin.fail:
            msg: "{{ kept }}"
"""

EXTRA_SECRETS = {"planted-s3cr3t of the operator", "planted-h00k --key abc"}


def _extra_settings() -> dict[str, Any]:
    """An operator's own settings: secrets under names that do not tell, beside words and numbers that are none."""
    greeting, hook = sorted(EXTRA_SECRETS, reverse=True)
    return {
        "claude_code": {
            "cleanupPeriodDays": 11,
            "includeCoAuthoredBy": True,
            "env": {"CORP_GREETING": greeting, "CORP_PORT": "11", "CORP_FLAG": "true"},
            "hooks": {"PreToolUse": [{"hooks": [{"type": "command", "command": hook}]}]},
        }
    }


def _loose(home: Path, names: Iterable[str]) -> list[str]:
    """Those of ``names`` that somebody else than the owner may read, by their own mode or by an open directory."""
    return [name for name in names if stat.S_IMODE((home / name).stat().st_mode) & 0o077]


def _token_caches(home: Path) -> list[str]:
    return [f".cache/fmapi-coding-agents/{path.name}" for path in (home / ".cache").glob("*/token-" + 16 * "?")]


@pytest.mark.matrix
def test_no_secret_leaves_its_place(
    operator: Operator, control: ControlNode, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Dry run, then rollout, doctor, modules whose results become facts, and uninstall in one, as loud as Ansible can be."""
    home, other = homes.lived_in(tmp_path / "home"), homes.lived_in(tmp_path / "other")
    for one in (home, other):
        path = (one / ".claude" / "settings.json").resolve()
        path.write_text(json.dumps({**json.loads(path.read_text()), "proxy": {"port": 11, "on": True}}, indent="\t"))
    workspace = operator.workspace
    secret, token, pat = workspace.client_secret, token_mark(workspace), workspace.mint(kind="pat")
    planted = {secret, token, pat, homes.OTHER_KEY, homes.OTHER_SECRET, *EXTRA_SECRETS}
    (tmp_path / "all.yml").write_text(PLAY)
    hosts = {
        "host": operator.variables(home, extra_settings=_extra_settings()),
        "other": operator.variables(other, identity="pat", pat=pat, client_id=None, client_secret=None),
    }

    def run(playbook: str | Path, *options: str) -> Play:
        return control.run(
            playbook, hosts, "-vvvv", "--diff", *options, environment=loud(tmp_path), watch=[*planted]
        ).ok()

    dry, everything = run("rollout", "--check"), run(tmp_path / "all.yml")
    found = leaks(tmp_path, planted)
    record_property("secrets_planted", len(planted))
    record_property("secrets_found", len(found))
    assert found == set()
    for kept in ("facts", "junit"):
        assert list((tmp_path / kept).iterdir()), f"there is no {kept} to search"
    assert "fmapi" in (tmp_path / "log").read_text()

    # Nothing else is hidden.
    assert "port 11 is true" in everything.output
    (_given_back, brought) = (one for one in everything.diffs("host") if "settings.json" in one["after_header"])
    for diff in (brought["after"], *(play.shown("host")["~/.claude/settings.json"] for play in (dry, everything))):
        assert '"OTHER_SERVICE_API_KEY": "***' in diff, "the lines are shown, masked"
        for readable in ('"model": "opus"', '"port": 11', '"on": true'):
            assert readable in diff, "also where they stood before"
        for readable in ('"cleanupPeriodDays": 11', '"CORP_PORT": "11"', '"CORP_FLAG": "true"'):
            assert readable in diff

    settings, profiles = "dotfiles/claude-settings.json", ".databrickscfg"
    rolled_out = tmp_path / "home-rolled-out"
    other_rolled_out = tmp_path / "other-rolled-out"
    ((cached,), (cached_pat,)) = (_token_caches(one) for one in (rolled_out, other_rolled_out))
    assert holding(rolled_out, {secret}) == {profiles}
    assert holding(rolled_out, {token}) == {cached}
    assert holding(rolled_out, EXTRA_SECRETS) == {settings, REMEMBERED}
    assert holding(other_rolled_out, {pat}) == {profiles, cached_pat}
    # Neither the ledger, which is the journal too, holds any: not even what stood in the files before.
    assert holding(rolled_out, planted) == {settings, profiles, cached, REMEMBERED}
    # A file that gets secrets from us is its owner's alone; another keeps the mode that its user chose.
    assert _loose(rolled_out, holding(rolled_out, planted)) == []
    assert _loose(other_rolled_out, {profiles, cached_pat}) == []
    for one in (home, other):
        assert holding(one, planted - {homes.OTHER_KEY, homes.OTHER_SECRET}) == set(), "after uninstall"
    assert not [one for one in workspace.requests() if one["secret_in"]]


@pytest.mark.matrix
def test_no_secret_in_failures(
    operator: Operator, control: ControlNode, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """A run that fails prints more than one that does not, the more so when Ansible is told to show tracebacks."""
    wrong, wrong_pat = "dose" + 16 * "9a", "dapi" + 16 * "9b"
    planted = {wrong, wrong_pat, homes.OTHER_KEY, homes.OTHER_SECRET, operator.workspace.client_secret, *EXTRA_SECRETS}
    broken = homes.lived_in(tmp_path / "broken")
    settings = (broken / ".claude" / "settings.json").resolve()
    settings.write_text(settings.read_text().replace('"hooks"', "hooks"))
    # A value where an object must stand: the message must name the key, not the value.
    odd = homes.bare(tmp_path / "odd")
    (odd / ".claude").mkdir()
    (odd / ".claude" / "settings.json").write_text(f'{{"env": "{homes.OTHER_KEY}"}}')
    ours = _extra_settings()
    ours["claude_code"]["env"]["ANTHROPIC_MODEL"] = sorted(EXTRA_SECRETS)[0]
    hosts = {
        "broken": operator.variables(broken),
        "odd": operator.variables(odd, extra_settings=_extra_settings()),
        "ours": operator.variables(homes.lived_in(tmp_path / "ours"), extra_settings=ours),
        "wrong": operator.variables(homes.lived_in(tmp_path / "wrong"), client_secret=wrong),
        "wrong-pat": operator.variables(homes.lived_in(tmp_path / "wrong4"), identity="pat", pat=wrong_pat),
        "wrong-on-host": operator.variables(
            homes.lived_in(tmp_path / "wrong2"), client_secret=wrong, preflight=False, ca_file="/nonexistent/ca.pem"
        ),
        "refused": operator.variables(homes.lived_in(tmp_path / "wrong5"), client_secret=wrong, preflight=False),
        "wrong-options": operator.variables(homes.lived_in(tmp_path / "wrong3"), client_secret=wrong, identity="x"),
    }
    (tmp_path / "failing.yml").write_text(FAILING)
    plays = [
        control.run(playbook, hosts, "-vvvv", "--diff", environment=loud(tmp_path), watch=[*planted])
        for playbook in (tmp_path / "failing.yml", "rollout")
    ]
    found = leaks(tmp_path, planted)
    record_property("secrets_planted", len(planted))
    record_property("secrets_found", len(found))
    assert found == set()
    for play in plays:
        assert play.status != 0
        assert all(play.message(host) for host in hosts), play.output
    assert list((tmp_path / "retry").iterdir()), "there is no retry file to search"
