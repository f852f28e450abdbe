# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A throw-away home as a developer's may look: files of their own that a rollout must edit and an uninstall must give back."""

from __future__ import annotations

import secrets
from pathlib import Path

# Three spaces, a tab, odd blanks, no newline at the end, and a token that would outrank the token helper.
_SETTINGS = """\
{
   "model"  : "opus",
   "env": { "EDITOR": "vim",
\t    "GITHUB_TOKEN": "%(github)s",
\t    "ANTHROPIC_AUTH_TOKEN": "%(anthropic)s" },

   "permissions": {
      "allow": ["Bash(git status)",   "Read(~/work/**)"],
      "deny" : [ "Read(./.env)" ]
   },
   "statusLine": {"type": "command", "command": "printf 'Caf\u00e9 %%s' \\"$PWD\\""}
}"""

_STATE = '{"numStartups":17,"tipsHistory":{"memory-command":3},"projects":{"/srv/shop":{"allowedTools":[]}}}\n'

_DATABRICKSCFG = """\
; my workspaces
[DEFAULT]
host  = https://adb-1111111111111111.1.azuredatabricks.net
token = %(databricks)s   # rotate in spring

[staging]
host=https://staging.cloud.databricks.com
    auth_type = databricks-cli
"""

_LOGIN = 'PATH="$HOME/.local/bin:$PATH"\n'


def make(home: Path) -> dict[str, str]:
    """Fill ``home``. Returns the secrets planted in it, random ones, by what they are.

    ``.claude/settings.json`` is a symbolic link into a directory of dotfiles, as dotfile managers make them, and
    ``.databrickscfg`` may be read by the group.
    """
    planted = {
        "github": f"ghp_{secrets.token_hex(18)}",
        "anthropic": f"sk-ant-{secrets.token_hex(20)}",
        "databricks": f"dapi{secrets.token_hex(16)}",
    }
    home.mkdir(mode=0o755)
    for directory, mode in ((".claude", 0o700), (".local", 0o755), (".local/bin", 0o750), ("dotfiles", 0o755)):
        (home / directory).mkdir()
        (home / directory).chmod(mode)
    _file(home / "dotfiles" / "claude-settings.json", _SETTINGS % planted, 0o600)
    (home / ".claude" / "settings.json").symlink_to("../dotfiles/claude-settings.json")
    _file(home / ".claude" / "CLAUDE.md", "Answer in short sentences.\n", 0o644)
    _file(home / ".claude.json", _STATE, 0o600)
    _file(home / ".databrickscfg", _DATABRICKSCFG % planted, 0o640)
    for name in (".profile", ".zprofile"):
        _file(home / name, _LOGIN, 0o644)
    _file(home / ".local" / "bin" / "deploy", "#!/bin/sh\necho deployed\n", 0o755)
    return planted


def _file(path: Path, text: str, mode: int) -> None:
    path.write_bytes(text.encode("utf-8"))
    path.chmod(mode)
