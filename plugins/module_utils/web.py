# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTP request whose answer is bounded: in bytes, and in the whole time from the first byte to the last.

A limit for each read, which is all that the standard library has, lets a server that sends one byte now and then hold us for days:
with its headers as well as with its body. The standard library only.
"""

from __future__ import annotations

import contextlib
import email.utils
import http.client
import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from types import TracebackType
from typing import IO, Any, NamedTuple
from urllib.parse import urlsplit

_PART = 1 << 16
_LONGEST_WAIT = 100_000


class Reply(NamedTuple):
    """``body`` has at most one byte more than was allowed, which tells that it is longer; None for one that breaks off.

    It is empty where it was written elsewhere.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes | None


class NoHttp(Exception):
    """What answers does not speak HTTP, or not as it is spoken."""


def ask(
    request: urllib.request.Request,
    seconds: float,
    most: int,
    tls: ssl.SSLContext,
    *handlers: urllib.request.BaseHandler,
    into: IO[bytes] | None = None,
    silence: float | None = None,
) -> Reply:
    """Any HTTP status is a reply. Raises OSError (TimeoutError when the whole took longer than ``seconds``) and NoHttp.

    ``into``: where the body of a good answer is written, instead of being held in memory. ``silence``: for how many seconds nothing
    may come.
    """
    if seconds <= 0:
        raise TimeoutError
    with _Limit(seconds) as limit:
        own: list[urllib.request.BaseHandler] = [_Https(tls, limit), _Http(limit)]
        if request.type == "http":  # of this host: a proxy would read the token
            own.append(urllib.request.ProxyHandler({}))
        opener = urllib.request.build_opener(*own, *handlers)
        try:
            try:
                answer = opener.open(request, timeout=min(seconds, silence or seconds))
            except urllib.error.HTTPError as error:
                answer = error
            with answer:
                reply = Reply(
                    answer.status or 0, answer.headers, _body(answer, most, into if answer.status == 200 else None)
                )
        except (http.client.HTTPException, ValueError, RecursionError) as error:
            limit.check()
            raise NoHttp(type(error).__name__) from None
        except OSError:
            limit.check()
            raise
        limit.check()
        return reply


def seconds_to_wait(header: str | None) -> int | None:
    """``Retry-After`` where it is a number of seconds that somebody could wait. It may also be a date, or anything."""
    text = (header or "").strip()
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        return None
    return min(int(text), _LONGEST_WAIT)


def moment(header: str | None) -> float | None:
    """A ``Date`` in seconds since the epoch; None for what is none."""
    try:
        return email.utils.parsedate_to_datetime(header or "").timestamp()
    except (TypeError, ValueError, IndexError, OverflowError):
        return None


def same_origin(one: object, other: str) -> bool:
    """Whether both are https URLs of the same host and port. What is no URL has no origin."""
    return _origin(one) is not None and _origin(one) == _origin(other)


def _origin(url: object) -> tuple[str, int] | None:
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc or "\\" in parts.netloc:
            return None
        return parts.hostname.lower(), parts.port or 443
    except ValueError:
        return None


def _body(answer: Any, most: int, into: IO[bytes] | None = None) -> bytes | None:
    """By single reads: what waits for a number of bytes waits for as long as the other side wants."""
    body, count = b"", 0
    while count <= most:
        try:
            part = answer.read1(min(_PART, most + 1 - count))
        except (http.client.HTTPException, ValueError):
            return None
        if not part:
            return None if answer.length else body  # fewer bytes than were announced
        count += len(part)
        if into is None:
            body += part
        else:
            into.write(part)
    return body


class _Limit:
    """The end of the time for one request: it closes the connection, wherever in it somebody waits."""

    def __init__(self, seconds: float) -> None:
        self.has_passed = False
        self._sockets: list[socket.socket] = []
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> _Limit:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        for one in self._sockets:
            one.close()

    def connect(self, *arguments: Any, **more: Any) -> socket.socket:
        connection = socket.create_connection(*arguments, **more)
        # TLS takes the descriptor over: a copy of it leads to the same connection.
        self._sockets.append(connection.dup())
        if self.has_passed:
            self._end()
        return connection

    def check(self) -> None:
        """Raises TimeoutError when the time has passed, whatever seems to have gone wrong since."""
        if self.has_passed:
            raise TimeoutError

    def _end(self) -> None:
        self.has_passed = True
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


class _Http(urllib.request.HTTPHandler):
    """For a relay on this host: callers judge what may be asked without TLS."""

    def __init__(self, limit: _Limit) -> None:
        super().__init__()
        self._limit = limit

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        def connection(host: str, **more: Any) -> http.client.HTTPConnection:
            made = http.client.HTTPConnection(host, **more)
            made._create_connection = self._limit.connect  # type: ignore[attr-defined]
            return made

        return self.do_open(connection, req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, tls: ssl.SSLContext, limit: _Limit) -> None:
        super().__init__(context=tls)
        self._tls = tls
        self._limit = limit

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        def connection(host: str, **more: Any) -> http.client.HTTPSConnection:
            made = http.client.HTTPSConnection(host, context=self._tls, **more)
            made._create_connection = self._limit.connect  # type: ignore[attr-defined]
            return made

        return self.do_open(connection, req)
