# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What earlier answers have left in a conversation: blocks of server tools become calls and results as of any other tool.

A gateway that runs no server tools does not take their blocks either. Calls that belonged to one answer of the model stay in one
message, and what it said after their results is the next: so it reads what it has really said.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from .backends import Memory
from .tools import NAMES, listed, shown

SERVER_ID = "srvtoolu_"
_ORDINARY_ID = "toolu_"
_RESULTS = {f"{name}_tool_result": name for name in NAMES}
_CUT_OFF = "The call was cut off, and gave no result."


def server_id(call: str) -> str:
    """The id of a call as a client gets it."""
    return SERVER_ID + call.removeprefix(_ORDINARY_ID)


def ordinary_id(call: object) -> str:
    return _ORDINARY_ID + str(call).removeprefix(SERVER_ID)


def rewritten(messages: list[Any], offered: Collection[str], memory: Memory) -> list[Any]:
    """The conversation as a gateway takes it; the very same list where nothing is to do.

    ``offered``: the tools that this request offers. Calls of others become text: a call of a tool that is not there is refused.
    """
    if not any(_is_ours(block) for message in messages for block in _blocks(message)):
        return messages
    found: list[dict[str, Any]] = []
    waiting: list[dict[str, Any]] = []
    for message in messages:
        if not isinstance(message, Mapping):
            return messages
        if message.get("role") != "assistant":
            found.append(_with_results(message, waiting, memory))
            waiting = []
            continue
        if waiting:
            found.append({"role": "user", "content": waiting})
        *turns, (said, waiting) = _turns(_blocks(message), offered)
        for words, results in turns:
            found += [{"role": "assistant", "content": words}, {"role": "user", "content": results}]
        if said:
            found.append({**message, "content": said})
    if waiting:
        found.append({"role": "user", "content": waiting})
    return found


def _is_ours(block: Mapping[str, Any]) -> bool:
    kind = block.get("type")
    if kind == "server_tool_use":
        return block.get("name") in NAMES
    return kind in _RESULTS or (kind == "tool_result" and str(block.get("tool_use_id")).startswith(SERVER_ID))


def _blocks(message: object) -> list[Mapping[str, Any]]:
    content = message.get("content") if isinstance(message, Mapping) else None
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [one for one in content if isinstance(one, Mapping)] if isinstance(content, list) else []


def _turns(
    blocks: Iterable[Mapping[str, Any]], offered: Collection[str]
) -> list[tuple[list[Mapping[str, Any]], list[dict[str, Any]]]]:
    """One answer, as what the model has said, and what it then got, in turns. The last one may have got nothing yet."""
    turns = []
    said: list[Mapping[str, Any]] = []
    calls: dict[str, str] = {}
    results: list[dict[str, Any]] = []
    has_others = False
    for block in blocks:
        kind = block.get("type")
        is_call = kind == "server_tool_use" and block.get("name") in NAMES
        if is_call and block["name"] not in offered:
            continue  # its result says what it was
        if is_call:
            calls[str(block.get("id"))] = str(block["name"])
            said.append(
                {
                    "type": "tool_use",
                    "id": ordinary_id(block.get("id")),
                    "name": block["name"],
                    "input": block.get("input") or {},
                }
            )
        elif kind in _RESULTS:
            call = str(block.get("tool_use_id"))
            if calls.pop(call, None):
                results.append(_result(call, block))
            else:
                said.append({"type": "text", "text": f"[{_RESULTS[str(kind)]}]\n{_text_of(block)}"})
        else:
            if kind != "tool_use" and (results or calls) and not has_others:
                turns.append((said, results + [_cut_off(call) for call in calls]))
                said, calls, results = [], {}, []
            has_others = has_others or kind == "tool_use"
            said.append(block)
    turns.append((said, results + [_cut_off(call) for call in calls]))
    return turns


def _result(call: str, block: Mapping[str, Any]) -> dict[str, Any]:
    failed = isinstance(block.get("content"), Mapping) and "error_code" in block["content"]
    kept = {"cache_control": block["cache_control"]} if block.get("cache_control") else {}
    told = {"type": "tool_result", "tool_use_id": ordinary_id(call), "content": _text_of(block)}
    return {**told, **({"is_error": True} if failed else {}), **kept}


def _cut_off(call: str) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": ordinary_id(call), "content": _CUT_OFF, "is_error": True}


def _text_of(block: Mapping[str, Any]) -> str:
    content = block.get("content")
    if isinstance(content, Mapping) and "error_code" in content:
        return str(content["error_code"])
    return listed(content) if block.get("type") == "web_search_tool_result" else shown(content)


def _with_results(message: Mapping[str, Any], waiting: list[dict[str, Any]], memory: Memory) -> dict[str, Any]:
    """A message of the user, after the results of what the model called before it.

    A client that runs its own loop answers our calls, too: with an error, as it has no such tool. What the call gave takes its place.
    """
    answered = {one["tool_use_id"] for one in waiting}
    theirs: list[Mapping[str, Any]] = []
    changed = bool(waiting)
    for block in _blocks(message):
        call = str(block.get("tool_use_id"))
        if block.get("type") != "tool_result" or not call.startswith(SERVER_ID):
            theirs.append(block)
            continue
        changed = True
        kept = memory.get(call)
        given = {**block, "tool_use_id": ordinary_id(call)}
        if kept is not None:
            given = {"type": "tool_result", "tool_use_id": ordinary_id(call), "content": kept}
        if ordinary_id(call) not in answered:
            theirs.append(given)
            continue
        for one in waiting:
            if one["tool_use_id"] == ordinary_id(call) and one["content"] == _CUT_OFF:
                one.clear()
                one.update(given)
    return {**message, "content": [*waiting, *theirs]} if changed else dict(message)
