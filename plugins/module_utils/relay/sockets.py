# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""WebSocket, both ways: once both sides have agreed to it, bytes pass as they come, and nobody looks into them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from http import HTTPStatus
from typing import Any

from . import headers as heads
from .access import Headers
from .app import App
from .bodies import Whole
from .forwarding import Request
from .judging import Judged
from .libraries import httpcore
from .refusals import Refusal, answer
from .routes import prefix_of

_MOST_WAITING = 256 * 1024
_PART = 1 << 16
_MOST_REFUSAL = 1 << 20
_SWITCH = [(b"connection", b"Upgrade"), (b"upgrade", b"websocket")]
_RESTARTING = b"\x88\x02\x03\xf4"
"""A frame that closes: the service restarts (1012). Its client connects anew, to the next relay."""

QUIET_SECONDS = 2.0
"""A connection on which nothing has passed for so long is between two frames."""


class Tunnel(asyncio.Protocol):
    """One connection that is to become a WebSocket. uvicorn makes it, and hands the connection over."""

    def __init__(self, config: Any, server_state: Any, app_state: Any) -> None:
        self._app: App = config.loaded_app
        self._state = server_state
        self._transport: Any = None
        self._task: asyncio.Task[None] | None = None
        self._came = bytearray()
        self._news = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._gone = False
        self._passed = time.monotonic()
        self._count = 0

    def connection_made(self, transport: Any) -> None:
        self._state.connections.add(self)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._task is None:
            # The head of the request, as uvicorn has read it: it is sound.
            self._task = asyncio.get_running_loop().create_task(self._run(data))
            self._state.tasks.add(self._task)
            self._task.add_done_callback(self._state.tasks.discard)
            return
        self._came += data
        self._news.set()
        if len(self._came) > _MOST_WAITING:
            self._transport.pause_reading()

    def eof_received(self) -> None:
        self._gone = True
        self._news.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._state.connections.discard(self)
        self._gone = True
        self._news.set()
        self._writable.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def shutdown(self) -> None:
        """End it, as uvicorn asks of all connections at the end."""
        if not self._transport.is_closing():
            self._transport.write(_RESTARTING)
            self._transport.close()

    @property
    def is_quiet(self) -> bool:
        """Whether it can be ended without cutting what is being said."""
        return time.monotonic() - self._passed > QUIET_SECONDS

    async def _run(self, head: bytes) -> None:
        begin = time.monotonic()
        method, path, query, headers = _parsed(head)
        status = 0
        try:
            self._app.admit(headers)
            wanted = Request(self._app.route(path, query), method, headers, Whole(b""), tuple(_SWITCH))
            judged = await self._app.forwarding.answered(wanted)
            try:
                status = judged.reply.status
                if status == 101:
                    self._write_head(status, [*heads.to_client(judged.reply.headers), *_SWITCH])
                    await self._pass_on(judged.reply.network)
                else:
                    await self._refuse(judged)
            finally:
                await judged.close()
        except Refusal as refusal:
            given = answer(refusal, prefix_of(path))
            status = given.status
            self._write_head(status, [*given.headers, (b"connection", b"close")])
            self._transport.write(given.body)
        except (OSError, httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException):
            pass  # one side is gone: so is the other
        finally:
            self._transport.close()
            self._app.line("WebSocket", path, status, self._count, begin)

    async def _refuse(self, judged: Judged) -> None:
        """Pass on that the workspace does not want it."""
        body = b""
        async for part in judged.parts():
            body += part
            if len(body) > _MOST_REFUSAL:
                break
        headers = heads.without(heads.to_client(judged.reply.headers), b"content-length")
        own = [(b"content-length", b"%d" % len(body)), (b"connection", b"close")]
        self._write_head(judged.reply.status, [*headers, *own])
        self._transport.write(body)

    async def _pass_on(self, network: Any) -> None:
        """Until one side ends."""
        tasks = [asyncio.ensure_future(self._down(network)), asyncio.ensure_future(self._up(network))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with contextlib.suppress(asyncio.CancelledError, Exception):
                    await task

    async def _down(self, network: Any) -> None:
        """From the workspace to the client."""
        while True:
            part = await network.read(_PART)
            if not part:
                return
            self._transport.write(part)
            self._note(part)
            await self._writable.wait()

    async def _up(self, network: Any) -> None:
        """From the client to the workspace."""
        while not self._gone or self._came:
            await self._news.wait()
            self._news.clear()
            part = bytes(self._came)
            self._came.clear()
            if part:
                await network.write(part)
                self._note(part)
            if not self._gone:
                self._transport.resume_reading()

    def _note(self, part: bytes) -> None:
        self._count += len(part)
        self._passed = time.monotonic()
        self._app.lives.touch()

    def _write_head(self, status: int, headers: Headers) -> None:
        lines = [b"HTTP/1.1 %d %b" % (status, _phrase(status)), *(b"%b: %b" % one for one in headers)]
        self._transport.write(b"\r\n".join(lines) + b"\r\n\r\n")


def _parsed(head: bytes) -> tuple[bytes, bytes, bytes, list[tuple[bytes, bytes]]]:
    """Method, path, query and headers."""
    first, *lines = head.partition(b"\r\n\r\n")[0].split(b"\r\n")
    method, target, _version = first.split(b" ")
    path, _mark, query = target.partition(b"?")
    headers = [(name, value) for name, _colon, value in (line.partition(b": ") for line in lines)]
    return method, path, query, headers


def _phrase(status: int) -> bytes:
    try:
        return HTTPStatus(status).phrase.encode()
    except ValueError:
        return b""
