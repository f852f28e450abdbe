# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real Hermes in a home that the rollout made, started by its bare name from the person's own shell."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.agents.network import Network
from tests.agents.prompts import REFUSALS, cheap
from tests.agents.terminal import typed
from tests.control_node import Operator
from tests.hosts.tree import differences, manifest
from tests.written_reports import REPORT, checks

pytestmark = pytest.mark.agents

AGENT = "hermes"

CHAT = "/ai-gateway/mlflow/v1/chat/completions"
CONFIG = Path(".hermes", "config.yaml")
HELPER = Path(".local", "share", "fmapi-coding-agents", "token-helper")
OWN = """\
# mine
model:
  default: llama3   # small
  provider: ollama
  base_url: http://localhost:1/v1
  context_length: 8192
providers:
  ollama: {base_url: http://localhost:1/v1, api_key: x}
plugins:
  enabled:
    - of-mine
agent:
  max_turns: 20
"""


def forget_what_it_wrote(home: Path) -> None:
    """What Hermes itself has written as it ran."""
    for path in (home / ".hermes").glob("*"):
        if path.is_dir() and path.name != "plugins":
            shutil.rmtree(path)
        elif path.is_file() and path.name != "config.yaml":
            path.unlink()


def test_the_first_answer_by_its_bare_name(operator: Operator, home: Path) -> None:
    operator.rollout(home).ok()
    operator.workspace.control(strict=True)
    done = typed(home, "hermes -z hello")
    assert (done.returncode, done.stdout.strip()) == (0, "You said: hello"), done.stderr
    assert operator.rollout(home).ok().changed() == 0
    (asked,) = operator.workspace.requests(CHAT)
    assert (asked["status"], asked["model"], asked["token"]) == (200, "system.ai.claude-opus-4-6", "valid")


@pytest.mark.parametrize("status", REFUSALS)
def test_a_token_that_expires_between_two_requests_of_a_turn_is_not_noticed(
    operator: Operator, home: Path, status: int
) -> None:
    operator.workspace.control(token_lifetime=8, refuse_with=status)
    operator.rollout(home).ok()
    operator.workspace.clear()
    done = typed(home, """hermes -z 'call the tool terminal with {"command": "sleep 9; echo awake"}'""")
    assert done.returncode == 0 and "The tool said:" in done.stdout and "awake" in done.stdout, done.stdout
    assert [one["status"] for one in operator.workspace.requests(CHAT)] == [200, 200]


def test_commands_that_a_model_runs_find_no_token(operator: Operator, home: Path) -> None:
    operator.rollout(home).ok()
    token = subprocess.run([home / HELPER], capture_output=True, text=True, check=True).stdout.strip()
    done = typed(home, """hermes -z 'call the tool terminal with {"command": "env"}'""")
    assert "HERMES_SESSION_ID=" in done.stdout and token not in done.stdout
    texts = [path.read_bytes() for path in (home / ".hermes").rglob("*") if path.is_file()]
    assert texts and not [text for text in texts if token.encode() in text]


def test_nothing_of_a_shell_or_of_its_own_env_file_outranks_the_workspace(operator: Operator, home: Path) -> None:
    operator.rollout(home).ok()
    other = "http://127.0.0.1:1/v1"
    (home / ".hermes" / ".env").write_text(
        f"OPENAI_API_KEY=sk-x\nOPENAI_BASE_URL={other}\nCUSTOM_BASE_URL={other}\nHERMES_INFERENCE_PROVIDER=openrouter\n"
    )
    done = typed(
        home,
        "hermes -z hello",
        HERMES_HOME=str(home / "elsewhere"),
        HERMES_INFERENCE_MODEL="gpt-9",
        HERMES_INFERENCE_PROVIDER="openrouter",
        OPENROUTER_API_KEY="sk-or-x",
        CUSTOM_BASE_URL=other,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "You said: hello"), done.stderr


SESSION = "(sleep 20; echo hello; sleep 40; echo /quit; sleep 5) | TERM=xterm script -qec hermes /dev/null"


LINES = ["hermes -z hello"]
LINES_TOO = ["hermes chat --quiet --query hello", SESSION]


@pytest.mark.parametrize("line", [*LINES, *(pytest.param(line, marks=pytest.mark.soak) for line in LINES_TOO)])
def test_nobody_but_the_workspace_is_asked(operator: Operator, network: Network, home: Path, line: str) -> None:
    """In a network of its own the workspace is not to be reached either: all that is sent is what was tried."""
    operator.rollout(home).ok()
    # A token as the helper would give it: what comes after it is what matters here.
    (home / HELPER).write_text("#!/bin/sh\necho token\n")
    done = typed(home, line, within=tuple(network.command))
    assert "Connection error" in done.stdout, done.stdout + done.stderr
    assert not network.sent()


def test_a_broken_file_is_named_and_left_as_it_is(operator: Operator, home: Path) -> None:
    (home / CONFIG).parent.mkdir()
    (home / CONFIG).write_text("model:\n  default: [\n")
    before = manifest(str(home))
    play = operator.rollout(home)
    assert play.status != 0 and f"{home / CONFIG}" in play.told and "line 3" in play.told, play.told
    assert differences(before, manifest(str(home))) == []


def test_the_person_s_own_keys_and_comments_stay_and_come_back(operator: Operator, home: Path) -> None:
    (home / CONFIG).parent.mkdir(mode=0o700)  # which Hermes would make it
    (home / CONFIG).write_text(OWN)
    before = manifest(str(home))
    operator.rollout(home).ok()
    assert typed(home, "hermes -z hello").stdout.strip() == "You said: hello"
    text = (home / CONFIG).read_text()
    assert "# mine" in text and "ollama: {base_url" in text and "    - of-mine\n" in text and "max_turns: 20" in text
    operator.uninstall(home).ok()
    forget_what_it_wrote(home)
    assert differences(before, manifest(str(home))) == []


def test_the_doctor_prompts_it_and_tells_a_reply_from_an_error(operator: Operator, home: Path) -> None:
    operator.rollout(home).ok()
    for failing, status in ((None, "PASS"), ({"path_prefix": CHAT, "status": 400, "count": 9}, "FAIL")):
        operator.workspace.control(fail_next=failing)
        play = operator.doctor(home, prompt=True, report=REPORT)
        found = {(one["category"], one["check"]): one for one in checks(play)}
        assert found["Prompt", "Hermes"]["status"] == status, found
        assert failing or cheap(operator.workspace, "hermes")


def test_what_the_helper_has_to_say_reaches_the_person(operator: Operator, home: Path) -> None:
    operator.rollout(home).ok()
    (home / HELPER).write_text("#!/bin/sh\necho 'sign in again' >&2\nexit 1\n")
    assert "sign in again" in typed(home, "hermes -z hello").stderr


@pytest.mark.parametrize("with_ledger", [True, False])
def test_after_the_uninstall_the_bare_name_no_longer_reaches_the_workspace(
    operator: Operator, home: Path, with_ledger: bool
) -> None:
    before = manifest(str(home))
    operator.rollout(home).ok()
    if not with_ledger:
        for path in home.rglob("ledger*"):
            os.unlink(path)
    operator.uninstall(home).ok()
    if with_ledger:
        assert differences(before, manifest(str(home))) == []
    assert not list(home.rglob("__init__.py"))
    operator.workspace.clear()
    done = typed(home, f"PATH={operator.prefix}/bin:$PATH hermes -z hello")
    assert done.returncode != 0 and not operator.workspace.requests("/")
