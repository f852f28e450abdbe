# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents as people and programs write them, for property tests."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

NUMBERS = ("0", "-0", "7", "1.10", "1e5", "1E+05", "0.1e-3", "12345678901234567890", "-3.0")
"""Spelled in ways that a program which reads and writes the file again would change."""

KEYS = ("a", "B", "env", "permissions", "deny", "allow", "model", "hooks", "k k", "", "ключ", "e\u0301", 'q"q', "\\")

TEXTS = ("", "true", "11", "/tmp/x", "a\tb\n", "日本語", "\U0001f600", "\u2028", 'a"b\\c', "\x7f", "x", "WebSearch")


class Raw(str):
    """A number as it is spelled in the text."""


def _seeded(make: Callable[[random.Random, int], Any]) -> st.SearchStrategy[Any]:
    """A strategy from a seed and a size: ten times as fast as one drawn piece by piece, and it still shrinks by size."""
    return st.builds(lambda size, seed: make(random.Random(seed), size), st.integers(0, 6), st.integers(0, 2**32))


def _scalar(chance: random.Random, spelled: bool) -> Any:
    kind = chance.randrange(5)
    if kind == 0:
        return chance.choice([None, True, False])
    if kind == 1:
        return Raw(chance.choice(NUMBERS)) if spelled else chance.choice([0, 1, -7, 2**60, 1.5, -0.0, 1e300])
    if kind == 2:
        return "".join(
            chr(chance.choice([chance.randrange(1, 0xD800), chance.randrange(32, 127)])) for _one in range(4)
        )
    return chance.choice(TEXTS)


def _tree(chance: random.Random, size: int, spelled: bool, depth: int = 0) -> Any:
    kind = chance.randrange(5)
    if depth > 4 or kind < 3:
        return _scalar(chance, spelled)
    number = chance.randrange(size + 1)
    if kind == 3:
        return [_tree(chance, size - 1, spelled, depth + 1) for _one in range(number)]
    return {key: _tree(chance, size - 1, spelled, depth + 1) for key in chance.sample(KEYS, number)}


def _object(chance: random.Random, size: int) -> dict[str, Any]:
    return {key: _tree(chance, size, True) for key in chance.sample(KEYS, chance.randrange(size + 1))}


json_scalars = _seeded(lambda chance, size: _scalar(chance, False))
json_values = _seeded(lambda chance, size: _tree(chance, min(size, 3), False, 1))
"""Values to put into a document."""


def styled(chance: random.Random, value: Any) -> bytes:
    """A JSON text in some style: minified, indented, or with odd spaces anywhere; LF, CRLF or mixed; BOM or none."""
    style = chance.choice(["minified", "compact", "indented", "indented", "messy"])
    indent = chance.choice(["  ", "    ", "\t", " ", "   "])
    text = _write(value, style, indent, 0, chance, chance.random() < 0.3)
    ends = chance.choice(["\n", "\n", "\r\n", "mixed"])
    text = "".join((chance.choice(["\n", "\r\n"]) if ends == "mixed" else ends) if one == "\n" else one for one in text)
    around = "\n" if ends == "mixed" else ends
    text = chance.choice(["", "", "", around, " "]) + text + chance.choice(["", around, around, around * 2, "  "])
    return (chance.choice(["", "", "", "\ufeff"]) + text).encode()


def json_texts() -> st.SearchStrategy[bytes]:
    """Objects with any members."""
    return _seeded(lambda chance, size: styled(chance, _object(chance, size)))


def _write(value: Any, style: str, indent: str, depth: int, chaos: random.Random, escaped: bool) -> str:
    if isinstance(value, Raw):
        return str(value)
    if not isinstance(value, (list, dict)):
        return _spell(value, chaos, escaped)
    pairs = list(value.items()) if isinstance(value, dict) else [(None, one) for one in value]
    brackets = "{}" if isinstance(value, dict) else "[]"
    parts = []
    for key, inner in pairs:
        text = _write(inner, style, indent, depth + 1, chaos, escaped)
        if key is not None:
            colon = {"minified": ":", "compact": ": ", "indented": ": "}.get(style) or _space(chaos) + ":" + _space(
                chaos
            )
            text = _spell(key, chaos, escaped) + colon + text
        parts.append(text)
    if style == "messy":
        inside = ",".join(_space(chaos) + part + _space(chaos) for part in parts) or _space(chaos)
        return brackets[0] + inside + brackets[1]
    if not parts or style != "indented":
        return brackets[0] + {"minified": ",", "compact": ", ", "indented": ""}[style].join(parts) + brackets[1]
    line = "\n" + indent * (depth + 1)
    return brackets[0] + line + ("," + line).join(parts) + "\n" + indent * depth + brackets[1]


def _spell(value: Any, chaos: random.Random, escaped: bool) -> str:
    text = json.dumps(value, ensure_ascii=escaped)
    return text.replace("/", "\\/") if escaped and chaos.random() < 0.5 else text


def _space(chaos: random.Random) -> str:
    return "".join(chaos.choice(" \t\n") for _one in range(chaos.choice([0, 0, 1, 1, 2, 4])))


def spelled(content: bytes) -> Any:
    """The document's data with every number as it is spelled, and the order of keys: ``{"a": 1.10}`` is ``[("a", "#1.10")]``."""
    return json.loads(
        content.decode("utf-8-sig"),
        parse_float="#{}".format,
        parse_int="#{}".format,
        object_pairs_hook=_Pairs,
    )


class _Pairs(list[Any]):
    """An object's members in their order; unlike a list of lists it cannot be mistaken for a JSON list."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Pairs) and list(self) == list(other)

    __hash__ = None


def one_splice(before: bytes, after: bytes) -> tuple[bytes, bytes]:
    """The shortest single replacement that leads from one to the other: what went and what came."""
    start = 0
    while start < min(len(before), len(after)) and before[start] == after[start]:
        start += 1
    end = 0
    while end < min(len(before), len(after)) - start and before[-1 - end] == after[-1 - end]:
        end += 1
    return before[start : len(before) - end], after[start : len(after) - end]


# -- INI ---------------------------------------------------------------------------------------------------------------

SECTIONS = ("DEFAULT", "__settings__", "prod", "Prod", "my profile", "a.b-c@d", "ünï")
INI_KEYS = ("host", "token", "client_id", "account_id", "auth_type", "x y", "ключ")
INI_VALUES = ("", "https://dbc-1.cloud.databricks.com", "a = b", "a;b # c", "[x]", "日本", "dapi12")


def _ini(chance: random.Random, size: int) -> bytes:
    lines = list(chance.choice([[], [], ["# top"], ["; top", ""]]))
    for section in chance.sample(SECTIONS, chance.randrange(min(size, 4) + 1)):
        lines.append(f"[{section}]" + chance.choice(["", "", " ; note"]))
        keys = chance.sample(INI_KEYS, chance.randrange(min(size, 5) + 1))
        sign = chance.choice(["=", " = ", ": ", "aligned"])
        indent = chance.choice(["", "", "", "  ", "\t"])
        width = max(map(len, keys), default=0)
        for key in keys:
            if chance.randrange(5) == 0:
                lines.append(chance.choice(["# token = x", "", "  ; c", "   "]))
            value = chance.choice(INI_VALUES)
            lines.append(
                f"{indent}{key.ljust(width)} = {value}" if sign == "aligned" else f"{indent}{key}{sign}{value}"
            )
            if value and chance.randrange(9) == 0:
                lines.append(f"{indent}    and more")
        lines += chance.choice([[], [""], ["", ""], ["# end"]])
    end = chance.choice(["\n", "\n", "\r\n"])
    text = end.join(lines) + (end if lines and chance.random() < 0.7 else "")
    return (chance.choice(["", "", "", "\ufeff"]) + text).encode()


ini_texts = _seeded(_ini)
"""A ``.databrickscfg`` with comments, blank lines, aligned or not, CRLF or LF, and odd ends."""
