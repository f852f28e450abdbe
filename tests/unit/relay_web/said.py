# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a model says, as a gateway streams it; and an answer, put together again as clients do it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay.settings import Settings
from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay.web.backends import Memory
from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay.web.found import Found, Page, WebError

ON = Settings(config="/c", upstreams={}, web_search="duckduckgo")
OFF = ON._replace(web_search=None)
SEARCH_TOOL = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}
FETCH_TOOL = {"type": "web_fetch_20250910", "name": "web_fetch"}
BASH = {"name": "Bash", "description": "Run", "input_schema": {"type": "object"}}


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def call(name: str, given: Mapping[str, Any], number: int = 1) -> dict[str, Any]:
    return {"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": dict(given)}


def frame(event: Mapping[str, Any], end: str = "\n") -> bytes:
    return f"event: {event['type']}{end}data: {json.dumps(event)}{end}{end}".encode()


def streamed(blocks: Sequence[Mapping[str, Any]], reason: str = "end_turn", end: str = "\n") -> bytes:
    """One answer, each block in several deltas."""
    usage = {"input_tokens": 10, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "content": [], "usage": usage}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": message}]
    for index, block in enumerate(blocks):
        kind, key, whole = "text_delta", "text", str(block.get("text"))
        empty: dict[str, Any] = {"type": "text", "text": ""}
        if block["type"] == "tool_use":
            kind, key, whole = "input_json_delta", "partial_json", json.dumps(block["input"])
            empty = {**block, "input": {}}
        events.append({"type": "content_block_start", "index": index, "content_block": empty})
        events.append({"type": "ping"})
        for at in range(0, len(whole), 7):
            delta = {"type": kind, key: whole[at : at + 7]}
            events.append({"type": "content_block_delta", "index": index, "delta": delta})
        events.append({"type": "content_block_stop", "index": index})
    ended = {"stop_reason": reason, "stop_sequence": None}
    events.append({"type": "message_delta", "delta": ended, "usage": {"output_tokens": 20}})
    events.append({"type": "message_stop"})
    return b"".join(frame(event, end) for event in events)


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


def events_of(stream: bytes) -> list[dict[str, Any]]:
    lines = stream.replace(b"\r\n", b"\n").split(b"\n")
    return [json.loads(line[len(b"data: ") :]) for line in lines if line.startswith(b"data: ")]


def message_of(stream: bytes) -> dict[str, Any]:
    """The message that a client makes of a stream. It fails as clients do: for an event out of place."""
    message: dict[str, Any] = {}
    is_open = False
    inputs: dict[int, str] = {}
    for event in events_of(stream):
        kind = event["type"]
        if kind == "message_start":
            assert not message
            message = event["message"]
        elif kind == "content_block_start":
            assert not is_open and event["index"] == len(message["content"])
            message["content"].append(event["content_block"])
            is_open = True
        elif kind == "content_block_delta":
            assert is_open and event["index"] == len(message["content"]) - 1
            block, delta = message["content"][event["index"]], event["delta"]
            if delta["type"] == "text_delta":
                block["text"] += delta["text"]
            else:
                assert block["type"] in ("tool_use", "server_tool_use")
                inputs[event["index"]] = inputs.get(event["index"], "") + delta["partial_json"]
        elif kind == "content_block_stop":
            assert is_open and event["index"] == len(message["content"]) - 1
            is_open = False
            if event["index"] in inputs:
                message["content"][event["index"]]["input"] = json.loads(inputs[event["index"]])
        elif kind == "message_delta":
            assert not is_open
            message = {**message, **event["delta"], "usage": {**message["usage"], **event["usage"]}}
        else:
            assert kind in ("message_stop", "ping", "error"), kind
    return message


def request(*tools: Mapping[str, Any], messages: Iterable[Mapping[str, Any]] = (), **more: Any) -> bytes:
    said = list(messages) or [{"role": "user", "content": "What is new? See https://site.example/page"}]
    return json.dumps({"model": "m", "max_tokens": 9, "messages": said, "tools": list(tools), **more}).encode()


class Web:
    """A web with one page, of which every search finds the same two."""

    def __init__(self, error: Exception | None = None) -> None:
        self.memory = Memory()
        self.asked: list[str] = []
        self._error = error

    async def search(self, query: str) -> list[Found]:
        self.asked.append(query)
        if self._error:
            raise self._error
        return [
            Found("First", "https://one.example/a", "the first of all", "2 days ago"),
            Found("Second", "https://two.example/b", "the second one"),
        ]

    async def fetch(self, url: str) -> Page:
        self.asked.append(url)
        if self._error:
            raise self._error
        return Page(url, "A page", "the text of the page")


class Model:
    """Gives one prepared answer for each request, and remembers what it was asked."""

    def __init__(self, *answers: bytes | Exception) -> None:
        self._answers = list(answers)
        self.asked: list[dict[str, Any]] = []

    async def __call__(self, body: bytes) -> AsyncIterator[bytes]:
        self.asked.append(json.loads(body))
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        yield answer


UNAVAILABLE = WebError("unavailable", "nobody searches here")
