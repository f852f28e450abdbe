# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose files are managed, and what becomes of one that cannot be read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .values import PREFIX, Spec, as_list, by_kind

OWNER: Spec = {
    "home": {"type": "str"},  # no path: Ansible would replace what looks like a variable in its name
    "users": {"type": "list", "elements": "str", "default": []},
}
FILES: Spec = {"on_unreadable": {"type": "str", "choices": ["fail", "backup_and_replace"], "default": "fail"}}
SPEC: Spec = {**OWNER, **FILES}
EXAMPLES = {"home": "/home/ada", "users": "[ada, grace]", "on_unreadable": "fail"}
USE = {"users": "usual", "home": "rare"}


def _users(value: Any, variable: str) -> list[str]:
    found = by_kind(variable, SPEC["users"], EXAMPLES["users"], value)
    odd = [] if found else [one for one in as_list(value) or [] if set(one) & set(" /:\t") or one.startswith("-")]
    return [
        *found,
        *(f"{variable} names {one!r}, which is no user name. Give a list, such as {EXAMPLES['users']}." for one in odd),
    ]


CHECKS = {"users": _users}


def together(given: Mapping[str, Any]) -> list[str]:
    if given.get("users") and given.get("home"):
        return [f"{PREFIX}users and {PREFIX}home are both set. Leave one of them out."]
    return []
