# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator reads of hosts' status: for each workspace a table with a line for each agent, then what differs.

Data in, lines out: the entries of the module status_info (see :mod:`.reports`), with ``statuses``.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .words import Entry, Line, Run, listed, tilde, wrapped

_MODULE = "status_info"
_GAP = "  "
_TITLES = ("HOST", "AGENT", "VERSION", "MODEL", "SESSION", "STATE")
_TEXTS = ("user", "home", "state", "detail", "workspace_url", "routing", "identity", "version")
_ORDER = ("drifted", "unknown", "not set up", "in order")
_TONES = {"drifted": "warning", "unknown": "warning", "not set up": "skipped", "in order": "ok"}
_MOST = 5
"""Of a file's keys that differ, and of hosts' names, before the rest is only counted."""


def is_mine(entry: Entry) -> bool:
    """Whether an entry is told here. A host that could not be asked is a failure like any other."""
    return entry.get("module") == _MODULE and bool(entry.get("statuses"))


def lines(entries: Iterable[Entry], run: Run) -> list[Line]:
    """How many are in which state; a table for each workspace; what differs, and the way out."""
    found = [(str(entry.get("host")), _sound(one)) for entry in entries for one in _list(entry.get("statuses"))]
    if not found:
        return []
    counts = [(state, sum(one["state"] == state for _host, one in found)) for state in _ORDER]
    worst = next(state for state, count in counts if count)
    said = ", ".join(f"{count} {state}" for state, count in counts if count)
    shown = [Line(f"Status of {len(found)}: {said}", _TONES[worst])] if len(found) > 1 else []
    groups: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
    for host, status in found:
        groups.setdefault(_group(status), []).append((host, status))
    for title, rows in groups.items():
        shown += [Line(""), *wrapped(title, run, "title")]
        if rows[0][1]["state"] == "not set up":
            shown += wrapped(f"  {listed([_who(*one) for one in rows], run, _MOST)}", run, indent="  ")
        else:
            shown += _table(rows, run)
    return shown + _drift(found, run)


def _sound(told: Any) -> dict[str, Any]:
    """A status as this file reads it, whatever a host has sent."""
    given = told if isinstance(told, Mapping) else {}
    texts = {name: str(given[name]) for name in _TEXTS if given.get(name)}
    session = given.get("session")
    state = texts.get("state")
    return {
        "user": "",
        "home": "",
        "detail": "",
        **texts,
        "state": state if state in _ORDER else "unknown",
        "session": session if isinstance(session, Mapping) else None,
        "agents": [one for one in _list(given.get("agents")) if isinstance(one, Mapping)],
        "drift": [str(one) for one in _list(given.get("drift"))],
    }


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _group(status: Mapping[str, Any]) -> str:
    if status["state"] == "not set up":
        return "Nothing is rolled out on:"
    routing = f"routing {status['routing']}, " if status.get("routing") else ""
    by = f", set up by fmapi.coding_agents {status['version']}" if status.get("version") else ""
    return f"{status.get('workspace_url')}: {routing}identity {status.get('identity')}{by}"


def _who(host: str, status: Mapping[str, Any]) -> str:
    return f"{status['user']}@{host}"


def _table(rows: Sequence[tuple[str, Mapping[str, Any]]], run: Run) -> list[Line]:
    cells: list[tuple[tuple[str, ...], str]] = [(_TITLES, "title")]
    for host, status in rows:
        agents = status["agents"] or [{}]
        for number, agent in enumerate(agents):
            first = number == 0
            cells.append(
                (
                    (
                        _who(host, status) if first else "",
                        str(agent.get("title") or ""),
                        _version(agent) if agent else "",
                        _models(agent, run),
                        _session(status.get("session")) if first else "",
                        str(status["state"]) if first else "",
                    ),
                    _TONES[status["state"]] if first and status["state"] != "in order" else "",
                )
            )
    widths = [max(len(row[number]) for row, _tone in cells) for number in range(len(_TITLES))]
    # Models give way: their names are long, and each is told whole with -v.
    over = sum(widths) + len(_GAP) * (len(widths) - 1) - run.width
    if over > 0 and not run.verbose:
        widths[3] = max(len(_TITLES[3]), widths[3] - over)
    return [
        Line(_GAP.join(_cut(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip(), tone)
        for row, tone in cells
    ]


def _cut(text: str, width: int) -> str:
    return text.ljust(width) if len(text) <= width else f"{text[: width - 1]}~"


def _version(agent: Mapping[str, Any]) -> str:
    there, wanted = agent.get("version"), agent.get("wanted_version")
    if not there:
        return "not installed"
    return f"{there} (wanted {wanted})" if wanted and wanted != there else str(there)


def _models(agent: Mapping[str, Any], run: Run) -> str:
    """The one that an agent begins with; all of them with -v."""
    given = agent.get("models")
    models = {str(slot): str(model) for slot, model in given.items()} if isinstance(given, Mapping) else {}
    if run.verbose:
        return ", ".join(dict.fromkeys(models.values()))
    return models.get("default") or next(iter(models.values()), "")


def _session(session: Mapping[str, Any] | None) -> str:
    if not session:
        return "each user's own"
    state, ends = str(session.get("state")), session.get("expires_at")
    try:
        return f"{state} until {time.strftime('%H:%M', time.gmtime(ends))} UTC" if ends else state
    except (TypeError, ValueError, OverflowError, OSError):
        return state


def _by_file(drift: Sequence[str], run: Run) -> list[str]:
    """Each file once, with what differs in it."""
    found: dict[str, list[str]] = {}
    for one in drift:
        path, colon, what = one.partition(": ")
        found.setdefault(path if colon else one, []).extend([what] if colon else [])
    return [f"{path}: {_few(whats, run)}" if whats else path for path, whats in found.items()]


def _few(whats: Sequence[str], run: Run) -> str:
    few = whats if run.verbose or len(whats) <= _MOST + 1 else [*whats[:_MOST], f"and {len(whats) - _MOST} more"]
    return ", ".join(few)


def _drift(found: Sequence[tuple[str, Mapping[str, Any]]], run: Run) -> list[Line]:
    shown: list[Line] = []
    causes: dict[str, list[str]] = {}
    for host, status in found:
        drift = status.get("drift") or ([status["detail"]] if status["state"] == "unknown" else [])
        said = _by_file([tilde(str(one), str(status.get("home") or "")) for one in drift], run)
        if said:
            causes.setdefault("\n".join(said), []).append(_who(host, status))
    for text, names in causes.items():
        shown += [Line(""), *wrapped(f"Differs on {listed(names, run, _MOST)}:", run, "warning", indent="  ")]
        shown += [line for one in text.splitlines() for line in wrapped(f"  {one}", run, indent="      ")]
    if any(status["state"] == "drifted" for _host, status in found):
        shown += [Line(""), Line(f"Next: {run.repair}")]
    return shown
