# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OAuth machine-to-machine: a service principal's client id and secret for an access token.

``POST {workspace}/oidc/v1/token`` with basic authentication, form ``grant_type=client_credentials&scope=all-apis``.
"""

from __future__ import annotations

import base64
import time
from typing import NoReturn

from . import workspace
from .token import (
    RETRY_MAY_HELP,
    Token,
    TokenError,
    expiry_in,
    token_text,
)

TOKEN_PATH = "/oidc/v1/token"  # noqa: S105 - a path, no password


def request_token(
    workspace_url: str,
    client_id: str,
    client_secret: str,
    ca_file: str | None = None,
    timeout: float = workspace.TIMEOUT_SECONDS,
) -> Token:
    """Ask for one token. Raises TokenError with what failed and the way out."""
    credentials = base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()
    form = {"grant_type": "client_credentials", "scope": "all-apis"}
    answer = workspace.ask(workspace_url, TOKEN_PATH, f"Basic {credentials}", ca_file, form, timeout)
    if answer.status >= 400:
        _refused(workspace_url, answer)
    return token_in(workspace_url, answer)


def token_in(workspace_url: str, answer: workspace.Answer) -> Token:
    """The token of a token endpoint's answer."""
    try:
        body = answer.body or {}
        return Token(token_text(body["access_token"]), expiry_in(body["expires_in"], time.time()))
    except (ValueError, KeyError):
        raise TokenError(
            f"{workspace_url} answered the token request with something that is no token",
            hint="Check that it is the URL of a Databricks workspace",
        ) from None


def _refused(workspace_url: str, answer: workspace.Answer) -> NoReturn:
    code = str((answer.body or {}).get("error", ""))[:60]
    if answer.status in (400, 401, 403) and code in ("invalid_client", "unauthorized_client", "invalid_grant", ""):
        raise TokenError(
            f"{workspace_url} refused the service principal's client id or secret (HTTP {answer.status})",
            hint="Check coding_agents_client_id and coding_agents_client_secret, then run the rollout again",
        )
    if code in ("access_denied", "invalid_scope"):
        raise TokenError(
            f"{workspace_url} does not give the service principal the scope all-apis (HTTP {answer.status}, {code})",
            hint="Make an OAuth secret with that scope, set coding_agents_client_secret and run the rollout again",
        )
    when = f", retry after {answer.retry_after} s" if answer.retry_after is not None else ""
    said = f" ({code})" if code else ""
    raise TokenError(
        f"{workspace_url} answered the token request with HTTP {answer.status}{said}{when}",
        RETRY_MAY_HELP,
        "Check that it is the URL of a Databricks workspace" if answer.status == 404 else None,
    )
