# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that a user can plant learn nothing, and an agent takes nobody else's orders."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import resource
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils import processes
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine import owners
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owner import Owner
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owners import each
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program import (
    login,
    oidc_source,
    user_sign_in,
    workspace,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.browser import Place
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.config import Config
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.token import TokenError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts import agent_settings, databricks_oauth_end
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.examination import (
    PASS,
    SKIP,
    Check,
    Examination,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.homes import shared_directory
from tests.unit.options_for import options_for, owner_of

SECRET = "hvs.S3cr3t"
SOON = 60.0
"""Seconds, on a busy machine too. What has to be ended would go on for longer."""
ROOTS = {
    "VAULT_TOKEN": SECRET,
    "SSH_AUTH_SOCK": f"/tmp/ssh-{SECRET}/agent",
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "ANSIBLE_VAULT_PASSWORD": SECRET,
    "DATABRICKS_TOKEN": SECRET,
    "GITHUB_TOKEN": SECRET,
    "npm_config_//registry/:_authToken": SECRET,
    "LD_PRELOAD": f"/tmp/{SECRET}.so",
    "NODE_OPTIONS": f"--require /tmp/{SECRET}",
    "PYTHONPATH": f"/tmp/{SECRET}",
    "XDG_CONFIG_HOME": f"/root/{SECRET}",
}
ORDINARY = {
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "https_proxy": "http://proxy:1",
    "NO_PROXY": "localhost",
    "USER": "ada",
    "LOGNAME": "ada",
}
root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become other users")


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory in front of PATH, for programs that write down their environment; ours is one of root."""
    directory = tmp_path / "planted"
    directory.mkdir()
    for name, value in {**ROOTS, **ORDINARY, "PATH": f"{directory}:/usr/bin:/bin"}.items():
        monkeypatch.setenv(name, value)
    return directory


def plant(directory: Path, name: str, then: str = "exit 1") -> Path:
    program = directory / name
    program.write_text(f'#!/bin/sh\nenv >>"{directory}/{name}.environment"\n{then}\n')
    program.chmod(0o755)
    return program


def learned(directory: Path, name: str) -> dict[str, str]:
    """What a planted program was told."""
    text = (directory / f"{name}.environment").read_text()
    assert SECRET not in text, text
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def config(home: Path, identity: str = "user", **more: Any) -> Config:
    return Config(str(home), "https://dbc-1.cloud.databricks.com", "fmapi", identity, 15, **more)


# -- environments ------------------------------------------------------------------------------------------------------


def test_a_program_gets_what_every_program_needs_and_what_it_needs_by_name(tmp_path: Path) -> None:
    given_environment = {
        **ROOTS,
        **ORDINARY,
        "PATH": "/usr/bin::.:bin:/bin",
        "TMPDIR": str(tmp_path),
        "ONE": "1",
        "TERM": "xterm",
    }
    found = processes.environment(given_environment, "/home/ada", ["ONE"])
    own = {"PATH": "/usr/bin:/bin", "HOME": "/home/ada", "TERM": "dumb", "TMPDIR": str(tmp_path), "ONE": "1"}
    assert found == {**ORDINARY, **own}


@pytest.mark.parametrize("scratch", ["", "relative", "/nonexistent", "/dev/null"])
def test_a_place_for_temporary_files_that_cannot_be_used_is_not_named(scratch: str) -> None:
    assert "TMPDIR" not in processes.environment({"TMPDIR": scratch}, "/h") or (
        os.geteuid() == 0 and scratch == "/dev/null"
    )


@pytest.mark.parametrize("path", ["", ".", ":", "bin:.:"])
def test_a_path_is_never_empty_and_never_leads_from_here(path: str) -> None:
    assert processes.environment({"PATH": path}, "/h")["PATH"] == "/usr/local/bin:/usr/bin:/bin"


@given(st.dictionaries(st.text(min_size=1, max_size=12), st.text(max_size=12)))
def test_nothing_else_is_passed_on(given_environment: dict[str, str]) -> None:
    found = processes.environment(given_environment, "/h")
    proxies = ("https_proxy", "http_proxy", "no_proxy", "all_proxy")
    others = {name for name in found if not name.startswith("LC_") and name.lower() not in proxies}
    assert others <= {"PATH", "HOME", "TERM", "TMPDIR", "USER", "LOGNAME", "LANG"}


def test_a_databricks_cli_learns_nothing(planted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(planted, "databricks")
    monkeypatch.setattr(workspace, "expect_oauth", lambda *arguments: None)
    monkeypatch.setenv("DATABRICKS_AUTH_STORAGE", "plaintext")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/run/user/1000/bus")
    environment = dict(os.environ)
    own = config(tmp_path, ca_file="/etc/ca.pem")
    with pytest.raises(TokenError):
        user_sign_in.request_token(own, environment, None)
    assert databricks_oauth_end.log_out(own, environment)
    with pytest.raises(TokenError):
        user_sign_in._ask(str(planted / "databricks"), own, environment)
    with pytest.raises(TokenError):
        login._sign_in(
            str(planted / "databricks"), own, login.Options(5, False, 0), Place("Linux", "6", environment), _NoTurn()
        )
    told = learned(planted, "databricks")
    assert (
        told["HOME"] == str(tmp_path)
        and told["SSL_CERT_FILE"] == "/etc/ca.pem"
        and told["https_proxy"] == "http://proxy:1"
    )
    assert told["DATABRICKS_AUTH_STORAGE"] == "plaintext"
    assert told["DBUS_SESSION_BUS_ADDRESS"] == "unix:path=/run/user/1000/bus"
    assert (planted / "databricks.environment").read_text().count("HOME=") == 4


class _NoTurn(login._Turn):
    def __init__(self) -> None:
        pass

    def show(self, link: str) -> None:
        pass

    def go_on(self) -> None:
        pass


def test_a_cli_is_not_looked_for_where_we_happen_to_be(
    planted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(planted, "databricks")
    monkeypatch.chdir(planted)
    monkeypatch.setattr(user_sign_in, "_USUAL_DIRECTORIES", ())
    for path in ("", ".", ":", "/nonexistent:.", "planted"):
        assert user_sign_in.clis(str(tmp_path / "home"), {"PATH": path}) == []


@pytest.fixture
def shared() -> Iterator[Path]:
    yield from shared_directory("fmapi-test-hostile-programs")


@root
def test_what_works_for_a_user_has_nothing_of_root_s_environment(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is started then, by whatever part: it could not pass on what is not there."""
    for name, value in {**ROOTS, **ORDINARY, "SSL_CERT_FILE": "/etc/ca.pem"}.items():
        monkeypatch.setenv(name, value)
    home = shared / "home"
    home.mkdir()
    os.chown(home, 40000, 40000)
    command = plant(shared, "get-token", "echo a.b.c")
    os.chown(shared, 40000, 40000)
    own = config(home, "workload_identity", oidc_token_command=[str(command)])

    def work(owner: Owner) -> dict[str, Any]:
        return {"environment": dict(os.environ), "token": oidc_source.read(own, dict(os.environ))}

    (done,) = each([Owner("user0", 40000, 40000, str(home))], work, (OSError, TokenError))
    assert done.error is None and done.result["token"] == "a.b.c"
    found = done.result["environment"]
    assert SECRET not in json.dumps(found)
    assert (found["HOME"], found["USER"], found["LOGNAME"]) == (str(home), "user0", "user0")
    assert found["SSL_CERT_FILE"] == "/etc/ca.pem" and found["https_proxy"] == "http://proxy:1"
    assert learned(shared, "get-token")["HOME"] == str(home)
    assert os.environ["VAULT_TOKEN"] == SECRET


@root
def test_a_user_who_stops_the_work_holds_nobody_up(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owners, "_LONGEST_SECONDS", 4)  # what the other user's work may take on a busy machine
    made = []
    for number in range(2):
        made.append(Owner(f"user{number}", 40000 + number, 40000 + number, str(shared)))

    def work(owner: Owner) -> dict[str, Any]:
        if owner.user == "user0":
            os.kill(os.getpid(), signal.SIGSTOP)
        return {"done": True}

    begin = time.monotonic()
    first, second = each(made, work, ())
    assert time.monotonic() - begin < SOON
    assert first.error == "user user0: the work did not end within 0 minutes, and was ended"
    assert second.result == {"done": True}


@root
def test_a_user_whose_work_tells_without_end_is_ended(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owners, "_LONGEST_ANSWER", 1 << 20)
    first, second = Owner("user0", 40000, 40000, str(shared)), Owner("user1", 40001, 40001, str(shared))
    told = each([first, second], lambda one: {"told": "x" * (2 << 20 if one == first else 10)}, ())
    assert told[0].error == "user user0: the work told more than 1 MiB, and was ended"
    assert told[1].result == {"told": "x" * 10}


@root
def test_a_user_s_work_takes_so_much_memory_and_no_more(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it starts is not bound: Node.js reserves many gigabytes, and uses few."""
    monkeypatch.setattr(owners, "_MOST_MEMORY", 2 << 30)

    def work(owner: Owner) -> dict[str, Any]:
        if owner.user == "user0":
            return {"size": len(b"x" * (3 << 30))}
        return {"limit": processes.run(["sh", "-c", "ulimit -v"], {"PATH": "/usr/bin:/bin"}, 10).stdout.strip()}

    owned = [Owner(f"user{number}", 40000 + number, 40000 + number, str(shared)) for number in range(2)]
    first, second = each(owned, work, ())
    assert first.error == "user user0: MemoryError while working as this user"
    here = resource.getrlimit(resource.RLIMIT_AS)[1]
    assert second.result == {"limit": "unlimited" if here == resource.RLIM_INFINITY else str(here >> 10)}


# -- what they say ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["", " >&2"])
def test_a_program_that_talks_without_end_is_ended(tmp_path: Path, where: str) -> None:
    done = processes.run(["sh", "-c", f"yes{where}"], {"PATH": "/usr/bin:/bin"}, 60)
    assert done.status == -signal.SIGKILL, "ended by us, and not by the 60 seconds"
    said = done.stderr if where else done.stdout
    assert said.startswith("y\ny\n") and len(said) <= 2 * processes._MOST_BYTES


def test_a_program_whose_child_goes_its_own_way_is_not_waited_for(tmp_path: Path) -> None:
    """It holds open what the program's output goes to."""
    begin = time.monotonic()
    with pytest.raises(TimeoutError):
        processes.run(["sh", "-c", "setsid sleep 120 & sleep 120"], {"PATH": "/usr/bin:/bin"}, 0.5)
    assert time.monotonic() - begin < SOON


@pytest.mark.parametrize("seconds", [0.3, 20])
def test_what_a_program_says_arrives_as_text(tmp_path: Path, seconds: float) -> None:
    script = f"printf 'a\\r\\nb\\rc\\377'; printf d >&2; {'sleep 20' if seconds < 1 else 'exit 3'}"
    if seconds < 1:
        with pytest.raises(TimeoutError):
            processes.run(["sh", "-c", script], {"PATH": "/usr/bin:/bin"}, seconds)
        return
    done = processes.run(["sh", "-c", script], {"PATH": "/usr/bin:/bin"}, seconds, str(tmp_path))
    assert done == (3, "a\nb\nc\ufffd", "d")


def test_a_cli_that_talks_without_end_is_one_sentence(
    planted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(planted, "databricks", "yes 'Error: no'")
    monkeypatch.setattr(workspace, "expect_oauth", lambda *arguments: None)
    with pytest.raises(TokenError) as caught:
        user_sign_in.request_token(config(tmp_path), dict(os.environ), None)
    assert "databricks does not work: exit status -9" in str(caught.value)


# -- the doctor's prompt -----------------------------------------------------------------------------------------------

AGENT = """\
{{ pwd; ls -a; stat -c '%a %U' .; }} >"{directory}/seen"
printf '%s\\n' "$@" >"{directory}/arguments"
touch left-behind
echo '\033[31mHello\007'
exit 0
"""


def prompt(home: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> Check:
    options = options_for(identity=changes.pop("identity", "user"), **changes)
    own = config(home, options["identity"], oidc_token_env=options["oidc_token_env"])
    examination = Examination(owner_of(home), options, own, dict(os.environ))
    monkeypatch.setattr(examination, "unasked", lambda: "")
    return agent_settings._prompt(examination, AGENTS["claude_code"])


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir(mode=0o700)
    return tmp_path / "home"


@pytest.mark.parametrize("has_cache", [True, False])
def test_the_agent_is_prompted_in_a_private_directory_of_the_home(
    planted: Path, home: Path, has_cache: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(planted, "claude", AGENT.format(directory=planted))
    owner = owner_of(home)
    if has_cache:
        os.makedirs(owner.cache, 0o700)
    check = prompt(home, monkeypatch)
    assert (check.status, check.detail) == (PASS, "replied: [31mHello")
    where, *listed, mode = (planted / "seen").read_text().splitlines()
    assert where.startswith(f"{os.path.dirname(owner.cache) if has_cache else home}/doctor-prompt-")
    assert listed == [".", ".."]
    assert mode == f"700 {pwd.getpwuid(os.geteuid()).pw_name}"
    assert not os.path.exists(where) and (has_cache or os.listdir(home) == [])
    arguments = (planted / "arguments").read_text().splitlines()
    assert arguments[:2] == ["-p", agent_settings.PROMPT]
    assert "--strict-mcp-config" in arguments and arguments[arguments.index("--setting-sources") + 1] == "user"
    told = learned(planted, "claude")
    assert told["HOME"] == str(home) and told["https_proxy"] == "http://proxy:1"


def test_the_agent_gets_a_workload_s_token_by_the_name_of_its_variable(
    planted: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(planted, "claude", AGENT.format(directory=planted))
    monkeypatch.setenv("MY_OIDC", "id.to.ken")
    assert prompt(home, monkeypatch, identity="workload_identity", oidc_token_env="MY_OIDC").status == PASS
    assert learned(planted, "claude")["MY_OIDC"] == "id.to.ken"


@pytest.mark.parametrize("where", ["home", "cache"])
def test_no_agent_is_prompted_where_others_can_write_above_it(
    planted: Path, home: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(planted, "claude", AGENT.format(directory=planted))
    owner = owner_of(home)
    os.makedirs(owner.cache, 0o700)
    weak = {"home": str(home), "cache": os.path.dirname(owner.cache)}[where]
    os.chmod(weak, 0o777)  # noqa: S103
    check = prompt(home, monkeypatch)
    assert check.status == SKIP
    assert f"{weak} can be written to by others (mode 0777): chmod go-w {weak}" in check.detail
    assert not (planted / "seen").exists()
    assert os.listdir(owner.cache) == []
    os.chmod(weak, 0o700)
    assert prompt(home, monkeypatch).status == PASS


def test_nothing_is_left_of_a_prompt_that_fails(planted: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_settings, "_PROMPT_SECONDS", 1)
    for then in ("exit 3", "mkdir -p a/b; chmod 500 a; exit 1", "sleep 60", "rm -rf ../prompt-*"):
        plant(planted, "claude", then)
        with contextlib.suppress(FileNotFoundError):
            assert prompt(home, monkeypatch).status == "FAIL"
        assert os.listdir(home) == [], then
