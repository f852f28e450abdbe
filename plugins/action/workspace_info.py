# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The preflight as a task of its own: on the control node, without become, once per distinct set of options in a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..modules.workspace_info import SPEC
from ..plugin_utils.host_action import HostAction


class ActionModule(HostAction):
    """See the documentation of the module of the same name."""

    OPTIONS = SPEC
    ASKS_WORKSPACE = True
    _requires_connection = False
    _supports_async = False

    def _asked(self, options: dict[str, Any], routing_is_set: bool) -> dict[str, Any]:
        """Whoever writes this task wants the answer, also where other modules are told to go without."""
        self._answer = super()._asked({**options, "preflight": True}, routing_is_set)
        return self._answer

    def _call(self, options: dict[str, Any], variables: Mapping[str, Any]) -> dict[str, Any]:
        # The warnings are told with those of any module.
        return {"changed": False, **{name: value for name, value in self._answer.items() if name != "warnings"}}
