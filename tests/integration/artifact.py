# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection as others get it, made once for a run: built from what Git tracks, and installed into an empty path."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.control_node import COLLECTION, REPOSITORY, ControlNode

__all__ = ["artifact", "installed"]


def tracked() -> list[str]:
    """Every file of a clone as it stands now, relative to it: what Git tracks or will, without what was deleted."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
    )
    return [name for name in listed.stdout.decode().split("\0") if name and (REPOSITORY / name).is_file()]


def copy_of_the_clone(directory: Path) -> Path:
    """Copy what Git tracks to ``directory``, which must not be there, and return it."""
    for name in tracked():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(REPOSITORY / name, directory / name)
    return directory


@dataclass(frozen=True)
class Installed:
    """The collection below ``collections``, and a control node that knows no other copy of it."""

    control: ControlNode
    collections: Path

    @property
    def path(self) -> Path:
        return self.collections / "ansible_collections" / COLLECTION.replace(".", "/")

    @property
    def environment(self) -> dict[str, str]:
        """What a program finds in its environment: nothing of the tests' own equipment."""
        own = self.control.environment(self.only_this)
        return {name: value for name, value in own.items() if not name.startswith("ANSIBLE_CALLBACK")}

    @property
    def only_this(self) -> dict[str, str]:
        return {"ANSIBLE_COLLECTIONS_PATH": str(self.collections)}

    def run(
        self, *command: str, cwd: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of the control node; what it printed goes into the failure if it does not end well."""
        done = attempt(*command, environment={**self.environment, **(environment or {})}, cwd=cwd)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done


def attempt(*command: str, environment: Mapping[str, str], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program, however it ends."""
    return subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, cwd=cwd
    )


@pytest.fixture(scope="session")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built collection."""
    directory = tmp_path_factory.mktemp("artifact")
    source = copy_of_the_clone(directory / "source")
    # What a developer's clone has beside it must not get in either.
    (source / ".work" / "venv").mkdir(parents=True)
    (source / ".work" / "venv" / "notes").write_text("x")
    control = ControlNode(directory)
    build = ("ansible-galaxy", "collection", "build", str(source), "--output-path", str(directory / "built"))
    done = attempt(*build, environment=control.environment())
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = (directory / "built").glob("*.tar.gz")
    return built


@pytest.fixture(scope="session")
def installed(artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The built collection in a path that was empty before, where nothing of it could be found."""
    directory = tmp_path_factory.mktemp("installed")
    made = Installed(ControlNode(directory), directory / "collections")
    made.collections.mkdir()
    command = ("ansible-playbook", "--syntax-check", f"{COLLECTION}.rollout")
    before = attempt(*command, environment=made.environment)
    assert before.returncode != 0, "there is another copy of the collection:\n" + before.stdout
    made.run("ansible-galaxy", "collection", "install", "--offline", str(artifact), "-p", str(made.collections))
    made.run(*command)
    assert not os.path.islink(made.path)
    return made
