# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filling a directory for a network without a way out: only what is proved gets its name there, and what is whole is left alone."""

from __future__ import annotations

import base64
import errno
import functools
import hashlib
import http.server
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils import web
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents.source_release import NODE, NODE_VERSION
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents.sources import Settings
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.plugin_utils import carrying, offline, relay_program

from tests import releases
from tests.unit.control_node import play
from tests.unit.package_registry import Registry
from tests.unit.relay_archive import wheels

PI, HERMES = AGENTS["pi"], AGENTS["hermes"]
TARBALL = f"/{PI.source.package}/-/{PI.source.package.rpartition('/')[2]}-{PI.pinned_version}.tgz"
CONTENT = b"a package" * 1000
WHEEL = b"a wheel" * 1000
FILE = "hermes_agent-1-py3-none-any.whl"
EACH = {"pi": PI.pinned_version, "hermes": HERMES.pinned_version}


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


LOCKS: Mapping[str, Any] = {
    f"{PI.source.package}@{PI.pinned_version}": {
        f"node_modules/{PI.source.package}": {
            "version": PI.pinned_version,
            "integrity": f"sha512-{base64.b64encode(hashlib.sha512(CONTENT).digest()).decode()}",
        },
        "node_modules/other": {"version": "1", "integrity": "sha512-AAAA", "os": ["darwin"]},
    },
    f"{HERMES.source.package}@{HERMES.pinned_version}": [f"hermes-agent==1 --hash=sha256:{_sha256(WHEEL)}"],
}


class Vendors:
    """All that is fetched from, and the directory that it goes to."""

    def __init__(self, directory: Path) -> None:
        self.place = directory / "mirror"
        (directory / "tls").mkdir()
        self.registry = Registry(tls=directory / "tls")
        self.settings = Settings(
            str(directory),
            {},
            mirror=self.registry.url,
            certificates=(directory / "tls" / "ca.pem").read_text(),
        )
        self.registry.add_file(TARBALL, CONTENT)
        self.registry.add_file(f"/files/{FILE}", WHEEL)
        page = f'<a href="../../files/another.whl#sha256={"0" * 64}">a</a><a href="/files/{FILE}#sha256={_sha256(WHEEL)}">b</a>'
        self.registry.add_file("/simple/hermes-agent/", page.encode())
        directory_of_node = f"/nodejs.org/dist/v{NODE_VERSION}"
        self.node = NODE.archive_for(NODE_VERSION, "linux", "x86_64")
        releases.publish(self.registry, directory_of_node, self.node, b"an archive", "SHASUMS256.txt")

    def fill(
        self, check: bool = False, versions: Mapping[str, str] | None = None, locks: Mapping[str, Any] | None = None
    ) -> list[str]:
        mirror = offline.Mirror(str(self.place), self.settings, check)
        mirror.fill(
            EACH if versions is None else versions, ["linux_x86_64"], LOCKS if locks is None else locks, ["node"]
        )
        return sorted(mirror.fetched)

    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.place)) for path in self.place.rglob("*") if path.is_file())


@pytest.fixture
def vendors(tmp_path: Path) -> Iterator[Vendors]:
    made = Vendors(tmp_path)
    yield made
    made.registry.close()


def test_everything_stands_as_a_mirror_has_it_and_a_second_run_asks_nobody(vendors: Vendors) -> None:
    fetched = vendors.fill()
    wheel, node = f"pypi/simple/hermes-agent/{FILE}", f"nodejs.org/dist/v{NODE_VERSION}"
    page = "pypi/simple/hermes-agent/index.html"
    assert fetched == sorted([f"npm{TARBALL}", wheel, page, f"{node}/{vendors.node}", f"{node}/SHASUMS256.txt"])
    assert vendors.files() == fetched, "of no other platform, and nothing half-done"
    assert (vendors.place / wheel).read_bytes() == WHEEL
    assert f'href="{FILE}#sha256={_sha256(WHEEL)}"' in (vendors.place / page).read_text()
    asked = len(vendors.registry.asked)
    assert (vendors.fill(), len(vendors.registry.asked)) == ([], asked)


def test_an_archive_of_our_lock_is_proved_by_it_and_not_by_the_sums_beside_it(vendors: Vendors) -> None:
    node, key = f"nodejs.org/dist/v{NODE_VERSION}/{vendors.node}", f"{NODE.package}@{NODE_VERSION}"
    with pytest.raises(OperatorError, match="not what its maker published"):
        vendors.fill(locks={**LOCKS, key: {vendors.node: "ab" * 32}})
    assert node not in vendors.files()
    assert node in vendors.fill(locks={**LOCKS, key: {vendors.node: _sha256(b"an archive")}})
    assert not [one for one in vendors.registry.asked if one.endswith("SHASUMS256.txt")]


def test_a_file_that_was_damaged_is_fetched_again_and_no_other(vendors: Vendors) -> None:
    vendors.fill()
    damaged = vendors.place / f"npm{TARBALL}"
    damaged.write_bytes(CONTENT[:-1])
    assert vendors.fill() == [f"npm{TARBALL}"]
    assert damaged.read_bytes() == CONTENT


def test_check_mode_asks_nobody_and_writes_nothing(vendors: Vendors) -> None:
    foretold = vendors.fill(check=True)
    assert f"npm{TARBALL}" in foretold and "pypi/simple/hermes-agent/index.html" in foretold
    assert (vendors.registry.asked, vendors.place.exists()) == ([], False)


@pytest.mark.parametrize(
    ("path", "cause"),
    [
        (TARBALL, "not what its maker published"),
        (f"/files/{FILE}", "not what its maker published"),
        (f"/nodejs.org/dist/v{NODE_VERSION}/{NODE.archive_for(NODE_VERSION, 'linux', 'x86_64')}", "not what its maker"),
        ("/simple/hermes-agent/", "does not name every file of our lock"),
        (f"/nodejs.org/dist/v{NODE_VERSION}/SHASUMS256.txt", "tells no SHA-256"),
    ],
)
def test_what_is_not_what_was_published_is_refused_and_not_kept(vendors: Vendors, path: str, cause: str) -> None:
    vendors.registry.add_file(path, b"something else")
    with pytest.raises(OperatorError, match=cause):
        vendors.fill()
    name = path.rpartition("/")[2] or "index.html"
    assert not [one for one in vendors.files() if one.endswith((name, ".part"))]


def test_a_download_that_breaks_off_is_told_and_the_next_run_completes_it(vendors: Vendors) -> None:
    vendors.registry.cut.add(TARBALL)
    with pytest.raises(OperatorError, match="ends before the end of"):
        vendors.fill()
    assert vendors.files() == []
    vendors.registry.cut.clear()
    assert f"npm{TARBALL}" in vendors.fill()


def test_a_full_disk_is_told(vendors: Vendors, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_given: object, **_more: object) -> web.Reply:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(web, "ask", full)
    with pytest.raises(OperatorError, match="no space is left on the disk"):
        vendors.fill()
    assert vendors.files() == []


def test_a_version_without_a_lock_is_refused_before_anybody_is_asked(vendors: Vendors) -> None:
    with pytest.raises(OperatorError, match="no lock of this version") as refused:
        vendors.fill(versions={**EACH, "pi": "0.0.1"})
    assert PI.pinned_version in str(refused.value) and vendors.registry.asked == []


@pytest.mark.parametrize("name", AGENTS)
def test_each_agent_can_be_prepared_as_it_is_pinned(tmp_path: Path, name: str) -> None:
    mirror = offline.Mirror(str(tmp_path), Settings(str(tmp_path), {}, mirror="https://mirror.example.com"), True)
    mirror.fill(offline.versions_of([name], {}), ["linux_x86_64"], carrying.locks(), ["node", "databricks_cli"])
    place = "npm/" if AGENTS[name].source.name == "npm" else "pypi/simple/"
    assert [one for one in mirror.fetched if one.startswith(place + AGENTS[name].source.package)]


@pytest.mark.parametrize(("name", "variable"), [("pi", "npm_registry"), ("hermes", "pip_index")])
def test_nobody_is_asked_who_was_not_named(tmp_path: Path, name: str, variable: str) -> None:
    mirror = offline.Mirror(str(tmp_path), Settings(str(tmp_path), {}), True)
    with pytest.raises(OperatorError, match=f"coding_agents_{variable}: is not set"):
        mirror.fill(offline.versions_of([name], {}), ["linux_x86_64"], carrying.locks(), ["node"])


def test_without_a_directory_the_task_says_which_variable_to_set(tmp_path: Path) -> None:
    run = play(tmp_path, {"host": {}}, [{"fmapi.coding_agents.offline_mirror": {}}])
    assert "coding_agents_offline_directory" in run.failures["host"]["msg"], run.output


def test_what_the_relay_consists_of_stands_there_for_pip(vendors: Vendors, tmp_path: Path) -> None:
    """A control node without a way out makes the relay of such a mirror."""
    for name, content in wheels().items():
        vendors.registry.add_file(f"/files/{name}", content)
    for one in relay_program.pins():
        link = f'<a href="/files/{one.wheel}#sha256={one.sha256}">{one.wheel}</a>'
        vendors.registry.add_file(f"/simple/{one.name.replace('_', '-')}/", link.encode())
    mirror = offline.Mirror(str(vendors.place), vendors.settings, False)
    mirror.fill({}, [], {}, [], relay_program.lines())
    names = {path.rpartition("/")[2] for path in vendors.files()}
    assert names == {"index.html", *(one.wheel for one in relay_program.pins())}
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(vendors.place))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        cache = tmp_path / "cache"
        cache.mkdir()
        here = Settings(str(tmp_path), os.environ, mirror=f"http://127.0.0.1:{served.server_port}")
        assert relay_program.wheels(str(cache), here) == wheels()
        served.shutdown()
