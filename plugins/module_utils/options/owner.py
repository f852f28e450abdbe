# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose files are managed, and what becomes of one that cannot be read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..places import EVERYBODY, MACHINE, USER
from .values import PREFIX, Spec, as_boolean, as_list, by_kind, registry

AGENTS = registry("agents", "AGENTS")

OWNER: Spec = {
    "scope": {"type": "str", "choices": [USER, MACHINE], "default": USER},
    "home": {"type": "str"},  # no path: Ansible would replace what looks like a variable in its name
    "users": {"type": "list", "elements": "str", "default": []},
    "exclude_users": {"type": "list", "elements": "str", "default": []},
}
FILES: Spec = {"on_unreadable": {"type": "str", "choices": ["fail", "backup_and_replace"], "default": "fail"}}
SPEC: Spec = {**OWNER, **FILES}
EXAMPLES = {
    "scope": "machine",
    "home": "/home/ada",
    "users": "[ada, grace]",
    "exclude_users": "[kiosk]",
    "on_unreadable": "fail",
}
USE = {"scope": "usual", "users": "usual", "home": "rare"}


def _names(option: str, value: Any, variable: str) -> list[str]:
    found = by_kind(variable, SPEC[option], EXAMPLES[option], value)
    odd = [] if found else [one for one in as_list(value) or [] if set(one) & set(" /:\t") or one.startswith("-")]
    return [
        *found,
        *(f"{variable} names {one!r}, which is no user name. Give a list, such as {EXAMPLES[option]}." for one in odd),
    ]


def _users(value: Any, variable: str) -> list[str]:
    found = _names("users", value, variable)
    names = as_list(value) or []
    if not found and EVERYBODY in names and len(names) > 1:
        return [f"{variable} names {EVERYBODY}, which is everybody, and others. Give {EVERYBODY}, or names."]
    return found


def _exclude_users(value: Any, variable: str) -> list[str]:
    return _names("exclude_users", value, variable)


CHECKS = {"users": _users, "exclude_users": _exclude_users}


def together(given: Mapping[str, Any]) -> list[str]:
    if given.get("scope") == MACHINE:
        return _machine(given)
    users = [one for one in as_list(given.get("users")) or [] if one]
    if users and given.get("home"):
        return [f"{PREFIX}users and {PREFIX}home are both set. Leave one of them out."]
    if given.get("exclude_users") and users != [EVERYBODY]:
        return [f"{PREFIX}exclude_users is set without {PREFIX}users: {EVERYBODY}. Add that, or leave it out."]
    return []


def _machine(given: Mapping[str, Any]) -> list[str]:
    """What cannot be for all users of a host at once."""
    of_one = [f"{PREFIX}{name}" for name in ("users", "home") if given.get(name)]
    found = []
    if of_one:
        found.append(
            f"{PREFIX}scope is machine, which is for all users of a host, and {' and '.join(of_one)} names some. "
            f"Take it out, or set {PREFIX}scope to user."
        )
    if as_boolean(given.get("login_at_start")) is True:
        found.append(
            f"{PREFIX}login_at_start is true, and {PREFIX}scope machine writes into no home, where a login item stands. "
            f"Take it out: each person signs in once, by coding-agents login."
        )
    for name in as_list(given.get("agents")) or ():
        agent = AGENTS.get(name)
        if agent is not None and not agent.machine_scope:
            found.append(
                f"{PREFIX}agents names {name}. {agent.title} has no machine scope: {agent.no_machine_scope}. "
                f"Take it out, or set {PREFIX}scope to user."
            )
    return found
