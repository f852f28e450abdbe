# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Links as documents: the target goes through as it is, and the way back is exact."""

from __future__ import annotations

import os

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.documents import (
    MISSING,
    DocumentError,
    LinkDocument,
)
from hypothesis import given
from hypothesis import strategies as st

_targets = st.binary(min_size=1, max_size=50).filter(lambda target: b"\0" not in target)


@given(_targets | st.just(b""), _targets)
def test_any_target_is_set_read_back_and_undone(before: bytes, target: bytes) -> None:
    """A path is any bytes but NUL; Python spells them with surrogates."""
    document = LinkDocument(before)
    document.set((), os.fsdecode(target))
    assert document.content == target
    assert document.get(()) == os.fsdecode(target)
    assert LinkDocument.reverted(document.content, document.undo) == before
    document.remove(())
    assert (document.get(()), document.is_blank()) == (MISSING, True)


def test_a_link_leads_to_one_path() -> None:
    document = LinkDocument(b"")
    for value in ("", "a\0b", None, 7, ["a"]):
        with pytest.raises(DocumentError, match="needs the path that the link leads to"):
            document.set((), value)
    with pytest.raises(DocumentError, match="key a: is one value as a whole"):
        document.set(("a",), "x")
    assert document.undo == []
