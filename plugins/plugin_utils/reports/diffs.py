# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each change of a file once, however many hosts have it, as Ansible itself shows one."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from .host import Host
from .words import WITHOUT, Group, Line, Run, listed


def diffs_of(hosts: Sequence[Host], run: Run) -> list[Line]:
    """Each change of a file once, however many hosts have it, with their names before it."""
    groups: dict[tuple[str, ...], tuple[Group, list[tuple[str, ...]]]] = {}
    for host in hosts:
        for one in host.diff:
            headers = [host.tilde(str(one.get(name, ""))) for name in ("before_header", "after_header")]
            texts = [str(one.get(name) or "") for name in ("before", "after")]
            headers.insert(0, str(one.get("kind") or ""))
            key = (*headers, *(host.tilde(text) for text in texts))
            group, own = groups.setdefault(key, (Group(), []))
            group.add(host.name)
            own.append((*headers, *texts))
    found: list[Line] = []
    for key, (group, own) in groups.items():
        kind, before_header, after_header, before, after = own[0] if len(set(own)) == 1 else key
        count = f" ({len(group.names)} hosts)" if len(group.names) > 1 else ""
        path = re.sub(r" \((no file|link|[0-7]{4})\)$", "", after_header or before_header)
        found.append(Line(f"{path} on {listed(group.names, run, WITHOUT)}{count}", "title"))
        if kind == "summary":
            signs = (("-", before, "removed"), ("+", after, "added"))
            found += [Line(f"{sign}{text.rstrip()}", tone) for sign, text, tone in signs if text]
            continue
        shown = _unified(before, after, before_header, after_header, run.context)
        if not shown and before_header != after_header:
            shown = [Line(f"--- before: {before_header}", "removed"), Line(f"+++ after: {after_header}", "added")]
        found += [*shown, Line("")]
    return [*found, Line("")] if found and found[-1].text else found


def _unified(before: str, after: str, before_header: str, after_header: str, context: int) -> list[Line]:
    """As Ansible's own callback shows a diff."""
    tones = {"+": "added", "-": "removed", "@": "place"}
    headers = f"before: {before_header}", f"after: {after_header}"
    shown = difflib.unified_diff(_parts(before), _parts(after), *headers, n=context)
    return [Line(part, tones.get(part[:1], "")) for line in shown for part in line.removesuffix("\n").split("\n")]


def _parts(text: str) -> list[str]:
    parts = text.splitlines(keepends=True)
    if parts and not parts[-1].endswith("\n"):
        parts[-1] += "\n\\ No newline at end of file\n"
    return parts
