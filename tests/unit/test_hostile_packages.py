# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry or a mirror that gives something else under the name and version of a package: nothing of it runs."""

from __future__ import annotations

import base64
import copy
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents.source_npm import Npm
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents.source_pip import Pip
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents.sources import Settings
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError

from tests.control_node import REPOSITORY
from tests.unit.package_registry import Registry

NAME, PLATFORM, OTHER = "@test/agent", "@test/agent-linux", "@test/other"
TARBALL = f"/{PLATFORM}/-/agent-linux-1.0.0.tgz"
"""Of PLATFORM, as npm's own registry calls it."""

pytestmark = pytest.mark.skipif(not shutil.which("npm"), reason="needs npm: apt-get install -y npm")


@pytest.fixture
def registry() -> Iterator[Registry]:
    made = Registry()
    yield made
    made.close()


def publish(registry: Registry, trace: Path, text: str = "published", **more: Any) -> tuple[str, str]:
    """The package with a script, and the one that it brings along; their integrity."""
    scripts = {"postinstall": f"echo {text} >>{trace}"}
    registry.add_npm(PLATFORM, "1.0.0", "agent-linux", f"#!/bin/sh\necho {text}\n", scripts=scripts)
    registry.add_npm(
        NAME,
        "1.0.0",
        "agent",
        f"#!/bin/sh\necho {text}\n",
        scripts=scripts,
        optionalDependencies={PLATFORM: "1.0.0"},
        **more,
    )
    dists = [registry._packages[name]["versions"]["1.0.0"]["dist"]["integrity"] for name in (NAME, PLATFORM)]
    return dists[0], dists[1]


def lock_of(published: tuple[str, ...]) -> dict[str, Any]:
    own, platform = published
    return {
        f"node_modules/{NAME}": {
            "version": "1.0.0",
            "integrity": own,
            "optionalDependencies": {PLATFORM: "1.0.0"},
            "bin": {"agent": "cli"},
        },
        f"node_modules/{PLATFORM}": {"version": "1.0.0", "integrity": platform, "optional": True},
    }


def fetch(registry: Registry, home: Path, published: tuple[str, ...]) -> Path:
    settings = Settings(str(home), {"PATH": os.environ["PATH"]}, f"{registry.url}/")
    Npm(NAME, needs_scripts=True).fetch("1.0.0", str(home / "x"), settings, lock_of(published) if published else None)
    return home / "x" / "lib" / "node_modules" / NAME


def refusal(registry: Registry, home: Path, published: tuple[str, ...]) -> str:
    with pytest.raises(OperatorError) as caught:
        fetch(registry, home, published)
    return str(caught.value)


def test_what_its_maker_published_is_installed_and_only_its_own_scripts_run(registry: Registry, tmp_path: Path) -> None:
    published = publish(registry, tmp_path / "ran")
    assert (fetch(registry, tmp_path, published) / "cli").exists()
    assert (tmp_path / "ran").read_text() == "published\n", "that of the package itself, once"
    command = tmp_path / "x" / "bin" / "agent"
    assert os.access(command, os.X_OK) and Npm(NAME).version_of(str(command)) == "1.0.0"
    assert not (tmp_path / "x" / "lib" / "package.json").exists()


def test_a_version_without_a_lock_is_installed_as_ever(registry: Registry, tmp_path: Path) -> None:
    publish(registry, tmp_path / "ran")
    assert (fetch(registry, tmp_path, ()) / "cli").exists()
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("here", [True, False])
def test_a_lock_without_the_program_for_this_platform_is_not_held_against_it(
    registry: Registry, tmp_path: Path, here: bool
) -> None:
    """The same version is installed, as the registry gives it; a lock that has the program is obeyed."""
    published = publish(registry, tmp_path / "ran")
    lock = lock_of(published)
    lock[f"node_modules/{NAME}"]["lacksPlatforms"] = True
    lock[f"node_modules/{PLATFORM}"]["os"] = [sys.platform if here else "aix"]
    publish(registry, tmp_path / "ran", "another")
    settings = Settings(str(tmp_path), {"PATH": os.environ["PATH"]}, f"{registry.url}/")
    if here:
        with pytest.raises(OperatorError, match="is not what its maker published"):
            Npm(NAME).fetch("1.0.0", str(tmp_path / "x"), settings, lock)
    else:
        Npm(NAME).fetch("1.0.0", str(tmp_path / "x"), settings, lock)
        assert Npm(NAME).installed_version(str(tmp_path / "x")) == "1.0.0"


@pytest.mark.parametrize("which", [NAME, PLATFORM])
def test_a_mirror_that_gives_something_else_is_found_out_before_anything_has_run(
    registry: Registry, tmp_path: Path, which: str
) -> None:
    """It names the integrity of what it gives: npm has nothing to complain of."""
    published = publish(registry, tmp_path / "ran")
    genuine = {path: content for path, content in registry._files.items() if not path.startswith(f"/{which}/")}
    packages = copy.deepcopy({name: one for name, one in registry._packages.items() if name != which})
    publish(registry, tmp_path / "ran", "evil")
    registry._files.update(genuine)
    registry._packages.update(packages)
    said = refusal(registry, tmp_path, published)
    assert said.startswith(f"{NAME}@1.0.0: ")
    assert f"is not what its maker published: the npm registry {registry.url}/ gives something else" in said
    assert "Nothing of it was run. Check coding_agents_npm_registry" in said
    assert not (tmp_path / "ran").exists()


WHEEL = Pip("test-agent", pythons=(f"{sys.version_info[0]}.{sys.version_info[1]}",))
"""As Hermes comes: into an environment of its own, from a Python index."""


def fetch_wheel(registry: Registry, home: Path, lock: list[str]) -> str | None:
    settings = Settings(str(home), {"PATH": os.environ["PATH"]}, pip_index=f"{registry.url}/simple/")
    WHEEL.fetch("1.0.0", str(home / "x"), settings, lock)
    return WHEEL.installed_version(str(home / "x"))


def test_an_index_that_gives_another_wheel_under_the_name_is_refused_by_its_hash(
    registry: Registry, tmp_path: Path
) -> None:
    published = registry.add_wheel("test-agent", "1.0.0", "test-agent")
    lock = [f"test-agent==1.0.0 --hash=sha256:{published}"]
    assert fetch_wheel(registry, tmp_path, lock) == "1.0.0"
    shutil.rmtree(tmp_path / "x")
    registry.add_wheel("test-agent", "1.0.0", "test-agent", does=f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(OperatorError) as caught:
        fetch_wheel(registry, tmp_path, lock)
    assert "is not what its maker published" in str(caught.value) and "coding_agents_pip_index" in str(caught.value)
    assert WHEEL.installed_version(str(tmp_path / "x")) is None and not (tmp_path / "ran").exists()


def test_what_a_registry_says_that_a_package_brings_along_does_not_count(registry: Registry, tmp_path: Path) -> None:
    published = publish(registry, tmp_path / "ran")
    registry.add_npm(OTHER, "1.0.0", "other", scripts={"postinstall": f"echo evil >>{tmp_path / 'ran'}"})
    registry._packages[NAME]["versions"]["1.0.0"]["dependencies"] = {OTHER: "1.0.0"}
    fetch(registry, tmp_path, published)
    assert not (tmp_path / "x" / "lib" / "node_modules" / OTHER).exists()
    assert (tmp_path / "ran").read_text() == "published\n"


def _evil_files() -> dict[str, str]:
    return {
        "package.json": json.dumps({"name": PLATFORM, "version": "1.0.0", "bin": {"agent-linux": "cli"}}),
        "cli": "#!/bin/sh\necho evil\n",
    }


def _tar() -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for path, text in _evil_files().items():
            entry = tarfile.TarInfo(f"package/{path}")
            entry.size, entry.mode = len(text), 0o755
            archive.addfile(entry, io.BytesIO(text.encode()))
    return made.getvalue()


def _replaced(registry: Registry, content: bytes, algorithm: str = "sha512") -> None:
    """The package that is brought along is another; its integrity is told as it is."""
    registry._files[TARBALL] = content
    told = base64.b64encode(hashlib.new(algorithm, content).digest()).decode()
    registry._packages[PLATFORM]["versions"]["1.0.0"]["dist"]["integrity"] = f"{algorithm}-{told}"


def _not_packed(registry: Registry, directory: Path) -> None:
    _replaced(registry, _tar())


def _by_another_digest(registry: Registry, directory: Path) -> None:
    _replaced(registry, gzip.compress(_tar()), "sha384")


def _not_to_be_kept(registry: Registry, directory: Path) -> None:
    _replaced(registry, gzip.compress(_tar()))
    registry.headers[TARBALL] = {"Cache-Control": "no-store"}


def _from(place: str) -> Callable[[Registry, Path], None]:
    def arrange(registry: Registry, directory: Path) -> None:
        (directory / "evil").mkdir()
        for path, text in _evil_files().items():
            (directory / "evil" / path).write_text(text)
        (directory / "evil.tgz").write_bytes(gzip.compress(_tar()))
        registry._files["/evil.tar"] = _tar()
        where = place.format(directory=directory, url=registry.url)
        registry._packages[NAME]["versions"]["1.0.0"]["optionalDependencies"] = {PLATFORM: where}

    return arrange


PASSED_OFF: dict[str, Callable[[Registry, Path], None]] = {
    "not packed": _not_packed,
    "by another digest": _by_another_digest,
    "not to be kept in a cache": _not_to_be_kept,
    "a directory of this host": _from("file:{directory}/evil"),
    "a file of this host": _from("file:{directory}/evil.tgz"),
    "from another place": _from("{url}/evil.tar"),
}


@pytest.mark.parametrize("how", PASSED_OFF)
def test_a_package_is_not_passed_off_by_the_way_in_which_it_comes(registry: Registry, tmp_path: Path, how: str) -> None:
    """Refused, or what a mirror says of where to take it from does not count; nothing else than was published stands or runs."""
    published = publish(registry, tmp_path / "ran")
    PASSED_OFF[how](registry, tmp_path)
    try:
        package = fetch(registry, tmp_path, published)
    except OperatorError as error:
        assert "is not what its maker published" in str(error)
        assert not (tmp_path / "ran").exists()
    else:
        assert "published" in (package.parents[1] / PLATFORM / "cli").read_text()
        assert (tmp_path / "ran").read_text() == "published\n"


def test_without_what_its_maker_published_it_would_be_installed(registry: Registry, tmp_path: Path) -> None:
    """So the refusals above are no accident of these registries."""
    for number, how in enumerate(PASSED_OFF):
        home = tmp_path / str(number)
        home.mkdir()
        publish(registry, home / "ran")
        PASSED_OFF[how](registry, home)
        assert "evil" in (fetch(registry, home, ()) / "node_modules" / PLATFORM / "cli").read_text(), how


def test_every_pinned_version_has_a_lock_in_which_each_package_has_a_digest() -> None:
    locks = json.loads((REPOSITORY / "plugins" / "plugin_utils" / "locks.json").read_text())
    for agent in AGENTS.values():
        lock = locks[f"{agent.source.package}@{agent.pinned_version}"]
        if isinstance(agent.source, Npm):
            assert f"node_modules/{agent.source.package}" in lock
            assert all(re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", one["integrity"]) for one in lock.values())
        else:
            assert any(line.startswith(f"{agent.source.package}=={agent.pinned_version} ") for line in lock)
            assert all(re.search(r"( --hash=sha256:[0-9a-f]{64})+$", line) for line in lock)
