# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is planned for all users of a host. On real hosts, with the real agents: tests/agents/test_machine_scope.py."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine import owners
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owner import Owner
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ownership import Wanted
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.config import Config
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts import (
    databricks_oauth_checks,
    databricks_oauth_environment,
    databricks_oauth_runtime,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.agent_settings import AgentSettings
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.context import agent_options, config_of
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.databricks_oauth_scripts import helper_script
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.examination import Check, Examination
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.launcher import script
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import MACHINE, machine_places

from tests.unit.homes import shared_directory
from tests.unit.options_for import options_for

THE_MACHINE = Owner(MACHINE, 0, 0, "/root", MACHINE)
REACHED = [name for name, agent in AGENTS.items() if agent.machine_scope]


def _options(**own: Any) -> dict[str, Any]:
    return options_for(scope=MACHINE, **own)


def _wanted(name: str, extra: dict[str, Any] | None = None) -> list[Wanted]:
    settings = {name: extra} if extra else {}
    return AgentSettings().wanted(THE_MACHINE, _options(agents=[name], extra_settings=json.dumps(settings)))


def test_claude_code_has_one_file_with_the_operator_s_own_settings_in_it_which_no_diff_shows() -> None:
    extra = {"permissions": {"deny": ["Read(.env)"]}, "env": {"MY_OWN": "1"}}
    (managed,) = _wanted("claude_code", extra)
    assert managed.values["apiKeyHelper",] == os.path.join(machine_places().data, "token-helper")
    assert managed.elements["permissions", "deny"] == ("WebSearch", "Read(.env)")
    assert managed.values["env", "MY_OWN"] == "1" and managed.masked == {("env", "MY_OWN")}
    assert managed.replace_unreadable


@pytest.mark.parametrize("name", REACHED)
def test_what_agents_read_can_be_read_by_everybody_and_is_in_no_home(name: str) -> None:
    own = {"env": {"MY_OWN": "1"}} if name == "claude_code" else {}
    for one in _wanted(name, own):
        assert (one.mode, one.private) == (0o644, False), one.path
        assert one.path.startswith(("/etc/", "/opt/", "/Library/")), one.path


def test_hermes_plugin_is_a_package_and_others_are_named_beside_it() -> None:
    """Its list of plugins for all users replaces their own."""
    *plugin, config = _wanted("hermes", {"plugins": {"enabled": ["of-the-company"]}})
    assert config.path == "/etc/hermes/config.yaml"
    assert config.elements["plugins", "enabled"] == ("fmapi_coding_agents", "of-the-company")
    places = {os.path.relpath(one.path, machine_places().data) for one in plugin}
    package = "hermes/fmapi_coding_agents-1.dist-info"
    assert places == {f"{package}/METADATA", f"{package}/entry_points.txt", "hermes/fmapi_coding_agents.py"}


def test_what_comes_first_in_a_list_of_directories_keeps_the_rest(tmp_path: Path) -> None:
    hermes = AGENTS["hermes"]
    launch = hermes.launch(agent_options(THE_MACHINE, _options(), "hermes"))
    assert launch is not None
    ours, real = tmp_path / "ours" / "hermes", tmp_path / "real" / "hermes"
    texts = (ours, script(THE_MACHINE, hermes, launch, "/h", [])), (real, b'#!/bin/sh\necho "$PYTHONPATH"\n')
    for one, text in texts:
        one.parent.mkdir()
        one.write_bytes(text)
        one.chmod(0o755)
    first = os.path.join(machine_places().data, "hermes")
    for before, after in (("", first), ("/mine", f"{first}:/mine"), (f"{first}:/mine", f"{first}:/mine")):
        environment = {"PATH": f"{real.parent}:/usr/bin:/bin", **({"PYTHONPATH": before} if before else {})}
        done = subprocess.run([str(ours)], env=environment, capture_output=True, text=True, check=True)
        assert done.stdout == f"{after}\n"


def test_settings_for_an_agent_without_a_place_for_them_are_refused() -> None:
    with pytest.raises(OperatorError, match=r"coding_agents_extra_settings\.pi: cannot be given for all users"):
        _wanted("pi", {"quietStartup": True})


def test_an_authority_that_only_root_can_read_is_refused(tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.touch(0o600)
    with pytest.raises(OperatorError, match="cannot be read by every user of this host"):
        config_of(THE_MACHINE, _options(ca_file=str(authority)))
    authority.chmod(0o644)
    assert config_of(THE_MACHINE, _options(ca_file=str(authority))).ca_file == str(authority)


def test_the_configuration_names_no_home_and_takes_that_of_whoever_runs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config.json"
    file.write_text(config_of(THE_MACHINE, _options()).to_json())
    assert "/root" not in file.read_text()
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Config.load(str(file)).cache_file.startswith(f"{tmp_path}/.cache/")
    monkeypatch.setenv("HOME", str(tmp_path / "gone"))
    assert Config.load(str(file)).home == pwd.getpwuid(os.geteuid()).pw_dir


def test_the_helper_s_cache_is_the_one_that_the_program_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under a home with a space: the script answers from a cache that stands there, without the program."""
    home = tmp_path / "a home"
    file = tmp_path / "config.json"
    file.write_text(config_of(THE_MACHINE, _options()).to_json())
    monkeypatch.setenv("HOME", str(home))
    home.mkdir()
    cache = Path(Config.load(str(file)).cache_file)
    cache.parent.mkdir(parents=True, mode=0o700)
    cache.write_text("4000000000\nmy-own-token\n4000000000\n")
    cache.chmod(0o600)
    helper = tmp_path / "helper"
    helper.write_bytes(helper_script(config_of(THE_MACHINE, _options())))
    done = subprocess.run(
        ["sh", str(helper)], env={"HOME": str(home), "PATH": "/usr/bin:/bin"}, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, b"my-own-token\n")


@pytest.mark.parametrize(
    ("typed", "given"),
    [(["hello"], True), (["-p", "hello"], True), ([], True), (["install", "npm:x"], False), (["--version"], False)],
)
def test_pi_s_arguments_come_first_but_for_its_own_commands(tmp_path: Path, typed: list[str], given: bool) -> None:
    pi = AGENTS["pi"]
    launch = pi.launch(agent_options(THE_MACHINE, _options(), "pi"))
    assert launch is not None
    ours = tmp_path / "ours" / "pi"
    real = tmp_path / "real" / "pi"
    for one, text in ((ours, script(THE_MACHINE, pi, launch, "/h", [])), (real, b'#!/bin/sh\nprintf "%s\\n" "$@"\n')):
        one.parent.mkdir()
        one.write_bytes(text)
        one.chmod(0o755)
    done = subprocess.run(
        [str(ours), *typed], env={"PATH": f"{real.parent}:/usr/bin:/bin"}, capture_output=True, text=True, check=False
    )
    said = done.stdout.split("\n")[:-1] if done.stdout != "\n" else []
    assert said == [*(launch.arguments if given else ()), *typed]


def _own_files(examination: Examination) -> list[Check]:
    """What the doctor says of a home, and of the token files."""
    return [
        databricks_oauth_environment.home(examination),
        *databricks_oauth_runtime.checks(examination, "/nowhere"),
        *databricks_oauth_checks._renewal(examination),
    ]


@pytest.fixture
def shared() -> Iterator[Path]:
    yield from shared_directory("fmapi-test-machine-scope")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another user")
def test_the_doctor_of_one_of_all_users_looks_at_their_own_files(shared: Path) -> None:
    person = Owner("ada", 40000, 40000, str(shared / "home"))
    # As the command has them: the agents' files are root's, the home is theirs.
    ada = person._replace(uid=0, gid=0, scope=MACHINE)
    options = _options(identity="user")
    config = config_of(ada, options)
    os.makedirs(config.cache_directory)
    cache, failed = Path(config.cache_file), Path(f"{config.cache_file}.failed")
    cache.write_text("1\na.b.c\n1\n")
    failed.write_text(f"{time.time()}\n1\nnobody answers. Ask again\n")
    for path in (shared / "home", *(shared / "home").rglob("*")):
        os.chown(path, person.uid, person.gid)
    cache.chmod(0o644)
    (shared / "home").chmod(0o500)

    def work(_person: Owner) -> dict[str, Any]:
        return {"checks": [tuple(one) for one in _own_files(Examination(ada, options, config, {}))]}

    (done,) = owners.each([person], work, (OperatorError, ValueError))
    found = {name: (status, detail, fix) for _category, name, status, detail, fix in done.result["checks"]}
    assert found["home"][2] == f"Run: chmod u+rwx {shared}/home"
    assert found["our directories"][0] == "PASS"
    assert found["token cache"][1].startswith(f"{cache} can be read by others (mode 0644)")
    assert found["token refresh"][1:] == (
        "a token is at hand, but a new one does not come: nobody answers",
        "Ask again",
    )

    of_root = {one.check for one in _own_files(Examination(THE_MACHINE, options, config_of(THE_MACHINE, options), {}))}
    assert of_root == {"home", "our directories", "our commands", "interpreter"}
