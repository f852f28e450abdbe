# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Strict JSON, edited in place.

Values are skipped by the standard library's own scanner (written in C), so a file of 50 MB costs little more than
``json.load``; only the containers on the way to a key are walked member by member.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any, Callable, NamedTuple, NoReturn

from .base import (
    BOM,
    MISSING,
    Document,
    DocumentError,
    KeyPath,
    WrongContainer,
)

_SPACE = re.compile(r"[ \t\n\r]*")
# A string is one match also where it has no end: else one would be looked for from each quote in it, in time without end.
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|[\[{\]}]|-?Infinity|NaN', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTAINER_NAMES = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}


class Member(NamedTuple):
    """Offsets of one member of an object (or one element of a list, whose ``start`` is its value's)."""

    key: str
    start: int
    value_start: int
    end: int
    value: Any


class JsonDocument(Document):
    """One JSON object. Comments and trailing commas are errors: Claude Code drops a file that has them, in silence."""

    format = "json"

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._top: list[Member] | None = None
        """The members of the whole document, kept because to walk them is to read all of a huge file."""
        self._decoder = json.JSONDecoder(parse_constant=self._refuse_constant)
        if not self._scanned.strip(BOM + " \t\r\n"):
            raise DocumentError("is empty, which is not JSON")
        start = self._skip(len(BOM) if self.text.startswith(BOM) else 0)
        value, end = self._scan(start)
        if not isinstance(value, dict):
            raise DocumentError(f"holds {_name(value)} where an object must stand", *self._line_column(start))
        end = self._skip(end)
        if end != len(self._scanned):
            raise DocumentError("has text after the end of the JSON object", *self._line_column(end))

    @classmethod
    def blank(cls) -> bytes:
        return b"{}\n"

    def is_blank(self) -> bool:
        return not any(True for _member in self._members(self._root))

    def get(self, path: KeyPath) -> Any:
        at = self._find(path)
        return MISSING if at is None else at.value

    def is_empty_container(self, path: KeyPath) -> bool:
        return self.get(path) in ({}, [])

    def set(self, path: KeyPath, value: Any) -> None:
        start = self._root
        for depth, key in enumerate(path):
            here = self._member(start, key, path[: depth + 1])
            if here is None:
                for missing in reversed(path[depth + 1 :]):
                    value = {missing: value}
                self._append(start, "}", value, depth, key)
                return
            if depth == len(path) - 1:
                if not same(here.value, value):
                    self._splice(here.value_start, here.end, self._render(value, len(path), self._is_multiline(start)))
                return
            self._require(here, dict, path[: depth + 1])
            start = here.value_start

    def spelled(self, path: KeyPath) -> str | None:
        """Numbers can be written in many ways, some of which no value holds; objects and lists on one line or on many."""
        at = self._find(path)
        text = None if at is None else self.text[at.value_start : at.end]
        return None if at is None or text == dumps(at.value) else text

    def set_spelled(self, path: KeyPath, text: str) -> None:
        if self._find(path) is None:
            self.set(path, None)
        at = self._find(path)
        if at is not None and self.text[at.value_start : at.end] != text:
            self._splice(at.value_start, at.end, text)

    def remove(self, path: KeyPath) -> None:
        parent = self._root_member if len(path) == 1 else self._find(path[:-1])
        if parent is not None:
            self._require(parent, dict, path[:-1])
            self._drop(parent, lambda member: member.key == path[-1])

    def add_element(self, path: KeyPath, element: Any) -> None:
        here = self._find(path)
        if here is None:
            self.set(path, [element])
            return
        self._require(here, list, path)
        if not any(same(element, one) for one in here.value):
            self._append(here.value_start, "]", element, len(path))

    def remove_element(self, path: KeyPath, element: Any) -> None:
        here = self._find(path)
        if here is not None:
            self._require(here, list, path)
            self._drop(here, lambda member: same(member.value, element))

    # -- finding ---------------------------------------------------------------------------------------------------

    @property
    def _scanned(self) -> str:
        """The text as strict JSON has it, each character in its place."""
        return self.text

    @property
    def _root(self) -> int:
        return self._skip(len(BOM) if self.text.startswith(BOM) else 0)

    @property
    def _root_member(self) -> Member:
        return Member("", self._root, self._root, len(self.text), {})

    def _find(self, path: KeyPath) -> Member | None:
        here: Member | None = self._root_member
        for depth, key in enumerate(path):
            if here is None:
                return None
            self._require(here, dict, path[:depth])
            here = self._member(here.value_start, key, path[: depth + 1])
        return here

    def _member(self, start: int, key: str, path: KeyPath) -> Member | None:
        found = [member for member in self._members(start) if member.key == key]
        if len(found) > 1:
            raise DocumentError("stands twice in the same object", *self._line_column(found[1].start), path=path)
        return found[0] if found else None

    def _members(self, start: int) -> Iterator[Member]:
        """The members of the object, or the elements of the list, that opens at ``start``."""
        if start != self._root:
            return self._walk(start)
        if self._top is None:
            self._top = list(self._walk(start))
        return iter(self._top)

    def _walk(self, start: int) -> Iterator[Member]:
        scanned = self._scanned
        is_object = scanned[start] == "{"
        at = self._skip(start + 1)
        while scanned[at] not in "}]":
            key, value_start = "", at
            if is_object:
                key, value_start = scanstring(scanned, at + 1)
                value_start = self._skip(self._skip(value_start) + 1)
            value, end = self._scan(value_start)
            yield Member(key, at, value_start, end, value)
            at = self._skip(end)
            if scanned[at] == ",":
                at = self._skip(at + 1)

    def _scan(self, start: int) -> tuple[Any, int]:
        try:
            return self._decoder.raw_decode(self._scanned, start)
        except json.JSONDecodeError as error:
            raise DocumentError(f"is not valid JSON ({error.msg})", *self._line_column(error.pos)) from None
        except RecursionError:
            raise DocumentError("is nested too deeply to be read", *self._line_column(self._deepest(start))) from None
        except ValueError:  # Python 3.11 and newer read no whole number of more than 4300 digits
            raise DocumentError("holds a number that is too long to be read") from None

    def _skip(self, at: int) -> int:
        match = _SPACE.match(self._scanned, at)
        return match.end() if match else at

    def _require(self, member: Member, kind: type, path: KeyPath) -> None:
        if not isinstance(member.value, kind):
            where = self._line_column(member.value_start)
            raise WrongContainer(
                f"holds {_name(member.value)} where {_CONTAINER_NAMES[kind]} must stand", *where, path=path
            )

    def _refuse_constant(self, name: str) -> NoReturn:
        at = next((token.start() for token in _TOKEN.finditer(self._scanned) if token[0] == name), 0)
        raise DocumentError(f"is not valid JSON ({name} is no JSON number)", *self._line_column(at))

    def _deepest(self, start: int) -> int:
        """Where the innermost container opens."""
        depth, deepest, at = 0, 0, start
        for token in _TOKEN.finditer(self._scanned, start):
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
            if depth > deepest:
                deepest, at = depth, token.start()
        return at

    # -- editing ---------------------------------------------------------------------------------------------------

    def _splice(self, start: int, end: int, new: str) -> None:
        """After an edit inside one member of the document, only that member is read again; those behind it have moved."""
        top, self._top = self._top or [], None
        super()._splice(start, end, new)
        at = next((n for n, member in enumerate(top) if member.value_start < start and end < member.end), None)
        if at is not None:
            value, value_end = self._scan(top[at].value_start)
            by = value_end - top[at].end
            moved = (
                Member(one.key, one.start + by, one.value_start + by, one.end + by, one.value) for one in top[at + 1 :]
            )
            self._top = [*top[:at], top[at]._replace(end=value_end, value=value), *moved]

    def _append(self, start: int, close: str, value: Any, depth: int, key: str | None = None) -> None:
        """Add a member (or, without ``key``, an element) at the end of the container that opens at ``start``."""
        members = list(self._members(start))
        multiline = self._is_multiline(start)
        colon = self._colon(members) if key is not None else ""
        new = ("" if key is None else dumps(key) + colon) + self._render(value, depth + 1, multiline)
        if not members:
            end = self.text.index(close, start)
            around = (self._newline(depth + 1), self._newline(depth)) if multiline else ("", "")
            self._splice(start + 1, end, around[0] + new + around[1])
            return
        last = members[-1]
        if len(members) > 1:
            between = self.text[self.text.rindex(",", 0, last.start) + 1 : last.start]
        else:
            between = self.text[start + 1 : last.start] or ("" if colon == ":" else " ")
        self._splice(last.end, last.end, "," + between + new)

    def _colon(self, members: list[Member]) -> str:
        """The colon as the object's last member writes it."""
        if not members:
            return ": "
        return self.text[self._key_end(members[-1]) : members[-1].value_start]

    def _drop(self, parent: Member, matches: Callable[[Member], bool]) -> None:
        while True:
            members = list(self._members(parent.value_start))
            at = next((number for number, member in enumerate(members) if matches(member)), None)
            if at is None:
                return
            if at > 0:
                self._splice(members[at - 1].end, members[at].end, "")
            elif len(members) > 1:
                self._splice(members[0].start, members[1].start, "")
            else:
                opening = parent.value_start
                self._splice(opening + 1, self._skip(members[0].end), "")

    def _key_end(self, member: Member) -> int:
        return int(scanstring(self.text, member.start + 1)[1])

    def _is_multiline(self, start: int) -> bool:
        """Whether the container at ``start`` is written over several lines; an empty one follows the whole file."""
        after = self.text[start + 1 : self._skip(start + 1) + 1]
        if after[-1:] in ("}", "]") or not after:
            return "\n" in self.text[self._root :].rstrip() or self.text[self._root :].strip() == "{}"
        return "\n" in after

    @property
    def _indent(self) -> str:
        first = self._skip(self._root + 1)
        line = self.text.rfind("\n", 0, first) + 1
        found = self.text[line:first]
        return found if found and not found.strip() and line > self._root else "  "

    def _newline(self, depth: int) -> str:
        return self._line_end + self._indent * depth

    def _render(self, value: Any, depth: int, multiline: bool) -> str:
        return dumps(value, self._indent if multiline else None).replace("\n", self._newline(depth))


def same(one: Any, other: Any) -> bool:
    """Equal as JSON: ``1`` and ``True`` differ, the order of an object's keys does not count."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def dumps(value: Any, indent: str | None = None) -> str:
    """JSON text in which only half a surrogate pair is escaped: JSON can hold one, UTF-8 cannot."""
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _name(value: Any) -> str:
    return _CONTAINER_NAMES.get(type(value), "a number")
