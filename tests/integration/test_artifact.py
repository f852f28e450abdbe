# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection as others get it: what ``ansible-galaxy collection build`` puts in, and that it works from there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import homes
from tests.control_node import REPOSITORY, ControlNode, Operator

NEEDED = {
    *("galaxy.yml", "LICENSE", "README.md", "meta/runtime.yml", "playbooks/rollout.yml", "roles/look/tasks/main.yml"),
    *("plugins/modules/agent_settings.py", "plugins/action/workspace_info.py", "plugins/module_utils/ledger.py"),
}
FOREIGN = ("tests/", "molecule/", "Makefile", "pyproject.toml", "changelogs/fragments", "changelogs/config.yaml")


def _source(directory: Path) -> Path:
    """A copy of what Git tracks, as it stands now: what a clone would be built from."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, check=True).stdout
    for name in filter(None, names.decode().split("\0")):
        if (REPOSITORY / name).is_file():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, directory / name)
    return directory


@pytest.fixture
def artifact(control: ControlNode, tmp_path: Path) -> Iterator[Path]:
    """The built collection."""
    source = _source(tmp_path / "source")
    # What a developer's clone has beside it must not get in either.
    (source / ".work" / "venv").mkdir(parents=True)
    (source / ".work" / "venv" / "notes").write_text("x")
    _galaxy(control, "build", str(source), "--output-path", str(tmp_path / "built"))
    (built,) = (tmp_path / "built").glob("fmapi-coding_agents-*.tar.gz")
    yield built


def _galaxy(control: ControlNode, *arguments: str, **environment: str) -> None:
    done = subprocess.run(
        [str(control.programs / "ansible-galaxy"), "collection", *arguments],
        env=control.environment(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_artifact_holds_what_it_must_and_no_more(artifact: Path) -> None:
    with tarfile.open(artifact) as archive:
        members = archive.getmembers()
        names = {member.name for member in members if member.isfile()}
        stream = archive.extractfile("MANIFEST.json")
        assert stream is not None
        information = json.load(stream)["collection_info"]
    assert not [name for name in names if name.startswith(FOREIGN)]
    hidden = {name for name in names if any(part.startswith(".") for part in Path(name).parts)}
    assert not hidden
    assert not [name for name in names if "__pycache__" in name or name.endswith((".pyc", ".tar.gz"))]
    wanted = {name for name in NEEDED if (REPOSITORY / name).exists()} - {"galaxy.yml"}
    assert wanted <= names, wanted - names
    assert information["name"] == "coding_agents" and information["license"] == ["GPL-3.0-or-later"]
    assert not [member.name for member in members if member.issym() or member.islnk()]


def test_the_installed_collection_works_alone(operator: Operator, artifact: Path, tmp_path: Path) -> None:
    """Nothing that a run needs was left behind in the clone."""
    where = tmp_path / "installed"
    only_there = {"ANSIBLE_COLLECTIONS_PATH": str(where)}
    _galaxy(operator.control, "install", "--offline", str(artifact), "--collections-path", str(where), **only_there)
    home = homes.bare(tmp_path / "home")
    hosts = {"host": operator.variables(home)}
    play = operator.control.run("rollout", hosts, environment=only_there).ok()
    assert play.changed() == 2
    assert os.access(home / ".local" / "share" / "fmapi-coding-agents" / "token-helper", os.X_OK)
