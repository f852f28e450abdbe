# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Another program called ``databricks`` comes first on PATH, such as the Python one of old: one that works is found, and named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program import user_sign_in
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts import (
    databricks_oauth_checks,
    databricks_oauth_end,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.examination import Check, Examination

from tests.databricks_cli.fixtures import databricks_cli
from tests.unit.options_for import options_for, owner_of
from tests.unit.signing_in import Home, script
from tests.workspace.client import Workspace

__all__ = ["databricks_cli"]

LEGACY = """\
echo "$*" >>"$0.calls"
[ "$*" = --version ] && echo "Version 0.18.0" && exit
echo "Usage: databricks [OPTIONS] COMMAND [ARGS]..." >&2
echo "Error: No such command 'auth'." >&2
exit 2"""


class Several(Home):
    """A home where an older program comes first on PATH, and a good one stands in ``~/.local/bin``."""

    def __init__(self, directory: Path, workspace: Workspace, cli: Path) -> None:
        super().__init__(directory, workspace, cli)
        self.older = script(directory / "older" / "databricks", LEGACY)
        self.good = self.home / ".local" / "bin" / "databricks"
        self.good.parent.mkdir(parents=True)
        self.good.symlink_to(cli / "databricks")
        self.variables["PATH"] = f"{self.older.parent}:/usr/bin:/bin"

    def calls(self) -> list[str]:
        """How the older one was called."""
        path = Path(f"{self.older}.calls")
        return path.read_text().splitlines() if path.exists() else []

    def examination(self, offline: bool = False) -> Examination:
        options = options_for(workspace_url=self.workspace.url, ca_file=self.config.ca_file)
        return Examination(owner_of(self.home), options, self.config, self.variables, offline)

    def check(self) -> Check:
        return databricks_oauth_checks._databricks_cli(self.examination())


@pytest.fixture
def several(tmp_path: Path, workspace: Workspace, databricks_cli: Path) -> Several:
    return Several(tmp_path / "one", workspace, databricks_cli)


def test_sign_in_and_tokens_come_from_the_one_that_works(several: Several) -> None:
    done = several.login()
    expected = f"signed in as {several.workspace.user_name} to {several.workspace.url}\n"
    assert (done.returncode, done.stdout) == (0, expected), done.stderr
    for _refresh in range(3):
        several.forget_token()
        assert several.run("token").returncode == 0
    assert several.calls() == ["--version"], "asked once what it is, as long as it is the same"
    shown = str(several.good).replace(f"{several.config.home}/", "~/")
    assert f"databricks cli  {shown}\n" in several.run("status").stdout


def test_the_doctor_names_the_one_that_is_used_and_the_one_that_is_not(several: Several) -> None:
    check = several.check()
    assert (check.status, check.fix) == ("PASS", "")
    older = f"{several.older} is 0.18.0, which is too old to sign in"
    assert check.detail.startswith(f"{several.good} (") and check.detail.endswith(f"); passed over: {older}")


def test_in_check_mode_the_doctor_starts_none(several: Several) -> None:
    check = databricks_oauth_checks._databricks_cli(several.examination(offline=True))
    assert check.status == "PASS" and several.calls() == []


def test_where_none_works_each_is_named(several: Several) -> None:
    several.good.unlink()
    script(several.good, "echo 'panic: out of memory' >&2; exit 2")
    older = f"{several.older} is 0.18.0, which is too old to sign in"
    broken = f"{several.good} does not work: panic: out of memory"
    install = "Install the Databricks CLI, 0.205 or newer"
    told = f"coding-agents: {older}; {broken}. {install}, then run: {several.config.front} login\n"
    assert several.run("token").stderr == told
    assert several.login().stderr == told
    check = several.check()
    assert (check.status, check.detail, check.fix) == ("FAIL", f"{older}; {broken}", install)


def test_one_that_is_updated_at_its_place_is_looked_at_again(several: Several) -> None:
    assert several.login().returncode == 0
    several.older.unlink()
    several.older.symlink_to(several.cli / "databricks")
    several.good.unlink()
    several.forget_token()
    assert several.run("token").returncode == 0
    several.older.unlink()
    script(several.older, LEGACY)
    several.forget_token()
    assert f"{several.older} is 0.18.0, which is too old" in several.run("token").stderr


def test_signing_out_uses_the_one_that_works(several: Several) -> None:
    assert several.login().returncode == 0
    assert databricks_oauth_end.log_out(several.config, several.variables) is None
    several.forget_token()
    assert several.run("token").returncode == 2


def test_one_program_by_two_names_is_one(several: Several) -> None:
    (several.directory / "link").symlink_to(several.older.parent)
    path = os.pathsep.join([str(several.directory / "link"), str(several.older.parent)])
    found = user_sign_in.clis(str(several.home), {"PATH": path})
    assert found[:2] == [f"{several.directory}/link/databricks", str(several.good)]
