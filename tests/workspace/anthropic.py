# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""Anthropic Messages, under every path at which a workspace serves it.

The reply quotes the prompt, so that a test can prove that an answer came from here and to what. The event stream is the
one of the Messages API: message_start, content_block_start, ping, content_block_delta..., content_block_stop,
message_delta, message_stop, each with an ``event:`` line and the same name in ``data.type``.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from .catalogue import ANTHROPIC, Endpoint
from .errors import ApiError, bad_parameter, not_found
from .gate import record_of, require_token
from .state import State

#: Where the API stands: the gateway, the older serving-endpoints routing, and the separate gateway host (v2 beta).
BASES = ("/ai-gateway/anthropic", "/serving-endpoints/anthropic", "/anthropic")
#: What strict mode lets pass in ``anthropic-beta``. Claude Code stays within it when its experimental betas are off.
STRICT_BETAS = frozenset(
    {
        "claude-code-20250219",
        "interleaved-thinking-2025-05-14",
        "effort-2025-11-24",
        "context-1m-2025-08-07",
        "fine-grained-tool-streaming-2025-05-14",
    }
)
_QUOTE_LIMIT = 2000
_CHUNK = 24


def _text_blocks(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    if not isinstance(content, list):
        return []
    return [
        b["text"] for b in content if isinstance(b, dict) and b.get("type") == "text" and isinstance(b.get("text"), str)
    ]


def last_prompt(messages: list[Any]) -> str:
    """The last thing the user typed: agents add blocks of their own (``<system-reminder>``) around it."""
    for message in reversed(messages):
        if isinstance(message, dict) and message.get("role") == "user":
            typed = [t for t in _text_blocks(message.get("content")) if not t.lstrip().startswith("<system-reminder>")]
            if typed:
                return typed[-1].strip()[:_QUOTE_LIMIT]
    return ""


def _count_tokens(body: dict[str, Any]) -> int:
    """A stand-in for tokenizing: about four characters each."""
    counted = {key: body.get(key) for key in ("system", "messages", "tools")}
    return max(1, len(json.dumps(counted)) // 4)


def _served(state: State, model: str) -> Endpoint:
    """The endpoint a model id names: ``databricks-claude-...`` or ``system.ai.claude-...``.

    :raises ApiError: 404 if nothing of that name is ready, 400 if it does not speak this dialect, 501 if the workspace enforces
        its gateway and the name is that of an endpoint.
    """
    for endpoint in state.endpoints.values():
        if model in (endpoint.name, endpoint.system_name) and endpoint.ready == "READY":
            if state.control.enforces_gateway and model != endpoint.system_name and endpoint.system_name:
                raise ApiError(
                    501, "NOT_IMPLEMENTED", f"'{model}' is served as the model service {endpoint.system_name}."
                )
            if model == endpoint.system_name and not state.control.model_services:
                break
            if ANTHROPIC not in endpoint.api_types:
                raise bad_parameter(f"Model '{model}' does not support the API type {ANTHROPIC}.")
            return endpoint
    raise not_found(f"Endpoint with name '{model}' does not exist.")


async def _checked_body(request: Request) -> dict[str, Any]:
    """The body of a request that may be answered; its outline goes into the log, its content does not.

    The log entry gets ``model``, ``stream``, ``tools`` (their number), ``anthropic_beta`` (list) and
    ``coding_agent_mode`` (whether that header was present).
    """
    state: State = request.app.state.workspace
    require_token(request)
    try:
        body = await request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise ApiError(400, "MALFORMED_REQUEST", "Could not parse request object: expected a JSON object.")
    tools = body.get("tools")
    betas = [state.scrub(b.strip()) for b in request.headers.get("anthropic-beta", "").split(",") if b.strip()]
    record_of(request).update(
        model=state.scrub(body["model"]) if isinstance(body.get("model"), str) else None,
        stream=body.get("stream") is True,
        tools=len(tools) if isinstance(tools, list) else 0,
        anthropic_beta=betas,
        coding_agent_mode="x-databricks-use-coding-agent-mode" in request.headers,
    )
    if not isinstance(body.get("model"), str) or not isinstance(body.get("messages"), list) or not body["messages"]:
        raise bad_parameter("model and messages are required.")
    if state.control.strict:
        unknown = sorted(set(betas) - STRICT_BETAS)
        if unknown:
            raise ApiError(
                400, "BAD_REQUEST", f"Unexpected value(s) in the anthropic-beta header: {', '.join(unknown)}"
            )
        if "context_management" in body:
            raise ApiError(400, "BAD_REQUEST", "context_management: Extra inputs are not permitted")
    _served(state, body["model"])
    return body


async def messages(request: Request) -> Response:
    """``POST BASE/v1/messages``."""
    body = await _checked_body(request)
    if not isinstance(body.get("max_tokens"), int):
        raise bad_parameter("max_tokens: Field required")
    text = f"You said: {last_prompt(body['messages'])}"
    message: dict[str, Any] = {
        "id": f"msg_{uuid.uuid4().hex[:24]}",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {
            "input_tokens": _count_tokens(body),
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 1,
        },
    }
    spent = max(1, len(text) // 4)
    if body.get("stream") is True:
        return StreamingResponse(_events(message, text, spent), media_type="text/event-stream")
    message["content"] = [{"type": "text", "text": text}]
    message["stop_reason"] = "end_turn"
    message["usage"]["output_tokens"] = spent
    return JSONResponse(message)


async def _events(message: dict[str, Any], text: str, spent: int) -> AsyncIterator[str]:
    yield _event("message_start", message=message)
    yield _event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    yield _event("ping")
    for at in range(0, len(text), _CHUNK):
        yield _event("content_block_delta", index=0, delta={"type": "text_delta", "text": text[at : at + _CHUNK]})
    yield _event("content_block_stop", index=0)
    yield _event(
        "message_delta",
        delta={"stop_reason": "end_turn", "stop_sequence": None},
        usage={"output_tokens": spent},
    )
    yield _event("message_stop")


def _event(name: str, **data: Any) -> str:
    return f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n"


async def count_tokens(request: Request) -> Response:
    """``POST BASE/v1/messages/count_tokens``."""
    return JSONResponse({"input_tokens": _count_tokens(await _checked_body(request))})


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


async def any_other(request: Request) -> Response:
    require_token(request)
    raise ApiError(404, "ENDPOINT_NOT_FOUND", f"No API found for '{request.method} {request.url.path}'")


def _routes() -> list[Route]:
    found = [Route("/ai-gateway/anthropic/v1/models", list_models)]
    for base in BASES:
        found += [
            Route(f"{base}/v1/messages", messages, methods=["POST"]),
            Route(f"{base}/v1/messages/count_tokens", count_tokens, methods=["POST"]),
            Route(base, warm_up, methods=["HEAD"]),
            Route(f"{base}/", warm_up, methods=["HEAD"]),
        ]
    everything = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    for prefix in ("/ai-gateway", "/serving-endpoints", "/anthropic"):
        found += [
            Route(prefix, any_other, methods=everything),
            Route(prefix + "/{rest:path}", any_other, methods=everything),
        ]
    return found


routes = _routes()
