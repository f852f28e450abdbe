# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Agents' programs on a host: which version is brought about, and that the way there and back leaves everything else as it was.

With the real engine and real npm, which gets its packages from a registry on the loopback.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils import rollout
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS, FoundCli, base
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents.source_npm import Npm
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents.sources import Settings
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine import transaction
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ledger import Ledger
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owner import Owner
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.config import Config
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts import fetched
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.agent_cli import AgentCli
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.agent_cli_programs import (
    describe,
    wanted_version,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.examination import Examination
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import How

from tests.unit.homes import tree
from tests.unit.package_registry import Registry

CLAUDE = AGENTS["claude_code"]
PINNED, OLDER, NEWER = CLAUDE.pinned_version, "2.1.100", "2.1.300"
BROKEN, BAD, ABSENT = "2.1.301", "2.1.265", "2.1.999"
LINK = ".local/bin/claude"
TREE = ".local/lib/fmapi-coding-agents/claude_code"
CHECK, RUN = How(check=True, diff=True), How()

# The registry's threads take no part in what the child does.
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
needs_npm = pytest.mark.skipif(not shutil.which("npm"), reason="needs npm: apt-get install -y npm")


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    """It has some versions of Claude Code, whose program stands there only after its script has run, as with the real one."""
    made = Registry()
    assert isinstance(CLAUDE.source, Npm)
    for version in (OLDER, PINNED, NEWER, BROKEN):
        script = "#!/bin/sh\nexit 70\n"
        said = "#!/bin/sh\\nexit 1" if version == BROKEN else f"#!/bin/sh\\necho {version} $HOME"
        scripts = {"postinstall": f"printf '{said}\\n' >cli"}
        made.add_npm(CLAUDE.source.package, version, "claude", script, scripts=scripts)
    yield made
    made.close()


class Host:
    """One owner's home, and the operator's wishes for it."""

    def __init__(self, home: Path, registry: Registry) -> None:
        self.home = home
        self.registry = registry
        self.owner = Owner(pwd.getpwuid(os.geteuid()).pw_name, os.geteuid(), os.getegid(), str(home))

    def options(self, version: str = "", **more: Any) -> dict[str, Any]:
        return {
            "parts": ["agent_cli"],
            "agents": ["claude_code"],
            "cli_versions": {"claude_code": version} if version else {},
            "npm_prefix": None,
            "npm_registry": f"{self.registry.url}/",
            "ca_file": None,
            "proxy": None,
            "no_proxy": None,
            **more,
        }

    def look(self, version: str = "", **more: Any) -> dict[str, Any]:
        return rollout.look(self.owner, self.options(version, **more), CHECK)

    def roll_out(self, version: str = "", how: How = RUN, **more: Any) -> dict[str, Any]:
        return rollout.apply(self.owner, self.options(version, **more), how)

    def uninstall(self, how: How = RUN, **more: Any) -> dict[str, Any]:
        return rollout.withdraw(self.owner, self.options(**more), how)

    @property
    def link(self) -> Path:
        return self.home / LINK

    def versions(self) -> list[str]:
        """What of ours stands there, and that each of it works."""
        return sorted(path.name for path in (self.home / TREE).glob("*"))

    def says(self) -> str:
        return subprocess.run([self.link], capture_output=True, text=True, check=True).stdout.split()[0]

    def asked(self) -> list[str]:
        asked, self.registry.asked = self.registry.asked, []
        return asked

    def lose_ledger(self) -> None:
        shutil.rmtree(self.owner.state)


@pytest.fixture
def host(tmp_path: Path, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host that has npm, and no agent."""
    home, tools = tmp_path / "home", tmp_path / "tools"
    home.mkdir(mode=0o755)
    (home / ".bashrc").write_text("# mine\n")
    tools.mkdir()
    for name in ("npm", "node"):
        (tools / name).symlink_to(shutil.which(name) or "/nowhere")
    monkeypatch.setenv("PATH", str(tools))
    monkeypatch.setattr(base, "USUAL_DIRECTORIES", ())
    monkeypatch.setattr(fetched, "locks", dict)  # these packages are ours
    registry.asked.clear()
    return Host(home, registry)


def native_installer(home: Path, version: str) -> Path:
    """What Anthropic's own installer leaves."""
    program = home / ".local/share/claude/versions" / version
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho {version}\n")
    program.chmod(0o755)
    (home / ".local/bin").mkdir()
    (home / LINK).symlink_to(program)
    return program


def npm_package(home: Path, version: str) -> None:
    """What ``npm install --global`` leaves."""
    package = home / ".local/lib/node_modules/@anthropic-ai/claude-code"
    package.mkdir(parents=True)
    (package / "package.json").write_text(json.dumps({"name": "@anthropic-ai/claude-code", "version": version}))
    (package / "cli").write_text(f"#!/bin/sh\necho {version}\n")
    (package / "cli").chmod(0o755)
    (home / ".local/bin").mkdir()
    (home / LINK).symlink_to("../lib/node_modules/@anthropic-ai/claude-code/cli")


OTHERS = {"nothing": lambda home, version: None, "native installer": native_installer, "npm": npm_package}


# -- which version -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("named", "there", "wanted"),
    [
        (None, None, PINNED),
        (None, "2.1.90", None),
        (None, "2.1.265", PINNED),
        (None, "1.0.0", PINNED),
        (None, "", None),
        ("2.1.90", None, "2.1.90"),
        ("2.1.90", "2.1.90", None),
        ("2.1.90", "2.1.197", "2.1.90"),
        ("2.1.90", "", "2.1.90"),
    ],
)
def test_what_will_do_is_left_alone_and_a_named_version_is_brought_about(
    named: str | None, there: str | None, wanted: str | None
) -> None:
    found = None if there is None else FoundCli("/bin/claude", there, "npm")
    versions = {"claude_code": named} if named else {}
    assert wanted_version(CLAUDE, versions, found) == wanted
    assert describe(found, wanted or "")["wanted_version"] == (wanted or there)


def test_a_version_that_must_not_be_installed_is_refused_before_anything(host: Host) -> None:
    with pytest.raises(OperatorError, match="does not work with a workspace"):
        host.look(BAD)


# -- there and back ----------------------------------------------------------------------------------------------------


def test_a_dry_run_shows_the_version_and_neither_asks_nor_writes(host: Host) -> None:
    before = tree(host.home)
    looked, dry = host.look(), host.roll_out(how=CHECK)
    for result in (looked, dry):
        assert any(f"Claude Code {PINNED}" in change and str(host.link) in change for change in result["changes"])
    assert looked["drifted"] and dry["changed"]
    assert looked["programs"]["claude_code"] == {
        "path": None,
        "version": None,
        "source": None,
        "wanted_version": PINNED,
    }
    assert any(f"Claude Code {PINNED}" in one["after"] for one in dry["diff"])
    assert tree(host.home) == before and not host.asked()


@needs_npm
@pytest.mark.parametrize("stood", OTHERS)
def test_a_program_that_will_not_do_is_replaced_and_given_back(host: Host, stood: str) -> None:
    OTHERS[stood](host.home, BAD)
    before = tree(host.home)
    first = host.roll_out()
    assert first["changed"] and host.says() == PINNED and host.versions() == [PINNED]
    found = first["programs"]["claude_code"]
    assert found == {"path": str(host.link), "version": PINNED, "source": "npm", "wanted_version": PINNED}
    assert host.uninstall()["changed"]
    assert tree(host.home) == before


@needs_npm
def test_a_second_run_is_silent(host: Host) -> None:
    host.roll_out()
    host.asked()
    before = {path: path.lstat().st_mtime_ns for path in host.home.rglob("*")}
    looked, again = host.look(), host.roll_out()
    assert not looked["drifted"] and not looked["changes"] and not again["changed"] and not again["changes"]
    assert {path: path.lstat().st_mtime_ns for path in host.home.rglob("*")} == before and not host.asked()


@pytest.mark.parametrize("stood", ["native installer", "npm"])
@pytest.mark.parametrize("named", [True, False])
def test_a_good_version_that_stands_there_is_left_alone_however_it_came(host: Host, stood: str, named: bool) -> None:
    OTHERS[stood](host.home, OLDER)
    before = tree(host.home)
    version = OLDER if named else ""
    looked, applied = host.look(version), host.roll_out(version)
    assert not looked["drifted"] and not applied["changed"] and not host.asked()
    assert looked["programs"]["claude_code"]["wanted_version"] == OLDER
    host.uninstall()
    assert tree(host.home) == before


@needs_npm
def test_an_upgrade_switches_the_link_and_leaves_only_the_new_version(host: Host) -> None:
    native_installer(host.home, OLDER)
    before = tree(host.home)
    for version in (PINNED, NEWER, PINNED):
        changed = host.roll_out(version)
        assert changed["changed"] and host.says() == version and host.versions() == [version]
        assert not host.roll_out(version)["changed"]
    host.uninstall()
    assert tree(host.home) == before and host.says() == OLDER


@needs_npm
def test_what_we_installed_stays_when_no_version_is_named_any_more(host: Host) -> None:
    host.roll_out(OLDER)
    assert not host.look()["drifted"] and not host.roll_out()["changed"] and host.says() == OLDER


@needs_npm
def test_a_dropped_agent_goes_and_what_stood_there_comes_back(host: Host) -> None:
    native_installer(host.home, BAD)
    before = tree(host.home)
    host.roll_out()
    assert host.roll_out(agents=[])["changed"]
    assert tree(host.home) == before


@needs_npm
def test_another_prefix_moves_the_program(host: Host, tmp_path: Path) -> None:
    before = tree(host.home)
    host.roll_out(OLDER)
    there = tmp_path / "opt" / "agents"
    assert host.roll_out(npm_prefix=str(there))["changed"]
    assert sorted(path.name for path in (there / "bin").iterdir()) == ["claude"]
    assert not host.link.is_symlink() and not host.versions()
    assert not host.look(npm_prefix=str(there))["drifted"]
    assert host.look(npm_prefix=str(there))["programs"]["claude_code"]["version"] == OLDER
    host.uninstall()
    assert tree(host.home) == before and not (tmp_path / "opt").exists()


@needs_npm
def test_a_directory_for_programs_that_leads_elsewhere_is_no_trouble(host: Host, tmp_path: Path) -> None:
    (tmp_path / "dotfiles").mkdir()
    (host.home / ".local").mkdir()
    (host.home / ".local/bin").symlink_to(tmp_path / "dotfiles")
    before = tree(host.home)
    host.roll_out()
    assert host.says() == PINNED and not host.look()["drifted"]
    host.uninstall()
    assert tree(host.home) == before and not list((tmp_path / "dotfiles").iterdir())


@needs_npm
def test_a_home_that_was_moved_takes_its_program_along(host: Host, tmp_path: Path) -> None:
    before = tree(host.home)
    host.roll_out()
    host.home.rename(tmp_path / "moved")
    moved = Host(tmp_path / "moved", host.registry)
    moved.asked()
    assert moved.look()["drifted"], "the link leads to where the home was"
    moved.roll_out()
    assert moved.says() == PINNED and not moved.asked() and not moved.look()["drifted"]
    moved.uninstall()
    assert tree(moved.home) == before


@needs_npm
def test_a_home_behind_a_link_is_the_same_home(host: Host, tmp_path: Path) -> None:
    before = tree(host.home)
    (tmp_path / "other-name").symlink_to(host.home)
    other = Host(tmp_path / "other-name", host.registry)
    host.roll_out()
    assert not other.look()["drifted"] and not other.roll_out()["changed"]
    other.roll_out(NEWER, npm_prefix=str(host.home / ".local"))
    assert host.versions() == [NEWER] and host.says() == NEWER
    other.uninstall()
    assert tree(host.home) == before


def test_a_file_in_the_place_of_the_link_is_said_before_anything_is_fetched(host: Host) -> None:
    host.link.parent.mkdir(parents=True)
    host.link.write_text("#!/bin/sh\n# a wrapper of my own\n")
    host.link.chmod(0o755)
    before = tree(host.home)
    with pytest.raises(OperatorError, match=rf"^{host.link}: is a file, where a symbolic link is to stand"):
        host.roll_out(PINNED)
    assert tree(host.home) == before and not host.asked()


@needs_npm
def test_a_program_that_its_owner_has_put_in_place_of_ours_stays(host: Host) -> None:
    """As Anthropic's installer does when it updates itself."""
    host.roll_out()
    host.link.unlink()
    theirs = host.home / "2.1.299"
    theirs.write_text("#!/bin/sh\necho 2.1.299\n")
    theirs.chmod(0o755)
    host.link.symlink_to(theirs)
    host.roll_out()
    assert os.readlink(host.link) == str(theirs) and not host.versions()
    host.uninstall()
    assert os.readlink(host.link) == str(theirs)
    assert not (host.home / ".local/lib").exists() and not (host.home / ".local/state").exists()


# -- what can go wrong -------------------------------------------------------------------------------------------------


@needs_npm
@pytest.mark.parametrize("version", [ABSENT, BROKEN])
@pytest.mark.parametrize("stands", [None, OLDER])
def test_a_fetch_that_fails_leaves_the_host_as_it_was(host: Host, version: str, stands: str | None) -> None:
    if stands:
        host.roll_out(stands)
    before = _without_times(host)
    said = "cannot be fetched: the npm registry .* does not have it" if version == ABSENT else "ends with status 1"
    with pytest.raises(OperatorError, match=said):
        host.roll_out(version)
    assert _without_times(host) == before
    assert host.versions() == ([stands] if stands else [])


@needs_npm
def test_what_was_fetched_goes_again_when_something_later_fails(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tree(host.home)
    bring = transaction.bring

    def failing(owner: Any, components: Any, wanted: Any, check: bool, rebuild: Any) -> Any:
        if not check:
            assert host.versions() == [PINNED]
            raise OperatorError("has no space")
        return bring(owner, components, wanted, check, rebuild)

    monkeypatch.setattr(rollout, "bring", failing)
    with pytest.raises(OperatorError, match="has no space"):
        host.roll_out()
    assert tree(host.home) == before


@pytest.fixture
def killed(host: Host, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Starts a rollout in a process of its own, which is gone half-way through npm's work."""

    def half(self: Npm, version: str, directory: str, settings: Any, lock: Any = None) -> None:
        os.makedirs(f"{directory}/lib/node_modules")
        os._exit(9)

    def run(version: str = "", **more: Any) -> None:
        child = os.fork()
        if child == 0:
            monkeypatch.setattr(Npm, "fetch", half)
            try:
                host.roll_out(version, **more)
            finally:
                os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9

    return run


@needs_npm
def test_after_a_run_that_was_killed_the_next_one_starts_anew(host: Host, killed: Callable[..., None]) -> None:
    before = tree(host.home)
    killed()
    assert host.versions() == [PINNED] and not host.link.is_symlink()
    assert host.look()["drifted"]
    assert host.roll_out()["changed"] and host.says() == PINNED
    host.uninstall()
    assert tree(host.home) == before


@needs_npm
@pytest.mark.parametrize("prefix", [None, "opt/agents"])
def test_after_a_run_that_was_killed_an_uninstall_leaves_nothing(
    host: Host, killed: Callable[..., None], prefix: str | None, tmp_path: Path
) -> None:
    before = tree(tmp_path)
    killed(npm_prefix=prefix and str(tmp_path / prefix))
    host.uninstall()
    assert tree(tmp_path) == before


@needs_npm
def test_what_a_run_that_was_killed_has_left_of_another_version_goes_with_the_next(
    host: Host, killed: Callable[..., None]
) -> None:
    host.roll_out(OLDER)
    killed(NEWER)
    assert host.versions() == [OLDER, NEWER] and host.says() == OLDER
    host.roll_out(PINNED)
    assert host.versions() == [PINNED] and host.says() == PINNED


@needs_npm
@pytest.mark.parametrize("damage", ["gone", "no package", "no program"])
def test_a_damaged_program_is_fetched_again(host: Host, damage: str) -> None:
    host.roll_out()
    directory = host.home / TREE / PINNED
    package = directory / "lib/node_modules/@anthropic-ai"
    if damage == "no program":
        (package / "claude-code/cli").unlink()
    else:
        shutil.rmtree(directory if damage == "gone" else package)
    looked = host.look()
    assert looked["drifted"] and looked["changes"] == [f"Claude Code {PINNED} fetched again"]
    assert host.roll_out()["changed"] and host.says() == PINNED and not host.look()["drifted"]


@needs_npm
def test_without_its_ledger_a_rollout_is_silent_and_an_uninstall_takes_the_program(host: Host) -> None:
    before = tree(host.home)
    host.roll_out()
    host.lose_ledger()
    host.asked()
    assert not host.look()["drifted"] and not host.roll_out()["changed"] and not host.asked()
    host.uninstall()
    parents = {".local", ".local/bin", ".local/lib", ".local/state"}  # who made them is not known any more
    assert {path for path in tree(host.home) if path not in before} <= parents


@needs_npm
def test_without_its_ledger_an_upgrade_still_knows_its_link(host: Host) -> None:
    host.roll_out(OLDER)
    host.lose_ledger()
    host.roll_out(NEWER)
    assert host.versions() == [NEWER]
    host.uninstall()
    assert not host.link.is_symlink() and not host.versions()


def _without_times(host: Host) -> dict[str, Any]:
    """A home's tree, the time in the ledger aside."""
    found: dict[str, Any] = tree(host.home)
    for path in [path for path in found if path.endswith("ledger.json")]:
        found[path] = {**json.loads(found[path][2]), "written_at": ""}
    return found


# -- what earlier runs of ours had npm install globally ----------------------------------------------------------------


@pytest.fixture
def global_package(host: Host) -> Callable[[str, str | None], None]:
    def made(version: str, previous: str | None) -> None:
        CLAUDE.source.fetch(version, str(host.home / ".local"), _settings(host))
        ledger = Ledger(host.owner)
        record = {"prefix": str(host.home / ".local"), "version": version, "previous": previous}
        ledger.packages["claude_code"] = record
        ledger.directories += [
            str(host.home / path) for path in (".local/bin", ".local/lib", ".local/lib/node_modules")
        ]
        ledger.directories += [str(host.home / path) for path in (".local", ".local/lib/node_modules/@anthropic-ai")]
        ledger.save()

    return made


def _settings(host: Host) -> Settings:
    return Settings(str(host.home), dict(os.environ), f"{host.registry.url}/")


@needs_npm
def test_a_global_package_of_ours_goes_with_an_uninstall(host: Host, global_package: Callable[..., None]) -> None:
    before = tree(host.home)
    global_package(PINNED, None)
    assert not host.look()["drifted"]
    dry = host.uninstall(CHECK)
    assert dry["changes"] == [f"Claude Code: {PINNED} removed"] == host.uninstall()["changes"]
    assert tree(host.home) == before


@needs_npm
def test_a_global_package_goes_back_to_the_version_that_it_replaced(
    host: Host, global_package: Callable[..., None]
) -> None:
    global_package(PINNED, OLDER)
    assert host.uninstall()["changes"] == [f"Claude Code: back to {OLDER}"]
    assert CLAUDE.source.installed_version(str(host.home / ".local")) == OLDER
    assert not os.path.exists(host.owner.state)


@needs_npm
def test_a_global_package_that_is_not_the_one_of_ours_any_more_is_left(
    host: Host, global_package: Callable[..., None]
) -> None:
    global_package(PINNED, None)
    CLAUDE.source.fetch(NEWER, str(host.home / ".local"), _settings(host))
    assert "left as it is" in host.uninstall()["changes"][0] and host.says() == NEWER


@needs_npm
def test_a_global_package_of_ours_may_be_replaced_by_a_directory_of_ours(
    host: Host, global_package: Callable[..., None]
) -> None:
    before = tree(host.home)
    global_package(PINNED, None)
    host.roll_out(NEWER)
    assert host.says() == NEWER
    host.uninstall()
    assert tree(host.home) == before


# -- the doctor --------------------------------------------------------------------------------------------------------


def checks(host: Host, offline: bool = False, **more: Any) -> list[tuple[str, str, str]]:
    config = Config(str(host.home), "https://w.example.com", "p", "user", 15)
    examination = Examination(host.owner, host.options(**more), config, dict(os.environ), offline)
    return [(one.check, one.status, one.detail) for one in AgentCli().checks(examination)]


def test_the_doctor_tells_of_a_program_that_is_missing_or_will_not_do(host: Host) -> None:
    assert checks(host) == [("Claude Code", "FAIL", "is not installed")]
    native_installer(host.home, BAD)
    assert checks(host) == [("Claude Code", "FAIL", f"{BAD} does not work with a workspace")]


@pytest.fixture
def shell(host: Host, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The owner's login shell, which reads ``~/.profile``."""
    program = host.home.parent / "shell"
    program.write_text("#!/bin/sh\nPATH=/usr/bin:/bin\nexport PATH\n. ~/.profile\nPATH=$PATH:/usr/bin:/bin\nexec env\n")
    program.chmod(0o755)
    entry = pwd.getpwuid(os.geteuid())
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: pwd.struct_passwd((*entry[:6], str(program))))
    (host.home / ".profile").write_text("echo hello\n")
    return program


@needs_npm
def test_the_doctor_tells_when_the_person_s_own_path_leads_elsewhere(host: Host, shell: Path, tmp_path: Path) -> None:
    host.roll_out()
    fine = ("Claude Code", "PASS", f"{PINNED} ({host.link})")
    profile, where = host.home / ".profile", host.link.parent
    assert checks(host) == [fine, ("Claude Code on PATH", "WARN", f"{where} is not on this user's PATH")]
    profile.write_text("PATH=$HOME/.local/bin:$PATH\n")
    assert checks(host) == [fine]
    other = tmp_path / "other" / "claude"
    other.parent.mkdir()
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    profile.write_text(f"PATH={other.parent}:$HOME/.local/bin:$PATH\n")
    said = f"{other} (of unknown version) comes before {host.link} on this user's PATH"
    assert checks(host) == [fine, ("Claude Code on PATH", "WARN", said)]
    assert checks(host, offline=True) == [fine], "in check mode nothing is started"
    other.unlink()
    other.symlink_to(host.link)
    assert checks(host) == [fine], "the same program by another name"
    shell.write_text("#!/bin/sh\nexit 1\n")
    assert checks(host) == [fine], "a shell that tells nothing is no finding"


def test_a_program_that_is_not_ours_is_looked_for_on_the_person_s_path_too(host: Host, shell: Path) -> None:
    native_installer(host.home, OLDER)
    fine = ("Claude Code", "PASS", f"{OLDER} ({host.link})")
    assert checks(host) == [fine, ("Claude Code on PATH", "WARN", f"{host.link.parent} is not on this user's PATH")]
    (host.home / ".profile").write_text("PATH=$HOME/.local/bin:$PATH\n")
    assert checks(host) == [fine]
