# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real OpenCode in a home that the rollout made, started by its bare name from the person's own shell."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from tests.agents.network import Network
from tests.agents.prompts import REFUSALS, cheap
from tests.agents.terminal import typed
from tests.control_node import Operator
from tests.hosts.tree import differences, manifest
from tests.written_reports import REPORT, checks

pytestmark = pytest.mark.agents

AGENT = "opencode"

DIRECTORY = Path(".config", "opencode")
SETTINGS = DIRECTORY / "opencode.json"
MESSAGES = "/ai-gateway/anthropic/v1/messages"
CHAT = "/ai-gateway/mlflow/v1"


ENDED_AFTER_ITS_REQUEST = """\
timeout 90 opencode run hello & running=$!
while [ ! -e asked ] && kill -0 $running; do sleep 0.2; done
sleep 5
kill $running
wait $running"""
"""By itself it asks again and again. The helper has left a mark when it was asked for a token."""


def own_settings(operator: Operator) -> str:
    """With a provider of the person's own: what is sent there is seen, too."""
    return f"""{{
  // mine
  "$schema": "https://opencode.ai/config.json",
  "model": "mine/databricks-gpt-oss-120b",
  "provider": {{
    "mine": {{
      "npm": "@ai-sdk/openai-compatible",
      "options": {{"baseURL": "{operator.workspace.url}{CHAT}", "apiKey": "x"}},
      "models": {{"databricks-gpt-oss-120b": {{}}}},
    }},
  }},
}}
"""


def without_what_it_wrote(home: Path) -> None:
    """What OpenCode itself has written as it ran."""
    (home / DIRECTORY / ".gitignore").unlink(missing_ok=True)
    for name in (".cache/opencode", ".local/share/opencode", ".local/state/opencode"):
        shutil.rmtree(home / name, ignore_errors=True)


def test_the_first_answer_by_its_bare_name(operator: Operator, home: Path) -> None:
    operator.rollout(home).ok()
    operator.workspace.control(strict=True)
    done = typed(home, "opencode run hello")
    assert (done.returncode, done.stdout.strip()) == (0, "You said: hello"), done.stderr
    asked = {one["model"]: one for one in operator.workspace.requests(MESSAGES)}
    assert "system.ai.claude-opus-4-6" in asked
    assert set(asked) <= {"system.ai.claude-opus-4-6", "system.ai.claude-haiku-4-5"}, (
        "the small one, if a title came in time"
    )
    assert all(one["status"] == 200 and one["coding_agent_mode"] for one in asked.values())
    assert operator.rollout(home).ok().changed() == 0
    assert operator.rollout(home, preflight=False).ok().changed() == 0, "without the workspace's names of models, too"


@pytest.mark.parametrize("status", REFUSALS)
def test_a_token_that_expires_in_a_session_is_not_noticed(operator: Operator, home: Path, status: int) -> None:
    """The tool takes longer than the token lives: the request with its result is of the same session, and of the same process."""
    operator.workspace.control(token_lifetime=12, refuse_with=status)
    operator.rollout(home).ok()
    done = typed(
        home, """opencode run 'call the tool bash with {"command": "sleep 14; echo slept", "description": "x"}'"""
    )
    assert done.returncode == 0 and "The tool said" in done.stdout and "slept" in done.stdout, done.stderr
    assert {one["status"] for one in operator.workspace.requests(MESSAGES)} == {200}


@pytest.mark.soak
def test_a_second_start_has_a_fresh_token(operator: Operator, home: Path) -> None:
    """As each request of one session has, which the test before shows."""
    operator.workspace.control(token_lifetime=12)
    operator.rollout(home).ok()
    assert typed(home, "opencode run first").stdout.strip() == "You said: first"
    time.sleep(13)
    done = typed(home, "opencode run second")
    assert (done.returncode, done.stdout.strip()) == (0, "You said: second"), done.stderr


def test_nobody_but_the_workspace_is_asked(operator: Operator, network: Network, home: Path) -> None:
    """In a network of its own the workspace is not to be reached either: all that is sent is what was tried."""
    operator.rollout(home).ok()
    helper = home / ".local/share/fmapi-coding-agents/token-helper"
    helper.unlink()
    helper.write_text(f"#!/bin/sh\necho asked >>{home}/asked\necho token\n")
    helper.chmod(0o700)
    done = typed(home, ENDED_AFTER_ITS_REQUEST, within=tuple(network.command))
    assert done.returncode != 0
    assert (home / "asked").exists(), "it came as far as its request"
    assert not [packet for packet in network.sent() if packet.kind == "udp"], "no name was looked up"


def test_the_person_s_own_provider_stays_and_gets_no_token_of_ours(operator: Operator, home: Path) -> None:
    (home / DIRECTORY).mkdir(parents=True)
    (home / SETTINGS).write_text(own_settings(operator))
    for its_own in (".cache", ".local/share", ".local/state"):
        (home / its_own).mkdir(parents=True)
    before = manifest(str(home))
    operator.rollout(home).ok()
    assert typed(home, "opencode run hello").stdout.strip() == "You said: hello"
    assert "// mine" in (home / SETTINGS).read_text()
    typed(home, "opencode run -m mine/databricks-gpt-oss-120b hello")
    assert {one["token"] for one in operator.workspace.requests(CHAT)} == {"unknown"}
    operator.uninstall(home).ok()
    without_what_it_wrote(home)
    assert differences(before, manifest(str(home))) == []


def test_the_file_that_outranks_the_other_is_written_where_it_is(operator: Operator, home: Path) -> None:
    (home / DIRECTORY).mkdir(parents=True)
    (home / DIRECTORY / "opencode.jsonc").write_text('{"model": "mine/x"} // mine\n')
    operator.rollout(home).ok()
    assert typed(home, "opencode run hello").stdout.strip() == "You said: hello"
    assert not (home / SETTINGS).exists()


def test_a_broken_file_is_named_and_stays(operator: Operator, home: Path) -> None:
    (home / DIRECTORY).mkdir(parents=True)
    (home / SETTINGS).write_text('{"model": "mine/x"')
    play = operator.rollout(home)
    assert play.status != 0 and str(home / SETTINGS) in play.told
    assert (home / SETTINGS).read_text() == '{"model": "mine/x"'


def test_the_doctor_prompts_it_and_repeats_what_the_helper_says(operator: Operator, home: Path) -> None:
    operator.rollout(home).ok()
    found = doctor(operator, home)
    assert found["Prompt", "OpenCode"]["status"] == "PASS", found
    assert cheap(operator.workspace, "opencode")
    plugin = home / DIRECTORY / "plugin" / "fmapi-coding-agents.js"
    plugin.write_text(plugin.read_text().replace("/token-helper", "/no-helper"))
    found = doctor(operator, home)
    assert found["Prompt", "OpenCode"]["status"] == "FAIL" and "no-helper" in json.dumps(found["Prompt", "OpenCode"])


def doctor(operator: Operator, home: Path) -> dict[tuple[str, str], dict[str, Any]]:
    play = operator.doctor(home, prompt=True, report=REPORT)
    return {(one["category"], one["check"]): one for one in checks(play)}


def test_the_way_back_is_exact(operator: Operator, home: Path) -> None:
    before = manifest(str(home))
    operator.rollout(home).ok()
    operator.uninstall(home).ok()
    assert differences(before, manifest(str(home))) == []
