# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file of variables is read and written as it stands: templates, vaulted values and strangers stay, secrets are not shown."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.plugin_utils import variables_file
from ansible_collections.fmapi.coding_agents.plugins.plugin_utils.variables_file import FIRST_LINE, Found

URL = "https://dbc-a1b2c3d4-e5f6.cloud.databricks.com"
VAULTED = "!vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  3132333435\n"


def found(directory: Path, text: str) -> Found:
    path = directory / "vars.yml"
    path.write_text(text, "utf-8")
    read = variables_file.read(str(path), "coding_agents_configure_file")
    assert read is not None
    return read


def refusal(directory: Path, text: str) -> str:
    with pytest.raises(OperatorError) as caught:
        found(directory, text)
    return str(caught.value)


def test_what_is_written_is_read_again_as_it_was(tmp_path: Path) -> None:
    text = (
        f"coding_agents_workspace_url: {URL}\n"
        "coding_agents_client_id: \"{{ lookup('ansible.builtin.env', 'ID') }}\"\n"
        f"coding_agents_client_secret: {VAULTED}"
        "coding_agents_agents: [codex, pi]\n"
        "mine: {of: [my, own], count: 3}\n"
        'typed: "123"\n'
    )
    first = found(tmp_path, text)
    again = found(tmp_path, variables_file.rendered(first.values))
    assert again.values == first.values
    assert again.values["coding_agents_client_secret"].tag == "!vault"
    assert "coding_agents_client_secret: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  3132333435\n" in again.text
    assert list(again.values)[-2:] == ["mine", "typed"], "ours come first, in the order of the documentation"
    assert "coding_agents_client_id: \"{{ lookup('ansible.builtin.env', 'ID') }}\"\n" in again.text
    assert not first.is_ours and again.is_ours


@pytest.mark.parametrize("change", ["# a word of somebody's\n", "mine: 1\n\n"])
def test_a_word_of_somebody_s_makes_it_theirs(tmp_path: Path, change: str) -> None:
    ours = variables_file.rendered({"coding_agents_workspace_url": URL})
    assert ours.startswith(FIRST_LINE)
    assert found(tmp_path, ours).is_ours
    assert not found(tmp_path, ours + change).is_ours


def test_there_may_be_no_file_and_an_empty_one(tmp_path: Path) -> None:
    assert variables_file.read(str(tmp_path / "none.yml"), "x") is None
    assert found(tmp_path, "---\n").values == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("coding_agents_agents: [codex\n", "line 2"),
        ("- a list\n", "holds no variables"),
        ("1: 2\n", "holds no variables"),
        ("a: !!python/object:os.system {}\n", "is no YAML"),
        ("$ANSIBLE_VAULT;1.1;AES256\n3132\n", "is encrypted as a whole"),
        ("coding_agents_client_secret: dose0123456789\n", "coding_agents_client_secret in plain text"),
        ("coding_agents_pat: dapi0123456789\n", "coding_agents_pat in plain text"),
        ("coding_agents_pat: !unsafe dapi0123456789\n", "coding_agents_pat in plain text"),
        ("vault_coding_agents_pat: dapi0123456789\n", "vault_coding_agents_pat in plain text"),
    ],
)
def test_what_cannot_be_used_is_refused_without_a_quotation(tmp_path: Path, text: str, said: str) -> None:
    message = refusal(tmp_path, text)
    assert said in message and str(tmp_path) in message
    assert "0123456789" not in message and "3132" not in message


def test_what_secret_variables_hold_is_not_shown(tmp_path: Path) -> None:
    text = (
        "coding_agents_extra_settings: {claude_code: {env: {KEY: hidden-value, RAW: !unsafe 'hidden-{{raw}}'}, on: true}}\n"
        "mine: hidden-value-too\n"
    )
    read = found(tmp_path, text)
    shown = variables_file.masked(read.text, read.values)
    assert "hidden-" not in shown and "claude_code" in shown
    template = {"coding_agents_client_secret": "{{ vault_coding_agents_client_secret }}"}
    assert variables_file.masked(variables_file.rendered(template), template) == variables_file.rendered(template)
