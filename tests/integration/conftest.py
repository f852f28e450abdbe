# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fixtures of the integration tests."""

from __future__ import annotations

from tests.fixtures import control, installed_cli, not_started, operator
from tests.hosts.fixtures import start_fleet
from tests.integration.artifact import artifact, installed
from tests.workspace.fixtures import workspace, workspace_process

__all__ = [
    "artifact",
    "control",
    "installed",
    "installed_cli",
    "not_started",
    "operator",
    "start_fleet",
    "workspace",
    "workspace_process",
]
