# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real Codex in a home that the rollout made, started by its bare name from the person's own shell."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from tests.agents.network import Network
from tests.agents.prompts import cheap
from tests.agents.terminal import LAUNCHERS, typed
from tests.control_node import Operator
from tests.hosts.tree import differences, manifest
from tests.written_reports import REPORT, checks

pytestmark = pytest.mark.agents

AGENT = "codex"

CONFIG = Path(".codex", "config.toml")
LAUNCHER = LAUNCHERS / "codex"
EXEC = "codex exec --skip-git-repo-check"
OWN_CONFIG = """\
# mine
model = "gpt-mine"   # the model of my own
profile = "work"

[model_providers.local]
name = "Local"
base_url = "http://localhost:1/v1"  # here

[features]
goals = true
"""


def test_the_first_answer_by_its_bare_name(operator: Operator, home: Path) -> None:
    operator.rollout(home).ok()
    operator.workspace.control(strict=True)
    done = typed(home, f"{EXEC} hello")
    assert (done.returncode, done.stdout.strip()) == (0, "You said: hello"), done.stderr
    assert operator.rollout(home).ok().changed() == 0
    (asked,) = operator.workspace.requests("/ai-gateway/codex/v1/responses")
    assert (asked["status"], asked["model"]) == (200, "system.ai.gpt-5-5")
    assert '"slug":"system.ai.gpt-5-2"' in typed(home, "codex debug models").stdout, (
        "what its picker lists is the workspace's"
    )


def test_an_expired_token_between_two_prompts_is_not_noticed(operator: Operator, home: Path) -> None:
    """Each start asks the helper, whatever the workspace says of tokens that have ended."""
    operator.workspace.control(token_lifetime=12, refuse_with=403)
    operator.rollout(home).ok()
    assert typed(home, f"{EXEC} first").stdout.strip() == "You said: first"
    time.sleep(13)
    done = typed(home, f"{EXEC} second")
    assert (done.returncode, done.stdout.strip()) == (0, "You said: second"), done.stderr


@pytest.mark.parametrize(("status", "answers"), [(401, True), (403, False)])
def test_a_token_that_ends_in_a_session(operator: Operator, home: Path, status: int, answers: bool) -> None:
    """It asks the helper again after 401, and not after 403: the page of the agent says so."""
    operator.workspace.control(token_lifetime=10, refuse_with=status)
    operator.rollout(home).ok()
    operator.workspace.clear()
    prompt = 'call the tool exec_command with {\\"cmd\\": \\"sleep 12\\", \\"yield_time_ms\\": 20000}'
    done = typed(home, f'{EXEC} --sandbox danger-full-access "{prompt}"')
    assert (done.returncode == 0) is answers, done.stderr
    asked = [one["status"] for one in operator.workspace.requests("/ai-gateway/codex/v1/responses")]
    assert (asked[0], asked[1], asked[-1]) == (200, status, 200 if answers else status)


def test_another_address_than_the_routing_s_is_asked_and_examined(operator: Operator, home: Path) -> None:
    url = f"{operator.workspace.url}/ai-gateway/openai/v1"
    own: dict[str, Any] = {"base_urls": {"codex": {"responses": f"{url}/"}}}
    operator.rollout(home, **own).ok()
    operator.workspace.clear()
    assert typed(home, f"{EXEC} hello").stdout.strip() == "You said: hello"
    assert [one["status"] for one in operator.workspace.requests("/ai-gateway/openai/v1/responses")] == [200]
    assert operator.workspace.requests("/ai-gateway/codex") == []
    assert operator.rollout(home, **own).ok().changed() == 0
    (route,) = (one for one in checks(operator.doctor(home, report=REPORT, **own).ok()) if one["check"] == url)
    assert (route["category"], route["status"]) == ("Connectivity", "PASS"), route
    assert operator.rollout(home).ok().changed() == 1
    assert "/ai-gateway/codex/v1" in (home / CONFIG).read_text(), "without the variable, the routing's again"


def test_nobody_but_the_workspace_is_asked(operator: Operator, network: Network, home: Path) -> None:
    """In a network of its own the workspace is not to be reached either: all that is sent is what was tried."""
    operator.rollout(home).ok()
    done = typed(home, f"timeout 15 {EXEC} hello", within=tuple(network.command))
    assert done.returncode != 0
    assert not [packet for packet in network.sent() if packet.kind == "udp"], "no name was looked up"


def test_a_file_that_cannot_be_read_is_named_and_left_alone(operator: Operator, home: Path) -> None:
    (home / CONFIG).parent.mkdir()
    (home / CONFIG).write_text('model = "mine"\nmodel = "twice"\n')
    play = operator.rollout(home)
    assert play.status != 0 and "config.toml" in play.message() and "line 2" in play.message(), play.output
    assert (home / CONFIG).read_text() == 'model = "mine"\nmodel = "twice"\n'


def test_the_person_s_own_settings_and_comments_stay_and_come_back(operator: Operator, home: Path) -> None:
    (home / CONFIG).parent.mkdir()
    (home / CONFIG).write_text(OWN_CONFIG)
    before = manifest(str(home))
    operator.rollout(home).ok()
    assert typed(home, f"{EXEC} hello").stdout.strip() == "You said: hello"
    text = (home / CONFIG).read_text()
    assert all(kept in text for kept in ("# mine", "# the model of my own", "[model_providers.local]", "goals = true"))
    operator.uninstall(home).ok()
    assert (home / CONFIG).read_text() == OWN_CONFIG
    shutil.rmtree(home / ".codex")  # what Codex itself has written as it ran is beside it
    after = manifest(str(home))
    assert [one for one in differences(before, after) if ".codex" not in one] == []


def test_a_host_that_the_vendor_s_tool_had_set_up_answers_and_is_given_back(operator: Operator, home: Path) -> None:
    """ucode wrote these keys before profiles had files of their own (its agents/codex.py); now it writes the file beside."""
    shared = (
        'profile = "ucode"\nmodel_provider = "ucode-databricks"\n\n[profiles.ucode]\nmodel_provider = "ucode-databricks"\n\n'
        '[model_providers.ucode-databricks]\nname = "Databricks AI Gateway"\nbase_url = "http://localhost:1/v1"\n'
        'wire_api = "responses"\n\n[model_providers.ucode-databricks.auth]\ncommand = "/nowhere/ucode"\n'
        'args = ["auth-token"]\ntimeout_ms = 5000\nrefresh_interval_ms = 900000\n'
    )
    (home / CONFIG).parent.mkdir()
    (home / CONFIG).write_text(shared)
    (home / CONFIG).with_name("ucode.config.toml").write_text('model_provider = "ucode-databricks"\n')
    operator.rollout(home).ok()
    done = typed(home, f"{EXEC} hello")
    assert (done.returncode, done.stdout.strip()) == (0, "You said: hello"), done.stderr
    assert operator.rollout(home).ok().changed() == 0
    operator.uninstall(home).ok()
    assert (home / CONFIG).read_text() == shared
    assert (home / CONFIG).with_name("ucode.config.toml").read_text() == 'model_provider = "ucode-databricks"\n'


def test_the_doctor_prompts_it_as_the_person_s_terminal_does(operator: Operator, home: Path) -> None:
    operator.rollout(home).ok()
    play = operator.doctor(home, prompt=True, report=REPORT)
    found = {(one["category"], one["check"]): one for one in checks(play)}
    assert found["Prompt", "Codex"]["status"] == "PASS", found
    assert cheap(operator.workspace, "codex")
    operator.workspace.control(fail_next={"path_prefix": "/ai-gateway/codex/v1/responses", "status": 400, "count": 9})
    play = operator.doctor(home, prompt=True, report=REPORT)
    found = {(one["category"], one["check"]): one for one in checks(play)}
    assert found["Prompt", "Codex"]["status"] == "FAIL", found
    assert found["Prompt", "Codex"]["detail"].startswith("exit status 1: ERROR:"), "no banner, no echo of the prompt"


def test_a_required_server_that_cannot_start_keeps_it_from_answering_and_the_doctor_says_so(
    operator: Operator, home: Path
) -> None:
    operator.rollout(home).ok()
    with (home / CONFIG).open("a") as file:
        file.write('\n[mcp_servers.corp]\ncommand = "/nowhere/corp"\nrequired = true\n')
    done = typed(home, f"{EXEC} hello")
    assert done.returncode == 1 and "required MCP servers failed to initialize: corp" in done.stderr
    found = checks(operator.doctor(home, report=REPORT), "FAIL")
    assert [(one["category"], "server corp is required" in one["detail"]) for one in found] == [("Configuration", True)]


def test_the_way_back_is_exact(operator: Operator, home: Path) -> None:
    before = manifest(str(home))
    operator.rollout(home).ok()
    operator.uninstall(home).ok()
    assert differences(before, manifest(str(home))) == []


def test_an_uninstall_without_a_ledger_knows_what_is_ours(operator: Operator, home: Path) -> None:
    (home / CONFIG).parent.mkdir()
    (home / CONFIG).write_text('# mine\nsandbox_mode = "read-only"\n')
    operator.rollout(home).ok()
    (home / ".local" / "state" / "fmapi-coding-agents" / "ledger.json").unlink()
    operator.uninstall(home).ok()
    assert (home / CONFIG).read_text().strip() == '# mine\nsandbox_mode = "read-only"'
    assert not (home / LAUNCHER).exists()
