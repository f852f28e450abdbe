# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host remembers of its rollout: all that a repair needs, and no secret."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.fmapi.coding_agents.plugins.module_utils import by_memory, rollout
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.options.judge import VARIABLES, models_of
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts import wanted_state
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import How
from ansible_collections.fmapi.coding_agents.plugins.modules import coding_agents, status_info
from ansible_collections.fmapi.coding_agents.plugins.plugin_utils import memory

from tests.hosts.tree import differences, manifest
from tests.unit.options_for import carried, options_for, owner_of

FORGOTTEN = memory.forgotten(coding_agents.SPEC)
SECRET = "planted-password"
PARTS = ["agent_settings", "launcher", "command"]


def options(**own: Any) -> dict[str, Any]:
    chosen = {"identity": "pat", "profile": "mine", "parts": PARTS, **own}
    every = options_for(carried=carried(forgotten=FORGOTTEN), **chosen)
    return {name: every[name] for name in (*coding_agents.SPEC, "carried", "routing_reason") if name in every}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".databrickscfg").write_text(f"[mine]\nhost = {options_for()['workspace_url']}\ntoken = dapi00own00\n")
    return tmp_path


def kept(home: Path, name: str) -> Path:
    return Path(owner_of(home).data, name)


def test_no_option_that_is_a_secret_is_remembered() -> None:
    secrets = {name for name, option in VARIABLES.items() if option.get("no_log") and name in coding_agents.SPEC}
    assert secrets and secrets <= set(FORGOTTEN)


def test_what_may_hold_a_password_is_for_the_owner_alone(home: Path) -> None:
    own = {"extra_settings": json.dumps({"codex": {"key": SECRET}}), "agents": ["codex"]}
    urls = dict.fromkeys(("npm_registry", "pip_index", "mirror"), f"https://me:{SECRET}@packages.example.com/")
    result = rollout.apply(owner_of(home), options(**own, **urls), How(diff=True, verbose=True))
    assert SECRET not in kept(home, wanted_state.FILE_NAME).read_text()
    private = kept(home, wanted_state.PRIVATE_NAME)
    assert private.read_text().count(SECRET) == 4 and os.stat(private).st_mode & 0o777 == 0o600
    shown = [one for one in result["diff"] if wanted_state.PRIVATE_NAME in one["after_header"]]
    assert shown and SECRET not in json.dumps(shown)
    gone = rollout.withdraw(owner_of(home), options(**own, **urls), How(diff=True, verbose=True))
    shown = [one for one in gone["diff"] if wanted_state.PRIVATE_NAME in one["before_header"]]
    assert shown and SECRET not in json.dumps(shown) and not private.exists()


def test_a_repair_has_the_options_of_the_rollout(home: Path) -> None:
    owner, given = owner_of(home), options(agents=["codex", "pi"], extra_settings='{"codex": {"a": 1}}', contact="it")
    rollout.apply(owner, given, How())
    wanted = by_memory.wanted_options(owner, wanted_state.remembered(owner), given["carried"], {})
    differing = {name for name in given if name not in ("carried", "models", "routing_reason", *FORGOTTEN)}
    assert {name: wanted[name] for name in differing if name != "parts"} == {
        name: given[name] for name in differing if name != "parts"
    }
    assert wanted["extra_settings"] == given["extra_settings"] and wanted["parts"] == sorted(PARTS)
    assert wanted["models"] == {agent: models_of(agent, given) for agent in ("codex", "pi")}
    look = rollout.look(owner, wanted, How(check=True))
    assert (look["changes"], look["drifted_parts"], look["drifted"]) == ([], [], False)


def test_a_way_back_needs_nothing_that_is_remembered(home: Path) -> None:
    owner, before = owner_of(home), manifest(str(home))
    rollout.apply(owner, options(agents=["codex", "pi"]), How())
    kept(home, wanted_state.FILE_NAME).unlink()
    result = rollout.withdraw(owner, by_memory.withdrawal_options(owner), How())
    assert "error" not in result and differences(before, manifest(str(home))) == []


def test_a_status_has_what_the_documentation_of_its_module_says(home: Path) -> None:
    owner = owner_of(home)
    rollout.apply(
        owner, options(parts=["databricks_oauth"], identity="user", toolchain_sources=["already_present"]), How()
    )
    (status,) = by_memory.status(owner, {}, How())["statuses"]
    assert set(status) == set(yaml.safe_load(status_info.RETURN)["statuses"]["contains"])


def test_parts_add_up_and_any_way_back_makes_the_host_forget(home: Path) -> None:
    owner = owner_of(home)
    rollout.apply(owner, options(parts=["agent_settings"]), How())
    rollout.apply(owner, options(parts=["launcher"]), How())
    assert wanted_state.remembered(owner).parts == ["agent_settings", "launcher"]
    rollout.withdraw(owner, options(parts=["launcher"]), How())
    with pytest.raises(OperatorError, match="nothing is remembered"):
        wanted_state.remembered(owner)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"version": 1, "program_sha256": "", "parts": [], "options": {}}', "\0", "[" * 9999]
)
def test_what_no_rollout_has_written_is_not_gone_by(home: Path, content: str) -> None:
    owner = owner_of(home)
    os.makedirs(owner.data)
    kept(home, wanted_state.FILE_NAME).write_text(content)
    with pytest.raises(OperatorError, match="Run the rollout"):
        by_memory.repair(owner, {"carried": {}}, How())
    (status,) = by_memory.status(owner, {}, How())["statuses"]
    assert status["state"] == by_memory.NOT_SET_UP
