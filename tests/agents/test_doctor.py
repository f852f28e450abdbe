# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor proves a real reply, and where something is broken it names it and the way out."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils.agents.claude_code import ClaudeCode
from plugins.module_utils.parts.examination import CATEGORIES
from tests import homes
from tests.agents.claude import Claude
from tests.agents.prompts import cheap
from tests.control_node import ControlNode, Operator, Play
from tests.hosts.tree import Manifest, differences, manifest
from tests.workspace.client import Workspace, lasting_port
from tests.written_reports import REPORT, checks

pytestmark = pytest.mark.agents

OPUS = ClaudeCode.model_defaults["default"]


def _doctor(operator: Operator, home: Path, **own: Any) -> Play:
    return operator.doctor(home, report=REPORT, **own)


@pytest.fixture
def home(operator: Operator, tmp_path: Path) -> Path:
    """A home that has just been rolled out, of somebody who finds the program."""
    made = homes.lived_in(tmp_path / "home")
    (made / ".profile").write_text(f'PATH="{operator.prefix}/bin:$PATH"\n')
    operator.rollout(made).ok()
    return made


def test_all_pass_with_a_real_reply(operator: Operator, home: Path) -> None:
    operator.workspace.clear()
    play = _doctor(operator, home, prompt=True).ok()
    passed = {(one["category"], one["check"]): one["detail"] for one in checks(play, "PASS")}
    told = passed["Prompt", "Claude Code"]
    assert re.fullmatch(r"replied: You said: Reply with one short sentence that says hello\. \(\d+ tokens\)", told)
    assert cheap(operator.workspace, "claude_code")
    assert {category for category, _check in passed} == set(CATEGORIES)
    assert not checks(play, "FAIL") and not checks(play, "WARN")
    assert play.changed() == 0
    assert "host: PASS  Prompt" in play.output
    assert [one["status"] for one in operator.workspace.requests("/ai-gateway/anthropic/v1/messages")] == [200]


def _but_the_cache(home: Path) -> Manifest:
    """The tree without the token cache, in which the helper notes when it was asked."""
    cache = ".cache/fmapi-coding-agents"
    return {path: facts for path, facts in manifest(str(home)).items() if not path.startswith(cache)}


def test_without_a_prompt_the_home_is_only_read(operator: Operator, home: Path) -> None:
    before = _but_the_cache(home)
    play = _doctor(operator, home).ok()
    assert not checks(play, "FAIL")
    assert play.starts["host"] == 1
    assert differences(before, _but_the_cache(home), times=True) == []


def test_a_model_that_is_not_ready(operator: Operator, home: Path) -> None:
    operator.workspace.control(endpoint_state={"name": OPUS, "ready": "NOT_READY"})
    play = _doctor(operator, home).ok()
    (warning,) = checks(play, "WARN")
    assert (warning["category"], warning["check"], warning["detail"]) == ("Models", OPUS, "NOT_READY")
    assert warning["fix"]


def test_a_helper_that_is_gone(operator: Operator, home: Path) -> None:
    (home / ".local" / "share" / "fmapi-coding-agents" / "token-helper").unlink()
    play = _doctor(operator, home)
    assert play.status != 0
    failed = {(one["category"], one["check"]): one for one in checks(play, "FAIL")}
    assert "token-helper" in failed["Configuration", "databricks_oauth"]["detail"]
    assert "No such file" in failed["Auth", "token helper"]["detail"]
    assert all("rollout" in one["fix"] for one in failed.values())
    operator.rollout(home).ok()
    _doctor(operator, home).ok()


@pytest.mark.parametrize("name", ["ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_USE_BEDROCK"])
def test_what_a_shell_exports_is_without_effect(operator: Operator, home: Path, name: str) -> None:
    secret = "PLANTED-token-of-an-environment"
    variables = {"host": operator.variables(home, report=REPORT, doctor_prompt=True)}
    operator.workspace.clear()
    play = operator.control.run("doctor", variables, environment={name: secret}).ok()
    (reply,) = (one for one in checks(play) if one["category"] == "Prompt")
    assert reply["status"] == "PASS" and reply["detail"].startswith("replied: You said: ")
    (asked,) = operator.workspace.requests("/ai-gateway/anthropic/v1/messages")
    assert (asked["token"], asked["identity"]) == ("valid", "service_principal")
    assert secret not in play.output + json.dumps(play.events)


def test_a_token_in_the_settings_that_outranks_the_helper(operator: Operator, home: Path) -> None:
    path = home / ".claude" / "settings.json"
    settings = json.loads(path.read_text())
    settings["env"]["ANTHROPIC_AUTH_TOKEN"] = "PLANTED-token-of-the-settings"
    path.write_text(json.dumps(settings))
    play = _doctor(operator, home)
    assert play.status != 0
    (failed,) = checks(play, "FAIL")
    assert failed["category"] == "Configuration" and ".claude/settings.json" in failed["detail"]
    assert "PLANTED" not in play.output + json.dumps(play.events)


def test_a_client_secret_that_was_revoked(control: ControlNode, claude: Claude, prefix: Path, tmp_path: Path) -> None:
    """In the workspace the secret is replaced by another; the host still has the old one, and the operator too."""
    home = homes.bare(tmp_path / "home")
    state = tmp_path / "workspace"
    port = lasting_port()
    with Workspace(state, port=port) as first:
        operator = Operator(control, first, prefix)
        variables = {"host": operator.variables(home, preflight=False, report=REPORT)}
        control.run("rollout", variables).ok()
    credentials = json.loads((state / "credentials.json").read_text())
    old = credentials["client_secret"]
    (state / "credentials.json").write_text(json.dumps({**credentials, "client_secret": "dose" + 32 * "b"}))
    with Workspace(state, port=port) as second:
        known = control.run("doctor", variables)
        (failed,) = checks(known, "FAIL")
        assert (failed["category"], failed["check"]) == ("Auth", "identity")
        assert "refuses the token (HTTP 401)" in failed["detail"]
        for cached in (home / ".cache" / "fmapi-coding-agents").glob("token-*"):
            cached.unlink()
        again = control.run("doctor", variables)
        (failed,) = checks(again, "FAIL")
        assert failed["category"] == "Auth"
        assert f"{second.url} refused the service principal's client id or secret" in failed["detail"]
        assert "coding_agents_client_secret" in failed["detail"] + failed["fix"]
        with_preflight = control.run("doctor", {"host": {**variables["host"], "coding_agents_preflight": True}})
        assert with_preflight.status != 0
        assert (with_preflight.actions(), with_preflight.starts["host"]) == (["agent_doctor"], 0)
        assert "client_secret" in with_preflight.message() or "client secret" in with_preflight.message()
        assert old not in known.output + again.output + with_preflight.output
