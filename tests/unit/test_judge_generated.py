# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""2 500 generated variable sets: each can be used, or ends in a clear message before anything is touched. Never a traceback."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owner import current_owner
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.options import judge
from ansible_collections.fmapi.coding_agents.plugins.module_utils.options.judge import (
    CONFIG_IN_FORCE,
    EXAMPLES,
    VARIABLES,
    is_secret,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.options.values import PREFIX
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts import PARTS
from ansible_collections.fmapi.coding_agents.plugins.module_utils.workspace import client, preflight
from ansible_collections.fmapi.coding_agents.plugins.modules import coding_agents
from ansible_collections.fmapi.coding_agents.plugins.plugin_utils.filling import filled

from tests.hosts.tree import differences, manifest
from tests.operator_input import SECRET, generated

SETS = 2500
SPEC = coding_agents.SPEC
PLAIN_VALUES = SimpleNamespace(template=lambda value: value)
"""A templar for variables that hold no template."""


def _open(given: dict[str, Any]) -> dict[str, Any]:
    """What may stand in messages."""
    return {
        name: one
        for name, one in given.items()
        if name != "extra_settings" and not (name in VARIABLES and is_secret(name))
    }


def _judged(given: dict[str, Any]) -> list[str]:
    """As all of a host's variables are judged."""
    known = {name: value for name, value in given.items() if name in VARIABLES}
    return judge.unknown(given) + judge.problems(known)


def _filled(given: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """As the action plugin fills a module's options: them, or what it refuses."""
    variables = {f"{PREFIX}{name}": value for name, value in {**given, CONFIG_IN_FORCE: "/a.json"}.items()}
    try:
        options, _from_variables = filled(SPEC, {}, variables, PLAIN_VALUES)
    except OperatorError as error:
        return {}, str(error)
    return options, ""


def _on_the_host(options: dict[str, Any], home: Path) -> str:
    """As the module starts: its specification, then all that its parts want. Returns what is refused, or nothing."""
    options = dict(options)
    if options.get("extra_settings") and not isinstance(options["extra_settings"], str):
        options["extra_settings"] = json.dumps(options["extra_settings"])
    if options.get("routing") == "auto":  # decided by the preflight
        options["routing"] = "gateway"
    # A copy: the validator fills in what is within a default.
    validated = ArgumentSpecValidator(copy.deepcopy(SPEC)).validate(options)
    if validated.error_messages:
        return "specification: " + "; ".join(validated.error_messages)
    try:
        for part in PARTS.values():
            for document in part.wanted(current_owner(str(home)), validated.validated_parameters):
                json.dumps([[list(key), value] for key, value in document.values.items()])
    except (OperatorError, ValueError) as error:  # what modules tell as a message
        return str(error)
    return ""


def _asked(options: dict[str, Any]) -> str:
    """As the preflight begins to ask the workspace."""
    try:
        preflight.check(options)
    except OperatorError as error:
        return str(error)
    raise AssertionError("nobody was asked")


@pytest.fixture
def nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def reached(*arguments: Any, **options: Any) -> None:
        raise OperatorError("the workspace is asked")

    monkeypatch.setattr(client, "Workspace", reached)


def test_every_generated_set_can_be_used_or_is_refused_with_a_message(tmp_path: Path, nobody_is_asked: None) -> None:
    right = {name: [yaml.safe_load(example)] for name, example in EXAMPLES.items()}
    right["ca_file"] = [""]  # what a host has is judged there
    home = tmp_path / "home"
    home.mkdir()
    before = manifest(str(home))
    used = refused = 0
    for number in range(SETS):
        given = generated(number, right, wild=(0, 1, 4)[number % 3])
        told = _judged(given)
        assert all(isinstance(one, str) and PREFIX in one and "\n" not in one for one in told), (number, told)
        options, not_filled = _filled(given)
        # A module judges what it takes, and names that do not exist: nothing that the judge of all would let pass.
        assert not not_filled or told, (number, not_filled)
        if told:
            refused += 1
            said = on_the_host = ""
        else:
            used += 1
            on_the_host = _on_the_host(options, home)
            assert not on_the_host.startswith("specification"), (number, given, on_the_host)
            said = _asked(options) if "workspace_url" in options else ""  # without one the action plugin ends
            assert said.endswith("the workspace is asked") or "workspace_url" not in options, (number, said)
        if SECRET not in str(_open(given)):
            assert SECRET not in f"{told} {not_filled} {on_the_host} {said}", number
    print(f"{used} used, {refused} refused")
    assert used + refused == SETS
    assert used > SETS / 10 and refused > SETS / 10, (used, refused)
    assert differences(before, manifest(str(home)), times=True) == []
