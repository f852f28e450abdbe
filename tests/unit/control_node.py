# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real ansible-playbook runs that touch nothing but the control node. For those that reach a host see :mod:`tests.control_node`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import Agent

REPOSITORY = Path(__file__).resolve().parents[2]
COLLECTIONS = REPOSITORY / ".work" / "collections"
_BIN = Path(sys.executable).parent


def own_environment(home: Path, **more: str) -> dict[str, str]:
    """An environment with nothing of the person who runs the tests: no identity, no proxy, no Ansible settings."""
    return {
        "HOME": str(home),
        "PATH": f"{_BIN}{os.pathsep}/usr/bin{os.pathsep}/bin",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_CONFIG": str(REPOSITORY / "tests" / "ci" / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        **more,
    }


@dataclass
class Run:
    """What one run said. ``failures`` is the result of each failed host."""

    code: int
    output: str
    failures: dict[str, dict[str, Any]]


def play(
    directory: Path,
    hosts: Mapping[str, Mapping[str, Any]],
    tasks: Sequence[Mapping[str, Any]],
    arguments: Sequence[str] = (),
    **environment: str,
) -> Run:
    """Run some tasks. The hosts' address answers to nobody: only the control node works.

    :param hosts: the inventory, variables by host.
    """
    inventory = {
        "all": {
            "hosts": {name: dict(variables) for name, variables in hosts.items()},
            "vars": {"ansible_host": "192.0.2.1", "ansible_python_interpreter": "/nowhere/python3"},
        }
    }
    plays = [
        {
            "name": "Check",
            "hosts": "all",
            "gather_facts": False,
            # Without a password for sudo, anything that honoured it would fail.
            "become": True,
            "tasks": list(tasks),
        }
    ]
    (directory / "hosts.json").write_text(json.dumps(inventory), "utf-8")
    (directory / "play.json").write_text(json.dumps(plays), "utf-8")
    done = subprocess.run(
        [
            str(_BIN / "ansible-playbook"),
            "--inventory",
            str(directory / "hosts.json"),
            str(directory / "play.json"),
            *arguments,
        ],
        env=own_environment(directory, **environment),
        cwd=directory,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    output = done.stdout + done.stderr
    assert "[DEPRECATION WARNING]" not in output, output
    failures = {
        name: json.loads(result)
        for name, result in re.findall(r"^fatal: \[(\w+)\]: FAILED! => (\{.*?^\}|\{.*?\})$", output, re.M | re.S)
    }
    return Run(done.returncode, output, failures)


def installed(prefix: Path, *agents: Agent) -> Path:
    """An npm prefix in which these agents stand as far as files tell: to start one is an error."""
    for agent in agents:
        package = prefix / "lib" / "node_modules" / agent.source.package
        package.mkdir(parents=True)
        manifest = {"name": agent.source.package, "version": agent.pinned_version}
        (package / "package.json").write_text(json.dumps(manifest), "utf-8")
        (package / "cli").write_text("#!/bin/sh\nexit 70\n", "utf-8")
        (package / "cli").chmod(0o755)
        (prefix / "bin").mkdir(exist_ok=True)
        (prefix / "bin" / agent.command).symlink_to(package / "cli")
    return prefix
