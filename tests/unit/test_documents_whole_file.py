# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole files: any bytes go through, and the way back is exact."""

from __future__ import annotations

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.documents import (
    FORMATS,
    MISSING,
    DocumentError,
    WholeFile,
)
from hypothesis import given
from hypothesis import strategies as st


@given(st.binary(max_size=50), st.binary(min_size=1, max_size=50))
def test_any_bytes_are_set_read_back_and_undone(before: bytes, wanted: bytes) -> None:
    document = WholeFile(before)
    document.set((), wanted.decode("latin-1"))
    assert document.content == wanted
    assert document.get(()) == wanted.decode("latin-1")
    assert WholeFile.reverted(document.content, document.undo) == before
    document.remove(())
    assert (document.content, document.get(()), document.is_blank()) == (b"", MISSING, True)
    assert WholeFile.reverted(document.content, document.undo) == before


def test_nothing_changes_when_the_bytes_are_the_same() -> None:
    document = WholeFile(b"\0\xff")
    document.set((), "\0\xff")
    assert document.undo == []


def test_a_whole_file_has_no_keys_and_is_no_container() -> None:
    document = WholeFile(b"x")
    assert not document.is_empty_container(())
    for verb, arguments in (("get", ()), ("set", ("v",)), ("remove", ())):
        with pytest.raises(DocumentError, match=r"key a: is one value as a whole"):
            getattr(document, verb)(("a",), *arguments)


def test_each_format_is_known_by_its_own_name() -> None:
    assert all(kind.format == name for name, kind in FORMATS.items())
