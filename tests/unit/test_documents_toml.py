# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""TOML documents (``~/.codex/config.toml``): an edit touches what it must, everything else stays byte for byte."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.documents import (
    MISSING,
    DocumentError,
    TomlDocument,
    WrongContainer,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.documents.json_document import same
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.unit import generated_trees as trees
from tests.unit.generated import one_splice
from tests.unit.trees import at, edited, paths_in, tried, without


def _changed(before: str, *edits: tuple[Any, ...]) -> str:
    return edited(TomlDocument, before, *edits)


CODEX = """\
# mine
model = "gpt-5"   # the best

[projects."/home/ada/x"]
trust_level = "trusted"

[model_providers.mine]
name = "Mine"
"""


def test_keys_are_put_where_their_table_is_and_tables_at_the_end() -> None:
    after = _changed(
        CODEX,
        ("set", ("model",), "system.ai.gpt"),
        ("set", ("model_provider",), "databricks"),
        ("set", ("model_providers", "databricks", "name"), "Databricks"),
        ("set", ("model_providers", "databricks", "auth", "args"), ["a", "b"]),
        ("set", ("model_providers", "mine", "wire_api"), "responses"),
    )
    assert after == (
        '# mine\nmodel = "system.ai.gpt"   # the best\nmodel_provider = "databricks"\n\n'
        '[projects."/home/ada/x"]\ntrust_level = "trusted"\n\n'
        '[model_providers.mine]\nname = "Mine"\nwire_api = "responses"\n\n'
        '[model_providers.databricks]\nname = "Databricks"\n\n'
        '[model_providers.databricks.auth]\nargs = ["a", "b"]\n'
    )


@pytest.mark.parametrize(
    ("before", "path", "value", "after"),
    [
        ("", ("a",), 1, "a = 1\n"),
        ("", ("a", "b", "c"), 1, "[a.b]\nc = 1\n"),
        ("\ufeff", ("a",), "x", '\ufeffa = "x"\n'),
        ("# only this\n", ("a",), 1, "# only this\na = 1\n"),
        ("[t]\nx = 1\n", ("a",), 1, "a = 1\n\n[t]\nx = 1\n"),
        ("\ufeff[t]\r\nx = 1\r\n", ("a",), 1, "\ufeffa = 1\r\n\r\n[t]\r\nx = 1\r\n"),
        ("b=2", ("a",), 1, "b=2\na=1\n"),
        ("[t]\n  x = 1\n\n[u]\n", ("t", "y"), 1, "[t]\n  x = 1\n  y = 1\n\n[u]\n"),
        ("[t]\n[u]\n", ("t", "y"), 1, "[t]\ny = 1\n[u]\n"),
        ("[t.u]\nx = 1\n", ("t", "y"), 1, "[t.u]\nx = 1\n\n[t]\ny = 1\n"),
        ("t.x = 1\nz = 1\n", ("t", "y"), 1, "t.x = 1\nt.y = 1\nz = 1\n"),
        ("[s]\nt.x = 1\n", ("s", "t", "u", "y"), 1, "[s]\nt.x = 1\nt.u.y = 1\n"),
        ("t = {}\n", ("t", "y"), 1, "t = { y = 1 }\n"),
        ("t = {x = 1} # c\n", ("t", "y"), 1, "t = {x = 1, y = 1} # c\n"),
        ("t = { x = { a = 1 } }\n", ("t", "x", "b", "c"), 1, "t = { x = { a = 1, b.c = 1 } }\n"),
        ("\"t\" . 'x' = 1\n", ("t", "x"), 2, "\"t\" . 'x' = 2\n"),
        ("[t]\nx = '''\n[no]\n'''\n", ("t", "y"), 1, "[t]\nx = '''\n[no]\n'''\ny = 1\n"),
        ('x = """\n# a\n""" # c\n', ("x",), "y", 'x = "y" # c\n'),
        ("x = [\n 1, # one\n]\n", ("x",), [2], "x = [2]\n"),
        ("x = 1\n", ("a b",), {"c": [True, {"d.e": 1.5}]}, 'x = 1\n"a b" = { c = [true, { "d.e" = 1.5 }] }\n'),
        ("[[l]]\nx = 1\n", ("t", "y"), 1, "[[l]]\nx = 1\n\n[t]\ny = 1\n"),
    ],
)
def test_a_key_is_set_in_every_form_of_table(before: str, path: tuple[str, ...], value: Any, after: str) -> None:
    assert _changed(before, ("set", path, value)) == after
    assert same(at(tomllib.loads(after.removeprefix("\ufeff")), path), value)
    assert _changed(after, ("set", path, value)) == after


@pytest.mark.parametrize(
    ("before", "path", "after"),
    [
        ("a = 1 # c\nb = 2\n", ("a",), "b = 2\n"),
        ("a = 1\n\n[t]\nx = 1\n", ("a",), "[t]\nx = 1\n"),
        ("# c\na = [\n  1,\n]\n# d\n", ("a",), "# c\n# d\n"),
        ("[t]\nx = 1\n", ("t", "x"), "[t]\n"),
        ("a = 1\n\n[t]\n\n[u]\n", ("t",), "a = 1\n\n[u]\n"),
        ("[t]\nx = 1\n# mine\n[t.u]\ny = 1\n[v]\n", ("t",), "# mine\n[v]\n"),
        ("t.x = 1\nt.y = 2\nz = 3\n", ("t",), "z = 3\n"),
        ("t = { x = 1, y = 2, z = 3 }\n", ("t", "y"), "t = { x = 1, z = 3 }\n"),
        ("t = { x = 1, y = 2 }\n", ("t", "y"), "t = { x = 1 }\n"),
        ("t = { x = 1 }\n", ("t", "x"), "t = {}\n"),
        ("t = { x.a = 1, y = 2, x.b = 3 }\n", ("t", "x"), "t = { y = 2 }\n"),
        ("[[l]]\nx = 1\n[l.m]\n[[l]]\n[t]\n", ("l",), "[t]\n"),
        ("a = 1\n", ("b", "c"), "a = 1\n"),
    ],
)
def test_a_key_is_taken_out_of_every_form_of_table(before: str, path: tuple[str, ...], after: str) -> None:
    assert _changed(before, ("remove", path)) == after
    tomllib.loads(after)


@pytest.mark.parametrize(
    ("before", "added"),
    [
        ("l = []\n", 'l = ["n"]\n'),
        ('l = ["x"]\n', 'l = ["x", "n"]\n'),
        ('l = ["x",]\n', 'l = ["x", "n",]\n'),
        ('l = [\n  "x", # one\n  "y" # two\n]\n', 'l = [\n  "x", # one\n  "y", # two\n  "n"\n]\n'),
        ('l = [\n  "x", # one\n]\n', 'l = [\n  "x", # one\n  "n",\n]\n'),
        ("l = [ # none\n]\n", 'l = [ # none\n  "n"\n]\n'),
        ('l = ["x" # one\n]\n', 'l = ["x", # one\n"n"\n]\n'),
    ],
)
def test_elements_are_added_once_and_taken_out_alone(before: str, added: str) -> None:
    assert _changed(before, ("add_element", ("l",), "n"), ("add_element", ("l",), "n")) == added
    after = _changed(added, ("remove_element", ("l",), "n"))
    assert tomllib.loads(after) == tomllib.loads(before)
    assert after.count("#") == before.count("#")
    assert _changed("", ("add_element", ("t", "l"), "n")) == '[t]\nl = ["n"]\n'


def test_what_a_file_spells_in_its_own_way_comes_back_so() -> None:
    before = "d = 1979-05-27 07:32:00\nn = 1_000\ns = '''\nx'''\nt = {x=1} # c\n\n[p.q] # mine\ny = 0x1F\n# end\n"
    document = TomlDocument(before.encode())
    paths = [("d",), ("n",), ("s",), ("t",), ("p", "q")]
    texts = {path: document.spelled(path) for path in paths}
    assert texts["d",] == "1979-05-27 07:32:00" and texts["p", "q"] == "\n[p.q] # mine\ny = 0x1F\n"
    json.dumps({".".join(path): document.get(path) for path in paths})
    for path in paths:
        document.remove(path)
    for path, text in texts.items():
        assert text is not None
        document.set_spelled(path, text)
    assert tomllib.loads(document.content.decode()) == tomllib.loads(before)
    assert all(document.spelled(path) == text for path, text in texts.items())
    assert TomlDocument(b'a = "x"\n').spelled(("a",)) is None


def test_a_date_is_no_text() -> None:
    assert _changed("d = 1979-05-27\n", ("set", ("d",), "1979-05-27")) == 'd = "1979-05-27"\n'


# -- refusals ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (b"a = 1\na = 2\n", "line 2, column 6"),
        (b"[t]\n[u]\n[t]\n", "line 3, column 3"),
        (b"t.x = 1\n[t]\n", "line 2, column 3"),
        (b"a = \n", "line 1, column 5"),
        (b"x = 1\n[t\n", "line 2, column 3"),
        (b"a = 'x\n", "line 2, column 1"),
        (b"\xef\xbb\xbfa = 1 b\n", "line 1, column 7"),
        (b"a = '''x", "line 1, column 9"),
        (b"a = \xff\n", "line 1, column 5"),
        (b"a = 1\n\x00", "line 2, column 1"),
        (b"a = " + b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused_with_line_and_column(content: bytes, where: str) -> None:
    with pytest.raises(DocumentError) as refused:
        TomlDocument(content)
    assert where in str(refused.value)


@pytest.mark.parametrize(
    ("before", "path", "value", "said"),
    [
        ("a = 1\n", ("a", "b"), 1, "line 1, column 5, key a: holds a number where a table must stand"),
        ("[t]\na = [1]\n", ("t", "a", "b"), 1, "line 2, column 5, key t.a: holds a list where a table must stand"),
        ("[[l]]\nx = 1\n", ("l", "x"), 1, "line 1, column 3, key l: holds a list where a table must stand"),
        ("\n[t]\nx = 1\n", ("t",), "v", "line 2, column 2, key t: is a table of its own, or a list of them"),
        ("t.x = 1\n", ("t",), "v", "line 1, column 1, key t: is a table of its own, or a list of them"),
        ("[[l]]\n", ("l",), "v", "line 1, column 3, key l: is a table of its own, or a list of them"),
        ("", ("a",), None, "key a: is to hold a value for which TOML has no word"),
        ("", ("a",), 1 << 63, "key a: is to hold a value for which TOML has no word"),
        ("", ("a",), ["\ud83d"], "key a: is to hold a value for which TOML has no word"),
    ],
)
def test_what_cannot_be_edited_is_refused_with_its_place(
    before: str, path: tuple[str, ...], value: Any, said: str
) -> None:
    document = TomlDocument(before.encode())
    with pytest.raises(DocumentError) as refused:
        document.set(path, value)
    assert said in str(refused.value)
    assert (document.content, document.undo) == (before.encode(), [])


def test_lists_are_lists_and_lists_of_tables_stay_as_they_are() -> None:
    document = TomlDocument(b'a = "x"\n[[l]]\nx = 1\n')
    for verb in ("add_element", "remove_element"):
        with pytest.raises(WrongContainer, match=r"line 1, column 5, key a: holds a string where a list must stand"):
            getattr(document, verb)(("a",), "x")
        with pytest.raises(DocumentError, match=r"line 2, column 3, key l: is a list of tables"):
            getattr(document, verb)(("l",), {"x": 2 if verb == "add_element" else 1})
    assert document.undo == []


def test_blank_is_a_file_without_a_line() -> None:
    assert TomlDocument(TomlDocument.blank()).is_blank()
    assert TomlDocument("\ufeff\r\n".encode()).is_blank()
    assert not TomlDocument(b"# mine\n").is_blank()
    assert TomlDocument(b"[t]\nl = []\nx = 1\n").is_empty_container(("t", "l"))
    assert not TomlDocument(b"[t]\nl = []\nx = 1\n").is_empty_container(("t",))
    assert TomlDocument(b"[t]\n").is_empty_container(("t",))


# -- properties --------------------------------------------------------------------------------------------------------


def _read(content: bytes) -> dict[str, Any]:
    return tomllib.loads(content.decode("utf-8-sig"), parse_float=str)


def _of(content: bytes) -> TomlDocument:
    try:
        _read(content)
    except tomllib.TOMLDecodeError:
        assume(False)
    return TomlDocument(content)


@given(trees.toml_texts, trees.edits)
def test_undo_is_exact_whatever_was_edited(content: bytes, edits: list[tuple[Any, ...]]) -> None:
    document = _of(content)
    for edit in edits:
        tried(document, edit)
    assert TomlDocument.reverted(document.content, json.loads(json.dumps(document.undo))) == content
    _read(document.content)


@given(trees.toml_texts, trees.paths, trees.values)
def test_what_was_set_reads_back_and_nothing_else_has_changed(
    content: bytes, path: tuple[str, ...], value: Any
) -> None:
    document = _of(content)
    is_new = tried(document, ("get", path)) and document.get(path) is MISSING
    assume(tried(document, ("set", path, value)))
    after = _read(document.content)
    assert same(document.get(path), value) and same(TomlDocument(document.content).get(path), value)
    assert without(after, path) == without(_read(content), path)
    went, _came = one_splice(content, document.content)
    assert not is_new or not went.strip(), "a new key takes nothing away"
    again = TomlDocument(document.content)
    again.set(path, value)
    assert again.undo == []


@given(trees.toml_texts, trees.paths, trees.values)
def test_a_new_key_can_be_set_wherever_there_is_no_other_value(
    content: bytes, path: tuple[str, ...], value: Any
) -> None:
    document = _of(content)
    assume(tried(document, ("get", path)) and document.get(path) is MISSING)
    document.set(path, value)
    assert same(document.get(path), value)


@given(trees.toml_texts, st.sampled_from(trees.KEYS), trees.values)
def test_a_new_key_set_and_removed_gives_the_bytes_back(content: bytes, key: str, value: Any) -> None:
    assume(content.endswith(b"\n"))
    document = _of(content)
    assume(document.get((key,)) is MISSING)
    document.set((key,), value)
    document.remove((key,))
    assert document.content == content


@given(trees.toml_texts, st.data())
def test_removing_takes_the_value_and_no_comment_on_another_line(content: bytes, data: st.DataObject) -> None:
    document = _of(content)
    there = paths_in(_read(content))
    assume(there)
    path = data.draw(st.sampled_from(there))
    document.remove(path)
    assert document.get(path) is MISSING
    assert without(_read(document.content), path) == without(_read(content), path)
    for remark in (b"# top", b"# about what follows", b"# between"):
        assert document.content.count(remark) == content.count(remark)


@given(st.binary(max_size=40) | st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_a_document_or_a_clear_error(content: bytes) -> None:
    try:
        document = TomlDocument(content)
    except DocumentError as error:
        assert str(error)
    else:
        assert document.content == content
        _read(content)
