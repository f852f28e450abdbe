# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ledger: private, refused when it cannot be trusted, gone when there is nothing to remember."""

from __future__ import annotations

import copy
import json
import multiprocessing
import os
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine import ledger_lock
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ledger import SCHEMA, Ledger
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ledger_lock import locked
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.transaction import bring
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError

from tests.unit.homes import COMPONENTS, make_home, owner_of, tree, wanted


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return make_home(tmp_path / "home")


def ledger_of(home: Path) -> Path:
    return home / ".local/state/fmapi-coding-agents/ledger.json"


def test_an_owner_without_a_ledger_has_an_empty_one_and_no_file(home: Path) -> None:
    before = tree(home)
    ledger = Ledger.load(owner_of(home))
    assert ledger.is_empty and ledger.is_new
    ledger.save()
    assert tree(home) == before


def test_the_ledger_is_private_and_reads_back(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "strftime", lambda *_arguments: "now")
    bring(owner_of(home), COMPONENTS, wanted(home), check=False)
    path = ledger_of(home)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    before = path.read_bytes()
    Ledger.load(owner_of(home)).save()
    assert path.read_bytes() == before
    assert json.loads(before)["schema"] == SCHEMA


def test_each_ledger_has_its_own_salt(tmp_path: Path) -> None:
    assert Ledger(owner_of(tmp_path)).salt != Ledger(owner_of(tmp_path)).salt


def refused(home: Path, content: bytes) -> str:
    ledger_of(home).write_bytes(content)
    before = tree(home)
    messages = []
    for steps, check in ((wanted(home), True), ([], False)):
        with pytest.raises(OperatorError) as error:
            bring(owner_of(home), COMPONENTS, steps, check)
        messages.append(str(error.value))
    assert tree(home) == before
    assert messages[0] == messages[1]
    assert messages[0].startswith(f"{ledger_of(home)}: ")
    return messages[0]


def test_a_ledger_that_was_cut_off_is_refused_at_every_length(home: Path) -> None:
    bring(owner_of(home), COMPONENTS, wanted(home), check=False)
    whole = ledger_of(home).read_bytes()
    for length in [0, 1, 2, *range(10, len(whole) - 2, 211)]:
        message = refused(home, whole[:length])
        assert "is not a ledger that this collection wrote (cut off or edited)" in message
        assert "Put the ledger back from a backup, or move it away" in message


@pytest.mark.parametrize(
    "content", [b"null", b"[]", b"{}", b'{"schema": 1}', b"\xff", b'{"schema": 1, "salt": 5}', b"[" * 100_000]
)
def test_what_is_no_ledger_is_refused(home: Path, content: bytes) -> None:
    bring(owner_of(home), COMPONENTS, wanted(home), check=False)
    assert "is not a ledger" in refused(home, content)


def test_a_newer_schema_is_refused_with_the_way_out(home: Path) -> None:
    bring(owner_of(home), COMPONENTS, wanted(home), check=False)
    data = json.loads(ledger_of(home).read_bytes())
    for schema in (SCHEMA + 1, 0, -1, "1", None, True, 1.5):
        message = refused(home, json.dumps({**data, "schema": schema}).encode())
        assert "Use the version of fmapi.coding_agents that wrote it, or a newer one" in message


def test_any_part_that_was_taken_out_or_replaced_by_hand_is_refused(home: Path) -> None:
    bring(owner_of(home), COMPONENTS, wanted(home), check=False)
    data = json.loads(ledger_of(home).read_bytes())
    data["packages"] = {
        "claude_code": {"prefix": "/p", "version": "1", "previous": None},
        "codex": {"directory": "~/.local/share/fmapi-coding-agents/codex", "version": "2"},
    }
    data["pending"] = {"~/x": {"before": None, "after": None, "entry": None}}
    ledger_of(home).write_text(json.dumps(data))
    Ledger.load(owner_of(home))  # as it is, it is good
    for where in _places(data):
        for damage in ("remove", 17, "text", [None]):
            edited = copy.deepcopy(data)
            parent: Any = edited
            for step in where[:-1]:
                parent = parent[step]
            value = parent[where[-1]]
            if where[-1] in ("collection_version", "written_at"):
                continue  # for people; nothing is done by them
            if where[-1] in ("prior", "element", "before", "after", "previous", "note") and damage != "remove":
                continue  # any value may stand there
            if damage != "remove" and (type(value) is type(damage) or where[-1] == "entry"):
                continue
            if where[-1] == "backup" and damage == "text":
                continue
            if isinstance(parent, list) and damage == "remove":
                continue
            if damage == "remove":
                if where[-1] in ("prior", "backup", "note", "previous", "asked"):
                    continue  # without the last, a file is parsed once more
                if len(where) == 2 and where[0] in ("documents", "pending", "packages"):
                    continue  # a whole record less is a ledger too
                del parent[where[-1]]
            else:
                parent[where[-1]] = damage
            ledger_of(home).write_text(json.dumps(edited))
            try:
                Ledger.load(owner_of(home))
            except OperatorError:
                continue
            raise AssertionError(f"accepted with {where} {damage}")


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths of the ledger's parts, down to the records; what a user's value holds is left out."""
    found = [path] if path else []
    if path and path[-1] in ("prior", "element", "undo", "path", "mode"):
        return found
    if isinstance(value, dict):
        for key, inner in value.items():
            found += _places(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            found += _places(inner, (*path, number))
    return found


def _hold(home: str, held: Any, release: Any) -> None:
    with locked(owner_of(home)):
        held.set()
        release.wait(30)


def test_one_run_at_a_time_changes_an_owner_s_files(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = multiprocessing.get_context("fork")
    held, release = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(str(home), held, release))
    holder.start()
    assert held.wait(30)
    monkeypatch.setattr(ledger_lock, "LOCK_WAIT_SECONDS", 0.1)
    with pytest.raises(OperatorError, match="another run has been changing this home's files"):
        bring(owner_of(home), COMPONENTS, wanted(home), check=False)
    bring(owner_of(home), COMPONENTS, wanted(home), check=True)  # a dry run waits for nobody
    assert holder.pid is not None
    os.kill(holder.pid, 9)  # the lock of a dead process holds nobody up
    holder.join()
    assert bring(owner_of(home), COMPONENTS, wanted(home), check=False).changed


def test_the_lock_leaves_no_trace(home: Path) -> None:
    before = tree(home), home.stat().st_mtime_ns
    with locked(owner_of(home)):
        pass
    assert (tree(home), home.stat().st_mtime_ns) == before


def test_a_directory_that_nobody_recorded_goes_when_it_is_ours_by_name(home: Path) -> None:
    directory = ledger_of(home).parent
    directory.mkdir(parents=True)
    (directory / ".ledger.json.fmapi-tmp-x").touch()
    bring(owner_of(home), COMPONENTS, wanted(home), check=False)
    bring(owner_of(home), COMPONENTS, [], check=False)
    assert not directory.exists()
