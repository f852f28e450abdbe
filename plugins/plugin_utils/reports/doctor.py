# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of the doctor: a summary, then each fault once with its hosts and its fix."""

from __future__ import annotations

from collections.abc import Sequence

from .common import trouble, warnings_of, went_by
from .host import Host
from .words import FAIL, PASS, SKIP, TONES, WARN, WITH_TROUBLE, Group, Line, Run, by_size, names_of, one_of, wrapped


def of_doctor(hosts: Sequence[Host], run: Run) -> list[Line]:
    found: list[Line] = []
    alone = len(hosts) == 1 and not run.gone and len(run.hosts) <= 1
    if not alone:
        verdicts = [host.verdict() for host in hosts]
        words = {
            "in order": "in order",
            "warnings": "with warnings",
            "not signed in": "not signed in",
            "faults": "with faults",
            "unreachable": "unreachable",
        }
        counts = [f"{verdicts.count(verdict)} {word}" for verdict, word in words.items() if verdict in verdicts]
        counts += [f"{len(run.gone)} not reached"] if run.gone else []
        bad = {"not signed in", "faults", "unreachable"} & set(verdicts) or run.gone
        tone = "error" if bad else "warning" if "warnings" in verdicts else "ok"
        found.append(Line(f"Doctor on {len(hosts) + len(run.gone)} hosts: {', '.join(counts)}", tone))
    found += trouble(hosts, run)
    if alone:
        found += _each_check(hosts, (PASS, SKIP, WARN, FAIL))
    else:
        found += _grouped_checks(hosts, run)
        found += _each_check(hosts, (PASS, SKIP)) if run.verbose else []
    return found + warnings_of(hosts, run) + went_by(hosts, run)


def _each_check(hosts: Sequence[Host], statuses: Sequence[str]) -> list[Line]:
    """One line for each check, as one who looks at one host wants them."""
    found = []
    for host in hosts:
        several = len({check.get("home") for check in host.checks}) > 1
        for check in host.checks:
            status = str(check.get("status"))
            if status in statuses:
                name = f"{host.name} {check.get('home')}" if several else host.name
                said = f"{check.get('category', ''):<13} {check.get('check')}: {check.get('detail')}"
                found.append(Line(f"{name}: {status}  {said}", TONES.get(status, "")))
                if check.get("fix"):
                    found.append(Line(f"{' ' * len(name)}        {'':<13} -> {check['fix']}"))
    return found


def _grouped_checks(hosts: Sequence[Host], run: Run) -> list[Line]:
    found = []
    for status in (FAIL, WARN):
        faults: dict[str, Group] = {}
        fixes: dict[str, Group] = {}
        for host in hosts:
            for check in host.checks:
                if check.get("status") != status:
                    continue
                said = f"{check.get('category')}, {check.get('check')}: {check.get('detail')}"
                key = host.general(said)
                owners = {one.get("user") for one in host.checks}
                name = f"{check.get('user')} on {host.name}" if len(owners) > 1 else host.name
                faults.setdefault(key, Group()).add(name, host.tilde(said))
                fixes.setdefault(key, Group()).add(
                    host.general(str(check.get("fix", ""))), host.tilde(str(check.get("fix", "")))
                )
        for key, group in by_size(faults):
            found += wrapped(f"{status} {one_of(group.texts, key)}", run, TONES[status])
            found += names_of(group.names, run, WITH_TROUBLE)
            ways = fixes[key]
            way_out = one_of(ways.texts, ways.names[0]) if len(ways.names) == 1 else "\n".join(ways.texts)
            for line in way_out.splitlines():
                found += wrapped(f"  -> {line}", run, indent="     ")
    return found
