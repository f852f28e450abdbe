# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fact that stands in several places (because Ansible wants it there) is the same in all of them."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.fmapi.coding_agents.plugins.module_utils import module as host_module
from ansible_collections.fmapi.coding_agents.plugins.module_utils import routing, version
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS, programs
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents.source_release import NODE_VERSION
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program import user_sign_in
from ansible_collections.fmapi.coding_agents.plugins.module_utils.options.judge import GROUPS, VARIABLES
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts import PARTS

ROOT = Path(__file__).resolve().parents[2]
COLLECTION = "fmapi.coding_agents"
MODULES = sorted(path.stem for path in ROOT.glob("plugins/modules/*.py"))
ACTIONS = sorted(path.stem for path in ROOT.glob("plugins/action/*.py"))


def _plugin(kind: str, name: str) -> Any:
    return importlib.import_module(f"ansible_collections.{COLLECTION}.plugins.{kind}.{name}")


def _spec(name: str) -> Mapping[str, Mapping[str, Any]]:
    """A module's argument specification."""
    module = _plugin("modules", name)
    if hasattr(module, "argument_spec"):
        return dict(module.argument_spec())
    spec: Mapping[str, Any] = host_module.SPEC if name == "host_call" else module.SPEC
    return spec


def _documented(name: str) -> dict[str, Any]:
    """A module's documented options, with those of the fragments that it names."""
    said = yaml.safe_load(_plugin("modules", name).DOCUMENTATION)
    options: dict[str, Any] = {}
    for fragment in said.get("extends_documentation_fragment", []):
        file, _dot, part = fragment.removeprefix(f"{COLLECTION}.").partition(".")
        text = getattr(_plugin("doc_fragments", file).ModuleDocFragment, part.upper() or "DOCUMENTATION")
        options.update(yaml.safe_load(text)["options"])
    return {**options, **(said.get("options") or {})}


def test_the_readme_names_every_agent_in_its_first_lines() -> None:
    said = re.search(r"The agents: \*\*(.+?)\*\*", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert said and said[1].replace("\n", " ").split(", ") == [agent.title for agent in AGENTS.values()]


def test_each_scenario_of_molecule_proves_a_claim_about_platforms_and_each_claim_has_its_scenario() -> None:
    named = re.findall(r"/tree/main/molecule/(\w+)\)", (ROOT / "docs" / "platforms.md").read_text(encoding="utf-8"))
    assert sorted(named) == sorted(path.parent.name for path in ROOT.glob("molecule/*/molecule.yml"))


@pytest.mark.parametrize("workflow", sorted(ROOT.glob(".github/workflows/*.yml")), ids=lambda path: path.stem)
def test_what_a_workflow_names_is_there(workflow: Path) -> None:
    said = workflow.read_text(encoding="utf-8")
    named = re.findall(r"(?<![\w/])(?:tests|\.ci)/[\w./]+", said)
    assert named and [one for one in named if not (ROOT / one).exists()] == []
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(re.findall(r"run: make ([\w-]+)", said)) <= set(targets)


def test_the_example_of_a_source_that_is_passed_over_has_the_version_that_is_fetched() -> None:
    assert f"\nNode.js {NODE_VERSION} fetched (not from" in (ROOT / "docs" / "toolchain.md").read_text(encoding="utf-8")


def test_agents_and_the_databricks_cli_are_looked_for_in_the_same_usual_places() -> None:
    assert set(programs.USUAL_DIRECTORIES) == set(user_sign_in._USUAL_DIRECTORIES)


def _agree(documented: Mapping[str, Any], spec: Mapping[str, Any], where: str) -> None:
    assert set(documented) == set(spec), where
    for name, option in spec.items():
        for fact in ("type", "elements", "choices", "default", "aliases"):
            assert documented[name].get(fact) == option.get(fact), (where, name, fact)
        _agree(documented[name].get("suboptions") or {}, option.get("options") or {}, f"{where}.{name}")


@pytest.mark.parametrize("name", MODULES)
def test_options_are_documented_as_they_are(name: str) -> None:
    _agree(_documented(name), _spec(name), name)


@pytest.mark.parametrize("name", [name for name in MODULES if name not in ("serving_endpoint_info", "run_report")])
def test_an_option_that_is_a_variable_is_the_same_everywhere(name: str) -> None:
    for option, said in _spec(name).items():
        if option in VARIABLES:
            assert said == VARIABLES[option], option


@pytest.mark.parametrize("name", [name for name in ACTIONS if name != "run_report"])
def test_an_action_plugin_fills_the_options_of_its_module(name: str) -> None:
    assert _spec(name) == _plugin("action", name).ActionModule.OPTIONS


def test_every_module_of_hosts_has_an_action_plugin_which_fills_its_options() -> None:
    assert set(MODULES) - {"serving_endpoint_info", "host_call"} == set(ACTIONS)


def test_a_group_of_options_that_modules_take_is_documented_under_its_name() -> None:
    fragments = {path.stem for path in ROOT.glob("plugins/doc_fragments/*.py")}
    # What single playbooks take stands in their modules.
    assert {group.__name__.rpartition(".")[2] for group in GROUPS} - fragments == {"verbs"}


def test_the_spec_s_own_defaults_come_from_where_they_are_judged() -> None:
    assert tuple(VARIABLES["routing"]["choices"]) == routing.ROUTING_CHOICES
    assert VARIABLES["profile"]["default"] == routing.DEFAULT_PROFILE
    assert VARIABLES["token_ttl_minutes"]["default"] == routing.TTL_MINUTES_DEFAULT
    assert VARIABLES["agents"]["choices"] == sorted(AGENTS) == sorted(VARIABLES["models"]["options"])
    for name, agent in AGENTS.items():
        assert agent.name == name
        assert set(agent.model_defaults) == set(VARIABLES["models"]["options"][name]["options"])
        assert {f"{name}_{option}" for option in agent.own_options} <= set(VARIABLES)


def test_the_tags_of_the_playbooks_are_the_parts() -> None:
    for path in ("playbooks/rollout.yml", "playbooks/uninstall.yml"):
        text = (ROOT / path).read_text()
        named = [yaml.safe_load(found) for found in re.findall(r"tags: (\[.*\])", text)]
        assert {tag for tags in named for tag in tags} - {"always", "preflight"} <= set(PARTS), path
        said = re.sub(r"\s*#\s*", " ", "\n".join(re.findall(r"^#.*", text, re.M)))
        assert ", ".join(PARTS) in said, f"{path} names its tags"


def test_a_module_for_one_part_has_the_part_s_name() -> None:
    for name in ("databricks_oauth", "agent_cli", "agent_settings"):
        assert name in PARTS and name in MODULES


def test_the_version_is_that_of_galaxy_yml() -> None:
    assert yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"] == version.VERSION
    assert (
        version.VERSION in yaml.safe_load((ROOT / "changelogs/changelog.yaml").read_text() or "")["releases"]
        or (ROOT / f"changelogs/fragments/{version.VERSION}.yml").exists()
    )


def _read_me() -> dict[str, str]:
    """The tables of variables: name and what stands under "default", without the backticks."""
    rows: dict[str, str] = {}
    column = 0
    for line in (ROOT / "README.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        column = cells.index("default") if "default" in cells else column
        if line.startswith("| `coding_agents_") and 0 < column < len(cells):
            rows.update(dict.fromkeys(re.findall(r"`coding_agents_(\w+)`", cells[0]), cells[column].strip("`")))
    return rows


def test_the_readme_s_table_names_every_variable_and_its_default() -> None:
    rows = _read_me()
    assert set(VARIABLES) == set(rows)
    for name, shown in rows.items():
        default = VARIABLES[name].get("default")
        if default not in (None, {}, []):
            assert yaml.safe_load(shown) == default, name
    table = (ROOT / "README.md").read_text()
    for agent in AGENTS.values():
        assert all(model in table for model in agent.model_defaults.values())
        assert agent.pinned_version in table


def test_every_module_that_takes_the_workspace_is_in_the_action_group() -> None:
    group = yaml.safe_load((ROOT / "meta/runtime.yml").read_text())["action_groups"]["workspace"]
    assert sorted(group) == [name for name in MODULES if "workspace_url" in _spec(name)]
    for name in MODULES:
        said = yaml.safe_load(_plugin("modules", name).DOCUMENTATION)["extends_documentation_fragment"]
        assert (f"{COLLECTION}.attributes.action_group" in said) == (name in group), name
