# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``on_unreadable: backup_and_replace``: a file that cannot be parsed is put aside, never lost, and comes back."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine import files
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ledger import Ledger
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ownership import Wanted
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.transaction import Outcome, bring
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError

from tests.unit.homes import COMPONENTS, make_home, owner_of, temporaries, tree, wanted

BROKEN = b'{\n  // mine\n  "model": "opus",\n}\n'


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = make_home(tmp_path / "home")
    settings(home).write_bytes(BROKEN)
    return home


def settings(home: Path) -> Path:
    return home / ".agent/settings.json"


def aside(home: Path, content: bytes = BROKEN) -> Path:
    return Path(f"{settings(home)}.unreadable-{hashlib.sha256(content).hexdigest()[:12]}")


def replacing(home: Path, url: str = "https://w") -> list[Wanted]:
    return [one.replaced(replace_unreadable=True) for one in wanted(home, url)]


def roll_out(home: Path, url: str = "https://w", check: bool = False) -> Outcome:
    return bring(owner_of(home), COMPONENTS, replacing(home, url), check)


def uninstall(home: Path) -> Outcome:
    return bring(owner_of(home), COMPONENTS, [], check=False)


def test_by_default_it_fails_and_names_the_place(home: Path) -> None:
    before = tree(home)
    with pytest.raises(OperatorError, match=r"settings\.json: line 2, column 3: is not valid JSON"):
        bring(owner_of(home), COMPONENTS, wanted(home), check=False)
    assert tree(home) == before


@pytest.mark.parametrize("content", [BROKEN, b"", b"[]", b"\xff\xfe{", b'{"a": "\x00"}', b"[" * 100_000, b'{"n": NaN}'])
def test_the_broken_file_is_kept_beside_it_private_and_named(home: Path, content: bytes) -> None:
    settings(home).write_bytes(content)
    before = tree(home)
    told = roll_out(home, check=True)
    assert tree(home) == before
    done = roll_out(home)
    assert (told.changes, told.notes) == (done.changes, done.notes)
    assert done.notes == [f"{settings(home)}: could not be read and was replaced; it is kept as {aside(home, content)}"]
    assert aside(home, content).read_bytes() == content
    assert aside(home, content).stat().st_mode & 0o777 == 0o600
    assert json.loads(settings(home).read_bytes())["helper"] == "/h"
    uninstall(home)
    assert tree(home) == before


def test_the_second_run_is_silent_and_leaves_the_kept_file(home: Path) -> None:
    roll_out(home)
    before = tree(home)
    again = roll_out(home)
    assert (again.changed, again.changes, again.notes) == (False, [], [])
    bring(
        owner_of(home), COMPONENTS, wanted(home), check=False
    )  # without leave, too: there is nothing to replace any more
    assert tree(home) == before


def test_uninstall_puts_it_back_byte_for_byte_after_any_number_of_changes(home: Path) -> None:
    before = tree(home)
    for url in ("https://1", "https://2", "https://3"):
        roll_out(home, url)
        assert aside(home).read_bytes() == BROKEN
    uninstall(home)
    assert tree(home) == before
    assert Ledger.load(owner_of(home)).is_empty


def test_changed_since_ours_goes_and_the_kept_file_stays_and_is_named(home: Path) -> None:
    roll_out(home)
    data = json.loads(settings(home).read_bytes())
    settings(home).write_text(json.dumps({**data, "theirs": 1}))
    done = uninstall(home)
    assert json.loads(settings(home).read_bytes()) == {"theirs": 1}
    assert aside(home).read_bytes() == BROKEN
    expected = f"{settings(home)}: was changed since it replaced an unreadable file, which stays as {aside(home)}"
    assert expected in done.notes


def test_a_document_that_is_not_wanted_any_more_comes_back_in_the_same_run(home: Path) -> None:
    mode = settings(home).stat().st_mode
    roll_out(home)
    bring(owner_of(home), COMPONENTS, replacing(home)[:-1], check=False)
    assert (settings(home).read_bytes(), settings(home).stat().st_mode) == (BROKEN, mode)
    assert not aside(home).exists()


def test_a_kept_file_that_its_owner_took_away_is_not_missed(home: Path) -> None:
    roll_out(home)
    aside(home).unlink()
    uninstall(home)
    assert not settings(home).exists()


def test_a_file_that_breaks_again_is_kept_too_and_the_first_stays(home: Path) -> None:
    roll_out(home)
    settings(home).write_bytes(b"broken again")
    done = roll_out(home)
    second = aside(home, b"broken again")
    assert any(str(second) in note for note in done.notes)
    assert (aside(home).read_bytes(), second.read_bytes()) == (BROKEN, b"broken again")
    uninstall(home)
    assert settings(home).read_bytes() == b"broken again"
    assert aside(home).read_bytes() == BROKEN


def test_only_what_cannot_be_parsed_is_replaced(home: Path) -> None:
    """A wrong container or a key that stands twice is a readable file: somebody has to decide what it means."""
    for content in (b'{"env": "text"}', b'{"env": {}, "env": {}}'):
        settings(home).write_bytes(content)
        before = tree(home)
        with pytest.raises(OperatorError):
            roll_out(home)
        assert tree(home) == before


@pytest.mark.parametrize("failing", [1, 2])
def test_when_the_write_fails_the_broken_file_is_as_it_was(
    home: Path, failing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(home)
    real, seen = files.replace, []

    def write(path: str, *rest: object) -> None:
        if path.startswith(str(settings(home))):
            seen.append(path)
            if len(seen) == failing:
                raise OperatorError("cannot be written", path)
        real(path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(files, "replace", write)
    with pytest.raises(OperatorError, match="cannot be written"):
        roll_out(home)
    monkeypatch.undo()
    assert tree(home) == before
    roll_out(home)
    uninstall(home)
    assert tree(home) == before
    assert temporaries(home) == []


def test_a_linked_file_keeps_its_link_and_comes_back(home: Path) -> None:
    (home / "dotfiles").mkdir()
    os.rename(settings(home), home / "dotfiles/settings.json")
    settings(home).symlink_to("../dotfiles/settings.json")
    before = tree(home)
    roll_out(home)
    assert settings(home).is_symlink()
    assert aside(home).read_bytes() == BROKEN
    uninstall(home)
    assert tree(home) == before


@pytest.mark.parametrize(
    ("kind", "content"), [("ini", b"[a\n"), ("dotenv", b'A="open\n'), ("block", b"# >>> fmapi.coding_agents x >>>\n")]
)
def test_every_format_can_be_put_aside(home: Path, kind: str, content: bytes) -> None:
    path = home / "document"
    path.write_bytes(content)
    before = tree(home)
    key = ("s", "k") if kind == "ini" else ("k",)
    one = Wanted(str(path), kind, "one", values={key: "v"}, replace_unreadable=True)
    bring(owner_of(home), COMPONENTS, [one], check=False)
    assert Path(f"{path}.unreadable-{hashlib.sha256(content).hexdigest()[:12]}").read_bytes() == content
    assert not bring(owner_of(home), COMPONENTS, [one], check=False).changed
    uninstall(home)
    assert tree(home) == before
