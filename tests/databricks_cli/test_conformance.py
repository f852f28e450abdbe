# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""README.md, "Sign-in", "``~/.databrickscfg``" and "Where tokens are": one test for each line.

With ``DATABRICKS_CLI=/path`` these run on another program.
"""

from __future__ import annotations

import json
import os
import re
import socket
import stat
import textwrap
import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from . import person
from .conftest import Machine
from .fixtures import LIMIT, needs_the_stand_in

#: Long enough to tell what hangs from what is slow in starting.
HANGS = 3.0


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


# -- Sign-in --------------------------------------------------------------------------------------------------------


def test_login_with_host_and_profile(machine: Machine) -> None:
    done = machine("auth", "login", "--host", machine.workspace.url, "--profile", "P")
    assert (done.returncode, done.stdout) == (0, "")
    assert "Profile P was successfully saved" in done.stderr
    paths = [entry["path"] for entry in machine.workspace.requests()]
    wanted = ["/.well-known/databricks-config", "/oidc/.well-known/oauth-authorization-server"]
    wanted += ["/oidc/v1/authorize", "/oidc/v1/token"]
    assert [path for path in dict.fromkeys(paths) if path in wanted] == wanted
    assert machine.token("-p", "P")["access_token"]


def test_login_asks_for_what_the_page_says(machine: Machine) -> None:
    machine.login()
    (url,) = machine.opened()
    assert url.startswith(f"{machine.workspace.url}/oidc/v1/authorize?")
    query = parse_qs(urlsplit(url).query)
    assert re.fullmatch(r"http://localhost:80[234]\d", query.pop("redirect_uri")[0])
    assert len(query.pop("code_challenge")[0]) == 43
    assert query.pop("state")
    assert query == {
        "client_id": ["databricks-cli"],
        "code_challenge_method": ["S256"],
        "response_type": ["code"],
        "scope": ["offline_access all-apis"],
    }


def test_login_takes_the_next_port(machine: Machine) -> None:
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        until = time.monotonic() + LIMIT
        while True:
            try:
                squatter.bind(("127.0.0.1", 8020))
                break
            except OSError:  # another test's sign-in has it, and will be done with it
                assert time.monotonic() < until
                time.sleep(0.1)
        squatter.listen()
        machine.login()
    port = urlsplit(parse_qs(urlsplit(machine.opened()[0]).query)["redirect_uri"][0]).port
    assert port is not None and port > 8020


def test_login_remembers_the_metadata_of_a_host(machine: Machine) -> None:
    machine.login()
    assert list((machine.home / ".cache" / "databricks").glob("*/host-metadata/*"))
    machine.workspace.clear()
    machine.login()
    assert machine.workspace.requests("/.well-known/databricks-config") == []


@pytest.mark.parametrize("arguments", [("-p", "P"), ("--profile", "P"), ("P",)], ids=" ".join)
def test_login_takes_the_host_of_the_profile(machine: Machine, arguments: tuple[str, ...]) -> None:
    machine.write_config(f"[P]\nhost = {machine.workspace.url}\n")
    done = machine("auth", "login", *arguments)
    assert done.returncode == 0, done.stderr
    assert "Profile P was successfully saved" in done.stderr
    assert machine.token("-p", "P")["access_token"]


def test_login_with_a_host_alone_writes_no_profile(machine: Machine) -> None:
    done = machine("auth", "login", "--host", machine.workspace.url)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert set(machine.profiles()) <= {"DEFAULT", "__settings__"}


def test_login_denied(machine: Machine) -> None:
    machine.workspace.control(deny_sign_in=True)
    done = machine("auth", "login", "--host", machine.workspace.url, "--profile", "P")
    assert done.returncode == 1
    assert "Error: authorize: access_denied: The user denied the request" in done.stderr
    assert "P" not in machine.profiles()


def test_login_timeout_does_not_bound_the_wait(machine: Machine) -> None:
    arguments = ["auth", "login", "--host", machine.workspace.url, "--profile", "P", "--timeout", "1s"]
    with machine.start(*arguments, BROWSER="none") as running:
        running.until(lambda: "/oidc/v1/authorize?" in running.stderr)
        assert running.still_runs_after(HANGS)


def test_login_on_a_dead_host_retries_in_silence(machine: Machine) -> None:
    with machine.start("auth", "login", "--host", f"http://127.0.0.1:{closed_port()}", "--profile", "P") as running:
        assert running.still_runs_after(HANGS)
        assert (running.stdout, running.stderr) == ("", "")


def test_login_takes_the_browser_for_one_word(machine: Machine) -> None:
    """A path with a space works; of a command with arguments there is no such program, so the link is shown."""
    spaced = machine.person / "My Browser"
    spaced.symlink_to(machine.browser)
    machine.login(BROWSER=str(spaced))
    assert len(machine.opened()) == 1
    arguments = ["auth", "login", "--host", machine.workspace.url, "--profile", "P"]
    with machine.start(*arguments, BROWSER=f"{machine.browser} --new-window") as running:
        running.until(lambda: "/oidc/v1/authorize?" in running.stdout)
        assert len(machine.opened()) == 1


def test_login_waits_for_the_browser(machine: Machine) -> None:
    """A browser that follows the redirect in the foreground waits for the CLI, which waits for it."""
    script = machine.person / "foreground"
    program = (
        f"import os, sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r});"
        " from tests.databricks_cli.person import visit; visit(sys.argv[1], os.environ['SSL_CERT_FILE'])"
    )
    script.write_text(f'#!/bin/sh\nexec {os.path.realpath("/proc/self/exe")} -c "{program}" "$1"\n')
    script.chmod(0o700)
    arguments = ["auth", "login", "--host", machine.workspace.url, "--profile", "P"]
    with machine.start(*arguments, BROWSER=str(script)) as running:
        running.until(lambda: machine.workspace.requests("/oidc/v1/authorize"))
        assert running.still_runs_after(HANGS)


def test_login_without_a_browser(machine: Machine) -> None:
    arguments = ["auth", "login", "--host", machine.workspace.url, "--profile", "P"]
    with machine.start(*arguments, BROWSER="none") as running:
        running.until(lambda: "/oidc/v1/authorize?" in running.stderr)
        first, url = running.stderr.splitlines()[:2]
        assert first == "Please complete authentication by opening this link in your browser:"
        person.visit(url, machine.workspace.ca_file)
        assert running.process.wait(60) == 0


@pytest.mark.parametrize("browser", ["", "false"], ids=["no opener", "the opener fails"])
def test_login_when_the_browser_does_not_open(machine: Machine, browser: str) -> None:
    arguments = ["auth", "login", "--host", machine.workspace.url, "--profile", "P"]
    path = "/usr/bin:/bin" if browser else str(machine.directory)
    with machine.start(*arguments, BROWSER=browser, PATH=path) as running:
        running.until(lambda: "/oidc/v1/authorize?" in running.stdout)
        first, url = running.stdout.splitlines()[:2]
        assert first == "Please continue the authentication process in your browser:"
        person.visit(url, machine.workspace.ca_file)
        assert running.process.wait(60) == 0
        assert "Profile P was successfully saved" in running.stderr


# -- ~/.databrickscfg -----------------------------------------------------------------------------------------------


def test_config_of_a_first_sign_in(machine: Machine) -> None:
    machine.login(DATABRICKS_AUTH_STORAGE="plaintext")
    assert mode(machine.config) == 0o600
    text = machine.config.read_text()
    assert text.startswith("; The profile defined in the DEFAULT section is to be used as a fallback when")
    assert "\n[DEFAULT]\n\n" in text
    assert machine.profiles()["__settings__"]["default_profile"] == "P"
    profile = machine.profiles()["P"]
    assert profile["host"] == machine.workspace.url
    assert profile["workspace_id"] == machine.workspace.workspace_id
    assert profile["account_id"]
    assert profile["auth_type"] == "databricks-cli"
    assert f"\nhost         = {machine.workspace.url}\n" in text  # aligned with account_id, workspace_id


def test_config_without_a_keyring_pins_the_file(machine: Machine) -> None:
    """On a machine without one, as the stand-in is and as the measured one was."""
    machine.login()
    assert "\nauth_storage    = plaintext\ndefault_profile = P\n" in machine.config.read_text()


def test_config_is_rewritten_as_a_whole(machine: Machine) -> None:
    before = textwrap.dedent(f"""\
        # mine
        [other]
        host=https://other.example.com ; the old one
        token = dapi0123
        [P]
        # ours
        host={machine.workspace.url}
        """)
    machine.write_config(before)
    machine.login(DATABRICKS_AUTH_STORAGE="plaintext")
    lines = machine.config.read_text().splitlines()
    assert lines[lines.index("[other]") - 1] == "# mine"
    assert "host  = https://other.example.com" in lines
    assert lines[lines.index("host  = https://other.example.com") - 1] == "; the old one"
    assert "token = dapi0123" in lines
    assert lines[lines.index("[P]") - 1] == ""
    assert lines[lines.index("[P]") + 1] == "# ours"
    assert "default_profile" not in machine.config.read_text()
    backup = machine.config.with_name(".databrickscfg.bak").read_text()
    assert "token = dapi0123" in backup, "whatever secret the file held"
    assert backup != before, "a sign-in writes the file more than once: this is a state in between"


def test_config_profile_with_a_host_alone_is_completed(machine: Machine) -> None:
    machine.write_config(f"[P]\nhost = {machine.workspace.url}\n")
    assert machine("auth", "login", "-p", "P").returncode == 0
    assert set(machine.profiles()["P"]) == {"host", "account_id", "workspace_id", "auth_type"}


# -- Where tokens are -----------------------------------------------------------------------------------------------


def test_store_plaintext(machine: Machine) -> None:
    machine.login(DATABRICKS_AUTH_STORAGE="plaintext")
    assert (mode(machine.cache), mode(machine.cache.parent)) == (0o600, 0o700)
    document = json.loads(machine.cache.read_text())
    assert document["version"] == 1
    assert set(document["tokens"]) == {"P", machine.workspace.url}
    assert document["tokens"]["P"] == document["tokens"][machine.workspace.url]
    token = document["tokens"]["P"]
    assert {"access_token", "token_type", "refresh_token", "expiry", "expires_in"} <= set(token)
    assert token["token_type"] == "Bearer"
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}(Z|[+-]\d\d:\d\d)$", token["expiry"])


@pytest.mark.parametrize("how", ["environment", "settings"])
def test_store_secure_by_name_without_a_keyring(machine: Machine, how: str) -> None:
    more: dict[str, str] = {}
    if how == "environment":
        more["DATABRICKS_AUTH_STORAGE"] = "secure"
    else:
        machine.write_config("[__settings__]\nauth_storage = secure\n")
    done = machine("auth", "login", "--host", machine.workspace.url, "--profile", "P", **more)
    assert done.returncode == 1
    assert "Error: secure storage was requested but the OS keyring is not reachable: " in done.stderr
    assert machine.opened() == []


def test_store_secure(machine: Machine, tmp_path: Path) -> None:
    needs_the_stand_in()
    ring = tmp_path / "keyring"
    more = {"STANDIN_DATABRICKS_CLI": f"keyring={ring}"}
    machine.login(**more)
    assert set(json.loads(ring.read_text())["tokens"]) == {"P"}
    assert not machine.cache.exists()
    assert machine.profiles()["__settings__"]["auth_storage"] == "secure", "from now on"
    assert machine.token("-p", "P", **more)["access_token"]


def test_store_secure_is_pinned_so_that_nothing_falls_back(machine: Machine, tmp_path: Path) -> None:
    """Signed in on a desktop with a keyring, then over ssh: neither a token nor a new sign-in."""
    needs_the_stand_in()
    machine.login(STANDIN_DATABRICKS_CLI=f"keyring={tmp_path / 'keyring'}")
    done = machine("auth", "token", "-p", "P")
    assert done.returncode == 1 and "Error: cache: OS keyring unreachable: " in done.stderr
    done = machine("auth", "login", "--host", machine.workspace.url, "--profile", "P")
    assert done.returncode == 1
    assert "Error: secure storage was requested but the OS keyring is not reachable: " in done.stderr


def test_store_with_nothing_pinned_and_no_keyring_is_the_file(machine: Machine) -> None:
    machine.login()
    text = machine.config.read_text()
    assert "auth_storage" in text
    machine.write_config("\n".join(line for line in text.splitlines() if "auth_storage" not in line) + "\n")
    assert machine.token("-p", "P")["access_token"]


def test_store_of_an_older_cli(machine: Machine, tmp_path: Path) -> None:
    needs_the_stand_in()
    machine.login(DATABRICKS_AUTH_STORAGE="plaintext")
    more = {"STANDIN_DATABRICKS_CLI": f"keyring={tmp_path / 'keyring'}", "DATABRICKS_AUTH_STORAGE": "secure"}
    done = machine("auth", "token", "-p", "P", **more)
    assert done.returncode == 1
    assert "stored credentials from older CLI versions are no longer used; run 'databricks auth login'" in done.stderr
