# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""TOML, YAML and JSON with comments in the engine: the way there and back, what needs a parser and what does not, and diffs."""

from __future__ import annotations

import itertools
import json
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine import diffs
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.documents import (
    FORMATS,
    LibraryNeeded,
    libraries,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.masking import masked_pair
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ownership import Plan, Wanted, plan
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.past import Entry
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from hypothesis import assume, given

from tests.unit import generated_trees as trees
from tests.unit.trees import without_libraries

FILES = {
    "toml": b'# mine\nmodel = "theirs" # why\nlist = ["x"]\n\n[old]\nkey = 2001-12-14\n\n[own]\nx = 1_000\n',
    "yaml": b"# mine\nmodel: theirs # why\nlist:\n- x\nold:\n  key: 2001-12-14\nown: {x: 0x1F}\n",
    "jsonc": b'{\n  // mine\n  "model": "theirs", // why\n  "list": ["x"],\n  "old": {"key": 1.10},\n  "own": {"x": 1e5,},\n}\n',
}
kinds = pytest.mark.parametrize("kind", FILES)


class File:
    """A file in memory with the ledger's record of it."""

    def __init__(self, kind: str, content: bytes | None) -> None:
        self.kind = kind
        self.content = content
        self.entry: Entry | None = None

    def plan(self, wanted: Wanted | None) -> Plan:
        mode = None if self.content is None else 0o644
        return plan("/h/file", self.content, mode, self.entry, wanted, "5a17")

    def bring(self, wanted: Wanted | None) -> Plan:
        made = self.plan(wanted)
        self.content = made.after
        kept = made.entry or (made.former if wanted is None else None)
        self.entry = None if kept is None else json.loads(json.dumps(kept))
        return made


def wanted(kind: str, model: str = "ours", **more: Any) -> Wanted:
    values = {("model",): model, ("providers", "databricks", "url"): "https://w"}
    return Wanted(
        "/h/file", kind, "x", values=values, elements={("list",): ("n",)}, superseded=(("old", "key"),), **more
    )


@pytest.fixture
def old_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host whose Python has no ``tomllib``."""
    monkeypatch.setattr(libraries, "sys", SimpleNamespace(version_info=(3, 9)))


# -- there and back ----------------------------------------------------------------------------------------------------


@kinds
@pytest.mark.parametrize("found", ["a file", "no file"])
def test_install_change_and_uninstall_is_byte_identical(kind: str, found: str) -> None:
    before = FILES[kind] if found == "a file" else None
    file = File(kind, before)
    file.bring(wanted(kind))
    assert file.content is not None and file.content != before
    document = FORMATS[kind](file.content)
    assert (document.get(("model",)), document.get(("providers", "databricks", "url"))) == ("ours", "https://w")
    assert document.get(("list",))[-1] == "n" and not isinstance(document.get(("old", "key")), (str, float))
    file.bring(wanted(kind, "another"))
    file.bring(None)
    assert file.content == before


@kinds
def test_where_somebody_edits_in_between_only_ours_goes(kind: str) -> None:
    file = File(kind, FILES[kind])
    file.bring(wanted(kind))
    assert file.content is not None
    theirs = FORMATS[kind](file.content)
    theirs.set(("own", "y") if kind != "yaml" else ("theirs",), 2)
    file.content = theirs.content
    made = file.bring(None)
    assert file.content is not None and made.changed
    expected = FORMATS[kind](FILES[kind])
    expected.set(("own", "y") if kind != "yaml" else ("theirs",), 2)
    document = FORMATS[kind](file.content)
    for path in (("model",), ("list",), ("own",), ("old",), ("providers",), ("theirs",)):
        assert document.get(path) == expected.get(path), path
        assert document.spelled(path) == expected.spelled(path) or path == ("old",)
    assert document.spelled(("old", "key")) == expected.spelled(("old", "key")), "as they had spelled it"
    assert b"mine" in file.content and b"why" in file.content


@kinds
def test_a_broken_file_is_refused_and_can_be_put_aside(kind: str) -> None:
    broken = File(kind, b"\n{[\n")
    with pytest.raises(OperatorError, match=r"^/h/file: line \d, column \d: is not valid"):
        broken.plan(wanted(kind))
    made = broken.plan(wanted(kind, replace_unreadable=True))
    assert made.backup and made.after is not None
    assert FORMATS[kind](made.after).get(("model",)) == "ours"


# -- what needs a parser -----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("old_python")
@pytest.mark.parametrize("kind", ["toml", "yaml"])
def test_only_what_was_changed_is_parsed_again(kind: str) -> None:
    file = File(kind, FILES[kind])
    with without_libraries(), pytest.raises(LibraryNeeded):
        file.plan(wanted(kind))
    file.bring(wanted(kind))
    before = file.content
    with without_libraries():
        again = file.bring(wanted(kind))
        assert not again.changed and not again.changes and again.entry is not None
        for other in (
            wanted(kind, "another"),
            wanted(kind).replaced(elements={}),
            wanted(kind).replaced(superseded=(("own", "x"), ("old", "key"))),
            wanted(kind).replaced(as_good={("model",): "theirs"}),
        ):
            with pytest.raises(LibraryNeeded):
                file.plan(other)
        file.content = (before or b"") + b"# theirs\n"
        for one in (wanted(kind), None):
            with pytest.raises(LibraryNeeded):
                file.plan(one)
        file.content = before
        file.bring(None)
    assert file.content == FILES[kind], "the exact way back needs none"


@pytest.mark.usefixtures("old_python")
@pytest.mark.parametrize("kind", ["toml", "yaml"])
def test_a_file_that_nothing_of_ours_is_in_is_parsed_when_its_owner_has_changed_it(kind: str) -> None:
    file = File(kind, FILES[kind])
    file.bring(wanted(kind))
    file.bring(None)
    assert file.entry is not None and file.entry["gone"]
    with without_libraries():
        assert not file.plan(None).changed and file.plan(None).former == file.entry
        file.content = FILES[kind].replace(b"theirs", b"ours")
        with pytest.raises(LibraryNeeded):
            file.plan(None)
    assert file.bring(None).changes == ["model taken out: an earlier rollout had set it"]
    assert file.content == FILES[kind]


@pytest.mark.parametrize("kind", ["json", "ini", "dotenv"])
def test_what_was_left_is_not_even_read_for_the_other_formats(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    key = {"json": ("a",), "ini": ("a", "b"), "dotenv": ("A",)}[kind]
    asked = Wanted("/h/file", kind, "x", values={key: "v"})
    file = File(kind, None)
    file.bring(asked)
    monkeypatch.setattr(FORMATS[kind], "__init__", lambda self, content: pytest.fail("was parsed"))
    assert not file.bring(asked).changed


def test_a_blank_file_needs_no_parser() -> None:
    with without_libraries():
        for kind in ("toml", "yaml"):
            assert FORMATS[kind](b"\xef\xbb\xbf\n").is_blank()


@pytest.mark.usefixtures("old_python")
def test_a_diff_that_needs_a_parser_says_so_before_anything_is_changed() -> None:
    file = File("yaml", FILES["yaml"])
    plans = [file.bring(wanted("yaml"))]
    diffs.check_readable(plans)
    with without_libraries():
        with pytest.raises(LibraryNeeded):
            diffs.check_readable([file.plan(None)])
        diffs.check_readable([file.plan(wanted("yaml"))])


def test_a_library_that_this_python_cannot_use_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> Any:
        raise SyntaxError("invalid syntax")

    monkeypatch.setattr(libraries, "import_module", broken)
    with pytest.raises(
        OperatorError, match=r"the control node's yaml cannot be used by Python \d+\.\d+ \(SyntaxError\)"
    ):
        libraries.module(libraries.YAML, "reader")


# -- diffs -------------------------------------------------------------------------------------------------------------

SECRET = "S3cr3t-Value"


@kinds
def test_a_diff_shows_ours_and_names_and_nothing_of_theirs(kind: str) -> None:
    theirs = {
        "toml": f'# {SECRET}1\napi = "{SECRET}2" # {SECRET}3\n[t."{SECRET}4 a"]\nx = [\n  "{SECRET}5", # {SECRET}6\n]\n'
        f"y = '''\n{SECRET}7\n'''\nz = {{ a = \"{SECRET}8\" }}\ntheme = \"dark\"\nn = 7\n",
        "yaml": f"# {SECRET}1\napi: {SECRET}2 # {SECRET}3\nt:\n  ? {SECRET}4 a\n  :\n    x:\n      - {SECRET}5\n      # {SECRET}6\n"
        f"y: |\n  {SECRET}7\n  more\nz: {{a: !{SECRET}8 '{SECRET}9'}}\nw: &{SECRET} 1\nv: *{SECRET}\ntheme: dark\nn: 7\n",
        "jsonc": f'{{\n  // {SECRET}1 "a": 1\n  "api": "{SECRET}2", /* {SECRET}3\n {SECRET} */\n'
        f'  "{SECRET}4 a": ["{SECRET}5",], // {SECRET}6\n  "theme": "dark", "n": 7\n}}\n',
    }[kind]
    made = File(kind, theirs.encode()).plan(Wanted("/h/file", kind, "x", values={("url",): "https://w", ("api",): "k"}))
    (shown,) = diffs.diff_of([made])
    assert SECRET not in shown["before"] + shown["after"]
    assert "https://w" in shown["after"] and "api" in shown["before"]
    before, after = masked_pair(kind, theirs, (made.after or b"").decode(), frozenset({("url", '"https://w"')}))
    assert SECRET not in before + after
    assert "https://w" in after and "dark" in before and "7" in before
    assert before.count("\n") == theirs.count("\n"), "lines keep their numbers"


_TELLING = (
    "w.example.com",
    "it's",
    "日本",
    "why",
    "about what",
    "between",
    "at the margin",
    "text",
    "remark",
    "one\n",
    "1979",
)


@given(trees.toml_texts, trees.toml_texts)
def test_nothing_of_any_toml_file_is_shown(one: bytes, other: bytes) -> None:
    _shows_nothing("toml", one, other)


@given(trees.yaml_texts, trees.yaml_texts)
def test_nothing_of_any_yaml_file_is_shown(one: bytes, other: bytes) -> None:
    _shows_nothing("yaml", one, other)


@given(trees.jsonc_texts, trees.jsonc_texts)
def test_nothing_of_any_json_file_with_comments_is_shown(one: tuple[bytes, bytes], other: tuple[bytes, bytes]) -> None:
    _shows_nothing("jsonc", one[1], other[1])


def _shows_nothing(kind: str, one: bytes, other: bytes) -> None:
    texts = one.decode(), other.decode()
    shown = masked_pair(kind, *texts)
    for before, after in zip(texts, shown, strict=True):
        assert not [word for word in _TELLING if word in after]
        assert before.count("\n") <= after.count("\n") + 1
    assert texts[0] == texts[1] or shown[0] != shown[1]
    cut = masked_pair(kind, *texts, whole=False)
    assert not any(character.isalnum() for text in cut for character in text.replace("value changed", ""))


@kinds
def test_a_text_that_cannot_be_read_is_hidden_as_a_whole(kind: str) -> None:
    shown = masked_pair(kind, f"{SECRET} = [\n", "{}\n" if kind != "toml" else "")
    assert SECRET not in "".join(shown)


def test_every_format_has_its_masking() -> None:
    for kind, one in itertools.product(FILES, ("model",)):
        assert one in masked_pair(kind, FILES[kind].decode(), "")[0], kind
    assert sys.version_info >= (3, 11), "else the fixture old_python proves nothing"


@given(trees.toml_texts, trees.edits)
def test_any_toml_file_comes_back(content: bytes, edits: list[tuple[Any, ...]]) -> None:
    _comes_back("toml", content, edits)


@given(trees.yaml_texts, trees.edits)
def test_any_yaml_file_comes_back(content: bytes, edits: list[tuple[Any, ...]]) -> None:
    _comes_back("yaml", content, edits)


def _comes_back(kind: str, content: bytes, edits: list[tuple[Any, ...]]) -> None:
    values: dict[tuple[str, ...], Any] = {}
    for verb, path, *value in edits:
        if verb == "set" and not any(path[: len(one)] == one or one[: len(path)] == path for one in values):
            values[path] = value[0]
    file = File(kind, content)
    try:
        file.bring(Wanted("/h/file", kind, "x", values=values))
    except OperatorError:
        assume(False)
    assert file.content is not None
    again = file.bring(Wanted("/h/file", kind, "x", values=values))
    assert not again.changed
    file.bring(None)
    assert file.content == content
