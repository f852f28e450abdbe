# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands of ours in front of an agent's: who types its name in any of their shells gets it with what it needs."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils import rollout
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS, Launch
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owner import Owner, current_owner
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts import launcher
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import How

from tests.hosts.tree import differences, manifest
from tests.unit.options_for import options_for

PI = AGENTS["pi"]
SAY = '#!/bin/sh\nprintf "%s|" "$@" "$PI_OFFLINE" "${A_TOKEN-no token}" "${OLD-unset}"\n'


@pytest.fixture
def owner(tmp_path: Path) -> Owner:
    home = tmp_path / "it's a home, żółć"
    home.mkdir(mode=0o700)
    return current_owner(str(home))


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The real program, in a directory on PATH."""
    return _program(tmp_path / "programs" / "pi", SAY)


def _program(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(0o755)
    return path


def written(owner: Owner, launch: Launch, helper: str = "/bin/false", usual: tuple[str, ...] = ()) -> Path:
    """The entry for Pi as the part would write it."""
    return _program(Path(launcher.entry(owner, PI)), launcher.script(owner, PI, launch, helper, list(usual)))


def start(entry: Path, *arguments: str, path: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": f"{entry.parent}:{path or '/usr/bin:/bin'}", **more}
    return subprocess.run(
        [str(entry), *arguments], env=environment, capture_output=True, text=True, check=False, timeout=20
    )


# -- one entry ---------------------------------------------------------------------------------------------------------


def test_the_program_behind_it_gets_all_arguments_and_the_variables(owner: Owner, program: Path) -> None:
    entry = written(owner, Launch({"PI_OFFLINE": "it's 1 $HOME"}, unset=("OLD",)))
    done = start(entry, "a  b", "*", "", "-x", path=f"{program.parent}:/usr/bin:/bin", OLD="x")
    assert done.stdout == "a  b|*||-x|it's 1 $HOME|no token|unset|"


def test_status_and_signals_are_the_program_s(owner: Owner, tmp_path: Path) -> None:
    programs = _program(tmp_path / "p" / "pi", '#!/bin/sh\n[ "$1" = wait ] || exit 42\necho $$; exec sleep 30\n').parent
    entry = written(owner, Launch())
    assert start(entry, path=f"{programs}:/usr/bin:/bin").returncode == 42
    with subprocess.Popen(
        [str(entry), "wait"], env={"PATH": f"{programs}:/usr/bin:/bin"}, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert int(running.stdout.readline()) == running.pid, "the program has taken the place of the command"
        running.send_signal(signal.SIGTERM)
        assert running.wait(10) == -signal.SIGTERM


@pytest.mark.parametrize("way", ["twice", "by a link", "with a slash"])
def test_it_never_starts_itself(owner: Owner, program: Path, tmp_path: Path, way: str) -> None:
    entry = written(owner, Launch({"PI_OFFLINE": "1"}))
    link = tmp_path / "link"
    link.symlink_to(entry.parent)
    again = {"twice": f"{entry.parent}:{entry.parent}", "by a link": str(link), "with a slash": f"{entry.parent}/"}[way]
    assert start(entry, "x", path=f"{again}:{program.parent}:/usr/bin:/bin").stdout.startswith("x|1|")
    assert start(entry, path=f"{again}:/usr/bin:/bin").returncode == 127


def test_a_program_that_is_not_on_the_path_is_found_where_it_was_installed(owner: Owner, program: Path) -> None:
    entry = written(owner, Launch({"PI_OFFLINE": "1"}), usual=(str(program.parent),))
    assert start(entry, "x").stdout.startswith("x|1|")


def test_without_the_program_it_says_so(owner: Owner) -> None:
    done = start(written(owner, Launch()))
    assert (done.returncode, "pi: not installed" in done.stderr) == (127, True)


def test_odd_elements_of_a_path_do_no_harm(owner: Owner, program: Path, tmp_path: Path) -> None:
    odd = tmp_path / "a b [*]"
    shutil.move(str(program.parent), odd)
    entry = written(owner, Launch({"PI_OFFLINE": "1"}))
    assert start(entry, "x", path=f":.:/nowhere::{odd}:/usr/bin:/bin").stdout.startswith("x|1|")
    (odd / "pi").chmod(0o644)
    assert start(entry, path=f"{odd}:/usr/bin:/bin").returncode == 127


def test_a_token_is_fresh_and_in_no_shell(owner: Owner, program: Path, tmp_path: Path) -> None:
    helper = _program(tmp_path / "the helper", "#!/bin/sh\necho a.b.c\n")
    entry = written(owner, Launch(token_variables=("A_TOKEN",)), str(helper))
    line = f'PATH="{entry.parent}:{program.parent}:$PATH"; pi x; echo "${{A_TOKEN-none}}"'
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True)
    assert done.stdout == "x||a.b.c|unset|none\n"


@pytest.mark.parametrize("option", ["--version", "-v", "--help", "-h"])
def test_what_needs_no_token_asks_for_none(owner: Owner, program: Path, option: str) -> None:
    entry = written(owner, Launch(token_variables=("A_TOKEN",)), "/bin/false")
    assert start(entry, option, path=f"{program.parent}:/usr/bin:/bin").stdout == f"{option}||no token|unset|"


def test_without_a_token_the_agent_is_not_started(owner: Owner, program: Path, tmp_path: Path) -> None:
    helper = _program(tmp_path / "helper", "#!/bin/sh\necho 'sign in first' >&2\nexit 2\n")
    entry = written(owner, Launch(token_variables=("A_TOKEN",)), str(helper))
    done = start(entry, path=f"{program.parent}:/usr/bin:/bin")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "sign in first\n")


# -- the files of shells -----------------------------------------------------------------------------------------------

FILES = {
    "bash in an empty home": ("bash", (), {".profile", ".bashrc"}),
    "bash with a profile of its own": ("bash", (".bash_profile", ".profile"), {".bash_profile", ".bashrc"}),
    "bash with a login file of its own": ("bash", (".bash_login",), {".bash_login", ".bashrc"}),
    "zsh": ("zsh", (), {".zprofile", ".zshrc"}),
    "zsh, and bash now and then": ("zsh", (".bashrc",), {".zprofile", ".zshrc", ".profile", ".bashrc"}),
    "fish": ("fish", (), {".config/fish/conf.d/fmapi-coding-agents.fish"}),
    "bash, and fish now and then": (
        "bash",
        (".config/fish/x",),
        {".profile", ".bashrc", ".config/fish/conf.d/fmapi-coding-agents.fish"},
    ),
    "dash": ("dash", (), {".profile"}),
}


@pytest.mark.parametrize("situation", FILES)
def test_the_shells_that_a_person_uses_are_told(owner: Owner, situation: str) -> None:
    shell, there, expected = FILES[situation]
    for name in there:
        path = Path(owner.home, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    found = {os.path.relpath(one.path, owner.home) for one in launcher.start_files(owner, shell)}
    assert found == expected


STARTS = {
    "bash login": ("bash", ["bash", "-l", "-c"]),
    "bash in a terminal": ("bash", ["bash", "-i", "-c"]),
    "zsh login": ("zsh", ["zsh", "-l", "-c"]),
    "zsh in a terminal": ("zsh", ["zsh", "-i", "-c"]),
    "fish": ("fish", ["fish", "-c"]),
    "dash login": ("dash", ["dash", "-l", "-c"]),
}


@pytest.mark.parametrize("way", STARTS)
def test_who_types_the_name_gets_ours(owner: Owner, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    shell, command = STARTS[way]
    if shutil.which(shell) is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{shell} is needed: apt-get install -y {shell}")
        pytest.skip(f"needs {shell}: apt-get install -y {shell}")
    entry = pwd.getpwuid(os.geteuid())
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: pwd.struct_passwd((*entry[:6], f"/bin/{shell}")))
    # Where it is found without being on PATH, which start files of the system may set anew.
    _program(Path(owner.home, ".local", "bin", "pi"), SAY)
    rolled_out = options_for(parts=["launcher"], agents=["pi"])
    before = manifest(owner.home)
    assert rollout.apply(owner, rolled_out, How())["changed"]
    assert not rollout.apply(owner, rolled_out, How())["changed"]
    elsewhere = str(Path(owner.home).parent / "what shells write as they run")
    environment = {
        "HOME": owner.home,
        "PATH": "/usr/bin:/bin",
        "TERM": "dumb",
        "LANG": "C.UTF-8",
        "XDG_DATA_HOME": elsewhere,
    }

    def typed(line: str) -> str:
        return subprocess.run(
            [*command, line], env=environment, capture_output=True, text=True, check=False, cwd=owner.home, timeout=20
        ).stdout

    assert typed("pi x").startswith("x|1|")
    inner = " ".join(command)
    paths = typed(f"{inner} 'printenv PATH'").strip().split(":")
    assert paths.count(owner.launchers) == 1 and paths[0] == owner.launchers, "once, however deep shells are nested"
    rollout.withdraw(owner, rolled_out, How())
    left = [
        one
        for one in differences(before, manifest(owner.home))
        if ".config/fish" not in one and ".zcompdump" not in one
    ]
    assert left == []


def test_an_agent_that_is_dropped_takes_its_command_with_it(owner: Owner) -> None:
    rollout.apply(owner, options_for(parts=["launcher"], agents=["pi"]), How())
    assert os.path.exists(launcher.entry(owner, PI))
    rollout.apply(owner, options_for(parts=["launcher"], agents=["claude_code"]), How())
    assert not os.path.exists(owner.launchers)
    assert not os.path.exists(os.path.join(owner.home, ".profile"))
