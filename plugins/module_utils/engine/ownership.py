# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one document should hold, what we own in it, and how to get from one to the other. Pure: no file is touched here.

There is one rule for every change (first rollout, changed model, dropped agent, uninstall): take out what we own and no longer
want, put in what we want, remember what stood there. Uninstalling is the same rule with nothing wanted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Callable, NamedTuple

from ..errors import OperatorError
from .documents import (
    FORMATS,
    MISSING,
    Document,
    DocumentError,
    KeyPath,
    LinkDocument,
    WholeFile,
    WrongContainer,
)
from .documents.json_document import same
from .documents.whole_file import WHOLE, value_of
from .past import (
    Entry,
    Past,
    digest,
    former_of,
    has_element,
    is_among,
    left_now,
    prior_in,
    prior_of,
    value_at,
    value_digest,
)

PRIVATE = 0o600


class Wanted(NamedTuple):
    """What one document should hold.

    ``values`` are set, ``elements`` are in their lists, ``superseded`` are absent (they would outrank ours). ``forget`` is asked
    about each value that stands where ours go, or is superseded: a note means that it is not kept and not given back, and says why.
    ``mode`` is for a new file, and for one that is ours as a whole; another's ``private`` file is tightened to 0600. A link has none.

    No dataclass: to import those costs each host as much as to plan its documents.
    """

    path: str
    format: str
    component: str
    """The part that the document belongs to: what :func:`transaction.bring` is told to bring is all documents of some parts."""
    values: Mapping[KeyPath, Any] = {}
    as_good: Mapping[KeyPath, Any] = {}
    """Of some ``values``, another that will do as well: where it stands and is ours, it stays."""
    elements: Mapping[KeyPath, tuple[Any, ...]] = {}
    superseded: tuple[KeyPath, ...] = ()
    forget: Callable[[Document, KeyPath], str | None] = lambda document, key: None
    mode: int = 0o644
    private: bool = False
    leftovers: frozenset[str] = frozenset()
    """Keys that another program adds to a container of ours, and that go with it (the Databricks CLI completes a profile)."""
    masked: frozenset[KeyPath] = frozenset()
    """Those of ``values`` that no diff shows, then and later: the operator's own, which may be secrets."""
    replace_unreadable: bool = False
    """The operator's leave to put a file that cannot be parsed aside, and to start with an empty one."""
    summary: str = ""
    """Of a whole file or a link: the few words that changes and diffs show instead of it, such as "token helper"."""

    def replaced(self, **changes: Any) -> Wanted:
        """The same, but for these fields."""
        return self._replace(**changes)


def whole_file(
    path: str, component: str, content: bytes, summary: str, mode: int = 0o644, as_good: bytes | None = None
) -> Wanted:
    """A file that is ours from its first byte to its last. ``as_good``: another content that will do as well."""
    other = {} if as_good is None else {WHOLE: value_of(as_good)}
    return Wanted(path, WholeFile.format, component, {WHOLE: value_of(content)}, other, mode=mode, summary=summary)


class Plan:
    """One document's way to its wanted state. ``after is None``: the file is removed. ``entry is None``: nothing of ours is left."""

    def __init__(
        self, path: str, component: str, kind: str, before: bytes | None, mode: int | None, entry: Entry | None
    ) -> None:
        """A plan that changes nothing yet."""
        self.path = path
        self.component = component
        self.format = kind
        self.before = self.after = before
        self.mode_before = self.mode_after = mode
        self.entry = entry
        self.backup: str | None = None
        """Where the unreadable file that stood here is kept: put there before the write, taken away after it was given back."""
        self.former: Entry | None = None
        """Of a document in which nothing is ours any more: what to remember of it."""
        self.entry_before = entry
        self.wanted: Wanted | None = None
        self.salt = ""
        """With the two above, for a diff: which values are ours, before and after."""
        self.summaries = ("", "")
        """Of a whole file that is ours before, and after: what it is; empty for one that is not ours, or has no summary."""
        self.notes: list[str] = []
        self.changes: list[str] = []

    @property
    def is_link(self) -> bool:
        return self.format == LinkDocument.format

    @property
    def changed(self) -> bool:
        return self.before != self.after or (self.after is not None and self.mode_before != self.mode_after)


def plan(
    path: str,
    content: bytes | None,
    mode: int | None,
    entry: Entry | None,
    wanted: Wanted | None,
    salt: str,
    backup: bytes | None = None,
) -> Plan:
    """Plan one document.

    ``content`` and ``mode`` are the file's now (None: no file); ``entry`` is the ledger's record of it; ``backup`` is the content of
    the file that ``entry["backup"]`` names, where an unreadable file was put aside. The new entry has:
    ``component``, ``format``; ``created`` (there was no file before us); ``after`` (digest of the bytes we leave), ``undo`` (edits
    that lead from those bytes back to what stood there, valid only while the digest fits); ``mode`` (before, after);
    ``values``, ``elements``, ``removed``, ``containers``: the same facts key by key, for a file that others changed since. A value's
    record has its ``path``, the ``digest`` of ours, the digests of those that were ours before (``former``), and what stood there
    without us: ``prior``, or ``prior_text`` where the file spells it in a way that the value does not tell;
    ``former``: values, elements and containers that were ours once, with the same records. An editor that had opened the file, or
    a backup of it, may bring them back, and they are ours then; ``gone``: nothing else is;
    ``backup``: where the unreadable file is that stood there; ``note``: what a withdrawal has to say (after a lost ledger);
    ``summary``: the few words for a whole file that has some; ``asked``: a digest of all that was wanted: where the same is wanted of
    the bytes that we left, nothing is to be done, and the file need not be parsed.

    Raises OperatorError naming the file; nothing has been changed then.
    """
    try:
        if wanted is None and _is_asleft_now(content, entry):
            result = Plan(path, (entry or {})["component"], (entry or {})["format"], content, mode, None)
            result.former = entry
        elif wanted is None:
            result = _withdraw(path, content, mode, entry or {}, salt, backup)
        else:
            asked = _asked(wanted, salt)
            is_known = entry is not None and entry.get("asked") == asked and digest(content) == entry["after"]
            wanted = wanted if is_known else _settled(content, entry, wanted, salt)
            result = _bring(path, content, mode, entry, wanted, salt, is_known)
            if result.entry is not None:
                result.entry["asked"] = asked
        result.entry_before, result.wanted, result.salt = entry, wanted, salt
        result.summaries = _summaries(content, entry, wanted)
        return result
    except DocumentError as error:
        raise OperatorError(
            f"{error}", path, "Nothing was changed. Mend the file (or move it away) and run again"
        ) from None


def _asked(wanted: Wanted, salt: str) -> str:
    """A digest of all that decides what a document is to hold."""
    digests = [[[list(key), value_digest(value, salt)] for key, value in wanted.values.items()]]
    digests += [[[list(key), value_digest(value, salt)] for key, value in wanted.as_good.items()]]
    lists = [[list(key), list(members)] for key, members in wanted.elements.items()]
    return value_digest([wanted.format, *digests, lists, [list(key) for key in wanted.superseded]], salt)


def _is_asleft_now(content: bytes | None, entry: Entry | None) -> bool:
    """Of a document in which nothing is ours any more: whether its owner has not touched it since we last looked into it."""
    return (
        content is not None and entry is not None and bool(entry.get("gone")) and digest(content) == entry.get("left")
    )


def _settled(content: bytes | None, entry: Entry | None, wanted: Wanted, salt: str) -> Wanted:
    """The same, with that which is as good and there already. A file that cannot be parsed has nothing."""
    kind = FORMATS[wanted.format]
    if not wanted.as_good or content is None or not _is_readable(kind, content):
        return wanted
    document, past = kind(content), Past(entry, salt)
    there = {
        key: value for key, value in wanted.as_good.items() if _holds(document, key, value) and past.is_ours(key, value)
    }
    return wanted.replaced(values={**wanted.values, **there})


def _bring(
    path: str, content: bytes | None, mode: int | None, entry: Entry | None, wanted: Wanted, salt: str, is_known: bool
) -> Plan:
    kind = FORMATS[wanted.format]
    result = Plan(path, wanted.component, wanted.format, content, mode, entry)
    result.mode_after = _wanted_mode(mode, wanted)
    if content is not None and wanted.replace_unreadable and not is_known and not _is_readable(kind, content):
        result.backup = f"{path}.unreadable-{str(digest(content))[:12]}"
        result.notes.append(f"could not be read and was replaced; it is kept as {result.backup}")
    present = content if result.backup is None else None
    past = Past(entry, salt)
    if entry is not None and entry.get("gone") and (present is None or not past.is_back(kind(present))):
        entry = None  # the file is its owner's; only the past says what would be ours
    if entry is not None and present is not None and (is_known or _satisfied(kind(present), entry, wanted, past)):
        result.entry = {
            **entry,
            "component": wanted.component,
            **({"summary": wanted.summary} if wanted.summary else {}),
        }
        if result.mode_after is not None and result.mode_after != mode:
            result.entry["mode"] = [entry["mode"][0], result.mode_after]
            result.changes.append(f"mode {result.mode_after:04o}")
        return result
    created, base, old = present is None, present, {}
    kept_aside = result.backup
    if entry is not None and present is not None:
        created, kept_aside = entry["created"], entry.get("backup")
        if digest(present) == entry["after"] and entry["undo"] is not None:
            # Nobody changed the file since: start again from what stood there, so that the way back stays exact.
            base = None if created else kind.reverted(present, [tuple(edit) for edit in entry["undo"]])
        else:
            old = entry
    document = kind(kind.blank() if base is None else base)
    for key in (*wanted.superseded, *wanted.values):
        note = wanted.forget(document, key) if document.get(key) is not MISSING else None
        if note is not None:
            document.remove(key)
            result.notes.append(note)
            result.changes.append(f"{_dotted(key)} taken out for good")
    document.undo.clear()
    if old:
        _take_out(document, old, past, result, keep=wanted)
    fresh = _apply(document, old, wanted, past, result)
    former = past.without(fresh, document)
    result.after = document.content
    before_mode = entry["mode"][0] if entry is not None and entry["mode"][1] == mode else mode
    result.entry = {
        "component": wanted.component,
        "format": wanted.format,
        "created": created,
        "after": digest(result.after),
        "undo": None if old else [list(edit) for edit in document.undo],
        "mode": [None if created and kept_aside is None else before_mode, result.mode_after],
        "leftovers": sorted(wanted.leftovers),
        "backup": kept_aside,
        **({"note": old["note"]} if old.get("note") else {}),
        **({"summary": wanted.summary} if wanted.summary else {}),
        **({"former": former} if former else {}),
        **fresh,
    }
    if not result.changed:
        result.changes.clear()  # only the record is new
    return result


def _give_back(document: Document, key: KeyPath, prior: Entry) -> None:
    if "prior_text" in prior:
        document.set_spelled(key, prior["prior_text"])
    elif prior:
        document.set(key, prior["prior"])
    else:
        document.remove(key)


def _apply(document: Document, old: Entry, wanted: Wanted, past: Past, result: Plan) -> Entry:
    """Put the wanted values in; return the entry's key-by-key part.

    Without ``old``, all that stands in the document is its owner's.
    """
    gone = {tuple(record["path"]): record for record in old.get("removed", ())}
    containers = [tuple(path) for path in old.get("containers", ())]
    removed = []
    for key in wanted.superseded:
        value = document.get(key)
        if value is not MISSING:
            is_ours = bool(old) and past.is_ours(key, value)
            prior = past.priors[key] if is_ours else prior_of(document, key, value)
            document.remove(key)
            if prior:
                removed.append({"path": list(key), **prior})
            result.changes.append(f"{_dotted(key)} taken out (it would outrank ours)")
        elif key in gone:
            removed.append(gone[key])
    values = []
    for key, value in wanted.values.items():
        current = document.get(key)
        record = past.record(key, value)
        if old and past.is_ours(key, current):
            record.update(past.priors[key])
            past.note_containers(key, containers)
        elif current is not MISSING:
            record.update(prior_of(document, key, current))
        if current is MISSING or not same(current, value):
            _note_containers(document, key, containers)
            document.set(key, value)
            said = _dotted(key, result.format, wanted.summary)
            result.changes.append(f"{said} -> {value}" if result.is_link else said)
        if key in wanted.masked:
            record["masked"] = True
        values.append(record)
    elements = []
    for key, members in wanted.elements.items():
        for member in members:
            current = document.get(key)
            present = isinstance(current, list) and any(same(member, one) for one in current)
            ours = bool(old) and past.is_our_element(key, member)
            if not present:
                _note_containers(document, key, containers)
                if current is MISSING:
                    containers.append(key)
                document.add_element(key, member)
                result.changes.append(f"{_dotted(key)} + {member}")
            if ours:
                past.note_containers(key, containers)
            if not present or ours:
                elements.append({"path": list(key), "element": member})
    return {
        "values": values,
        "elements": elements,
        "removed": removed,
        "containers": [list(path) for path in containers],
    }


def _summaries(content: bytes | None, entry: Entry | None, wanted: Wanted | None) -> tuple[str, str]:
    """What the file is before and after, where it is ours as a whole."""
    after = wanted.summary if wanted is not None else ""
    is_ours = entry is not None and digest(content) == entry["after"]
    return (entry.get("summary") or after if entry is not None and is_ours else "", after)


def _satisfied(document: Document, entry: Entry, wanted: Wanted, past: Past) -> bool:
    """Whether the document already means what is wanted, and nothing in it is ours, now or once, that is not wanted any more."""
    owned = {tuple(record["path"]) for record in entry["values"]}
    listed = {(tuple(record["path"]), json.dumps(record["element"])) for record in entry["elements"]}
    asked = {(key, json.dumps(one)) for key, members in wanted.elements.items() for one in members}
    return (
        not past.is_back(document, wanted.values, wanted.elements)
        and owned == set(wanted.values)
        and listed <= asked
        and {tuple(record["path"]) for record in entry["removed"]} <= set(wanted.superseded)
        and all(document.get(key) is MISSING for key in wanted.superseded)
        and all(_holds(document, key, value) for key, value in wanted.values.items())
        and all(has_element(document, key, one) for key, members in wanted.elements.items() for one in members)
    )


def _holds(document: Document, key: KeyPath, value: Any) -> bool:
    current = document.get(key)
    return current is not MISSING and same(current, value)


def _is_readable(kind: type[Document], content: bytes) -> bool:
    try:
        kind(content)
    except DocumentError:
        return False
    return True


def _withdraw(
    path: str, content: bytes | None, mode: int | None, entry: Entry, salt: str, backup: bytes | None
) -> Plan:
    """Take out what we own. Untouched since our write: exactly what stood there. Changed since: only what is still ours."""
    result = Plan(path, entry["component"], entry["format"], content, mode, None)
    summary, kind = entry.get("summary", ""), FORMATS[entry["format"]]
    if content is None:
        result.former = former_of(entry, kind(kind.blank()))
        return result
    result.mode_after = entry["mode"][0] if entry["mode"][0] is not None and mode == entry["mode"][1] else mode
    if digest(content) == entry["after"] and entry["undo"] is not None:
        result.after = None if entry["created"] else kind.reverted(content, [tuple(edit) for edit in entry["undo"]])
        if backup is not None:
            result.after, result.backup = backup, entry["backup"]
        done = "back to what stood here" if result.after is not None else "removed"
        result.changes.append(f"{summary}: {done}" if summary else done)
        given_back = kind.blank() if result.after is None or backup is not None else result.after
        # What needs a parser is not parsed for that: what stood there, the entry knows.
        result.former = left_now(former_of(entry, None if kind.library else kind(given_back)), result.after)
        return result
    document, gone = kind(content), bool(entry.get("gone"))
    _take_out(document, entry, Past(entry, salt), result, keep=None)
    result.former = former_of(entry, document)
    result.after = None if entry["created"] and document.is_blank() else document.content
    if gone:
        result.mode_after = mode
        if not result.changes:
            result.after = content  # nothing of ours is back
    left_now(result.former, result.after)
    if entry.get("note"):
        result.notes.append(entry["note"])
    if entry.get("backup"):
        result.notes.append(f"was changed since it replaced an unreadable file, which stays as {entry['backup']}")
    return result


def _take_out(document: Document, entry: Entry, past: Past, result: Plan, keep: Wanted | None) -> None:
    """Take our values out of a file that others changed since, except those that ``keep`` still wants."""
    for record in entry["values"]:
        key = tuple(record["path"])
        if _is_blocked(document, key, result):
            continue
        current = document.get(key)
        if (keep is not None and key in keep.values) or current is MISSING:
            continue
        said = _dotted(key, result.format, entry.get("summary", ""))
        if not past.is_ours(key, current):
            result.notes.append(f"{said} was changed since we set it: left as it is")
            continue
        _give_back(document, key, prior_in(record))
        result.changes.append(f"{said} given back" if prior_in(record) else f"{said} removed")
    emptied = _take_out_former(document, entry.get("former") or {}, past, result, keep)
    for record in entry["elements"]:
        key = tuple(record["path"])
        if _is_blocked(document, key, result):
            continue
        kept = keep is not None and any(same(record["element"], one) for one in keep.elements.get(key, ()))
        if not kept and has_element(document, key, record["element"]):
            document.remove_element(key, record["element"])
            result.changes.append(f"{_dotted(key)} - {record['element']}")
    for record in entry["removed"]:
        key = tuple(record["path"])
        if _is_blocked(document, key, result):
            continue
        if (keep is None or key not in keep.superseded) and document.get(key) is MISSING:
            _give_back(document, key, prior_in(record))
            result.changes.append(f"{_dotted(key)} given back")
    for container in sorted({*(tuple(path) for path in entry["containers"]), *emptied}, key=len, reverse=True):
        inside = MISSING if _is_blocked(document, container, result) else document.get(container)
        if inside is MISSING:
            continue
        only_leftovers = isinstance(inside, dict) and keep is None and set(inside) <= set(entry["leftovers"])
        if document.is_empty_container(container) or only_leftovers:
            document.remove(container)


def _take_out_former(document: Document, former: Entry, past: Past, result: Plan, keep: Wanted | None) -> list[KeyPath]:
    """Take out what was ours once and is back; returns the containers of ours that it was in."""
    emptied: list[KeyPath] = []
    containers = [tuple(path) for path in former.get("containers", ())]
    for record in former.get("values", ()):
        key = tuple(record["path"])
        if (keep is None or key not in keep.values) and past.is_ours(key, value_at(document, key)):
            _give_back(document, key, prior_in(record))
            result.changes.append(f"{_dotted(key, result.format)} taken out: an earlier rollout had set it")
            emptied += [one for one in containers if one == key[: len(one)]]
    for record in former.get("elements", ()):
        key, element = tuple(record["path"]), record["element"]
        if (keep is None or not is_among(key, element, keep.elements)) and has_element(document, key, element):
            document.remove_element(key, element)
            result.changes.append(f"{_dotted(key)} - {element}")
            emptied += [one for one in containers if one == key[: len(one)]]
    return emptied


def _is_blocked(document: Document, key: KeyPath, result: Plan) -> bool:
    """Whether the owner has put something else in place of what held this key: nothing of ours can be there then."""
    try:
        document.get(key)
    except WrongContainer as error:
        note = f"{error}: left as it is"
        if note not in result.notes:
            result.notes.append(note)
        return True
    return False


def _note_containers(document: Document, key: KeyPath, containers: list[KeyPath]) -> None:
    """Remember the containers that setting ``key`` will make."""
    for depth in range(1, len(key)):
        if document.get(key[:depth]) is MISSING and key[:depth] not in containers:
            containers.append(key[:depth])


def _wanted_mode(mode: int | None, wanted: Wanted) -> int | None:
    if wanted.format == LinkDocument.format:
        return None
    if mode is None or wanted.format == WholeFile.format:
        return wanted.mode
    return PRIVATE if wanted.private and mode & 0o077 else mode


def _dotted(key: KeyPath, kind: str = "", summary: str = "") -> str:
    """A key as people write it; of a document that is one value, what it is."""
    return ".".join(key) or summary or ("the link" if kind == LinkDocument.format else "the whole file")
