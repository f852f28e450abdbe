# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of TOML, YAML and JSON with comments share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ansible_collections.fmapi.coding_agents.plugins.module_utils import loading
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.documents import Document, DocumentError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import CARRIED_LIBRARY
from ansible_collections.fmapi.coding_agents.plugins.plugin_utils import carrying


def bring_libraries() -> None:
    """Let this process have the parsers, as a call of a module brings them."""
    loading.offer_libraries(carrying.libraries())


def forget_libraries() -> None:
    for name in [name for name in sys.modules if name.startswith(CARRIED_LIBRARY)]:
        del sys.modules[name]
    if loading._Libraries in sys.meta_path:
        sys.meta_path.remove(loading._Libraries)


@contextmanager
def without_libraries() -> Iterator[None]:
    """As on a host to which none have travelled."""
    forget_libraries()
    try:
        yield
    finally:
        bring_libraries()


def edited(kind: type[Document], before: str, *edits: tuple[Any, ...]) -> str:
    """The text after some edits, from which there is an exact way back."""
    document = kind(before.encode())
    for verb, path, *value in edits:
        getattr(document, verb)(path, *value)
    assert kind.reverted(document.content, document.undo) == before.encode()
    return document.content.decode()


def tried(document: Document, edit: tuple[Any, ...]) -> bool:
    """Whether an edit was made; one that is refused changes nothing."""
    before, edits = document.content, list(document.undo)
    try:
        getattr(document, edit[0])(*edit[1:])
    except DocumentError:
        assert (document.content, document.undo) == (before, edits)
        return False
    return True


def without(data: Any, path: tuple[str, ...]) -> Any:
    """The data without what stands at ``path``, and without objects on the way that are empty then, or nothing."""
    if not isinstance(data, dict) or path[0] not in data:
        return data
    rest = {key: value for key, value in data.items() if key != path[0]}
    inside = without(data[path[0]], path[1:]) if len(path) > 1 else None
    return {**rest, path[0]: inside} if inside not in (None, {}) else rest


def at(data: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        data = data[key]
    return data


def paths_in(data: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The paths of everything in objects."""
    found = [path] if path else []
    for key, value in data.items() if isinstance(data, dict) else ():
        found += paths_in(value, (*path, key))
    return found
