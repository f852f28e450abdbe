# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The secrets that stand in the owner's profile in ``~/.databrickscfg``. Only that profile is read, and only for its own workspace."""

from __future__ import annotations

from .. import careful
from ..engine.documents.base import MISSING
from ..engine.documents.ini_document import IniDocument
from ..errors import OperatorError
from .config import Config
from .token import (
    PERSON_MUST_SIGN_IN,
    RETRY_MAY_HELP,
    TokenError,
    token_text,
)

_AGAIN = "Run the rollout again"


def client_secret(config: Config) -> str:
    """The service principal's OAuth secret. Raises TokenError when the profile does not hold it, or that of another."""
    client_id, secret = _values(config, ("client_id", "client_secret"), "client id and secret", RETRY_MAY_HELP, _AGAIN)
    if client_id != config.client_id:
        raise TokenError(f"{name_of(config)} names another service principal", hint=_AGAIN)
    return secret


def personal_access_token(config: Config) -> str:
    """The token that stands there, a person's own or ours. Raises TokenError."""
    hint = new_token_hint(config)
    (value,) = _values(config, ("token",), "personal access token", PERSON_MUST_SIGN_IN, hint)
    try:
        return token_text(value)
    except ValueError:
        raise TokenError(f"what {name_of(config)} has as token is none", PERSON_MUST_SIGN_IN, hint) from None


def new_token_hint(config: Config) -> str:
    """What a person does when there is no good personal access token."""
    if config.owns_profile:
        return "Set coding_agents_pat to a new one and run the rollout again"
    return "Make one in the workspace, and put it there as token beside the host"


def value(config: Config, key: str) -> str:
    """What stands there; empty where nothing does, or in a file that only its owner can mend."""
    try:
        found = IniDocument(careful.read(config.databrickscfg)).get((config.profile, key))
    except (OSError, OperatorError):
        return ""
    return "" if found is MISSING else str(found)


def _values(config: Config, keys: tuple[str, ...], what: str, exit_status: int, hint: str) -> list[str]:
    try:
        document = IniDocument(careful.read(config.databrickscfg))
        host, *values = (document.get((config.profile, key)) for key in ("host", *keys))
    except OSError as error:
        raise TokenError(f"{config.databrickscfg} cannot be read ({error.strerror})", exit_status, hint) from None
    except OperatorError as error:
        raise TokenError(f"{config.databrickscfg}: {error}", exit_status, hint) from None
    if host is MISSING or MISSING in values:
        raise TokenError(f"{name_of(config)} holds no {what}", exit_status, hint)
    if host.rstrip("/") != config.workspace_url:
        raise TokenError(f"{name_of(config)} names another workspace", exit_status, hint)
    return values


def name_of(config: Config) -> str:
    """The profile and its file, as messages speak of them."""
    return f"profile {config.profile} in {config.databrickscfg}"
