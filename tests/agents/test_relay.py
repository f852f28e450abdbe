# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real agents through the real relay: Gemini CLI, which reads its token once, and Claude Code, which has been told to use it."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from plugins.module_utils.agents import AGENTS
from plugins.module_utils.relay import clients, running
from plugins.module_utils.relay.places import Places
from tests.agents.conftest import installed
from tests.agents.prompts import REFUSALS, asked, prompted, reply
from tests.agents.terminal import typed
from tests.control_node import ControlNode, Operator
from tests.unit.relay_archive import free_port, wheels
from tests.workspace.client import Workspace

pytestmark = pytest.mark.agents

AGENT = "gemini"
MODELS = "/ai-gateway/gemini/v1beta/models"


@pytest.fixture(autouse=True)
def relay(control: ControlNode, home: Path) -> Iterator[None]:
    """The control node has what the relay is made of, and none stays."""
    cache = control.home / ".cache" / "fmapi-coding-agents" / "relay"
    cache.mkdir(parents=True)
    for name, content in wheels().items():
        (cache / name).write_bytes(content)
    yield
    found = running.find(Places(str(home)))
    if found is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(found.pid, signal.SIGKILL)


@pytest.mark.parametrize("status", REFUSALS)
def test_a_session_outlives_its_tokens(operator: Operator, home: Path, status: int) -> None:
    operator.rollout(home, relay="auto", relay_port=free_port()).ok()
    # A token lives shorter than the session, which waits in its tools for the next.
    operator.workspace.control(token_lifetime=2, refuse_with=status, strict=True)
    prompt = 'call the tool run_shell_command with {"command": "sleep 3"}'
    done = typed(home, f"gemini --skip-trust --approval-mode yolo -p '{prompt}'")
    assert done.returncode == 0, done.stderr
    sent = [(one["status"], one["model"]) for one in operator.workspace.requests(MODELS)]
    assert len([one for one in sent if one[0] == 200]) >= 2, sent
    places = Places(str(home))
    found = running.find(places)
    assert found is not None and clients.living(places) == []
    key = Path(places.key).read_text().strip()
    told = [str(one) for one in operator.workspace.requests(MODELS)]
    assert key not in "".join(told), "the relay's key goes no further"


def test_claude_code_tells_the_relay_of_its_sessions(
    control: ControlNode, workspace: Workspace, home: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    prefix = installed(AGENTS["claude_code"].pinned_version, tmp_path_factory, "claude_code")
    port = free_port()
    operator = Operator(control, workspace, prefix, agents=["claude_code"], relay="auto", relay_port=port)
    operator.rollout(home, relay_clients=["claude_code"]).ok()
    workspace.control(strict=True)
    seen = home / "clients"
    waits = f"ls ~/.local/state/fmapi-coding-agents/relay/clients >{seen}"
    command = f'{prefix}/bin/claude -p --allowedTools Bash -- \'call the tool Bash with {{"command": "{waits}"}}\''
    done = typed(home, command)
    assert done.returncode == 0 and "The tool said" in done.stdout, done.stdout + done.stderr
    assert len(seen.read_text().split()) == 1, "the session counts as a client while it lives"
    assert clients.living(Places(str(home))) == [], "and no longer"
    sent = [(one["status"], one["token"]) for one in workspace.requests("/ai-gateway/anthropic/v1/messages")]
    assert sent and set(sent) == {(200, "valid")}


@pytest.mark.soak
def test_every_agent_answers_through_the_relay(
    control: ControlNode, workspace: Workspace, home: Path, every_agent: Path
) -> None:
    """With its own dialect, with the relay's key in place of a token, and with no request that is refused."""
    operator = Operator(control, workspace, every_agent, agents=[*AGENTS], relay="session", relay_port=free_port())
    operator.rollout(home, relay_clients=[*AGENTS]).ok()
    helper = home / ".local/share/fmapi-coding-agents/token-helper"
    helper.unlink()  # what still asks for a token has none
    workspace.control(strict=True)
    for name in AGENTS:
        workspace.clear()
        done = prompted(home, every_agent, name)
        assert reply(done) == "You said: hello", f"{name}: {done.stdout} {done.stderr}"
        sent = [(one["status"], one["token"]) for one in workspace.requests(asked(name))]
        assert sent and set(sent) == {(200, "valid")}, f"{name}: {sent}"
