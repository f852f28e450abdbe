# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an owner's identity can get a token now, as far as can be told without asking anybody (no request, no CLI)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from . import token_cache
from .config import Config
from .token import PERSON_MUST_SIGN_IN, Token, TokenError, TokenRefused

if TYPE_CHECKING:
    from .workspace import Answer

WHO_AM_I = "/api/2.0/preview/scim/v2/Me"

IDENTITIES = ("user", "service_principal", "workload_identity", "pat")

_PAT_READ_AGAIN_SECONDS = 3600
"""A personal access token has no expiry that a host could know: it is read, and tried, anew every hour."""

ACTIVE, EXPIRED, ABSENT, UNKNOWN = "active", "expired", "absent", "unknown"


def look(config: Config, environment: dict[str, str]) -> dict[str, Any]:
    """``{"state", "expires_at" (seconds since the epoch or None), "user", "detail"}``. Reads files only."""
    from . import oidc_source, profile, user_sign_in

    cached = token_cache.load(config)
    try:
        if config.identity == "service_principal":
            profile.client_secret(config)
        elif config.identity == "pat":
            profile.personal_access_token(config)
        elif config.identity == "workload_identity" and config.oidc_token_file:
            oidc_source.read(config, environment)
    except TokenError as error:
        return _session(ABSENT, None, config.client_id, str(error))
    if cached and cached.token.expires_at > time.time():
        expiring = cached.token if config.identity != "pat" else None
        failure = token_cache.last_failure(config)
        detail = f"a token is at hand, but no new one: {failure}" if failure else "a token is at hand"
        return _session(ACTIVE, expiring, config.client_id, detail)
    if config.identity != "user":
        return _session(UNKNOWN, None, config.client_id, "no token at hand; the next call asks for one")
    if user_sign_in.find_cli(config, environment) is None:
        return _session(UNKNOWN, None, None, "the Databricks CLI is not installed")
    return _session(UNKNOWN, None, None, "no token at hand; sign in with: " + config.sign_in_command())


def token(config: Config, environment: dict[str, str]) -> Token:
    """A token that can be used now: from the cache, or asked for. Raises TokenError.

    Of a hundred callers one asks: what only that one needs is imported late, here and below.
    """
    return token_cache.get(
        config, lambda refused: request(config, environment, refused), lambda found: is_refused(config, found)
    )


def new_token(config: Config, environment: dict[str, str], refused: Token | None = None) -> Token:
    """What the identity's own source gives now, whatever is in the cache: another than the ``refused`` one. Raises TokenError.

    A token that lives counts where a new one does not come for the moment, but not where the sign-in has ended.
    """
    return token_cache.ask(config, lambda: request(config, environment, refused))


def request(config: Config, environment: dict[str, str], refused: Token | None = None) -> Token:
    """Ask the identity's own source for a token, another than the ``refused`` one. Raises TokenError."""
    from . import oidc_source, profile, user_sign_in

    if config.identity == "user":
        return user_sign_in.request_token(config, environment, refused)
    if config.identity == "workload_identity":
        return request_with(config, oidc_source.read(config, environment))
    in_profile = profile.client_secret if config.identity == "service_principal" else profile.personal_access_token
    return request_with(config, in_profile(config))


def request_with(config: Config, secret: str) -> Token:
    """Ask the workspace for the token of an identity that needs no person. Raises TokenError.

    The ``secret`` is a service principal's OAuth secret, a workload's OIDC token, or a personal access token.
    """
    # TLS costs more than all that the look imports: only who asks pays for it.
    from . import machine_to_machine, token_exchange

    if config.identity == "workload_identity":
        return token_exchange.request_token(config, secret)
    if config.identity == "service_principal":
        return machine_to_machine.request_token(config.workspace_url, config.client_id or "", secret, config.ca_file)
    return _tried(config, secret)


def _tried(config: Config, value: str) -> Token:
    """A personal access token, if the workspace takes it: one cheap GET."""
    from . import profile, workspace

    answer = workspace.ask(config.workspace_url, WHO_AM_I, f"Bearer {value}", config.ca_file)
    if is_refusal(answer):
        raise TokenRefused(
            f"{config.workspace_url} refuses the personal access token of profile {config.profile} (HTTP {answer.status})",
            PERSON_MUST_SIGN_IN,
            profile.new_token_hint(config),
        )
    return Token(value, int(time.time()) + _PAT_READ_AGAIN_SECONDS)


def is_refused(config: Config, token: Token) -> bool:
    """Whether the workspace refuses the token: one cheap GET. Where it does not answer, nothing is known against the token."""
    from . import workspace

    try:
        return is_refusal(workspace.ask(config.workspace_url, WHO_AM_I, f"Bearer {token.value}", config.ca_file))
    except TokenError:
        return False


def is_refusal(answer: Answer) -> bool:
    # A token that may do other things only is a good token: the next one could do no more.
    narrow = "required scopes" in str((answer.body or {}).get("message"))
    return answer.status == 401 or (answer.status == 403 and not narrow)


def _session(state: str, token: Token | None, user: str | None, detail: str) -> dict[str, Any]:
    return {"state": state, "expires_at": token.expires_at if token else None, "user": user, "detail": detail}
