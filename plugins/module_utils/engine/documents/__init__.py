# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read and edit other people's files; everything not edited stays byte for byte.

A document is one file's bytes plus operations by key path (a tuple of strings). Each edit is one replacement in the text, and
its inverse is kept in :attr:`Document.undo`, so that the ledger can lead back without a copy of the file.
"""

from __future__ import annotations

from .base import (
    MISSING,
    Document,
    DocumentError,
    KeyPath,
    Undo,
    WrongContainer,
)
from .block_document import BlockDocument
from .dotenv_document import DotenvDocument
from .ini_document import IniDocument
from .json_document import JsonDocument
from .jsonc_document import JsoncDocument
from .libraries import LibraryNeeded
from .link_document import LinkDocument
from .toml_document import TomlDocument
from .whole_file import WholeFile
from .yaml_document import YamlDocument

FORMATS: dict[str, type[Document]] = {
    one.format: one
    for one in (
        JsonDocument,
        JsoncDocument,
        TomlDocument,
        YamlDocument,
        IniDocument,
        DotenvDocument,
        BlockDocument,
        WholeFile,
        LinkDocument,
    )
}

__all__ = [
    "FORMATS",
    "MISSING",
    "BlockDocument",
    "Document",
    "DocumentError",
    "DotenvDocument",
    "IniDocument",
    "JsonDocument",
    "JsoncDocument",
    "KeyPath",
    "LibraryNeeded",
    "LinkDocument",
    "TomlDocument",
    "Undo",
    "WholeFile",
    "WrongContainer",
    "YamlDocument",
]
