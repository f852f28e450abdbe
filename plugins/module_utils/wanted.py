# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an owner's documents should hold, from what the operator said. Pure, apart from the sources that the program is built of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from . import extra_settings
from .agents import AGENTS, AgentOptions
from ..plugin_utils import program as build
from .host_program.config import Config
from .engine.ownership import PRIVATE, Wanted
from .routing import DIALECTS, base_url

ROLES = ("workspace_auth", "toolchain", "agents")
"""The roles that change a host, in their order: first what may refuse credentials, then the download, the agents' settings last."""

UNREADY = "unready"
"""The role that fails for users whom the look could not plan for, after the others have had their turn."""

WORKSPACE_AUTH = "workspace_auth"
"""The ledger's name for the profile, the program and the helper."""

_ADDED_BY_THE_CLI = frozenset(("account_id", "workspace_id", "auth_type", "databricks_cli_path"))
"""Keys with which ``databricks auth login`` completes a profile that holds only ``host``."""


def workspace_auth(config: Config, secret: str | None, python: str, replace_unreadable: bool = False) -> list[Wanted]:
    """Profile, program and token helper, in an order in which the helper never stands without what it calls.

    ``secret`` is what the profile holds for the identity (see :func:`_profile`); ``python`` is the interpreter that starts the
    program.
    """
    profile = Wanted(
        path=config.databrickscfg,
        format="ini",
        component=WORKSPACE_AUTH,
        values={(config.profile, key): value for key, value in _profile(config, secret).items()},
        mode=PRIVATE,
        private=True,
        leftovers=_ADDED_BY_THE_CLI,
        replace_unreadable=replace_unreadable,
    )
    return [
        *([profile] if config.owns_profile else []),
        _file(config.program, build.program(), 0o700),
        _file(config.config_file, config.to_json().encode(), PRIVATE),
        _file(config.front, build.front(config, python), 0o700),
        _file(config.helper, build.helper(config), 0o700),
    ]


def _profile(config: Config, secret: str | None) -> dict[str, str]:
    """The profile, by databricks-sdk's own names, so that other Databricks tools can use it, too.

    An OIDC token's command has no name there: such a profile holds the host and nothing else.
    """
    source: dict[str, str | None] = {}
    if config.identity == "service_principal":
        source = {"client_id": config.client_id, "client_secret": secret, "auth_type": "oauth-m2m"}
    elif config.identity == "pat":
        source = {"token": secret, "auth_type": "pat"}
    elif config.oidc_token_file or config.oidc_token_env:
        source = {
            "client_id": config.client_id,
            "oidc_token_filepath": config.oidc_token_file,
            "oidc_token_env": config.oidc_token_env,
            "token_audience": config.token_audience,
            "auth_type": "file-oidc" if config.oidc_token_file else "env-oidc",
        }
    return {"host": config.workspace_url, **{key: value for key, value in source.items() if value}}


def agent_documents(
    agents: Sequence[str], options: AgentOptions, replace_unreadable: bool, extra: Mapping[str, Any] | None = None
) -> list[Wanted]:
    """``extra`` are the operator's own settings, by agent."""
    own = extra or {}
    documents = [
        document
        for agent in agents
        for document in extra_settings.merged(AGENTS[agent].documents(options), own.get(agent, {}), AGENTS[agent])
    ]
    return [replace(document, replace_unreadable=replace_unreadable) for document in documents]


def base_urls(routing: str, workspace_url: str, workspace_id: str | None) -> Mapping[str, str]:
    """The base URL of each wire dialect. Raises ValueError for a routing that cannot be told yet."""
    return {dialect: base_url(routing, workspace_url, dialect, workspace_id) for dialect in DIALECTS}


def _file(path: str, content: bytes, mode: int) -> Wanted:
    return Wanted(path, "file", WORKSPACE_AUTH, values={(): content.decode("latin-1")}, mode=mode)
