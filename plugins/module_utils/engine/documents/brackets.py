# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Items in brackets, with commas between them, perhaps one behind the last, and comments anywhere. Pure.

Both functions return one replacement: where it starts, where it ends, and the new text. Comments are other people's: they stay.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_SPACE = re.compile(r"\s*")
_NO_MORE_ON_THE_LINE = re.compile(r"[ \t]*(?:\r?\n|\Z)")


class Bracketed(NamedTuple):
    """``code`` is ``text`` with every character of a comment (line ends within it, too) turned into a space."""

    text: str
    code: str
    opening: int
    closing: int
    items: list[tuple[int, int]]
    """Where each starts and ends."""

    def comma(self, number: int) -> int:
        """Where the comma behind an item is, or -1."""
        match = _SPACE.match(self.code, self.items[number][1])
        at = match.end() if match else self.closing
        return at if self.code[at : at + 1] == "," else -1


def appended(
    here: Bracketed, new: str, between: str, empty: tuple[str, str], lines: tuple[str, str]
) -> tuple[int, int, str]:
    """Put an item behind the last one, as its neighbours are written.

    ``between`` separates it from a single neighbour that does not show how; ``empty`` is put around it where there is nothing else,
    and ``lines`` where there are comments only.
    """
    if not here.items:
        inside = here.text[here.opening + 1 : here.closing]
        if not inside.strip():
            return here.opening + 1, here.closing, f"{empty[0]}{new}{empty[1]}"
        return here.opening + 1 + len(inside.rstrip()), here.closing, f"{lines[0]}{new}{lines[1]}"
    start, end = here.items[-1]
    comma = here.comma(-1)
    behind = end if comma < 0 else comma + 1
    at = _behind_remark(here, behind)
    gap = _gap(here) or between
    if at > behind and "\n" not in gap:
        line = here.text.rfind("\n", 0, start) + 1
        indent = here.text[line:start]
        gap = _line_end(here.text, here.text.find("\n", at)) + indent[: len(indent) - len(indent.lstrip())]
    if comma < 0:
        return end, at, f",{here.text[end:at]}{gap}{new}"
    return at, at, f"{gap}{new},"


def dropped(here: Bracketed, number: int) -> tuple[int, int, str]:
    """Take an item out, with its comma, and with its line where nothing else is on it."""
    text = here.text
    start, end = here.items[number]
    comma = here.comma(number)
    line = text.rfind("\n", 0, start) + 1
    alone = line > here.opening and not text[line:start].strip()
    if comma >= 0:
        kept = text[end:comma] if text[end:comma].strip() else ""
        rest = _NO_MORE_ON_THE_LINE.match(text, comma + 1)
        if alone and rest:
            return line, rest.end(), kept
        following = here.items[number + 1][0] if number + 1 < len(here.items) else -1
        if following >= 0 and not text[comma + 1 : following].strip():
            return start, following, kept
        before = here.comma(number - 1) + 1 if number else 0
        if following < 0 and before and not text[before:start].strip():
            return before, comma + 1, kept
        return (start if alone else len(text[:start].rstrip(" \t"))), comma + 1, kept
    if number > 0:
        before = here.comma(number - 1)
        between = text[before + 1 : start]
        if not between.strip():
            return before, end, ""
        return before, end, between.rstrip() if _NO_MORE_ON_THE_LINE.match(text, end) else between
    if not (text[here.opening + 1 : start] + text[end : here.closing]).strip():
        return here.opening + 1, here.closing, ""
    rest = _NO_MORE_ON_THE_LINE.match(text, end)
    return (line, rest.end(), "") if alone and rest else (start, end, "")


def _behind_remark(here: Bracketed, at: int) -> int:
    """Behind a comment that ends the line; ``at`` itself where there is none."""
    end = here.code.find("\n", at)
    end = len(here.code) if end < 0 else end
    is_remark = not here.code[at:end].strip() and here.text[at:end].strip()
    return at + len(here.text[at:end].rstrip()) if is_remark else at


def _gap(here: Bracketed) -> str:
    """What stands before the last item, without the comments in it."""
    start = here.items[-1][0]
    begin = here.comma(-2) + 1 if len(here.items) > 1 else here.opening + 1
    gap = here.code[begin:start]
    if gap == here.text[begin:start]:
        return gap
    if "\n" not in gap:
        return " "
    last = begin + gap.rindex("\n")
    indent = here.text[last + 1 : start]
    return _line_end(here.text, last) + indent[: len(indent) - len(indent.lstrip())]


def _line_end(text: str, at: int) -> str:
    return "\r\n" if at > 0 and text[at - 1] == "\r" else "\n"
