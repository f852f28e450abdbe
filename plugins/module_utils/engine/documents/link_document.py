# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A symbolic link that is ours: its target is the one value, as the link says it."""

from __future__ import annotations

from typing import Any

from .base import DocumentError, KeyPath
from .whole_file import WholeFile


class LinkDocument(WholeFile):
    """The document is the link itself; what it leads to is read by nobody here."""

    format = "link"
    encoding = "utf-8"
    errors = "surrogateescape"  # as Python spells any file name

    def set(self, path: KeyPath, value: Any) -> None:
        if not isinstance(value, str) or not value or "\0" in value:
            raise DocumentError("needs the path that the link leads to", path=path)
        super().set(path, value)
