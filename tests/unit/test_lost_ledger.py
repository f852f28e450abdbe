# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Without its ledger, a rollout is still silent, and an uninstall takes what can only be ours and says what it cannot know."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils import lost_ledger
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AgentOptions
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.config import Config
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ledger import Ledger
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ownership import Wanted
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.transaction import Outcome, bring
from ansible_collections.fmapi.coding_agents.plugins.module_utils.wanted import agent_documents, workspace_auth

from tests.unit.homes import tree

URL = "https://dbc-1.cloud.databricks.com"
COMPONENTS = ("workspace_auth", "claude_code")
SETTINGS = '{\n  "model": "opus",\n  "env": {"EDITOR": "vim"},\n  "permissions": {"allow": ["Read"]}\n}\n'
PROFILES = "[DEFAULT]\nhost = https://other\ntoken = dapi00000000000000000000000000000000\n"


def config(home: Path) -> Config:
    return Config(str(home), URL, "fmapi", "user", 15)


def documents(home: Path, model: str = "m1", ca_file: str | None = None) -> list[Wanted]:
    options = AgentOptions(
        str(home),
        str(home),
        URL,
        {"anthropic": f"{URL}/anthropic"},
        config(home).helper,
        15,
        {"default": model},
        ca_file,
    )
    return [*workspace_auth(config(home), None, "python3"), *agent_documents(["claude_code"], options, False)]


def roll_out(home: Path, **more: Any) -> Outcome:
    return bring(str(home), COMPONENTS, documents(home, **more), False, lost_ledger.rebuild)


def uninstall(home: Path, check: bool = False) -> Outcome:
    return bring(str(home), COMPONENTS, [], check, lost_ledger.rebuild)


def lose(home: Path) -> None:
    shutil.rmtree(Path(Ledger(str(home)).directory))


def settings(home: Path) -> Any:
    return json.loads((home / ".claude/settings.json").read_text())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with settings and profiles of its owner."""
    home = tmp_path / "home"
    (home / ".claude").mkdir(parents=True)
    (home / ".claude/settings.json").write_text(SETTINGS)
    (home / ".databrickscfg").write_text(PROFILES)
    (home / ".databrickscfg").chmod(0o600)
    return home


@pytest.mark.parametrize("ca_file", [None, "/etc/ssl/ours.pem"])
def test_a_rollout_without_its_ledger_is_silent(home: Path, ca_file: str | None) -> None:
    roll_out(home, ca_file=ca_file)
    lose(home)
    before = {path: entry for path, entry in tree(home).items() if ".local/state" not in path}
    again = roll_out(home, ca_file=ca_file)
    assert (again.changed, again.changes, again.notes) == (False, [], [])
    assert {path: entry for path, entry in tree(home).items() if ".local/state" not in path} == before
    assert not roll_out(home, ca_file=ca_file).changed


def test_an_uninstall_without_its_ledger_takes_ours_says_so_and_leaves_the_owner_s(home: Path) -> None:
    roll_out(home)
    lose(home)
    told = uninstall(home, check=True)
    done = uninstall(home)
    assert (told.changes, told.notes) == (done.changes, done.notes)
    assert any(lost_ledger.NOTE in note and "settings.json" in note for note in done.notes)
    assert any(lost_ledger.NOTE in note and ".databrickscfg" in note for note in done.notes)
    left = settings(home)
    # That WebSearch is denied may be the owner's wish as well: only what can be nobody else's is taken.
    assert left == {**json.loads(SETTINGS), "permissions": {"allow": ["Read"], "deny": ["WebSearch"]}}
    assert (home / ".databrickscfg").read_text() == PROFILES
    assert not os.path.exists(config(home).data_directory)
    assert not uninstall(home).changed
    assert Ledger.load(str(home)).is_empty


def test_an_uninstall_after_the_loss_and_another_rollout_still_says_what_it_cannot_know(home: Path) -> None:
    roll_out(home)
    lose(home)
    roll_out(home, model="m2")
    assert settings(home)["env"]["ANTHROPIC_MODEL"] == "m2"
    done = uninstall(home)
    assert any(lost_ledger.NOTE in note and "settings.json" in note for note in done.notes)
    assert settings(home)["env"] == {"EDITOR": "vim"} and "apiKeyHelper" not in settings(home)
    assert (home / ".databrickscfg").read_text() == PROFILES
    assert not os.path.exists(config(home).data_directory)


def test_a_value_of_ours_that_somebody_changed_before_the_loss_goes_with_the_rest(home: Path) -> None:
    """Nobody can tell any more that it was changed; it stands under a name that only we set, beside our helper."""
    roll_out(home)
    lose(home)
    path = home / ".claude/settings.json"
    path.write_text(path.read_text().replace('"m1"', '"theirs"'))
    uninstall(home)
    assert settings(home)["env"] == {"EDITOR": "vim"}


def test_settings_with_somebody_else_s_helper_are_not_ours(home: Path) -> None:
    roll_out(home)
    lose(home)
    path = home / ".claude/settings.json"
    path.write_text(path.read_text().replace(config(home).helper, "/opt/other/helper"))
    before = path.read_bytes()
    uninstall(home)
    assert path.read_bytes() == before


def test_a_profile_that_names_another_workspace_by_now_is_left(home: Path) -> None:
    roll_out(home)
    lose(home)
    path = home / ".databrickscfg"
    path.write_text(path.read_text().replace(URL, "https://theirs"))
    before = path.read_bytes()
    uninstall(home)
    assert path.read_bytes() == before
    assert not os.path.exists(config(home).helper)


def test_from_a_host_that_never_had_us_nothing_is_taken(home: Path) -> None:
    path = home / ".claude/settings.json"
    theirs = {
        "apiKeyHelper": "/opt/vault/get-key",
        "env": {"ANTHROPIC_BASE_URL": "https://theirs", "ANTHROPIC_MODEL": "x"},
    }
    path.write_text(json.dumps(theirs))
    (home / ".databrickscfg").write_text(PROFILES + f"\n[fmapi]\nhost = {URL}\n")
    before = tree(home)
    for check in (True, False):
        done = uninstall(home, check)
        assert (done.changed, done.changes, done.notes) == (False, [], [])
    assert tree(home) == before


@pytest.mark.parametrize("broken", ["settings", "profiles", "program's configuration"])
def test_a_file_that_cannot_be_read_hides_nothing_else(home: Path, broken: str) -> None:
    roll_out(home)
    lose(home)
    path = {
        "settings": home / ".claude/settings.json",
        "profiles": home / ".databrickscfg",
        "program's configuration": Path(config(home).config_file),
    }[broken]
    path.write_text("{ broken")
    uninstall(home)
    assert path.exists() == (broken != "program's configuration")
    assert not os.path.exists(config(home).helper)
    if broken != "settings":
        assert settings(home)["env"] == {"EDITOR": "vim"}
