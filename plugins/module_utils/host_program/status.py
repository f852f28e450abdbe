# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``coding-agents status`` tells: whose tokens, from where, until when; never a token. Nobody is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import log, session
from .config import Config

OLD_CLI = "too old to refresh a token early: some may end soon after they are handed out. Update it"


def report(config: Config, environment: Mapping[str, str]) -> dict[str, Any]:
    """One flat object; None for what does not apply or is not there."""
    from . import user_sign_in

    found = session.look(config, dict(environment))
    expires_at = found["expires_at"]
    is_person = config.identity == "user"
    cli = user_sign_in.find_cli(config, environment) if is_person else None
    chosen = user_sign_in.storage(config) if is_person else ""
    return {
        "state": found["state"],
        "detail": found["detail"],
        "expires": expires_at and log.moment(expires_at),
        "identity": config.identity,
        "user": found["user"],
        "workspace_url": config.workspace_url,
        "profile": config.profile,
        "token_helper": config.helper,
        "program": config.program,
        "databricks_cli": cli,
        "databricks_cli_note": OLD_CLI if cli and user_sign_in.cannot_refresh_early(config, cli) else None,
        "sign_in_kept_in": next((name for name, store in user_sign_in.STORES.items() if store == chosen), None),
        "log": config.log_file if config.log else None,
    }
