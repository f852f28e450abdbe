# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every agent while the workspace is busy (HTTP 429) or no longer serves the model (404): what the person and the doctor are told.

Claude Code's own tests (test_sign_in_over.py) hold more of it. A workspace that says ``Retry-After: 1`` makes it quick.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from plugins.module_utils.agents import AGENTS
from tests import homes
from tests.agents.prompts import GONE, REFUSAL, asked, prompted, reply
from tests.agents.terminal import typed
from tests.control_node import ControlNode, Operator
from tests.workspace.client import Workspace
from tests.written_reports import REPORT, checks

pytestmark = pytest.mark.agents

BUSY = {**dict.fromkeys(AGENTS, REFUSAL), "codex": "exceeded retry limit, last status: 429 Too Many Requests"}
"""What tells the cause. Codex has words of its own for it."""
MOST_TRIES = 12
SLOW = ("gemini", "pi")
"""They take no notice of ``Retry-After``: half a minute until they give up."""
QUICK = ("claude_code", "codex")
"""One that repeats what the workspace has said, as all the others do, and one that has words of its own."""


class Stage(NamedTuple):
    """A workspace that can be told to fail, and a home where all agents answer through it."""

    workspace: Workspace
    operator: Operator
    home: Path

    def fail(self, names: Collection[str], status: int, count: int, retry_after: int | None = 1) -> None:
        """Let so many prompts of these agents be refused."""
        more = {} if retry_after is None else {"retry_after": retry_after}
        paths = {asked(name) for name in names}
        orders = [{"path_prefix": path, "method": "POST", "status": status, "count": count, **more} for path in paths]
        self.workspace.control(fail_next=orders)

    def statuses(self, name: str) -> list[int]:
        return [one["status"] for one in self.workspace.requests(asked(name)) if one["method"] == "POST"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, every_agent: Path) -> Iterator[Stage]:
    place = tmp_path_factory.mktemp("trouble")
    with Workspace(place / "workspace") as workspace:
        operator = Operator(ControlNode(place), workspace, every_agent, agents=[*AGENTS])
        home = homes.bare(place / "home")
        operator.rollout(home).ok()
        yield Stage(workspace, operator, home)


@pytest.fixture
def stage(made: Stage) -> Iterator[Stage]:
    made.workspace.clear()
    yield made
    made.workspace.control(fail_next=None)


@pytest.mark.parametrize("name", AGENTS)
def test_one_refusal_of_a_busy_workspace_costs_no_prompt(stage: Stage, name: str) -> None:
    stage.fail([name], 429, count=1)
    done = prompted(stage.home, stage.operator.prefix, name)
    assert (done.returncode, reply(done)) == (0, "You said: hello"), done.stdout + done.stderr
    statuses = stage.statuses(name)
    assert statuses[0] == 429 and 200 in statuses


def given_up(stage: Stage, name: str) -> str:
    """What an agent says of a prompt that is never answered: after a bounded number of tries, and with a status that is not 0."""
    if name == "hermes":  # what -z says is the same, but its status is 0: its page says so
        done = typed(stage.home, "hermes chat --quiet --query hello")
    else:
        done = prompted(stage.home, stage.operator.prefix, name)
    assert done.returncode != 0 and "You said" not in done.stdout, done.stdout + done.stderr
    assert 1 <= len(stage.statuses(name)) <= MOST_TRIES
    return done.stdout + done.stderr


@pytest.mark.soak
@pytest.mark.parametrize("retry_after", [1, None])
@pytest.mark.parametrize("name", AGENTS)
def test_a_workspace_that_stays_busy_is_given_up(stage: Stage, name: str, retry_after: int | None) -> None:
    stage.fail([name], 429, count=999, retry_after=retry_after)
    assert BUSY[name] in given_up(stage, name)


@pytest.mark.soak
@pytest.mark.parametrize("name", AGENTS)
def test_a_model_that_is_gone_is_told(stage: Stage, name: str) -> None:
    stage.fail([name], 404, count=999)
    assert GONE[name] in given_up(stage, name)


def doctor(stage: Stage, names: Collection[str]) -> dict[str, Any]:
    """What the doctor finds as it prompts these agents, by their names."""
    play = stage.operator.doctor(stage.home, prompt=True, report=REPORT, agents=[*names])
    found = {one["check"]: one for one in checks(play) if one["category"] == "Prompt"}
    return {name: found[AGENTS[name].title] for name in names}


@pytest.mark.parametrize(
    "names",
    [
        QUICK,
        pytest.param([name for name in AGENTS if name not in (*QUICK, *SLOW)], marks=pytest.mark.soak),
        pytest.param(SLOW, marks=pytest.mark.soak),
    ],
    ids=["quick", "others", "slow"],
)
def test_the_doctor_says_that_the_workspace_is_busy(stage: Stage, names: Collection[str]) -> None:
    stage.fail(names, 429, count=999)
    for name, found in doctor(stage, names).items():
        assert found["status"] == "FAIL" and BUSY[name] in found["detail"], f"{name}: {found}"


def test_the_doctor_says_that_the_model_is_gone(stage: Stage) -> None:
    """After a bounded number of tries, as each agent says it by itself."""
    stage.fail(AGENTS, 404, count=999)
    for name, found in doctor(stage, AGENTS).items():
        assert found["status"] == "FAIL" and GONE[name] in found["detail"], f"{name}: {found}"
        sharing = [one for one in AGENTS if asked(one) == asked(name)]
        assert len(stage.statuses(name)) <= MOST_TRIES * len(sharing), name
