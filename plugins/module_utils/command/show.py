# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration in force, resolved: where requests go, with which models, and by whose token; never the token."""

from __future__ import annotations

import argparse
import json
import os
from typing import Any

from ..agents import AGENTS
from ..host_program import log, session
from ..parts import relaying
from ..parts.context import agent_options
from ..parts.wanted_state import options_of, remembered
from ..relay import running
from ..relay.places import Places
from . import output
from .arguments import OK
from .whose import Here


def run(here: Here, options: argparse.Namespace) -> int:
    """Raises OperatorError where nothing is remembered. Nobody is asked."""
    found = report(here)
    if options.json:
        output.write(json.dumps(found, indent=1))
        return OK
    agents = found.pop("agents")
    output.write(*output.pairs({name.replace("_", " "): value for name, value in found.items()}, here.owner.home))
    rows = [
        (one["title"], dialect, url, ", ".join(one["models"])) for one in agents for dialect, url in one["urls"].items()
    ]
    output.write("", *output.table(("AGENT", "DIALECT", "URL", "MODELS"), rows))
    return OK


def report(here: Here) -> dict[str, Any]:
    config, known = here.config, remembered(here.owner)
    options = options_of(here.owner, known, {"program_sha256": known.program_sha256}, {}, may_change=False)
    token = session.look(config, dict(os.environ))
    expires_at = token["expires_at"]
    at_hand = f"at hand until {log.moment(expires_at)}" if expires_at else "at hand"
    return {
        "workspace_url": config.workspace_url,
        "profile": config.profile,
        "identity": config.identity,
        "routing": options["routing"],
        "token": at_hand if token["state"] == session.ACTIVE else "none at hand",
        "token_helper": config.helper,
        "ca_file": config.ca_file,
        "proxy": "set" if config.proxy else None,  # may name a user and a password
        "relay": _relay(here, options),
        "agents": [_agent(here, options, name) for name in options["agents"] if name in AGENTS],
    }


def _relay(here: Here, options: dict[str, Any]) -> str:
    life = relaying.life(options)
    if life == relaying.OFF:
        return relaying.OFF
    url = relaying.settings_of(here.config, options).url
    found = running.find(Places(here.config.home))
    return f"{life}, {url}, {f'process {found.pid}' if found else 'not running'}"


def _agent(here: Here, options: dict[str, Any], name: str) -> dict[str, Any]:
    told = agent_options(here.owner, options, name)
    return {
        "agent": name,
        "title": AGENTS[name].title,
        "urls": dict(told.base_urls),
        "models": [*dict.fromkeys(AGENTS[name].models(told.models).values())],
        "token_command": told.token_helper,
    }
