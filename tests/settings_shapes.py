# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of Claude Code that are good JSON: some it refuses, with the whole file, and some it passes over.

The unit tests have our own judgement of them, tests/agents the real program's.
"""

from __future__ import annotations

from typing import Any

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a number as text": ({"cleanupPeriodDays": "30"}, "cleanupPeriodDays"),
    "a number that is too small": ({"cleanupPeriodDays": 0}, "cleanupPeriodDays"),
    "half a number": ({"cleanupPeriodDays": 1.5}, "cleanupPeriodDays"),
    "null": ({"model": None}, "model"),
    "a switch in place of an object": ({"sandbox": True}, "sandbox"),
    "a text in place of an object": ({"statusLine": "~/line.sh"}, "statusLine"),
    "an object without what it needs": ({"statusLine": {"type": "command"}}, "statusLine.command"),
    "a switch as text": ({"includeCoAuthoredBy": "false"}, "includeCoAuthoredBy"),
    "a switch as number": ({"alwaysThinkingEnabled": 1}, "alwaysThinkingEnabled"),
    "a switch inside an object": ({"sandbox": {"enabled": "true"}}, "sandbox.enabled"),
    "a text in place of a list": ({"permissions": {"allow": "Bash(ls:*)"}}, "permissions.allow"),
    "a list in place of an object": ({"worktree": []}, "worktree"),
    "a word that is none of those": ({"permissions": {"defaultMode": "acceptAll"}}, "permissions.defaultMode"),
    "a member of a list": (
        {"permissions": {"additionalDirectories": ["~/src", None]}},
        "permissions.additionalDirectories.1",
    ),
    "a list in place of a text": ({"outputStyle": ["Explanatory"]}, "outputStyle"),
    "an object in place of a switch": ({"enabledPlugins": {"a@b": {}}}, "enabledPlugins.a@b"),
    "a list in place of a command": ({"fileSuggestion": ["find"]}, "fileSuggestion"),
}
"""By situation: the settings, and the key that is at fault."""

TOLERATED: dict[str, dict[str, Any]] = {
    "keys that are not known": {"zażółć": None, "future": {"deep": [1]}},
    "words of keys that are passed over": {"effortLevel": "most", "theme": 3, "viewMode": [], "editorMode": None},
    "hooks of any kind": {"hooks": {"NoSuchEvent": "x"}},
    "numbers and switches as variables": {"env": {"A": 1, "B": True}},
    "a list or a text": {"forceLoginOrgUUID": ["a"]},
    "good ones of many kinds": {
        "cleanupPeriodDays": 30,
        "model": "opus",
        "sandbox": {"enabled": False, "network": {"allowedDomains": ["example.com"], "httpProxyPort": 1}},
        "statusLine": {"type": "command", "command": "true", "padding": 0},
        "permissions": {"allow": ["Bash(ls:*)"], "deny": ["Read(./.env)"], "defaultMode": "plan"},
        "enabledPlugins": {"a@b": True, "c@d": ["x"]},
        "attribution": {"commit": "", "pr": ""},
        "spinnerVerbs": {"mode": "append", "verbs": ["Thinking"]},
        "skillListingBudgetFraction": 0.5,
    },
}
