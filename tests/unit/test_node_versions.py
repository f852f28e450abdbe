# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An agent that a host's Node.js is too old for is refused before anything is fetched, where no other may be brought.

npm would only warn, and it would not start.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils import rollout
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS, programs
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents.source_npm import Npm
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owner import Owner, current_owner
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.config import Config
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts import person
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.agent_cli import AgentCli
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.examination import Check, Examination
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import How

from tests.unit.homes import tree
from tests.unit.options_for import options_for

OF_NPM = [name for name, agent in AGENTS.items() if isinstance(agent.source, Npm)]


def program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Owner:
    """On a host that has npm, with a Node.js as :func:`has_node` says, and nothing else."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    program(tmp_path / "bin" / "npm", "#!/bin/sh\necho 'no registry here' >&2\nexit 1\n")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(programs, "USUAL_DIRECTORIES", ())
    return current_owner(str(home))


def has_node(tmp_path: Path, version: str) -> Path:
    return program(tmp_path / "bin" / "node", f"#!/bin/sh\necho '{version}'\n")


def wanted(name: str, **more: object) -> dict[str, object]:
    return options_for(parts=["agent_cli"], agents=[name], **{"toolchain_sources": ["already_present"], **more})


@pytest.mark.parametrize("how", [How(check=True), How()])
@pytest.mark.parametrize("name", ["gemini", "pi"])
def test_an_older_node_is_refused_before_anything_is_fetched(owner: Owner, tmp_path: Path, name: str, how: How) -> None:
    node = has_node(tmp_path, "v18.19.1")
    with pytest.raises(OperatorError) as caught:
        rollout.apply(owner, wanted(name), how)
    oldest = AGENTS[name].source.oldest_node(AGENTS[name].pinned_version)  # type: ignore[attr-defined]
    said = f"it needs Node.js {oldest} or newer, and {node} is 18.19.1"
    assert said in caught.value.told and f"Install Node.js {oldest} or newer" in caught.value.told
    assert tree(Path(owner.home)) == {}


def test_a_version_that_the_operator_names_is_judged_by_what_it_needs(owner: Owner, tmp_path: Path) -> None:
    has_node(tmp_path, "v20.20.2")
    assert rollout.apply(owner, wanted("pi"), How(check=True))["changed"], "the pinned one runs on it"
    with pytest.raises(OperatorError, match=r"needs Node\.js 22\.19 or newer"):
        rollout.apply(owner, wanted("pi", cli_versions={"pi": "0.75.3"}), How(check=True))


@pytest.mark.parametrize("told", ["v22.19.0", "what is this?"])
def test_a_node_that_is_new_enough_or_does_not_tell_is_not_refused(owner: Owner, tmp_path: Path, told: str) -> None:
    has_node(tmp_path, told)
    assert rollout.apply(owner, wanted("gemini"), How(check=True))["changed"]


def doctor(owner: Owner, monkeypatch: pytest.MonkeyPatch, **more: object) -> list[Check]:
    monkeypatch.setattr(person, "environment", lambda owner: {"PATH": os.environ["PATH"]})
    config = Config(owner.home, "https://w.example.com", "p", "user", 15)
    found = AgentCli().checks(Examination(owner, wanted("gemini", **more), config, dict(os.environ)))
    return [one for one in found if one.status == "FAIL"]


def test_the_doctor_says_which_node_is_too_old_for_what(
    owner: Owner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_node(tmp_path, "v18.19.1")
    (missing,) = doctor(owner, monkeypatch)
    assert missing.fix == "Install Node.js 20 or newer with npm, then run the rollout"
    (missing,) = doctor(owner, monkeypatch, toolchain_sources=["vendor"])
    assert missing.fix == "Run the rollout", "which may bring one"
    package = Path(owner.home, ".local/lib/node_modules/@google/gemini-cli")
    script = program(package / "gemini.js", "#!/usr/bin/env node\n")
    package.joinpath("package.json").write_text('{"name": "@google/gemini-cli", "version": "0.61.0"}')
    Path(owner.home, ".local/bin").mkdir()
    Path(owner.home, ".local/bin/gemini").symlink_to(script)
    (unfit,) = doctor(owner, monkeypatch)
    assert "does not start: it needs Node.js 20 or newer" in unfit.detail and "newer Node.js" in unfit.fix
    script.write_bytes(b"\x7fELF")
    assert doctor(owner, monkeypatch) == [], "a program of the machine's own needs none"
    script.write_text(f"#!/{'long/' * 40}bin/node\n")
    (unfit,) = doctor(owner, monkeypatch)
    assert "does not start" in unfit.detail, "a Node.js by its whole path, however long"
    script.write_text("#!/usr/bin/env node\n")
    has_node(tmp_path, "v20.0.0")
    assert doctor(owner, monkeypatch) == []


@pytest.mark.parametrize("name", OF_NPM)
def test_every_agent_of_npm_says_which_node_each_of_its_good_versions_needs(name: str) -> None:
    agent = AGENTS[name]
    assert isinstance(agent.source, Npm)
    for version in (agent.minimum_version, agent.pinned_version, "99.0.0"):
        assert agent.source.oldest_node(version)[0].isdigit()
