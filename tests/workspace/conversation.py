# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""What every wire dialect of the simulated workspace shares: which model is asked, what was said, and the reply to it.

A dialect turns its own messages into :class:`Said` and the :class:`Reply` into its own answer. The reply quotes the
prompt, so that a test can prove that an answer came from here and to what. A prompt with ``call the tool NAME`` (and
``with {"argument": "value"}``, if it takes any) is answered with a call of that tool where the request offers it; what
the tool gave back is quoted in the next reply.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .catalogue import Endpoint
from .errors import ApiError, bad_parameter, not_found
from .gate import record_of, require_token
from .state import State

#: Below these a path that no dialect knows is still a path of the workspace: the token is looked at first.
PREFIXES = ("/ai-gateway", "/serving-endpoints", "/anthropic", "/openai", "/mlflow", "/gemini")
#: Kinds of tools that the provider of a model would run itself.
SERVER_TOOLS = ("web_search", "web_fetch")
_QUOTE_LIMIT = 2000
_PIECE = 24
#: Copilot begins a prompt with the time of day.
_STAMP = re.compile(r"\A\s*<current_datetime>[^<]*</current_datetime>")
_WISH = re.compile(r"\bcall the tool ([A-Za-z0-9_-]+(?:[.:/][A-Za-z0-9_-]+)*)(?: with (?=\{))?")


@dataclass(frozen=True)
class Said:
    """One thing in a conversation that a reply depends on: what the user typed, or what a tool gave back."""

    by: Literal["user", "tool"]
    text: str


@dataclass(frozen=True)
class Reply:
    """What the model answers: a text, or the call of a tool. ``tokens`` is what it costs."""

    text: str = ""
    tool: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict)

    @property
    def tokens(self) -> int:
        return max(1, len(self.text or json.dumps(self.arguments)) // 4)


def typed(text: str) -> bool:
    """Whether a person typed it: agents add blocks of their own (``<system-reminder>``) around a prompt."""
    return not text.lstrip().startswith("<system-reminder>")


def texts(content: Any, kinds: Sequence[str] = ("text",)) -> list[str]:
    """The texts of a message's content: a string, or a list of parts of which those of these kinds count."""
    if isinstance(content, str):
        return [content]
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    return [part["text"] for part in parts if str(part.get("type")) in kinds and isinstance(part.get("text"), str)]


def last_typed(conversation: Iterable[Said]) -> str:
    """The last thing the user typed, or nothing."""
    prompts = [said.text for said in conversation if said.by == "user"]
    return _STAMP.sub("", prompts[-1]).strip()[:_QUOTE_LIMIT] if prompts else ""


def reply_to(conversation: list[Said], offered: Iterable[str] = ()) -> Reply:
    """The reply to a conversation, by a model that may call the tools that are offered."""
    prompt = last_typed(conversation)
    results = []
    for said in reversed(conversation):
        if said.by == "user":
            break
        results.append(said.text[:_QUOTE_LIMIT])
    quoted = "".join(f"\nThe tool said: {result}" for result in reversed(results))
    wish = None if results else _WISH.search(prompt)
    if wish and wish[1] in set(offered):
        return Reply(tool=wish[1], arguments=_arguments(prompt[wish.end() :]))
    return Reply(f"You said: {prompt}{quoted}")


def _arguments(text: str) -> dict[str, Any]:
    """The JSON object that a text begins with, or none. OpenCode sends a prompt in quotes, and those within escaped."""
    for spelled in (text, text.replace('\\"', '"')):
        try:
            found, _end = json.JSONDecoder().raw_decode(spelled)
        except ValueError:
            continue
        return found if isinstance(found, dict) else {}
    return {}


def pieces(text: str) -> Iterator[str]:
    """A text as a stream gives it, bit by bit."""
    for at in range(0, len(text), _PIECE):
        yield text[at : at + _PIECE]


def count_tokens(body: Mapping[str, Any], *keys: str) -> int:
    """A stand-in for tokenizing: about four characters each."""
    return max(1, len(json.dumps({key: body.get(key) for key in keys})) // 4)


def rows(value: Any) -> list[dict[str, Any]]:
    """The objects in what should be a list of them."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def served(state: State, model: str, api_type: str) -> Endpoint:
    """The endpoint a model id names: ``databricks-claude-...``, ``system.ai.claude-...``, or a model service of another schema.

    :raises ApiError: 404 if nothing of that name is ready, 400 if it does not speak this dialect, 501 if the workspace enforces
        its gateway and the name is that of an endpoint.
    """
    if state.control.model_services and model in state.services and api_type in state.services[model].api_types:
        return state.services[model]
    for endpoint in state.endpoints.values():
        if model in (endpoint.name, endpoint.system_name) and endpoint.ready == "READY":
            if state.control.enforces_gateway and model != endpoint.system_name and endpoint.system_name:
                raise ApiError(
                    501, "NOT_IMPLEMENTED", f"'{model}' is served as the model service {endpoint.system_name}."
                )
            if model == endpoint.system_name and not state.control.model_services:
                break
            if api_type not in endpoint.api_types:
                raise bad_parameter(f"Model '{model}' does not support the API type {api_type}.")
            return endpoint
    raise not_found(f"Endpoint with name '{model}' does not exist.")


async def read_body(request: Request) -> dict[str, Any]:
    """The JSON object of a request with a good token.

    :raises ApiError: 401 or 403 for the token, 400 for anything but an object.
    """
    require_token(request)
    try:
        body = await request.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise ApiError(400, "MALFORMED_REQUEST", "Could not parse request object: expected a JSON object.")
    state: State = request.app.state.workspace
    if state.control.look_for:
        text = json.dumps(body, ensure_ascii=False)
        record_of(request)["found"] = {one: text.count(one) for one in state.control.look_for}
    return body


def note(request: Request, dialect: str, model: Any, tools: Any, stream: bool, tokens: int, **more: Any) -> None:
    """Put the outline of a request into the log, of the tools their number and the kinds of server tools: its content stays out."""
    state: State = request.app.state.workspace
    kinds = {str(tool.get("type")) for tool in rows(tools)}
    record_of(request).update(
        dialect=dialect,
        model=state.scrub(model) if isinstance(model, str) else None,
        stream=stream,
        input_tokens=tokens,
        tools=len(tools) if isinstance(tools, list) else 0,
        server_tools=sorted(state.scrub(kind) for kind in kinds if kind.startswith(SERVER_TOOLS)),
        **more,
    )


def refused(message: str) -> ApiError:
    """What strict mode answers to something that the real gateway is reported not to take."""
    return ApiError(400, "BAD_REQUEST", message)


def refuse_server_tools(body: Mapping[str, Any], kinds: tuple[str, ...] = SERVER_TOOLS) -> None:
    """For strict mode.

    :param kinds: those that the gateway does not take in this dialect.
    :raises ApiError: a tool that the model's provider would run itself.
    """
    for number, tool in enumerate(rows(body.get("tools"))):
        if str(tool.get("type", "")).startswith(kinds):
            raise refused(f"tools.{number}.type: '{tool['type']}' is not supported")


async def any_other(request: Request) -> Response:
    """Any other path below those of the dialects: the credential is looked at before the path is."""
    require_token(request)
    raise ApiError(404, "ENDPOINT_NOT_FOUND", f"No API found for '{request.method} {request.url.path}'")


def _routes() -> list[Route]:
    everything = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    return [Route(p, any_other, methods=everything) for one in PREFIXES for p in (one, one + "/{rest:path}")]


#: To stand behind those of every dialect.
routes = _routes()
