# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A home with the host program in it, a Databricks CLI on its PATH, and a person with a browser."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.config import Config

from tests.databricks_cli import fixtures, person
from tests.unit.helper_host import install
from tests.workspace.client import Workspace

LINK = re.compile(r"^  (https://\S+/oidc/v1/authorize\?\S+)$", re.MULTILINE)
LIMIT = 60.0


_HEARS_SIGNALS = ("env", "--default-signal=HUP,INT,TERM")
"""The tests themselves may run under nohup, which is inherited, and which ``login`` heeds."""


class Running:
    """A command in the background, and what it has said so far."""

    def __init__(self, process: subprocess.Popen[bytes], output: Path) -> None:
        self.process = process
        self._output = output

    @property
    def said(self) -> str:
        return self._output.read_text()

    def until(self, condition: Callable[[], object]) -> None:
        """Wait for a condition; fail with the output when it does not come."""
        limit = time.monotonic() + LIMIT
        while not condition():
            assert time.monotonic() < limit, self.said
            time.sleep(0.02)

    def link(self) -> str:
        """The link that it shows, as soon as it does."""
        self.until(lambda: LINK.search(self.said))
        return LINK.findall(self.said)[0]

    def end(self) -> int:
        return self.process.wait(LIMIT)


class Home:
    """Where a person signs in, as the rollout leaves it; the browser is a person who approves, unless the test has another."""

    def __init__(self, directory: Path, workspace: Workspace, cli: Path, identity: str = "user") -> None:
        directory.mkdir(parents=True)
        self.directory = directory
        self.workspace = workspace
        self.home = directory / "home"
        self.home.mkdir(mode=0o700)
        self.cli = cli
        self.config = Config(str(self.home), workspace.url, "fmapi", identity, 15, workspace.ca_file)
        self.install()
        self.browser = person.browser(directory)
        self.variables = fixtures.environment(self.home, cli, workspace.ca_file, BROWSER=str(self.browser))

    def install(self, **changes: Any) -> None:
        """Put the program there, for a changed configuration too."""
        self.config = self.config._replace(**changes)
        install(self.config)

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """``coding-agents`` with these arguments, to its end."""
        return subprocess.run(
            [self.config.front, *arguments],
            env={**self.variables, **variables},
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )

    def login(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return self.run("login", *arguments, **variables)

    @contextlib.contextmanager
    def start(self, *arguments: str, **variables: str) -> Iterator[Running]:
        """``coding-agents login`` in the background; it is ended at the end of the block."""
        output = self.directory / f"output-{time.monotonic_ns()}"
        with output.open("wb") as stream:
            process = subprocess.Popen(
                [*_HEARS_SIGNALS, self.config.front, "login", *arguments],
                env={**self.variables, **variables},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )
        try:
            yield Running(process, output)
        finally:
            process.terminate()  # which ends the CLI, too
            process.wait(LIMIT)

    def opened(self) -> list[str]:
        """The links that the person's browser was sent to."""
        return person.opened(self.directory)

    def forget_token(self) -> None:
        """No token at hand, and the CLI's own has expired, too: the next one needs a refresh."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.config.cache_file)
        store = self.home / ".databricks" / "token-cache.json"
        store.write_text(re.sub(r'"expiry": *"\d{4}', '"expiry": "2020', store.read_text()))

    def processes(self) -> list[str]:
        """Command lines of the CLI's processes that still run in this home."""
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                environment = (path / "environ").read_bytes().split(b"\0")
                command = (path / "cmdline").read_bytes()
                if f"HOME={self.home}".encode() in environment and b"databricks" in command:
                    found.append(command.replace(b"\0", b" ").decode())
        return found


def script(path: Path, text: str) -> Path:
    """An executable shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def recorder(path: Path, log: Path) -> Path:
    """A program that writes down how it was called, one argument a line."""
    return script(path, f'printf "%s\\n" "$@" >>{shlex.quote(str(log))}')
