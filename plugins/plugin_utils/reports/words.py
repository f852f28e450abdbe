# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all reports are made of: lines, what is equal on many hosts, names, and what must not reach a terminal."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

Entry = Mapping[str, Any]

FAIL, WARN, PASS, SKIP = "FAIL", "WARN", "PASS", "SKIP"

TONES = {FAIL: "error", WARN: "warning", PASS: "ok", SKIP: "skipped"}

_CONTROL = re.compile("[\\x00-\\x08\\x0a-\\x1f\\x7f-\\x9f\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ud800-\\udfff]")
"""What a text from a host must not do to a terminal: act, end a line, or turn one around."""

WITH_TROUBLE, WITHOUT = 10, 2
"""How many names stand before "and 7 more": where something is wrong, and where a few give the idea."""


class Line(NamedTuple):
    """A line to print. ``tone`` says what it is about; the one who prints chooses the colour."""

    text: str
    tone: str = ""


class Run(NamedTuple):
    """What the lines depend on besides the entries."""

    hosts: Sequence[str] = ()
    """All hosts of the play in its order, also those that no entry is about."""
    gone: Sequence[str] = ()
    """Hosts that are out of the play and of which nothing is remembered: something else stopped them."""
    verbose: bool = False
    """Name every host, and what is in order too."""
    diff: bool = False
    context: int = 3
    """Unchanged lines around a change in a diff."""
    width: int = 79
    doctor: str = "ansible-playbook fmapi.coding_agents.doctor"
    """The command that proves a rollout."""
    sign_in: str = "ansible-playbook fmapi.coding_agents.sign_in"
    """The command that says how people sign in."""
    repair: str = "ansible-playbook fmapi.coding_agents.repair"
    """The command that brings back what was rolled out."""
    is_told_first: Callable[[str], bool] = lambda _what: True
    """Whether no other report of the same run has said this."""


class Group:
    """Equal texts of several hosts."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.texts: list[str] = []

    def add(self, name: str, *texts: str) -> None:
        if name not in self.names:
            self.names.append(name)
        self.texts += [text for text in texts if text and text not in self.texts]


def harmless(line: Line) -> Line:
    """The same, with all that a terminal would act upon made visible: hosts have chosen parts of the text."""
    return line._replace(text=_CONTROL.sub(_visible, line.text))


def names_of(names: Sequence[str], run: Run, most: int) -> list[Line]:
    return wrapped(f"  {listed(names, run, most)}", run, indent="  ")


def listed(names: Sequence[str], run: Run, most: int) -> str:
    """All the names, or the first of them and how many more there are."""
    if run.verbose or len(names) <= most + 1:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"


def tilde(text: str, home: str) -> str:
    """The text with ``~`` for a home."""
    return re.sub(rf"{re.escape(home)}(?=/|$)", "~", text) if home.strip("/") else text


def wrapped(text: str, run: Run, tone: str = "", indent: str = "    ") -> list[Line]:
    wrapped = textwrap.wrap(
        text, max(run.width, 40), subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return [Line(line, tone) for line in wrapped]


def by_size(groups: Mapping[str, Group]) -> list[tuple[str, Group]]:
    """What most hosts have comes first."""
    return sorted(groups.items(), key=lambda one: -len(one[1].names))


def one_of(texts: Sequence[str], general: str) -> str:
    """The text as it is where all are the same; else what they have in common."""
    return texts[0] if len(set(texts)) == 1 else general


def _visible(found: re.Match[str]) -> str:
    number = ord(found.group())
    return "^M" if found.group() == "\r" else f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}"


def members(entry: Entry, name: str) -> list[Any]:
    return entry.get(name) or []


def unique(values: Iterable[Any]) -> list[Any]:
    return list(dict.fromkeys(values))
