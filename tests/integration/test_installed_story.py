# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection as ``ansible-galaxy`` installs it, without the clone: it works, and it works whole."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import homes
from tests.control_node import COLLECTION, REPOSITORY, Operator
from tests.hosts.tree import differences, manifest
from tests.integration.artifact import Installed


@pytest.mark.matrix
def test_the_installed_collection_works_alone(operator: Operator, installed: Installed, tmp_path: Path) -> None:
    """Nothing that a run needs was left behind in the clone, from the rollout to the way back; and running changes nothing of it."""
    home = homes.bare(tmp_path / "home")
    before = manifest(str(home))
    hosts = {"host": operator.variables(home)}
    play = operator.control.run("rollout", hosts, environment=installed.only_this).ok()
    assert play.changed() == 1
    assert os.access(home / ".local" / "share" / "fmapi-coding-agents" / "token-helper", os.X_OK)
    operator.control.run("doctor", hosts, environment=installed.only_this).ok()
    operator.control.run("uninstall", hosts, environment=installed.only_this).ok()
    assert differences(before, manifest(str(home))) == []
    _verify(installed)


def _verify(installed: Installed) -> None:
    """The same bytes as were shipped, before and after: nothing else ran, and running changed nothing."""
    installed.run("ansible-galaxy", "collection", "verify", "--offline", COLLECTION, "-p", str(installed.collections))


@pytest.mark.soak
def test_the_demonstration_runs_from_the_installed_artifact_only(installed: Installed) -> None:
    """Dry run, rollout of the real agents, second run, doctor, prompts, uninstall: each judges itself. CI has it from the clone."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"{program} is needed: see make demo")
    told = subprocess.run(
        [sys.executable, "-m", "tests.demo", "--collections", str(installed.collections)],
        cwd=REPOSITORY,
        env={**os.environ, "NO_COLOR": "1", "ANSIBLE_CONFIG": installed.environment["ANSIBLE_CONFIG"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0 and "every step held" in told.stdout, told.stdout[-5000:] + told.stderr
    _verify(installed)
