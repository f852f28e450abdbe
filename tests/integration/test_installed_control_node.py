# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The installed collection under the tools by which IT runs Ansible: ansible-builder's images and ansible-runner."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import homes
from tests.control_node import COLLECTION, REPOSITORY, Operator
from tests.integration.artifact import Installed
from tests.planted import holding, token_mark

GUIDE = REPOSITORY / "docs" / "docsite" / "rst" / "execution_environment.rst"


def _definition() -> str:
    """The example of the guide: the block of YAML, without its indentation."""
    (block,) = re.findall(r"\.\. code-block:: yaml\n\n((?:  .*\n|\n)+)", GUIDE.read_text())
    return re.sub(r"^  ", "", block, flags=re.MULTILINE)


def test_an_execution_environment_gets_what_a_control_node_needs(installed: Installed) -> None:
    """ansible-builder reads from the installed collection what to install: lower bounds only, and not Ansible itself."""
    found = installed.run("ansible-builder", "introspect", "--sanitize", str(installed.collections))
    needed = yaml.safe_load(found.stdout)
    names = []
    for line in needed["python"]:
        requirement = re.fullmatch(r"([\w-]+)>=[\d.]+  # from collection fmapi\.coding_agents", line)
        assert requirement, f"not a name with a lower bound: {line}"
        names.append(requirement[1])
    assert names == ["databricks-sdk", "jmespath"]
    assert {line.split()[0] for line in needed["system"]} == {"openssh-clients", "openssh-client"}
    assert (REPOSITORY / "requirements.txt").read_text().splitlines()[-1] == "-r meta/ee-requirements.txt"


def test_ansible_builder_accepts_the_definition_of_the_guide(installed: Installed, tmp_path: Path) -> None:
    """As far as no image is built: what ansible-builder makes of the definition is complete."""
    definition = tmp_path / "execution-environment.yml"
    definition.write_text(_definition())
    context = tmp_path / "context"
    installed.run("ansible-builder", "create", "--file", str(definition), "--context", str(context), cwd=tmp_path)
    wanted = yaml.safe_load((context / "_build" / "requirements.yml").read_text())
    assert wanted == {"collections": [{"name": COLLECTION}]}
    steps = (context / "Containerfile").read_text()
    assert "introspect.py introspect" in steps and "ansible-core ansible-runner" in steps


def _secret_file(path: Path, text: str) -> Path:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
        stream.write(text)
    return path


class Job:
    """A private data directory of ansible-runner with one host, and what a job in it left behind."""

    def __init__(self, installed: Installed, directory: Path, variables: Mapping[str, Any]) -> None:
        self.installed = installed
        self.directory = directory
        group = directory / "inventory" / "group_vars" / "all"
        group.mkdir(parents=True)
        (directory / "env").mkdir()
        (directory / "inventory" / "hosts.yml").write_text(json.dumps({"all": {"hosts": {"host": dict(variables)}}}))
        self.group = group

    def run(self, playbook: str, *options: str, environment: Mapping[str, str]) -> str:
        """Run one of the collection's playbooks. Returns what was printed: a line of JSON for each event, and -vvv's words."""
        command = ["ansible-runner", "run", str(self.directory), "--json", "--playbook", f"{COLLECTION}.{playbook}"]
        done = self.installed.run(*command, f"--cmdline={' '.join(options)}", environment=environment)
        return done.stdout + done.stderr


@pytest.mark.parametrize("secret_by", ["vault", "environment"])
def test_ansible_runner_runs_the_rollout_and_its_events_hold_no_secret(
    operator: Operator, installed: Installed, tmp_path: Path, secret_by: str
) -> None:
    """The secret of the service principal, its tokens and the user's own: nowhere in what ansible-runner keeps of a job."""
    home = homes.lived_in(tmp_path / "home")
    secret = operator.workspace.client_secret
    variables = {**operator.variables(home, client_secret=None), "ansible_connection": "local"}
    job = Job(installed, tmp_path / "job", {**variables, "ansible_python_interpreter": "/usr/bin/python3"})
    password = _secret_file(tmp_path / "vault-password", "correct horse battery staple\n")
    environment: dict[str, str] = {}
    options = ["-vvv", "--diff"]
    if secret_by == "vault":
        plain = _secret_file(job.group / "secret.yml", json.dumps({"coding_agents_client_secret": secret}))
        options += ["--vault-password-file", str(password)]
        installed.run("ansible-vault", "encrypt", str(plain), "--vault-password-file", str(password))
    else:
        environment = {"PLANTED_CLIENT_SECRET": secret}
        lookup = "{{ lookup('ansible.builtin.env', 'PLANTED_CLIENT_SECRET') }}"
        (job.group / "secret.yml").write_text(json.dumps({"coding_agents_client_secret": lookup}))

    stream = job.run("rollout", *options, environment=environment)
    events = [json.loads(line) for line in stream.splitlines() if line.startswith("{")]
    assert {"runner_on_ok", "playbook_on_stats"} <= {event["event"] for event in events}
    (stats,) = (event["event_data"] for event in events if event["event"] == "playbook_on_stats")
    assert stats["changed"] == {"host": 1} and not stats["failures"] and not stats["dark"]
    assert secret in (home / ".databrickscfg").read_text()

    planted = {secret, token_mark(operator.workspace), homes.OTHER_KEY, homes.OTHER_SECRET}
    assert not [one for one in planted if one in stream]
    artifacts = tmp_path / "job" / "artifacts"
    assert len(list(artifacts.rglob("*.json"))) > 10
    # ansible-runner itself notes down the environment that it starts ansible-playbook in, for its owner alone.
    own = {path for path in holding(artifacts, planted) if path.endswith("/command")}
    assert holding(artifacts, planted) == own and bool(own) == (secret_by == "environment")
    assert all((artifacts / path).stat().st_mode & 0o077 == 0 for path in own)
