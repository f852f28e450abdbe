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

OF_OTHERS: dict[str, dict[str, tuple[dict[str, Any], str]]] = {
    "codex": {
        "a switch as text": ({"hide_agent_reasoning": "true"}, "hide_agent_reasoning"),
        "a number with a point": ({"model_context_window": 1.0}, "model_context_window"),
        "a word that is none of those": ({"sandbox_mode": "read"}, "sandbox_mode"),
        "a member of a list": ({"notify": ["notify-send", 1]}, "notify.1"),
        "inside an object": ({"history": {"max_bytes": "1"}}, "history.max_bytes"),
        "a provider without its name": (
            {"model_providers": {"mine": {"base_url": "http://x"}}},
            "model_providers.mine.name",
        ),
        "a server's variable": ({"mcp_servers": {"a": {"command": "x", "env": {"A": 1}}}}, "mcp_servers.a.env.A"),
    },
    "gemini": {
        "a number in place of a text": ({"ui": {"theme": 3}}, "ui.theme"),
        "a member of a list": ({"tools": {"core": [3]}}, "tools.core.0"),
        "a text in place of a list": ({"context": {"includeDirectories": "~/src"}}, "context.includeDirectories"),
        "a word that is none of those": ({"telemetry": {"target": "there"}}, "telemetry.target"),
    },
    "opencode": {
        "a number in place of a text": ({"username": 3}, "username"),
        "a word that is none of those": ({"share": "never"}, "share"),
        "a member of a list": ({"instructions": [3]}, "instructions.0"),
        "inside an object": ({"permission": {"edit": "maybe"}}, "permission.edit"),
        "an object without what it needs": ({"command": {"a": {"agent": "x"}}}, "command.a.template"),
    },
    "pi": {
        "a number in place of a text": ({"sessionDir": 3}, "sessionDir"),
        "a member of a list": ({"extensions": [3]}, "extensions.0"),
        "a number in place of a list": ({"packages": 3}, "packages"),
    },
    "hermes": {
        "a number as text": ({"agent": {"max_turns": "many"}}, "agent.max_turns"),
        "a list in place of an object": ({"display": ["compact"]}, "display"),
        "a number in place of a text": ({"logging": {"level": 3}}, "logging.level"),
        "a text in place of an object": ({"mcp_servers": "none"}, "mcp_servers"),
    },
}
"""Of the other agents: values for which they do not start, by agent."""

TOLERATED_BY_OTHERS: dict[str, dict[str, Any]] = {
    "codex": {
        "future": [1, {}],
        "history": {"persistence": "none", "max_bytes": 1},
        "tui": {"notifications": ["a"], "future": 1},
        "features": {"goals": True},
        "mcp_servers": {"a": {"command": "true", "args": [], "startup_timeout_sec": 1.5}},
    },
    "gemini": {"future": 1, "ui": {"hideBanner": "x"}, "context": {"fileName": ["A.md"]}, "tools": 3},
    "opencode": {
        "future": 1,
        "permission": {"bash": {"ls *": "allow"}, "edit": "ask"},
        "formatter": False,
        "mcp": {"a": {"type": "local", "command": ["true"], "enabled": False}, "b": {"enabled": False}},
    },
    "pi": {"future": 1, "theme": 3, "retry": {"maxRetries": "x"}, "skills": []},
    "hermes": {"future": 1, "memory": 3, "agent": {"max_turns": 7}, "compression": {"threshold": 0.4}},
}
"""By agent: known keys with good values, and what it passes over."""
