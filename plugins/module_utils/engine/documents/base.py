# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every document format shares: the text, its edits, and the way back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple, Tuple  # noqa: UP035

from ...errors import OperatorError

KeyPath = Tuple[str, ...]  # noqa: UP006
"""Where a value stands: ``("env", "ANTHROPIC_MODEL")`` in JSON, ``(section, key)`` in INI, ``(name,)`` in dotenv files."""

Undo = Tuple[int, int, str]  # noqa: UP006
"""The inverse of one edit: at this offset, this many characters of ours, replace them by this text."""


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()
"""No value stands at that key path (``null`` is a value)."""

BOM = "\ufeff"


class Opaque(str):
    """A value for which JSON has no word (a date, an alias), as text. It equals no string, and is given back as it was spelled."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Opaque) and str.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__


class Span(NamedTuple):
    """A name or a value in a text, for a diff: ``path`` is that of the value, or ends with the name."""

    start: int
    end: int
    path: KeyPath
    value: Any
    is_name: bool = False


class DocumentError(OperatorError):
    """The file cannot be edited safely; nothing was written."""

    def __init__(self, what: str, line: int | None = None, column: int | None = None, path: KeyPath = ()) -> None:
        where = []
        if line is not None:
            where.append(f"line {line}" + (f", column {column}" if column is not None else ""))
        if path:
            where.append(f"key {'.'.join(path)}")
        super().__init__(what, ", ".join(where))


class WrongContainer(DocumentError):
    """Something on the way to a key cannot hold it: a string where an object must stand."""


class Document:
    """One file's text and its operations. Subclasses know one format.

    Offsets of edits count characters of the decoded text, a byte order mark included.
    """

    format = ""
    encoding = "utf-8"
    errors = "strict"
    library = ""
    """What has to travel to a host that cannot parse it by itself."""

    def __init__(self, content: bytes) -> None:
        self.undo: list[Undo] = []
        try:
            self.text = content.decode(self.encoding, self.errors)
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            column = error.start - (content.rfind(b"\n", 0, error.start) + 1) + 1
            raise DocumentError("is not valid UTF-8", line, column) from None
        self._refuse_nul()

    @property
    def content(self) -> bytes:
        return self.text.encode(self.encoding, self.errors)

    @classmethod
    def reverted(cls, content: bytes, undo: list[Undo]) -> bytes:
        """The content as it stood before the edits in ``undo`` (oldest first)."""
        text = content.decode(cls.encoding, cls.errors)
        for start, length, old in reversed(undo):
            text = text[:start] + old + text[start + length :]
        return text.encode(cls.encoding, cls.errors)

    @classmethod
    def blank(cls) -> bytes:
        """The content that a file starts with when there was none."""
        return b""

    def is_blank(self) -> bool:
        """Whether nothing but the blank content is left (then a file of our making can go)."""
        raise NotImplementedError

    def get(self, path: KeyPath) -> Any:
        """The value at ``path`` or :data:`MISSING`. Raises WrongContainer if something on the way is no container."""
        raise NotImplementedError

    def set(self, path: KeyPath, value: Any) -> None:
        """Put ``value`` at ``path``, making containers on the way."""
        raise NotImplementedError

    def remove(self, path: KeyPath) -> None:
        """Take the value at ``path`` out; nothing happens if there is none. Containers stay."""
        raise NotImplementedError

    def spelled(self, path: KeyPath) -> str | None:
        """The text of a value that is there, where it is another than :meth:`set` would write; None where the value tells all."""
        return None

    def set_spelled(self, path: KeyPath, text: str) -> None:
        """Put a value at ``path`` as :meth:`spelled` has told it."""
        raise NotImplementedError

    def is_empty_container(self, path: KeyPath) -> bool:
        raise NotImplementedError

    def spans(self) -> Iterator[Span]:
        """All names and values, in their order. Between them are punctuation and comments."""
        raise NotImplementedError

    def add_element(self, path: KeyPath, element: Any) -> None:
        raise DocumentError(f"has no lists ({self.format})", path=path)

    def remove_element(self, path: KeyPath, element: Any) -> None:
        raise DocumentError(f"has no lists ({self.format})", path=path)

    def _refuse_nul(self) -> None:
        at = self.text.find("\0")
        if at >= 0:
            raise DocumentError("holds a NUL byte", *self._line_column(at))

    def _splice(self, start: int, end: int, new: str) -> None:
        self.undo.append((start, len(new), self.text[start:end]))
        self.text = self.text[:start] + new + self.text[end:]

    def _line_column(self, offset: int) -> tuple[int, int]:
        """Both count from 1; a byte order mark is no column."""
        line_start = self.text.rfind("\n", 0, offset) + 1
        if line_start == 0 and self.text.startswith(BOM):
            line_start = 1
        return self.text.count("\n", 0, offset) + 1, max(offset - line_start, 0) + 1

    @property
    def _line_end(self) -> str:
        """The line end that the file uses (the first one counts in a mixed file)."""
        at = self.text.find("\n")
        return "\r\n" if at > 0 and self.text[at - 1] == "\r" else "\n"
