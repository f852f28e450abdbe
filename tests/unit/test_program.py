# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The host program: the same bytes everywhere, and nothing needed beside it."""

from __future__ import annotations

import ast
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.config import Config
from ansible_collections.fmapi.coding_agents.plugins.plugin_utils.program import digest, program

from tests.unit.homes import imports

VERSIONS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")


def _pythons() -> dict[str, str]:
    """Every Python from 3.9 on that this machine has."""
    found = {}
    for version in VERSIONS:
        program = shutil.which(
            f"python{version}", path=os.pathsep.join([os.environ["PATH"], "/usr/bin", "/usr/local/bin"])
        )
        candidates = [
            *sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python3")),
            *([Path(program)] if program else []),
        ]
        for candidate in candidates:
            done = subprocess.run([candidate, "-I", "-c", "import ssl"], capture_output=True, check=False)
            if done.returncode == 0:
                found[version] = str(candidate)
                break
    return found


PYTHONS = _pythons()
every_python = pytest.mark.parametrize("python", PYTHONS.values(), ids=list(PYTHONS))

BUILD = """
from ansible_collections.fmapi.coding_agents.plugins.plugin_utils.program import digest
print(digest())
"""


@pytest.mark.parametrize("python", [path for version, path in PYTHONS.items() if version not in ("3.9", "3.10")])
def test_every_python_of_a_control_node_packs_the_same_program(python: str) -> None:
    done = subprocess.run([python, "-c", BUILD], env=imports(), capture_output=True, text=True, check=False, cwd="/")
    assert done.stdout.strip() == digest() == hashlib.sha256(program()).hexdigest(), done.stderr


def _sources() -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(program())) as archive:
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert archive.namelist() == sorted(archive.namelist())
        return {name: archive.read(name).decode() for name in archive.namelist()}


ENTRIES = {"__main__.py", *(f"coding_agents/{name}.py" for name in ("rollout", "examining", "listing"))}
"""What people and agents start, and what modules load."""


def _imported(name: str, source: str) -> Iterator[set[str]]:
    """For each name that a file imports from the program: the files of which one must have it."""
    for node in ast.walk(ast.parse(source, name)):
        if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").startswith("coding_agents.")):
            here = Path(name).parent.parts
            above = here[: len(here) - node.level + 1] if node.level else ()
            module = "/".join((*above, *(node.module or "").split("."))).rstrip("/")
            for one in node.names:
                yield {
                    f"{module}/{one.name}.py",
                    f"{module}/{one.name}/__init__.py",
                    f"{module}.py",
                    f"{module}/__init__.py",
                }


def _closure(sources: dict[str, str], entries: set[str]) -> set[str]:
    """All files that are loaded with some, those of their packages among them."""
    reached: set[str] = set()
    ahead = set(entries)
    while ahead:
        name = ahead.pop()
        reached.add(name)
        ahead |= {f"{parent}/__init__.py" for parent in Path(name).parents if parent.name}
        for candidates in _imported(name, sources[name]):
            assert candidates & set(sources), f"{name} imports {' or '.join(sorted(candidates))}"
            ahead |= candidates & set(sources)
        ahead -= reached
    return reached


def test_the_program_holds_what_it_imports_and_nothing_else() -> None:
    sources = _sources()
    agents = {f"coding_agents/agents/{name}.py" for name in AGENTS}  # imported by name, one by one
    assert _closure(sources, ENTRIES | agents) == set(sources)
    assert all(name == "__main__.py" or name.startswith("coding_agents/") for name in sources)
    assert not [name for name, source in sources.items() if re.search(r"^\s*(import|from) ansible", source, re.M)]


def _config(home: Path) -> Config:
    return Config(str(home), "https://w.example.com", "fmapi", "user", 15)


def _program(home: Path) -> Config:
    config = _config(home)
    os.makedirs(config.data_directory)
    Path(config.program).write_bytes(program())
    Path(config.config_file).write_text(config.to_json())
    return config


@every_python
def test_it_runs_alone_from_an_empty_directory(python: str, tmp_path: Path) -> None:
    config = _program(tmp_path / "home")
    empty = tmp_path / "empty"
    empty.mkdir()
    command = [python, "-I", "-B", config.program, "--config", config.config_file, "status", "--json"]
    done = subprocess.run(command, cwd=empty, env={"PATH": "/nowhere"}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    status = json.loads(done.stdout)
    assert status["workspace_url"] == "https://w.example.com"
    assert status["state"] == "unknown"
    assert status["token_helper"] == config.helper


@every_python
def test_without_a_sign_in_the_token_verb_says_one_line_and_no_token(python: str, tmp_path: Path) -> None:
    config = _program(tmp_path / "home")
    command = [python, "-I", "-B", config.program, "--config", config.config_file, "token"]
    done = subprocess.run(command, env={"PATH": "/nowhere", "HOME": "/x"}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert f"run: {config.front} login" in done.stderr


@pytest.mark.parametrize("content", [None, "", "{", "[]", "{}", '{"home": "/h"}', '{"surprise": 1}'])
def test_a_configuration_that_is_not_ours_is_told_in_one_line(content: str | None, tmp_path: Path) -> None:
    config = _program(tmp_path)
    if content is None:
        os.unlink(config.config_file)
    else:
        Path(config.config_file).write_text(content)
    command = [sys.executable, "-I", config.program, "--config", config.config_file, "token"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Run the rollout again" in done.stderr and done.stderr.count("\n") == 1


def test_the_configuration_reads_back_and_holds_no_secret(tmp_path: Path) -> None:
    config = _config(tmp_path / "håme with 'quotes'")
    (tmp_path / "c").write_text(config.to_json(), encoding="utf-8")
    assert Config.load(str(tmp_path / "c")) == config
    names = set(json.loads(config.to_json()))
    assert {"home", "workspace_url", "profile", "identity", "client_id", "oidc_token_file"} <= names
    assert not [name for name in names if "secret" in name or name in ("token", "pat")]


def test_each_workspace_profile_and_identity_has_its_own_cache() -> None:
    base = ("/h", "https://w", "p", "user", 15)
    others = [
        ("/h", "https://v", "p", "user", 15),
        ("/h", "https://w", "q", "user", 15),
        ("/h", "https://w", "p", "pat", 15),
    ]
    files = {Config(*one).cache_file for one in (base, *others)}
    assert len(files) == 4
    assert Config("/h", "https://w", "p", "user", 60).cache_file == Config(*base).cache_file


def test_the_program_says_its_usage_and_knows_its_verbs_only(tmp_path: Path) -> None:
    config = _program(tmp_path)
    done = subprocess.run([sys.executable, "-I", config.program, "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "token" in done.stdout and "status" in done.stdout
    for arguments in ([], ["nonsense"], ["--config", config.config_file]):
        done = subprocess.run(
            [sys.executable, "-I", config.program, *arguments], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout) == (64, "")
