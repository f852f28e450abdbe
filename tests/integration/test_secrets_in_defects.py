# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A defect of ours, met with a secret in hand: what is shown tells where it is and holds no value."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import homes
from tests.control_node import REPOSITORY, ControlNode, Operator
from tests.planted import leaks, loud

SECRET = "planted-s3cr3t of the operator"

# An error whose text is all that the module was given, raised from one whose text is the same: the worst that can happen.
RAISES = """

def {name}(*given, **more):
    given = [getattr(one, "params", one) for one in given]
    try:
        raise KeyError(repr(given))
    except KeyError as error:
        raise RuntimeError(f"did not expect {{given}}") from error
"""
DEFECTS = {"edge.py": ["config_of", "credentials_of", "documents_of"], "preflight.py": ["check"]}

PLAY = """\
- name: Every module that is given a secret
  hosts: all
  gather_facts: false
  module_defaults:
    group/fmapi.coding_agents.workspace:
      workspace_url: "{{ coding_agents_workspace_url }}"
  vars:
    extra: "{{ coding_agents_extra_settings | to_json }}"
  tasks:
    - name: The control node
      fmapi.coding_agents.workspace_info: &credentials
        identity: service_principal
        client_id: "{{ coding_agents_client_id }}"
        client_secret: "{{ coding_agents_client_secret }}"
      ignore_errors: true
      register: control_node
    - name: The look
      fmapi.coding_agents.coding_agents_info:
        <<: *credentials
        home: "{{ coding_agents_home }}"
        extra_settings: "{{ extra }}"
      ignore_errors: true
      register: look
    - name: The profile
      fmapi.coding_agents.databricks_oauth:
        <<: *credentials
        home: "{{ coding_agents_home }}"
      ignore_errors: true
      register: profile
    - name: The settings
      fmapi.coding_agents.agent_settings:
        home: "{{ coding_agents_home }}"
        extra_settings: "{{ extra }}"
      ignore_errors: true
      register: settings
    - name: The doctor
      fmapi.coding_agents.agent_doctor:
        <<: *credentials
        home: "{{ coding_agents_home }}"
        extra_settings: "{{ extra }}"
      ignore_errors: true
      register: doctor
    - name: Keep what was said
      ansible.builtin.set_fact:
        cacheable: true
        kept: "{{ [control_node, look, profile, settings, doctor] }}"
    - name: Print it
      ansible.builtin.debug:
        var: kept
"""


@pytest.mark.matrix
def test_a_traceback_holds_no_secret(
    operator: Operator, control: ControlNode, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    broken = tmp_path / "collections" / "ansible_collections" / "fmapi" / "coding_agents"
    for part in ("meta", "plugins", "galaxy.yml"):
        source, target = REPOSITORY / part, broken / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    for file, names in DEFECTS.items():
        with open(broken / "plugins" / "module_utils" / file, "a", encoding="utf-8") as stream:
            stream.writelines(RAISES.format(name=name) for name in names)
    home = homes.lived_in(tmp_path / "home")
    planted = {operator.workspace.client_secret, SECRET}
    (tmp_path / "all.yml").write_text(PLAY)
    play = control.run(
        tmp_path / "all.yml",
        {"host": operator.variables(home, extra_settings={"claude_code": {"env": {"CORP_GREETING": SECRET}}})},
        "-vvvv",
        environment={**loud(tmp_path), "ANSIBLE_COLLECTIONS_PATH": str(tmp_path / "collections")},
        watch=[*planted],
    ).ok()
    found = leaks(tmp_path, planted)
    record_property("secrets_planted", len(planted))
    record_property("secrets_found", len(found))
    assert found == set()
    failed = play.results(status="failed")
    assert len(failed) == 5
    for one in failed:
        assert one["msg"].startswith("A defect of fmapi.coding_agents: RuntimeError."), one["msg"]
    for name in ("config_of", "documents_of", "check"):
        assert f"in {name}\n" in play.output.replace("\\n", "\n"), f"the traceback does not lead to {name}"
