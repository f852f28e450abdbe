# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""INI documents (``~/.databrickscfg``): other profiles, comments, order and alignment stay byte for byte."""

from __future__ import annotations

import configparser
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.documents import (
    MISSING,
    DocumentError,
    IniDocument,
)
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.unit.generated import INI_KEYS, INI_VALUES, SECTIONS, ini_texts, one_splice

GO_INI = """\
; The profile defined in the DEFAULT section is to be used as a fallback when no profile is explicitly specified.
[DEFAULT]

[__settings__]
auth_storage    = plaintext
default_profile = P

[P]
host         = https://dbc-1.cloud.databricks.com
account_id   = 1234
workspace_id = 99
auth_type    = databricks-cli
"""
"""What ``databricks auth login`` leaves: it writes the whole file anew."""


def edited(before: str, *edits: tuple[Any, ...]) -> str:
    document = IniDocument(before.encode())
    for verb, path, *value in edits:
        getattr(document, verb)(path, *value)
    after = document.content
    assert IniDocument.reverted(after, document.undo) == before.encode()
    return after.decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("", "[n]\nhost = h\n", id="empty"),
        pytest.param("\ufeff", "\ufeff[n]\nhost = h\n", id="BOM alone"),
        pytest.param("[a]\nx = 1\n", "[a]\nx = 1\n\n[n]\nhost = h\n", id="after another profile"),
        pytest.param("[a]\nx = 1", "[a]\nx = 1\n\n[n]\nhost = h\n", id="no final newline"),
        pytest.param("[a]\r\nx = 1\r\n", "[a]\r\nx = 1\r\n\r\n[n]\r\nhost = h\r\n", id="CRLF"),
        pytest.param("# only a comment\n", "# only a comment\n\n[n]\nhost = h\n", id="comment"),
        pytest.param("[n]\n", "[n]\nhost = h\n", id="empty section"),
        pytest.param("[n]", "[n]\nhost = h\n", id="header without newline"),
        pytest.param("[n]\n\n[b]\ny=2\n", "[n]\nhost = h\n\n[b]\ny=2\n", id="in the middle"),
        pytest.param(
            "[n]\na=1\n\n# about b\n[b]\n", "[n]\na=1\nhost=h\n\n# about b\n[b]\n", id="before blank and comment"
        ),
        pytest.param("[n]\na: 1\n", "[n]\na: 1\nhost: h\n", id="colon"),
        pytest.param("[n]\naccount   = 1\n", "[n]\naccount   = 1\nhost      = h\n", id="aligned"),
        pytest.param("[n]\n  a = 1\n", "[n]\n  a = 1\n  host = h\n", id="indented"),
        pytest.param("  [n]\n  a = 1\n", "  [n]\n  a = 1\n  host = h\n", id="indented header"),
        pytest.param("[n]\nhost = old ; why\n", "[n]\nhost = h\n", id="the value to the end of its line"),
        pytest.param("[n]\nHost=old\n", "[n]\nHost=h\n", id="keys are one whatever their case"),
        pytest.param("[n]\nhost =\n", "[n]\nhost =h\n", id="no value yet"),
        pytest.param("[n]\nhost = a\n   b\nx = 1\n", "[n]\nhost = h\nx = 1\n", id="continuation goes with its value"),
        pytest.param("stray = 1\n[n]\n", "stray = 1\n[n]\nhost = h\n", id="a key before any section"),
    ],
)
def test_a_key_is_written_as_the_file_is_written(before: str, after: str) -> None:
    assert edited(before, ("set", ("n", "host"), "h")) == after
    assert edited(after, ("set", ("n", "host"), "h")) == after


def test_a_profile_that_the_databricks_cli_rewrote_is_edited_in_place() -> None:
    assert edited(GO_INI, ("set", ("P", "host"), "https://other")) == GO_INI.replace(
        "https://dbc-1.cloud.databricks.com", "https://other"
    )
    assert edited(GO_INI, ("remove", ("P", "account_id"))) == GO_INI.replace("account_id   = 1234\n", "")
    assert edited(GO_INI, ("remove", ("P",))) == GO_INI[: GO_INI.index("\n[P]")]
    added = edited(GO_INI, ("set", ("n", "host"), "h"))
    assert added == GO_INI + "\n[n]\nhost = h\n"
    assert edited(added, ("remove", ("n",))) == GO_INI


def test_a_section_in_the_middle_goes_with_one_blank_line() -> None:
    before = "[a]\nx = 1\n\n[n]\nhost = h\n\n# about b\n[b]\ny = 2\n"
    assert edited(before, ("remove", ("n",))) == "[a]\nx = 1\n\n# about b\n[b]\ny = 2\n"


def test_a_removed_key_leaves_comments_where_they_are() -> None:
    before = "[n]\n# one\nhost = h\n; two\ntoken = t\n"
    assert edited(before, ("remove", ("n", "host"))) == "[n]\n# one\n; two\ntoken = t\n"
    assert edited(before, ("remove", ("n", "nothing"))) == before
    assert edited(before, ("remove", ("nobody",))) == before
    assert edited(before, ("remove", ("nobody", "x"))) == before


def test_values_are_read_as_configparser_reads_them() -> None:
    text = "[n]\nhost = https://h:443/?a=b \ntoken=  t # no comment\n  more : than one\nEmpty =\n[x]\n   key = v\n   second = w\n"
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    document = IniDocument(text.encode())
    for section in parser.sections():
        for key, value in parser[section].items():
            assert document.get((section, key)).split() == value.split(), (section, key)


def test_what_is_missing_is_missing_and_an_empty_value_is_a_value() -> None:
    document = IniDocument(b"[n]\nempty =\n")
    assert document.get(("n", "empty")) == ""
    assert document.get(("n", "no")) is MISSING
    assert document.get(("no", "no")) is MISSING
    assert document.get(("n",)) == {"empty": ""}
    assert document.get(("no",)) is MISSING


def test_blank_is_a_file_without_a_line() -> None:
    assert IniDocument(IniDocument.blank()).is_blank()
    assert IniDocument("\ufeff \r\n".encode()).is_blank()
    assert not IniDocument(b"# a comment\n").is_blank()
    assert IniDocument(b"[n]\n# note\n").is_empty_container(("n",))
    assert not IniDocument(b"[n]\na=\n").is_empty_container(("n",))
    assert not IniDocument(b"[n]\na=\n").is_empty_container(("m",))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[n]\nhost\n", "line 2, column 1: is neither a section, a key nor a comment"),
        (b"[n]\n= x\n", "line 2, column 1: is neither"),
        (b"[n\nhost = x\n", "line 1, column 1: is neither"),
        (b"\xef\xbb\xbf{\n}", "line 1, column 1: is neither"),
        (b"[n]\n\x00\n", "line 2, column 1: holds a NUL byte"),
        (b"[n]\nh = \xff\n", "line 2, column 5: is not valid UTF-8"),
    ],
)
def test_a_file_that_is_no_ini_is_refused_with_line_and_column(content: bytes, message: str) -> None:
    with pytest.raises(DocumentError) as refused:
        IniDocument(content)
    assert message in str(refused.value)


def test_what_stands_twice_on_the_way_is_refused_with_its_place() -> None:
    document = IniDocument(b"[n]\na = 1\n[m]\nb = 1\nB = 2\n[n]\nc = 1\n")
    for path, message in (
        (("n", "a"), "line 6, column 1, key n: stands twice"),
        (("m", "b"), "line 5, column 1, key m.b: stands twice in the same section"),
    ):
        for verb, arguments in (("get", ()), ("set", ("v",)), ("remove", ())):
            with pytest.raises(DocumentError) as refused:
                getattr(document, verb)(path, *arguments)
            assert message in str(refused.value)
    document.set(("m", "c"), "1")
    document.set(("o", "c"), "1")


def test_ini_has_no_lists() -> None:
    for verb in ("add_element", "remove_element"):
        with pytest.raises(DocumentError, match="has no lists"):
            getattr(IniDocument(b""), verb)(("a", "b"), "c")


# -- properties --------------------------------------------------------------------------------------------------------

_sections = st.sampled_from((*SECTIONS, "new"))
_keys = st.sampled_from((*INI_KEYS, "new"))
_values = st.sampled_from([value for value in INI_VALUES if value])
_edits = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.tuples(_sections, _keys), _values),
        st.tuples(st.just("remove"), st.tuples(_sections, _keys)),
        st.tuples(st.just("remove"), st.tuples(_sections)),
    ),
    max_size=6,
)


def _all(content: bytes) -> dict[tuple[str, str], str]:
    document = IniDocument(content)
    names = {section.name for section in document._sections()}
    return {(name, key): value for name in names for key, value in document.get((name,)).items()}


@given(ini_texts, _edits)
def test_undo_is_exact_whatever_was_edited(content: bytes, edits: list[tuple[Any, ...]]) -> None:
    document = IniDocument(content)
    for edit in edits:
        getattr(document, edit[0])(*edit[1:])
        IniDocument(document.content)
    assert IniDocument.reverted(document.content, document.undo) == content


@given(ini_texts, _sections, _keys, _values)
def test_what_was_set_reads_back_and_no_line_of_others_changes(
    content: bytes, section: str, key: str, value: str
) -> None:
    before = _all(content)
    document = IniDocument(content)
    old = document.get((section, key))
    document.set((section, key), value)
    after = _all(document.content)
    assert document.get((section, key)) == value
    assert {path: one for path, one in after.items() if path != (section, key)} == {
        path: one for path, one in before.items() if path != (section, key)
    }
    went, _came = one_splice(content, document.content)
    assert len(went) <= (0 if old is MISSING else len(old.encode()))


@given(ini_texts, _sections, _keys, _values)
def test_a_new_key_set_and_removed_gives_the_bytes_back(content: bytes, section: str, key: str, value: str) -> None:
    document = IniDocument(content)
    assume(document.get((section, key)) is MISSING)
    assume(not content or content.endswith(b"\n"))
    made = document.get((section,)) is MISSING
    document.set((section, key), value)
    document.remove((section, key))
    if made:
        document.remove((section,))
    assert document.content == content


@given(ini_texts, _sections)
def test_a_removed_section_takes_its_own_lines_only(content: bytes, section: str) -> None:
    document = IniDocument(content)
    before = _all(content)
    document.remove((section,))
    assert _all(document.content) == {path: value for path, value in before.items() if path[0] != section}
    assert document.get((section,)) is MISSING


@given(st.binary(max_size=60) | st.text("[]=:#; \t\r\nab\ufeff", max_size=40).map(str.encode), _values)
def test_any_bytes_are_a_document_or_a_clear_error(content: bytes, value: str) -> None:
    try:
        document = IniDocument(content)
    except DocumentError as error:
        assert str(error)
        return
    assert document.content == content
    document.set(("new profile", "host"), value)
    assert IniDocument(document.content).get(("new profile", "host")) == value
    assert IniDocument.reverted(document.content, document.undo) == content
