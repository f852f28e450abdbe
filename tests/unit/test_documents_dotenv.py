# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dotenv documents (``~/.gemini/.env``, ``~/.hermes/.env``): one value is edited, everything else stays byte for byte."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.documents import (
    MISSING,
    DocumentError,
    DotenvDocument,
)
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.unit.generated import one_splice
from tests.unit.generated_lines import NAMES, dotenv_texts, dotenv_values


def edited(before: str, *edits: tuple[str, str, Any] | tuple[str, str]) -> str:
    document = DotenvDocument(before.encode())
    for verb, name, *value in edits:
        getattr(document, verb)((name,), *value)
    assert DotenvDocument.reverted(document.content, document.undo) == before.encode()
    return document.content.decode()


def value_of(text: str) -> Any:
    return DotenvDocument(text.encode()).get(("N",))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("N=v", "v"),
        ("N=", ""),
        ("N= \t", ""),
        ("N=''", ""),
        ("  export  N = v  ", "v"),
        ("export\tN=v", "v"),
        ("N=a b", "a b"),
        ("N=a=b==", "a=b=="),
        ("N=a # why", "a"),
        ("N=a\t#why", "a"),
        ("N=a#b", "a#b"),
        ("N= # why", ""),
        ("N='a # b'", "a # b"),
        ('N="a # b"# why', "a # b"),
        ("N='a\\'b'", "a'b"),
        ("N='a\\\\b\\n'", "a\\b\\n"),
        ('N="a\\"b\\\\c\\n\\t\\x"', 'a"b\\c\n\t\\x'),
        ('N="one\ntwo" # why\nM=1', "one\ntwo"),
        ("N='one\r\ntwo'\r\nM=1\r\n", "one\r\ntwo"),
        ("N=${HOME}/x", "${HOME}/x"),
        ("N=it's", "it's"),
        ("N=`a b`", "`a b`"),
        ("\ufeffN=v\n", "v"),
        ("M=1\rN=v\rO=2", "v"),
        ("#N=v", MISSING),
        ("N", MISSING),
        ("export N", MISSING),
        ("N: v", MISSING),
        ("M='\nN=v\n'", MISSING),
        ("NN=1\nn=2", MISSING),
    ],
)
def test_values_are_read_as_python_dotenv_reads_them(text: str, value: Any) -> None:
    assert value_of(text) == value


@pytest.mark.parametrize(
    ("before", "value", "after"),
    [
        ("N=old\n", "new", "N=new\n"),
        ("  export N =  old   # why\n", "new", "  export N =  new   # why\n"),
        ("N='old' # why", "new", "N='new' # why"),
        ('N="old"# why', "new", 'N="new"# why'),
        ('N="old"# why', "", 'N=""# why'),
        ('N="old"# why', 'it\'s \\ "a"', 'N=it\'s \\ "a" # why'),
        ("N='it\\'s'# why", "a\\b", "N='a\\b'# why"),
        ("N=old # why\n", "a b", 'N="a b" # why\n'),
        ("N=old\r\nM=1\r\n", "new", "N=new\r\nM=1\r\n"),
        ("N= # why\n", "v", "N=v # why\n"),
        ("N = \n", "v", "N =v \n"),
        ('N="one\ntwo"\nM=1\n', "v", 'N="v"\nM=1\n'),
        ("N='old'\n", "it's", 'N="it\'s"\n'),
        ('N="old"\n', "a$b", "N='a$b'\n"),
        ('N="old"\n', 'say "a"', "N='say \"a\"'\n"),
        ("N=old\n", "a\nb", 'N="a\\nb"\n'),
        ("N=old\n", 'it\'s "a" \\b', 'N=it\'s "a" \\b\n'),
        ("N=old\n", ' it\'s "a"', 'N=" it\'s \\"a\\""\n'),
        ('N="a" # why\n', "a", 'N="a" # why\n'),
    ],
)
def test_a_value_is_set_where_it_stands_and_as_it_was_spelled(before: str, value: str, after: str) -> None:
    assert edited(before, ("set", "N", value)) == after
    assert edited(after, ("set", "N", value)) == after
    assert value_of(after) == value


@pytest.mark.parametrize(
    ("before", "value", "after"),
    [
        ("", "v", "N=v\n"),
        ("\ufeff", "v", "\ufeffN=v\n"),
        ("M=1\n", "v", "M=1\nN=v\n"),
        ("M=1", "v", "M=1\nN=v\n"),
        ("M=1\r\n", "v", "M=1\r\nN=v\r\n"),
        ("export M=1\n# end\n", "v", "export M=1\n# end\nexport N=v\n"),
        ("M=1\n", "", 'M=1\nN=""\n'),
        ("M=1\n", "https://w/x?a=1&b=2", 'M=1\nN="https://w/x?a=1&b=2"\n'),
        ("M=1\n", "a#b", 'M=1\nN="a#b"\n'),
        ("M=1\n", "C:\\x", "M=1\nN='C:\\x'\n"),
    ],
)
def test_a_new_name_goes_to_the_end_and_is_quoted_when_it_must_be(before: str, value: str, after: str) -> None:
    assert edited(before, ("set", "N", value)) == after


def test_a_removed_name_takes_its_lines_and_no_comment() -> None:
    before = '# one\nN="a\nb" # two\n# three\nM=1\n'
    assert edited(before, ("remove", "N")) == "# one\n# three\nM=1\n"
    assert edited(before, ("remove", "X")) == before
    assert edited("M=1\nN=v", ("remove", "N")) == "M=1\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'M=1\nN="open\nX=2\n', 'line 2, column 3: opens a quote (") that is not closed'),
        (b"M=1\n  N = 'it's'\n", "line 2, column 7: opens a quote (') that is not closed"),
        (b'N="a" b\n', "line 1, column 3: opens a quote"),
        (b"N='C:\\dir\\'\n", "line 1, column 3: opens a quote"),
        (b"N=`open\n`\n", "line 1, column 3: opens a back quote"),
        (b"\xef\xbb\xbfN='open\n", "line 1, column 3: opens a quote"),
        (b"N=a\nM=\xff\n", "line 2, column 3: is not valid UTF-8"),
        (b"N=a\x00\n", "line 1, column 4: holds a NUL byte"),
    ],
)
def test_a_broken_quote_is_refused_with_line_and_column(content: bytes, message: str) -> None:
    with pytest.raises(DocumentError) as refused:
        DotenvDocument(content)
    assert message in str(refused.value)


def test_a_name_that_stands_twice_is_refused_with_its_line_on_our_way_only() -> None:
    document = DotenvDocument(b"N=1\nM=1\nexport N=2\n")
    for verb, arguments in (("get", ()), ("set", ("v",)), ("remove", ())):
        with pytest.raises(DocumentError, match=r"^line 3, column 1, key N: stands twice$"):
            getattr(document, verb)(("N",), *arguments)
    document.set(("M",), "2")
    assert document.content == b"N=1\nM=2\nexport N=2\n"


def test_what_cannot_be_said_in_a_dotenv_file_is_refused() -> None:
    document = DotenvDocument(b"N='1'\n")
    for path, value, message in (
        (("N",), 1, "can hold text only"),
        (("a b",), "v", "is no name of a variable"),
        (("1x",), "v", "is no name of a variable"),
        (("N", "x"), "v", "has one level"),
        ((), "v", "has one level"),
        (("N",), 'it\'s "a"\n\\', "cannot be written so that a program would read it again"),
    ):
        with pytest.raises(DocumentError, match=message):
            document.set(path, value)
    for verb in ("add_element", "remove_element"):
        with pytest.raises(DocumentError, match="has no lists"):
            getattr(document, verb)(("N",), "x")
    assert document.content == b"N='1'\n" and document.undo == []


def test_blank_is_a_file_without_a_line() -> None:
    assert DotenvDocument(DotenvDocument.blank()).is_blank()
    assert DotenvDocument("\ufeff \r\n".encode()).is_blank()
    assert not DotenvDocument(b"# a comment\n").is_blank()
    assert not DotenvDocument(b"N=\n").is_empty_container(("N",))


def test_a_shell_that_sources_the_file_reads_what_we_wrote(tmp_path: Any) -> None:
    """Bare, single and double quotes mean the same to a shell, but for newlines, which it does not know by name."""
    values = ["v", "", "a b", "https://w/x?a=1&b=2#c", "it's", 'say "a"', "$HOME `id` $(id)", "C:\\x", "~", "*", "!"]
    document = DotenvDocument(b"")
    for number, value in enumerate(values):
        document.set((f"N{number}",), value)
    (tmp_path / "env").write_bytes(document.content)
    printed = "".join(f"printf '%s\\0' \"$N{number}\"; " for number in range(len(values)))
    for shell in filter(shutil.which, ("sh", "dash", "bash", "zsh")):
        done = subprocess.run([shell, "-c", f". {tmp_path}/env; {printed}"], capture_output=True, text=True, check=True)
        assert done.stdout.split("\0")[:-1] == values, shell


@pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")
def test_node_s_own_reader_reads_what_we_wrote(tmp_path: Any) -> None:
    values = [
        "v",
        "",
        "a b",
        "https://w/x?a=1&b=2#c",
        "it's",
        'say "a"',
        "$HOME",
        "C:\\x",
        "a\nb",
        " a ",
        "é日",
        "a\\b'c",
    ]
    document = DotenvDocument(b"")
    for number, value in enumerate(values):
        document.set((f"N{number}",), value)
    (tmp_path / "env").write_bytes(document.content)
    script = "const u = require('util'), f = require('fs'); if (u.parseEnv) " + (
        "process.stdout.write(JSON.stringify(u.parseEnv(f.readFileSync(process.argv[1], 'utf8'))))"
    )
    done = subprocess.run(["node", "-e", script, tmp_path / "env"], capture_output=True, text=True, check=True)
    if not done.stdout:
        pytest.skip("this Node.js (before 20.12) has no reader of its own")
    assert json.loads(done.stdout) == {f"N{number}": value for number, value in enumerate(values)}


# -- properties --------------------------------------------------------------------------------------------------------

_names = st.sampled_from((*NAMES, "NEW"))
_edits = st.lists(
    st.one_of(st.tuples(st.just("set"), _names, dotenv_values), st.tuples(st.just("remove"), _names)), max_size=6
)


def _all(content: bytes) -> dict[str, str]:
    return {entry.name: entry.value for entry in DotenvDocument(content)._entries()}


@given(dotenv_texts, _edits)
def test_undo_is_exact_whatever_was_edited(content: bytes, edits: list[tuple[Any, ...]]) -> None:
    document = DotenvDocument(content)
    for verb, name, *value in edits:
        getattr(document, verb)((name,), *value)
        DotenvDocument(document.content)
    assert DotenvDocument.reverted(document.content, document.undo) == content


@given(dotenv_texts, _names, dotenv_values)
def test_what_was_set_reads_back_and_nothing_else_changes(content: bytes, name: str, value: str) -> None:
    before = _all(content)
    document = DotenvDocument(content)
    entry = document._entry((name,))
    document.set((name,), value)
    assert _all(document.content) == {**before, name: value}
    went, _came = one_splice(content, document.content)
    assert len(went) <= (0 if entry is None else len(document.undo and document.undo[0][2].encode()))
    again = DotenvDocument(document.content)
    again.set((name,), value)
    assert again.undo == []


@given(dotenv_texts, _names, dotenv_values)
def test_a_new_name_set_and_removed_gives_the_bytes_back(content: bytes, name: str, value: str) -> None:
    document = DotenvDocument(content)
    assume(document.get((name,)) is MISSING)
    assume(not content or content.endswith(b"\n") or content == "\ufeff".encode())
    document.set((name,), value)
    document.remove((name,))
    assert document.content == content


@given(dotenv_texts, _names)
def test_removing_takes_one_name_and_nothing_else(content: bytes, name: str) -> None:
    before = _all(content)
    document = DotenvDocument(content)
    document.remove((name,))
    assert _all(document.content) == {other: value for other, value in before.items() if other != name}


@given(st.binary(max_size=60) | st.text("N=#'\"\\` \t\r\nx\ufeff", max_size=40).map(str.encode), dotenv_values)
def test_any_bytes_are_a_document_or_a_clear_error(content: bytes, value: str) -> None:
    try:
        document = DotenvDocument(content)
    except DocumentError as error:
        assert str(error)
        return
    assert document.content == content
    before = _all(content)
    document.set(("new",), value)
    assert _all(document.content) == {**before, "new": value}
    assert DotenvDocument.reverted(document.content, document.undo) == content
