# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host with a person, seven agents as far as files tell, and a rollout: everything in this process, for tests of the doctor."""

from __future__ import annotations

import json
import os
import pwd
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from ansible_collections.fmapi.coding_agents.plugins.module_utils import examining, rollout
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import (
    AGENTS,
    claude_code_managed,
    codex,
    gemini,
    opencode,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents.source_npm import Npm
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owner import Owner
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program import user_sign_in
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.config import Config
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts import person
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.context import config_of
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import How

from tests.databricks_cli import fixtures
from tests.unit import relay_archive
from tests.unit.options_for import carried, options_for, owner_of
from tests.workspace.client import Workspace

ISSUER, SUBJECT, AUDIENCE = "https://idp.example.com", "repo:corp/agents", "databricks"
REPLY = "echo Hello."


class Host:
    """``cli``: the directory of the fixture ``databricks_cli``. Nobody is signed in yet, nothing rolled out."""

    def __init__(self, place: Path, workspace: Workspace, cli: Path, identity: str, **options: Any) -> None:
        self.workspace, self.cli, self.place = workspace, cli, place
        self.clean_up: list[Callable[[], None]] = []
        self.home = place / "home"
        self.home.mkdir(parents=True, mode=0o700)
        self.ca_file = place / "ca.pem"
        self.ca_file.write_bytes(Path(workspace.ca_file).read_bytes())
        self.others = place / "others.pem"
        self.others.write_bytes(trustme.CA().cert_pem.bytes())
        self.managed = place / "managed"
        self.managed.mkdir()
        self.shell = _script(place / "shell", "PATH=/usr/bin:/bin\nexport PATH\n. ~/.profile\nexec env")
        self.options: dict[str, Any] = {
            **options_for(workspace_url=workspace.url, ca_file=str(self.ca_file), identity=identity),
            **self._credentials(identity),
            **options,
        }
        if options.get("relay"):
            self.options["carried"] = {**carried(), **relay_archive.carried()}
        self.profile = self.home / ".profile"
        self.start_files('PATH="$HOME/.local/bin:$PATH"')
        self.databricks = self.path(".local/bin/databricks")
        for name in AGENTS:
            self.agent(name)
        if identity == "user":
            self.install_databricks()

    @property
    def owner(self) -> Owner:
        return owner_of(self.home)

    @property
    def config(self) -> Config:
        return config_of(self.owner, self.options)

    def path(self, *parts: str) -> Path:
        """A file of the home."""
        return self.home.joinpath(*parts)

    def roll_out(self) -> None:
        rollout.apply(self.owner, self.options, How())

    def examine(self) -> list[dict[str, str]]:
        """What the doctor finds, with ``~`` for the home, and the workspace by a name that is the same in each run."""
        result = examining.examine(self.owner, self.options, How())
        failed = any(one["status"] == "FAIL" for one in result["checks"])
        assert ("error" in result) is failed, "a playbook's exit status tells of failures, and of nothing else"
        told = json.dumps(result["checks"])
        shown = told.replace(str(self.home), "~").replace(self.workspace.url, "https://WORKSPACE")
        found: list[dict[str, str]] = json.loads(shown)
        return found

    def findings(self) -> list[dict[str, str]]:
        """Of that, what is not in order: the worst first, each kind in the order in which people mend things."""
        found = self.examine()
        return [one for status in ("FAIL", "WARN") for one in found if one["status"] == status]

    # -- what a person does ----------------------------------------------------------------------------------------------

    def sign_in(self) -> None:
        fixtures.sign_in(self.cli, self.home, self.workspace, self.config.profile)

    def run(self, command: str) -> None:
        """A command that the doctor names, as the person types it."""
        typed = command.replace("~", str(self.home))
        subprocess.run(["/bin/sh", "-c", typed], check=True, cwd="/", env={**os.environ, "HOME": str(self.home)})

    def install_databricks(self) -> None:
        """Where agents find it, whose PATH is short."""
        self.databricks.symlink_to(self.cli / "databricks")

    def start_files(self, *lines: str) -> None:
        """What the person's ``~/.profile`` says, but for a block of ours."""
        block = re.search(r"# >>>.*# <<<[^\n]*\n", self.profile.read_text() if self.profile.exists() else "", re.DOTALL)
        self.profile.write_text("\n".join((*lines, "")) + (block.group() if block else ""))

    def agent(self, name: str, version: str = "", script: str = REPLY, place: Path | None = None) -> Path:
        """An agent's program as npm or pip leave it, which says one thing."""
        agent, root = AGENTS[name], place or self.path(".local")
        version = version or agent.pinned_version
        program = root / "bin" / agent.command
        program.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(agent.source, Npm):
            package = root / "lib" / "node_modules" / agent.source.package
            package.mkdir(parents=True, exist_ok=True)
            (package / "package.json").write_text(json.dumps({"name": agent.source.package, "version": version}))
            _script(package / "cli.js", script)
            program.unlink(missing_ok=True)
            program.symlink_to(package / "cli.js")
        else:
            information = (
                root / f"lib/python3.13/site-packages/{agent.source.package.replace('-', '_')}-{version}.dist-info"
            )
            information.mkdir(parents=True, exist_ok=True)
            (information / "RECORD").write_text(f"../../../bin/{agent.command},,\n")
            _script(program, script)
        return program

    def forget(self) -> None:
        """No token is at hand."""
        for path in Path(self.config.cache_directory).glob("token-*"):
            path.unlink()

    # -- how it is made --------------------------------------------------------------------------------------------------

    def _credentials(self, identity: str) -> dict[str, Any]:
        if identity == "service_principal":
            return {"client_id": self.workspace.client_id, "client_secret": self.workspace.client_secret}
        if identity == "pat":
            return {"pat": self.workspace.mint(kind="pat")}
        if identity == "workload_identity":
            self.workspace.trust_workload(ISSUER, SUBJECT, AUDIENCE)
            self.path("oidc-token").write_text(self.workspace.oidc_token(ISSUER, SUBJECT, AUDIENCE))
            return {
                "client_id": self.workspace.client_id,
                "oidc_token_file": "~/oidc-token",
                "token_audience": AUDIENCE,
            }
        return {}

    def enter(self, patch: pytest.MonkeyPatch) -> None:
        """No setting of this machine's from here on, and a login shell that reads ``~/.profile``."""
        entry = _USERS(os.geteuid())
        ours = pwd.struct_passwd((*entry[:5], str(self.home), str(self.shell)))
        patch.setattr(pwd, "getpwuid", lambda uid: ours if uid == os.geteuid() else _USERS(uid))
        patch.setattr(person, "START_FILES", tuple(one for one in person.START_FILES if one.startswith("~/")))
        patch.setattr(claude_code_managed, "DIRECTORIES", (str(self.managed),))
        patch.setattr(user_sign_in, "_USUAL_DIRECTORIES", ())
        patch.setattr(codex, "_MACHINE_FILE", str(self.managed / "managed_config.toml"))
        for module in (gemini, opencode):
            patch.setattr(module, "machine_directory", lambda linux, darwin: str(self.managed))
        for name in list(os.environ):
            if name.lower().endswith("_proxy") or name.startswith(("ANTHROPIC", "CLAUDE", "DATABRICKS", "XDG")):
                patch.delenv(name)
        patch.setenv("HOME", str(self.home))
        patch.setenv("PATH", "/usr/bin:/bin")
        # In place of the system's authorities, which are many: each request would read them all.
        patch.setenv("SSL_CERT_FILE", str(self.others))
        patch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")


_USERS = pwd.getpwuid


def _script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path
