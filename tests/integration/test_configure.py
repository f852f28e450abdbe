# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook configure: somebody at a real terminal answers, and a rollout takes what it wrote; or a file answers; or it refuses."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.control_node import ControlNode
from tests.homes import bare
from tests.terminal import Conversation
from tests.workspace.client import Workspace


class Place:
    """An empty directory of an operator's."""

    def __init__(self, control: ControlNode, directory: Path) -> None:
        self.directory = directory
        self.directory.mkdir()
        self._control = control

    def command(self, playbook: str, *options: str) -> list[str]:
        return [str(self._control.programs / "ansible-playbook"), f"fmapi.coding_agents.{playbook}", *options]

    def run(self, playbook: str, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(playbook, *options),
            env=self._control.environment(environment),
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )

    def talk(self, *options: str) -> Conversation:
        return Conversation(self.command("configure", *options), self._control.environment(), self.directory)

    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.directory)) for path in self.directory.rglob("*") if path.is_file())

    def written(self) -> dict[str, Any]:
        read: dict[str, Any] = yaml.safe_load((self.directory / "group_vars" / "all" / "coding_agents.yml").read_text())
        return read


@pytest.fixture
def place(control: ControlNode, tmp_path: Path) -> Place:
    return Place(control, tmp_path / "fleet")


@pytest.mark.matrix
def test_somebody_answers_and_a_rollout_takes_what_was_written(
    place: Place, workspace: Workspace, tmp_path: Path
) -> None:
    """The secret stands in a vault from before: here, a file of variables beside it."""
    vault = place.directory / "group_vars" / "all" / "vault.yml"
    vault.parent.mkdir(parents=True)
    vault.write_text(f"vault_coding_agents_client_secret: {workspace.client_secret}\n")
    vault.chmod(0o600)
    (place.directory / "inventory.yml").write_text("all: {hosts: {localhost: {ansible_connection: local}}}\n")
    options = ["-i", "inventory.yml", "-e", f"coding_agents_ca_file={workspace.ca_file}"]
    somebody = place.talk(*options)
    somebody.answer("URL of the Databricks workspace", "http://nonsense")
    somebody.answer("URL of the Databricks workspace", f"{workspace.url}/")
    somebody.answer("Whose tokens", "2")
    somebody.answer("Client id", workspace.client_id)
    somebody.answer("Which coding agents [claude_code]", "1, codex")
    somebody.answer("How do requests reach the models? [gateway]")
    somebody.answer("Which models? [keep]", "each")
    somebody.answer("Claude Code: default")
    somebody.answer("Claude Code: opus")
    somebody.answer("Claude Code: sonnet", "databricks-gpt-5-5")
    somebody.answer("Claude Code: sonnet", "databricks-claude-sonnet-4-6")
    somebody.answer("Claude Code: haiku")
    somebody.answer("Codex: default")
    somebody.answer("Whose agents are set? [user]")
    somebody.answer("Users of the hosts")
    somebody.answer("coding_agents.yml? [Y/n]")
    assert somebody.end() == 0, somebody.shown
    assert "begins with http://" in somebody.shown and "does not speak" in somebody.shown
    assert workspace.client_secret not in somebody.shown and "ansible-vault" not in somebody.shown
    found = place.written()
    assert found["coding_agents_workspace_url"] == workspace.url
    assert found["coding_agents_client_secret"] == "{{ vault_coding_agents_client_secret }}"
    assert found["coding_agents_models"]["claude_code"]["sonnet"] == "databricks-claude-sonnet-4-6"
    assert found["coding_agents_models"]["codex"] == {"default": "system.ai.gpt-5-5"}

    home = bare(tmp_path / "home")
    here = [f"coding_agents_home={home}", "coding_agents_toolchain_sources=already_present"]
    rollout = place.run("rollout", "-i", "inventory.yml", "--check", *(word for one in here for word in ("-e", one)))
    assert rollout.returncode == 0, rollout.stdout + rollout.stderr
    assert "Would change: " in rollout.stdout and "databricks-claude-sonnet-4-6" in rollout.stdout
    validated = place.run("validate_models", "-i", "inventory.yml")
    assert validated.returncode == 0 and "5 ready" in validated.stdout, validated.stdout


def test_without_a_terminal_it_refuses_and_a_file_answers(place: Place) -> None:
    refused = place.run("configure")
    assert refused.returncode == 2 and "coding_agents_answers" in refused.stdout and place.files() == []
    answers = {
        "coding_agents_workspace_url": "https://dbc-a1b2c3d4-e5f6.cloud.databricks.com",
        "coding_agents_agents": ["pi"],
    }
    (place.directory / "answers.yml").write_text(yaml.safe_dump(answers))
    checked = place.run("configure", "-e", "coding_agents_answers=answers.yml", "--check")
    assert checked.returncode == 0 and "coding_agents_agents:" in checked.stdout and place.files() == ["answers.yml"]
    stated = json.dumps({"coding_agents_answers": "answers.yml", "coding_agents_token_ttl_minutes": 20})
    done = place.run("configure", "-e", stated)
    assert done.returncode == 0 and "changed=1" in done.stdout, done.stdout
    assert place.files() == ["answers.yml", "group_vars/all/coding_agents.yml", "inventory.yml"]
    assert place.written() == {**answers, "coding_agents_token_ttl_minutes": 20}


def test_whoever_interrupts_it_finds_nothing_written(place: Place) -> None:
    somebody = place.talk()
    somebody.answer("URL of the Databricks workspace", "\x03")
    assert somebody.end() == 2 and "Interrupted" in somebody.shown
    assert place.files() == []


@pytest.mark.parametrize("file", ["group_vars/all/coding_agents.yml", "elsewhere.yml"])
def test_a_secret_in_a_vault_asks_the_workspace_only_where_the_run_reads_it(
    place: Place, workspace: Workspace, tmp_path: Path, file: str
) -> None:
    password = tmp_path / "password"
    password.write_text("of the vault\n")
    encrypt = [str(Path(place.command("x")[0]).parent / "ansible-vault"), "encrypt_string", "--vault-password-file"]
    name = ["--stdin-name", "coding_agents_client_secret"]
    vaulted = subprocess.run(
        [*encrypt, str(password), *name], input=workspace.client_secret, capture_output=True, text=True, check=True
    ).stdout
    path = place.directory / file
    path.parent.mkdir(parents=True, exist_ok=True)
    known = {"workspace_url": workspace.url, "identity": "service_principal", "client_id": workspace.client_id}
    path.write_text("".join(f"coding_agents_{name}: {value}\n" for name, value in known.items()) + vaulted)
    (place.directory / "inventory.yml").write_text("all: {hosts: {localhost: {ansible_connection: local}}}\n")
    given = {"coding_agents_configure_file": file, "coding_agents_ca_file": str(workspace.ca_file)}
    somebody = place.talk("-i", "inventory.yml", "--vault-password-file", str(password), "-e", json.dumps(given))
    for question in ("URL of", "Whose tokens", "Client id", "Which coding agents", "How do requests"):
        somebody.answer(question)
    somebody.answer("Which models?", "\x03")
    assert somebody.end() == 2, somebody.shown
    is_read = file != "elsewhere.yml"
    assert ("claude_code.default" in somebody.shown) is is_read, somebody.shown
    assert ("coding_agents_client_secret is in no vault that this run reads" in somebody.shown) is not is_read
    assert workspace.client_secret not in somebody.shown
