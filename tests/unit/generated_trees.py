# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""TOML, YAML and JSON with comments as people write them, for property tests."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from tests.unit.generated import json_texts

KEYS = ("a", "B", "model", "providers", "k-k", "x_y", "9", "k k", "ключ", "true")
"""Some have to be quoted."""

WORDS = (
    "",
    "x",
    "true",
    "11",
    "/tmp/x",
    "https://w.example.com/a?b=c#d",
    "it's",
    'say "a"',
    "日本",
    "a\nb",
    "- x",
    "\U0001f600",
)

scalars: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(WORDS), st.booleans(), st.integers(-(1 << 40), 1 << 40), st.sampled_from([1.5, -0.25, 1e300, 1e-7])
)
values: st.SearchStrategy[Any] = st.one_of(
    scalars,
    st.lists(scalars, max_size=3),
    st.dictionaries(st.sampled_from(KEYS), st.one_of(scalars, st.lists(scalars, max_size=2)), max_size=3),
)
paths = st.lists(st.sampled_from(KEYS), min_size=1, max_size=3).map(tuple)
edits = st.lists(
    st.one_of(
        st.tuples(st.just("set"), paths, values),
        st.tuples(st.just("remove"), paths),
        st.tuples(st.just("add_element"), paths, scalars),
        st.tuples(st.just("remove_element"), paths, scalars),
    ),
    max_size=6,
)


def _seeded(make: Callable[[random.Random, int], bytes]) -> st.SearchStrategy[bytes]:
    return st.builds(lambda size, seed: make(random.Random(seed), size), st.integers(0, 5), st.integers(0, 2**32))


def _finished(lines: list[str], chance: random.Random, end: str) -> bytes:
    text = end.join(lines) + (end if lines and chance.random() < 0.8 else "")
    return (chance.choice(["", "", "", "\ufeff"]) + text).encode()


# -- TOML --------------------------------------------------------------------------------------------------------------


def _toml_key(key: str, chance: random.Random) -> str:
    bare = re.fullmatch(r"[A-Za-z0-9_-]+", key)
    return key if bare and chance.random() < 0.8 else chance.choice([f"'{key}'", json.dumps(key, ensure_ascii=False)])


def _toml_value(chance: random.Random, depth: int, end: str) -> str:
    kind = chance.randrange(9)
    if kind == 0:
        return chance.choice(["true", "false", "1_000", "0x1F", "+7", "1e5", "-0.0", "inf", "nan"])
    if kind == 1:
        return chance.choice(["1979-05-27", "1979-05-27 07:32:00", "07:32:00.5", "1979-05-27T07:32:00Z"])
    if kind == 2:
        return chance.choice([f'"""{end}a # b "" c{end}"""', f"'''{end}a = [{end}'''", '""""q""""', "'\\ # ['"])
    if kind == 3 and depth < 3:
        return "[" + ", ".join(_toml_value(chance, depth + 1, end) for _one in range(chance.randrange(3))) + "]"
    if kind == 4 and depth < 3:
        items = [_toml_value(chance, depth + 1, end) for _one in range(chance.randrange(1, 4))]
        lines = [f"    {one}," + chance.choice(["", " # why", ""]) for one in items]
        if chance.random() < 0.5:
            lines[-1] = lines[-1].replace(",", "", 1) if lines[-1] == f"    {items[-1]}," else lines[-1]
        return "[" + end + end.join(lines) + end + "]"
    if kind == 5 and depth < 3:
        keys = chance.sample(KEYS, chance.randrange(3))
        members = [f"{_toml_key(key, chance)} = {_toml_value(chance, 3, end)}" for key in keys]
        return "{ " + ", ".join(members) + " }" if members else "{}"
    return json.dumps(chance.choice(WORDS), ensure_ascii=False)


def _toml(chance: random.Random, size: int) -> bytes:
    end = chance.choice(["\n", "\n", "\r\n"])
    lines: list[str] = chance.choice([[], ["# top"], ["# top", ""]])
    tables: list[tuple[str, ...]] = [()]
    for _one in range(chance.randrange(size + 1)):
        path = tuple(chance.sample(KEYS, chance.randrange(1, 4)))
        if all(path[: len(other)] != other and other[: len(path)] != path for other in tables if other):
            tables.append(path)
        elif chance.random() < 0.5 and len(path) < 3 and path in tables:
            tables.append((*path, "below"))
    for table in tables:
        if table:
            array = chance.random() < 0.15
            header = ".".join(_toml_key(key, chance) for key in table)
            lines += chance.choice([[], [""], ["", "# about what follows"]])
            lines.append((f"[[{header}]]" if array else f"[{header}]") + chance.choice(["", "", " # why"]))
        # What a table below the top holds may not be named as one of the tables.
        taken = {path[len(table)] for path in tables if len(path) > len(table) and path[: len(table)] == table}
        keys = [key for key in chance.sample(KEYS, chance.randrange(min(size, 4) + 1)) if key not in taken]
        sign = chance.choice([" = ", " = ", "=", "  =  "])
        indent = chance.choice(["", "", "  "])
        for key in keys:
            name = _toml_key(key, chance)
            if chance.random() < 0.2:
                name += chance.choice([".", " . "]) + _toml_key(chance.choice(KEYS), chance)
            lines.append(f"{indent}{name}{sign}{_toml_value(chance, 0, end)}" + chance.choice(["", "", " # why"]))
            lines += chance.choice([[], [], [], [""], ["# between"]])
    return _finished(lines, chance, end)


toml_texts = _seeded(_toml)


# -- YAML --------------------------------------------------------------------------------------------------------------


def _yaml_key(key: str, chance: random.Random) -> str:
    plain = key not in ("true", "9") and chance.random() < 0.8
    return key if plain else chance.choice([f"'{key}'", json.dumps(key, ensure_ascii=False)])


def _yaml_scalar(chance: random.Random) -> str:
    return chance.choice(
        [
            *("true", "yes", "null", "~", "12", "0x1F", "012", "1.5", "1e3", "2001-12-14", "plain words", "a#b", "x:y"),
            *(json.dumps(chance.choice(WORDS), ensure_ascii=False), "'it''s # no comment'", "{a: 1, b: [x]}", "[1, 2]", "[]", "{}"),
        ]
    )  # fmt: skip


def _yaml_value(chance: random.Random, column: int, depth: int, step: int) -> list[str]:
    """What stands behind the colon, and the lines below."""
    kind = chance.randrange(10)
    remark = chance.choice(["", "", "", " # why"])
    if kind == 0:
        return [""]
    if kind == 1:
        inner = " " * (column + step)
        return [" " + chance.choice(["|", ">", "|-", "|+"]), f"{inner}text # no comment", "", f"{inner}more: text"]
    if kind == 2 and depth < 3:
        dash = " " * (column + chance.choice([0, step]))
        items = [f"{dash}- {_yaml_scalar(chance)}" for _one in range(chance.randrange(1, 4))]
        return [remark, *items]
    if kind in (3, 4, 5) and depth < 3:
        inside = _yaml_mapping(chance, column + step, depth + 1, step)
        return [remark, *inside] if inside else [" {}"]
    return [f" {_yaml_scalar(chance)}{remark}"]


def _yaml_mapping(chance: random.Random, column: int, depth: int, step: int) -> list[str]:
    lines: list[str] = []
    for key in chance.sample(KEYS, chance.randrange(4)):
        first, *rest = _yaml_value(chance, column, depth, step)
        lines += [f"{' ' * column}{_yaml_key(key, chance)}:{first}", *rest]
        lines += chance.choice([[], [], [], [""], [f"{' ' * column}# between"], ["# at the margin"]])
    return lines


def _yaml(chance: random.Random, size: int) -> bytes:
    end = chance.choice(["\n", "\n", "\r\n"])
    lines = [*chance.choice([[], [], ["# top", ""], ["---"]]), *_yaml_mapping(chance, 0, 0, chance.choice([2, 2, 4]))]
    return _finished(lines if size else [], chance, end)


yaml_texts = _seeded(_yaml)


# -- JSON with comments ------------------------------------------------------------------------------------------------

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')


def _commented(content: bytes, chance: random.Random) -> bytes:
    """A JSON text with comments and trailing commas put in anywhere."""
    text = content.decode()
    shown, end, last = [], 0, ""
    for token in _TOKEN.finditer(text):
        shown.append(text[end : token.start()])
        if token[0] in "}]" and last not in "{[" and chance.random() < 0.3:
            shown.append(",")
        shown.append(token[0])
        if chance.random() < 0.2:
            shown.append(chance.choice([" // a, [remark\n", '/* {one\n more" */', "/**/ ", "\t// x\n"]))
        end, last = token.end(), token[0]
    return "".join((*shown, text[end:])).encode()


jsonc_texts: st.SearchStrategy[tuple[bytes, bytes]] = st.builds(
    lambda content, seed: (content, _commented(content, random.Random(seed))), json_texts(), st.integers(0, 2**32)
)
"""A strict JSON text, and the same with comments."""
