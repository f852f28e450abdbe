# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""README.md, "Token": one test for each line. With ``DATABRICKS_CLI=/path`` these run on another program."""

from __future__ import annotations

import json
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from .conftest import Machine
from .fixtures import needs_the_stand_in

#: The program may use either quote.
NO_CREDENTIALS = re.compile(
    r"Error: cache: databricks OAuth is not configured for this host\. "
    r"no cached credentials; run ['`]databricks auth login['`] to sign in"
)
INVALID = [
    "Error: A new access token could not be retrieved because the refresh token is invalid."
    " To reauthenticate, run the following command:",
    "  $ databricks auth login --profile P",
]
#: Seconds; not valid any more when it arrives, because Go counts the last ten seconds out.
DEAD_ON_ARRIVAL = 2


def refreshes(machine: Machine) -> int:
    return sum(entry.get("grant") == "refresh_token" for entry in machine.workspace.requests("/oidc/v1/token"))


@pytest.mark.parametrize("arguments", [(), ("-o", "json"), ("--output", "json")], ids=["default", "-o", "--output"])
def test_token_as_json(machine: Machine, arguments: tuple[str, ...]) -> None:
    machine.login()
    done = machine("auth", "token", "-p", "P", *arguments)
    assert done.returncode == 0
    assert done.stdout.startswith('{\n  "access_token": "')
    assert done.stdout.endswith("}")
    token = json.loads(done.stdout)
    assert set(token) == {"access_token", "token_type", "expiry", "expires_in"}
    assert token["token_type"] == "Bearer"


def test_token_as_text(machine: Machine) -> None:
    machine.login()
    done = machine("auth", "token", "-p", "P", "-o", "text")
    assert (done.returncode, done.stdout) == (0, machine.token("-p", "P")["access_token"] + "\n")


def test_token_that_is_good_needs_no_network(machine: Machine) -> None:
    machine.login()
    machine.workspace.clear()
    machine.token("-p", "P")
    assert machine.workspace.requests() == []


@pytest.mark.parametrize("way", ["host", "variable", "nothing"])
def test_token_without_a_named_profile(machine: Machine, way: str) -> None:
    machine.login()
    wanted = machine.token("-p", "P")
    if way == "host":
        assert machine.token("--host", machine.workspace.url) == wanted
    elif way == "variable":
        assert machine.token(DATABRICKS_CONFIG_PROFILE="P") == wanted
    else:
        assert machine.token() == wanted


def test_token_profile_wins_over_the_environment(machine: Machine) -> None:
    machine.login()
    wanted = machine.token("-p", "P")
    exported = {"DATABRICKS_TOKEN": "dapi0123", "DATABRICKS_HOST": "https://other.example.com"}
    assert machine.token("-p", "P", **exported) == wanted


def test_token_unknown_profile(machine: Machine) -> None:
    machine.login()
    done = machine("auth", "token", "-p", "nobody")
    assert (done.returncode, done.stdout) == (1, "")
    message = "Error: the command is being run in a non-interactive environment, please specify a host using --host"
    assert message in done.stderr


def test_token_unknown_word(machine: Machine) -> None:
    machine.login()
    done = machine("auth", "token", "nobody")
    assert done.returncode == 1
    assert 'Error: no matching profile found: "nobody"' in done.stderr


@pytest.mark.parametrize("more", ["", "token = dapi0123\n"], ids=["not signed in", "PAT"])
def test_token_without_sign_in(machine: Machine, more: str) -> None:
    machine.write_config(f"[P]\nhost = {machine.workspace.url}\n{more}")
    done = machine("auth", "token", "-p", "P", DATABRICKS_AUTH_STORAGE="plaintext")
    assert (done.returncode, done.stdout) == (1, "")
    assert NO_CREDENTIALS.search(done.stderr)


def test_token_without_sign_in_leaves_files_behind(machine: Machine) -> None:
    machine.write_config(f"[P]\nhost = {machine.workspace.url}\n")
    assert machine("auth", "token", "-p", "P", DATABRICKS_AUTH_STORAGE="plaintext").returncode == 1
    assert list((machine.home / ".cache" / "databricks").glob("*/host-metadata*/*"))
    assert not json.loads(machine.cache.read_text()).get("tokens")


def test_token_of_a_service_principal(machine: Machine) -> None:
    workspace = machine.workspace
    machine.write_config(
        f"[m2m]\nhost = {workspace.url}\nclient_id = {workspace.client_id}\nclient_secret = {workspace.client_secret}\n"
    )
    done = machine("auth", "token", "-p", "m2m", DATABRICKS_AUTH_STORAGE="plaintext")
    assert (done.returncode, done.stdout) == (1, "")
    assert 'Error: profile "m2m" uses M2M authentication (client_id/client_secret). ' in done.stderr
    assert re.search(r"['`]databricks auth token['`] only supports U2M", done.stderr)
    assert workspace.client_secret not in done.stderr


def test_token_with_a_revoked_sign_in_lives_on(machine: Machine) -> None:
    machine.workspace.control(token_lifetime=240)
    machine.login()
    wanted = machine.token("-p", "P")["access_token"]
    machine.workspace.control(revoke_sign_ins=True)
    machine.workspace.clear()
    done = machine("auth", "token", "-p", "P", "-o", "text")
    assert (done.returncode, done.stdout, done.stderr) == (0, wanted + "\n", "")
    assert refreshes(machine) == 1


def test_token_with_a_revoked_sign_in_ends(machine: Machine) -> None:
    machine.workspace.control(token_lifetime=DEAD_ON_ARRIVAL)
    machine.login()
    machine.workspace.control(revoke_sign_ins=True)
    done = machine("auth", "token", "-p", "P")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[:2] == INVALID


@pytest.mark.parametrize("status", [429, 500])
def test_token_endpoint_fails(machine: Machine, status: int) -> None:
    machine.login()
    machine.workspace.clear()
    machine.workspace.control(fail_next={"path_prefix": "/oidc/v1/token", "status": status, "retry_after": 3})
    done = machine("auth", "token", "-p", "P", "--force-refresh")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Error: forced token refresh:  (error code: ). Try logging in again with " in done.stderr
    assert len(machine.workspace.requests("/oidc/v1/token")) == 1


def test_token_endpoint_fails_for_an_expired_token(machine: Machine) -> None:
    machine.workspace.control(token_lifetime=DEAD_ON_ARRIVAL)
    machine.login()
    machine.workspace.clear()
    machine.workspace.control(fail_next={"path_prefix": "/oidc/v1/token", "status": 500})
    done = machine("auth", "token", "-p", "P")
    assert (done.returncode, done.stdout) == (1, "")
    assert re.search(r"Error: (forced )?token refresh:  \(error code: \)\. Try logging in again with ", done.stderr)
    assert len(machine.workspace.requests("/oidc/v1/token")) == 1
    assert machine("auth", "token", "-p", "P").returncode == 0


def test_token_force_refresh(machine: Machine) -> None:
    machine.login()
    before = machine.token("-p", "P")["access_token"]
    machine.workspace.clear()
    after = machine.token("-p", "P", "--force-refresh")["access_token"]
    assert refreshes(machine) == 1
    assert after != before
    assert machine.token("-p", "P")["access_token"] == after


@pytest.mark.parametrize("command", ["token", "token --force-refresh"])
def test_token_without_the_wanted_keyring(machine: Machine, command: str) -> None:
    machine.login(DATABRICKS_AUTH_STORAGE="plaintext")
    done = machine("auth", *command.split(), "-p", "P", DATABRICKS_AUTH_STORAGE="secure")
    assert (done.returncode, done.stdout) == (1, "")
    message = r"Error: cache: OS keyring unreachable: .*\(set DATABRICKS_AUTH_STORAGE=plaintext or "
    assert re.search(message, done.stderr)


@pytest.mark.parametrize(("lifetime", "calls"), [(240, 3), (360, 0)], ids=["4 minutes", "6 minutes"])
def test_token_is_refreshed_in_its_last_five_minutes(machine: Machine, lifetime: int, calls: int) -> None:
    """At every one of three calls, or at none; each with the refresh token that the one before has left."""
    machine.workspace.control(token_lifetime=lifetime)
    machine.login()
    seen = {machine.token("-p", "P")["access_token"] for _call in range(3)}
    assert refreshes(machine) == calls
    assert len(seen) == max(calls, 1)


def test_token_life_is_as_it_was_issued(machine: Machine) -> None:
    """``expires_in`` says nothing of what is left: only ``expiry`` does."""
    needs_the_stand_in()  # the measurement does not tell; it is how Go's oauth2 package stores a token
    machine.login(DATABRICKS_AUTH_STORAGE="plaintext")
    document = json.loads(machine.cache.read_text())
    document["tokens"]["P"]["expiry"] = "2100-01-01T00:00:00.123456789+02:00"
    machine.cache.write_text(json.dumps(document))
    token = machine.token("-p", "P", DATABRICKS_AUTH_STORAGE="plaintext")
    assert (token["expiry"], token["expires_in"]) == ("2100-01-01T00:00:00.123456789+02:00", 3600)


def test_token_has_no_lock(machine: Machine) -> None:
    """Ten calls at the moment of expiry: ten requests, one token, nine false alarms; and afterwards all is well."""
    machine.workspace.control(token_lifetime=DEAD_ON_ARRIVAL, reuse_revokes=False)
    machine.login()
    # The answers wait until the last of the ten has read the old token.
    machine.workspace.control(token_lifetime=3600, delay={"path_prefix": "/oidc/v1/token", "seconds": 5})

    def call(_number: int) -> subprocess.CompletedProcess[str]:
        return machine("auth", "token", "-p", "P", "-o", "text")

    machine.workspace.clear()
    with ThreadPoolExecutor(10) as pool:
        done = list(pool.map(call, range(10)))
    assert refreshes(machine) == 10
    assert sorted(one.returncode for one in done) == [0] + [1] * 9
    for one in done:
        assert one.returncode == 0 or one.stderr.splitlines()[:2] == INVALID
    machine.workspace.control(delay=None)
    assert machine("auth", "token", "-p", "P").returncode == 0


# -- faults that only the stand-in has ------------------------------------------------------------------------------


def test_knob_old(machine: Machine) -> None:
    needs_the_stand_in()
    machine.login()
    done = machine("auth", "token", "-p", "P", "--force-refresh", STANDIN_DATABRICKS_CLI="old")
    assert (done.returncode, done.stdout) == (1, "")
    assert "Error: unknown flag: --force-refresh" in done.stderr
    assert machine.token("-p", "P", STANDIN_DATABRICKS_CLI="old")


def test_knob_crash(machine: Machine) -> None:
    needs_the_stand_in()
    done = machine("auth", "token", "-p", "P", STANDIN_DATABRICKS_CLI="crash")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("panic: ")


def test_knob_slow(machine: Machine) -> None:
    needs_the_stand_in()
    with machine.start("version", STANDIN_DATABRICKS_CLI="slow=600") as running:
        assert running.still_runs_after(2)


def test_knob_of_a_copy(machine: Machine, tmp_path: Path) -> None:
    needs_the_stand_in()
    from . import install

    machine.directory = tmp_path / "a bin"
    install(machine.directory, knobs="crash")
    assert machine("version").returncode == 2
    assert machine("version", STANDIN_DATABRICKS_CLI="").returncode == 0
