# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two hosts that share a home and have different Pythons: a second run is silent on both, and each starts its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils import loading, rollout
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.context import bare_config
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.databricks_oauth_scripts import front_script
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import COMPILED, How

from tests.unit.homes import make_home, owner_of, tree
from tests.unit.options_for import carried, options_for

OPTIONS = options_for(parts=["databricks_oauth", "agent_settings"])
RUN, CHECK = How(), How(check=True)


class Host(NamedTuple):
    node: str
    python: str


class Uname(NamedTuple):
    sysname: str
    nodename: str
    release: str
    version: str
    machine: str


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return make_home(tmp_path / "home")


@pytest.fixture
def hosts(tmp_path: Path) -> tuple[Host, Host]:
    """Each with an interpreter that says which it is, and that only it has."""
    made = []
    for name in ("east", "west"):
        python = tmp_path / f"python-of-{name}"
        python.write_text(f'#!/bin/sh\necho "{name}" >&2\nexec {sys.executable} "$@"\n')
        python.chmod(0o755)
        made.append(Host(name, str(python)))
    return made[0], made[1]


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch) -> Callable[[Host], Any]:
    @contextmanager
    def being(host: Host) -> Iterator[None]:
        told = os.uname()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "executable", host.python)
            patch.setattr(os, "uname", lambda: Uname(told[0], host.node, *told[2:]))
            yield

    return being


def stands(home: Path) -> Any:
    """But for what asking for a token leaves."""
    return {path: one for path, one in tree(home).items() if not path.startswith(".cache/")}


def look(home: Path) -> Any:
    return rollout.look(owner_of(home), OPTIONS, CHECK)


def test_a_second_run_is_silent_on_both(home: Path, hosts: tuple[Host, Host], on: Callable[[Host], Any]) -> None:
    before = tree(home)
    east, west = hosts
    with on(east):
        assert rollout.apply(owner_of(home), OPTIONS, RUN)["changed"]
    first = stands(home)
    with on(west):
        told = look(home)
        assert told["changes"] == [f"the interpreter {west.python} is noted for this host"] and told["drifted"]
        assert stands(home) == first
        done = rollout.apply(owner_of(home), OPTIONS, RUN)
        assert done["changed"] and done["changes"] == told["changes"]
    both = stands(home)
    for host in (east, west, east):
        with on(host):
            assert not look(home)["drifted"]
            assert not rollout.apply(owner_of(home), OPTIONS, RUN)["changed"]
            assert stands(home) == both
    with on(west):
        rollout.withdraw(owner_of(home), options_for(workspace_url=None), RUN)
    assert tree(home) == before


def test_each_starts_its_own(
    home: Path, hosts: tuple[Host, Host], on: Callable[[Host], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for host in hosts:
        with on(host):
            rollout.apply(owner_of(home), OPTIONS, RUN)
    tools = tmp_path / "tools"
    tools.mkdir()
    for host in (*hosts, Host("a third", "")):
        (tools / "uname").write_text(f"#!/bin/sh\necho '{host.node}'\n")
        (tools / "uname").chmod(0o755)
        done = subprocess.run(
            [bare_config(owner_of(home)).front, "--help"],
            env={"PATH": f"{tools}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
        )
        assert done.returncode == 0 and "login" in done.stdout, done.stderr
        # A host that has been rolled out to by none finds one for itself.
        assert done.stderr.split()[:1] == ([host.node] if host in hosts else [])


def test_the_command_is_the_same_whatever_python_brings_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = bare_config(owner_of(home))
    text = front_script(config)
    monkeypatch.setattr(sys, "executable", "/opt/another/python")
    assert front_script(config) == text and b"/opt/another" not in text


def test_an_interpreter_that_moved_is_noted_anew(
    home: Path, hosts: tuple[Host, Host], on: Callable[[Host], Any]
) -> None:
    with on(hosts[0]):
        rollout.apply(owner_of(home), OPTIONS, RUN)
    with on(hosts[0]._replace(python=hosts[1].python)):
        assert look(home)["drifted"]
        rollout.apply(owner_of(home), OPTIONS, RUN)
        assert not look(home)["drifted"]


def test_each_keeps_its_compiled_code(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rollout.apply(owner_of(home), OPTIONS, RUN)
    owner, digest = owner_of(home), carried()["program_sha256"]
    cache = Path(owner.cache)
    (cache / f"{COMPILED}of-an-older-program").touch()
    monkeypatch.setattr(loading._Finder, "kept", "")
    for version in ("30c00f0", "30d00f0", "30c00f0"):
        monkeypatch.setattr(sys, "hexversion", int(version, 16))
        (cache / f"{loading._compiled_file(owner.cache, digest)}.12345").touch()
        loading.keep(owner, {"program_sha256": digest})
    assert sorted(path.name.rpartition("-")[2] for path in cache.glob(f"{COMPILED}*")) == ["30c00f0", "30d00f0"]
    rollout.withdraw(owner, options_for(workspace_url=None), RUN)
    assert not cache.exists()
