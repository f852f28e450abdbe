# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an owner's documents should hold, from what the operator said. Pure, apart from the sources that the program is built of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from .agents import AGENTS, AgentOptions
from .documents import KeyPath
from .host_program import build
from .host_program.config import Config
from .ownership import PRIVATE, Wanted
from .routing import DIALECTS, base_url

ROLES = ("workspace_auth", "toolchain", "agents")
"""The roles that change a host, in their order: first what may refuse credentials, then the download, the agents' settings last."""

UNREADY = "unready"
"""The role that fails for users whom the look could not plan for, after the others have had their turn."""

WORKSPACE_AUTH = "workspace_auth"
"""The ledger's name for the profile, the program and the helper."""

_ADDED_BY_THE_CLI = frozenset(("account_id", "workspace_id", "auth_type", "databricks_cli_path"))
"""Keys with which ``databricks auth login`` completes a profile that holds only ``host``."""


def workspace_auth(
    config: Config, credentials: tuple[str, str] | None, python: str, replace_unreadable: bool = False
) -> list[Wanted]:
    """Profile, program and token helper, in an order in which the helper never stands without what it calls.

    ``credentials`` are a service principal's client id and secret; ``python`` is the interpreter that starts the program.
    """
    profile: dict[KeyPath, str] = {(config.profile, "host"): config.workspace_url}
    if credentials is not None:
        profile[(config.profile, "client_id")], profile[(config.profile, "client_secret")] = credentials
        profile[(config.profile, "auth_type")] = "oauth-m2m"
    return [
        Wanted(
            path=config.databrickscfg,
            format="ini",
            component=WORKSPACE_AUTH,
            values=dict(profile),
            mode=PRIVATE,
            private=True,
            leftovers=_ADDED_BY_THE_CLI,
            replace_unreadable=replace_unreadable,
        ),
        _file(config.program, build.program(), 0o700),
        _file(config.config_file, config.to_json().encode(), PRIVATE),
        _file(config.front, build.front(config, python), 0o700),
        _file(config.helper, build.helper(config), 0o700),
    ]


def agent_documents(agents: Sequence[str], options: AgentOptions, replace_unreadable: bool) -> list[Wanted]:
    documents = [document for agent in agents for document in AGENTS[agent].documents(options)]
    return [replace(document, replace_unreadable=replace_unreadable) for document in documents]


def base_urls(routing: str, workspace_url: str, workspace_id: str | None) -> Mapping[str, str]:
    """The base URL of each wire dialect. Raises ValueError for a routing that cannot be told yet."""
    return {dialect: base_url(routing, workspace_url, dialect, workspace_id) for dialect in DIALECTS}


def _file(path: str, content: bytes, mode: int) -> Wanted:
    return Wanted(path, "file", WORKSPACE_AUTH, values={(): content.decode("latin-1")}, mode=mode)
