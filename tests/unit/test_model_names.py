# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A model that nobody named has two names. Who asked the workspace decides; a run that did not ask changes nothing back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils import rollout
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owner import Owner, current_owner
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import How
from ansible_collections.fmapi.coding_agents.plugins.module_utils.routing import model_service_of

from tests.unit.options_for import options_for

ENDPOINTS = dict(AGENTS["claude_code"].model_defaults)
SERVICES = {slot: model_service_of(name) for slot, name in ENDPOINTS.items()}
VARIABLES = {
    "default": "ANTHROPIC_MODEL",
    "opus": "ANTHROPIC_DEFAULT_OPUS_MODEL",
    "sonnet": "ANTHROPIC_DEFAULT_SONNET_MODEL",
    "haiku": "ANTHROPIC_DEFAULT_HAIKU_MODEL",
}
BEFORE = '{\n  "env": {\n    "MINE": "1"\n  }\n}\n'


@pytest.fixture
def owner(tmp_path: Path) -> Owner:
    (tmp_path / "home" / ".claude").mkdir(parents=True)
    (tmp_path / "home").chmod(0o700)
    (tmp_path / "home" / ".claude" / "settings.json").write_text(BEFORE)
    return current_owner(str(tmp_path / "home"))


def settings(owner: Owner) -> Path:
    return Path(owner.home) / ".claude" / "settings.json"


def names(owner: Owner) -> dict[str, str]:
    environment = json.loads(settings(owner).read_text())["env"]
    return {slot: environment[variable] for slot, variable in VARIABLES.items()}


def bring(owner: Owner, models: dict[str, str] | None = None, **more: Any) -> bool:
    """Whether a run changed something; without ``models`` one that did not ask the workspace."""
    chosen = {"models": {"claude_code": models}} if models else {}
    options = options_for(parts=["agent_settings"], **chosen, **more)
    return bool(rollout.apply(owner, options, How())["changed"])


def test_a_run_that_did_not_ask_leaves_the_name_that_another_found_out(owner: Owner) -> None:
    assert bring(owner, SERVICES) and names(owner) == SERVICES
    assert not bring(owner) and names(owner) == SERVICES
    assert bring(owner, ENDPOINTS) and names(owner) == ENDPOINTS, "who asked decides"
    assert not bring(owner)


def test_a_host_that_has_none_gets_the_names_of_endpoints(owner: Owner) -> None:
    assert bring(owner) and names(owner) == ENDPOINTS


def test_a_choice_that_the_operator_named_is_written(owner: Owner) -> None:
    bring(owner, SERVICES)
    assert bring(owner, {"opus": ENDPOINTS["opus"]})
    assert names(owner) == {**SERVICES, "opus": ENDPOINTS["opus"]}


def test_another_routing_knows_no_service(owner: Owner) -> None:
    bring(owner, SERVICES)
    assert bring(owner, routing="serving_endpoints") and names(owner) == ENDPOINTS


def test_what_the_user_wrote_is_not_taken_for_ours(owner: Owner) -> None:
    theirs = json.dumps({"env": {"ANTHROPIC_MODEL": SERVICES["default"]}})
    settings(owner).write_text(theirs)
    bring(owner)
    assert names(owner) == ENDPOINTS
    rollout.withdraw(owner, options_for(), How())
    assert settings(owner).read_text() == theirs


def test_the_way_back_is_exact_after_a_name_was_left(owner: Owner) -> None:
    bring(owner, SERVICES)
    bring(owner, token_ttl_minutes=20)
    assert names(owner) == SERVICES
    rollout.withdraw(owner, options_for(), How())
    assert settings(owner).read_text() == BEFORE
