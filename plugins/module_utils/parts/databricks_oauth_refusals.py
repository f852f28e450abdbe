# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps a sign-in from being set up, found before anything is written: another's profile, places that will not do."""

from __future__ import annotations

import contextlib
import os
from typing import Any

from .. import careful
from ..engine import files, obstacles
from ..engine.documents import MISSING, IniDocument
from ..engine.ledger import Ledger
from ..engine.owner import Owner
from ..errors import OperatorError
from ..host_program import profile
from ..host_program.config import Config
from ..host_program.token import TokenError


def written_directories(owner: Owner, config: Config) -> list[str]:
    """Those that the host program writes into. For a machine, what it writes is in the home of whoever runs it."""
    return [owner.cache, *([os.path.dirname(config.log_file)] if config.log and not owner.is_machine else [])]


def require_places(owner: Owner, config: Config) -> None:
    """Raise OperatorError where they cannot be made or written into: before anything is written, and in a dry run, too."""
    for directory in written_directories(owner, config):
        files.check_reachable(directory)
        obstacles.check_directory(os.path.join(directory, "a file"))


def require_ours(owner: Owner) -> None:
    """Raise OperatorError where others can put another program in the place of those that agents start."""
    directory = owner.data
    with contextlib.suppress(FileNotFoundError):
        weak = careful.weak_spot(directory, owner.uid) if owner.is_machine else None
        weak = weak or (directory if careful.is_of_others(directory, owner.uid) else None)
        if weak:
            raise OperatorError(
                f"is not to be trusted: {careful.told(weak, owner.uid)}, who could change what agents start",
                directory,
                f"Run: {careful.way_out(weak, owner.uid)}. Then run the rollout again",
            )


def refuse_foreign_profile(owner: Owner, config: Config) -> None:
    host = _in_profile(config, "host")
    if host is not MISSING and not _is_ours(owner, config, "host") and host.rstrip("/") != config.workspace_url:
        raise OperatorError(
            f"profile {config.profile} is already there, for another workspace ({careful.line(host.rpartition('@')[2], 100)})",
            config.databrickscfg,
            "Set coding_agents_profile to a name that nobody uses",
        )


def require_own_token(owner: Owner, config: Config) -> None:
    """A person's own profile must stand there before: what we wrote ourselves is about to be taken back."""
    try:
        profile.personal_access_token(config)
    except TokenError as error:
        raise OperatorError(f"{error}, or set coding_agents_pat") from None
    if _is_ours(owner, config, "host") or _is_ours(owner, config, "token"):
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


def _is_ours(owner: Owner, config: Config, key: str) -> bool:
    owned = Ledger.load(owner).documents.get(config.databrickscfg, {}).get("values", [])
    return any(record["path"] == [config.profile, key] for record in owned)
