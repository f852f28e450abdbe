# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real Gemini CLI in a home that the rollout made, started by its bare name from the person's own shell."""

from __future__ import annotations

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

AGENT = "gemini"

SETTINGS = Path(".gemini", "settings.json")
ENVIRONMENT = Path(".gemini", ".env")
MODELS = "/ai-gateway/gemini/v1beta/models"
OWN_SETTINGS = """{
  // mine
  "ui": {"theme": "GitHub"},
  "model": {"name": "gemini-2.5-pro", "maxSessionTurns": 7},
  "mcpServers": {},
}
""".replace("{},\n}", "{}\n}")


def asked(operator: Operator) -> list[tuple[int, str]]:
    return [(one["status"], one["model"]) for one in operator.workspace.requests(MODELS)]


def without_what_it_wrote(home: Path) -> None:
    """What Gemini CLI itself has written as it ran."""
    for name in ("projects.json", "projects.json.lock", "history", "tmp", "installation_id", "state.json"):
        path = home / ".gemini" / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def test_the_first_answer_by_its_bare_name(operator: Operator, home: Path) -> None:
    operator.rollout(home).ok()
    operator.workspace.control(strict=True)
    done = typed(home, "gemini --skip-trust -p hello")
    assert (done.returncode, done.stdout.strip()) == (0, "You said: hello"), done.stderr
    assert asked(operator) == [(200, "system.ai.gemini-3-pro")]
    assert operator.rollout(home).ok().changed() == 0
    assert operator.rollout(home, preflight=False).ok().changed() == 0, "without the workspace's names of models, too"


def test_small_tasks_ask_for_a_model_of_the_workspace(operator: Operator, home: Path) -> None:
    operator.rollout(home).ok()
    prompt = 'call the tool google_web_search with {"query": "x"}'
    done = typed(home, f"gemini --skip-trust --approval-mode yolo -p '{prompt}'")
    assert done.returncode == 0, done.stderr
    assert (200, "system.ai.gemini-3-5-flash") in asked(operator)
    assert {status for status, _model in asked(operator)} == {200}


@pytest.mark.parametrize("status", REFUSALS)
def test_each_start_has_a_fresh_token(operator: Operator, home: Path, status: int) -> None:
    operator.workspace.control(token_lifetime=12, refuse_with=status)
    operator.rollout(home).ok()
    assert typed(home, "gemini --skip-trust -p first").stdout.strip() == "You said: first"
    time.sleep(13)
    done = typed(home, "gemini --skip-trust -p second")
    assert (done.returncode, done.stdout.strip()) == (0, "You said: second"), done.stderr


def test_nobody_but_the_workspace_is_asked(operator: Operator, network: Network, home: Path) -> None:
    """In a network of its own the workspace is not to be reached either: all that is sent is what was tried."""
    operator.rollout(home).ok()
    token = typed(home, ".local/share/fmapi-coding-agents/token-helper").stdout.strip()
    helper = home / ".local/share/fmapi-coding-agents/token-helper"
    helper.unlink()
    helper.write_text(f"#!/bin/sh\necho {token}\n")
    helper.chmod(0o700)
    done = typed(home, "timeout 20 gemini --skip-trust -p hello", within=tuple(network.command))
    assert done.returncode != 0
    assert not [packet for packet in network.sent() if packet.kind == "udp"], "no name was looked up"


def test_what_a_shell_or_an_older_file_says_does_not_outrank(operator: Operator, home: Path) -> None:
    (home / ENVIRONMENT).parent.mkdir()
    (home / ENVIRONMENT).write_text("GEMINI_API_KEY=old\nGOOGLE_GEMINI_BASE_URL=https://127.0.0.1:1\n")
    operator.rollout(home).ok()
    exported = "export GEMINI_MODEL=x GOOGLE_API_KEY=x GOOGLE_GENAI_API_VERSION=v9 GEMINI_CLI_HOME=/nowhere"
    done = typed(home, f"{exported}; gemini --skip-trust -p hello")
    assert (done.returncode, done.stdout.strip()) == (0, "You said: hello"), done.stderr


def test_a_folder_is_trusted_by_the_person_or_by_the_operator(operator: Operator, home: Path) -> None:
    operator.rollout(home).ok()
    done = typed(home, "gemini -p hello")
    assert done.returncode == 55 and "--skip-trust" in done.stderr and asked(operator) == []
    operator.rollout(home, gemini_folder_trust=False).ok()
    assert typed(home, "gemini -p hello").stdout.strip() == "You said: hello"


def test_a_broken_file_is_named_and_stays(operator: Operator, home: Path) -> None:
    (home / SETTINGS).parent.mkdir()
    (home / SETTINGS).write_text('{"ui": {"theme": "GitHub"')
    play = operator.rollout(home)
    assert play.status != 0 and str(home / SETTINGS) in play.told
    assert (home / SETTINGS).read_text() == '{"ui": {"theme": "GitHub"'


def test_the_person_s_own_settings_and_comments_stay_and_come_back(operator: Operator, home: Path) -> None:
    (home / SETTINGS).parent.mkdir()
    (home / SETTINGS).write_text(OWN_SETTINGS)
    before = manifest(str(home))
    operator.rollout(home).ok()
    assert typed(home, "gemini --skip-trust -p hello").stdout.strip() == "You said: hello"
    now = (home / SETTINGS).read_text()
    assert "// mine" in now and '"theme": "GitHub"' in now and '"maxSessionTurns": 7' in now
    operator.uninstall(home).ok()
    without_what_it_wrote(home)
    assert differences(before, manifest(str(home))) == []


def test_the_doctor_prompts_it_and_knows_what_stops_it(operator: Operator, home: Path) -> None:
    operator.rollout(home).ok()
    found = doctor(operator, home)
    assert found["Prompt", "Gemini CLI"]["status"] == "PASS", found
    assert cheap(operator.workspace, "gemini")
    (home / SETTINGS).write_bytes(b"\xef\xbb\xbf" + (home / SETTINGS).read_bytes())
    found = doctor(operator, home)
    assert "byte order mark" in found["Configuration", "Gemini CLI settings"]["detail"], found
    assert found["Prompt", "Gemini CLI"]["status"] == "FAIL" and "52" in found["Prompt", "Gemini CLI"]["detail"], found


def doctor(operator: Operator, home: Path) -> dict[tuple[str, str], dict[str, Any]]:
    play = operator.doctor(home, prompt=True, report=REPORT)
    return {(one["category"], one["check"]): one for one in checks(play)}


def test_after_the_uninstall_the_bare_name_no_longer_reaches_the_workspace(operator: Operator, home: Path) -> None:
    before = manifest(str(home))
    operator.rollout(home).ok()
    operator.uninstall(home).ok()
    assert differences(before, manifest(str(home))) == []
    operator.workspace.clear()
    done = typed(home, f"PATH={operator.prefix}/bin:$PATH gemini --skip-trust -p hello")
    assert done.returncode != 0 and not operator.workspace.requests("/")
