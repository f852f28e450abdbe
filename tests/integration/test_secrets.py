# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Planted secrets appear nowhere but where they belong: not in output, facts, logs, callbacks, processes, loose files."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests import homes
from tests.control_node import ControlNode, Operator, Play
from tests.planted import holding, token_mark

PLAY = """\
- import_playbook: fmapi.coding_agents.rollout
- import_playbook: fmapi.coding_agents.doctor
- name: What an operator does with results
  hosts: all
  gather_facts: false
  tasks:
    - name: Keep them as facts
      ansible.builtin.set_fact:
        cacheable: true
        kept_look: "{{ look_result }}"
        kept_auth: "{{ workspace_auth_result | default({}) }}"
        kept_agents: "{{ agents_result | default({}) }}"
        kept_doctor: "{{ doctor_result }}"
        kept_preflight: "{{ preflight_result }}"
    - name: Print them
      ansible.builtin.debug:
        msg: "{{ [kept_look, kept_auth, kept_agents, kept_doctor, kept_preflight] }}"
    - name: Keep the home as the rollout left it, for the test to look at
      ansible.builtin.command:
        argv: [cp, -a, "{{ coding_agents_home }}", "{{ coding_agents_home }}-rolled-out"]
- import_playbook: fmapi.coding_agents.uninstall
"""


def _loose(home: Path, names: Iterable[str]) -> list[str]:
    """Those of ``names`` that somebody else than the owner may read, by their own mode or by an open directory."""
    return [name for name in names if stat.S_IMODE((home / name).stat().st_mode) & 0o077]


def _leaks(play: Play, secrets: Iterable[str]) -> set[str]:
    """What a run left on the control node with a secret in it. The inventory is the operator's own place for it."""
    return holding(play.directory, secrets) - {"inventory.json"}


@pytest.mark.matrix
def test_no_secret_leaves_its_place(operator: Operator, control: ControlNode, tmp_path: Path) -> None:
    """Dry run, then rollout, doctor, results as facts and uninstall in one, as loud as Ansible can be."""
    home = homes.lived_in(tmp_path / "home")
    secret, token = operator.workspace.client_secret, token_mark(operator.workspace)
    planted = {secret, token, homes.OTHER_KEY, homes.OTHER_SECRET}
    (tmp_path / "all.yml").write_text(PLAY)

    def run(playbook: str | Path, *options: str) -> Play:
        loud = {
            "ANSIBLE_CACHE_PLUGIN": "ansible.builtin.jsonfile",
            "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(tmp_path / "facts"),
            "ANSIBLE_LOG_PATH": str(tmp_path / "log"),
        }
        hosts = {"host": operator.variables(home)}
        return control.run(playbook, hosts, "-vvv", "--diff", *options, environment=loud, watch=[*planted])

    dry = run("rollout", "--check").ok()
    everything = run(tmp_path / "all.yml").ok()
    for play in (dry, everything):
        (diff,) = [one for one in play.diffs() if "settings.json" in one["after_header"] and "vim" in one["before"]][:1]
        assert '"OTHER_SERVICE_API_KEY": "***' in diff["before"], "the diff shows the lines, masked"
        assert _leaks(play, planted) == set()
    assert "fmapi" in (tmp_path / "log").read_text() and list((tmp_path / "facts").iterdir())
    for name in ("facts", "ansible", "control-home"):
        assert holding(tmp_path / name, planted) == set()
    assert not any(one in (tmp_path / "log").read_text() for one in planted)

    rolled_out = tmp_path / "home-rolled-out"
    settings, profiles = "dotfiles/claude-settings.json", ".databrickscfg"
    (cached,) = (
        f".cache/fmapi-coding-agents/{path.name}" for path in (rolled_out / ".cache").glob("*/token-????????????????")
    )
    assert holding(rolled_out, {secret}) == {profiles}
    assert holding(rolled_out, {token}) == {cached}
    # What stood before is remembered where only the owner reads it; the settings keep the mode that their user chose.
    assert holding(rolled_out, planted) - {".local/state/fmapi-coding-agents/ledger.json"} == {
        settings,
        profiles,
        cached,
    }
    assert _loose(rolled_out, holding(rolled_out, planted) - {settings}) == []
    assert holding(home, {secret, token}) == set(), "after uninstall"
    assert not [one for one in operator.workspace.requests() if one["secret_in"]]


def test_no_secret_in_failures(operator: Operator, control: ControlNode, tmp_path: Path) -> None:
    """A run that fails prints more than one that does not."""
    wrong = "dose" + 16 * "9a"
    planted = {wrong, homes.OTHER_KEY, homes.OTHER_SECRET, operator.workspace.client_secret}
    broken = homes.lived_in(tmp_path / "broken")
    settings = (broken / ".claude" / "settings.json").resolve()
    settings.write_text(settings.read_text().replace('"hooks"', "hooks"))
    # A value where an object must stand: the message must name the key, not the value.
    odd = homes.bare(tmp_path / "odd")
    (odd / ".claude").mkdir()
    (odd / ".claude" / "settings.json").write_text(f'{{"env": "{homes.OTHER_KEY}"}}')
    hosts = {
        "broken": operator.variables(broken),
        "odd": operator.variables(odd),
        "wrong": operator.variables(homes.lived_in(tmp_path / "wrong"), client_secret=wrong),
        "wrong-on-host": operator.variables(
            homes.lived_in(tmp_path / "wrong2"), client_secret=wrong, preflight=False, ca_file="/nonexistent/ca.pem"
        ),
        "wrong-options": operator.variables(homes.lived_in(tmp_path / "wrong3"), client_secret=wrong, identity="x"),
    }
    play = control.run("rollout", hosts, "-vvv", "--diff", watch=[*planted])
    assert play.status != 0
    assert all(play.message(host) for host in hosts), play.output
    assert _leaks(play, planted) == set()
