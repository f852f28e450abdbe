# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that look writable and are not: the dry run refuses what the run would fail at, nothing is half written, and nobody says ok.

Each obstacle is a real one: other owners, marks of the file system, sticky directories, mounts. The work is done by a user without
privileges.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import grp
import os
import pwd
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils import rollout
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine import files, obstacles, transaction
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ledger import Ledger
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owner import Owner
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ownership import Wanted
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.transaction import bring
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.agent_cli import AgentCli
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.databricks_oauth import DatabricksOauth
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import How

from tests.unit.homes import COMPONENTS, as_nobody, everything, make_home, owner_of, shared_directory, temporaries, tree
from tests.unit.options_for import options_for

IMPORTED = (ctypes, grp, pwd)
"""What is imported when it is needed: a user who may not read this Python's files would look for it in vain."""
NOBODY = 65534
STATE = ".local/state/fmapi-coding-agents"
SETTINGS = ".agent/settings.json"

root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to put obstacles in another user's way")


@pytest.fixture
def home() -> Iterator[Path]:
    """Another user's, who can enter it."""
    for shared in shared_directory("fmapi-test-obstacles"):
        yield make_home(shared / "home")


def owner(home: Path) -> Owner:
    return Owner("nobody", NOBODY, NOBODY, str(home)) if os.geteuid() == 0 else owner_of(home)


def said(home: Path, url: str | None, check: bool) -> str:
    """What a run of that user says, or nothing; without a URL, a way back."""
    documents = everything(home, url) if url else []
    return as_nobody(lambda: bring(owner(home), COMPONENTS, documents, check))


def theirs(home: Path) -> None:
    for path in [home, *home.rglob("*")]:
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


# -- obstacles ----------------------------------------------------------------------------------------------------------

Obstacle = Callable[[Path], Callable[[], object]]
"""Puts itself in the way of a file or directory; what it returns takes it away."""


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = f"{command[0]}: {done.stderr.strip()}"
        if os.environ.get("CI") == "true":
            pytest.fail(said)
        pytest.skip(f"this machine or file system cannot: {said}")


def marked(flag: str) -> Obstacle:
    def arrange(path: Path) -> Callable[[], object]:
        _run("chattr", f"+{flag}", str(path))
        return lambda: _run("chattr", f"-{flag}", str(path))

    return arrange


def foreign(uid: int, gid: int, mode: int) -> Obstacle:
    def arrange(path: Path) -> Callable[[], object]:
        before = path.stat()
        os.chown(path, uid, gid)
        path.chmod(mode)

        def undo() -> None:
            os.chown(path, before.st_uid, before.st_gid)
            path.chmod(before.st_mode & 0o7777)

        return undo

    return arrange


def sticky(path: Path) -> Callable[[], object]:
    """The file is another's, in a directory of another's in which everybody can write."""
    undo_file = foreign(NOBODY - 1, NOBODY, 0o666)(path)
    undo_directory = foreign(0, 0, 0o1777)(path.parent)
    return lambda: (undo_file(), undo_directory())


def mounted(path: Path) -> Callable[[], object]:
    """As containers mount a single file."""
    _run("mount", "--bind", str(path), str(path))
    return lambda: _run("umount", str(path))


def mounted_read_only(path: Path) -> Callable[[], object]:
    _run("mount", "--bind", str(path), str(path))
    _run("mount", "-o", "remount,bind,ro", str(path))
    return lambda: _run("umount", str(path))


def mode(bits: int) -> Obstacle:
    return foreign(NOBODY, NOBODY, bits)


ON_FILES: dict[str, tuple[Obstacle, str]] = {
    "foreign owner": (
        foreign(0, NOBODY, 0o666),
        "belongs to root: to replace it would make it ours. Give it to nobody",
    ),
    "foreign group": (foreign(NOBODY, 0, 0o664), "belongs to the group root, which this user is not in"),
    "immutable": (
        marked("i"),
        "(Operation not permitted). Check its owner, and that it is not marked immutable",
    ),
    "append-only": (marked("a"), "it is marked append-only"),
    "sticky directory": (sticky, "its directory lets only its owner replace it (sticky)"),
    "mounted": (
        mounted,
        "is mounted there by itself, and cannot be replaced. Unmount it, or mount its directory instead",
    ),
    "read-only": (mode(0o440), "is read-only. If it may be changed, give its owner leave to write (chmod u+w)"),
}
ON_DIRECTORIES: dict[str, tuple[Obstacle, str]] = {
    "0555": (mode(0o555), "cannot be written to (Permission denied)"),
    "foreign owner": (foreign(0, 0, 0o755), "cannot be written to (Permission denied)"),
    "immutable": (marked("i"), "cannot be written to (Operation not permitted)"),
    "append-only": (marked("a"), "cannot be written to (it is marked append-only)"),
    "read-only mount": (mounted_read_only, "cannot be written to (Read-only file system)"),
}
CASES = [
    *((name, path) for name in ON_FILES for path in (SETTINGS, ".databrickscfg")),
    *((name, path) for name in ON_DIRECTORIES for path in (".agent", ".", ".local", ".local/state", ".tools")),
]
AFTERWARDS = [
    *((name, SETTINGS) for name in ON_FILES if name != "read-only"),
    # One that others could have written is refused for that (see the tests of hostile places).
    *((name, f"{STATE}/ledger.json") for name in ("foreign group", "immutable", "append-only", "mounted")),
    *((name, path) for name in ON_DIRECTORIES for path in (".agent", ".local/share/ours", STATE, ".tools/bin")),
]


def _obstacle(name: str, path: Path) -> tuple[Obstacle, str]:
    return (ON_DIRECTORIES if path.is_dir() else ON_FILES)[name]


def refused_and_unchanged(home: Path, url: str | None, expected: str) -> None:
    before = tree(home)
    for check in (True, False):
        told = said(home, url, check)
        assert told.startswith("OperatorError: ") and expected in told, (check, told)
        assert tree(home) == before, check


@root
@pytest.mark.parametrize(("name", "path"), CASES, ids=[f"{name}, {path}" for name, path in CASES])
def test_a_rollout_is_refused_in_the_dry_run_and_as_a_whole(home: Path, name: str, path: str) -> None:
    if path.startswith((".local", ".tools")):
        (home / path).mkdir(parents=True)
    theirs(home)
    before = tree(home)
    obstacle, expected = _obstacle(name, home / path)
    undo = obstacle(home / path)
    try:
        refused_and_unchanged(home, "https://w", expected)
    finally:
        undo()
    assert said(home, "https://w", False) == "" and said(home, None, False) == ""
    assert tree(home) == before


@root
@pytest.mark.parametrize(("name", "path"), AFTERWARDS, ids=[f"{name}, {path}" for name, path in AFTERWARDS])
def test_a_change_and_a_way_back_are_refused_in_the_dry_run_and_as_a_whole(home: Path, name: str, path: str) -> None:
    theirs(home)
    before = tree(home)
    assert said(home, "https://w", False) == ""
    obstacle, expected = _obstacle(name, home / path)
    undo = obstacle(home / path)
    try:
        refused_and_unchanged(home, "https://new", expected)
        refused_and_unchanged(home, None, expected)
        assert said(home, "https://w", False) == "", "nothing to do needs no write"
    finally:
        undo()
    assert said(home, None, False) == "" and tree(home) == before


@root
def test_a_home_that_cannot_be_locked_is_refused_in_the_dry_run(home: Path) -> None:
    theirs(home)
    undo = mode(0o311)(home)
    refused_and_unchanged(home, "https://w", "cannot be opened")
    undo()


# -- what only looks like an obstacle -----------------------------------------------------------------------------------


def _own_file_in_a_sticky_directory(home: Path) -> None:
    foreign(0, 0, 0o1777)(home / ".agent")


def _shared_by_a_group(home: Path) -> None:
    """Files take the group of their directory, whoever is in it."""
    os.chown(home / ".agent", NOBODY, 0)
    (home / ".agent").chmod(0o2775)
    os.chown(home / SETTINGS, NOBODY, 0)


def _mounted_directory(home: Path) -> None:
    mounted(home / ".agent")


def _ours_and_read_only(home: Path) -> None:
    helper = home / ".local/share/ours/helper"
    helper.parent.mkdir(parents=True)
    helper.write_text("old")
    helper.chmod(0o500)
    theirs(home / ".local")


@root
@pytest.mark.parametrize(
    "arrange", [_own_file_in_a_sticky_directory, _shared_by_a_group, _mounted_directory, _ours_and_read_only]
)
def test_what_can_be_done_is_not_refused(home: Path, arrange: Callable[[Path], None]) -> None:
    theirs(home)
    arrange(home)
    try:
        before = tree(home), (home / SETTINGS).stat().st_gid
        for url in ("https://w", "https://new", None):
            assert said(home, url, True) == "" and said(home, url, False) == ""
        assert (tree(home), (home / SETTINGS).stat().st_gid) == before
    finally:
        with contextlib.suppress(OSError):
            if files.is_mounted(str(home / ".agent")):
                subprocess.run(["umount", str(home / ".agent")], check=True)


@pytest.mark.parametrize("length", [100, 101, 200, 227, 228, 255])
@pytest.mark.parametrize("letter", ["x", "é", "日"])
def test_a_name_that_the_file_system_takes_is_taken(tmp_path: Path, length: int, letter: str) -> None:
    """The file that is written first has a name of its own, and may not be longer."""
    name = letter * (length // len(letter.encode()))
    home = make_home(tmp_path / "home")
    (home / name).write_text('{"mine": 1}')
    before = tree(home)
    for url in ("https://w", "https://new"):
        one = Wanted(str(home / name), "json", "one", values={("url",): url})
        bring(owner_of(home), COMPONENTS, [one], check=True)
        bring(owner_of(home), COMPONENTS, [one], check=False)
    leftover = home / f"{files._beginning(name)}0123456789abcdef"
    leftover.write_text("old values")
    bring(owner_of(home), COMPONENTS, [], check=False)
    assert tree(home) == before


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted("x" * 256, "json", "one", values={("a",): 1}),
        Wanted("x" * 240, "json", "one", values={("a",): 1}, replace_unreadable=True),
        Wanted("/".join(["d" * 200] * 20) + "/" + "x" * 40, "json", "one", values={("a",): 1}),
    ],
    ids=["name", "name of what is put aside", "path"],
)
def test_a_name_that_is_too_long_is_refused_in_the_dry_run(tmp_path: Path, wanted: Wanted) -> None:
    home = make_home(tmp_path / "home")
    with contextlib.suppress(OSError):
        (home / wanted.path).write_text("{broken")
    before = tree(home)
    one = wanted.replaced(path=str(home / wanted.path))
    for check in (True, False):
        with pytest.raises(OperatorError, match="File name too long"):
            bring(owner_of(home), COMPONENTS, [one], check)
        assert tree(home) == before


def test_flags_that_nobody_can_tell_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "f").touch()

    def unknown(*_arguments: object) -> bytes:
        raise OSError(25, "Inappropriate ioctl for device")

    monkeypatch.setattr(fcntl, "ioctl", unknown)
    assert obstacles._mark(str(tmp_path / "f")) == 0
    assert obstacles._mark(str(tmp_path / "missing")) == 0


# -- all parts ----------------------------------------------------------------------------------------------------------

OPTIONS: dict[str, Any] = options_for(parts=["databricks_oauth", "agent_settings"])


@root
@pytest.mark.parametrize("path", [".cache", ".cache/fmapi-coding-agents", ".local", ".local/share", ".local/state"])
@pytest.mark.parametrize("log", [False, True])
def test_a_root_owned_directory_on_the_way_is_refused_before_anything_is_written(
    home: Path, path: str, log: bool
) -> None:
    """Such as what ``sudo npm install`` leaves. Twice: the second run does not say ok either."""
    (home / path).mkdir(parents=True)
    theirs(home)
    undo = foreign(0, 0, 0o755)(home / path)
    before = tree(home)
    options = {**OPTIONS, "helper_log": log}
    for _again in range(2):
        for work in (
            lambda: rollout.look(owner(home), options, How(check=True)),
            lambda: rollout.apply(owner(home), options, How(check=True)),
            lambda: rollout.apply(owner(home), options, How()),
        ):
            told = as_nobody(work)
            assert told.startswith("OperatorError: ") and "cannot be written to (Permission denied)" in told
            assert tree(home) == before
    undo()
    assert as_nobody(lambda: rollout.apply(owner(home), options, How())) == ""
    assert as_nobody(lambda: rollout.withdraw(owner(home), options, How())) == ""
    before.pop(".cache/fmapi-coding-agents", None)  # ours by its name
    assert tree(home) == before


@root
def test_a_root_owned_directory_for_programs_is_refused_before_anything_is_fetched(home: Path) -> None:
    (home / ".local/lib").mkdir(parents=True)
    theirs(home)
    foreign(0, 0, 0o755)(home / ".local/lib")
    told = as_nobody(lambda: AgentCli().wanted(owner(home), options_for()))
    assert f"{home}/.local/lib: cannot be written to (Permission denied)" in told


def apply(home: Path) -> dict[str, Any]:
    return rollout.apply(owner_of(home), OPTIONS, How())


def test_what_fails_after_all_was_written_says_that_it_was(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object) -> None:
        raise OperatorError("cannot be written (No space left on device)", "/cache", "Free some space and run again")

    monkeypatch.setattr(DatabricksOauth, "after", full)
    told = apply(home)
    assert told["changed"]
    assert told["error"] == (
        "all files are as wanted, what follows from it was not done: /cache: cannot be written (No space left on device)\n"
        "Free some space and run again"
    )
    assert "error" in apply(home), "nor does the next run say ok"
    monkeypatch.undo()
    assert "error" not in apply(home)


def test_a_run_that_cannot_put_back_what_it_had_written_says_that_something_was(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, count = transaction._write, [0]

    def failing(*arguments: Any) -> None:
        count[0] += 1
        if count[0] == 3:
            raise OperatorError("cannot be written (Read-only file system)", "/f", "Mount it writable")
        real(*arguments)

    for run in (apply, lambda home: rollout.withdraw(owner_of(home), OPTIONS, How())):
        count[0] = 0
        with monkeypatch.context() as patch:
            patch.setattr(transaction, "_write", failing)
            patch.setattr(transaction, "_put_back_one", failing_to_put_back)
            told = run(home)
        assert told["changed"] and "What was already written stays" in told["error"]
        assert rollout.look(owner_of(home), OPTIONS, How(check=True))["drifted"], "the next run does not say ok"
        assert "error" not in run(home)


def test_a_ledger_that_cannot_be_written_at_the_end_fails_the_run_and_says_that_all_was_changed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No space for the last of all writes: the same way there and back."""
    before = tree(home)

    def full(*_arguments: object) -> None:
        raise OperatorError("cannot be written (Disk quota exceeded)", "/ledger", "Free some of the owner's quota")

    for run in (apply, lambda home: rollout.withdraw(owner_of(home), OPTIONS, How())):
        with monkeypatch.context() as patch:
            patch.setattr(transaction, "_finish", full)
            told = run(home)
        assert told["changed"] and "The files are changed as wanted, and the next run records that" in told["error"]
        assert rollout.look(owner_of(home), OPTIONS, How(check=True))["drifted"], "the next run does not say ok"
        assert "error" not in run(home)
    assert tree(home) == before


def failing_to_put_back(one: Any) -> None:
    raise OperatorError("cannot be written (Read-only file system)", one.path)


def test_a_run_that_has_put_back_all_says_that_nothing_was_changed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tree(home)

    def failing(ledger: Ledger, one: Any, found: Any) -> None:
        raise OperatorError("cannot be written (No space left on device)", one.path)

    monkeypatch.setattr(transaction, "_write", failing)
    with pytest.raises(OperatorError):
        apply(home)
    assert tree(home) == before and temporaries(home) == []


def test_a_version_that_nothing_leads_to_any_more_is_drift_until_it_is_removed(tmp_path: Path) -> None:
    """A run that could not remove it (files of root's in it) failed, and the next one said ok."""
    home = make_home(tmp_path / "home")
    directory = home / ".local/lib/fmapi-coding-agents/claude_code/9.9.9"
    directory.mkdir(parents=True)
    ledger = Ledger(owner_of(home))
    ledger.packages["claude_code/9.9.9"] = {"version": "9.9.9", "directory": str(directory), "complete": True}
    ledger.save()
    part, options = AgentCli(), options_for()
    assert f"{directory}: removed, nothing leads to it" in part.missing(owner_of(home), options)
    part.after(owner_of(home), options, [])
    assert part.missing(owner_of(home), options) == [] and not directory.exists()


@root
def test_what_stays_in_the_cache_is_said_and_holds_nothing_else_up(home: Path) -> None:
    (home / ".cache").mkdir()
    theirs(home)
    before = tree(home)
    assert as_nobody(lambda: rollout.apply(owner(home), OPTIONS, How())) == ""
    cache = home / ".cache/fmapi-coding-agents"
    (cache / "token-1").write_text("a token")
    undo = foreign(0, 0, 0o755)(cache)

    def way_back() -> None:
        told = rollout.withdraw(owner(home), OPTIONS, How())
        if "error" in told:
            raise ValueError(told["error"])

    told = as_nobody(way_back)
    assert f"not given back: {cache}/token-" in told and "cannot be removed (Permission denied)" in told
    assert not (home / ".claude").exists() and not (home / ".local/share").exists()
    undo()
    assert as_nobody(way_back) == "" and tree(home) == before
