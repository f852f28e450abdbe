# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A person signs in on a desktop with a keyring, then works over ssh: the way out that is named leads there, for agents too."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils import rollout
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program import user_sign_in
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts import databricks_oauth, databricks_oauth_end
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.examination import Examination
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import How

from tests.databricks_cli import install
from tests.databricks_cli.fixtures import databricks_cli, needs_the_stand_in
from tests.unit.options_for import options_for, owner_of
from tests.unit.signing_in import Home
from tests.workspace.client import Workspace

__all__ = ["databricks_cli"]

AWAY = "the OS keyring, where sign-ins are kept, cannot be reached from this login"


class Desk(Home):
    """A home with a desktop, whose keyring the Databricks CLI reaches; ``run`` and ``login`` are calls over ssh, where it does not."""

    def at_the_desk(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        desktop = self.directory / "desktop"
        if not desktop.exists():
            install(desktop, knobs=f"keyring={self.directory / 'keyring'}")
        return self.run(*arguments, PATH=f"{desktop}:/usr/bin:/bin", **variables)

    def forget_cached(self) -> None:
        """Let the token at hand come to its end."""
        for path in Path(self.config.cache_directory).glob("token-*"):
            path.unlink()

    def type(self, command: str) -> subprocess.CompletedProcess[str]:
        """What a message names, as a person types it in their shell."""
        words = shlex.split(command)
        assert words[0] == self.config.front
        return self.run(*words[1:])

    @property
    def keyring(self) -> dict[str, object]:
        path = self.directory / "keyring"
        return dict(json.loads(path.read_text())["tokens"]) if path.exists() else {}


@pytest.fixture
def desk(tmp_path: Path, workspace: Workspace, databricks_cli: Path) -> Desk:
    """Signed in at the desk, where the Databricks CLI has pinned the keyring; no token is at hand."""
    needs_the_stand_in()  # whose keyring a test may have
    made = Desk(tmp_path / "one", workspace, databricks_cli)
    done = made.at_the_desk("login")
    assert done.returncode == 0, done.stderr
    assert "fmapi" in made.keyring
    assert "auth_storage    = secure" in (made.home / ".databrickscfg").read_text()
    made.forget_cached()
    return made


def test_over_ssh_the_way_out_that_is_named_gives_agents_their_tokens(desk: Desk) -> None:
    told = desk.run("token")
    way_out = f"{desk.config.front} login --store file"
    assert told.returncode == 2
    assert told.stderr == f"coding-agents: {AWAY}. Unlock it, or to keep the sign-in in a file run: {way_out}\n"

    done = desk.type(told.stderr.partition("run: ")[2])
    expected = f"signed in as {desk.workspace.user_name} to {desk.workspace.url}\n"
    assert (done.returncode, done.stdout) == (0, expected), done.stderr
    for ask in (desk.run, desk.at_the_desk):
        desk.forget_cached()
        assert ask("token").returncode == 0
    assert json.loads(desk.run("status", "--json").stdout)["sign_in_kept_in"] == "file"


def test_over_ssh_a_mere_login_names_the_same_way_out(desk: Desk) -> None:
    done = desk.run("login")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith(f"to keep it in a file run: {desk.config.front} login --store file\n")
    assert len(desk.opened()) == 1, "nobody was sent to a browser for nothing"


def test_what_a_sign_in_used_is_used_by_the_next_one_too(desk: Desk) -> None:
    assert desk.run("login", "--store", "file").returncode == 0
    desk.forget_token()
    desk.workspace.control(revoke_sign_ins=True, expire_tokens=True)
    assert desk.run("token").returncode == 2
    assert desk.run("login").returncode == 0
    desk.forget_cached()
    assert desk.run("token").returncode == 0


def test_a_choice_that_only_this_shell_exports_is_remembered_for_agents(desk: Desk) -> None:
    """Else ``login`` would say "signed in" where agents get nothing."""
    done = desk.run("login", DATABRICKS_AUTH_STORAGE="plaintext")
    assert done.returncode == 0, done.stderr
    desk.forget_cached()
    assert desk.run("token").returncode == 0


def test_who_is_signed_in_already_with_an_exported_choice_is_asked_nothing(
    tmp_path: Path, workspace: Workspace, databricks_cli: Path
) -> None:
    home = Home(tmp_path / "one", workspace, databricks_cli)
    assert home.login().returncode == 0
    again = home.login(DATABRICKS_AUTH_STORAGE="plaintext")
    assert (again.returncode, again.stdout.partition(" as ")[0], len(home.opened())) == (0, "already signed in", 1)
    assert user_sign_in.storage(home.config) == "plaintext"


def test_a_sign_in_that_comes_to_nothing_changes_nothing(desk: Desk) -> None:
    desk.workspace.control(deny_sign_in=True)
    assert desk.run("login", "--store", "file").returncode == 2
    assert not os.path.exists(desk.config.storage_note)
    assert desk.at_the_desk("token").returncode == 0


def test_the_way_back_to_the_keyring(desk: Desk) -> None:
    assert desk.run("login", "--store", "file").returncode == 0
    done = desk.at_the_desk("login", "--store", "keyring")
    assert done.returncode == 0, done.stderr
    desk.forget_cached()
    assert desk.run("token").stderr.startswith(f"coding-agents: {AWAY}. ")
    assert desk.at_the_desk("token").returncode == 0
    assert json.loads(desk.run("status", "--json").stdout)["sign_in_kept_in"] == "keyring"


def test_a_sign_in_of_which_no_token_comes_is_no_success(
    tmp_path: Path, workspace: Workspace, databricks_cli: Path
) -> None:
    """A program that says it has signed in, and has not."""
    home = Home(tmp_path / "one", workspace, databricks_cli)
    program = tmp_path / "cli" / "databricks"
    program.parent.mkdir()
    said = "Error: cache: databricks OAuth is not configured for this host. no cached credentials; run 'x' to sign in"
    program.write_text(
        "#!/bin/sh\ncase $* in --version) echo Databricks CLI v1.13.0 ;; *login*) exit 0 ;;\n"
        f'*) echo "{said}" >&2; exit 1 ;; esac\n'
    )
    program.chmod(0o755)
    done = home.login(PATH=f"{program.parent}:/usr/bin:/bin")
    assert (done.returncode, done.stdout) == (2, "")
    told = f"not signed in to Databricks. Run: {home.config.front} login"
    assert done.stderr == f"coding-agents: the sign-in worked, but gives no token: {told}\n"


def test_a_note_that_cannot_be_written_is_told_before_anybody_signs_in(desk: Desk) -> None:
    os.mkdir(desk.config.storage_note)
    done = desk.run("login", "--store", "file")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{desk.config.storage_note} cannot be written (" in done.stderr
    assert len(desk.opened()) == 1


# -- what an operator is told, and the way back -----------------------------------------------------------------------


def test_rollout_and_doctor_name_the_way_out_that_works(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PATH", "DBUS_SESSION_BUS_ADDRESS"):
        monkeypatch.setenv(name, desk.variables[name])
    way_out = f"{desk.config.front} login --store file"
    session = databricks_oauth._session_of(desk.config, asking=True)
    assert session["command"] == way_out and session["detail"].startswith(AWAY)
    program = desk.home / ".local" / "bin" / "databricks"  # the doctor asks the helper with a short PATH
    program.parent.mkdir(parents=True)
    program.symlink_to(desk.cli / "databricks")
    options = options_for(workspace_url=desk.workspace.url, ca_file=desk.config.ca_file)
    examination = Examination(owner_of(desk.home), options, desk.config, dict(os.environ))
    checks = {one.check: one for one in databricks_oauth.DatabricksOauth().checks(examination)}
    assert checks["token helper"].fix == f"Run: {way_out}"
    (listed,) = rollout.sign_ins(owner_of(desk.home), options, How())["sign_ins"]
    assert (listed["state"], listed["login"]) == ("sign_in_needed", way_out)


def test_uninstall_forgets_which_store_it_was(desk: Desk) -> None:
    assert desk.run("login", "--store", "file").returncode == 0
    assert os.path.exists(desk.config.storage_note)
    databricks_oauth.DatabricksOauth().before_withdrawal(owner_of(desk.home), {}, check=True)
    assert os.path.exists(desk.config.storage_note)
    databricks_oauth.DatabricksOauth().before_withdrawal(owner_of(desk.home), {}, check=False)
    assert not os.path.exists(desk.config.storage_note)


def test_signing_out_ends_the_sign_in_where_it_is(desk: Desk) -> None:
    assert desk.run("login", "--store", "file").returncode == 0
    assert databricks_oauth_end.log_out(desk.config, {**desk.variables, "PATH": f"{desk.cli}:/usr/bin:/bin"}) is None
    tokens = json.loads((desk.home / ".databricks" / "token-cache.json").read_text())["tokens"]
    assert "fmapi" not in tokens and "fmapi" in desk.keyring
