# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Coding agents: one file for each, and this registry. An agent is a :class:`Agent`; nothing else in the collection knows one.

To add one, write its file and add it to the import and the tuple below (Ansible carries only static imports to hosts).
"""

from __future__ import annotations

from .base import Agent, AgentOptions, FoundCli, Launch, check_versions
from .claude_code import ClaudeCode
from .hermes import Hermes
from .pi import Pi

AGENTS: dict[str, Agent] = {agent.name: agent for agent in (ClaudeCode(), Hermes(), Pi())}

__all__ = ["AGENTS", "Agent", "AgentOptions", "FoundCli", "Launch", "check_versions"]
