# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor tells faults apart: each row of the table in docs/doctor.md is planted, found by its words, and mended as it says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.session import IDENTITIES
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.examination import CATEGORIES

from tests.databricks_cli.fixtures import databricks_cli
from tests.unit.doctor_faults import DISTURBING, FAULTS, Fault
from tests.unit.doctor_host import Host
from tests.workspace.client import Workspace

__all__ = ["databricks_cli"]

PAGE = Path(__file__).resolve().parents[2] / "docs" / "doctor.md"
ANYTHING = "…"


class Row(NamedTuple):
    """A line of the table. ``…`` in a cell stands for what differs from host to host."""

    fault: str
    category: str
    check: str
    said: str
    fix: str

    def tells(self, finding: dict[str, str]) -> bool:
        said = f"{finding['status']}: {finding['detail']}"
        cells = zip(self[1:], (finding["category"], finding["check"], said, finding["fix"]), strict=True)
        return all(re.fullmatch(".*".join(map(re.escape, cell.split(ANYTHING))), told) for cell, told in cells)


def _rows() -> list[Row]:
    lines = [line.strip("|").split("|") for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    cells = [
        [re.sub(r"(?<!\\)`", "", cell).strip() for cell in line] for line in lines if len(line) == len(Row._fields)
    ]
    return [Row(*line) for line in cells if line[0] != "fault"]


ROWS = {row.fault: row for row in _rows()}


class Hosts:
    """A host for each kind that faults ask for. One that was mended is as good as new: the next fault is planted on it."""

    def __init__(self, place: Path, workspace: Workspace, cli: Path) -> None:
        self.place, self.workspace, self.cli = place, workspace, cli
        self._made: dict[str, tuple[Host, list[dict[str, str]]]] = {}
        self._number = 0
        self._is_out = False

    def take(self, fault: Fault, patch: pytest.MonkeyPatch) -> tuple[Host, list[dict[str, str]]]:
        """One in order, and what the doctor finds there all the same. It is given back by :meth:`keep`, if it was mended."""
        if self._is_out:
            self._made.clear()
            self.workspace.reset()
        self._is_out = True
        made = self._made.pop(self._kind(fault), None)
        if made is not None:
            made[0].enter(patch)
            return made
        self._number += 1
        host = Host(self.place / str(self._number), self.workspace, self.cli, fault.identity, **fault.options)
        host.enter(patch)
        for name, version in (fault.options.get("cli_versions") or {}).items():
            host.agent(name, version)
        if fault.identity == "user":
            host.sign_in()
        host.roll_out()
        return host, host.findings()

    def keep(self, fault: Fault, host: Host, before: list[dict[str, str]]) -> None:
        for clean in host.clean_up:
            clean()
        host.clean_up.clear()
        self._made[self._kind(fault)] = host, before
        self._is_out = False
        if fault.name in DISTURBING:
            self._made.clear()

    @staticmethod
    def _kind(fault: Fault) -> str:
        return json.dumps([fault.identity, fault.options])


@pytest.fixture(scope="module")
def hosts(
    tmp_path_factory: pytest.TempPathFactory, workspace_process: Workspace, databricks_cli: Path
) -> Iterator[Hosts]:
    workspace_process.reset()
    yield Hosts(tmp_path_factory.mktemp("hosts"), workspace_process, databricks_cli)
    workspace_process.reset()


def test_each_fault_of_the_table_can_be_planted_and_no_other() -> None:
    assert sorted(ROWS) == sorted(FAULTS)
    assert len(ROWS) >= 40
    assert len({row[1:] for row in ROWS.values()}) == len(ROWS), "two faults that nobody can tell apart"


def test_the_table_has_faults_of_each_category_identity_and_agent() -> None:
    assert [row.category for row in _rows()] == sorted((row.category for row in _rows()), key=CATEGORIES.index)
    assert {row.category for row in ROWS.values()} == set(CATEGORIES)
    assert {fault.identity for fault in FAULTS.values()} == set(IDENTITIES)
    assert {name for fault in FAULTS.values() for name in fault.options["agents"]} == set(AGENTS)


def test_the_page_names_the_categories_in_their_order() -> None:
    table = PAGE.read_text().partition("| category |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| ([A-Z][a-z ]+) \|", table, re.MULTILINE) == list(CATEGORIES)


@pytest.mark.parametrize("identity", IDENTITIES)
def test_a_host_in_order_raises_no_alarm(
    tmp_path: Path, workspace: Workspace, databricks_cli: Path, monkeypatch: pytest.MonkeyPatch, identity: str
) -> None:
    host = Host(tmp_path / "one", workspace, databricks_cli, identity, agents=list(AGENTS))
    host.enter(monkeypatch)
    if identity == "user":
        host.sign_in()
    host.roll_out()
    found = host.findings()
    assert [one["check"] for one in found] == (["personal access token"] if identity == "pat" else [])
    assert not any(one["status"] == "FAIL" for one in found)


def test_what_does_no_harm_raises_no_alarm(
    tmp_path: Path, workspace: Workspace, databricks_cli: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of others that say nothing of what decides, or the same, and projects elsewhere."""
    host = Host(tmp_path / "one", workspace, databricks_cli, "service_principal", agents=["claude_code", "codex"])
    host.enter(monkeypatch)
    host.roll_out()
    (host.managed / "managed_config.toml").write_text('sandbox_mode = "read-only"\nmodel_provider = "databricks"\n')
    (host.managed / "managed-settings.json").write_text('{"cleanupPeriodDays": 7}')
    projects = {str(host.path("same")): json.loads(host.path(".claude/settings.json").read_text())["env"]}
    projects[str(tmp_path / "elsewhere")] = {"ANTHROPIC_BASE_URL": "https://api.example.com"}
    for project, variables in projects.items():
        settings = Path(project, ".claude", "settings.json")
        settings.parent.mkdir(parents=True)
        settings.write_text(json.dumps({"env": variables}))
    state = json.loads(host.path(".claude.json").read_text())
    host.path(".claude.json").write_text(json.dumps({**state, "projects": {one: {} for one in (*projects, "/gone")}}))
    assert host.findings() == []


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_told_by_its_cause_and_what_is_said_mends_it(
    name: str, hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    fault, row = FAULTS[name], ROWS[name]
    host, before = hosts.take(fault, monkeypatch)
    planted = fault.plant(host, monkeypatch)
    if fault.by_hand:
        next(planted)
    found = host.findings()
    cause = ([one for one in found if one not in before] or found)[0]
    assert row.tells(cause), f"\n{cause}\nis not\n{row}"
    assert [one.fault for one in ROWS.values() if one.tells(cause)] == [name], "told apart from all others"
    if fault.by_hand:
        next(planted, None)
    else:
        follow(cause["fix"], host)
    after = host.findings()
    assert not any(row.tells(one) for one in after), after
    assert [one for one in after if one not in before] == []
    hosts.keep(fault, host, after)


def follow(fix: str, host: Host) -> None:
    """Do what the doctor says, word by word."""
    command = re.fullmatch(r"Run: (?P<typed>.*?)(?P<then>, then the rollout)?", fix)
    assert command or "Run the rollout" in fix, fix
    if command:
        host.run(command["typed"])
    if not command or command["then"]:
        host.roll_out()
