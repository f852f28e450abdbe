# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbook ``sign_in`` on hosts where other people work: it lists them, opens nothing and changes nothing.

The users are real ones, made for this test and removed after it. The host is reached by the connection ``ssh``, whose program is a
script that runs the command here.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.control_node import Operator
from tests.hosts.tree import manifest

USERS = ("fmapi-ada", "fmapi-grace", "fmapi-new")
FRONT = ".local/share/fmapi-coding-agents/coding-agents"


def _own_name() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


@pytest.fixture
def homes() -> Iterator[dict[str, Path]]:
    """The users' homes, by name."""
    problem = "needs root, to make users" if os.geteuid() != 0 else ""
    if not problem and shutil.which("useradd") is None:
        problem = "needs useradd: apt-get install -y passwd"
    if problem:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(problem)
    folder = Path(f"/tmp/fmapi-test-sign-in-{os.getpid()}")
    folder.mkdir(mode=0o755)
    try:
        for name in USERS:
            command = ["useradd", "--system", "--create-home", "--user-group", "--home-dir", str(folder / name), name]
            subprocess.run(command, check=True, capture_output=True)
        yield {name: folder / name for name in USERS}
    finally:
        for name in USERS:
            subprocess.run(["userdel", name], check=False, capture_output=True)
        shutil.rmtree(folder)


def test_who_has_to_sign_in_elsewhere_is_listed_with_the_exact_command(
    operator: Operator, homes: dict[str, Path], tmp_path: Path
) -> None:
    ssh = tmp_path / "ssh"
    ssh.write_text('#!/bin/sh\nfor last; do :; done\nexec /bin/sh -c "$last"\n')
    ssh.chmod(0o755)
    folder = homes["fmapi-ada"].parent
    ca_file, prefix = folder / "ca.pem", folder / "prefix"
    shutil.copy(operator.workspace.ca_file, ca_file)
    shutil.copytree(operator.prefix, prefix, symlinks=True)
    subprocess.run(["chmod", "--recursive", "a+rX", str(ca_file), str(prefix)], check=True)
    reached = {
        "ansible_connection": "ssh",
        "ansible_ssh_executable": str(ssh),
        "ansible_host": "laptops.example.com",
        "ansible_port": 2222,
    }
    own = {"users": list(USERS[:2]), "ca_file": str(ca_file), "npm_prefix": str(prefix)}
    people = operator.variables(Path("/"), identity="user", home=None, **own)
    robots = operator.variables(tmp_path / "robot", home=str(tmp_path / "robot"))
    (tmp_path / "robot").mkdir()
    operator.control.run("rollout", {"laptops": {**reached, **people}, "robot": robots}).ok()
    before = [manifest(str(home)) for home in homes.values()]
    operator.workspace.clear()

    hosts: dict[str, dict[str, Any]] = {
        "laptops": {**reached, "coding_agents_users": list(USERS)},
        "robot": {"coding_agents_home": str(tmp_path / "robot")},
    }
    play = operator.control.run("sign_in", hosts).ok()
    assert re.search(r"Has to sign in \([^)]+\): fmapi-ada on laptops -> ssh", play.told)
    for name in USERS[:2]:
        command = f"ssh -t -p 2222 -L 8020:localhost:8020 {name}@laptops.example.com '~/{FRONT} login'"
        assert f"  {name} on laptops\n  -> {command}\n" in play.output
        assert subprocess.run(["/bin/sh", "-n", "-c", command], check=False).returncode == 0
    nothing = "nothing is rolled out here: run the playbook rollout first"
    assert f"Cannot sign in yet ({nothing}): fmapi-new on laptops" in play.told
    assert f"Nobody needs to sign in (identity service_principal): {_own_name()} on robot" in play.told
    assert (play.changed("laptops"), play.changed("robot")) == (0, 0)
    assert operator.workspace.requests() == []

    dry = operator.control.run("sign_in", hosts, "--check").ok()
    assert re.search(r"May have to sign in \([^)]+\): fmapi-ada on laptops -> ssh", dry.told)
    assert "Has to sign in" not in dry.output
    assert f"fmapi-ada@laptops.example.com '~/{FRONT} login'" in dry.output
    after = [manifest(str(home)) for home in homes.values()]
    ours = ".cache/fmapi-coding-agents/token-"
    assert [{path: one for path, one in state.items() if not path.startswith(ours)} for state in after] == [
        {path: one for path, one in state.items() if not path.startswith(ours)} for state in before
    ]
