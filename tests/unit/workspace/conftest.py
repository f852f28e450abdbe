# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""What the tests of the simulated workspace share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.unit.workspace.caller import Caller
from tests.workspace.client import Workspace
from tests.workspace.fixtures import workspace, workspace_process

__all__ = ["workspace", "workspace_process"]


@pytest.fixture
def call(workspace: Workspace) -> Caller:
    return Caller(workspace)


@pytest.fixture
def sdk_environment(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the person who runs the tests reaches databricks-sdk; the private CA does, in its own usual way."""
    for name in list(os.environ):
        if name.startswith(("DATABRICKS_", "ARM_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", workspace.ca_file)
