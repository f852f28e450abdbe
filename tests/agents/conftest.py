# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real agents, installed once by the collection itself, and the means to watch what it does."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from plugins.module_utils.agents import AGENTS
from plugins.module_utils.agents.claude_code import ClaudeCode
from plugins.module_utils.agents.source_npm import Npm
from tests import homes
from tests.agents.claude import Claude
from tests.agents.network import Network, Unavailable
from tests.control_node import ControlNode, Operator
from tests.fixtures import control
from tests.hosts.fixtures import start_fleet
from tests.hosts.podman import cache_directory
from tests.workspace.client import Workspace
from tests.workspace.fixtures import workspace, workspace_process

__all__ = ["control", "start_fleet", "workspace", "workspace_process"]

_PLAY = """\
- hosts: all
  gather_facts: false
  tasks:
    - fmapi.coding_agents.agent_cli:
"""


def missing(what: str) -> NoReturn:
    """Something is not on this machine: an error in CI, a skip elsewhere; ``what`` says how to get it."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)


def installed(version: str, tmp_path_factory: pytest.TempPathFactory, name: str = ClaudeCode.name) -> Path:
    """A prefix with an agent at this version, made by the module agent_cli and kept in the cache."""
    agent = AGENTS[name]
    for program in ("node", "npm") if isinstance(agent.source, Npm) else ():
        if shutil.which(program) is None:
            missing(f"{program} is needed to run {agent.title}: apt-get install -y nodejs npm (18 or newer)")
    prefix = cache_directory() / "agents" / f"{name.replace('_', '-')}-{version}"
    prefix.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{prefix}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if agent.source.version_of(str(prefix / "bin" / agent.command)) != version:
            scratch = tmp_path_factory.mktemp("agent-cli")
            home = scratch / "home"
            home.mkdir(mode=0o700)
            (scratch / "install.yml").write_text(_PLAY)
            variables = {
                "coding_agents_home": str(home),
                "coding_agents_npm_prefix": str(prefix),
                "coding_agents_agents": [name],
                "coding_agents_cli_versions": {name: version},
            }
            play = ControlNode(scratch).run(scratch / "install.yml", {"host": variables})
            if play.status != 0:
                missing(f"{agent.title} could not be installed. Check the registry and the proxy:\n{play.output}")
    return prefix


@pytest.fixture(scope="module")
def prefix(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the pinned version is of the agent that a file of tests is about: its ``AGENT``, or else Claude Code."""
    name = getattr(request.module, "AGENT", ClaudeCode.name)
    return installed(AGENTS[name].pinned_version, tmp_path_factory, name)


@pytest.fixture(scope="module")
def every_agent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One place from which every agent's program starts, as on a host where all have been installed."""
    place = tmp_path_factory.mktemp("every-agent")
    (place / "bin").mkdir()
    for name, agent in AGENTS.items():
        program = installed(agent.pinned_version, tmp_path_factory, name) / "bin" / agent.command
        (place / "bin" / agent.command).symlink_to(program.resolve())
    return place


@pytest.fixture
def operator(request: pytest.FixtureRequest, control: ControlNode, workspace: Workspace, prefix: Path) -> Operator:
    """An operator for hosts where that agent's real program is present."""
    return Operator(control, workspace, prefix, agents=[getattr(request.module, "AGENT", ClaudeCode.name)])


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Of somebody whose shell is bash."""
    made = homes.bare(tmp_path / "home")
    (made / ".bashrc").write_text("mine=1\n")
    return made


@pytest.fixture
def claude(prefix: Path, tmp_path: Path) -> Iterator[Claude]:
    """Claude Code for a home, in a project directory of its own."""
    project = tmp_path / "project"
    project.mkdir()
    with contextlib.ExitStack() as sessions:
        yield Claude(prefix / "bin" / "claude", project, sessions)


@contextlib.contextmanager
def watched_network() -> Iterator[Network]:
    """A network of its own, in which every packet is seen. One at a time: they all have the same addresses."""
    with open(cache_directory() / "network.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            made = Network()
        except Unavailable as problem:
            missing(str(problem))
        with made:
            yield made


@pytest.fixture
def network() -> Iterator[Network]:
    with watched_network() as made:
        yield made
