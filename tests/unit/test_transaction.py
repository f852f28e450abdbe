# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Transactions in real homes: all of an owner's documents or none, a true dry run, and the exact way back."""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine import files, transaction
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ledger import EARLY_NAME, Ledger
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.transaction import bring
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError

from tests.unit.homes import (
    COMPONENTS,
    SETTINGS,
    as_nobody,
    make_home,
    owner_of,
    shared_directory,
    temporaries,
    tree,
    wanted,
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return make_home(tmp_path / "home")


@pytest.fixture
def shared() -> Iterator[Path]:
    yield from shared_directory("fmapi-test-transaction")


def settings(home: Path) -> dict[str, object]:
    data: dict[str, object] = json.loads((home / ".agent/settings.json").read_bytes())
    return data


def test_install_then_uninstall_leaves_every_byte_mode_and_directory(home: Path) -> None:
    before = tree(home)
    assert bring(owner_of(home), COMPONENTS, wanted(home), check=False).changed
    assert (home / ".local/share/ours/helper").stat().st_mode & 0o777 == 0o700
    assert (home / ".databrickscfg").stat().st_mode & 0o777 == 0o600
    assert (home / ".agent/settings.json").stat().st_mode & 0o777 == 0o640
    assert bring(owner_of(home), COMPONENTS, [], check=False).changed
    assert tree(home) == before


def test_a_dry_run_says_the_same_and_writes_nothing(home: Path) -> None:
    for steps in (wanted(home), wanted(home, "https://other"), []):
        before = tree(home), [path.lstat().st_mtime_ns for path in [home, *home.rglob("*")]]
        told = bring(owner_of(home), COMPONENTS, steps, check=True)
        assert (tree(home), [path.lstat().st_mtime_ns for path in [home, *home.rglob("*")]]) == before
        done = bring(owner_of(home), COMPONENTS, steps, check=False)
        assert told.changed and done.changed
        assert told.changes == done.changes
        assert [(one.before, one.after, one.mode_after) for one in told.plans] == [
            (one.before, one.after, one.mode_after) for one in done.plans
        ]


def test_a_second_run_touches_nothing(home: Path) -> None:
    bring(owner_of(home), COMPONENTS, wanted(home), check=False)
    before = tree(home), [path.lstat().st_mtime_ns for path in [home, *home.rglob("*")]]
    outcome = bring(owner_of(home), COMPONENTS, wanted(home), check=False)
    assert (outcome.changed, outcome.changes, outcome.notes) == (False, [], [])
    assert (tree(home), [path.lstat().st_mtime_ns for path in [home, *home.rglob("*")]]) == before


def test_one_component_leaves_the_other_s_documents_alone(home: Path) -> None:
    before = tree(home)
    bring(owner_of(home), ["one"], wanted(home)[:2], check=False)
    bring(owner_of(home), ["two"], wanted(home)[2:], check=False)
    bring(owner_of(home), ["one"], [], check=False)
    assert not (home / ".local/share").exists()
    assert settings(home)["helper"] == "/h"
    bring(owner_of(home), ["two"], [], check=False)
    assert tree(home) == before


def test_a_document_that_is_not_wanted_any_more_is_given_back_in_the_same_run(home: Path) -> None:
    bring(owner_of(home), COMPONENTS, wanted(home), check=False)
    bring(owner_of(home), COMPONENTS, wanted(home)[:3], check=False)
    assert (home / ".agent/settings.json").read_bytes() == SETTINGS
    moved = wanted(home)[3].replaced(path=str(home / "elsewhere/.agent/settings.json"))
    bring(owner_of(home), COMPONENTS, [*wanted(home)[:3], moved], check=False)
    assert (home / "elsewhere/.agent/settings.json").exists()
    bring(owner_of(home), COMPONENTS, wanted(home), check=False)
    assert not (home / "elsewhere").exists()


# -- all or none -------------------------------------------------------------------------------------------------------


def test_a_file_that_cannot_be_parsed_stops_the_run_before_the_first_write(home: Path) -> None:
    (home / ".agent/settings.json").write_bytes(b'{"env": ')
    before = tree(home)
    for check in (True, False):
        with pytest.raises(OperatorError, match=r"settings.json: line 1, column 9"):
            bring(owner_of(home), COMPONENTS, wanted(home), check=check)
    assert tree(home) == before


@pytest.mark.parametrize("broken", range(4))
def test_when_a_write_fails_what_was_written_is_put_back(
    home: Path, broken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(home)
    real = files.replace
    path = wanted(home)[broken].path

    def full(target: str, content: bytes, mode: int, expected: files.Found | None = None) -> None:
        if target == path:
            raise OperatorError("cannot be written (No space left on device)", target, "Free some space and run again")
        real(target, content, mode, expected)

    monkeypatch.setattr(files, "replace", full)
    with pytest.raises(OperatorError, match="No space left"):
        bring(owner_of(home), COMPONENTS, wanted(home), check=False)
    assert tree(home) == before
    monkeypatch.undo()
    assert bring(owner_of(home), COMPONENTS, wanted(home), check=False).changed
    bring(owner_of(home), COMPONENTS, [], check=False)
    assert tree(home) == before


@pytest.mark.parametrize("broken", range(4))
def test_when_a_change_fails_everything_stays_at_the_state_before_it(
    home: Path, broken: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "strftime", lambda *_arguments: "now")  # the ledger is written anew, and says when
    original = tree(home)
    bring(owner_of(home), COMPONENTS, wanted(home), check=False)
    before = tree(home)
    path = wanted(home)[broken].path
    real = files.replace
    failed: list[str] = []

    def full(target: str, content: bytes, mode: int, expected: files.Found | None = None) -> None:
        if target == path and not failed:
            failed.append(target)
            raise OperatorError("cannot be written", target)
        real(target, content, mode, expected)

    monkeypatch.setattr(files, "replace", full)
    if broken == 2:
        assert bring(
            owner_of(home), COMPONENTS, wanted(home, "https://other"), check=False
        ).changed  # this one stays the same
        return
    with pytest.raises(OperatorError):
        bring(owner_of(home), COMPONENTS, wanted(home, "https://other"), check=False)
    assert tree(home) == before
    monkeypatch.undo()
    bring(owner_of(home), COMPONENTS, [], check=False)
    assert tree(home) == original


def test_a_directory_that_is_not_writable_leaves_everything_as_it_was(shared: Path) -> None:
    home = make_home(shared / "home")
    before = tree(home)

    def work() -> None:
        (home / ".agent").chmod(0o555)
        bring(owner_of(home), COMPONENTS, wanted(home), check=False)

    said = as_nobody(work, [home])
    assert f"{home}/.agent: cannot be written to (Permission denied). Check its owner and mode" in said
    (home / ".agent").chmod(0o755)
    assert tree(home) == before


def test_a_home_that_cannot_hold_a_ledger_is_left_alone(shared: Path) -> None:
    home = make_home(shared / "home")
    before = tree(home)
    (home / ".agent").chmod(0o755)
    home.chmod(0o555)
    said = as_nobody(lambda: bring(owner_of(home), COMPONENTS, wanted(home), check=False), [home / ".agent"])
    assert f"{home}: cannot be written to (Permission denied)" in said
    home.chmod(0o755)
    assert tree(home) == before


def test_a_file_in_the_place_of_a_directory_leaves_everything_as_it_was(home: Path) -> None:
    (home / ".local").mkdir()
    (home / ".local/share").write_text("a file")
    before = tree(home)
    with pytest.raises(OperatorError, match="a part of its path is a file"):
        bring(owner_of(home), COMPONENTS, wanted(home), check=False)
    assert tree(home) == before


@pytest.mark.parametrize("steps", ["install", "change", "uninstall", "uninstall after an edit"])
@pytest.mark.parametrize("reason", ["No space left on device", "Disk quota exceeded"])
def test_when_the_ledger_cannot_be_written_at_the_end_it_is_said_that_the_files_are_changed(
    home: Path, steps: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(home)
    if steps != "install":
        bring(owner_of(home), COMPONENTS, wanted(home), check=False)
    if steps.endswith("edit"):
        (home / ".agent.json").write_text('{"done": true, "theirs": 1}')
    want = [] if steps.startswith("uninstall") else wanted(home, "https://new")
    ledger = Ledger(owner_of(home)).path
    early = str(home / EARLY_NAME)
    written = []
    real_replace, real_remove = files.replace, files.remove

    def full(target: str, content: bytes, mode: int, expected: files.Found | None = None) -> None:
        if target == ledger:
            written.append(target)
            if len(written) > 1:  # the journal still found room
                raise OperatorError(f"cannot be written ({reason})", target, "Free some space and run again")
        real_replace(target, content, mode, expected)

    def stuck(path: str, expected: files.Found | None = None, link: bool = False) -> None:
        if path in (ledger, early) and os.path.lexists(path):
            raise OperatorError(f"cannot be removed ({reason})", path, "Free some space and run again")
        real_remove(path, expected, link)

    monkeypatch.setattr(files, "replace", full)
    monkeypatch.setattr(files, "remove", stuck)
    with pytest.raises(OperatorError) as error:
        bring(owner_of(home), COMPONENTS, want, check=False)
    monkeypatch.undo()
    assert str(error.value).startswith(f"{ledger if want else early}: cannot be ")
    assert str(error.value).endswith(
        f"({reason}). The files are changed as wanted, and the next run records that. Free some space and run again"
    )
    if want:
        assert settings(home)["env"] == {"URL": "https://new"}
    else:
        assert (home / ".agent/settings.json").read_bytes() == SETTINGS
    left = tree(home)
    again = bring(owner_of(home), COMPONENTS, want, check=False)
    assert again.changes == ["a run that was interrupted is brought to its end"]
    assert [
        {name: entry for name, entry in one.items() if ".local" not in name and name != EARLY_NAME}
        for one in (tree(home), left)
    ] == [{name: entry for name, entry in left.items() if ".local" not in name and name != EARLY_NAME}] * 2
    assert not bring(owner_of(home), COMPONENTS, want, check=False).changed
    bring(owner_of(home), COMPONENTS, [], check=False)
    after = tree(home)
    if steps.endswith("edit"):
        assert after.pop(".agent.json")[2] == b'{"theirs": 1}'
    assert after == before


# -- links -------------------------------------------------------------------------------------------------------------


def test_settings_that_are_a_link_stay_one_there_and_back(home: Path) -> None:
    dotfiles = home / "dotfiles"
    dotfiles.mkdir()
    (home / ".agent/settings.json").rename(dotfiles / "agent.json")
    (home / ".agent/settings.json").symlink_to("../dotfiles/agent.json")
    before = tree(home)
    bring(owner_of(home), COMPONENTS, wanted(home), check=False)
    assert (home / ".agent/settings.json").is_symlink()
    assert json.loads((dotfiles / "agent.json").read_bytes())["helper"] == "/h"
    assert not bring(owner_of(home), COMPONENTS, wanted(home), check=False).changed
    bring(owner_of(home), COMPONENTS, [], check=False)
    assert tree(home) == before


def test_a_directory_that_is_a_link_stays_one(home: Path) -> None:
    (home / ".agent").rename(home / "dotagent")
    (home / ".agent").symlink_to("dotagent")
    before = tree(home)
    bring(owner_of(home), COMPONENTS, wanted(home), check=False)
    bring(owner_of(home), COMPONENTS, [], check=False)
    assert tree(home) == before


def test_a_dangling_link_is_an_error_and_nothing_changes(home: Path) -> None:
    (home / ".agent/settings.json").unlink()
    (home / ".agent/settings.json").symlink_to("../gone/settings.json")
    before = tree(home)
    with pytest.raises(OperatorError, match=r"is a symbolic link to \.\./gone/settings.json, which does not exist"):
        bring(owner_of(home), COMPONENTS, wanted(home), check=False)
    assert tree(home) == before


def test_a_file_of_our_making_that_became_a_link_does_not_leave_it_dangling(home: Path) -> None:
    bring(owner_of(home), COMPONENTS, wanted(home), check=False)
    (home / ".agent.json").rename(home / "kept.json")
    (home / ".agent.json").symlink_to("kept.json")
    bring(owner_of(home), COMPONENTS, [], check=False)
    assert not (home / ".agent.json").is_symlink() or (home / ".agent.json").exists()
    assert bring(owner_of(home), COMPONENTS, wanted(home), check=False).changed


# -- lost updates ------------------------------------------------------------------------------------------------------


def _interrupting(monkeypatch: pytest.MonkeyPatch, path: str, write: Callable[[int], object]) -> None:
    """Another program writes between our reading and our writing of ``path``."""
    real = files.replace
    calls: list[int] = []

    def late(target: str, content: bytes, mode: int, expected: files.Found | None = None) -> None:
        if target == path:
            write(len(calls))
            calls.append(1)
        real(target, content, mode, expected)

    monkeypatch.setattr(files, "replace", late)


def test_what_an_agent_writes_in_between_is_merged(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = home / ".agent/settings.json"

    def agent(call: int) -> None:
        if call < 3:
            path.write_text(json.dumps({**json.loads(path.read_text()), f"n{call}": call}))

    _interrupting(monkeypatch, str(path), agent)
    outcome = bring(owner_of(home), COMPONENTS, wanted(home), check=False)
    assert outcome.plans[3].before is not None and b'"n2"' in outcome.plans[3].before
    monkeypatch.undo()
    data = settings(home)
    assert (data["n0"], data["n1"], data["n2"], data["helper"]) == (0, 1, 2, "/h")
    bring(owner_of(home), COMPONENTS, [], check=False)
    assert settings(home) == {**json.loads(SETTINGS), "n0": 0, "n1": 1, "n2": 2}


def test_a_file_that_is_rewritten_all_the_time_is_given_up_and_nothing_of_theirs_is_lost(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = home / ".agent/settings.json"
    before = tree(home)
    _interrupting(monkeypatch, str(path), lambda call: path.write_text(json.dumps({"call": call})) and None)
    with pytest.raises(OperatorError, match=r"gave up after 5 tries. Close the agent"):
        bring(owner_of(home), COMPONENTS, wanted(home), check=False)
    assert settings(home) == {"call": 4}
    after = tree(home)
    assert {name: entry for name, entry in after.items() if name != ".agent/settings.json"} == {
        name: entry for name, entry in before.items() if name != ".agent/settings.json"
    }


def test_a_file_that_breaks_in_between_stops_the_run_and_the_rest_is_put_back(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = home / ".agent/settings.json"
    before = tree(home)
    _interrupting(monkeypatch, str(path), lambda call: path.write_text("{") and None)
    with pytest.raises(OperatorError, match="is not valid JSON"):
        bring(owner_of(home), COMPONENTS, wanted(home), check=False)
    after = tree(home)
    assert after.pop(".agent/settings.json")[2] == b"{"
    before.pop(".agent/settings.json")
    assert after == before


def test_a_file_that_goes_away_in_between_is_made(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = home / ".agent/settings.json"
    _interrupting(monkeypatch, str(path), lambda call: path.unlink() if call == 0 else None)
    bring(owner_of(home), COMPONENTS, wanted(home), check=False)
    assert settings(home)["helper"] == "/h"
    monkeypatch.undo()
    bring(owner_of(home), COMPONENTS, [], check=False)
    assert not path.exists()


def test_a_file_that_appears_in_between_is_merged(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = home / ".agent.json"
    _interrupting(monkeypatch, str(path), lambda call: path.write_text('{"theirs": 1}') and None if call == 0 else None)
    bring(owner_of(home), COMPONENTS, wanted(home), check=False)
    monkeypatch.undo()
    assert json.loads(path.read_bytes()) == {"theirs": 1, "done": True}
    bring(owner_of(home), COMPONENTS, [], check=False)
    assert path.read_text() == '{"theirs": 1}'


# -- the journal -------------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours may catch it."""


@pytest.mark.parametrize("first", [True, False], ids=["install", "change"])
@pytest.mark.parametrize("last", range(4))
def test_after_a_kill_between_writes_the_way_back_is_still_exact(
    home: Path, last: int, first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(home)
    if not first:
        bring(owner_of(home), COMPONENTS, wanted(home), check=False)
    url = "https://other"
    real = files.replace

    def killed(target: str, content: bytes, mode: int, expected: files.Found | None = None) -> None:
        if target == wanted(home)[last].path:
            raise Killed
        real(target, content, mode, expected)

    monkeypatch.setattr(files, "replace", killed)
    if first or last != 2:
        with pytest.raises(Killed):
            bring(owner_of(home), COMPONENTS, wanted(home, url), check=False)
    monkeypatch.undo()
    told = bring(owner_of(home), COMPONENTS, wanted(home, url), check=True)
    done = bring(owner_of(home), COMPONENTS, wanted(home, url), check=False)
    assert told.changes == done.changes
    assert not bring(owner_of(home), COMPONENTS, wanted(home, url), check=False).changed
    bring(owner_of(home), COMPONENTS, [], check=False)
    assert tree(home) == before


@pytest.mark.parametrize("last", range(4))
def test_after_a_kill_the_uninstall_alone_is_exact_too(home: Path, last: int, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tree(home)
    real = files.replace

    def killed(target: str, content: bytes, mode: int, expected: files.Found | None = None) -> None:
        if target == wanted(home)[last].path:
            raise Killed
        real(target, content, mode, expected)

    monkeypatch.setattr(files, "replace", killed)
    with pytest.raises(Killed):
        bring(owner_of(home), COMPONENTS, wanted(home), check=False)
    monkeypatch.undo()
    bring(owner_of(home), COMPONENTS, [], check=False)
    assert tree(home) == before


def test_a_note_about_a_value_that_is_not_ours_any_more_is_given_once(home: Path) -> None:
    bring(owner_of(home), COMPONENTS, wanted(home), check=False)
    path = home / ".agent/settings.json"
    path.write_text(path.read_text().replace('"/h"', '"/theirs"'))
    fewer = [*wanted(home)[:3], wanted(home)[3].replaced(values={("env", "URL"): "https://w"})]
    first = bring(owner_of(home), COMPONENTS, fewer, check=False)
    assert any("helper was changed since we set it" in note for note in first.notes)
    assert bring(owner_of(home), COMPONENTS, fewer, check=False).notes == []
    assert settings(home)["helper"] == "/theirs"


# -- side by side ------------------------------------------------------------------------------------------------------


def _run(home: str, url: str | None, count: int) -> None:
    for _one in range(count):
        bring(owner_of(home), COMPONENTS, wanted(Path(home), url) if url else [], check=False)


def test_rollouts_at_once_on_one_home_end_in_one_of_their_states(home: Path) -> None:
    before = tree(home)
    context = multiprocessing.get_context("fork")
    runs = [context.Process(target=_run, args=(str(home), f"https://{one}", 5)) for one in range(4)]
    for run in runs:
        run.start()
    for run in runs:
        run.join(120)
    assert [run.exitcode for run in runs] == [0, 0, 0, 0]
    assert temporaries(home) == []
    env = settings(home)["env"]
    assert isinstance(env, dict)
    assert not bring(owner_of(home), COMPONENTS, wanted(home, env["URL"]), check=False).changed
    bring(owner_of(home), COMPONENTS, [], check=False)
    assert tree(home) == before


def _count_up(path: str, name: str, rounds: int) -> None:
    """An agent that keeps its own number in the file, and replaces it in one step as Claude Code does."""
    for number in range(1, rounds + 1):
        data = json.loads(Path(path).read_bytes())
        data[name] = number
        Path(f"{path}.{name}").write_text(json.dumps(data))
        os.replace(f"{path}.{name}", path)


def test_an_agent_that_writes_all_the_time_finds_a_whole_file_every_time(home: Path) -> None:
    path = home / ".agent/settings.json"
    context = multiprocessing.get_context("fork")
    agent = context.Process(target=_count_up, args=(str(path), "theirs", 300))
    agent.start()
    gave_up = 0
    while agent.is_alive():
        for steps in (wanted(home), []):
            try:
                bring(owner_of(home), COMPONENTS, steps, check=False)
            except OperatorError as error:
                assert "is being rewritten by another program" in str(error)
                gave_up += 1
    agent.join()
    assert agent.exitcode == 0
    assert settings(home)["theirs"] == 300
    assert temporaries(home) == []
    bring(owner_of(home), COMPONENTS, wanted(home), check=False)
    bring(owner_of(home), COMPONENTS, [], check=False)
    assert Ledger.load(owner_of(home)).is_empty


def test_tries_are_bounded() -> None:
    assert transaction._TRIES == 5
