# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file that is ours from the first byte to the last: scripts and the host program."""

from __future__ import annotations

from typing import Any

from .base import (
    MISSING,
    Document,
    DocumentError,
    KeyPath,
)

WHOLE: KeyPath = ()


def value_of(content: bytes) -> str:
    """A file's content as the value of its one key."""
    return content.decode(WholeFile.encoding)


class WholeFile(Document):
    """Any bytes; the only key path is the empty one, and its value is the content as Latin-1 text.

    Latin-1 maps each byte to one character, so binary content passes through the same edits and undo as text.
    """

    format = "file"
    encoding = "latin-1"

    def _refuse_nul(self) -> None:
        """Any byte may stand in a program."""

    def is_blank(self) -> bool:
        return not self.text

    def get(self, path: KeyPath) -> Any:
        self._only_whole(path)
        return self.text if self.text else MISSING

    def set(self, path: KeyPath, value: Any) -> None:
        self._only_whole(path)
        if value != self.text:
            self._splice(0, len(self.text), value)

    def remove(self, path: KeyPath) -> None:
        self._only_whole(path)
        if self.text:
            self._splice(0, len(self.text), "")

    def is_empty_container(self, path: KeyPath) -> bool:
        return False

    @staticmethod
    def _only_whole(path: KeyPath) -> None:
        if path != WHOLE:
            raise DocumentError("is one value as a whole", path=path)
