# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests with real ``ansible-playbook`` calls share. A conftest.py imports the names it needs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from plugins.module_utils.agents.claude_code import ClaudeCode
from tests.control_node import ControlNode, Operator
from tests.workspace.client import Workspace

__all__ = ["control", "installed_cli", "not_started", "operator"]


@pytest.fixture
def control(tmp_path: Path) -> ControlNode:
    """A control node of this test's own."""
    return ControlNode(tmp_path)


@pytest.fixture(scope="session")
def installed_cli(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An npm prefix in which Claude Code stands as far as files tell. To start it is an error, and leaves a trace.

    The tests of rollouts need no more: versions are read from package files, never by starting a program.
    """
    prefix = tmp_path_factory.mktemp("prefix")
    package = prefix / "lib" / "node_modules" / "@anthropic-ai" / "claude-code"
    package.mkdir(parents=True)
    manifest = {"name": ClaudeCode.source.package, "version": ClaudeCode.pinned_version, "bin": {"claude": "cli.js"}}
    (package / "package.json").write_text(json.dumps(manifest))
    (package / "cli.js").write_text(f'#!/bin/sh\necho "$@" >>{prefix}/started\nexit 70\n')
    (package / "cli.js").chmod(0o755)
    (prefix / "bin").mkdir()
    (prefix / "bin" / "claude").symlink_to("../lib/node_modules/@anthropic-ai/claude-code/cli.js")
    return prefix


@pytest.fixture
def operator(control: ControlNode, workspace: Workspace, installed_cli: Path) -> Operator:
    """An operator with one workspace, for hosts where the CLI is present."""
    return Operator(control, workspace, installed_cli)


@pytest.fixture
def not_started(installed_cli: Path) -> Callable[[], bool]:
    """Whether nobody has started the program that stands in for the CLI."""
    return lambda: not (installed_cli / "started").exists()
