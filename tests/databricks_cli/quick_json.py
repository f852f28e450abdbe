# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""JSON without the module ``json``, which loads ``re`` and more: half of the time that a warm ``auth token`` would take.

The program that this one stands in for needs 20 ms, and callers are measured against it.
"""

from __future__ import annotations

from _json import encode_basestring_ascii, make_scanner  # the C half of json, in every CPython

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class _Context:
    """What the scanner asks of a JSONDecoder."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float


def loads(text: str) -> Any:
    """A document. ValueError for what is none."""
    try:
        value, _end = make_scanner(_Context())(text.strip(), 0)  # type: ignore[arg-type]  # any object with these members will do
    except StopIteration:
        raise ValueError("not JSON") from None
    return value


def dumps(values: dict[str, object]) -> str:
    """An object of strings and numbers, as Go indents it."""
    lines = [
        f"  {encode_basestring_ascii(key)}: {encode_basestring_ascii(value) if isinstance(value, str) else value}"
        for key, value in values.items()
    ]
    return "{\n" + ",\n".join(lines) + "\n}"
