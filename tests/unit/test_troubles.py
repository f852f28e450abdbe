# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The doctor reads TOML and YAML, too: what of a person's own keeps an agent from answering. A run that only looks does not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.fmapi.coding_agents.plugins.action.agent_doctor import ActionModule as Doctor
from ansible_collections.fmapi.coding_agents.plugins.action.coding_agents_info import ActionModule as Look
from ansible_collections.fmapi.coding_agents.plugins.module_utils import rollout
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.documents import LibraryNeeded
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owner import Owner, current_owner
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.config import Config
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.agent_settings import AgentSettings
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.examination import Check, Examination
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import How

from tests.unit.options_for import options_for
from tests.unit.trees import bring_libraries, without_libraries

CODEX, HERMES = ".codex/config.toml", ".hermes/config.yaml"

STANDS = {
    "a profile": ("codex", "# >", '\nprofile = "work"\n', "profile is set"),
    "a key of a variable": ("codex", "[model_providers.databricks]\n", 'env_key = "X"\n', "env_key"),
    "a catalog that is gone": ("codex", "# >", '\nmodel_catalog_json = "/nowhere/models.json"\n', "model_catalog_json"),
    "half of the permissions": ("codex", "# >", '\ndefault_permissions = "mine"\n', "default_permissions"),
    "a required server that is gone": (
        "codex",
        "# <",
        '\n[mcp_servers.corp]\ncommand = "/nowhere/corp"\nrequired = true\n',
        "the MCP server corp is required",
    ),
    "our plugin switched off": ("hermes", "plugins:\n", "  disabled:\n    - fmapi_coding_agents\n", "plugins.disabled"),
    "another dialect": ("hermes", "  databricks:\n", "    api_mode: anthropic_messages\n", "api_mode"),
}
"""Which agent, behind which text something is put (``# >`` before all, ``# <`` after all), and what the doctor says."""


@pytest.fixture
def owner(tmp_path: Path) -> Owner:
    bring_libraries()
    (tmp_path / "home").mkdir(mode=0o700)
    return current_owner(str(tmp_path / "home"))


def wanted(agent: str) -> dict[str, object]:
    return options_for(parts=["agent_settings"], agents=[agent])


def put_in(owner: Owner, agent: str, behind: str, text: str) -> None:
    path = Path(owner.home, CODEX if agent == "codex" else HERMES)
    stood = path.read_text()
    edited = {"# >": text + stood, "# <": stood + text}
    path.write_text(edited.get(behind) or stood.replace(behind, behind + text, 1))
    assert text in path.read_text()


def checked(owner: Owner, agent: str) -> list[Check]:
    config = Config(owner.home, "https://w.example.com", "p", "user", 15)
    return [*AgentSettings().checks(Examination(owner, wanted(agent), config, dict(os.environ), offline=True))]


def failed(owner: Owner, agent: str) -> list[Check]:
    return [one for one in checked(owner, agent) if one.status == "FAIL"]


@pytest.mark.parametrize("what", STANDS)
def test_what_keeps_an_agent_from_answering_is_said_with_the_way_out(owner: Owner, what: str) -> None:
    agent, behind, text, said = STANDS[what]
    rollout.apply(owner, wanted(agent), How())
    assert failed(owner, agent) == []
    put_in(owner, agent, behind, text)
    (check,) = failed(owner, agent)
    assert said in check.detail and owner.home in check.detail and check.fix


SERVER = "\n[mcp_servers.corp]\nrequired = true\n"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (f'{SERVER}command = "corp-search"\n', "WARN"),  # a terminal may find it where this login does not
        (f'{SERVER}command = "/nowhere/corp"\nenabled = false\n', ""),
        (f'{SERVER}command = "/bin/sh"\n', ""),
        (f'{SERVER}command = "sh"\n', ""),
        (f'{SERVER}url = "https://corp.example.com/mcp"\n', ""),
        ('\n[mcp_servers.corp]\ncommand = "/nowhere/corp"\n', ""),
    ],
)
def test_a_server_that_codex_can_do_without_or_may_find_is_no_failure(owner: Owner, text: str, status: str) -> None:
    rollout.apply(owner, wanted("codex"), How())
    put_in(owner, "codex", "# <", text)
    found = [one for one in checked(owner, "codex") if one.check == "Codex settings"]
    assert [one.status for one in found] == ([status] if status else [])


@pytest.mark.parametrize("agent", ["codex", "hermes"])
def test_a_run_that_only_looks_parses_nothing(owner: Owner, agent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rollout.apply(owner, wanted(agent), How())
    monkeypatch.setattr("sys.version_info", (3, 10, 0))  # else tomllib is there by itself
    with without_libraries():
        assert not rollout.look(owner, wanted(agent), How(check=True))["drifted"]
        with pytest.raises(LibraryNeeded):
            failed(owner, agent)


def test_parsers_travel_with_the_doctor_s_first_call_and_with_no_look_s() -> None:
    assert Doctor.READS_SETTINGS and not Look.READS_SETTINGS
