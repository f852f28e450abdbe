# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One variable changes: the dry run tells it to the letter, one run is enough, and nothing of the old state is left.

Each change has a host of its own with a home that has been lived in, so that one play after the other serves them all. A twin
of each home never had the old state: the two must be the same afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils.agents import AGENTS
from plugins.module_utils.agents.claude_code import ClaudeCode
from tests import homes
from tests.control_node import ControlNode, Operator, Play
from tests.hosts.tree import Manifest, differences, manifest
from tests.workspace.client import Workspace

MODELS = dict(ClaudeCode.model_defaults)

CHANGES: dict[str, dict[str, Any]] = {
    "url": {},  # filled in by the fixture: another workspace with credentials of its own
    "profile": {"profile": "another-name"},
    "model": {
        "models": {"claude_code": {"default": "databricks-claude-sonnet-4-6", "haiku": "databricks-claude-sonnet-4-6"}}
    },
    "routing": {"routing": "serving_endpoints"},
    "ttl": {"token_ttl_minutes": 30},
    "location": {"claude_code_settings_location": "project"},  # the folder of that name beside the home
    "identity": {"identity": "user", "client_id": None, "client_secret": None},
    "betas": {"claude_code_experimental_betas": True},
}
NOT_COMPARED = (".cache/", ".local/state/")
"""Tokens and the ledger: what stood there before and when is theirs to remember."""


@dataclass
class Story:
    """The plays in their order, and how every home stood after each."""

    folder: Path
    operator: Operator
    changes: dict[str, dict[str, Any]]
    plays: dict[str, Play] = field(default_factory=dict)
    states: dict[str, dict[str, Manifest]] = field(default_factory=dict)
    documents: dict[str, dict[str, str]] = field(default_factory=dict)
    """After the new state was rolled out: text by path, by host."""

    def home(self, host: str) -> Path:
        return self.folder / host / "home"

    def run(self, name: str, playbook: str, hosts: dict[str, dict[str, Any]], *options: str) -> None:
        shown = {}
        for host, own in hosts.items():
            values = dict(own)
            if "claude_code_settings_location" in values:
                values["claude_code_settings_location"] = str(self.folder / host / "project")
            shown[host] = self.operator.variables(self.home(host), **values)
        # With -v each change is shown with all its hosts.
        self.plays[name] = self.operator.control.run(playbook, shown, "--diff", "-v", "--forks", "4", *options).ok()
        self.states[name] = self.look()

    def look(self) -> dict[str, Manifest]:
        return {path.name: manifest(str(path)) for path in sorted(self.folder.iterdir())}


def _documents(folder: Path) -> dict[str, str]:
    """The files of one host that both it and its twin must have, with the host's own path taken out of them."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file() and not path.is_symlink() and not any(part in name for part in NOT_COMPARED):
            found[name] = path.read_bytes().decode("latin-1").replace(str(folder), "")
    return found


@pytest.fixture(scope="module")
def story(
    workspace_process: Workspace, installed_cli: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Story]:
    """Old state everywhere, dry run of the new one, the run, a second one, uninstall."""
    workspace_process.reset()
    with Workspace(tmp_path_factory.mktemp("other")) as other:
        url = {
            "workspace_url": other.url,
            "ca_file": other.ca_file,
            "client_id": other.client_id,
            "client_secret": other.client_secret,
        }
        changes = {**CHANGES, "url": url}
        folder = tmp_path_factory.mktemp("hosts")
        operator = Operator(ControlNode(tmp_path_factory.mktemp("control")), workspace_process, installed_cli)
        told = Story(folder, operator, changes)
        for host in [*changes, *(f"{name}-twin" for name in changes)]:
            (folder / host / "project").mkdir(parents=True)
            homes.lived_in(told.home(host))
        told.states["start"] = told.look()
        # Named, because a twin is not to have what an earlier run found out.
        changes = {name: {"models": {"claude_code": MODELS}, **own} for name, own in changes.items()}
        told.run("old", "rollout", {name: {"models": {"claude_code": MODELS}} for name in changes})
        told.run("dry", "rollout", changes, "--check")
        told.run("new", "rollout", {**changes, **{f"{name}-twin": own for name, own in changes.items()}})
        told.run("second", "rollout", changes)
        told.documents = {host.name: _documents(host) for host in folder.iterdir()}
        told.run("uninstall", "uninstall", {name: {} for name in changes})
        yield told


each_change = pytest.mark.parametrize("host", CHANGES)


@each_change
def test_the_dry_run_shows_what_the_run_does_and_writes_nothing(story: Story, host: str) -> None:
    assert story.plays["dry"].changed(host) == story.plays["new"].changed(host) == 1
    shown, done = story.plays["dry"].shown(host), story.plays["new"].shown(host)
    assert shown == done and shown
    assert differences(story.states["old"][host], story.states["dry"][host], times=True) == []


@each_change
def test_what_the_old_state_owned_and_the_new_does_not_goes_in_the_same_run(story: Story, host: str) -> None:
    changed, fresh = story.documents[host], story.documents[f"{host}-twin"]
    assert changed == fresh


@each_change
def test_the_second_run_is_silent(story: Story, host: str) -> None:
    assert story.plays["second"].changed(host) == 0
    assert story.plays["second"].starts[host] == 1
    assert story.plays["second"].shown(host) == {}
    assert differences(story.states["new"][host], story.states["second"][host], times=True) == []


@each_change
def test_uninstall_after_the_change_gives_every_byte_back(story: Story, host: str) -> None:
    assert differences(story.states["start"][host], story.states["uninstall"][host]) == []


def test_an_empty_list_of_agents_is_refused_with_the_way_to_take_everything_away(
    operator: Operator, control: ControlNode, tmp_path: Path
) -> None:
    hosts, before = {}, {}
    for host, preflight in (("checked", True), ("unchecked", False)):
        home = homes.lived_in(tmp_path / host)
        hosts[host], before[host] = operator.variables(home, agents=[], preflight=preflight), manifest(str(home))
    play = control.run("rollout", hosts)
    assert play.status != 0
    for host in hosts:
        said = (
            f"coding_agents_agents names no agent. Use one or more of: {', '.join(sorted(AGENTS))}, "
            "or run the playbook uninstall."
        )
        assert said in play.message(host)
        assert differences(before[host], manifest(str(tmp_path / host)), times=True) == []
