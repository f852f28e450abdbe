# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read and edit other people's files; everything not edited stays byte for byte.

A document is one file's bytes plus operations by key path (a tuple of strings). Each edit is one replacement in the text, and
its inverse is kept in :attr:`Document.undo`, so that the ledger can lead back without a copy of the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Type  # noqa: UP035

from .base import (
    MISSING,
    Document,
    DocumentError,
    KeyPath,
    Undo,
    WrongContainer,
)
from .block_document import BlockDocument
from .ini_document import IniDocument
from .json_document import JsonDocument
from .libraries import LibraryNeeded
from .link_document import LinkDocument
from .whole_file import WholeFile

if TYPE_CHECKING:
    from .dotenv_document import DotenvDocument
    from .jsonc_document import JsoncDocument
    from .toml_document import TomlDocument
    from .yaml_document import YamlDocument

_AT_ONCE: dict[str, type[Document]] = {
    one.format: one for one in (JsonDocument, IniDocument, BlockDocument, WholeFile, LinkDocument)
}
_LATER = {"dotenv": "DotenvDocument", "jsonc": "JsoncDocument", "toml": "TomlDocument", "yaml": "YamlDocument"}


class _Formats(Mapping[str, Type[Document]]):  # noqa: UP006
    """Each format by its name. Those that many hosts have no file of are imported with the first one: that costs 15 ms."""

    def __getitem__(self, kind: str) -> type[Document]:
        found = _AT_ONCE.get(kind)
        if found is None:
            found = __getattr__(_LATER[kind])
        return found

    def __iter__(self) -> Iterator[str]:
        return iter((*_AT_ONCE, *_LATER))

    def __len__(self) -> int:
        return len(_AT_ONCE) + len(_LATER)


FORMATS = _Formats()


def __getattr__(name: str) -> Any:
    if name not in _LATER.values():
        raise AttributeError(name)
    return getattr(import_module(f".{name[: -len('Document')].lower()}_document", __package__), name)


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
