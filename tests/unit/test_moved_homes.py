# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Homes that are elsewhere than they were: moved, copied, or reached by two names. A ledger tells of its own home's files only."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine import transaction
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ledger import Ledger
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owner import check_home
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ownership import Wanted
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.transaction import Outcome, bring

from tests.unit import test_ledger_schemas as schemas
from tests.unit.homes import COMPONENTS, everything, make_home, owner_of, temporaries, tree


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return make_home(tmp_path / "home")


def documents(home: Path, url: str = "https://w") -> list[Wanted]:
    """All documents, one of which stands for a broken file, and one of which names the home as agents' settings do."""
    broken = Wanted(str(home / "broken.json"), "json", "one", values={("a",): url}, replace_unreadable=True)
    helper = Wanted(str(home / ".config/agent.json"), "json", "two", values={("helper",): f"{home}/.local/helper"})
    return [*everything(home, url), broken, helper]


def roll_out(home: Path, url: str = "https://w", check: bool = False) -> Outcome:
    return bring(owner_of(home), COMPONENTS, documents(home, url), check)


def uninstall(home: Path) -> Outcome:
    return bring(owner_of(home), COMPONENTS, [], check=False)


def lived_in(home: Path) -> dict[str, tuple[str, int, bytes]]:
    """What stands in a home before a rollout, which follows."""
    (home / "broken.json").write_text("{broken")
    before = tree(home)
    roll_out(home)
    return before


def moved(home: Path) -> Path:
    return home.rename(home.with_name("moved"))


def copied(home: Path) -> Path:
    copy = home.with_name("copy")
    subprocess.run(["cp", "-a", str(home), str(copy)], check=True)
    return copy


def times(home: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in [home, *home.rglob("*")]}


def ledger_text(home: Path) -> str:
    return (Path(owner_of(home).state) / "ledger.json").read_text()


# -- moved -------------------------------------------------------------------------------------------------------------


def test_a_home_that_was_moved_is_uninstalled_exactly(home: Path) -> None:
    before = lived_in(home)
    elsewhere = moved(home)
    uninstall(elsewhere)
    assert tree(elsewhere) == before
    assert not home.exists()


def test_a_home_that_was_moved_is_rolled_out_and_uninstalled_exactly(home: Path) -> None:
    before = lived_in(home)
    elsewhere = moved(home)
    told = roll_out(elsewhere, check=True)
    assert told.changes == [f"{elsewhere}/.config/agent.json: helper"], "what names the home, and nothing else"
    assert roll_out(elsewhere).changes == told.changes
    assert not roll_out(elsewhere).changed
    assert str(home) not in (elsewhere / ".config/agent.json").read_text()
    uninstall(elsewhere)
    assert tree(elsewhere) == before
    assert not home.exists()


class Killed(BaseException):
    """As SIGKILL ends a run."""


def _killed_at_the_fourth(real: Callable[..., None]) -> Callable[..., None]:
    """A write that ends the run as it begins for the fourth time."""
    count = itertools.count(1)

    def write(*arguments: object) -> None:
        if next(count) == 4:
            raise Killed
        real(*arguments)

    return write


def test_a_home_that_was_moved_while_a_run_was_interrupted_is_repaired(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = lived_in(home)
    for then in (roll_out, uninstall):
        killed = _killed_at_the_fourth(transaction._write)
        monkeypatch.setattr(transaction, "_write", killed)
        with pytest.raises(Killed):
            roll_out(home, "https://new")
        monkeypatch.undo()
        elsewhere = moved(home)
        then(elsewhere)
        assert temporaries(elsewhere) == []
        uninstall(elsewhere)
        assert tree(elsewhere) == before
        elsewhere.rename(home)
        roll_out(home)


# -- copied ------------------------------------------------------------------------------------------------------------


def test_a_home_that_was_copied_is_uninstalled_at_the_copy_and_the_original_is_untouched(home: Path) -> None:
    before = lived_in(home)
    copy = copied(home)
    original = tree(home), times(home)
    uninstall(copy)
    assert tree(copy) == before
    assert (tree(home), times(home)) == original
    assert not roll_out(home).changed
    uninstall(home)
    assert tree(home) == before


def test_a_home_that_was_copied_is_rolled_out_at_the_copy_and_the_original_is_untouched(home: Path) -> None:
    before = lived_in(home)
    copy = copied(home)
    original = tree(home), times(home)
    assert roll_out(copy, "https://new").changed
    assert (tree(home), times(home)) == original
    uninstall(copy)
    assert tree(copy) == before
    assert (tree(home), times(home)) == original


def test_a_home_that_was_copied_stays_as_it_is_when_the_original_is_uninstalled(home: Path) -> None:
    before = lived_in(home)
    copy = copied(home)
    kept = tree(copy), times(copy)
    roll_out(home, "https://new")
    uninstall(home)
    assert tree(home) == before
    assert (tree(copy), times(copy)) == kept
    uninstall(copy)
    assert tree(copy) == before


# -- two names ---------------------------------------------------------------------------------------------------------


def test_one_home_by_the_name_of_a_link_and_by_its_own_is_the_same_home(home: Path) -> None:
    """The directories that are made are found where they really are, whatever the home is called."""
    before = lived_in(home)
    uninstall(home)
    link = home.with_name("link")
    link.symlink_to("home")
    for first, second in ((link, home), (home, link)):
        without_helper = documents(first)[:-1], documents(second)[:-1]
        bring(owner_of(first), COMPONENTS, without_helper[0], check=False)
        installed = tree(home), times(home)
        assert not bring(owner_of(second), COMPONENTS, without_helper[1], check=False).changed
        assert not bring(owner_of(second), COMPONENTS, without_helper[0], check=False).changed
        assert not bring(owner_of(first), COMPONENTS, without_helper[1], check=False).changed
        assert (tree(home), times(home)) == installed
        assert str(home) not in ledger_text(home) and str(link) not in ledger_text(home)
        uninstall(second)
        assert tree(home) == before


def test_one_home_by_two_names_is_rolled_out_under_one_so_that_the_second_rollout_is_silent(home: Path) -> None:
    """Where its own path is in a file, too: whoever starts with the checked home writes one name for it."""
    before = lived_in(home)
    uninstall(home)
    link = home.with_name("link")
    link.symlink_to("home")
    names = [Path(check_home(owner_of(one)).home) for one in (link, home, Path(f"{link}/../link"))]
    assert names == [home] * 3
    assert roll_out(names[0]).changed
    assert not roll_out(names[1]).changed
    uninstall(names[2])
    assert tree(home) == before


def test_a_home_behind_a_link_that_was_moved_and_copied_is_its_own(home: Path) -> None:
    before = lived_in(home)
    uninstall(home)
    link = home.with_name("link")
    link.symlink_to("home")
    roll_out(link)
    copy = copied(home)
    original = tree(home), times(home)
    uninstall(copy)
    assert tree(copy) == before
    assert (tree(home), times(home)) == original
    elsewhere = moved(home)
    link.unlink()
    uninstall(elsewhere)
    assert tree(elsewhere) == before


def test_what_is_outside_the_home_keeps_its_path(home: Path, tmp_path: Path) -> None:
    """A directory beside the home whose name begins alike is not in it."""
    beside = tmp_path / "home-of-a-project"
    beside.mkdir()
    before = tree(tmp_path)
    one = Wanted(str(beside / ".agent/settings.json"), "json", "one", values={("a",): 1})
    bring(owner_of(home), COMPONENTS, [one, *documents(home)], check=False)
    assert f'"{one.path}"' in ledger_text(home)
    assert not bring(owner_of(home), COMPONENTS, [one, *documents(home)], check=False).changed
    uninstall(home)
    assert tree(tmp_path) == before


def test_a_file_system_s_root_can_be_a_home(tmp_path: Path) -> None:
    """Containers have such users: then every path is below the home."""
    ledger = Ledger(owner_of("/"))
    assert ledger._stored("/etc/x") == "~/etc/x"
    assert ledger._absolute("~/etc/x") == ledger.spelled("/etc/x") == "/etc/x"


# -- ledgers of schema 1, which have absolute paths ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["schema-1-installed", "schema-1-interrupted"])
def test_an_old_ledger_leads_back_in_a_home_that_was_moved(name: str, tmp_path: Path) -> None:
    before = schemas.laid_out(name, tmp_path / "home")
    elsewhere = moved(tmp_path / "home")
    schemas.without_packages(elsewhere)
    bring(owner_of(elsewhere), schemas.COMPONENTS, [], check=False)
    assert tree(elsewhere) == before


@pytest.mark.parametrize("name", ["schema-1-installed", "schema-1-interrupted"])
def test_an_old_ledger_leads_back_at_a_copy_and_leaves_the_original_alone(name: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    before = schemas.laid_out(name, home)
    schemas.without_packages(home)
    copy = copied(home)
    old = (schemas.LEDGERS / f"{name}.json").read_text().replace("@HOME@", str(home))
    (Path(owner_of(copy).state) / "ledger.json").write_text(json.dumps({**json.loads(old)["ledger"], "packages": {}}))
    original = tree(home), times(home)
    bring(owner_of(copy), schemas.COMPONENTS, [], check=False)
    assert tree(copy) == before
    assert (tree(home), times(home)) == original


def test_an_old_ledger_of_a_home_behind_a_link_is_understood_by_both_names(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("home")
    for owner in (link, tmp_path / "home"):
        before = schemas.laid_out("schema-1-installed", tmp_path / "home")
        state = Path(owner_of(link).state) / "ledger.json"
        state.write_text(state.read_text().replace(str(tmp_path / "home"), str(link)))
        schemas.without_packages(owner)
        bring(owner_of(owner), schemas.COMPONENTS, [], check=False)
        assert tree(tmp_path / "home") == before
        shutil.rmtree(tmp_path / "home")
