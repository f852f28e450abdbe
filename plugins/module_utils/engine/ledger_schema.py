# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a ledger looks like in its file: which content is one, and what an older schema called things."""

from __future__ import annotations

import os
from typing import Any, Callable, Dict  # noqa: UP035

from ..places import DATA_DIRECTORY, STATE_DIRECTORY
from .documents import FORMATS
from .past import Entry

Data = Dict[str, Any]  # noqa: UP006
HOME = "~/"
PACKAGE_PLACES = ("directory", "prefix")
_SCHEMA_1_SIGN_IN = "workspace_auth"


def with_paths(data: Data, spelled: Callable[[str], str]) -> Data:
    """What a ledger holds, with each of its paths spelled otherwise."""

    def entry_with(entry: Entry | None) -> Entry | None:
        return {**entry, "backup": spelled(entry["backup"])} if entry and entry.get("backup") else entry

    def package_with(package: Data) -> Data:
        return {name: spelled(value) if name in PACKAGE_PLACES else value for name, value in package.items()}

    return {
        **data,
        "documents": {spelled(path): entry_with(entry) for path, entry in data.get("documents", {}).items()},
        "pending": {
            spelled(path): {**intent, "entry": entry_with(intent["entry"])}
            for path, intent in data.get("pending", {}).items()
        },
        "directories": [spelled(path) for path in data.get("directories", ())],
        "packages": {agent: package_with(package) for agent, package in data.get("packages", {}).items()},
        "former": {spelled(path): entry for path, entry in data.get("former", {}).items()},
        "mounts": [spelled(path) for path in data.get("mounts", ())],
    }


def of_schema_1(data: Data) -> Data:
    """A ledger of schema 1 as schema 2 would have written it. Where the home was then, the directory made for the ledger tells."""
    tail = os.path.join("/", *STATE_DIRECTORY)
    told = [path[: -len(tail)] for path in data["directories"] if path.endswith(tail)]
    homes = [os.path.join(one, "") for home in told for one in (home or "/", os.path.realpath(home or "/"))]

    def stored(path: str) -> str:
        return next((HOME + path[len(home) :] for home in homes if path.startswith(home)), path)

    converted = with_paths(data, stored)
    records = list(converted["documents"].items())
    records += [(path, intent["entry"]) for path, intent in converted["pending"].items() if intent["entry"]]
    for path, entry in records:
        entry["component"] = _component_of_schema_1(path, entry)
    return converted


def _component_of_schema_1(path: str, entry: Entry) -> str:
    """Schema 1 had the login item with the profile and the token helper, and the settings under each agent's name."""
    if entry["component"] != _SCHEMA_1_SIGN_IN:
        return "agent_settings"
    is_login_item = entry["format"] != "ini" and os.path.join("/", *DATA_DIRECTORY, "") not in path
    return "login_item" if is_login_item else "databricks_oauth"


def is_content(data: Data) -> bool:
    """Whether every part has the form in which :meth:`Ledger.save` writes it: what is read here is acted upon."""
    pending, packages, former, mounts = (
        data["pending"],
        data["packages"],
        data.get("former", {}),
        data.get("mounts", []),
    )
    return (
        all(isinstance(data[name], dict) for name in ("documents", "pending", "packages"))
        and all(_is_entry(entry) for entry in data["documents"].values())
        and all(isinstance(intent, dict) and {"before", "after", "entry"} <= set(intent) for intent in pending.values())
        and all(intent["entry"] is None or _is_entry(intent["entry"]) for intent in pending.values())
        and all(isinstance(package, dict) for package in packages.values())
        and all(isinstance(package["version"], str) for package in packages.values())
        and all(any(name in package for name in PACKAGE_PLACES) for package in packages.values())
        and all(isinstance(package.get(name, ""), str) for package in packages.values() for name in PACKAGE_PLACES)
        and all(isinstance(package.get("manager", ""), str) for package in packages.values())
        and all(_is_list_of(package.get("names", []), str) for package in packages.values())
        and isinstance(former, dict)
        and all(_is_entry(entry) for entry in former.values())
        and _is_list_of(data["directories"], str)
        and _is_list_of(mounts, str)
        and all(
            path.startswith(("/", HOME))
            for path in (*data["documents"], *pending, *data["directories"], *former, *mounts)
        )
    )


def _is_entry(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and all(isinstance(entry[name], str) for name in ("component", "after"))
        and entry["format"] in FORMATS
        and isinstance(entry["created"], bool)
        and len(entry["mode"]) == 2
        and all(mode is None or isinstance(mode, int) for mode in entry["mode"])
        and (entry["undo"] is None or all(_is_edit(edit) for edit in entry["undo"]))
        and _is_list_of(entry["leftovers"], str)
        and isinstance(entry.get("backup") or "", str)
        and all(isinstance(entry.get(name, ""), str) for name in ("summary", "asked", "left"))
        and _are_records(entry)
        and all(_has(record, "prior", "prior_text") for record in entry["removed"])
        and ("former" not in entry or _are_records(entry["former"]))
    )


def _are_records(entry: Any) -> bool:
    return (
        all(_is_value(record) for record in entry["values"])
        and all(_has(record, "element") for record in entry["elements"])
        and all(_is_list_of(path, str) for path in entry["containers"])
    )


def _is_value(record: Any) -> bool:
    return (
        _has(record, "digest")
        and isinstance(record["digest"], str)
        and isinstance(record.get("prior_text", ""), str)
        and _is_list_of(record.get("former", []), str)
    )


def _has(record: Any, *names: str) -> bool:
    """Whether it is a record that has one of these."""
    return isinstance(record, dict) and any(name in record for name in names) and _is_list_of(record["path"], str)


def _is_edit(edit: Any) -> bool:
    return len(edit) == 3 and [type(part) for part in edit] == [int, int, str]


def _is_list_of(value: Any, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(one, kind) for one in value)
