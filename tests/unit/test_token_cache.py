# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The token cache with real processes: one request however many ask, private files, and refreshes that survive their caller."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program import session, token_cache
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.config import Config
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.token import Token, TokenError

from tests.unit.helper_host import install
from tests.workspace.client import Workspace

TOKENS = "/oidc/v1/token"


class Host:
    """A home as the rollout leaves it for a service principal of the simulated workspace."""

    def __init__(self, home: Path, workspace: Workspace) -> None:
        self.workspace = workspace
        place = (str(home), workspace.url, "fmapi", "service_principal", 15, workspace.ca_file)
        self.config = Config(*place, client_id=workspace.client_id)
        install(self.config)
        self.profile(workspace.client_secret)
        self.environment = {"PATH": "/usr/bin:/bin", "HOME": str(home)}

    def profile(self, secret: str) -> None:
        lines = ["[fmapi]", f"host = {self.config.workspace_url}", f"client_id = {self.workspace.client_id}"]
        Path(self.config.databrickscfg).write_text("\n".join([*lines, f"client_secret = {secret}", ""]))
        Path(self.config.databrickscfg).chmod(0o600)

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.config.helper],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
        )

    def run(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.config.helper], env=self.environment, capture_output=True, text=True, check=False, cwd="/"
        )

    @property
    def asked(self) -> int:
        return len(self.workspace.requests(TOKENS))


@pytest.fixture
def host(tmp_path: Path, workspace: Workspace) -> Host:
    return Host(tmp_path / "home", workspace)


def until(true: Callable[[], object]) -> None:
    """Wait for something that another process does."""
    limit = time.monotonic() + 60
    while not true():
        assert time.monotonic() < limit, "it never came"
        time.sleep(0.02)


def test_a_fresh_token_is_served_without_a_request_and_a_spent_one_is_asked_for_anew(host: Host) -> None:
    first, second = host.run().stdout, host.run().stdout
    assert first == second and host.asked == 1
    lines = Path(host.config.cache_file).read_text().splitlines()
    assert int(lines[2]) - int(lines[0]) == host.config.wanted_life_seconds == (15 + 15) * 60
    Path(host.config.cache_file).write_text("\n".join([str(int(time.time())), *lines[1:], ""]))
    third = host.run().stdout
    assert third not in ("", first) and host.asked == 2


def test_a_short_lived_token_is_used_for_a_quarter_of_its_life(host: Host) -> None:
    host.workspace.control(token_lifetime=200)
    before = int(time.time())
    host.run()
    serve_until, _token, expires_at = Path(host.config.cache_file).read_text().splitlines()
    assert 48 <= int(serve_until) - before <= 60 < int(expires_at) - before
    host.run()
    assert host.asked == 1


def test_the_cache_is_private(host: Host) -> None:
    host.run()
    directory = Path(host.config.cache_directory)
    assert directory.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in directory.iterdir()} == {0o600}
    assert {path.name for path in directory.iterdir()} == {
        os.path.basename(host.config.cache_file) + suffix for suffix in ("", ".good", ".lock", ".served")
    }


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_cache_that_others_can_read_is_not_trusted_by_the_program(host: Host, mode: int) -> None:
    host.run()
    assert token_cache.load(host.config) is not None
    os.chmod(host.config.cache_file, mode)
    assert token_cache.load(host.config) is None


@pytest.mark.parametrize("content", [b"", b"1\n", b"1\nt\n", b"1\nt\nx\n", b"1\nt\n3\n4\n", b"1\n\xff\n3\n"])
def test_a_cache_that_is_broken_is_not_trusted(host: Host, content: bytes) -> None:
    host.run()
    Path(host.config.cache_file).write_bytes(content)
    assert token_cache.load(host.config) is None
    assert host.run().returncode == 0


def test_a_refresh_that_is_killed_holds_nobody_up(host: Host) -> None:
    host.workspace.control(hang=TOKENS)
    caller = host.start()
    until(lambda: host.asked)
    # The refresh is the child in a session of its own; the caller is its parent.
    refreshes = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(caller.pid)], capture_output=True, text=True, check=True
    )
    for pid in refreshes.stdout.split():
        os.kill(int(pid), signal.SIGKILL)
    out, err = caller.communicate()
    assert (caller.returncode, out) == (1, "")
    assert "the token refresh ended without an answer" in err
    host.workspace.control(hang=None)
    done = host.run()
    assert (done.returncode, done.stderr) == (0, "")


def test_a_home_that_cannot_be_written_to_still_gets_its_token(host: Host) -> None:
    Path(host.config.cache_directory).parent.write_text("a file where the cache should be")
    done = host.run()
    assert done.returncode == 0 and done.stdout.strip()
    assert host.run().stdout != "" and host.asked == 2


@pytest.mark.parametrize("closed", ["<&-", "<&- 2>&-"])
def test_closed_streams_do_not_break_the_single_flight(host: Host, closed: str) -> None:
    host.workspace.control(delay={"path_prefix": TOKENS, "seconds": 0.5})
    command = ["sh", "-c", f"exec '{host.config.helper}' {closed}"]
    callers = [subprocess.Popen(command, env=host.environment, stdout=subprocess.PIPE, text=True) for _one in range(8)]
    answers = [caller.communicate()[0] for caller in callers]
    assert len(set(filter(None, answers))) == 1
    assert host.asked == 1


def test_an_error_never_goes_to_stdout(host: Host) -> None:
    host.profile("dose-wrong-0123456789")
    command = ["sh", "-c", f"exec '{host.config.helper}' 2>&-"]
    done = subprocess.run(command, env=host.environment, stdout=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")


def test_errors_come_back_with_their_exit_status(tmp_path: Path) -> None:
    config = Config(str(tmp_path), "https://w", "p", "user", 15)

    def never(token: Token) -> bool:
        return False

    def sign_in(refused: Token | None) -> Token:
        raise TokenError("not signed in", 2, "Run: x")

    with pytest.raises(TokenError, match=r"^not signed in. Run: x$") as error:
        token_cache.get(config, sign_in, never)
    assert error.value.exit_status == 2

    def broken(refused: Token | None) -> Token:
        raise RuntimeError("a fault of ours")

    with pytest.raises(TokenError, match="ended without an answer"):
        token_cache.get(config, broken, never)
    assert token_cache.get(config, lambda refused: Token("t", int(time.time()) + 3600), never).value == "t"
    assert session.look(config, {})["state"] == "active"


def later(host: Host) -> None:
    """Let so much time pass that what was known of the token does not count any more, but the next call comes soon after."""
    Path(host.config.cache_file + ".good").unlink()


def test_a_token_that_the_workspace_refuses_is_replaced_at_the_next_call(host: Host, workspace: Workspace) -> None:
    first = host.run().stdout
    workspace.control(expire_tokens=True)
    later(host)
    second = host.run().stdout
    assert second not in ("", first)
    assert host.asked == 2
    assert host.run().stdout == second
    assert host.asked == 2


def test_a_token_that_is_still_taken_is_tried_once_and_kept(host: Host, workspace: Workspace) -> None:
    first = host.run().stdout
    later(host)
    workspace.clear()
    assert [host.run().stdout for _time in range(3)] == [first] * 3
    assert [(one["method"], one["path"]) for one in workspace.requests()] == [("GET", "/api/2.0/preview/scim/v2/Me")]


def test_a_workspace_that_does_not_answer_says_nothing_against_the_token(host: Host, workspace: Workspace) -> None:
    first = host.run().stdout
    later(host)
    workspace.control(fail_next={"path_prefix": "/api/2.0/preview/scim", "status": 500, "count": 1})
    assert host.run().stdout == first
    assert host.asked == 1
