# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an owner's identity can get a token now, as far as can be told without asking anybody (no request, no CLI)."""

from __future__ import annotations

import time
from typing import Any

from ..documents.base import MISSING
from ..documents.ini_document import IniDocument
from ..errors import OperatorError
from . import token_cache, user_sign_in
from .config import Config
from .token import Token, TokenError

WHO_AM_I = "/api/2.0/preview/scim/v2/Me"

IDENTITIES = ("user", "service_principal")

ACTIVE, EXPIRED, ABSENT, UNKNOWN = "active", "expired", "absent", "unknown"


def look(config: Config, environment: dict[str, str]) -> dict[str, Any]:
    """``{"state", "expires_at" (seconds since the epoch or None), "user", "detail"}``. Reads files only."""
    cached = token_cache.load(config)
    user: str | None = None
    credentials: tuple[str, str] | None = None
    if config.identity == "service_principal":
        try:
            credentials = credentials_in_profile(config)
        except (TokenError, OSError):
            credentials = None
        if credentials is None:
            return _session(
                ABSENT, None, None, f"profile {config.profile} in {config.databrickscfg} holds no client id and secret"
            )
        user = credentials[0]
    if cached and cached.token.expires_at > time.time():
        return _session(ACTIVE, cached.token, user, "a token is at hand")
    if config.identity == "service_principal":
        return _session(UNKNOWN, None, user, "no token at hand; the next call asks for one")
    if user_sign_in.find_cli(config.home, environment) is None:
        return _session(UNKNOWN, None, None, "the Databricks CLI is not installed")
    return _session(UNKNOWN, None, None, "no token at hand; sign in with: " + config.sign_in_command())


def token(config: Config, environment: dict[str, str]) -> Token:
    """A token that can be used now: from the cache, or asked for. Raises TokenError."""
    return token_cache.get(
        config, lambda force: request(config, environment, force), lambda found: is_refused(config, found)
    )


def request(config: Config, environment: dict[str, str], force: bool = False) -> Token:
    """Ask the identity's own source for a token; ``force`` says that the one at hand was refused. Raises TokenError."""
    if config.identity == "service_principal":
        from . import machine_to_machine  # TLS costs more than all that the look imports: only who asks pays for it

        client_id, client_secret = credentials_in_profile(config)
        return machine_to_machine.request_token(config.workspace_url, client_id, client_secret, config.ca_file)
    return user_sign_in.request_token(config, environment, force)


def is_refused(config: Config, token: Token) -> bool:
    """Whether the workspace refuses the token: one cheap GET. Where it does not answer, nothing is known against the token."""
    from . import workspace

    try:
        return workspace.ask(config.workspace_url, WHO_AM_I, f"Bearer {token.value}", config.ca_file).status in (
            401,
            403,
        )
    except TokenError:
        return False


def credentials_in_profile(config: Config) -> tuple[str, str]:
    """The service principal's client id and secret. Raises TokenError when the profile does not hold them."""
    again = "Run the rollout again"
    try:
        with open(config.databrickscfg, "rb") as stream:
            document = IniDocument(stream.read())
        host, client_id, client_secret = (
            document.get((config.profile, key)) for key in ("host", "client_id", "client_secret")
        )
    except OSError as error:
        raise TokenError(f"{config.databrickscfg} cannot be read ({error.strerror})", hint=again) from None
    except OperatorError as error:
        raise TokenError(f"{config.databrickscfg}: {error}", hint=again) from None
    if MISSING in (host, client_id, client_secret):
        raise TokenError(
            f"profile {config.profile} in {config.databrickscfg} holds no client id and secret", hint=again
        )
    if host.rstrip("/") != config.workspace_url:
        raise TokenError(f"profile {config.profile} in {config.databrickscfg} names another workspace", hint=again)
    return client_id, client_secret


def _session(state: str, token: Token | None, user: str | None, detail: str) -> dict[str, Any]:
    return {"state": state, "expires_at": token.expires_at if token else None, "user": user, "detail": detail}
