# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``--diff`` shows of the files that change: their own text, secrets masked, and of very large ones the part that differs.

Of a whole file of ours with a summary, and of a link, one line: who reads a diff knows what "token helper" is, and its text, the
same on every host, would bury the settings.
"""

from __future__ import annotations

import os
import re
from typing import Callable

from .masking import masked_pair
from .ownership import Plan, digest

_LARGE = 1 << 20
_ELEMENT = re.compile(rb"[ \t]*\"(?:[^\"\\\n]|\\.)*\",?[ \t\r]*(?=\n)")
"""A line that is an element of a list of strings: the key that says whether it is a secret stands above it."""
_CONTEXT_LINES = 3
"""A diff of a larger text than this (in characters) shows the changed region with so many lines around it."""


def diff_of(plans: list[Plan], full: bool = False) -> list[dict[str, str]]:
    """What ``--diff`` shows: each changed file's own text before and after, secrets masked.

    With ``full``, the text of our own whole files, too.
    """
    return [_diff(one, full) for one in plans if one.changed]


def _diff(one: Plan, full: bool) -> dict[str, str]:
    in_one_line = one.is_link or (any(one.summaries) and not full)
    if in_one_line:
        before, after = (_line(one, *which) for which in zip((one.before, one.after), one.summaries))
    else:
        region = _changed_region(one.before or b"", one.after or b"")
        before, after = masked_pair(_readable(region[0]), _readable(region[1]), one.masked)
    return {
        "before_header": f"{one.path} ({_kind(one, one.before, one.mode_before)})",
        "after_header": f"{one.path} ({_kind(one, one.after, one.mode_after)})",
        "before": before,
        "after": after,
        # For whoever shows it: the texts are a summary, and need no line numbers.
        **({"kind": "summary"} if in_one_line else {}),
    }


def _line(one: Plan, content: bytes | None, summary: str) -> str:
    """One line for a whole document, another for each content; of a file that is not ours not even a digest."""
    if content is None:
        return ""
    if one.is_link:
        return f"{summary or 'link'} -> {os.fsdecode(content)}\n"
    if not summary:
        return f"a file that is not ours ({len(content)} bytes)\n"
    return f"{summary} (sha256 {(digest(content) or '')[:8]})\n"


def _kind(one: Plan, content: bytes | None, mode: int | None) -> str:
    if content is None:
        return "no file"
    return "link" if one.is_link or mode is None else f"{mode:04o}"


def _changed_region(before: bytes, after: bytes) -> tuple[bytes, bytes]:
    """Two texts as they are; of large ones, only the lines that differ and a few around them.

    Where those are too long to be shown, too, it says so: a line cut anywhere could show a secret without the name that tells it.
    """
    if len(before) + len(after) < _LARGE or b"\0" in before or b"\0" in after:
        return before, after
    least = min(len(before), len(after))
    same_start = _common(least, lambda start, end: before[start:end] == after[start:end])
    start = before.rfind(b"\n", 0, same_start) + 1
    same_end = _common(
        least - same_start,
        lambda first, last: (
            before[len(before) - last : len(before) - first] == after[len(after) - last : len(after) - first]
        ),
    )
    number = 0
    while start > 0 and (number < _CONTEXT_LINES or _ELEMENT.match(before, start)):
        start, number = before.rfind(b"\n", 0, start - 1) + 1, number + 1
    shown = []
    for text in (before, after):
        end = len(text) - same_end
        for _line in range(_CONTEXT_LINES + 1):
            end = text.find(b"\n", end) + 1 or len(text)
        shown.append(text[start:end])
    if len(shown[0]) + len(shown[1]) < _LARGE:
        return shown[0], shown[1]
    said = f"changed from character {same_start + 1} on: too long to be shown)\n".encode()
    return b"(%d bytes, " % len(before) + said, b"(%d bytes, " % len(after) + said


def _common(least: int, same: Callable[[int, int], bool]) -> int:
    """How many of ``least`` bytes two texts share: ``same`` compares a range of both. By blocks, then by halves of the last."""
    block, at = 1 << 16, 0
    while block:
        while at < least and same(at, min(at + block, least)):
            at = min(at + block, least)
        block //= 2
    return at


def _readable(content: bytes) -> str:
    if b"\0" in content:
        return f"(program, {len(content)} bytes)\n"
    return content.decode("utf-8", "replace")
