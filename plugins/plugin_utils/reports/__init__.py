# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator reads at the end of a playbook: data in, lines out.

The data are entries, one for each module call on a host. Each is a mapping, and any key but ``host`` may be missing:

``host``, ``module``, ``state`` (``absent`` of an uninstall), ``check_mode``, ``status`` (``ok``, ``failed``, ``unreachable``, or
``skipped`` where only the workspace was asked),
``msg`` (the first line is the cause, the others are the way out), ``failed_users`` (message by user), ``changes``, ``diff``,
``warnings``, ``homes`` (of the owners), ``checks``, ``session`` (or ``sessions``, ``sign_ins``; one or a list of ``user``, ``state``,
``detail``, ``command``), ``preflight``, ``programs`` (version by agent).

What is equal on many hosts is said once, with their names. Texts are compared with the host's homes, users and name taken out, and
shown as they are where nothing differs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from . import models, status, upgrade
from .common import preflights, trouble, warnings_of, went_by
from .doctor import of_doctor
from .host import DOCTORS, SIGN_INS, hosts_of, is_about_host
from .rollout import of_rollout
from .sign_in import of_sign_in
from .words import Entry, Line, Run, harmless, members

_WITH_BLOCKS_OF_THEIR_OWN = (models, status)
"""Each tells the entries that are its own, in tables."""


def lines(entries: Sequence[Entry], run: Run) -> list[Line]:
    """Everything that the entries say; nothing where there is nothing to say. Nothing in it acts on a terminal."""
    others = [entry for entry in entries if not any(one.is_mine(entry) for one in _WITH_BLOCKS_OF_THEIR_OWN)]
    found = _blocks(others, run)
    for one in _WITH_BLOCKS_OF_THEIR_OWN:
        found += one.lines([entry for entry in entries if one.is_mine(entry)], run)
    return [harmless(line) for line in (*found, *upgrade.lines(others, run))]


def _blocks(entries: Sequence[Entry], run: Run) -> list[Line]:
    preflight = [one for one in entries if not is_about_host(one)]
    by_module = [one for one in entries if is_about_host(one)]
    doctor = [one for one in by_module if one.get("module") in DOCTORS]
    sign_in = [one for one in by_module if one.get("module") in SIGN_INS]
    others = [one for one in by_module if one.get("module") not in (*DOCTORS, *SIGN_INS)]
    found: list[Line] = []
    for block, own in ((of_rollout, others), (of_doctor, doctor), (of_sign_in, sign_in)):
        if own:
            found += [Line("")] if found else []
            found += block(hosts_of([*preflight, *own], run), run)
            # The first says what belongs to all.
            preflight, run = [], run._replace(gone=())
    if preflight or run.gone:
        hosts = hosts_of(preflight, run)
        found += trouble(hosts, run) + warnings_of(hosts, run) + went_by(hosts, run)
    return found


def data(entries: Sequence[Entry], run: Run, at: str) -> dict[str, Any]:
    """The same for programs; see the documentation of the module. Without diffs: they may show what is in somebody's files."""
    hosts = hosts_of(entries, run)
    found: dict[str, Any] = {}
    for host in hosts:
        found[host.name] = {
            "status": "changed" if host.status() == "would change" else host.status(),
            "errors": [{"user": user, "msg": message} for user, message in host.failures()]
            + ([{"user": "", "msg": host.unreachable}] if host.unreachable is not None else []),
            "changes": host.changes,
            "warnings": host.warnings,
            "programs": {
                agent: version for one in host.entries for agent, version in (one.get("programs") or {}).items()
            },
            "session": [dict(one) for one in host.sessions],
            "checks": [dict(one) for one in host.checks],
        }
        for key in ("artifacts", "statuses"):
            told = [dict(part) for one in host.entries for part in members(one, key) if isinstance(part, Mapping)]
            found[host.name].update({key: told} if told else {})
    for name in run.gone:
        found[name] = {
            **{key: [] for key in ("errors", "changes", "warnings", "session", "checks")},
            "status": "unknown",
            "programs": {},
        }
    statuses = [one["status"] for one in found.values()]
    return {
        "schema": 1,
        "finished_at": at,
        "check_mode": any(host.check_mode for host in hosts),
        "summary": {name: statuses.count(name) for name in ("ok", "changed", "failed", "unreachable", "unknown")},
        "workspaces": [{**preflight, "hosts": names} for preflight, names in preflights(hosts)],
        "hosts": found,
    }


__all__ = ["Entry", "Line", "Run", "data", "lines"]
