# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A home with the token helper in it as the rollout leaves it, for a person or a service principal of the simulated workspace.

Every program that could open a browser is a trap, and every process that knows the home is watched for secrets.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.config import Config
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.databricks_oauth_scripts import (
    front_script,
    helper_script,
    python_record,
)
from ansible_collections.fmapi.coding_agents.plugins.plugin_utils.program import program

from tests.databricks_cli import fixtures
from tests.watch import Watch
from tests.workspace.client import Workspace

TOKENS = "/oidc/v1/token"
PROFILE = "fmapi"
OPENERS = (
    "xdg-open",
    "wslview",
    "open",
    "x-www-browser",
    "www-browser",
    "sensible-browser",
    "powershell.exe",
    "explorer.exe",
)
TOKEN_LINE = re.compile(r"eyJ[\w.-]{40,}\n")
DEAD_ON_ARRIVAL = 2
"""Seconds of a token that Go takes for expired when it arrives: its last ten seconds do not count."""


def install(config: Config, python: str = sys.executable) -> None:
    """The files of the rollout: the host program, its configuration, and the two commands in front of it."""
    contents = {
        config.program: program(),
        config.config_file: config.to_json().encode(),
        config.front: front_script(config),
        config.helper: helper_script(config),
        python_record(config): f"{python}\n".encode(),
    }
    os.makedirs(config.data_directory, exist_ok=True)
    for path, content in contents.items():
        Path(path).write_bytes(content)
        os.chmod(path, 0o700)


class Host:
    """``cli``: the directory of the fixture ``databricks_cli``."""

    def __init__(self, place: Path, workspace: Workspace, identity: str, cli: Path) -> None:
        self.workspace, self.cli, self.place = workspace, cli, place
        self.home = place / "home"
        self.home.mkdir(parents=True)
        self.trapped = place / "trapped"
        traps = place / "traps"
        traps.mkdir()
        for name in (*OPENERS, "a-browser"):
            (traps / name).write_text(f'#!/bin/sh\necho "{name} $*" >>"{self.trapped}"\n')
            (traps / name).chmod(0o755)
        self.environment = {
            "HOME": str(self.home),
            "PATH": f"{traps}:{cli}:/usr/bin:/bin",
            "BROWSER": str(traps / "a-browser"),
            "DISPLAY": ":0",
            "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent",
        }
        client_id = workspace.client_id if identity == "service_principal" else None
        self.config = Config(
            str(self.home), workspace.url, PROFILE, identity, 15, workspace.ca_file, client_id=client_id
        )
        self.install()
        secret = [f"client_id = {workspace.client_id}", f"client_secret = {workspace.client_secret}"]
        self.profile(f"host = {workspace.url}", *(secret if client_id else []))

    def install(self, **changes: Any) -> None:
        """The rollout's files, for a changed configuration too."""
        self.config = self.config._replace(**changes)
        install(self.config)

    def profile(self, *lines: str) -> None:
        Path(self.config.databrickscfg).write_text("\n".join([f"[{PROFILE}]", *lines, ""]))
        os.chmod(self.config.databrickscfg, 0o600)

    def sign_in(self, lifetime: float = 3600) -> None:
        """The person signs in in a browser; the first token lives for ``lifetime`` seconds, later ones for an hour."""
        self.workspace.control(token_lifetime=lifetime)
        fixtures.sign_in(self.cli, self.home, self.workspace, PROFILE)
        self.workspace.control(token_lifetime=3600)
        self.workspace.clear()

    def command(self, verb: str) -> list[str]:
        return [self.config.helper] if verb == "token" else [self.config.front, *verb.split()]

    def start(self, verb: str = "token", **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(verb),
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
        )

    def run(self, verb: str = "token", **environment: str) -> subprocess.CompletedProcess[str]:
        process = self.start(verb, **environment)
        out, err = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def run_all(self, number: int, **environment: str) -> list[subprocess.CompletedProcess[str]]:
        """So many callers at once."""
        started = [self.start(**environment) for _caller in range(number)]
        answers = [(one, one.communicate()) for one in started]
        return [subprocess.CompletedProcess(one.args, one.returncode, *answer) for one, answer in answers]

    def token(self, **environment: str) -> str:
        """One good token, and nothing else on either stream."""
        done = self.run(**environment)
        assert (done.returncode, done.stderr) == (0, "")
        assert TOKEN_LINE.fullmatch(done.stdout)
        return done.stdout.strip()

    def cached(self, suffix: str = "") -> Path:
        return Path(self.config.cache_file + suffix)

    def expire(self) -> None:
        """Let the token at hand come to its end, and nobody ask for half a minute."""
        _until, token, _expiry = self.cached().read_text().splitlines()
        self.cached().write_text(f"1\n{token}\n1\n")
        for suffix in (".served", ".good"):
            self.cached(suffix).unlink(missing_ok=True)

    @property
    def asked(self) -> list[dict[str, Any]]:
        """The requests to the token endpoint."""
        return self.workspace.requests(TOKENS)

    @property
    def login(self) -> str:
        return self.config.sign_in_command()


@contextlib.contextmanager
def helper_host(place: Path, workspace: Workspace, identity: str, cli: Path) -> Iterator[Host]:
    """A host; at the end no browser was opened, and no process of its home has had a secret where others can read it."""
    host = Host(place, workspace, identity, cli)
    beginning_of_tokens = workspace.mint().split(".")[0]
    with Watch([workspace.client_secret, beginning_of_tokens, "dort"], about=str(host.home)):
        yield host
    assert not host.trapped.exists(), host.trapped.read_text()
