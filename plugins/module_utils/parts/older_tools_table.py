# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of what other tools leave in a home: whose it is, where, how it is known, its owner's way out (docs/other-tools.md)."""

from __future__ import annotations

from typing import NamedTuple

SCRIPT = "fmapi-codingagent-setup"
OPSKIT = "fmapi-opskit"
UG = "ug (ucode)"
PROXY = "databricks-claude"
TERMINAL = "the terminal in the browser (CoDA)"


class Artifact(NamedTuple):
    """A row of the table in docs/other-tools.md. ``marker``: an expression that has to match what stands there."""

    tool: str
    path: str
    """Below the home."""
    what: str
    known_by: str
    way_out: str
    """What its owner does to be rid of it."""
    is_removed: bool = False
    """Whether an uninstall takes it away, where that is wanted and nobody has edited it."""
    marker: bytes = b""
    """Empty where a function below knows more than one expression says."""


BY_HAND = "remove it by hand"
_UG = "run: ug revert"
_HOOKS = "run: databricks-claude --uninstall-hooks"
_SKILL = "remove its directory by hand"

HELPER, CACHE, SETTINGS, REGISTRATION, FUNCTION, CLONE, PROFILE = (
    "token helper",
    "cache of a personal access token",
    "settings",
    "registration of a plugin",
    "shell function",
    "clone of its repository",
    "profile",
)

TABLE: tuple[Artifact, ...] = (
    Artifact(
        SCRIPT,
        ".claude/fmapi-key-helper.sh",
        HELPER,
        "its text, but for the profile and the host that were filled in",
        BY_HAND,
        True,
    ),
    Artifact(
        SCRIPT,
        ".claude/.fmapi-pat-cache",
        CACHE,
        "JSON of `token`, `expiry_epoch` and `lifetime_seconds` alone",
        BY_HAND,
        True,
    ),
    Artifact(
        SCRIPT,
        ".claude/settings.json",
        SETTINGS,
        "`apiKeyHelper` leads to its token helper; of `env`, values such as it writes",
        "take them out by hand",
        True,
    ),
    Artifact(
        SCRIPT,
        ".claude/plugins/installed_plugins.json",
        REGISTRATION,
        "`fmapi-codingagent` with `scope` and `installPath` alone",
        BY_HAND,
        True,
    ),
    Artifact(
        SCRIPT,
        ".bashrc",
        FUNCTION,
        "its marker lines, and between them statements of the script alone",
        BY_HAND,
        True,
    ),
    Artifact(SCRIPT, ".zshrc", FUNCTION, "as in `.bashrc`", BY_HAND, True),
    Artifact(
        SCRIPT,
        ".fmapi-codingagent-setup",
        CLONE,
        "the remote of the clone; nothing changed, added or committed in it",
        BY_HAND,
        True,
    ),
    Artifact(
        SCRIPT,
        ".databrickscfg",
        PROFILE,
        "a profile by its name, with `auth_type = databricks-cli`",
        "run: databricks auth logout --profile NAME",
    ),
    Artifact(
        OPSKIT,
        ".codex/config.toml",
        "provider of models",
        "`fmapi-key-helper.sh` as its command",
        "take its tables out by hand",
        marker=rb'(?m)^\s*command\s*=\s*"[^"\n]*/fmapi-key-helper\.sh"',
    ),
    *(
        Artifact(
            OPSKIT,
            f"{agent}/skills/fmapi-codingagent-{name}/SKILL.md",
            "skill",
            "its name in its first lines",
            _SKILL,
            marker=rb"\A---\s[^\0]{0,400}?name:\s*fmapi-codingagent-" + name.encode() + rb"\s",
        )
        for agent in (".claude", ".codex")
        for name in ("status", "reauth", "setup", "doctor", "list-models", "validate-models")
    ),
    Artifact(UG, ".ucode/state.json", "state", "`workspace` in it", _UG, marker=rb'"(?:current_)?workspaces?"\s*:'),
    Artifact(
        UG,
        ".claude/ucode-settings.json",
        "settings of Claude Code",
        "the path of the gateway in it",
        _UG,
        marker=rb"/ai-gateway/anthropic",
    ),
    Artifact(
        UG,
        ".codex/config.toml",
        "provider ucode-databricks",
        "the table of its provider",
        _UG,
        marker=rb"(?m)^\[model_providers\.ucode-databricks\]",
    ),
    Artifact(
        UG,
        ".codex/ucode.config.toml",
        "profile of Codex",
        "its provider in it",
        _UG,
        marker=rb'(?m)^model_provider\s*=\s*"(?:ucode-databricks|Databricks)"',
    ),
    Artifact(
        UG, ".gemini/ucode.env", "environment of Gemini CLI", "a variable of it", _UG, marker=rb"(?m)^GEMINI_\w+="
    ),
    Artifact(
        UG,
        ".copilot/ucode.env",
        "environment of Copilot CLI",
        "a variable of it",
        _UG,
        marker=rb"(?m)^COPILOT_\w+=",
    ),
    Artifact(
        PROXY,
        ".claude/settings.json",
        "hooks",
        "`databricks-claude` as their command",
        _HOOKS,
        marker=rb'"command"\s*:\s*"(?:[^"\n]*/)?databricks-claude[ "]',
    ),
    Artifact(
        PROXY,
        ".claude/settings.json",
        "address of the proxy",
        "its placeholder for a token",
        _HOOKS,
        marker=rb'"ANTHROPIC_AUTH_TOKEN"\s*:\s*"proxy-managed"',
    ),
    Artifact(
        PROXY,
        ".claude/.databricks-claude.json",
        "state",
        "`profile` or `port` in it",
        BY_HAND,
        marker=rb'"(?:profile|port)"\s*:',
    ),
    Artifact(
        PROXY,
        ".config/systemd/user/databricks-claude-daemon.service",
        "service",
        "`databricks-claude` as its program",
        "stop it, then remove it by hand",
        marker=rb"(?m)^ExecStart=.*databricks-claude",
    ),
    Artifact(
        PROXY,
        "Library/LaunchAgents/databricks-claude-daemon.plist",
        "service",
        "`databricks-claude` in it",
        "stop it, then remove it by hand",
        marker=rb"<string>[^<]*databricks-claude[^<]*</string>",
    ),
    Artifact(
        TERMINAL,
        ".coda/app_state.json",
        "state",
        "`app_owner` and `last_token_id` in it",
        BY_HAND,
        marker=rb'(?s)"app_owner"\s*:.*"last_token_id"\s*:',
    ),
    Artifact(
        TERMINAL,
        ".gemini/.env",
        "environment of Gemini CLI",
        "`GEMINI_API_KEY_AUTH_MECHANISM=bearer`, and a path of a workspace",
        "take it out by hand",
        marker=rb"(?s)(?=.*GOOGLE_GEMINI_BASE_URL=https://\S+/(?:serving-endpoints/google|gemini)\s)"
        rb".*GEMINI_API_KEY_AUTH_MECHANISM=bearer",
    ),
    Artifact(
        TERMINAL,
        ".config/opencode/opencode.json",
        "provider of models",
        "the port of its proxy, and `DATABRICKS_TOKEN` as the key",
        "take it out by hand",
        marker=rb'(?s)(?=.*"http://127\.0\.0\.1:4000").*\{env:DATABRICKS_TOKEN\}',
    ),
)
