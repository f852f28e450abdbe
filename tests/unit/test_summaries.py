# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our own whole files and links in changes and diffs: one line that says what they are, and a text only for who asks."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.diffs import diff_of
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ledger import Ledger
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ownership import Wanted
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.transaction import Outcome, bring

from tests.unit.homes import owner_of


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def helper(home: Path, text: str, **changes: object) -> Wanted:
    one = Wanted(str(home / "helper"), "file", "one", values={(): text}, mode=0o700, summary="token helper")
    return one.replaced(**changes)


def program(home: Path, version: str) -> Wanted:
    return Wanted(str(home / "agent"), "link", "one", values={(): f"/opt/{version}"}, summary=f"An agent {version}")


def roll_out(home: Path, *wanted: Wanted, check: bool = False) -> Outcome:
    return bring(owner_of(home), ["one"], wanted, check)


def shown(outcome: Outcome, full: bool = False) -> list[tuple[str, str]]:
    return [(one["before"], one["after"]) for one in diff_of(outcome.plans, full=full)]


def said(outcome: Outcome) -> list[str]:
    return [change.split(": ", 1)[1] for change in outcome.changes]


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def test_a_whole_file_of_ours_is_one_line_there_and_back(home: Path) -> None:
    first = roll_out(home, helper(home, "one"))
    assert said(first) == ["token helper"]
    assert shown(first) == [("", f"token helper (sha256 {sha('one')})\n")]
    second = roll_out(home, helper(home, "two"))
    assert said(second) == ["token helper"]
    assert shown(second) == [(f"token helper (sha256 {sha('one')})\n", f"token helper (sha256 {sha('two')})\n")]
    last = roll_out(home)
    assert said(last) == ["token helper: removed"]
    assert shown(last) == [(f"token helper (sha256 {sha('two')})\n", "")]


def test_who_asks_for_all_sees_the_text(home: Path) -> None:
    assert shown(roll_out(home, helper(home, "one\n")), full=True) == [("", "one\n")]
    assert shown(roll_out(home, helper(home, "two\n")), full=True) == [("one\n", "two\n")]
    assert shown(roll_out(home), full=True) == [("two\n", "")]


def test_headers_say_the_mode_or_that_it_is_a_link(home: Path) -> None:
    def headers(outcome: Outcome) -> list[str]:
        (diff,) = diff_of(outcome.plans)
        return [diff["before_header"], diff["after_header"]]

    one = helper(home, "one")
    assert headers(roll_out(home, one)) == [f"{one.path} (no file)", f"{one.path} (0700)"]
    assert headers(roll_out(home, one.replaced(mode=0o755))) == [f"{one.path} (0700)", f"{one.path} (0755)"]
    two = program(home, "1")
    assert headers(roll_out(home, one.replaced(mode=0o755), two)) == [f"{two.path} (no file)", f"{two.path} (link)"]


def test_a_file_that_is_not_ours_is_not_shown_and_its_digest_is_not_either(home: Path) -> None:
    theirs = "private words\n"
    (home / "helper").write_text(theirs)
    first = roll_out(home, helper(home, "one"))
    assert shown(first) == [("a file that is not ours (14 bytes)\n", f"token helper (sha256 {sha('one')})\n")]
    assert shown(first, full=True) == [("********\n", "one")]
    last = roll_out(home)
    assert said(last) == ["token helper: back to what stood here"]
    assert shown(last) == [(f"token helper (sha256 {sha('one')})\n", "a file that is not ours (14 bytes)\n")]


def test_one_that_its_owner_changed_is_not_ours(home: Path) -> None:
    roll_out(home, helper(home, "one"))
    (home / "helper").write_text("edited")
    told = roll_out(home, helper(home, "one"), check=True)
    assert shown(told) == [("a file that is not ours (6 bytes)\n", f"token helper (sha256 {sha('one')})\n")]
    done = roll_out(home)
    assert done.notes == [f"{home}/helper: token helper was changed since we set it: left as it is"]


def test_a_link_shows_where_it_leads(home: Path) -> None:
    first = roll_out(home, program(home, "1"))
    assert said(first) == ["An agent 1 -> /opt/1"]
    assert shown(first) == [("", "An agent 1 -> /opt/1\n")]
    second = roll_out(home, program(home, "2"))
    assert shown(second) == shown(second, full=True) == [("An agent 1 -> /opt/1\n", "An agent 2 -> /opt/2\n")]
    plain = roll_out(home, program(home, "3").replaced(summary=""))
    assert said(plain) == ["the link -> /opt/3"]
    assert shown(plain) == [("An agent 2 -> /opt/2\n", "link -> /opt/3\n")]
    last = roll_out(home)
    assert said(last) == ["removed"]
    assert shown(last) == [("link -> /opt/3\n", "")]


def test_files_without_a_summary_are_shown_as_ever(home: Path) -> None:
    first = roll_out(home, helper(home, "one\n", summary=""))
    assert said(first) == ["the whole file"]
    assert shown(first) == [("", "one\n")]
    assert said(roll_out(home)) == ["removed"]


def test_a_summary_that_is_new_is_recorded_and_is_no_change(home: Path) -> None:
    """As after an upgrade of this collection: the withdrawal knows it then."""
    roll_out(home, helper(home, "one", summary=""))
    ledger = Ledger.load(owner_of(home))
    assert "summary" not in ledger.documents[str(home / "helper")]
    assert not roll_out(home, helper(home, "one")).changed
    assert Ledger.load(owner_of(home)).documents[str(home / "helper")]["summary"] == "token helper"
    before = Path(ledger.path).stat().st_mtime_ns
    assert not roll_out(home, helper(home, "one")).changed
    assert Path(ledger.path).stat().st_mtime_ns == before
    assert said(roll_out(home)) == ["token helper: removed"]


def test_a_document_that_moved_to_another_part_is_that_part_s_without_a_change(home: Path) -> None:
    roll_out(home, helper(home, "one"))
    moved = helper(home, "one", component="two")
    assert not bring(owner_of(home), ["one", "two"], [moved], check=False).changed
    assert not bring(owner_of(home), ["one"], [], check=False).changed
    assert (home / "helper").exists()
    (plan,) = bring(owner_of(home), ["two"], [], check=False).plans
    assert plan.component == "two" and not (home / "helper").exists()
