# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON with comments (``//`` and ``/* */``) and trailing commas, edited in place. Comments stay where they are.

For the scanner of :mod:`.json_document`, comments and trailing commas are turned into spaces: so all offsets are those of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Callable

from .base import DocumentError, KeyPath, Span
from .brackets import Bracketed, appended, dropped
from .json_document import JsonDocument, Member, dumps

_STRING = r'"(?:[^"\\\n]|\\.)*"?'
_COMMENT = re.compile(rf"{_STRING}|(?P<comment>//[^\r\n]*|/\*.*?(?P<end>\*/|\Z))", re.DOTALL)
_COMMA = re.compile(rf"{_STRING}|(?P<comma>,)(?=\s*[}}\]])")


class JsoncDocument(JsonDocument):
    """One JSON object, with comments and trailing commas where people put them. None of ours has any."""

    format = "jsonc"

    def __init__(self, content: bytes) -> None:
        self._known = ("", "", "")
        super().__init__(content)

    def is_blank(self) -> bool:
        return super().is_blank() and self._code == self.text

    @property
    def as_json(self) -> bytes:
        """The document as strict JSON."""
        return self._scanned.encode()

    @property
    def _code(self) -> str:
        """The text with comments turned into spaces."""
        return self._views[1]

    @property
    def _scanned(self) -> str:
        return self._views[2]

    @property
    def _views(self) -> tuple[str, str, str]:
        if self._known[0] is not self.text:
            code = _COMMENT.sub(self._blanked, self.text)
            self._known = self.text, code, _COMMA.sub(lambda match: self._without_comma(code, match), code)
        return self._known

    def _blanked(self, match: re.Match[str]) -> str:
        if match["comment"] is None:
            return match[0]
        if match["end"] == "":
            raise DocumentError("opens a comment that is not closed", *self._line_column(match.start()))
        return " " * len(match[0])

    @staticmethod
    def _without_comma(code: str, match: re.Match[str]) -> str:
        """A trailing comma as a space. One behind nothing, or behind another comma, stays, and is an error."""
        at = match.start() - 1
        while code[at] in " \t\r\n":
            at -= 1
        return " " if match["comma"] and code[at] not in "[{,:" else match[0]

    def spans(self) -> Iterator[Span]:
        yield from self._spans(self._root_member, ())

    def _spans(self, here: Member, path: KeyPath) -> Iterator[Span]:
        if not isinstance(here.value, (dict, list)):
            yield Span(here.value_start, here.end, path, here.value)
            return
        for one in self._members(here.value_start):
            inner = path
            if isinstance(here.value, dict):
                inner = (*path, one.key)
                yield Span(one.start, self._key_end(one), inner, one.key, is_name=True)
            yield from self._spans(one, inner)

    # -- editing ---------------------------------------------------------------------------------------------------

    def _bracketed(self, start: int, members: list[Member]) -> Bracketed:
        _value, end = self._scan(start)
        return Bracketed(self.text, self._code, start, end - 1, [(one.start, one.end) for one in members])

    def _append(self, start: int, close: str, value: Any, depth: int, key: str | None = None) -> None:
        members = list(self._members(start))
        multiline = self._is_multiline(start)
        colon = self._colon(members) if key is not None else ""
        new = ("" if key is None else dumps(key) + colon) + self._render(value, depth + 1, multiline)
        lines = (self._newline(depth + 1), self._newline(depth))
        between = "" if colon == ":" else " "
        here = self._bracketed(start, members)
        self._splice(*appended(here, new, between, lines if multiline else ("", ""), lines))

    def _colon(self, members: list[Member]) -> str:
        colon = super()._colon(members)
        return colon if not colon.replace(":", "", 1).strip() else ": "

    def _drop(self, parent: Member, matches: Callable[[Member], bool]) -> None:
        while True:
            members = list(self._members(parent.value_start))
            at = next((number for number, member in enumerate(members) if matches(member)), None)
            if at is None:
                return
            self._splice(*dropped(self._bracketed(parent.value_start, members), at))
