# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A token that lives still, and no new one for the moment: agents get the one that lives, unless the workspace refuses it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.databricks_cli.fixtures import databricks_cli
from tests.unit.helper_host import TOKENS, Host, helper_host
from tests.unit.signing_in import Home
from tests.workspace.client import Workspace

__all__ = ["databricks_cli"]

LEFT_SECONDS = 600
"""Less than an agent is given, and more than the last five minutes, in which the Databricks CLI refreshes by itself."""

Environment = dict[str, str]

both = pytest.mark.parametrize("host", ["service_principal", "user"], indirect=True)
person = pytest.mark.parametrize("host", ["user"], indirect=True)


@pytest.fixture
def host(request: pytest.FixtureRequest, tmp_path: Path, workspace: Workspace, databricks_cli: Path) -> Iterator[Host]:
    with helper_host(tmp_path, workspace, request.param, databricks_cli) as found:
        found.install(log=True)
        yield found
        workspace.control(hang=None, delay=None, redirect_to=None)


def past_its_margin(host: Host) -> str:
    """A host whose token lives ten minutes more, at hand and in the CLI's store; returns the token."""
    if host.config.identity == "user":
        host.sign_in()
    token = host.token()
    let_time_pass(host.cached(), host.home)
    host.workspace.clear()
    return token


def let_time_pass(cache: Path, home: Path) -> None:
    _until, token, _expiry = cache.read_text().splitlines()
    cache.write_text(f"1\n{token}\n{int(time.time()) + LEFT_SECONDS}\n")
    forget(cache, ".served", ".good")
    store = home / ".databricks" / "token-cache.json"
    if store.exists():
        end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + LEFT_SECONDS))
        store.write_text(re.sub(r'"expiry": *"[^"]*"', f'"expiry": "{end}"', store.read_text()))


def forget(cache: Path, *suffixes: str) -> None:
    for suffix in suffixes:
        cache.with_name(cache.name + suffix).unlink(missing_ok=True)


def fails(status: int, prefix: str = TOKENS) -> Callable[[Host], Environment]:
    def arrange(host: Host) -> Environment:
        host.workspace.control(fail_next={"path_prefix": prefix, "status": status, "retry_after": 7, "count": 99})
        return {}

    return arrange


def slow(host: Host) -> Environment:
    host.workspace.control(delay={"path_prefix": TOKENS, "seconds": 7})
    return {}


def silent(host: Host) -> Environment:
    host.workspace.control(hang="/oidc")
    return {}


def redirected(host: Host) -> Environment:
    host.workspace.control(redirect_to="https://accounts.example.com/")
    return {}


def no_proxy(host: Host) -> Environment:
    return {"HTTPS_PROXY": "http://127.0.0.1:9"}


def sign_in_ended(host: Host) -> Environment:
    host.workspace.control(revoke_sign_ins=True)
    return {}


def no_cli(host: Host) -> Environment:
    return {"PATH": "/usr/bin:/bin"}


def crashing_cli(host: Host) -> Environment:
    program = host.place / "crashing" / "databricks"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'panic: out of memory' >&2\nexit 2\n")
    program.chmod(0o755)
    return {"PATH": f"{program.parent}:/usr/bin:/bin"}


def wrong_secret(host: Host) -> Environment:
    profile = Path(host.config.databrickscfg)
    profile.write_text(profile.read_text().replace(host.workspace.client_secret, "dose-of-last-year"))
    return {}


BOTH = {
    "429": fails(429),
    "500": fails(500),
    "503": fails(503),
    "7 s": slow,
    "no answer": silent,
    "a page that wants a sign-in": redirected,
    "a proxy that is away": no_proxy,
}
PERSON = {
    "the metadata probe": fails(503, "/oidc/.well-known"),
    "the metadata probe is one too many": fails(429, "/oidc/.well-known"),
    "the CLI is gone": no_cli,
    "the CLI crashes": crashing_cli,
    "the sign-in has ended": sign_in_ended,
}
SERVICE_PRINCIPAL = {"the secret is not good any more": wrong_secret}
WAITED_FOR = ("7 s", "no answer")
"""For as long as the helper has patience: in CI with a person alone."""
SITUATIONS = [
    pytest.param(
        identity,
        arrange,
        id=f"{name} - {identity}",
        marks=[pytest.mark.soak] if name in WAITED_FOR and identity != "user" else [],
    )
    for identity, own in (("user", PERSON), ("service_principal", SERVICE_PRINCIPAL))
    for name, arrange in {**BOTH, **own}.items()
]


@pytest.mark.parametrize(("host", "arrange"), SITUATIONS, indirect=["host"])
def test_a_live_token_is_handed_out_when_no_new_one_comes(host: Host, arrange: Callable[[Host], Environment]) -> None:
    token = past_its_margin(host)
    environment = arrange(host)
    assert host.token(**environment) == token
    log = Path(host.config.log_file).read_text()
    assert "the refresh failed: " in log or "gave up waiting after 4 s; the refresh goes on" in log
    assert "handed out the token at hand, which lives until " in log and token not in log


@both
def test_a_slow_refresh_is_found_by_a_later_call(host: Host) -> None:
    token = past_its_margin(host)
    slow(host)
    assert host.token() == token
    limit = time.monotonic() + 30
    while host.cached().read_text().splitlines()[1] == token and time.monotonic() < limit:
        time.sleep(0.1)
    assert host.token() != token
    assert [one["status"] for one in host.asked] == [200]


@both
def test_a_dead_token_is_not_handed_out(host: Host) -> None:
    past_its_margin(host)
    _until, token, _expiry = host.cached().read_text().splitlines()
    host.cached().write_text(f"1\n{token}\n{int(time.time()) + 5}\n")  # which Go counts as over
    if host.config.identity == "user":
        store = host.home / ".databricks" / "token-cache.json"
        store.write_text(re.sub(r'"expiry": *"\d{4}', '"expiry": "2020', store.read_text()))
    fails(500)(host)
    done = host.run()
    assert (done.returncode, done.stdout) == (1, "")


@both
def test_a_busy_workspace_is_not_asked_at_every_call(host: Host) -> None:
    """For half a minute the token that lives is handed out as any other."""
    token = past_its_margin(host)
    fails(429)(host)
    for _call in range(5):
        assert host.token() == token
        forget(host.cached(), ".served")
    assert len(host.asked) == 1
    until, _token, expiry = host.cached().read_text().splitlines()
    assert 0 < int(until) - time.time() <= 30 < int(expiry) - time.time()
    host.workspace.control(fail_next=None)
    host.cached().write_text(f"1\n{token}\n{expiry}\n")  # the half minute is over
    assert host.token() != token


@pytest.mark.parametrize("host", ["user", pytest.param("service_principal", marks=pytest.mark.soak)], indirect=True)
def test_a_hundred_callers_of_a_busy_workspace_ask_it_once_and_all_get_the_live_token(host: Host) -> None:
    token = past_its_margin(host)
    fails(503)(host)
    assert {(one.returncode, one.stdout) for one in host.run_all(100)} == {(0, f"{token}\n")}
    assert len(host.asked) == 1


# -- refused tokens are no such case ----------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("status", [401, 403])
def test_a_live_token_that_the_workspace_refuses_is_not_handed_out(host: Host, status: int) -> None:
    """An agent that comes again may have had it refused: it is tried, and is handed out no more, then and later."""
    token = past_its_margin(host)
    fails(500)(host)
    assert host.token() == token
    host.workspace.control(expire_tokens=True, refuse_with=status)
    done = host.run()
    assert (done.returncode, done.stdout) == (1, ""), "soon after another call"
    forget(host.cached(), ".served", ".good")
    done = host.run()
    assert (done.returncode, done.stdout) == (1, ""), "later, too"
    host.workspace.control(fail_next=None)
    assert host.token() != token


@both
def test_a_live_token_that_was_refused_just_before_its_margin_is_not_handed_out(host: Host) -> None:
    past_its_margin(host)
    host.cached(".served").write_text(f"{int(time.time())}\n")
    fails(500)(host)
    host.workspace.control(expire_tokens=True)
    done = host.run()
    assert (done.returncode, done.stdout) == (1, "")


@both
def test_who_asks_again_gets_a_live_token_that_the_workspace_takes(host: Host) -> None:
    """Though the refresh takes longer than an agent waits: it was tried meanwhile."""
    token = past_its_margin(host)
    host.cached(".served").write_text(f"{int(time.time())}\n")
    slow(host)
    assert host.token() == token
    assert len(host.workspace.requests("/api/2.0/preview/scim/v2/Me")) == 1


@both
def test_a_live_token_that_is_refused_is_replaced_at_once_when_it_can_be(host: Host) -> None:
    token = past_its_margin(host)
    fails(500)(host)
    assert host.token() == token
    host.workspace.control(fail_next=None, expire_tokens=True)
    assert host.token() != token


def test_a_personal_access_token_that_was_revoked_is_not_handed_out(
    tmp_path: Path, workspace: Workspace, databricks_cli: Path
) -> None:
    with helper_host(tmp_path, workspace, "pat", databricks_cli) as host:
        pat = workspace.mint("user", "pat")
        host.profile(f"host = {workspace.url}", f"token = {pat}")
        assert host.run().stdout == f"{pat}\n"
        let_time_pass(host.cached(), host.home)
        workspace.control(fail_next={"path_prefix": "/api/2.0/preview/scim", "status": 503, "count": 99})
        assert host.run().stdout == f"{pat}\n", "nothing is known against it"
        workspace.control(fail_next=None, revoke_tokens=True)
        let_time_pass(host.cached(), host.home)
        for _call in range(2):
            done = host.run()
            assert (done.returncode, done.stdout) == (2, "")
            forget(host.cached(), ".served")


# -- what people are told ---------------------------------------------------------------------------------------------


@person
def test_status_says_why_no_new_token_comes(host: Host) -> None:
    past_its_margin(host)
    host.token(**sign_in_ended(host))
    found = json.loads(host.run("status --json").stdout)
    told = f"the sign-in to Databricks has expired. Run: {host.login}"
    assert (found["state"], found["detail"]) == ("active", f"a token is at hand, but no new one: {told}")
    host.sign_in()
    host.expire()
    host.token()
    assert json.loads(host.run("status --json").stdout)["detail"] == "a token is at hand"


@pytest.fixture
def home(tmp_path: Path, workspace: Workspace, databricks_cli: Path) -> Home:
    made = Home(tmp_path / "one", workspace, databricks_cli)
    assert made.login().returncode == 0
    let_time_pass(Path(made.config.cache_file), made.home)
    return made


def test_who_signs_in_while_a_token_lives_of_a_sign_in_that_has_ended_is_signed_in_anew(home: Home) -> None:
    home.workspace.control(revoke_sign_ins=True)
    assert home.run("token").returncode == 0
    done = home.login()
    assert (done.returncode, done.stdout) == (0, f"signed in as {home.workspace.user_name} to {home.workspace.url}\n")
    assert len(home.opened()) == 2


def test_who_signs_in_while_the_workspace_is_busy_is_told_that_they_are(home: Home) -> None:
    home.workspace.control(fail_next={"path_prefix": TOKENS, "status": 503, "count": 99})
    done = home.login()
    expected = f"already signed in as {home.workspace.user_name} to {home.workspace.url}\n"
    assert (done.returncode, done.stdout) == (0, expected)
    assert len(home.opened()) == 1
