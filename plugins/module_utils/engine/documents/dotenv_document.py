# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
r"""Dotenv files: ``NAME=value`` lines, as ``~/.gemini/.env`` and ``~/.hermes/.env`` hold them. A key path is ``(NAME,)``.

Nobody wrote the format down, and its readers differ. Hermes reads with python-dotenv (1.x), Gemini CLI with Node's dotenv (17.x)
and without expanding variables. In both, the last of two equal names wins, a value may be bare or in single or double quotes,
quoted values may span lines, ``export`` is skipped, and a lone CR ends a line too. They differ in this:

========================  ====================================  ===========================================
                          python-dotenv                         Node's dotenv
========================  ====================================  ===========================================
``#`` in a bare value     a comment only behind white space     a comment everywhere
``\\`` in single quotes   a backslash                           two backslashes
``\"`` in double quotes   a quote                               a backslash and a quote
``\t`` in double quotes   a tab                                 a backslash and a t (it knows ``\n``, ``\r``)
back quotes               part of the value                     quotes, over several lines too
``NAME: value``           an error: the line is skipped         an assignment
``${NAME}``               expanded, in single quotes too        as it is
a quote without its end   an error: the line is skipped         part of the value
========================  ====================================  ===========================================

So a value is read here as python-dotenv reads it, before anything is expanded, and written in a spelling that both read alike
(and a shell that sources the file, too); only a value for which there is none is written as python-dotenv reads it. What only one
of them takes for an assignment (``NAME: value``), and a line without any, are left as they are. A quote without its end, or
with text behind it, is an error; so is a back quote that would run into the next line.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from .base import (
    BOM,
    MISSING,
    Document,
    DocumentError,
    KeyPath,
)

_END = r"(?=\r|\n|\Z)"
_ASSIGNMENT = re.compile(r"[^\S\r\n]*(?P<export>export[^\S\r\n]+)?(?P<name>[^=#\s]+)[^\S\r\n]*=(?P<space>[^\S\r\n]*)")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)?")
_BARE = re.compile(r"[^\r\n]*")
_COMMENT = re.compile(r"\s#")
_BEHIND = r"[^\S\r\n]*(?:#[^\r\n]*)?" + _END
_QUOTED = {
    # A quote behind a backslash never closes a value, whatever stands before the backslash: so all readers have it.
    '"': re.compile(r'"(?P<value>(?:\\"|[^"])*)(?<!\\)"' + _BEHIND),
    "'": re.compile(r"'(?P<value>(?:\\'|[^'])*)(?<!\\)'" + _BEHIND),
}
_ESCAPES = {'"': re.compile(r"""\\([\\'"abfnrtv])"""), "'": re.compile(r"\\([\\'])")}
_MEANINGS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]*")


class _Entry(NamedTuple):
    """One assignment. ``start`` and ``end`` are those of its lines; the value's offsets include its quotes."""

    name: str
    export: str
    start: int
    value_start: int
    value_end: int
    end: int
    quote: str
    value: str


class DotenvDocument(Document):
    """``NAME=value`` lines; comments, blank lines and the spelling of everything that is not set stay."""

    format = "dotenv"

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._entries()

    def is_blank(self) -> bool:
        return not self.text.strip(BOM + " \t\r\n")

    def get(self, path: KeyPath) -> Any:
        entry = self._entry(path)
        return MISSING if entry is None else entry.value

    def is_empty_container(self, path: KeyPath) -> bool:
        return False

    def set(self, path: KeyPath, value: Any) -> None:
        entry = self._entry(path)
        if not isinstance(value, str):
            raise DocumentError("can hold text only", path=path)
        if entry is not None:
            if entry.value != value:
                spelled = self._spelled(path, value, entry.quote)
                if spelled[0] not in "\"'" and self.text[entry.value_end : entry.value_end + 1] == "#":
                    spelled += " "  # behind a quote, a comment needs no white space
                self._splice(entry.value_start, entry.value_end, spelled)
            return
        if not _NAME.fullmatch(path[0]):
            raise DocumentError("is no name of a variable", path=path)
        entries = self._entries()
        line = f"{entries[-1].export if entries else ''}{path[0]}={self._spelled(path, value, '')}{self._line_end}"
        at = len(self.text)
        if self.text and self.text[-1] not in "\r\n" and self.text != BOM:
            line = self._line_end + line
        self._splice(at, at, line)

    def remove(self, path: KeyPath) -> None:
        entry = self._entry(path)
        if entry is not None:
            self._splice(entry.start, entry.end, "")

    def _entry(self, path: KeyPath) -> _Entry | None:
        if len(path) != 1:
            raise DocumentError("names no variable: a dotenv file has one level", path=path)
        found = [entry for entry in self._entries() if entry.name == path[0]]
        if len(found) > 1:
            raise DocumentError("stands twice", *self._line_column(found[1].start), path=path)
        return found[0] if found else None

    def _entries(self) -> list[_Entry]:
        entries = []
        at = len(BOM) if self.text.startswith(BOM) else 0
        while at < len(self.text):
            assignment = _ASSIGNMENT.match(self.text, at)
            if assignment is None:
                at = self._next_line(at)
                continue
            value_start = assignment.end()
            quote = self.text[value_start : value_start + 1]
            if quote in _QUOTED:
                found = self._quoted(value_start, quote)
                value, value_end, behind = found["value"], found.end("value") + 1, found.end()
            else:
                quote = ""
                if self.text[value_start : value_start + 1] in ("", "\r", "\n", "#"):
                    value_start -= len(assignment["space"])  # no value: white space, and perhaps a comment
                value, behind = self._bare(value_start)
                value_end = value_start + len(value)
            end = self._next_line(behind)
            export = assignment["export"] or ""
            value = _decoded(value, quote)
            entries.append(_Entry(assignment["name"], export, at, value_start, value_end, end, quote, value))
            at = end
        return entries

    def _bare(self, start: int) -> tuple[str, int]:
        """A bare value without the white space and the comment behind it, and where its line ends."""
        line = _BARE.match(self.text, start)
        text = line[0] if line else ""
        comment = _COMMENT.search(text)
        value = text[: comment.start() if comment else None].rstrip()
        if _opens_back_quote(value):
            what = "opens a back quote that is not closed on its line, which programs read differently"
            raise DocumentError(what, *self._line_column(start))
        return value, start + len(text)

    def _quoted(self, start: int, quote: str) -> re.Match[str]:
        found = _QUOTED[quote].match(self.text, start)
        if found is None:
            what = f"opens a quote ({quote}) that is not closed at the end of a value"
            raise DocumentError(what, *self._line_column(start))
        return found

    def _next_line(self, at: int) -> int:
        line = _LINE.match(self.text, at)
        return line.end() if line else len(self.text)

    @staticmethod
    def _spelled(path: KeyPath, value: str, quote: str) -> str:
        """``value`` in the first spelling that every reader reads alike; ``quote`` is how it was spelled before.

        A shell takes ``$`` and back quotes in double quotes for its own, so such a value is put in single ones where it can be.
        """
        single = not re.search(r"['\r\n]|\\\\|\\\Z", value)
        double = not re.search(r'["\\]', value)
        expanded = re.search(r"[$`]", value)
        bare = bool(re.fullmatch(r"[^\s\"'#](?:(?!\s#)[^\r\n])*", value)) and value == value.rstrip()
        bare = bare and not _opens_back_quote(value)
        if quote == '"' and double and not expanded:
            return _in_double_quotes(value)
        if quote == "'" and single:
            return f"'{value}'"
        if value and _PLAIN.fullmatch(value):
            return value
        if single and (expanded or not double):
            return f"'{value}'"
        if double:
            return _in_double_quotes(value)
        if bare and "#" not in value and value[0] != "`":
            return value
        if not value.endswith("\\"):
            return _in_double_quotes(value)
        if bare:
            return value
        raise DocumentError("cannot be written so that a program would read it again", path=path)


def _opens_back_quote(value: str) -> bool:
    return value.startswith("`") and value.count("`") == 1


def _decoded(text: str, quote: str) -> str:
    if not quote:
        return text
    return _ESCAPES[quote].sub(lambda match: _MEANINGS.get(match[1], match[1]), text)


def _in_double_quotes(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'
