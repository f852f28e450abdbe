# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections that are kept, each used by one request at a time.

httpcore's own pool shares connections that are still being made, and hangs for good when a request is given up at the wrong moment
(its issue 961): of it we take how a connection is made, and no more.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Callable

MOST_IDLE = 32


class Connections:
    """To one server. ``make`` makes one, which connects when it is first used."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._idle: list[Any] = []

    async def send(self, request: Any, connection: Any = None) -> tuple[Any, Stream]:
        """The answer and its body; what httpcore raises. On a new connection, unless one that was kept is given."""
        connection = connection or self._make()
        try:
            answer = await connection.handle_async_request(request)
        except BaseException:
            await connection.aclose()
            raise
        return answer, Stream(self, connection, answer.stream)

    async def close_idle(self) -> None:
        """Keep none of those that nobody uses now."""
        while self._idle:
            await self._idle.pop().aclose()

    async def give_back(self, connection: Any) -> None:
        """After the end of an answer: it is kept if another request can be sent on it."""
        if connection.is_idle() and len(self._idle) < MOST_IDLE:
            self._idle.append(connection)
        else:
            await connection.aclose()

    async def take(self) -> Any:
        """One that was kept, for whoever asks alone; None for none."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.has_expired():
                return connection
            await connection.aclose()
        return None


class Stream:
    """The body of an answer. Its connection is free when it is closed."""

    def __init__(self, connections: Connections, connection: Any, stream: Any) -> None:
        self._connections = connections
        self._connection: Any = connection
        self._stream = stream

    def __aiter__(self) -> AsyncIterator[bytes]:
        parts: AsyncIterator[bytes] = self._stream.__aiter__()
        return parts

    async def aclose(self) -> None:
        """More than once is no error."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._stream.aclose()
            await self._connections.give_back(connection)
