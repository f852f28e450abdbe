# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""Fixtures for pytest. A conftest.py takes them with ``from tests.workspace.fixtures import *  # noqa: F403``
(names: ``workspace_process``, ``workspace``).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .client import Workspace, lasting_port

__all__ = ["workspace", "workspace_process"]


@pytest.fixture(scope="session")
def workspace_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """One simulated workspace for the whole run. Tests want ``workspace``."""
    with Workspace(tmp_path_factory.mktemp("workspace"), port=lasting_port()) as running:
        yield running


@pytest.fixture
def workspace(workspace_process: Workspace) -> Workspace:
    """The simulated workspace, as it was when it started: no tokens, no log, no settings of another test."""
    workspace_process.reset()
    return workspace_process
