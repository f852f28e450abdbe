# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Capabilities: one file for each, and this registry. The look, the rollout, the doctor and the way back are loops over it.

To add one, write its file and add it to the import and the tuple below. The order is that of writing: every prefix must work.
"""

from __future__ import annotations

from .agent_cli import AgentCli
from .agent_settings import AgentSettings
from .base import Part
from .command import Command
from .databricks_oauth import DatabricksOauth
from .launcher import Launcher
from .login_item import LoginItem
from .relay import Relay
from .skills import Skills

PARTS: dict[str, Part] = {
    part.name: part
    for part in (
        DatabricksOauth(),
        LoginItem(),
        AgentCli(),
        Relay(),
        AgentSettings(),
        Launcher(),
        Command(),
        Skills(),
    )
}

__all__ = ["PARTS", "Part"]
