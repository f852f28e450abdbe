# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which values keep OpenCode from starting: it names each of them, and ends.

Measured with 1.18.33 (``opencode debug config``).
Keys that it does not know it passes over; ``theme`` and ``keybinds`` are none of its main file any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .shapes import ANYTHING, NUMBER, TEXT, TRUTH, Either, Needs, one_of

_TEXTS = "$schema shell model small_model default_agent username"
_OBJECTS = "references reference layout attachment tool_output"

_ACTION = one_of("ask", "allow", "deny")
_PERMISSION = Either((_ACTION, {"*": Either((_ACTION, {"*": _ACTION}))}))
_AGENT = {
    **dict.fromkeys(("model", "variant", "prompt", "description", "color"), TEXT),
    **dict.fromkeys(("temperature", "top_p", "steps", "maxSteps"), NUMBER),
    **dict.fromkeys(("disable", "hidden"), TRUTH),
    "mode": one_of("subagent", "primary", "all"),
    "tools": {"*": TRUTH},
    "permission": _PERMISSION,
}
_COMMAND = {
    **dict.fromkeys(("template", "description", "agent", "model"), TEXT),
    "subtask": TRUTH,
}
_SERVER = Either((Needs(("type",), {"type": one_of("local", "remote")}), Needs(("enabled",), {"enabled": TRUTH})))

SETTINGS: Mapping[str, Any] = {
    **dict.fromkeys(_TEXTS.split(), TEXT),
    **{key: {} for key in _OBJECTS.split()},
    **dict.fromkeys(("snapshot", "autoshare"), TRUTH),
    **{key: [TEXT] for key in ("disabled_providers", "enabled_providers", "instructions")},
    "agent": {"*": _AGENT},
    "command": {"*": Needs(("template",), _COMMAND)},
    "compaction": {"auto": TRUTH, "prune": TRUTH, "reserved": NUMBER},
    "enterprise": {"url": TEXT},
    "experimental": {
        **dict.fromkeys(("disable_paste_summary", "batch_tool", "openTelemetry", "continue_loop_on_deny"), TRUTH),
        "primary_tools": [TEXT],
        "mcp_timeout": NUMBER,
    },
    "formatter": Either((TRUTH, {"*": {}})),
    "logLevel": one_of("DEBUG", "INFO", "WARN", "ERROR"),
    "lsp": Either((TRUTH, {"*": {}})),
    "mcp": {"*": _SERVER},
    "mode": {"*": _AGENT},
    "permission": _PERMISSION,
    "plugin": [Either((TEXT, [ANYTHING]))],
    "provider": {
        "*": {
            **dict.fromkeys(("api", "name", "id", "npm"), TEXT),
            **{key: [TEXT] for key in ("env", "whitelist", "blacklist")},
            "models": {"*": {}},
            "options": {},
        }
    },
    "server": {"port": NUMBER, "hostname": TEXT, "mdns": TRUTH, "cors": [TEXT]},
    "share": one_of("manual", "auto", "disabled"),
    "skills": {"paths": [TEXT], "urls": [TEXT]},
    "tools": {"*": TRUTH},
    "watcher": {"ignore": [TEXT]},
}
