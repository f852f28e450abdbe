# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the agents' programs come from, and where they go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .values import Spec, by_kind, registry

SPEC: Spec = {
    "cli_versions": {"type": "dict", "default": {}},
    "npm_prefix": {"type": "path"},
    "npm_registry": {"type": "str"},
}
_PINNED = ", ".join(f"{name}: '{agent.pinned_version}'" for name, agent in [*registry("agents", "AGENTS").items()][:1])
EXAMPLES = {
    "cli_versions": f"{{{_PINNED}}}",
    "npm_prefix": "/opt/coding-agents",
    "npm_registry": "https://npm.example.com/",
}
USE = {"cli_versions": "usual", "npm_registry": "usual"}


def _registry(value: Any, variable: str) -> list[str]:
    found = by_kind(variable, SPEC["npm_registry"], EXAMPLES["npm_registry"], value)
    if not found and (not str(value).lower().startswith(("https://", "http://")) or " " in str(value)):
        found.append(
            f"{variable} does not begin with https:// or http://. Give a URL, such as {EXAMPLES['npm_registry']}."
        )
    return found


CHECKS = {"npm_registry": _registry}


def together(given: Mapping[str, Any]) -> list[str]:
    return []
