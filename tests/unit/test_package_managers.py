# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tools from the host's own package managers, and back: Node.js for an agent, the Databricks CLI for a person's sign-in.

apt and dpkg are real, on a root directory of their own (:class:`tests.unit.package_managers.Apt`). dnf, rpm and Homebrew are
simulated: that proves what is asked of them, and what their answers lead to; not that theirs are those answers.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils import rollout
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import (
    AGENTS,
    base,
    programs,
    source_distribution,
    source_release,
    source_system,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ledger import Ledger
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owner import Owner, current_owner
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program import user_sign_in
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts import fetched
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import How

from tests.control_node import ControlNode
from tests.hosts.tree import differences, manifest
from tests.unit.homes import tree
from tests.unit.options_for import options_for
from tests.unit.package_managers import Apt, Simulated
from tests.unit.package_registry import Registry

GEMINI = AGENTS["gemini"]
PINNED = GEMINI.pinned_version
CHECK, RUN = How(check=True), How()
REAL_NODE, REAL_NPM = shutil.which("node"), os.path.realpath(shutil.which("npm") or "")
USUAL_PATH = os.environ.get("PATH", os.defpath)
NPM = f'#!/bin/sh\nexec {REAL_NODE} {REAL_NPM} "$@"\n'
DEBIAN, RED_HAT, ARCH = "ID=debian\n", 'ID="rocky"\nID_LIKE="rhel centos fedora"\n', "ID=arch\n"

# The registry's threads take no part in what a child does.
pytestmark = [
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
    pytest.mark.skipif(not shutil.which("npm"), reason="needs npm: apt-get install -y npm"),
]
needs_apt = pytest.mark.skipif(
    os.environ.get("CI") != "true" and (os.geteuid() != 0 or not shutil.which("apt-get")),
    reason="needs apt and dpkg, and to be root: run it on Debian or Ubuntu, in a container as root",
)


def node(version: str) -> str:
    return f'#!/bin/sh\ncase $1 in --version) echo v{version};; *) exec {REAL_NODE} "$@";; esac\n'


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    made = Registry()
    made.add_npm(GEMINI.source.package, PINNED, "gemini", "#!/usr/bin/env node\nconsole.log('{version}')\n")
    yield made
    made.close()


class Host:
    """One owner's home on a host without Node.js, and the operator's wishes for it."""

    def __init__(self, home: Path, registry: Registry) -> None:
        self.home = home
        self.registry = registry
        self.owner: Owner = current_owner(str(home))

    def options(self, *sources: str, **more: Any) -> dict[str, Any]:
        return {
            "parts": ["agent_cli"],
            "agents": ["gemini"],
            "cli_versions": {},
            "npm_registry": f"{self.registry.url}/",
            "mirror": "https://127.0.0.1:9",  # nobody asks a vendor
            "toolchain_sources": [*sources],
            **more,
        }

    def look(self, *sources: str, **more: Any) -> dict[str, Any]:
        return rollout.look(self.owner, self.options(*sources, **more), CHECK)

    def roll_out(self, *sources: str, how: How = RUN, **more: Any) -> dict[str, Any]:
        return rollout.apply(self.owner, self.options(*sources, **more), how)

    def uninstall(self, how: How = RUN, **more: Any) -> dict[str, Any]:
        return rollout.withdraw(self.owner, self.options(**more), how)

    def says(self, path: Path) -> str:
        command = [self.home / ".local/bin/gemini"]
        return subprocess.run(
            command, capture_output=True, text=True, env={"PATH": f"{path}:/usr/sbin:/bin"}, check=True
        ).stdout.strip()


@pytest.fixture
def host(tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Host:
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools/sh").symlink_to("/bin/sh")
    monkeypatch.setenv("PATH", str(tmp_path / "tools"))
    for module in (base, programs):
        monkeypatch.setattr(module, "USUAL_DIRECTORIES", ())
    monkeypatch.setattr(user_sign_in, "_USUAL_DIRECTORIES", ())
    monkeypatch.setattr(fetched, "locks", dict)
    return Host(home, registry)


def runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, system: str, *directories: Path, root: bool = True) -> None:
    """This host is of that distribution, these directories are on PATH, and who runs is root or not."""
    (tmp_path / "os-release").write_text(system)
    monkeypatch.setattr(source_distribution, "OS_RELEASE", str(tmp_path / "os-release"))
    monkeypatch.delenv("WSL_DISTRO_NAME", raising=False)
    monkeypatch.setenv("PATH", os.pathsep.join([os.environ["PATH"], *map(str, directories)]))
    monkeypatch.setattr(source_system, "is_root", lambda: root)


# -- apt, for real -----------------------------------------------------------------------------------------------------


@pytest.fixture
def apt(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Apt:
    """A Debian with one package; its package sources have Node.js 20.1, which needs that one and another."""
    made = Apt(tmp_path)
    made.publish("libshared", "1")
    made.do("apt-get", "-y", "-qq", "install", "libshared")
    made.publish("libnode", "1")
    made.publish("nodejs", "20.1.0+dfsg-1", "libnode, libshared", node=node("20.1.0"))
    made.publish("npm", "9.2.0~ds-1", "nodejs", npm=NPM)
    made.publish("editor", "1", "nodejs")
    runs(monkeypatch, tmp_path, DEBIAN, made.programs, made.root / "usr/bin")
    made.starts()
    return made


@needs_apt
def test_apt_installs_what_a_dry_run_has_foretold_and_the_way_back_is_exact(
    host: Host, apt: Apt, tmp_path: Path
) -> None:
    home, root, before = tree(host.home), manifest(str(apt.root)), apt.installed()
    foretold = host.roll_out("homebrew", "distribution", "vendor", how=CHECK)
    said = "nodejs and npm 20.1.0 installed with apt (not from homebrew: it does not work as root)"
    assert said in foretold["changes"]
    assert tree(host.home) == home and differences(root, manifest(str(apt.root))) == [], "so far nothing is done"
    asked = [one for one in apt.starts() if one.startswith(("apt-get", "dpkg "))]
    assert not [one for one in asked if "--simulate" not in one and "--print-" not in one]

    done = host.roll_out("homebrew", "distribution", "vendor")
    assert done["changes"] == foretold["changes"] and host.says(apt.root / "usr/bin") == PINNED
    assert apt.installed() == {"libshared", "libnode", "nodejs", "npm"}
    apt.starts()
    assert not host.look("distribution")["drifted"] and not host.roll_out("distribution")["changed"]
    assert apt.starts() == [], "what stands is not asked for"

    removed = "Node.js of apt: removed (libnode nodejs npm)"
    assert removed in host.uninstall(CHECK, uninstall_programs=True)["changes"]
    assert apt.installed() == {"libshared", "libnode", "nodejs", "npm"} and host.says(apt.root / "usr/bin") == PINNED
    assert removed in host.uninstall(uninstall_programs=True)["changes"]
    assert apt.installed() == before and tree(host.home) == home


@needs_apt
def test_unless_the_operator_wants_it_gone_it_stays_and_is_named(host: Host, apt: Apt) -> None:
    before = tree(host.home)
    host.roll_out("distribution")
    (warning,) = host.uninstall()["warnings"]
    assert "Node.js of apt: stays (libnode nodejs npm)" in warning and "coding_agents_uninstall_programs" in warning
    assert {"nodejs", "npm"} <= apt.installed() and tree(host.home) == before


@needs_apt
def test_the_playbook_that_uninstalls_takes_what_the_operator_says(
    host: Host, apt: Apt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = apt.installed()
    host.roll_out("distribution")
    monkeypatch.setenv("PATH", f"{apt.programs}:{USUAL_PATH}")
    variables = {"coding_agents_home": str(host.home), "coding_agents_uninstall_programs": True}
    play = ControlNode(tmp_path / "control").run("uninstall", {"host": variables}).ok()
    listed, _task, done = play.told.partition("TASK [Give the host back")
    assert "Node.js of apt: removed" in done and "Node.js of apt: removed" in listed, "listed before it is done"
    assert apt.installed() == before


@needs_apt
def test_what_something_else_needs_by_now_stays(host: Host, apt: Apt) -> None:
    host.roll_out("distribution")
    apt.do("apt-get", "-y", "-qq", "install", "editor")
    result = host.uninstall(uninstall_programs=True)
    assert "Node.js of apt: removed (npm)" in result["changes"]
    assert "Node.js of apt: nodejs stays, editor needs it" in result["warnings"]
    assert apt.installed() == {"libshared", "libnode", "nodejs", "editor"}


@needs_apt
def test_the_next_source_is_used_where_this_one_cannot_and_it_is_told_why(
    host: Host, apt: Apt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told() -> str:
        (found,) = (one for one in host.look("distribution", "vendor")["changes"] if one.startswith("Node.js"))
        return str(found)

    fetched_instead = f"Node.js {source_release.NODE_VERSION} fetched (not from distribution: "
    monkeypatch.setattr(source_system, "is_root", lambda: False)
    assert told() == f"{fetched_instead}it needs root)"
    monkeypatch.setattr(source_system, "is_root", lambda: True)
    monkeypatch.setattr(GEMINI.source, "node", {"0": "21"})
    assert told() == f"{fetched_instead}nodejs 20.1.0 is too old)"
    with pytest.raises(OperatorError, match=r"\(not from distribution: nodejs 20\.1\.0 is too old\)"):
        host.roll_out("distribution")
    (tmp_path / "os-release").write_text(ARCH)
    assert told() == f"{fetched_instead}Other Linux has none that is known here)"


@needs_apt
def test_nothing_that_stood_before_is_changed(host: Host, apt: Apt) -> None:
    """A newer version of it would do: it is the administrator's to install."""
    apt.publish("zzz", "1")
    apt.do("apt-get", "-y", "-qq", "install", "nodejs")
    apt.publish("nodejs", "22.1.0", "libnode, libshared", node=node("22.1.0"))
    (apt.root / "usr/bin/node").write_text(node("18.1.0"))
    assert any(
        "it would change nodejs, which stood before" in one for one in host.look("distribution", "vendor")["changes"]
    )


@needs_apt
def test_an_installation_that_fails_says_why_in_the_first_line_and_leaves_nothing(host: Host, apt: Apt) -> None:
    home, before = tree(host.home), apt.installed()
    (path,) = apt.root.parent.glob("repository/npm_*.deb")
    path.unlink()
    with pytest.raises(OperatorError) as caught:
        host.roll_out("distribution")
    first = caught.value.told.splitlines()[0]
    assert first == "nodejs npm: cannot be installed with apt: its package sources are not reachable"
    assert apt.installed() == before and tree(host.home) == home


@needs_apt
def test_where_the_agent_cannot_be_fetched_what_was_installed_for_it_goes(host: Host, apt: Apt) -> None:
    home, before = tree(host.home), apt.installed()
    with pytest.raises(OperatorError, match="does not have it"):
        host.roll_out("distribution", cli_versions={"gemini": "0.99.0"})
    assert apt.installed() == before and tree(host.home) == home


@needs_apt
def test_after_a_run_that_was_killed_the_ledger_knows_what_is_new(
    host: Host, apt: Apt, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, before = tree(host.home), apt.installed()
    install = source_distribution.Distribution.install

    def and_dies(*given: Any) -> None:
        install(*given)
        os._exit(9)

    child = os.fork()
    if child == 0:  # pragma: no cover
        monkeypatch.setattr(source_distribution.Distribution, "install", and_dies)
        try:
            host.roll_out("distribution")
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert apt.installed() != before
    host.uninstall(uninstall_programs=True)
    assert apt.installed() == before and tree(host.home) == home


@needs_apt
def test_a_name_in_a_ledger_is_no_option_of_a_program(host: Host, apt: Apt) -> None:
    host.roll_out("distribution")
    ledger = Ledger.load(host.owner)
    (record,) = (one for one in ledger.packages.values() if "manager" in one)
    record["names"] = ["--force-all", "libshared;x", "npm"]
    ledger.save()
    apt.starts()
    host.uninstall(uninstall_programs=True)
    assert not [one for one in apt.starts() if "--force-all" in one or ";" in one]
    assert apt.installed() == {"libshared", "libnode", "nodejs"}


# -- dnf and yum, simulated --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("program", ["dnf", "yum"])
def test_dnf_or_yum_installs_and_gives_back_what_nothing_else_needs(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    simulated = Simulated(tmp_path, sys.executable, program, "rpm")
    for name, needs, own, content in (
        ("libuv", "", "", ""),
        ("nodejs", "libuv", "node", node("20.1.0")),
        ("npm", "nodejs", "npm", NPM),
        ("cmake", "libuv", "", ""),
    ):
        simulated.publish(name, "20.1.0", needs, own, content)
    runs(monkeypatch, tmp_path, RED_HAT, simulated.programs)
    foretold = host.look("distribution")
    assert f"nodejs and npm 20.1.0 installed with {program}" in foretold["changes"]
    assert not [one for one in simulated.starts() if " install " in one] and simulated.installed() == set()
    host.roll_out("distribution")
    assert host.says(simulated.programs) == PINNED and simulated.installed() == {"libuv", "nodejs", "npm"}
    simulated.add("cmake")
    host.uninstall(uninstall_programs=True)
    # yum does not tell what else would be new: that stays, as something that an administrator cleans up.
    assert simulated.installed() == {"libuv", "cmake"}


def test_a_node_of_the_distribution_that_is_too_old_is_passed_over(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulated = Simulated(tmp_path, sys.executable, "dnf", "rpm")
    simulated.publish("nodejs", "16.20.2")
    runs(monkeypatch, tmp_path, RED_HAT, simulated.programs)
    assert any(
        "(not from distribution: nodejs 16.20.2 is too old)" in one
        for one in host.look("distribution", "vendor")["changes"]
    )


def test_a_node_that_stands_as_a_package_is_not_changed(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulated = Simulated(tmp_path, sys.executable, "dnf", "rpm")
    simulated.publish("nodejs", "20.1.0")
    simulated.add("nodejs")
    runs(monkeypatch, tmp_path, RED_HAT, simulated.programs)
    (told,) = (one for one in host.look("distribution", "vendor")["changes"] if one.startswith("Node.js"))
    assert "(not from distribution: nodejs stands there in another version)" in told


# -- Homebrew, simulated -----------------------------------------------------------------------------------------------


@pytest.fixture
def brew(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Simulated:
    made = Simulated(tmp_path, sys.executable, "brew")
    made.publish("icu4c", "1")
    made.publish(
        "node@22",
        "22.9.0",
        "icu4c",
        "node npm",
        f'#!/bin/sh\ncase $0 in */npm) exec {REAL_NODE} {REAL_NPM} "$@";; esac\n{node("22.9.0")}',
    )
    made.publish("databricks/tap/databricks", "1.20.0", "", "databricks", "#!/bin/sh\necho Databricks CLI v1.20.0\n")
    runs(monkeypatch, tmp_path, DEBIAN, made.programs, root=False)
    return made


def test_homebrew_brings_node_and_takes_it_back(host: Host, brew: Simulated) -> None:
    before = tree(host.home)
    assert "node@22 installed with Homebrew" in host.look("homebrew", "vendor")["changes"]
    assert brew.starts() == [], "a look does not ask it: it might fetch its lists"
    host.roll_out("homebrew", "vendor")
    assert host.says(brew.programs) == PINNED and brew.installed() == {"icu4c", "node@22"}
    brew.starts()
    assert not host.look("homebrew")["drifted"] and brew.starts() == []
    host.uninstall(uninstall_programs=True)
    assert brew.installed() == set() and tree(host.home) == before


def test_what_stood_in_homebrew_stays(host: Host, brew: Simulated) -> None:
    brew.add("icu4c")
    host.roll_out("homebrew")
    host.uninstall(uninstall_programs=True)
    assert brew.installed() == {"icu4c"}


def test_where_homebrew_has_that_line_of_node_no_more_the_newest_is_installed(
    host: Host, brew: Simulated, tmp_path: Path
) -> None:
    (tmp_path / "simulated/offered/node@22").rename(tmp_path / "simulated/offered/node")
    host.roll_out("homebrew")
    assert brew.installed() == {"icu4c", "node"} and host.says(brew.programs) == PINNED
    host.uninstall(uninstall_programs=True)
    assert brew.installed() == set()


@pytest.mark.parametrize("tapped", [False, True])
def test_homebrew_brings_the_databricks_cli_and_its_place_of_formulas_goes_with_it_unless_it_stood(
    host: Host, brew: Simulated, tapped: bool
) -> None:
    if tapped:
        brew.tapped("databricks/tap")
    before = tree(host.home)
    own = options_for(
        parts=["databricks_oauth"], toolchain_sources=["distribution", "homebrew"], uninstall_programs=True
    )
    foretold = rollout.look(host.owner, own, CHECK)["changes"]
    assert (
        "databricks/tap/databricks installed with Homebrew (not from distribution: apt has no Databricks CLI)"
        in foretold
    )
    rollout.apply(host.owner, own, RUN)
    assert brew.installed() == {"databricks"} and not (host.home / ".local/bin/databricks").is_symlink()
    assert not rollout.look(host.owner, own, CHECK)["drifted"]
    rollout.withdraw(host.owner, {**own, "sign_out": False}, RUN)
    assert brew.installed() == set() and brew.taps() == ({"databricks/tap"} if tapped else set())
    assert tree(host.home) == before
