# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stays in a host's temporary directory: nothing, unless Ansible is told to keep it. Then docs/secrets.md is right about it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests import homes
from tests.control_node import REPOSITORY, ControlNode, Operator
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


class _Run:
    """The whole play on one host whose temporary directory is ``remote``."""

    def __init__(
        self, operator: Operator, control: ControlNode, directory: Path, environment: Mapping[str, str]
    ) -> None:
        self.remote = directory / "remote"
        self.planted = {operator.workspace.client_secret, SECRET, ENDPOINT_TOKEN}
        home = homes.lived_in(directory / "home")
        extra = {"claude_code": {"env": {"CORP_GREETING": SECRET}}}
        variables = {**operator.variables(home, extra_settings=extra), "endpoint_token": ENDPOINT_TOKEN}
        (directory / "all.yml").write_text(PLAY)
        control.run(
            directory / "all.yml",
            {"host": {**variables, "ansible_remote_tmp": str(self.remote)}},
            "-vvvv",
            environment=environment,
            watch=[*self.planted],
        ).ok()


@pytest.mark.matrix
@pytest.mark.parametrize("pipelining", ["0", "1"])
def test_no_file_stays(
    operator: Operator,
    control: ControlNode,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
    pipelining: str,
) -> None:
    run = _Run(operator, control, tmp_path, {"ANSIBLE_PIPELINING": pipelining})
    found = holding(tmp_path / "remote", run.planted) | leaks(tmp_path, run.planted)
    record_property("secrets_planted", len(run.planted))
    record_property("secrets_found", len(found))
    assert found == set()
    assert run.remote.is_dir() or pipelining == "1", "no file was sent at all"
    assert list(run.remote.rglob("*")) == []


def test_what_ansible_is_told_to_keep_is_what_the_page_warns_of(
    operator: Operator, control: ControlNode, tmp_path: Path
) -> None:
    """With that setting Ansible pipelines nothing, whatever else is set; it is the operator's, and we say what it means."""
    page = " ".join((REPOSITORY / "docs" / "secrets.md").read_text().split())
    (warning,) = re.findall(r"\| `ANSIBLE_KEEP_REMOTE_FILES=1` \| (.+?) \|", page)
    for said in (
        "keeps that file",
        "all its options in plain text, a client secret among them",
        "`~/.ansible/tmp` unless `remote_tmp` says otherwise",
        "whatever `pipelining` says",
        "Nobody removes it, not even `uninstall`",
    ):
        assert said in warning
    assert "do not use `ANSIBLE_KEEP_REMOTE_FILES` on hosts with secrets" in page

    run = _Run(operator, control, tmp_path, {"ANSIBLE_KEEP_REMOTE_FILES": "1", "ANSIBLE_PIPELINING": "1"})
    kept = holding(run.remote, run.planted)
    assert kept, "it is as the page says"
    assert leaks(tmp_path, run.planted) == set(), "and on the host alone"
    for path in (run.remote / name for name in kept):
        closed = [one for one in (path, *path.parents) if one.is_relative_to(run.remote)]
        assert any(one.stat().st_mode & 0o077 == 0 for one in closed), path
