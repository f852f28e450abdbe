# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Personal access tokens that the script fmapi-codingagent-setup had made in its earlier versions: which they are, and their end.

The workspace is asked by the person's own session on the host, and lists that person's tokens alone.
"""

from __future__ import annotations

import datetime
import os
import re
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from .. import careful
from ..engine.owner import Owner
from ..errors import OperatorError
from ..host_program import session, token_cache, workspace
from ..host_program.config import Config
from ..host_program.token import TokenError
from .context import bare_config

_LIST, _DELETE = "/api/2.0/token/list", "/api/2.0/token/delete"
_COMMENT = re.compile(r"Claude Code FMAPI \(created (\d{4}-\d{2}-\d{2})\)")
"""With the day on which it was made, on the clock of the host."""
_A_DAY = 24 * 3600
_LONGEST_LIFE = 7 * _A_DAY
"""Of those that the script made. The clocks of two hosts, and the time zones, may differ by a day."""


class Older(NamedTuple):
    token_id: str
    comment: str
    ends: str
    """The day on which it ends by itself."""


class Listed(NamedTuple):
    """``problem``: why nobody could be asked, in a sentence; empty where there is nobody who could have such tokens."""

    tokens: list[Older]
    problem: str = ""


def listed(owner: Owner, environment: dict[str, str], renew: bool) -> Listed:
    """The person's tokens that the script had made. Unless the sign-in may be renewed for it, one at hand will do, or none."""
    config = _config(owner)
    if config is None:
        return Listed([])
    try:
        bearer = _bearer(config, environment, renew)
        if not bearer:
            return Listed([], "no token of this person's is at hand")
        return Listed(_ask(config, bearer))
    except TokenError as error:
        return Listed([], careful.line(error))


def revoke(owner: Owner, environment: dict[str, str]) -> list[str]:
    """Revoke them; returns what was done, in words. Raises OperatorError where one of them may still be there."""
    config = _config(owner)
    if config is None:
        return []
    try:
        bearer = _bearer(config, environment, renew=True)
        done = []
        for one in _ask(config, bearer):
            answer = workspace.ask(
                config.workspace_url, _DELETE, bearer, config.ca_file, order={"token_id": one.token_id}
            )
            if answer.status not in (200, 404):  # somebody else was quicker
                raise TokenError(f"{config.workspace_url} does not revoke {one.comment} (HTTP {answer.status})")
            done.append(said(one))
        return done
    except TokenError as error:
        raise OperatorError(
            f"personal access tokens of earlier tools cannot be revoked: {careful.line(error)}",
            "coding_agents_revoke_legacy_pats",
            f"Run: {config.sign_in_command()}. Or leave the option out: they end by themselves",
        ) from None


def said(one: Older) -> str:
    """That it is revoked, as a change."""
    return f'personal access token "{one.comment}": revoked'


def _config(owner: Owner) -> Config | None:
    """Where this person's session stands; None where there is none to ask by."""
    if owner.is_machine:
        return None
    try:
        config = Config.load(bare_config(owner).config_file)
    except (OSError, ValueError, TypeError):
        return None
    return config if config.identity == "user" and os.path.isabs(config.home) else None


def _bearer(config: Config, environment: dict[str, str], renew: bool) -> str:
    if renew:
        return f"Bearer {session.token(config, environment).value}"
    kept = token_cache.load(config)
    alive = kept is not None and kept.token.expires_at > time.time()
    return f"Bearer {kept.token.value}" if kept is not None and alive else ""


def _ask(config: Config, bearer: str) -> list[Older]:
    answer = workspace.ask(config.workspace_url, _LIST, bearer, config.ca_file)
    if answer.status != 200:
        raise TokenError(f"{config.workspace_url} does not list this person's tokens (HTTP {answer.status})")
    infos = (answer.body or {}).get("token_infos")
    found = (_older(one) for one in infos if isinstance(one, dict)) if isinstance(infos, list) else ()
    return [one for one in found if one is not None]


def _older(info: Mapping[str, Any]) -> Older | None:
    """The token, if its comment, its day and its life are those that the script gave."""
    known = _COMMENT.fullmatch(str(info.get("comment")))
    made, ends, name = info.get("creation_time"), info.get("expiry_time"), info.get("token_id")
    if not known or not isinstance(made, int) or not isinstance(ends, int) or not isinstance(name, str):
        return None
    try:
        day = datetime.datetime.strptime(known[1], "%Y-%m-%d").replace(tzinfo=datetime.timezone.utc).timestamp()
        shown = time.strftime("%Y-%m-%d", time.gmtime(ends / 1000))
    except (ValueError, OverflowError, OSError):
        return None
    same_day = -_A_DAY <= made / 1000 - day <= 2 * _A_DAY
    lives_so_long = 0 < (ends - made) / 1000 <= _LONGEST_LIFE + 60
    return Older(name, known[0], shown) if same_day and lives_so_long else None
