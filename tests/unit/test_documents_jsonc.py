# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON with comments and trailing commas: they stay where they are, and plain JSON has neither."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.documents import (
    MISSING,
    DocumentError,
    JsoncDocument,
    JsonDocument,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.documents.json_document import same
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.unit.generated import KEYS, json_scalars, json_values, one_splice
from tests.unit.generated_trees import jsonc_texts
from tests.unit.trees import edited, paths_in, tried, without


def _changed(before: str, *edits: tuple[Any, ...]) -> str:
    return edited(JsoncDocument, before, *edits)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{}\n", '{\n  "n": 1\n}\n'),
        ("// mine\n{}\n", '// mine\n{\n  "n": 1\n}\n'),
        ("{ // none\n}\n", '{ // none\n  "n": 1\n}\n'),
        ("{/* none */}", '{/* none */\n  "n": 1\n}'),
        ('{"a": 1} // end', '{"a": 1, "n": 1} // end'),
        ('{"a": 1,}', '{"a": 1, "n": 1,}'),
        ('{\n  "a": 1 // one\n}\n', '{\n  "a": 1, // one\n  "n": 1\n}\n'),
        ('{\r\n  "a": 1, // one\r\n}\r\n', '{\r\n  "a": 1, // one\r\n  "n": 1,\r\n}\r\n'),
        ('{\n  "a": 1 /* one\n  more */\n}\n', '{\n  "a": 1, /* one\n  more */\n  "n": 1\n}\n'),
        ('{\n\t"a": 1,\n\t// "b": 2,\n}\n', '{\n\t"a": 1,\n\t"n": 1,\n\t// "b": 2,\n}\n'),
        ('{\n  // one\n  "a": "//"\n  // more\n}\n', '{\n  // one\n  "a": "//",\n  "n": 1\n  // more\n}\n'),
        ('{\n  "a": 1, /* b */ "b": 2\n}', '{\n  "a": 1, /* b */ "b": 2, "n": 1\n}'),
        ('\ufeff{\n  "a": "x /* y",\n\n  "b": "*/"\n}', '\ufeff{\n  "a": "x /* y",\n\n  "b": "*/",\n\n  "n": 1\n}'),
    ],
)
def test_a_new_key_is_written_as_the_file_is_written(before: str, after: str) -> None:
    assert _changed(before, ("set", ("n",), 1)) == after
    assert _changed(after, ("set", ("n",), 1)) == after


@pytest.mark.parametrize(
    ("before", "path", "after"),
    [
        ('{\n  "a": 1, // one\n  "b": 2\n}', ("a",), '{\n   // one\n  "b": 2\n}'),
        ('{\n  "a": 1,\n  // two\n  "b": 2,\n}', ("b",), '{\n  "a": 1,\n  // two\n}'),
        ('{\n  "a": 1, // one\n  "b": 2\n}', ("b",), '{\n  "a": 1 // one\n}'),
        ('{\n  "a": 1, // one\n  "b": 2 }', ("b",), '{\n  "a": 1 // one\n   }'),
        ('{"a": 1 /* one */, "b": 2}', ("a",), '{ /* one */"b": 2}'),
        ('{\n  // one\n  "a": 1\n}', ("a",), "{\n  // one\n}"),
        ('{ "a": 1, }', ("a",), "{ }"),
        ('{"a": {"b": [1, /* x */ 2,],},}', ("a", "b"), '{"a": {},}'),
    ],
)
def test_a_removed_key_leaves_the_comments_beside_it(before: str, path: tuple[str, ...], after: str) -> None:
    assert _changed(before, ("remove", path)) == after


def test_elements_are_added_once_and_taken_out_alone() -> None:
    before = '{\n  "plugin": [\n    "./x.js", // mine\n    // "./y.js",\n  ],\n}\n'
    added = _changed(before, ("add_element", ("plugin",), "./n.js"), ("add_element", ("plugin",), "./n.js"))
    assert added == before.replace("// mine\n", '// mine\n    "./n.js",\n')
    assert _changed(added, ("remove_element", ("plugin",), "./n.js")) == before
    assert _changed("{}", ("add_element", ("a", "b"), 1)) == '{\n  "a": {\n    "b": [\n      1\n    ]\n  }\n}'


def test_what_a_file_spells_in_its_own_way_comes_back_so() -> None:
    document = JsoncDocument(b'{"a": {"x": 1.10, /* why */ "y": [2,]}, "b": 1}')
    text = document.spelled(("a",))
    assert text == '{"x": 1.10, /* why */ "y": [2,]}'
    document.set(("a",), "ours")
    document.set_spelled(("a",), text)
    assert document.content == b'{"a": {"x": 1.10, /* why */ "y": [2,]}, "b": 1}'


def test_blank_is_an_object_without_members_and_comments() -> None:
    assert JsoncDocument(JsoncDocument.blank()).is_blank()
    assert not JsoncDocument(b"{} // mine\n").is_blank()
    assert JsoncDocument(b'{"a": { /* c */ }}').is_empty_container(("a",))


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (b'{"a": 1} /* x', "line 1, column 10: opens a comment that is not closed"),
        (b'{\n  "a": 1 // x\n  "b": 2}', "line 3, column 3: is not valid JSON"),
        (b'{"a": [1,,]}', "line 1, column 10: is not valid JSON"),
        (b'{"a": [,]}', "line 1, column 8: is not valid JSON"),
        (b"{,}", "line 1, column 2: is not valid JSON"),
        (b'{"a": // x\n}', "line 2, column 1: is not valid JSON"),
        (b'{"a":,}', "line 1, column 6: is not valid JSON"),
        (b'{"a": 1 # x\n}', "line 1, column 9: is not valid JSON"),
        (b'{/* NaN */ "a": NaN}', "line 1, column 17: is not valid JSON (NaN"),
        (b"// only this\n", "is empty"),
        (b'{"a": 1} // x\n{}', "line 2, column 1: has text after the end"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused_with_line_and_column(content: bytes, where: str) -> None:
    with pytest.raises(DocumentError) as refused:
        JsoncDocument(content)
    assert where in str(refused.value)


def test_a_key_that_stands_twice_on_the_way_is_refused_with_its_place() -> None:
    document = JsoncDocument(b'{\n "env": {}, // one\n /* two */ "env": {}\n}')
    with pytest.raises(DocumentError, match=r"line 3, column 12, key env: stands twice"):
        document.set(("env", "A"), 1)


# -- properties --------------------------------------------------------------------------------------------------------

_paths = st.lists(st.sampled_from(KEYS), min_size=1, max_size=3).map(tuple)
_edits = st.lists(
    st.one_of(
        st.tuples(st.just("set"), _paths, json_values),
        st.tuples(st.just("remove"), _paths),
        st.tuples(st.just("add_element"), _paths, json_scalars),
        st.tuples(st.just("remove_element"), _paths, json_scalars),
    ),
    max_size=6,
)
_REMARKS = (b"// a, [remark", b'/* {one\n more" */', b"// x")


def _everything(content: bytes) -> Any:
    document = JsoncDocument(content)
    return json.loads(document.as_json.decode("utf-8-sig"), parse_float=str)


@given(jsonc_texts)
def test_comments_and_trailing_commas_mean_nothing_and_plain_json_has_none(texts: tuple[bytes, bytes]) -> None:
    strict, commented = texts
    assert _everything(commented) == json.loads(strict.decode("utf-8-sig"), parse_float=str)
    if commented != strict:
        with pytest.raises(DocumentError):
            JsonDocument(commented)


@given(jsonc_texts, _edits)
def test_undo_is_exact_whatever_was_edited(texts: tuple[bytes, bytes], edits: list[tuple[Any, ...]]) -> None:
    document = JsoncDocument(texts[1])
    for edit in edits:
        tried(document, edit)
    JsoncDocument(document.content)
    assert JsoncDocument.reverted(document.content, json.loads(json.dumps(document.undo))) == texts[1]


@given(jsonc_texts, _paths, json_values)
def test_what_was_set_reads_back_and_nothing_else_has_changed(
    texts: tuple[bytes, bytes], path: tuple[str, ...], value: Any
) -> None:
    document = JsoncDocument(texts[1])
    is_new = tried(document, ("get", path)) and document.get(path) is MISSING
    assume(tried(document, ("set", path, value)))
    assert same(JsoncDocument(document.content).get(path), value)
    assert without(_everything(document.content), path) == without(_everything(texts[1]), path)
    went, came = one_splice(texts[1], document.content)
    if is_new:
        assert went.strip() in came, "a new key takes nothing away"
        assert all(document.content.count(one) == texts[1].count(one) for one in _REMARKS)
    again = JsoncDocument(document.content)
    again.set(path, value)
    assert again.undo == []


@given(jsonc_texts, st.sampled_from(KEYS), json_values)
def test_a_new_key_set_and_removed_gives_the_bytes_back(texts: tuple[bytes, bytes], key: str, value: Any) -> None:
    document = JsoncDocument(texts[1])
    assume(document.get((key,)) is MISSING and document.get(()) is not None)
    assume(any(True for _one in document._members(document._root)))
    document.set((key,), value)
    document.remove((key,))
    assert document.content == texts[1]


@given(jsonc_texts, st.data())
def test_removing_takes_the_value_and_no_comment_beside_it(texts: tuple[bytes, bytes], data: st.DataObject) -> None:
    document = JsoncDocument(texts[1])
    there = paths_in(_everything(texts[1]))
    assume(there)
    path = data.draw(st.sampled_from(there))
    member = document._find(path)
    assert member is not None
    within = document.text[member.start : member.end].encode()
    document.remove(path)
    assert document.get(path) is MISSING
    assert without(_everything(document.content), path) == without(_everything(texts[1]), path)
    for remark in (b"// a, [remark", b'/* {one\n more" */'):
        assert document.content.count(remark) == texts[1].count(remark) - within.count(remark)
