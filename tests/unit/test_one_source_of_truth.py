# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fact that stands in several places (because Ansible wants it there) is the same in all of them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.fmapi.coding_agents.plugins.module_utils import module as edge, routing, version
from ansible_collections.fmapi.coding_agents.plugins.module_utils.options import judge as operator_variables
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS

ROOT = Path(__file__).resolve().parents[2]
PARTS = {
    "owner": edge.OWNER,
    "workspace": edge.WORKSPACE,
    "auth": edge.AUTH,
    "settings": edge.SETTINGS,
    "cli": edge.CLI,
}
SPEC: dict[str, dict[str, Any]] = {name: operator_variables.VARIABLES[name] for part in PARTS.values() for name in part}
"""What the code says: the specification that the host modules share, as operators write it."""

ROLES = sorted(path.parent.parent.name for path in ROOT.glob("roles/*/defaults/main.yml"))
# A role names its list of agents "names", as "agents_agents" would read badly.
RENAMED = {"names": "agents", "enabled": "preflight", "ca_file": "ca_file"}


def _documentation(path: Path, name: str = "DOCUMENTATION") -> dict[str, Any]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == name:
            loaded: dict[str, Any] = yaml.safe_load(ast.literal_eval(node.value))
            return loaded
    raise AssertionError(f"{path} has no {name}")


def _role(role: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """A role's variables and their specification, by the name of the module's option."""
    defaults = yaml.safe_load((ROOT / "roles" / role / "defaults/main.yml").read_text())
    spec = yaml.safe_load((ROOT / "roles" / role / "meta/argument_specs.yml").read_text())
    options = spec["argument_specs"]["main"]["options"]

    def option(name: str) -> str:
        short = name.removeprefix(f"{role}_")
        return RENAMED.get(short, short)

    return {option(name): value for name, value in defaults.items()}, {
        option(name): one for name, one in options.items()
    }


def _default_of(template: str) -> Iterator[tuple[str, Any]]:
    """``{{ coding_agents_x | default(15) }}``: the operator's variable and its default, wherever they stand in the template."""
    for variable, default in re.findall(
        r"coding_agents_(\w+) \| default\(((?:\{\}|\[[^\]]*\]|'[^']*'|[\w.]+))[,)]", template
    ):
        yield variable, yaml.safe_load(default)


@pytest.mark.parametrize("part", PARTS)
def test_options_are_documented_as_they_are(part: str) -> None:
    documented = _documentation(ROOT / "plugins/doc_fragments/host_options.py", part.upper())["options"]
    assert set(documented) == set(PARTS[part])
    for name, option in PARTS[part].items():
        for fact in ("type", "elements", "choices", "default"):
            assert documented[name].get(fact) == option.get(fact), (name, fact)
        assert set(documented[name].get("suboptions", {})) == set(option.get("options", {})), name


@pytest.mark.parametrize("role", ROLES)
def test_a_role_s_defaults_are_the_module_s(role: str) -> None:
    defaults, _spec = _role(role)
    for template in map(str, defaults.values()):
        for variable, default in _default_of(template):
            if variable in SPEC and "default" in SPEC[variable]:
                assert default == SPEC[variable]["default"], (role, variable)
            elif variable in SPEC:
                assert default == "", (role, variable)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_s_specification_names_its_variables_and_the_module_s_choices(role: str) -> None:
    defaults, spec = _role(role)
    assert set(defaults) == set(spec)
    for name, option in spec.items():
        if name not in SPEC:
            continue
        if "choices" in option:
            assert option["choices"] == SPEC[name]["choices"], (role, name)
        if "options" in option:
            assert set(option["options"]) == set(SPEC[name]["options"]), (role, name)
        if role != "preflight":
            assert option["type"] == SPEC[name]["type"], (role, name)
            assert ("choices" in option) == ("choices" in SPEC[name]), (role, name)
        if SPEC[name].get("no_log"):
            assert option["no_log"] is True, (role, name)


@pytest.mark.parametrize("role", ROLES)
def test_a_role_hands_every_variable_to_its_module(role: str) -> None:
    tasks = (ROOT / "roles" / role / "tasks/main.yml").read_text()
    for name in yaml.safe_load((ROOT / "roles" / role / "defaults/main.yml").read_text()):
        assert re.search(rf"\b{name}\b", tasks), name


def test_the_preflight_judges_the_same_options() -> None:
    documented = _documentation(ROOT / "plugins/modules/workspace_info.py")["options"]
    for name in set(documented) & set(SPEC):
        if name == "identity":  # the preflight also knows those that hosts cannot have yet
            assert documented[name]["choices"][: len(SPEC[name]["choices"])] == SPEC[name]["choices"]
        elif "choices" in documented[name]:
            assert documented[name]["choices"] == SPEC[name]["choices"]
        assert documented[name].get("default") == SPEC[name].get("default"), name


def test_the_spec_s_own_defaults_come_from_where_they_are_judged() -> None:
    assert tuple(SPEC["routing"]["choices"]) == routing.ROUTING_CHOICES
    assert SPEC["profile"]["default"] == routing.DEFAULT_PROFILE
    assert SPEC["token_ttl_minutes"]["default"] == routing.TTL_MINUTES_DEFAULT
    assert SPEC["agents"]["choices"] == sorted(AGENTS)
    for agent in AGENTS.values():
        assert set(agent.model_defaults) == set(SPEC["models"]["options"])


def test_the_version_is_that_of_galaxy_yml() -> None:
    assert yaml.safe_load((ROOT / "galaxy.yml").read_text())["version"] == version.VERSION
    assert (
        version.VERSION in yaml.safe_load((ROOT / "changelogs/changelog.yaml").read_text() or "")["releases"]
        or (ROOT / f"changelogs/fragments/{version.VERSION}.yml").exists()
    )


def _read_me() -> dict[str, str]:
    """The table of variables: name and what stands under "default", without the backticks."""
    rows = {}
    for line in (ROOT / "README.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        names = re.findall(r"`coding_agents_(\w+)`", cells[0])
        if line.startswith("| `coding_agents_") and len(cells) >= 3:
            rows.update(dict.fromkeys(names, cells[1].strip("`")))
    return rows


def test_the_readme_s_table_names_every_variable_and_its_default() -> None:
    rows = _read_me()
    assert set(operator_variables.VARIABLES) == set(rows)
    for name, shown in rows.items():
        default = operator_variables.VARIABLES[name].get("default")
        if default not in (None, {}, []):
            assert yaml.safe_load(shown) == default, name
    table = (ROOT / "README.md").read_text()
    for agent in AGENTS.values():
        assert all(model in table for model in agent.model_defaults.values())
        assert agent.pinned_version in table


def test_every_module_that_takes_the_workspace_is_in_the_action_group() -> None:
    group = yaml.safe_load((ROOT / "meta/runtime.yml").read_text())["action_groups"]["workspace"]
    taking = []
    for path in ROOT.glob("plugins/modules/*.py"):
        documented = _documentation(path)
        fragments = " ".join(documented.get("extends_documentation_fragment", []))
        if (
            "workspace_url" in documented.get("options", {})
            or "host_options.workspace" in fragments
            or "databricks_auth" in fragments
        ):
            taking.append(path.stem)
    assert sorted(taking) == sorted(group)
