# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pass a request on to the workspace, and its answer back: as it comes, byte for byte."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable
from typing import TYPE_CHECKING, Any, Callable, NamedTuple

from ..host_program.token import TokenError
from . import headers as heads
from .access import Headers
from .bodies import KEPT_BYTES, MOST_BYTES, Body, Whole
from .ends import ClientGone, Cut
from .judging import Judged
from .libraries import httpcore
from .refusals import Refusal
from .rewriting import rewrites
from .routes import Route
from .tokens import Tokens, must_sign_in
from .upstreams import Upstreams

if TYPE_CHECKING:
    from .rewriting import Exchanges
    from .web.rewriting import Exchange

Send = Callable[[Any], Awaitable[None]]


class Sent:
    """What has gone to the client, for the log, and to know whether an error can still be told."""

    def __init__(self, send: Send, is_draining: Callable[[], bool]) -> None:
        self._send = send
        self._is_draining = is_draining
        self.status = 0
        self.count = 0

    async def start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.status = status
        # Another relay serves already: the next request is to go there.
        more = [(b"connection", b"close")] if self._is_draining() else []
        await self._send({"type": "http.response.start", "status": status, "headers": [*headers, *more]})

    async def part(self, body: bytes, more: bool = True) -> None:
        self.count += len(body)
        await self._send({"type": "http.response.body", "body": body, "more_body": more})


class Request(NamedTuple):
    """What is to be sent, to where."""

    route: Route
    method: bytes
    headers: Headers
    body: Body | Whole
    more: Headers = ()
    """What else its head has."""


class Forwarding:
    """Of one user's relay. Make it in the event loop that it is used in."""

    def __init__(self, tokens: Tokens, upstreams: Upstreams, exchanges: Exchanges | None = None) -> None:
        self._tokens = tokens
        self._upstreams = upstreams
        self._exchanges = exchanges

    async def pass_on(self, route: Route, scope: Any, receive: Any, sent: Sent) -> None:
        """Raises Refusal where nothing has been sent yet; Cut; and ClientGone, when the request is given up at once."""
        body = Body(receive, scope["headers"])
        request = Request(route, scope["method"].encode(), scope["headers"], body)
        begin = self._exchanges if rewrites(route, scope["method"]) else None
        await body.begin(KEPT_BYTES if begin is None else MOST_BYTES + 1)
        exchange = None
        if begin is not None:
            exchange, request = self._rewritten(begin, request, body.whole)
        work = asyncio.ensure_future(self._answer(request, exchange, sent))
        gone = asyncio.ensure_future(_gone(body, receive))
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise ClientGone
            work.result()
        finally:
            await _ended(work, gone)

    async def answered(self, request: Request) -> Judged:
        """The answer, with another token where the workspace refuses the first. Raises Refusal."""
        token = await _token(self._tokens.current())
        while True:
            body = request.body
            head = [
                *heads.to_upstream(request.headers, request.route.origin.netloc, token.value),
                *body.framing,
                *request.more,
            ]
            judged = Judged(await self._upstreams.send(request.route, request.method, head, body))
            try:
                if not await judged.refuses_token() or not body.can_be_sent_again:
                    return judged
                other = await _token(self._tokens.replacement(token))
                if other is None or other.value == token.value:
                    return judged
            except BaseException:
                await judged.close()
                raise
            await judged.close()
            token = other

    def _rewritten(self, begin: Exchanges, request: Request, came: bytes) -> tuple[Exchange | None, Request]:
        """The exchange, and the request without the tools that only the vendor has; None and the same where there are none."""

        async def again(body: bytes) -> AsyncIterator[bytes]:
            judged = await self.answered(changed._replace(body=Whole(body)))
            try:
                if judged.reply.status != 200:
                    raise OSError(f"the workspace answered with HTTP {judged.reply.status}")
                async for part in judged.parts():
                    yield part
            finally:
                await judged.close()

        exchange = begin(again)
        body = exchange.request(came)
        if not exchange.active:
            return None, request
        betas = heads.value_of(request.headers, b"anthropic-beta")
        own = exchange.betas(betas.decode("latin-1")).encode("latin-1") if betas else b""
        kept = heads.without(request.headers, b"accept-encoding", b"anthropic-beta")
        more = [(b"accept-encoding", b"identity"), *([(b"anthropic-beta", own)] if own else [])]
        changed = request._replace(body=Whole(body), headers=[*kept, *more])
        return exchange, changed

    async def _answer(self, request: Request, exchange: Exchange | None, sent: Sent) -> None:
        judged = await self.answered(request)
        try:
            headers = heads.to_client(judged.reply.headers)
            kind = (heads.value_of(headers, b"content-type") or b"").partition(b";")[0].strip().lower()
            parts = judged.parts()
            if exchange is not None and judged.reply.status == 200:
                if kind == b"text/event-stream":
                    headers, parts = heads.without(headers, b"content-length"), exchange.stream(parts)
                elif kind == b"application/json":
                    whole = await exchange.answer(b"".join([part async for part in parts]))
                    headers, parts = heads.without(headers, b"content-length"), _once(whole)
            await sent.start(judged.reply.status, headers)
            async for part in parts:
                await sent.part(part)
            await sent.part(b"", more=False)
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, ValueError):
            raise Cut from None  # (ValueError: what was to be rewritten is no stream of events)
        finally:
            await judged.close()


async def _token(asked: Awaitable[Any]) -> Any:
    """Raises Refusal where there is none."""
    try:
        return await asked
    except TokenError as error:
        raise Refusal(401 if must_sign_in(error) else 502, str(error)) from None


async def _gone(body: Body, receive: Any) -> None:
    """Until the client has gone away. Nobody else may receive meanwhile, so it begins where the body ends."""
    await body.ended.wait()
    while (await receive())["type"] != "http.disconnect":
        pass


async def _ended(*tasks: asyncio.Future[None]) -> None:
    """End what may be running still. What became of it is known already."""
    for task in tasks:
        task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task


async def _once(whole: bytes) -> AsyncIterator[bytes]:
    yield whole
