# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The body of a request: read as it comes, the beginning kept, so that what was refused can be sent once more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import Any, Callable, NamedTuple

from .access import Headers
from .ends import ClientGone
from .headers import value_of
from .refusals import Refusal

KEPT_BYTES = 1 << 20
MOST_BYTES = 64 << 20
SILENCE_SECONDS = 60.0
"""For so long a client may send nothing in the middle of a body."""

Receive = Callable[[], Awaitable[Any]]


class Whole(NamedTuple):
    """A body of ours."""

    content: bytes

    @property
    def can_be_sent_again(self) -> bool:
        return True

    @property
    def framing(self) -> list[tuple[bytes, bytes]]:
        return [(b"content-length", b"%d" % len(self.content))] if self.content else []


class Body:
    """Of one request. Make it in the event loop that it is read in."""

    def __init__(self, receive: Receive, headers: Headers) -> None:
        self._receive = receive
        self._kept: list[bytes] = []
        self._is_passing = False
        self.count = 0
        self.ended = asyncio.Event()
        """Set when nothing more comes of it: what is received from then on is that the client is gone."""
        self.length = _length(headers)
        self._is_chunked = value_of(headers, b"transfer-encoding") is not None
        if self.length is not None and self.length > MOST_BYTES:
            raise _too_large()

    async def begin(self, most: int = KEPT_BYTES) -> None:
        """Read so much of it, or all. Raises Refusal, ClientGone."""
        while not self.ended.is_set() and self.count < most:
            self._kept.append(await self._next())

    @property
    def can_be_sent_again(self) -> bool:
        return not self._is_passing

    @property
    def framing(self) -> list[tuple[bytes, bytes]]:
        """The header that says how long it is. A request that came without a body has none."""
        if self.length is not None:
            return [(b"content-length", b"%d" % self.length)]
        return [(b"transfer-encoding", b"chunked")] if self._is_chunked else []

    @property
    def whole(self) -> bytes:
        """What has been read by :meth:`begin`."""
        return b"".join(self._kept)

    @property
    def content(self) -> bytes | AsyncIterator[bytes]:
        """All of it, or what is to come behind what is kept."""
        return self.whole if self.ended.is_set() and self.can_be_sent_again else self._stream()

    async def _stream(self) -> AsyncIterator[bytes]:
        yield self.whole
        self._is_passing = True
        self._kept = []
        while not self.ended.is_set():
            part = await self._next()
            if part:
                yield part

    async def _next(self) -> bytes:
        try:
            message = await asyncio.wait_for(self._receive(), SILENCE_SECONDS)
        except asyncio.TimeoutError:
            raise Refusal(408, f"Nothing came of the request's body for {SILENCE_SECONDS:.0f} s") from None
        if message["type"] == "http.disconnect":
            self.ended.set()
            raise ClientGone
        part: bytes = message.get("body", b"")
        self.count += len(part)
        if not message.get("more_body", False):
            self.ended.set()
        if self.count > MOST_BYTES:
            raise _too_large()
        return part


def _length(headers: Headers) -> int | None:
    told = value_of(headers, b"content-length")
    return int(told) if told is not None and told.isdigit() else None


def _too_large() -> Refusal:
    return Refusal(
        413, f"The request is larger than {MOST_BYTES >> 20} MiB", "Shorten it: in a new session, for example"
    )
