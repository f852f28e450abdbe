# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real Codex in a home that the rollout made, started by its bare name from the person's own shell."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils.agents.codex import Codex
from tests import homes
from tests.agents.conftest import installed
from tests.agents.network import Network
from tests.control_node import ControlNode, Operator
from tests.hosts.tree import differences, manifest
from tests.workspace.client import Workspace
from tests.written_reports import REPORT, checks

pytestmark = pytest.mark.agents

CONFIG = Path(".codex", "config.toml")
LAUNCHER = Path(".local", "share", "fmapi-coding-agents", "bin", "codex")
EXEC = "codex exec --skip-git-repo-check"
OWN_CONFIG = """\
# mine
model = "gpt-mine"   # the model of my own
profile = "work"

[model_providers.ollama]
name = "Ollama"
base_url = "http://localhost:1/v1"  # here

[features]
goals = true
"""


@pytest.fixture(scope="session")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed(Codex.pinned_version, tmp_path_factory, "codex")


@pytest.fixture
def operator(control: ControlNode, workspace: Workspace, prefix: Path) -> Operator:
    return Operator(control, workspace, prefix)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Of somebody whose shell is bash."""
    made = homes.bare(tmp_path / "home")
    (made / ".bashrc").write_text("mine=1\n")
    return made


def typed(home: Path, line: str, within: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """What somebody types into a login shell, with nothing in its environment but a home and the usual path."""
    node = os.path.dirname(shutil.which("node") or "/usr/bin/node")
    return subprocess.run(
        [*within, "bash", "-l", "-c", line],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={"HOME": str(home), "PATH": f"{node}:/usr/bin:/bin", "LANG": "C.UTF-8"},
        cwd=home,
        timeout=120,
        check=False,
    )


def roll_out(operator: Operator, home: Path, **own: Any) -> Any:
    return operator.rollout(home, agents=["codex"], **own)


def test_the_first_answer_by_its_bare_name(operator: Operator, home: Path) -> None:
    roll_out(operator, home).ok()
    operator.workspace.control(strict=True)
    done = typed(home, f"{EXEC} hello")
    assert (done.returncode, done.stdout.strip()) == (0, "You said: hello"), done.stderr
    assert roll_out(operator, home).ok().changed() == 0
    (asked,) = operator.workspace.requests("/ai-gateway/codex/v1/responses")
    assert (asked["status"], asked["model"]) == (200, "system.ai.gpt-5-5")
