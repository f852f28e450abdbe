# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parsers travel to the host that has a file to read with them, with that call, and leave nothing there."""

from __future__ import annotations

import base64
import io
import json
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils import loading, module, rollout
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine import transaction
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.documents import LibraryNeeded
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ledger import Ledger
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owner import Owner
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ownership import Wanted
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import CARRIED_LIBRARY, How
from ansible_collections.fmapi.coding_agents.plugins.plugin_utils import carrying

from tests import homes
from tests.control_node import REPOSITORY, ControlNode, Play
from tests.hosts.tree import differences, manifest
from tests.unit.homes import imports, owner_of
from tests.unit.options_for import carried, options_for
from tests.unit.test_adding import AGENT
from tests.unit.test_program import PYTHONS, every_python
from tests.unit.trees import without_libraries

TOML = b'# mine\nmodel = "x" # why\n\n[t]\nd = 1979-05-27\n'
YAML = b"# mine\nmodel: x # why\nt:\n  d: 1979-05-27\n"

# -- what travels ------------------------------------------------------------------------------------------------------


def test_sources_of_parsers_and_the_locks_travel_and_nothing_else() -> None:
    content = base64.b64decode(carrying.libraries())
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = archive.namelist()
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert {name.partition("/")[0] for name in names} == {"locks", "tomllib", "yaml"}
    assert all(name.endswith(".py") for name in names)
    assert not {"yaml/constructor.py", "yaml/emitter.py", "yaml/cyaml.py"} & set(names), "what reads, and no more"
    assert len(carrying.libraries()) < 80_000, "half of it are digests, which nothing makes smaller"
    options = options_for()
    assert "libraries" not in carrying.carried(options, True)
    assert carrying.carried(options, False, with_libraries=True)["libraries"] == carrying.libraries()


def test_an_installation_without_sources_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(carrying.importlib.util, "find_spec", lambda name: None)  # type: ignore[attr-defined]
    with pytest.raises(
        Exception, match=r"yaml has no source reader\.py on the control node.* install --force-reinstall"
    ):
        carrying._source("yaml", "reader")


STORY = """
import json, os, sys
from ansible_collections.fmapi.coding_agents.plugins.module_utils import loading
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owner import current_owner
given = json.load(sys.stdin)
loading.load(current_owner(os.getcwd()), given)
from coding_agents.engine.documents import FORMATS, LibraryNeeded
told = {"parsers": []}
for kind, text in (("toml", b"a = 1 # mine\\n[t]\\nx = 1979-05-27\\n"), ("yaml", b"a: 1 # mine\\nt:\\n  x: 2001-12-14\\n")):
    try:
        document = FORMATS[kind](text)
    except LibraryNeeded:
        told[kind] = "needed"
        continue
    document.set(("t", "new"), ["z"])
    told[kind] = document.content.decode()
told["parsers"] = sorted(name for name in sys.modules if name.partition(".")[0] in ("yaml", "tomllib"))
print(json.dumps(told))
"""


@every_python
def test_every_python_of_a_host_reads_with_what_has_travelled(python: str, tmp_path: Path) -> None:
    version = next(version for version, path in PYTHONS.items() if path == python)
    for libraries in ({}, {"libraries": carrying.libraries()}):
        done = subprocess.run(
            [python, "-B", "-W", "error", "-c", STORY],
            input=json.dumps({**carried(), **libraries}),
            env={**imports(), "HOME": str(tmp_path)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        if libraries:
            assert told["yaml"] == "a: 1 # mine\nt:\n  x: 2001-12-14\n  new:\n    - z\n"
        else:
            assert told["yaml"] == "needed", "whatever the host has installed"
        has_toml = bool(libraries) or version not in ("3.9", "3.10")
        assert told["toml"] == ('a = 1 # mine\n[t]\nx = 1979-05-27\nnew = ["z"]\n' if has_toml else "needed")
        assert not [name for name in told["parsers"] if name.startswith("yaml")]
    assert list(tmp_path.iterdir()) == []


# -- what a module answers ---------------------------------------------------------------------------------------------


class _Program:
    """A host program whose every verb has a file to read."""

    asked: list[tuple[str, bool]] = []

    @classmethod
    def bring_or_withdraw(cls, owner: Owner, options: dict[str, Any], how: How) -> dict[str, Any]:
        cls.asked.append((owner.user, how.check))
        if owner.user == "grace" and "libraries" not in options["carried"]:
            raise LibraryNeeded("yaml")
        return {"changed": True}

    @classmethod
    def read_documents(cls, owner: Owner, options: dict[str, Any], how: How) -> dict[str, Any]:
        assert how.check
        return cls.bring_or_withdraw(owner, options, how) and {}


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> type[_Program]:
    _Program.asked = []
    monkeypatch.setattr(loading, "load", lambda owner, given, module: _Program)
    monkeypatch.setattr(loading, "keep", lambda owner, digest: None)
    return _Program


@pytest.mark.usefixtures("program")
def test_a_module_that_lacks_a_parser_says_so_and_has_done_nothing(tmp_path: Path) -> None:
    grace = owner_of(tmp_path)._replace(user="grace")
    options = {"carried": {"program_sha256": "x"}}
    assert module._work(grace, "bring_or_withdraw", options, How()) == {"needs_libraries": True}
    brought = {"carried": {"program_sha256": "x", "libraries": "x"}}
    assert module._work(grace, "bring_or_withdraw", brought, How()) == {"changed": True}


def test_nobody_s_work_begins_while_one_of_them_lacks_a_parser(program: type[_Program], tmp_path: Path) -> None:
    owners = [owner_of(tmp_path)._replace(user=name) for name in ("ada", "grace")]
    options: dict[str, Any] = {"carried": {"program_sha256": "x"}}
    found = module._unread(owners, options, How())
    assert [(one.owner.user, one.result) for one in found] == [("ada", {}), ("grace", {"needs_libraries": True})]
    assert program.asked == [("ada", True), ("grace", True)], "nobody was changed"
    assert module.merged(found)["needs_libraries"]
    assert module._unread(owners[:1], options, How()) == [], "for one owner, that call is made once"
    assert module._unread(owners, {"carried": {"libraries": "x"}}, How()) == []


def test_carried_names_are_found_in_memory_only() -> None:
    assert loading._Libraries.find_spec("yaml") is None
    assert loading._Libraries.find_spec(f"{CARRIED_LIBRARY}os") is None
    assert loading._Libraries.find_spec(f"{CARRIED_LIBRARY}yaml.reader") is not None


# -- in the middle of a run --------------------------------------------------------------------------------------------


def _wanted(home: Path) -> list[Wanted]:
    return [
        Wanted(str(home / "a.json"), "json", "agent_settings", values={("a",): 1}),
        Wanted(str(home / "b.yaml"), "yaml", "agent_settings", values={("b",): 1}),
    ]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """One in which a JSON and a YAML document have something of ours."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "b.yaml").write_bytes(YAML)
    transaction.bring(owner_of(home), ["agent_settings"], _wanted(home), check=False)
    return home


def test_a_change_for_several_owners_is_asked_first_whether_it_has_to_read(home: Path) -> None:
    options = options_for(state="absent", parts=["agent_settings"])
    with without_libraries():
        assert rollout.read_documents(owner_of(home), options, How(True)) == {}, "the exact way back reads nothing"
        with pytest.raises(LibraryNeeded):
            rollout.read_documents(owner_of(home), options, How(True, diff=True))
        (home / "b.yaml").write_bytes((home / "b.yaml").read_bytes() + b"# theirs\n")
        with pytest.raises(LibraryNeeded):
            rollout.read_documents(owner_of(home), options, How(True))
    assert rollout.read_documents(owner_of(home), options, How(True, diff=True)) == {}


def test_a_way_back_with_a_diff_asks_for_a_parser_before_anything_is_changed(home: Path) -> None:
    options, before = options_for(state="absent", parts=["agent_settings"]), manifest(str(home))
    with without_libraries(), pytest.raises(LibraryNeeded):
        rollout.withdraw(owner_of(home), options, How(diff=True))
    assert differences(before, manifest(str(home)), times=True) == []
    done = rollout.withdraw(owner_of(home), options, How(diff=True))
    assert done["changed"] and "d: ********" in json.dumps(done["diff"]) and (home / "b.yaml").read_bytes() == YAML


def test_a_file_that_changes_while_it_is_given_back_is_asked_for_once_more(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = (home / "a.json").read_bytes()
    write = transaction._write_document

    def meddling(ledger: Any, one: Any, found: Any) -> None:
        if one.path.endswith(".yaml") and not (home / "b.yaml").read_bytes().endswith(b"# theirs\n"):
            (home / "b.yaml").write_bytes((home / "b.yaml").read_bytes() + b"# theirs\n")
        write(ledger, one, found)

    monkeypatch.setattr(transaction, "_write_document", meddling)
    # Its document is the last to be given back: another has been by then.
    with without_libraries(), pytest.raises(LibraryNeeded):
        transaction.bring(owner_of(home), ["agent_settings"], [], check=False)
    assert (home / "a.json").read_bytes() == ours, "what had been written is put back"
    ledger = Ledger.load(owner_of(home))
    assert not ledger.pending and len(ledger.documents) == 2
    outcome = transaction.bring(owner_of(home), ["agent_settings"], [], check=False)
    assert not outcome.interrupted and not (home / "a.json").exists()
    assert (home / "b.yaml").read_bytes() == YAML + b"# theirs\n"


# -- through Ansible ---------------------------------------------------------------------------------------------------

DOCUMENTS = """\
        own = {("helper",): options.token_helper, ("providers", "databricks", "url"): options.base_urls["anthropic"]}
        files = self.usual_files(options.owner)
        return [Wanted(path, kind, COMMENT, values=own if kind != "json" else values) for path, kind in files.items()]
""".replace("COMMENT", "COMPONENT")


@pytest.fixture(scope="module")
def collections(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the collection with an agent that has a TOML and a YAML document."""
    directory = tmp_path_factory.mktemp("travelling")
    root = directory / "collections/ansible_collections/fmapi/coding_agents"
    root.mkdir(parents=True)
    for name in ("plugins", "roles", "playbooks", "meta"):
        shutil.copytree(REPOSITORY / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("galaxy.yml", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, root)
    agents = root / "plugins/module_utils/agents"
    one_document = (
        '        return [Wanted(next(iter(self.usual_files(options.owner))), "json", COMPONENT, values=values)]\n'
    )
    one_file = '{os.path.join(owner.home, ".second", "config.json"): "json"}'
    files = ", ".join(
        f'os.path.join(owner.home, ".second", "config.{kind}"): "{kind}"' for kind in ("toml", "yaml", "json")
    )
    assert one_document in AGENT and one_file in AGENT
    (agents / "second.py").write_text(AGENT.replace(one_document, DOCUMENTS).replace(one_file, f"{{{files}}}"))
    registry = (agents / "__init__.py").read_text()
    (agents / "__init__.py").write_text(registry.replace('("claude_code", ', '("claude_code", "second", '))
    return directory / "collections"


@pytest.mark.parametrize("version", ["3.9", "newest"])
def test_a_host_pays_for_a_parser_when_it_has_to_read_and_not_otherwise(
    collections: Path, tmp_path: Path, version: str
) -> None:
    if version not in PYTHONS and version != "newest":
        pytest.skip(f"this machine has no Python {version}")
    control, home = ControlNode(tmp_path), homes.bare(tmp_path / "home")
    python = PYTHONS.get(version) or list(PYTHONS.values())[-1]
    starts = tmp_path / "starts"
    wrapper = tmp_path / "python"
    wrapper.write_text(f'#!/bin/sh\necho start >>"{starts}"\nexec {python} "$@"\n')
    wrapper.chmod(0o755)
    (home / ".second").mkdir()
    toml, yaml = home / ".second/config.toml", home / ".second/config.yaml"
    toml.write_bytes(TOML)
    yaml.write_bytes(YAML)
    before = manifest(str(home))
    variables: dict[str, Any] = {
        "ansible_python_interpreter": str(wrapper),
        "coding_agents_workspace_url": "https://127.0.0.1:9",
        "coding_agents_preflight": False,
        "coding_agents_home": str(home),
        "coding_agents_toolchain_sources": ["already_present"],
    }

    def run(playbook: str, *options: str, agent: str = "second") -> tuple[Play, int]:
        starts.write_text("")
        variables["coding_agents_agents"] = [agent]
        environment = {"ANSIBLE_COLLECTIONS_PATH": str(collections)}
        skipped = ("--skip-tags", "agent_cli") if playbook == "rollout" else ()
        play = control.run(playbook, {"host": variables}, *skipped, *options, environment=environment)
        # The doctor finds faults: neither the agent nor the Databricks CLI is installed.
        play = play if playbook == "doctor" else play.ok()
        return play, len(starts.read_text().splitlines())

    _play, calls = run("rollout", "--check", agent="claude_code")
    assert calls == 2, "what an agent has that was not chosen is nobody's business"

    dry, calls = run("rollout", "--check", "--diff")
    assert calls == 2, "the look, which finds no program, and what brings it brings the parsers, too"
    assert "# ********" in dry.output and "https://127.0.0.1:9/ai-gateway/anthropic" in dry.output
    assert "1979" not in dry.output and "why" not in dry.output
    assert differences(before, manifest(str(home)), times=True) == []

    _play, calls = run("rollout")
    assert calls == 2
    assert (
        toml.read_text().startswith('# mine\nmodel = "x" # why\n')
        and "\n\n[providers.databricks]\n" in toml.read_text()
    )
    assert yaml.read_text().startswith(YAML.decode()) and "\nproviders:\n  databricks:\n    url: " in yaml.read_text()
    assert not [
        path for path in home.rglob("*") if path.is_file() and CARRIED_LIBRARY.encode() in path.read_bytes()[:200]
    ]

    again, calls = run("rollout")
    assert (again.changed(), calls) == (0, 1), "the second run parses nothing"
    found, calls = run("doctor", "--check")
    assert "agent_settings: as wanted" in found.output and calls == 1, "parsers come with the doctor's first call"

    yaml.write_bytes(yaml.read_bytes() + b"# theirs\n")
    edited, calls = run("rollout", "--diff")
    assert (edited.changed(), calls) == (0, 2), "the look, and the look with parsers"

    back, calls = run("uninstall")
    assert (back.changed(), calls) == (1, 3), "the listing, and that with parsers, which the way back brings along"
    assert toml.read_bytes() == TOML and yaml.read_bytes() == YAML + b"# theirs\n"
    yaml.write_bytes(YAML)
    assert differences(before, manifest(str(home))) == []
