# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tasks of one run share: each runs in a process of its own."""

from __future__ import annotations

import json
import multiprocessing
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from ansible import constants
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.plugin_utils import run_store

_FORK = multiprocessing.get_context("fork")


@pytest.fixture(autouse=True)
def run_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of one run; ansible-core makes a new one for each."""
    directory = tmp_path / "ansible-local-1"
    directory.mkdir(mode=0o700)
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(directory))
    return directory


def _in_processes(number: int, work: Any) -> None:
    started = [_FORK.Process(target=work, args=(one,)) for one in range(number)]
    for process in started:
        process.start()
    for process in started:
        process.join()
        assert process.exitcode == 0


# Once


def test_forty_tasks_at_once_ask_once_and_all_have_the_answer(tmp_path: Path) -> None:
    asked = tmp_path / "asked"

    def ask() -> dict[str, int]:
        with open(asked, "a") as stream:
            stream.write("x")
        return {"answer": 1}

    def task(_number: int) -> None:
        assert run_store.once({"url": "https://w"}, ask) == {"answer": 1}

    _in_processes(8, task)
    assert asked.read_text() == "x"


def test_another_key_is_asked_for_itself() -> None:
    assert [run_store.once(key, lambda key=key: key) for key in ("a", "b", "a")] == ["a", "b", "a"]  # type: ignore[misc]


def test_what_an_operator_can_mend_is_told_to_all_and_found_out_once() -> None:
    asked = []

    def fails() -> None:
        asked.append(1)
        raise OperatorError("does not answer", "https://w", "Check the proxy")

    for _time in range(2):
        with pytest.raises(OperatorError, match=r"https://w: does not answer\. Check the proxy") as caught:
            run_store.once("key", fails)
        assert caught.value.way_out == "Check the proxy"
    assert asked == [1]


def test_a_defect_is_not_kept() -> None:
    with pytest.raises(ZeroDivisionError):
        run_store.once("key", lambda: 1 // 0)
    assert run_store.once("key", lambda: 2) == 2


def test_a_secret_in_the_key_is_not_written(run_directory: Path) -> None:
    run_store.once({"client_secret": "dose-planted"}, lambda: 1)
    for path in run_directory.iterdir():
        assert "planted" not in path.name and "planted" not in path.read_text()


# Notes


def test_a_later_task_of_the_same_host_knows_what_was_noted_last() -> None:
    assert run_store.noted("laptop/ada", "has_program") is None
    run_store.note("laptop/ada", "has_program", False)
    run_store.note("laptop/ada", "other", [1])
    run_store.note("laptop/ada", "has_program", True)
    assert run_store.noted("laptop/ada", "has_program") is True
    assert run_store.noted("laptop-bob", "has_program") is None


# Entries


def test_entries_of_all_hosts_come_back_in_the_order_of_time() -> None:
    for host, number in (("b", 1), ("a", 2), ("b", 3)):
        run_store.remember(host, {"number": number})
    assert run_store.remembered() == [
        {"number": 1, "host": "b"},
        {"number": 2, "host": "a"},
        {"number": 3, "host": "b"},
    ]


def test_no_line_of_one_process_divides_another_s() -> None:
    def task(number: int) -> None:
        for _time in range(20):
            run_store.remember("host", {"text": str(number) * 50_000})

    _in_processes(4, task)
    assert len(run_store.remembered()) == 80


def test_a_line_that_was_cut_off_does_not_hide_the_others(run_directory: Path) -> None:
    run_store.remember("host", {"number": 1})
    (file,) = run_directory.glob("*entries*")
    with open(file, "a") as stream:
        stream.write('{"at": 1, "ent')
    assert run_store.remembered() == [{"number": 1, "host": "host"}]


def test_nobody_else_can_read_what_is_kept(run_directory: Path) -> None:
    before = os.umask(0)
    try:
        run_store.remember("host", {})
        run_store.note("host", "a", 1)
        run_store.once("key", lambda: 1)
        with run_store.reporting():
            pass
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in run_directory.iterdir()} == {0o600}


# Reporting


def test_a_second_report_of_the_run_has_only_what_is_new() -> None:
    run_store.remember("a", {"number": 1})
    with run_store.reporting() as first:
        assert [one["number"] for one in first.new] == [1]
        assert first.is_told_first("the workspace")
    run_store.remember("a", {"number": 2})
    run_store.remember("b", {"number": 3})
    with run_store.reporting() as second:
        assert [one["number"] for one in second.new] == [2, 3]
        assert not second.is_told_first("the workspace")
    with run_store.reporting() as third:
        assert third.new == []


def test_a_file_collects_what_all_reports_of_the_run_put_there_and_nothing_else() -> None:
    def reported(number: int, path: str) -> list[int]:
        run_store.remember("a", {"number": number})
        with run_store.reporting() as mine:
            return [one["number"] for one in mine.of_file(path)]

    assert reported(1, "/x") == [1]
    assert reported(2, "/y") == [2]
    assert reported(3, "/x") == [1, 3]


def test_a_report_that_broke_off_is_made_again() -> None:
    run_store.remember("a", {"number": 1})
    with pytest.raises(KeyboardInterrupt), run_store.reporting():
        raise KeyboardInterrupt
    with run_store.reporting() as again:
        assert len(again.new) == 1


# The file


def test_the_path_counts_from_where_the_operator_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/ada")
    assert run_store.report_path("out.json") == str(tmp_path / "out.json")
    assert run_store.report_path("~/out.json") == "/home/ada/out.json"


def test_the_file_gets_the_rights_of_the_operator_s_other_files_and_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    path.write_text("old and much longer than what comes now" * 10)
    before = os.umask(0o027)
    try:
        run_store.write_report(str(path), {"a": 1})
    finally:
        os.umask(before)
    assert path.read_text() == '{\n  "a": 1\n}\n'
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [one.name for one in tmp_path.iterdir() if one.is_file()] == ["out.json"]


def test_who_could_not_read_the_file_before_cannot_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "private.yml"
    path.write_text("before")
    path.chmod(0o600)
    run_store.write(str(path), lambda file: file.write("after"))
    assert path.read_text() == "after" and path.stat().st_mode & 0o777 == 0o600


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("real")
    run_store.write_report(str(tmp_path / "link"), {})
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").is_file()


def test_a_directory_that_is_not_there_is_told_before_anything_is_written(tmp_path: Path) -> None:
    path = str(tmp_path / "nowhere" / "out.json")
    with pytest.raises(
        OperatorError, match=rf"coding_agents_report {path}: there is no directory {tmp_path}/nowhere\. "
    ):
        run_store.check_report_path(path)
    with pytest.raises(OperatorError, match="is there and no file"):
        run_store.check_report_path(str(tmp_path))
    run_store.check_report_path(str(tmp_path / "out.json"))


def test_a_full_disk_leaves_the_old_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.json"
    path.write_text("old")

    def full(*_args: Any, **_keywords: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(json, "dump", full)
    with pytest.raises(OperatorError, match="cannot be written \\(No space left on device\\)"):
        run_store.write_report(str(path), {})
    assert path.read_text() == "old" and sorted(tmp_path.glob("out*")) == [path]
