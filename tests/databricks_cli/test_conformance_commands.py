# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""README.md, "Other commands": one test for each line. With ``DATABRICKS_CLI=/path`` these run on another program."""

from __future__ import annotations

import json
import re
import socket

import pytest

from .conftest import Machine


@pytest.mark.parametrize("validate", [True, False], ids=["validated", "--skip-validate"])
def test_profiles(machine: Machine, validate: bool) -> None:
    machine.login()
    machine.workspace.clear()
    done = machine("auth", "profiles", "-o", "json", *([] if validate else ["--skip-validate"]))
    assert done.returncode == 0
    (profile,) = json.loads(done.stdout)["profiles"]
    wanted = {"name", "host", "account_id", "workspace_id", "cloud", "auth_type", "valid", "default"}
    assert wanted <= set(profile)
    assert (profile["name"], profile["host"], profile["default"]) == ("P", machine.workspace.url, True)
    assert profile["valid"] is validate
    assert bool(machine.workspace.requests("/api/")) is validate


def test_profiles_of_hosts_that_do_not_answer(machine: Machine) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        machine.write_config(f"[away]\nhost = https://127.0.0.1:{closed.getsockname()[1]}\ntoken = dapi0123\n")
        done = machine("auth", "profiles", "-o", "json")
    assert done.returncode == 0
    (profile,) = json.loads(done.stdout)["profiles"]
    assert (profile["name"], profile["valid"]) == ("away", False)
    assert done.stderr.startswith("Warn")


def test_describe_as_json(machine: Machine) -> None:
    machine.login()
    done = machine("auth", "describe", "-p", "P", "-o", "json")
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert (found["status"], found["username"]) == ("success", machine.workspace.user_name)
    details = found["details"]
    assert (details["auth_type"], details["host"]) == ("databricks-cli", machine.workspace.url)
    host = details["configuration"]["host"]
    assert host["value"] == machine.workspace.url
    assert {"type", "name"} <= set(host["source"])


def test_describe_as_text(machine: Machine) -> None:
    machine.login()
    done = machine("auth", "describe", "-p", "P")
    assert done.returncode == 0
    assert machine.workspace.user_name in done.stdout
    assert "plaintext" in done.stdout


@pytest.mark.parametrize("delete", [False, True], ids=["token", "profile"])
def test_logout(machine: Machine, delete: bool) -> None:
    machine.login()
    done = machine("auth", "logout", "-p", "P", "--auto-approve", *(["--delete"] if delete else []))
    assert done.returncode == 0, done.stderr
    assert ("P" in machine.profiles()) is not delete
    assert machine("auth", "token", "-p", "P").returncode == 1
    tokens = json.loads(machine.cache.read_text())["tokens"] if machine.cache.exists() else {}
    assert "P" not in tokens


def test_logout_without_approval(machine: Machine) -> None:
    machine.login()
    assert machine("auth", "logout", "-p", "P").returncode == 1
    assert machine.token("-p", "P")["access_token"]


def test_switch(machine: Machine) -> None:
    machine.write_config("[other]\nhost = https://other.example.com\ntoken = dapi0123\n")
    machine.login()
    assert "default_profile" not in machine.config.read_text()
    assert machine("auth", "switch", "-p", "P").returncode == 0
    assert machine.profiles()["__settings__"]["default_profile"] == "P"


def test_env_is_deprecated(machine: Machine) -> None:
    machine.login()
    done = machine("auth", "env", "--profile", "P")
    assert done.returncode == 0
    assert "deprecated" in done.stderr
    assert json.loads(done.stdout)["env"]["DATABRICKS_HOST"] == machine.workspace.url


def test_current_user_me(machine: Machine) -> None:
    machine.login()
    done = machine("current-user", "me", "-p", "P")
    assert done.returncode == 0
    assert json.loads(done.stdout)["userName"] == machine.workspace.user_name


def test_current_user_me_of_a_service_principal_and_of_a_pat(machine: Machine) -> None:
    """Every kind of profile but U2M, which has its own tests, gets its credential from the profile."""
    workspace = machine.workspace
    machine.write_config(
        f"[m2m]\nhost = {workspace.url}\nclient_id = {workspace.client_id}\nclient_secret = {workspace.client_secret}\n"
        f"[pat]\nhost = {workspace.url}\ntoken = {workspace.mint('user', 'pat')}\n"
    )
    for profile, name in (("m2m", workspace.client_id), ("pat", workspace.user_name)):
        done = machine("current-user", "me", "-p", profile)
        assert json.loads(done.stdout)["userName"] == name


def test_tokens_create(machine: Machine) -> None:
    machine.login()
    done = machine("tokens", "create", "--comment", "C", "--lifetime-seconds", "600", "-p", "P")
    assert done.returncode == 0
    answer = json.loads(done.stdout)
    assert answer["token_value"].startswith("dapi")
    assert set(answer["token_info"]) == {"comment", "creation_time", "expiry_time", "token_id"}
    assert answer["token_info"]["comment"] == "C"


def test_serving_endpoints_list(machine: Machine) -> None:
    machine.login()
    done = machine("serving-endpoints", "list", "-p", "P", "-o", "json")
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert isinstance(found, list)
    assert "databricks-claude-opus-4-6" in [endpoint["name"] for endpoint in found]


def test_an_api_call_that_is_refused(machine: Machine) -> None:
    machine.login()
    machine.workspace.control(expire_tokens=True)
    done = machine("current-user", "me", "-p", "P")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: ")


@pytest.mark.parametrize("argument", ["version", "--version"])
def test_version(machine: Machine, argument: str) -> None:
    done = machine(argument)
    assert (done.returncode, done.stdout) == (0, "Databricks CLI v1.13.0\n")


def test_user_agent(machine: Machine) -> None:
    machine.login()
    agents = {entry["user_agent"] for entry in machine.workspace.requests("/oidc/") if "cli/" in entry["user_agent"]}
    pattern = r"cli/1\.13\.0 databricks-sdk-go/0\.171\.0 go/1\.26\.8 os/linux cmd/auth_login"
    assert any(re.match(pattern, agent) for agent in agents), agents
