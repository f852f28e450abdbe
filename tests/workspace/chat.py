# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""OpenAI chat completions, under every path at which a workspace serves them.

The stream has nothing but ``data:`` lines, one chunk each: the role, the content bit by bit, the reason to stop; with
``stream_options.include_usage`` one more that has no choice but the usage; at the end ``[DONE]``.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from .catalogue import CHAT, GEMINI
from .conversation import (
    Reply,
    Said,
    count_tokens,
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
from .state import State

#: Where the API stands: the gateway, the older serving-endpoints routing, and the separate gateway host (v2 beta).
BASES = ("/ai-gateway/mlflow/v1", "/serving-endpoints", "/mlflow/v1")


def _conversation(messages: list[Any]) -> list[Said]:
    found = []
    for message in rows(messages):
        said = texts(message.get("content"))
        if message.get("role") == "tool":
            found.append(Said("tool", "".join(said)))
        elif message.get("role") == "user":
            found += [Said("user", text) for text in said if typed(text)]
    return found


def _offered(tools: Any) -> list[str]:
    functions = [tool.get("function") for tool in rows(tools) if tool.get("type") == "function"]
    return [str(function.get("name")) for function in rows(functions)]


async def complete(request: Request) -> Response:
    """``POST BASE/chat/completions``."""
    state: State = request.app.state.workspace
    body = await read_body(request)
    stream = body.get("stream") is True
    spent = count_tokens(body, "messages", "tools")
    note(request, "chat", body.get("model"), body.get("tools"), stream, spent)
    if not isinstance(body.get("model"), str) or not isinstance(body.get("messages"), list) or not body["messages"]:
        raise bad_parameter("model and messages are required.")
    endpoint = served(state, body["model"], CHAT)
    if state.control.strict:
        refuse_server_tools(body)
        if "store" in body:
            raise refused("store: Extra inputs are not permitted")
        if "stream_options" in body and GEMINI in endpoint.api_types:
            raise refused("stream_options: Extra inputs are not permitted")
    reply = reply_to(_conversation(body["messages"]), _offered(body.get("tools")))
    common = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": body["model"]}
    usage = {"prompt_tokens": spent, "completion_tokens": reply.tokens, "total_tokens": spent + reply.tokens}
    if stream:
        options = body.get("stream_options")
        wanted = isinstance(options, dict) and options.get("include_usage") is True
        return StreamingResponse(_events(common, reply, usage if wanted else None), media_type="text/event-stream")
    message: dict[str, Any] = {"role": "assistant", "content": None if reply.tool else reply.text}
    if reply.tool:
        message["tool_calls"] = [_call(reply, json.dumps(reply.arguments))]
    choice = {"index": 0, "message": message, "finish_reason": _reason(reply), "logprobs": None}
    return JSONResponse({**common, "object": "chat.completion", "choices": [choice], "usage": usage})


def _reason(reply: Reply) -> str:
    return "tool_calls" if reply.tool else "stop"


def _call(reply: Reply, arguments: str) -> dict[str, Any]:
    function = {"name": reply.tool, "arguments": arguments}
    return {"id": f"call_{uuid.uuid4().hex[:24]}", "type": "function", "function": function}


async def _events(common: dict[str, Any], reply: Reply, usage: dict[str, int] | None) -> AsyncIterator[str]:
    def chunk(delta: dict[str, Any], reason: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": reason, "logprobs": None}
        return _data({**common, "object": "chat.completion.chunk", "choices": [choice]} | unspent)

    unspent: dict[str, Any] = {} if usage is None else {"usage": None}
    if reply.tool:
        yield chunk({"role": "assistant", "content": None, "tool_calls": [{"index": 0, **_call(reply, "")}]})
        for piece in pieces(json.dumps(reply.arguments)):
            yield chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
    else:
        yield chunk({"role": "assistant", "content": ""})
        for piece in pieces(reply.text):
            yield chunk({"content": piece})
    yield chunk({}, _reason(reply))
    if usage is not None:
        yield _data({**common, "object": "chat.completion.chunk", "choices": [], "usage": usage})
    yield "data: [DONE]\n\n"


def _data(chunk: dict[str, Any]) -> str:
    return f"data: {json.dumps(chunk)}\n\n"


routes = [Route(f"{base}/chat/completions", complete, methods=["POST"]) for base in BASES]
