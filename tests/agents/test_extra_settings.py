# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's own settings for agents reach the real programs; what we refuse to write would really break them.

Of Claude Code the same is told by test_claude_code.py and test_believes_versions.py.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from plugins.module_utils.agents import AGENTS
from plugins.module_utils.engine.documents import FORMATS
from plugins.module_utils.engine.owner import Owner
from tests.agents.conftest import installed
from tests.agents.terminal import typed
from tests.control_node import ControlNode, Operator
from tests.settings_shapes import OF_OTHERS, TOLERATED_BY_OTHERS
from tests.workspace.client import Workspace

pytestmark = pytest.mark.agents

GOOD: dict[str, Any] = {
    "codex": {"mcp_servers": {"corp": {"command": "corp-search"}}},
    "gemini": {"mcpServers": {"corp": {"command": "corp-search"}}},
    "opencode": {"username": "corp"},
    "pi": {"extensions": ["~/corp.js"]},
    "hermes": {"mcp_servers": {"corp": {"command": "corp-search", "enabled": False}}},
}
"""By agent: what shows in what its program tells."""
SHOWS = {
    "codex": "codex mcp list",
    "gemini": "GEMINI_CLI_TRUST_WORKSPACE=true gemini mcp list 2>&1",
    "opencode": "opencode debug config",
    "pi": "pi -p hello 2>&1",
    "hermes": "hermes mcp list",
}
PROMPTS = {
    "codex": "codex exec --skip-git-repo-check hello",
    "gemini": "gemini --skip-trust -p hello",
    "opencode": "opencode run hello",
    "pi": "pi -p hello",
    "hermes": "hermes chat --quiet --query hello",
}
EXTENSION = 'export default () => console.log("corp")\n'
"""Of Pi: what it prints shows that it was started."""


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One place from which these agents' programs start."""
    place = tmp_path_factory.mktemp("prefix")
    (place / "bin").mkdir()
    for name in GOOD:
        agent = AGENTS[name]
        program = installed(agent.pinned_version, tmp_path_factory, name) / "bin" / agent.command
        (place / "bin" / agent.command).symlink_to(program.resolve())
    return place


@pytest.fixture
def operator(control: ControlNode, workspace: Workspace, prefix: Path) -> Operator:
    return Operator(control, workspace, prefix, agents=[*GOOD])


def _leaves(settings: dict[str, Any], above: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    return [
        leaf
        for key, value in settings.items()
        for leaf in (_leaves(value, (*above, key)) if isinstance(value, dict) else [((*above, key), value)])
    ]


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    return {
        **below,
        **{
            key: _merged(below[key], value) if isinstance(value, dict) and isinstance(below.get(key), dict) else value
            for key, value in above.items()
        },
    }


def _write(home: Path, name: str, settings: dict[str, Any]) -> tuple[Path, bytes]:
    """As a person does who edits the agent's main file; returns it, and what stood there before."""
    main = AGENTS[name].main_document(AGENTS[name].with_helper("/any")._replace(owner=Owner("any", 0, 0, str(home))))
    assert main is not None
    file = Path(main.path)
    before = file.read_bytes()
    if main.format == "yaml":
        file.write_text(yaml.safe_dump(_merged(yaml.safe_load(before), settings)))
    else:
        document = FORMATS[main.format](before)
        for path, value in _leaves(settings):
            document.set(path, value)
        file.write_bytes(document.content)
    return file, before


def test_what_an_operator_sets_reaches_each_agent_and_a_wrong_value_would_break_it(
    operator: Operator, home: Path
) -> None:
    (home / "corp.js").write_text(EXTENSION)
    operator.rollout(home, extra_settings=copy.deepcopy(GOOD)).ok()
    assert operator.rollout(home, extra_settings=copy.deepcopy(GOOD)).ok().changed() == 0
    for name, line in SHOWS.items():
        done = typed(home, line)
        assert "corp" in done.stdout, f"{name}: {done.stdout}{done.stderr}"
    for name, situations in OF_OTHERS.items():
        _breaks(operator.workspace, home, name, *next(iter(situations.values())))


@pytest.mark.soak
def test_each_value_that_we_refuse_breaks_it_and_what_we_let_pass_does_not(operator: Operator, home: Path) -> None:
    operator.rollout(home).ok()
    for name, situations in OF_OTHERS.items():
        for settings, path in situations.values():
            _breaks(operator.workspace, home, name, settings, path)
        assert AGENTS[name].misfits(TOLERATED_BY_OTHERS[name]) == []
        _write(home, name, TOLERATED_BY_OTHERS[name])
        done = typed(home, PROMPTS[name])
        assert (done.returncode, "You said" in done.stdout) == (0, True), f"{name}: {done.stdout}{done.stderr}"


def _breaks(workspace: Workspace, home: Path, name: str, settings: dict[str, Any], path: str) -> None:
    """With this one value in its file the agent ends without an answer; then the file is as before."""
    assert path in [".".join(one.path) for one in AGENTS[name].misfits(settings)]
    file, before = _write(home, name, settings)
    workspace.clear()
    done = typed(home, PROMPTS[name])
    file.write_bytes(before)
    assert done.returncode != 0 and "You said" not in done.stdout, f"{name} {path}: {done.stdout}{done.stderr}"
