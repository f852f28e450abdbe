# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may use the relay: whoever brings its user's key, from this host, and no web page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .places import is_key
from .refusals import Refusal

Headers = Sequence[tuple[bytes, bytes]]
"""Of a request; names in lower case, as uvicorn gives them."""

KEY_HEADERS = (b"x-api-key", b"x-goog-api-key", b"api-key")
"""Beside ``Authorization: Bearer``: where agents send an API key."""

_NAMES = ("127.0.0.1", "localhost", "[::1]")
_BEARER = b"bearer "


def require_loopback(headers: Headers, port: int) -> None:
    """Refuse what a web page could send: one whose name leads to this host, or one that the user looks at. Raises Refusal."""
    here = {f"{name}:{port}" for name in _NAMES}
    hosts = [_text(one) for one in _values(headers, b"host")]
    if len(hosts) != 1 or hosts[0] not in here:
        raise Refusal(403, "The relay answers to 127.0.0.1 only", f"Use http://127.0.0.1:{port} in the base URL")
    origins = [_text(one) for one in _values(headers, b"origin")]
    if any(one.partition("://")[2] not in here for one in origins):
        raise Refusal(403, "The relay does not answer web pages")
    if any(_text(one) == "cross-site" for one in _values(headers, b"sec-fetch-site")):
        raise Refusal(403, "The relay does not answer web pages")


def has_key(headers: Headers, key: str) -> bool:
    """Whether one of the headers that agents send a key in holds ours. It takes as long for a wrong one."""
    found = [is_key(_text(one), key) for one in _keys(headers)]
    return any(found)


def require_key(headers: Headers, key: str, key_file: str) -> None:
    """Raises Refusal."""
    if not has_key(headers, key):
        raise Refusal(
            401,
            "The relay's key is missing or wrong",
            f"Send what stands in {key_file} as the API key; coding-agents relay key prints it",
        )


def _keys(headers: Headers) -> Iterable[bytes]:
    for name, value in headers:
        if name in KEY_HEADERS:
            yield value.strip()
        elif name == b"authorization" and value[: len(_BEARER)].lower() == _BEARER:
            yield value[len(_BEARER) :].strip()


def _values(headers: Headers, name: bytes) -> list[bytes]:
    return [value for one, value in headers if one == name]


def _text(value: bytes) -> str:
    return value.decode("latin-1").strip().lower()
