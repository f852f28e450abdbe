# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Managed blocks in shell start files: everything outside the markers stays byte for byte, in any encoding."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.documents import (
    MISSING,
    BlockDocument,
    DocumentError,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.generated_lines import block_bodies, shell_texts

BEGIN, END = b"# >>> fmapi.coding_agents path >>>\n", b"# <<< fmapi.coding_agents path <<<\n"
CUT_OFF = BEGIN.replace(b">\n", b"> (no line end before)\n")
PATH = ("path",)


def edited(before: bytes, *edits: tuple[Any, ...]) -> bytes:
    document = BlockDocument(before)
    for verb, *arguments in edits:
        getattr(document, verb)(*arguments)
    assert BlockDocument.reverted(document.content, document.undo) == before
    return document.content


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(b"", BEGIN + b"x\n" + END, id="empty"),
        pytest.param(b"a\n", b"a\n\n" + BEGIN + b"x\n" + END, id="a blank line before it"),
        pytest.param(b"a", b"a\n\n" + CUT_OFF + b"x\n" + END, id="no final newline"),
        pytest.param(b"a\n\n", b"a\n\n\n" + BEGIN + b"x\n" + END, id="a blank line at the end"),
        pytest.param(b"\n", b"\n\n" + BEGIN + b"x\n" + END, id="a blank line only"),
        pytest.param(b"\xe9\xff\n", b"\xe9\xff\n\n" + BEGIN + b"x\n" + END, id="not UTF-8"),
        pytest.param(b"a\r\n", b"a\r\n\n" + BEGIN + b"x\n" + END, id="CRLF: a shell needs LF"),
        pytest.param(b"\xef\xbb\xbf", b"\xef\xbb\xbf\n\n" + CUT_OFF + b"x\n" + END, id="BOM"),
    ],
)
def test_a_new_block_goes_to_the_end_and_leaves_no_trace(before: bytes, after: bytes) -> None:
    assert edited(before, ("set", PATH, "x")) == after
    assert edited(after, ("set", PATH, "x")) == after
    assert edited(after, ("remove", PATH)) == before


def test_a_block_is_replaced_where_it_stands() -> None:
    before = b"a\n\n" + BEGIN + b"old\nlines\n" + END + b"b\n"
    assert edited(before, ("set", PATH, "new")) == b"a\n\n" + BEGIN + b"new\n" + END + b"b\n"
    assert edited(before, ("set", PATH, "")) == b"a\n\n" + BEGIN + END + b"b\n"
    assert edited(before, ("remove", PATH)) == b"a\nb\n"
    assert edited(before, ("remove", ("other",))) == before


def test_what_somebody_added_behind_a_block_stays_on_its_own_line() -> None:
    after = edited(b"a", ("set", PATH, "x")) + b"b\n"
    assert edited(after, ("remove", PATH)) == b"a\nb\n"
    glued = edited(b"", ("set", PATH, "x")) + b"b\n"
    assert edited(glued, ("remove", PATH)) == b"b\n"


def test_a_block_whose_lines_got_other_line_ends_is_still_ours() -> None:
    after = edited(b"a\n", ("set", PATH, "x\ny")).replace(b"\n", b"\r\n")
    assert BlockDocument(after).get(PATH) == "x\ny"
    assert edited(after, ("set", PATH, "x\ny")) == after
    assert edited(after, ("remove", PATH)) == b"a\r\n"


def test_lines_that_came_to_stand_before_a_block_without_a_blank_line_keep_their_end() -> None:
    after = b"a\n" + edited(b"", ("set", PATH, "x"))
    assert edited(after, ("remove", PATH)) == b"a\n"


def test_blocks_of_several_names_stand_side_by_side() -> None:
    both = edited(b"a\n", ("set", PATH, "x"), ("set", ("other-1.2",), "y\n\nz"))
    document = BlockDocument(both)
    assert (document.get(PATH), document.get(("other-1.2",)), document.get(("third",))) == ("x", "y\n\nz", MISSING)
    assert edited(both, ("remove", PATH), ("remove", ("other-1.2",))) == b"a\n"
    assert edited(both, ("remove", ("other-1.2",)), ("remove", PATH)) == b"a\n"


def test_markers_of_other_programs_are_text() -> None:
    conda = b"# >>> conda initialize >>>\nx\n# <<< conda initialize <<<\n# >>> fmapi.coding_agents_else x >>>\n"
    assert edited(conda, ("set", PATH, "x"), ("remove", PATH)) == conda


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\n" + BEGIN + b"x\n", "line 2, key path: begins a block that does not end"),
        (b"a\n" + BEGIN + BEGIN + END, "line 3, key path: begins inside another block"),
        (BEGIN + BEGIN.replace(b"path", b"other") + END, "line 2, key other: begins inside another block"),
        (b"\n\n" + END, "line 3, key path: ends a block that has not begun"),
        (BEGIN + END.replace(b"path", b"other"), "line 2, key other: ends a block that has not begun"),
        (b"a\n\x00\n", "line 2, column 1: holds a NUL byte"),
    ],
)
def test_markers_that_do_not_fit_are_refused_with_their_line(content: bytes, message: str) -> None:
    with pytest.raises(DocumentError) as refused:
        BlockDocument(content)
    assert message in str(refused.value)


def test_a_block_that_stands_twice_is_refused_with_its_line_on_our_way_only() -> None:
    document = BlockDocument(BEGIN + b"x\n" + END + b"a\n" + BEGIN + END)
    for verb, arguments in (("get", ()), ("set", ("v",)), ("remove", ())):
        with pytest.raises(DocumentError, match=r"^line 5, key path: stands twice$"):
            getattr(document, verb)(PATH, *arguments)
    document.set(("other",), "x")


def test_what_a_block_cannot_hold_is_refused() -> None:
    document = BlockDocument(b"")
    for path, value, message in (
        (PATH, BEGIN.decode(), "without CR, NUL and markers only"),
        (PATH, "a\r\n", "without CR, NUL and markers only"),
        (PATH, 1, "can hold lines of text"),
        (("a b",), "x", "is no name of a block"),
        (("a", "b"), "x", "blocks have one level"),
    ):
        with pytest.raises(DocumentError, match=message):
            document.set(path, value)
    assert document.content == b"" and document.is_blank() and not document.is_empty_container(PATH)


# -- properties --------------------------------------------------------------------------------------------------------

_names = st.sampled_from(["path", "env", "third"])


@given(shell_texts, st.lists(st.tuples(_names, block_bodies | st.none()), max_size=6))
def test_undo_is_exact_whatever_was_edited(content: bytes, edits: list[tuple[str, str | None]]) -> None:
    document = BlockDocument(content)
    for name, body in edits:
        if body is None:
            document.remove((name,))
        else:
            document.set((name,), body)
        BlockDocument(document.content)
    assert BlockDocument.reverted(document.content, document.undo) == content


@given(shell_texts, st.lists(block_bodies, min_size=1, max_size=3))
def test_a_block_set_and_removed_gives_the_bytes_back(content: bytes, bodies: list[str]) -> None:
    document = BlockDocument(content)
    for body in bodies:
        document.set(PATH, body)
        assert document.content.startswith(content)
        assert BlockDocument(document.content).get(PATH) == body
        again = BlockDocument(document.content)
        again.set(PATH, body)
        assert again.undo == []
    document.remove(PATH)
    assert document.content == content


@given(shell_texts, shell_texts, block_bodies, st.booleans())
def test_what_stands_around_a_block_stays_whatever_it_is(before: bytes, behind: bytes, body: str, twice: bool) -> None:
    content = edited(before, ("set", PATH, "old")) + behind
    new = edited(content, ("set", PATH, body))
    assert new == edited(before, ("set", PATH, body)) + behind
    gone = edited(new, ("remove", PATH))
    assert gone in (before + behind, before + b"\n" + behind)
    assert behind == b"" or gone.endswith(behind)
    assert gone.startswith(before)


@given(st.binary(max_size=60), block_bodies)
def test_any_bytes_are_a_document_or_a_clear_error(content: bytes, body: str) -> None:
    try:
        document = BlockDocument(content)
    except DocumentError as error:
        assert str(error)
        return
    document.set(PATH, body)
    assert document.get(PATH) == body
    document.remove(PATH)
    assert document.content == content
