# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The token helper's contract with real processes, for a person and for a service principal: docs/tokens.md names its points."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import pty
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils import rollout
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.context import config_of
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import How

from tests import databricks_cli as cli_stand_in
from tests.databricks_cli.fixtures import databricks_cli, needs_the_stand_in
from tests.hosts.tree import differences, manifest
from tests.unit.helper_host import DEAD_ON_ARRIVAL, PROFILE, TOKEN_LINE, TOKENS, Host, helper_host
from tests.unit.options_for import options_for, owner_of
from tests.workspace.client import Workspace

__all__ = ["databricks_cli"]

GAVE_UP = "coding-agents: no answer from Databricks within 4 s. The refresh goes on: try again\n"
SHORT_LIVED = 600
"""Seconds of a token that an agent cannot be given any more, and that the CLI does not yet refresh by itself."""

EVERYBODY = 0o755

both = pytest.mark.parametrize("host", ["service_principal", "user"], indirect=True)
person = pytest.mark.parametrize("host", ["user"], indirect=True)


@pytest.fixture
def host(request: pytest.FixtureRequest, tmp_path: Path, workspace: Workspace, databricks_cli: Path) -> Iterator[Host]:
    with helper_host(tmp_path, workspace, request.param, databricks_cli) as found:
        yield found
        workspace.control(hang=None, delay=None)


def until(true: Callable[[], object]) -> None:
    """Wait for something that another process does."""
    limit = time.monotonic() + 60
    while not true():
        assert time.monotonic() < limit, "it never came"
        time.sleep(0.02)


def counting(host: Host, directory: Path) -> Path:
    """A CLI that writes down each call in the file that is returned; it stands in ``directory``, first in PATH."""
    directory.mkdir()
    calls = directory / "calls"
    program = directory / "databricks"
    program.write_text(f'#!/bin/sh\necho "$*" >>"{calls}"\nexec "{host.cli}/databricks" "$@"\n')
    program.chmod(0o755)
    host.environment["PATH"] = f"{directory}:{host.environment['PATH']}"
    return calls


# -- one refresh at a time --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("host", "when"),
    [
        ("user", "cold"),
        ("service_principal", "at expiry"),
        pytest.param("user", "at expiry", marks=pytest.mark.soak),
        pytest.param("service_principal", "cold", marks=pytest.mark.soak),
    ],
    indirect=["host"],
)
def test_a_hundred_callers_cause_one_request_and_all_get_a_good_token(host: Host, when: str) -> None:
    if host.config.identity == "user":
        host.sign_in(SHORT_LIVED if when == "cold" else DEAD_ON_ARRIVAL)
    elif when == "at expiry":
        host.token()
        host.expire()
        host.workspace.clear()
    done = host.run_all(100)
    # Where a hundred programs start on a slow machine one may give up, and is called again as any agent would call it.
    assert all(one.returncode == 0 or one.stderr == GAVE_UP for one in done)
    tokens = {one.stdout if one.returncode == 0 else host.run().stdout for one in done}
    assert len(tokens) == 1 and TOKEN_LINE.fullmatch(next(iter(tokens)))
    assert [one["status"] for one in host.asked] == [200]


@both
def test_who_waits_while_a_refresh_fails_shares_the_failure(host: Host, tmp_path: Path) -> None:
    if host.config.identity == "user":
        calls = counting(host, tmp_path / "counting")
        host.environment |= {"DATABRICKS_AUTH_STORAGE": "plaintext"}
        expected = 2, f"coding-agents: not signed in to Databricks. Run: {host.login}\n"
    else:
        host.profile(
            f"host = {host.config.workspace_url}", f"client_id = {host.config.client_id}", "client_secret = dose-wrong"
        )
        expected = 1, host.run().stderr
        assert "refused the service principal's client id or secret" in expected[1]
        host.workspace.clear()
    host.workspace.control(delay={"path_prefix": "/oidc", "seconds": 1})
    done = host.run_all(100 if host.config.identity == "user" else 30)
    assert {(one.returncode, one.stdout, one.stderr) for one in done} <= {
        (expected[0], "", expected[1]),
        (1, "", GAVE_UP),
    }
    assert (expected[0], "", expected[1]) in {(one.returncode, one.stdout, one.stderr) for one in done}
    asked = len(calls.read_text().splitlines()) if host.config.identity == "user" else len(host.asked)
    assert asked < 20, "those who waited asked again, one after the other"


@both
def test_a_failure_is_not_shared_with_who_comes_later(host: Host) -> None:
    host.workspace.control(redirect_to="https://accounts.example.com/")
    assert host.run().returncode == 1
    host.workspace.control(redirect_to=None)
    if host.config.identity == "user":
        host.sign_in()
    host.token()


@both
def test_a_caller_that_is_killed_does_not_end_its_refresh(host: Host) -> None:
    if host.config.identity == "user":
        host.sign_in(DEAD_ON_ARRIVAL)
    host.workspace.control(delay={"path_prefix": TOKENS, "seconds": 1})
    caller = host.start()
    until(lambda: host.asked)
    caller.send_signal(signal.SIGKILL)
    caller.communicate()
    host.token()
    assert len(host.asked) == 1


@both
def test_a_caller_gives_up_and_the_next_one_finds_the_result(host: Host) -> None:
    if host.config.identity == "user":
        host.sign_in(DEAD_ON_ARRIVAL)
    host.workspace.control(hang=TOKENS)
    done = host.run()
    assert (done.returncode, done.stdout, done.stderr) == (1, "", GAVE_UP)
    host.workspace.control(hang=None)
    host.token()
    assert [one["status"] for one in host.asked] == [200]


@person
def test_when_the_owner_of_the_lock_is_killed_its_refresh_is_still_the_only_one(host: Host) -> None:
    """With rotation a second refresh beside it would end the sign-in."""
    host.sign_in(DEAD_ON_ARRIVAL)
    host.workspace.control(hang=TOKENS)
    caller = host.start()
    until(lambda: host.asked)
    owner = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(caller.pid)], capture_output=True, text=True, check=True
    ).stdout.split()
    os.kill(int(owner[0]), signal.SIGKILL)
    assert "ended without an answer" in caller.communicate()[1]
    host.workspace.control(hang=None)
    host.token()
    assert [one["status"] for one in host.asked] == [200]


@both
def test_a_killed_owner_of_the_lock_leaves_nothing_behind(host: Host) -> None:
    os.makedirs(host.config.cache_directory, mode=0o700)
    holder = subprocess.Popen(
        ["flock", host.config.cache_file + ".lock", "sh", "-c", "echo held; exec sleep 600"],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
    if host.config.identity == "user":
        host.sign_in()
    waiting = host.start()
    os.killpg(holder.pid, signal.SIGKILL)
    holder.wait()
    out, err = waiting.communicate()
    assert (waiting.returncode, err) == (0, "") and TOKEN_LINE.fullmatch(out)


# -- a person's sign-in -----------------------------------------------------------------------------------------------


@person
@pytest.mark.parametrize("reuse_revokes", [pytest.param(False, marks=pytest.mark.soak), True])
def test_two_shells_and_ten_agents_that_refresh_at_once_stay_signed_in(host: Host, reuse_revokes: bool) -> None:
    host.sign_in(SHORT_LIVED)
    host.workspace.control(reuse_revokes=reuse_revokes)
    seen = set[str]()
    for _expiry in range(3):
        done = host.run_all(12)
        assert {one.stderr for one in done} <= {"", GAVE_UP}
        seen |= {one.stdout for one in done if one.returncode == 0}
        host.expire()
        # The CLI has the token, too: let it come to the margin at which it must be asked by force.
        host.workspace.control(expire_tokens=True)
        store = host.home / ".databricks" / "token-cache.json"
        store.write_text(store.read_text().replace(time.strftime("%Y-"), "2020-"))
    assert len(seen) == 3
    assert [one["status"] for one in host.asked] == [200, 200, 200]


@person
def test_another_tool_that_refreshes_at_the_same_moment_does_not_sign_the_person_out(host: Host) -> None:
    host.sign_in(DEAD_ON_ARRIVAL)
    # Both have read the old refresh token before the first answer comes.
    host.workspace.control(reuse_revokes=False, delay={"path_prefix": TOKENS, "seconds": 1.5})
    other = subprocess.Popen(
        [str(host.cli / "databricks"), "auth", "token", "-p", PROFILE, "--force-refresh"],
        env={**host.environment, "SSL_CERT_FILE": host.workspace.ca_file},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    until(lambda: host.asked)
    host.token()
    assert other.communicate()[1] == b"" and other.returncode == 0
    assert sorted(one["status"] for one in host.asked) == [200, 400]


@person
def test_a_token_is_refreshed_once_before_it_is_too_short_for_an_agent(host: Host) -> None:
    host.sign_in(SHORT_LIVED)
    token = host.token()
    assert [host.token() for _call in range(3)] == [token] * 3
    assert len(host.asked) == 1
    serve_until, _token, expires_at = host.cached().read_text().splitlines()
    assert int(expires_at) - int(serve_until) == host.config.wanted_life_seconds
    assert int(expires_at) - time.time() > host.config.wanted_life_seconds


@person
def test_a_good_token_of_the_cli_is_taken_without_a_refresh(host: Host) -> None:
    host.sign_in()
    host.token()
    assert host.asked == []


@person
def test_a_cli_that_cannot_refresh_early_is_asked_once_and_gives_what_there_is(host: Host, tmp_path: Path) -> None:
    needs_the_stand_in()
    host.sign_in(SHORT_LIVED)
    old = tmp_path / "old"
    cli_stand_in.install(old, knobs="old")
    host.cli = old
    calls = counting(host, tmp_path / "counting")
    for _expiry in range(3):
        host.token()
        host.expire()
    asked = [call for call in calls.read_text().splitlines() if call != "--version"]
    assert [call.count("--force-refresh") for call in asked] == [0, 1, 0, 0]
    assert host.asked == []
    told = "databricks cli note  too old to refresh a token early: some may end soon after they are handed out. Update it\n"
    assert told in host.run("status").stdout
    (tmp_path / "counting" / "databricks").write_text(f'#!/bin/sh\nexec "{host.place}/none"\n')
    assert "too old" not in host.run("status").stdout, "another program took its place"


@person
def test_a_failed_early_refresh_is_no_failure_while_the_token_lives(host: Host) -> None:
    host.sign_in(SHORT_LIVED)
    host.workspace.control(fail_next={"path_prefix": TOKENS, "status": 500})
    first = host.token()
    host.expire()
    assert host.token() != first


@person
def test_exported_variables_lead_nowhere_else(host: Host) -> None:
    host.sign_in(SHORT_LIVED)
    elsewhere = {
        "DATABRICKS_HOST": "https://other.example.com",
        "DATABRICKS_TOKEN": "dapi0123",
        "DATABRICKS_CONFIG_PROFILE": "other",
        "DATABRICKS_CONFIG_FILE": "/nonexistent",
        "DATABRICKS_AUTH_TYPE": "pat",
        "DATABRICKS_ACCOUNT_ID": "0",
    }
    host.token(**elsewhere)
    assert {one["host"] for one in host.workspace.requests()} == {host.config.workspace_url.partition("://")[2]}


# -- refused tokens ---------------------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_token_is_replaced_at_the_next_call_by_one_request_for_all(host: Host, status: int) -> None:
    if host.config.identity == "user":
        host.sign_in()
    first = host.token()
    host.workspace.control(expire_tokens=True, refuse_with=status)
    host.cached(".good").unlink()
    host.workspace.clear()
    done = host.run_all(10)
    assert {one.returncode for one in done} == {0}
    assert len({one.stdout for one in done} - {first + "\n"}) == 1
    asked = [(one["method"], one["path"]) for one in host.workspace.requests() if "well-known" not in one["path"]]
    assert asked == [("GET", "/api/2.0/preview/scim/v2/Me"), ("POST", TOKENS)]


@both
def test_a_refused_token_that_cannot_be_replaced_is_not_handed_out(host: Host) -> None:
    if host.config.identity == "user":
        host.sign_in()
    host.token()
    host.workspace.control(expire_tokens=True, fail_next={"path_prefix": TOKENS, "status": 500, "count": 9})
    host.cached(".good").unlink()
    done = host.run()
    assert (done.returncode, done.stdout) == (1, "")


# -- where it runs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("identity", ["service_principal", "user"])
def test_a_home_may_be_called_anything(
    identity: str, tmp_path: Path, workspace: Workspace, databricks_cli: Path
) -> None:
    with helper_host(tmp_path / "zażółć gęślą jaźń", workspace, identity, databricks_cli) as host:
        if identity == "user":
            host.sign_in()
        host.token(LC_ALL="C")
        assert "active" in host.run("status", LC_ALL="C").stdout


@both
@pytest.mark.parametrize("offset", ["+10m", "-10m"])
def test_a_clock_that_is_ten_minutes_off_costs_no_token(host: Host, offset: str) -> None:
    needs_the_stand_in()  # Go asks the kernel for the time, past the library
    library = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if library is None and os.environ.get("CI") != "true":
        pytest.skip("libfaketime is not installed")
    if host.config.identity == "user":
        host.sign_in()
    off = {"LD_PRELOAD": str(library), "FAKETIME": offset}
    token = host.token(**off)
    host.cached(".served").unlink()
    assert host.token(**off) == token
    host.cached(".served").unlink()
    assert host.token() == token, "and once the clock is right again"
    host.token(**off)
    host.workspace.control(expire_tokens=True)
    host.cached(".good").unlink()
    assert host.token(**off) != token


class Proxy:
    """An HTTP proxy that takes CONNECT to any name on a port of this machine, and remembers where to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_CONNECT(self) -> None:
                proxy.asked.append(self.path)
                with socket.create_connection(("127.0.0.1", int(self.path.rpartition(":")[2]))) as there:
                    self.send_response(200)
                    self.end_headers()
                    back = threading.Thread(target=_copy, args=(there, self.connection), daemon=True)
                    back.start()
                    _copy(self.connection, there)
                    back.join()
                self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(1 << 16):
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize("identity", ["service_principal", "user"])
def test_a_proxy_is_used_where_it_is_named_and_not_where_it_is_excepted(
    identity: str, tmp_path: Path, databricks_cli: Path
) -> None:
    proxy = Proxy()
    with (
        Workspace(tmp_path / "workspace", names=["workspace.test"]) as workspace,  # a name that only the proxy knows
        helper_host(tmp_path / "host", workspace, identity, databricks_cli) as host,
    ):
        if identity == "user":
            host.sign_in(SHORT_LIVED)
        address = f"workspace.test:{workspace.port}"
        config = Path(host.config.databrickscfg)
        config.write_text(config.read_text().replace(host.config.workspace_url, f"https://{address}"))
        host.install(workspace_url=f"https://{address}")
        host.token(HTTPS_PROXY=proxy.url)
        assert set(proxy.asked) == {address} and len(host.asked) == 1
        host.expire()
        done = host.run(HTTPS_PROXY=proxy.url, NO_PROXY="example.com,.test")
        assert (done.returncode, done.stdout) == (1, "")
        assert f"the name in https://{address} cannot be resolved" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can work as another user")
def test_a_read_only_home_gets_its_tokens_without_a_word(
    workspace: Workspace, databricks_cli: Path, tmp_path: Path
) -> None:
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, EVERYBODY)
        host = Host(Path(place) / "h", workspace, "service_principal", databricks_cli)
        authority = Path(place) / "ca.pem"
        authority.write_text(Path(workspace.ca_file).read_text())
        host.install(ca_file=str(authority), log=True)
        for directory, _directories, files in os.walk(place):
            os.chmod(directory, EVERYBODY)
            for name in files:
                os.chmod(os.path.join(directory, name), EVERYBODY)
        for number in (1, 2):
            done = subprocess.run(
                [host.config.helper],
                env={"PATH": "/usr/bin:/bin"},
                user=65534,
                group=65534,
                extra_groups=[],
                capture_output=True,
                text=True,
                check=False,
                cwd="/",
            )
            assert (done.returncode, done.stderr) == (0, "") and TOKEN_LINE.fullmatch(done.stdout)
            assert len(host.asked) == number
        assert not os.path.exists(host.config.cache_directory)


@both
def test_it_asks_nothing_of_a_terminal(host: Host) -> None:
    """Not even when it fails for want of a sign-in, with a person in front of it."""
    controller, terminal = pty.openpty()
    command = ["setsid", "--ctty", "--wait", host.config.helper]
    done = subprocess.run(
        command, env=host.environment, stdin=terminal, capture_output=True, text=True, check=False, cwd="/"
    )
    os.close(terminal)
    assert done.returncode == (2 if host.config.identity == "user" else 0)
    with contextlib.suppress(OSError):
        assert os.read(controller, 100) == b""
    os.close(controller)


# -- the cache belongs to one user ------------------------------------------------------------------------------------


@both
def test_loose_modes_are_mended(host: Host) -> None:
    if host.config.identity == "user":
        host.sign_in()
    host.token()
    os.chmod(host.config.cache_file, 0o644)
    os.chmod(host.config.cache_directory, EVERYBODY)
    host.cached(".served").unlink()
    host.token()
    assert os.stat(host.config.cache_file).st_mode & 0o777 == 0o600
    assert os.stat(host.config.cache_directory).st_mode & 0o777 == 0o700


@both
def test_a_link_to_a_token_is_not_followed_and_not_written_through(host: Host, tmp_path: Path) -> None:
    if host.config.identity == "user":
        host.sign_in()
    os.makedirs(host.config.cache_directory, mode=0o700)
    planted = f"{int(time.time()) + 9999}\nplanted\n{int(time.time()) + 99999}\n"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text(planted)
    elsewhere.chmod(0o600)
    host.cached().symlink_to(elsewhere)
    host.token()
    assert elsewhere.read_text() == planted and not host.cached().is_symlink()


# -- the other verbs --------------------------------------------------------------------------------------------------


@both
def test_headers_are_one_json_object_with_the_same_token_and_the_same_errors(host: Host) -> None:
    failed = host.run("headers", DATABRICKS_AUTH_STORAGE="plaintext")
    if host.config.identity == "user":
        expected = (2, "", f"coding-agents: not signed in to Databricks. Run: {host.login}\n")
        assert (failed.returncode, failed.stdout, failed.stderr) == expected
        host.sign_in()
    token = host.token()
    done = host.run("headers")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f'{{"Authorization": "Bearer {token}"}}\n'


@both
def test_status_tells_everything_but_the_token(host: Host) -> None:
    if host.config.identity == "user":
        host.sign_in()
    token = host.token()
    asked = len(host.workspace.requests())
    done = host.run("status --json")
    found = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert {name: found[name] for name in ("state", "identity", "profile", "token_helper", "program", "log")} == {
        "state": "active",
        "identity": host.config.identity,
        "profile": PROFILE,
        "token_helper": host.config.helper,
        "program": host.config.program,
        "log": None,
    }
    expected_cli = f"{host.cli}/databricks" if host.config.identity == "user" else None
    assert (found["databricks_cli"], found["databricks_cli_note"]) == (expected_cli, None)
    text = host.run("status").stdout
    told = [str(value).replace(f"{host.home}/", "~/") for name, value in found.items() if name != "rollout" and value]
    assert all(f"  {value}\n" in text for value in told) and "None" not in text
    assert token not in text + done.stdout and host.workspace.client_secret not in text + done.stdout
    assert len(host.workspace.requests()) == asked, "nobody was asked"


@both
def test_the_log_has_a_line_for_each_event_and_no_secret(host: Host) -> None:
    host.install(log=True)
    log = Path(host.config.log_file)
    host.workspace.control(redirect_to="https://accounts.example.com/")
    host.run()
    host.workspace.control(redirect_to=None)
    if host.config.identity == "user":
        host.sign_in()
    tokens = [host.token(), host.token()]
    host.workspace.control(expire_tokens=True)
    host.cached(".good").unlink()
    tokens.append(host.token())
    text = log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600 and log.parent.stat().st_mode & 0o777 == 0o700
    events = [line.split(" ", 2)[2] for line in text.splitlines()]
    assert events[0] == "asked for a token"
    assert events[1].startswith(f"no token: {host.config.workspace_url} redirects to accounts.example.com")
    for event in (
        "got a token that lives until 20",
        "asked for a token, soon after another call",
        "the workspace refuses the",
    ):
        assert any(one.startswith(event) for one in events), text
    assert not any(secret in text for secret in (*tokens, host.workspace.client_secret))


@both
def test_the_log_is_rotated_and_one_that_cannot_be_written_changes_nothing(host: Host) -> None:
    host.install(log=True)
    if host.config.identity == "user":
        host.sign_in()
    log = Path(host.config.log_file)
    log.parent.mkdir(parents=True)
    log.write_text("x" * (256 * 1024))
    host.token()
    assert (log.parent / "token-helper.log.1").stat().st_size == 256 * 1024
    assert log.read_text().count("\n") == 2
    host.expire()
    log.unlink()
    os.mkfifo(log)
    host.token()
    log.unlink()
    (log.parent / "token-helper.log.1").unlink()
    log.parent.rmdir()
    log.parent.write_text("a file where the directory should be")
    host.expire()
    host.token()


def test_the_log_goes_when_it_is_not_wanted_any_more_and_on_uninstall(tmp_path: Path, workspace: Workspace) -> None:
    home = tmp_path / "home"
    (home / ".local").mkdir(parents=True)
    before = manifest(str(home))
    owner = owner_of(home)
    options = options_for(
        parts=["databricks_oauth"],
        workspace_url=workspace.url,
        ca_file=workspace.ca_file,
        identity="service_principal",
        client_id=workspace.client_id,
        client_secret=workspace.client_secret,
    )
    config = config_of(owner, options)
    for wanted in (True, False, True):
        rollout.apply(owner, {**options, "helper_log": wanted}, How())
        command = [config.front, "token"]
        subprocess.run(command, env={"PATH": "/usr/bin:/bin"}, stdout=subprocess.DEVNULL, check=True)
        assert os.path.exists(config.log_file) == wanted
    Path(config.log_file + ".1").write_text("older\n")
    rollout.withdraw(owner, options_for(workspace_url=None), How())
    assert differences(before, manifest(str(home))) == []
