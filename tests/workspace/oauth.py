# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""Discovery, browser sign-in and the token endpoint.

What databricks-sdk asks for is in its ``oauth.py`` (``HostMetadata``, ``OidcEndpoints``, ``Consent``,
``retrieve_token``); the authorize request of the Databricks CLI is the same with ``client_id=databricks-cli``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import time
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from . import federation
from .errors import OAuthError
from .gate import record_of
from .state import CODE_LIFETIME, AuthorizationCode, SignIn, State

#: The public client that the Databricks CLI and databricks-sdk sign in as; its redirect is any loopback port.
PUBLIC_CLIENT = "databricks-cli"
#: Databricks answers ``invalid_request`` (not ``invalid_grant``) here, and its CLI looks for these very words.
REFRESH_INVALID = OAuthError(400, "invalid_request", "Refresh token is invalid")


def _base_url(request: Request) -> str:
    return f"https://{request.headers['host']}"


async def host_metadata(request: Request) -> Response:
    """``GET /.well-known/databricks-config``: the fields of databricks-sdk's ``HostMetadata``."""
    state: State = request.app.state.workspace
    return JSONResponse(
        {
            "oidc_endpoint": f"{_base_url(request)}/oidc",
            "account_id": state.account_id,
            "workspace_id": state.workspace_id,
            "cloud": "AWS",
            "host_type": "workspace",
            "token_federation_default_oidc_audiences": [f"{_base_url(request)}/oidc/v1/token"],
        }
    )


async def server_metadata(request: Request) -> Response:
    """``GET /oidc/.well-known/oauth-authorization-server`` (RFC 8414)."""
    issuer = f"{_base_url(request)}/oidc"
    return JSONResponse(
        {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/v1/authorize",
            "token_endpoint": f"{issuer}/v1/token",
            "jwks_uri": f"{issuer}/jwks.json",
            "response_types_supported": ["code"],
            "grant_types_supported": ["client_credentials", "authorization_code", "refresh_token", federation.GRANT],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
            "scopes_supported": ["all-apis", "offline_access", "openid", "profile", "email"],
        }
    )


async def authorize(request: Request) -> Response:
    """``GET /oidc/v1/authorize``: acts as a browser in which the user is signed in already and approves at once.

    A wrong client or redirect is answered here (a redirect there would serve an attacker); every other fault goes to
    the redirect URI as ``error`` and ``error_description``, with ``state`` (RFC 6749, section 4.1.2.1).
    """
    state: State = request.app.state.workspace
    query = request.query_params
    redirect_uri = query.get("redirect_uri", "")
    target = urlsplit(redirect_uri)
    if query.get("client_id") != PUBLIC_CLIENT:
        raise OAuthError(400, "invalid_client", "OAuth application with client_id is not available")
    if target.scheme != "http" or target.hostname not in ("localhost", "127.0.0.1") or target.fragment:
        raise OAuthError(400, "invalid_request", "redirect_uri is not registered for the OAuth application")

    answer = {"state": query["state"]} if "state" in query else {}
    if query.get("response_type") != "code":
        answer |= {"error": "unsupported_response_type", "error_description": "response_type must be code"}
    elif not query.get("code_challenge") or query.get("code_challenge_method") != "S256":
        answer |= {"error": "invalid_request", "error_description": "PKCE with code_challenge_method S256 is required"}
    elif state.control.deny_sign_in:
        answer |= {"error": "access_denied", "error_description": "The user denied the request"}
    else:
        code = AuthorizationCode(
            code=secrets.token_urlsafe(32),
            client_id=PUBLIC_CLIENT,
            redirect_uri=redirect_uri,
            challenge=query["code_challenge"],
            scope=query.get("scope", "all-apis"),
            identity=state.user,
        )
        state.codes[code.code] = code
        answer["code"] = code.code
    joiner = "&" if target.query else "?"
    return RedirectResponse(f"{redirect_uri}{joiner}{urlencode(answer)}", 302)


async def token(request: Request) -> Response:
    """``POST /oidc/v1/token``; the log entry gets the ``grant`` asked for, and ``error`` when it is refused."""
    form = dict(parse_qsl((await request.body()).decode("latin-1")))
    grant = form.get("grant_type", "")
    record = record_of(request)
    record["grant"] = grant if grant in _GRANTS else "unsupported"
    try:
        if grant not in _GRANTS:
            raise OAuthError(400, "unsupported_grant_type", "The grant_type is not supported")
        answer = _GRANTS[grant](request, form)
    except OAuthError as refusal:
        record["error"] = refusal.error
        raise
    return JSONResponse(answer, headers={"cache-control": "no-store"})


def _field(form: dict[str, str], name: str) -> str:
    value = form.get(name)
    if not value:
        raise OAuthError(400, "invalid_request", f"{name} is required")
    return value


def _client(request: Request, form: dict[str, str]) -> tuple[str, str | None]:
    """Client id and secret, from HTTP basic auth or from the form (RFC 6749, section 2.3.1)."""
    scheme, _space, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            client_id, _colon, secret = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise OAuthError(401, "invalid_client", "Client authentication failed") from None
        return client_id, secret
    return form.get("client_id", ""), form.get("client_secret")


def _client_credentials(request: Request, form: dict[str, str]) -> dict[str, object]:
    state: State = request.app.state.workspace
    client_id, secret = _client(request, form)
    known = hmac.compare_digest(client_id.encode(), state.client_id.encode())
    if not known or not hmac.compare_digest((secret or "").encode(), state.client_secret.encode()):
        raise OAuthError(401, "invalid_client", "Client authentication failed")
    access_token, lifetime = state.issue_access_token(state.service_principal)
    scope = form.get("scope") or "all-apis"
    return {"access_token": access_token, "token_type": "Bearer", "expires_in": lifetime, "scope": scope}


def _token_exchange(request: Request, form: dict[str, str]) -> dict[str, object]:
    """RFC 8693 with a workload's JWT: with a client id as that service principal, without as the user it names."""
    state: State = request.app.state.workspace
    client_id, _secret_given = _client(request, form)
    if _field(form, "subject_token_type") != federation.SUBJECT_TOKEN_TYPE:
        raise OAuthError(400, "invalid_request", "subject_token_type is not supported")
    presented = _field(form, "subject_token")
    policies = state.control.federation_policies
    subject = federation.subject_of(state.identity_provider, policies, presented, account_wide=not client_id)
    identity = state.service_principal if client_id else state.user
    if (client_id or subject) != identity.user_name:
        raise OAuthError(400, "invalid_grant", "No such service principal or user in this workspace")
    access_token, lifetime = state.issue_access_token(identity)
    return {
        "access_token": access_token,
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "token_type": "Bearer",
        "expires_in": lifetime,
        "scope": form.get("scope") or "all-apis",
    }


def _authorization_code(request: Request, form: dict[str, str]) -> dict[str, object]:
    state: State = request.app.state.workspace
    client_id, _secret_given = _client(request, form)
    code = state.codes.get(_field(form, "code"))
    verifier = _field(form, "code_verifier")
    if code is None or code.used or time.time() - code.created > CODE_LIFETIME:
        raise OAuthError(400, "invalid_grant", "Authorization code is invalid or expired")
    # The code is spent by the attempt, right or wrong: guessing the verifier is not to be possible.
    code.used = True
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    if code.client_id != client_id or code.redirect_uri != form.get("redirect_uri"):
        raise OAuthError(400, "invalid_grant", "Authorization code was issued to another client or redirect_uri")
    if not hmac.compare_digest(challenge.encode(), code.challenge.encode()):
        raise OAuthError(400, "invalid_grant", "PKCE verification failed")
    return _signed_in(state, state.start_sign_in(code.identity, client_id, code.scope))


def _refresh_token(request: Request, form: dict[str, str]) -> dict[str, object]:
    """Every use gives a new refresh token and spends the old one.

    A spent one that comes again is refused; with ``reuse_revokes`` it also ends the whole sign-in, as a server must
    that cannot know which of the two holders is the thief (RFC 9700, section 4.14.2).
    """
    state: State = request.app.state.workspace
    client_id, _secret_given = _client(request, form)
    presented = state.refresh_tokens.get(_field(form, "refresh_token"))
    if presented is None:
        raise REFRESH_INVALID
    sign_in = state.sign_ins[presented.sign_in]
    if presented.used and state.control.reuse_revokes:
        state.revoke_sign_in(sign_in)
    if presented.used or sign_in.revoked or sign_in.client_id != client_id:
        raise REFRESH_INVALID
    presented.used = True
    return _signed_in(state, sign_in)


def _signed_in(state: State, sign_in: SignIn) -> dict[str, object]:
    access_token, lifetime = state.issue_access_token(sign_in.identity, sign_in.id)
    answer: dict[str, object] = {
        "access_token": access_token,
        "token_type": "Bearer",
        "expires_in": lifetime,
        "scope": sign_in.scope,
    }
    if "offline_access" in sign_in.scope.split():
        answer["refresh_token"] = state.issue_refresh_token(sign_in)
    return answer


_GRANTS = {
    "client_credentials": _client_credentials,
    "authorization_code": _authorization_code,
    "refresh_token": _refresh_token,
    federation.GRANT: _token_exchange,
}

routes = [
    Route("/.well-known/databricks-config", host_metadata),
    Route("/oidc/.well-known/oauth-authorization-server", server_metadata),
    Route("/oidc/v1/authorize", authorize),
    Route("/oidc/v1/token", token, methods=["POST"]),
]
