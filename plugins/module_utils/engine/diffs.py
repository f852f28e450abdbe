# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``--diff`` shows of the files that change: their own text, masked, around what changes.

Of a whole file of ours with a summary, and of a link, one line: who reads a diff knows what "token helper" is, and its text, the
same on every host, would bury the settings.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import Any, Callable

from .documents import FORMATS, MISSING, DocumentError, KeyPath, WholeFile, WrongContainer, libraries
from .documents.whole_file import WHOLE
from .masking import Ours, hidden, masked_pair, masked_wholes
from .ownership import Plan
from .past import Entry, digest, value_digest

_LARGE = 1 << 20
_ELEMENT = re.compile(rb"[ \t]*\"(?:[^\"\\\n]|\\.)*\",?[ \t\r]*(?=\n)")
"""A line that is an element of a list of strings: the key that says whether it is a secret stands above it."""
_CONTEXT_LINES = 3
"""So many lines around a change are shown, as every tool does; what is farther away is nobody's business."""
_FAR = "..."
_MOST_LINES = 2000
"""Where more lines lie between the first change and the last, all of them are shown: to tell them apart takes time without end."""


def diff_of(plans: list[Plan], full: bool = False) -> list[dict[str, str]]:
    """What ``--diff`` shows: each changed file's own text before and after, masked.

    With ``full``, the text of our own whole files, too.
    """
    return [_diff(one, full) for one in plans if one.changed]


def check_readable(plans: list[Plan]) -> None:
    """Raise LibraryNeeded where :func:`diff_of` would have to read a document whose parser has not travelled: after a change, that
    is too late.
    """
    for library in {FORMATS[one.format].library for one in plans if one.changed} - {""}:
        libraries.module(library)


def _diff(one: Plan, full: bool) -> dict[str, str]:
    in_one_line = one.is_link or (any(one.summaries) and (not full or _is_masked(one)))
    if in_one_line:
        before, after = (_line(one, *which) for which in zip((one.before, one.after), one.summaries))
    else:
        before, after = _without_far(*_masked(one))
    return {
        "before_header": f"{one.path} ({_kind(one, one.before, one.mode_before)})",
        "after_header": f"{one.path} ({_kind(one, one.after, one.mode_after)})",
        "before": before,
        "after": after,
        # For whoever shows it: the texts are a summary, and need no line numbers.
        **({"kind": "summary"} if in_one_line else {}),
    }


def _is_masked(one: Plan) -> bool:
    """Whether a whole file of ours is for nobody's eyes."""
    records = (one.entry_before or {}).get("values", ())
    return bool(one.wanted and WHOLE in one.wanted.masked) or any(
        record.get("masked") and not record["path"] for record in records
    )


def _masked(one: Plan) -> tuple[str, str]:
    whole = one.before or b"", one.after or b""
    region = _changed_region(*whole)
    if isinstance(region, str):
        return f"({len(whole[0])} bytes, {region})\n", f"({len(whole[1])} bytes, {region})\n"
    texts = _readable(region[0]), _readable(region[1])
    if one.format == WholeFile.format:
        was, will_be = (_wrote(entry, text) for entry, text in zip((one.entry_before, one.entry), whole))
        return masked_wholes(*texts, (was or not whole[0], will_be or not whole[1]))
    if region == whole:
        return masked_pair(one.format, *texts, _ours(one))
    before, after = (text if _parses(one, content) else hidden(text) for text, content in zip(texts, whole))
    return masked_pair(one.format, before, after, _ours(one), whole=False)


def _wrote(entry: Entry | None, content: bytes) -> bool:
    """Whether we have written this. Of what was entered from traces (it has no mode), nobody knows who wrote it."""
    return entry is not None and entry["mode"][1] is not None and digest(content) == entry["after"]


def _parses(one: Plan, content: bytes) -> bool:
    try:
        FORMATS[one.format](content)
    except DocumentError:
        return False
    return True


def _ours(one: Plan) -> Ours:
    """Which values are ours, before and after, but for those that are masked."""
    found: set[tuple[str, str]] = set()
    wanted, entry = one.wanted, one.entry_before or {}
    if wanted is not None:
        for key, value in wanted.values.items():
            found.update(_leaves(key, value) if key not in wanted.masked else ())
        for key, members in wanted.elements.items():
            found.update(_leaves(key, list(members)))
    for record in entry.get("elements", ()):
        found.update(_leaves(tuple(record["path"]), record["element"]))
    records = [record for record in entry.get("values", ()) if record["path"] and not record.get("masked")]
    if records and one.before is not None and _parses(one, one.before):
        document = FORMATS[one.format](one.before)
        for record in records:
            key = tuple(record["path"])
            try:
                value = document.get(key)
            except WrongContainer:
                continue
            if value is not MISSING and value_digest(value, one.salt) == record["digest"]:
                found.update(_leaves(key, value))
    return frozenset(found)


def _leaves(key: KeyPath, value: Any) -> Iterator[tuple[str, str]]:
    """The values in a value, each with the name that it stands under in the text."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves((name,), inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(key, inner)
    elif key:
        yield key[-1], json.dumps(value)


def _without_far(before: str, after: str) -> tuple[str, str]:
    """Both texts without the lines that are far from every change; what stands in for them keeps the others' numbers."""
    texts = before.split("\n"), after.split("\n")
    least, first, last = min(map(len, texts)), 0, 0
    while first < least and texts[0][first] == texts[1][first]:
        first += 1
    while last < least - first and texts[0][-1 - last] == texts[1][-1 - last]:
        last += 1
    ends = len(texts[0]) - last, len(texts[1]) - last
    same = [(0, 0, first), (*ends, last)]
    if max(ends) - first <= _MOST_LINES:
        from difflib import SequenceMatcher  # only who asks for a diff pays for it

        found = SequenceMatcher(None, texts[0][first : ends[0]], texts[1][first : ends[1]], autojunk=False)
        same += [(first + one.a, first + one.b, one.size) for one in found.get_matching_blocks()]
    for at, other, size in same:
        begin = 0 if at == other == 0 else _CONTEXT_LINES
        end = size if (at + size, other + size) == (len(texts[0]), len(texts[1])) else size - _CONTEXT_LINES
        for number in range(begin, end):
            if texts[0][at + number]:
                texts[0][at + number] = texts[1][other + number] = _FAR
    return "\n".join(texts[0]), "\n".join(texts[1])


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


def _changed_region(before: bytes, after: bytes) -> tuple[bytes, bytes] | str:
    """Two texts as they are; of large ones, only the lines that differ and a few around them.

    Where those are too long to be shown, too, it says so: in a line that is cut anywhere, nothing can be understood.
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
    return f"changed from character {same_start + 1} on: too long to be shown"


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
