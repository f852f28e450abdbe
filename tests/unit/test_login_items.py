# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What asks a person to sign in as their session begins: proven as data for macOS, run by real shells for WSL."""

from __future__ import annotations

import os
import plistlib
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils import platforms, rollout
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.documents import FORMATS
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ledger import Ledger
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ownership import Wanted
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.config import Config
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts import login_item
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import How
from ansible_collections.fmapi.coding_agents.plugins.module_utils.platforms import Platform

from tests.unit.homes import tree
from tests.unit.options_for import options_for, owner_of
from tests.unit.signing_in import recorder, script

MAC, LINUX, WSL = (
    ("Darwin", "24.6.0"),
    ("Linux", "6.12.43+deb13-amd64"),
    ("Linux", "5.15.167.4-microsoft-standard-WSL2"),
)
PLATFORMS = pytest.mark.parametrize("platform", [MAC, LINUX, WSL], ids=["macOS", "Linux", "WSL"])
ARGUMENTS = ["login", "--quiet", "--wait", "120"]
ODD_HOMES = [
    "/home/ada",
    "/home/Ada Lovelace",
    "/home/zażółć",
    '/h/a"b',
    "/h/a$b`c",
    "/h/a\\b",
    "/h/100%u",
    "/h/a'b&c;(d)",
]

SHELLS = [["dash", "-i"], ["bash", "-i"], ["zsh", "-i"], ["busybox", "sh", "-i"]]
SHELLS = [[str(shutil.which(shell[0])), *shell[1:]] for shell in SHELLS if shutil.which(shell[0])]
every_shell = pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: Path(shell[0]).name)


def config(home: str | Path) -> Config:
    return Config(str(home), "https://w.example.com", "fmapi", "user", 15, login_at_start=True)


def row(platform: tuple[str, str]) -> Platform:
    return platforms.PLATFORMS[platforms.platform_of(*platform, {})]


def documents(home: str | Path, platform: tuple[str, str]) -> list[Wanted]:
    return login_item.documents(config(home), row(platform))


def content(wanted: Wanted) -> bytes:
    document = FORMATS[wanted.format](b"")
    for path, value in wanted.values.items():
        document.set(path, value)
    return document.content


@PLATFORMS
def test_nobody_is_asked_unless_the_operator_wants_it_and_a_person_signs_in(platform: tuple[str, str]) -> None:
    assert len(documents("/home/ada", platform)) == 1
    for other in ({"login_at_start": False}, {"identity": "service_principal"}, {"identity": "pat"}):
        assert (
            login_item.documents(
                config("/home/ada")._replace(**other), platforms.PLATFORMS[platforms.platform_of(*platform, {})]
            )
            == []
        )


@pytest.mark.parametrize("home", ODD_HOMES)
def test_macos_starts_it_in_the_session_with_a_desktop(home: str) -> None:
    (wanted,) = documents(home, MAC)
    assert wanted.path == f"{home}/Library/LaunchAgents/io.github.fmapi.coding-agents.login.plist"
    agent = plistlib.loads(content(wanted))
    assert agent["ProgramArguments"] == [config(home).front, *ARGUMENTS]
    assert Path(wanted.path).stem == agent["Label"]
    assert agent["RunAtLoad"] is True
    assert agent["LimitLoadToSessionType"] == "Aqua"
    assert "KeepAlive" not in agent, "a sign-in that nobody wants is not asked for again and again"


def parse_exec(value: str) -> list[str]:
    """The arguments of an Exec, as the Desktop Entry Specification reads it: escapes of a string, quotes, field codes."""
    text = re.sub(r"\\([\\nrts])", lambda one: {"n": "\n", "r": "\r", "t": "\t", "s": " "}.get(one[1], one[1]), value)
    quoted = re.findall(r'"((?:[^"\\`$]|\\["`$\\])*)"(?: |$)', text)
    assert " ".join(f'"{one}"' for one in quoted) == text, "every argument is quoted, and nothing in it is reserved"
    plain = [re.sub(r'\\(["`$\\])', r"\1", one) for one in quoted]
    assert all(re.fullmatch("(?:[^%]|%%)*", one) for one in plain), "no field code"
    return [one.replace("%%", "%") for one in plain]


@pytest.mark.parametrize("home", ODD_HOMES)
def test_a_linux_desktop_starts_it_whatever_the_home_is_called(home: str) -> None:
    (wanted,) = documents(home, LINUX)
    assert wanted.path == f"{home}/.config/autostart/fmapi-coding-agents-login.desktop"
    text = content(wanted).decode()
    header, *lines = text.splitlines()
    entry = dict(line.split("=", 1) for line in lines)
    assert (header, entry["Type"], entry["Terminal"]) == ("[Desktop Entry]", "Application", "false")
    assert parse_exec(entry["Exec"]) == [config(home).front, *ARGUMENTS]


def test_freedesktop_s_own_validator_finds_nothing_wrong(tmp_path: Path) -> None:
    validator = shutil.which("desktop-file-validate")
    if validator is None:
        refuse = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        refuse("needs desktop-file-validate: apt-get install -y desktop-file-utils")
    for home in ODD_HOMES:
        path = tmp_path / "entry.desktop"
        path.write_bytes(content(*documents(home, LINUX)))
        checked = subprocess.run([validator, path], capture_output=True, text=True, check=False)
        assert (checked.returncode, checked.stdout) == (0, ""), home


class Terminal:
    """A home on WSL: its ~/.profile holds the block, and the command writes down that it was run."""

    def __init__(self, home: Path) -> None:
        home.mkdir()
        self.config = config(home)
        self.home = home
        self.log = home / "asked.log"
        (home / ".cache").mkdir()
        (wanted,) = documents(home, WSL)
        assert wanted.path == str(home / ".profile")
        Path(wanted.path).write_bytes(b"before=1\n" + content(wanted) + b"after=1\n")
        recorder(Path(self.config.front), self.log)

    def open(self, *shell: str) -> str:
        """A shell that reads the profile, as a login shell does; what it says."""
        commands = '. "$HOME/.profile"; echo "$before$after,${boot-unset},${asked-unset}"'
        done = subprocess.run(
            [*shell, "-c", commands],
            env={"HOME": str(self.home), "PATH": "/usr/bin:/bin"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return done.stdout

    def asked(self, times: int) -> int:
        """How often the command has been run, once it has been ``times`` at least."""
        until = time.monotonic() + 30
        while len(self.lines()) < times * len(ARGUMENTS) and time.monotonic() < until:
            time.sleep(0.01)
        assert self.lines() == ARGUMENTS * (len(self.lines()) // len(ARGUMENTS))
        return len(self.lines()) // len(ARGUMENTS)

    def lines(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@every_shell
def test_wsl_asks_once_after_its_start_and_not_in_every_tab(shell: list[str], tmp_path: Path) -> None:
    terminal = Terminal(tmp_path / "my home")
    for _tab in range(3):
        assert terminal.open(*shell).endswith("11,unset,unset\n"), "nothing is left behind in the shell"
    assert terminal.asked(1) == 1
    Path(f"{terminal.config.cache_file}.asked").write_text("the boot before this one\n")
    terminal.open(*shell)
    assert terminal.asked(2) == 2


@every_shell
def test_a_script_on_wsl_asks_nobody(shell: list[str], tmp_path: Path) -> None:
    terminal = Terminal(tmp_path / "home")
    assert terminal.open(*(part for part in shell if part != "-i")) == "11,unset,unset\n"
    assert not Path(terminal.config.cache_directory).exists()
    terminal.open(*shell)
    assert terminal.asked(1) == 1


@every_shell
def test_a_new_tab_on_wsl_waits_for_nothing(shell: list[str], tmp_path: Path) -> None:
    terminal = Terminal(tmp_path / "home")
    slow = f'echo "$$" >"{terminal.log}"\nexec sleep 600'
    script(Path(terminal.config.front), slow)
    try:
        assert terminal.open(*shell).endswith("11,unset,unset\n")
    finally:
        until = time.monotonic() + 30
        while not terminal.lines() and time.monotonic() < until:
            time.sleep(0.01)
        os.kill(int(terminal.lines()[0]), 9)


@PLATFORMS
@pytest.mark.parametrize("lost", [False, True], ids=["with its ledger", "without"])
def test_switching_it_off_leaves_nothing_behind(
    platform: tuple[str, str], lost: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.system", lambda: platform[0])
    monkeypatch.setattr("platform.release", lambda: platform[1])
    home = tmp_path / "home"
    home.mkdir()
    (home / ".profile").write_text("export EDITOR=vim\n")
    (home / ".config").mkdir()
    before = tree(home)

    def switch(on: bool) -> dict[str, Any]:
        return rollout.apply(owner_of(home), options_for(parts=["login_item"], login_at_start=on), How())

    assert switch(True)["documents"] == [documents(home, platform)[0].path]
    assert tree(home) != before
    assert not switch(True)["changed"]
    if lost:
        shutil.rmtree(home / ".local")
        assert Ledger.load(owner_of(home)).is_new
    assert switch(False)["changed"]
    left = {path for path in tree(home) if path not in before and not path.startswith(".local")}
    assert left - {"Library", "Library/LaunchAgents", ".config/autostart"} == set()
    assert lost or tree(home) == before
    assert (home / ".profile").read_text() == "export EDITOR=vim\n"
