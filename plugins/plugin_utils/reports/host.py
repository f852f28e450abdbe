# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All that is known of one host."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from .words import FAIL, WARN, Entry, Run, members, unique

_PREFLIGHTS = ("workspace_info", "serving_endpoint_info")

_LOOKS = ("coding_agents_info", "uninstall_info")

DOCTORS = ("agent_doctor",)

SIGN_INS = ("sign_in",)

_CHANGE_NOTHING = (*_LOOKS, *DOCTORS, *SIGN_INS)

MUST_SIGN_IN = ("absent", "expired", "sign_in_needed")


class Host:
    """All that is known of one host."""

    def __init__(self, name: str, entries: Sequence[Entry]) -> None:
        self.name = name
        self.entries = entries
        self.check_mode = any(one.get("check_mode") for one in entries)
        self.absent = any(one.get("state") == "absent" for one in entries)
        self.checks: list[Mapping[str, str]] = [check for one in entries for check in members(one, "checks")]
        self.sessions = _last_of_each_user(session for one in entries for session in _sessions(one))
        about = [*self.checks, *self.sessions]
        users = {str(one.get("user") or "") for one in about}
        homes = {home for one in entries for home in members(one, "homes")} | {one.get("home") or "" for one in about}
        self._homes = _any_of((home for home in homes if home.strip("/")), "(?<![\\w.-])", "(?![\\w.-])")
        self._users = _any_of((user for user in users if len(user) > 1), "(?<![\\w./-])", "(?![\\w-])")
        self._name = re.compile(rf"(?<![\w.-]){re.escape(name)}(?![\w-])")
        self.unreachable = next(
            (str(one.get("msg", "")) for one in entries if one.get("status") == "unreachable"), None
        )
        # The look says what would change, a module that changes what did: never both.
        doers = [one for one in entries if is_about_host(one) and one.get("module") not in _CHANGE_NOTHING]
        changers = doers or entries
        self.would = self.check_mode or not doers
        self.changes = unique(change for one in changers for change in members(one, "changes"))
        self.changed = bool(self.changes) or any(one.get("changed") for one in changers)
        self.diff: list[Mapping[str, str]] = [part for one in changers for part in members(one, "diff")]
        # Told with the command, under Next.
        told = {one.get("detail") for one in self.sessions if one.get("state") in MUST_SIGN_IN}
        warnings = [str(warning) for one in entries for warning in members(one, "warnings")]
        self.warnings = unique(warning for warning in warnings if warning not in told)

    def failures(self) -> list[tuple[str, str]]:
        """User (or none) and message of each. A failed check is none: it is told by itself."""
        found = []
        for one in self.entries:
            users = one.get("failed_users") or {}
            found += [(str(user), str(message)) for user, message in users.items()]
            checked = any(check.get("status") == FAIL for check in members(one, "checks"))
            if one.get("status") == "failed" and not users and not checked:
                found.append(("", str(one.get("msg") or "failed without a message")))
        return unique(found)

    def verdict(self) -> str:
        """The worst of its checks."""
        if self.unreachable is not None:
            return "unreachable"
        worst = {check.get("status") for check in self.checks}
        failed = [check for check in self.checks if check.get("status") == FAIL]
        if failed and not self.failures() and all(map(_waits_for_a_sign_in, failed)):
            return "not signed in"
        if FAIL in worst or self.failures():
            return "faults"
        return "warnings" if WARN in worst else "in order"

    def status(self) -> str:
        """What became of it, in one word."""
        if self.unreachable is not None:
            return "unreachable"
        if self.failures() or self.verdict() in ("faults", "not signed in"):
            return "failed"
        if self.changed:
            return "would change" if self.would else "changed"
        return "ok"

    def tilde(self, text: str) -> str:
        """The text with ``~`` for the homes."""
        return self._homes.sub("~", text) if self._homes else text

    def general(self, text: str) -> str:
        """The text without what is this host's own, to tell whether two hosts have the same."""
        text = self.tilde(text)
        if self._users:
            text = self._users.sub("USER", text)
        return self._name.sub("HOST", text)


def hosts_of(entries: Iterable[Entry], run: Run) -> list[Host]:
    by_name: dict[str, list[Entry]] = {name: [] for name in run.hosts}
    for one in entries:
        by_name.setdefault(str(one.get("host", "")), []).append(one)
    return [Host(name, own) for name, own in by_name.items() if own]


def _any_of(words: Iterable[str], before: str, after: str) -> re.Pattern[str] | None:
    """A pattern of the words, the longest first; none without words."""
    found = sorted(words, key=len, reverse=True)
    return re.compile(f"{before}(?:{'|'.join(map(re.escape, found))}){after}") if found else None


def is_about_host(entry: Entry) -> bool:
    return entry.get("module") not in _PREFLIGHTS and entry.get("status") != "skipped"


def _waits_for_a_sign_in(check: Mapping[str, str]) -> bool:
    """Whether a failed check means no more than that a person has to sign in: the command for that is its fix."""
    return check.get("category") == "Auth" and re.match(r"Run: \S+ login\b", str(check.get("fix"))) is not None


def _sessions(entry: Entry) -> list[Mapping[str, str]]:
    found = entry.get("sign_ins") or entry.get("sessions") or entry.get("session") or []
    return [found] if isinstance(found, Mapping) else list(found)


def _last_of_each_user(sessions: Iterable[Mapping[str, str]]) -> list[Mapping[str, str]]:
    return list({one.get("user") or "": one for one in sessions}.values())
