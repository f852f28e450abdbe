# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command ``coding-agents`` on a host that was rolled out to, as the person there uses it; and what operators do by its memory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils.engine.past import digest
from tests import homes
from tests.control_node import Operator, Play
from tests.hosts.tree import differences, manifest
from tests.terminal import Conversation

CONTACT = "the help desk, extension 42"


class Person:
    """Who works on a host, with a home that a rollout has reached."""

    def __init__(self, operator: Operator, home: Path, **own: Any) -> None:
        self.home = home
        self.operator = operator
        self.own = own
        self.wanted = home / ".local" / "share" / "fmapi-coding-agents" / "wanted.json"
        self.before = manifest(str(home))
        operator.rollout(home, agents=["claude_code", "codex"], contact=CONTACT, **own).ok()

    def types(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = self.home / ".local" / "bin" / "coding-agents"
        variables = {**os.environ, "HOME": str(self.home), **environment}
        return subprocess.run(
            [command, *words], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, env=variables
        )

    def play(self, playbook: str, *options: str) -> Play:
        return self.operator.control.run(playbook, {"host": {"coding_agents_home": str(self.home)}}, *options)

    def was_set_up_by(self, version: str) -> None:
        """As another version of the collection would have left it: what is remembered, and the record of that."""
        ledger = self.home / ".local" / "state" / "fmapi-coding-agents" / "ledger.json"
        before = self.wanted.read_bytes()
        after = json.dumps({**json.loads(before), "version": version}).encode()
        recorded = ledger.read_text().replace(str(digest(before)), str(digest(after)))
        self.wanted.write_bytes(after)
        ledger.write_text(recorded)

    def breaks(self) -> Path:
        """An edit of theirs that takes something of ours out of a file."""
        path = self.home / ".claude" / "settings.json"
        told = json.loads(path.read_text())
        del told["apiKeyHelper"]
        path.write_text(json.dumps(told))
        return path


@pytest.fixture
def person(operator: Operator, tmp_path: Path) -> Person:
    home = homes.lived_in(tmp_path / "home")
    (home / ".bashrc").write_text("# mine\n")
    return Person(operator, home)


def test_a_person_sees_what_is_set_up_and_brings_back_what_they_broke(person: Person) -> None:
    status = person.types("status")
    assert status.returncode == 0, status.stderr
    assert "in order: As it was rolled out" in status.stdout
    assert "Claude Code" in status.stdout and "system.ai.gpt-5-5" in status.stdout and CONTACT in status.stdout
    assert "\033" not in status.stdout, "colour is for terminals"
    told = json.loads(person.types("status", "--json").stdout)
    assert told["state"] == "active" and told["rollout"]["state"] == "in order"

    person.breaks()
    status = person.types("status")
    assert "drifted: " in status.stdout and "apiKeyHelper" in status.stdout
    doctor = person.types("doctor")
    assert doctor.returncode == 1
    assert "-> Run: coding-agents repair" in doctor.stdout and CONTACT in doctor.stdout

    broken = manifest(str(person.home))
    foretold = person.types("repair", "--check")
    assert "would be brought back: " in foretold.stdout and foretold.returncode == 0
    kept = [one for one in differences(broken, manifest(str(person.home)), times=True) if ".cache/" not in one]
    assert kept == [], "check mode changes nothing"
    assert "was brought back: " in person.types("repair").stdout
    assert person.types("doctor").returncode == 0
    assert person.types("repair").stdout == "Nothing to repair: all is as it was rolled out\n"
    play = person.operator.rollout(person.home, agents=["claude_code", "codex"], contact=CONTACT).ok()
    assert play.changed() == 0, "the operator's next run finds it as it left it"


def test_a_person_lists_and_validates_models_and_asks_for_help(person: Person) -> None:
    models = person.types("models")
    assert models.returncode == 0, models.stderr
    lines = models.stdout.splitlines()
    assert any(line.startswith("* system.ai.gpt-5-5") and line.endswith("Codex") for line in lines)
    assert any("databricks-claude-opus-4-5" in line and "NOT_READY" in line for line in lines)
    valid = person.types("models", "--validate", "--json")
    assert valid.returncode == 0 and {one["status"] for one in json.loads(valid.stdout)["checks"]} == {"PASS"}

    assert person.types("version").stdout.startswith("fmapi.coding_agents ")
    help_text = person.types("--help").stdout
    assert "examples:" in help_text and "exit statuses:" in help_text
    wrong = person.types("statsu")
    assert wrong.returncode == 64 and "there is no 'statsu': use 'status'" in wrong.stderr
    assert person.types("run", "gemini").returncode == 1
    assert "Use one of: claude, codex" in person.types("run", "gemini").stderr
    assert person.types("logout").stdout.startswith("Nobody is signed in here")
    assert person.types("complete", "run", "c").stdout.split() == ["claude", "codex"]
    assert person.types("complete", "rep").stdout.split() == ["repair"]
    for shell in ("bash", "zsh", "fish"):
        assert "coding-agents complete" in person.types("completions", shell).stdout


def test_shells_complete_the_command_and_man_shows_its_page(person: Person) -> None:
    share = person.home / ".local" / "share"
    path = f"PATH={person.home}/.local/bin:$PATH"
    scripts = {
        "bash": f". {share}/bash-completion/completions/coding-agents; {path}; COMP_WORDS=(coding-agents run c); "
        'COMP_CWORD=2; _coding_agents; echo "${COMPREPLY[@]}"',
        "fish": f"set PATH {person.home}/.local/bin $PATH; coding-agents completions fish | source; "
        "complete -C 'coding-agents run c' | string collect",
    }
    variables = {**os.environ, "HOME": str(person.home), "LC_ALL": "C.UTF-8", "MANWIDTH": "80"}
    absent = [program for program in (*scripts, "zsh", "man") if shutil.which(program) is None]
    if absent and os.environ.get("CI") != "true":
        pytest.skip(f"needs {', '.join(absent)}: tests/ci/bootstrap.sh --system")
    for shell, script in scripts.items():
        done = subprocess.run([shell, "-c", script], capture_output=True, text=True, check=False, env=variables)
        assert done.stdout.split() == ["claude", "codex"], (shell, done.stderr)
    zsh = Conversation(["zsh", "-f", "-i"], {**variables, "PS1": "ready> "}, person.home)
    zsh.answer("ready> ", f"{path}; autoload -Uz compinit; compinit -u -D; . <(coding-agents completions zsh)")
    zsh.answer("ready> ", "coding-agents run cod\t--version")
    zsh.answer("codex-cli ", "exit")
    assert zsh.end() == 0
    page = share / "man" / "man1" / "coding-agents.1"
    shown = subprocess.run(["man", "--warnings", "-l", page], capture_output=True, text=True, check=True, env=variables)
    assert shown.stderr == "" and "Bring back what was rolled out" in shown.stdout


def test_a_person_gives_their_own_files_back_exactly(person: Person) -> None:
    rolled_out = manifest(str(person.home))
    refused = person.types("uninstall", "--user")
    assert refused.returncode == 1 and "Add --yes" in refused.stderr
    assert "settings.json: back to what stood here" in person.types("uninstall", "--user", "--check").stdout
    left = [one for one in differences(rolled_out, manifest(str(person.home))) if ".cache/" not in one]
    assert left == []
    done = person.types("uninstall", "--user", "--yes")
    assert done.returncode == 0, done.stderr
    assert differences(person.before, manifest(str(person.home))) == []


def test_an_operator_repairs_by_what_the_host_remembers(person: Person) -> None:
    assert "in order" in person.play("status").ok().told
    person.breaks()
    report = person.home.parent / "report.json"
    said = person.play("status", "-e", f"coding_agents_report={report}").ok().told
    (status,) = json.loads(report.read_text())["hosts"]["host"]["statuses"]
    assert status["state"] == "drifted" and [one["agent"] for one in status["agents"]] == ["claude_code", "codex"]
    assert "drifted" in said and "apiKeyHelper" in said
    broken = manifest(str(person.home))
    assert person.play("repair", "--check").ok().changed() == 1
    assert differences(broken, manifest(str(person.home)), times=True) == []
    assert person.play("repair").ok().changed() == 1
    assert person.play("repair").ok().changed() == 0
    assert person.operator.rollout(person.home, agents=["claude_code", "codex"], contact=CONTACT).ok().changed() == 0


def test_another_version_is_refused_by_repair_and_brought_by_upgrade(person: Person) -> None:
    person.was_set_up_by("0.0.9")
    play = person.play("repair")
    assert play.status != 0
    assert "was set up by fmapi.coding_agents 0.0.9" in play.told and "Run the playbook upgrade" in play.told
    assert "fmapi.coding_agents 0.0.9 -> " in person.play("upgrade").ok().told
    assert person.play("upgrade").ok().changed() == 0
    person.was_set_up_by("99.0.0")
    play = person.play("upgrade")
    assert play.status != 0 and "Install that version or a newer one" in play.told


def test_an_older_control_node_does_not_set_a_host_back(person: Person) -> None:
    person.was_set_up_by("99.0.0")
    before = manifest(str(person.home))
    play = person.operator.rollout(person.home, agents=["claude_code"])
    assert play.status != 0 and "was set up by fmapi.coding_agents 99.0.0" in play.told
    assert differences(before, manifest(str(person.home)), times=True) == []

    person.wanted.write_text(person.wanted.read_text().replace("99.0.0", "98.0.0"))
    assert person.types("repair").returncode == 1
    assert "wanted.json: was changed since the rollout" in person.types("repair").stderr
    person.operator.rollout(person.home, agents=["claude_code"]).ok()
    assert person.types("repair").stdout == "Nothing to repair: all is as it was rolled out\n"


def test_a_host_without_a_rollout_says_so(operator: Operator, tmp_path: Path) -> None:
    home = homes.bare(tmp_path / "home")
    before = manifest(str(home))
    hosts = {"host": {"coding_agents_home": str(home)}}
    assert "Nothing is rolled out" in operator.control.run("status", hosts).ok().told
    play = operator.control.run("repair", hosts)
    assert play.status != 0 and "nothing is remembered" in play.told
    assert differences(before, manifest(str(home)), times=True) == []
