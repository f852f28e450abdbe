# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections to the workspace: kept open, through the operator's proxy, to a certificate that is trusted."""

from __future__ import annotations

import base64
import os
import socket
import ssl
import time
import urllib.error
import urllib.parse
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from ..host_program import https
from ..host_program.token import TokenError
from .bodies import Body, Whole
from .connecting import connected
from .connections import Connections, Stream
from .libraries import AnyIOBackend, httpcore
from .refusals import Refusal
from .routes import Origin, Route

CONNECT_SECONDS = 15.0
_IDLE_SECONDS = 45.0
"""A server in between may forget a connection after a minute."""
_SLEPT_SECONDS = 5.0
_STALE_SECONDS = 5.0

_PROBES = (
    (socket.IPPROTO_TCP, "TCP_KEEPIDLE", 30),
    (socket.IPPROTO_TCP, "TCP_KEEPALIVE", 30),  # as macOS calls it
    (socket.IPPROTO_TCP, "TCP_KEEPINTVL", 10),
    (socket.IPPROTO_TCP, "TCP_KEEPCNT", 4),
)
"""A model may think for many minutes without a byte: so it is the system that finds out when the other side is gone."""


class Reply(NamedTuple):
    """The beginning of an answer. Its ``stream`` has the rest, and must be closed."""

    status: int
    headers: list[tuple[bytes, bytes]]
    stream: Stream
    network: Any
    """The connection itself, where the other side has agreed to speak something else on it."""


class Upstreams:
    """Make it in the event loop that it is used in."""

    def __init__(self, ca_file: str | None) -> None:
        """Raises TokenError for a file of authorities that cannot be used."""
        self._ca_file = ca_file
        self._tls = https.tls(ca_file)
        self._kept: dict[Origin, Connections] = {}
        self._clock = _Clock()

    async def send(
        self,
        route: Route,
        method: bytes,
        headers: list[tuple[bytes, bytes]],
        body: Body | Whole,
    ) -> Reply:
        """Send a request and return as soon as the answer begins. Raises Refusal where none does."""
        connections = self._connections(route.origin)
        if self._clock.has_slept():
            for one in self._kept.values():
                await one.close_idle()
        begin, kept = time.monotonic(), await connections.take()
        try:
            try:
                return await _sent(connections, kept, route, method, headers, body)
            except (httpcore.RemoteProtocolError, httpcore.ReadError, httpcore.WriteError):
                # One that was kept may be dead without our having been told, behind another network for example. What fails later may
                # have been heard, and be answered at some cost.
                if kept is None or time.monotonic() - begin > _STALE_SECONDS or not body.can_be_sent_again:
                    raise
            await connections.close_idle()
            return await _sent(connections, None, route, method, headers, body)
        except httpcore.LocalProtocolError as error:
            raise Refusal(400, f"The request cannot be sent on ({error})") from None
        except _failures() as error:
            raise unreachable(route.origin.url, error, self._ca_file) from None

    async def close(self) -> None:
        """Those that are in use are left to who uses them."""
        for one in self._kept.values():
            await one.close_idle()

    def _connections(self, origin: Origin) -> Connections:
        if origin not in self._kept:
            pool, there = _pool(origin, self._tls), httpcore.Origin(*origin)
            self._kept[origin] = Connections(lambda: pool.create_connection(there))
        return self._kept[origin]


def _failures() -> tuple[type[Exception], ...]:
    """What no answer comes with."""
    return (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, httpcore.ProxyError)


class _Backend(AnyIOBackend):
    """Connections whose end the system finds out about. (Behind a proxy, httpcore would not set these.)"""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> Any:
        probes = [(level, getattr(socket, name), value) for level, name, value in _PROBES if hasattr(socket, name)]
        options = [*(socket_options or ()), (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), *probes]
        return await connected(super().connect_tcp(host, port, timeout, local_address, options))


class _Clock:
    """Tells that this host has slept: then the time of day went on, and the other clock did not."""

    def __init__(self) -> None:
        self._ahead = time.time() - time.monotonic()

    def has_slept(self) -> bool:
        """Whether it has since the last call, or whether somebody has set the clock, which does no harm."""
        ahead = time.time() - time.monotonic()
        slept = abs(ahead - self._ahead) > _SLEPT_SECONDS
        self._ahead = ahead
        return slept


async def _sent(
    connections: Connections,
    kept: Any,
    route: Route,
    method: bytes,
    headers: list[tuple[bytes, bytes]],
    body: Body | Whole,
) -> Reply:
    origin = route.origin
    request = httpcore.Request(
        method,
        httpcore.URL(scheme=origin.scheme, host=origin.host, port=origin.port, target=route.target),
        headers=headers,
        content=body.content,
        extensions={"timeout": {"connect": CONNECT_SECONDS}},
    )
    answer, stream = await connections.send(request, kept)
    return Reply(answer.status, list(answer.headers), stream, answer.extensions.get("network_stream"))


def _pool(origin: Origin, tls: ssl.SSLContext) -> Any:
    """What makes connections as they are made from here to there."""
    how: dict[str, Any] = {
        "ssl_context": tls,
        "keepalive_expiry": _IDLE_SECONDS,
        "network_backend": _Backend(),
    }
    proxy = urllib.parse.urlsplit(https.proxy_url(origin.url))
    if not proxy.hostname:
        return httpcore.AsyncConnectionPool(**how)
    scheme = proxy.scheme.lower()
    if scheme not in ("http", "https"):
        raise Refusal(
            502, f"The relay cannot use a proxy of the kind {scheme}", "Set coding_agents_proxy to one of http"
        )
    port = proxy.port or (443 if scheme == "https" else 80)
    return httpcore.AsyncHTTPProxy(
        httpcore.URL(scheme=scheme, host=proxy.hostname, port=port, target=b"/"),
        proxy_headers=list(_proxy_credentials(proxy)),
        proxy_ssl_context=tls if scheme == "https" else None,
        **how,
    )


def _proxy_credentials(proxy: urllib.parse.SplitResult) -> Iterator[tuple[bytes, bytes]]:
    if proxy.username is not None:
        words = (urllib.parse.unquote_to_bytes(one or "") for one in (proxy.username, proxy.password))
        yield b"Proxy-Authorization", b"Basic " + base64.b64encode(b":".join(words))


def unreachable(url: str, error: Exception, ca_file: str | None) -> Refusal:
    """Why no answer came."""
    cause = _cause(error)
    if cause is None:
        why = str(error) if isinstance(error, httpcore.ProxyError) else "the connection ended without an answer"
        proxy = https.proxy_for(url)
        through = f" through the proxy {proxy}" if proxy else ""
        return Refusal(502, f"{url} cannot be reached{through} ({why})", "Try again; check network, proxy and VPN")
    try:
        https.unreachable(url, urllib.error.URLError(cause), ca_file, CONNECT_SECONDS)
    except TokenError as told:
        return Refusal(502, str(told))


def _cause(error: BaseException | None) -> OSError | None:
    """The system's own error in what a library made of it."""
    first = error.args[0] if error is not None and error.args else None
    inner = getattr(error, "exceptions", None) or [first, getattr(error, "__cause__", None)]
    for one in inner:
        found = _cause(one) if isinstance(one, BaseException) else None
        if found is not None:
            return found
    # Without a number it is a library's: "all connection attempts failed".
    if not isinstance(error, OSError) or (error.errno is None and not isinstance(error, TimeoutError)):
        return None
    is_plain = not isinstance(error, (socket.gaierror, ssl.SSLError, TimeoutError)) and error.errno is not None
    # asyncio has words of its own for it.
    return OSError(error.errno, os.strerror(error.errno or 0)) if is_plain else error
