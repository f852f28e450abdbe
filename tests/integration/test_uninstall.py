# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook ``uninstall`` as an operator meets it: the list, the question in a real terminal, and tokens of older tools."""

from __future__ import annotations

import datetime
import json
import os
import ssl
import sys
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests import homes
from tests.control_node import ControlNode
from tests.databricks_cli.fixtures import databricks_cli
from tests.hosts.tree import differences, manifest
from tests.integration.test_sign_in import Laptop, laptop
from tests.terminal import Conversation
from tests.workspace.client import Workspace

__all__ = ["databricks_cli", "laptop"]

QUESTION = "Uninstall on 2 hosts (ada, grace)? [y/N]"
OLDER = "coding_agents_uninstall_older_tools=true"


class Said(NamedTuple):
    status: int
    text: str


def in_terminal(
    control: ControlNode,
    hosts: dict[str, Path],
    *options: str,
    answer: str | None = None,
    python: str = sys.executable,
) -> Said:
    """Run the playbook in a terminal of its own, and type the answer to its question; None: it is to ask none."""
    inventory = control.directory / "inventory.json"
    host = {"ansible_connection": "local", "ansible_python_interpreter": python}
    shown = {name: {**host, "coding_agents_home": str(home)} for name, home in hosts.items()}
    inventory.write_text(json.dumps({"all": {"hosts": shown}}))
    command = [str(control.programs / "ansible-playbook"), "-i", str(inventory), "fmapi.coding_agents.uninstall"]
    environment = control.environment({"TEST_RECORD_FILE": os.devnull})
    terminal = Conversation([*command, *options], environment, control.directory)
    if answer is not None:
        terminal.answer("[y/N]", answer)
    return Said(terminal.end(), " ".join(terminal.shown.split()))


def with_cache(home: Path) -> Path:
    """A home with one thing of the older script's that is known for sure."""
    homes.bare(home)
    (home / ".claude").mkdir()
    (home / ".claude/.fmapi-pat-cache").write_text('{"token": "t", "expiry_epoch": 1, "lifetime_seconds": 86400}')
    return home


@pytest.fixture
def two(tmp_path: Path) -> dict[str, Path]:
    return {name: with_cache(tmp_path / name) for name in ("ada", "grace")}


@pytest.mark.parametrize(("answer", "is_yes"), [("y", True), ("", False)])
def test_for_several_hosts_one_question_is_asked_in_a_terminal(
    control: ControlNode, two: dict[str, Path], answer: str, is_yes: bool
) -> None:
    before = {name: manifest(str(home)) for name, home in two.items()}
    said = in_terminal(control, two, "-e", OLDER, answer=answer)
    assert said.status == 0, said.text
    assert said.text.count("[y/N]") == 1 and QUESTION in said.text
    listed = "~/.claude/.fmapi-pat-cache: cache of a personal access token: removed: left by fmapi-codingagent-setup"
    assert said.text.index(f"fmapi-codingagent-setup: {listed} ada, grace") < said.text.index(QUESTION)
    for name, home in two.items():
        assert (home / ".claude/.fmapi-pat-cache").exists() is not is_yes
        assert is_yes or differences(before[name], manifest(str(home)), times=True) == []
    assert ("Nothing is changed: the answer was no" in said.text) is not is_yes


def test_who_has_confirmed_is_not_asked(control: ControlNode, two: dict[str, Path]) -> None:
    said = in_terminal(control, two, "-e", OLDER, "-e", "coding_agents_confirm=true")
    assert said.status == 0 and "[y/N]" not in said.text, said.text
    assert not any((home / ".claude/.fmapi-pat-cache").exists() for home in two.values())


def test_one_host_is_not_asked_about(control: ControlNode, two: dict[str, Path]) -> None:
    one = in_terminal(control, {"ada": two["ada"]}, "-e", OLDER, python="auto")
    assert one.status == 0 and "[y/N]" not in one.text, one.text
    assert "WarningSummary" not in one.text, "a warning of Ansible's own, here of the interpreter, is a text"
    assert not (two["ada"] / ".claude/.fmapi-pat-cache").exists()


def test_without_a_terminal_nobody_is_asked_and_what_is_not_there_is_said(
    control: ControlNode, two: dict[str, Path]
) -> None:
    hosts = {name: {"coding_agents_home": str(home)} for name, home in two.items()}
    gone = control.run("uninstall", hosts, variables={"coding_agents_uninstall_older_tools": True}).ok()
    assert "[y/N]" not in gone.told and gone.changed("ada") == gone.changed("grace") == 1
    nothing = control.run("uninstall", hosts).ok()
    assert "Nothing to uninstall on 2 hosts" in nothing.told and nothing.changed("ada") == 0


def create(workspace: Workspace, bearer: str, comment: str, days: int) -> None:
    order = {"comment": comment, "lifetime_seconds": days * 86_400}
    _ask(workspace, bearer, "/api/2.0/token/create", order)


def comments(workspace: Workspace, bearer: str) -> list[str]:
    return sorted(one["comment"] for one in _ask(workspace, bearer, "/api/2.0/token/list")["token_infos"])


def _ask(workspace: Workspace, bearer: str, path: str, order: dict[str, Any] | None = None) -> dict[str, Any]:
    data = None if order is None else json.dumps(order).encode()
    request = urllib.request.Request(
        workspace.url + path,
        data=data,
        headers={"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"},
    )
    context = ssl.create_default_context(cafile=workspace.ca_file)
    with urllib.request.urlopen(request, context=context, timeout=30) as reply:
        answer: dict[str, Any] = json.load(reply)
        return answer


def test_tokens_of_the_older_script_are_listed_and_revoked_on_demand_and_no_other(laptop: Laptop) -> None:
    workspace = laptop.operator.workspace
    bearer = workspace.mint("user")
    today = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d")
    theirs = f"Claude Code FMAPI (created {today})"
    create(workspace, bearer, theirs, 1)
    mine = ["Claude Code FMAPI", "mine", f"{theirs} and kept"]
    for comment in mine:
        create(workspace, bearer, comment, 1)
    create(workspace, bearer, theirs, 90)  # copied by a person: the script gave none so long a life
    everything = comments(workspace, bearer)

    laptop.play("rollout").ok()
    before = manifest(str(laptop.home))
    refused = laptop.play("uninstall", revoke_legacy_pats=True)
    assert refused.status != 0 and "coding_agents_revoke_legacy_pats" in refused.message()
    assert "cannot be revoked" in refused.message() and f"{laptop.home}" in refused.message()
    assert [line for line in differences(before, manifest(str(laptop.home))) if ".cache" not in line] == []

    laptop.play("sign_in").ok()
    dry = laptop.play("uninstall", "--check", revoke_legacy_pats=True).ok()
    assert f'fmapi-codingagent-setup: personal access token "{theirs}": revoked' in dry.told
    assert comments(workspace, bearer) == everything

    done = laptop.play("uninstall", revoke_legacy_pats=True).ok()
    assert f'personal access token "{theirs}": revoked' in done.results("coding_agents")[-1]["changes"]
    assert comments(workspace, bearer) == sorted([*mine, theirs])
    assert not (laptop.home / ".local/share/fmapi-coding-agents").exists()
