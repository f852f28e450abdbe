# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that stand where only an interactive shell would find them: what version managers of Node.js have installed.

No shell and no shim is started to find them.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils import rollout
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import (
    AGENTS,
    FoundCli,
    base,
    programs,
    sources,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents.programs import directories_of_managers
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owner import Owner
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.config import Config
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts import fetched, person
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.agent_cli import AgentCli
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.examination import Check, Examination
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import How

from tests.unit.homes import tree
from tests.unit.options_for import options_for
from tests.unit.package_registry import Registry

CLAUDE = AGENTS["claude_code"]
PACKAGE = "@anthropic-ai/claude-code"
GOOD, REFUSED = CLAUDE.pinned_version, "2.1.265"
CHECK, RUN = How(check=True), How()

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
needs_npm = pytest.mark.skipif(not shutil.which("npm"), reason="needs npm: apt-get install -y npm")

MANAGERS = {
    "nvm": (".nvm/versions/node/v22.3.0", ".nvm/versions/node/v9.9.9"),
    "fnm": (
        ".local/share/fnm/node-versions/v22.3.0/installation",
        ".local/share/fnm/node-versions/v9.9.9/installation",
    ),
    "fnm of old": (".fnm/node-versions/v22.3.0/installation", ".fnm/node-versions/v9.9.9/installation"),
    "volta": (".volta/tools/image/node/22.3.0", ".volta/tools/image/node/9.9.9"),
    "mise": (".local/share/mise/installs/node/22.3.0", ".local/share/mise/installs/node/9.9.9"),
    "asdf": (".asdf/installs/nodejs/22.3.0", ".asdf/installs/nodejs/9.9.9"),
    "nodenv": (".nodenv/versions/22.3.0", ".nodenv/versions/9.9.9"),
    "n": ("n",),
    "npm's own prefix": (".npm-global",),
}
"""Where they keep versions, the newest first."""

AGENTS_ALONE = {
    "volta": (f".volta/tools/image/packages/{PACKAGE}", "bin/claude"),
    "mise": (".local/share/mise/installs/npm-anthropic-ai-claude-code/2.1.300", "bin/claude"),
    "bun": (".bun", "bin/claude"),
    "pnpm": (".local/share/pnpm", "claude"),
}
"""Where they keep a package that was installed by itself."""


@pytest.fixture(autouse=True)
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A login that knows nothing: no npm and no agent on PATH or in the usual places."""
    (tmp_path / "little").mkdir()
    (tmp_path / "little" / "sh").symlink_to("/bin/sh")  # for scripts of packages
    monkeypatch.setenv("PATH", str(tmp_path / "little"))
    for module in (base, programs):
        monkeypatch.setattr(module, "USUAL_DIRECTORIES", ())
    monkeypatch.setattr(fetched, "locks", dict)  # the packages here are ours
    for name in list(os.environ):
        if name.endswith(("_DIR", "_HOME", "_PREFIX")) and name.startswith(
            ("NVM", "FNM", "VOLTA", "MISE", "ASDF", "N_")
        ):
            monkeypatch.delenv(name)


@pytest.fixture
def owner(tmp_path: Path) -> Owner:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    return Owner(pwd.getpwuid(os.geteuid()).pw_name, os.geteuid(), os.getegid(), str(home))


def agent_at(prefix: Path, version: str, command: str = "bin/claude") -> Path:
    """What ``npm install --global`` of a Node.js there leaves."""
    package = prefix / "lib" / "node_modules" / PACKAGE
    package.mkdir(parents=True)
    (package / "package.json").write_text(json.dumps({"name": PACKAGE, "version": version}))
    (package / "cli").write_text("#!/bin/sh\nexit 99\n")
    (package / "cli").chmod(0o755)
    link = prefix / command
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(package / "cli")
    return link


def npm_at(prefix: Path) -> Path:
    """The machine's own Node.js under another path. Its npm finds Node.js on PATH, as each does."""
    (prefix / "bin").mkdir(parents=True, exist_ok=True)
    npm = os.path.realpath(shutil.which("npm", path=os.defpath + ":/usr/local/bin") or "/nowhere")
    for name, target in (
        ("node", shutil.which("node", path=os.defpath + ":/usr/local/bin") or "/nowhere"),
        ("npm", npm),
    ):
        (prefix / "bin" / name).symlink_to(target)
    return prefix / "bin" / "npm"


def find(owner: Owner) -> FoundCli | None:
    return CLAUDE.find_cli(owner, os.path.join(owner.home, ".local"), os.environ)


@pytest.mark.parametrize("manager", MANAGERS)
def test_an_agent_that_a_version_manager_has_is_found_the_newest_first(owner: Owner, manager: str) -> None:
    places = [Path(owner.home, place) for place in MANAGERS[manager]]
    for place, version in zip(places, ("2.1.300", "2.1.90"), strict=False):
        agent_at(place, version)
    assert find(owner) == FoundCli(str(places[0] / "bin/claude"), "2.1.300", "npm")


@pytest.mark.parametrize("manager", AGENTS_ALONE)
def test_an_agent_that_a_manager_has_installed_by_itself_is_found(owner: Owner, manager: str) -> None:
    prefix, command = AGENTS_ALONE[manager]
    link = agent_at(Path(owner.home, prefix), "2.1.300", command)
    assert find(owner) == FoundCli(str(link), "2.1.300", "npm")


def test_a_manager_is_found_where_its_variable_says(
    owner: Owner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent_at(tmp_path / "shared nvm [1]" / "versions/node/v22.0.0", "2.1.300")
    assert find(owner) is None
    monkeypatch.setenv("NVM_DIR", str(tmp_path / "shared nvm [1]"))
    found = find(owner)
    assert found is not None and found.version == "2.1.300"


def test_a_shim_is_never_started_or_taken_for_npm(owner: Owner, tmp_path: Path) -> None:
    """A shim decides anew at each start, and may install what it starts: volta keeps a global install for itself."""
    for place in (".volta/bin", ".local/share/mise/shims", ".asdf/shims"):
        directory = Path(owner.home, place)
        directory.mkdir(parents=True)
        for name in ("npm", "claude"):
            (directory / name).write_text(f"#!/bin/sh\necho >{tmp_path}/started\n")
            (directory / name).chmod(0o755)
    assert find(owner) is None
    assert CLAUDE.source.needed(GOOD, sources.Settings(owner.home, os.environ))
    assert not (tmp_path / "started").exists()


def test_programs_of_windows_are_passed_over(owner: Owner) -> None:
    """WSL puts the directories of Windows on PATH; what stands there installs for Windows."""
    given = {"PATH": "/mnt/c/Program Files/nodejs:/usr/bin:/mnt/data/node/bin:relative"}
    assert programs.given_directories(given) == ["/usr/bin", "/mnt/data/node/bin"]


def test_looking_costs_nothing_where_no_manager_is(owner: Owner) -> None:
    assert directories_of_managers(owner.home, {}) == []


# -- rolled out --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def registry() -> Iterator[Registry]:
    made = Registry()
    scripts = {"postinstall": f"printf '#!/bin/sh\\necho {GOOD}\\n' >cli"}
    made.add_npm(PACKAGE, GOOD, "claude", "#!/bin/sh\nexit 70\n", scripts=scripts)
    yield made
    made.close()


def options(registry: Registry, **more: Any) -> dict[str, Any]:
    return options_for(parts=["agent_cli"], agents=["claude_code"], npm_registry=f"{registry.url}/", **more)


def doctor(owner: Owner, registry: Registry, **more: Any) -> list[Check]:
    config = Config(owner.home, "https://w.example.com", "p", "user", 15)
    examination = Examination(owner, options(registry, **more), config, dict(os.environ), offline=True)
    return list(AgentCli().checks(examination))


@needs_npm
@pytest.mark.parametrize("manager", MANAGERS)
def test_npm_of_a_version_manager_installs(owner: Owner, registry: Registry, manager: str) -> None:
    """The old complaint was that npm is not installed, though it is."""
    npm_at(Path(owner.home, MANAGERS[manager][0]))
    before = tree(Path(owner.home))
    assert rollout.look(owner, options(registry), CHECK)["drifted"]
    assert rollout.apply(owner, options(registry), RUN)["programs"]["claude_code"]["version"] == GOOD
    said = subprocess.run([f"{owner.home}/.local/bin/claude"], capture_output=True, text=True, check=True).stdout
    assert said.strip() == GOOD
    assert not rollout.apply(owner, options(registry), RUN)["changed"]
    rollout.withdraw(owner, options(registry), RUN)
    assert tree(Path(owner.home)) == before


@needs_npm
@pytest.mark.parametrize("stands", ["installer", "nvm"])
def test_a_refused_version_gives_way_and_comes_back(owner: Owner, registry: Registry, stands: str) -> None:
    """The agent's own installer and npm of nvm: ours stands beside theirs, and comes first."""
    npm_at(Path(owner.home, MANAGERS["nvm"][0]))
    if stands == "nvm":
        agent_at(Path(owner.home, MANAGERS["nvm"][0]), REFUSED)
    else:
        program = Path(owner.home, ".local/share/claude/versions", REFUSED)
        program.parent.mkdir(parents=True)
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
        Path(owner.home, ".local/bin").mkdir()
        Path(owner.home, ".local/bin/claude").symlink_to(program)
    before = tree(Path(owner.home))
    (told,) = [one for one in doctor(owner, registry) if one.status == "FAIL"]
    assert REFUSED in told.detail and told.fix == "Run the rollout"
    rollout.apply(owner, options(registry), RUN)
    found = find(owner)
    assert found is not None and (found.path, found.version) == (f"{owner.home}/.local/bin/claude", GOOD)
    rollout.withdraw(owner, options(registry), RUN)
    assert tree(Path(owner.home)) == before


def test_where_npm_is_nowhere_the_dry_run_says_so_and_the_doctor_does_not_send_round_in_a_circle(
    owner: Owner, registry: Registry
) -> None:
    for attempt, how in ((rollout.look, CHECK), (rollout.apply, CHECK), (rollout.apply, RUN)):
        with pytest.raises(OperatorError) as caught:
            attempt(owner, options(registry), how)
        told = str(caught.value)
        assert "npm is not installed" in told and "Install Node.js 18" in told
        assert "nvm" in told and "--skip-tags agent_cli" in told
    assert tree(Path(owner.home)) == {}
    (told_by_doctor,) = [one for one in doctor(owner, registry) if one.status == "FAIL"]
    assert told_by_doctor.fix.startswith("Install Node.js 18") and told_by_doctor.fix.endswith("then run the rollout")


# -- what the person starts --------------------------------------------------------------------------------------------


def checks_on_path(owner: Owner, registry: Registry, path: str, monkeypatch: pytest.MonkeyPatch) -> list[Check]:
    monkeypatch.setattr(person, "environment", lambda owner: {"PATH": path} if path else {})
    config = Config(owner.home, "https://w.example.com", "p", "user", 15)
    found = AgentCli().checks(Examination(owner, options(registry), config, dict(os.environ)))
    return [one for one in found if one.check.endswith("on PATH")]


@pytest.mark.parametrize("ours", [False, True])
def test_a_program_on_the_person_s_path_before_the_one_that_was_found(
    owner: Owner, registry: Registry, monkeypatch: pytest.MonkeyPatch, ours: bool
) -> None:
    """Whether or not the program is ours."""
    home = Path(owner.home)
    theirs = agent_at(home / "old", "2.1.90")
    refused = agent_at(home / "older", REFUSED)
    if ours:
        if not shutil.which("npm", path=os.defpath):
            pytest.skip("needs npm")
        npm_at(home / MANAGERS["nvm"][0])
        rollout.apply(owner, options(registry), RUN)
    else:
        agent_at(home / ".local", GOOD)
    good = f"{home}/.local/bin"
    (told,) = checks_on_path(owner, registry, f"{home}/old/bin:{good}:/usr/bin", monkeypatch)
    assert (told.status, f"{theirs} (2.1.90) comes before {good}/claude" in told.detail) == ("WARN", True)
    (told,) = checks_on_path(owner, registry, f"{home}/older/bin:{good}", monkeypatch)
    assert (told.status, f"{refused} ({REFUSED}) comes before" in told.detail) == ("FAIL", True)
    assert "does not work with a workspace" in told.detail and good in told.fix
    (told,) = checks_on_path(owner, registry, "/usr/bin:/bin", monkeypatch)
    assert (told.status, told.detail) == ("WARN", f"{good} is not on this user's PATH")
    for path in (f"{good}:{home}/old/bin", ""):
        assert checks_on_path(owner, registry, path, monkeypatch) == []
