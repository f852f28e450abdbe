# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON documents: an edit touches what it must, everything else stays byte for byte."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.documents import (
    MISSING,
    DocumentError,
    JsonDocument,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.documents.json_document import same
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.unit.generated import KEYS, json_scalars, json_texts, json_values, one_splice, spelled


def edited(before: str, *edits: tuple[Any, ...]) -> str:
    document = JsonDocument(before.encode())
    for verb, path, *value in edits:
        getattr(document, verb)(path, *value)
    after = document.content
    assert JsonDocument.reverted(after, document.undo) == before.encode()
    return after.decode()


# -- style -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param('{"a":1}', '{"a":1,"n":"v"}', id="minified"),
        pytest.param('{"a": 1}', '{"a": 1, "n": "v"}', id="one line"),
        pytest.param('{ "a" : 1 }', '{ "a" : 1, "n" : "v" }', id="spaced"),
        pytest.param('{\n  "a": 1\n}\n', '{\n  "a": 1,\n  "n": "v"\n}\n', id="two spaces"),
        pytest.param('{\n    "a": 1\n}\n', '{\n    "a": 1,\n    "n": "v"\n}\n', id="four spaces"),
        pytest.param('{\n\t"a": 1\n}\n', '{\n\t"a": 1,\n\t"n": "v"\n}\n', id="tabs"),
        pytest.param('{\r\n  "a": 1\r\n}\r\n', '{\r\n  "a": 1,\r\n  "n": "v"\r\n}\r\n', id="CRLF"),
        pytest.param('{\n  "a": 1\n}', '{\n  "a": 1,\n  "n": "v"\n}', id="no final newline"),
        pytest.param('\ufeff{\n  "a": 1\n}\n', '\ufeff{\n  "a": 1,\n  "n": "v"\n}\n', id="BOM"),
        pytest.param('{\n  "a": 1,\n\n  "b": 2\n}\n', '{\n  "a": 1,\n\n  "b": 2,\n\n  "n": "v"\n}\n', id="blank lines"),
        pytest.param("{}", '{\n  "n": "v"\n}', id="empty"),
        pytest.param("{}\n", '{\n  "n": "v"\n}\n', id="empty with newline"),
        pytest.param("\n\n{}\n", '\n\n{\n  "n": "v"\n}\n', id="empty after blank lines"),
    ],
)
def test_a_new_key_is_written_as_the_file_is_written(before: str, after: str) -> None:
    assert edited(before, ("set", ("n",), "v")) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('{"a":1}', '{"a":1,"env":{"X": "1"}}'),
        ('{\n\t"a": 1\n}\n', '{\n\t"a": 1,\n\t"env": {\n\t\t"X": "1"\n\t}\n}\n'),
        ('{\n  "env": {}\n}\n', '{\n  "env": {\n    "X": "1"\n  }\n}\n'),
        ('{\r\n  "env": {\r\n    "A": "0"\r\n  }\r\n}', '{\r\n  "env": {\r\n    "A": "0",\r\n    "X": "1"\r\n  }\r\n}'),
        ('{\n  "env": {"A": "0"}\n}\n', '{\n  "env": {"A": "0", "X": "1"}\n}\n'),
    ],
)
def test_a_new_nested_key_is_indented_as_its_neighbours(before: str, after: str) -> None:
    assert json.loads(edited(before, ("set", ("env", "X"), "1"))) == json.loads(after)
    if before != '{"a":1}':
        assert edited(before, ("set", ("env", "X"), "1")) == after


def test_a_changed_value_is_replaced_where_it_stands() -> None:
    before = '{"z" :1.10,\n "m":  "old" ,"a":"\\u0041\\/"}'
    assert edited(before, ("set", ("m",), "new")) == '{"z" :1.10,\n "m":  "new" ,"a":"\\u0041\\/"}'


def test_setting_the_same_value_changes_nothing_however_it_is_spelled() -> None:
    before = '{"m": "\\u0041", "n": 1.0, "o": {"b": 1, "a": 2}}'
    document = JsonDocument(before.encode())
    document.set(("m",), "A")
    document.set(("o",), {"a": 2, "b": 1})
    assert (document.content, document.undo) == (before.encode(), [])


def test_true_is_not_one() -> None:
    assert edited('{"m": 1}', ("set", ("m",), True)) == '{"m": true}'
    assert edited('{"m": [0]}', ("set", ("m",), [False])) == '{"m": [false]}'


def test_other_people_s_numbers_and_strings_keep_their_spelling() -> None:
    before = '{"n": [1e5, 1.10, -0, 12345678901234567890], "s": "\\u00e9\\/", "d": {"x": 1E+2}}'
    after = edited(before, ("set", ("k",), 1), ("set", ("d", "y"), 2))
    assert '"n": [1e5, 1.10, -0, 12345678901234567890], "s": "\\u00e9\\/", "d": {"x": 1E+2' in after


@pytest.mark.parametrize(
    ("before", "path", "after"),
    [
        ('{"a": 1, "b": 2, "c": 3}', ("b",), '{"a": 1, "c": 3}'),
        ('{"a": 1, "b": 2}', ("a",), '{"b": 2}'),
        ('{"a": 1, "b": 2}', ("b",), '{"a": 1}'),
        ('{\n  "a": 1\n}\n', ("a",), "{}\n"),
        ('{\n  "a": 1,\n  "e": {\n    "x": 1\n  }\n}', ("e", "x"), '{\n  "a": 1,\n  "e": {}\n}'),
        ('{"a": 1}', ("nothing",), '{"a": 1}'),
        ('{"a": 1}', ("no", "thing"), '{"a": 1}'),
    ],
)
def test_a_removed_key_leaves_its_neighbours_alone(before: str, path: tuple[str, ...], after: str) -> None:
    assert edited(before, ("remove", path)) == after


def test_elements_are_added_once_and_taken_out_alone() -> None:
    before = '{\n  "permissions": {\n    "deny": [\n      "Bash(rm *)"\n    ]\n  }\n}\n'
    path = ("permissions", "deny")
    added = edited(before, ("add_element", path, "WebSearch"), ("add_element", path, "WebSearch"))
    assert added == before.replace('"Bash(rm *)"', '"Bash(rm *)",\n      "WebSearch"')
    assert edited(added, ("remove_element", path, "WebSearch")) == before
    assert edited(added, ("remove_element", path, "Bash(rm *)")) == before.replace("Bash(rm *)", "WebSearch")


def test_a_list_that_is_not_there_is_made() -> None:
    made = edited('{\n  "a": 1\n}\n', ("add_element", ("permissions", "deny"), "WebSearch"))
    assert json.loads(made) == {"a": 1, "permissions": {"deny": ["WebSearch"]}}
    assert edited('{"deny": []}', ("add_element", ("deny",), "x")) == '{"deny": ["x"]}'


def test_null_is_a_value_and_missing_is_none() -> None:
    document = JsonDocument(b'{"a": null}')
    assert document.get(("a",)) is None
    assert document.get(("b",)) is MISSING
    assert document.get(("b", "c")) is MISSING
    assert repr(MISSING) == "MISSING"


def test_half_a_surrogate_pair_can_be_given_back() -> None:
    document = JsonDocument(b'{"a": "\\ud83d"}')
    prior = document.get(("a",))
    document.set(("a",), "ours")
    document.set(("a",), prior)
    assert document.content == b'{"a": "\\ud83d"}'
    document.set(("\udc00",), ["\ud83d\U0001f600"])
    assert json.loads(document.content)["\udc00"] == ["\ud83d\U0001f600"]


def test_blank_is_an_object_without_members() -> None:
    assert JsonDocument(JsonDocument.blank()).is_blank()
    assert JsonDocument(b"\xef\xbb\xbf { \n} ").is_blank()
    assert not JsonDocument(b'{"a": null}').is_blank()
    assert JsonDocument(b'{"a": {}, "b": [], "c": 0}').is_empty_container(("a",))
    assert JsonDocument(b'{"a": {}, "b": [], "c": 0}').is_empty_container(("b",))
    assert not JsonDocument(b'{"a": {}, "b": [], "c": 0}').is_empty_container(("c",))
    assert not JsonDocument(b'{"a": {}, "b": [], "c": 0}').is_empty_container(("d",))


# -- refusals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "where", "what"),
    [
        (b'{\n  "a": 1,\n}', "line ", "is not valid JSON"),
        (b'{\n  // note\n  "a": 1}', "line 2, column 3", "is not valid JSON"),
        (b'{"a": 1', "line 1, column 8", "is not valid JSON"),
        (b'{"a": "x\ny"}', "line 1, column 9", "is not valid JSON"),
        (b"{'a': 1}", "line 1, column 2", "is not valid JSON"),
        (b"[1]", "line 1, column 1", "holds a list where an object must stand"),
        (b'\n "text"', "line 2, column 2", "holds a string where an object must stand"),
        (b"12", "line 1, column 1", "holds a number where an object must stand"),
        (b"null", "line 1, column 1", "holds null where an object must stand"),
        (b'{"a": 1} {"b": 2}', "line 1, column 10", "text after the end"),
        (b'{"a": 1}}', "line 1, column 9", "text after the end"),
        (b'{"a": 1}\n\n# x', "line 3, column 1", "text after the end"),
        (b'{\n "s": "NaN", "a": NaN}', "line 2, column 19", "NaN is no JSON number"),
        (b'{"a": [1, -Infinity]}', "line 1, column 11", "-Infinity is no JSON number"),
        (b'{"a": "\x00"}', "line 1, column 8", "NUL"),
        (b'{\n"a": "\xff"}', "line 2, column 7", "not valid UTF-8"),
        (b'{"a": "\xed\xa0\x80"}', "line 1, column 8", "not valid UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "line 1, column 1", "not valid UTF-8"),
        (b"\xef\xbb\xbf{,}", "line 1, column 2", "is not valid JSON"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "line 1, column ", "nested too deeply"),
        (b'{"a": ' + b"9" * 5000 + b"}", "", "number"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused_with_line_and_column(content: bytes, where: str, what: str) -> None:
    with pytest.raises(DocumentError) as refused:
        JsonDocument(content)
    assert where in str(refused.value)
    assert what in str(refused.value)


@pytest.mark.parametrize("content", [b"", b" \n\t\r\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
def test_an_empty_file_is_refused(content: bytes) -> None:
    with pytest.raises(DocumentError, match="is empty"):
        JsonDocument(content)


def test_a_key_that_stands_twice_on_the_way_is_refused_with_its_place() -> None:
    document = JsonDocument(b'{\n "env": {},\n "x": 1, "x": 2,\n "env": {"A": "1"}\n}')
    for act in (
        lambda: document.get(("env", "A")),
        lambda: document.set(("env", "A"), "2"),
        lambda: document.remove(("env", "A")),
    ):
        with pytest.raises(DocumentError, match=r"line 4, column 2, key env: stands twice"):
            act()
    document.set(("y",), 1)  # a pair that is not on the way is none of our business
    assert b'"x": 1, "x": 2' in document.content


@pytest.mark.parametrize("value", ['"text"', "[]", "null", "1", "false"])
def test_something_else_where_an_object_must_stand_is_refused_with_its_place(value: str) -> None:
    before = f'{{\n  "env": {value}\n}}'.encode()
    for verb, arguments in (("get", ()), ("set", ("v",)), ("remove", ())):
        document = JsonDocument(before)
        with pytest.raises(DocumentError, match=r"line 2, column 10, key env: holds .* where an object must stand"):
            getattr(document, verb)(("env", "A"), *arguments)
        assert document.content == before


def test_something_else_where_a_list_must_stand_is_refused() -> None:
    document = JsonDocument(b'{"deny": "WebSearch"}')
    for verb in ("add_element", "remove_element"):
        with pytest.raises(DocumentError, match=r"key deny: holds a string where a list must stand"):
            getattr(document, verb)(("deny",), "WebSearch")


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


def _try(document: JsonDocument, edit: tuple[Any, ...]) -> bool:
    before = document.content
    try:
        getattr(document, edit[0])(*edit[1:])
    except DocumentError:
        assert document.content == before
        return False
    return True


def _without(pairs: Any, path: tuple[str, ...]) -> Any:
    """The data without what stands at ``path``, and without containers on the way that are empty then."""
    kept = []
    for key, value in pairs:
        if key == path[0]:
            if len(path) == 1:
                continue
            value = _without(value, path[1:])
            if value == []:
                continue
        kept.append((key, value))
    return kept


@given(json_texts(), _edits)
def test_undo_is_exact_whatever_was_edited(content: bytes, edits: list[tuple[Any, ...]]) -> None:
    document = JsonDocument(content)
    for edit in edits:
        _try(document, edit)
    JsonDocument(document.content)
    assert JsonDocument.reverted(document.content, document.undo) == content
    assert JsonDocument.reverted(document.content, json.loads(json.dumps(document.undo))) == content


@given(json_texts(), _paths, json_values)
def test_what_was_set_reads_back_and_the_rest_keeps_order_and_spelling(
    content: bytes, path: tuple[str, ...], value: Any
) -> None:
    document = JsonDocument(content)
    assume(_try(document, ("set", path, value)))
    assert same(document.get(path), value)
    assert same(JsonDocument(document.content).get(path), value)
    assert _without(spelled(document.content), path) == _without(spelled(content), path)


@given(json_texts(), _paths, json_values)
def test_setting_is_one_replacement_in_the_bytes(content: bytes, path: tuple[str, ...], value: Any) -> None:
    document = JsonDocument(content)
    old = document.get(path) if _try(document, ("get", path)) else None
    assume(_try(document, ("set", path, value)))
    went, _came = one_splice(content, document.content)
    if old is MISSING:
        # Nothing of the file goes, except the space inside an empty container.
        assert not went.strip()
    again = JsonDocument(document.content)
    again.set(path, value)
    assert again.content == document.content


@given(json_texts(), st.sampled_from(KEYS), json_values)
def test_a_new_key_set_and_removed_gives_the_bytes_back(content: bytes, key: str, value: Any) -> None:
    document = JsonDocument(content)
    assume(document.get((key,)) is MISSING)
    document.set((key,), value)
    document.remove((key,))
    if JsonDocument(content).is_blank():
        assert document.is_blank()
    else:
        assert document.content == content


@given(json_texts(), _paths, json_scalars)
def test_an_element_added_and_removed_gives_the_bytes_back(content: bytes, path: tuple[str, ...], one: Any) -> None:
    document = JsonDocument(content)
    assume(_try(document, ("get", path)))
    before = document.get(path)
    assume(isinstance(before, list) and before and not any(same(one, other) for other in before))
    document.add_element(path, one)
    assert same(document.get(path), [*before, one])
    document.remove_element(path, one)
    assert document.content == content


@given(json_texts(), _paths)
def test_removing_takes_the_value_and_nothing_else(content: bytes, path: tuple[str, ...]) -> None:
    document = JsonDocument(content)
    assume(_try(document, ("remove", path)))
    assert document.get(path) is MISSING
    assert _without(spelled(document.content), path) == _without(spelled(content), path)
    assert len(document.undo) <= 1


@given(st.binary(max_size=40) | st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_a_document_or_a_clear_error(content: bytes) -> None:
    try:
        document = JsonDocument(content)
    except DocumentError as error:
        assert str(error)
    else:
        assert isinstance(json.loads(content.decode("utf-8-sig")), dict)
        assert document.content == content


@given(json_texts(), st.data())
def test_a_damaged_document_is_never_half_understood(content: bytes, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(content)))
    damaged = data.draw(
        st.sampled_from([content[:cut], content[:cut] + content[cut + 1 :], content[:cut] + b"," + content[cut:]])
    )
    try:
        reference = json.loads(damaged.decode("utf-8-sig"), parse_constant=lambda name: 1 / 0)
    except (ValueError, ZeroDivisionError):
        reference = None
    try:
        JsonDocument(damaged)
    except DocumentError:
        assert not isinstance(reference, dict)
    else:
        assert isinstance(reference, dict)
