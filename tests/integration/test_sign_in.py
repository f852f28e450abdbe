# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook ``sign_in``, the login item and the sign-out, as operators and people meet them."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import re
import signal
import subprocess
import time
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest

from tests import homes
from tests.control_node import Operator, Play
from tests.databricks_cli import fixtures, person
from tests.databricks_cli.fixtures import databricks_cli
from tests.hosts.tree import differences, manifest

__all__ = ["databricks_cli"]

USER = pwd.getpwuid(os.geteuid()).pw_name
FRONT = ".local/share/fmapi-coding-agents/coding-agents"
ENTRY = ".config/autostart/fmapi-coding-agents-login.desktop"


class Laptop:
    """A person's own machine: control node and host in one, with the Databricks CLI and a browser."""

    def __init__(self, operator: Operator, directory: Path, cli: Path) -> None:
        self.operator = operator
        self.home = homes.bare(directory / "home")
        self.directory = directory
        variables = fixtures.environment(self.home, cli, operator.workspace.ca_file)
        self.environment = {
            "PATH": os.pathsep.join([str(operator.control.programs), variables["PATH"]]),
            "BROWSER": str(person.browser(directory)),
            "DBUS_SESSION_BUS_ADDRESS": variables["DBUS_SESSION_BUS_ADDRESS"],
            "SSL_CERT_FILE": operator.workspace.ca_file,
        }

    def play(self, playbook: str, *options: str, environment: dict[str, str] | None = None, **own: Any) -> Play:
        values = self.operator.variables(self.home, **{"identity": "user", **own})
        host = {name: value for name, value in values.items() if name != "coding_agents_client_secret"}
        return self.operator.control.run(
            playbook, {"laptop": host}, *options, environment={**self.environment, **(environment or {})}
        )


@pytest.fixture
def laptop(operator: Operator, tmp_path: Path, databricks_cli: Path) -> Laptop:
    return Laptop(operator, tmp_path, databricks_cli)


def states(play: Play) -> list[str]:
    return [entry["state"] for result in play.results("sign_in") for entry in result["sign_ins"]]


def test_on_one_s_own_machine_the_playbook_signs_in_and_shows_the_link(laptop: Laptop) -> None:
    workspace = laptop.operator.workspace
    before = laptop.play("sign_in").ok()
    assert states(before) == ["not_set_up"]
    nothing = "nothing is rolled out here: run the playbook rollout first"
    assert f"Cannot sign in yet ({nothing}): {USER} on laptop" in before.told

    laptop.play("rollout").ok()
    dry = laptop.play("sign_in", "--check").ok()
    assert states(dry) == ["unknown"]
    assert re.search(rf"May have to sign in \([^)]+\): {USER} on laptop -> {laptop.home}/{FRONT} login ok:", dry.told)
    assert "Has to sign in" not in dry.output
    assert person.opened(laptop.directory) == []

    done = laptop.play("sign_in").ok()
    assert states(done) == ["signed_in"]
    (link,) = person.opened(laptop.directory)
    assert f"laptop:   {link}\n" in done.output
    assert f"laptop: signed in as {workspace.user_name} to {workspace.url}\n" in done.output
    assert f"Signed in (signed in as {workspace.user_name} to {workspace.url}): {USER} on laptop" in done.told
    assert "to sign in" not in " ".join(done.report())
    assert done.changed("laptop") == 1

    again = laptop.play("sign_in").ok()
    assert (states(again), again.changed("laptop")) == (["signed_in"], 0)
    assert f"Signed in (a token can be had): {USER} on laptop" in again.told
    assert len(person.opened(laptop.directory)) == 1


def test_a_sign_in_that_was_tried_and_denied_fails_with_the_reason(laptop: Laptop) -> None:
    laptop.play("rollout").ok()
    laptop.operator.workspace.control(deny_sign_in=True)
    denied = laptop.play("sign_in")
    assert denied.status != 0
    assert "the sign-in was denied" in denied.message()
    assert f"{laptop.home}/{FRONT} login" in denied.message()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_play_leaves_nothing_running(number: signal.Signals, laptop: Laptop, tmp_path: Path) -> None:
    laptop.play("rollout").ok()
    inventory = tmp_path / "inventory.json"
    host = {"ansible_connection": "local", "coding_agents_home": str(laptop.home)}
    inventory.write_text(json.dumps({"all": {"hosts": {"laptop": host}}}))
    control = laptop.operator.control
    with (tmp_path / "said").open("wb") as said:
        playing = subprocess.Popen(
            [str(control.programs / "ansible-playbook"), "-i", str(inventory), "fmapi.coding_agents.sign_in"],
            env=control.environment({**laptop.environment, "BROWSER": "true"}),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    until = time.monotonic() + 60
    while "Waiting up to 300 s." not in (tmp_path / "said").read_text():
        assert time.monotonic() < until, (tmp_path / "said").read_text()
        time.sleep(0.05)
    assert _running(laptop.home)
    os.killpg(playing.pid, number)
    assert playing.wait(60) != 0
    while _running(laptop.home):
        assert time.monotonic() < until + 60
        time.sleep(0.05)


def _running(home: Path) -> list[str]:
    """Command lines of sign-ins in this home that still run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            command = path.read_bytes()
            if b"login" in command and (os.fsencode(home) in command or f"HOME={home}".encode() in _environment(path)):
                found.append(command.replace(b"\0", b" ").decode())
    return found


def _environment(cmdline: Path) -> list[bytes]:
    return (cmdline.parent / "environ").read_bytes().split(b"\0")


def test_a_host_without_a_person_is_said_to_need_nobody(laptop: Laptop) -> None:
    values = laptop.operator.variables(laptop.home)
    laptop.operator.control.run("rollout", {"robot": values}).ok()
    play = laptop.operator.control.run("sign_in", {"robot": {"coding_agents_home": str(laptop.home)}}).ok()
    assert states(play) == ["no_person_needed"]
    assert f"Nobody needs to sign in (identity service_principal): {USER} on robot" in play.told


def test_a_session_s_login_item_comes_with_the_rollout_and_goes_with_it(laptop: Laptop) -> None:
    before = manifest(str(laptop.home))
    play = laptop.play("rollout", login_at_start=True).ok()
    entry = laptop.home / ENTRY
    assert f'Exec="{laptop.home}/{FRONT}" "login" "--quiet" "--wait" "120"\n' in entry.read_text()
    assert any(ENTRY in change for result in play.results("coding_agents") for change in result["changes"])
    assert laptop.play("rollout", login_at_start=True).ok().changed("laptop") == 0
    assert laptop.play("doctor", "--check", login_at_start=True).ok()

    laptop.play("rollout", login_at_start=False).ok()
    assert not entry.exists() and not (laptop.home / ".config").exists()
    laptop.play("rollout", login_at_start=True).ok()
    robot = laptop.operator.variables(laptop.home, login_at_start=True)
    laptop.operator.control.run("rollout", {"laptop": robot}).ok()
    assert not entry.exists(), "nobody signs in for a service principal"

    laptop.play("rollout", login_at_start=True).ok()
    laptop.operator.uninstall(laptop.home).ok()
    left = differences(before, manifest(str(laptop.home)))
    the_cli_s = re.compile(r"\.cache/databricks|\.cache \(directory\)|\.databricks[ /]|changed: \. ")
    assert [line for line in left if not the_cli_s.search(line)] == [], "but for what the Databricks CLI leaves"


def _tokens_at_the_cli(laptop: Laptop) -> bool:
    store = laptop.home / ".databricks" / "token-cache.json"
    return "fmapi-coding-agents" in store.read_text()


def _profiles(home: Path) -> list[str]:
    found = ConfigParser()
    found.read(home / ".databrickscfg")
    return found.sections()


def test_uninstalling_signs_out_when_it_is_asked_to(laptop: Laptop) -> None:
    laptop.play("rollout").ok()
    laptop.play("sign_in").ok()
    assert _tokens_at_the_cli(laptop)
    dry = laptop.play("uninstall", "--check", sign_out=True).ok()
    assert _tokens_at_the_cli(laptop)
    assert "profile fmapi-coding-agents: signed out" in dry.results("coding_agents")[0]["changes"]
    play = laptop.play("uninstall", sign_out=True).ok()
    assert "profile fmapi-coding-agents: signed out" in play.results("coding_agents")[0]["changes"]
    assert not _tokens_at_the_cli(laptop)
    assert "fmapi-coding-agents" not in _profiles(laptop.home)
    assert laptop.play("uninstall", sign_out=True).ok().changed("laptop") == 0


def test_uninstalling_leaves_the_sign_in_unless_asked_and_a_failing_sign_out_stops_nothing(
    laptop: Laptop, tmp_path: Path
) -> None:
    laptop.play("rollout").ok()
    laptop.play("sign_in").ok()
    laptop.play("uninstall").ok()
    assert _tokens_at_the_cli(laptop)

    laptop.play("rollout").ok()
    broken = tmp_path / "broken"
    broken.mkdir()
    version = "[ $# -eq 1 ] && echo 'Databricks CLI v1.13.0' && exit"
    (broken / "databricks").write_text(f"#!/bin/sh\n{version}\necho 'Error: no way' >&2\nexit 1\n")
    (broken / "databricks").chmod(0o755)
    path = os.pathsep.join([str(laptop.operator.control.programs), str(broken), "/usr/bin", "/bin"])
    play = laptop.play("uninstall", sign_out=True, environment={"PATH": path}).ok()
    assert "Warning: ~: profile fmapi-coding-agents could not be signed out (Error: no way)" in play.told
    assert "fmapi-coding-agents" not in _profiles(laptop.home)
