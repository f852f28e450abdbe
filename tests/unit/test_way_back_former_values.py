# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A value of ours that an editor, a checkout or a backup brings back is still ours: it is never given back as its owner's."""

from __future__ import annotations

import json
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine import past, transaction
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.documents import KeyPath
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ledger import Ledger
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ownership import Wanted
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.transaction import Outcome, bring
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.homes import owner_of, tree

THEIRS = b'{\n  "model": "opus",\n  "theme": "dark"\n}\n'
NOTHING: dict[KeyPath, Any] = {}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/s.json").write_bytes(THEIRS)
    return tmp_path / "home"


def wanted(home: Path, values: dict[KeyPath, Any], **more: Any) -> list[Wanted]:
    """The document, and one of another part, with which the ledger stays."""
    other = Wanted(str(home / ".ours"), "file", "other", values={(): "ours"})
    return [other, *([Wanted(str(home / "s.json"), "json", "agents", values=values, **more)] if values or more else [])]


def roll_out(home: Path, model: str | None, **more: Any) -> Outcome:
    values = {("model",): model, ("env", "URL"): f"https://{model}"} if model else NOTHING
    return bring(owner_of(home), ["agents", "other"], wanted(home, values, **more), check=False)


def uninstall(home: Path) -> Outcome:
    return bring(owner_of(home), ["agents", "other"], [], check=False)


def settings(home: Path) -> Any:
    return json.loads((home / "s.json").read_text())


# -- situations ---------------------------------------------------------------------------------------------------------


def test_an_editor_that_had_the_file_open_saves_an_earlier_model(home: Path) -> None:
    """Model A, model B, and the buffer of an editor that was opened in between, with an edit of its owner's."""
    roll_out(home, "A")
    buffer = {**settings(home), "mine": 1}
    roll_out(home, "B")
    (home / "s.json").write_text(json.dumps(buffer))
    assert roll_out(home, "B").changed and settings(home)["model"] == "B"
    assert uninstall(home).notes == []
    assert settings(home) == {"model": "opus", "theme": "dark", "mine": 1}


def test_a_checkout_brings_an_earlier_model_back_right_before_the_uninstall(home: Path) -> None:
    roll_out(home, "A")
    committed = (home / "s.json").read_bytes()
    roll_out(home, "B")
    (home / "s.json").write_bytes(committed)
    assert uninstall(home).notes == []
    assert settings(home) == {"model": "opus", "theme": "dark"}


def test_a_backup_from_before_us_is_its_owner_s(home: Path) -> None:
    roll_out(home, "A")
    roll_out(home, "B")
    (home / "s.json").write_bytes(THEIRS.replace(b"opus", b"haiku"))
    roll_out(home, "B")
    uninstall(home)
    assert settings(home) == {"model": "haiku", "theme": "dark"}


def test_a_value_of_ours_that_its_owner_had_overwritten_stays_theirs(home: Path) -> None:
    roll_out(home, "A")
    old = settings(home)
    (home / "s.json").write_text(json.dumps({**old, "model": "theirs"}))
    roll_out(home, "B")
    (home / "s.json").write_text(json.dumps(old))
    roll_out(home, "C")
    uninstall(home)
    assert settings(home)["model"] == "theirs"


def test_a_key_that_was_dropped_and_comes_back_is_taken_out_again(home: Path) -> None:
    """With what its owner has there, and with the container that only we had made."""
    roll_out(home, "A")
    buffer = (home / "s.json").read_bytes()
    bring(owner_of(home), ["agents", "other"], wanted(home, {("x",): 1}), check=False)
    assert settings(home) == {"model": "opus", "theme": "dark", "x": 1}
    (home / "s.json").write_bytes(buffer)
    outcome = bring(owner_of(home), ["agents", "other"], wanted(home, {("x",): 1}), check=False)
    assert [one.partition(": ")[2] for one in outcome.changes] == [
        "model taken out: an earlier rollout had set it",
        "env.URL taken out: an earlier rollout had set it",
        "x",
    ]
    assert settings(home) == {"model": "opus", "theme": "dark", "x": 1}
    uninstall(home)
    assert settings(home) == {"model": "opus", "theme": "dark"}


@pytest.mark.parametrize("then", ["uninstall", "another rollout", "the agent again"])
def test_a_document_that_was_dropped_and_comes_back_is_taken_out_again(home: Path, then: str) -> None:
    roll_out(home, "A")
    buffer = (home / "s.json").read_bytes()
    roll_out(home, None)
    assert (home / "s.json").read_bytes() == THEIRS
    (home / "s.json").write_bytes(buffer)
    if then == "another rollout":
        assert roll_out(home, None).changed and not roll_out(home, None).changed
        assert settings(home) == {"model": "opus", "theme": "dark"}
    elif then == "the agent again":
        roll_out(home, "B")
    uninstall(home)
    assert settings(home) == {"model": "opus", "theme": "dark"}
    assert not Ledger.load(owner_of(home)).former


def test_a_document_that_was_dropped_and_comes_again_is_given_back_to_the_byte(home: Path) -> None:
    roll_out(home, "A")
    roll_out(home, None)
    (home / "s.json").write_bytes(theirs := THEIRS.replace(b"dark", b"light"))
    roll_out(home, "B")
    uninstall(home)
    assert (home / "s.json").read_bytes() == theirs


def test_a_document_of_our_making_that_was_dropped_and_comes_back_goes_again(home: Path) -> None:
    (home / "s.json").unlink()
    roll_out(home, "A")
    buffer = (home / "s.json").read_bytes()
    roll_out(home, None)
    assert not (home / "s.json").exists()
    (home / "s.json").write_bytes(b"{}\n")
    roll_out(home, None)
    assert (home / "s.json").read_bytes() == b"{}\n", "an empty one that its owner made"
    (home / "s.json").write_bytes(buffer)
    roll_out(home, None)
    assert not (home / "s.json").exists()


def test_an_element_that_was_dropped_and_comes_back_is_ours(home: Path) -> None:
    deny = {("deny",): ("WebSearch",)}
    roll_out(home, "A", elements=deny)
    buffer = settings(home)
    roll_out(home, "A")
    assert "deny" not in settings(home)
    (home / "s.json").write_text(json.dumps(buffer))
    roll_out(home, "A", elements=deny)
    uninstall(home)
    assert settings(home) == {"model": "opus", "theme": "dark"}


def test_a_superseded_key_that_holds_what_we_had_set_there_is_not_remembered_as_its_owner_s(home: Path) -> None:
    roll_out(home, "A")
    buffer = settings(home)
    bring(owner_of(home), ["agents"], wanted(home, {("x",): 1}, superseded=(("model",),))[1:], check=False)
    (home / "s.json").write_text(json.dumps(buffer))
    bring(owner_of(home), ["agents"], wanted(home, {("x",): 1}, superseded=(("model",),))[1:], check=False)
    uninstall(home)
    assert settings(home) == {"model": "opus", "theme": "dark"}


def test_a_whole_file_and_a_link_of_an_earlier_rollout_are_ours(home: Path) -> None:
    def documents(version: str) -> list[Wanted]:
        return [
            Wanted(str(home / "helper"), "file", "one", values={(): f"helper {version}"}),
            Wanted(str(home / "agent"), "link", "one", values={(): f"/opt/{version}"}),
        ]

    before = tree(home)
    for version in ("1", "2"):
        bring(owner_of(home), ["one"], documents(version), check=False)
    (home / "helper").write_text("helper 1")
    (home / "agent").unlink()
    (home / "agent").symlink_to("/opt/1")
    bring(owner_of(home), ["one"], documents("3"), check=False)
    bring(owner_of(home), ["one"], [], check=False)
    assert tree(home) == before


def test_what_is_remembered_is_bounded_and_holds_no_value(home: Path) -> None:
    for number in range(40):
        roll_out(home, f"secret-{number}")
    text = (Path(owner_of(home).state) / "ledger.json").read_text()
    assert "secret-" not in text
    (record,) = [
        one for one in Ledger.load(owner_of(home)).documents[str(home / "s.json")]["values"] if one["path"] == ["model"]
    ]
    assert len(record["former"]) == past._FORMER_VALUES
    (home / "s.json").write_text(json.dumps({"model": "secret-30"}))
    roll_out(home, "last")
    uninstall(home)
    assert settings(home) == {"model": "opus"}


class Killed(BaseException):
    pass


class Kill:
    """Ends the next run before or after it has written its document, or before it records that it has."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.patch = monkeypatch

    def run(self, when: str, work: Callable[[], object]) -> None:
        write, finish = transaction._write_document, transaction._finish

        def writing(ledger: Ledger, one: Any, found: Any) -> None:
            if one.path.endswith("s.json") and when == "before":
                raise Killed
            write(ledger, one, found)

        def finishing(ledger: Ledger) -> None:
            raise Killed if when == "after" else AssertionError

        with self.patch.context() as patch:
            patch.setattr(transaction, "_write_document", writing)
            patch.setattr(transaction, "_finish", finishing if when == "after" else finish)
            try:
                work()
            except Killed:
                return


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("back", ["A", "B", "edited"])
def test_a_killed_change_with_an_edit_behind_it(
    home: Path, when: str, back: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever text an editor saves then, nothing in it that was ours is its owner's."""
    texts = {}
    for model in ("A", "B"):
        roll_out(home, model)
        texts[model] = (home / "s.json").read_text()
    (home / "s.json").write_text(texts["A"])
    roll_out(home, "A")
    Kill(monkeypatch).run(when, lambda: roll_out(home, "C"))
    if back == "edited":
        (home / "s.json").write_text(json.dumps({**settings(home), "mine": 1}))
    else:
        (home / "s.json").write_text(texts[back])
    roll_out(home, "D")
    uninstall(home)
    assert settings(home) == {"model": "opus", "theme": "dark", **({"mine": 1} if back == "edited" else {})}


def test_a_text_that_stood_for_a_moment_before_a_kill_is_known_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B was written, its run killed, A's text restored: the ledger has A, and an editor that had seen B saves B."""
    roll_out(home, "A")
    before = (home / "s.json").read_text()
    Kill(monkeypatch).run("after", lambda: roll_out(home, "B"))
    seen = (home / "s.json").read_text()
    assert '"B"' in seen
    (home / "s.json").write_text(before)
    roll_out(home, "A")
    (home / "s.json").write_text(seen)
    uninstall(home)
    assert settings(home) == {"model": "opus", "theme": "dark"}


def test_a_text_of_a_killed_run_is_known_again_in_keys_that_are_not_ours_any_more(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def only(**values: str) -> None:
        bring(owner_of(home), ["agents", "other"], wanted(home, {(key,): one for key, one in values.items()}), False)

    only(a="1", b="1")
    only(a="1")
    before = (home / "s.json").read_text()
    Kill(monkeypatch).run("after", lambda: only(a="2", b="2", c="2"))
    seen = (home / "s.json").read_text()
    (home / "s.json").write_text(before)
    only(a="1")
    (home / "s.json").write_text(seen)
    uninstall(home)
    assert settings(home) == {"model": "opus", "theme": "dark"}


def test_the_first_rollout_was_killed_and_its_text_comes_back_after_all(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Kill(monkeypatch).run("after", lambda: roll_out(home, "A"))
    seen = (home / "s.json").read_text()
    (home / "s.json").write_bytes(THEIRS)
    roll_out(home, None)
    (home / "s.json").write_text(seen)
    roll_out(home, "B")
    uninstall(home)
    assert settings(home) == {"model": "opus", "theme": "dark"}


# -- any story -----------------------------------------------------------------------------------------------------------

_KEYS: tuple[KeyPath, ...] = (("a",), ("env", "A"), ("env", "B"), ("x", "y", "z"))
_LIST: KeyPath = ("deny",)


def _found(data: Any, key: KeyPath) -> Any:
    for step in key:
        if not isinstance(data, dict) or step not in data:
            return None
        data = data[step]
    return data


class Story:
    """A document's life, and what its owner would have there without us."""

    def __init__(self, home: Path, chance: random.Random) -> None:
        self.home, self.chance, self.number = home, chance, 0
        self.path = home / "s.json"
        self.theirs: dict[KeyPath, Any] = {}
        self.ever: dict[KeyPath, set[Any]] = {key: {None} for key in _KEYS}
        self.texts: list[bytes | None] = []
        self.killed = False
        if chance.random() < 0.7:
            self.path.write_text("{}")
            self.edit()
        self.observe()

    def data(self) -> Any:
        return json.loads(self.path.read_text()) if self.path.exists() else {}

    def observe(self) -> None:
        """A run looks: what is not ours is its owner's. What an editor may have seen, it may bring back."""
        for key in _KEYS:
            value = _found(self.data(), key)
            if not str(value).startswith("ours"):
                self.theirs[key] = value
                self.ever[key].add(value)
        self.remember()

    def remember(self) -> None:
        self.texts.append(self.path.read_bytes() if self.path.exists() else None)

    def edit(self) -> None:
        """Their own values, in place of ours or not; sometimes one goes."""
        data = self.data()
        for key in self.chance.sample(_KEYS, self.chance.randrange(1, 3)):
            parent = data
            for step in key[:-1]:
                parent = parent.setdefault(step, {})
            if self.chance.random() < 0.25:
                parent.pop(key[-1], None)
            else:
                parent[key[-1]] = f"theirs {self.chance.randrange(3)}"
        if isinstance(data.get("deny", []), list) and self.chance.random() < 0.3:
            data.setdefault("deny", []).append(f"theirs {self.chance.randrange(3)}")
        self.path.write_text(json.dumps(data, indent=self.chance.choice([None, 2])))

    def restore(self) -> None:
        """An editor's buffer, a checkout, a backup: any text that once stood there, perhaps with an edit in it."""
        text = self.chance.choice(self.texts)
        if text is None:
            self.path.unlink(missing_ok=True)
        else:
            self.path.write_bytes(text)
            if self.chance.random() < 0.4:
                self.edit()

    def wanted(self) -> list[Wanted]:
        self.number += 1
        keys = self.chance.sample(_KEYS, self.chance.randrange(len(_KEYS) + 1))
        values: dict[KeyPath, Any] = {key: f"ours {self.chance.randrange(4)}" for key in keys}
        members = tuple(f"ours {one}" for one in range(2) if self.chance.random() < 0.4)
        elements: dict[KeyPath, tuple[Any, ...]] = {_LIST: members} if members else {}
        return wanted(self.home, values, **({"elements": elements} if elements else {}))

    def bring(self, documents: list[Wanted]) -> None:
        try:
            bring(owner_of(self.home), ["agents", "other"], documents, check=False)
        finally:
            if Ledger.load(owner_of(self.home)).is_new:  # nothing is remembered on a host that we have left
                self.texts = [text for text in self.texts if b"ours" not in (text or b"")]

    def roll_out(self) -> None:
        self.observe()
        self.bring(self.wanted())
        self.remember()

    def end(self) -> None:
        self.observe()
        self.bring([])
        assert "ours" not in json.dumps(self.data())
        assert [path.name for path in self.home.iterdir()] in ([], ["s.json"])


@pytest.fixture(scope="module")
def homes() -> Iterator[Callable[[], Path]]:
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        numbers = iter(range(1 << 30))

        def fresh() -> Path:
            home = Path(folder) / str(next(numbers))
            home.mkdir()
            return home

        yield fresh


@given(seed=st.integers(0, 2**32), size=st.integers(1, 10))
def test_no_value_of_ours_is_ever_given_back_and_theirs_comes_back_exactly(
    homes: Callable[[], Path], seed: int, size: int
) -> None:
    """Rollouts with changing values and keys, edits and stale editors, in any order, and the uninstall."""
    chance = random.Random(seed)
    story = Story(homes(), chance)
    for _step in range(size):
        chance.choice([story.roll_out, story.roll_out, story.edit, story.restore])()
    story.end()
    for key, value in story.theirs.items():
        assert _found(story.data(), key) == value, key
    shutil.rmtree(story.home)


@given(seed=st.integers(0, 2**32), size=st.integers(1, 10))
def test_killed_anywhere_in_between_no_value_of_ours_is_given_back(
    homes: Callable[[], Path], seed: int, size: int
) -> None:
    """What comes back is a value that its owner once had there, if not the last: a killed run has looked in vain."""
    chance = random.Random(seed)
    story = Story(homes(), chance)

    def killed() -> None:
        story.observe()
        documents = story.wanted() if chance.random() < 0.8 else []
        with pytest.MonkeyPatch.context() as patch:
            Kill(patch).run(chance.choice(["before", "after"]), lambda: story.bring(documents))
        story.remember()

    for _step in range(size):
        chance.choice([story.roll_out, killed, killed, story.edit, story.restore])()
    story.end()
    for key in _KEYS:
        assert _found(story.data(), key) in story.ever[key], key
    shutil.rmtree(story.home)
