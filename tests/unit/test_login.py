# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``coding-agents login``: a person signs in once, whatever the browser, and every way of not getting there ends with one sentence."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.databricks_cli import fixtures, install, person
from tests.databricks_cli.fixtures import databricks_cli
from tests.unit.signing_in import Home, Running, script
from tests.workspace.client import Workspace

__all__ = ["databricks_cli"]

AUTHORIZE = "/oidc/v1/authorize"


@pytest.fixture
def home(tmp_path: Path, workspace: Workspace, databricks_cli: Path) -> Home:
    return Home(tmp_path / "one", workspace, databricks_cli)


def error(text: str) -> str:
    return f"coding-agents: {text}\n"


def signed_in(home: Home) -> str:
    return f"signed in as {home.workspace.user_name} to {home.workspace.url}\n"


def test_a_person_signs_in_once_and_is_asked_nothing_again(home: Home) -> None:
    first = home.login()
    assert (first.returncode, first.stdout) == (0, signed_in(home)), first.stderr
    assert len(home.opened()) == 1
    assert home.opened()[0] in first.stderr
    assert home.run("token").returncode == 0

    home.workspace.clear()
    again = home.login()
    assert (again.returncode, again.stdout, again.stderr) == (0, f"already {signed_in(home)}", "")
    quiet = home.login("--quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    assert len(home.opened()) == 1
    assert home.workspace.requests(AUTHORIZE) == []


def test_who_wants_to_signs_in_again(home: Home) -> None:
    assert home.login().returncode == 0
    before = home.run("token").stdout
    again = home.login("--again")
    assert (again.returncode, again.stdout) == (0, signed_in(home)), again.stderr
    assert len(home.opened()) == 2
    assert home.run("token").stdout not in ("", before), "the token of the sign-in before is not served any more"


def test_a_sign_in_that_only_needs_a_refresh_asks_nobody(home: Home) -> None:
    assert home.login().returncode == 0
    home.forget_token()
    home.workspace.control(expire_tokens=True)
    again = home.login()
    assert (again.returncode, again.stdout) == (0, f"already {signed_in(home)}"), again.stderr
    assert len(home.opened()) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_was_revoked_is_replaced_without_a_person(status: int, home: Home) -> None:
    assert home.login().returncode == 0
    Path(home.config.cache_file + ".good").unlink()
    home.workspace.control(expire_tokens=True, refuse_with=status)
    again = home.login()
    assert (again.returncode, again.stdout) == (0, f"already {signed_in(home)}"), again.stderr
    assert len(home.opened()) == 1


def test_who_was_signed_out_signs_in_anew(home: Home) -> None:
    assert home.login().returncode == 0
    home.workspace.control(revoke_sign_ins=True, expire_tokens=True)
    home.forget_token()
    assert home.run("token").returncode == 2
    again = home.login()
    assert (again.returncode, again.stdout) == (0, signed_in(home)), again.stderr
    assert len(home.opened()) == 2
    assert home.run("token").returncode == 0


def test_a_denied_sign_in_says_so(home: Home) -> None:
    home.workspace.control(deny_sign_in=True)
    done = home.login()
    assert (done.returncode, done.stdout) == (2, "")
    reason = "authorize: access_denied: The user denied the request"
    assert done.stderr.endswith(
        error(f"the sign-in was denied ({reason}). Run again: {shlex.quote(home.config.front)} login")
    )


def test_a_person_who_never_comes_is_not_waited_for_for_ever(home: Home) -> None:
    done = home.login("--timeout", "1", BROWSER="true")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith(error(f"nobody signed in within 1 s. Run again: {home.config.front} login"))
    assert home.processes() == [], "the CLI was ended"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_who_ends_the_command_ends_the_cli_too(number: signal.Signals, home: Home) -> None:
    with home.start(BROWSER="true") as running:
        running.link()
        assert home.processes()
        running.process.send_signal(number)
        assert running.end() == 1
        assert running.said.endswith(error("the sign-in was interrupted"))
    assert home.processes() == []


def test_a_host_that_is_not_there_is_told_at_once_and_no_cli_is_started(home: Home, tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{nobody.getsockname()[1]}"
        home.install(workspace_url=url)
        started = script(tmp_path / "cli" / "databricks", f"touch {tmp_path}/started")
        done = home.login(PATH=f"{started.parent}:/usr/bin:/bin")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == error(f"{url} cannot be reached (Connection refused). Check network, proxy and VPN")
    assert not (tmp_path / "started").exists()


def test_a_login_item_waits_for_the_network(home: Home) -> None:
    """The session of a laptop begins before its network does."""
    url = home.workspace.url
    home.workspace.stop()
    try:
        with home.start("--wait", "50") as running:
            time.sleep(1)
            assert running.process.poll() is None, running.said
            home.workspace.start()
            assert home.workspace.url == url
            assert running.end() == 0, running.said
    finally:
        if not home.workspace._process:
            home.workspace.start()


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ({"status": 404}, "offers no OAuth sign-in (HTTP 404). Check that it is the URL of a Databricks workspace"),
        ({"status": 500}, "answered with HTTP 500. Try again in a minute"),
        ({"status": 429, "retry_after": 7}, "answered with HTTP 429, retry after 7 s. Try again in a minute"),
    ],
)
def test_a_workspace_that_offers_no_sign_in_is_told_from_one_in_trouble(
    fault: dict[str, int], sentence: str, home: Home
) -> None:
    home.workspace.control(fail_next=[{"path_prefix": "/oidc/.well-known", "count": 9, **fault}])
    done = home.login()
    assert (done.returncode, done.stdout, done.stderr) == (1, "", error(f"{home.workspace.url} {sentence}"))


def test_a_token_endpoint_in_trouble_is_no_reason_to_sign_in(home: Home) -> None:
    assert home.login().returncode == 0
    home.workspace.control(expire_tokens=True, fail_next=[{"path_prefix": "/oidc/v1/token", "status": 500, "count": 9}])
    home.forget_token()
    done = home.login()
    assert (done.returncode, done.stdout) == (1, "")
    assert len(home.opened()) == 1


def test_a_sign_in_whose_token_the_workspace_refuses_is_no_success(home: Home) -> None:
    home.workspace.control(fail_next=[{"path_prefix": "/api/2.0/preview/scim", "status": 403, "count": 9}])
    done = home.login()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith(
        error(
            f"the sign-in worked, but {home.workspace.url} refuses its token. "
            f"Sign in as a user of this workspace: {home.config.front} login"
        )
    )


INSTALL = "Install the Databricks CLI, 0.205 or newer, then run: {front} login"


@pytest.mark.parametrize(
    ("cli", "status", "sentence"),
    [
        (None, 2, f"the Databricks CLI is not installed. {INSTALL}"),
        ("echo 'Version 0.18.0'", 2, f"{{cli}} is 0.18.0, which is too old to sign in. {INSTALL}"),
        ("echo 'panic: out of memory' >&2; exit 2", 1, f"{{cli}} does not work: panic: out of memory. {INSTALL}"),
        ("exit 127", 1, f"{{cli}} does not work: exit status 127. {INSTALL}"),
        ("not a shell", 2, f"{{cli}} cannot be started (Exec format error). {INSTALL}"),
    ],
    ids=["missing", "too old", "crashing", "broken", "of another machine"],
)  # fmt: skip
def test_a_cli_that_cannot_sign_in_is_told(
    cli: str | None, status: int, sentence: str, home: Home, tmp_path: Path
) -> None:
    path = tmp_path / "cli" / "databricks"
    if cli is not None:
        script(path, cli)
    if cli == "not a shell":
        path.write_bytes(b"\x7fELF of another machine")
    done = home.login(PATH=f"{path.parent}:/usr/bin:/bin")
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr == error(sentence.format(cli=path, front=home.config.front))


def test_an_exported_variable_sends_nobody_elsewhere(home: Home) -> None:
    done = home.login(
        DATABRICKS_HOST="https://elsewhere.example.com", DATABRICKS_CONFIG_PROFILE="other", DATABRICKS_TOKEN="x"
    )
    assert (done.returncode, done.stdout) == (0, signed_in(home)), done.stderr
    assert (home.home / ".databrickscfg").read_text().count("[fmapi]") == 1


# -- browsers --------------------------------------------------------------------------------------------------------


def test_a_browser_that_stays_in_the_foreground_holds_nothing_up(home: Home) -> None:
    browser = script(home.directory / "foreground", f'{shlex.quote(str(home.browser))} "$1"\nsleep 600')
    done = home.login(BROWSER=str(browser))
    assert (done.returncode, done.stdout) == (0, signed_in(home)), done.stderr


def test_a_browser_whose_path_holds_spaces_is_opened(home: Home) -> None:
    browser = script(home.directory / "My Browser" / "open it", f'exec {shlex.quote(str(home.browser))} "$@"')
    done = home.login(BROWSER=str(browser))
    assert (done.returncode, done.stdout) == (0, signed_in(home)), done.stderr


def test_a_browser_with_arguments_is_opened(home: Home) -> None:
    log = home.directory / "arguments"
    browser = script(
        home.directory / "b", f'echo "$1" >{shlex.quote(str(log))}\nexec {shlex.quote(str(home.browser))} "$2"'
    )
    done = home.login(BROWSER=f"{browser} --new-window")
    assert (done.returncode, done.stdout) == (0, signed_in(home)), done.stderr
    assert log.read_text() == "--new-window\n"


def visit(running: Running, home: Home) -> None:
    person.visit(running.link(), home.workspace.ca_file)


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        ([], {"BROWSER": "none"}),
        (["--no-browser"], {}),
        ([], {"BROWSER": ""}),
        ([], {"BROWSER": "", "SSH_CONNECTION": "10.0.0.1 5 10.0.0.2 22"}),
    ],
    ids=["none is wanted", "asked not to", "no desktop", "over ssh"],
)
def test_without_a_browser_the_link_and_the_way_back_are_shown(
    arguments: list[str], variables: dict[str, str], home: Home
) -> None:
    with home.start(*arguments, **variables) as running:
        visit(running, home)
        assert running.end() == 0
        assert running.said.endswith(signed_in(home))
        port = running.link().partition("redirect_uri=http%3A%2F%2Flocalhost%3A")[2].partition("&")[0]
        assert port.isdigit()
        assert f"\n  ssh -L {port}:localhost:{port} " in running.said
        assert f"@{socket.gethostname()}\n" in running.said
    assert home.opened() == []


def test_a_browser_that_fails_leaves_the_link(home: Home) -> None:
    with home.start(BROWSER="false") as running:
        running.until(lambda: "No browser could be opened: open the link yourself." in running.said)
        visit(running, home)
        assert running.end() == 0


# -- several at once -------------------------------------------------------------------------------------------------


def test_a_second_login_shows_the_link_of_the_first_and_asks_for_no_sign_in_of_its_own(home: Home) -> None:
    with home.start("--no-browser") as first, home.start("--no-browser") as second:
        links = {first.link(), second.link()}
        assert len(links) == 1
        assert "Another sign-in of this user waits already." in first.said + second.said
        person.visit(links.pop(), home.workspace.ca_file)
        assert (first.end(), second.end()) == (0, 0)
        outcomes = sorted(running.said.splitlines()[-1] + "\n" for running in (first, second))
        assert outcomes == sorted([signed_in(home), f"already {signed_in(home)}"])
    assert len(home.workspace.requests(AUTHORIZE)) == 1


def test_a_second_login_takes_over_when_the_first_is_given_up(home: Home) -> None:
    with home.start("--no-browser") as first:
        first.link()
        with home.start("--no-browser") as second:
            second.until(lambda: "Another sign-in" in second.said)
            old = second.link()
            first.process.send_signal(signal.SIGTERM)
            assert first.end() == 1
            second.until(lambda: len(home_links(second)) == 2)
            person.visit(home_links(second)[1], home.workspace.ca_file)
            assert second.end() == 0
            assert old != home_links(second)[1]


def home_links(running: Running) -> list[str]:
    return [line.strip() for line in running.said.splitlines() if line.startswith("  https://")]


def test_a_second_login_does_not_wait_for_ever_either(home: Home) -> None:
    with home.start("--no-browser") as first:
        first.link()
        second = home.login("--timeout", "1", "--no-browser")
    assert (second.returncode, second.stdout) == (1, "")
    assert second.stderr.endswith(error("another sign-in of this user still waits after 1 s. Try again later"))


def test_a_waiting_login_holds_up_no_agent(home: Home) -> None:
    with home.start("--no-browser") as running:
        running.link()
        told = home.run("token")
        assert (told.returncode, told.stdout) == (2, ""), "still the answer of one who is not signed in"
        assert f"{home.config.front} login" in told.stderr


def test_a_login_lets_a_running_refresh_end(home: Home) -> None:
    assert home.login().returncode == 0
    home.forget_token()
    home.workspace.clear()
    home.workspace.control(delay={"path_prefix": "/oidc/v1/token", "seconds": 5.5})
    refresh = threading.Thread(target=home.run, args=("token",))
    refresh.start()
    waiting: Callable[[], bool] = lambda: bool(home.workspace.requests("/oidc/v1/token"))  # noqa: E731
    while not waiting():
        time.sleep(0.02)
    done = home.login()
    refresh.join()
    assert (done.returncode, done.stdout) == (0, f"already {signed_in(home)}"), done.stderr
    assert len(home.workspace.requests("/oidc/v1/token")) == 1


# -- identities that need no person, other people's homes ------------------------------------------------------------


def test_who_needs_no_person_is_told_so(tmp_path: Path, workspace: Workspace, databricks_cli: Path) -> None:
    home = Home(tmp_path / "robot", workspace, databricks_cli, "service_principal")
    home.install(client_id=workspace.client_id)
    profile = home.home / ".databrickscfg"
    profile.write_text(
        f"[fmapi]\nhost={workspace.url}\nclient_id={workspace.client_id}\nclient_secret={workspace.client_secret}\n"
    )
    done = home.login()
    expected = f"nobody needs to sign in: identity service_principal is {workspace.client_id} at {workspace.url}\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, expected, "")
    assert home.login("--quiet").stdout == ""
    profile.write_text(f"[fmapi]\nhost={workspace.url}\n")
    Path(home.config.cache_file).unlink()
    done = home.login()
    assert done.returncode != 0
    assert done.stdout == "" and "client" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give directories away")
def test_nobody_signs_in_for_somebody_else(home: Home) -> None:
    os.chown(home.home, 65534, 65534)
    done = home.login()
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == error(f"{home.home} belongs to another user (uid 65534), who alone can sign in here")
    assert home.workspace.requests() == []


def test_a_keyring_that_is_asked_for_and_not_there_is_told(home: Home) -> None:
    done = home.login(DATABRICKS_AUTH_STORAGE="secure")
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        "the Databricks CLI cannot keep the sign-in (secure storage was requested but the OS keyring is not reachable"
        in done.stderr
    )
    assert done.stderr.endswith(
        f"Unlock the keyring, or to keep it in a file run: {home.config.front} login --store file\n"
    )


def test_an_older_cli_that_can_sign_in_will_do(home: Home, tmp_path: Path) -> None:
    fixtures.needs_the_stand_in()
    install(tmp_path / "old", knobs="old")
    done = home.login(PATH=f"{tmp_path / 'old'}:{home.variables['PATH']}")
    assert (done.returncode, done.stdout) == (0, signed_in(home)), done.stderr
