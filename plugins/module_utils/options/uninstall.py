# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far an uninstall goes, and whether it asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .values import Spec

WAY_BACK: Spec = {
    "uninstall_older_tools": {"type": "bool", "default": False},
    "revoke_legacy_pats": {"type": "bool", "default": False},
}
CONFIRM: Spec = {"confirm": {"type": "bool", "default": False}}
SPEC: Spec = {**WAY_BACK, **CONFIRM}
EXAMPLES = {"confirm": "true", "revoke_legacy_pats": "true", "uninstall_older_tools": "true"}
USE: dict[str, str] = {}
CHECKS: dict[str, Any] = {}


def together(given: Mapping[str, Any]) -> list[str]:
    return []
