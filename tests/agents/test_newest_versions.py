# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The newest version of each agent that the registries give, where it is not the pinned one: ``make newest`` runs all of them.

Somebody who updates an agent themselves has one of these. Exact versions, never a tag: what a tag names may not even install.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from plugins.module_utils.agents import AGENTS
from plugins.module_utils.agents.base import version_key
from tests import homes
from tests.agents.conftest import installed, missing
from tests.agents.prompts import GONE, asked, prompted, reply
from tests.control_node import ControlNode, Operator
from tests.hosts.podman import cache_directory
from tests.workspace.client import Workspace

pytestmark = pytest.mark.agents

NEWEST = {
    "claude_code": "2.1.332",
    "codex": "0.171.0",
    "gemini": "0.61.0",
    "opencode": "1.18.33",
    "copilot": "1.0.102",
    "pi": "1.6.0",
    "hermes": "0.19.0",
}
"""As the registries had them on 28 November 2026."""

NODE = {"pi": "22.23.3"}
"""Agents whose newest version needs a newer Node.js than a machine may have: the npm package ``node`` brings it."""

IN_CI = "codex"
NEWER = [
    pytest.param(name, marks=[] if name == IN_CI else [pytest.mark.soak])
    for name, version in NEWEST.items()
    if version != AGENTS[name].pinned_version
]


def node_directory(version: str) -> Path:
    """Where a Node.js of this version is called ``node``, beside an npm that runs with it. It is kept in the cache."""
    npm = shutil.which("npm")
    if npm is None:
        missing("npm is needed: apt-get install -y nodejs npm (18 or newer)")
    place = cache_directory() / "agents" / f"node-{version}"
    place.parent.mkdir(parents=True, exist_ok=True)
    with open(f"{place}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        programs = place / "bin"
        if not (programs / "npm").exists():
            command = [npm, "install", "--prefix", str(place), "--no-audit", "--no-fund", f"node@{version}"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                missing(f"Node.js {version} could not be installed. Check the registry:\n{done.stderr}")
            programs.mkdir(exist_ok=True)
            (programs / "node").symlink_to("../node_modules/node/bin/node")
            (programs / "npm").symlink_to(Path(npm).resolve())
    return programs


@pytest.fixture
def home(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of somebody who has the Node.js that this agent needs first on PATH."""
    made = homes.bare(tmp_path / "home")
    if name in NODE:
        programs = str(node_directory(NODE[name]))
        monkeypatch.setenv("PATH", programs, prepend=os.pathsep)
        (made / ".profile").write_text(f'PATH="{programs}:$PATH"\n')
    return made


def test_the_table_names_each_agent_and_nothing_older_than_the_pinned() -> None:
    assert NEWEST.keys() == AGENTS.keys()
    for name, version in NEWEST.items():
        assert version_key(version) >= version_key(AGENTS[name].pinned_version), name
        assert AGENTS[name].accepts(version), name


@pytest.mark.parametrize("name", NEWER)
def test_the_first_answer_by_its_bare_name(
    control: ControlNode,
    workspace: Workspace,
    name: str,
    home: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    prefix = installed(NEWEST[name], tmp_path_factory, name)
    operator = Operator(control, workspace, prefix, agents=[name])
    operator.rollout(home).ok()
    workspace.control(strict=True)
    done = prompted(home, prefix, name)
    assert (done.returncode, reply(done)) == (0, "You said: hello"), done.stdout + done.stderr
    assert 200 in {one["status"] for one in workspace.requests(asked(name))}
    assert operator.rollout(home).ok().changed() == 0


@pytest.mark.soak
@pytest.mark.parametrize("name", [name for name, version in NEWEST.items() if version != AGENTS[name].pinned_version])
def test_a_busy_workspace_costs_no_prompt_and_a_model_that_is_gone_is_told(
    control: ControlNode,
    workspace: Workspace,
    name: str,
    home: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """As of the pinned versions in test_trouble.py."""
    prefix = installed(NEWEST[name], tmp_path_factory, name)
    Operator(control, workspace, prefix, agents=[name]).rollout(home).ok()
    refused = {"path_prefix": asked(name), "method": "POST"}
    workspace.control(fail_next={**refused, "status": 429, "retry_after": 1})
    done = prompted(home, prefix, name)
    assert (done.returncode, reply(done)) == (0, "You said: hello"), done.stdout + done.stderr
    assert 429 in {one["status"] for one in workspace.requests(asked(name))}
    workspace.control(fail_next={**refused, "status": 404, "count": 999})
    done = prompted(home, prefix, name)
    assert done.returncode != 0 and GONE[name] in done.stdout + done.stderr, done.stdout + done.stderr
