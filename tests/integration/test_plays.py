# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plays as people write them: groups, limits, strategies, tags, roles and modules in somebody's own playbook."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from plugins.module_utils.parts import PARTS
from tests import homes
from tests.control_node import REPOSITORY, ControlNode, Operator, Play, workspace_variables
from tests.hosts.tree import differences, manifest
from tests.workspace.client import Workspace
from tests.written_reports import REPORT, checks

SETTINGS = ".claude/settings.json"
PROFILE = ".databrickscfg"
HELPER = ".local/share/fmapi-coding-agents/token-helper"


@pytest.fixture(scope="module")
def other_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with Workspace(tmp_path_factory.mktemp("other-workspace")) as running:
        yield running


@pytest.fixture
def other_workspace(other_process: Workspace) -> Workspace:
    """A second workspace, with credentials and an authority of its own."""
    other_process.reset()
    return other_process


def _playbook(directory: Path, *plays: dict[str, Any]) -> Path:
    path = directory / "site.yml"
    path.write_text(yaml.safe_dump(list(plays), sort_keys=False), encoding="utf-8")
    return path


def _base_url(home: Path) -> str:
    found: str = json.loads((home / SETTINGS).read_text())["env"]["ANTHROPIC_BASE_URL"]
    return found


def _homes(directory: Path, *names: str) -> dict[str, Path]:
    return {name: homes.bare(directory / f"home of {name}") for name in names}


def _hosts(operator: Operator, found: dict[str, Path], **own: Any) -> dict[str, dict[str, Any]]:
    return {name: operator.variables(home, **own) for name, home in found.items()}


def _preflights(workspace: Workspace) -> int:
    """How often the control node asked who it is: once in each preflight."""
    asked = workspace.requests("/api/2.0/preview/scim/v2/Me")
    return len([call for call in asked if call["user_agent"] != "fmapi-coding-agents"])


def _untouched(home: Path) -> bool:
    return [one.name for one in home.iterdir()] == [".profile"]


def test_two_groups_on_two_workspaces_in_one_run_are_each_right(
    operator: Operator, other_workspace: Workspace, tmp_path: Path
) -> None:
    found = _homes(tmp_path, "red1", "red2", "blue1", "blue2")
    hosts = _hosts(operator, found)
    for name in ("blue1", "blue2"):
        hosts[name] |= workspace_variables(other_workspace)
        hosts[name]["coding_agents_routing"] = "auto"
    other_workspace.control(gateway=False)
    play = operator.control.run("rollout", hosts).ok()
    for name, home in found.items():
        mine, path = (operator.workspace, "/ai-gateway") if name.startswith("red") else (other_workspace, "")
        assert _base_url(home) == f"{mine.url}{path or '/serving-endpoints'}/anthropic"
        assert mine.client_secret in (home / PROFILE).read_text()
    for mine, routing in (
        (operator.workspace, "gateway (the default)"),
        (other_workspace, "serving_endpoints (the gateway is not enabled on this workspace)"),
    ):
        told = f"{mine.url}: routing {routing}, 3 models served, asked as {mine.client_id}\n"
        assert play.output.count(told) == 1, "the choice is shown, once for each workspace"
    for one in (operator.workspace, other_workspace):
        assert _preflights(one) == 1, "each workspace is asked once, whatever the number of its hosts"


@pytest.mark.parametrize(
    "options",
    [pytest.param(["--forks", "1"], marks=pytest.mark.soak), ["--forks", "10"], ["--limit", "one,two,three"]],
    ids=["forks 1", "forks 10", "limit"],
)
def test_limit_and_forks_decide_who_and_how_many_at_once(
    operator: Operator, options: list[str], tmp_path: Path
) -> None:
    found = _homes(tmp_path, "one", "two", "three", "four")
    operator.control.run("rollout", _hosts(operator, found), *options).ok()
    for name, home in found.items():
        assert _untouched(home) == (options[0] == "--limit" and name == "four")


@pytest.mark.parametrize(
    "keywords",
    [pytest.param({"serial": 1}, marks=pytest.mark.soak), {"serial": ["50%", 1]}, {"strategy": "free"}],
    ids=str,
)
def test_serial_and_the_free_strategy_come_to_the_same_end(
    operator: Operator, keywords: dict[str, Any], tmp_path: Path
) -> None:
    found = _homes(tmp_path, "one", "two", "three")
    roles = [{"role": "fmapi.coding_agents.coding_agents"}]
    own = {"name": "Mine", "hosts": "all", "gather_facts": False, **keywords, "roles": roles}
    operator.control.run(_playbook(tmp_path, own), _hosts(operator, found)).ok()
    second = operator.control.run("rollout", _hosts(operator, found)).ok()
    assert {name: second.changed(name) for name in found} == {"one": 0, "two": 0, "three": 0}
    assert _preflights(operator.workspace) == 2, "one for each run: batches of a run share the preflight"


ALL = ",".join(PARTS)
TAGGED = {
    "preflight": set[str](),
    "databricks_oauth": {PROFILE, HELPER},
    "login_item": set[str](),
    "agent_cli": set[str](),
    "agent_settings": {SETTINGS},
    ALL: {PROFILE, HELPER, SETTINGS},
}


@pytest.mark.parametrize("tags", TAGGED)
def test_tags_run_their_part_and_no_other(operator: Operator, tags: str, tmp_path: Path) -> None:
    home = homes.bare(tmp_path / "home")
    play = operator.rollout(home, "--tags", tags).ok()
    assert {name for name in (PROFILE, HELPER, SETTINGS) if (home / name).exists()} == TAGGED[tags]
    assert _preflights(operator.workspace) == 1, "nothing is done without the preflight"
    assert (tags == "preflight") == (play.starts["host"] == 0), "the preflight alone touches no host"
    if tags == ALL:
        assert operator.rollout(home).ok().changed() == 0


@pytest.mark.parametrize("tag", ["preflight", "databricks_oauth", "login_item", "agent_cli", "agent_settings"])
def test_skipped_tags_leave_out_their_part_only(operator: Operator, tag: str, tmp_path: Path) -> None:
    home = homes.bare(tmp_path / "home")
    operator.rollout(home, "--skip-tags", tag).ok()
    expected = {PROFILE, HELPER, SETTINGS} - TAGGED[tag]
    assert {name for name in (PROFILE, HELPER, SETTINGS) if (home / name).exists()} == expected
    assert _preflights(operator.workspace) == (0 if tag == "preflight" else 1)


def test_facts_gathered_and_cached_by_others_change_nothing_and_get_no_secret(
    operator: Operator, tmp_path: Path
) -> None:
    home = homes.bare(tmp_path / "home")
    cache = tmp_path / "facts"
    environment = {"ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(cache)}
    roles = [{"role": "fmapi.coding_agents.coding_agents"}]
    own = {"name": "Mine", "hosts": "all", "gather_facts": True, "roles": roles}
    hosts = {"host": operator.variables(home)}
    operator.control.run(_playbook(tmp_path, own), hosts, environment=environment).ok()
    cached = [path for path in cache.rglob("*") if path.is_file()]
    assert cached
    assert not [path for path in cached if operator.workspace.client_secret in path.read_text()]
    assert operator.control.run("rollout", hosts, environment=environment).ok().changed() == 0


def test_an_unreachable_host_holds_up_no_other(operator: Operator, tmp_path: Path) -> None:
    found = _homes(tmp_path, "here", "gone")
    hosts = _hosts(operator, found)
    hosts["gone"] |= {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
    play = operator.control.run("rollout", hosts)
    assert play.status == 4
    assert play.stats("gone")["unreachable"] == 1
    assert play.changed("here") == 1 and (found["here"] / SETTINGS).exists()
    assert [line for line in play.report() if line.startswith("Unreachable: ")] and "  gone" in play.report()
    assert _untouched(found["gone"])


def test_a_host_without_python_is_told_and_not_touched(operator: Operator, tmp_path: Path) -> None:
    found = _homes(tmp_path, "host")
    hosts = _hosts(operator, found)
    hosts["host"]["ansible_python_interpreter"] = "/nowhere/python3"
    play = operator.control.run("rollout", hosts)
    assert play.status == 2
    assert "/nowhere/python3" in play.output and "not found" in play.output
    assert _untouched(found["host"])


_NOBODY_ASKS = {"workspace_url": "https://w.example.com", "preflight": False}
MODULES: dict[str, dict[str, Any]] = {
    "coding_agents_info": _NOBODY_ASKS,
    "coding_agents": _NOBODY_ASKS,
    "databricks_oauth": {"workspace_url": "https://w.example.com"},
    "agent_settings": {"workspace_url": "https://w.example.com"},
    "agent_cli": {},
    "agent_doctor": _NOBODY_ASKS,
    "sign_in": {},
}


def _old_python(directory: Path) -> str:
    """A Python before 3.9: a real one where there is one; else this machine's, which calls itself 3.8.18."""
    for name in ("3.8", "3.7"):
        real = next(iter(sorted(Path.home().glob(f".pyenv/versions/{name}.*/bin/python{name}"))), None)
        if real or shutil.which(f"python{name}"):
            return str(real or shutil.which(f"python{name}"))
    (directory / "sitecustomize.py").write_text(
        "import sys\nsys.version = '3.8.18 (main)'\nsys.version_info = (3, 8, 18, 'final', 0)\n"
    )
    program = directory / "python3.8"
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{directory}" exec /usr/bin/python3 "$@"\n')
    program.chmod(0o755)
    return str(program)


@pytest.mark.matrix
@pytest.mark.parametrize("module", MODULES)
def test_a_python_that_is_too_old_is_told_by_every_module(control: ControlNode, module: str, tmp_path: Path) -> None:
    """By Ansible from ansible-core 2.20 on, by us before."""
    home = homes.bare(tmp_path / "home")
    task = {"name": "Alone", f"fmapi.coding_agents.{module}": {**MODULES[module], "home": str(home)}}
    own = {"name": "Mine", "hosts": "all", "gather_facts": False, "tasks": [task]}
    play = control.run(_playbook(tmp_path, own), {"host": {"ansible_python_interpreter": _old_python(tmp_path)}})
    assert play.status == 2
    assert "3.9 or newer" in play.message()
    assert "Traceback" not in play.output
    assert _untouched(home)


def test_broken_pyenv_shims_first_in_the_path_do_no_harm(operator: Operator, tmp_path: Path) -> None:
    """Interpreter discovery would choose a shim, so it is pinned; what we write finds a Python that works by itself."""
    home = homes.bare(tmp_path / "home")
    shims = tmp_path / "shims"
    shims.mkdir()
    for name in ("python3", "python3.13", "python"):
        (shims / name).write_text('#!/bin/sh\necho "pyenv: $0: command not found" >&2\nexit 127\n')
        (shims / name).chmod(0o755)
    path = {"PATH": f"{shims}{os.pathsep}{operator.control.environment()['PATH']}"}
    hosts = {"host": operator.variables(home)}
    operator.control.run("rollout", hosts, environment=path).ok()
    hosts["host"]["coding_agents_report"] = REPORT
    assert checks(operator.control.run("doctor", hosts, environment=path), "PASS")


@pytest.mark.parametrize("pipelining", ["0", "1"])
def test_remote_tmp_is_where_the_operator_puts_it_and_empty_afterwards(
    operator: Operator, pipelining: str, tmp_path: Path
) -> None:
    home = homes.bare(tmp_path / "home")
    elsewhere = tmp_path / "remote tmp"
    environment = {"ANSIBLE_PIPELINING": pipelining, "ANSIBLE_REMOTE_TMP": str(elsewhere)}
    hosts = {"host": operator.variables(home)}
    operator.control.run("rollout", hosts, environment=environment).ok()
    assert (home / SETTINGS).exists()
    assert elsewhere.exists() == (pipelining == "0")
    assert not elsewhere.exists() or list(elsewhere.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_a_tmp_without_exec_does_no_harm(operator: Operator, tmp_path: Path) -> None:
    """Neither Ansible's nor the system's temporary directory needs to allow programs."""
    home = homes.bare(tmp_path / "home")
    hosts = {"host": operator.variables(home)}
    with tempfile.TemporaryDirectory(prefix="noexec-") as temporary:  # short: Ansible puts a socket there
        mount = f'mount -t tmpfs -o noexec,nosuid tmpfs {temporary} && exec "$@"'
        environment = {
            "ANSIBLE_PIPELINING": "0",
            "ANSIBLE_REMOTE_TMP": f"{temporary}/ansible",
            "TMPDIR": temporary,
        }
        command = ["unshare", "--mount", "sh", "-c", mount, "sh"]
        operator.control.run("rollout", hosts, environment=environment, command=command).ok()
        assert operator.control.run("rollout", hosts, environment=environment, command=command).ok().changed() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_a_closed_umask_and_an_etc_that_nobody_may_write_do_no_harm(operator: Operator, tmp_path: Path) -> None:
    """As on systems that are made of an image, and where a site's rules close what users make."""
    home = homes.bare(tmp_path / "home")
    before = manifest(str(home))
    hosts = {"host": operator.variables(home)}
    closed = 'mount --bind /etc /etc && mount -o remount,ro,bind /etc && ! touch /etc/x 2>/dev/null && umask 077 && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", closed, "sh"]
    operator.control.run("rollout", hosts, command=command).ok()
    assert operator.control.run("rollout", hosts, command=command).ok().changed() == 0
    assert (home / SETTINGS).exists()
    operator.control.run("uninstall", hosts, command=command).ok()
    assert differences(before, manifest(str(home))) == []


@pytest.mark.parametrize(
    "said",
    [
        "xcode-select: note: No developer tools were found, requesting install.",
        "xcrun: error: invalid active developer path (/Library/Developer/CommandLineTools), missing xcrun at: /usr/bin/xcrun",
    ],
)
def test_a_mac_without_command_line_tools_is_told_in_one_sentence(
    operator: Operator, said: str, tmp_path: Path
) -> None:
    """Its Python is a program that only offers to install them; here one that says the same."""
    home = homes.bare(tmp_path / "home")
    stub = tmp_path / "python3"
    stub.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 1\n")
    stub.chmod(0o755)
    play = operator.control.run(
        "rollout", {"mac": {**operator.variables(home), "ansible_python_interpreter": str(stub)}}
    )
    assert play.status == 2
    assert play.message("mac").splitlines() == [
        "mac: is a Mac without the Command Line Tools, where /usr/bin/python3 only offers to install them",
        "Run xcode-select --install there, or name another Python in ansible_python_interpreter",
    ]
    assert "Traceback" not in play.output and said not in play.output


def test_the_role_works_in_somebody_s_own_playbook_and_a_module_is_the_way_back(
    operator: Operator, tmp_path: Path
) -> None:
    """With the variables where a playbook has them, one part alone, and the result that the role's look leaves."""
    home = homes.bare(tmp_path / "home")
    before = manifest(str(home))
    tasks = [
        {
            "name": "Only the settings",
            "ansible.builtin.include_role": {"name": "fmapi.coding_agents.coding_agents"},
            "vars": {
                "coding_agents_workspace_url": operator.workspace.url,
                "coding_agents_preflight_ca_file": operator.workspace.ca_file,
                "coding_agents_routing": "serving_endpoints",
                "coding_agents_preflight": False,
                "coding_agents_toolchain_sources": ["already_present"],
            },
            "when": "wanted == 'present'",
        },
        {
            "name": "And back",
            "fmapi.coding_agents.coding_agents": {"state": "absent"},
            "when": "wanted == 'absent'",
        },
    ]
    own = {
        "name": "Mine",
        "hosts": "all",
        "gather_facts": False,
        "module_defaults": {
            "fmapi.coding_agents.coding_agents": {"parts": ["agent_settings"]},
            "fmapi.coding_agents.coding_agents_info": {"parts": ["agent_settings"]},
        },
        "vars": {"coding_agents_home": str(home)},
        "tasks": tasks,
    }
    playbook = _playbook(tmp_path, own)
    control = operator.control
    assert control.run(playbook, {"host": {"wanted": "present"}}).ok().changed() == 1
    assert _base_url(home) == f"{operator.workspace.url}/serving-endpoints/anthropic"
    assert not (home / PROFILE).exists()
    assert control.run(playbook, {"host": {"wanted": "present"}}).ok().changed() == 0
    assert control.run(playbook, {"host": {"wanted": "absent"}}).ok().changed() == 1
    assert differences(before, manifest(str(home))) == []


def test_a_play_s_answer_outranks_neither_a_later_play_s_variables_nor_another_workspace_s(
    operator: Operator, other_workspace: Workspace, tmp_path: Path
) -> None:
    """Each play of one run goes by its own variables, also where what they say was once asked of a workspace."""
    home = homes.bare(tmp_path / "home")
    other_workspace.control(gateway=False)
    mine, theirs = workspace_variables(operator.workspace), workspace_variables(other_workspace)
    chosen = {"coding_agents_models": {"claude_code": {"default": "databricks-claude-sonnet-4-6"}}}
    by_play: list[dict[str, Any]] = [
        {**mine, "coding_agents_routing": "auto"},
        {**theirs, "coding_agents_routing": "auto"},
        {**mine, "coding_agents_routing": "auto"},
        {**mine, "coding_agents_routing": "serving_endpoints", **chosen},
        {**mine, "coding_agents_routing": "serving_endpoints", "coding_agents_token_ttl_minutes": 20},
    ]
    seen = [
        f"{operator.workspace.url}/ai-gateway/anthropic",
        f"{other_workspace.url}/serving-endpoints/anthropic",
        f"{operator.workspace.url}/ai-gateway/anthropic",
        f"{operator.workspace.url}/serving-endpoints/anthropic",
        f"{operator.workspace.url}/serving-endpoints/anthropic",
    ]
    keep = {"name": "Keep", "ansible.builtin.command": {"argv": ["cp", str(home / SETTINGS), "{{ kept }}"]}}
    plays = [
        {
            "name": f"Play {number}",
            "hosts": "all",
            "gather_facts": False,
            "vars": {**own, "kept": str(tmp_path / f"settings-{number}.json")},
            "roles": [{"role": "fmapi.coding_agents.coding_agents"}],
            "post_tasks": [keep],
        }
        for number, own in enumerate(by_play)
    ]
    variables = {"coding_agents_home": str(home), "coding_agents_npm_prefix": str(operator.prefix)}
    play = operator.control.run(_playbook(tmp_path, *plays), {"host": variables}).ok()
    environments = [
        json.loads((tmp_path / f"settings-{number}.json").read_text())["env"] for number in range(len(by_play))
    ]
    assert [one["ANTHROPIC_BASE_URL"] for one in environments] == seen
    assert [one["ANTHROPIC_MODEL"] == "databricks-claude-sonnet-4-6" for one in environments] == [
        number == 3 for number in range(len(by_play))
    ]
    assert [one["CLAUDE_CODE_API_KEY_HELPER_TTL_MS"] for one in environments] == ["900000"] * 4 + ["1200000"]
    assert [one["changed"] for one in play.results("coding_agents")] == [True] * 5
    assert (_preflights(operator.workspace), _preflights(other_workspace)) == (3, 1), "asked once for equal options"


def test_a_module_works_alone_in_a_loop_delegated_and_with_module_defaults(operator: Operator, tmp_path: Path) -> None:
    found = _homes(tmp_path, "one", "two")
    own = {
        "name": "Mine",
        "hosts": "manager",
        "gather_facts": False,
        "module_defaults": {
            "group/fmapi.coding_agents.workspace": {"workspace_url": operator.workspace.url},
        },
        "tasks": [
            {
                "name": "Each home, from another host",
                "fmapi.coding_agents.agent_settings": {"home": "{{ item }}"},
                "delegate_to": "worker",
                "loop": [str(home) for home in found.values()],
                "register": "done",
            },
            {
                "name": "The result of each stands for itself",
                "ansible.builtin.assert": {
                    "that": ["done.results | length == 2", "done.results | map(attribute='changed') is all"]
                },
            },
        ],
    }
    hosts: dict[str, dict[str, Any]] = {"manager": {}, "worker": {}}
    play: Play = operator.control.run(_playbook(tmp_path, own), hosts).ok()
    assert play.starts == {"manager": 0, "worker": 3}, "the first finds that the program is missing there"
    for home in found.values():
        assert _base_url(home) == f"{operator.workspace.url}/ai-gateway/anthropic"


def test_the_machine_itself_is_rolled_out_by_the_readme_s_command(operator: Operator, tmp_path: Path) -> None:
    home = homes.bare(tmp_path / "home")
    variables = tmp_path / "coding-agents.yml"
    with open(os.open(variables, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as stream:
        yaml.safe_dump(operator.variables(home), stream)
    (command,) = re.findall(
        r"`(ansible-playbook \S*rollout [^`]*-c local[^`]*)`", (REPOSITORY / "README.md").read_text()
    )
    program, *arguments = shlex.split(command)
    environment = operator.control.environment({"ANSIBLE_NOCOLOR": "1"})
    for changed in (1, 0):
        done = subprocess.run(
            [str(operator.control.programs / program), *arguments],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert re.search(rf"localhost +: ok=\d+ +changed={changed} ", done.stdout), done.stdout
    assert (home / SETTINGS).exists()
