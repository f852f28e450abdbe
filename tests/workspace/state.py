# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""Everything the simulated workspace remembers. All of it is touched from the one event loop only, so nothing locks."""

from __future__ import annotations

import base64
import json
import secrets
import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from .catalogue import Endpoint, default_endpoints
from .federation import IdentityProvider, Policy

#: Requests kept in the log; older ones fall out (their numbers are not given again).
LOG_LIMIT = 50_000
#: Lifetime of an authorization code, in seconds.
CODE_LIFETIME = 60.0


@dataclass(frozen=True)
class Identity:
    """Someone the workspace knows: the signed-in user or the service principal."""

    kind: str  # "user" or "service_principal"
    id: str
    user_name: str
    display_name: str


@dataclass
class Credential:
    """An access token (OAuth or personal) that was given out. ``expires`` is in epoch seconds, None for never."""

    secret: str
    identity: Identity
    expires: float | None
    kind: str = "oauth"  # or "pat"
    revoked: bool = False
    sign_in: str | None = None  # the SignIn it came from
    token_id: str = ""  # the four below: personal access tokens only
    comment: str = ""
    created: float = field(default_factory=time.time)

    @property
    def state(self) -> str:
        """``valid``, ``expired`` or ``revoked``."""
        if self.revoked:
            return "revoked"
        if self.expires is not None and time.time() >= self.expires:
            return "expired"
        return "valid"


@dataclass
class SignIn:
    """One browser sign-in: a family of refresh tokens of which only the newest is good."""

    id: str
    identity: Identity
    client_id: str
    scope: str
    revoked: bool = False


@dataclass
class RefreshToken:
    secret: str
    sign_in: str
    used: bool = False


@dataclass
class AuthorizationCode:
    """A code from the authorize endpoint, bound to its client, redirect and PKCE challenge; good once."""

    code: str
    client_id: str
    redirect_uri: str
    challenge: str
    scope: str
    identity: Identity
    created: float = field(default_factory=time.time)
    used: bool = False


@dataclass
class Failure:
    """``count`` coming requests under ``path_prefix`` answer ``status``, with a Retry-After header if one is given."""

    path_prefix: str
    status: int
    count: int = 1
    retry_after: int | None = None
    method: str | None = None


@dataclass
class Delay:
    path_prefix: str
    seconds: float


@dataclass
class Control:
    """What a test has told the workspace to do. The defaults are a workspace in good health."""

    token_lifetime: float = 3600.0
    refuse_with: int = 401
    clock_ahead: float = 0.0
    deny_sign_in: bool = False
    reuse_revokes: bool = True
    gateway: bool = True
    strict: bool = False
    model_services: bool = True
    codex_models: bool = True
    enforces_gateway: bool = False
    redirect_to: str | None = None
    hang: str | None = None
    delay: Delay | None = None
    fail_next: list[Failure] = field(default_factory=list)
    federation_policies: tuple[Policy, ...] = ()
    look_for: tuple[str, ...] = ()


class State:
    """The whole workspace. ``client_id`` and ``client_secret`` are the service principal's."""

    workspace_id = "6051921418418893"
    account_id = "2b6f7c1e-5d7f-4f6e-9c0a-6f5c2b1d9e30"

    def __init__(self, client_id: str, client_secret: str, admin_token: str) -> None:
        self.client_id = client_id
        self.client_secret = client_secret
        self.admin_token = admin_token
        self.user = Identity("user", "5144712904471629", "developer@example.com", "Workspace developer")
        self.service_principal = Identity("service_principal", "7390215584120016", client_id, "coding-agents")
        self.identity_provider = IdentityProvider()
        self._counter = 0
        self.reset()

    def reset(self) -> None:
        """Back to the start: no tokens, no sign-ins, an empty log, every endpoint and switch as at the beginning."""
        self.control = Control()
        self.endpoints: dict[str, Endpoint] = {e.name: e for e in default_endpoints()}
        self.services: dict[str, Endpoint] = {}  # model services in schemas of the company's own, by full name
        self.credentials: dict[str, Credential] = {}
        self.sign_ins: dict[str, SignIn] = {}
        self.refresh_tokens: dict[str, RefreshToken] = {}
        self.codes: dict[str, AuthorizationCode] = {}
        self.oidc_tokens: set[str] = set()
        self.log: deque[dict[str, Any]] = deque(maxlen=LOG_LIMIT)

    # -- tokens -----------------------------------------------------------------------------------------------------

    def issue_access_token(
        self, identity: Identity, sign_in: str | None = None, lifetime: float | None = None
    ) -> tuple[str, int]:
        """A new OAuth access token, shaped like the JWTs of Databricks, and its lifetime in whole seconds."""
        seconds = self.control.token_lifetime if lifetime is None else lifetime
        now = time.time()
        claims = {"sub": identity.user_name, "iat": int(now), "exp": int(now + seconds), "jti": str(uuid.uuid4())}
        secret = ".".join((_b64({"alg": "RS256", "typ": "at+jwt"}), _b64(claims), secrets.token_urlsafe(64)))
        self.credentials[secret] = Credential(secret, identity, now + seconds, sign_in=sign_in)
        return secret, int(seconds)

    def issue_personal_token(self, identity: Identity, lifetime: float | None, comment: str) -> Credential:
        """A new personal access token; without a ``lifetime`` it does not expire."""
        secret = f"dapi{secrets.token_hex(16)}"
        expires = None if lifetime is None else time.time() + lifetime
        token = Credential(secret, identity, expires, "pat", token_id=secrets.token_hex(32), comment=comment)
        self.credentials[secret] = token
        return token

    def issue_oidc_token(self, claims: dict[str, Any]) -> str:
        """A workload's token, as its own platform's identity provider gives it."""
        token = self.identity_provider.sign(claims)
        self.oidc_tokens.add(token)
        return token

    def issue_refresh_token(self, sign_in: SignIn) -> str:
        secret = f"dort{secrets.token_urlsafe(32)}"
        self.refresh_tokens[secret] = RefreshToken(secret, sign_in.id)
        return secret

    def start_sign_in(self, identity: Identity, client_id: str, scope: str) -> SignIn:
        sign_in = SignIn(str(uuid.uuid4()), identity, client_id, scope)
        self.sign_ins[sign_in.id] = sign_in
        return sign_in

    def revoke_sign_in(self, sign_in: SignIn) -> None:
        """End a sign-in for good, with every access token that came from it."""
        sign_in.revoked = True
        for credential in self.credentials.values():
            if credential.sign_in == sign_in.id:
                credential.revoked = True

    def token_state(self, secret: str | None) -> str:
        """``none``, ``valid``, ``unknown``, ``expired`` or ``revoked`` for the value of a Bearer header."""
        if not secret:
            return "none"
        credential = self.credentials.get(secret)
        return credential.state if credential else "unknown"

    # -- the request log --------------------------------------------------------------------------------------------

    def new_record(self, **fields: Any) -> dict[str, Any]:
        """Append an entry to the log and return it, so that it can be completed when the answer is known."""
        self._counter += 1
        record: dict[str, Any] = {"n": self._counter, "time": time.time(), **fields}
        self.log.append(record)
        return record

    def scrub(self, text: str) -> str:
        """``text``, or in its place a mark if it holds a secret."""
        return "[secret]" if self.holds_secret(text) else text

    def holds_secret(self, text: str) -> bool:
        """Whether ``text`` contains any secret the workspace ever gave out or knows."""
        if self.client_secret in text or self.admin_token in text:
            return True
        return any(s in text for s in (*self.credentials, *self.refresh_tokens, *self.oidc_tokens))


def _b64(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).decode().rstrip("=")
