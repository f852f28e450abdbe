# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways to give a secret that docs/secrets.md names, none of them ``-e``: by vault, by lookup, by a credential of AWX."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import homes
from tests.control_node import REPOSITORY, ControlNode, Operator
from tests.planted import holding, leaks, loud

TEXT = (REPOSITORY / "docs" / "secrets.md").read_text()
CLIENT_SECRET = "coding_agents_client_secret"


def _blocks() -> list[dict[str, Any]]:
    """The YAML of the document; where it shows several ways for one variable, only the last of them."""
    return [yaml.safe_load(one) for one in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)]


def _line(lookup: str) -> str:
    """The value of the client secret that the document shows with this lookup."""
    (found,) = set(re.findall(rf'^{CLIENT_SECRET}: "(.*{re.escape(lookup)}.*)"$', TEXT, re.MULTILINE))
    return str(found)


def _injected(client_id: str, client_secret: str) -> dict[str, str]:
    """The environment of a job that has a credential of the documented type, which declares what it injects."""
    (fields,) = (one for one in _blocks() if "fields" in one)
    (injector,) = (one for one in _blocks() if set(one) == {"env"})
    values = {"client_id": client_id, "client_secret": client_secret}
    assert [one["id"] for one in fields["fields"]] == fields["required"] == [*values]
    assert [one["id"] for one in fields["fields"] if one.get("secret")] == ["client_secret"]
    return {name: values[text.strip("{} ")] for name, text in injector["env"].items()}


@pytest.mark.matrix
def test_a_secret_comes_by_vault_by_lookup_and_by_credential(
    operator: Operator, control: ControlNode, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    secret, password = operator.workspace.client_secret, "planted-v4ult password"
    inventory = tmp_path / "inventory"
    (inventory / "group_vars").mkdir(parents=True)
    (inventory / "hosts.yml").write_text("vaulted: {hosts: {vault: }}\n")
    vault, vault_password = inventory / "group_vars" / "vaulted.yml", tmp_path / "vault-password"
    vault.write_text(f"{CLIENT_SECRET}: {secret}\n")
    vault_password.write_text(password)
    vault_password.chmod(0o600)
    subprocess.run(
        [str(control.programs / "ansible-vault"), "encrypt", "--vault-password-file", str(vault_password), str(vault)],
        env=control.environment(),
        check=True,
        capture_output=True,
    )
    assert holding(inventory, {secret}) == set()
    kept = tmp_path / "secret"
    kept.write_text(f"{secret}\n")
    kept.chmod(0o600)

    ways = {
        "env": _line("builtin.env"),
        "file": _line("builtin.file").replace("~/.config/coding-agents/client-secret", str(kept)),
        "pipe": _line("builtin.pipe").replace("pass show databricks/coding-agents", f"cat {kept}"),
    }
    (awx,) = (one for one in _blocks() if "coding_agents_identity" in one)
    hosts = {name: operator.variables(homes.bare(tmp_path / name), client_secret=value) for name, value in ways.items()}
    hosts["vault"] = operator.variables(homes.bare(tmp_path / "vault"), client_secret=None)
    hosts["awx"] = {**operator.variables(homes.bare(tmp_path / "awx")), **awx}
    play = control.run(
        "rollout",
        hosts,
        *("-i", str(inventory), "--vault-password-file", str(vault_password), "-vvvv", "--diff"),
        environment={**loud(tmp_path), **_injected(operator.workspace.client_id, secret)},
        watch=[secret, password],
    ).ok()
    for name in hosts:
        assert secret in (tmp_path / name / ".databrickscfg").read_text(), name
        assert play.changed(name) == 1
    found = leaks(tmp_path, {secret, password}) | holding(play.directory, {secret, password})
    record_property("secrets_planted", 2)
    record_property("secrets_found", len(found))
    assert found == set(), "not even the inventory holds it"


def test_the_document_shows_no_extra_variable() -> None:
    assert not re.search(r"ansible-playbook .*(-e |--extra-vars)", TEXT)
