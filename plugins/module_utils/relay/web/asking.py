# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One request to the web, without cookies, redirects or anything remembered, and an answer that is bounded in bytes."""

from __future__ import annotations

import ssl
import urllib.request
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from ...version import VERSION
from ..libraries import httpcore
from .connecting import Connections
from .found import NOT_ACCESSIBLE, NOT_ALLOWED, TOO_LONG, WebError
from .guard import Guard

PRODUCT = "fmapi-coding-agents"
"""How robots.txt may call us."""
USER_AGENT = f"{PRODUCT}/{VERSION}"
_LONGEST_URL = 2048
_READ_SECONDS = 8.0
_COMPRESSED = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


class Answer(NamedTuple):
    """``body`` is cut at the most bytes that were wanted."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_cut: bool = False


def checked_url(url: str) -> str:
    """A URL that can be asked for, in ASCII. Raises WebError."""
    if len(url) > _LONGEST_URL:
        raise WebError(TOO_LONG, f"the URL has more than {_LONGEST_URL} characters")
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname or "", parts.port
        if parts.scheme not in ("https", "http") or not host or "@" in parts.netloc or "\\" in url:
            raise ValueError
        name = host if ":" in host else host.encode("idna").decode("ascii")
        if not name.isprintable() or any(one in name for one in " /?#%"):
            raise ValueError
        target = _target(parts.path, parts.query)
    except ValueError:
        raise WebError(NOT_ALLOWED, "this is no URL of a web page: https://HOST/PATH is one") from None
    place = f"[{name}]" if ":" in name else name
    return f"{parts.scheme}://{place}{f':{port}' if port else ''}{target}"


def _target(path: str, query: str) -> str:
    """What of a URL is sent, with all that is no printable ASCII quoted. Raises ValueError for half a character."""
    text = f"{path or '/'}?{query}" if query else path or "/"
    return "".join(one if "!" <= one <= "~" else "".join(f"%{byte:02X}" for byte in one.encode()) for one in text)


class Asking:
    """The way to the web: with this host's proxy, where one is set, and the authorities that are believed.

    ``guard``: none for the operator's own search service, which may stand where pages may not.
    """

    def __init__(self, tls: ssl.SSLContext, guard: Guard | None) -> None:
        self._tls = tls
        self._guard = guard

    async def ask(
        self, url: str, most: int, headers: Mapping[str, str] | None = None, form: bytes | None = None
    ) -> Answer:
        """GET; POST with a form. Any HTTP status is an answer; raises WebError where there is none."""
        sent: dict[bytes | str, bytes | str] = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
        sent.update(headers or {})
        if form is not None:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        proxy = _proxy_for(url)
        if proxy and self._guard:
            await self._judge_name(url, self._guard)
        try:
            async with (
                self._pool(proxy) as pool,
                pool.stream(
                    "GET" if form is None else "POST",
                    url,
                    headers=sent,
                    content=form,
                    extensions={"timeout": {"connect": _READ_SECONDS, "read": _READ_SECONDS, "write": _READ_SECONDS}},
                ) as answer,
            ):
                told = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers}
                body, is_cut = await _body(answer, told.get("content-encoding", ""), most)
                return Answer(answer.status, told, body, is_cut)
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError) as error:
            raise WebError(NOT_ACCESSIBLE, f"{urlsplit(url).netloc} does not answer ({_why(error)})") from None
        except (OSError, ValueError, zlib.error) as error:
            raise WebError(NOT_ACCESSIBLE, f"{urlsplit(url).netloc} cannot be read ({type(error).__name__})") from None

    def _pool(self, proxy: str) -> httpcore.AsyncConnectionPool:
        if proxy:
            parts = urlsplit(proxy)
            auth = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
            place = f"{parts.scheme}://{parts.hostname}:{parts.port or 80}"
            return httpcore.AsyncConnectionPool(
                self._tls, proxy=httpcore.Proxy(place, auth), network_backend=Connections(None)
            )
        return httpcore.AsyncConnectionPool(self._tls, network_backend=Connections(self._guard))

    @staticmethod
    async def _judge_name(url: str, guard: Guard) -> None:
        """A proxy looks names up itself: what this host knows of a name is judged, what it does not know is the proxy's to judge."""
        parts = urlsplit(url)
        try:
            await guard.addresses(parts.hostname or "", parts.port or 443)
        except WebError as error:
            if error.code != NOT_ACCESSIBLE:
                raise


async def _body(answer: Any, encoding: str, most: int) -> tuple[bytes, bool]:
    """At most this many bytes, whatever they were packed into. Raises ValueError for an encoding that was not asked for."""
    kind = encoding.strip().lower()
    if kind not in ("", "identity", *_COMPRESSED):
        raise ValueError(kind)
    unpack = zlib.decompressobj(_COMPRESSED[kind]) if kind in _COMPRESSED else None
    body = b""
    async for part in answer.aiter_stream():
        body += unpack.decompress(part, most + 1 - len(body)) if unpack else part
        if len(body) > most:
            return body[:most], True
    return body, False


def _why(error: Exception) -> str:
    if isinstance(error, httpcore.TimeoutException):
        return "time is up"
    return str(error)[:200] or type(error).__name__


def _proxy_for(url: str) -> str:
    """The proxy for a URL; empty for none. One that is set for https alone is the way out for http, too."""
    parts = urlsplit(url)
    given = urllib.request.getproxies()
    found = given.get(parts.scheme) or given.get("https", "")
    if not found or urllib.request.proxy_bypass(parts.netloc):
        return ""
    return found if "://" in found else f"http://{found}"
