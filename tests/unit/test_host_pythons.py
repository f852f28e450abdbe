# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host half runs on each Python from 3.9 to 3.13 that this machine has, with the standard library and nothing else."""

from __future__ import annotations

import glob
import json
import os
import subprocess
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
VERSIONS = [f"3.{minor}" for minor in range(9, 14)]
STORY = Path(__file__).with_name("host_story.py")
NEED_ANSIBLE = {"by_action", "module"}
LEAST = 2


@cache
def pythons() -> dict[str, str]:
    """One interpreter for each version: pyenv's by path (its shims answer for others), uv's, the system's."""
    root = os.environ.get("PYENV_ROOT", str(Path.home() / ".pyenv"))
    found: dict[str, str] = {}
    for candidate in [
        *glob.glob(f"{root}/versions/3.*/bin/python3"),
        *glob.glob(str(Path.home() / ".local/share/uv/python/cpython-3.*/bin/python3")),
        *glob.glob("/usr/bin/python3*"),
        *glob.glob("/usr/local/bin/python3*"),
        *glob.glob(str(REPOSITORY / ".work/venv/test/bin/python3")),
    ]:
        script = 'import sys; print("%d.%d" % sys.version_info[:2])'
        try:
            told = subprocess.run([candidate, "-I", "-c", script], capture_output=True, text=True, check=False)
        except OSError:
            continue
        if told.returncode == 0 and told.stdout.strip() in VERSIONS:
            found.setdefault(told.stdout.strip(), candidate)
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_the_host_half_from_install_to_uninstall(version: str, tmp_path: Path) -> None:
    if version not in pythons():
        pytest.skip(f"this machine has no Python {version}")
    home = tmp_path / "home"
    home.mkdir()
    # -S keeps what is installed beside that Python out, Ansible among it: the host half must not need it.
    command = [
        pythons()[version],
        "-I",
        "-S",
        "-B",
        "-W",
        "error",
        str(STORY),
        str(REPOSITORY / ".work/collections"),
        str(home),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["python"].startswith(version)
    assert set(told["left_out"]) <= NEED_ANSIBLE, told
    assert {"engine.transaction", "engine.documents.json_document", "rollout", "parts.agent_cli"} <= set(
        told["modules"]
    )


def test_there_are_pythons_to_prove_it_with() -> None:
    if len(pythons()) < LEAST and os.environ.get("CI") != "true":
        pytest.skip(f"this machine has only {sorted(pythons())}")
    assert len(pythons()) >= LEAST, f"found {sorted(pythons())}: install another Python from 3.9 to 3.13"
