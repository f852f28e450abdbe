# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same two tools for any agent: a server of the Model Context Protocol on standard input and output, a message on each line."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import IO, Any

from ...host_program.config import Config
from ...version import VERSION
from ..settings import Settings
from .backends import Backends, Web
from .found import WebError
from .tools import FETCH, SEARCH, definition, found_text, page_text

PROTOCOLS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
_LONGEST_LINE = 4 << 20
_LAST_SECONDS = 1.0
_PARSE_ERROR, _NO_REQUEST, _NO_METHOD, _BAD_PARAMETERS, _FAULT = -32700, -32600, -32601, -32602, -32603
_FETCH_TOLD = "Fetch a web page and return its text."


class _Refused(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Server:
    """Answers messages. ``can_search``: whether there is somebody who searches."""

    def __init__(self, web: Web, can_search: bool = True) -> None:
        self._web = web
        self._tools = (SEARCH, FETCH) if can_search else (FETCH,)

    async def answer(self, message: object) -> Any:
        """The answer to a message, or to a list of them; None where none is due."""
        if isinstance(message, list) and message:
            answers = [await self.answer(one) for one in message]
            return [one for one in answers if one is not None] or None
        if not isinstance(message, Mapping) or message.get("jsonrpc") != "2.0":
            return _error(None, _NO_REQUEST, "no request of JSON-RPC 2.0")
        if "id" not in message or "method" not in message:
            return None  # a notification, or an answer to something that we have not asked
        number, parameters = message["id"], message.get("params")
        try:
            method = self._method(message["method"])
            result = await method(parameters if isinstance(parameters, Mapping) else {})
            return {"jsonrpc": "2.0", "id": number, "result": result}
        except _Refused as refused:
            return _error(number, refused.code, str(refused))
        except Exception as error:  # a fault of ours must not leave a client waiting
            return _error(number, _FAULT, type(error).__name__)

    def _method(self, name: object) -> Callable[[Mapping[str, Any]], Awaitable[Any]]:
        methods = {
            "initialize": self._initialize,
            "ping": self._ping,
            "tools/list": self._list,
            "tools/call": self._call,
        }
        if not isinstance(name, str) or name not in methods:
            raise _Refused(_NO_METHOD, "there is no such method")
        return methods[name]

    async def _initialize(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        wanted = parameters.get("protocolVersion")
        return {
            "protocolVersion": wanted if wanted in PROTOCOLS else PROTOCOLS[-1],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "fmapi-coding-agents-web", "version": VERSION},
        }

    async def _ping(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        return {}

    async def _list(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        return {"tools": [_told(name) for name in self._tools]}

    async def _call(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        name, given = parameters.get("name"), parameters.get("arguments")
        if name not in self._tools:
            raise _Refused(_BAD_PARAMETERS, "there is no such tool")
        key = "query" if name == SEARCH else "url"
        asked = given.get(key) if isinstance(given, Mapping) else None
        if not isinstance(asked, str):
            raise _Refused(_BAD_PARAMETERS, f"{name} takes a {key}, which is a text")
        try:
            text = await self._search(asked) if name == SEARCH else await self._fetch(asked)
        except WebError as error:
            return {"content": [{"type": "text", "text": f"{error.code}: {error}"}], "isError": True}
        return {"content": [{"type": "text", "text": text}], "isError": False}

    async def _search(self, query: str) -> str:
        return found_text(await self._web.search(query))

    async def _fetch(self, url: str) -> str:
        return page_text(await self._web.fetch(url))


def _told(name: str) -> dict[str, Any]:
    told = definition(name)
    return {
        "name": name,
        "description": told["description"] if name == SEARCH else _FETCH_TOLD,
        "inputSchema": told["input_schema"],
        "annotations": {"readOnlyHint": True, "openWorldHint": True},
    }


def _error(number: Any, code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": message}}


class _Lines:
    """Messages in and out. Calls run side by side, and each is answered when it is done."""

    def __init__(self, server: Server, source: IO[bytes], sink: IO[bytes]) -> None:
        self._server = server
        self._source = source
        self._sink = sink
        self._running: dict[Any, asyncio.Task[None]] = {}

    async def serve(self) -> None:
        """Until the client closes its end."""
        while True:
            line = await asyncio.to_thread(self._source.readline, _LONGEST_LINE)
            if not line:
                break
            try:
                message = json.loads(line)
            except (ValueError, RecursionError):
                self._write(_error(None, _PARSE_ERROR, "no JSON"))
                continue
            self._take(message)
        if self._running:  # somebody may still read what was asked for before
            await asyncio.wait(self._running.values(), timeout=_LAST_SECONDS)

    def _take(self, message: Any) -> None:
        told = message if isinstance(message, dict) else {}
        if told.get("method") == "notifications/cancelled":
            parameters = told.get("params")
            number = parameters.get("requestId") if isinstance(parameters, dict) else None
            task = self._running.get(json.dumps(number))
            if task:
                task.cancel()
            return
        key = json.dumps(told.get("id", id(message)))
        task = asyncio.get_running_loop().create_task(self._answer(message))
        self._running[key] = task
        task.add_done_callback(lambda _done: self._running.pop(key, None))

    async def _answer(self, message: Any) -> None:
        answer = await self._server.answer(message)
        if answer is not None:
            self._write(answer)

    def _write(self, message: Any) -> None:
        with contextlib.suppress(BrokenPipeError):  # a client that is gone closes the other end, too
            self._sink.write(json.dumps(message).encode() + b"\n")
            self._sink.flush()


def serve(settings: Settings, config: Config) -> int:
    """Returns the exit status. Standard output is the protocol's alone."""
    if settings.web_search is None:
        sys.stderr.write(
            "coding-agents: web search is not switched on here: the operator sets coding_agents_web_search\n"
        )
        return 1
    try:
        web = Backends.of(settings, config)
    except (OSError, ValueError) as error:
        sys.stderr.write(
            f"coding-agents: the CA file {config.ca_file} cannot be used ({error}). Run the rollout again\n"
        )
        return 1
    server = Server(web, can_search=settings.web_search != "none")
    asyncio.run(_Lines(server, sys.stdin.buffer, sys.stdout.buffer).serve())
    return 0
