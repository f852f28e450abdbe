# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One process of the real Claude Code outlives its tokens; docs/tokens.md says how long a pause may be.

Where a workspace refuses an expired token with 401, Claude Code asks the helper again and repeats the request. With 403 not
every version does, so there no request may carry an expired token. Expired is what the workspace's clock says: nothing is simulated
on the host. The TTL of the short tests stands in the settings, because a rollout takes whole minutes.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import subprocess
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests import homes
from tests.agents.claude import BEFORE, Claude, Session, keep_tokens_for
from tests.agents.conftest import installed
from tests.control_node import ControlNode, Operator
from tests.watch import Watch
from tests.workspace.client import Workspace

pytestmark = pytest.mark.agents


def _beginning_of_tokens(workspace: Workspace) -> str:
    """What the service principal's tokens of this workspace, and no others, begin with."""
    header, claims, _signature = workspace.mint("service_principal").split(".")
    subject = json.dumps({"sub": workspace.client_id}, separators=(",", ":"))[:-2].encode()
    beginning = base64.b64encode(subject[: len(subject) // 3 * 3]).decode()
    assert claims.startswith(beginning)
    return f"{header}.{beginning}"


@pytest.fixture(autouse=True)
def no_secret_is_shown(workspace: Workspace) -> Iterator[None]:
    """Neither the client secret nor any token stands in a process' arguments or environment, whoever starts it."""
    with Watch([workspace.client_secret, _beginning_of_tokens(workspace)]):
        yield


def _answered(workspace: Workspace) -> list[tuple[str, int]]:
    """What became of the requests for a reply: the state of the token, and the status."""
    return [(one["token"], one["status"]) for one in workspace.requests() if one["path"].endswith("/v1/messages")]


def _token_requests(workspace: Workspace) -> list[dict[str, Any]]:
    return workspace.requests("/oidc/v1/token")


@pytest.mark.soak
def test_a_session_over_several_expiries_at_401(operator: Operator, claude: Claude, tmp_path: Path) -> None:
    """The TTL is longer than the tokens live: each expiry is met, and the user notices none. Of one, test_claude_code.py has it."""
    home = homes.bare(tmp_path / "home")
    lifetime, expiries = 8, 3
    operator.workspace.control(token_lifetime=lifetime)
    operator.rollout(home).ok()
    session = claude.session(home)
    session.ask("start")
    operator.workspace.clear()
    for turn in range(expiries):
        time.sleep(lifetime + 1)
        reply = session.ask(f"turn {turn}")
        assert (reply["result"], reply["is_error"]) == (f"You said: turn {turn}", False), session.errors()
    assert _answered(operator.workspace) == [("expired", 401), ("valid", 200)] * expiries
    assert len(_token_requests(operator.workspace)) == expiries
    assert session.errors() == ""


def _work(
    session: Session, workspace: Workspace, pauses: Iterable[float], lifetime: float, ends: int, least: float
) -> None:
    """Prompt with those pauses (in seconds) until so many tokens have ended and ``least`` seconds are over.

    Not one prompt may fail, and not one request may carry an expired token.
    """
    begin = time.time()
    for number, pause in enumerate(pauses):
        reply = session.ask(f"turn {number}")
        assert (reply["result"], reply["is_error"]) == (f"You said: turn {number}", False), workspace.requests()[-5:]
        ended = sum(one["time"] + lifetime < time.time() for one in _token_requests(workspace))
        if ended >= ends and time.time() >= begin + least:
            break
        time.sleep(pause)
    else:
        pytest.fail("the pauses are over, and too few tokens have ended: nothing was proved")
    assert set(_answered(workspace)) == {("valid", 200)}
    assert session.errors() == ""


@pytest.mark.soak
def test_no_prompt_fails_over_expiries_at_403(operator: Operator, claude: Claude, tmp_path: Path) -> None:
    """Tokens that the helper hands out live at least 18 seconds: 15 more than the agent keeps them.

    The first pause is longer than the TTL, so that the prompt after it goes out with the old token. In CI the last test of this
    file meets one end of a token so.
    """
    home = homes.bare(tmp_path / "home")
    lifetime = 24
    operator.workspace.control(token_lifetime=lifetime, refuse_with=403)
    operator.rollout(home).ok()
    keep_tokens_for(home, 3)
    operator.workspace.clear()
    pauses = itertools.chain([14], itertools.islice(itertools.cycle([0, 2, 1, 3]), 60))
    _work(claude.session(home), operator.workspace, pauses, lifetime, ends=2, least=0)


@pytest.mark.soak
def test_ten_minutes_without_a_failed_prompt_at_403(operator: Operator, claude: Claude, tmp_path: Path) -> None:
    """All as rolled out. Tokens that the helper hands out live at least 135 seconds, and the agent keeps them for 60.

    So a pause of up to 75 seconds is good whenever it comes.
    """
    home = homes.bare(tmp_path / "home")
    lifetime = 180
    operator.workspace.control(token_lifetime=lifetime, refuse_with=403)
    operator.rollout(home, token_ttl_minutes=1).ok()
    operator.workspace.clear()
    pauses = itertools.chain([70, 70], itertools.islice(itertools.cycle([1, 7, 20, 0, 70, 3, 12, 22]), 100))
    _work(claude.session(home), operator.workspace, pauses, lifetime, ends=3, least=600)


def _after_a_long_pause(home: Path, operator: Operator, claude: Claude) -> tuple[Session, dict[str, Any]]:
    """A session whose token ended during a pause, and its reply to the prompt after that, which is refused with 403."""
    workspace, lifetime = operator.workspace, 8
    workspace.control(token_lifetime=lifetime, refuse_with=403)
    operator.rollout(homes.bare(home)).ok()
    keep_tokens_for(home, 2)
    session = claude.session(home)
    session.ask("start")
    time.sleep(lifetime + 1)
    workspace.control(token_lifetime=3600)
    workspace.clear()
    return session, session.ask("after the pause")


def test_a_pause_longer_than_the_token_is_repaired_at_403(operator: Operator, claude: Claude, tmp_path: Path) -> None:
    _session, reply = _after_a_long_pause(tmp_path / "home", operator, claude)
    assert (reply["result"], reply["is_error"]) == ("You said: after the pause", False)
    assert _answered(operator.workspace) == [("expired", 403), ("valid", 200)]
    assert len(_token_requests(operator.workspace)) == 1


def test_a_pause_longer_than_the_token_fails_one_prompt_of_the_version_before_at_403(
    control: ControlNode, workspace: Workspace, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    """The limit that docs/tokens.md states for it."""
    prefix = installed(BEFORE, tmp_path_factory)
    project = tmp_path / "project"
    project.mkdir()
    with contextlib.ExitStack() as sessions:
        claude = Claude(prefix / "bin" / "claude", project, sessions)
        session, reply = _after_a_long_pause(tmp_path / "home", Operator(control, workspace, prefix), claude)
        assert reply["is_error"] and "403 Token is expired" in reply["result"]
        limit = time.monotonic() + 30
        while not _token_requests(workspace) and time.monotonic() < limit:
            time.sleep(0.1)
        time.sleep(3)  # until the helper has handed it on
        assert session.ask("sent again")["result"] == "You said: sent again"
    assert _answered(workspace) == [("expired", 403), ("valid", 200)]
    assert len(_token_requests(workspace)) == 1


def test_agents_and_helpers_at_once_ask_for_one_token(operator: Operator, claude: Claude, tmp_path: Path) -> None:
    """Three sessions and ten helpers meet the end of the same token: it is replaced once, and no prompt fails."""
    home = homes.bare(tmp_path / "home")
    workspace, lifetime = operator.workspace, 24
    workspace.control(token_lifetime=lifetime, refuse_with=403)
    operator.rollout(home).ok()
    keep_tokens_for(home, 3)
    issued = _token_requests(workspace)[-1]["time"]
    # A request that takes its time is one that the others meet.
    workspace.control(token_lifetime=3600, delay={"path_prefix": "/oidc/v1/token", "seconds": 0.5})
    workspace.clear()
    helper = json.loads((home / ".claude" / "settings.json").read_text())["apiKeyHelper"]
    sessions = [claude.session(home) for _number in range(3)]

    def call_helper() -> str:
        command = ["/bin/sh", "-c", helper]
        return subprocess.run(
            command, stdout=subprocess.PIPE, text=True, env=claude.environment(home), check=True, timeout=60
        ).stdout

    def at_once(prompt: str, helpers: int) -> set[str]:
        """The tokens that the helpers gave meanwhile."""
        with ThreadPoolExecutor(len(sessions) + helpers) as pool:
            replies = [pool.submit(session.ask, prompt) for session in sessions]
            tokens = [pool.submit(call_helper) for _number in range(helpers)]
            assert {reply.result()["result"] for reply in replies} == {f"You said: {prompt}"}
            return {token.result() for token in tokens}

    at_once("start", helpers=0)
    time.sleep(max(issued + lifetime / 2 + 1 - time.time(), 0))
    replaced = at_once("the helper wants a new token", helpers=10)
    time.sleep(max(issued + lifetime + 1 - time.time(), 0))
    assert at_once("the old token is dead", helpers=10) == replaced
    assert len(replaced) == 1
    assert set(_answered(workspace)) == {("valid", 200)}
    assert len(_token_requests(workspace)) == 1
