# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real Gemini CLI through the real relay: it reads its token once, and its session outlives it all the same."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from plugins.module_utils.relay import clients, running
from plugins.module_utils.relay.places import Places
from tests.agents.prompts import REFUSALS
from tests.agents.terminal import typed
from tests.control_node import Operator
from tests.unit.relay_archive import free_port, wheels

pytestmark = pytest.mark.agents

AGENT = "gemini"
MODELS = "/ai-gateway/gemini/v1beta/models"


@pytest.fixture
def relayed(operator: Operator, home: Path) -> Iterator[Operator]:
    """An operator whose control node has what the relay is made of."""
    cache = operator.control.home / ".cache" / "fmapi-coding-agents" / "relay"
    cache.mkdir(parents=True)
    for name, content in wheels().items():
        (cache / name).write_bytes(content)
    yield operator
    found = running.find(Places(str(home)))
    if found is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(found.pid, signal.SIGKILL)


@pytest.mark.parametrize("status", REFUSALS)
def test_a_session_outlives_its_tokens(relayed: Operator, home: Path, status: int) -> None:
    relayed.rollout(home, relay="auto", relay_port=free_port()).ok()
    # A token lives shorter than the session, which waits in its tools for the next.
    relayed.workspace.control(token_lifetime=4, refuse_with=status, strict=True)
    prompt = 'call the tool run_shell_command with {"command": "sleep 6"}'
    done = typed(home, f"gemini --skip-trust --approval-mode yolo -p '{prompt}'")
    assert done.returncode == 0, done.stderr
    asked = [(one["status"], one["model"]) for one in relayed.workspace.requests(MODELS)]
    assert len([one for one in asked if one[0] == 200]) >= 2, asked
    places = Places(str(home))
    found = running.find(places)
    assert found is not None and clients.living(places) == []
    key = Path(places.key).read_text().strip()
    sent = [str(one) for one in relayed.workspace.requests(MODELS)]
    assert key not in "".join(sent), "the relay's key goes no further"
