# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The control node fetches for hosts: each thing once, what a host's kind can use, proved; and a host takes all from there.

The whole way, to a host without a route, is in :mod:`tests.agents.test_offline`.
"""

from __future__ import annotations

import base64
import hashlib
import os
import pwd
import tarfile
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from ansible import constants
from ansible_collections.fmapi.coding_agents.plugins.module_utils import rollout
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents.source_release import NODE, NODE_VERSION
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents.sources import Settings
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owner import current_owner
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.downloads import given
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import How
from ansible_collections.fmapi.coding_agents.plugins.plugin_utils import carrying, downloads

from tests import proxy
from tests.unit.options_for import options_for
from tests.unit.package_registry import Registry

PI, HERMES = AGENTS["pi"], AGENTS["hermes"]
TARBALL = f"{PI.source.package}/-/{PI.source.package.rpartition('/')[2]}-{PI.pinned_version}.tgz"
NODE_PLACE = f"nodejs.org/dist/v{NODE_VERSION}/{NODE.archive_for(NODE_VERSION, 'linux', 'x86_64')}"
PACKAGE, ARCHIVE, WHEEL = b"a package" * 1000, b"an archive" * 1000, b"a wheel" * 1000
WHEELS = ("hermes_agent-1-py3-none-any.whl", "hermes_agent-1-cp311-cp311-macosx_11_0_arm64.whl")
NEEDS: Mapping[str, Any] = {
    "agents": {"pi": PI.pinned_version, "hermes": HERMES.pinned_version},
    "tools": ["node"],
    "platform": "linux_x86_64",
    "python": "3.11",
}


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


LOCKS: Mapping[str, Any] = {
    f"{PI.source.package}@{PI.pinned_version}": {
        f"node_modules/{PI.source.package}": {
            "version": PI.pinned_version,
            "integrity": f"sha512-{base64.b64encode(hashlib.sha512(PACKAGE).digest()).decode()}",
        }
    },
    f"{HERMES.source.package}@{HERMES.pinned_version}": [
        "hermes-agent==1 " + " ".join(f"--hash=sha256:{_sha256(WHEEL + one.encode())}" for one in WHEELS)
    ],
    f"Node.js@{NODE_VERSION}": {NODE_PLACE.rpartition("/")[2]: _sha256(ARCHIVE)},
}


@pytest.fixture
def vendors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """Registries, and a control node in its first run."""
    (tmp_path / "tls").mkdir()
    (tmp_path / "run").mkdir()
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path / "run"))
    monkeypatch.setattr(carrying, "locks", lambda: LOCKS)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = Registry(tls=tmp_path / "tls")
    made.add_file(f"/{TARBALL}", PACKAGE)
    made.add_file(f"/{NODE_PLACE}", ARCHIVE)
    page = ""
    for one in WHEELS:
        made.add_file(f"/files/{one}", WHEEL + one.encode())
        page += f'<a href="/files/{one}#sha256={_sha256(WHEEL + one.encode())}">{one}</a>'
    made.add_file("/simple/hermes-agent/", page.encode())
    yield made
    made.close()


def options(vendors: Registry, tmp_path: Path) -> dict[str, Any]:
    return {"mirror": vendors.url, "ca_file": str(tmp_path / "tls" / "ca.pem"), "download_on": "controller"}


def names(archive: str) -> list[str]:
    with tarfile.open(archive) as opened:
        return sorted(opened.getnames())


def test_each_thing_is_fetched_once_for_all_hosts_and_the_next_run_fetches_nothing(
    vendors: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_options = options(vendors, tmp_path)
    first = downloads.packed([NEEDS], given_options)
    asked = len(vendors.asked)
    assert downloads.packed([NEEDS], given_options) == first, "another host of this run"
    fewer = downloads.packed([{**NEEDS, "agents": {"pi": PI.pinned_version}, "tools": []}], given_options)
    assert names(fewer) == [f"npm/{TARBALL}"], "a host gets what it lacks"
    (tmp_path / "next").mkdir()
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path / "next"))
    assert names(downloads.packed([NEEDS], given_options)) == names(first)
    assert len(vendors.asked) == asked


def test_where_another_host_is_to_fetch_in_vain_does_not_matter_to_this_one(vendors: Registry, tmp_path: Path) -> None:
    given_options = options(vendors, tmp_path)
    with pytest.raises(OperatorError):
        downloads.packed([NEEDS], {**given_options, "mirror": f"{vendors.url}/nowhere"})
    assert NODE_PLACE in names(downloads.packed([NEEDS], given_options))


def test_all_of_it_comes_by_the_way_that_the_operator_names(
    vendors: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with proxy.running() as way:
        downloads.packed([NEEDS], {**options(vendors, tmp_path), "proxy": way.url})
    assert len(way.asked) == len(vendors.asked) and set(way.asked) == {urlsplit(vendors.url).netloc}
    assert way.url not in os.environ.values(), "it was lent"


def test_a_host_gets_what_its_kind_can_use(vendors: Registry, tmp_path: Path) -> None:
    place = "pypi/simple/hermes-agent/"
    found = names(downloads.packed([NEEDS], options(vendors, tmp_path)))
    assert found == sorted([f"npm/{TARBALL}", NODE_PLACE, f"{place}index.html", place + WHEELS[0]])


@pytest.mark.parametrize(
    ("wheel", "fits"),
    [
        ("a-1-py3-none-any.whl", True),
        ("a-1-py2.py3-none-any.whl", True),
        ("a-1-cp39-abi3-manylinux_2_28_x86_64.whl", True),
        ("a-1-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.whl", True),
        ("a-1-cp312-cp312-manylinux2014_x86_64.whl", False),
        ("a-1-cp311-cp311-manylinux2014_aarch64.whl", False),
        ("a-1-cp311-cp311-macosx_11_0_arm64.whl", False),
    ],
)
def test_a_wheel_is_told_by_its_name(wheel: str, fits: bool) -> None:
    assert downloads._fits(f"pypi/simple/a/{wheel}", "linux_x86_64", "3.11") is fits


def test_a_kind_of_machine_for_which_no_agent_has_a_program_gets_what_is_for_all(
    vendors: Registry, tmp_path: Path
) -> None:
    needed = {**NEEDS, "tools": [], "platform": "linux_ppc64le"}
    found = names(downloads.packed([needed], options(vendors, tmp_path)))
    assert found == sorted(
        [f"npm/{TARBALL}", "pypi/simple/hermes-agent/index.html", f"pypi/simple/hermes-agent/{WHEELS[0]}"]
    )
    assert downloads._fits("a/a-1-cp311-cp311-manylinux2014_ppc64le.whl", "linux_ppc64le", "3.11")


def test_what_is_not_as_our_lock_has_it_is_refused_with_the_cause_and_not_kept(
    vendors: Registry, tmp_path: Path
) -> None:
    vendors.add_file(f"/{NODE_PLACE}", b"another archive")
    with pytest.raises(OperatorError, match=r"^Node\.js \S+: cannot be fetched: it is not what its maker published"):
        downloads.packed([NEEDS], options(vendors, tmp_path))
    assert not list((tmp_path / "cache").rglob("node-*"))


# -- on the host -------------------------------------------------------------------------------------------------------


def _archive(path: Path, content: Mapping[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, data in content.items():
            source = path.with_suffix(".one")
            source.write_bytes(data)
            archive.add(source, name)
    return path


def test_a_host_takes_it_from_there_and_from_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    path = _archive(tmp_path / "downloads.tar", {"npm/a.tgz": b"package", "../evil": b"x"})
    own = Settings(
        str(tmp_path), {"HTTPS_PROXY": "http://127.0.0.1:9"}, npm_registry="https://r", pip_index="https://i"
    )
    with open(path, "rb") as stream:
        carried = {"downloads_descriptor": stream.fileno()}
        with given({"download_on": "controller", "carried": carried}, own) as settings:
            assert (settings.npm_registry, settings.pip_index, settings.proxy) == (None, None, None)
            assert "HTTPS_PROXY" not in settings.environment
            # Not urlopen: it would keep this test's proxy for whatever test comes later in this process.
            assert urllib.request.build_opener().open(f"{settings.mirror}/npm/a.tgz").read() == b"package"
            url = str(settings.mirror)
    assert not list(tmp_path.rglob("evil"))
    with pytest.raises(OSError, match="refused"):
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url)


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root: run it as root")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_user_for_whom_root_runs_can_take_it_though_the_file_is_roots(tmp_path: Path) -> None:
    path = _archive(tmp_path / "downloads.tar", {"a": b"content"})
    path.chmod(0o600)
    with open(path, "rb") as stream:
        child = os.fork()
        if child == 0:  # pragma: no cover
            try:
                nobody = pwd.getpwnam("nobody")
                os.setgid(nobody.pw_gid)
                os.setuid(nobody.pw_uid)
                options = {"download_on": "controller", "carried": {"downloads_descriptor": stream.fileno()}}
                with given(options, Settings("/", {})) as settings:
                    os._exit(
                        0 if urllib.request.build_opener().open(f"{settings.mirror}/a").read() == b"content" else 2
                    )
            finally:
                os._exit(3)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_what_is_needed_by_now_and_was_not_sent_is_said_before_anything_is_done(tmp_path: Path) -> None:
    owner = current_owner(str(tmp_path))
    own = options_for(parts=["agent_cli"], agents=["pi"], toolchain_sources=["vendor"], download_on="controller")
    told = rollout.downloads(owner, own, How(check=True))["needs_downloads"]
    assert [one["agents"] for one in told] == [{"pi": PI.pinned_version}]
    with pytest.raises(OperatorError, match="the control node: has sent nothing of what is needed by now"):
        rollout.apply(owner, own, How())
    assert not list(tmp_path.iterdir())
