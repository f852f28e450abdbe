# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A home by any name: spaces, quotes and letters of any language in it do no harm to any agent's files."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils import rollout
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.documents import FORMATS
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owner import Owner, current_owner
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts import launcher
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.context import agent_options
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import How

from tests.hosts.tree import differences, manifest
from tests.unit.options_for import options_for
from tests.unit.trees import bring_libraries

HOME = """Ada's "home", żółć"""
SAYS = '#!/bin/sh\necho "started:$*"\n'


@pytest.fixture
def owner(tmp_path: Path) -> Owner:
    bring_libraries()
    home = tmp_path / HOME
    home.mkdir(mode=0o700)
    (home / ".bashrc").write_text("# mine\n")
    return current_owner(str(home))


def wanted(name: str) -> dict[str, object]:
    return options_for(parts=["agent_settings", "launcher"], agents=[name])


def parses(path: Path) -> bool:
    """Whether the language that a plugin is written in reads it."""
    if path.suffix == ".py":
        ast.parse(path.read_bytes())
        return True
    node = shutil.which("node")
    if node is None:
        if os.environ.get("CI") == "true":
            pytest.fail("node is needed: apt-get install -y nodejs npm")
        pytest.skip("needs node: apt-get install -y nodejs npm")
    # As a module, whose imports are looked up as it runs only.
    return (
        subprocess.run(
            [node, "--input-type=module", "--check"],
            input=path.read_bytes(),
            capture_output=True,
            check=False,
            timeout=60,
        ).returncode
        == 0
    )


@pytest.mark.parametrize("name", AGENTS)
def test_an_agent_s_files_hold_such_a_home(owner: Owner, name: str, tmp_path: Path) -> None:
    before = manifest(owner.home)
    rollout.apply(owner, wanted(name), How())
    options = agent_options(owner, wanted(name), name)
    helper_named = False
    for one in AGENTS[name].documents(options):
        path = Path(one.path)
        document = FORMATS[one.format](path.read_bytes())
        for key, value in one.values.items():
            assert document.get(key) == value, key
            helper_named = helper_named or HOME in str(value)
        if path.suffix in (".py", ".js", ".mjs"):
            assert parses(path), path
    launch = AGENTS[name].launch(options)
    if launch is not None:
        program = tmp_path / "programs" / AGENTS[name].command
        program.parent.mkdir()
        program.write_text(SAYS)
        program.chmod(0o755)
        helper = Path(options.token_helper)
        helper.parent.mkdir(parents=True, exist_ok=True)
        helper_stood = helper.exists()
        if not helper_stood:
            helper.write_text("#!/bin/sh\necho a.b.c\n")
            helper.chmod(0o755)
        environment = {"PATH": f"{program.parent}:/usr/bin:/bin", "HOME": owner.home}
        entry = [launcher.entry(owner, AGENTS[name]), "a  b"]
        assert (
            subprocess.run(entry, env=environment, capture_output=True, text=True, check=True).stdout
            == "started:a  b\n"
        )
        if not helper_stood:
            helper.unlink()
    assert not rollout.apply(owner, wanted(name), How())["changed"]
    rollout.withdraw(owner, wanted(name), How())
    assert differences(before, manifest(owner.home)) == []
