# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print what ``matrix.sh`` found, a line for each ansible-core. Usage: ``python matrix_table.py DIRECTORY``.

A directory for each core holds what its run left: ``versions``, ``time``, pytest's reports, or ``skipped`` with the reason.
"""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

TITLES = (
    "core",
    "Python",
    "part",
    "tests",
    "failed",
    "skipped",
    "Molecule",
    "secrets",
    "found",
    "no-op trips",
    "no-op s",
    "s",
)


def row(directory: Path) -> list[str]:
    """One core's line, in the order of ``TITLES``; the numbers that tests report come from their ``record_property``."""
    if not (directory / "time").exists():
        reason = (directory / "skipped").read_text().strip().splitlines() if (directory / "skipped").exists() else []
        return [directory.name, "not run: " + (reason[-1] if reason else "it stopped early")]
    part, seconds = (directory / "time").read_text().split()
    counted = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    reported = {"secrets_planted": 0, "secrets_found": 0, "noop_round_trips": 0}
    noop_seconds = ""
    for report in directory.glob("*.xml"):
        root = ElementTree.parse(report).getroot()  # noqa: S314
        for suite in root.iter("testsuite"):
            for name in counted:
                counted[name] += int(suite.get(name, 0))
        for one in root.iter("property"):
            name, value = one.get("name", ""), one.get("value", "")
            if name in reported:
                reported[name] += int(value)
            elif name == "noop_seconds":
                noop_seconds = value
    return [
        *(directory / "versions").read_text().split(),
        part,
        str(counted["tests"]),
        str(counted["failures"] + counted["errors"]),
        str(counted["skipped"]),
        "ok" if (directory / "molecule-ok").exists() else "-" if part == "short" else "FAILED",
        str(reported["secrets_planted"]),
        str(reported["secrets_found"]),
        str(reported["noop_round_trips"]),
        noop_seconds,
        seconds,
    ]


def main(where: str) -> None:
    rows = [list(TITLES)] + [row(one) for one in sorted(Path(where).iterdir()) if one.is_dir()]
    widths = [max(len(one[at]) for one in rows if len(one) == len(TITLES)) for at in range(len(TITLES))]
    for one in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(one, widths, strict=False)).rstrip())


if __name__ == "__main__":
    main(sys.argv[1])
