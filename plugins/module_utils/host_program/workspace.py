# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTPS request to the workspace, and one sentence for each way in which it can fail. The standard library only."""

from __future__ import annotations

import json
import socket
import ssl
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn

from .. import careful, web
from .token import TokenError

TIMEOUT_SECONDS = 10.0
USER_AGENT = "fmapi-coding-agents"
_MOST_BYTES = 1 << 20
_LONGEST_NAME = 100
OAUTH_METADATA = "/oidc/.well-known/oauth-authorization-server"
_ENDPOINTS = ("token_endpoint", "authorization_endpoint")

_CLOCK = (9, 10)
"""OpenSSL's codes for a certificate that is not yet valid, or not any more."""


class Answer(NamedTuple):
    """``body`` is the JSON object of the answer, or None where it holds none; ``retry_after`` is in seconds."""

    status: int
    body: dict[str, Any] | None
    retry_after: int | None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A workspace does not redirect what we ask; credentials are not sent to wherever an answer points."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> None:
        asked = urllib.parse.urlsplit(req.full_url)
        fp.close()
        host = careful.line(urllib.parse.urlsplit(newurl).netloc, _LONGEST_NAME) or "elsewhere"
        raise TokenError(
            f"{asked.scheme}://{asked.netloc} redirects to {host}: it is not the workspace's own URL",
            hint="Use the URL it redirects to",
        )


def ask(
    workspace_url: str,
    path: str,
    authorization: str | None,
    ca_file: str | None = None,
    form: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT_SECONDS,
) -> Answer:
    """GET, or with a ``form`` POST. Any HTTP status is an answer; raises TokenError when there was none within ``timeout`` seconds."""
    headers = {"Accept": "application/json", "User-Agent": USER_AGENT}
    if authorization is not None:
        headers["Authorization"] = authorization
    data = None if form is None else urllib.parse.urlencode(form).encode()
    request = urllib.request.Request(workspace_url + path, data=data, headers=headers)
    try:
        reply = web.ask(request, timeout, _MOST_BYTES, _tls(ca_file), _NoRedirect())
    except web.NoHttp:
        return Answer(200, None, None)  # as useless as an answer without JSON
    except OSError as error:
        _unreachable(workspace_url, error, ca_file, timeout)
    return Answer(reply.status, _json(reply.body), web.seconds_to_wait(reply.headers.get("Retry-After")))


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
    for name in _ENDPOINTS:
        given = metadata.get(name)
        if name in metadata and not web.same_origin(given, workspace_url):
            shown = careful.line(given, _LONGEST_NAME)
            return f"names {shown} as its {name.replace('_', ' ')}, which is not its own"
    return ""


def _json(content: bytes | None) -> dict[str, Any] | None:
    try:
        found = json.loads(content or b"")
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _tls(ca_file: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if ca_file:
        try:
            context.load_verify_locations(cafile=ca_file)
        except OSError as error:
            raise TokenError(
                f"the CA file {ca_file} cannot be used ({error})", hint="Set coding_agents_ca_file to a PEM file"
            ) from None
    return context


def _unreachable(workspace_url: str, error: OSError, ca_file: str | None, timeout: float) -> NoReturn:
    reason = getattr(error, "reason", error)
    if isinstance(reason, ssl.SSLCertVerificationError):
        if reason.verify_code in _CLOCK:
            hint = "Check this host's clock"
        elif ca_file:
            hint = f"Check that {ca_file} holds its CA"
        else:
            hint = "If your company has its own CA, set coding_agents_ca_file"
        raise TokenError(
            f"the certificate of {workspace_url} is not trusted ({reason.verify_message})", hint=hint
        ) from None
    if isinstance(reason, socket.gaierror):
        raise TokenError(
            f"the name in {workspace_url} cannot be resolved", hint="Check the URL and this host's DNS"
        ) from None
    if isinstance(reason, (socket.timeout, TimeoutError)):
        raise TokenError(
            f"{workspace_url} did not answer within {timeout:.0f} s", hint="Check network, proxy and VPN"
        ) from None
    why = getattr(reason, "strerror", None) or reason  # without the number, which is another on each system
    raise TokenError(f"{workspace_url} cannot be reached ({why})", hint="Check network, proxy and VPN") from None
