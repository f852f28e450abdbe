# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a JSON document remembers of its members between edits is what one that is read anew finds."""

from __future__ import annotations

import contextlib
import random

from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.documents import DocumentError, JsonDocument
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.generated import json_texts


@given(text=json_texts(), seed=st.integers(0, 2**32))
def test_after_any_edits_it_is_the_same_as_one_that_is_read_anew(text: bytes, seed: int) -> None:
    chance = random.Random(seed)
    try:
        document = JsonDocument(text)
    except DocumentError:
        return
    for _edit in range(12):
        path = tuple(chance.choice(("a", "env", "deny", "model", "")) for _part in range(chance.randrange(1, 4)))
        with contextlib.suppress(DocumentError):
            kind = chance.randrange(4)
            if kind == 0:
                document.remove(path)
            elif kind == 1:
                document.add_element(path, chance.randrange(3))
            elif kind == 2:
                document.remove_element(path, chance.randrange(3))
            else:
                document.set(path, chance.choice(["x", 1, {}, {"a": 1}, [], [1], "longer than it was before"]))
        fresh = JsonDocument(document.content)
        assert list(document._members(document._root)) == list(fresh._members(fresh._root))
    assert JsonDocument.reverted(document.content, document.undo) == text
