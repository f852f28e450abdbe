# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A sign-in is over, or a grant is missing: the person hears it within seconds, and in our words where Claude Code shows them."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from plugins.module_utils.agents.claude_code import ClaudeCode
from tests import homes
from tests.agents.claude import Claude
from tests.agents.conftest import installed
from tests.control_node import ControlNode, Operator
from tests.databricks_cli.fixtures import place, sign_in
from tests.workspace.client import Workspace

pytestmark = pytest.mark.agents

PINNED = ClaudeCode.pinned_version
BEFORE = "2.1.197"
MESSAGES = "/ai-gateway/anthropic/v1/messages"
READY = "\N{HEAVY RIGHT-POINTING ANGLE QUOTATION MARK ORNAMENT}"
"""Its prompt."""

SOON = 90.0
"""Seconds, on a busy machine too. Without the setting it is 180 and more."""

both = pytest.mark.parametrize("prefix", [PINNED, BEFORE], indirect=True)
pinned = pytest.mark.parametrize("prefix", [PINNED], indirect=True)
before = pytest.mark.parametrize("prefix", [BEFORE], indirect=True)


@pytest.fixture(scope="session")
def prefix(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed(request.param, tmp_path_factory)


@pytest.fixture
def claude(prefix: Path, tmp_path: Path) -> Iterator[Claude]:
    project = tmp_path / "project"
    project.mkdir()
    with contextlib.ExitStack() as sessions:
        yield Claude(prefix / "bin" / "claude", project, sessions)


@pytest.fixture
def home(control: ControlNode, workspace: Workspace, prefix: Path, claude: Claude, tmp_path: Path) -> Path:
    """A person's home after the rollout and their sign-in; they trust the project's directory."""
    made = homes.bare(tmp_path / "home")
    programs = made / ".local" / "bin"
    programs.mkdir(parents=True)
    place(programs)
    Operator(control, workspace, prefix).rollout(made, identity="user").ok()
    sign_in(programs, made, workspace, "fmapi-coding-agents")
    state = made / ".claude.json"
    trust = {str(claude.project): {"hasTrustDialogAccepted": True}}
    state.write_text(json.dumps({**json.loads(state.read_text()), "projects": trust}))
    return made


def end_the_sign_in(home: Path, workspace: Workspace) -> str:
    """Let it be over, with the token at hand; returns what the helper says of it."""
    workspace.control(revoke_sign_ins=True, expire_tokens=True)
    for cached in (home / ".cache" / "fmapi-coding-agents").glob("token-*"):
        cached.unlink()
    store = home / ".databricks" / "token-cache.json"
    store.write_text(re.sub(r'"expiry": *"\d{4}', '"expiry": "2020', store.read_text()))
    command = home / ".local" / "share" / "fmapi-coding-agents" / "coding-agents"
    return f"the sign-in to Databricks has expired. Run: {command} login"


class Terminal:
    """Claude Code as a person sees it, in a terminal so wide that no sentence is broken."""

    def __init__(self, claude: Claude, home: Path) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 400, 0, 0))
        self._process = subprocess.Popen(
            [str(claude.program)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**claude.environment(home), "TERM": "xterm-256color"},
            cwd=claude.project,
            start_new_session=True,
        )
        os.close(theirs)
        self._shown = b""

    def until(self, text: str, seconds: float = 60.0) -> float:
        """Wait for a text that was not shown before; returns for how many seconds."""
        begin = time.monotonic()
        while _plain(text) not in _plain(self._shown.decode("utf-8", "replace")):
            left = begin + seconds - time.monotonic()
            assert left > 0, f"not shown within {seconds} s: {text}\n{self._shown.decode('utf-8', 'replace')[-4000:]}"
            if select.select([self._ours], [], [], min(left, 0.5))[0]:
                self._shown += os.read(self._ours, 1 << 16)
        self._shown = b""
        return time.monotonic() - begin

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())
        self.until(text)
        time.sleep(0.5)  # else Enter counts as part of what is pasted
        os.write(self._ours, b"\r")

    def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._ours)


def _plain(text: str) -> str:
    """Without colours and frames, and without the blanks that a terminal is told to skip."""
    return re.sub(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[^\[]|\s|│", "", text)


@pytest.fixture
def terminal(claude: Claude, home: Path) -> Iterator[Terminal]:
    made = Terminal(claude, home)
    yield made
    made.end()


@pinned
def test_the_sign_in_ends_while_the_agent_is_open(home: Path, workspace: Workspace, terminal: Terminal) -> None:
    """Our sentence shows by itself, and who has signed in goes on in the same session."""
    terminal.until(READY)
    terminal.type("hello there")
    terminal.until("You said: hello there")
    sentence = end_the_sign_in(home, workspace)
    terminal.type("are you there")
    assert terminal.until(sentence) < SOON
    sign_in(home / ".local" / "bin", home, workspace, "fmapi-coding-agents")
    terminal.type(" and now")
    terminal.until("You said: and now")


@pinned
def test_the_agent_is_opened_after_the_sign_in_has_ended(home: Path, workspace: Workspace, claude: Claude) -> None:
    sentence = end_the_sign_in(home, workspace)
    terminal = Terminal(claude, home)
    try:
        assert terminal.until(sentence) < SOON, "before anything is typed"
    finally:
        terminal.end()


@before
def test_an_older_agent_says_within_seconds_that_a_sign_in_is_needed(
    home: Path, workspace: Workspace, terminal: Terminal
) -> None:
    """In its own words, which docs/when-it-fails.md explains."""
    terminal.until(READY)
    end_the_sign_in(home, workspace)
    terminal.type("are you there")
    assert terminal.until("Please run /login") < SOON


@both
def test_a_prompt_without_a_sign_in_fails_within_seconds_with_our_sentence(
    home: Path, workspace: Workspace, claude: Claude
) -> None:
    sentence = end_the_sign_in(home, workspace)
    begin = time.monotonic()
    done = claude.prompt(home, "hello")
    assert time.monotonic() - begin < SOON
    assert done.returncode == 1 and sentence in done.stderr, done.stdout + done.stderr


@both
def test_a_missing_grant_is_told_within_seconds(home: Path, workspace: Workspace, claude: Claude) -> None:
    workspace.control(fail_next={"path_prefix": MESSAGES, "status": 403, "count": 99})
    begin = time.monotonic()
    done = claude.prompt(home, "hello")
    assert time.monotonic() - begin < SOON
    assert (done.returncode, "403" in done.stdout) == (1, True), done.stdout + done.stderr


@pytest.mark.parametrize(
    ("prefix", "status"),
    [
        (PINNED, 429),
        (BEFORE, 503),
        *(pytest.param(*other, marks=pytest.mark.soak) for other in ((PINNED, 503), (BEFORE, 429))),
    ],
    indirect=["prefix"],
)
def test_three_refusals_of_a_busy_workspace_cost_no_prompt(
    home: Path, workspace: Workspace, claude: Claude, status: int
) -> None:
    workspace.control(fail_next={"path_prefix": MESSAGES, "status": status, "count": 3})
    done = claude.prompt(home, "hello")
    assert (done.returncode, done.stdout.strip()) == (0, "You said: hello"), done.stdout + done.stderr
