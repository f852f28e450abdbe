# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the ledger's record of a document says of earlier runs: which values were ours, and what stood there without us. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Mapping
from typing import Any, Dict  # noqa: UP035

from .documents import FORMATS, MISSING, Document, KeyPath, WrongContainer
from .documents.json_document import same

Entry = Dict[str, Any]  # noqa: UP006
"""The ledger's record of one document; see :func:`.ownership.plan` for its keys."""

_FORMER_VALUES = 16
"""So many earlier values of ours are known again for each key."""
_FORMER_KEYS = 64
"""So many keys (and so many elements) of a document that are not ours any more are remembered."""
_PRIOR = ("prior", "prior_text")


def digest(content: bytes | None) -> str | None:
    """SHA-256 of a file's bytes, hexadecimal; None for no file."""
    return None if content is None else hashlib.sha256(content).hexdigest()


def value_digest(value: Any, salt: str) -> str:
    """Salted SHA-256 of a value: enough to know ours again, too little to guess a secret from."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(f"{salt}:{text}".encode()).hexdigest()


class Past:
    """What is known of a document from before: every value that was ours, and what is its owner's without us."""

    def __init__(self, entry: Entry | None, salt: str) -> None:
        now, former = entry or {}, (entry or {}).get("former") or {}
        self.salt = salt
        self.digests: dict[KeyPath, list[str]] = {}
        """By key, the latest last."""
        self.priors: dict[KeyPath, Entry] = {}
        for record in (*former.get("values", ()), *now.get("values", ())):
            key = tuple(record["path"])
            self.digests.setdefault(key, []).extend((*record.get("former", ()), record["digest"]))
            self.priors[key] = prior_in(record)
        for record in now.get("removed", ()):
            if not self.priors.get(tuple(record["path"])):
                self.priors[tuple(record["path"])] = prior_in(record)
        self.elements = [
            (tuple(record["path"]), record["element"])
            for record in (*former.get("elements", ()), *now.get("elements", ()))
        ]
        self.containers = [tuple(path) for one in (former, now) for path in one.get("containers", ())]

    def is_ours(self, key: KeyPath, value: Any) -> bool:
        """Whether a value that stands there is one of ours, now or once."""
        return value is not MISSING and value_digest(value, self.salt) in self.digests.get(key, ())

    def is_our_element(self, key: KeyPath, element: Any) -> bool:
        return any(one == key and same(ours, element) for one, ours in self.elements)

    def note_containers(self, key: KeyPath, containers: list[KeyPath]) -> None:
        """Enter those that we had made on the way to a value of ours that is back."""
        containers += [
            one for one in dict.fromkeys(self.containers) if one == key[: len(one)] and one not in containers
        ]

    def is_back(
        self,
        document: Document,
        values: Container[KeyPath] = (),
        elements: Mapping[KeyPath, tuple[Any, ...]] | None = None,
    ) -> bool:
        """Whether anything of it stands in the document, other than these values and elements."""
        others = (key for key in self.digests if key not in values)
        members = (one for one in self.elements if not is_among(*one, elements or {}))
        return any(self.is_ours(key, value_at(document, key)) for key in others) or any(
            has_element(document, *one) for one in members
        )

    def record(self, key: KeyPath, value: Any) -> Entry:
        """Of a value that is ours from now on."""
        return _with_former({"path": list(key), "digest": value_digest(value, self.salt)}, self.digests.get(key, []))

    def without(self, fresh: Entry, document: Document | None) -> Entry:
        """The part that is not in an entry any more. What its owner has there now, the document says; without one, the past does."""
        ours = {tuple(record["path"]) for record in fresh["values"]}
        removed = {tuple(record["path"]): prior_in(record) for record in fresh["removed"]}
        values = []
        for key, digests in self.digests.items():
            if key in ours:
                continue
            current = MISSING if document is None else value_at(document, key)
            prior = self.priors[key] if document is None else removed.get(key, {})
            if document is not None and current is not MISSING:
                prior = prior_of(document, key, current)
            values.append({**_with_former({"path": list(key), "digest": digests[-1]}, digests), **prior})
        elements = [
            {"path": list(key), "element": element}
            for key, element in self.elements
            if not any(tuple(one["path"]) == key and same(one["element"], element) for one in fresh["elements"])
        ]
        containers = [list(path) for path in dict.fromkeys(self.containers) if list(path) not in fresh["containers"]]
        if not values and not elements:
            return {}
        return {
            "values": values[-_FORMER_KEYS:],
            "elements": elements[-_FORMER_KEYS:],
            "containers": containers[-_FORMER_KEYS:],
        }


def _with_former(record: Entry, digests: list[str]) -> Entry:
    former = [one for one in dict.fromkeys(digests) if one != record["digest"]][-_FORMER_VALUES:]
    return {**record, "former": former} if former else record


def holds_ours(content: bytes | None, entry: Entry, salt: str) -> bool:
    """Whether anything stands in a file that is ours, now or once. Raises DocumentError for one that cannot be read."""
    if content is None:
        return False
    return digest(content) == entry["after"] or Past(entry, salt).is_back(FORMATS[entry["format"]](content))


def former_of(entry: Entry, document: Document | None = None) -> Entry | None:
    """What to remember of a document in which nothing is ours any more; None where nothing can come back.

    What its owner has there now, the document says, without ours; where it is not at hand, the entry does.
    """
    nothing: Entry = {"values": [], "elements": [], "removed": [], "containers": []}
    former = Past(entry, "").without(nothing, document)
    kept = {name: entry[name] for name in ("component", "format", "created", "mode", "leftovers")}
    return {**kept, **nothing, "after": "", "undo": None, "gone": True, "former": former} if former else None


def left_now(former: Entry | None, content: bytes | None) -> Entry | None:
    """The same, with a digest of what its owner has now."""
    if former is not None and content is not None:
        former["left"] = digest(content)
    return former


def remembering(entry: Entry, other: Entry | None) -> Entry:
    """An entry that knows the values of another as former ones of ours, too: one that was to hold, and perhaps did for a while."""
    if other is None:
        return entry
    past = Past(other, "")

    def knowing(record: Entry) -> Entry:
        return _with_former(record, [*past.digests.get(tuple(record["path"]), []), *record.get("former", ())])

    own = entry.get("former") or {"values": [], "elements": [], "containers": []}
    known = {name: [*own[name], *entry[name]] for name in own}
    more = past.without({**known, "removed": []}, None)
    former = {name: [*own[name], *more.get(name, [])] for name in own}
    former["values"] = [knowing(one) for one in former["values"]]
    kept = {"former": former} if any(former.values()) else {}
    return {**entry, "values": [knowing(one) for one in entry["values"]], **kept}


def prior_of(document: Document, key: KeyPath, value: Any) -> Entry:
    """What stands there without us, for a record."""
    text = document.spelled(key)
    return {"prior": value} if text is None else {"prior_text": text}


def prior_in(record: Entry) -> Entry:
    return {name: record[name] for name in _PRIOR if name in record}


def has_element(document: Document, key: KeyPath, element: Any) -> bool:
    current = value_at(document, key)
    return isinstance(current, list) and any(same(element, one) for one in current)


def is_among(key: KeyPath, element: Any, elements: Mapping[KeyPath, tuple[Any, ...]]) -> bool:
    return any(same(element, one) for one in elements.get(key, ()))


def value_at(document: Document, key: KeyPath) -> Any:
    """The value, or MISSING where something else stands on the way to it, too."""
    try:
        return document.get(key)
    except WrongContainer:
        return MISSING
