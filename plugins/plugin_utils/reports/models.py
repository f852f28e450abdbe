# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator reads of a workspace's models: a table of what is served, or the verdicts. Data in, lines out.

The data are the entries of the module models_info (see :mod:`.reports`), whose ``preflight`` is what it found.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .words import FAIL, PASS, SKIP, WARN, Entry, Line, Run, wrapped

_MODULE = "models_info"
_TONES = {FAIL: "error", WARN: "warning", PASS: "ok", SKIP: "skipped"}
_WORDS = {FAIL: "failed", WARN: "with warnings", PASS: "ready", SKIP: "not configured"}
_GAP = "  "
_NARROWEST = 12
"""Of the column that gives way."""


def is_mine(entry: Entry) -> bool:
    """Whether an entry is told here. Where nobody could be asked, it is a failure like any other."""
    return entry.get("module") == _MODULE and "served" in (entry.get("preflight") or {})


def lines(entries: Iterable[Entry], run: Run) -> list[Line]:
    """All that was found, each workspace once."""
    found: list[Line] = []
    surveys: list[tuple[Mapping[str, Any], list[str], list[str]]] = []
    for one in entries:
        survey, names = one["preflight"], [str(one.get("host"))]
        known = next((names for other, names, _warnings in surveys if other == survey), None)
        if known is None:
            surveys.append((survey, names, [str(warning) for warning in one.get("warnings") or ()]))
        else:
            known += names
    for survey, names, warnings in surveys:
        found += [Line("")] if found else []
        found += wrapped(_title(survey), run, "title")
        found += wrapped(f"  for {', '.join(names)}", run) if len(surveys) > 1 else []
        found += [line for warning in warnings for line in wrapped(f"Warning: {warning}", run, "warning")]
        found += _verdicts(survey, run) if survey["validated"] else _listed(survey, run)
    return found


def _title(survey: Mapping[str, Any]) -> str:
    count = len(survey["served"])
    served = f"{count} models" if count != 1 else "1 model"
    asked = f", asked as {survey['user_name']}" if survey["user_name"] else ""
    return f"{survey['workspace_url']}: {served}, routing {survey['routing']} ({survey['routing_reason']}){asked}"


# The list


def _listed(survey: Mapping[str, Any], run: Run) -> list[Line]:
    rows = survey["served"]
    if "query_result" in survey:
        rows = survey["query_result"]
        if not _are_models(rows, survey["served"]):
            return [Line(text) for text in json.dumps(rows, indent=2, ensure_ascii=False).splitlines()]
        if not rows:
            return [Line("No model is one of coding_agents_models_query.", "warning")]
    unusable = _unusable(survey)
    found = _table(rows, [one for choices in unusable.values() for one in choices], run)
    if any(row["used_by"] for row in rows):
        found.append(Line("* is what a chosen agent is configured to ask for."))
    for (model, detail), choices in unusable.items():
        found += wrapped(f"Cannot be used: {model} ({', '.join(choices)}): {detail}", run, "error")
    if unusable:
        found += wrapped("  -> ansible-playbook fmapi.coding_agents.validate_models says more", run)
    return found


def _are_models(result: Any, served: Sequence[Mapping[str, Any]]) -> bool:
    return isinstance(result, list) and all(one in served for one in result)


def _unusable(survey: Mapping[str, Any]) -> dict[tuple[str, str], list[str]]:
    """The choices that a model cannot be used for, by the model and the reason."""
    found: dict[tuple[str, str], list[str]] = {}
    for one in survey["choices"]:
        if one["status"] == FAIL:
            found.setdefault((one["model"], one["detail"]), []).append(f"{one['agent']}.{one['choice']}")
    return found


def _table(rows: Sequence[Mapping[str, Any]], unusable: Sequence[str], run: Run) -> list[Line]:
    """A line for each model, below the dialects that it has with others and the agents that these are for.

    Only who uses it may need more lines: names and states are never broken.
    """
    names, states = (max(len(str(row[column])) for row in rows) for column in ("name", "state"))
    before = len("* ") + names + len(_GAP) + states + len(_GAP)
    found: list[Line] = []
    for heading, own in _by_dialects(rows).items():
        found += wrapped(heading, run, "title")
        for row in own:
            mark = "* " if row["used_by"] else "  "
            known = f"{mark}{row['name']:<{names}}{_GAP}{row['state']:<{states}}{_GAP}"
            used = ", ".join(row["used_by"])
            parts = textwrap.wrap(used, max(run.width - before, _NARROWEST), break_long_words=False) or [""]
            texts = [known + parts[0], *(" " * before + text for text in parts[1:])]
            found += [Line(text.rstrip(), _tone(row, unusable)) for text in texts]
    return found


def _by_dialects(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """What no agent can speak to comes last."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: not row["agents"]):
        if row["dialects"]:
            heading = f"{', '.join(row['dialects'])}: for {', '.join(row['agents']) or 'no agent'}"
        elif row["api_types"]:
            heading = f"{', '.join(row['api_types'])}: for no agent"
        else:
            heading = "dialects that the workspace does not tell"
        found.setdefault(heading, []).append(row)
    return found


def _tone(row: Mapping[str, Any], unusable: Sequence[str]) -> str:
    if set(row["used_by"]) & set(unusable):
        return "error"
    if row["used_by"]:
        return "ok" if row["ready"] else "warning"
    return "" if row["ready"] else "skipped"


# The verdicts


def _verdicts(survey: Mapping[str, Any], run: Run) -> list[Line]:
    """Errors first. Choices that share a model and a verdict are one."""
    found: list[Line] = []
    groups: dict[tuple[str, ...], list[str]] = {}
    for one in survey["choices"]:
        key = tuple(str(one[name]) for name in ("status", "model", "state", "detail", "fix"))
        groups.setdefault(key, []).append(f"{one['agent']}.{one['choice']}")
    for status in _TONES:
        for (own, model, state, detail, fix), choices in groups.items():
            if own == status:
                said = f"{state}, {detail}" if status in (FAIL, WARN) else state or detail
                words = " ".join(one for one in (model, f"({', '.join(choices)}):", said) if one)
                found += wrapped(f"{status}  {words}", run, _TONES[status], "      ")
                found += wrapped(f"      -> {fix}", run, "", "         ") if fix else []
    statuses = [one["status"] for one in survey["choices"]]
    counts = [f"{statuses.count(status)} {word}" for status, word in _WORDS.items() if status in statuses]
    tone = next((tone for status, tone in _TONES.items() if status in statuses), "ok")
    return [Line(f"Models of {len(statuses)} choices: {', '.join(counts)}", tone), *found]
