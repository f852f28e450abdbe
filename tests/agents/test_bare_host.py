# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with nothing but Python: one rollout brings a Node.js for the agents, and they answer by their bare names.

The Node.js and the npm are the real ones, as the npm packages of these names have them, in an archive as nodejs.org lays it out; it
comes from a server of the tests, by way of ``coding_agents_mirror``. The agents come from the registry.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils.agents.source_release import NODE_VERSION
from tests import homes, releases
from tests.agents.conftest import missing
from tests.agents.prompts import PROMPTS, reply
from tests.agents.terminal import typed
from tests.control_node import ControlNode, Play, workspace_variables
from tests.hosts.tree import differences, manifest
from tests.unit.package_registry import Registry
from tests.workspace.client import Workspace

pytestmark = pytest.mark.agents

AGENTS = ["claude_code", "gemini"]
"""One whose program needs no Node.js once it is there, and one that is started with it."""
DEBIAN_PROFILE = 'if [ -d "$HOME/.local/bin" ]; then\n    PATH="$HOME/.local/bin:$PATH"\nfi\n'


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Registry]:
    (tmp_path / "mirror").mkdir()
    made = Registry(tls=tmp_path / "mirror", user=("ada", "s3cret-of-the-mirror"))
    releases.publish_node(made, NODE_VERSION, releases.real_node(NODE_VERSION))
    yield made
    made.close()


@pytest.fixture
def without_node() -> list[str]:
    if os.geteuid() != 0:
        missing("to hide this machine's Node.js needs root: run the tests of the agents as root")
    return releases.hidden("node", "npm")


@pytest.fixture
def variables(workspace: Workspace, mirror: Registry, home: Path, tmp_path: Path) -> dict[str, Any]:
    both = tmp_path / "both.pem"
    both.write_text(Path(workspace.ca_file).read_text() + (tmp_path / "mirror" / "ca.pem").read_text())
    return {
        **workspace_variables(workspace),
        "coding_agents_home": str(home),
        "coding_agents_agents": AGENTS,
        "coding_agents_ca_file": str(both),
        "coding_agents_mirror": mirror.url.replace("://", "://ada:s3cret-of-the-mirror@"),
        "coding_agents_npm_registry": releases.npm_registry(),
    }


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = homes.bare(tmp_path / "home")
    (made / ".profile").write_text(DEBIAN_PROFILE)
    return made


def test_one_rollout_to_a_host_without_node_ends_with_agents_that_answer(
    control: ControlNode,
    workspace: Workspace,
    mirror: Registry,
    variables: dict[str, Any],
    home: Path,
    tmp_path: Path,
    without_node: list[str],
) -> None:
    archive = {f"{releases.node_name(NODE_VERSION)}.tar.gz": releases.real_node(NODE_VERSION)}
    known = releases.collections_that_know(tmp_path / "collections", f"Node.js@{NODE_VERSION}", **archive)

    def run(playbook: str, *options: str) -> Play:
        return control.run(playbook, {"host": variables}, *options, command=without_node, environment=known)

    assert typed(home, "node --version || npm --version", without_node).returncode != 0, "this host has neither"
    before = manifest(str(home))
    foretold = run("rollout", "--check", "--diff").ok()
    assert f"Node.js {NODE_VERSION} fetched" in foretold.told
    assert not mirror.asked and not differences(before, manifest(str(home))), "a dry run fetches nothing"

    first = run("rollout", "-vvv").ok()
    assert first.changed() == 1
    assert "s3cret-of-the-mirror" not in first.output
    workspace.control(strict=True)
    for name in AGENTS:
        done = typed(home, PROMPTS[name], without_node)
        assert (done.returncode, reply(done)) == (0, "You said: hello"), f"{name}: {done.stdout}{done.stderr}"
    asked = len(mirror.asked)
    second = run("rollout").ok()
    assert (second.changed(), second.starts["host"], len(mirror.asked)) == (0, 1, asked)

    run("uninstall").ok()
    left = [one for one in differences(before, manifest(str(home))) if ".gemini" not in one and ".claude" not in one]
    assert left == [], "but for what the agents have written as they ran"


def test_a_host_that_has_a_node_that_will_do_is_sent_none(
    control: ControlNode, mirror: Registry, variables: dict[str, Any]
) -> None:
    """Its first own one, however it came, is what npm runs with."""
    play = control.run("rollout", {"host": {**variables, "coding_agents_agents": ["gemini"]}}, "--check").ok()
    assert "Node.js" not in play.told and mirror.asked == []
