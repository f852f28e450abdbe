# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A defect of ours, met with a secret in hand: what is shown tells where it is and holds no value."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
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
ON_BOTH = {
    "parts/context.py": ["config_of"],
    "parts/agent_settings.py": ["agent_options"],
    "workspace/preflight.py": ["check"],
}
"""Functions that are given a secret: of the host's work, and of the preflight, which is the control node's."""
BEFORE_ALL = {"options/judge.py": ["problems"]}
"""On the control node, before the module is called."""

PLAY = """\
- name: Every module that is given a secret
  hosts: all
  gather_facts: false
  tasks:
    - name: The control node
      fmapi.coding_agents.workspace_info:
      ignore_errors: true
      register: control_node
    - name: The look
      fmapi.coding_agents.coding_agents_info:
        preflight: false
      ignore_errors: true
      register: look
    - name: Everything
      fmapi.coding_agents.coding_agents:
        preflight: false
      ignore_errors: true
      register: everything
    - name: The profile
      fmapi.coding_agents.databricks_oauth:
      ignore_errors: true
      register: profile
    - name: The settings
      fmapi.coding_agents.agent_settings:
      ignore_errors: true
      register: settings
    - name: The doctor
      fmapi.coding_agents.agent_doctor:
        preflight: false
      ignore_errors: true
      register: doctor
    - name: Keep what was said
      ansible.builtin.set_fact:
        cacheable: true
        kept: "{{ [control_node, look, everything, profile, settings, doctor] }}"
    - name: Print it
      ansible.builtin.debug:
        var: kept
"""


def _broken(directory: Path, defects: Mapping[str, list[str]]) -> None:
    """The collection with these defects, below ``directory``."""
    broken = directory / "ansible_collections" / "fmapi" / "coding_agents"
    for part in ("meta", "playbooks", "plugins", "roles", "galaxy.yml"):
        source, target = REPOSITORY / part, broken / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    for file, names in defects.items():
        with open(broken / "plugins" / "module_utils" / file, "a", encoding="utf-8") as stream:
            stream.writelines(RAISES.format(name=name) for name in names)


@pytest.mark.matrix
@pytest.mark.parametrize("defects", [ON_BOTH, BEFORE_ALL], ids=["in the work", "before it"])
def test_a_traceback_holds_no_secret(
    operator: Operator,
    control: ControlNode,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
    defects: Mapping[str, list[str]],
) -> None:
    _broken(tmp_path / "collections", defects)
    home = homes.lived_in(tmp_path / "home")
    planted = {operator.workspace.client_secret, SECRET}
    (tmp_path / "all.yml").write_text(PLAY)
    hosts = {"host": operator.variables(home, extra_settings={"claude_code": {"env": {"CORP_GREETING": SECRET}}})}
    environment = {**loud(tmp_path), "ANSIBLE_COLLECTIONS_PATH": str(tmp_path / "collections")}
    modules = control.run(tmp_path / "all.yml", hosts, "-vvvv", environment=environment, watch=[*planted]).ok()
    rollout = control.run("rollout", hosts, "-vvvv", environment=environment, watch=[*planted])
    found = leaks(tmp_path, planted)
    record_property("secrets_planted", len(planted))
    record_property("secrets_found", len(found))
    assert found == set()
    assert rollout.status == 2
    assert len(modules.results(status="failed")) == 6
    for one in (*modules.results(status="failed"), *rollout.results(status="failed")):
        assert one["msg"].startswith("A defect of fmapi.coding_agents: RuntimeError."), one["msg"]
    for name in (name for names in defects.values() for name in names):
        assert f"in {name}\n" in modules.output.replace("\\n", "\n"), f"the traceback does not lead to {name}"
    last = [*defects.values()][-1][0]
    assert f"in {last}\n" in rollout.output.replace("\\n", "\n")
