# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the settings of a person's projects, which win over the person's own, do to ours. Measured with 2.1.197: the order of the two.

Looked at are the projects below the home that Claude Code has noted there: what is elsewhere may be on a file server that is away.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from .. import careful
from ..engine.owner import Owner
from .base import Problem

_MOST_PROJECTS = 200
_NAMES = ("settings.json", "settings.local.json")
_AWAY = ("ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "CLAUDE_CODE_USE_FOUNDRY")
"""With one of these, requests go elsewhere, or with another token."""


def problems(owner: Owner, ours: Mapping[str, str]) -> Iterator[Problem]:
    """``ours`` are the variables of our settings."""
    projects = read_object(os.path.join(owner.home, ".claude.json")).get("projects")
    projects = projects if isinstance(projects, dict) else {}
    below = [one for one in projects if os.path.normpath(one).startswith(os.path.join(owner.home, ""))]
    own = os.path.join(owner.home, ".claude", _NAMES[0])
    for project in below[:_MOST_PROJECTS]:
        for path in (os.path.join(project, ".claude", name) for name in _NAMES):
            keys = [] if path == own else _keys_in(path, ours)
            if keys:
                what = (
                    f"{path} sets {', '.join(keys)}: in that project Claude Code asks elsewhere, or with another token"
                )
                yield Problem("WARN", what, f"Take it out of {path}")


def _keys_in(path: str, ours: Mapping[str, str]) -> list[str]:
    settings = read_object(path)
    variables = settings.get("env")
    given = variables if isinstance(variables, dict) else {}
    elsewhere = given.get("ANTHROPIC_BASE_URL") not in (None, "", ours["ANTHROPIC_BASE_URL"])
    found = [*(["ANTHROPIC_BASE_URL"] if elsewhere else []), *(name for name in _AWAY if given.get(name))]
    return [*(f"env.{name}" for name in found), *(["apiKeyHelper"] if settings.get("apiKeyHelper") else [])]


def read_object(path: str) -> dict[str, Any]:
    """What a file of JSON holds; nothing where that cannot be told."""
    try:
        found = json.loads(careful.read(path).decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
