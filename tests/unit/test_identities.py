# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Identities without a person: tokens from a workload's OIDC token or a personal access token, and each way to get none."""

from __future__ import annotations

import contextlib
import inspect
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils import rollout
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program import (
    oidc_source,
    session,
    token_exchange,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program import workspace as asking
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.config import Config
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.token import Token, TokenError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.context import config_of
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import How
from databricks.sdk import WorkspaceClient
from databricks.sdk.oidc import DatabricksOidcTokenSource, FileIdTokenSource

from tests.hosts.tree import differences, manifest
from tests.unit.homes import as_nobody
from tests.unit.options_for import options_for, owner_of
from tests.workspace.client import Workspace

ISSUER, SUBJECT, AUDIENCE = "https://idp.example.com", "system:serviceaccount:agents:claude", "databricks"
VARIABLE = "CI_OIDC_TOKEN"
TOKENS = "/oidc/v1/token"
HINTS = {
    "file": "Check coding_agents_oidc_token_file, and what writes that file",
    "env": "Start the agent where it is set, or use coding_agents_oidc_token_file",
    "command": "Run it in a terminal to see why, or correct coding_agents_oidc_token_command",
}


@dataclass(frozen=True)
class Host:
    """A home, set up in this process as a module does it."""

    home: Path
    workspace: Workspace
    options: dict[str, Any]

    @property
    def config(self) -> Config:
        return config_of(owner_of(self.home), self.options)

    def establish(self, **changes: Any) -> tuple[Host, dict[str, Any]]:
        """The same host with changed options, rolled out to, and its session."""
        ready = Host(self.home, self.workspace, {**self.options, **changes})
        return ready, rollout.apply(owner_of(self.home), ready.options, How())["session"]

    def run(self, *, front: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        command = [self.config.front, front] if front else [self.config.helper]
        kept = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **environment}
        return subprocess.run(command, env=kept, capture_output=True, text=True, check=False, cwd="/")

    def fails(self, status: int, message: str, **environment: str) -> None:
        """The helper fails with this line on stderr and nothing on stdout."""
        done = self.run(**environment)
        assert (done.returncode, done.stdout, done.stderr) == (status, "", f"coding-agents: {message}\n")

    def forget(self) -> None:
        for path in Path(self.config.cache_directory).iterdir():
            path.unlink()

    def later(self) -> None:
        """Let so much time pass that a call is not taken for one after a refused token."""
        Path(self.config.cache_file + ".served").unlink()


@pytest.fixture
def host(tmp_path: Path, workspace: Workspace) -> Host:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    options = options_for(
        parts=["databricks_oauth"],
        workspace_url=workspace.url,
        ca_file=workspace.ca_file,
        identity="workload_identity",
        client_id=workspace.client_id,
        oidc_token_file=str(tmp_path / "oidc"),
    )
    return Host(home, workspace, options)


@pytest.fixture
def oidc_token(workspace: Workspace) -> Callable[..., str]:
    """The token of the workload that the workspace trusts, or with changes one that it does not."""
    workspace.trust_workload(ISSUER, SUBJECT, AUDIENCE)

    def token(issuer: str = ISSUER, subject: str = SUBJECT, audience: str = AUDIENCE, lifetime: float = 3600) -> str:
        return workspace.oidc_token(issuer, subject, audience, lifetime)

    return token


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return str(path)


def source(kind: str, where: Path, token: str) -> tuple[dict[str, Any], dict[str, str]]:
    """A source with this token: changes of the configuration, and of the environment of who asks."""
    (where / "oidc").write_text(token + "\n")
    if kind == "file":
        return {}, {}
    if kind == "env":
        return {"oidc_token_file": None, "oidc_token_env": VARIABLE}, {VARIABLE: token}
    command = script(where / "give it", f'test -z "$DATABRICKS_HOST" && test "$2" = "a b" && cat "{where}/oidc"')
    return {"oidc_token_file": None, "oidc_token_command": [command, "--x", "a b"]}, {}


# -- workload_identity ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", HINTS)
def test_a_workload_s_token_is_exchanged_once_and_kept(
    host: Host, oidc_token: Callable[..., str], tmp_path: Path, kind: str
) -> None:
    given = oidc_token()
    changes, environment = source(kind, tmp_path, given)
    ready, found = host.establish(**changes)
    assert (found["state"], found["user"]) == ("unknown" if kind == "env" else "active", host.workspace.client_id)
    ready.forget()
    host.workspace.clear()
    first = ready.run(**environment, DATABRICKS_HOST="https://elsewhere.example.com")
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.count("\n") == 1 and given not in first.stdout
    assert ready.run().stdout == first.stdout, "kept, so the source is not needed"
    asked = host.workspace.requests(TOKENS)
    assert [(one["grant"], one["status"]) for one in asked] == [
        ("urn:ietf:params:oauth:grant-type:token-exchange", 200)
    ]
    assert asking.ask(
        host.config.workspace_url, session.WHO_AM_I, f"Bearer {first.stdout.strip()}", host.config.ca_file
    )
    assert host.workspace.requests(session.WHO_AM_I)[-1]["identity"] == "service_principal"
    holders = [
        path for path in Path(host.config.home).rglob("*") if path.is_file() and given in path.read_text("latin-1")
    ]
    assert holders == [], "we write the OIDC token nowhere"


def test_without_a_client_id_the_account_s_policy_says_who_it_is(host: Host, tmp_path: Path) -> None:
    host.workspace.trust_workload(ISSUER, "", AUDIENCE, account_wide=True)
    source("file", tmp_path, host.workspace.oidc_token(ISSUER, host.workspace.user_name, AUDIENCE))
    ready, found = host.establish(client_id=None)
    assert found["state"] == "active"
    assert session.is_refused(ready.config, Token(ready.run().stdout.strip(), 0)) is False
    assert host.workspace.requests(session.WHO_AM_I)[-1]["identity"] == "user"


@pytest.mark.parametrize("client_id", ["an-id", None])
def test_the_exchange_is_the_one_of_databricks_sdk(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client_id: str | None
) -> None:
    """The same fields to the same place, as the real SDK sends them."""
    sent: list[tuple[str, dict[str, str]]] = []

    def post(url: str, fields: dict[str, str], **_more: object) -> None:
        sent.append((url, dict(fields)))
        raise InterruptedError

    def ask(url: str, path: str, authorization: object, _ca: object, form: dict[str, str], *_more: object) -> None:
        assert authorization is None
        sent.append((url + path, form))
        raise InterruptedError

    monkeypatch.setattr("databricks.sdk.oauth.requests.post", post)
    monkeypatch.setattr(asking, "ask", ask)
    (tmp_path / "oidc").write_text("a.b.c")
    endpoint = f"{host.config.workspace_url}{TOKENS}"
    known = inspect.signature(DatabricksOidcTokenSource).parameters  # older ones ask for all APIs anyway
    scopes: dict[str, Any] = {"scopes": "all-apis"} if "scopes" in known else {}
    source = FileIdTokenSource(str(tmp_path / "oidc"))
    theirs = DatabricksOidcTokenSource(host.config.workspace_url, endpoint, source, client_id, **scopes)
    with contextlib.suppress(InterruptedError):
        theirs.token()
    with contextlib.suppress(InterruptedError):
        token_exchange.request_token(host.config._replace(client_id=client_id), "a.b.c")
    assert len(sent) == 2 and sent[0] == sent[1]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "does not exist"),
        ("", "holds nothing"),
        (" \n\n", "holds nothing"),
        ("a.b.c\nd.e.f\n", "holds 2 lines where one must stand"),
        ("not a token", "holds something that is no token"),
        ("é", "holds something that is no token"),
        ("directory", "cannot be read (is no regular file)"),
        ("pipe", "cannot be read (is no regular file)"),
    ],
)
def test_a_file_without_a_token(host: Host, tmp_path: Path, content: str | None, said: str) -> None:
    ready, found = host.establish()
    path = tmp_path / "oidc"
    if content == "directory":
        path.mkdir()
    elif content == "pipe":
        os.mkfifo(path)
    elif content is not None:
        path.write_text(content, encoding="utf-8")
    message = f"the OIDC token file {path} {said}. {HINTS['file']}"
    ready.fails(1, message)
    assert (found["state"], found["expires_at"]) == ("absent", None)
    assert session.look(ready.config, {})["detail"] == message
    assert host.workspace.requests() == []


def test_a_file_that_the_owner_may_not_read(host: Host, tmp_path: Path) -> None:
    path, config = tmp_path / "oidc", host.config
    path.write_text("a.b.c")
    path.chmod(0o000)
    for directory in (tmp_path, *list(tmp_path.parents)[:2]):
        directory.chmod(0o755)
    told = f"TokenError: the OIDC token file {path} cannot be read (Permission denied). {HINTS['file']}"
    assert as_nobody(lambda: oidc_source.read(config, {})) == told


def test_a_variable_without_a_token(host: Host) -> None:
    """Usual at rollout, so it is no error there; the helper says what to do."""
    ready, found = host.establish(oidc_token_file=None, oidc_token_env=VARIABLE)
    missing = f"the environment variable {VARIABLE} is not set in this process. {HINTS['env']}"
    assert (found["state"], found["detail"]) == ("unknown", missing)
    ready.fails(1, missing)
    ready.fails(1, f"the environment variable {VARIABLE} holds nothing. {HINTS['env']}", **{VARIABLE: ""})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be started (No such file or directory)"),
        ("exit 3", "failed with exit status 3"),
        ("echo a.b.c; exit 1", "failed with exit status 1"),
        ("exit 0", "printed nothing"),
        ("echo a.b.c; echo d.e.f", "printed 2 lines where one must stand"),
        ("echo 'no token'", "printed something that is no token"),
    ],
)
def test_a_command_without_a_token(host: Host, tmp_path: Path, text: str | None, said: str) -> None:
    path = str(tmp_path / "give")
    if text is not None:
        script(Path(path), text + "; echo secret-on-stderr >&2" if "exit" not in text else text)
    ready, found = host.establish(oidc_token_file=None, oidc_token_command=[path])
    message = f"the OIDC token command {path} {said}. {HINTS['command']}"
    assert found["detail"] == message
    ready.fails(1, message)


def test_a_command_that_hangs_is_ended_with_all_it_started(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc_source, "COMMAND_SECONDS", 1.0)
    path = script(tmp_path / "give", f"sleep 1000 & echo $! >{tmp_path}/child; wait")
    with pytest.raises(TokenError) as error:
        oidc_source.read(host.config._replace(oidc_token_file=None, oidc_token_command=[path]), {})
    assert str(error.value) == f"the OIDC token command {path} did not end within 1 s. {HINTS['command']}"
    child = Path("/proc", (tmp_path / "child").read_text().strip(), "stat")
    limit = time.monotonic() + 30
    while child.exists() and child.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < limit, "it runs on"
        time.sleep(0.05)


@pytest.mark.parametrize("wrong", [{"issuer": "https://i.example.com"}, {"subject": "other"}, {"audience": "other"}])
def test_a_token_that_no_policy_fits(
    host: Host, oidc_token: Callable[..., str], tmp_path: Path, wrong: dict[str, str]
) -> None:
    """The message holds what an account admin needs, and nothing is written."""
    source("file", tmp_path, oidc_token(**wrong))
    before = manifest(host.config.home)
    named = {"issuer": ISSUER, "subject": SUBJECT, "audience": AUDIENCE, **wrong}
    with pytest.raises(TokenError) as error:
        host.establish()
    assert str(error.value) == (
        f"{host.config.workspace_url} refused to exchange the OIDC token of the OIDC token file {tmp_path}/oidc "
        f"(HTTP 400, invalid_grant). Give service principal {host.workspace.client_id} a federation policy for "
        f"issuer {named['issuer']}, subject {named['subject']}, audience {named['audience']}, "
        "or correct coding_agents_client_id"
    )
    assert error.value.exit_status == 1
    assert differences(before, manifest(host.config.home), times=True) == []


def test_other_refusals_of_the_exchange(host: Host, oidc_token: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "oidc"
    refused = f"{host.config.workspace_url} refused to exchange the OIDC token of the OIDC token file {path} "
    source("file", tmp_path, oidc_token())
    ready, _found = host.establish()

    def fails(token: str, message: str, **changes: Any) -> None:
        path.write_text(token)
        with pytest.raises(TokenError) as error:
            session.request(ready.config._replace(**changes), {})
        assert (str(error.value), error.value.exit_status) == (message, 1)
        assert token not in message

    named = f"issuer {ISSUER}, subject {SUBJECT}, audience {AUDIENCE}, or correct coding_agents_client_id"
    expired = f"the OIDC token has expired that the OIDC token file {path} holds. {HINTS['file']}"
    fails(oidc_token(lifetime=-1), expired)
    good = oidc_token()
    policy = f"(HTTP 400, invalid_grant). Give service principal another a federation policy for {named}"
    fails(good, refused + policy, client_id="another")
    fails(good, refused + policy.replace("service principal another", "the account"), client_id=None)
    unsigned = f"{good.rpartition('.')[0]}.c2lnbmVk"
    policy = f"(HTTP 400, invalid_request). Give service principal {host.workspace.client_id} a federation policy for "
    fails(unsigned, refused + policy + named)
    nothing = "issuer -, subject -, audience -, or correct coding_agents_client_id"
    fails("opaque", refused + policy + nothing)
    answered = f"{host.config.workspace_url} answered the token exchange with HTTP"
    host.workspace.control(fail_next={"path_prefix": TOKENS, "status": 429, "retry_after": 7})
    fails(good, f"{answered} 429, retry after 7 s")
    host.workspace.control(fail_next={"path_prefix": TOKENS, "status": 503})
    fails(good, f"{answered} 503")
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as free:
        url = f"https://127.0.0.1:{free.getsockname()[1]}"
    message = f"{url} cannot be reached (Connection refused). Check network, proxy and VPN"
    fails(good, message, workspace_url=url)


# -- pat --------------------------------------------------------------------------------------------------------------


def test_a_personal_access_token_is_handed_out_and_replaced_when_it_was_revoked(host: Host) -> None:
    value = host.workspace.mint("user", kind="pat")
    ready, found = host.establish(identity="pat", pat=value)
    assert (found["state"], found["expires_at"]) == ("active", None)
    host.workspace.clear()
    assert ready.run().stdout == f"{value}\n" and host.workspace.requests() == [], "tried once, then from the cache"
    status = ready.run(front="status").stdout
    assert "active" in status and "expires" not in status and value not in status

    host.workspace.control(revoke_tokens=True)
    refused = f"{host.config.workspace_url} refuses the personal access token of profile fmapi-coding-agents (HTTP 401)"
    ready.fails(2, f"{refused}. Set coding_agents_pat to a new one and run the rollout again")
    ready.later()
    ready.fails(2, f"{refused}. Set coding_agents_pat to a new one and run the rollout again")

    new = host.workspace.mint("user", kind="pat")
    profile = Path(ready.config.databrickscfg)
    profile.write_text(profile.read_text().replace(value, new))
    assert ready.run().stdout == f"{new}\n"


def test_a_personal_access_token_is_read_anew_after_an_hour(host: Host) -> None:
    ready, _found = host.establish(identity="pat", pat=host.workspace.mint("user", kind="pat"))
    cache = Path(ready.config.cache_file)
    until, value, expires = cache.read_text().splitlines()
    assert 0 < int(expires) - time.time() <= 3600
    new = host.workspace.mint("user", kind="pat")
    profile = Path(ready.config.databrickscfg)
    profile.write_text(profile.read_text().replace(value, new))
    assert ready.run().stdout == f"{value}\n"
    ready.later()
    cache.write_text(f"{int(until) - 3600}\n{value}\n{int(expires) - 3600}\n")
    assert ready.run().stdout == f"{new}\n"


def test_a_person_s_own_profile_is_read_and_never_written(host: Host) -> None:
    value = host.workspace.mint("user", kind="pat")
    profile = Path(host.config.databrickscfg)
    profile.write_text(f"# mine\n[ours]\nhost={host.config.workspace_url}/\ntoken = {value}\n")
    profile.chmod(0o640)
    before = manifest(host.config.home)
    own = {"identity": "pat", "profile": "ours"}
    ready, found = host.establish(**own)
    assert found["state"] == "active" and ready.run().stdout == f"{value}\n"
    assert [
        line for line in differences(before, manifest(host.config.home), times=True) if "databrickscfg" in line
    ] == []
    Path(ready.config.home, ".local/state/fmapi-coding-agents/ledger.json").unlink()
    rollout.withdraw(owner_of(host.home), options_for(workspace_url=None), How())
    assert value in profile.read_text(), "also where the ledger was lost"

    profile.write_text(f"[ours]\nhost = {host.config.workspace_url}\n")
    without = f"profile ours in {profile} holds no personal access token. "
    hint = "Make one in the workspace, and put it there as token beside the host"
    with pytest.raises(OperatorError) as error:
        host.establish(**own)
    assert str(error.value) == f"{without}{hint}, or set coding_agents_pat"
    with pytest.raises(TokenError) as refused:
        session.request(ready.config, {})
    assert (str(refused.value), refused.value.exit_status) == (without + hint, 2)


def test_a_refused_personal_access_token_is_not_written(host: Host) -> None:
    before = manifest(host.config.home)
    with pytest.raises(TokenError, match="refuses the personal access token"):
        host.establish(identity="pat", pat="dapi" + 32 * "0")
    assert differences(before, manifest(host.config.home), times=True) == []


# -- all --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("auth_type", ["file-oidc", "env-oidc", "oauth-m2m", "pat"])
def test_databricks_sdk_can_use_the_profile(
    host: Host, oidc_token: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, auth_type: str
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", host.workspace.ca_file)
    source("file", tmp_path, oidc_token())
    if auth_type == "env-oidc":
        monkeypatch.setenv(VARIABLE, oidc_token())
        ready, _found = host.establish(oidc_token_file=None, oidc_token_env=VARIABLE, token_audience=AUDIENCE)
    elif auth_type == "file-oidc":
        ready, _found = host.establish(token_audience=AUDIENCE)
    elif auth_type == "oauth-m2m":
        ready, _found = host.establish(identity="service_principal", client_secret=host.workspace.client_secret)
    else:
        token = host.workspace.mint("service_principal", kind="pat")
        ready, _found = host.establish(identity="pat", pat=token)
    client = WorkspaceClient(config_file=ready.config.databrickscfg, profile=ready.config.profile)
    assert client.config.auth_type == auth_type
    assert client.current_user.me().user_name == host.workspace.client_id
    if auth_type.endswith("oidc"):
        assert client.config.token_audience == AUDIENCE


def test_each_identity_and_source_has_a_cache_of_its_own(host: Host) -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"client_id": "another"},
        {"client_id": None},
        {"oidc_token_file": "/other"},
        {"oidc_token_file": None, "oidc_token_env": host.config.oidc_token_file},
        {"oidc_token_file": None, "oidc_token_command": [host.config.oidc_token_file]},
        {"oidc_token_file": None, "oidc_token_command": [host.config.oidc_token_file, "x"]},
        {"identity": "user"},
        {"identity": "pat"},
        {"identity": "service_principal"},
        {"profile": "another"},
        {"workspace_url": "https://w.example.com"},
    ]
    assert len({host.config._replace(**one).cache_file for one in changes}) == len(changes)


def test_a_profile_of_another_service_principal_is_not_used(host: Host) -> None:
    ready, _found = host.establish(identity="service_principal", client_secret=host.workspace.client_secret)
    profile = Path(ready.config.databrickscfg)
    profile.write_text(profile.read_text().replace(host.workspace.client_id, "another"))
    with pytest.raises(TokenError) as error:
        session.request(ready.config, {})
    said = f"profile fmapi-coding-agents in {profile} names another service principal. Run the rollout again"
    assert str(error.value) == said


@pytest.mark.parametrize("identity", ["service_principal", "workload_identity", "pat"])
def test_exported_variables_send_nobody_elsewhere(
    host: Host, oidc_token: Callable[..., str], tmp_path: Path, identity: str
) -> None:
    """What a shell exports for other work: another workspace, profile, file, identity and secrets."""
    source("file", tmp_path, oidc_token())
    (tmp_path / "cfg").write_text("[DEFAULT]\nhost = https://elsewhere.example.com\ntoken = dapi0\n")
    secrets = {"client_secret": host.workspace.client_secret, "pat": host.workspace.mint("user", kind="pat")}
    ready, _found = host.establish(identity=identity, **secrets)
    ready.forget()
    host.workspace.clear()
    exported = {
        "DATABRICKS_HOST": "https://elsewhere.example.com",
        "DATABRICKS_TOKEN": "dapi0",
        "DATABRICKS_CLIENT_ID": "another",
        "DATABRICKS_CLIENT_SECRET": "another",
        "DATABRICKS_CONFIG_FILE": str(tmp_path / "cfg"),
        "DATABRICKS_CONFIG_PROFILE": "DEFAULT",
        "DATABRICKS_AUTH_TYPE": "pat",
        "DATABRICKS_OIDC_TOKEN_FILEPATH": "/nonexistent",
        "DATABRICKS_OIDC_TOKEN_ENV": "OTHER",
    }
    done = ready.run(**exported)
    assert (done.returncode, done.stderr) == (0, "")
    assert not session.is_refused(ready.config, Token(done.stdout.strip(), 0))
    assert host.workspace.requests()[-1]["identity"] == ("user" if identity == "pat" else "service_principal")


def test_the_program_on_hosts_brings_along_all_it_needs(host: Host, tmp_path: Path) -> None:
    """As the real file, in a directory of its own, without the collection beside it."""
    ready, _found = host.establish()
    command = [sys.executable, "-I", ready.config.program, "--config", ready.config.config_file, "token"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1 and "does not exist" in done.stderr
