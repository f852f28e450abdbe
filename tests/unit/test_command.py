# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ``coding-agents``: what it prints, what its documentation says, and that each command of older tools has ours."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.command import output
from ansible_collections.fmapi.coding_agents.plugins.module_utils.command.arguments import parser
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.command_texts import MANUAL

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "verbs.md").read_text(encoding="utf-8")
USAGE_ERROR = 64


def _verbs() -> dict[str, argparse.ArgumentParser]:
    (found,) = [one.choices for one in parser()._actions if isinstance(one, argparse._SubParsersAction)]
    return dict(found)


def _rows(title: str) -> list[list[str]]:
    """The cells of the first table below a title."""
    below = PAGE.partition(f"\n## {title}\n")[2]
    lines = re.search(r"(?:^\|.*\n)+", below, re.MULTILINE)
    assert lines is not None
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines.group().splitlines()[2:]]


def test_every_verb_and_option_is_in_the_manual_and_on_the_page() -> None:
    documented = {verb: row[1] for row in _rows("The command on a host") for verb in re.findall("`([a-z]+)`", row[0])}
    verbs = _verbs()
    assert set(documented) == set(verbs)
    manual = MANUAL.replace(r"\-", "-")
    for name, verb in verbs.items():
        assert re.search(rf"^\.B[A-Z]* .*\b{name}\b", manual, re.MULTILINE), name
        if name == "login":
            continue  # has a page of its own
        options = {one for action in verb._actions for one in action.option_strings if one not in ("-h", "--help")}
        assert options - {"--verbose"} == set(re.findall("`(--?[a-z]+)`", documented[name])), name
        line = next(one for one in manual.splitlines() if re.match(rf"\.B[A-Z]* .*\b{name}\b", one))
        assert all(one in line for one in options - {"--verbose"}), name


def test_every_command_of_older_tools_has_one_of_ours_and_a_test() -> None:
    rows = _rows("For those who come from a script")
    assert len(rows) > 20
    for theirs, ours, tests in rows:
        assert theirs and ours
        paths = re.findall("`([a-z_/]+[.]py)`", tests)
        assert paths, theirs
        assert [one for one in paths if not (ROOT / "tests" / one).is_file()] == [], theirs


def test_what_is_not_understood_is_said_with_what_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(["--config", "/c", "docter"])
    assert ended.value.code == USAGE_ERROR
    assert "there is no 'docter': use 'status', 'show', 'doctor'" in capsys.readouterr().err


def test_colour_is_for_terminals_and_no_color_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert output.toned("PASS", "PASS") == "PASS"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert output.toned("PASS", "PASS") == "\033[32mPASS\033[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert output.toned("PASS", "PASS") == "PASS"


def test_what_others_have_named_does_nothing_to_a_terminal() -> None:
    assert output.pairs({"user": "ada\033[2J", "log": None}, "/home/ada") == ["user  ada[2J"]
    assert output.pairs({"file": "/home/ada/.x", "of": "/home/adam/.x"}, "/home/ada") == [
        "file  ~/.x",
        "of    /home/adam/.x",
    ]
    assert output.table(("NAME",), [["a\033]0;x\a"]]) == ["NAME", "a]0;x"]
