# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry of agents, and what every agent's file must answer."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils import agents as registry
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents.base import (
    Agent,
    AgentOptions,
    check_versions,
    version_key,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents.sources import Source
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.documents import FORMATS
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owner import Owner
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.routing import DIALECTS, base_url

from tests.unit.test_rooms import SHARED

CLAUDE = AGENTS["claude_code"]

OPTIONS = AgentOptions(
    owner=Owner("ada", 1000, 1000, "/home/ada"),
    workspace_url="https://w.example.com",
    base_urls={one: base_url("gateway", "https://w.example.com", one) for one in DIALECTS},
    token_helper="/home/ada/.local/share/fmapi-coding-agents/token-helper",
    token_ttl_minutes=15,
)


def test_every_agent_s_file_is_in_the_registry_once() -> None:
    files = [
        name for _finder, name, _package in pkgutil.iter_modules(registry.__path__) if name not in SHARED["agents"]
    ]
    # A second file of an agent begins with its name.
    files = [name for name in files if not any(name.startswith(f"{agent}_") for agent in AGENTS)]
    classes = []
    for name in files:
        module = importlib.import_module(f"{registry.__name__}.{name}")
        found = [
            one
            for _name, one in inspect.getmembers(module, inspect.isclass)
            if issubclass(one, Agent) and one is not Agent
        ]
        assert len(found) == 1, f"{name}.py holds one agent"
        classes += found
        assert found[0].name == name
    assert sorted(type(agent).__name__ for agent in AGENTS.values()) == sorted(one.__name__ for one in classes)
    assert all(agent.name == name for name, agent in AGENTS.items())


@pytest.mark.parametrize("agent", AGENTS.values(), ids=list(AGENTS))
def test_another_base_url_is_all_that_an_agent_knows(agent: Agent) -> None:
    own = OPTIONS._replace(base_urls=dict.fromkeys(DIALECTS, "https://llm.example.com/own"))
    told = f"{[one.values for one in agent.documents(own)]} {agent.launch(own)}"
    assert "https://llm.example.com/own" in told and OPTIONS.workspace_url not in told


@pytest.mark.parametrize("agent", AGENTS.values(), ids=list(AGENTS))
def test_an_agent_answers_everything(agent: Agent) -> None:
    assert agent.title and agent.command and isinstance(agent.source, Source)
    assert agent.dialects and set(agent.dialects) <= set(DIALECTS)
    assert agent.accepts(agent.pinned_version) and agent.accepts(agent.minimum_version)
    assert not any(agent.accepts(version) for version in agent.denied_versions)
    documents = agent.documents(OPTIONS)
    assert documents or agent.launch(OPTIONS)
    for document in documents:
        assert document.component == "agent_settings"
        assert Path(document.path).is_relative_to("/home/ada")
        assert document.format in FORMATS
        assert not set(document.values) & set(document.superseded)
    assert agent.problems(OPTIONS, {}, agent.pinned_version) == []
    assert agent.prompt_command("/bin/x", "hello")[0] == "/bin/x"


@pytest.mark.parametrize("agent", AGENTS.values(), ids=list(AGENTS))
def test_an_agent_s_own_options_say_what_they_are(agent: Agent) -> None:
    for name, option in agent.own_options.items():
        assert name.isidentifier() and not name.startswith(agent.name), "its name stands in front of it in variables"
        assert option["type"] in ("str", "bool", "int", "path", "list", "dict")
        assert option["description"] and all(one.endswith(".") for one in option["description"])
        assert isinstance(option["example"], str)
        assert agent.own(OPTIONS, name) == option.get("default")
        assert agent.own(OPTIONS._replace(own={name: "x"}), name) == "x"


@pytest.mark.parametrize("agent", AGENTS.values(), ids=list(AGENTS))
def test_no_agent_file_imports_another(agent: Agent) -> None:
    source = inspect.getsource(importlib.import_module(type(agent).__module__))
    for other in AGENTS:
        assert other == agent.name or f"from .{other}" not in source


def test_versions_are_compared_as_numbers() -> None:
    assert version_key("2.1.9") < version_key("2.1.83") < version_key("2.1.197") < version_key("2.10.0")
    assert version_key("2.1.197-beta.1") == version_key("2.1.197")
    assert version_key("nonsense") == (0,)


# -- versions that operators name --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "version",
    ["latest", "", "^2.1.0", "2.1.197 --global", "../x", "2.1/../..", 2.1, None, ["2.1.197"], "v2.1.197", "-1", "2.1."],
)
def test_what_is_no_version_is_refused(version: Any) -> None:
    with pytest.raises(OperatorError, match=r"^coding_agents_cli_versions.claude_code: .* is no version. Give it like"):
        check_versions({"claude_code": version}, AGENTS)


def test_a_version_that_does_not_work_is_refused_with_the_way_out() -> None:
    for version in ("2.1.82", *CLAUDE.denied_versions):
        with pytest.raises(
            OperatorError, match=rf"does not work with a workspace. Use {CLAUDE.pinned_version}, or another"
        ):
            check_versions({"claude_code": version}, AGENTS)
    for version in (CLAUDE.pinned_version, "2.1.300-beta.1"):
        check_versions({"claude_code": version}, AGENTS)
    check_versions({}, AGENTS)


def test_an_unknown_agent_is_refused() -> None:
    with pytest.raises(OperatorError, match=r"cobol_code is no agent. Known are: claude_code"):
        check_versions({"cobol_code": "1.0.0"}, AGENTS)
