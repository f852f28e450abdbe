# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Completion for shells: each asks ``coding-agents complete WORDS...`` for what could come next, so that it is what is there now."""

from __future__ import annotations

import argparse
from typing import Any

from ..parts.command_texts import COMPLETIONS
from . import output
from .arguments import OK, parser


def write(shell: str) -> int:
    output.write(COMPLETIONS[shell].rstrip("\n"))
    return OK


def complete(config_file: str, words: list[str]) -> int:
    """Print each word that could stand in the place of the last one, a line for each."""
    *before, begun = words or [""]
    output.write(*(one for one in _candidates(config_file, before) if one.startswith(begun)))
    return OK


def _candidates(config_file: str, before: list[str]) -> list[str]:
    verbs = _verbs()
    if not before:
        return list(verbs)
    if before[0] not in verbs:
        return []
    if before == ["run"]:
        return _agents(config_file)
    if before[0] == "run":
        return []  # the agent's own
    actions = verbs[before[0]]._actions
    below = _below(actions)
    if below and len(before) > 1:
        if before[1] not in below:
            return []
        return _words(below[before[1]]._actions, before[1:])
    return _words(actions, before)


def _words(actions: list[argparse.Action], before: list[str]) -> list[str]:
    for action in actions:
        if action.choices and (before[-1] in action.option_strings or (not action.option_strings and len(before) == 1)):
            return [str(one) for one in action.choices]
    return [name for action in actions for name in action.option_strings if name.startswith("--")]


def _verbs() -> dict[str, Any]:
    return _below(parser()._actions)


def _below(actions: list[argparse.Action]) -> dict[str, Any]:
    """The verbs that follow, each with its parser; none where none do."""
    return next((dict(one.choices) for one in actions if isinstance(one, argparse._SubParsersAction)), {})


def _agents(config_file: str) -> list[str]:
    from ..agents import AGENTS
    from ..errors import OperatorError
    from ..parts.wanted_state import remembered
    from . import whose

    try:
        chosen = remembered(whose.find(config_file).owner).options["agents"]
    except (KeyError, OperatorError):
        return []
    return [AGENTS[name].command for name in chosen if name in AGENTS]


__all__ = ["complete", "write"]
