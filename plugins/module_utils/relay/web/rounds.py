# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One answer of a model, as it comes: its blocks for the next request, its calls of ours, and what it costs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

MOST_INPUT = 64 << 10
"""Characters of a call's input."""

_GROWING = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}
_COUNTED = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")


class Round:
    """What one request gave."""

    def __init__(self) -> None:
        self.usage: dict[str, Any] = {}
        self.calls_of_others = 0
        self.results: list[dict[str, Any]] = []
        self._blocks: dict[int, dict[str, Any]] = {}
        self._inputs: dict[int, str] = {}

    def begin(self, index: int, block: Mapping[str, Any]) -> None:
        self._blocks[index] = dict(block)

    def grow(self, index: int, delta: Mapping[str, Any]) -> bool:
        """Whether the block is not longer than one may be."""
        block, kind = self._blocks.get(index), str(delta.get("type"))
        if block is None:
            return True
        if kind == "input_json_delta":
            self._inputs[index] = self._inputs.get(index, "") + str(delta.get("partial_json") or "")
            return len(self._inputs[index]) <= MOST_INPUT
        if kind in _GROWING:
            name = _GROWING[kind]
            block[name] = str(block.get(name) or "") + str(delta.get(name) or "")
        return True

    def end(self, index: int) -> Any:
        """The input of a call that is complete now; None where it is no JSON object, or too long."""
        block = self._blocks.get(index, {})
        text = self._inputs.pop(index, "")
        if block.get("type") != "tool_use":
            return None
        try:
            given = json.loads(text) if text and len(text) <= MOST_INPUT else block.get("input") if not text else None
        except (ValueError, RecursionError):
            given = None
        block["input"] = given if isinstance(given, dict) else {}
        return given if isinstance(given, dict) else None

    def add_usage(self, told: object) -> None:
        if isinstance(told, Mapping):
            self.usage.update({name: value for name, value in told.items() if value is not None})

    def said(self) -> list[dict[str, Any]]:
        """Its blocks, as they are sent back: without those that are empty, which would be refused."""
        blocks = (self._blocks[index] for index in sorted(self._blocks))
        return [
            {name: value for name, value in block.items() if value is not None}
            for block in blocks
            if block.get("type") != "text" or block.get("text")
        ]


def total(rounds: Sequence[Round], last: Mapping[str, Any]) -> dict[str, Any]:
    """What an answer of several rounds costs. ``last``: what the last one was told to cost, of which all else is kept."""
    found = dict(last)
    told = [one.usage for one in rounds if one.usage]
    for name in _COUNTED:
        counts = [usage[name] for usage in told if isinstance(usage.get(name), int)]
        if counts and (len(told) > 1 or name in last):
            found[name] = sum(counts)
    return found
