# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""2 500 generated variable sets: each can be used, or ends in a clear message before anything is touched. Never a traceback."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.fmapi.coding_agents.plugins.module_utils.workspace import client as databricks, preflight
from ansible_collections.fmapi.coding_agents.plugins.module_utils import module as edge, npm
from ansible_collections.fmapi.coding_agents.plugins.module_utils.options import judge as operator_variables
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.options.judge import (
    EXAMPLES,
    PREFIX,
    VARIABLES,
    is_secret,
)

from tests.hosts.tree import differences, manifest
from tests.operator_input import SECRET, generated

SETS = 2500
SPEC = {**edge.OWNER, **edge.WORKSPACE, **edge.AUTH, **edge.SETTINGS, **edge.CLI}


def _open(given: dict[str, Any]) -> dict[str, Any]:
    """What may stand in messages."""
    return {
        name: one
        for name, one in given.items()
        if name != "extra_settings" and not (name in VARIABLES and is_secret(name))
    }


def _judged(given: dict[str, Any]) -> list[str]:
    """As the preflight judges a host's variables: all of them, the secrets by being there."""
    known = {name: value for name, value in given.items() if name in VARIABLES}
    return operator_variables.unknown(given) + operator_variables.problems(known)


def _options(given: dict[str, Any]) -> dict[str, Any]:
    """As the roles hand variables to the module that looks at the host: what is set to nothing is left out."""
    options = {name: value for name, value in given.items() if name in SPEC and value not in (None, "", [], {})}
    if not isinstance(options.get("models"), (dict, str)):
        options.pop(
            "models", None
        )  # ansible-core's own validator stumbles over a number where a dictionary has members
    if options.get("extra_settings"):
        options["extra_settings"] = json.dumps(options["extra_settings"])
    return options


def _on_the_host(given: dict[str, Any], home: Path) -> str:
    """As the module starts: its specification, then all that it makes of the options. Returns what it refuses, or nothing."""
    validated = ArgumentSpecValidator(SPEC).validate(_options(given))
    if validated.error_messages:
        return "specification: " + "; ".join(validated.error_messages)
    module: Any = SimpleNamespace(params=validated.validated_parameters)
    try:
        edge.config_of(module, str(home))
        edge.secret_of(module)
        npm.check_versions(module.params["cli_versions"])
        for document in edge.documents_of(module, str(home)):
            json.dumps([[list(key), value] for key, value in document.values.items()])
    except (OperatorError, ValueError) as error:  # what modules tell as a message
        return str(error)
    return ""


def _asked(given: dict[str, Any]) -> str:
    """As the preflight begins to ask the workspace."""
    try:
        preflight.check({"agents": ["claude_code"], "routing": "gateway", "token_ttl_minutes": 15, **given})
    except OperatorError as error:
        return str(error)
    raise AssertionError("nobody was asked")


@pytest.fixture
def nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def reached(*arguments: Any, **options: Any) -> None:
        raise OperatorError("the workspace is asked")

    monkeypatch.setattr(databricks, "Workspace", reached)


def test_every_generated_set_can_be_used_or_is_refused_with_a_message(tmp_path: Path, nobody_is_asked: None) -> None:
    right = {name: [yaml.safe_load(example)] for name, example in EXAMPLES.items()}
    home = tmp_path / "home"
    home.mkdir()
    before = manifest(str(home))
    used = refused = 0
    for number in range(SETS):
        given = generated(number, right, wild=(0, 1, 4)[number % 3])
        told = _judged(given)
        assert all(isinstance(one, str) and PREFIX in one and "\n" not in one for one in told), (number, told)
        on_the_host = _on_the_host(given, home)
        said = _asked({name: value for name, value in given.items() if name in VARIABLES})
        if SECRET not in str(_open(given)):
            assert SECRET not in f"{told} {on_the_host} {said}", number
        if told:
            refused += 1
        else:
            used += 1
            assert not on_the_host.startswith("specification"), (number, given, on_the_host)
            assert said.endswith("the workspace is asked"), (number, said)
    print(f"{used} used, {refused} refused")
    assert used + refused == SETS
    assert used > SETS / 10 and refused > SETS / 10, (used, refused)
    assert differences(before, manifest(str(home)), times=True) == []
