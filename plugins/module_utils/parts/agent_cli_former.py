# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of what the ledger's ``packages`` have: directories of ours, and before there were any, what npm installed globally."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..agents import AGENTS
from ..agents.source_npm import Npm
from ..agents.sources import Settings
from . import fetched


def fate(name: str, record: Mapping[str, Any]) -> tuple[str, str]:
    """What becomes of a package, in words, and the version that is brought back."""
    agent = AGENTS.get(name.partition("/")[0])
    title = agent.title if agent else "Node.js" if fetched.name_of(name) == fetched.NODE else name
    version = record["version"]
    if "directory" in record or agent is None:
        return f"{title} {version}: removed", ""
    now = agent.source.installed_version(record["prefix"])
    if now is None:
        return f"{title}: was already gone", ""
    if now != version:
        return f"{title}: left as it is: {now} is not the {version} that we installed", ""
    previous = str(record.get("previous") or "")
    return f"{title}: back to {previous}" if previous else f"{title}: {now} removed", previous


def give_back(name: str, record: Mapping[str, Any], previous: str, settings: Settings) -> None:
    agent = AGENTS.get(name)
    if agent is None or not isinstance(agent.source, Npm):
        return
    if agent.source.installed_version(record["prefix"]) == record["version"]:
        if previous:
            agent.source.fetch(previous, record["prefix"], settings)
        else:
            agent.source.remove(record["prefix"], settings)
