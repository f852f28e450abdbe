# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Working without a ledger: what is still known to be ours from the files themselves.

A ledger can be lost (a home restored from a backup, an eager clean-up). Then the helper's path in an agent's settings, and the
files in our own directory, still say what we wrote; what it replaced is not known any more, and the operator is told so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import OperatorError
from . import files
from .documents import KeyPath, LinkDocument
from .ledger import Ledger
from .past import Entry, digest, value_digest

NOTE = "there was no ledger: what is known to be ours was taken out, what it had replaced is not known"


def content(path: str, link: bool = False) -> bytes | None:
    """A file's bytes (or a link's target), or None where there is none that can be read."""
    try:
        return files.read_link(path).content if link else files.read(path).content
    except OperatorError:
        return None


def keys(
    ledger: Ledger, component: str, path: str, kind: str, values: Mapping[KeyPath, Any], above: Sequence[KeyPath] = ()
) -> None:
    """Enter these values of a document as ours; ``above`` are containers that go when they are empty."""
    ledger.documents[path] = _entry(component, kind, values, ledger.salt, above)


def whole_file(ledger: Ledger, component: str, path: str, kind: str = "file") -> None:
    """Enter a file (or a link) that can only be ours, if it is there."""
    found = content(path, link=kind == LinkDocument.format)
    if found is not None:
        ours: Entry = {"created": True, "after": digest(found), "undo": [], "note": None}
        ledger.documents[path] = {**_entry(component, kind, {}, ledger.salt), **ours}


def _entry(component: str, kind: str, values: Mapping[KeyPath, Any], salt: str, above: Sequence[KeyPath] = ()) -> Entry:
    return {
        "component": component,
        "format": kind,
        "created": False,
        "after": "",
        "undo": None,
        "mode": [None, None],
        "leftovers": [],
        "backup": None,
        "values": [{"path": list(key), "digest": value_digest(value, salt)} for key, value in values.items()],
        "elements": [],
        "removed": [],
        "containers": [list(path) for path in above],
        "note": NOTE,
    }
