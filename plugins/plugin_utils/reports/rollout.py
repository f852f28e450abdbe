# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a rollout, a repair, and of the way back."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...module_utils.places import DATA_DIRECTORY
from .common import trouble, warnings_of, went_by
from .diffs import diffs_of
from .host import MUST_SIGN_IN, Host
from .sign_in import sign_in_commands
from .words import WITHOUT, Group, Line, Run, by_size, names_of, unique, wrapped


def of_rollout(hosts: Sequence[Host], run: Run) -> list[Line]:
    found = diffs_of(hosts, run) if run.diff else []
    if len(hosts) + len(run.gone) > 1:
        found.append(_summary(hosts, run))
    found += trouble(hosts, run)
    changes: dict[str, Group] = {}
    for host in hosts:
        if host.changed:
            words = f"{'Would change' if host.would else 'Changed'}: {_in_few_words(host)}"
            changes.setdefault(words, Group()).add(host.name)
    for words, group in by_size(changes):
        found += wrapped(words, run, "changed")
        found += names_of(group.names, run, WITHOUT)
    unchanged = [host.name for host in hosts if host.status() == "ok"]
    if unchanged and (run.verbose or len(hosts) + len(run.gone) == 1):
        found += [Line("Unchanged:", "ok"), *names_of(unchanged, run, WITHOUT)]
    found += warnings_of(hosts, run) + went_by(hosts, run)
    return found + _next(hosts, run)


def _summary(hosts: Sequence[Host], run: Run) -> Line:
    statuses = [host.status() for host in hosts]
    words = {
        "failed": "failed",
        "unreachable": "unreachable",
        "changed": "changed",
        "would change": "would change",
        "ok": "unchanged",
    }
    counts = [f"{statuses.count(status)} {word}" for status, word in words.items() if status in statuses]
    counts += [f"{len(run.gone)} not reached"] if run.gone else []
    bad = {"failed", "unreachable"} & set(statuses) or run.gone
    tone = "error" if bad else "ok" if set(statuses) == {"ok"} else "changed"
    return Line(f"Coding agents on {len(hosts) + len(run.gone)} hosts: {', '.join(counts)}", tone)


def _in_few_words(host: Host) -> str:
    """The files' names and what else changed, each once."""
    found = unique(_named_thing(change) for change in host.changes)
    return ", ".join(found) or "what it does not say"


def _named_thing(change: str) -> str:
    """Of a file its name; of a file of our own, and of a link, what it is for."""
    found = re.match(r"(?P<path>[~/](?:[^:]|:(?! ))*)(?:: (?P<rest>.*)|$)", change, re.DOTALL)
    if not found:
        return change.removesuffix(": removed")
    path, rest = found["path"], found["rest"] or ""
    if (
        " -> " in rest
        or rest.endswith(": removed")
        or ("/".join(DATA_DIRECTORY) in path and not rest.startswith("mode "))
    ):
        return re.split(r" -> |: | given back$| removed$", rest)[0]
    name = path.rstrip("/").rpartition("/")[2]
    return "skills" if name == "SKILL.md" else name  # all of them have that name


def _next(hosts: Sequence[Host], run: Run) -> list[Line]:
    """What is next, and for whom."""
    done = [host for host in hosts if host.status() not in ("failed", "unreachable")]
    changed = [host for host in done if host.changed]
    if any(host.check_mode for host in hosts):
        if changed and run.is_told_first("next: without --check"):
            return [Line("Next: the same command without --check brings this about")]
        return []
    if any(host.absent for host in hosts):
        return []
    waiting = [(host, one) for host in done for one in host.sessions if one.get("state") in MUST_SIGN_IN]
    if waiting:
        return sign_in_commands(waiting, run, "Next: sign in with")
    if changed and run.is_told_first("next: doctor"):
        return [Line(f"Next: {run.doctor}")]
    return []
