# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Set up, or take away, what gives one owner's agents their tokens."""

from __future__ import annotations

import os
import platform
import sys
from typing import Any

from .engine import files
from .parts import login_item as login_items
from . import lost_ledger
from .engine.documents import MISSING, IniDocument
from .errors import OperatorError
from .host_program import (
    oidc_source,
    profile,
    session,
    token_cache,
    user_sign_in,
)
from .host_program.config import (
    CACHE_DIRECTORY,
    LOG_NAME,
    STATE_DIRECTORY,
    Config,
)
from .host_program.token import Token, TokenError
from .engine.ledger import Ledger, locked
from .engine.ownership import Wanted
from .engine.transaction import Outcome, bring
from .wanted import WORKSPACE_AUTH, workspace_auth


def wanted(config: Config, secret: str | None, replace_unreadable: bool) -> list[Wanted]:
    """The documents of the owner. Raises OperatorError where a profile of that name is not what it must be.

    ``secret`` is a service principal's OAuth secret or a personal access token; None where the identity has none of ours.
    """
    if config.owns_profile:
        _refuse_foreign_profile(config)
    else:
        _require_own_token(config)
    items = login_items.documents(config, platform.system(), platform.release())
    return [*workspace_auth(config, secret, sys.executable, replace_unreadable), *items]


def establish(
    config: Config, secret: str | None, replace_unreadable: bool, check: bool
) -> tuple[Outcome, dict[str, Any]]:
    """Bring profile, program and helper to the wanted state; returns what was done and the session.

    A token that needs no person is asked for first, in memory: what the workspace refuses touches nothing. Raises OperatorError,
    TokenError.
    """
    documents = wanted(config, secret, replace_unreadable)
    environment = dict(os.environ)
    token: Token | None = None
    missing = ""
    if config.identity != "user" and not check:
        if config.identity == "workload_identity":
            try:
                secret = oidc_source.read(config, environment)
            except TokenError as error:
                missing = str(error)  # not at hand for this login, as it may be for the agents' own
        elif secret is None:
            secret = profile.personal_access_token(config)
        token = session.request_with(config, secret) if secret else None
    outcome = bring(config.home, [WORKSPACE_AUTH], documents, check, lost_ledger.rebuild)
    if check:
        return outcome, session.look(config, environment)
    _make_directories(config)
    _forget_tokens(config.home, keep=config.cache_file)
    if not config.log:
        _remove_log(config.home)
    if token is not None:
        token_cache.store(config, token)
    if config.identity == "user":
        return outcome, _session_of_person(config)
    found = session.look(config, environment)
    if missing and found["state"] != session.ACTIVE:
        found["detail"] = missing
    return outcome, found


def withdraw(home: str, check: bool) -> Outcome:
    """Take everything away, cached tokens first."""
    if not check:
        _forget_tokens(home)
        _remove_log(home)
    return bring(home, [WORKSPACE_AUTH], [], check, lost_ledger.rebuild)


def _forget_tokens(home: str, keep: str | None = None) -> None:
    """Remove cached tokens, but for ``keep`` and what stands beside it: that of a profile or identity that is not
    wanted any more would live on for up to an hour.
    """
    cache = os.path.join(home, *CACHE_DIRECTORY)
    if os.path.isdir(cache):
        for name in os.listdir(cache):
            path = os.path.join(cache, name)
            if name.startswith("token-") and not (keep and path.startswith(keep)):
                files.remove(path)


def _session_of_person(config: Config) -> dict[str, Any]:
    """Whether the person is signed in: asks the Databricks CLI for a token, which never opens a browser."""
    environment = dict(os.environ)
    try:
        session.token(config, environment)
    except TokenError as error:
        states = {user_sign_in.NOT_SIGNED_IN: session.ABSENT, user_sign_in.SIGN_IN_EXPIRED: session.EXPIRED}
        state = next((state for words, state in states.items() if str(error).startswith(words)), session.UNKNOWN)
        return {"state": state, "expires_at": None, "user": None, "detail": str(error)}
    return session.look(config, environment)


def _refuse_foreign_profile(config: Config) -> None:
    host = _in_profile(config, "host")
    if host is not MISSING and not _is_ours(config, "host") and host.rstrip("/") != config.workspace_url:
        raise OperatorError(
            f"profile {config.profile} is already there, for another workspace ({host})",
            config.databrickscfg,
            "Set coding_agents_profile to a name that nobody uses",
        )


def _require_own_token(config: Config) -> None:
    """A person's own profile must stand there before: what we wrote ourselves is about to be taken back."""
    try:
        profile.personal_access_token(config)
    except TokenError as error:
        raise OperatorError(f"{error}, or set coding_agents_pat") from None
    if _is_ours(config, "host") or _is_ours(config, "token"):
        raise OperatorError(
            f"profile {config.profile} holds no token of the person's own",
            config.databrickscfg,
            "Set coding_agents_pat, or coding_agents_profile to the person's own profile",
        )


def _in_profile(config: Config, key: str) -> Any:
    content = files.read(config.databrickscfg).content
    try:
        return MISSING if content is None else IniDocument(content).get((config.profile, key))
    except OperatorError:
        return MISSING  # planning reports it, with the file's name


def _is_ours(config: Config, key: str) -> bool:
    owned = Ledger.load(config.home).documents.get(config.databrickscfg, {}).get("values", [])
    return any(record["path"] == [config.profile, key] for record in owned)


def _remove_log(home: str) -> None:
    path = os.path.join(home, *STATE_DIRECTORY, LOG_NAME)
    for one in (path, path + ".1"):
        if os.path.lexists(one):
            files.remove(one)


def _make_directories(config: Config) -> None:
    """Those that the host program writes into: made here, so that the ledger knows which directories go on uninstall."""
    wanted_ones = [config.cache_directory] + ([os.path.dirname(config.log_file)] if config.log else [])
    missing = [one for one in wanted_ones if not os.path.isdir(one)]
    if not missing:
        return
    with locked(config.home):
        ledger = Ledger.load(config.home)
        for directory in missing:
            ledger.directories.extend(files.make_directories(directory, config.home))
        ledger.save()
