# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Node.js of a host that has none that will do: fetched from its vendor or a mirror, proved, used, and given back.

With real npm. The archive is small: what is called ``node`` in it starts this machine's Node.js, and says another version.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import os
import platform
import pwd
import re
import shutil
import socket
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils import rollout
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS, base, programs, source_release
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents.source_release import NODE, NODE_VERSION
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents.sources import Settings
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owner import Owner
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts import fetched
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import How
from ansible_collections.fmapi.coding_agents.plugins.plugin_utils import carrying

from tests import releases
from tests.unit.homes import tree
from tests.unit.package_registry import Registry

GEMINI = AGENTS["gemini"]
PINNED, NEWER = GEMINI.pinned_version, "0.62.0"
LINK = ".local/bin/gemini"
NODES = ".local/lib/fmapi-coding-agents/node"
TOP = releases.node_name(NODE_VERSION)
CHECK, RUN = How(check=True), How()
REAL_NODE, REAL_NPM = shutil.which("node"), os.path.realpath(shutil.which("npm") or "")
USER, PASSWORD = "ada", "s3cret/of the mirror"

# The registry's threads take no part in what the child does.
pytestmark = [
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
    pytest.mark.skipif(not shutil.which("npm"), reason="needs npm: apt-get install -y npm"),
]

Entry = tuple[str, bytes | str]
"""A member's name, and its content as bytes, or what the link of this name leads to."""


def archive_of(*entries: Entry, kind: bytes = tarfile.SYMTYPE) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, content in entries:
            member = tarfile.TarInfo(name)
            member.mode = 0o755
            if isinstance(content, str):
                member.type, member.linkname = kind, content
                archive.addfile(member)
            else:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return made.getvalue()


def node_entries(version: str = NODE_VERSION) -> list[Entry]:
    node = f'#!/bin/sh\ncase $1 in --version) echo v{version};; *) exec {REAL_NODE} "$@";; esac\n'
    top = releases.node_name(version)
    return [
        (f"{top}/lib/npm", f'#!/bin/sh\nexec {REAL_NODE} {REAL_NPM} "$@"\n'.encode()),
        (f"{top}/bin/node", node.encode()),
        (f"{top}/bin/npm", "../lib/npm"),
    ]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mirror") / "ca.pem"


@pytest.fixture(scope="module")
def mirror(authority: Path) -> Iterator[Registry]:
    """It has Node.js, and packages, for whoever knows the password."""
    made = Registry(tls=authority.parent, user=(USER, PASSWORD))
    for version in (PINNED, NEWER):
        script = "#!/usr/bin/env node\nconsole.log('{version}')\n"
        made.add_npm(GEMINI.source.package, version, "gemini", script)
    yield made
    made.close()


class Host:
    """One owner's home, and the operator's wishes for it."""

    def __init__(self, home: Path, mirror: Registry, authority: Path) -> None:
        self.home = home
        self.mirror = mirror
        self.authority = authority
        self.owner = Owner(pwd.getpwuid(os.geteuid()).pw_name, os.geteuid(), os.getegid(), str(home))

    def options(self, version: str = "", **more: Any) -> dict[str, Any]:
        return {
            "parts": ["agent_cli"],
            "agents": ["gemini"],
            "cli_versions": {"gemini": version} if version else {},
            "ca_file": str(self.authority),
            "mirror": self.mirror.url.replace("://", f"://{USER}:{PASSWORD.replace('/', '%2F').replace(' ', '%20')}@"),
            "toolchain_sources": ["vendor"],
            **more,
        }

    def look(self, version: str = "", **more: Any) -> dict[str, Any]:
        return rollout.look(self.owner, self.options(version, **more), CHECK)

    def roll_out(self, version: str = "", how: How = RUN, **more: Any) -> dict[str, Any]:
        return rollout.apply(self.owner, self.options(version, **more), how)

    def uninstall(self, how: How = RUN) -> dict[str, Any]:
        return rollout.withdraw(self.owner, self.options(), how)

    def says(self) -> str:
        """With nothing on PATH: the command knows its Node.js."""
        done = subprocess.run([self.home / LINK], capture_output=True, text=True, env={"PATH": "/nowhere"}, check=True)
        return done.stdout.strip()

    def nodes(self) -> list[str]:
        return sorted(path.name for path in (self.home / NODES).glob("*"))


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """All that is on this host's PATH."""
    made = tmp_path / "tools"
    made.mkdir()
    (made / "sh").symlink_to("/bin/sh")
    monkeypatch.setenv("PATH", str(made))
    for module in (base, programs):
        monkeypatch.setattr(module, "USUAL_DIRECTORIES", ())
    return made


@pytest.fixture
def host(tmp_path: Path, mirror: Registry, authority: Path, tools: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host without Node.js."""
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    (home / ".bashrc").write_text("# mine\n")
    monkeypatch.setattr(fetched, "locks", dict)  # these packages are ours
    releases.publish_node(mirror, NODE_VERSION, archive_of(*node_entries()))
    mirror.asked.clear()
    mirror.cut.clear()
    return Host(home, mirror, authority)


def has_node(directory: Path, version: str) -> None:
    """A Node.js of this version, with npm."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in node_entries(version):
        path = directory / Path(name).name
        if isinstance(content, bytes):
            path = path.with_name("npm") if path.name == "npm" else path
            path.write_bytes(content)
            path.chmod(0o755)


# -- the way there and back --------------------------------------------------------------------------------------------


def test_a_host_without_node_gets_one_and_the_way_back_is_exact(host: Host) -> None:
    before = tree(host.home)
    foretold = host.roll_out(how=CHECK)
    assert f"Node.js {NODE_VERSION} fetched" in foretold["changes"]
    assert host.look()["drifted"] and tree(host.home) == before and host.mirror.asked == [], "so far nothing is fetched"
    done = host.roll_out()
    assert done["changes"] == foretold["changes"] and host.says() == PINNED
    assert {one.split("/")[1] for one in host.mirror.asked} == {"nodejs.org", "npm", "@google"}
    host.mirror.asked.clear()
    assert not host.look()["drifted"] and not host.roll_out()["changed"] and host.mirror.asked == []
    assert [f"Node.js {NODE_VERSION}: removed"] == [
        one for one in host.uninstall(CHECK)["changes"] if one.startswith("Node.js")
    ]
    host.uninstall()
    assert tree(host.home) == before


def test_no_secret_of_the_mirror_is_left_or_told(host: Host) -> None:
    host.roll_out()
    kept = {str(path) for path in host.home.rglob("*") if path.is_file() and b"s3cret" in path.read_bytes()}
    assert not kept
    for fault in ({"version": "9.9.9"}, {"version": NEWER, "ca_file": None}):
        with pytest.raises(OperatorError) as caught:
            host.roll_out(**fault)
        assert "s3cret" not in caught.value.told


def test_a_node_of_ours_serves_the_next_version_and_goes_with_the_last_that_needs_it(host: Host, tools: Path) -> None:
    host.roll_out()
    host.mirror.asked.clear()
    host.roll_out(NEWER)
    assert host.says() == NEWER and host.nodes() == [NODE_VERSION]
    assert not [one for one in host.mirror.asked if "nodejs.org" in one.split("/")[1]]
    has_node(tools, "20.1.0")
    host.roll_out(PINNED)
    assert host.nodes() == [], "the host has its own now"


def test_without_its_ledger_a_rollout_is_silent_and_an_uninstall_takes_it(host: Host) -> None:
    host.roll_out()
    shutil.rmtree(host.owner.state)
    assert not host.look()["drifted"] and not host.roll_out()["changed"]
    host.uninstall()
    assert not (host.home / NODES).exists() and not (host.home / LINK).is_symlink()


def test_a_node_of_ours_that_is_gone_is_fetched_again(host: Host) -> None:
    host.roll_out()
    shutil.rmtree(host.home / NODES)
    assert f"Node.js {NODE_VERSION} fetched" in host.look()["changes"]
    assert host.roll_out()["changed"] and host.says() == PINNED and not host.look()["drifted"]


def test_after_a_run_that_was_killed_nothing_of_it_stays(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tree(host.home)
    child = os.fork()
    if child == 0:  # pragma: no cover
        monkeypatch.setattr(type(NODE), "try_out", lambda *_arguments: os._exit(9))
        try:
            host.roll_out()
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert host.nodes() == [NODE_VERSION]
    host.uninstall()
    assert tree(host.home) == before


# -- whose Node.js -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "older"),
    [
        ("PATH", False),
        (".nvm/versions/node/v20.1.0/bin", False),
        (".nvm/versions/node/v20.1.0/bin", True),
        (".volta/tools/image/node/20.1.0/bin", True),
        (".local/share/mise/installs/node/20.1.0/bin", True),
        (".local/share/fnm/node-versions/v20.1.0/installation/bin", True),
        (".asdf/installs/nodejs/20.1.0/bin", True),
        ("homebrew/opt/node@20/bin", True),
    ],
)
def test_one_that_will_do_is_used_however_it_came(
    host: Host, tools: Path, place: str, older: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOMEBREW_PREFIX", str(host.home / "homebrew"))
    if older:
        has_node(tools, "18.1.0")
    has_node(tools if place == "PATH" else host.home / place, "20.1.0")
    host.roll_out()
    assert host.nodes() == [] and not [one for one in host.mirror.asked if "nodejs.org" in one.split("/")[1]]
    if older:
        assert host.says() == PINNED, "it starts with the one that will do, not with the first"
    assert not host.look()["drifted"]


def test_one_that_is_too_old_stays_and_another_is_fetched(host: Host, tools: Path) -> None:
    has_node(tools, "18.1.0")
    stood = tree(tools)
    host.roll_out()
    assert host.nodes() == [NODE_VERSION] and host.says() == PINNED and tree(tools) == stood


def test_where_nothing_may_be_fetched_the_lack_is_said_and_nothing_is_done(host: Host) -> None:
    before = tree(host.home)
    with pytest.raises(OperatorError, match=r"npm is not installed\n?.*Install Node\.js 20 or newer with npm"):
        host.roll_out(toolchain_sources=["already_present"])
    assert tree(host.home) == before and host.mirror.asked == []


def test_an_agent_in_python_says_which_one_it_needs_before_anything_is_done(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python3")
    before = tree(host.home)
    for how in (CHECK, RUN):
        with pytest.raises(
            OperatorError, match=r"needs Python 3\.13 or 3\.12 or 3\.11, which is not there\. Install Python"
        ):
            host.roll_out(agents=["hermes"], how=how)
    assert tree(host.home) == before and host.mirror.asked == []


# -- our own lock ------------------------------------------------------------------------------------------------------


def lock_of(content: bytes) -> dict[str, Any]:
    return {f"{NODE.package}@{NODE_VERSION}": {f"{TOP}.tar.gz": hashlib.sha256(content).hexdigest()}}


def test_an_archive_of_our_lock_is_believed_by_it_and_no_sums_are_asked_for(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = archive_of(*node_entries())
    releases.publish_node(host.mirror, NODE_VERSION, content, told="ab" * 32)
    monkeypatch.setattr(fetched, "locks", lambda: lock_of(content))
    host.roll_out()
    assert host.says() == PINNED
    assert [one for one in host.mirror.asked if "nodejs.org" in one] == [
        f"/nodejs.org/dist/v{NODE_VERSION}/{TOP}.tar.gz"
    ]


def test_a_mirror_that_vouches_for_another_archive_than_our_lock_has_is_refused_and_nothing_stays(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetched, "locks", lambda: lock_of(b"what the vendor had published"))
    before = tree(host.home.parent)
    with pytest.raises(OperatorError, match=r"^Node\.js \S+: cannot be fetched: it is not what its maker published: "):
        host.roll_out()
    assert tree(host.home.parent) == before


@pytest.mark.parametrize(("system", "machine"), [*itertools.product(("linux", "darwin"), ("x86_64", "arm64"))])
def test_the_node_that_is_fetched_is_in_our_lock_for_the_usual_platforms(system: str, machine: str) -> None:
    digest = carrying.locks()[f"{NODE.package}@{NODE_VERSION}"][NODE.archive_for(NODE_VERSION, system, machine)]
    assert re.fullmatch("[0-9a-f]{64}", digest)


# -- what can go wrong -------------------------------------------------------------------------------------------------


def wrong_sum(host: Host) -> None:
    releases.publish_node(host.mirror, NODE_VERSION, archive_of(*node_entries()), told="ab" * 32)


def no_sum(host: Host) -> None:
    sums = f"/nodejs.org/dist/v{NODE_VERSION}/SHASUMS256.txt"
    host.mirror.add_file(sums, f"{hashlib.sha256(b'').hexdigest()}  another.tar.gz\n".encode())


def cut_off(host: Host) -> None:
    host.mirror.cut.add(releases.publish_node(host.mirror, NODE_VERSION, archive_of(*node_entries())))


def holding(*more: Entry, kind: bytes = tarfile.SYMTYPE) -> Callable[[Host], None]:
    def fault(host: Host) -> None:
        releases.publish_node(host.mirror, NODE_VERSION, archive_of(*node_entries(), *more, kind=kind))

    return fault


def no_archive(host: Host) -> None:
    releases.publish_node(host.mirror, NODE_VERSION, b"<html>")


def does_not_start(host: Host) -> None:
    releases.publish_node(host.mirror, NODE_VERSION, archive_of((f"{TOP}/bin/node", b"\x7fELF of another machine")))


FAULTS = {
    "another SHA-256": (wrong_sum, r"it is not what its maker published: .* gives something else"),
    "no SHA-256": (no_sum, rf"tells no SHA-256 for {TOP}\.tar\.gz"),
    "breaks off": (cut_off, rf"ends before the end of {TOP}\.tar\.gz"),
    "no archive": (no_archive, r"its archive is not to be trusted: it cannot be read"),
    "above": (holding((f"{TOP}/../../evil", b"x")), r"not to be trusted: \S+/evil leads out of it"),
    "absolute": (holding(("/tmp/evil", b"x")), r"not to be trusted: /tmp/evil leads out of it"),
    "beside": (holding(("evil", b"x")), rf"not to be trusted: evil is not below {TOP}"),
    "link outward": (holding((f"{TOP}/evil", "../../../../.bashrc")), r"the link evil leads out of it"),
    "absolute link": (holding((f"{TOP}/evil", "/etc/passwd")), r"the link \S+/evil leads out of it"),
    "link by a link": (
        holding((f"{TOP}/a/b/c/x", "../../g"), (f"{TOP}/a/b/c/evil", "x/../../../h"), (f"{TOP}/a/g/y", b"")),
        r"the link \S+ leads out of it",
    ),
    "through a link": (
        holding((f"{TOP}/l", "bin"), (f"{TOP}/l/evil", "node")),
        r"l/evil is below a link|l is there twice",
    ),
    "hard link": (holding((f"{TOP}/evil", f"{TOP}/bin/node"), kind=tarfile.LNKTYPE), r"neither a file nor"),
    "device": (holding((f"{TOP}/evil", ""), kind=tarfile.CHRTYPE), r"neither a file nor a directory nor a link"),
    "twice": (holding((f"{TOP}/bin/node", b"x")), r"node is there twice"),
    "does not start": (does_not_start, r"bin/node: cannot be started|bin/node: ends with status"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_not_right_is_refused_with_its_cause_and_leaves_nothing(host: Host, name: str) -> None:
    fault, cause = FAULTS[name]
    fault(host)
    before = tree(host.home.parent)
    with pytest.raises(OperatorError) as caught:
        host.roll_out()
    first = caught.value.told.splitlines()[0]
    assert re.search(cause, first), first
    assert tree(host.home.parent) == before


def test_what_the_mirror_does_not_have_is_said(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_release, "NODE_VERSION", "22.99.0")
    before = tree(host.home)
    with pytest.raises(
        OperatorError,
        match=r"cannot be fetched: https://localhost:\d+/nodejs\.org/\S+ does not have SHASUMS256\.txt",
    ):
        host.roll_out()
    assert tree(host.home) == before


def settings_of(host: Host, **more: Any) -> Settings:
    return Settings(str(host.home), {"PATH": os.environ["PATH"]}, **{"mirror": host.mirror.url, **more})


def test_a_server_that_cannot_be_asked_is_said_in_the_first_words(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(**more: Any) -> str:
        with pytest.raises(OperatorError) as caught:
            NODE.fetch(NODE_VERSION, str(tmp_path / "x"), settings_of(host, **more))
        assert not (tmp_path / "x").exists()
        return str(caught.value)

    certificates = host.authority.read_text()
    assert "the certificate of https://localhost" in told()
    assert "Set coding_agents_ca_file" in told()
    assert "refuses access" in told(certificates=certificates)
    assert "coding_agents_ca_file holds no certificate" in told(certificates="nothing")
    closed = "https://127.0.0.1:9"
    assert f"{closed}/nodejs.org/dist/v{NODE_VERSION} is not reachable (Connection refused)" in told(mirror=closed)
    monkeypatch.setattr(source_release, "ANSWER_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "does not answer" in told(mirror=f"https://127.0.0.1:{silent.getsockname()[1]}")
    refusing = Registry()
    monkeypatch.setenv("https_proxy", refusing.url)
    assert "the proxy refuses the way to" in told(certificates=certificates)
    monkeypatch.setenv("no_proxy", "localhost")
    assert "refuses access" in told(certificates=certificates), "past the proxy"
    refusing.close()


def test_where_a_release_leads_to_is_asked_safely_and_without_the_password(host: Host, tmp_path: Path) -> None:
    """As a vendor's release leads to where its files are stored."""
    content, elsewhere = archive_of(*node_entries()), Registry(tls=tmp_path)
    path = releases.publish_node(host.mirror, NODE_VERSION, content)
    elsewhere.add_file("/stored", content)
    both = tmp_path / "both.pem"
    both.write_text(host.authority.read_text() + (tmp_path / "ca.pem").read_text())
    host.mirror.leads[path] = f"{elsewhere.url}/stored"
    try:
        host.roll_out(ca_file=str(both))
        assert host.says() == PINNED
        assert (elsewhere.asked, elsewhere.authorized) == (["/stored"], [""])
        host.uninstall()
        host.mirror.leads[path] = f"{elsewhere.url}/stored".replace("https://", "http://")
        with pytest.raises(OperatorError, match="does not answer as a server of files does"):
            host.roll_out(ca_file=str(both))
        assert elsewhere.asked == ["/stored"]
    finally:
        del host.mirror.leads[path]
        elsewhere.close()


def test_a_full_disk_is_the_cause(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: Any) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(source_release, "_write", full)
    before = tree(host.home)
    with pytest.raises(OperatorError, match="cannot be fetched: no space is left on the disk"):
        host.roll_out()
    assert tree(host.home) == before


@pytest.mark.parametrize(("name", "most"), [("_LARGEST_ARCHIVE", 100), ("_LARGEST_CONTENT", 100), ("_MOST_MEMBERS", 2)])
def test_no_archive_is_without_bounds(host: Host, name: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_release, name, most)
    with pytest.raises(OperatorError, match=f"larger than {most} bytes|holds more than {most} "):
        host.roll_out()
    assert host.nodes() == []


def test_a_platform_without_an_archive_is_said(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(OperatorError, match=r"its vendor has no archive for Linux on riscv64\. Install Node\.js"):
        host.roll_out(how=CHECK)
