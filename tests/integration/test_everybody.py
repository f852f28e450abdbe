# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""All people of a real host, found by their numbers and shells: each has a home and a session of their own, none holds up the rest."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.control_node import ControlNode, Operator
from tests.hosts.dead_home import dead_home
from tests.hosts.podman import REPOSITORY, Fleet
from tests.hosts.tree import Manifest, differences
from tests.workspace.client import Workspace

PREFIX = "/opt/prefix"
PEOPLE = ("ada", "dev", "grace")
MAKE = """
set -e
for user in ada grace left kiosk; do useradd --create-home --shell /bin/bash $user; done
usermod --shell /usr/sbin/nologin kiosk
useradd --no-create-home --shell /bin/bash app
useradd --system --create-home --shell /bin/bash robot
"""
DATA = ".local/share/fmapi-coding-agents"


class Host(NamedTuple):
    """One host, on which Claude Code stands as far as files tell."""

    fleet: Fleet
    operator: Operator

    def run(self, script: str, user: str = "root") -> str:
        return self.fleet.run(self.fleet.hosts[0], ["sh", "-c", script], user=user).stdout.decode()

    def variables(self, **own: Any) -> dict[str, Any]:
        inventory = self.fleet.inventory()["all"]
        reached = {**inventory["vars"], **inventory["children"]["test_hosts"]["hosts"]["host01"]}
        given = {"home": None, "users": "all", "exclude_users": ["left"], "ca_file": f"{PREFIX}/ca.pem", **own}
        preflight = {"preflight_ca_file": self.operator.workspace.ca_file}
        ours = self.operator.variables(Path("/"), **given, **preflight)
        return {**reached, "ansible_connection": "ssh", "ansible_become": True, **ours}

    def homes(self) -> dict[str, Manifest]:
        """The homes of all accounts that tests made, by user. Read by root: nothing is left in them."""
        program = (REPOSITORY / "tests" / "hosts" / "tree.py").read_bytes()
        found = {}
        for user in (*PEOPLE, "left", "kiosk", "robot"):
            command = ["python3", "-I", "-", f"/home/{user}"]
            told = self.fleet.run(self.fleet.hosts[0], command, user="root", stdin=program)
            found[user] = json.loads(told.stdout)
        return found


@pytest.fixture(scope="module")
def host(
    start_fleet: Callable[..., Fleet], installed_cli: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Host]:
    fleet = start_fleet(1, internal=True)
    packed = subprocess.run(["tar", "-C", str(installed_cli), "-c", "."], stdout=subprocess.PIPE, check=True).stdout
    unpack = f"mkdir {PREFIX} && tar -C {PREFIX} -x && chmod -R a+rX {PREFIX}"
    fleet.run(fleet.hosts[0], ["sh", "-c", unpack], user="root", stdin=packed)
    with Workspace(tmp_path_factory.mktemp("workspace"), host=fleet.gateway) as workspace:
        authority = Path(workspace.ca_file).read_bytes()
        fleet.run(fleet.hosts[0], ["sh", "-c", f"cat >{PREFIX}/ca.pem"], user="root", stdin=authority)
        operator = Operator(ControlNode(tmp_path_factory.mktemp("everybody")), workspace, Path(PREFIX))
        made = Host(fleet, operator)
        made.run(MAKE)
        yield made


def test_everybody_of_a_host_gets_what_a_person_gets_and_gives_it_back(host: Host) -> None:
    before = host.homes()
    variables = host.variables()
    dry = host.operator.control.run("rollout", {"host01": variables}, "--check", "--diff").ok()
    assert [line for user in before for line in differences(before[user], host.homes()[user], times=True)] == []
    assert "user app is passed over: home /home/app: does not exist" in dry.told

    play = host.operator.control.run("rollout", {"host01": variables}).ok()
    (look,) = play.results("coding_agents_info")
    assert sorted(look["owners"]) == list(PEOPLE)
    after = host.homes()
    for user in ("left", "kiosk", "robot"):
        assert differences(before[user], after[user], times=True) == [], user
    tokens = {user: host.run(f"~/{DATA}/token-helper", user) for user in PEOPLE}
    assert all(len(token.strip()) > 20 for token in tokens.values()) and len(set(tokens.values())) == len(PEOPLE)
    assert host.operator.control.run("rollout", {"host01": variables}).ok().changed("host01") == 0

    host.run("usermod --shell /usr/sbin/nologin grace")
    host.operator.control.run("uninstall", {"host01": variables}).ok()
    now = host.homes()
    assert [line for user in before for line in differences(before[user], now[user])] == []


def test_a_dead_home_costs_one_wait_and_only_itself(host: Host) -> None:
    """As the run sees it that comes over ssh and by sudo: it ends, though the process that looked there cannot."""
    before = host.homes()
    host.run("useradd --shell /bin/bash --home-dir /mnt/home ghost && install -d -o ghost -g ghost /mnt/home")
    uid = int(host.run("id -u ghost"))
    container = host.fleet.process(host.fleet.hosts[0])
    variables = host.variables(exclude_users=["app", "left", "grace"])
    with dead_home("/mnt/home", uid, ["nsenter", "--target", str(container), "--mount"]):
        play = host.operator.control.run("rollout", {"host01": variables})
        waiting = host.run("ps -u ghost -o pid=").split()
    try:
        assert play.status != 0
        assert len(play.actions("host01")) > 1 and len(waiting) == 1, (
            "the run waits once, whatever it calls the host for"
        )
        assert play.message().splitlines()[0] == "1 of 3 users failed: ghost"
        assert "user ghost: home /mnt/home: does not answer within 10 seconds. Mount it again" in play.message()
        assert host.run("test -s ~/.claude/settings.json && echo there", "ada") == "there\n"
        assert host.run("ls -A /mnt/home") == ""
    finally:
        host.operator.control.run("uninstall", {"host01": variables}).ok()
    now = host.homes()
    assert [line for user in before for line in differences(before[user], now[user])] == []


def test_a_dead_home_holds_up_no_rollout_for_all_users_of_a_host(host: Host) -> None:
    """It has to know who has agents of their own. What looked into that home waits there, and nothing ends it."""
    host.run("install -d -o dev -g dev /mnt/gone && usermod --home /mnt/gone ghost")
    uid = int(host.run("id -u ghost"))
    container = host.fleet.process(host.fleet.hosts[0])
    own: dict[str, Any] = {"users": None, "exclude_users": None, "secret_group": "dev"}
    variables = host.variables(scope="machine", **own)
    with dead_home("/mnt/gone", uid, ["nsenter", "--target", str(container), "--mount"]):
        play = host.operator.control.run("rollout", {"host01": variables})
        waiting = host.run("ps -C python3 -o pid=").split()
    try:
        assert "user ghost: home /mnt/gone does not answer" in play.ok().told
        assert len(play.actions("host01")) > 1 and len(waiting) == 2, (
            "one for all homes, one for this home: in the first call only"
        )
        assert (
            host.run("test -s /etc/claude-code/managed-settings.d/50-fmapi-coding-agents.json && echo there")
            == "there\n"
        )
        assert host.operator.control.run("rollout", {"host01": variables}).ok().changed("host01") == 0
    finally:
        host.operator.control.run("uninstall", {"host01": variables}).ok()
