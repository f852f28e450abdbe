# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of who is signed in, and the command for who has to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from .common import trouble, warnings_of
from .host import MUST_SIGN_IN, Host
from .words import WITH_TROUBLE, WITHOUT, Group, Line, Run, names_of, one_of, wrapped

_MAY_HAVE_TO = ("unknown",)

_SIGN_IN_WORDS = {
    "active": ("Signed in", "ok"),
    "signed_in": ("Signed in", "ok"),
    "no_person_needed": ("Nobody needs to sign in", "ok"),
    "not_set_up": ("Cannot sign in yet", "skipped"),
    "unknown": ("May have to sign in", "warning"),
    "absent": ("Has to sign in", "warning"),
    "expired": ("Has to sign in", "warning"),
    "sign_in_needed": ("Has to sign in", "warning"),
}

_SIGN_IN_ORDER = ("Has to sign in", "May have to sign in", "Cannot sign in yet", "Signed in", "Nobody needs to sign in")


def of_sign_in(hosts: Sequence[Host], run: Run) -> list[Line]:
    found = trouble(hosts, run)
    by_words: dict[str, list[tuple[Host, Mapping[str, str]]]] = {}
    for host in hosts:
        for one in host.sessions:
            words = _SIGN_IN_WORDS.get(one.get("state", ""), _SIGN_IN_WORDS["unknown"])[0]
            by_words.setdefault(words, []).append((host, one))
    for words in sorted(by_words, key=_SIGN_IN_ORDER.index):
        people = by_words[words]
        tone = next(tone for name, tone in _SIGN_IN_WORDS.values() if name == words)
        details: dict[str, list[tuple[Host, Mapping[str, str]]]] = {}
        for host, one in people:
            details.setdefault(host.general(one.get("detail", "")), []).append((host, one))
        for detail, some in details.items():
            texts = [host.tilde(one.get("detail", "")) for host, one in some]
            said = f" ({one_of(texts, detail)})" if detail else ""
            found += wrapped(f"{words}{said}:", run, tone)
            waits = some[0][1].get("state") in (*MUST_SIGN_IN, *_MAY_HAVE_TO)
            if waits:
                found += sign_in_commands(some, run, "")
            else:
                found += names_of([_person(host, one) for host, one in some], run, WITHOUT)
    return found + warnings_of(hosts, run)


def sign_in_commands(people: Iterable[tuple[Host, Mapping[str, str]]], run: Run, title: str) -> list[Line]:
    """Who has to sign in and how, once for each command.

    Commands that differ in the user and the host alone are one, unless every name is wanted.
    """
    commands: dict[str, Group] = {}
    for host, one in people:
        command = one.get("command", "")
        address = re.escape(f"{one.get('user')}@{host.name}")
        key = re.sub(rf"(?<![\w.-]){address}(?![\w.-])", "USER@HOST", command)  # not a part of a longer address
        commands.setdefault(command if run.verbose else key, Group()).add(_person(host, one), command)
    found: list[Line] = []
    for key, group in commands.items():
        command = one_of(group.texts, key)
        names = names_of(group.names, run, WITH_TROUBLE)
        if title and not command:
            found += [*wrapped(f"Next: sign in; {run.sign_in} says how", run, "warning"), *names]
        elif title:
            found += [Line(f"{title} {command}", "warning"), *names]
        else:
            found += [*names, *([Line(f"  -> {command}")] if command else [])]
    return found


def _person(host: Host, session: Mapping[str, str]) -> str:
    return f"{session['user']} on {host.name}" if session.get("user") else host.name
