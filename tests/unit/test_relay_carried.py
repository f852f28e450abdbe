# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The relay travels to hosts that are to have it and have another one or none, and is made for nobody else: real runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS

from tests import homes
from tests.control_node import ControlNode, Operator
from tests.hosts.tree import differences, manifest
from tests.unit.control_node import installed
from tests.unit.relay_archive import archive, wheels
from tests.workspace.client import Workspace

RELAY = ".local/share/fmapi-coding-agents/relay.pyz"


class Story:
    """A control node that has its wheels, and one host."""

    def __init__(self, directory: Path, workspace: Workspace) -> None:
        self.control = ControlNode(directory)
        self.cache = self.control.home / ".cache" / "fmapi-coding-agents" / "relay"
        self.home = homes.bare(directory / "home")
        prefix = installed(directory / "prefix", AGENTS["gemini"])
        # Nobody asks an index: what is not in the cache cannot be had.
        nowhere = "http://127.0.0.1:9/simple"
        self.operator = Operator(self.control, workspace, prefix, agents=["gemini"], pip_index=nowhere)

    def fill_cache(self) -> None:
        self.cache.mkdir(parents=True)
        for name, content in wheels().items():
            (self.cache / name).write_bytes(content)


@pytest.fixture
def story(tmp_path: Path, workspace: Workspace) -> Story:
    return Story(tmp_path, workspace)


def test_a_host_gets_it_once_and_again_when_it_is_gone(story: Story) -> None:
    story.fill_cache()
    before = manifest(str(story.home))
    first = story.operator.rollout(story.home, relay="auto").ok()
    assert (story.home / RELAY).read_bytes() == archive() and first.starts["host"] == 2, (
        "the look, and what it found missing"
    )
    second = story.operator.rollout(story.home, relay="auto").ok()
    assert (second.changed(), second.starts["host"]) == (0, 1)
    (story.home / RELAY).unlink()
    assert story.control.run("repair", {"host": story.operator.variables(story.home)}).ok().changed()
    assert (story.home / RELAY).read_bytes() == archive()
    (story.home / RELAY).unlink()
    assert story.control.run("upgrade", {"host": story.operator.variables(story.home)}).ok().changed()
    assert (story.home / RELAY).read_bytes() == archive()
    story.operator.uninstall(story.home).ok()
    assert not differences(before, manifest(str(story.home)))


def test_where_nobody_has_chosen_it_nothing_is_made(story: Story) -> None:
    story.operator.rollout(story.home).ok()
    assert not story.cache.exists() and not (story.home / RELAY).exists()


def test_what_cannot_be_had_is_said_before_the_host_is_touched(story: Story) -> None:
    before = manifest(str(story.home))
    play = story.operator.rollout(story.home, relay="session")
    assert play.status != 0 and play.starts["host"] == 0
    assert "the relay: cannot be fetched" in play.message() and "coding_agents_pip_index" in play.message()
    assert not differences(before, manifest(str(story.home)))
