# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Symbolic links that are documents themselves: put there in one step, given back exactly, and never followed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine import files, transaction
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ledger import Ledger
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ownership import Wanted
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.transaction import Outcome, bring
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError

from tests.unit.homes import (
    COMPONENTS,
    as_nobody,
    links,
    make_home,
    owner_of,
    shared_directory,
    temporaries,
    tree,
    wanted,
)

NEW = "https://new"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return make_home(tmp_path / "home")


@pytest.fixture
def shared() -> Iterator[Path]:
    yield from shared_directory("fmapi-test-links")


def roll_out(home: Path, url: str = "https://w", check: bool = False) -> Outcome:
    return bring(owner_of(home), COMPONENTS, links(home, url), check)


def uninstall(home: Path) -> Outcome:
    return bring(owner_of(home), COMPONENTS, [], check=False)


def target(path: Path) -> str:
    return os.readlink(path)


def test_links_are_made_and_replaced_and_given_back_with_their_directories(home: Path) -> None:
    before = tree(home)
    assert roll_out(home).changed
    assert target(home / "agent") == target(home / ".tools/bin/agent") == "/opt/w/agent"
    assert not roll_out(home).changed
    assert roll_out(home, NEW).changed
    assert target(home / "agent") == target(home / ".tools/bin/agent") == "/opt/new/agent"
    uninstall(home)
    assert tree(home) == before


def test_a_dry_run_says_the_same_and_writes_nothing(home: Path) -> None:
    for url in ("https://w", NEW):
        before = tree(home), [path.lstat().st_mtime_ns for path in [home, *home.rglob("*")]]
        told = roll_out(home, url, check=True)
        assert (tree(home), [path.lstat().st_mtime_ns for path in [home, *home.rglob("*")]]) == before
        assert told.changes == roll_out(home, url).changes
        host = url.split("/")[2]
        assert told.changes == [
            f"{home}/agent: the link -> /opt/{host}/agent",
            f"{home}/.tools/bin/agent: an agent -> /opt/{host}/agent",
        ]


def test_what_a_link_leads_to_is_nobody_s_business(home: Path) -> None:
    """A file, a directory, another link, a circle, nothing: neither read nor touched."""
    (home / "file").write_text("theirs")
    (home / "file").chmod(0o400)
    (home / "folder").mkdir()
    for theirs in ("file", "folder", "agent", "nowhere", "/root/closed"):
        (home / "agent").unlink()
        (home / "agent").symlink_to(theirs)
        before = tree(home)
        roll_out(home)
        assert not roll_out(home).changed
        uninstall(home)
        assert tree(home) == before
    ours = Wanted(str(home / ".tools/agent"), "link", "one", values={(): "../file"})
    bring(owner_of(home), COMPONENTS, [ours], check=False)
    assert (home / ".tools/agent").read_text() == "theirs"
    uninstall(home)
    assert tree(home) == before


@pytest.mark.parametrize("check", [True, False], ids=["dry run", "run"])
@pytest.mark.parametrize("kind", ["file", "directory"])
def test_something_else_in_its_place_is_refused_before_anything_is_written(home: Path, kind: str, check: bool) -> None:
    place = home / ".tools/bin/agent"
    place.parent.mkdir(parents=True)
    if kind == "file":
        place.write_text("theirs")
    else:
        place.mkdir()
    before = tree(home)
    said = rf"bin/agent: is a {kind}, where a symbolic link is to stand\. Move the {kind} away and run again"
    with pytest.raises(OperatorError, match=said):
        bring(owner_of(home), COMPONENTS, [*wanted(home), *links(home)], check)
    assert tree(home) == before


def test_a_link_that_its_owner_changed_is_brought_back_and_theirs_returns_when_we_go(home: Path) -> None:
    roll_out(home)
    for path in ("agent", ".tools/bin/agent"):
        (home / path).unlink()
        (home / path).symlink_to("mine")
    assert roll_out(home).changed
    assert target(home / "agent") == "/opt/w/agent"
    uninstall(home)
    assert target(home / "agent") == target(home / ".tools/bin/agent") == "mine"


def test_a_link_that_its_owner_changed_is_left_as_it_is_when_we_go(home: Path) -> None:
    roll_out(home)
    (home / "agent").unlink()
    (home / "agent").symlink_to("mine")
    (home / ".tools/bin/agent").unlink()
    (home / ".tools/bin/agent").symlink_to("mine")
    done = uninstall(home)
    assert target(home / "agent") == target(home / ".tools/bin/agent") == "mine"
    assert done.notes == [
        f"{home}/.tools/bin/agent: an agent was changed since we set it: left as it is",
        f"{home}/agent: the link was changed since we set it: left as it is",
    ]
    assert Ledger.load(owner_of(home)).is_empty


def test_what_its_owner_put_in_its_place_is_left_as_it_is_when_we_go(home: Path) -> None:
    roll_out(home)
    (home / "agent").unlink()
    (home / "agent").write_text("mine")
    (home / ".tools/bin/agent").unlink()
    (home / ".tools/bin/agent").mkdir()
    told = bring(owner_of(home), COMPONENTS, [], check=True)
    done = uninstall(home)
    assert done.notes == told.notes
    assert sorted(done.notes) == [
        f"{home}/.tools/bin/agent: is no symbolic link any more: left as it is",
        f"{home}/agent: is no symbolic link any more: left as it is",
    ]
    assert (home / "agent").read_text() == "mine" and (home / ".tools/bin/agent").is_dir()
    assert Ledger.load(owner_of(home)).is_empty
    with pytest.raises(OperatorError, match="is a file, where a symbolic link is to stand"):
        roll_out(home)


def test_a_link_that_is_gone_is_made_again_and_is_not_missed(home: Path) -> None:
    roll_out(home)
    (home / ".tools/bin/agent").unlink()
    assert roll_out(home).changed
    (home / ".tools/bin/agent").unlink()
    (home / "agent").unlink()
    assert not uninstall(home).notes
    assert not (home / ".tools").exists() and not os.path.lexists(home / "agent")


def test_a_link_in_a_directory_that_is_a_link_is_put_where_that_leads(home: Path) -> None:
    (home / "real").mkdir()
    (home / ".tools").symlink_to("real")
    before = tree(home)
    roll_out(home)
    assert target(home / "real/bin/agent") == "/opt/w/agent"
    uninstall(home)
    assert tree(home) == before


def test_a_link_of_ours_that_is_wanted_as_a_file_is_refused_and_what_it_leads_to_stays(home: Path) -> None:
    (home / "tool").write_text("a vendor's")
    one = Wanted(str(home / "front"), "link", "one", values={(): "tool"})
    bring(owner_of(home), COMPONENTS, [one], check=False)
    for check in (True, False):
        with pytest.raises(OperatorError, match=r"front: is a link of ours, and is to be a file\. Uninstall first"):
            bring(owner_of(home), COMPONENTS, [one.replaced(format="file")], check)
    assert (home / "tool").read_text() == "a vendor's"


# -- others write, too -------------------------------------------------------------------------------------------------


def interrupting(monkeypatch: pytest.MonkeyPatch, path: Path, write: Callable[[int], object]) -> None:
    """Another program puts something at ``path`` right before each of our writes to it."""
    calls: list[int] = []
    for module, name in ((os, "symlink"), (files, "_exchange")):
        real = getattr(module, name)

        def late(one: str, other: str, *rest: bool, name: str = name, real: Callable[..., object] = real) -> object:
            ours = one if name == "symlink" else os.readlink(one) if os.path.islink(one) else ""
            if str(other) == str(path) and str(ours).startswith("/opt/"):
                calls.append(1)
                write(len(calls))
            return real(one, other, *rest)

        monkeypatch.setattr(module, name, late)


def _link_anew(path: Path, name: str) -> None:
    Path(f"{path}.other").symlink_to(name)
    os.replace(f"{path}.other", path)


@pytest.mark.parametrize("place", ["agent", ".tools/bin/agent"])
def test_another_program_s_link_at_the_last_moment_is_remembered(
    home: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = home / place
    interrupting(monkeypatch, path, lambda call: _link_anew(path, f"theirs-{call}") if call < 3 else None)
    roll_out(home)
    monkeypatch.undo()
    assert target(path) == "/opt/w/agent" and temporaries(home) == []
    uninstall(home)
    assert target(path) == "theirs-2"


@pytest.mark.parametrize("place", ["agent", ".tools/bin/agent"])
def test_a_file_that_appears_at_the_last_moment_is_not_lost(
    home: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = home / place

    def write(call: int) -> None:
        path.unlink(missing_ok=True)
        path.write_text("theirs")

    interrupting(monkeypatch, path, write)
    with pytest.raises(OperatorError, match="is a file, where a symbolic link is to stand"):
        roll_out(home)
    monkeypatch.undo()
    assert path.read_text() == "theirs" and temporaries(home) == []
    assert target(home / "agent") == "versions/theirs" if place != "agent" else not (home / ".tools").exists()
    assert Ledger.load(owner_of(home)).is_empty


def test_a_link_that_is_replaced_all_the_time_is_given_up_and_theirs_stays(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = home / "agent"
    interrupting(monkeypatch, path, lambda call: _link_anew(path, f"theirs-{call}"))
    with pytest.raises(OperatorError, match="gave up after 5 tries"):
        roll_out(home)
    monkeypatch.undo()
    assert target(path) == "theirs-5" and temporaries(home) == []


@pytest.mark.parametrize("exchanges", [True, False], ids=["exchange", "no exchange"])
def test_replacing_is_one_step_and_leaves_nothing_beside(
    tmp_path: Path, exchanges: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not exchanges:
        monkeypatch.setattr(files, "_exchange", lambda one, other: False)
    path = tmp_path / "link"
    files.replace_link(str(path), "one")
    files.replace_link(str(path), "two", files.read_link(str(path)))
    assert (target(path), os.listdir(tmp_path)) == ("two", ["link"])
    files.replace_link(str(path), "three")
    with pytest.raises(files.ChangedMeanwhile):
        files.replace_link(str(path), "four", files.Found(b"two", None))
    with pytest.raises(files.ChangedMeanwhile):
        files.replace_link(str(path), "four", files.Found(None, None))
    with pytest.raises(files.ChangedMeanwhile):
        files.remove(str(path), files.Found(b"two", None), link=True)
    assert (target(path), os.listdir(tmp_path)) == ("three", ["link"])
    files.remove(str(path), files.Found(b"three", None), link=True)
    assert os.listdir(tmp_path) == []


def test_no_permission_says_what_to_check_and_leaves_everything_as_it_was(shared: Path) -> None:
    home = make_home(shared / "home")
    (home / ".tools").mkdir()
    before = tree(home)

    def work() -> None:
        (home / ".tools").chmod(0o555)
        roll_out(home)

    said = as_nobody(work, [home])
    assert f"{home}/.tools: cannot be written to (Permission denied). Check its owner and mode" in said
    (home / ".tools").chmod(before[".tools"][1])
    assert tree(home) == before
    assert "cannot be written (Permission denied)" in as_nobody(lambda: files.replace_link(f"{shared}/x", "y"))
    shared.chmod(0o700)
    assert "cannot be read (Permission denied)" in as_nobody(lambda: files.read_link(f"{home}/agent"))


# -- the journal -------------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours may catch it."""


@pytest.mark.parametrize("then", ["roll out", "uninstall"])
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("last", range(2))
@pytest.mark.parametrize("first", [True, False], ids=["install", "change"])
def test_after_a_kill_each_link_is_old_or_new_and_the_way_back_is_exact(
    home: Path, first: bool, last: int, moment: str, then: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(home)
    if not first:
        roll_out(home)
    real = transaction._write
    count = [0]

    def killed(*arguments: object) -> None:
        if moment == "after":
            real(*arguments)  # type: ignore[arg-type]
        if count[0] == last:
            raise Killed
        count[0] += 1
        if moment == "before":
            real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(transaction, "_write", killed)
    with pytest.raises(Killed):
        roll_out(home, NEW)
    monkeypatch.undo()
    if then == "roll out":
        told = roll_out(home, NEW, check=True)
        assert told.changes == roll_out(home, NEW).changes
        assert target(home / "agent") == target(home / ".tools/bin/agent") == "/opt/new/agent"
        assert not roll_out(home, NEW).changed
    uninstall(home)
    assert tree(home) == before


def test_after_a_kill_what_its_owner_put_there_since_is_left(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*arguments: object) -> None:
        raise Killed

    monkeypatch.setattr(transaction, "_write", killed)
    with pytest.raises(Killed):
        roll_out(home)
    monkeypatch.undo()
    (home / "agent").unlink()
    (home / "agent").write_text("mine")
    uninstall(home)
    assert (home / "agent").read_text() == "mine"
    assert Ledger.load(owner_of(home)).is_empty


def test_leftovers_of_a_kill_are_taken_away(home: Path) -> None:
    roll_out(home)
    (home / ".agent.fmapi-tmp-x").symlink_to("y")
    roll_out(home, NEW)
    assert temporaries(home) == []


def test_when_a_later_write_fails_links_are_put_back(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for url in ("https://w", NEW):
        before = tree(home)
        real = files.replace
        failing = str(home / ".agent.json") if url == "https://w" else str(home / ".agent/settings.json")

        def full(*arguments: object, failing: str = failing, real: Callable[..., None] = real) -> None:
            if arguments[0] == failing:
                raise OperatorError("cannot be written (No space left on device)", failing)
            real(*arguments)

        monkeypatch.setattr(files, "replace", full)
        with pytest.raises(OperatorError, match="No space left"):
            bring(owner_of(home), COMPONENTS, [*links(home, url), *wanted(home, url)], check=False)
        monkeypatch.undo()
        assert tree(home) == before
        bring(owner_of(home), COMPONENTS, [*links(home, url), *wanted(home, url)], check=False)
