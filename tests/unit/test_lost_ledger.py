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
from ansible_collections.fmapi.coding_agents.plugins.module_utils import rollout
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ledger import Ledger
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.traces import NOTE
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.context import bare_config
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import How

from tests.unit.homes import tree
from tests.unit.options_for import URL, carried, options_for, owner_of

PARTS = ["databricks_oauth", "agent_settings"]
"""Without the login item and the agents' programs, whose own tests lose the ledger, too."""

SETTINGS = '{\n  "model": "opus",\n  "env": {"EDITOR": "vim"},\n  "permissions": {"allow": ["Read"]}\n}\n'
PROFILES = "[DEFAULT]\nhost = https://other\ntoken = dapi00000000000000000000000000000000\n"
PROFILE = "fmapi-coding-agents"


def wishes(model: str = "m1", **own: Any) -> dict[str, Any]:
    return options_for(parts=PARTS, models={"claude_code": {"default": model}}, **own)


def roll_out(home: Path, **own: Any) -> dict[str, Any]:
    return rollout.apply(owner_of(home), wishes(**own), How())


def uninstall(home: Path, check: bool = False) -> dict[str, Any]:
    return rollout.withdraw(owner_of(home), options_for(parts=PARTS, workspace_url=None), How(check))


def told(result: dict[str, Any]) -> tuple[bool, list[str], list[str]]:
    """What was changed, and what the owner should know of their files; that nobody has signed in here is another matter."""
    session = result.get("session", {}).get("detail")
    return result["changed"], result["changes"], [one for one in result["warnings"] if one != session]


def documents(home: Path) -> dict[str, Any]:
    """All but the ledger, and what asking for a token leaves."""
    return {path: one for path, one in tree(home).items() if not path.startswith((".local/state", ".cache"))}


def lose(home: Path) -> None:
    shutil.rmtree(owner_of(home).state)


def helper(home: Path) -> str:
    return bare_config(owner_of(home)).helper


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


@pytest.mark.parametrize("authority", [None, "on the host", "brought"])
def test_a_rollout_without_its_ledger_is_silent(home: Path, authority: str | None) -> None:
    own: dict[str, Any] = {}
    if authority == "on the host":
        (home / "company.pem").write_text("certificates\n")
        own = {"ca_file": str(home / "company.pem")}
    elif authority == "brought":
        own = {"ca_file": "/not/here.pem", "carried": carried(ca="certificates\n")}
    roll_out(home, **own)
    lose(home)
    before = documents(home)
    look = rollout.look(owner_of(home), wishes(**own), How(check=True))
    assert (look["drifted"], look["changes"]) == (False, [])
    assert told(roll_out(home, **own)) == (False, [], [])
    assert documents(home) == before
    assert told(roll_out(home, **own)) == (False, [], [])


def test_an_uninstall_without_its_ledger_takes_ours_says_so_and_leaves_the_owner_s(home: Path) -> None:
    roll_out(home)
    lose(home)
    foretold = uninstall(home, check=True)
    done = uninstall(home)
    assert told(foretold) == told(done)
    assert any(NOTE in warning and "settings.json" in warning for warning in done["warnings"])
    assert any(NOTE in warning and ".databrickscfg" in warning for warning in done["warnings"])
    left = settings(home)
    # That WebSearch is denied may be the owner's wish as well: only what can be nobody else's is taken.
    assert left == {**json.loads(SETTINGS), "permissions": {"allow": ["Read"], "deny": ["WebSearch"]}}
    assert (home / ".databrickscfg").read_text() == PROFILES
    assert not os.path.exists(owner_of(home).data)
    assert told(uninstall(home)) == (False, [], [])
    assert Ledger.load(owner_of(home)).is_empty


def test_an_uninstall_after_the_loss_and_another_rollout_still_says_what_it_cannot_know(home: Path) -> None:
    roll_out(home)
    lose(home)
    roll_out(home, model="m2")
    assert settings(home)["env"]["ANTHROPIC_MODEL"] == "m2"
    done = uninstall(home)
    assert any(NOTE in warning and "settings.json" in warning for warning in done["warnings"])
    assert settings(home)["env"] == {"EDITOR": "vim"} and "apiKeyHelper" not in settings(home)
    assert (home / ".databrickscfg").read_text() == PROFILES
    assert not os.path.exists(owner_of(home).data)


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
    path.write_text(path.read_text().replace(helper(home), "/opt/other/helper"))
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
    assert not os.path.exists(helper(home))


def test_from_a_host_that_never_had_us_nothing_is_taken(home: Path) -> None:
    path = home / ".claude/settings.json"
    theirs = {
        "apiKeyHelper": "/opt/vault/get-key",
        "env": {"ANTHROPIC_BASE_URL": "https://theirs", "ANTHROPIC_MODEL": "x"},
    }
    path.write_text(json.dumps(theirs))
    (home / ".databrickscfg").write_text(PROFILES + f"\n[{PROFILE}]\nhost = {URL}\n")
    before = tree(home)
    for check in (True, False):
        assert told(uninstall(home, check)) == (False, [], [])
    assert tree(home) == before


@pytest.mark.parametrize("broken", ["settings", "profiles", "program's configuration"])
def test_a_file_that_cannot_be_read_hides_nothing_else(home: Path, broken: str) -> None:
    roll_out(home)
    lose(home)
    path = {
        "settings": home / ".claude/settings.json",
        "profiles": home / ".databrickscfg",
        "program's configuration": Path(bare_config(owner_of(home)).config_file),
    }[broken]
    path.write_text("{ broken")
    uninstall(home)
    assert path.exists() == (broken != "program's configuration")
    assert not os.path.exists(helper(home))
    if broken != "settings":
        assert settings(home)["env"] == {"EDITOR": "vim"}
