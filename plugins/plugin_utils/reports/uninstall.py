# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator reads before an uninstall: what there is on all hosts, by the tool that brought it. Data in, lines out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .words import WITHOUT, Line, Run, harmless, listed, tilde, wrapped

_STAYS = "stays"


def touched(entries: Iterable[Mapping[str, Any]]) -> list[str]:
    """The hosts on which something would be given back or removed."""
    return list(
        dict.fromkeys(
            str(one["host"])
            for one in entries
            for artifact in _artifacts(one)
            if not artifact["fate"].startswith(_STAYS)
        )
    )


def lines(entries: Sequence[Mapping[str, Any]], hosts: int, run: Run) -> list[Line]:
    """The listing. ``hosts``: how many there are in the play; of one, no names are said."""
    groups: dict[str, dict[tuple[str, str], list[str]]] = {}
    for entry in entries:
        artifacts = _artifacts(entry)
        several = len({one["user"] for one in artifacts}) > 1
        for one in artifacts:
            what, fate = (tilde(one[name], one["home"]) for name in ("what", "fate"))
            name = f"{one['user']} on {entry['host']}" if several else str(entry["host"])
            names = groups.setdefault(one["tool"], {}).setdefault((what, fate), [])
            if name not in names:
                names.append(name)
    if not groups:
        return [Line(f"Nothing to uninstall on {hosts} hosts" if hosts > 1 else "Nothing to uninstall", "ok")]
    found: list[Line] = []
    for tool, artifacts_of in groups.items():
        found.append(Line(f"{tool}:", "title"))
        for (what, fate), names in artifacts_of.items():
            tone = "skipped" if fate.startswith(_STAYS) else "changed"
            found += wrapped(f"  {what}{f': {fate}' if fate else ''}", run, tone, "      ")
            if hosts > 1 or any(" on " in name for name in names):
                found += wrapped(f"    {listed(names, run, WITHOUT)}", run)
    if not touched(entries):
        found.append(Line("Nothing to uninstall: all of it stays", "ok"))
    return [harmless(line) for line in found]


def _artifacts(entry: Mapping[str, Any]) -> list[dict[str, str]]:
    """What a host has found, as this file reads it, whatever the host has sent."""
    given = entry.get("artifacts")
    found = [one for one in given if isinstance(one, Mapping)] if isinstance(given, list) else []
    return [{name: str(one.get(name) or "") for name in ("user", "home", "tool", "what", "fate")} for one in found]


def question(hosts: Sequence[str], run: Run) -> str:
    return f"Uninstall on {len(hosts)} hosts ({listed(hosts, run, WITHOUT)})? [y/N] "


def is_yes(answer: object) -> bool:
    said = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else str(answer)
    return said.strip().lower() in ("y", "yes")
