# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``--diff`` shows of the files that change: their own text, secrets masked, and of very large ones the part that differs."""

from __future__ import annotations

import re
from typing import Callable

from .masking import masked_pair
from .ownership import Plan

_LARGE = 1 << 20
_ELEMENT = re.compile(rb"[ \t]*\"(?:[^\"\\\n]|\\.)*\",?[ \t\r]*(?=\n)")
"""A line that is an element of a list of strings: the key that says whether it is a secret stands above it."""
_CONTEXT_LINES = 3
"""A diff of a larger text than this (in characters) shows the changed region with so many lines around it."""


def diff_of(plans: list[Plan]) -> list[dict[str, str]]:
    """What ``--diff`` shows: each changed file's own text before and after, secrets masked."""
    return [_diff(one) for one in plans if one.changed]


def _diff(one: Plan) -> dict[str, str]:
    region = _changed_region(one.before or b"", one.after or b"")
    before, after = masked_pair(_readable(region[0]), _readable(region[1]), one.masked)
    headers = [
        f"{one.path}{_mode(mode)}" for mode in (one.mode_before, one.mode_after if one.after is not None else None)
    ]
    return {"before_header": headers[0], "after_header": headers[1], "before": before, "after": after}


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


def _mode(mode: int | None) -> str:
    return " (no file)" if mode is None else f" ({mode:04o})"


def _readable(content: bytes) -> str:
    if b"\0" in content:
        return f"(program, {len(content)} bytes)\n"
    return content.decode("utf-8", "replace")
