# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Databricks CLI copies a profile before it writes to it: an uninstall says where a secret of ours stays, and touches nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils import rollout
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.databricks_oauth import DatabricksOauth
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import How

from tests.unit.homes import make_home, owner_of, tree
from tests.unit.options_for import options_for

SECRET = "dose-a-client-secret"
PROFILE = {"profile": "fmapi", "parts": ["databricks_oauth"]}
IDENTITIES: dict[str, dict[str, Any]] = {
    "service principal": {"identity": "service_principal", "client_id": "7c1e", "client_secret": SECRET},
    "personal access token": {"identity": "pat", "pat": SECRET},
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(DatabricksOauth, "prepare", lambda *_arguments: None)  # no workspace is asked
    return make_home(tmp_path / "home")


def roll_out(home: Path, **own: Any) -> None:
    rollout.apply(owner_of(home), options_for(**{**PROFILE, **own}), How())


def uninstall(home: Path, check: bool = False) -> Any:
    return rollout.withdraw(owner_of(home), options_for(workspace_url=None), How(check=check))


def copied(home: Path, name: str = ".databrickscfg.bak") -> Path:
    return Path(shutil.copy2(home / ".databrickscfg", home / name))


@pytest.mark.parametrize("identity", IDENTITIES)
@pytest.mark.parametrize("name", [".databrickscfg.bak", ".databrickscfg~", ".databrickscfg.2026-11-27"])
def test_a_copy_of_the_profile_that_holds_a_secret_of_ours_is_named_and_stays(
    home: Path, identity: str, name: str
) -> None:
    roll_out(home, **IDENTITIES[identity])
    copy = copied(home, name)
    content = copy.read_bytes()
    assert SECRET.encode() in content
    for check in (True, False):
        warnings = uninstall(home, check)["warnings"]
        assert [one for one in warnings if str(copy) in one] == [
            f"{copy}: holds a copy of the secret that was rolled out, which stays there: remove it"
        ]
        assert SECRET not in str(warnings)
    assert copy.read_bytes() == content
    assert SECRET.encode() not in (home / ".databrickscfg").read_bytes()
    assert uninstall(home)["warnings"] == []


def test_an_earlier_secret_in_a_copy_is_known_again(home: Path) -> None:
    roll_out(home, **IDENTITIES["service principal"])
    copy = copied(home)
    roll_out(home, **{**IDENTITIES["service principal"], "client_secret": "dose-of-this-year"})
    assert str(copy) in str(uninstall(home)["warnings"])


@pytest.mark.parametrize("then", [{"identity": "user"}, {"identity": "user", "profile": "another"}])
def test_a_secret_that_a_later_rollout_has_taken_back_is_known_in_a_copy_too(home: Path, then: dict[str, Any]) -> None:
    roll_out(home, **IDENTITIES["service principal"])
    copy = copied(home)
    roll_out(home, **then)
    assert SECRET.encode() not in (home / ".databrickscfg").read_bytes()
    assert str(copy) in str(uninstall(home)["warnings"])


def test_a_home_that_cannot_be_looked_into_is_no_defect(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    roll_out(home, **IDENTITIES["service principal"])
    listdir = os.listdir

    def refused(path: Any) -> list[str]:
        if str(path) == str(home):
            raise PermissionError(13, "Permission denied", str(path))
        return listdir(path)

    monkeypatch.setattr(os, "listdir", refused)
    assert uninstall(home, check=True)["warnings"] == []


def test_without_a_ledger_the_profile_that_stands_tells(home: Path) -> None:
    roll_out(home, **IDENTITIES["service principal"])
    copy = copied(home)
    shutil.rmtree(owner_of(home).state)
    assert str(copy) in str(uninstall(home)["warnings"])


def _nothing_of_ours(copy: Path) -> None:
    copy.write_text("[fmapi]\nhost = https://w\nclient_secret = dose-of-somebody-else\n")


def _pipe(copy: Path) -> None:
    copy.unlink()
    os.mkfifo(copy)


def _huge(copy: Path) -> None:
    copy.write_bytes(copy.read_bytes() + b"#" * (2 << 20))


def _binary(copy: Path) -> None:
    copy.write_bytes(b"\xff\x00" * 100)


@pytest.mark.parametrize("arrange", [_nothing_of_ours, _pipe, _huge, _binary, lambda copy: copy.unlink()])
def test_of_other_files_nothing_is_said_and_none_is_waited_for(home: Path, arrange: Callable[[Path], None]) -> None:
    roll_out(home, **IDENTITIES["service principal"])
    arrange(copied(home))
    assert uninstall(home)["warnings"] == []


def test_where_a_person_signs_in_there_is_no_secret_to_stay(home: Path) -> None:
    before = tree(home)
    roll_out(home, identity="user")
    copied(home)
    assert uninstall(home)["warnings"] == []
    (home / ".databrickscfg.bak").unlink()
    assert tree(home) == before
