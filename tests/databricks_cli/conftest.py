# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""One home, one CLI and one simulated workspace for each test."""

from __future__ import annotations

import configparser
import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.databricks_cli import fixtures, person
from tests.databricks_cli.fixtures import databricks_cli, workspace, workspace_process
from tests.workspace.client import Workspace

__all__ = ["databricks_cli", "workspace", "workspace_process"]


class Running:
    """A command in the background."""

    def __init__(self, command: list[str], variables: dict[str, str], scratch: Path) -> None:
        self._stdout, self._stderr = scratch / "stdout", scratch / "stderr"
        with self._stdout.open("wb") as stdout, self._stderr.open("wb") as stderr:
            self.process = subprocess.Popen(
                command,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )

    @property
    def stdout(self) -> str:
        return self._stdout.read_text()

    @property
    def stderr(self) -> str:
        return self._stderr.read_text()

    def until(self, condition: Callable[[], object]) -> None:
        """Wait for a condition; fail with the output when it does not come."""
        limit = time.monotonic() + fixtures.LIMIT
        while not condition():
            assert time.monotonic() < limit, self.stdout + self.stderr
            time.sleep(0.02)

    def still_runs_after(self, seconds: float) -> bool:
        """Whether it has not ended within ``seconds``, as something that hangs has not."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return True
        return False

    def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


class Machine:
    """A home with the CLI on its PATH, and a person with a browser."""

    def __init__(self, directory: Path, scratch: Path, workspace: Workspace) -> None:
        self.directory = directory
        self.workspace = workspace
        self.home = scratch / "home"
        self.home.mkdir(mode=0o700)
        self.person = scratch / "person"
        self.person.mkdir()
        self.browser = str(person.browser(self.person))
        self.config = self.home / ".databrickscfg"
        self.cache = self.home / ".databricks" / "token-cache.json"

    def environment(self, **more: str) -> dict[str, str]:
        return fixtures.environment(
            self.home, self.directory, self.workspace.ca_file, **{"BROWSER": self.browser, **more}
        )

    def __call__(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return fixtures.run(self.directory, list(arguments), self.environment(**more))

    @contextlib.contextmanager
    def start(self, *arguments: str, **more: str) -> Iterator[Running]:
        """Run it in the background; it is ended, with all it started, at the end of the block."""
        running = Running([str(self.directory / "databricks"), *arguments], self.environment(**more), self.person)
        try:
            yield running
        finally:
            running.end()

    def login(self, profile: str = "P", **more: str) -> None:
        done = self("auth", "login", "--host", self.workspace.url, "--profile", profile, **more)
        assert done.returncode == 0, done.stderr

    def token(self, *arguments: str, **more: str) -> dict[str, Any]:
        """What ``auth token`` prints as JSON."""
        done = self("auth", "token", *arguments, **more)
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def profiles(self) -> dict[str, dict[str, str]]:
        """The sections of the configuration file."""
        parser = configparser.ConfigParser(default_section="", interpolation=None)
        parser.read(self.config)
        return {name: dict(parser[name]) for name in parser.sections()}

    def opened(self) -> list[str]:
        return person.opened(self.person)

    def write_config(self, text: str) -> None:
        self.config.write_text(text)
        os.chmod(self.config, 0o600)


@pytest.fixture
def machine(databricks_cli: Path, tmp_path: Path, workspace: Workspace) -> Machine:
    return Machine(databricks_cli, tmp_path, workspace)
