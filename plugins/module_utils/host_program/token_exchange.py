# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workload identity federation: a workload's own OIDC token for an access token, as databricks-sdk does it (RFC 8693).

``POST {workspace}/oidc/v1/token`` without credentials of its own: the OIDC token is the credential, and a federation policy in
the Databricks account says which issuer, subject and audience stand for which service principal.
"""

from __future__ import annotations

import base64
import json
import time
from typing import Any, NoReturn

from .. import careful
from . import oidc_source, workspace
from .config import Config
from .machine_to_machine import TOKEN_PATH, token_in
from .token import RETRY_MAY_HELP, Token, TokenError

_GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
_JWT = "urn:ietf:params:oauth:token-type:jwt"


def request_token(config: Config, oidc_token: str) -> Token:
    """Exchange an OIDC token. Raises TokenError with what failed and the way out; never with the token in it."""
    form = {"grant_type": _GRANT, "subject_token": oidc_token, "subject_token_type": _JWT, "scope": "all-apis"}
    if config.client_id:
        form["client_id"] = config.client_id
    answer = workspace.ask(config.workspace_url, TOKEN_PATH, None, config.ca_file, form)
    if answer.status >= 400:
        _refused(config, oidc_token, answer)
    return token_in(config.workspace_url, answer)


def _refused(config: Config, oidc_token: str, answer: workspace.Answer) -> NoReturn:
    code = str((answer.body or {}).get("error", ""))[:60]
    said = f"HTTP {answer.status}" + (f", {code}" if code else "")
    if answer.status not in (400, 401, 403):
        when = f", retry after {answer.retry_after} s" if answer.retry_after is not None else ""
        raise TokenError(f"{config.workspace_url} answered the token exchange with {said}{when}", RETRY_MAY_HELP)
    source = oidc_source.source_of(config)
    claims = _claims(oidc_token)
    if _is_past(claims.get("exp")):
        raise TokenError(f"the OIDC token has expired that {source.name} {source.holds}", hint=source.way_out)
    whom = f"service principal {config.client_id}" if config.client_id else "the account"
    named = ", ".join(f"{name} {_shown(claims.get(key))}" for name, key in _NAMES.items())
    raise TokenError(
        f"{config.workspace_url} refused to exchange the OIDC token of {source.name} ({said})",
        hint=f"Give {whom} a federation policy for {named}, or correct coding_agents_client_id",
    )


_NAMES = {"issuer": "iss", "subject": "sub", "audience": "aud"}


def _claims(oidc_token: str) -> dict[str, Any]:
    """What the token says of itself, unverified: only to explain a refusal with."""
    try:
        part = oidc_token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, IndexError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _is_past(expiry: object) -> bool:
    return isinstance(expiry, (int, float)) and expiry <= time.time()


def _shown(claim: object) -> str:
    text = ", ".join(map(str, claim)) if isinstance(claim, list) else str(claim or "-")
    return careful.line(text, 100)
