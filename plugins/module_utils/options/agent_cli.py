# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the agents' programs come from, and where they go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable

from .values import Spec, by_kind, registry

SPEC: Spec = {
    "cli_versions": {"type": "dict", "default": {}},
    "npm_prefix": {"type": "path"},
    "npm_registry": {"type": "str"},
    "pip_index": {"type": "str"},
}
_PINNED = ", ".join(f"{name}: '{agent.pinned_version}'" for name, agent in [*registry("agents", "AGENTS").items()][:1])
EXAMPLES = {
    "cli_versions": f"{{{_PINNED}}}",
    "npm_prefix": "/opt/coding-agents",
    "npm_registry": "https://npm.example.com/",
    "pip_index": "https://pypi.example.com/simple",
}
USE = {"cli_versions": "usual", "npm_registry": "usual"}


def _url(name: str) -> Callable[[Any, str], list[str]]:
    def check(value: Any, variable: str) -> list[str]:
        found = by_kind(variable, SPEC[name], EXAMPLES[name], value)
        if not found and (not str(value).lower().startswith(("https://", "http://")) or " " in str(value)):
            found.append(f"{variable} does not begin with https:// or http://. Give a URL, such as {EXAMPLES[name]}.")
        return found

    return check


CHECKS = {name: _url(name) for name in ("npm_registry", "pip_index")}


def together(given: Mapping[str, Any]) -> list[str]:
    return []
