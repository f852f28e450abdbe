# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``coding-agents show``: where requests go, by whose token and with which models; asks nobody, and never the token."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

from ansible_collections.fmapi.coding_agents.plugins.module_utils import rollout
from ansible_collections.fmapi.coding_agents.plugins.module_utils.command import completions
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program import token_cache
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.config import Config
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.token import Token
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.wanted_state import SECRETS
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import How

from tests import homes
from tests.unit import relay_archive
from tests.unit.options_for import URL, carried, options_for, owner_of

TOKEN = "a-token-of-somebody"


def test_the_configuration_in_force_is_shown_without_a_token(tmp_path: Path) -> None:
    home = homes.lived_in(tmp_path / "home")
    brought = {**carried(), **relay_archive.carried(), "forgotten": SECRETS}
    chosen = {"agents": ["gemini", "codex"], "relay": "auto", "proxy": "http://ada:secret@proxy.example.com"}
    parts = ["databricks_oauth", "relay", "agent_settings", "launcher"]
    rollout.apply(owner_of(home), options_for(**chosen, parts=parts, carried=brought), How())
    config = Config.load(str(home / ".local/share/fmapi-coding-agents/config.json"))

    def show(*words: str) -> str:
        command = [config.front, "show", *words]
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(home)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    told = json.loads(show("--json"))
    assert (told["workspace_url"], told["profile"], told["token"]) == (URL, "fmapi-coding-agents", "none at hand")
    urls = {one["agent"]: one["urls"] for one in told["agents"]}
    assert urls["gemini"] == {"gemini": "http://127.0.0.1:49153/gemini"}
    assert urls["codex"] == {"responses": f"{URL}/ai-gateway/codex/v1"}
    assert told["relay"] == "session, http://127.0.0.1:49153, not running"
    token_cache.store(config, Token(TOKEN, int(time.time()) + 3600))
    shown = show() + show("--json")
    assert "at hand until" in shown and TOKEN not in shown and "secret" not in shown


def test_what_can_follow_is_completed() -> None:
    assert "relay" in completions._candidates("", [])
    assert {"start", "stop", "status"} <= set(completions._candidates("", ["relay"]))
    assert completions._candidates("", ["relay", "status"]) == ["--help", "--json"]
    assert completions._candidates("", ["relay", "nothing"]) == []
