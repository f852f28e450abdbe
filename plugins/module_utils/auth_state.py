# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Set up, or take away, what gives one owner's agents their tokens."""

from __future__ import annotations

import os
import sys
from typing import Any, Optional, Tuple  # noqa: UP035

from . import files, lost_ledger
from .documents import MISSING, IniDocument
from .errors import OperatorError
from .host_program import session, token_cache, user_sign_in
from .host_program.config import CACHE_DIRECTORY, Config
from .host_program.token import Token, TokenError
from .ledger import Ledger, locked
from .ownership import Wanted
from .transaction import Outcome, bring
from .wanted import WORKSPACE_AUTH, workspace_auth

Credentials = Optional[Tuple[str, str]]  # noqa: UP006


def wanted(config: Config, credentials: Credentials, replace_unreadable: bool) -> list[Wanted]:
    """The documents of the owner. Raises OperatorError where a profile of that name is somebody else's."""
    _refuse_foreign_profile(config)
    return workspace_auth(config, credentials, sys.executable, replace_unreadable)


def establish(
    config: Config, credentials: Credentials, replace_unreadable: bool, check: bool
) -> tuple[Outcome, dict[str, Any]]:
    """Bring profile, program and helper to the wanted state; returns what was done and the session.

    A service principal's token is asked for first, in memory: wrong credentials touch nothing. Raises OperatorError, TokenError.
    """
    documents = wanted(config, credentials, replace_unreadable)
    token: Token | None = None
    if credentials is not None and not check:
        from .host_program import machine_to_machine

        token = machine_to_machine.request_token(config.workspace_url, *credentials, ca_file=config.ca_file)
    outcome = bring(config.home, [WORKSPACE_AUTH], documents, check, lost_ledger.rebuild)
    if check:
        return outcome, session.look(config, dict(os.environ))
    _make_cache_directory(config)
    _forget_tokens(config.home, keep=config.cache_file)
    if token is not None:
        token_cache.store(config, token)
        return outcome, session.look(config, dict(os.environ))
    return outcome, _session_of_person(config)


def withdraw(home: str, check: bool) -> Outcome:
    """Take everything away, cached tokens first."""
    if not check:
        _forget_tokens(home)
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
    content = files.read(config.databrickscfg).content
    if content is None:
        return
    try:
        host = IniDocument(content).get((config.profile, "host"))
    except OperatorError:
        return  # planning reports it, with the file's name
    owned = Ledger.load(config.home).documents.get(config.databrickscfg, {}).get("values", [])
    ours = any(record["path"] == [config.profile, "host"] for record in owned)
    if host is not MISSING and not ours and host.rstrip("/") != config.workspace_url:
        raise OperatorError(
            f"profile {config.profile} is already there, for another workspace ({host})",
            config.databrickscfg,
            "Set coding_agents_profile to a name that nobody uses",
        )


def _make_cache_directory(config: Config) -> None:
    """Make it here, so that the ledger knows which directories go on uninstall."""
    if os.path.isdir(config.cache_directory):
        return
    with locked(config.home):
        ledger = Ledger.load(config.home)
        ledger.directories.extend(files.make_directories(config.cache_directory, config.home))
        ledger.save()
