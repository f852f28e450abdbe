# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Coding agents: one file for each, and this registry. An agent is a :class:`Agent`; nothing else in the collection knows one.

To add one, write its file, whose last line makes the agent, and add its name to the tuple below.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module

from .base import Agent, AgentOptions, FoundCli, Launch, check_versions

_NAMES = ("claude_code", "codex", "gemini", "opencode", "copilot", "pi", "hermes")


class _Agents(Mapping[str, Agent]):
    """Each by its name, imported when it is first asked for: a host of one agent does not pay for all."""

    def __getitem__(self, name: str) -> Agent:
        if name not in _NAMES:
            raise KeyError(name)
        agent: Agent = import_module(f".{name}", __package__).AGENT
        return agent

    def __contains__(self, name: object) -> bool:
        return name in _NAMES

    def __iter__(self) -> Iterator[str]:
        return iter(_NAMES)

    def __len__(self) -> int:
        return len(_NAMES)


AGENTS = _Agents()

__all__ = ["AGENTS", "Agent", "AgentOptions", "FoundCli", "Launch", "check_versions"]
