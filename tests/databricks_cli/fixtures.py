# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""Fixtures for pytest, and a person who signs in. A conftest.py imports ``databricks_cli`` (and ``workspace``) from here.

``DATABRICKS_CLI=/path`` puts another program in the place of the stand-in: the real one, in acceptance runs.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.workspace.client import Workspace
from tests.workspace.fixtures import workspace, workspace_process

from . import KNOBS_VARIABLE, install, person

__all__ = ["databricks_cli", "workspace", "workspace_process"]

#: Seconds; a command that takes longer hangs. Generous, because machines of tests are busy.
LIMIT = 60.0
OTHER_PROGRAM = os.environ.get("DATABRICKS_CLI", "")


@pytest.fixture(scope="session")
def databricks_cli(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory to put first in PATH; ``databricks`` in it is the stand-in, or what ``DATABRICKS_CLI`` names."""
    directory = tmp_path_factory.mktemp("databricks-cli")
    place(directory)
    yield directory


def place(directory: Path) -> None:
    """Have ``databricks`` in a directory: the stand-in, or what ``DATABRICKS_CLI`` names."""
    if OTHER_PROGRAM:
        (directory / "databricks").symlink_to(Path(OTHER_PROGRAM).resolve(strict=True))
    else:
        install(directory)


def environment(home: Path, directory: Path, ca_file: str, **more: str) -> dict[str, str]:
    """An environment in which ``databricks`` is found, trusts the workspace and knows nothing else of this machine."""
    return {
        "HOME": str(home),
        "PATH": f"{directory}{os.pathsep}/usr/bin{os.pathsep}/bin",
        "SSL_CERT_FILE": ca_file,
        "BROWSER": "false",
        "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent",  # whatever program it is: no keyring of this machine's user
        "LC_ALL": "C.UTF-8",
        **more,
    }


def run(
    directory: Path, arguments: list[str], variables: Mapping[str, str], *, limit: float = LIMIT
) -> subprocess.CompletedProcess[str]:
    """Run ``databricks`` without a terminal. subprocess.TimeoutExpired when it takes longer; it is ended then."""
    return subprocess.run(
        [str(directory / "databricks"), *arguments],
        env=dict(variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=limit,
        check=False,
    )


def sign_in(directory: Path, home: Path, workspace: Workspace, profile: str, **more: str) -> None:
    """A person signs in to ``workspace`` as ``profile`` in ``home``, once, in a browser.

    :param directory: what the fixture ``databricks_cli`` gives.
    :param more: environment variables, such as ``STANDIN_DATABRICKS_CLI`` or ``DATABRICKS_AUTH_STORAGE``.
    :raises AssertionError: with what the program said, when it did not work.
    """
    browser = directory / "browser"
    if not browser.exists():
        person.browser(directory, python=sys.executable)
    variables = environment(home, directory, workspace.ca_file, BROWSER=str(browser), **more)
    done = run(directory, ["auth", "login", "--host", workspace.url, "--profile", profile], variables)
    assert done.returncode == 0, done.stderr
    assert f"Profile {profile} was successfully saved" in done.stderr


def needs_the_stand_in() -> None:
    """Skip a test of a knob, which the real program has not."""
    if OTHER_PROGRAM:
        pytest.skip(f"{KNOBS_VARIABLE} means nothing to {OTHER_PROGRAM}")
