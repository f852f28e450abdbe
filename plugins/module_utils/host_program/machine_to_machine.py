# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OAuth machine-to-machine: a service principal's client id and secret for an access token.

``POST {workspace}/oidc/v1/token`` with basic authentication, form ``grant_type=client_credentials&scope=all-apis``.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import socket
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, NoReturn

from .token import RETRY_MAY_HELP, Token, TokenError, token_text

TIMEOUT_SECONDS = 10.0
_MOST_BYTES = 1 << 20


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A workspace's token endpoint does not redirect; credentials are not sent to wherever it points."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> None:
        host = urllib.parse.urlsplit(newurl).netloc or "elsewhere"
        raise TokenError(
            f"{_origin(req.full_url)} redirects to {host}: it is not the workspace's own URL",
            hint="Use the URL it redirects to",
        )


def request_token(
    workspace_url: str, client_id: str, client_secret: str, ca_file: str | None = None, timeout: float = TIMEOUT_SECONDS
) -> Token:
    """Ask for one token. Raises TokenError with what failed and the way out."""
    form = urllib.parse.urlencode({"grant_type": "client_credentials", "scope": "all-apis"}).encode()
    credentials = f"{client_id}:{client_secret}"
    request = urllib.request.Request(
        f"{workspace_url}/oidc/v1/token",
        data=form,
        headers={
            "Authorization": "Basic " + base64.b64encode(credentials.encode()).decode(),
            "Accept": "application/json",
            "User-Agent": "fmapi-coding-agents",
        },
    )
    handler = urllib.request.HTTPSHandler(context=_tls(ca_file))
    try:
        with urllib.request.build_opener(handler, _NoRedirect).open(request, timeout=timeout) as answer:
            body = json.loads(answer.read(_MOST_BYTES))
        return Token(token_text(body["access_token"]), int(time.time() + float(body["expires_in"])))
    except urllib.error.HTTPError as error:
        _refused(workspace_url, error)
    except (urllib.error.URLError, TimeoutError, ConnectionError, OSError) as error:
        _unreachable(workspace_url, error, ca_file, timeout)
    except (ValueError, KeyError, TypeError, OverflowError, http.client.HTTPException):
        raise TokenError(
            f"{workspace_url} answered the token request with something that is no token",
            hint="Check that it is the URL of a Databricks workspace",
        ) from None


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


def _refused(workspace_url: str, error: urllib.error.HTTPError) -> NoReturn:
    code = ""
    with contextlib.suppress(ValueError, AttributeError, OSError):
        code = str(json.loads(error.read(_MOST_BYTES)).get("error", ""))[:60]
    if error.code in (400, 401, 403) and code in ("invalid_client", "unauthorized_client", "invalid_grant", ""):
        raise TokenError(
            f"{workspace_url} refused the service principal's client id or secret (HTTP {error.code})",
            hint="Check coding_agents_client_id and coding_agents_client_secret, then run the rollout again",
        ) from None
    retry = error.headers.get("Retry-After")
    when = f", retry after {int(retry)} s" if retry and retry.isdigit() else ""
    raise TokenError(
        f"{workspace_url} answered the token request with HTTP {error.code}{f' ({code})' if code else ''}{when}",
        RETRY_MAY_HELP,
    ) from None


def _unreachable(workspace_url: str, error: Exception, ca_file: str | None, timeout: float) -> NoReturn:
    reason = getattr(error, "reason", error)
    if isinstance(reason, ssl.SSLCertVerificationError):
        hint = (
            f"Check that {ca_file} holds its CA"
            if ca_file
            else "If your company has its own CA, set coding_agents_ca_file"
        )
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
    raise TokenError(f"{workspace_url} cannot be reached ({reason})", hint="Check network, proxy and VPN") from None


def _origin(url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
