# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the doctor believes of the way to models, and of a prompt that is not answered: it asks, and tells what it heard."""

from __future__ import annotations

import http.server
import os
import pwd
import threading
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owner import Owner
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program import model_services
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts import agent_settings, person
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.agent_settings import AgentSettings
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.context import config_of
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.examination import Check, Examination
from ansible_collections.fmapi.coding_agents.plugins.module_utils.routing import model_service_of

from tests.unit.options_for import options_for
from tests.workspace.client import Workspace

CLAUDE = AGENTS["claude_code"]
ENDPOINTS = dict.fromkeys(CLAUDE.model_defaults.values())
SERVICES = {slot: model_service_of(name) for slot, name in CLAUDE.model_defaults.items()}


@pytest.fixture
def owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Owner:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    monkeypatch.setattr(person, "environment", lambda owner: {})
    return Owner(pwd.getpwuid(os.geteuid()).pw_name, os.geteuid(), os.getegid(), str(home))


class Told(Examination):
    """A host with a token that is known."""

    def __init__(self, owner: Owner, workspace: Workspace, token: str = "", offline: bool = False, **more: Any) -> None:
        given = {"workspace_url": workspace.url, "ca_file": workspace.ca_file, "agents": ["claude_code"], **more}
        options = options_for(parts=["agent_settings"], **given)
        environment = {"PATH": more.pop("path", "/usr/bin:/bin")}
        super().__init__(owner, options, config_of(owner, options), environment, offline)
        self._token = (token or workspace.mint(), Check("Auth", "token helper", "PASS", "token issued"))


def checks(examination: Examination, category: str) -> dict[str, Check]:
    return {one.check: one for one in AgentSettings().checks(examination) if one.category == category}


# -- the route ---------------------------------------------------------------------------------------------------------


def route(owner: Owner, workspace: Workspace, **more: Any) -> Check | None:
    found = checks(Told(owner, workspace, **more), "Connectivity")
    assert len(found) <= 1
    return next(iter(found.values()), None)


def test_a_gateway_that_answers_passes(owner: Owner, workspace: Workspace) -> None:
    told = route(owner, workspace)
    assert told is not None
    assert (told.check, told.status, told.detail) == (f"{workspace.url}/ai-gateway/anthropic", "PASS", "answers")


def test_a_workspace_without_a_gateway_fails_with_the_way_out(owner: Owner, workspace: Workspace) -> None:
    """The preflight warns; the doctor said PASS for all, for the workspace itself answers."""
    workspace.control(gateway=False)
    told = route(owner, workspace)
    assert told is not None and told.status == "FAIL"
    assert "AI Gateway is not enabled" in told.detail and "coding_agents_routing" in told.fix


@pytest.mark.parametrize(("status", "verdict"), [(403, "WARN"), (503, "FAIL"), (429, "FAIL")])
def test_a_gateway_that_answers_otherwise_is_told(
    owner: Owner, workspace: Workspace, status: int, verdict: str
) -> None:
    workspace.control(fail_next={"path_prefix": "/ai-gateway", "status": status})
    told = route(owner, workspace)
    assert told is not None and (told.status, str(status) in told.detail) == (verdict, True)


def test_where_nothing_lists_models_nothing_is_asked(owner: Owner, workspace: Workspace) -> None:
    assert route(owner, workspace, routing="serving_endpoints") is None
    assert [one for one in workspace.requests() if one["method"] != "GET"] == []


NAMED = "coding_agents_base_urls.claude_code"


def test_the_address_that_the_operator_named_is_asked_in_the_routing_s_place(
    owner: Owner, workspace: Workspace
) -> None:
    own = f"{workspace.url}/ai-gateway/anthropic"
    for routing in ("gateway", "serving_endpoints"):
        workspace.clear()
        told = route(owner, workspace, routing=routing, base_urls={"claude_code": own + "/"})
        assert told is not None and (told.check, told.status, told.detail) == (own, "PASS", "answers")
        assert [one["status"] for one in workspace.requests("/ai-gateway/anthropic/v1/models")] == [200]


@pytest.mark.parametrize(("status", "verdict"), [(404, "WARN"), (403, "WARN"), (503, "FAIL")])
def test_a_named_address_that_answers_otherwise_is_told(
    owner: Owner, workspace: Workspace, status: int, verdict: str
) -> None:
    workspace.control(fail_next={"path_prefix": "/ai-gateway", "status": status})
    told = route(owner, workspace, base_urls={"claude_code": f"{workspace.url}/ai-gateway/anthropic"})
    assert told is not None and (told.status, str(status) in told.detail) == (verdict, True)
    assert status == 503 or NAMED in told.fix


def test_a_relay_on_the_host_is_asked_without_tls_and_without_a_proxy(
    owner: Owner, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an agent whose dialect has no list of models, that something is there is all that can be known."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler) as relay:
        threading.Thread(target=relay.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{relay.server_port}/v1"
        told = route(owner, workspace, agents=["copilot"], base_urls={"copilot": {"chat": url}})
        relay.shutdown()
    assert told is not None and (told.check, told.status, told.detail) == (url, "PASS", "is there (HTTP 404)")
    gone = route(owner, workspace, agents=["copilot"], base_urls={"copilot": url})
    assert gone is not None and gone.status == "FAIL" and "coding_agents_base_urls.copilot" in gone.fix


def test_in_check_mode_no_route_is_tried(owner: Owner, workspace: Workspace) -> None:
    workspace.clear()
    told = route(owner, workspace, offline=True)
    assert told is not None and told.status == "SKIP"
    assert workspace.requests() == []


# -- models ------------------------------------------------------------------------------------------------------------


def test_models_by_either_name_are_looked_up(owner: Owner, workspace: Workspace) -> None:
    for chosen in ({}, SERVICES, {**SERVICES, "opus": f"{SERVICES['opus']}[1m]"}):
        found = checks(Told(owner, workspace, models={"claude_code": chosen}), "Models")
        assert {one.status for one in found.values()} == {"PASS"}
        assert set(found) == set(CLAUDE.models(chosen).values())


def test_a_model_service_that_is_not_there_fails(owner: Owner, workspace: Workspace) -> None:
    chosen = {**SERVICES, "opus": "system.ai.claude-opus-9", "haiku": "main.default.mine"}
    found = checks(Told(owner, workspace, models={"claude_code": chosen}), "Models")
    assert (found["system.ai.claude-opus-9"].status, found[SERVICES["sonnet"]].status) == ("FAIL", "PASS")
    assert found["main.default.mine"].status == "WARN", "what cannot be listed may be there all the same"


def test_a_listing_of_many_pages_ends(owner: Owner, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    examination = Told(owner, workspace)
    pages: list[str] = []

    def get(path: str, token: str = "", root: str = "") -> tuple[int, dict[str, Any]]:
        pages.append(path)
        return 200, {"model_services": [{"name": 3}, None, {"name": "model-services/a.b.c"}], "next_page_token": "x y"}

    monkeypatch.setattr(examination, "get", get)
    assert agent_settings._model_service(examination, "system.ai.none").status == "FAIL"
    assert len(pages) == model_services._MOST_PAGES and pages[1].endswith("&page_token=x%20y")


# -- the prompt --------------------------------------------------------------------------------------------------------


def prompt(owner: Owner, workspace: Workspace, script: str, tmp_path: Path, **more: Any) -> Check:
    program = Path(owner.home, ".local", "bin", "claude")
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return checks(Told(owner, workspace, doctor_prompt=True, **more), "Prompt")["Claude Code"]


def test_the_agent_s_reason_is_told_whatever_it_says_before(owner: Owner, workspace: Workspace, tmp_path: Path) -> None:
    script = """cat >&2 <<'END'
Claude Code doesn't recognize the model "m", so it assumes a context window of 1m tokens. Update Claude Code.
[claude-code:unrecognized_model] {"model":"m"}
It needs a first-party login
END
exit 1"""
    told = prompt(owner, workspace, script, tmp_path)
    assert (told.status, told.detail) == ("FAIL", "exit status 1: It needs a first-party login")
    both = prompt(owner, workspace, "echo 'Not logged in'; echo 'settings did not load (model)' >&2; exit 1", tmp_path)
    assert both.detail == "exit status 1: Not logged in settings did not load (model)"
    assert prompt(owner, workspace, "exit 7", tmp_path).detail == "exit status 7: it said nothing"


def test_the_agent_is_told_to_give_up_soon(owner: Owner, workspace: Workspace, tmp_path: Path) -> None:
    """By itself it repeats for 180 to 250 seconds, and the doctor with it."""
    told = prompt(owner, workspace, 'echo "retries $CLAUDE_CODE_MAX_RETRIES"', tmp_path)
    assert (told.status, told.detail) == ("PASS", "replied: retries 1")
    assert agent_settings._PROMPT_SECONDS < 180


def test_the_prompt_meets_what_the_person_s_terminal_has(
    owner: Owner, workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would be answered where no terminal is."""
    monkeypatch.setattr(
        person, "environment", lambda owner: {"CLAUDE_CONFIG_DIR": "/x", "PATH": "/elsewhere", "OTHER": "o"}
    )
    told = prompt(owner, workspace, 'echo "$CLAUDE_CONFIG_DIR $OTHER $PATH"', tmp_path)
    assert told.detail == "replied: /x /usr/bin:/bin"
