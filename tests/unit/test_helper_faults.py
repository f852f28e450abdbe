# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the token helper says when there is no token: every line of the table in docs/tokens.md, with its exit status."""

from __future__ import annotations

import re
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests import databricks_cli as cli_stand_in
from tests.databricks_cli.fixtures import databricks_cli, needs_the_stand_in
from tests.unit.answering_server import Answer
from tests.unit.helper_host import DEAD_ON_ARRIVAL, PROFILE, TOKENS, Host, helper_host
from tests.workspace.client import Workspace

__all__ = ["databricks_cli"]

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "tokens.md"
ROW = re.compile(r"\| (?P<what>[^|]+) \| (?P<identity>\w+) \| (?P<status>[12]) \| `(?P<message>[^`]+)` \|")


class Fault(NamedTuple):
    """A line of the table, for one identity."""

    what: str
    identity: str
    status: int
    message: str


def _faults() -> Iterator[Fault]:
    table = DOCUMENT.read_text(encoding="utf-8").partition("## When there is no token")[2]
    for row in ROW.finditer(table):
        identities = ("service_principal", "user") if row["identity"] == "both" else (row["identity"],)
        for identity in identities:
            yield Fault(row["what"], identity, int(row["status"]), row["message"])


FAULTS = list(_faults())
Environment = dict[str, str]


def elsewhere(host: Host, url: str, ca_file: str | None) -> None:
    """The workspace is at another URL, for rollout and profile alike."""
    text = Path(host.config.databrickscfg).read_text()
    Path(host.config.databrickscfg).write_text(text.replace(host.config.workspace_url, url))
    host.install(workspace_url=url, ca_file=ca_file)


def answering(host: Host, body: bytes, status: str, valid: tuple[int, int] = (-1, 30)) -> None:
    server = Answer(host.place, valid)
    server.say(body, status)
    elsewhere(host, server.url, server.ca_file)


_HELD: list[socket.socket] = []


def nobody() -> str:
    """An address where nobody listens: its port is held, so that nobody else gets it meanwhile."""
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    _HELD.append(held)
    return f"127.0.0.1:{held.getsockname()[1]}"


def no_name(host: Host) -> None:
    elsewhere(host, "https://no-such-workspace.invalid", host.config.ca_file)


def no_listener(host: Host) -> None:
    elsewhere(host, f"https://{nobody()}", host.config.ca_file)


def no_proxy_s_name(host: Host) -> Environment:
    return {"HTTPS_PROXY": "http://no-such-proxy.invalid:3128"}


def no_proxy_there(host: Host) -> Environment:
    return {"HTTPS_PROXY": f"http://{nobody()}"}


def unknown_authority(host: Host) -> None:
    host.install(ca_file=None)


def other_authority(host: Host) -> None:
    other = host.place / "other-ca.pem"
    server = Answer(host.place)
    shutil.copy(server.ca_file, other)
    host.install(ca_file=str(other))


def hang(host: Host) -> None:
    host.workspace.control(hang="/oidc")


def redirect(host: Host) -> None:
    host.workspace.control(redirect_to="https://accounts.example.com/login")


def fail_tokens(status: int) -> Callable[[Host], None]:
    def arrange(host: Host) -> None:
        if host.config.identity == "user":
            host.sign_in(DEAD_ON_ARRIVAL)
        host.workspace.control(
            fail_next={"path_prefix": TOKENS, "status": status, "retry_after": 7 if status == 429 else None}
        )

    return arrange


def fail_all(host: Host) -> None:
    host.sign_in()
    host.workspace.control(fail_next={"path_prefix": "/oidc", "status": 429, "retry_after": 7})


def wrong_secret(host: Host) -> None:
    text = Path(host.config.databrickscfg).read_text()
    Path(host.config.databrickscfg).write_text(text.replace(host.workspace.client_secret, "dose-of-last-year"))


def no_scope(host: Host) -> None:
    answering(
        host,
        b'{"error": "access_denied", "error_description": "Scopes \'all-apis\' are not assigned"}',
        "400 Bad Request",
    )


def other_workspace(host: Host) -> None:
    if host.config.identity == "user":
        host.sign_in()
    text = Path(host.config.databrickscfg).read_text()
    Path(host.config.databrickscfg).write_text(text.replace(host.config.workspace_url, "https://other.example.com"))


def no_sign_in(host: Host) -> Environment:
    return {"DATABRICKS_AUTH_STORAGE": "plaintext"}


def sign_in_ended(host: Host) -> None:
    host.sign_in(DEAD_ON_ARRIVAL)
    host.workspace.control(revoke_sign_ins=True)


def personal_access_token(host: Host) -> Environment:
    host.profile(f"host = {host.config.workspace_url}", f"token = {host.workspace.mint(kind='pat')}")
    return {"DATABRICKS_AUTH_STORAGE": "plaintext"}


def service_principal_s_profile(host: Host) -> None:
    secret = host.workspace.client_secret
    host.profile(
        f"host = {host.config.workspace_url}", f"client_id = {host.workspace.client_id}", f"client_secret = {secret}"
    )


def no_keyring(host: Host) -> Environment:
    host.sign_in()
    return {"DATABRICKS_AUTH_STORAGE": "secure"}


def no_cli(host: Host) -> Environment:
    return {"PATH": "/usr/bin:/bin"}


def _other_cli(host: Host, knobs: str = "", text: str = "") -> Environment:
    directory = host.place / "other-cli"
    if knobs:
        needs_the_stand_in()
        cli_stand_in.install(directory, knobs=knobs)
    else:
        directory.mkdir()
        (directory / "databricks").write_text(text)
        (directory / "databricks").chmod(0o755)
    return {"PATH": f"{directory}:/usr/bin:/bin"}


VERSION = "#!/bin/sh\n[ $# -eq 1 ] && echo 'Databricks CLI v1.13.0' && exit\n"
"""What a program says that will do, as long as it is asked for its version only."""


def old_cli(host: Host) -> Environment:
    environment = _other_cli(host, knobs="old")
    host.sign_in()
    host.token(**environment)
    host.workspace.control(expire_tokens=True)
    host.cached(".good").unlink()
    return environment


ARRANGEMENTS: dict[str, Callable[[Host], Environment | None]] = {
    "the name has no address": no_name,
    "nobody listens there": no_listener,
    "the proxy's name has no address": no_proxy_s_name,
    "the proxy is not there": no_proxy_there,
    "an unknown certificate authority": unknown_authority,
    "another certificate authority than the one named": other_authority,
    "a clock that is behind": lambda host: answering(host, b"", "200 OK", valid=(1, 30)),
    "a clock that is ahead": lambda host: answering(host, b"", "200 OK", valid=(-30, -1)),
    "no answer": hang,
    "another address answers with a redirect": redirect,
    "a web page answers": lambda host: answering(host, b"<html>Sign in</html>", "200 OK"),
    "OAuth is not enabled": lambda host: answering(host, b"{}", "404 Not Found"),
    "too many requests": fail_tokens(429),
    "too many requests, for all of the host": fail_all,
    "the workspace is broken": fail_tokens(500),
    "the client secret is wrong, expired or deleted": wrong_secret,
    "the client secret lacks the scope": no_scope,
    "the profile holds no secret": lambda host: host.profile(f"host = {host.config.workspace_url}"),
    "the profile names another workspace": other_workspace,
    "nobody has signed in": no_sign_in,
    "the sign-in was revoked or has expired": sign_in_ended,
    "the profile holds a personal access token": personal_access_token,
    "the profile holds a service principal": service_principal_s_profile,
    "the keyring cannot be reached": no_keyring,
    "the CLI is missing": no_cli,
    "the CLI cannot be started": lambda host: _other_cli(host, text="no program"),
    "the CLI crashes": lambda host: _other_cli(host, knobs="crash"),
    "the CLI is another program of that name": lambda host: _other_cli(host, text="#!/bin/sh\necho Version 0.18.0\n"),
    "the CLI crashes when it is asked for a token": lambda host: _other_cli(
        host, text=f"{VERSION}echo 'panic: out of memory' >&2\nexit 2\n"
    ),
    "the CLI answers rubbish": lambda host: _other_cli(host, text=f"{VERSION}echo Welcome\n"),
    "the CLI is too old, and the token is refused": old_cli,
}


def test_every_line_of_the_table_is_tried_and_no_other() -> None:
    assert {fault.what for fault in FAULTS} == set(ARRANGEMENTS)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.what} - {fault.identity}")
def test_a_fault_is_told_in_one_line_with_the_way_out(
    fault: Fault, tmp_path: Path, workspace: Workspace, databricks_cli: Path
) -> None:
    with helper_host(tmp_path, workspace, fault.identity, databricks_cli) as host:
        environment = ARRANGEMENTS[fault.what](host) or {}
        stands_for = {
            "WORKSPACE_URL": host.config.workspace_url,
            "CA_FILE": str(host.config.ca_file),
            "CONFIG_FILE": host.config.databrickscfg,
            "PROFILE_NAME": PROFILE,
            "PROXY_ADDRESS": environment.get("HTTPS_PROXY", "").removeprefix("http://"),
            "CLI_PATH": f"{environment.get('PATH', '').split(':')[0]}/databricks",
            "HELPER_DIRECTORY": host.config.data_directory,
        }
        message = re.sub("|".join(stands_for), lambda word: stands_for[word[0]], fault.message)
        done = host.run(**environment)
        workspace.control(hang=None)
        assert (done.returncode, done.stdout, done.stderr) == (fault.status, "", f"coding-agents: {message}\n")


def test_a_scope_that_a_token_lacks_is_no_refusal(tmp_path: Path, workspace: Workspace, databricks_cli: Path) -> None:
    """Asking again would give one that can do no more, at every call."""
    with helper_host(tmp_path, workspace, "service_principal", databricks_cli) as host:
        server = Answer(tmp_path)
        elsewhere(host, server.url, server.ca_file)
        token = workspace.mint("service_principal")
        server.say(f'{{"access_token": "{token}", "expires_in": 3600}}'.encode())
        assert host.token() == token
        host.cached(".good").unlink()
        server.say(
            b'{"error_code": 403, "message": "Provided OAuth token does not have required scopes: scim"}', "403 No"
        )
        assert host.token() == token
        host.cached(".good").unlink()
        server.say(b'{"error_code": 403, "message": "Invalid access token."}', "403 No")
        assert host.run().returncode == 1
