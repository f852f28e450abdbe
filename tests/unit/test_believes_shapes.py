# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings that are good JSON and of a shape that the agent refuses: it drops the whole file, ours with it.

What the operator gives so is refused before any host is touched; what a person has written so, the rollout and the doctor tell.
tests/agents/test_believes_settings.py has the real agent say the same of the same values.
"""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils import examining, rollout
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents.extra_settings import check_extra_settings
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents.shapes import (
    TEXT,
    Either,
    Needs,
    between,
    misfits,
    one_of,
    whole,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owner import Owner
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import How
from hypothesis import given
from hypothesis import strategies as st

from tests.settings_shapes import OF_OTHERS, REFUSED, TOLERATED, TOLERATED_BY_OTHERS
from tests.unit.options_for import options_for

CLAUDE = AGENTS["claude_code"]
SECRET = "PLANTED-value-of-a-person"


def fits(value: Any, shape: Any) -> bool:
    return not list(misfits(value, shape))


def test_shapes() -> None:
    assert fits(30, whole(1)) and fits(30.0, whole(1))
    refused: tuple[object, ...] = (0, 1.5, True, "30", None, [], 2**60, float("inf"))
    for value in refused:
        assert not fits(value, whole(1)), value
    assert fits(0.5, between(0, 1)) and fits(0, between(0, 1)) and not fits(0, between(0, 1, without_least=True))
    assert fits("a", one_of("a", "b")) and not fits("c", one_of("a", "b")) and not fits(["a"], one_of("a"))
    either = Either((TEXT, [TEXT]))
    assert fits("a", either) and fits(["a"], either) and fits([], either) and not fits({}, either)
    (told,) = misfits(["a", 1], either, ("key",))
    assert str(told) == "key.1 is the number 1, and must be a text"
    (told,) = misfits(True, either, ("key",))
    assert str(told) == "key is true or false, and must be a text or a list, each member a text"
    (told,) = misfits({"command": "x"}, Needs(("type",), {"type": TEXT}), ("line",))
    assert str(told) == "line.type is missing, and must be a text"
    assert fits({"other": object()}, {"known": TEXT}), "what is not known is not judged"
    assert [one.path for one in misfits({"a": "x", "b": 1}, {"*": TEXT})] == [("b",)]


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda one: st.lists(one) | st.dictionaries(st.text(), one)
    )
)
def test_any_value_can_be_judged(value: Any) -> None:
    for key in ("permissions", "sandbox", "statusLine", "enabledPlugins", "cleanupPeriodDays", "env"):
        for one in CLAUDE.misfits({key: value}):
            assert one.path[0] == key and one.wanted and one.found


@pytest.mark.parametrize("key", sorted(TOLERATED))
def test_what_the_agent_passes_over_is_nobody_s_trouble(key: str) -> None:
    assert CLAUDE.misfits(TOLERATED[key]) == []


# -- what the operator gives -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("situation", sorted(REFUSED))
def test_an_operator_s_value_of_a_refused_shape_is_refused_before_any_host_is_touched(situation: str) -> None:
    settings, path = REFUSED[situation]
    with pytest.raises(OperatorError) as caught:
        check_extra_settings({"claude_code": settings}, AGENTS)
    assert f"coding_agents_extra_settings.claude_code.{path}: is " in str(caught.value)
    assert "must be" in str(caught.value)


@pytest.mark.parametrize(("agent", "situation"), [(agent, one) for agent in OF_OTHERS for one in OF_OTHERS[agent]])
def test_of_every_agent_what_breaks_it_is_refused_and_named(agent: str, situation: str) -> None:
    settings, path = OF_OTHERS[agent][situation]
    with pytest.raises(OperatorError) as caught:
        check_extra_settings({agent: settings}, AGENTS)
    assert str(caught.value).startswith(f"coding_agents_extra_settings.{agent}.{path}: is ")
    assert f"else {AGENTS[agent].title} does not " in str(caught.value)


@pytest.mark.parametrize("agent", TOLERATED_BY_OTHERS)
def test_of_every_agent_what_it_passes_over_is_let_pass(agent: str) -> None:
    check_extra_settings({agent: TOLERATED_BY_OTHERS[agent]}, AGENTS)


def test_an_agent_without_a_file_takes_none_and_every_other_agent_is_judged() -> None:
    with pytest.raises(OperatorError, match=r"extra_settings\.copilot: cannot be set: .* Take it out"):
        check_extra_settings({"copilot": {"model": "x"}}, AGENTS)
    assert {"claude_code", "copilot", *OF_OTHERS} == AGENTS.keys()


def test_a_templated_false_is_a_text_and_the_way_out_is_named() -> None:
    """``"{{ something | default(false) }}"`` is a text where Ansible's jinja2_native is off."""
    with pytest.raises(OperatorError, match=r"is a text, and must be true or false, without quotes.* filters bool and"):
        check_extra_settings({"claude_code": {"includeCoAuthoredBy": "false"}}, AGENTS)
    with pytest.raises(OperatorError, match=r"is a text, and must be a whole number from 1, without quotes"):
        check_extra_settings({"claude_code": {"cleanupPeriodDays": "30"}}, AGENTS)


def test_an_operator_s_value_is_never_repeated() -> None:
    for settings in ({"model": [SECRET]}, {"sandbox": SECRET}, {"permissions": {"allow": [SECRET, {SECRET: SECRET}]}}):
        try:
            check_extra_settings({"claude_code": settings}, AGENTS)
        except OperatorError as error:
            assert SECRET not in str(error)


# -- what a person has written -----------------------------------------------------------------------------------------


@pytest.fixture
def owner(tmp_path: Path) -> Owner:
    home = tmp_path / "home"
    (home / ".claude").mkdir(parents=True)
    return Owner(pwd.getpwuid(os.geteuid()).pw_name, os.geteuid(), os.getegid(), str(home))


def write(owner: Owner, settings: dict[str, Any]) -> str:
    path = Path(owner.home, ".claude", "settings.json")
    path.write_text(json.dumps(settings))
    return str(path)


OPTIONS = options_for(parts=["agent_settings"], agents=["claude_code"])


@pytest.mark.parametrize("situation", sorted(REFUSED))
def test_a_person_s_value_of_a_refused_shape_is_told_with_file_and_key(owner: Owner, situation: str) -> None:
    settings, key = REFUSED[situation]
    path = write(owner, settings)
    check, run = How(check=True), How()
    looked = rollout.look(owner, OPTIONS, check)["warnings"]
    dry = rollout.apply(owner, OPTIONS, check)["warnings"]
    done = rollout.apply(owner, OPTIONS, run)["warnings"]
    again = rollout.apply(owner, OPTIONS, run)["warnings"]
    for warnings in (looked, dry, done, again):
        (warning,) = [one for one in warnings if "drops the whole file" in one]
        assert warning.startswith(f"{path}: {key} is ")
    failed = [one for one in examining.examine(owner, OPTIONS, check)["checks"] if one["status"] == "FAIL"]
    (told,) = [one for one in failed if one["check"] == "Claude Code settings"]
    assert told["category"] == "Configuration" and f"{path}: {key} is " in told["detail"] and told["fix"]


def test_a_wrong_value_that_the_rollout_replaces_is_nobody_s_trouble(owner: Owner) -> None:
    write(owner, {"apiKeyHelper": 3, "env": {"ANTHROPIC_MODEL": None}})
    for how in (How(check=True), How()):
        assert rollout.apply(owner, OPTIONS, how)["warnings"] == []


def test_a_list_of_models_without_ours_is_told(owner: Owner) -> None:
    """Measured: with it both versions ask the workspace for one of their vendor's models."""
    path = write(owner, {"availableModels": ["sonnet"]})
    (warning,) = rollout.apply(owner, OPTIONS, How())["warnings"]
    assert warning.startswith(f"{path}: availableModels does not list {CLAUDE.model_defaults['default']}, ")
    write(owner, {"availableModels": ["sonnet", *CLAUDE.model_defaults.values()]})
    assert rollout.apply(owner, OPTIONS, How())["warnings"] == []
