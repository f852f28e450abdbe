# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the tools come from that agents need, and everything else that hosts fetch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from .values import PREFIX, Spec, as_list, by_kind

SPEC: Spec = {
    "mirror": {"type": "str"},
    "toolchain_sources": {
        "type": "list",
        "elements": "str",
        "choices": ["homebrew", "distribution", "vendor", "already_present"],
        "default": ["vendor"],
    },
    "download_on": {"type": "str", "choices": ["host", "controller"], "default": "host"},
    "uninstall_programs": {"type": "bool", "default": False},
}
EXAMPLES = {
    "mirror": "https://mirror.example.com/coding-agents",
    "toolchain_sources": "[homebrew, distribution, vendor]",
    "download_on": "controller",
    "uninstall_programs": "true",
}
USE = {"mirror": "usual", "toolchain_sources": "usual"}


def _mirror(value: Any, variable: str) -> list[str]:
    found = by_kind(variable, SPEC["mirror"], EXAMPLES["mirror"], value)
    if found:
        return found
    try:
        parts = urlsplit(str(value))
        known = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        known = False
    # The value is in no message: it may hold a password.
    if not known or " " in str(value) or parts.query or parts.fragment:
        return [f"{variable} is no https:// URL of a directory. Give one, such as {EXAMPLES['mirror']}."]
    return []


CHECKS = {"mirror": _mirror}


def together(given: Mapping[str, Any]) -> list[str]:
    if len(as_list(given.get("toolchain_sources")) or []) > 1 and "already_present" in given["toolchain_sources"]:
        return [f"{PREFIX}toolchain_sources has already_present beside others. Leave it out, or the others."]
    return []
