# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator reads of an upgrade beside its changes: versions before and after, and what is new. Data in, lines out.

The data are the entries of the module repair (see :mod:`.reports`), with ``versions`` or, of several owners, ``owners``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from ...module_utils.agents import AGENTS
from .words import Entry, Line, Run, listed, wrapped

_MODULE = "repair"
_COLLECTION = "fmapi.coding_agents"
_CHANGELOG = Path(__file__).parents[3] / "changelogs" / "changelog.yaml"
_FEW = 2


def lines(entries: Iterable[Entry], run: Run) -> list[Line]:
    """Each version that was changed, with its hosts; and of the collection, what the changelog says since the oldest."""
    changed: dict[tuple[str, str, str], list[str]] = {}
    for entry in entries:
        if entry.get("module") != _MODULE:
            continue
        parts = [*_mapping(entry.get("owners")).values()] or [entry]
        for name, version in (one for part in parts for one in _mapping(_mapping(part).get("versions")).items()):
            before, after = (str(_mapping(version).get(when) or "") for when in ("before", "after"))
            names = changed.setdefault((str(name), before, after), [])
            if before != after and str(entry.get("host")) not in names:
                names.append(str(entry.get("host")))
    found: list[Line] = []
    for (name, earlier, after), hosts in changed.items():
        if hosts:
            title = AGENTS[name].title if name in AGENTS else name
            was = f"{earlier} -> " if earlier else ""
            found += wrapped(f"{title} {was}{after or 'gone'}: {listed(hosts, run, _FEW)}", run)
    upgraded = [one for (name, one, _after), hosts in changed.items() if name == _COLLECTION and hosts]
    if upgraded:
        oldest = min(upgraded, key=_number)
        found += [line for one in news(oldest, _changelog()) for line in wrapped(f"  new: {one}", run)]
    return found


def _mapping(value: Any) -> Mapping[str, Any]:
    """Whatever a host has sent."""
    return value if isinstance(value, Mapping) else {}


def news(since: str, changelog: Mapping[str, Any]) -> list[str]:
    """What releases after this one have brought, the newest first."""
    releases = {name: one for name, one in (changelog.get("releases") or {}).items() if _number(name) > _number(since)}
    found = []
    for name in sorted(releases, key=_number, reverse=True):
        changes = releases[name].get("changes") or {}
        for kind in ("major_changes", "minor_changes", "breaking_changes", "security_fixes", "bugfixes"):
            found += [f"{name}: {one}" for one in changes.get(kind) or ()]
    return found


def _changelog() -> dict[str, Any]:
    """Empty where the collection was installed without one."""
    try:
        found = yaml.safe_load(_CHANGELOG.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return found if isinstance(found, dict) else {}


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(one) for one in re.findall(r"\d+", version.partition("-")[0]))
