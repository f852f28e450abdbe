# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The preflight pays for no service of databricks-sdk, and who else uses databricks-sdk in the process gets it whole."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.unit.homes import imports

LOOK = """
import json, sys
from ansible_collections.fmapi.coding_agents.plugins.module_utils.workspace import sdk
assert sdk.IMPORT_ERROR is None, sdk.IMPORT_ERROR
services = [name for name in sys.modules if name.startswith("databricks.sdk.service.")]
{more}
"""
"""What a process finds when it has imported ours; ``more`` prints JSON."""


def find(more: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", LOOK.format(more=more)], capture_output=True, text=True, check=False, env=imports()
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_no_class_of_a_service_is_imported() -> None:
    needed_by_its_configuration = {"_internal", "provisioning"}
    assert set(find("print(json.dumps([name.rpartition('.')[2] for name in services]))")) <= needed_by_its_configuration


@pytest.mark.parametrize(
    "use",
    [
        "import databricks.sdk; found = databricks.sdk.WorkspaceClient",
        "from databricks.sdk import WorkspaceClient as found",
        "import databricks.sdk.oauth; found = databricks.sdk.oauth.Token",
        "from databricks.sdk import *; found = WorkspaceClient",
        "from databricks.sdk.service.serving import ServingEndpointsAPI as found",
    ],
)
def test_others_get_the_whole_package(use: str) -> None:
    assert find(f"{use}\nprint(json.dumps(found.__module__.startswith('databricks.sdk')))") is True


def test_there_is_one_of_each_class() -> None:
    more = "import databricks.sdk\nfrom databricks.sdk.core import Config\nprint(json.dumps(Config is sdk.Config))"
    assert find(more) is True


def test_what_the_package_does_not_have_it_does_not_have() -> None:
    more = "import databricks.sdk\nprint(json.dumps([hasattr(databricks.sdk, 'nothing') for _ in range(2)]))"
    assert find(more) == [False, False]
