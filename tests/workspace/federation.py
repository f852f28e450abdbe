# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""Token federation: whose OIDC tokens the account trusts, an identity provider that makes them, and their exchange.

The fields of a policy are those of Databricks' API (``issuer``, ``audiences``, ``subject``). Databricks documents that a token must
match them all, and not in which words it refuses one: the words here are ours, the code is RFC 6749's ``invalid_grant``.
"""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from .errors import OAuthError

GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
SUBJECT_TOKEN_TYPE = "urn:ietf:params:oauth:token-type:jwt"


@dataclass(frozen=True)
class Policy:
    """Which tokens stand for someone: the service principal's own policy, or with ``account_wide`` one for users by name."""

    issuer: str
    audiences: tuple[str, ...]
    subject: str = ""
    account_wide: bool = False


class IdentityProvider:
    """Signs OIDC tokens; the workspace has its key, as from the issuer's JWKS document."""

    @cached_property
    def _key(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def sign(self, claims: dict[str, Any]) -> str:
        signed = f"{_encoded({'alg': 'RS256', 'typ': 'JWT', 'kid': 'one'})}.{_encoded(claims)}"
        return f"{signed}.{_text(self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    def verified(self, token: str) -> dict[str, Any]:
        """The claims of a token whose signature is good. Raises ValueError for any other."""
        signed, _dot, signature = token.rpartition(".")
        header, _dot, claims = signed.partition(".")
        try:
            if json.loads(_bytes(header)).get("alg") != "RS256":
                raise ValueError("algorithm")
            self._key.public_key().verify(_bytes(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
            found: dict[str, Any] = json.loads(_bytes(claims))
        except (InvalidSignature, AttributeError) as error:
            raise ValueError("signature") from error
        return found


def subject_of(provider: IdentityProvider, policies: tuple[Policy, ...], token: str, account_wide: bool) -> str:
    """The subject of a token that a policy of this kind admits.

    :raises OAuthError: as the token endpoint answers it.
    """
    try:
        claims = provider.verified(token)
    except ValueError:
        raise OAuthError(400, "invalid_request", "The subject_token is not a JWT with a valid signature") from None
    if not isinstance(claims.get("exp"), int | float) or claims["exp"] <= time.time():
        raise OAuthError(400, "invalid_grant", "The subject_token is expired")
    named = claims.get("aud")
    audiences = set(named if isinstance(named, list) else [named])
    for policy in policies:
        if policy.account_wide != account_wide or policy.issuer != claims.get("iss"):
            continue
        if audiences & set(policy.audiences) and (account_wide or policy.subject == claims.get("sub")):
            return str(claims.get("sub"))
    raise OAuthError(400, "invalid_grant", "No federation policy matches the issuer, audience and subject of the token")


def _encoded(value: dict[str, Any]) -> str:
    return _text(json.dumps(value, separators=(",", ":")).encode())


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
