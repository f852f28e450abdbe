# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ansible leaves in a host's temporary directory: nothing with a secret, even when it is told to leave everything."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import homes
from tests.control_node import ControlNode, Operator
from tests.planted import holding, leaks

SECRET, ENDPOINT_TOKEN = "planted-s3cr3t of the operator", "dapi" + 16 * "7c"

PLAY = """\
- import_playbook: fmapi.coding_agents.rollout
- import_playbook: fmapi.coding_agents.doctor
- name: Modules by themselves
  hosts: all
  gather_facts: false
  tasks:
    - name: One without a secret
      ansible.builtin.ping:
    - name: One whose library is missing on this host, given a secret nevertheless
      fmapi.coding_agents.serving_endpoint_info:
        workspace_url: "{{ coding_agents_workspace_url }}"
        token: "{{ endpoint_token }}"
      register: unable
      failed_when: unable is not failed
- import_playbook: fmapi.coding_agents.uninstall
"""


@pytest.mark.matrix
def test_kept_remote_files_hold_no_secret(
    operator: Operator, control: ControlNode, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """With that setting Ansible pipelines nothing, whatever else is set."""
    home = homes.lived_in(tmp_path / "home")
    planted = {operator.workspace.client_secret, SECRET, ENDPOINT_TOKEN}
    extra = {"claude_code": {"env": {"CORP_GREETING": SECRET}}}
    variables = {**operator.variables(home, extra_settings=extra), "endpoint_token": ENDPOINT_TOKEN}
    remote = tmp_path / "remote"
    (tmp_path / "all.yml").write_text(PLAY)
    control.run(
        tmp_path / "all.yml",
        {"host": {**variables, "ansible_remote_tmp": str(remote)}},
        "-vvvv",
        environment={"ANSIBLE_KEEP_REMOTE_FILES": "1"},
        watch=[*planted],
    ).ok()
    kept = {path.name for path in remote.rglob("AnsiballZ_*")}
    assert kept == {"AnsiballZ_ping.py", "AnsiballZ_agent_cli.py"}, "what gets no secret, and nothing else"
    found = holding(remote, planted) | leaks(tmp_path, planted)
    record_property("secrets_planted", len(planted))
    record_property("secrets_found", len(found))
    assert found == set()


def test_without_pipelining_no_file_stays(operator: Operator, control: ControlNode, tmp_path: Path) -> None:
    home = homes.lived_in(tmp_path / "home")
    variables = {**operator.variables(home), "endpoint_token": ENDPOINT_TOKEN}
    remote = tmp_path / "remote"
    (tmp_path / "all.yml").write_text(PLAY)
    control.run(
        tmp_path / "all.yml",
        {"host": {**variables, "ansible_remote_tmp": str(remote)}},
        environment={"ANSIBLE_PIPELINING": "0"},
    ).ok()
    assert remote.is_dir(), "no file was sent at all"
    assert list(remote.rglob("*")) == []
