# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Agents for all users of a host: rolled out once by root, on a real host over ssh. Who is made after the rollout signs in once, types
an agent's bare name, and is answered with a token of their own.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils.agents import AGENTS
from tests.agents.conftest import installed
from tests.agents.prompts import PROMPTS, asked
from tests.control_node import REPOSITORY, ControlNode, Play
from tests.hosts.podman import Fleet
from tests.hosts.tree import Manifest, differences
from tests.workspace.client import Workspace

REACHED = tuple(name for name, agent in AGENTS.items() if not agent.no_machine_scope)
TREES = ("/etc", "/opt", "/usr/local", "/var/lib", "/var/cache", "/root", "/home")
FRONT = "/opt/fmapi-coding-agents/coding-agents"
HELPER = "/opt/fmapi-coding-agents/token-helper"
LEDGER = "/var/lib/fmapi-coding-agents/ledger.json"
MANAGED = "/etc/claude-code/managed-settings.d/50-fmapi-coding-agents.json"

_PREPARE = """\
set -eu
mkdir /run/person
printf '#!/bin/sh\\nexport SSL_CERT_FILE=/opt/fmapi-coding-agents/ca.pem\\n' >/run/person/browser
echo 'exec python3 -I -S /repository/tests/databricks_cli/person.py /dev/null "$@"' >>/run/person/browser
python3 -B -c 'import sys; sys.path.insert(0, "/repository"); import tests.databricks_cli as cli; \
cli.install("/usr/local/bin", "/usr/bin/python3", root="/repository")'
chmod 0755 /run/person/browser
groupadd agents
useradd --create-home --shell /bin/bash early
"""


@dataclass
class Machine:
    """A host with the agents' programs, and a workspace that it reaches."""

    fleet: Fleet
    workspace: Workspace
    control: ControlNode
    plays: dict[str, Play] = field(default_factory=dict)
    trees: dict[str, dict[str, Manifest]] = field(default_factory=dict)

    def root(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
        return self.fleet.run(self.fleet.hosts[0], command, user="root", check=check)

    def typed(self, user: str, line: str) -> subprocess.CompletedProcess[bytes]:
        """What a person types into their login shell."""
        return self.root("runuser", "-l", user, "-c", f"timeout 60 {line} </dev/null", check=False)

    def sign_in(self, user: str) -> None:
        done = self.typed(user, f"env BROWSER=/run/person/browser {FRONT} login --store file")
        assert done.returncode == 0, done.stderr

    def play(self, name: str, playbook: str, *options: str, become: bool = True, **own: Any) -> Play:
        (host,) = self.fleet.hosts
        values = {
            "workspace_url": self.workspace.url,
            "ca_file": self.workspace.ca_file,
            "scope": "machine",
            "preflight": False,
            "routing": "gateway",
            **own,
        }
        variables = {
            **self.fleet.inventory()["all"]["vars"],
            "ansible_connection": "ssh",
            "ansible_host": host.address,
            "ansible_become": become,
            **{f"coding_agents_{key}": value for key, value in values.items() if value is not None},
        }
        self.plays[name] = self.control.run(playbook, {host.name: variables}, *options)
        self.trees[name] = self.tree()
        return self.plays[name]

    def tree(self) -> dict[str, Manifest]:
        """How the host looks; not what ssh, sudo and Ansible leave in the home of who logs in."""
        script = (REPOSITORY / "tests" / "hosts" / "tree.py").read_bytes()
        found = {}
        for place in TREES:
            done = self.fleet.run(self.fleet.hosts[0], ["python3", "-I", "-", place], user="root", stdin=script)
            found[place] = {
                path: entry for path, entry in json.loads(done.stdout).items() if not path.startswith(("dev/", "sudo"))
            }
        return found

    def since(self, before: str, after: str, times: bool = False) -> dict[str, list[str]]:
        changed = {
            place: differences(self.trees[before][place], self.trees[after][place], times=times) for place in TREES
        }
        return {place: lines for place, lines in changed.items() if lines}


@pytest.fixture(scope="module")
def bare(start_fleet: Callable[..., Fleet], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """One host on which nothing is rolled out, with the programs of all agents that have a machine scope."""
    folder = tmp_path_factory.mktemp("machine")
    prefixes = {name: installed(AGENTS[name].pinned_version, tmp_path_factory, name) for name in REACHED}
    mounts = [f"{prefix}:/agents/{name}:ro" for name, prefix in prefixes.items()]
    fleet = start_fleet(1, internal=True, mounts=[*mounts, f"{REPOSITORY}/tests:/repository/tests:ro"])
    with Workspace(folder / "workspace", host=fleet.gateway) as workspace:
        machine = Machine(fleet, workspace, ControlNode(folder))
        machine.root("sh", "-c", _PREPARE)
        for name, prefix in prefixes.items():
            command = AGENTS[name].command
            program = (prefix / "bin" / command).resolve(strict=False)
            inside = Path("/agents") / name / (prefix / "bin" / command).readlink().relative_to(prefix)
            assert program.exists()
            machine.root("ln", "-s", str(inside), f"/usr/local/bin/{command}")
        yield machine


@pytest.fixture(scope="module")
def machine(bare: Machine) -> Machine:
    """The same after a dry run, a rollout, another one; then ``late`` is made and signs in."""
    bare.play("warm", "rollout", "--check", agents=[*REACHED])  # what ssh and sudo leave at first
    bare.play("dry", "rollout", "--check", "--diff", agents=[*REACHED])
    bare.play("rollout", "rollout", agents=[*REACHED]).ok()
    bare.play("again", "rollout", agents=[*REACHED]).ok()
    bare.root("useradd", "--create-home", "--shell", "/bin/bash", "late")
    bare.sign_in("late")
    return bare


def test_a_dry_run_changes_nothing_on_the_host(machine: Machine) -> None:
    assert machine.plays["dry"].ok().changed(machine.fleet.hosts[0].name) > 0
    assert machine.since("warm", "dry", times=True) == {}


def test_a_second_run_is_silent_and_one_call(machine: Machine) -> None:
    host = machine.fleet.hosts[0].name
    assert machine.plays["again"].changed(host) == 0
    assert machine.plays["again"].actions(host) == ["coding_agents_info"]
    assert machine.since("rollout", "again", times=True) == {}


def test_nothing_is_written_into_a_home(machine: Machine) -> None:
    assert {"/home", "/root"}.isdisjoint(machine.since("dry", "rollout"))


@pytest.mark.parametrize("name", REACHED)
def test_who_is_made_after_the_rollout_is_answered_by_the_bare_name(machine: Machine, name: str) -> None:
    machine.workspace.clear()
    done = machine.typed("late", PROMPTS[name])
    assert done.returncode == 0, done.stderr + done.stdout
    assert machine.workspace.requests(asked(name))
