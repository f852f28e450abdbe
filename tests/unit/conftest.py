# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unit tests import the collection by its full name: its path must look like a collection's."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from tests.workspace.fixtures import workspace, workspace_process

__all__ = ["workspace", "workspace_process"]

REPOSITORY = Path(__file__).resolve().parents[2]
COLLECTIONS = REPOSITORY / ".work" / "collections"

_link = COLLECTIONS / "ansible_collections" / "fmapi" / "coding_agents"
if not _link.exists():
    _link.parent.mkdir(parents=True, exist_ok=True)
    _link.symlink_to("../../../..")
if str(COLLECTIONS) not in sys.path:
    sys.path.append(str(COLLECTIONS))
importlib.invalidate_caches()


def pytest_configure() -> None:
    """Tests that parse have what a module's call brings along."""
    from tests.unit.trees import bring_libraries

    bring_libraries()


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No identity of the person who runs the tests, and no Databricks CLI."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("DATABRICKS_HOST", "DATABRICKS_TOKEN", "DATABRICKS_CONFIG_PROFILE", "DATABRICKS_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
