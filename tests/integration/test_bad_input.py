# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bad input is refused before anything is touched, and each message says what, where and the way out."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from plugins.module_utils.agents.claude_code import ClaudeCode
from tests import homes
from tests.control_node import ControlNode, Operator, Play
from tests.hosts.tree import Manifest, differences, manifest

SOON = 120.0
"""Seconds, on a busy machine too: nobody else would end it."""
WRONG_SECRET = "dosePLANTED-wrong-client-secret"


class Case(NamedTuple):
    """``variables`` without the prefix ``coding_agents_``.

    ``words`` must all stand in the host's message, the first of them in its first line: that is the cause.
    """

    variables: dict[str, Any]
    words: Sequence[str]
    settings: bytes | None = None
    """Content of ``~/.claude/settings.json``."""


VARIABLES = {
    "url-http": Case(
        {"workspace_url": "http://dbc-1.cloud.databricks.com"}, ["coding_agents_workspace_url", "http://", "https://"]
    ),
    "url-bare": Case({"workspace_url": "dbc-1.cloud.databricks.com"}, ["coding_agents_workspace_url", "https://"]),
    "url-path": Case(
        {"workspace_url": "https://dbc-1.cloud.databricks.com/browse"},
        ["coding_agents_workspace_url", "a path", "https://dbc-1.cloud.databricks.com"],
    ),
    "url-query": Case(
        {"workspace_url": "https://dbc-1.cloud.databricks.com/?o=123"},
        ["coding_agents_workspace_url", "a query", "https://dbc-1.cloud.databricks.com"],
    ),
    "url-missing": Case({"workspace_url": None}, ["coding_agents_workspace_url"]),
    "url-account": Case(
        {"workspace_url": "https://accounts.cloud.databricks.com"}, ["coding_agents_workspace_url", "account console"]
    ),
    "routing": Case({"routing": "direct"}, ["routing", "direct", "gateway, serving_endpoints, gateway_host"]),
    "ttl-0": Case({"token_ttl_minutes": 0}, ["token_ttl_minutes", "0", "1 to 60"]),
    "ttl-61": Case({"token_ttl_minutes": 61}, ["token_ttl_minutes", "61", "1 to 60"]),
    "ttl-text": Case({"token_ttl_minutes": "soon"}, ["token_ttl_minutes", "soon"]),
    "profile": Case({"profile": "my] profile"}, ["coding_agents_profile", "my] profile"]),
    "agent": Case({"agents": ["claude_code", "clod"]}, ["coding_agents_agents", "clod", "claude_code"]),
    "no-agent": Case({"agents": []}, ["coding_agents_agents", "playbook uninstall"]),
    "secret-missing": Case({"client_secret": None}, ["coding_agents_client_secret", "vault"]),
    "model-slot": Case(
        {"models": {"claude_code": {"opsu": "x"}}},
        ["coding_agents_models.claude_code has opsu", "default, opus, sonnet, haiku", "Did you mean opus"],
    ),
    "models-without-agent": Case(
        {"models": {"opus": "x"}}, ["coding_agents_models.opus", "by agent", "{claude_code: {opus: x}}"]
    ),
    "version-denied": Case(
        {"cli_versions": {"claude_code": "2.1.265"}},
        ["coding_agents_cli_versions.claude_code", "2.1.265", ClaudeCode.pinned_version],
    ),
    "version-number": Case({"cli_versions": {"claude_code": 2.1}}, ["coding_agents_cli_versions", "in quotes"]),
    "bool": Case(
        {"claude_code_experimental_betas": "perhaps"},
        ["coding_agents_claude_code_experimental_betas", "'perhaps'", "true or false"],
    ),
    "text-is-a-list": Case({"profile": ["a"]}, ["coding_agents_profile", "['a']", "fmapi-coding-agents"]),
    "nothing": Case({"profile": ""}, ["coding_agents_profile is set to nothing", "leave it out"]),
    "registry": Case({"npm_registry": "npm.example.com"}, ["coding_agents_npm_registry", "https://npm.example.com/"]),
    "users-and-home": Case({"users": ["ada"]}, ["coding_agents_users", "coding_agents_home", "both set"]),
    "typo": Case({"modles": {"opus": "x"}}, ["coding_agents_modles", "no such variable", "coding_agents_models?"]),
    "of-the-script": Case({"ttl": 30}, ["coding_agents_ttl", "coding_agents_token_ttl_minutes"]),
    "moved": Case(
        {"settings_location": "home"},
        ["coding_agents_settings_location", "coding_agents_claude_code_settings_location"],
    ),
    "undefined": Case({"profile": "{{ nobody_set_this }}"}, ["coding_agents_profile", "nobody_set_this"]),
    "extra-conflict": Case(
        {"extra_settings": {"claude_code": {"env": {"ANTHROPIC_BASE_URL": "https://x"}}}},
        ["coding_agents_extra_settings.claude_code.env.ANTHROPIC_BASE_URL", "set by this collection"],
    ),
    "extra-agent": Case({"extra_settings": {"clod": {}}}, ["coding_agents_extra_settings.clod", "claude_code"]),
    "sha256": Case({"config_sha256": "abc"}, ["coding_agents_config_sha256", "'abc'", "sha256sum"]),
    "sha256-of-nothing": Case({"config_sha256": "a" * 64}, ["coding_agents_config_sha256", "coding_agents_config_url"]),
}

# What the control node cannot know: only the host says it.
OF_THE_HOST = {
    "home-missing": Case({"home": "/nonexistent/ada"}, ["/nonexistent/ada: does not exist", "coding_agents_home"]),
    "home-relative": Case({"home": "ada"}, ["ada: is not an absolute path", "coding_agents_home"]),
    "location": Case(
        {"claude_code_settings_location": "/nonexistent/project"},
        ["coding_agents_claude_code_settings_location /nonexistent/project: is no directory", "Name an existing"],
    ),
    "ca-file": Case({"ca_file": "/nonexistent/ca.pem", "preflight": False}, ["/nonexistent/ca.pem: is not there"]),
    "broken": Case({}, [".claude/settings.json: line 2, column 3", "Mend the file"], b'{\n  model: "opus"\n}\n'),
    "comment": Case({}, [".claude/settings.json: line 2", "Mend the file"], b'{\n  // mine\n  "model": "opus"\n}\n'),
    "comma": Case({}, [".claude/settings.json: line 1", "Mend the file"], b'{"model": "opus",}\n'),
    "array": Case({}, [".claude/settings.json: line 1", "a list", "an object", "Mend the file"], b"[]\n"),
    "empty": Case({}, [".claude/settings.json: is empty", "Mend the file"], b""),
    "latin-1": Case({}, [".claude/settings.json: line 1, column 12", "UTF-8"], b'{"model": "\xe9"}'),
    "env-is-text": Case({}, [".claude/settings.json: line 1", "env", "a string", "an object"], b'{"env": "none"}'),
}


def _hosts(operator: Operator, tmp_path: Path, cases: dict[str, Case], **more: Any) -> dict[str, dict[str, Any]]:
    """One host with a home of its own for each case; the good one shows that bad neighbours do not hold it up."""
    hosts = {}
    for name, case in {**cases, "good": Case({}, [])}.items():
        home = homes.bare(tmp_path / name)
        (home / ".claude").mkdir()
        (home / ".claude" / "settings.json").write_bytes(b"{}\n" if case.settings is None else case.settings)
        hosts[name] = operator.variables(home, **{**more, **case.variables})
    return hosts


def _manifests(tmp_path: Path, cases: dict[str, Case]) -> dict[str, Manifest]:
    return {name: manifest(str(tmp_path / name)) for name in cases}


def _verdict(play: Play, cases: dict[str, Case], before: dict[str, Manifest], tmp_path: Path) -> list[str]:
    """One line for each case that was not refused as it should be."""
    lines = []
    for name, case in cases.items():
        message = play.message(name)
        missing = [word for word in case.words if word not in message]
        missing += [] if case.words[0] in message.partition("\n")[0] else [f"{case.words[0]} in the first line"]
        if not message or missing:
            lines.append(f"{name}: {missing} not in: {message or 'no failure'}")
        if play.changed(name):
            lines.append(f"{name}: something was changed")
        lines += [f"{name}: {one}" for one in differences(before[name], manifest(str(tmp_path / name)), times=True)]
    return lines


def _all_refused(
    operator: Operator, control: ControlNode, tmp_path: Path, cases: dict[str, Case], **more: Any
) -> tuple[Play, list[str]]:
    hosts = _hosts(operator, tmp_path, cases, **more)
    before = _manifests(tmp_path, cases)
    play = control.run("rollout", hosts, "--forks", "4")
    assert play.status != 0
    assert play.changed("good") > 0, play.output
    return play, _verdict(play, cases, before, tmp_path)


def test_variables_are_refused_by_the_preflight(operator: Operator, control: ControlNode, tmp_path: Path) -> None:
    cases = {
        **VARIABLES,
        "model": Case(
            {"models": {"claude_code": {"sonnet": "databricks-claude-sonet-4-6"}}},
            [
                "databricks-claude-sonet-4-6 (coding_agents_models.claude_code.sonnet)",
                "did you mean databricks-claude-sonnet-4-6",
            ],
        ),
        "secret-wrong": Case(
            {"client_secret": WRONG_SECRET}, [operator.workspace.url, "secret", "coding_agents_client_secret"]
        ),
    }
    play, lines = _all_refused(operator, control, tmp_path, cases)
    assert lines == []
    assert {name: count for name, count in play.starts.items() if count and name != "good"} == {}
    assert WRONG_SECRET not in play.output + json.dumps(play.events)


def test_variables_are_refused_without_the_preflight(operator: Operator, control: ControlNode, tmp_path: Path) -> None:
    cases = {
        **VARIABLES,
        "routing-auto": Case({"routing": "auto"}, ["coding_agents_routing is auto", "preflight", "another routing"]),
        "secret-wrong": Case(
            {"client_secret": WRONG_SECRET}, [operator.workspace.url, "secret", "coding_agents_client_secret"]
        ),
    }
    play, lines = _all_refused(operator, control, tmp_path, cases, preflight=False)
    assert lines == []
    assert {name for name, count in play.starts.items() if count} == {"good", "secret-wrong"}
    assert WRONG_SECRET not in play.output + json.dumps(play.events)


def test_what_stands_on_the_host_is_refused(operator: Operator, control: ControlNode, tmp_path: Path) -> None:
    play, lines = _all_refused(operator, control, tmp_path, OF_THE_HOST)
    assert lines == []
    assert all(0 < count <= 2 for count in play.starts.values()), play.starts
    told = " ".join(play.report())
    assert "home /nonexistent/ada: does not exist" in told and "~/.claude/settings.json: is empty" in told


def test_what_breaks_after_a_rollout_is_told_by_the_look(
    operator: Operator, control: ControlNode, tmp_path: Path
) -> None:
    cases = {name: case for name, case in OF_THE_HOST.items() if case.settings is not None or name == "location"}
    hosts = _hosts(operator, tmp_path, {name: Case({}, []) for name in cases})
    control.run("rollout", hosts).ok()
    for name, case in cases.items():
        hosts[name] |= {f"coding_agents_{option}": value for option, value in case.variables.items()}
        if case.settings is not None:
            (tmp_path / name / ".claude" / "settings.json").write_bytes(case.settings)
    before = _manifests(tmp_path, cases)
    play = control.run("rollout", hosts)
    assert play.status != 0 and play.changed("good") == 0
    assert _verdict(play, cases, before, tmp_path) == []
    assert all(count == 1 for count in play.starts.values()), play.starts


@pytest.fixture
def nobody(tmp_path: Path) -> Iterator[str]:
    """Another user of this machine, who can reach what the tests made but may not read everything."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        what = "needs root and setpriv to become another user: run as root, apt-get install -y util-linux"
        if os.environ.get("CI") == "true":
            pytest.fail(what)
        pytest.skip(what)
    opened = []
    for directory in (tmp_path, *tmp_path.parents):
        mode = directory.stat().st_mode
        if not mode & 0o001:
            directory.chmod(mode | 0o011)
            opened.append((directory, mode))
    yield "nobody"
    for directory, mode in opened:
        directory.chmod(mode)


def _as_user(name: str, directory: Path) -> Path:
    """A Python that runs modules with the rights of another user, as a connection to that account would."""
    user = pwd.getpwnam(name)
    path = directory / "python-of-another-user"
    path.write_text(
        f'#!/bin/sh\nexec setpriv --reuid {user.pw_uid} --regid {user.pw_gid} --clear-groups /usr/bin/python3 "$@"\n'
    )
    path.chmod(0o755)
    return path


def test_a_file_that_cannot_be_read(operator: Operator, control: ControlNode, tmp_path: Path, nobody: str) -> None:
    shutil.copy(operator.workspace.ca_file, tmp_path / "ca.pem")
    (tmp_path / "ca.pem").chmod(0o644)
    shutil.copytree(operator.prefix, tmp_path / "prefix", symlinks=True)
    (tmp_path / "prefix").chmod(0o755)
    operator.prefix = tmp_path / "prefix"
    python = {"ansible_python_interpreter": str(_as_user(nobody, tmp_path)), "ansible_remote_tmp": "/tmp"}
    paths = {"settings": ".claude/settings.json", "profiles": ".databrickscfg", "state": ".claude.json"}
    hosts, before = {}, {}
    for name, path in paths.items():
        home = homes.lived_in(tmp_path / name)
        subprocess.run(["chown", "-R", f"{nobody}:", str(home)], check=True)
        (home / path).resolve().chmod(0)
        before[name] = manifest(str(home))
        hosts[name] = {**operator.variables(home, ca_file=str(tmp_path / "ca.pem")), **python}
    play = control.run("rollout", hosts)
    assert play.status != 0
    for name, path in paths.items():
        cause, way_out = play.message(name).splitlines()
        assert cause == f"{tmp_path / name}/{path}: cannot be read (Permission denied)", play.output
        assert way_out.startswith("Check its owner and mode")
        assert differences(before[name], manifest(str(tmp_path / name)), times=True) == []


def test_a_home_of_another_user(operator: Operator, tmp_path: Path) -> None:
    """Work in a user's home is done with that user's rights; root is told how."""
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else here")
    home = homes.bare(tmp_path / "home")
    os.chown(home, pwd.getpwnam("nobody").pw_uid, -1)
    before = manifest(str(home))
    play = operator.rollout(home)
    cause, way_out = play.message().splitlines()
    assert cause == f"home {home}: belongs to nobody, the work is done as root" and "become_user: nobody" in way_out
    assert differences(before, manifest(str(home)), times=True) == []


@pytest.fixture
def silence() -> Iterator[str]:
    """The URL of something that takes connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def refused() -> Iterator[str]:
    """Where nobody listens: who holds the port keeps others from it meanwhile."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        yield f"https://127.0.0.1:{nobody.getsockname()[1]}"


@pytest.mark.parametrize("preflight", [True, False])
def test_a_workspace_that_does_not_answer(
    operator: Operator, control: ControlNode, tmp_path: Path, silence: str, refused: str, preflight: bool
) -> None:
    """It ends with a message, for four hosts as soon as for one. The promise is 15 seconds."""
    urls = {"silent": silence, "refused": refused, "silent2": silence, "silent3": silence}
    hosts = {
        name: operator.variables(homes.bare(tmp_path / name), workspace_url=url, preflight=preflight)
        for name, url in urls.items()
    }
    before = {name: manifest(str(tmp_path / name)) for name in hosts}
    begin = time.monotonic()
    play = control.run("rollout", hosts)
    elapsed = time.monotonic() - begin
    assert play.status != 0
    for name, url in urls.items():
        assert url in play.message(name), play.output
        assert differences(before[name], manifest(str(tmp_path / name)), times=True) == []
    assert "answer" in play.message("silent")
    assert elapsed < SOON


def test_a_workspace_that_hangs_after_the_greeting(operator: Operator, tmp_path: Path) -> None:
    home = homes.bare(tmp_path / "home")
    before = manifest(str(home))
    operator.workspace.control(hang="/api/2.0/")
    begin = time.monotonic()
    play = operator.rollout(home)
    elapsed = time.monotonic() - begin
    operator.workspace.control(hang=None)
    assert play.status != 0 and operator.workspace.url in play.message(), play.output
    assert elapsed < SOON
    assert differences(before, manifest(str(home)), times=True) == []


def test_every_problem_is_told_at_once(operator: Operator, tmp_path: Path, not_started: Callable[[], bool]) -> None:
    play = operator.rollout(
        homes.bare(tmp_path / "home"), workspace_url="http://x", token_ttl_minutes=90, profile="a b"
    )
    for name in ("coding_agents_workspace_url", "coding_agents_token_ttl_minutes", "coding_agents_profile"):
        assert [line for line in play.message().splitlines() if line.startswith(f"{name} ")], play.message()
        assert f"{name} is" in " ".join(play.report()) or f"{name} begins" in " ".join(play.report())
    assert not_started()
