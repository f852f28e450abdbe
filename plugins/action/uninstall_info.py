# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""See the documentation of the module of the same name."""

from __future__ import annotations

from ..modules.uninstall_info import SPEC
from ..plugin_utils.host_action import HostAction


class ActionModule(HostAction):
    OPTIONS = SPEC
    VERB = "listing.list_artifacts"
    FINDS_FAILURES = True
