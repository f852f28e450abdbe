# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host is told about its memory of a rollout: what it must not remember, and what it could not know yet."""

from __future__ import annotations

from typing import Any

from ..module_utils.options import control_node, owner, uninstall, verbs
from ..module_utils.options.values import Spec


def forgotten(spec: Spec) -> list[str]:
    """Options that are secrets, that are the owner's own, or that one call is told."""
    secrets = {name for name, option in spec.items() if option.get("no_log")}
    of_a_call = {*owner.OWNER, *verbs.STATE, *verbs.PARTS, *uninstall.WAY_BACK, "sign_out"}
    return sorted({*secrets, *of_a_call} & set(spec))


def defaults(spec: Spec) -> dict[str, Any]:
    """The rest, by their defaults."""
    left_out = {*forgotten(spec), *control_node.ASKING}
    return {name: option.get("default") for name, option in spec.items() if name not in left_out}
