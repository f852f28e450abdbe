# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator reads before an uninstall, and when they are asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible import constants
from ansible.errors import AnsiblePromptInterrupt, AnsiblePromptNoninteractive
from ansible.utils.display import Display
from ansible_collections.fmapi.coding_agents.plugins.action import confirm_uninstall
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.plugin_utils import reports, run_store
from ansible_collections.fmapi.coding_agents.plugins.plugin_utils.reports import uninstall as uninstall_listing
from ansible_collections.fmapi.coding_agents.plugins.plugin_utils.reports.words import Run

OURS = "fmapi.coding_agents"
OLDER = "fmapi-codingagent-setup"


def artifact(home: str, tool: str, what: str, fate: str, user: str = "ada") -> dict[str, str]:
    return {"user": user, "home": home, "tool": tool, "what": f"{home}/{what}", "fate": fate}


def entry(host: str, *artifacts: dict[str, str]) -> dict[str, Any]:
    return {"host": host, "module": "uninstall_info", "artifacts": list(artifacts)}


def listing(*entries: dict[str, Any], verbose: bool = False) -> list[str]:
    return [line.text for line in uninstall_listing.lines(entries, len(entries), Run(verbose=verbose, width=100))]


def on(host: str, tool: str = OURS, fate: str = "removed: ours") -> dict[str, Any]:
    return entry(host, artifact(f"/home/{host}", tool, ".claude.json", fate))


def test_what_is_equal_is_said_once_by_the_tool_that_brought_it() -> None:
    hosts = ("a", "b", "c", "d")
    entries = [
        entry(
            host,
            artifact(f"/home/{host}", OLDER, ".bashrc: shell function", "stays: remove it by hand"),
            artifact(f"/home/{host}", OURS, ".claude.json", "removed: ours"),
        )
        for host in hosts
    ]
    assert listing(*entries) == [
        f"{OLDER}:",
        "  ~/.bashrc: shell function: stays: remove it by hand",
        "    a, b and 2 more",
        f"{OURS}:",
        "  ~/.claude.json: removed: ours",
        "    a, b and 2 more",
    ]
    assert listing(*entries, verbose=True)[2] == "    a, b, c, d"


def test_users_of_one_host_are_told_apart_and_one_user_is_not_named() -> None:
    both = entry("h", artifact("/home/a", OURS, "x", "removed: ours", "a"), artifact("/home/b", OURS, "x", "", "b"))
    assert listing(both) == [f"{OURS}:", "  ~/x: removed: ours", "    a on h", "  ~/x", "    b on h"]
    assert listing(on("h")) == [f"{OURS}:", "  ~/.claude.json: removed: ours"]


def test_nothing_to_uninstall_is_said() -> None:
    assert listing(entry("a")) == ["Nothing to uninstall"]
    assert listing(entry("a"), entry("b")) == ["Nothing to uninstall on 2 hosts"]
    assert listing(on("a", OLDER, "stays: remove it by hand"))[-1] == "Nothing to uninstall: all of it stays"


def test_what_a_file_s_name_would_do_to_a_terminal_is_shown_and_not_done() -> None:
    assert listing(entry("a", artifact("/home/a", OURS, "x\x1b[2J", "removed: ours"))) == [
        f"{OURS}:",
        "  ~/x\\x1b[2J: removed: ours",
    ]


@pytest.mark.parametrize(
    ("answer", "yes"), [(b"y", True), (b" YES ", True), (b"", False), (b"no", False), (b"yo", False)]
)
def test_any_answer_but_yes_is_a_no(answer: bytes, yes: bool) -> None:
    assert uninstall_listing.is_yes(answer) is yes


@pytest.mark.parametrize(
    ("entries", "confirmed", "is_asked"),
    [
        ([on("b"), on("a")], False, True),
        ([on("a"), on("b")], True, False),  # said beforehand, or a dry run
        ([on("a"), entry("b")], False, False),
        ([on("a"), on("b", OLDER, "stays: remove it by hand")], False, False),
        ([], False, False),
    ],
)
def test_only_where_several_hosts_have_something_to_give_back_is_asked(
    monkeypatch: pytest.MonkeyPatch, entries: list[dict[str, Any]], confirmed: bool, is_asked: bool
) -> None:
    asked = []

    def answer(_display: object, question: str) -> bytes:
        asked.append(question)
        return b"n"

    monkeypatch.setattr(run_store, "remembered", lambda: entries)
    monkeypatch.setattr(Display, "prompt_until", answer)
    assert confirm_uninstall._asked(["a", "b"], confirmed) == {"confirmed": not is_asked, "asked": is_asked}
    assert asked == (["Uninstall on 2 hosts (a, b)? [y/N] "] if is_asked else [])


def test_without_a_terminal_the_answer_is_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(_display: object, _question: str) -> bytes:
        raise AnsiblePromptNoninteractive("stdin is not interactive")

    monkeypatch.setattr(run_store, "remembered", lambda: [on("a"), on("b")])
    monkeypatch.setattr(Display, "prompt_until", answer)
    assert confirm_uninstall._asked(["a", "b"], False) == {"confirmed": True, "asked": False}


def test_who_interrupts_the_question_is_not_asked_again_for_the_next_host(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked = []

    def answer(_display: object, question: str) -> bytes:
        asked.append(question)
        raise AnsiblePromptInterrupt("user interrupt")

    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path))
    monkeypatch.setattr(run_store, "remembered", lambda: [on("a"), on("b")])
    monkeypatch.setattr(Display, "prompt_until", answer)
    for _host in ("a", "b"):
        with pytest.raises(OperatorError, match="Nothing was changed"):
            run_store.once("question", lambda: confirm_uninstall._asked(["a", "b"], False))
    assert len(asked) == 1


def test_the_report_s_file_has_what_was_listed_and_a_listing_alone_changes_nothing() -> None:
    listed = [{**on("a"), "status": "ok"}, {**on("b"), "status": "ok"}]
    run = reports.Run(hosts=["a", "b"])
    data = reports.data(listed, run, "2026-01-02")
    assert data["hosts"]["a"]["artifacts"] == on("a")["artifacts"] and data["summary"]["ok"] == 2
    assert "2 unchanged" in reports.lines(listed, run)[0].text
