# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Privilege escalation as plays have it, on a real host over ssh: become with a password, become_user, with and without pipelining."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.control_node import ControlNode, Play
from tests.hosts.podman import Fleet
from tests.workspace.client import Workspace

PASSWORD = "planted-sudo-password-4711"
OURS = (".claude/settings.json", ".databrickscfg", ".local/share/fmapi-coding-agents/token-helper")
USERS = """\
set -eu
for name in ada grace; do
    useradd --create-home --shell /bin/bash "$name"
    install -d -m 0700 -o "$name" -g "$name" "/home/$name/.ssh"
    install -m 0600 -o "$name" -g "$name" /home/dev/.ssh/authorized_keys "/home/$name/.ssh/authorized_keys"
done
chpasswd
echo 'ada ALL=(ALL) ALL' >/etc/sudoers.d/ada
chmod 0440 /etc/sudoers.d/ada
"""


@pytest.fixture(scope="module")
def fleet(start_fleet: Callable[..., Fleet]) -> Fleet:
    """One host on which ada may use sudo with her password, and grace may not."""
    made = start_fleet(1, internal=True)
    (host,) = made.hosts
    made.run(host, ["sh", "-c", USERS], user="root", stdin=f"ada:{PASSWORD}\ngrace:{PASSWORD}2\n".encode())
    return made


def _files(fleet: Fleet, owner: str) -> dict[str, str]:
    """Who owns what of ours in a home: file and owner."""
    home = "/root" if owner == "root" else f"/home/{owner}"
    (host,) = fleet.hosts
    found = {}
    for name in OURS:
        done = fleet.run(host, ["stat", "-c", "%U", f"{home}/{name}"], user="root", check=False)
        if done.returncode == 0:
            found[name] = done.stdout.decode().strip()
    return found


def _run(control: ControlNode, fleet: Fleet, playbook: str, keywords: dict[str, Any], **environment: str) -> Play:
    """The collection's own playbook under a play of somebody's, on the host as ada."""
    (host,) = fleet.hosts
    variables = {
        **fleet.inventory()["all"]["vars"],
        "ansible_connection": "ssh",
        "ansible_host": host.address,
        "ansible_user": "ada",
        "ansible_become_password": PASSWORD,
        # No workspace is in reach of this host; a person signs in later.
        "coding_agents_workspace_url": "https://w.example.com",
        "coding_agents_preflight": False,
        "coding_agents_toolchain_sources": ["already_present"],
        **keywords,
    }
    skip = ["--tags", "databricks_oauth,login_item,agent_settings"] if playbook == "rollout" else []
    return control.run(playbook, {host.name: variables}, *skip, environment=environment, watch=(PASSWORD,))


@pytest.mark.parametrize("pipelining", ["0", "1"])
@pytest.mark.parametrize(
    ("become", "owner"),
    [
        ({}, "ada"),
        ({"ansible_become": True}, "root"),
        ({"ansible_become": True, "ansible_become_user": "grace"}, "grace"),
        ({"ansible_become": True, "coding_agents_users": ["grace"]}, "grace"),
    ],
    ids=["no become", "become", "become_user", "users"],
)
def test_become_with_a_password_works_on_the_right_home(
    control: ControlNode, fleet: Fleet, become: dict[str, Any], owner: str, pipelining: str
) -> None:
    if (become.get("ansible_become_user"), pipelining) == ("grace", "0"):
        # Ansible's own rule for one unprivileged user who becomes another without pipelining and without ACLs on the host.
        become = {**become, "ansible_common_remote_group": None, "ansible_shell_allow_world_readable_temp": True}
    environment = {"ANSIBLE_PIPELINING": pipelining}
    first = _run(control, fleet, "rollout", become, **environment).ok()
    assert first.changed("host01") == 1
    assert _files(fleet, owner) == dict.fromkeys(OURS, owner)
    others = {"ada", "root", "grace"} - {owner}
    assert [_files(fleet, other) for other in others] == [{}, {}]
    assert _run(control, fleet, "rollout", become, **environment).ok().changed("host01") == 0
    assert PASSWORD not in first.output + json.dumps(first.events)
    _run(control, fleet, "uninstall", become, **environment).ok()
    assert _files(fleet, owner) == {}


def test_a_wrong_password_is_ansible_s_own_error_and_touches_nothing(control: ControlNode, fleet: Fleet) -> None:
    become = {"ansible_become": True, "ansible_become_password": "wrong"}
    play = _run(control, fleet, "rollout", become)
    assert play.status != 0
    assert "incorrect" in play.output.lower()
    assert [_files(fleet, owner) for owner in ("ada", "root", "grace")] == [{}, {}, {}]


def test_the_control_node_s_preflight_never_becomes_root(
    control: ControlNode, fleet: Fleet, workspace: Workspace, tmp_path: Path
) -> None:
    """The play's become is for the hosts: with a program in sudo's place that tells, nobody calls it on the control node."""
    told = tmp_path / "sudo-was-called"
    (tmp_path / "bin").mkdir()
    trap = tmp_path / "bin" / "sudo"
    trap.write_text(f'#!/bin/sh\ntouch "{told}"\nexit 1\n')
    trap.chmod(0o755)
    keywords = {
        "ansible_become": True,
        "coding_agents_preflight": True,
        "coding_agents_workspace_url": workspace.url,
        "coding_agents_preflight_ca_file": workspace.ca_file,
    }
    path = f"{trap.parent}:{control.environment()['PATH']}"
    play = _run(control, fleet, "rollout", keywords, PATH=path)
    assert f"{workspace.url}: routing gateway" in play.told and workspace.requests()
    assert not told.exists()
    _run(control, fleet, "uninstall", {"ansible_become": True}).ok()
