# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generated variable sets in a real play: every host ends well, or with a clear message, and none in a traceback."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.fmapi.coding_agents.plugins.module_utils.options.judge import EXAMPLES

from tests import homes
from tests.control_node import ControlNode, Operator
from tests.hosts.tree import differences, manifest
from tests.operator_input import RIGHT, SECRET, generated

HOSTS = 48
TEMPLATES = [
    "{{ nobody_set_this }}",
    "{{ 1 / 0 }}",
    "{{ none }}",
    "{{ 5 }}",
    "{{ [1, none] }}",
    "{{ {'opus': 'x'} }}",
    "{{",
]
# What these name is looked for on the machine, or fetched.
LEFT_OUT = {
    "hosts",
    "config",
    "config_url",
    "config_sha256",
    "npm_prefix",
    "npm_registry",
    "mirror",
    "toolchain_sources",
    "pip_index",
    "oidc_token_command",
    "users",
}
TRACES = re.compile(
    r"Traceback|Unexpected [Ee]xception|MODULE FAILURE|this is probably a bug|object has no attribute|not iterable"
)


@pytest.mark.matrix
def test_generated_sets_end_in_a_clean_run_or_a_clear_message(
    operator: Operator, control: ControlNode, tmp_path: Path
) -> None:
    """A dry run: nothing may be touched, whatever the variables say. The last hosts have templates for values."""
    right = {name: [yaml.safe_load(example)] for name, example in EXAMPLES.items() if name not in LEFT_OUT}
    right["ca_file"] = right["preflight_ca_file"] = [operator.workspace.ca_file]
    hosts: dict[str, dict[str, Any]] = {}
    for number in range(HOSTS):
        given = generated(number, right, wild=(0, 1, 3)[number % 3])
        if given.get("workspace_url") in RIGHT["workspace_url"]:
            del given["workspace_url"]  # the simulated one
        home = homes.bare(tmp_path / f"set{number}")
        hosts[f"set{number}"] = operator.variables(home, **{"identity": "user", **given})
    names = sorted(set(right) - {"pat", "client_secret"})
    for number, template in enumerate(TEMPLATES * 2):
        home = homes.bare(tmp_path / f"template{number}")
        hosts[f"template{number}"] = operator.variables(home, **{names[number * 5 % len(names)]: template})
    befores = {name: manifest(str(tmp_path / name)) for name in hosts}

    play = control.run("rollout", hosts, "--check", "--forks", "8")

    assert not TRACES.search(play.output), TRACES.findall(play.output)
    ended = {name: play.message(name) for name in hosts}
    refused = {name: said for name, said in ended.items() if said}
    print(f"{len(hosts) - len(refused)} clean runs, {len(refused)} refused")
    for name, said in refused.items():
        # A template that cannot be computed fails in Ansible itself, where an option of a task is made of it.
        of_ansible = name.startswith("template") and "template" in said
        assert "coding_agents_" in said or operator.workspace.url in said or of_ansible, (name, said)
    assert len(refused) > 10 and len(hosts) - len(refused) > 10
    for name in hosts:
        assert name in refused or play.stats(name)["failures"] == 0, name
        assert differences(befores[name], manifest(str(tmp_path / name)), times=True) == [], name
    assert SECRET not in play.output
