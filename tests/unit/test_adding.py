# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What it takes to add an agent, a part and an option: shown with a copy of the collection, to which a throw-away of each is added."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from plugins.module_utils.agents import AGENTS
from tests import homes
from tests.control_node import REPOSITORY, ControlNode, Play
from tests.hosts.tree import differences, manifest

LICENCE = """\
# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""

AGENT = f'''\
{LICENCE}"""A second agent."""

from __future__ import annotations

import os
from collections.abc import Mapping

from ..engine.documents import Document, KeyPath
from ..engine.owner import Owner
from ..engine.ownership import Wanted
from .base import COMPONENT, Agent, AgentOptions, Problem
from .source_npm import Npm


class Second(Agent):
    name = "second"
    title = "Second Agent"
    command = "second"
    source = Npm("second-agent")
    pinned_version = minimum_version = "1.0.0"
    dialects = ("anthropic",)
    model_defaults = {{"main": "databricks-claude-haiku-4-5"}}
    own_options = {{
        "colour": {{
            "type": "str",
            "choices": ["green", "blue"],
            "default": "green",
            "description": ["The colour of its prompt."],
            "example": "blue",
        }},
    }}

    def documents(self, options: AgentOptions) -> list[Wanted]:
        values = {{
            ("helper",): options.token_helper,
            ("url",): options.base_urls["anthropic"],
            ("model",): self.models(options.models)["main"],
            ("colour",): self.own(options, "colour"),
        }}
        return [Wanted(next(iter(self.usual_files(options.owner))), "json", COMPONENT, values=values)]

    def usual_files(self, owner: Owner) -> dict[str, str]:
        return {{os.path.join(owner.home, ".second", "config.json"): "json"}}

    def known_as_ours(self, document: Document, token_helper: str) -> list[KeyPath]:
        return [("helper",)] if document.get(("helper",)) == token_helper else []

    def problems(self, options: AgentOptions, environment: Mapping[str, str], version: str) -> list[Problem]:
        return []

    def prompt_command(self, program: str, prompt: str) -> list[str]:
        return [program, prompt]


AGENT = Second()
'''

PART = f'''\
{LICENCE}"""A capability: a greeting in the owner's home."""

from __future__ import annotations

import os
from collections.abc import Iterator

from ..engine import traces
from ..engine.ledger import Ledger
from ..engine.owner import Owner
from ..engine.ownership import Wanted
from .base import Options, Part
from .examination import PASS, Check, Examination


class Greeting(Part):
    name = "greeting"

    def wanted(self, owner: Owner, options: Options) -> list[Wanted]:
        return [Wanted(_path(owner), "file", self.name, values={{(): options["greeting"]}}, summary="greeting")]

    def checks(self, examination: Examination) -> Iterator[Check]:
        yield Check("Environment", "greeting", PASS, f"says {{examination.options['greeting']}}")

    def traces(self, ledger: Ledger) -> None:
        traces.whole_file(ledger, self.name, _path(ledger.owner))


def _path(owner: Owner) -> str:
    return os.path.join(owner.home, ".greeting")
'''


class Added(NamedTuple):
    """The copy, what was added to it, and a host's variables that use all of it."""

    collections: Path
    touched: dict[str, dict[str, int]]
    """Lines by file, for each kind of addition."""
    variables: dict[str, Any]


def _replaced(path: Path, *edits: tuple[str, str]) -> None:
    text = path.read_text()
    for old, new in edits:
        assert text.count(old) == 1, f"{path} has {old!r} {text.count(old)} times"
        text = text.replace(old, new)
    path.write_text(text)


def _add_agent(root: Path) -> None:
    agents = root / "plugins/module_utils/agents"
    (agents / "second.py").write_text(AGENT)
    _replaced(agents / "__init__.py", ('("claude_code", ', '("claude_code", "second", '))


def _add_option(root: Path) -> None:
    _replaced(
        root / "plugins/module_utils/options/agent_cli.py",
        ("SPEC: Spec = {\n", 'SPEC: Spec = {\n    "greeting": {"type": "str", "default": "hello"},\n'),
        ("EXAMPLES = {\n", 'EXAMPLES = {\n    "greeting": "good morning",\n'),
    )
    _replaced(
        root / "plugins/doc_fragments/agent_cli.py",
        ("options:\n", "options:\n  greeting:\n    description: How to greet.\n    type: str\n    default: hello\n"),
    )


def _add_part(root: Path) -> None:
    parts = root / "plugins/module_utils/parts"
    (parts / "greeting.py").write_text(PART)
    _replaced(
        parts / "__init__.py",
        ("from .login_item import LoginItem\n", "from .greeting import Greeting\nfrom .login_item import LoginItem\n"),
        ("        AgentSettings(),\n", "        AgentSettings(),\n        Greeting(),\n"),
    )


def _lines(before: Path, after: Path) -> dict[str, int]:
    """How many lines are new or other than before, by file."""
    command = ["git", "diff", "--no-index", "--no-renames", "--numstat", "-z", str(before), str(after)]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    # Of each file: what was added and taken away, and its name before and after.
    found = [part for part in said.split("\0") if part]
    return {
        str(Path(name).relative_to(after)): int(counts.split("\t")[0])
        for counts, _name, name in zip(found[::3], found[1::3], found[2::3], strict=True)
    }


@pytest.fixture(scope="module")
def added(tmp_path_factory: pytest.TempPathFactory) -> Added:
    directory = tmp_path_factory.mktemp("adding")
    collections = directory / "collections"
    root = collections / "ansible_collections/fmapi/coding_agents"
    root.mkdir(parents=True)
    for name in ("plugins", "roles", "playbooks", "meta"):
        shutil.copytree(REPOSITORY / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("galaxy.yml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, root)
    touched = {}
    for number, add in enumerate((_add_agent, _add_option, _add_part)):
        before = directory / f"before-{number}"
        shutil.copytree(root, before)
        add(root)
        touched[add.__name__.removeprefix("_add_")] = _lines(before, root)
    prefix = directory / "prefix"
    named = [(one.command, one.source.package, one.pinned_version) for one in AGENTS.values()]
    for command, package, version in (*named, ("second", "second-agent", "1.0.0")):
        place = prefix / "lib" / "node_modules" / package
        place.mkdir(parents=True)
        (place / "package.json").write_text(json.dumps({"name": package, "version": version}))
        (place / "cli").write_text("#!/bin/sh\nexit 70\n")
        (place / "cli").chmod(0o755)
        (prefix / "bin").mkdir(exist_ok=True)
        (prefix / "bin" / command).symlink_to(place / "cli")
    variables = {
        "workspace_url": "https://127.0.0.1:9",
        "preflight": False,
        "agents": ["claude_code", "second"],
        "models": {"second": {"main": "a-model"}},
        "second_colour": "blue",
        "greeting": "good evening",
        "npm_prefix": str(prefix),
        "toolchain_sources": ["already_present"],
    }
    return Added(collections, touched, {f"coding_agents_{name}": value for name, value in variables.items()})


@pytest.fixture
def control(tmp_path: Path) -> ControlNode:
    return ControlNode(tmp_path)


def _run(control: ControlNode, added: Added, playbook: str, home: Path, *options: str, **more: Any) -> Play:
    own = {
        **added.variables,
        "coding_agents_home": str(home),
        "coding_agents_toolchain_sources": ["already_present"],
        **{f"coding_agents_{name}": one for name, one in more.items()},
    }
    environment = {"ANSIBLE_COLLECTIONS_PATH": str(added.collections)}
    return control.run(playbook, {"host": own}, *options, environment=environment)


def test_an_agent_is_one_file_and_its_registration(added: Added) -> None:
    files = added.touched["agent"]
    assert set(files) == {"plugins/module_utils/agents/second.py", "plugins/module_utils/agents/__init__.py"}
    assert files["plugins/module_utils/agents/__init__.py"] == 1


def test_a_part_is_one_file_and_its_registration(added: Added) -> None:
    files = added.touched["part"]
    assert set(files) == {"plugins/module_utils/parts/greeting.py", "plugins/module_utils/parts/__init__.py"}
    assert files["plugins/module_utils/parts/__init__.py"] <= 2


def test_an_option_is_its_specification_and_its_documentation(added: Added) -> None:
    files = added.touched["option"]
    assert set(files) == {"plugins/module_utils/options/agent_cli.py", "plugins/doc_fragments/agent_cli.py"}


@pytest.mark.parametrize("module", ["coding_agents", "coding_agents_info", "agent_doctor"])
def test_what_was_added_is_documented(control: ControlNode, added: Added, module: str) -> None:
    name = f"fmapi.coding_agents.{module}"
    done = subprocess.run(
        [str(control.programs / "ansible-doc"), "--json", name],
        env={**control.environment(), "ANSIBLE_COLLECTIONS_PATH": str(added.collections)},
        capture_output=True,
        text=True,
        check=True,
    )
    options = json.loads(done.stdout)[name]["doc"]["options"]
    assert options["agents"]["choices"] == sorted([*AGENTS, "second"])
    assert options["models"]["suboptions"]["second"]["suboptions"].keys() == {"main"}
    assert options["second_colour"]["choices"] == ["green", "blue"]
    assert options["greeting"]["default"] == "hello"
    if "parts" in options:
        assert "greeting" in options["parts"]["choices"]


def test_what_was_added_is_looked_at_rolled_out_examined_and_given_back(
    control: ControlNode, added: Added, tmp_path: Path
) -> None:
    home = homes.lived_in(tmp_path / "home")
    ours = (home / ".second/config.json", home / ".greeting")
    before = manifest(str(home))

    dry = _run(control, added, "rollout", home, "--check", "--diff").ok()
    assert '+  "colour": "blue"' in dry.output and "+greeting (sha256" in dry.output
    assert differences(before, manifest(str(home)), times=True) == []

    _run(control, added, "rollout", home).ok()
    config = json.loads(ours[0].read_text())
    assert (config["model"], config["colour"]) == ("a-model", "blue")
    assert config["url"] == "https://127.0.0.1:9/ai-gateway/anthropic"
    assert ours[1].read_text() == "good evening"
    again = _run(control, added, "rollout", home).ok()
    assert (again.changed(), again.starts) == (0, {"host": 1})

    healthy = _checks(control, added, home)
    assert healthy["Configuration", "greeting"] == "PASS" and healthy["Environment", "greeting"] == "PASS"
    assert healthy["Configuration", "agent_settings"] == "PASS" and healthy["Dependencies", "Second Agent"] == "PASS"
    assert ("Models", "a-model") in healthy
    contents = [path.read_text() for path in ours]
    for path, edit in zip(ours, (("blue", "red"), ("good evening", "bah")), strict=True):
        path.write_text(path.read_text().replace(*edit))
    ill = _checks(control, added, home)
    assert ill["Configuration", "greeting"] == ill["Configuration", "agent_settings"] == "FAIL"
    (look,) = _run(control, added, "rollout", home, "--check").ok().results("coding_agents_info")
    assert look["drifted_parts"] == ["agent_settings", "greeting"]
    for path, content in zip(ours, contents, strict=True):
        path.write_text(content)

    _run(control, added, "uninstall", home).ok()
    assert differences(before, manifest(str(home))) == []


def _checks(control: ControlNode, added: Added, home: Path) -> dict[tuple[str, str], str]:
    """The status of each check of the doctor, which finds that there is no workspace."""
    report = control.directory / "report.json"
    play = _run(control, added, "doctor", home, report=str(report))
    checks = json.loads(report.read_text())["hosts"]["host"]["checks"]
    found = {(one["category"], one["check"]): str(one["status"]) for one in checks}
    assert "FAIL" in {status for (category, _check), status in found.items() if category == "Connectivity"}, play.output
    return found


def test_what_was_added_is_given_back_without_a_ledger_too(control: ControlNode, added: Added, tmp_path: Path) -> None:
    home = homes.bare(tmp_path / "home")
    _run(control, added, "rollout", home).ok()
    (home / ".local/state/fmapi-coding-agents/ledger.json").unlink()
    _run(control, added, "uninstall", home).ok()
    assert not (home / ".greeting").exists()
    assert "helper" not in json.loads((home / ".second/config.json").read_text())


def test_a_part_that_was_added_has_its_tag(control: ControlNode, added: Added, tmp_path: Path) -> None:
    home = homes.bare(tmp_path / "home")
    _run(control, added, "rollout", home, "--tags", "greeting").ok()
    assert (home / ".greeting").exists() and not (home / ".second").exists()


def test_what_was_added_is_judged(control: ControlNode, added: Added, tmp_path: Path) -> None:
    home = homes.bare(tmp_path / "home")
    table: dict[str, tuple[Any, str]] = {
        "agents": (["secnd"], "coding_agents_agents names secnd. Use one or more of: claude_code, "),
        "models": ({"second": {"mian": "x"}}, "coding_agents_models.second has mian, which is no choice of a model"),
        "second_colour": ("red", "coding_agents_second_colour is 'red'. Use one of: green, blue."),
        "extra_settings": ({"second": {"helper": "x"}}, "coding_agents_extra_settings.second.helper: is set by this"),
        "cli_versions": ({"second": "0.9.0"}, "Second Agent 0.9.0 does not work with a workspace"),
        "greeting": (["a"], "coding_agents_greeting is"),
    }
    said = _run(control, added, "rollout", home, **{name: value for name, (value, _said) in table.items()}).message(
        "host"
    )
    for _value, words in table.values():
        assert words in said, said
    more = _run(control, added, "rollout", home, colour="red", greting="x").message("host")
    assert "coding_agents_colour: there is no such variable. It is coding_agents_second_colour now." in more
    assert "coding_agents_greting: there is no such variable. Did you mean coding_agents_greeting?" in more
    unknown = _run(control, added, "rollout", home, "--tags", "greting").message("host")
    assert "greeting" in unknown and "no such tag" in unknown
