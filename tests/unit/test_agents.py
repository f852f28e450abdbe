# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry of agents, and what every agent's file must answer."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils import agents as registry
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents.base import Agent, AgentOptions, version_key
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.documents import FORMATS

OPTIONS = AgentOptions(
    home="/home/ada",
    settings_directory="/home/ada",
    workspace_url="https://w.example.com",
    base_urls={"anthropic": "https://w.example.com/ai-gateway/anthropic"},
    token_helper="/home/ada/.local/share/fmapi-coding-agents/token-helper",
    token_ttl_minutes=15,
)


def test_every_agent_s_file_is_in_the_registry_once() -> None:
    files = [name for _finder, name, _package in pkgutil.iter_modules(registry.__path__) if name != "base"]
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
def test_an_agent_answers_everything(agent: Agent) -> None:
    assert agent.title and agent.command and agent.npm_package
    assert agent.accepts(agent.pinned_version) and agent.accepts(agent.minimum_version)
    assert not any(agent.accepts(version) for version in agent.denied_versions)
    documents = agent.documents(OPTIONS)
    assert documents
    for document in documents:
        assert document.component == agent.name
        assert Path(document.path).is_relative_to("/home/ada")
        assert document.format in FORMATS
        assert not set(document.values) & set(document.superseded)
    assert agent.problems(OPTIONS, {}) == []
    assert agent.prompt_command("/bin/x", "hello")[0] == "/bin/x"


@pytest.mark.parametrize("agent", AGENTS.values(), ids=list(AGENTS))
def test_no_agent_file_imports_another(agent: Agent) -> None:
    source = inspect.getsource(importlib.import_module(type(agent).__module__))
    for other in AGENTS:
        assert other == agent.name or f"from .{other}" not in source


def test_versions_are_compared_as_numbers() -> None:
    assert version_key("2.1.9") < version_key("2.1.83") < version_key("2.1.197") < version_key("2.10.0")
    assert version_key("2.1.197-beta.1") == version_key("2.1.197")
    assert version_key("nonsense") == (0,)
