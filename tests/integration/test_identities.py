# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Identities as operators roll them out, and change their minds about: a workload, a personal access token, and back to a person."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest

from tests import homes
from tests.control_node import ControlNode, Operator
from tests.databricks_cli.fixtures import place, sign_in
from tests.hosts.tree import differences, manifest
from tests.written_reports import REPORT, checks

PROFILE = "fmapi-coding-agents"
ISSUER, SUBJECT, AUDIENCE = "https://idp.example.com", "repo:example/agents:ref:main", "databricks"
VARIABLE = "CI_OIDC_TOKEN"
USER = "fmapi-workload"
NOBODY: dict[str, Any] = {"client_id": None, "client_secret": None}


def _profiles(home: Path) -> dict[str, dict[str, str]]:
    parsed = ConfigParser(default_section="none", interpolation=None)
    parsed.read_string((home / ".databrickscfg").read_bytes().decode())
    return {name: dict(parsed[name]) for name in parsed.sections()}


def _helper(home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    program = home / ".local" / "share" / "fmapi-coding-agents" / "token-helper"
    kept = {"PATH": "/usr/bin:/bin", **environment}
    return subprocess.run([str(program)], env=kept, capture_output=True, text=True, check=False)


def _tokens(home: Path) -> list[Path]:
    return sorted((home / ".cache" / "fmapi-coding-agents").glob("token-????????????????"))


def _workload(operator: Operator, path: Path, subject: str = SUBJECT) -> str:
    """Trust a workload, and put a token of it (or of another) where the host has it."""
    operator.workspace.trust_workload(ISSUER, SUBJECT, AUDIENCE)
    token = operator.workspace.oidc_token(ISSUER, subject, AUDIENCE)
    path.write_text(token)
    return token


def test_every_identity_after_the_other_and_the_way_back(operator: Operator, tmp_path: Path) -> None:
    """user, service_principal, workload_identity, pat of ours, pat of the person's own, user: no secret of the one before stays.

    In between the Databricks CLI rewrites the file, as it does when the person signs in with another profile.
    """
    home, workspace = homes.lived_in(tmp_path / "home"), operator.workspace
    programs = home / ".local" / "bin"
    programs.mkdir(parents=True)
    place(programs)
    with (home / ".databrickscfg").open("a") as file:
        file.write(f"\n[another]\nhost = {workspace.url}\n")
    sign_in(programs, home, workspace, "another")
    before = manifest(str(home))
    oidc = tmp_path / "oidc"
    workload = {"identity": "workload_identity", "client_secret": None}

    def rolled_out(**own: Any) -> dict[str, str]:
        """Roll out twice, the second time without effect; the profile that came of it."""
        assert operator.rollout(home, **own).ok().changed() >= 1
        if own["identity"] != "user":
            assert _helper(home).returncode == 0
            assert len(_tokens(home)) == 1, "no other identity's token is kept"
        sign_in(programs, home, workspace, "another")
        assert operator.rollout(home, **own).ok().changed() == 0, "also when the CLI has rewritten the file"
        return _profiles(home).get(PROFILE, {})

    assert rolled_out(identity="user", **NOBODY) == {"host": workspace.url}
    assert rolled_out(identity="service_principal") == {
        "host": workspace.url,
        "client_id": workspace.client_id,
        "client_secret": workspace.client_secret,
        "auth_type": "oauth-m2m",
    }
    given = _workload(operator, oidc)
    assert rolled_out(oidc_token_file=str(oidc), token_audience=AUDIENCE, **workload) == {
        "host": workspace.url,
        "client_id": workspace.client_id,
        "oidc_token_filepath": str(oidc),
        "token_audience": AUDIENCE,
        "auth_type": "file-oidc",
    }
    assert rolled_out(oidc_token_command=["/bin/cat", str(oidc)], **workload) == {"host": workspace.url}
    pat = workspace.mint("user", kind="pat")
    assert rolled_out(identity="pat", pat=pat, **NOBODY) == {"host": workspace.url, "token": pat, "auth_type": "pat"}
    own = workspace.mint("user", kind="pat")
    text = (home / ".databrickscfg").read_text()
    (home / ".databrickscfg").write_text(f"{text}\n[own]\nhost = {workspace.url}\ntoken = {own}\n")
    assert rolled_out(identity="pat", profile="own", **NOBODY) == {}, "ours is gone"
    assert _profiles(home)["own"] == {"host": workspace.url, "token": own}
    assert _helper(home).stdout == f"{own}\n"
    assert rolled_out(identity="user", **NOBODY) == {"host": workspace.url}
    assert _tokens(home) == []
    left = [path for path in home.rglob("*") if path.is_file() and not path.is_symlink()]
    for secret in (workspace.client_secret, given, pat):
        assert [path for path in left if secret in path.read_text("latin-1")] == []

    operator.uninstall(home).ok()
    assert _profiles(home)["own"] == {"host": workspace.url, "token": own}
    the_cli_s = (".databrickscfg", ".databricks", ".local/bin/browser")
    assert [
        line for line in differences(before, manifest(str(home))) if not any(path in line for path in the_cli_s)
    ] == []
    assert not (home / ".cache" / "fmapi-coding-agents").exists()


def test_each_identity_leaves_the_home_as_it_was(operator: Operator, control: ControlNode, tmp_path: Path) -> None:
    """Without anybody else's writes in between, to the byte; and the dry run showed every line and no secret."""
    oidc, workspace = tmp_path / "oidc", operator.workspace
    secrets = [_workload(operator, oidc), workspace.mint("user", kind="pat")]
    workload = {"identity": "workload_identity", "client_secret": None}
    wanted: dict[str, tuple[dict[str, Any], str]] = {
        "file": ({**workload, "oidc_token_file": str(oidc)}, f"oidc_token_filepath = {oidc}\nauth_type = file-oidc"),
        "env": ({**workload, "oidc_token_env": VARIABLE}, f"oidc_token_env = {VARIABLE}\nauth_type = env-oidc"),
        "command": ({**workload, "oidc_token_command": ["/bin/cat", str(oidc)]}, f"host = {workspace.url}"),
        "pat": ({"identity": "pat", "pat": secrets[1], **NOBODY}, "token = ********\nauth_type = pat"),
    }
    places = {name: homes.lived_in(tmp_path / name) for name in wanted}
    before = {name: manifest(str(home)) for name, home in places.items()}
    hosts = {name: operator.variables(home, **wanted[name][0]) for name, home in places.items()}

    dry = control.run("rollout", hosts, "--check", "--diff", "-v", watch=secrets).ok()
    for name, home in places.items():
        assert differences(before[name], manifest(str(home)), times=True) == []
        added = re.findall(r"^\+(.*?)(?:\^M)?$", dry.shown(name)["~/.databrickscfg"], re.MULTILINE)
        assert wanted[name][1] in "\n".join(added)
    assert not any(secret in dry.output + json.dumps(dry.events) for secret in secrets)
    control.run("rollout", hosts, watch=secrets).ok()
    control.run("uninstall", {name: {"coding_agents_home": str(home)} for name, home in places.items()}).ok()
    for name, home in places.items():
        assert differences(before[name], manifest(str(home))) == []


def test_what_the_workspace_refuses_is_not_written(operator: Operator, control: ControlNode, tmp_path: Path) -> None:
    """The exchange and the personal access token are tried first, on the host, in memory; the preflight is off here."""
    oidc = tmp_path / "oidc"
    _workload(operator, oidc, subject="somebody-else")
    wanted: dict[str, tuple[dict[str, Any], str]] = {
        "workload": (
            {"identity": "workload_identity", "client_secret": None, "oidc_token_file": str(oidc)},
            "a federation policy for issuer https://idp.example.com, subject somebody-else",
        ),
        "pat": ({"identity": "pat", "pat": "dapi" + 32 * "0", **NOBODY}, "refuses the personal access token"),
    }
    _nothing_is_written(operator, control, tmp_path, wanted, preflight=False)


def _nothing_is_written(
    operator: Operator,
    control: ControlNode,
    directory: Path,
    wanted: dict[str, tuple[dict[str, Any], str]],
    **own: Any,
) -> None:
    """Each of these hosts fails with its message, and is as it was."""
    places = {name: homes.lived_in(directory / name) for name in wanted}
    before = {name: manifest(str(home)) for name, home in places.items()}
    hosts = {name: operator.variables(home, **own, **wanted[name][0]) for name, home in places.items()}
    play = control.run("rollout", hosts)
    for name, (_own, message) in wanted.items():
        assert message in play.message(name), play.output
        assert differences(before[name], manifest(str(places[name])), times=True) == []
    assert "Traceback" not in play.output


def test_a_source_that_only_agents_have_is_no_error(operator: Operator, tmp_path: Path) -> None:
    """The variable is set where agents are started; whoever rolls out or runs the doctor does not have it."""
    home = homes.bare(tmp_path / "home")
    own: dict[str, Any] = {"identity": "workload_identity", "client_secret": None, "oidc_token_env": VARIABLE}
    play = operator.rollout(home, **own).ok()
    (session,) = (one["session"] for one in play.results("coding_agents"))
    said = f"the environment variable {VARIABLE} is not set in this process"
    assert session["state"] == "unknown" and session["detail"].startswith(said)
    assert f"Warning: {said}" in play.told
    doctor = operator.doctor(home, **own).ok()
    (check,) = (one for one in doctor.results("agent_doctor")[0]["checks"] if one["check"] == "token helper")
    assert (check["status"], check["detail"]) == (
        "SKIP",
        f"{VARIABLE} is not set for this login, as it is for the agents'",
    )

    token = _workload(operator, tmp_path / "oidc")
    assert _helper(home, **{VARIABLE: token}).returncode == 0
    home.joinpath(".cache").rename(tmp_path / "cache")
    with_it = operator.control.run(
        "doctor", {"host": operator.variables(home, **own)}, environment={VARIABLE: token}
    ).ok()
    (check,) = (one for one in with_it.results("agent_doctor")[0]["checks"] if one["check"] == "token helper")
    assert check["status"] == "PASS"


@pytest.mark.matrix
def test_a_personal_access_token_stays_in_its_place_and_the_doctor_warns(
    operator: Operator, control: ControlNode, tmp_path: Path
) -> None:
    home = homes.bare(tmp_path / "home")
    pat = operator.workspace.mint("user", kind="pat")
    own = {"identity": "pat", "pat": pat, **NOBODY}
    hosts = {"host": operator.variables(home, **own)}
    rollout = control.run("rollout", hosts, "-vvv", "--diff", watch=[pat]).ok()
    assert f"asked as {operator.workspace.user_name}" in rollout.told, "the preflight asks with it"
    doctor = control.run("doctor", hosts, "-vvv", watch=[pat]).ok()
    (check,) = (one for one in doctor.results("agent_doctor")[0]["checks"] if one["check"] == "personal access token")
    assert check["status"] == "WARN" and check["fix"].startswith("Prefer coding_agents_identity user")
    for play in (rollout, doctor):
        assert pat not in play.output + json.dumps(play.events)
    holders = {
        str(path.relative_to(home)) for path in home.rglob("*") if path.is_file() and pat in path.read_text("latin-1")
    }
    assert holders == {".databrickscfg", str(_tokens(home)[0].relative_to(home))}
    assert all((home / name).stat().st_mode & 0o077 == 0 for name in holders)

    operator.workspace.control(revoke_tokens=True)
    _tokens(home)[0].with_name(_tokens(home)[0].name + ".served").unlink(missing_ok=True)
    revoked = operator.doctor(home, preflight=False, report=REPORT, **own)
    (check,) = (one for one in checks(revoked) if one["check"] == "identity")
    assert revoked.status != 0 and "refuses the token (HTTP 401)" in check["detail"]
    again = operator.doctor(home, preflight=False, report=REPORT, **own)
    (check,) = (one for one in checks(again) if one["check"] == "token helper")
    assert "refuses the personal access token" in check["detail"] and "coding_agents_pat" in check["fix"]


def test_what_cannot_be_meant_is_refused(operator: Operator, control: ControlNode, tmp_path: Path) -> None:
    workload = {"identity": "workload_identity", **NOBODY}
    command = "coding_agents_oidc_token_command"
    wanted: dict[str, tuple[dict[str, Any], str]] = {
        "none": (workload, "exactly one of"),
        "two": ({**workload, "oidc_token_file": "/a", "oidc_token_env": "B"}, "exactly one of"),
        "file": ({**workload, "oidc_token_file": "a/b"}, "coding_agents_oidc_token_file a/b is no absolute path"),
        "command": ({**workload, "oidc_token_command": ["cat", "/a"]}, f"{command} cat is no absolute path"),
        "env": (
            {**workload, "oidc_token_env": "A=b"},
            "coding_agents_oidc_token_env is 'A=b', which is no name of a variable",
        ),
        "client": ({**workload, "oidc_token_file": "/a", "client_id": "a b"}, "coding_agents_client_id holds a char"),
        "own": ({"identity": "pat", **NOBODY}, "holds no personal access token"),
        "pat": ({"identity": "pat", "pat": "dapi 0", "preflight": False, **NOBODY}, "coding_agents_pat holds a char"),
    }
    _nothing_is_written(operator, control, tmp_path, wanted)


@pytest.fixture
def user() -> Iterator[Path]:
    """The home of a user of this test's own, in a directory that everybody may enter."""
    if os.geteuid() != 0 or shutil.which("useradd") is None:
        pytest.skip("only root makes users")
    folder = Path(tempfile.mkdtemp(dir="/var/tmp"))
    folder.chmod(0o755)
    home = homes.bare(folder / USER)
    options = ["--system", "--no-create-home", "--user-group", "--home-dir", str(home)]
    subprocess.run(["useradd", *options, USER], check=True, capture_output=True)
    yield home
    subprocess.run(["userdel", USER], check=True, capture_output=True)
    shutil.rmtree(folder)


def test_the_file_is_in_the_home_of_each_user(operator: Operator, control: ControlNode, user: Path) -> None:
    """``~/`` is the owner's home, whoever Ansible works as; and what each user's work needs is there for users, too."""
    _workload(operator, user / "oidc")
    (user.parent / "ca.pem").write_bytes(Path(operator.workspace.ca_file).read_bytes())
    subprocess.run(["chown", "-R", f"{USER}:{USER}", str(user)], check=True)
    for own in (
        {"identity": "workload_identity", "oidc_token_file": "~/oidc"},
        {"identity": "pat", "pat": operator.workspace.mint("user", kind="pat")},
    ):
        values = {"ca_file": str(user.parent / "ca.pem"), "home": None, "users": [USER], "client_secret": None, **own}
        play = control.run(
            "rollout", {"host": operator.variables(Path("/"), **values)}, "--tags", "databricks_oauth"
        ).ok()
        assert play.results("coding_agents")[0]["session"]["state"] == "active"
        assert all(path.stat().st_uid == user.stat().st_uid for path in user.rglob("*"))
        if "oidc_token_file" in own:
            assert _profiles(user)[PROFILE]["oidc_token_filepath"] == str(user / "oidc")
