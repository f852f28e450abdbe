# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The look: a host's whole state, and what differs from the wanted one. Reads files only."""

from __future__ import annotations

import os
import platform
import pwd
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from . import (
    auth_state,
    module as edge,
    lost_ledger,
    npm,
)
from .agents import AGENTS
from .host_program import session, user_sign_in
from .host_program.browser import is_wsl
from .engine.transaction import bring
from .wanted import ROLES, WORKSPACE_AUTH


def look(module: AnsibleModule, home: str) -> dict[str, Any]:
    """Raises OperatorError and ValueError for what must be mended before anything can be planned."""
    environment = dict(os.environ)
    config = edge.config_of(module, home)
    secret = edge.secret_of(module)
    npm.check_versions(module.params["cli_versions"])
    prefix = edge.npm_prefix_of(module, home)

    programs: dict[str, Any] = {}
    missing: list[str] = []
    for name in module.params["agents"]:
        agent = AGENTS[name]
        found = agent.find_cli(home, prefix, environment)
        version = npm.wanted_version(agent, module.params["cli_versions"], found)
        programs[name] = npm.describe(agent, found, version)
        if version:
            missing.append(f"{agent.title} {version} is to be installed into {prefix}")
    programs["databricks"] = {"path": user_sign_in.find_cli(home, environment)}

    profile = auth_state.wanted(config, secret, edge.replaces_unreadable(module))
    auth = bring(home, [WORKSPACE_AUTH], profile, True, lost_ledger.rebuild)
    settings = bring(home, list(AGENTS), edge.documents_of(module, home), True, lost_ledger.rebuild)
    drift = (auth.changed, bool(missing), settings.changed)
    return {
        "drifted_roles": [role for role, drifted in zip(ROLES, drift) if drifted],
        "changes": [*auth.changes, *missing, *settings.changes],
        "platform": {
            "system": platform.system(),
            "wsl": is_wsl(platform.release()),
            "python": platform.python_version(),
        },
        "owner": {"user": pwd.getpwuid(os.geteuid()).pw_name, "home": home},
        "programs": programs,
        "session": session.look(config, environment),
    }
