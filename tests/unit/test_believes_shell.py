# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A variable that outranks the settings, exported where only a person's terminal has it: the doctor says file and line."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils import rollout
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owner import Owner
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts import person
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.agent_settings import AgentSettings
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.context import config_of
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.examination import Check, Examination
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import How

from tests.unit.options_for import options_for

SECRET = "PLANTED-token-of-a-terminal"
OPTIONS = options_for(parts=["agent_settings"], agents=["claude_code"], preflight=False)
NAMES = ("CLAUDE_CONFIG_DIR", "ANTHROPIC_AUTH_TOKEN")
EVERYWHERE = person.START_FILES


@pytest.fixture
def owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Owner:
    """Somebody whose start files in ``/etc`` say nothing."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    monkeypatch.setattr(person, "START_FILES", tuple(one for one in person.START_FILES if one.startswith("~/")))
    for name in list(os.environ):
        if name.startswith(("ANTHROPIC", "CLAUDE")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    return Owner(pwd.getpwuid(os.geteuid()).pw_name, os.geteuid(), os.getegid(), str(home))


def write(owner: Owner, name: str, text: str) -> str:
    path = Path(owner.home, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def environment_checks(owner: Owner, offline: bool = False, **given: str) -> list[Check]:
    examination = Examination(owner, OPTIONS, config_of(owner, OPTIONS), {"PATH": "/usr/bin:/bin", **given}, offline)
    # No token is asked for: what is found here is found before.
    examination.unasked = lambda: "no token"  # type: ignore[method-assign]
    return [one for one in AgentSettings().checks(examination) if one.category == "Conflicts"]


# -- where it is set ---------------------------------------------------------------------------------------------------

LINES = {
    "export": "export {name}={value}",
    "several in one line": "export A=1 {name}={value} B=2",
    "then exported": "{name}='{value}'; export {name}",
    "indented and conditional": '  [ -n "$PS1" ] && {{ export {name}="{value}"; }}',
    "declare": "declare -x {name}={value}",
    "fish": "set -gx {name} {value}",
    "fish with a long option": "set --global --export {name} {value}",
    "csh": "setenv {name} {value}",
    "environment.d": "{name}={value}",
    "alias": "alias claude='{name}={value} claude'",
    "after a comment line": "export {name}={value} # for work",
}


@pytest.mark.parametrize("kind", LINES)
@pytest.mark.parametrize(
    "file", [".bashrc", ".zshrc", ".zshenv", ".profile", ".config/fish/config.fish", ".config/environment.d/50-x.conf"]
)
def test_a_start_file_that_sets_it_is_found_with_its_line(owner: Owner, kind: str, file: str) -> None:
    line = LINES[kind].format(name="ANTHROPIC_AUTH_TOKEN", value=SECRET)
    path = write(owner, file, f"# a comment\nexport EDITOR=vim\n{line}\n")
    assert person.settings_of(owner, NAMES) == {"ANTHROPIC_AUTH_TOKEN": [f"{path}:3"]}


@pytest.mark.parametrize(
    "line",
    [
        "# export ANTHROPIC_AUTH_TOKEN=x",
        "echo hello # ANTHROPIC_AUTH_TOKEN=x",
        "unset ANTHROPIC_AUTH_TOKEN",
        "set -e ANTHROPIC_AUTH_TOKEN",
        "export ANTHROPIC_AUTH_TOKEN=",
        'export ANTHROPIC_AUTH_TOKEN=""',
        "ANTHROPIC_AUTH_TOKEN='' claude",
        'if [ "$ANTHROPIC_AUTH_TOKEN" = x ]; then true; fi',
        "export MY_ANTHROPIC_AUTH_TOKEN=x",
        "export ANTHROPIC_AUTH_TOKEN_FILE=x",
        "export ANTHROPIC_AUTH_TOKEN",
    ],
)
def test_a_line_that_sets_nothing_is_not_told(owner: Owner, line: str) -> None:
    write(owner, ".bashrc", f"{line}\n")
    assert person.settings_of(owner, NAMES) == {}


def test_files_that_cannot_be_read_hold_nobody_up(owner: Owner) -> None:
    os.mkfifo(Path(owner.home, ".bashrc"))
    Path(owner.home, ".zshrc").symlink_to("/dev/zero")
    Path(owner.home, ".profile").mkdir()
    Path(owner.home, ".zshenv").write_bytes(b"\xff\xfe" * 100 + b"\nexport CLAUDE_CONFIG_DIR=/x\n")
    assert list(person.settings_of(owner, NAMES)) == ["CLAUDE_CONFIG_DIR"]


def test_files_for_all_users_are_looked_into(owner: Owner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"/etc/environment", "/etc/profile", "/etc/profile.d/*", "/etc/bash.bashrc", "/etc/zsh/*"} <= set(EVERYWHERE)
    (tmp_path / "environment").write_text("CLAUDE_CONFIG_DIR=/x\n")
    monkeypatch.setattr(person, "START_FILES", (str(tmp_path / "environment"),))
    assert person.settings_of(owner, NAMES) == {"CLAUDE_CONFIG_DIR": [f"{tmp_path}/environment:1"]}


# -- what the doctor says ----------------------------------------------------------------------------------------------


@pytest.fixture
def rolled_out(owner: Owner) -> Owner:
    rollout.apply(owner, OPTIONS, How())
    return owner


def test_a_terminal_that_exports_what_outranks_the_settings_fails_with_file_and_line(rolled_out: Owner) -> None:
    """Ansible's login does not read these files, so all was well for it."""
    path = write(rolled_out, ".bash_profile", f"cd .\nexport CLAUDE_CONFIG_DIR={SECRET}\n")
    (told,) = environment_checks(rolled_out)
    assert told.status == "FAIL"
    assert told.detail == f"CLAUDE_CONFIG_DIR is set in {path}:2 and outranks the settings"
    assert told.fix == f"Take it out of {path}:2"
    assert SECRET not in str(told)


def test_what_a_file_reads_in_turn_is_seen_in_the_shell(rolled_out: Owner) -> None:
    write(rolled_out, "secrets.sh", "export CLAUDE_CONFIG_DIR=/x\n")
    write(rolled_out, ".bash_profile", ". ~/secrets.sh\n")
    (told,) = environment_checks(rolled_out)
    assert (told.status, told.fix) == ("FAIL", "Unset CLAUDE_CONFIG_DIR")
    assert "this user's shell" in told.detail


def test_a_file_that_this_user_s_shell_does_not_read_is_a_warning(rolled_out: Owner) -> None:
    path = write(rolled_out, ".config/environment.d/10-claude.conf", "CLAUDE_CONFIG_DIR=/x\n")
    (told,) = environment_checks(rolled_out)
    assert (told.status, f"{path}:1 sets CLAUDE_CONFIG_DIR" in told.detail) == ("WARN", True)


@pytest.mark.parametrize("name", ["ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_MANTLE"])
def test_an_export_that_the_settings_neutralize_is_nobody_s_trouble(owner: Owner, name: str) -> None:
    """The rollout writes it with nothing in it (see tests/agents): before that, and where it is gone again, it is told."""
    write(owner, ".bash_profile", f"export {name}={SECRET}\n")
    (told,) = environment_checks(owner)
    assert (told.status, name in told.detail) == ("FAIL", True)
    rollout.apply(owner, OPTIONS, How())
    (told,) = environment_checks(owner)
    assert (told.status, told.check) == ("PASS", "nothing outranks the settings")


def test_without_asking_a_shell_files_tell(rolled_out: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_given: Any) -> Any:
        raise AssertionError("a shell was started in check mode")

    monkeypatch.setattr(person, "environment", refuse)
    path = write(rolled_out, ".bash_profile", "export CLAUDE_CONFIG_DIR=/x\n")
    (told,) = environment_checks(rolled_out, offline=True)
    assert (told.status, f"{path}:1" in told.detail) == ("WARN", True)


@pytest.mark.parametrize(
    "shell", ["#!/bin/sh\nexit 1\n", "#!/bin/sh\nsleep 60\n", "#!/bin/sh\necho nonsense\n", "not a program"]
)
def test_a_shell_that_does_not_tell_holds_nobody_up(
    rolled_out: Owner, shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shell").write_text(shell)
    (tmp_path / "shell").chmod(0o755)
    here = pwd.getpwuid(os.geteuid())
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: pwd.struct_passwd([*here[:6], str(tmp_path / "shell")]))
    monkeypatch.setattr(person, "_SHELL_SECONDS", 1)
    assert person.environment(rolled_out) == {}
    (told,) = environment_checks(rolled_out)
    assert told.status == "PASS"


def test_the_shell_is_asked_once_for_all_parts(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Owner] = []
    real = person.environment

    def ask(owner: Owner) -> Any:
        asked.append(owner)
        return real(owner)

    monkeypatch.setattr(person, "environment", ask)
    for offline, times in ((True, 0), (False, 1)):
        examination = Examination(owner, OPTIONS, config_of(owner, OPTIONS), {}, offline)
        assert [examination.shell().get("HOME") for _turn in range(3)] == [None if offline else owner.home] * 3
        assert len(asked) == times
