# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML documents (``~/.hermes/config.yaml``): an edit touches what it must, everything else stays byte for byte."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.documents import (
    MISSING,
    DocumentError,
    WrongContainer,
    YamlDocument,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.documents.json_document import same
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.unit import generated_trees as trees
from tests.unit.generated import one_splice
from tests.unit.trees import at, edited, paths_in, tried, without


def _changed(before: str, *edits: tuple[Any, ...]) -> str:
    return edited(YamlDocument, before, *edits)


HERMES = """\
# mine
model:
  default: gpt-5   # the best
  # provider: openai
terminal:
    backend: local

toolsets:
- web
"""


def test_keys_are_put_where_their_mapping_is_and_new_ones_at_the_end() -> None:
    after = _changed(
        HERMES,
        ("set", ("model", "default"), "system.ai.gpt"),
        ("set", ("model", "base_url"), "https://w/ai"),
        ("set", ("terminal", "docker", "image"), "x"),
        ("set", ("plugins", "enabled"), ["databricks"]),
        ("add_element", ("toolsets",), "files"),
    )
    assert after == (
        "# mine\nmodel:\n  default: system.ai.gpt   # the best\n"
        '  base_url: "https://w/ai"\n  # provider: openai\n'
        "terminal:\n    backend: local\n    docker:\n      image: x\n\n"
        "toolsets:\n- web\n- files\nplugins:\n  enabled:\n    - databricks\n"
    )


@pytest.mark.parametrize(
    ("before", "path", "value", "after"),
    [
        ("", ("a",), 1, "a: 1\n"),
        ("", ("a", "b", "c"), 1, "a:\n  b:\n    c: 1\n"),
        ("\ufeff", ("a",), "x", "\ufeffa: x\n"),
        ("# only this\n", ("a",), 1, "# only this\na: 1\n"),
        ("---\n", ("a",), 1, "---\na: 1\n"),
        ("{}\n", ("a",), 1, "a: 1\n"),
        ("b: 2", ("a",), 1, "b: 2\na: 1\n"),
        ("b: 2\r\nc:\r\n  - x\r\n", ("a", "d"), 1, "b: 2\r\nc:\r\n  - x\r\na:\r\n  d: 1\r\n"),
        ("a:\n    b: 1\nc: 2\n", ("a", "d"), {"e": 1}, "a:\n    b: 1\n    d:\n        e: 1\nc: 2\n"),
        ("a: # why\n  # b: 1\nc: 2\n", ("a", "b"), 2, None),
        ("a:\n\nc: 2\n", ("a", "b"), 2, "a:\n  b: 2\n\nc: 2\n"),
        ("a: {}\n", ("a", "b"), 2, "a:\n  b: 2\n"),
        ("a: {} # why\n", ("a", "b"), 2, "a:\n  b: 2 # why\n"),
        ("a: 1 # why\n", ("a",), 2, "a: 2 # why\n"),
        ("a: 'it''s'\n", ("a",), "we're", "a: 'we''re'\n"),
        ('a: "x"\n', ("a",), "v", 'a: "v"\n'),
        ("a: x\n", ("a",), "y z", 'a: "y z"\n'),
        ("a:\n", ("a",), "v", "a: v\n"),
        ("a: |\n  one\n  two\n\nb: 1\n", ("a",), "v", "a: v\n\nb: 1\n"),
        ("a: >-\n  one\n\n  two\nb: 1\n", ("a",), "v", "a: v\nb: 1\n"),
        ("a: |+\n  x\n\n\n", ("b",), 1, "a: |+\n  x\n\n\nb: 1\n"),
        ("a: one\n  two # c\nb: 1\n", ("a",), "v", "a: v # c\nb: 1\n"),
        ("a:\n  - x\n  - y\nb: 1\n", ("a",), "v", "a: v\nb: 1\n"),
        ("a: [x, y] # c\n", ("a",), ["z"], "a:\n  - z # c\n"),
        ("a: {x: 1, y: 2}\n", ("a", "x"), "v", "a: {x: v, y: 2}\n"),
        ("a: {x: 1}\nb: 1\n", ("a",), 7, "a: 7\nb: 1\n"),
        ("b: &x {c: 1}\nd: *x\n", ("a",), 1, "b: &x {c: 1}\nd: *x\na: 1\n"),
        ("a: 1\n...\n", ("b",), 1, "a: 1\nb: 1\n...\n"),
        ("a: yes\n", ("a",), "yes", 'a: "yes"\n'),
        ("a: 1\n", ("on",), "no", 'a: 1\n"on": "no"\n'),
        ("a: x\n", ("a",), "\x85\u2028\x7f\ufeff\t", 'a: "\\u0085\\u2028\\u007f\\ufeff\\t"\n'),
        ("a: x\n", ("a",), [1, [], {"b c": [None]}], 'a:\n  - 1\n  - []\n  - {"b c": [null]}\n'),
        ("a: x\n", ("a",), [], "a: []\n"),
        ("a: x\n", ("a",), 1e300, "a: 1.0e+300\n"),
    ],
)
def test_a_key_is_set_as_the_file_is_written(before: str, path: tuple[str, ...], value: Any, after: str | None) -> None:
    changed = _changed(before, ("set", path, value))
    if after is None:  # a comment behind a key without a value stays in front of what is put below it
        after = "a:\n  b: 2 # why\n  # b: 1\nc: 2\n"
    assert changed == after
    assert same(at(yaml.safe_load(after), path), value)
    assert _changed(after, ("set", path, value)) == after


@pytest.mark.parametrize(
    ("before", "path", "after"),
    [
        ("a: 1 # c\nb: 2\n", ("a",), "b: 2\n"),
        ("a: 1", ("a",), ""),
        ("# c\na:\n  b: 1\n  # d\n  c: 2\n# e\n", ("a",), "# c\n# e\n"),
        ("a:\n  b: 1\n  c: 2\n", ("a", "b"), "a:\n  c: 2\n"),
        ("a: # why\n  b: 1\nc: 2\n", ("a", "b"), "a: {} # why\nc: 2\n"),
        ("a: |\n  text\n\nb: 1\n", ("a",), "\nb: 1\n"),
        ("a:\nb: 1\n", ("a",), "b: 1\n"),
        ("a: 1\n", ("b", "c"), "a: 1\n"),
    ],
)
def test_a_removed_key_takes_its_lines(before: str, path: tuple[str, ...], after: str) -> None:
    assert _changed(before, ("remove", path)) == after
    yaml.safe_load(after)


@pytest.mark.parametrize(
    ("before", "added"),
    [
        ("l: []\n", "l:\n  - new\n"),
        ("l:\n", "l:\n  - new\n"),
        ("l:\n- x # one\n# c\nm: 1\n", "l:\n- x # one\n- new\n# c\nm: 1\n"),
        ("l:\n    -   x\n    - {a: 1}", "l:\n    -   x\n    - {a: 1}\n    - new\n"),
        ("l: # why\n  - x\n", "l: # why\n  - x\n  - new\n"),
        ("l: [x, y] # c\n", "l: [x, y, new] # c\n"),
        ("l: [\n  'x # 1', # one\n  # two, three\n]\n", "l: [\n  'x # 1', # one\n  new,\n  # two, three\n]\n"),
        ("l: [x, 'y # 1' # one\n  ]\n", "l: [x, 'y # 1', # one\nnew\n  ]\n"),
        ("l: [\n  x,\n  y,\n]\n", "l: [\n  x,\n  y,\n  new,\n]\n"),
    ],
)
def test_elements_are_added_once_and_taken_out_alone(before: str, added: str) -> None:
    assert _changed(before, ("add_element", ("l",), "new"), ("add_element", ("l",), "new")) == added
    after = _changed(added, ("remove_element", ("l",), "new"))
    assert yaml.safe_load(after) == {**yaml.safe_load(before), "l": yaml.safe_load(before)["l"] or []}
    assert _changed("", ("add_element", ("t", "l"), "new")) == "t:\n  l:\n    - new\n"


def test_what_a_file_spells_in_its_own_way_comes_back_so() -> None:
    before = "t:\n  d: 2001-12-14\n  h: 0x1F\n  s: |\n    a\n     b\n  m:\n    # mine\n    x: 'y'\n  f: {a: 1}\n  e:\n  l: [a]\n"
    document = YamlDocument(before.encode())
    paths = [("t", key) for key in "dhsmfel"]
    texts = {path: document.spelled(path) for path in paths}
    json.dumps({path[1]: document.get(path) for path in paths})
    for path in paths:
        document.remove(path)
    assert yaml.safe_load(document.content) == {"t": {}}
    for path, text in texts.items():
        assert text is not None
        document.set_spelled(path, text)
    assert document.content.decode() == before
    assert YamlDocument(b"a: x\n").spelled(("a",)) is None


def test_what_is_given_back_follows_the_indentation_of_its_new_place() -> None:
    text = YamlDocument(b"a:\n  m:\n    # mine\n    x: |\n      y\n").spelled(("a", "m"))
    assert text is not None
    document = YamlDocument(b"a:\n      z: 1\n")
    document.set_spelled(("a", "m"), text)
    assert document.content == b"a:\n      z: 1\n      m:\n        # mine\n        x: |\n          y\n"


def test_what_would_say_something_else_in_its_new_place_is_spelled_otherwise() -> None:
    text = YamlDocument(b"a: >\n  one\n  two\n").spelled(("a",))
    document = YamlDocument(b"b:\n  c: 1\n    # a comment, and no third line\n")
    document.set_spelled(("a",), text or "")
    assert document.content == b'b:\n  c: 1\na: "one two\\n"\n    # a comment, and no third line\n'


def test_words_mean_what_their_reader_takes_them_for() -> None:
    document = YamlDocument(b"a: yes\nb: 'yes'\nc: ~\nd: 1.5\ne: 2001-12-14\nf: 012\n")
    found = {key: document.get((key,)) for key in "abcdef"}
    assert (found["a"], found["b"], found["c"], found["d"]) == (True, "yes", None, 1.5)
    assert found["e"] != "2001-12-14" and found["f"] != 12 and found["f"] != "012", (
        "what JSON cannot say equals nothing"
    )


# -- refusals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a: 1\n b: 2\n", "line 2, column 3: is not valid YAML"),
        (b"a: [1\nb: 2\n", "line 2, column 2: is not valid YAML"),
        (b"a:\n\t- b\n", "line 2, column 1: is not valid YAML"),
        (b'a: "x\n', "line 2, column 1: is not valid YAML"),
        (b"- a\n", "line 1, column 1: holds a list where a mapping must stand"),
        (b"\n\njust text\n", "line 3, column 1: holds a value where a mapping must stand"),
        (b"a: 1\n---\nb: 2\n", "line 2, column 1: holds more than one document"),
        (b"a: 1\nb: *x\n", "line 2, column 4: has an alias without an anchor"),
        (b"\xef\xbb\xbfa: }\n", "line 1, column 4: is not valid YAML"),
        (b"a: \x07\n", "line 1, column 4: holds a character that YAML forbids"),
        (b"a: \xff\n", "line 1, column 4: is not valid UTF-8"),
        (b"a: 1\n\x00", "line 2, column 1: holds a NUL byte"),
        (b"a: " + b"[" * 1_500, "nested too deeply"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused_with_line_and_column(content: bytes, said: str) -> None:
    with pytest.raises(DocumentError) as refused:
        YamlDocument(content)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("before", "path", "said"),
    [
        ("a: 1\n", ("a", "b"), "line 1, column 4, key a: holds a value where a mapping must stand"),
        ("a: null\n", ("a", "b"), "line 1, column 4, key a: holds a value where a mapping must stand"),
        ("a:\n- b: 1\n", ("a", "b"), "line 2, column 1, key a: holds a list where a mapping must stand"),
        ("a: 1\nx: 1\na: 2\n", ("a",), "line 3, column 1, key a: stands twice in the same mapping"),
        ("a: {x: 1}\n", ("a", "b"), "line 1, column 4, key a: is written in braces"),
        ("a: &x\n  b: 1\nc: *x\n", ("a", "b"), "line 1, column 4, key a: has an anchor"),
        ("c: &x {b: 1}\na: *x\n", ("a", "b"), "line 2, column 4, key a: has an alias"),
        ("a: &x 1\nc: *x\n", ("a",), "line 1, column 4, key a: has an anchor"),
        ("a: !mine 1\n", ("a",), "line 1, column 4, key a: has a tag"),
        ("b: &x {a: 1}\n<<: *x\n", ("a",), "line 2, column 1, key a: has keys from elsewhere (<<)"),
        ("a: |\n  x", ("b",), "key b: is written in a way that cannot be edited here"),
    ],
)
def test_what_cannot_be_edited_is_refused_with_its_place(before: str, path: tuple[str, ...], said: str) -> None:
    document = YamlDocument(before.encode())
    with pytest.raises(DocumentError) as refused:
        document.set(path, "v")
    assert said in str(refused.value)
    assert (document.content, document.undo) == (before.encode(), [])


def test_odd_forms_elsewhere_are_nobody_s_business() -> None:
    before = "%YAML 1.1\n---\nb: &x {c: 1, c: 2}\n? [complex, key]\n: <<: *x\nd: !mine\n  - *x\n1: one\n1: two\na: 1\n"
    assert _changed(before, ("set", ("a",), 2), ("set", ("new",), 3)) == before.replace("a: 1", "a: 2") + "new: 3\n"


def test_something_else_where_a_list_must_stand_is_refused() -> None:
    document = YamlDocument(b"a: x\n")
    for verb in ("add_element", "remove_element"):
        with pytest.raises(WrongContainer, match=r"line 1, column 4, key a: holds a value where a list must stand"):
            getattr(document, verb)(("a",), "x")


def test_blank_is_a_file_without_a_line() -> None:
    assert YamlDocument(YamlDocument.blank()).is_blank()
    assert YamlDocument("\ufeff\r\n".encode()).is_blank()
    assert not YamlDocument(b"# mine\n").is_blank()
    assert YamlDocument(b"a: {}\nb: []\nc:\n").is_empty_container(("a",))
    assert YamlDocument(b"a: {}\nb: []\nc:\n").is_empty_container(("b",))
    assert not YamlDocument(b"a: {}\nb: []\nc:\n").is_empty_container(("c",))


# -- properties --------------------------------------------------------------------------------------------------------


class _Text(yaml.SafeLoader):
    """Everything as it is spelled: numbers, dates and words are text."""


def _text(loader: yaml.SafeLoader, node: Any) -> str | None:
    return f"#{loader.construct_scalar(node)}" if node.value else None


for _tag in ("bool", "int", "float", "timestamp", "null"):
    _Text.add_constructor(f"tag:yaml.org,2002:{_tag}", _text)


def _read(content: bytes) -> Any:
    found = yaml.load(content.decode(), _Text)  # noqa: S506 # a safe one, too
    return found if isinstance(found, dict) else {}


@given(trees.yaml_texts, trees.edits)
def test_undo_is_exact_whatever_was_edited(content: bytes, edits: list[tuple[Any, ...]]) -> None:
    document = YamlDocument(content)
    for edit in edits:
        tried(document, edit)
    assert YamlDocument.reverted(document.content, json.loads(json.dumps(document.undo))) == content
    YamlDocument(document.content)


@given(trees.yaml_texts, trees.paths, trees.values)
def test_what_was_set_reads_back_and_nothing_else_has_changed(
    content: bytes, path: tuple[str, ...], value: Any
) -> None:
    document = YamlDocument(content)
    is_new = tried(document, ("get", path)) and document.get(path) is MISSING
    assume(tried(document, ("set", path, value)))
    assert same(document.get(path), value) and same(YamlDocument(document.content).get(path), value)
    assert same(at(yaml.safe_load(document.content.decode()), path), value)
    assert without(_read(document.content), path) == without(_read(content), path)
    went, _came = one_splice(content, document.content)
    assert not is_new or not went.strip() or went.strip() == b"{}", "a new key takes nothing away"
    again = YamlDocument(document.content)
    again.set(path, value)
    assert again.undo == []


@given(trees.yaml_texts, st.sampled_from(trees.KEYS), trees.values)
def test_a_new_key_set_and_removed_gives_the_bytes_back(content: bytes, key: str, value: Any) -> None:
    assume(content.endswith(b"\n"))
    document = YamlDocument(content)
    assume(document.get((key,)) is MISSING and tried(document, ("set", (key,), value)))
    document.remove((key,))
    assert document.content == content


@given(trees.yaml_texts, st.data())
def test_removing_takes_the_value_and_no_comment_of_others(content: bytes, data: st.DataObject) -> None:
    document = YamlDocument(content)
    there = [path for path in paths_in(_read(content)) if all(part in trees.KEYS for part in path)]
    path = data.draw(st.sampled_from(there or [("a",)]))
    assume(not isinstance(document.get(path), (dict, list)) and tried(document, ("remove", path)))
    assert document.get(path) is MISSING
    assert without(_read(document.content), path) == without(_read(content), path)
    for remark in (b"# top", b"# between", b"# at the margin"):
        assert document.content.count(remark) == content.count(remark)


@given(trees.yaml_texts, st.data(), trees.scalars)
def test_an_element_added_and_removed_gives_the_bytes_back(content: bytes, data: st.DataObject, one: Any) -> None:
    assume(content.endswith(b"\n"))
    document, read = YamlDocument(content), _read(content)
    lists = [path for path in paths_in(read) if isinstance(at(read, path), list) and at(read, path)]
    assume(lists)
    path = data.draw(st.sampled_from(lists))
    before = document.get(path)
    assume(not any(same(one, other) for other in before))
    document.add_element(path, one)
    assert same(document.get(path), [*before, one])
    document.remove_element(path, one)
    assert document.content == content


@given(st.binary(max_size=40) | st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_a_document_or_a_clear_error(content: bytes) -> None:
    try:
        document = YamlDocument(content)
    except DocumentError as error:
        assert str(error)
    else:
        assert document.content == content
        if not document.is_blank():
            yaml.compose(content.decode(), yaml.SafeLoader)
