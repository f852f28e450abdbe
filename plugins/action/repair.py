# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See the documentation of the module of the same name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..modules import coding_agents
from ..modules.repair import SPEC
from ..plugin_utils import downloads, memory
from ..plugin_utils.filling import filled
from ..plugin_utils.host_action import HostAction


class ActionModule(HostAction):
    OPTIONS = SPEC
    VERB = "by_memory.repair"
    CARRIES = {"defaults": memory.defaults(coding_agents.SPEC)}

    def ways_of(self, options: Mapping[str, Any], variables: Mapping[str, Any]) -> Mapping[str, Any]:
        """By the operator's variables: where the control node asks is not for a host to say."""
        return filled([*downloads.WAYS], {}, variables, self._templar)[0]
