# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines for people: tables as wide as the terminal, colour only there."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence

from .. import careful

_COLOURS = {"PASS": "32", "WARN": "33", "FAIL": "31", "SKIP": "36", "ok": "32", "warning": "33", "error": "31"}
_GAP = "  "


def write(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def complain(text: str) -> None:
    sys.stderr.write(f"coding-agents: {text}\n")


def toned(text: str, tone: str) -> str:
    """The text in its colour, where somebody sees it."""
    colour = _COLOURS.get(tone)
    if colour is None or os.environ.get("NO_COLOR") or not sys.stdout.isatty():
        return text
    return f"\033[{colour}m{text}\033[0m"


def pairs(found: Mapping[str, object], home: str) -> list[str]:
    """One line for each thing that there is, with ``~`` for the home."""
    there = {name: value for name, value in found.items() if value not in (None, "")}
    width = max((len(name) for name in there), default=0)
    return [f"{name:{width}}  {tilde(careful.visible(str(value)), home)}" for name, value in there.items()]


def tilde(text: str, home: str) -> str:
    return text.replace(f"{home}/", "~/") if home.strip("/") else text


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns; the last one ends with the terminal, and what does not fit is cut."""
    cells = [list(titles), *([careful.visible(str(cell)) for cell in row] for row in rows)]
    widths = [max(len(row[number]) for row in cells) for number in range(len(titles))]
    most = shutil.get_terminal_size((120, 24)).columns if sys.stdout.isatty() else 0
    found = []
    for row in cells:
        line = _GAP.join(f"{cell:{width}}" for cell, width in zip(row, widths)).rstrip()
        found.append(line if not most or len(line) <= most else line[: most - 1] + "~")
    return found
