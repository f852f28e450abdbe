# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""All agents at once, the real ones, in one home: one look, one transaction, each answers by its bare name, one way back."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from plugins.module_utils.agents import AGENTS
from plugins.module_utils.engine.owner import Owner
from tests import homes
from tests.agents.prompts import PROMPTS, prompted, reply
from tests.agents.terminal import typed
from tests.control_node import ControlNode, Operator
from tests.hosts.tree import Manifest, differences, manifest
from tests.workspace.client import Workspace

pytestmark = pytest.mark.agents

OWN = {
    "claude_code": (".claude/settings.json", '{"env": {"EDITOR": "vim"}}'),
    "codex": (".codex/config.toml", '# mine\nsandbox_mode = "read-only"\n'),
    "gemini": (".gemini/settings.json", '{"ui": {"theme": "GitHub"}} // mine\n'),
    "opencode": (
        ".config/opencode/opencode.json",
        '{"$schema": "https://opencode.ai/config.json", "username": "ada"} // mine\n',
    ),
    "pi": (".pi/agent/settings.json", '{"theme": "light"}'),
    "hermes": (".hermes/config.yaml", "# mine\nagent:\n  max_turns: 20\n"),
}
"""By agent: its settings file, and what somebody has in it. Some write there as they run, but nothing in such a file."""


@pytest.fixture
def prefix(every_agent: Path) -> Path:
    return every_agent


def test_there_is_a_prompt_for_each_agent() -> None:
    assert PROMPTS.keys() == AGENTS.keys()


def with_links(home: Path) -> dict[str, Path]:
    """Put each agent's settings where a dotfile manager has them, with a link in their place; returns both, by the link's name."""
    found = {}
    (home / "dotfiles").mkdir()
    for name, (path, text) in OWN.items():
        target = home / "dotfiles" / f"{name}-settings"
        target.write_text(text)
        (home / path).parent.mkdir(parents=True)
        (home / path).symlink_to(target)
        found[path] = target
    return found


def test_settings_that_are_links_stay_links(
    control: ControlNode, workspace: Workspace, prefix: Path, tmp_path: Path
) -> None:
    """Each agent reads them through the link, and the way back is exact."""
    operator = Operator(control, workspace, prefix, agents=[*AGENTS])
    home = homes.bare(tmp_path / "home")
    links = with_links(home)
    assert len(links) == sum(bool(agent.usual_files(Owner("", 0, 0, "/"))) for agent in AGENTS.values())
    before = {path: (os.readlink(home / path), target.read_bytes()) for path, target in links.items()}
    operator.rollout(home).ok()
    for path, target in links.items():
        assert os.readlink(home / path) == before[path][0], path
        assert target.read_bytes() != before[path][1], f"{path}: what it leads to is what was edited"
    for name in OWN:
        done = prompted(home, prefix, name)
        assert (done.returncode, reply(done)) == (0, "You said: hello"), f"{name}: {done.stdout}{done.stderr}"
    assert operator.rollout(home).ok().changed() == 0
    operator.uninstall(home).ok()
    assert {path: (os.readlink(home / path), target.read_bytes()) for path, target in links.items()} == before


def test_all_of_them_answer_and_all_is_given_back(
    control: ControlNode, workspace: Workspace, prefix: Path, tmp_path: Path
) -> None:
    operator = Operator(control, workspace, prefix)
    home = homes.lived_in(tmp_path / "home")
    before = manifest(str(home))
    first = operator.rollout(home, agents=[*AGENTS]).ok()
    assert (first.changed(), first.starts["host"] <= 3) == (1, True), first.starts
    second = operator.rollout(home, agents=[*AGENTS]).ok()
    assert (second.changed(), second.starts["host"]) == (0, 1)
    workspace.control(strict=True)
    rolled_out = manifest(str(home))
    for name in PROMPTS:
        done = prompted(home, prefix, name)
        assert (done.returncode, reply(done)) == (0, "You said: hello"), f"{name}: {done.stdout}{done.stderr}"
    operator.uninstall(home).ok()
    for path in _written(before, rolled_out):
        if (home / path).is_file():  # an agent has added something of its own as it ran
            text = (home / path).read_text()
            assert workspace.url not in text and "fmapi" not in text, f"{path}: {text}"
    workspace.clear()
    at_once = " & ".join(f"timeout 20 {line}" for line in PROMPTS.values())
    typed(home, f"export PATH={prefix}/bin:$PATH; {at_once} & wait")
    assert workspace.requests("/") == [], "no agent reaches the workspace any more"


def _written(before: Manifest, after: Manifest) -> set[str]:
    """The files that the rollout made or changed."""
    found = (re.fullmatch(r"(?:added|changed): (.*?)(?: \(file\)|: .*)", one) for one in differences(before, after))
    return {one[1] for one in found if one}
