# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTPS request to the workspace, and one sentence for each way in which it can fail. The standard library only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from .. import careful
from .token import TokenError

TIMEOUT_SECONDS = 10.0
USER_AGENT = "fmapi-coding-agents"
OAUTH_METADATA = "/oidc/.well-known/oauth-authorization-server"
_ENDPOINTS = ("token_endpoint", "authorization_endpoint")


class Answer(NamedTuple):
    """``body`` is the JSON object of the answer, or None where it holds none; ``retry_after`` is in seconds, ``date`` is when it was
    sent by the other side's clock, in seconds since the epoch.
    """

    status: int
    body: dict[str, Any] | None
    retry_after: int | None
    date: float | None = None


def ask(
    workspace_url: str,
    path: str,
    authorization: str | None,
    ca_file: str | None = None,
    form: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT_SECONDS,
    order: Mapping[str, Any] | None = None,
) -> Answer:
    """GET; POST with a ``form``, or with an ``order``, which travels as JSON.

    Any HTTP status is an answer; raises TokenError when there was none within ``timeout`` seconds.
    """
    from .. import web
    from . import https

    headers = {"Accept": "application/json", "User-Agent": USER_AGENT}
    if authorization is not None:
        headers["Authorization"] = authorization
    if order is not None:
        headers["Content-Type"] = "application/json"
    try:
        reply = https.send(workspace_url, path, headers, form, ca_file, timeout, order)
    except web.NoHttp:
        return Answer(200, None, None)  # as useless as an answer without JSON
    when = web.moment(reply.headers.get("Date"))
    return Answer(reply.status, _json(reply.body), web.seconds_to_wait(reply.headers.get("Retry-After")), when)


def expect_oauth(workspace_url: str, ca_file: str | None = None) -> None:
    """Raises TokenError unless the URL answers as a workspace's sign-in does."""
    answer = ask(workspace_url, OAUTH_METADATA, None, ca_file)
    if answer.status == 429 or answer.status >= 500:
        when = f", retry after {answer.retry_after} s" if answer.retry_after is not None else ""
        raise TokenError(f"{workspace_url} answered with HTTP {answer.status}{when}", hint="Try again in a minute")
    if answer.status != 200 or "token_endpoint" not in (answer.body or {}):
        raise TokenError(
            f"{workspace_url} offers no OAuth sign-in (HTTP {answer.status})",
            hint="Check that it is the URL of a Databricks workspace",
        )
    elsewhere = foreign_endpoint(workspace_url, answer.body or {})
    if elsewhere:
        raise TokenError(f"{workspace_url} {elsewhere}", hint=FOREIGN_WAY_OUT)


FOREIGN_WAY_OUT = "Nothing was sent there. Check that it is the URL of your workspace, and what answers in its place"


def foreign_endpoint(workspace_url: str, metadata: Mapping[str, Any]) -> str:
    """What is wrong with OAuth metadata that would have secrets sent elsewhere than to the workspace, or in the clear."""
    from .. import web
    from .https import LONGEST_NAME

    for name in _ENDPOINTS:
        given = metadata.get(name)
        if name in metadata and not web.same_origin(given, workspace_url):
            shown = careful.line(given, LONGEST_NAME)
            return f"names {shown} as its {name.replace('_', ' ')}, which is not its own"
    return ""


def _json(content: bytes | None) -> dict[str, Any] | None:
    try:
        found = json.loads(content or b"")
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
