# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several users, one of whom, or whose home, is gone: the others are rolled out to and uninstalled, and it is said who is left."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils import module
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owner import Done, Owner, current_owner
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError

from tests.unit.homes import shared_directory, tree
from tests.unit.options_for import NO_TOOLS, URL, carried, options_for
from tests.unit.test_loading import call

NOBODY = "fmapi-no-such-user"
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become other users")


@pytest.fixture
def shared() -> Iterator[Path]:
    yield from shared_directory("fmapi-test-users")


@pytest.fixture
def owners(shared: Path) -> dict[str, Owner]:
    """Three, who need no entry in the host's list of users."""
    made = {}
    for uid, name in ((40001, "ada"), (40002, "grace"), (40003, "linus")):
        home = shared / name
        home.mkdir(mode=0o700)
        (home / ".profile").write_text("# mine\n")
        for path in (home, home / ".profile"):
            os.chown(path, uid, uid)
        made[name] = Owner(name, uid, uid, str(home))
    return made


def run(owners: dict[str, Owner], *users: str, check: bool = False, **own: Any) -> dict[str, Any]:
    """coding_agents for these users, with the program at hand."""
    agents = {name: options_for()[name] for name in ("claude_code_settings_location", "claude_code_experimental_betas")}
    chosen = {
        "workspace_url": URL,
        "parts": ["databricks_oauth", "agent_settings"],
        "users": list(users),
        **NO_TOOLS,
        **own,
    }
    return call({**chosen, "carried": {**carried(), "own": agents}}, owners=owners, check=check)


def forest(owners: dict[str, Owner]) -> dict[str, Any]:
    return {name: tree(Path(one.home)) for name, one in owners.items() if os.path.isdir(one.home)}


@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_user_who_is_gone_holds_nobody_up_and_a_way_back_warns(owners: dict[str, Owner], position: int) -> None:
    before = forest(owners)
    users = ["ada", "grace"]
    users.insert(position, NOBODY)
    for check in (True, False):
        told = run(owners, *users, check=check)
        assert told["failed"] and told["failed_users"].keys() == {NOBODY}
        assert f"coding_agents_users {NOBODY}: is no user of this host" in told["msg"]
        assert told["changed"] and told["owners"].keys() == {"ada", "grace", NOBODY}
        assert told["owners"][NOBODY]["error"] == told["failed_users"][NOBODY]
        assert len(told["homes"]) == 2
    assert (Path(owners["ada"].home) / ".claude/settings.json").exists()
    for check in (True, False):
        told = run(owners, *users, state="absent", check=check)
        assert not told.get("failed") and told["changed"] and told["owners"].keys() == {"ada", "grace", NOBODY}
        assert told["notes"] == [f"coding_agents_users {NOBODY}: is no user of this host: nothing to give back"]
    assert forest(owners) == before


def test_a_home_that_is_gone_holds_nobody_up_and_is_not_taken_for_a_way_back(owners: dict[str, Owner]) -> None:
    """It may be on storage that is away: the way back ends when it is back."""
    users = list(owners)
    before = forest(owners)
    assert not run(owners, *users).get("failed")
    home, away = Path(owners["grace"].home), Path(owners["grace"].home + "-away")
    home.rename(away)
    for state in ("present", "absent"):
        told = run(owners, *users, state=state)
        assert told["failed_users"].keys() == {"grace"} and told["msg"].startswith("1 of 3 users failed: grace\n")
        assert "grace: does not exist. Mount it or make it first" in told["msg"]
        assert told["owners"].keys() == set(users)
    assert forest(owners) == {name: one for name, one in before.items() if name != "grace"}
    away.rename(home)
    told = run(owners, *users, state="absent")
    assert told["changed"] and not told.get("failed")
    assert forest(owners) == before


def test_one_user_s_disk_that_is_away_holds_nobody_up(owners: dict[str, Owner]) -> None:
    ada = owners["ada"]
    disk, link = Path(ada.home).parent / "disk", Path(ada.home) / ".claude"
    disk.mkdir(mode=0o700)
    link.symlink_to(disk)
    for path in (disk, link):
        os.chown(path, ada.uid, ada.gid, follow_symlinks=False)
    before = forest(owners)
    assert not run(owners, *owners).get("failed")
    disk.rename(disk.with_name("pulled"))
    told = run(owners, *owners, state="absent")
    assert told["failed_users"].keys() == {"ada"} and told["changed"]
    assert "ada: not given back: " in told["msg"] and "is a symbolic link to" in told["msg"]
    assert forest(owners).keys() == before.keys()
    assert {name: forest(owners)[name] for name in ("grace", "linus")} == {
        name: before[name] for name in ("grace", "linus")
    }
    disk.with_name("pulled").rename(disk)
    assert not run(owners, *owners, state="absent").get("failed")
    assert forest(owners) == before and not list(disk.iterdir())


def test_when_nobody_is_left_it_is_no_failure_to_give_nothing_back(owners: dict[str, Owner]) -> None:
    told = run(owners, NOBODY, state="absent")
    assert not told.get("failed") and not told["changed"] and told["homes"] == []
    assert run(owners, NOBODY)["failed"]


def test_a_user_who_is_named_twice_is_one(owners: dict[str, Owner]) -> None:
    told = run(owners, "ada", "ada")
    assert not told.get("failed") and len(told["homes"]) == 1
    shutil.rmtree(owners["ada"].home)


def test_every_owner_is_in_the_result() -> None:
    ada, grace = Owner("ada", 1, 1, "/home/ada"), Owner("grace", -1, -1, "")
    told = module.merged([Done(ada, {"changed": True, "error": "x"}, None), Done(grace, {}, "is no user")])
    assert told["homes"] == ["/home/ada"] and told["changed"]
    assert told["owners"] == {"ada": {"error": "x"}, "grace": {"error": "is no user"}}


def test_a_process_that_has_no_name_on_this_host_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers have such users."""

    def unknown(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    with pytest.raises(OperatorError, match=r"uid \d+: is no user of this host"):
        current_owner("/home/ada")
