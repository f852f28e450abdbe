# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What databricks-sdk may be answered: so many bytes, however they are packed, and no place for its secrets but the workspace.

The SDK reads every answer to its end, unpacks what is packed, and sends a service principal's secret to whatever URL the workspace
names as its token endpoint, or to which a redirect on the way to that name leads. All its requests go through an adapter of requests,
which is where this stands: for the threads in which the SDK works for us, and for no other.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urljoin, urlsplit

from .. import web
from ..careful import line
from .errors import WorkspaceError, not_databricks
from .sdk import requests

MOST_BYTES = 32 << 20
"""The listing of a workspace with many endpoints has a few megabytes."""

_PART = 1 << 16
_METADATA = "/.well-known/databricks-config"
_ENDPOINTS = {
    "/.well-known/oauth-authorization-server": ("token_endpoint", "authorization_endpoint"),
    _METADATA: ("oidc_endpoint",),
}
_DEEPEST = 100

_here = threading.local()


def bound(function: Callable[[], Any], own: Sequence[str] = ()) -> Callable[[], Any]:
    """The function, whose requests in this thread are bounded.

    ``own`` are the URLs that the operator has named, the workspace's first: no secret of it goes to another origin than theirs.
    """

    def run() -> Any:
        _install()
        _here.is_bound, _here.refused, _here.own = True, None, own
        try:
            return function()
        finally:
            _here.is_bound = False
            if _here.refused is not None:
                raise _here.refused  # the SDK goes on without what it could not find out

    return run


def _install() -> None:
    """Once for this process: a request of anybody else's thread goes on as it was."""
    adapter = requests.adapters.HTTPAdapter
    theirs = adapter.send
    if getattr(theirs, "of_coding_agents", False):
        return

    @functools.wraps(theirs)
    def send(self: Any, request: Any, stream: bool = False, *arguments: Any, **more: Any) -> Any:
        if not getattr(_here, "is_bound", False):
            return theirs(self, request, stream, *arguments, **more)
        try:
            _check_target(request)
        except WorkspaceError as error:
            _here.refused = error
            raise
        response = theirs(self, request, True, *arguments, **more)
        try:
            _read(response)
            _check(response)
        except WorkspaceError as error:
            response.close()
            _here.refused = error
            raise
        return response

    send.of_coding_agents = True  # type: ignore[attr-defined]
    adapter.send = send  # type: ignore[method-assign]


def _check_target(request: Any) -> None:
    """Raises WorkspaceError for a request that would take a workspace's secret elsewhere, whatever has led there."""
    own: Sequence[str] = _here.own
    url = request.url or ""
    if own and _holds_secret(request) and not any(web.same_origin(url, one) for one in own):
        what = f"names {_shown(url)} as the place for a request that holds a secret, which is not its own"
        raise _elsewhere(own[0], what)


def _holds_secret(request: Any) -> bool:
    """One that the workspace's own endpoints are to be sent. Those of a cloud are sent others: where these go no workspace says."""
    body = request.body or b""
    body = body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else b""
    is_basic = str(request.headers.get("Authorization", "")).lower().startswith("basic ")
    return is_basic or b"subject_token=" in body or b"scope=all-apis" in body


def _read(response: Any) -> None:
    """What the response holds, unpacked, and no more than is allowed of it."""
    parts, size = [], 0
    for part in response.iter_content(_PART):
        parts.append(part)
        size += len(part)
        if size > MOST_BYTES:
            raise not_databricks(_origin(response.url), f"answers with more than {MOST_BYTES >> 20} MiB")
    response._content = b"".join(parts)  # where requests itself keeps it


def _check(response: Any) -> None:
    """Raises WorkspaceError where this answer would lead secrets elsewhere."""
    url = response.url or ""
    if response.request.method == "POST" and response.is_redirect:
        target = _joined(url, response.headers.get("Location", ""))
        if not web.same_origin(target, url):
            raise _elsewhere(url, f"sends a request that holds a secret on to {_shown(target)}")
    path = urlsplit(url).path
    names = next((names for end, names in _ENDPOINTS.items() if path.endswith(end)), ())
    if not names or response.status_code != 200:
        return
    try:
        told = response.json()  # as the SDK reads it: the answer may say in which encoding it is
    except (ValueError, RecursionError):
        return
    for name in names:
        given = told.get(name) if isinstance(told, dict) else None
        if given is not None and not web.same_origin(given, url):
            what = name.replace("_", " ")
            raise _elsewhere(url, f"names {_shown(given)} as its {what}, which is not its own")


def _elsewhere(url: str, what: str) -> WorkspaceError:
    return WorkspaceError(
        "wrong_host",
        what,
        _origin(url),
        "Nothing was sent there. Check that coding_agents_workspace_url is your workspace, and what answers in its place.",
    )


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError:
        return location


def _shown(given: object) -> str:
    """A URL up to its path: what follows may be a secret."""
    return line(str(given).partition("?")[0], 100)


def _origin(url: str | None) -> str:
    parts = urlsplit(url or "")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def printable(value: Any, depth: int = 0) -> Any:
    """An answer of the API, in which no text can act upon a terminal. Raises RecursionError for one that has more levels than any."""
    if depth > _DEEPEST:
        raise RecursionError
    if isinstance(value, str):
        return "".join(one for one in value if one.isprintable() or one in "\n\t")
    if isinstance(value, list):
        return [printable(one, depth + 1) for one in value]
    if isinstance(value, dict):
        return {printable(key, depth + 1): printable(one, depth + 1) for key, one in value.items()}
    return value
