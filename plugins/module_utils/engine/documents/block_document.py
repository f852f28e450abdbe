# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Managed blocks in shell start files: the lines between two marker lines. A key path is ``(NAME,)``::

    # >>> fmapi.coding_agents NAME >>>
    export PATH="$HOME/.local/bin:$PATH"
    # <<< fmapi.coding_agents NAME <<<

A block's value is its lines joined by LF, without the last line end. Nothing outside the markers is read, so it may be in any
encoding. A new block goes to the end, behind a blank line; where the file has no final line end, the first marker says so, and the
file gets none back. Blocks are written with LF whatever the file has: a shell takes a CR for a part of the command.

The block of another tool is one value, its markers included: a key path ``("wrapper", NAME)``::

    # >>> NAME wrapper >>>
    NAME() { ...; }
    # <<< NAME wrapper <<<

It is there where both markers stand once, in this order; else the file holds none. It can be taken out, and put in again at the end.
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

_CUT_OFF = " (no line end before)"
_MARKER = re.compile(
    r"^[ \t]*# (?P<arrow>>>>|<<<) fmapi\.coding_agents (?P<name>[^\s]+) (?P=arrow)"
    rf"(?P<cut_off>{re.escape(_CUT_OFF)})?[ \t]*(?:\r?\n|\Z)",
    re.MULTILINE,
)
_BLANK_LINE = re.compile(r"(?:(?<=\n)|\A)\r?\n\Z")
_LINE_END = re.compile(r"\r?\n\Z")
_NAME = re.compile(r"[A-Za-z0-9_.-]+")

WRAPPER = "wrapper"
"""Begins the key path of another tool's block."""


class _Block(NamedTuple):
    """Offsets of its first marker's line, of what stands between the markers, and of the end of its last marker's line."""

    name: str
    start: int
    body_start: int
    body_end: int
    end: int
    cut_off: bool
    """The file did not end with a line end: the one before the block is ours."""


class BlockDocument(Document):
    """A file of shell commands with blocks of ours in it."""

    format = "block"
    errors = "surrogateescape"

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._blocks()

    def is_blank(self) -> bool:
        return not self.text.strip(BOM + " \t\r\n")

    def get(self, path: KeyPath) -> Any:
        if _is_wrapper(path):
            found = self._wrapper(path[1])
            return MISSING if found is None else self.text[found[0] : found[1]]
        block = self._block(path)
        if block is None:
            return MISSING
        body = self.text[block.body_start : block.body_end].replace("\r\n", "\n")
        return body[:-1] if body.endswith("\n") else body

    def is_empty_container(self, path: KeyPath) -> bool:
        return False

    def set(self, path: KeyPath, value: Any) -> None:
        if _is_wrapper(path):
            self.remove(path)
            gap = "" if not self.text or self.text.endswith("\n") else "\n"
            self._splice(len(self.text), len(self.text), gap + value)
            return
        block = self._block(path)
        self._check(path, value)
        if block is not None:
            if self.get(path) != value:
                self._splice(block.body_start, block.body_end, _lines(value))
            return
        name, gap, cut_off = path[0], "\n" if self.text else "", ""
        if self.text and not self.text.endswith("\n"):
            gap, cut_off = "\n\n", _CUT_OFF
        lines = f"# >>> fmapi.coding_agents {name} >>>{cut_off}\n{_lines(value)}# <<< fmapi.coding_agents {name} <<<\n"
        self._splice(len(self.text), len(self.text), gap + lines)

    def remove(self, path: KeyPath) -> None:
        if _is_wrapper(path):
            found = self._wrapper(path[1])
            if found is not None:
                self._splice(*found, "")
            return
        block = self._block(path)
        if block is None:
            return
        start = block.start
        blank = _BLANK_LINE.search(self.text, 0, start)
        if blank:
            start = blank.start()
        before = _LINE_END.search(self.text, 0, start)
        if (
            block.cut_off and before and block.end == len(self.text)
        ):  # with something behind, two lines would become one
            start = before.start()
        self._splice(start, block.end, "")

    def _wrapper(self, name: str) -> tuple[int, int] | None:
        """Where another tool's block begins, and where it ends with its last marker's line."""
        begins, ends = (
            [
                *re.finditer(
                    rf"^# {arrow} {re.escape(name)} {WRAPPER} {arrow}[ \t]*(?:\r?\n|\Z)", self.text, re.MULTILINE
                )
            ]
            for arrow in (">>>", "<<<")
        )
        if len(begins) != 1 or len(ends) != 1 or begins[0].end() > ends[0].start():
            return None
        return begins[0].start(), ends[0].end()

    def _block(self, path: KeyPath) -> _Block | None:
        if len(path) != 1:
            raise DocumentError("names no block: blocks have one level", path=path)
        found = [block for block in self._blocks() if block.name == path[0]]
        if len(found) > 1:
            raise DocumentError("stands twice", self._line_column(found[1].start)[0], path=path)
        return found[0] if found else None

    def _blocks(self) -> list[_Block]:
        blocks: list[_Block] = []
        opened: re.Match[str] | None = None
        for marker in _MARKER.finditer(self.text):
            path, line = (marker["name"],), self._line_column(marker.start())[0]
            if marker["arrow"] == ">>>":
                if opened is not None:
                    raise DocumentError("begins inside another block", line, path=path)
                opened = marker
            elif opened is None or opened["name"] != marker["name"]:
                raise DocumentError("ends a block that has not begun", line, path=path)
            else:
                blocks.append(
                    _Block(
                        marker["name"],
                        opened.start(),
                        opened.end(),
                        marker.start(),
                        marker.end(),
                        bool(opened["cut_off"]),
                    )
                )
                opened = None
        if opened is not None:
            line = self._line_column(opened.start())[0]
            raise DocumentError("begins a block that does not end", line, path=(opened["name"],))
        return blocks

    @staticmethod
    def _check(path: KeyPath, value: Any) -> None:
        if not _NAME.fullmatch(path[0]):
            raise DocumentError("is no name of a block", path=path)
        if not isinstance(value, str) or "\r" in value or "\0" in value or _MARKER.search(value):
            raise DocumentError("can hold lines of text without CR, NUL and markers only", path=path)


def _is_wrapper(path: KeyPath) -> bool:
    return len(path) == 2 and path[0] == WRAPPER


def _lines(value: str) -> str:
    return value + "\n" if value else ""
