# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real Pi in a home that the rollout made, started by its bare name from the person's own shell."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest

from plugins.module_utils.agents.pi import Pi
from tests.agents.network import Network
from tests.agents.prompts import REFUSALS, cheap
from tests.agents.terminal import LAUNCHERS, typed
from tests.control_node import Operator
from tests.hosts.tree import differences, manifest
from tests.written_reports import REPORT, checks

pytestmark = pytest.mark.agents

AGENT = "pi"

MODELS = Path(".pi", "agent", "models.json")
SETTINGS = Path(".pi", "agent", "settings.json")
LAUNCHER = LAUNCHERS / "pi"
OWN_MODELS = """{
  // mine
  "providers": {
    "ollama": {"baseUrl": "http://localhost:1/v1", "api": "openai-completions", "apiKey": "x", "models": [{"id": "m"}]}
  }
}
"""


def test_the_first_answer_by_its_bare_name(operator: Operator, home: Path) -> None:
    operator.rollout(home).ok()
    operator.workspace.control(strict=True)
    done = typed(home, "pi -p hello")
    assert (done.returncode, done.stdout.strip()) == (0, "You said: hello"), done.stderr
    assert operator.rollout(home).ok().changed() == 0
    (asked,) = operator.workspace.requests("/ai-gateway/anthropic/v1/messages")
    assert (asked["status"], asked["model"], asked["coding_agent_mode"]) == (200, "system.ai.claude-opus-4-6", True)


@pytest.mark.parametrize("status", REFUSALS)
def test_an_expired_token_is_not_noticed(operator: Operator, home: Path, status: int) -> None:
    operator.workspace.control(token_lifetime=12, refuse_with=status)
    operator.rollout(home).ok()
    assert typed(home, "pi -p first").stdout.strip() == "You said: first"
    time.sleep(13)
    done = typed(home, "pi -p second")
    assert (done.returncode, done.stdout.strip()) == (0, "You said: second"), done.stderr


def test_nobody_but_the_workspace_is_asked(operator: Operator, network: Network, home: Path) -> None:
    """In a network of its own the workspace is not to be reached either: all that is sent is what was tried."""
    operator.rollout(home).ok()
    done = typed(home, "pi -p hello", within=tuple(network.command))
    assert done.returncode != 0
    assert not [packet for packet in network.sent() if packet.kind == "udp"], "no name was looked up"


def test_the_person_s_own_providers_and_comments_stay_and_come_back(operator: Operator, home: Path) -> None:
    (home / MODELS).parent.mkdir(parents=True)
    (home / MODELS).write_text(OWN_MODELS)
    (home / SETTINGS).write_text('{"theme": "light", "defaultProvider": "ollama", "defaultModel": "m"}')
    before = manifest(str(home))
    operator.rollout(home).ok()
    assert typed(home, "pi -p hello").stdout.strip() == "You said: hello"
    assert "// mine" in (home / MODELS).read_text() and "ollama" in (home / MODELS).read_text()
    assert json.loads((home / SETTINGS).read_text())["theme"] == "light"
    operator.uninstall(home).ok()
    for its_own in ("sessions", "auth.json"):  # what Pi itself has written as it ran
        path = home / ".pi" / "agent" / its_own
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    assert differences(before, manifest(str(home))) == []


def test_the_doctor_prompts_it_as_the_person_s_terminal_does(operator: Operator, home: Path) -> None:
    operator.rollout(home).ok()
    play = operator.doctor(home, prompt=True, report=REPORT)
    found = {(one["category"], one["check"]): one for one in checks(play)}
    assert found["Prompt", "Pi"]["status"] == "PASS", found
    assert cheap(operator.workspace, "pi")


def test_after_the_uninstall_the_bare_name_no_longer_reaches_the_workspace(operator: Operator, home: Path) -> None:
    before = manifest(str(home))
    operator.rollout(home).ok()
    operator.uninstall(home).ok()
    assert differences(before, manifest(str(home))) == []
    operator.workspace.clear()
    done = typed(home, f"PATH={operator.prefix}/bin:$PATH pi -p hello")
    assert done.returncode != 0 and not operator.workspace.requests("/")


def test_arguments_status_and_terminal_are_the_program_s(operator: Operator, home: Path) -> None:
    operator.rollout(home).ok()
    assert typed(home, "pi --version").stdout.strip() + typed(home, "pi --version").stderr.strip() == Pi.pinned_version
    odd = home / "odd" / "pi"
    odd.parent.mkdir()
    odd.write_text('#!/bin/sh\nprintf "%s\\n" "$@" "$PI_OFFLINE" "${IFS-unset}" >&2\nexit 42\n')
    odd.chmod(0o755)
    done = typed(home, f"PATH={home / LAUNCHER.parent}:{odd.parent}:/usr/bin:/bin pi 'a  b' '*' ''")
    assert (done.returncode, done.stderr.split("\n")[:4]) == (42, ["a  b", "*", "", "1"])


def test_without_the_program_the_bare_name_says_so(operator: Operator, home: Path) -> None:
    operator.rollout(home).ok()
    text = (home / LAUNCHER).read_text()
    (home / LAUNCHER).write_text(text.replace(str(operator.prefix), "/nowhere"))
    done = typed(home, "pi -p hello")
    assert done.returncode == 127 and "pi: not installed" in done.stderr
