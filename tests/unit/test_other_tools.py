# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Beside the vendor's tool (``ug``, before ``ucode``) and fmapi-opskit: what they compare is equal, or is not in files of ours.

Where a value comes from stands with it: the tool, and its file.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils import rollout
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.documents import FORMATS
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owner import Owner, current_owner
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.context import agent_options
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import How

from tests.hosts.tree import differences, manifest
from tests.unit.options_for import URL, options_for
from tests.unit.trees import bring_libraries

OF_THE_VENDOR = {
    ".claude/ucode-settings.json": "ucode, agents/claude.py: passed with --settings",
    ".codex/ucode.config.toml": "ucode, agents/codex.py: chosen by --profile",
    ".codex/ucode-models.json": "ug, agents/codex.py: a catalog of models",
    ".gemini/ucode.env": "ucode, agents/gemini.py",
    ".ucode/.gemini-home/.gemini/settings.json": "ucode, agents/gemini.py: a home of its own",
    ".ucode/opencode-xdg/opencode/opencode.json": "ucode, agents/opencode.py: chosen by XDG_CONFIG_HOME",
    ".copilot/ucode.env": "ucode, agents/copilot.py: for information",
    ".copilot/ucode-mcp-config.json": "ucode, agents/copilot.py: passed by an option",
    ".ucode/pi-home/.pi/agent/models.json": "ucode, agents/pi.py: chosen by PI_CODING_AGENT_DIR",
    ".ucode/state.json": "ucode, state.py",
}
"""Files that a developer's own rollout by the vendor's tool leaves below the home."""

MANAGED = ("/etc/claude-code", "/etc/codex", "/Library/Application Support/ClaudeCode")
"""ug, managed_files.py: it compares what stands there as a whole, and without a terminal it refuses to start where that differs."""

CLAUDE_OF_OPSKIT = {
    # fmapi-opskit, agents/claudecode.py and settings/manager.py
    "apiKeyHelper": "/home/ada/.claude/fmapi-key-helper.sh",
    "env": {
        "ANTHROPIC_BASE_URL": f"{URL}/serving-endpoints/anthropic",
        "ANTHROPIC_MODEL": "databricks-claude-opus-4-6",
        "ANTHROPIC_CUSTOM_HEADERS": "x-databricks-use-coding-agent-mode: true",
        "CLAUDE_CODE_API_KEY_HELPER_TTL_MS": "3300000",
        "CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS": "1",
    },
}
CODEX_OF_BOTH = f"""\
# ucode, agents/codex.py, before profiles had files of their own; fmapi-opskit, agents/codex.py
profile = "default"

[profiles.default]
model = "databricks-gpt-5-2"
model_provider = "Databricks"
model_reasoning_effort = "high"

[profiles.ucode]
model_provider = "ucode-databricks"

[model_providers.Databricks]
name = "Databricks AI Gateway"
base_url = "{URL}/serving-endpoints/openai/v1"
wire_api = "responses"

[model_providers.Databricks.auth]
command = "/home/ada/.claude/fmapi-key-helper.sh"
timeout_ms = 10000
refresh_interval_ms = 3300000

[model_providers.ucode-databricks]
name = "Databricks AI Gateway"
base_url = "{URL}/ai-gateway/codex/v1"
wire_api = "responses"
"""


@pytest.fixture
def owner(tmp_path: Path) -> Owner:
    bring_libraries()
    (tmp_path / "home").mkdir(mode=0o700)
    return current_owner(str(tmp_path / "home"))


def wanted(*agents: str) -> dict[str, object]:
    return options_for(parts=["agent_settings", "launcher"], agents=[*agents] or [*AGENTS])


def write(owner: Owner, path: str, text: str) -> Path:
    file = Path(owner.home, path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_what_the_vendor_s_tool_writes_for_claude_code_is_written_alike(owner: Owner) -> None:
    """ucode, agents/claude.py: base URL, the header that counts agents, the time a token is kept, the tool that is denied."""
    rollout.apply(owner, wanted("claude_code"), How())
    settings = json.loads(Path(owner.home, ".claude/settings.json").read_text())
    assert settings["env"]["ANTHROPIC_BASE_URL"] == f"{URL}/ai-gateway/anthropic"
    assert "x-databricks-use-coding-agent-mode: true" in settings["env"]["ANTHROPIC_CUSTOM_HEADERS"].splitlines()
    assert settings["env"]["CLAUDE_CODE_API_KEY_HELPER_TTL_MS"] == "900000"
    assert "WebSearch" in settings["permissions"]["deny"]


def test_what_the_vendor_s_tool_writes_for_codex_is_written_alike_under_a_name_of_ours(owner: Owner) -> None:
    """ucode, agents/codex.py: its providers are ucode-databricks and Databricks; TOML tells capitals from small letters."""
    rollout.apply(owner, wanted("codex"), How())
    document = FORMATS["toml"](Path(owner.home, ".codex/config.toml").read_bytes())
    providers = document.get(("model_providers",))
    assert set(providers).isdisjoint(("ucode-databricks", "Databricks"))
    ours = providers["databricks"]
    assert (ours["base_url"], ours["wire_api"]) == (f"{URL}/ai-gateway/codex/v1", "responses")
    assert ours["auth"]["refresh_interval_ms"] == 900_000


def test_no_agent_has_a_file_of_another_tool_or_of_the_whole_machine(owner: Owner) -> None:
    for name, agent in AGENTS.items():
        paths = [one.path for one in agent.documents(agent_options(owner, wanted(name), name))]
        assert {f"{owner.home}/{one}" for one in OF_THE_VENDOR}.isdisjoint(paths)
        assert not [path for path in paths if path.startswith(MANAGED)]


@pytest.mark.parametrize("agent", ["claude_code", "codex", "all"])
def test_a_host_that_others_have_set_up_is_given_back_to_them_byte_for_byte(owner: Owner, agent: str) -> None:
    for path, source in OF_THE_VENDOR.items():
        write(owner, path, f"{source}\n")
    settings = write(owner, ".claude/settings.json", json.dumps(CLAUDE_OF_OPSKIT, indent=2))
    config = write(owner, ".codex/config.toml", CODEX_OF_BOTH)
    before = manifest(owner.home)
    chosen = wanted() if agent == "all" else wanted(agent)
    rollout.apply(owner, chosen, How())
    if agent in ("claude_code", "all"):
        written = json.loads(settings.read_text())
        assert written["env"]["ANTHROPIC_BASE_URL"] == f"{URL}/ai-gateway/anthropic"
        assert written["apiKeyHelper"] != CLAUDE_OF_OPSKIT["apiKeyHelper"]
    if agent in ("codex", "all"):
        document = FORMATS["toml"](config.read_bytes())
        assert document.get(("model_provider",)) == "databricks" and '\nprofile = "default"' not in config.read_text()
        assert "[model_providers.ucode-databricks]" in config.read_text(), "theirs stays beside ours"
    for path, source in OF_THE_VENDOR.items():
        assert Path(owner.home, path).read_text() == f"{source}\n"
    assert not rollout.apply(owner, chosen, How())["changed"]
    rollout.withdraw(owner, chosen, How())
    assert differences(before, manifest(owner.home)) == []
