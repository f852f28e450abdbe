# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ownership in dotenv files, managed blocks and whole files: there and back exactly, whatever their owner does in between."""

from __future__ import annotations

import json
import random
from typing import Any

from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.documents import (
    MISSING,
    BlockDocument,
    DotenvDocument,
    KeyPath,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ownership import Plan, Wanted, plan
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.past import Entry
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.generated_lines import NAMES, block_bodies, body, dotenv_texts, shell_texts, value


class File:
    """A file in memory with the ledger's record of it, which comes back from a file each time."""

    def __init__(self, content: bytes | None) -> None:
        self.content = content
        self.mode = None if content is None else 0o644
        self.entry: Entry | None = None

    def bring(self, wanted: Wanted | None) -> Plan:
        made = plan("/h/file", self.content, self.mode, self.entry, wanted, "5a17")
        self.content, self.mode = made.after, made.mode_after if made.after is not None else None
        self.entry = None if made.entry is None else json.loads(json.dumps(made.entry))
        return made


def _dotenv(seed: int) -> Wanted:
    chance = random.Random(seed)
    names = chance.sample((*NAMES, "NEW"), chance.randrange(1, 5))
    values: dict[KeyPath, Any] = {(name,): value(chance) for name in names}
    superseded = tuple((name,) for name in NAMES if name not in names and chance.random() < 0.3)
    return Wanted("/h/file", "dotenv", "c", values=values, superseded=superseded)


def _block(seed: int) -> Wanted:
    chance = random.Random(seed)
    names = chance.sample(["path", "env", "third"], chance.randrange(1, 4))
    return Wanted("/h/file", "block", "c", values={(name,): body(chance) for name in names})


_seeds = st.integers(0, 2**32)
_dotenvs = st.lists(_seeds.map(_dotenv), min_size=1, max_size=4)
_blocks = st.lists(_seeds.map(_block), min_size=1, max_size=4)


def _there_and_back(
    content: bytes | None, wanteds: list[Wanted], kind: type[DotenvDocument] | type[BlockDocument]
) -> None:
    file = File(content)
    for wanted in wanteds:
        file.bring(wanted)
        document = kind(file.content or b"")
        assert all(document.get(key) == value for key, value in wanted.values.items())
        assert all(document.get(key) is MISSING for key in wanted.superseded)
        entry = file.entry
        again = file.bring(wanted)
        assert (again.changed, file.entry) == (False, entry)
    file.bring(None)
    assert file.content == content


@given(dotenv_texts | st.none(), _dotenvs)
def test_any_dotenv_file_is_brought_there_and_back(content: bytes | None, wanteds: list[Wanted]) -> None:
    _there_and_back(content, wanteds, DotenvDocument)


@given(shell_texts | st.none(), _blocks)
def test_any_shell_file_is_brought_there_and_back(content: bytes | None, wanteds: list[Wanted]) -> None:
    _there_and_back(content, wanteds, BlockDocument)


@given(st.binary(max_size=80) | st.none(), st.lists(st.binary(min_size=1, max_size=80), min_size=1, max_size=4))
def test_any_whole_file_is_brought_there_and_back(content: bytes | None, contents: list[bytes]) -> None:
    file = File(content)
    for one in contents:
        wanted = Wanted("/h/file", "file", "c", values={(): one.decode("latin-1")}, mode=0o700)
        file.bring(wanted)
        assert (file.content, file.mode) == (one, 0o700)
        assert not file.bring(wanted).changed
    file.bring(None)
    assert (file.content, file.mode) == (content, None if content is None else 0o644)


@given(st.binary(max_size=80) | st.none(), st.binary(min_size=1), st.binary(min_size=1))
def test_a_whole_file_that_its_owner_wrote_anew_is_theirs(content: bytes | None, ours: bytes, theirs: bytes) -> None:
    file = File(content)
    file.bring(Wanted("/h/file", "file", "c", values={(): ours.decode("latin-1")}))
    file.content = theirs
    made = file.bring(None)
    assert file.content == (content if theirs == ours else theirs)
    assert bool(made.notes) == (theirs != ours)


def _all(content: bytes | None) -> dict[str, str]:
    return {entry.name: entry.value for entry in DotenvDocument(content or b"")._entries()}


@given(dotenv_texts | st.none(), _dotenvs, _seeds)
def test_the_owner_s_variables_survive_any_installs_and_the_uninstall(
    content: bytes | None, wanteds: list[Wanted], seed: int
) -> None:
    chance, file, expected = random.Random(seed), File(content), _all(content)
    for number, wanted in enumerate(wanteds):
        file.bring(wanted)
        document = DotenvDocument(file.content or b"")
        for name in chance.sample(["USER1", "USER2", "USER3"], chance.randrange(3)):
            if chance.random() < 0.3:
                document.remove((name,))
                expected.pop(name, None)
            else:
                document.set((name,), f"{number} it's")
                expected[name] = f"{number} it's"
        file.content = document.content + chance.choice([b"", b"# a comment\n"])
        assert not file.bring(wanted).changed
    file.bring(None)
    assert _all(file.content) == expected
    comments = [line for line in (content or b"").splitlines() if line.lstrip().startswith(b"#")]
    assert [line for line in comments if line not in (file.content or b"")] == []


@given(shell_texts, shell_texts, shell_texts, _blocks)
def test_what_the_owner_writes_around_our_blocks_stays(
    before: bytes, above: bytes, below: bytes, wanteds: list[Wanted]
) -> None:
    above = above if not above or above.endswith(b"\n") else above + b"\n"
    file = File(before)
    for wanted in wanteds:
        file.bring(wanted)
    file.content = above + (file.content or b"") + below
    assert not file.bring(wanteds[-1]).changed
    file.bring(None)
    whole = [above + before + below]
    if before and not before.endswith(b"\n"):
        whole.append(
            above + before + b"\n" + below
        )  # the line end that was put there stays: else two lines would be one
    if not before:
        # The block began the file; a blank line that came to stand before it since looks like the one that goes with a block.
        whole += [above[: -len(end)] + below for end in (b"\n", b"\r\n") if above.endswith(end)]
    assert file.content in whole


@given(shell_texts, block_bodies, block_bodies)
def test_a_block_that_its_owner_changed_is_left_and_reported(content: bytes, ours: str, theirs: str) -> None:
    file = File(content)
    file.bring(Wanted("/h/file", "block", "c", values={("path",): ours}))
    document = BlockDocument(file.content or b"")
    document.set(("path",), theirs)
    file.content = document.content
    made = file.bring(None)
    if ours == theirs:
        assert file.content == content
    else:
        assert BlockDocument(file.content or b"").get(("path",)) == theirs
        assert made.notes == ["path was changed since we set it: left as it is"]
