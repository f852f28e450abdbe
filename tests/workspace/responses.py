# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""OpenAI Responses, under every path at which a workspace serves it.

The event stream is the one of the Responses API: response.created, response.in_progress, response.output_item.added, what
belongs to the item, response.output_item.done, response.completed; each with an ``event:`` line, the same name in
``data.type``, and a ``sequence_number``. Of a message the item has response.content_part.added,
response.output_text.delta..., response.output_text.done, response.content_part.done; of a call
response.function_call_arguments.delta... and response.function_call_arguments.done.
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

from .catalogue import RESPONSES
from .conversation import (
    Reply,
    Said,
    count_tokens,
    note,
    pieces,
    read_body,
    refuse_server_tools,
    reply_to,
    rows,
    served,
    texts,
    typed,
)
from .errors import ApiError, bad_parameter
from .gate import require_token
from .state import State

#: Where the API stands: the gateway (Codex' own path and the generic one), two spellings of the older serving-endpoints
#: routing, and the separate gateway host (v2 beta).
BASES = (
    "/ai-gateway/codex/v1",
    "/ai-gateway/openai/v1",
    "/serving-endpoints/openai/v1",
    "/serving-endpoints",
    "/openai/v1",
)
#: Those at which the models are listed, for Codex. (``/serving-endpoints/models`` is the name of nothing.)
LISTED = tuple(base for base in BASES if base != "/serving-endpoints")


def _conversation(given: Any) -> list[Said]:
    if isinstance(given, str):
        return [Said("user", given)]
    found = []
    for item in rows(given):
        if str(item.get("type")).endswith("_call_output"):
            found.append(Said("tool", "".join(texts(item.get("output"), ("input_text", "output_text", "text")))))
        elif item.get("type", "message") == "message" and item.get("role") == "user":
            said = texts(item.get("content"), ("input_text", "text"))
            found += [Said("user", text) for text in said if typed(text)]
    return found


def _offered(tools: Any) -> dict[str, dict[str, str]]:
    """The functions that may be called, by the names a prompt may use: Codex puts those of an MCP server into a namespace."""
    found: dict[str, dict[str, str]] = {}
    for tool in rows(tools):
        if tool.get("type") == "function":
            found[str(tool.get("name"))] = {"name": str(tool.get("name"))}
        elif tool.get("type") == "namespace":
            space = str(tool.get("name"))
            for inner in rows(tool.get("tools")):
                call = {"name": str(inner.get("name")), "namespace": space}
                found.setdefault(call["name"], call)
                found[f"{space}__{call['name']}"] = call
    return found


def _item(reply: Reply, offered: dict[str, dict[str, str]]) -> dict[str, Any]:
    """The one output item of a reply, complete."""
    if reply.tool:
        return {
            "id": f"fc_{uuid.uuid4().hex}",
            "type": "function_call",
            "status": "completed",
            "call_id": f"call_{uuid.uuid4().hex[:24]}",
            "arguments": json.dumps(reply.arguments),
            **offered[reply.tool],
        }
    return {
        "id": f"msg_{uuid.uuid4().hex}",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [{"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}],
    }


async def create(request: Request) -> Response:
    """``POST BASE/responses``."""
    state: State = request.app.state.workspace
    body = await read_body(request)
    stream = body.get("stream") is True
    spent = count_tokens(body, "instructions", "input", "tools")
    note(request, "responses", body.get("model"), body.get("tools"), stream, spent)
    if not isinstance(body.get("model"), str) or not body.get("input") or not isinstance(body["input"], str | list):
        raise bad_parameter("model and input are required.")
    if state.control.strict:
        # A web search is reported to work here: other tools search by asking a GPT model with that tool.
        refuse_server_tools(body, ("web_fetch",))
    served(state, body["model"], RESPONSES)
    offered = _offered(body.get("tools"))
    reply = reply_to(_conversation(body["input"]), offered)
    response = _started(body)
    item = _item(reply, offered)
    completed = response | {
        "status": "completed",
        "output": [item],
        "usage": {
            "input_tokens": spent,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": reply.tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": spent + reply.tokens,
        },
    }
    if stream:
        return StreamingResponse(_events(response, item, completed), media_type="text/event-stream")
    return JSONResponse(completed)


def _started(body: dict[str, Any]) -> dict[str, Any]:
    """A response of which nothing is there yet; what the request set comes back in it."""
    return {
        "id": f"resp_{uuid.uuid4().hex}",
        "object": "response",
        "created_at": int(time.time()),
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "metadata": body.get("metadata") or {},
        "model": body["model"],
        "output": [],
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
        "previous_response_id": None,
        "reasoning": body.get("reasoning") or {"effort": None, "summary": None},
        "store": body.get("store", True),
        "temperature": body.get("temperature", 1.0),
        "text": body.get("text") or {"format": {"type": "text"}},
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": body.get("tools") or [],
        "top_p": body.get("top_p", 1.0),
        "truncation": body.get("truncation", "disabled"),
        "usage": None,
        "user": body.get("user"),
    }


async def _events(started: dict[str, Any], item: dict[str, Any], completed: dict[str, Any]) -> AsyncIterator[str]:
    in_order = [
        ("response.created", {"response": started}),
        ("response.in_progress", {"response": started}),
        *(_events_of_a_call(item) if item["type"] == "function_call" else _events_of_a_message(item)),
        ("response.output_item.done", {"output_index": 0, "item": item}),
        ("response.completed", {"response": completed}),
    ]
    for number, (name, data) in enumerate(in_order):
        event = {"type": name, "sequence_number": number, **data}
        yield f"event: {name}\ndata: {json.dumps(event)}\n\n"


def _events_of_a_message(item: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    (part,) = item["content"]
    place = {"item_id": item["id"], "output_index": 0, "content_index": 0}
    return [
        ("response.output_item.added", {"output_index": 0, "item": item | {"status": "in_progress", "content": []}}),
        ("response.content_part.added", {**place, "part": part | {"text": ""}}),
        *(("response.output_text.delta", {**place, "delta": piece, "logprobs": []}) for piece in pieces(part["text"])),
        ("response.output_text.done", {**place, "text": part["text"], "logprobs": []}),
        ("response.content_part.done", {**place, "part": part}),
    ]


def _events_of_a_call(item: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    place = {"item_id": item["id"], "output_index": 0}
    arguments = item["arguments"]
    return [
        ("response.output_item.added", {"output_index": 0, "item": item | {"status": "in_progress", "arguments": ""}}),
        *(("response.function_call_arguments.delta", {**place, "delta": piece}) for piece in pieces(arguments)),
        ("response.function_call_arguments.done", {**place, "name": item["name"], "arguments": arguments}),
    ]


async def list_models(request: Request) -> Response:
    """``GET BASE/models?client_version=...``: what can be asked in this dialect, as Codex reads it.

    Its own schema: an OpenAI-shaped list would make it log an error. Some workspaces do not have this path, and it is
    reported to list model services only (databricks/unity-gateway 609); so are their names here where there are any.
    """
    state: State = request.app.state.workspace
    require_token(request)
    if not state.control.codex_models:
        raise ApiError(404, "ENDPOINT_NOT_FOUND", "codex/v1/models is not enabled for this workspace.")
    services = state.control.model_services
    able = [e for e in state.endpoints.values() if RESPONSES in e.api_types and e.ready == "READY"]
    models = [_for_codex((services and e.system_name) or e.name, e.display_name, at) for at, e in enumerate(able, 1)]
    return JSONResponse({"models": models})


def _for_codex(name: str, display_name: str, priority: int) -> dict[str, Any]:
    return {
        "slug": name,
        "display_name": display_name,
        "description": f"{display_name}, served by Databricks.",
        "default_reasoning_level": "medium",
        "supported_reasoning_levels": [{"effort": e, "description": e} for e in ("low", "medium", "high")],
        "shell_type": "shell_command",
        "visibility": "list",
        "supported_in_api": True,
        "priority": priority,
        "upgrade": None,
        "base_instructions": "You are a coding agent.",
        "supports_reasoning_summaries": True,
        "support_verbosity": False,
        "default_verbosity": None,
        "apply_patch_tool_type": None,
        "truncation_policy": {"mode": "tokens", "limit": 10_000},
        "supports_parallel_tool_calls": True,
        "context_window": 272_000,
        "experimental_supported_tools": [],
    }


routes = [
    *(Route(f"{base}/responses", create, methods=["POST"]) for base in BASES),
    *(Route(f"{base}/models", list_models) for base in LISTED),
]
