# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""Anthropic Messages, under every path at which a workspace serves it.

The event stream is the one of the Messages API: message_start, content_block_start, ping, content_block_delta...,
content_block_stop, message_delta, message_stop, each with an ``event:`` line and the same name in ``data.type``.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from .catalogue import ANTHROPIC
from .conversation import (
    Reply,
    Said,
    count_tokens,
    last_typed,
    note,
    pieces,
    read_body,
    refuse_server_tools,
    refused,
    reply_to,
    rows,
    served,
    texts,
    typed,
)
from .errors import bad_parameter
from .gate import require_token
from .state import State

#: Where the API stands: the gateway, the older serving-endpoints routing, and the separate gateway host (v2 beta).
BASES = ("/ai-gateway/anthropic", "/serving-endpoints/anthropic", "/anthropic")
#: What strict mode lets pass in ``anthropic-beta``. Claude Code stays within it when its experimental betas are off,
#: OpenCode and Pi with their settings for tool streaming.
STRICT_BETAS = frozenset(
    {
        "claude-code-20250219",
        "interleaved-thinking-2025-05-14",
        "effort-2025-11-24",
        "context-1m-2025-08-07",
        "fine-grained-tool-streaming-2025-05-14",
        "structured-outputs-2025-11-13",
    }
)
_COUNTED = ("system", "messages", "tools")


def _conversation(messages: list[Any]) -> list[Said]:
    found = []
    for message in rows(messages):
        if message.get("role") != "user":
            continue
        content = message.get("content")
        for block in rows(content):
            if block.get("type") == "tool_result":
                found.append(Said("tool", "".join(texts(block.get("content")))))
        found += [Said("user", text) for text in texts(content) if typed(text)]
    return found


def last_prompt(messages: list[Any]) -> str:
    """The last thing the user typed: agents add blocks of their own (``<system-reminder>``) around it."""
    return last_typed(_conversation(messages))


async def _checked_body(request: Request) -> dict[str, Any]:
    """The body of a request that may be answered; its outline goes into the log, its content does not.

    Besides what every dialect notes, the log entry gets ``anthropic_beta`` (list) and ``coding_agent_mode`` (whether that
    header was present).
    """
    state: State = request.app.state.workspace
    body = await read_body(request)
    betas = [state.scrub(b.strip()) for b in request.headers.get("anthropic-beta", "").split(",") if b.strip()]
    note(
        request,
        "anthropic",
        body.get("model"),
        body.get("tools"),
        body.get("stream") is True,
        count_tokens(body, *_COUNTED),
        anthropic_beta=betas,
        coding_agent_mode="x-databricks-use-coding-agent-mode" in request.headers,
    )
    if not isinstance(body.get("model"), str) or not isinstance(body.get("messages"), list) or not body["messages"]:
        raise bad_parameter("model and messages are required.")
    if state.control.strict:
        _refuse_what_the_gateway_does_not_take(body, betas)
    served(state, body["model"], ANTHROPIC)
    return body


def _refuse_what_the_gateway_does_not_take(body: dict[str, Any], betas: list[str]) -> None:
    unknown = sorted(set(betas) - STRICT_BETAS)
    if unknown:
        raise refused(f"Unexpected value(s) in the anthropic-beta header: {', '.join(unknown)}")
    if "context_management" in body:
        raise refused("context_management: Extra inputs are not permitted")
    refuse_server_tools(body)
    for number, tool in enumerate(rows(body.get("tools"))):
        if "eager_input_streaming" in tool:
            raise refused(f"tools.{number}.eager_input_streaming: Extra inputs are not permitted")


async def messages(request: Request) -> Response:
    """``POST BASE/v1/messages``."""
    body = await _checked_body(request)
    if not isinstance(body.get("max_tokens"), int):
        raise bad_parameter("max_tokens: Field required")
    offered = [str(tool.get("name")) for tool in rows(body.get("tools"))]
    reply = reply_to(_conversation(body["messages"]), offered)
    message: dict[str, Any] = {
        "id": f"msg_{uuid.uuid4().hex[:24]}",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {
            "input_tokens": count_tokens(body, *_COUNTED),
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 1,
        },
    }
    if body.get("stream") is True:
        return StreamingResponse(_events(message, reply), media_type="text/event-stream")
    block = _empty_block(reply)
    message["content"] = [block | ({"input": reply.arguments} if reply.tool else {"text": reply.text})]
    message["stop_reason"] = _stop_reason(reply)
    message["usage"]["output_tokens"] = reply.tokens
    return JSONResponse(message)


def _stop_reason(reply: Reply) -> str:
    return "tool_use" if reply.tool else "end_turn"


def _empty_block(reply: Reply) -> dict[str, Any]:
    if reply.tool:
        return {"type": "tool_use", "id": f"toolu_{uuid.uuid4().hex[:24]}", "name": reply.tool, "input": {}}
    return {"type": "text", "text": ""}


async def _events(message: dict[str, Any], reply: Reply) -> AsyncIterator[str]:
    yield _event("message_start", message=message)
    yield _event("content_block_start", index=0, content_block=_empty_block(reply))
    yield _event("ping")
    kind, key = ("input_json_delta", "partial_json") if reply.tool else ("text_delta", "text")
    for piece in pieces(json.dumps(reply.arguments) if reply.tool else reply.text):
        yield _event("content_block_delta", index=0, delta={"type": kind, key: piece})
    yield _event("content_block_stop", index=0)
    yield _event(
        "message_delta",
        delta={"stop_reason": _stop_reason(reply), "stop_sequence": None},
        usage={"output_tokens": reply.tokens},
    )
    yield _event("message_stop")


def _event(name: str, **data: Any) -> str:
    return f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n"


async def count(request: Request) -> Response:
    """``POST BASE/v1/messages/count_tokens``."""
    return JSONResponse({"input_tokens": count_tokens(await _checked_body(request), *_COUNTED)})


async def list_models(request: Request) -> Response:
    """``GET /ai-gateway/anthropic/v1/models``: what can be asked in this dialect."""
    state: State = request.app.state.workspace
    require_token(request)
    data = [
        {"type": "model", "id": e.name, "display_name": e.display_name, "created_at": "2026-02-02T02:40:00Z"}
        for e in state.endpoints.values()
        if ANTHROPIC in e.api_types and e.ready == "READY"
    ]
    ends = {"first_id": data[0]["id"], "last_id": data[-1]["id"]} if data else {"first_id": None, "last_id": None}
    return JSONResponse({"data": data, "has_more": False, **ends})


async def warm_up(request: Request) -> Response:
    """``HEAD BASE``: Claude Code opens its connection with one, without a token, and ignores the answer."""
    require_token(request)
    return Response(status_code=200)


def _routes() -> list[Route]:
    found = [Route("/ai-gateway/anthropic/v1/models", list_models)]
    for base in BASES:
        found += [
            Route(f"{base}/v1/messages", messages, methods=["POST"]),
            Route(f"{base}/v1/messages/count_tokens", count, methods=["POST"]),
            Route(base, warm_up, methods=["HEAD"]),
            Route(f"{base}/", warm_up, methods=["HEAD"]),
        ]
    return found


routes = _routes()
