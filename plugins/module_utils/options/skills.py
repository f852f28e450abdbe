# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Skills that agents are given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .values import Spec

SPEC: Spec = {
    "self_help_skills": {"type": "bool", "default": True},
}
EXAMPLES = {
    "self_help_skills": "false",
}
USE: Mapping[str, str] = {}
CHECKS: Mapping[str, Callable[[Any, str], list[str]]] = {}


def together(given: Mapping[str, Any]) -> list[str]:
    return []
