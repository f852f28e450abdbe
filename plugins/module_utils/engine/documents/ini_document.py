# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""INI as the Databricks CLI and SDKs read it: ``~/.databrickscfg``.

A key path is ``(section, key)``; the path ``(section,)`` names the section itself. Lines that are not edited are not even
parsed beyond "comment, section or key", so alignment, order and comments stay.
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

_SECTION = re.compile(r"[ \t]*\[(?P<name>[^\]\r\n]*)\][^\r\n]*")
_SIGN = re.compile("[=:]")
_LINE = re.compile(r"[^\n]*\n?")


class _Key(NamedTuple):
    """``start`` and ``end`` are those of its lines; ``name_start`` is behind the indentation."""

    name: str
    start: int
    name_start: int
    value_start: int
    value_end: int
    end: int


class _Section(NamedTuple):
    """``start`` is the first character of the header line; ``end`` is the end of the last line that is not blank or a comment."""

    name: str
    start: int
    end: int
    keys: tuple[_Key, ...]


class IniDocument(Document):
    """Sections of ``key = value`` lines. Lines indented deeper than their key continue its value and go with it."""

    format = "ini"

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._sections()

    def is_blank(self) -> bool:
        return not self.text.strip(BOM + " \t\r\n")

    def get(self, path: KeyPath) -> Any:
        section = self._section(path[0])
        if section is None:
            return MISSING
        if len(path) == 1:
            return {key.name: self.text[key.value_start : key.value_end] for key in section.keys}
        key = self._key(section, path)
        return MISSING if key is None else self.text[key.value_start : key.value_end]

    def is_empty_container(self, path: KeyPath) -> bool:
        section = self._section(path[0])
        return section is not None and not section.keys

    def set(self, path: KeyPath, value: Any) -> None:
        name, wanted = path
        section = self._section(name)
        if section is None:
            gap = self._line_end if self.text.strip(BOM + " \t\r\n") else ""
            self._append_lines(len(self.text), f"{gap}[{name}]{self._line_end}{wanted} = {value}{self._line_end}")
            return
        key = self._key(section, path)
        if key is None:
            self._append_lines(section.end, f"{self._beginning(section, wanted)}{value}{self._line_end}")
        elif self.text[key.value_start : key.value_end] != value:
            self._splice(key.value_start, key.value_end, value)

    def remove(self, path: KeyPath) -> None:
        section = self._section(path[0])
        if section is None:
            return
        if len(path) == 1:
            start = section.start
            if self.text[:start].endswith(("\n\n", "\r\n\r\n")):  # the blank line that was put before our section
                start -= 2 if self.text[:start].endswith("\r\n") else 1
            self._splice(start, section.end, "")
            return
        key = self._key(section, path)
        if key is not None:
            self._splice(key.start, key.end, "")

    # -- finding ---------------------------------------------------------------------------------------------------

    def _section(self, name: str) -> _Section | None:
        found = [section for section in self._sections() if section.name == name]
        if len(found) > 1:
            raise DocumentError("stands twice", *self._line_column(found[1].start), path=(name,))
        return found[0] if found else None

    def _key(self, section: _Section, path: KeyPath) -> _Key | None:
        found = [key for key in section.keys if key.name.lower() == path[1].lower()]
        if len(found) > 1:
            raise DocumentError("stands twice in the same section", *self._line_column(found[1].start), path=path)
        return found[0] if found else None

    def _sections(self) -> list[_Section]:
        sections: list[_Section] = []
        name, start, end = None, 0, 0
        keys: list[_Key] = []
        at = len(BOM) if self.text.startswith(BOM) else 0
        while at < len(self.text):
            line = _LINE.match(self.text, at)
            line_end = line.end() if line else len(self.text)
            stripped = self.text[at:line_end].strip()
            header = _SECTION.match(self.text, at)
            entry = None if header else self._entry(at, line_end)
            if header:
                if name is not None:
                    sections.append(_Section(name, start, end, tuple(keys)))
                name, start, end, keys = header["name"].strip(), at, line_end, []
            elif not stripped or stripped[0] in "#;":
                pass
            elif keys and self._indentation(at) > keys[-1].name_start - keys[-1].start:
                keys[-1] = keys[-1]._replace(value_end=at + len(self.text[at:line_end].rstrip()), end=line_end)
                end = line_end
            elif entry:
                keys.append(entry)
                end = line_end
            else:
                raise DocumentError("is neither a section, a key nor a comment", *self._line_column(at))
            at = line_end
        if name is not None:
            sections.append(_Section(name, start, end, tuple(keys)))
        return sections

    def _entry(self, at: int, line_end: int) -> _Key | None:
        """The key and value of a line, if it has them. Not by a pattern: there are lines for which one takes time without end."""
        line = self.text[at:line_end]
        line = line[:-1] if line.endswith("\n") else line
        line = line[:-1] if line.endswith("\r") else line
        begin = len(line) - len(line.lstrip(" \t"))
        sign = _SIGN.search(line, begin)
        if sign is None or sign.start() == begin or line[begin].isspace() or line[begin] in "#;[" or "\r" in line:
            return None
        behind = line[sign.end() :].lstrip(" \t")
        value_start = at + len(line) - len(behind)
        name = line[begin : sign.start()].rstrip(" \t")
        return _Key(name, at, at + begin, value_start, value_start + len(behind.rstrip(" \t")), line_end)

    def _indentation(self, at: int) -> int:
        line = self.text[at : at + 200]
        return len(line) - len(line.lstrip(" \t"))

    # -- editing ---------------------------------------------------------------------------------------------------

    def _append_lines(self, at: int, lines: str) -> None:
        """Insert whole lines at ``at``, which is the start of a line or the end of a text without a final newline."""
        if at and self.text[at - 1] != "\n" and self.text[:at] != BOM:
            lines = ("\n" if self.text[at - 1] == "\r" else self._line_end) + lines
        self._splice(at, at, lines)

    def _beginning(self, section: _Section, wanted: str) -> str:
        """Indentation, key and equals sign as the section's last key writes them, aligned if it is (the Databricks CLI aligns)."""
        if not section.keys:
            return f"{wanted} = "
        last = section.keys[-1]
        indentation = self.text[last.start : last.name_start]
        sign = self.text[last.name_start + len(last.name) : last.value_start]
        if not sign.startswith("  "):
            return indentation + wanted + sign
        gap = len(last.name) + len(sign) - len(sign.lstrip()) - len(wanted)
        return indentation + wanted + " " * max(gap, 1) + sign.lstrip()
