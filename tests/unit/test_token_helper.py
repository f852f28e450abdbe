# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The token helper and the sh front of the program, in every shell there is: the token and a newline, or one line of error."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.config import Config
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.databricks_oauth_scripts import (
    front_script,
    helper_script,
    python_record,
)

SHELLS = [
    ["sh"],
    ["dash"],
    ["bash"],
    ["bash", "--posix"],
    ["busybox", "sh"],
    ["zsh", "--emulate", "sh"],
    ["ksh"],
    ["mksh"],
]
SHELLS = [[str(shutil.which(shell[0])), *shell[1:]] for shell in SHELLS if shutil.which(shell[0])]
MUST_HAVE = ("dash", "bash", "busybox", "zsh")
every_shell = pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: " ".join([Path(shell[0]).name, *shell[1:]]))

# Stands where the host program does, and says how it was called.
PROGRAM = "import sys\nprint('|'.join(['program', *sys.argv[1:]]))\n"


class Host:
    """A home with the helper in it, and a directory with what it needs, and nothing more, to be its PATH."""

    def __init__(self, home: Path, python: str = sys.executable) -> None:
        self.config = Config(str(home), "https://w.example.com", "fmapi", "user", 15)
        os.makedirs(self.config.data_directory)
        os.makedirs(self.config.cache_directory, mode=0o700)
        self.install(python)
        Path(self.config.program).write_text(PROGRAM)
        self.path = home / "bin"
        self.path.mkdir()
        for name in ("date", "ls", "printf", "uname"):
            (self.path / name).symlink_to(str(shutil.which(name)))

    def install(self, python: str) -> None:
        Path(self.config.helper).write_bytes(helper_script(self.config))
        Path(self.config.front).write_bytes(front_script(self.config))
        Path(python_record(self.config)).write_text(f"{python}\n")
        for program in (self.config.helper, self.config.front):
            os.chmod(program, 0o700)

    def cache(self, text: str, mode: int = 0o600) -> None:
        Path(self.config.cache_file).write_text(text)
        os.chmod(self.config.cache_file, mode)

    def wait(self) -> None:
        """Let so much time pass that the next call is not taken for one after a refused token."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.config.cache_file + ".served")

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*(command or (self.config.helper,))],
            env={"PATH": str(self.path), **environment},
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    @property
    def asked(self) -> str:
        """What the helper prints when it starts the program."""
        return f"program|--config|{self.config.config_file}|token\n"


@pytest.mark.skipif(os.environ.get("CI") != "true", reason="whoever develops need not have every shell")
def test_no_shell_is_missing_in_ci() -> None:
    assert [name for name in MUST_HAVE if shutil.which(name) is None] == []


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path / "home")


def fresh(seconds: int = 600) -> str:
    now = int(time.time())
    return f"{now + seconds}\ntoken-in-the-cache\n{now + seconds + 900}\n"


@every_shell
def test_a_fresh_cache_answers_without_python(shell: list[str], tmp_path: Path) -> None:
    host = Host(tmp_path / "home", python="/nowhere/python3")
    Path(host.config.program).unlink()
    host.cache(fresh())
    done = host.run(*shell, host.config.helper)
    assert (done.returncode, done.stdout, done.stderr) == (0, "token-in-the-cache\n", "")


@every_shell
@pytest.mark.parametrize(
    "cache",
    [
        "",
        "\n\n",
        "soon\nt\n9\n",
        "99999999999\n",
        "99999999999\n\n9\n",
        "99999999999",
        "-5\nt\n9\n",
        " \nt\n",
        "99999999999999999999999\nt\n",
    ],
)
def test_a_cache_that_is_stale_or_broken_is_not_served(shell: list[str], cache: str, host: Host) -> None:
    for text in (cache, fresh(-1)):
        host.cache(text)
        done = host.run(*shell, host.config.helper)
        assert done.stdout in (host.asked, "t\n" if text.startswith("9999999999999") else host.asked)
        assert (done.returncode, done.stderr) == (0, "")


@every_shell
def test_a_call_soon_after_another_asks_the_program_to_try_the_token(shell: list[str], host: Host) -> None:
    host.cache(fresh())
    assert host.run(*shell, host.config.helper).stdout == "token-in-the-cache\n"
    assert host.run(*shell, host.config.helper).stdout == host.asked
    for age in (31, -100):
        Path(host.config.cache_file + ".served").write_text(f"{int(time.time()) - age}\n")
        expected = "token-in-the-cache\n"
        assert host.run(*shell, host.config.helper).stdout == expected
    for odd in ("", "soon", "-5", "1;id", "99 99"):
        Path(host.config.cache_file + ".served").write_text(odd)
        assert host.run(*shell, host.config.helper).stdout == "token-in-the-cache\n"


@every_shell
def test_a_token_that_was_just_found_good_is_served_to_all_who_ask_again(shell: list[str], host: Host) -> None:
    """Agents that start together start one Python, not each their own."""
    host.cache(fresh())
    for age, expected in (
        (0, "token-in-the-cache\n"),
        (3, "token-in-the-cache\n"),
        (7, host.asked),
        (-100, host.asked),
    ):
        now = int(time.time())
        Path(host.config.cache_file + ".served").write_text(f"{now}\n")
        Path(host.config.cache_file + ".good").write_text(f"{now - age}\n")
        assert host.run(*shell, host.config.helper).stdout == expected, age


@every_shell
def test_a_pipe_in_place_of_a_note_holds_nobody_up(shell: list[str], host: Host) -> None:
    host.cache(fresh())
    for name in (".served", ".good"):
        os.mkfifo(host.config.cache_file + name)
    assert host.run(*shell, host.config.helper).stdout == "token-in-the-cache\n"


@every_shell
def test_without_a_cache_the_program_is_asked(shell: list[str], host: Host) -> None:
    done = host.run(*shell, host.config.helper)
    assert (done.returncode, done.stdout, done.stderr) == (0, host.asked, "")


@every_shell
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_cache_of_another_user_is_not_served(shell: list[str], host: Host) -> None:
    host.cache(fresh())
    os.chown(host.config.cache_file, 65534, 65534)
    assert host.run(*shell, host.config.helper).stdout == host.asked


@every_shell
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o606])
def test_a_cache_that_others_can_read_or_write_is_not_served(shell: list[str], mode: int, host: Host) -> None:
    host.cache(fresh(), mode)
    assert host.run(*shell, host.config.helper).stdout == host.asked


@every_shell
def test_a_link_in_place_of_the_cache_is_not_served(shell: list[str], host: Host) -> None:
    host.cache(fresh())
    os.rename(host.config.cache_file, host.config.cache_file + "-elsewhere")
    os.symlink(host.config.cache_file + "-elsewhere", host.config.cache_file)
    assert host.run(*shell, host.config.helper).stdout == host.asked


@every_shell
@pytest.mark.parametrize(
    "name",
    [
        "with space",
        "quo'te",
        'dou"ble',
        "dollar$HOME",
        "back`tick`",
        "héím",
        "日本",
        "star*[a]",
        "-dash",
        "semi;colon",
        "back\\n",
    ],
)
def test_any_home_will_do(shell: list[str], name: str, tmp_path: Path) -> None:
    host = Host(tmp_path / name)
    for command in (
        [*shell, host.config.helper],
        [host.config.helper],
        [*shell, "-c", shlex.quote(host.config.helper)],
    ):
        assert host.run(*command).stdout == host.asked
    host.cache(fresh())
    for locale in ("C", "C.UTF-8"):
        host.wait()
        assert host.run(*shell, host.config.helper, LC_ALL=locale).stdout == "token-in-the-cache\n"


def test_it_works_by_exec_with_no_environment_at_all(host: Host) -> None:
    done = subprocess.run([host.config.helper], env={}, capture_output=True, text=True, check=False, cwd="/")
    assert (done.returncode, done.stdout) == (0, host.asked)
    host.cache(fresh())
    done = subprocess.run([host.config.helper], env={}, capture_output=True, text=True, check=False, cwd="/")
    assert (done.returncode, done.stdout, done.stderr) == (0, "token-in-the-cache\n", "")


@every_shell
def test_arguments_and_the_environment_change_nothing(shell: list[str], host: Host) -> None:
    done = host.run(
        *shell, host.config.helper, "--config", "/etc/passwd", "status", PYTHONPATH="/tmp", token="evil", IFS="/"
    )
    assert done.stdout == host.asked
    host.cache(fresh())
    assert host.run(*shell, host.config.helper, "x", cache="/etc/passwd").stdout == "token-in-the-cache\n"


@every_shell
def test_when_the_rollout_s_python_is_gone_another_is_found(shell: list[str], host: Host) -> None:
    host.install("/nowhere/python3")
    (host.path / "python3").symlink_to(sys.executable)
    assert host.run(*shell, host.config.helper).stdout == host.asked
    (host.path / "python3").unlink()
    (host.path / "python3").write_text("#!/bin/sh\necho broken >&2\nexit 1\n")
    (host.path / "python3").chmod(0o755)
    done = host.run(*shell, host.config.helper)
    if any(os.access(f"{place}/python3", os.X_OK) for place in ("/usr/bin", "/usr/local/bin", "/opt/homebrew/bin")):
        assert done.stdout == host.asked
    else:
        assert (done.returncode, done.stdout) == (1, "")
        assert "no working python3 found on this host. Install Python 3.9 or newer" in done.stderr


@every_shell
def test_a_python_that_is_too_old_is_passed_over(shell: list[str], host: Host) -> None:
    """An enterprise Linux of 2019 has 3.6 as python3, and the newer one that the rollout ran on under its own name."""
    host.install("/nowhere/python3.12")
    for name, works in (("python3", "1"), ("python3.12", "0")):
        (host.path / name).write_text(
            f'#!/bin/sh\n[ "$3" = -c ] && exit {works}\nshift 3\necho "{name}|$*"\n'  # asked for its version, or started
        )
        (host.path / name).chmod(0o755)
    done = host.run(*shell, host.config.helper)
    if any(os.access(f"{place}/python3", os.X_OK) for place in ("/usr/bin", "/usr/local/bin", "/opt/homebrew/bin")):
        assert done.stdout == host.asked
    else:
        assert done.stdout == f"python3.12|--config {host.config.config_file} token\n"


@every_shell
def test_the_program_s_exit_status_and_error_come_through(shell: list[str], host: Host) -> None:
    Path(host.config.program).write_text("import sys\nprint('why', file=sys.stderr)\nsys.exit(2)\n")
    done = host.run(*shell, host.config.helper)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "why\n")


def test_the_helper_is_small(host: Host) -> None:
    for text in (helper_script(host.config), front_script(host.config)):
        assert text.startswith(b"#!/bin/sh\n")
        assert text.count(b"\n") < 30


def test_shellcheck_has_nothing_to_say(host: Host) -> None:
    shellcheck = shutil.which("shellcheck") or str(Path(sys.prefix).parents[0] / "lint" / "bin" / "shellcheck")
    if not os.access(shellcheck, os.X_OK):
        shellcheck = str(Path(__file__).resolve().parents[2] / ".work/venv/lint/bin/shellcheck")
    if not os.access(shellcheck, os.X_OK):
        pytest.skip("shellcheck is not installed")
    programs = [host.config.helper, host.config.front]
    done = subprocess.run([shellcheck, *programs], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
