# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the settings of a person's projects, which win over the person's own, do to ours. Measured with 2.1.197: the order of the two.

Looked at are the home and the projects below it that Claude Code has noted: what is elsewhere may be on a file server that is away.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator
from typing import Any, Callable

from .. import careful
from .base import Problem

_MOST_PROJECTS = 200
_MOST_BYTES = 1 << 25
"""What Claude Code notes of projects grows with them, over a mebibyte."""
_NAMES = ("settings.json", "settings.local.json")


def problems(
    home: str, settings_file: str, url: str, helper: str, leads_away: Callable[[str, object], bool]
) -> Iterator[Problem]:
    """``settings_file`` has our settings, with the URL and the helper; ``leads_away`` tells of another variable and its value."""
    projects = read_object(os.path.join(home, ".claude.json")).get("projects")
    projects = projects if isinstance(projects, dict) else {}
    within = [one for one in map(os.path.normpath, projects) if f"{one}/".startswith(os.path.join(home, ""))]
    for project in within[:_MOST_PROJECTS]:
        for path in (os.path.join(project, ".claude", name) for name in _NAMES):
            keys = [] if path == settings_file else _keys_in(path, url, helper, leads_away)
            if keys:
                what = (
                    f"{path} sets {', '.join(keys)}: in that project Claude Code asks elsewhere, or with another token"
                )
                yield Problem("WARN", what, f"Take it out of {path}")


def _keys_in(path: str, url: str, helper: str, leads_away: Callable[[str, object], bool]) -> list[str]:
    """With which requests go elsewhere, or with another token."""
    settings = read_object(path)
    variables = settings.get("env")
    given = variables if isinstance(variables, dict) else {}
    elsewhere = given.get("ANTHROPIC_BASE_URL") not in (None, "", url)
    found = [
        *(["ANTHROPIC_BASE_URL"] if elsewhere else []),
        *(name for name, value in given.items() if leads_away(name, value)),
    ]
    another = settings.get("apiKeyHelper") not in (None, "", shlex.quote(helper))
    return [*(f"env.{name}" for name in found), *(["apiKeyHelper"] if another else [])]


def read_object(path: str) -> dict[str, Any]:
    """What a file of JSON holds; nothing where that cannot be told."""
    try:
        found = json.loads(careful.read(path, _MOST_BYTES).decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
