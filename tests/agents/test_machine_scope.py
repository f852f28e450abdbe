# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Agents for all users of a host: rolled out once by root, on a real host over ssh. Who is made after the rollout signs in once, types
an agent's bare name, and is answered with a token of their own.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils.agents import AGENTS
from tests.agents.conftest import installed, missing
from tests.agents.prompts import PROMPTS, asked
from tests.control_node import REPOSITORY, ControlNode, Play
from tests.hosts.podman import Fleet
from tests.hosts.tree import Manifest, differences
from tests.workspace.client import Workspace

REACHED = tuple(name for name, agent in AGENTS.items() if agent.machine_scope)
TREES = ("/etc", "/opt", "/usr/local", "/var/lib", "/var/cache", "/root", "/home")
FRONT = "/opt/fmapi-coding-agents/coding-agents"
HELPER = "/opt/fmapi-coding-agents/token-helper"
LEDGER = "/var/lib/fmapi-coding-agents/ledger.json"
SECRET = "/opt/fmapi-coding-agents/databrickscfg"

_PREPARE = """\
set -eu
mkdir /run/person
printf '#!/bin/sh\\nexport SSL_CERT_FILE=/opt/fmapi-coding-agents/ca.pem\\n' >/run/person/browser
echo 'exec python3 -I -S /repository/tests/databricks_cli/person.py /dev/null "$@"' >>/run/person/browser
python3 -B -c 'import sys; sys.path.insert(0, "/repository"); import tests.databricks_cli as cli; \
cli.install("/usr/local/bin", "/usr/bin/python3", root="/repository")'
chmod 0755 /run/person/browser
groupadd agents
for name in early ada; do useradd --create-home --shell /bin/bash "$name"; done
"""


@dataclass
class Machine:
    """A host with the agents' programs, and a workspace that it reaches."""

    fleet: Fleet
    workspace: Workspace
    control: ControlNode
    plays: dict[str, Play] = field(default_factory=dict)
    trees: dict[str, dict[str, Manifest]] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return self.fleet.hosts[0].name

    def root(self, *command: str, check: bool = True, stdin: str = "") -> subprocess.CompletedProcess[bytes]:
        return self.fleet.run(self.fleet.hosts[0], command, user="root", check=check, stdin=stdin.encode())

    def typed(self, user: str, line: str) -> subprocess.CompletedProcess[bytes]:
        """What a person types into their login shell."""
        return self.root("runuser", "-l", user, "-c", f"timeout 60 {line} </dev/null", check=False)

    def sign_in(self, user: str) -> None:
        done = self.typed(user, f"env BROWSER=/run/person/browser {FRONT} login --store file")
        assert done.returncode == 0, done.stderr

    def play(self, name: str, playbook: str, *options: str, become: bool = True, **own: Any) -> Play:
        (host,) = self.fleet.hosts
        values = {
            "workspace_url": self.workspace.url,
            "ca_file": self.workspace.ca_file,
            "scope": "machine",
            "preflight": False,
            "routing": "gateway",
            **own,
        }
        variables = {
            **self.fleet.inventory()["all"]["vars"],
            "ansible_connection": "ssh",
            "ansible_host": host.address,
            "ansible_become": become,
            **{f"coding_agents_{key}": value for key, value in values.items() if value is not None},
        }
        self.plays[name] = self.control.run(playbook, {host.name: variables}, *options)
        self.trees[name] = self.tree()
        return self.plays[name]

    def tree(self) -> dict[str, Manifest]:
        """How the host looks; not what ssh, sudo and Ansible leave in the home of who logs in."""
        script = (REPOSITORY / "tests" / "hosts" / "tree.py").read_bytes()
        found = {}
        for place in TREES:
            done = self.fleet.run(self.fleet.hosts[0], ["python3", "-I", "-", place], user="root", stdin=script)
            found[place] = {
                path: entry for path, entry in json.loads(done.stdout).items() if not path.startswith(("dev/", "sudo"))
            }
        return found

    def since(self, before: str, after: str, times: bool = False) -> dict[str, list[str]]:
        changed = {
            place: differences(self.trees[before][place], self.trees[after][place], times=times) for place in TREES
        }
        return {place: lines for place, lines in changed.items() if lines}


def _of_the_host(folder: Path, prefix: Path) -> list[str]:
    """Mounts by which the host's own Python runs Hermes, whose environment names the one that it was made with."""
    (made,) = (prefix / "lib" / "fmapi-coding-agents" / "hermes").iterdir()
    if not (made / "lib" / "python3.13").exists():
        missing(
            f"Hermes stands in {made} with another Python than the host's: install Python 3.13, and remove that directory"
        )
    (folder / "bin").mkdir()
    (folder / "bin" / "python").symlink_to("/usr/bin/python3")
    _shebang, code = (made / "bin" / "hermes").read_text().split("\n", 1)
    inside = f"/agents/hermes/{made.relative_to(prefix)}"
    (folder / "bin" / "hermes").write_text(f"#!{inside}/bin/python\n{code}")
    (folder / "bin" / "hermes").chmod(0o755)
    (folder / "pyvenv.cfg").write_text("home = /usr/bin\n")
    return [f"{folder}/{name}:{inside}/{name}:ro" for name in ("bin", "pyvenv.cfg")]


@pytest.fixture(scope="module")
def bare(start_fleet: Callable[..., Fleet], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """One host on which nothing is rolled out, with the programs of all agents that have a machine scope."""
    folder = tmp_path_factory.mktemp("machine")
    prefixes = {name: installed(AGENTS[name].pinned_version, tmp_path_factory, name) for name in REACHED}
    mounts = [f"{prefix}:/agents/{name}:ro" for name, prefix in prefixes.items()]
    mounts += _of_the_host(folder, prefixes["hermes"])
    fleet = start_fleet(1, internal=True, mounts=[*mounts, f"{REPOSITORY}/tests:/repository/tests:ro"])
    with Workspace(folder / "workspace", host=fleet.gateway) as workspace:
        machine = Machine(fleet, workspace, ControlNode(folder))
        machine.root("sh", "-c", _PREPARE)
        for name, prefix in prefixes.items():
            command = AGENTS[name].command
            inside = Path("/agents") / name / (prefix / "bin" / command).readlink().relative_to(prefix)
            machine.root("ln", "-s", str(inside), f"/usr/local/bin/{command}")
        yield machine


@pytest.fixture(scope="module")
def machine(bare: Machine) -> Machine:
    """The same after a dry run, a rollout, another one, the way back, and a rollout; then ``late`` is made and signs in."""
    bare.play("warm", "rollout", "--check", agents=[*REACHED])  # what ssh and sudo leave at first
    bare.play("dry", "rollout", "--check", "--diff", agents=[*REACHED])
    bare.play("rollout", "rollout", agents=[*REACHED]).ok()
    bare.play("again", "rollout", agents=[*REACHED]).ok()
    bare.play("uninstall", "uninstall", scope=None).ok()
    bare.play("anew", "rollout", agents=[*REACHED]).ok()
    bare.root("useradd", "--create-home", "--shell", "/bin/bash", "late")
    bare.sign_in("late")
    return bare


def test_a_dry_run_changes_nothing_on_the_host(machine: Machine) -> None:
    assert machine.plays["dry"].ok().changed(machine.host) > 0
    assert machine.since("warm", "dry", times=True) == {}
    assert '+  "apiKeyHelper": "/opt/fmapi-coding-agents/token-helper"' in machine.plays["dry"].output


def test_a_second_run_is_silent_and_one_call(machine: Machine) -> None:
    assert machine.plays["again"].changed(machine.host) == 0
    assert machine.plays["again"].actions(machine.host) == ["coding_agents_info"]
    assert machine.since("rollout", "again", times=True) == {}


def test_uninstall_gives_the_machine_back_byte_for_byte(machine: Machine) -> None:
    assert "/etc" in machine.since("warm", "rollout")
    assert machine.since("warm", "uninstall") == {}


def test_nothing_is_written_into_a_home(machine: Machine) -> None:
    assert {"/home", "/root"}.isdisjoint(machine.since("dry", "rollout"))


@pytest.mark.parametrize("name", REACHED)
def test_who_is_made_after_the_rollout_is_answered_by_the_bare_name(machine: Machine, name: str) -> None:
    machine.workspace.clear()
    done = machine.typed("late", PROMPTS[name])
    assert done.returncode == 0, done.stderr + done.stdout
    assert machine.workspace.requests(asked(name))


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_who_has_another_shell_is_answered_by_the_bare_name(machine: Machine, shell: str) -> None:
    machine.root("useradd", "--create-home", "--shell", f"/usr/bin/{shell}", f"of-{shell}")
    machine.sign_in(f"of-{shell}")
    machine.workspace.clear()
    done = machine.typed(f"of-{shell}", PROMPTS["pi"])
    assert done.returncode == 0, done.stderr + done.stdout
    assert machine.workspace.requests(asked("pi"))


@pytest.mark.parametrize(
    ("name", "file", "settings"),
    [
        (
            "claude_code",
            ".claude/settings.json",
            '{"apiKeyHelper": "/bin/false", "env": {"ANTHROPIC_BASE_URL": "https://w.invalid", "ANTHROPIC_AUTH_TOKEN": "x"}}',
        ),
        (
            "codex",
            ".codex/config.toml",
            'model_provider = "w"\n[model_providers.w]\nname = "w"\nbase_url = "https://w.invalid"',
        ),
        ("gemini", ".gemini/settings.json", '{"model": {"name": "gemini-none"}}'),
        ("opencode", ".config/opencode/opencode.json", '{"model": "w/none"}'),
        (
            "hermes",
            ".hermes/config.yaml",
            "model: {default: w, provider: w, base_url: 'https://w.invalid', api_key: x, api_mode: anthropic_messages}\n"
            "providers: {databricks: {base_url: 'https://w.invalid', api_mode: anthropic_messages, api_key: x}}\n"
            "plugins: {enabled: [of-mine]}\n",
        ),
    ],
)
def test_a_user_s_own_settings_do_not_lead_elsewhere(machine: Machine, name: str, file: str, settings: str) -> None:
    machine.root(
        "runuser", "-l", "late", "-c", f"mkdir -p $(dirname {file}) && cp {file} kept; cat >{file}", stdin=settings
    )
    machine.workspace.clear()
    done = machine.typed("late", f"env ANTHROPIC_AUTH_TOKEN=x {PROMPTS[name]}")
    machine.root("runuser", "-l", "late", "-c", f"rm {file}; [ ! -e kept ] || mv kept {file}")
    assert done.returncode == 0, done.stderr + done.stdout
    assert machine.workspace.requests(asked(name))


def test_each_person_has_a_token_of_their_own(machine: Machine) -> None:
    """``early`` was there before, and has not signed in: another's token is of no use to them."""
    done = machine.typed("early", HELPER)
    assert (done.returncode, done.stdout) == (2, b"")
    assert f"{FRONT} login".encode() in done.stderr
    assert machine.typed("late", HELPER).stdout.strip()
    assert machine.typed("early", "ls -A /home/late").returncode != 0


def test_no_user_can_change_what_others_run(machine: Machine) -> None:
    ours = [
        "/opt/fmapi-coding-agents",
        "/etc/claude-code",
        "/etc/codex",
        "/etc/gemini-cli",
        "/etc/hermes",
        "/etc/opencode",
    ]
    ours += ["/var/lib/fmapi-coding-agents", "/var/cache/fmapi-coding-agents", "/etc/profile.d"]
    assert machine.typed("late", f"find {' '.join(ours)} -writable ! -type l").stdout == b""
    assert machine.root("find", *ours, "!", "-user", "root").stdout == b""
    assert machine.typed("late", f"cat {LEDGER}").returncode != 0


def test_without_root_it_is_refused_with_the_way_out(machine: Machine) -> None:
    before = machine.tree()
    play = machine.play("unprivileged", "rollout", become=False)
    assert play.status != 0
    assert "coding_agents_scope machine: needs root" in play.told
    assert "Use become: true, or coding_agents_scope: user" in play.told
    assert machine.trees["unprivileged"] == before


def test_a_rollout_for_one_user_without_root_is_refused_while_the_machine_has_one(machine: Machine) -> None:
    play = machine.play("own", "rollout", become=False, scope="user")
    assert play.status != 0
    assert "the agents of this host are set for all its users" in play.told


def test_doctor_and_sign_in_leave_each_person_s_own_alone(machine: Machine) -> None:
    doctor = machine.play("doctor", "doctor", agents=[*REACHED]).ok()
    (result,) = doctor.results("agent_doctor")
    said = {one["check"]: one["status"] for one in result["checks"]}
    assert said["token helper"] == "SKIP" and "FAIL" not in said.values()
    assert "/opt/fmapi-coding-agents/coding-agents login" in machine.play("sign in", "sign_in").ok().output
    assert "/root" not in machine.since("warm", "sign in")


def test_a_secret_is_for_one_group(machine: Machine) -> None:
    principal: dict[str, Any] = {
        "identity": "service_principal",
        "client_id": machine.workspace.client_id,
        "client_secret": machine.workspace.client_secret,
        "secret_group": "agents",
    }
    machine.root("usermod", "--append", "--groups", "agents", "late")
    machine.play("secret", "rollout", **principal).ok()
    assert machine.root("stat", "-c", "%U %G %a", SECRET).stdout == b"root agents 640\n"
    assert machine.typed("late", HELPER).stdout.strip()
    done = machine.typed("early", HELPER)
    assert (done.returncode, done.stdout) == (1, b"")
    assert f"{SECRET} cannot be read (Permission denied)".encode() in done.stderr
    assert machine.play("secret again", "rollout", **principal).ok().changed(machine.host) == 0
    machine.play("no secret", "rollout").ok()
    assert machine.root("test", "-e", SECRET, check=False).returncode == 1


def test_a_host_has_one_scope(machine: Machine) -> None:
    """From the machine to a user and back: each time, what the other one had is given back in the same run."""
    of_ada: dict[str, Any] = {"scope": "user", "users": ["ada"]}
    machine.play("nothing", "uninstall", scope=None).ok()
    machine.play("user", "rollout", **of_ada).ok()
    machine.play("both, dry", "rollout", "--check").ok()
    machine.play("machine", "rollout").ok()
    machine.play("machine again", "rollout").ok()
    machine.play("user again", "rollout", **of_ada).ok()
    machine.play("user, third", "rollout", **of_ada).ok()

    assert machine.since("user", "both, dry", times=True) == {}
    assert "/home" in machine.since("nothing", "user")
    assert "/home" not in machine.since("nothing", "machine")
    assert machine.plays["machine again"].changed(machine.host) == 0
    assert set(machine.since("user", "user again")) <= {"/home"}
    lines = machine.since("user", "user again").get("/home", [])
    with_times = ("ledger.json", ".cache/")
    assert [line for line in lines if not any(one in line for one in with_times)] == []
    assert machine.plays["user, third"].changed(machine.host) == 0


def test_uninstall_without_a_ledger_takes_out_what_is_known_to_be_ours(machine: Machine) -> None:
    """Who made a directory is not known then, nor who made a file that others may use, too."""
    machine.play("machine only", "rollout").ok()  # what a user may have had is given back
    machine.play("none", "uninstall", scope=None).ok()
    machine.play("all", "rollout", agents=[*REACHED]).ok()
    machine.root("rm", LEDGER)
    machine.play("lost", "uninstall").ok()
    changed = machine.since("none", "lost")
    assert set(changed) == {"/etc", "/usr/local"}
    assert [line for line in changed["/usr/local"] if "(directory)" not in line] == []
    files = {line for line in changed["/etc"] if "(directory)" not in line}
    names = (
        "claude-code/managed-settings.d/50-fmapi-coding-agents.json",
        "gemini-cli/settings.json",
        "hermes/config.yaml",
        "opencode/opencode.json",
    )
    assert files <= {f"added: {name} (file)" for name in (*names, "codex/managed_config.toml")}
    assert b"fmapi" not in machine.root("cat", *(f"/etc/{line.split()[1]}" for line in files)).stdout
