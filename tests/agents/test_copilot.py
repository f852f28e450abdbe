# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real Copilot CLI in a home that the rollout made, started by its bare name from the person's own shell."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.agents.network import Network
from tests.agents.prompts import REFUSALS, cheap
from tests.agents.terminal import LAUNCHERS, typed
from tests.control_node import Operator
from tests.hosts.tree import differences, manifest
from tests.written_reports import REPORT, checks

pytestmark = pytest.mark.agents

AGENT = "copilot"

LAUNCHER = LAUNCHERS / "copilot"
ASKED = "/ai-gateway/mlflow/v1/chat/completions"


def reply(done: subprocess.CompletedProcess[str]) -> str:
    """Without the time, which it tells with every prompt."""
    return re.sub(r"<current_datetime>.*?</current_datetime>\s*", "", done.stdout).strip()


def test_the_first_answer_by_its_bare_name(operator: Operator, home: Path) -> None:
    operator.rollout(home).ok()
    operator.workspace.control(strict=True)
    done = typed(home, "copilot -s -p hello")
    assert (done.returncode, reply(done)) == (0, "You said: hello"), done.stderr
    assert operator.rollout(home).ok().changed() == 0
    assert operator.rollout(home, preflight=False).ok().changed() == 0, (
        "it found the other name of the model, and keeps it"
    )
    (asked,) = operator.workspace.requests(ASKED)
    assert (asked["status"], asked["model"]) == (200, "system.ai.claude-sonnet-4-6")
    assert reply(typed(home, "copilot -s --model databricks-gpt-5-5 -p again")) == "You said: again"
    assert operator.workspace.requests(ASKED)[-1]["model"] == "databricks-gpt-5-5"


@pytest.mark.parametrize("status", REFUSALS)
def test_an_expired_token_is_not_noticed(operator: Operator, home: Path, status: int) -> None:
    operator.workspace.control(token_lifetime=10, refuse_with=status)
    operator.rollout(home).ok()
    operator.workspace.clear()
    prompt = (
        'call the tool bash with {\\"command\\": \\"sleep 12\\", \\"description\\": \\"wait\\", \\"initial_wait\\": 30}'
    )
    done = typed(home, f'copilot -s --allow-all-tools -p "{prompt}"')
    assert done.returncode == 0 and "The tool said:" in done.stdout, done.stderr
    assert [one["status"] for one in operator.workspace.requests(ASKED)] == [200, 200]
    assert reply(typed(home, "copilot -s -p second")) == "You said: second"


def test_nobody_but_the_workspace_is_asked(operator: Operator, network: Network, home: Path) -> None:
    """In a network of its own the workspace is not to be reached either: all that is sent is what was tried."""
    operator.rollout(home).ok()
    done = typed(home, "timeout 20 copilot -s -p hello", within=tuple(network.command))
    assert done.returncode != 0
    assert not [packet for packet in network.sent() if packet.kind == "udp"], "no name was looked up"


def test_what_a_shell_exports_does_not_come_before_it(operator: Operator, home: Path) -> None:
    operator.rollout(home).ok()
    exported = {
        "COPILOT_PROVIDER_BEARER_TOKEN": "another",
        "COPILOT_PROVIDER_WIRE_MODEL": "another",
        "COPILOT_PROVIDER_API_KEY": "another",
        "COPILOT_PROVIDER_HEADERS": "Authorization: another",
        "COPILOT_PROVIDER_TRANSPORT": "websockets",
        "COPILOT_MODEL": "another",
    }
    said = " ".join(f"{name}='{value}'" for name, value in exported.items())
    assert reply(typed(home, f"{said} copilot -s -p hello")) == "You said: hello"


def test_settings_that_cannot_be_read_are_left_alone(operator: Operator, home: Path) -> None:
    """It goes on without them, and we have nothing in them."""
    settings = home / ".copilot" / "settings.json"
    settings.parent.mkdir()
    settings.write_text('{"model": "another",')
    operator.rollout(home).ok()
    assert settings.read_text() == '{"model": "another",'
    assert reply(typed(home, "copilot -s -p hello")) == "You said: hello"


def test_the_person_s_own_settings_stay_and_do_not_change_the_model(operator: Operator, home: Path) -> None:
    settings = home / ".copilot" / "settings.json"
    settings.parent.mkdir()
    settings.write_text('{"model": "another"} // mine\n')
    before = manifest(str(home))
    operator.rollout(home).ok()
    assert reply(typed(home, "copilot -s -p hello")) == "You said: hello"
    assert settings.read_text() == '{"model": "another"} // mine\n'
    operator.uninstall(home).ok()
    own = (".copilot", ".cache", ".config")  # Copilot itself has written there as it ran
    assert [one for one in differences(before, manifest(str(home))) if not any(name in one for name in own)] == []


def test_the_doctor_prompts_it_as_the_person_s_terminal_does(operator: Operator, home: Path) -> None:
    operator.rollout(home).ok()
    operator.workspace.clear()
    play = operator.doctor(home, prompt=True, report=REPORT)
    found = {(one["category"], one["check"]): one for one in checks(play)}
    assert found["Prompt", "Copilot CLI"]["status"] == "PASS", found
    assert cheap(operator.workspace, "copilot")
    assert [one["tools"] for one in operator.workspace.requests(ASKED)] == [0]
    operator.workspace.control(fail_next={"path_prefix": ASKED, "status": 400, "count": 9})
    play = operator.doctor(home, prompt=True, report=REPORT)
    found = {(one["category"], one["check"]): one for one in checks(play)}
    assert found["Prompt", "Copilot CLI"]["status"] == "FAIL", found
    assert found["Prompt", "Copilot CLI"]["detail"].startswith("exit status 1: 400 The simulated workspace")


def test_extra_settings_for_it_are_refused(operator: Operator, home: Path) -> None:
    play = operator.rollout(home, extra_settings={"copilot": {"model": "mine"}})
    assert play.status != 0 and "gets all from its environment" in play.output


def test_after_the_uninstall_the_bare_name_no_longer_reaches_the_workspace(operator: Operator, home: Path) -> None:
    before = manifest(str(home))
    operator.rollout(home).ok()
    operator.uninstall(home).ok()
    assert differences(before, manifest(str(home))) == []
    operator.workspace.clear()
    done = typed(home, f"export COPILOT_OFFLINE=true; PATH={operator.prefix}/bin:$PATH copilot -s -p hello")
    assert done.returncode != 0 and not operator.workspace.requests("/")
