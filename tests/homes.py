# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Homes that rollouts go to: a bare one, one that its user has lived in, one that an older tool has set up."""

from __future__ import annotations

import json
from pathlib import Path

OTHER_KEY = "sk-ant-api03-PLANTED-key-of-another-service-0123456789"
OTHER_SECRET = "dapi00planted00of00another00profile0123"


def bare(path: Path) -> Path:
    """A home with nothing in it but what a shell wants."""
    path.mkdir(mode=0o700)
    (path / ".profile").write_text("# my profile\n")
    return path


def lived_in(path: Path) -> Path:
    """A home whose files have all that an editor must keep: odd indentation, line ends, a link, other tools' keys."""
    bare(path)
    claude = path / ".claude"
    claude.mkdir(mode=0o755)
    dotfiles = path / "dotfiles"
    dotfiles.mkdir()
    # Managed by a dotfile manager: the file in .claude is a link.
    settings = {
        "$schema": "https://json.schemastore.org/claude-code-settings.json",
        "model": "opus",
        "env": {"EDITOR": "vim", "OTHER_SERVICE_API_KEY": OTHER_KEY},
        "permissions": {"allow": ["Bash(ls:*)"], "deny": ["Read(./.env)"]},
        "hooks": {"Stop": [{"hooks": [{"type": "command", "command": "true"}]}]},
        "zażółć": "gęślą",
    }
    text = json.dumps(settings, indent="\t", ensure_ascii=False)
    (dotfiles / "claude-settings.json").write_text(text, encoding="utf-8")  # no line end at the end
    (dotfiles / "claude-settings.json").chmod(0o640)
    (claude / "settings.json").symlink_to("../dotfiles/claude-settings.json")
    (claude / "CLAUDE.md").write_text("# Be brief\r\n")
    (path / ".claude.json").write_bytes(b'{"numStartups":12,"theme":"dark","projects":{"/src":{"history":[]}}}')
    (path / ".claude.json").chmod(0o600)
    (path / ".databrickscfg").write_bytes(
        b"; profiles of mine\r\n[DEFAULT]\r\nhost  = https://dbc-00000000-0000.cloud.databricks.com\r\n"
        + f"token = {OTHER_SECRET}\r\n\r\n# the other one\r\n[other]\r\nhost=https://other.example.com".encode()
    )
    (path / ".databrickscfg").chmod(0o600)
    return path


def of_an_older_tool(path: Path, workspace_url: str, **more: str) -> Path:
    """A home that a shell script had set up before: its helper, and its values in the settings.

    :param more: further members of ``env``.
    """
    bare(path)
    claude = path / ".claude"
    claude.mkdir(mode=0o755)
    helper = claude / "fmapi-key-helper.sh"
    helper.write_text("#!/bin/sh\nexec databricks auth token -p fmapi-claudecode-profile\n")
    helper.chmod(0o700)
    settings = {
        "apiKeyHelper": str(helper),
        "env": {
            "ANTHROPIC_MODEL": "databricks-claude-opus-4-6",
            "ANTHROPIC_BASE_URL": f"{workspace_url}/serving-endpoints/anthropic",
            "ANTHROPIC_DEFAULT_OPUS_MODEL": "databricks-claude-opus-4-6",
            "ANTHROPIC_DEFAULT_SONNET_MODEL": "databricks-claude-sonnet-4-5",
            "ANTHROPIC_DEFAULT_HAIKU_MODEL": "databricks-claude-haiku-4-5",
            "ANTHROPIC_CUSTOM_HEADERS": "x-databricks-use-coding-agent-mode: true",
            "CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS": "1",
            "CLAUDE_CODE_API_KEY_HELPER_TTL_MS": "3600000",
            **more,
        },
        "includeCoAuthoredBy": False,
    }
    (claude / "settings.json").write_text(json.dumps(settings, indent=2) + "\n")
    (claude / "settings.json").chmod(0o600)
    return path
