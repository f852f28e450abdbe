# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What operators write, in plays of several hosts: names of any language, and mistakes on one host."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import homes
from tests.control_node import ControlNode, Operator
from tests.hosts.tree import differences, manifest


@pytest.mark.matrix
def test_homes_and_names_of_any_language_are_rolled_out_to_and_given_back(
    operator: Operator, control: ControlNode, tmp_path: Path
) -> None:
    names = ["Zoë Müller", "家の フォルダ", 'it\'s 100% "mine" $5', "مجلد", "naïve&co;"]
    hosts, before = {}, {}
    for number, name in enumerate(names):
        home = homes.lived_in(tmp_path / name)
        project = home / f"projekt {name}"
        project.mkdir()
        before[number] = manifest(str(home))
        hosts[f"host-{number}-größe"] = operator.variables(
            home, claude_code_settings_location=str(project) if number % 2 else None
        )
    first = control.run("rollout", hosts).ok()
    assert all(first.changed(host) > 0 for host in hosts)
    again = control.run("rollout", hosts).ok()
    assert {again.changed(host) for host in hosts} == {0}
    for number, name in enumerate(names):
        written = tmp_path / name / (f"projekt {name}" if number % 2 else "") / ".claude" / "settings.json"
        assert f"{tmp_path}" in json.loads(written.read_text())["apiKeyHelper"]
    control.run(
        "uninstall", {host: {"coding_agents_home": one["coding_agents_home"]} for host, one in hosts.items()}
    ).ok()
    for number, name in enumerate(names):
        assert differences(before[number], manifest(str(tmp_path / name))) == [], name


def test_a_mistake_on_one_host_can_be_made_to_stop_all(
    operator: Operator, control: ControlNode, tmp_path: Path
) -> None:
    """Without it, the others go on: see test_bad_input."""
    hosts = {name: operator.variables(homes.bare(tmp_path / name)) for name in ("good", "wrong")}
    hosts["wrong"]["coding_agents_modles"] = {}
    before = manifest(str(tmp_path / "good"))
    play = control.run("rollout", hosts, environment={"ANSIBLE_ANY_ERRORS_FATAL": "true"})
    assert play.status != 0
    assert "coding_agents_modles: there is no such variable. Did you mean coding_agents_models?" in play.message(
        "wrong"
    )
    assert play.starts["wrong"] == 0 and play.starts["good"] <= 1, "the others are looked at, at most"
    assert differences(before, manifest(str(tmp_path / "good")), times=True) == []
