# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""TOML, edited in place: ``~/.codex/config.toml``.

``tomllib`` says whether a file is valid, and what it means; where its parts stand is found here. After each edit the file is parsed
again: where anything else than the wanted key has changed its meaning, the edit is refused.
"""

from __future__ import annotations

import datetime
import json
import math
import re
from collections.abc import Iterator
from typing import Any, Callable, NamedTuple

from . import libraries
from .base import BOM, MISSING, Document, DocumentError, KeyPath, Opaque, Span, WrongContainer
from .brackets import Bracketed, appended, dropped
from .json_document import same

_STRING = (
    r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})'
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
)
_COMMENT = re.compile(rf"(?P<string>{_STRING})|#[^\r\n]*", re.DOTALL)
_SIMPLE = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
_SIMPLE_KEY = re.compile(_SIMPLE)
_KEY = rf"{_SIMPLE}(?:[ \t]*\.[ \t]*{_SIMPLE})*"
_STATEMENT = re.compile(
    rf"\[(?P<array>\[)?[ \t]*(?P<table>{_KEY})[ \t]*\](?(array)\])|(?P<key>{_KEY})(?P<sign>[ \t]*=[ \t]*)"
)
_MEMBER = re.compile(rf"(?P<key>{_KEY})[ \t]*=[ \t]*")
_SPACE = re.compile(r"\s*")
_BRACKET = re.compile(rf"(?:{_STRING})|[\[\]{{}}]", re.DOTALL)
_SCALAR = re.compile(rf"(?:{_STRING})|\d{{4}}-\d\d-\d\d \d\d:[^\s,\]}}]*|[^\s,\]}}]+", re.DOTALL)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_PLACE = re.compile(r" \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)\Z")
_NAMES = {dict: "a table", list: "a list", str: "a string", bool: "a boolean", Opaque: "a date or a time"}


class _Statement(NamedTuple):
    """A header or an assignment, with its lines: ``start`` and ``end`` are theirs. A header has no value."""

    path: KeyPath
    table: KeyPath
    """Of the header above."""
    is_header: bool
    in_array: bool
    """It belongs to one of a list's tables, which no key path names."""
    start: int
    key_start: int
    key_end: int
    value_start: int
    value_end: int
    end: int


class _Place(NamedTuple):
    """Where a value stands: in a statement of its own, or (``around`` is given) in braces, as the member of that number."""

    start: int
    end: int
    statement: _Statement
    around: Bracketed | None = None
    number: int = 0


class TomlDocument(Document):
    """Tables by header, dotted keys and inline tables are edited; lists of tables (``[[a]]``) stay as they are, or go as a whole."""

    format = "toml"
    library = libraries.TOML

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._known: tuple[str, str, dict[str, Any], list[_Statement]] | None = None
        self._read()

    def is_blank(self) -> bool:
        return not self.text.strip(BOM + " \t\r\n")

    def get(self, path: KeyPath) -> Any:
        here: Any = self._data
        for depth, key in enumerate(path):
            self._require(here, dict, path[:depth])
            if key not in here:
                return MISSING
            here = here[key]
        return here

    def is_empty_container(self, path: KeyPath) -> bool:
        return self.get(path) in ({}, [])

    def set(self, path: KeyPath, value: Any) -> None:
        current = self.get(path)
        if current is MISSING or not same(current, value):
            self._put(path, value, _rendered(value, path))

    def spelled(self, path: KeyPath) -> str | None:
        """The text of a value; of a table with a header, that of all its lines, behind a line end."""
        value, place = self.get(path), self._find(path)
        if place is not None:
            text = self.text[place.start : place.end]
            return None if text == _rendered_if_possible(value) else text
        lines = self._below(path)
        if value is MISSING or not lines or not all(one.table[: len(path)] == path for one in lines):
            return None
        return "\n" + "".join(self.text[one.start : one.end] for one in lines)

    def set_spelled(self, path: KeyPath, text: str) -> None:
        if not text.startswith("\n"):
            self._put(path, _loaded(f"v = {text}")["v"], text)
        elif self.get(path) is MISSING:
            wanted: Any = _loaded(text)
            for key in path:
                wanted = wanted[key]
            self._checked(path, wanted, lambda: self._append_lines(len(self.text), self._gap() + text[1:]))

    def remove(self, path: KeyPath) -> None:
        if self.get(path) is not MISSING:
            self._checked(path, MISSING, lambda: self._take_out(path))

    def add_element(self, path: KeyPath, element: Any) -> None:
        current = self.get(path)
        if current is MISSING:
            self.set(path, [element])
            return
        self._require(current, list, path)
        if not any(same(element, one) for one in current):
            place = self._list_at(path)
            around = self._bracketed(place.start)[0]
            line = self.text.rfind("\n", 0, place.start) + 1
            indent = self._line_end + self.text[line : line + self._width(line)]
            empty = (indent + "  ", indent) if "\n" in self.text[place.start : place.end] else ("", "")
            edit = appended(around, _rendered(element, path), " ", empty, (indent + "  ", indent))
            self._checked(path, [*current, element], lambda: self._splice(*edit))

    def remove_element(self, path: KeyPath, element: Any) -> None:
        current = self.get(path)
        if current is MISSING:
            return
        self._require(current, list, path)
        rest = [one for one in current if not same(element, one)]
        if len(rest) < len(current):
            start = self._list_at(path).start
            numbers = [number for number, one in enumerate(current) if same(element, one)]

            def take_out() -> None:
                for number in reversed(numbers):
                    self._splice(*dropped(self._bracketed(start)[0], number))
                    self._known = None

            self._checked(path, rest, take_out)

    def spans(self) -> Iterator[Span]:
        for one in self._statements:
            yield from self._names(one.key_start, one.key_end, one.path)
            if not one.is_header:
                yield from self._values(one.value_start, one.path)

    # -- reading ---------------------------------------------------------------------------------------------------

    def _read(self) -> tuple[str, str, dict[str, Any], list[_Statement]]:
        """The text, the text without comments, what it means, and its statements."""
        if self._known is None or self._known[0] is not self.text:
            code = _COMMENT.sub(lambda match: match["string"] or " " * len(match[0]), self.text)
            data = _loaded(self.text) if code.strip(BOM + " \t\r\n") else {}
            self._known = self.text, code, data, list(_statements(code))
        return self._known

    @property
    def _code(self) -> str:
        return self._read()[1]

    @property
    def _data(self) -> dict[str, Any]:
        return self._read()[2]

    @property
    def _statements(self) -> list[_Statement]:
        return self._read()[3]

    def _require(self, value: Any, kind: type, path: KeyPath) -> None:
        if not isinstance(value, kind):
            what = f"holds {_NAMES.get(type(value), 'a number')} where {_NAMES[kind]} must stand"
            raise WrongContainer(what, *self._where(path), path=path)

    def _where(self, path: KeyPath) -> tuple[int | None, int | None]:
        place = self._find(path)
        at = [place.start] if place else [one.key_start for one in self._below(path)]
        return self._line_column(at[0]) if at else (None, None)

    def _below(self, path: KeyPath) -> list[_Statement]:
        return [one for one in self._statements if one.path[: len(path)] == path]

    def _find(self, path: KeyPath) -> _Place | None:
        """The one place of a value; None for tables that are made of headers and dotted keys."""
        for one in self._statements:
            if not one.is_header and not one.in_array and one.path == path[: len(one.path)]:
                return self._within(_Place(one.value_start, one.value_end, one), path[len(one.path) :])
        return None

    def _within(self, place: _Place, rest: KeyPath) -> _Place | None:
        if not rest:
            return place
        if self._code[place.start] != "{":
            return None
        around, keys = self._bracketed(place.start)
        for number, key in enumerate(keys):
            if key == rest[: len(key)]:
                start = _member_value(self._code, around.items[number][0])
                inner = _Place(start, around.items[number][1], place.statement, around, number)
                return self._within(inner, rest[len(key) :])
        return None

    def _braces(self, path: KeyPath) -> tuple[_Place, KeyPath] | None:
        """The innermost inline table on the way to a key, and the rest of the way."""
        for depth in range(len(path) - 1, 0, -1):
            place = self._find(path[:depth])
            if place is not None and self._code[place.start] == "{":
                return place, path[depth:]
        return None

    def _list_at(self, path: KeyPath) -> _Place:
        place = self._find(path)
        if place is None:
            what = "is a list of tables ([[...]]), of which none is added or taken out here"
            raise DocumentError(what, *self._where(path), path=path)
        return place

    def _bracketed(self, start: int) -> tuple[Bracketed, list[KeyPath]]:
        """What is in the brackets that open at ``start``, and the members' keys where they are braces."""
        code = self._code
        items: list[tuple[int, int]] = []
        keys: list[KeyPath] = []
        at = _skip(code, start + 1)
        while code[at] not in "]}":
            value_start = _member_value(code, at) if code[start] == "{" else at
            keys.append(_keys(code, at) if code[start] == "{" else ())
            items.append((at, _value_end(code, value_start)))
            at = _skip(code, items[-1][1])
            if code[at] == ",":
                at = _skip(code, at + 1)
        return Bracketed(self.text, code, start, at, items), keys

    def _names(self, start: int, end: int, path: KeyPath) -> Iterator[Span]:
        found = list(_SIMPLE_KEY.finditer(self._code, start, end))
        for one, depth in zip(found, range(len(path) - len(found) + 1, len(path) + 1)):
            yield Span(one.start(), one.end(), path[:depth], path[depth - 1], is_name=True)

    def _values(self, start: int, path: KeyPath) -> Iterator[Span]:
        if self._code[start] not in "[{":
            end = _value_end(self._code, start)
            yield Span(start, end, path, _loaded(f"v = {self.text[start:end]}")["v"])
            return
        around, keys = self._bracketed(start)
        for (item, _end), key in zip(around.items, keys):
            if self._code[start] == "{":
                match = _MEMBER.match(self._code, item)
                yield from self._names(item, match.end("key") if match else item, (*path, *key))
                yield from self._values(_member_value(self._code, item), (*path, *key))
            else:
                yield from self._values(item, path)

    # -- editing ---------------------------------------------------------------------------------------------------

    def _checked(self, path: KeyPath, wanted: Any, edit: Callable[[], None]) -> None:
        """Edit; where the file does not mean the same afterwards but for what is wanted at ``path``, put it back and refuse."""
        text, edits, before, where = self.text, len(self.undo), self._data, self._where(path)
        edit()
        try:
            after: Any = self._data
            found: Any = self.get(path)
        except DocumentError:
            after = found = None
        fits = found is MISSING if wanted is MISSING else found is not MISSING and _equal(found, wanted)
        if after is None or not fits or not _equal(_without(after, path), _without(before, path)):
            self.text = text
            del self.undo[edits:]
            raise DocumentError("is written in a way that cannot be edited here", *where, path=path)

    def _put(self, path: KeyPath, value: Any, text: str) -> None:
        current, place = self.get(path), self._find(path)
        if place is not None:
            edit = (place.start, place.end, text)
            if self.text[place.start : place.end] != text:
                self._checked(path, value, lambda: self._splice(*edit))
        elif current is not MISSING:
            what = "is a table of its own, or a list of them, where one value is to stand"
            raise WrongContainer(what, *self._where(path), path=path)
        else:
            self._checked(path, value, lambda: self._add(path, text))

    def _add(self, path: KeyPath, text: str) -> None:
        """Where the nearest table above is written, and as it is written."""
        braces = self._braces(path)
        if braces is not None:
            place, rest = braces
            around = self._bracketed(place.start)[0]
            new = f"{'.'.join(map(_key, rest))} = {text}"
            self._splice(*appended(around, new, " ", (" ", " "), (" ", " ")))
            return
        depth = next(depth for depth in range(len(path) - 1, -1, -1) if self.get(path[:depth]) is not MISSING)
        header = next((one for one in self._statements if one.is_header and one.path == path[:depth]), None)
        dotted = [
            one
            for one in self._below(path[:depth])
            if not one.is_header and not one.in_array and len(one.table) < depth < len(one.path)
        ]
        if dotted and header is None:
            self._add_line(dotted[-1].table, path, text, dotted[-1])
        elif depth == len(path) - 1 and (header is not None or depth == 0):
            inside = [one for one in self._statements if not one.is_header and one.table == path[:depth]]
            self._add_line(path[:depth], path, text, inside[-1] if inside else header)
        else:
            lines = f"[{'.'.join(map(_key, path[:-1]))}]{self._line_end}{_key(path[-1])} = {text}{self._line_end}"
            self._append_lines(len(self.text), self._gap() + lines)

    def _add_line(self, table: KeyPath, path: KeyPath, text: str, above: _Statement | None) -> None:
        key, sign, indent = ".".join(map(_key, path[len(table) :])), " = ", ""
        if above is not None:
            indent = self.text[above.start : above.start + self._width(above.start)]
            if not above.is_header:
                sign = self.text[above.key_end : above.value_start]
                sign = sign if len(sign) <= len(" = ") else " = "
            self._append_lines(above.end, f"{indent}{key}{sign}{text}{self._line_end}")
        elif self._statements:
            top = len(BOM) if self.text.startswith(BOM) else 0
            self._append_lines(top, f"{key}{sign}{text}{self._line_end * 2}")
        else:
            self._append_lines(len(self.text), f"{key}{sign}{text}{self._line_end}")

    def _take_out(self, path: KeyPath) -> None:
        place, braces = self._find(path), self._braces(path)
        if place is not None and place.around is not None:
            self._splice(*dropped(place.around, place.number))
        elif place is not None:
            self._drop_lines(place.statement)
        elif braces is not None:
            start, rest = braces[0].start, braces[1]
            while True:
                around, keys = self._bracketed(start)
                number = next((at for at, key in enumerate(keys) if key[: len(rest)] == rest), None)
                if number is None:
                    return
                self._splice(*dropped(around, number))
        else:
            for one in reversed(self._below(path)):
                self._drop_lines(one)

    def _drop_lines(self, one: _Statement) -> None:
        start, end = one.start, one.end
        top = len(BOM) if self.text.startswith(BOM) else 0
        if one.is_header and self.text[:start].endswith(("\n\n", "\n\r\n")):  # the blank line that was put before ours
            start -= 2 if self.text[:start].endswith("\r\n") else 1
        elif start == top and sum(not other.is_header and not other.table for other in self._statements) == 1:
            blank = re.compile(r"\r?\n").match(self.text, end)  # the one behind a key that was put on top of all tables
            end = blank.end() if blank else end
        self._splice(start, end, "")

    def _append_lines(self, at: int, lines: str) -> None:
        """Insert whole lines at ``at``, which is the start of a line or the end of a text without a final line end."""
        if at and self.text[at - 1] != "\n" and self.text[:at] != BOM:
            lines = self._line_end + lines
        self._splice(at, at, lines)

    def _gap(self) -> str:
        """A blank line before what is put at the end."""
        return "" if self.is_blank() or self.text.endswith(("\n\n", "\n\r\n")) else self._line_end

    def _width(self, line: int) -> int:
        text = self.text[line : line + 200]
        return len(text) - len(text.lstrip(" \t"))


# -- the text ------------------------------------------------------------------------------------------------------------


def _statements(code: str) -> Iterator[_Statement]:
    """Of a valid text without comments."""
    table: KeyPath = ()
    arrays: set[KeyPath] = set()
    in_array = False
    at = _skip(code, len(BOM) if code.startswith(BOM) else 0)
    while at < len(code):
        match = _STATEMENT.match(code, at)
        if match is None:  # no valid text: nothing of it is edited
            return
        start = code.rfind("\n", 0, at) + 1
        start = len(BOM) if start == 0 and code.startswith(BOM) else start
        if match["table"]:
            table = _keys(code, match.start("table"))
            if match["array"]:
                arrays.add(table)
            in_array = any(table[:depth] in arrays for depth in range(1, len(table) + 1))
            value_start = value_end = match.end()
            path, key_start, key_end = table, match.start("table"), match.end("table")
        else:
            value_start = match.end()
            value_end = _value_end(code, value_start)
            path, key_start, key_end = (*table, *_keys(code, at)), at, match.end("key")
        end = code.find("\n", value_end) + 1 or len(code)
        is_header = bool(match["table"])
        yield _Statement(path, table, is_header, in_array, start, key_start, key_end, value_start, value_end, end)
        at = _skip(code, end)


def _skip(code: str, at: int) -> int:
    match = _SPACE.match(code, at)
    return match.end() if match else at


def _keys(code: str, at: int) -> KeyPath:
    """The parts of the key that starts at ``at``."""
    parts: list[str] = []
    while True:
        match = _SIMPLE_KEY.match(code, at)
        if match is None:
            return tuple(parts)
        text = match[0]
        parts.append(str(_loaded(f"v = {text}")["v"]) if text[0] in "\"'" else text)
        dot = re.compile(r"[ \t]*\.[ \t]*").match(code, match.end())
        if dot is None:
            return tuple(parts)
        at = dot.end()


def _member_value(code: str, at: int) -> int:
    """Where the value of an inline table's member is that starts at ``at``."""
    match = _MEMBER.match(code, at)
    return match.end() if match else at


def _value_end(code: str, start: int) -> int:
    if code[start : start + 1] not in ("[", "{"):
        match = _SCALAR.match(code, start)
        return match.end() if match else start
    depth = 0
    for token in _BRACKET.finditer(code, start):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
        if depth == 0:
            return token.end()
    return len(code)


def _loaded(text: str) -> dict[str, Any]:
    """What a text means. Raises DocumentError and LibraryNeeded."""
    tomllib = libraries.module(libraries.TOML)
    try:
        return {key: _plain(value) for key, value in tomllib.loads(text[text.startswith(BOM) :]).items()}
    except RecursionError:
        raise DocumentError("is nested too deeply to be read") from None
    except ValueError as error:
        place = _PLACE.search(str(error))
        what = f"is not valid TOML ({_PLACE.sub('', str(error))})"
        if place is None:
            raise DocumentError(what) from None
        if place["line"]:
            raise DocumentError(what, int(place["line"]), int(place["column"])) from None
        last = text.rfind("\n") + 1
        raise DocumentError(what, text.count("\n") + 1, len(text) - last + 1) from None


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, (datetime.date, datetime.time)):
        return Opaque(value.isoformat())
    return value


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _quoted(key)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _rendered(value: Any, path: KeyPath) -> str:
    """A value on one line. Raises DocumentError for one that TOML cannot hold."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and -(1 << 63) <= value < 1 << 63:
        return str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, str) and not isinstance(value, Opaque) and not re.search("[\ud800-\udfff]", value):
        return _quoted(value)
    if isinstance(value, list):
        return f"[{', '.join(_rendered(one, path) for one in value)}]"
    if isinstance(value, dict):
        members = ", ".join(f"{_key(key)} = {_rendered(one, path)}" for key, one in value.items())
        return f"{{ {members} }}" if members else "{}"
    raise DocumentError("is to hold a value for which TOML has no word", path=path)


def _rendered_if_possible(value: Any) -> str:
    try:
        return _rendered(value, ())
    except DocumentError:
        return ""


def _without(data: Any, path: KeyPath) -> Any:
    """The data without what is at ``path``, and without the tables on the way that are empty then."""
    if not isinstance(data, dict) or path[0] not in data:
        return data
    rest = {key: one for key, one in data.items() if key != path[0]}
    inside = _without(data[path[0]], path[1:]) if len(path) > 1 else {}
    return rest if inside == {} else {**rest, path[0]: inside}


def _equal(one: Any, other: Any) -> bool:
    """Equal in every type; one "not a number" is as good as the other."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    return type(one) is type(other) and bool(one == other)
