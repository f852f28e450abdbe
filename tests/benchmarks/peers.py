# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What else would put a profile, two settings files and a token helper on a host: six hand-written tasks, and pyinfra.

Both write fixed files over what is there, and check that the program is there. That is a part of what a rollout does: they judge no
input, ask no workspace, merge nothing, remember nothing and cannot go back. They are here for their time alone.
"""

from __future__ import annotations

import json
from pathlib import Path

from tests.hosts import podman

from .stage import PREFIX, Stage

_FILES = {
    ".databrickscfg": ("[fmapi-coding-agents]\nhost = https://workspace.example.com\nauth_type = oauth-m2m\n", "0600"),
    ".claude/settings.json": (json.dumps({"apiKeyHelper": "/home/dev/.by-hand/helper", "env": {}}) + "\n", "0644"),
    ".claude.json": (json.dumps({"hasCompletedOnboarding": True}) + "\n", "0600"),
    ".by-hand/helper": ("#!/bin/sh\nexec databricks auth token\n", "0755"),
}
_CHECK = f"{PREFIX}/bin/claude"


def by_hand(place: Stage) -> str:
    """The play's path: ``file``, four times ``copy``, ``command``."""
    tasks: list[dict[str, object]] = [
        {
            "ansible.builtin.file": {"path": f"{podman.HOME}/{{{{ item }}}}", "state": "directory", "mode": "0755"},
            "loop": [".claude", ".by-hand"],
        }
    ]
    tasks += [
        {"ansible.builtin.copy": {"dest": f"{podman.HOME}/{name}", "content": content, "mode": mode}}
        for name, (content, mode) in _FILES.items()
    ]
    tasks.append({"ansible.builtin.command": {"argv": ["test", "-x", _CHECK]}, "changed_when": False})
    path = place.folder / "by_hand.yml"
    path.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]), encoding="utf-8")
    return str(path)


def pyinfra(place: Stage, hosts: int) -> list[str]:
    """The command that brings the same about with pyinfra, on so many hosts. Writes the files that it reads."""
    files = place.folder / "pyinfra"
    files.mkdir(exist_ok=True)
    deploy = ["from pyinfra.operations import files, server"]
    deploy += [f'files.directory("{podman.HOME}/{name}", mode="0755")' for name in (".claude", ".by-hand")]
    for number, (name, (content, mode)) in enumerate(_FILES.items()):
        (files / str(number)).write_text(content, encoding="utf-8")
        deploy.append(f'files.put(src="{files / str(number)}", dest="{podman.HOME}/{name}", mode="{mode}")')
    deploy.append(f'server.shell(commands=["test -x {_CHECK}"])')
    (files / "deploy.py").write_text("\n".join(deploy) + "\n", encoding="utf-8")
    inventory = [
        (
            host.address,
            {
                "ssh_user": podman.USER,
                "ssh_key": str(place.fleet.key),
                "ssh_strict_host_key_checking": "no",
                "ssh_known_hosts_file": "/dev/null",
            },
        )
        for host in place.fleet.hosts[:hosts]
    ]
    (files / f"inventory_{hosts}.py").write_text(f"hosts = {inventory!r}\n", encoding="utf-8")
    program = Path(__file__).resolve().parents[2] / ".work" / "venv" / "bench" / "bin" / "pyinfra"
    return [
        str(program),
        "-y",
        "--parallel",
        str(hosts),
        str(files / f"inventory_{hosts}.py"),
        str(files / "deploy.py"),
    ]
