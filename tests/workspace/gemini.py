# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""Gemini's generateContent, under every path at which a workspace serves it.

The stream has nothing but ``data:`` lines, each a whole answer with a bit of the text, and ends with the connection. The
last has ``finishReason``. Without ``alt=sse`` it is a JSON array of the same answers.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from .catalogue import GEMINI
from .conversation import (
    Reply,
    Said,
    count_tokens,
    note,
    pieces,
    read_body,
    reply_to,
    rows,
    served,
    typed,
)
from .errors import bad_parameter
from .state import State

#: Where the API stands: the gateway, the older serving-endpoints routing, and the separate gateway host (v2 beta).
BASES = ("/ai-gateway/gemini/v1beta", "/serving-endpoints/google/v1beta", "/gemini/v1beta")


def _conversation(contents: list[Any]) -> list[Said]:
    found = []
    for content in rows(contents):
        if content.get("role", "user") == "model":
            continue
        for part in rows(content.get("parts")):
            if isinstance(part.get("functionResponse"), dict):
                found.append(Said("tool", json.dumps(part["functionResponse"].get("response"))))
            elif isinstance(part.get("text"), str) and typed(part["text"]):
                found.append(Said("user", part["text"]))
    return found


def _offered(tools: Any) -> list[str]:
    return [str(one.get("name")) for tool in rows(tools) for one in rows(tool.get("functionDeclarations"))]


async def _answers(request: Request, stream: bool) -> list[dict[str, Any]]:
    """What the request is answered with: one answer, or what a stream gives one by one."""
    state: State = request.app.state.workspace
    body = await read_body(request)
    model = request.path_params["model"]
    offered = _offered(body.get("tools"))
    spent = count_tokens(body, "systemInstruction", "contents", "tools")
    note(request, "gemini", model, offered, stream, spent)
    if not isinstance(body.get("contents"), list) or not body["contents"]:
        raise bad_parameter("contents are required.")
    served(state, model, GEMINI)
    reply = reply_to(_conversation(body["contents"]), offered)
    common = {
        "usageMetadata": {
            "promptTokenCount": spent,
            "candidatesTokenCount": reply.tokens,
            "totalTokenCount": spent + reply.tokens,
        },
        "modelVersion": model,
        "responseId": uuid.uuid4().hex[:22],
    }
    parts = _parts(reply, stream)
    return [
        {"candidates": [_candidate(part, last=number == len(parts))], **common}
        for number, part in enumerate(parts, start=1)
    ]


def _parts(reply: Reply, stream: bool) -> list[dict[str, Any]]:
    if reply.tool:
        return [{"functionCall": {"name": reply.tool, "args": reply.arguments}}]
    return [{"text": piece} for piece in (pieces(reply.text) if stream else [reply.text])]


def _candidate(part: dict[str, Any], last: bool) -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": [part]}, "index": 0}
    return candidate | ({"finishReason": "STOP"} if last else {})


async def generate(request: Request) -> Response:
    """``POST BASE/models/M:generateContent``."""
    (answer,) = await _answers(request, stream=False)
    return JSONResponse(answer)


async def stream_generate(request: Request) -> Response:
    """``POST BASE/models/M:streamGenerateContent?alt=sse``."""
    answers = await _answers(request, stream=True)
    if request.query_params.get("alt") != "sse":
        return JSONResponse(answers)
    return StreamingResponse(_events(answers), media_type="text/event-stream")


async def _events(answers: list[dict[str, Any]]) -> AsyncIterator[str]:
    for answer in answers:
        yield f"data: {json.dumps(answer)}\r\n\r\n"


routes = [
    Route(f"{base}/models/{{model}}:{method}", endpoint, methods=["POST"])
    for base in BASES
    for method, endpoint in (("generateContent", generate), ("streamGenerateContent", stream_generate))
]
