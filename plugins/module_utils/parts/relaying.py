# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an owner has a relay, who uses it, and what it is told: all from the options."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from .. import careful
from ..agents import AGENTS
from ..host_program.config import Config
from ..relay.settings import SERVICE, SESSION, WEB_KEY_NAME, Settings
from ..routing import DIALECTS, base_url, named_base_urls, normalize_workspace_url

OFF, AUTO = "off", "auto"
COMMAND_NAME = "relay-client"
"""The command in the data directory by which agents get the relay's key, where they would have the token helper."""

_PREFIXES = {"anthropic": "anthropic", "responses": "codex", "chat": "mlflow", "gemini": "gemini"}
"""By wire dialect, the relay's path to it."""
_MORE_PREFIXES = {"openai": "chat"}
"""Other paths to the same, for what is set to them by hand."""
_TELEMETRY = "/api/2.0/otel"


class RelayNeeded(Exception):
    """The relay is wanted, and has not travelled. Whoever called calls again, with it."""

    needs_relay = True
    """Modules know it by this: the program's classes are not theirs."""


def life(options: Mapping[str, Any]) -> str:
    """How this owner's relay is to live, or that there is to be none."""
    wanted = str(options.get("relay") or OFF)
    if wanted == AUTO:
        return SESSION if _users(options) else OFF
    return wanted if wanted in (SESSION, SERVICE) else OFF


def users(options: Mapping[str, Any]) -> list[str]:
    """The chosen agents that go through it."""
    return _users(options) if life(options) != OFF else []


def _users(options: Mapping[str, Any]) -> list[str]:
    """An agent that has a URL of its own goes there."""
    clients, named = options.get("relay_clients") or (), options.get("base_urls") or {}
    return [
        name
        for name in options["agents"]
        if (AGENTS[name].reads_token_once or name in clients or searches(options, name))
        and not named_base_urls(AGENTS[name].dialects, named.get(name))
    ]


def searches(options: Mapping[str, Any], name: str) -> bool:
    """Whether an agent's own search, which is its vendor's, is done by the relay."""
    return AGENTS[name].searches_by_vendor and bool(options.get("web_search"))


def settings_of(config: Config, options: Mapping[str, Any]) -> Settings:
    """What the relay is told. Raises ValueError for a workspace or a routing that cannot be."""
    return Settings(
        config=config.config_file,
        upstreams=_upstreams(options),
        port=options["relay_port"],
        life=life(options),
        idle_minutes=options["relay_idle_minutes"],
        tls_cert=options["relay_tls_cert"] or None,
        tls_key=options["relay_tls_key"] or None,
        web_search=options["web_search_backend"] if options["web_search"] else None,
        web_search_url=options["web_search_url"] or None,
        web_fetch_bytes=options["web_fetch_bytes"],
        web_allowed_addresses=tuple(options["web_allowed_addresses"]),
    )


def search_key_file(config: Config) -> str:
    return os.path.join(config.data_directory, WEB_KEY_NAME)


def search_key(config: Config) -> str | None:
    """The search service's key that stands on this host, if one does."""
    try:
        return careful.read(search_key_file(config)).decode("ascii").strip() or None
    except (OSError, ValueError):
        return None


def _upstreams(options: Mapping[str, Any]) -> dict[str, str]:
    workspace = normalize_workspace_url(options["workspace_url"])
    by_dialect = {
        dialect: base_url(options["routing"], workspace, dialect, options["workspace_id"]) for dialect in DIALECTS
    }
    found = {prefix: by_dialect[dialect] for dialect, prefix in _PREFIXES.items()}
    found.update((prefix, by_dialect[dialect]) for prefix, dialect in _MORE_PREFIXES.items())
    return {**found, "otel": workspace + _TELEMETRY}


def base_urls(settings: Settings, dialects: tuple[str, ...]) -> dict[str, str]:
    """What an agent has in place of the workspace's URLs."""
    return {dialect: settings.base_url(_PREFIXES[dialect]) for dialect in dialects}
