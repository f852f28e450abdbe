# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The relay is one file: the same bytes for the same inputs, of proved wheels, and it needs nothing beside it."""

from __future__ import annotations

import io
import os
import subprocess
import zipfile
from pathlib import Path

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents.sources import Settings
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.plugin_utils import relay_program

from tests.unit.package_registry import Registry
from tests.unit.relay_archive import archive, wheels
from tests.unit.test_program import _closure, every_python

SERVER = """
import sys
sys.path.insert(0, sys.argv[1])
from coding_agents.relay import libraries, server
print(libraries.uvicorn.__name__)
"""


def _settings(home: Path, **own: str) -> Settings:
    return Settings(str(home), os.environ, **own)  # type: ignore[arg-type]


def test_the_same_wheels_make_the_same_bytes_in_any_order() -> None:
    backwards = dict(reversed(list(wheels().items())))
    assert relay_program.pack(backwards) == archive()


def test_it_holds_the_pinned_packages_with_their_licences_and_our_code_and_nothing_else() -> None:
    with zipfile.ZipFile(io.BytesIO(archive())) as packed:
        names = packed.namelist()
        own = {name: packed.read(name).decode() for name in names if name.startswith(("coding_agents/", "__main__"))}
    assert names == sorted(names)
    of_packages = {name.split("/")[0] for name in names if name not in own and not name.startswith("licences/")}
    assert of_packages == {one.name for one in relay_program.pins()} - {"typing_extensions"} | {"typing_extensions.py"}
    licensed = {name.split("/")[1] for name in names if name.startswith("licences/")}
    assert licensed == {f"{one.name}-{one.version}" for one in relay_program.pins()}
    documents = {name for name in own if name.startswith("coding_agents/engine/documents/")}
    entries = {"__main__.py", *documents, *(name for name in own if "/relay/" in name or "/host_program/" in name)}
    assert _closure(own, entries) == set(own)


@every_python
def test_every_python_of_a_host_starts_it_with_nothing_beside_it(python: str, tmp_path: Path) -> None:
    program = tmp_path / "relay.pyz"
    program.write_bytes(archive())
    command = [python, "-I", "-S", "-B", str(program), "--settings", str(tmp_path / "none.json"), "serve"]
    done = subprocess.run(command, env={"PATH": "/nowhere"}, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "") and "cannot be used" in done.stderr
    done = subprocess.run(
        [python, "-I", "-S", "-B", "-c", SERVER, str(program)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "uvicorn\n"), done.stderr


def test_what_is_not_what_its_maker_published_is_not_used(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    for name, content in wheels().items():
        (cache / name).write_bytes(content)
    changed = cache / relay_program.pins()[0].wheel
    changed.write_bytes(changed.read_bytes() + b"more")
    server = Registry()
    try:
        with pytest.raises(OperatorError) as refused:
            relay_program.wheels(str(cache), _settings(tmp_path, pip_index=f"{server.url}/simple"))
    finally:
        server.close()
    assert "the relay: cannot be fetched" in refused.value.told and "coding_agents_pip_index" in refused.value.told


def test_wheels_that_are_there_are_not_fetched_again(tmp_path: Path) -> None:
    for name, content in wheels().items():
        (tmp_path / name).write_bytes(content)
    nowhere = _settings(tmp_path, pip_index="http://127.0.0.1:9/simple")
    assert relay_program.wheels(str(tmp_path), nowhere) == wheels()


def test_a_python_without_pip_is_told_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without = tmp_path / "python"
    without.write_text("#!/bin/sh\nexit 1\n")
    without.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(without))
    with pytest.raises(OperatorError) as refused:
        relay_program.wheels(str(tmp_path), _settings(tmp_path))
    assert "has no pip" in refused.value.told and "coding_agents_relay" in refused.value.told
