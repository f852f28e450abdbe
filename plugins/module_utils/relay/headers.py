# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a message's head passes, and what does not."""

from __future__ import annotations

from .access import KEY_HEADERS, Headers

CODING_AGENT = b"x-databricks-use-coding-agent-mode"

_HOP_BY_HOP = {
    b"connection",
    b"keep-alive",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
}
"""They speak of one connection, and there are two."""

_REPLACED = {b"host", b"authorization", b"content-length", b"expect", CODING_AGENT, *KEY_HEADERS}


def to_upstream(headers: Headers, host: bytes, token: str) -> list[tuple[bytes, bytes]]:
    """The head of the request that goes out, but for what says how long its body is."""
    dropped = _HOP_BY_HOP | _REPLACED | _named_by_connection(headers)
    return [
        (b"host", host),
        *((name, value) for name, value in headers if name.lower() not in dropped),
        (b"authorization", b"Bearer " + token.encode()),
        (CODING_AGENT, b"true"),
    ]


def to_client(headers: Headers) -> list[tuple[bytes, bytes]]:
    """The head of the answer that goes back; names in lower case, as ASGI wants them."""
    dropped = _HOP_BY_HOP | _named_by_connection(headers)
    return [(name.lower(), value) for name, value in headers if name.lower() not in dropped]


def value_of(headers: Headers, wanted: bytes) -> bytes | None:
    """The first value of a header, or None."""
    for name, value in headers:
        if name.lower() == wanted:
            return value
    return None


def without(headers: Headers, *names: bytes) -> list[tuple[bytes, bytes]]:
    """All the others."""
    return [(name, value) for name, value in headers if name.lower() not in names]


def _named_by_connection(headers: Headers) -> set[bytes]:
    named = b",".join(value for name, value in headers if name.lower() == b"connection")
    return {one.strip().lower() for one in named.split(b",") if one.strip()}
