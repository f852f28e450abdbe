# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a person asks each agent for one answer, and where its requests arrive: what tests of all agents share."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from plugins.module_utils.agents import AGENTS
from tests.agents.terminal import typed
from tests.workspace.client import Workspace

PROMPTS = {
    "claude_code": "claude -p hello",
    "codex": "codex exec --skip-git-repo-check hello",
    "gemini": "gemini --skip-trust -p hello",
    "opencode": "opencode run hello",
    "copilot": "copilot -s -p hello",
    "pi": "pi -p hello",
    "hermes": "hermes -z hello",
}

ASKED = {
    "anthropic": "/ai-gateway/anthropic/v1/messages",
    "chat": "/ai-gateway/mlflow/v1/chat/completions",
    "gemini": "/ai-gateway/gemini/v1beta/models",
    "responses": "/ai-gateway/codex/v1/responses",
}
"""By wire dialect: what the path of a prompt begins with."""

REFUSALS = [403, pytest.param(401, marks=pytest.mark.soak)]
"""With what a workspace refuses a token that has ended. Most agents repeat what is refused with 401, so the other tells more."""

REFUSAL = "The simulated workspace was told to fail."
GONE = {
    **dict.fromkeys(AGENTS, REFUSAL),
    "claude_code": "There's an issue with the selected model",
    "copilot": "not found on provider",
}
"""What an agent says of a model that the workspace does not serve any more (HTTP 404)."""


def asked(name: str) -> str:
    """What the path of an agent's prompts begins with."""
    return ASKED[AGENTS[name].dialects[0]]


def cheap(workspace: Workspace, name: str) -> bool:
    """Whether what the doctor has asked through this agent so far is within what it may cost; and it has asked."""
    spent = [one.get("input_tokens", 0) for one in workspace.requests(asked(name))]
    return 0 < sum(spent) <= AGENTS[name].prompt_tokens


def prompted(home: Path, prefix: Path, name: str, within: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """Prompt an agent by its bare name; Claude Code, which has no command of ours, by its path."""
    line = PROMPTS[name] if AGENTS[name].command != "claude" else f"{prefix}/bin/{PROMPTS[name]}"
    return typed(home, line, within)


def reply(done: subprocess.CompletedProcess[str]) -> str:
    """What an agent answered: without the time, which Copilot tells with every prompt, and without quotes."""
    return re.sub(r"<current_datetime>.*?</current_datetime>\s*", "", done.stdout).replace('"', "").strip()
