# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Skills of ours in the real agents: each is offered every one of them, once, and runs the command that it names."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils.agents import AGENTS
from plugins.module_utils.engine.owner import current_owner
from plugins.module_utils.parts.skills import PLUGIN, SKILLS, Skill, older_file, skill_file
from tests import homes
from tests.agents.claude import Claude
from tests.agents.conftest import installed
from tests.agents.prompts import asked, prompted, reply
from tests.agents.terminal import typed
from tests.control_node import ControlNode, Operator
from tests.workspace.client import Workspace

pytestmark = pytest.mark.agents

OFFERED = {skill.name: skill.description.partition("'")[0][:40] for skill in SKILLS}
"""By skill: how its description begins. Some spell an apostrophe in another way, and Hermes shows no more than sixty characters."""
FRONT = ".local/share/fmapi-coding-agents/coding-agents"
REGISTRATION = {"fmapi-codingagent": {"scope": "user", "installPath": "/nowhere/fmapi-codingagent-setup"}}

RUN_IT = {
    "codex": ("codex exec --skip-git-repo-check --dangerously-bypass-approvals-and-sandbox {}", "exec_command", "cmd"),
    "gemini": ("gemini --skip-trust --approval-mode yolo -p {}", "run_shell_command", "command"),
    "opencode": ("opencode run {}", "bash", "command"),
    "copilot": ("copilot -s --allow-all-tools -p {}", "bash", "command"),
    "pi": ("pi -p {}", "bash", "command"),
    "hermes": ("hermes --yolo -z {}", "terminal", "command"),
}
"""By agent: how somebody prompts it who lets it run what it wants, its tool for that, and where the command goes."""


def skill_of(name: str) -> Skill:
    return next(one for one in SKILLS if one.name == name)


def command_in(path: str | Path) -> str:
    """What a skill tells the agent to run."""
    found = re.search(r"```sh\n(.+)\n```", Path(path).read_text(encoding="utf-8"))
    assert found, path
    return found[1]


def wish(tool: str, **arguments: str) -> str:
    return f"call the tool {tool} with {json.dumps(arguments)}"


def by_hand(home: Path, command: str) -> str:
    """The first line that a command prints in a terminal, without what is of this moment."""
    done = typed(home, command)
    found = re.split(r"\d", (done.stdout or done.stderr).strip().splitlines()[0])[0].strip()
    assert found, f"{done.stdout}{done.stderr}"
    return found


def test_each_agent_is_offered_every_skill_once(
    control: ControlNode, workspace: Workspace, every_agent: Path, tmp_path: Path
) -> None:
    home = homes.bare(tmp_path / "home")
    Operator(control, workspace, every_agent, agents=[*AGENTS]).rollout(home).ok()
    for name in AGENTS:
        workspace.clear()
        workspace.control(look_for=[*OFFERED.values()])
        done = prompted(home, every_agent, name)
        assert (done.returncode, reply(done)) == (0, "You said: hello"), f"{name}: {done.stdout}{done.stderr}"
        # Some ask for a title besides, and tell the model nothing there.
        told = max((one["found"] for one in workspace.requests(asked(name))), key=lambda found: sum(found.values()))
        assert told == dict.fromkeys(OFFERED.values(), 1), name


def _started(claude: Claude, home: Path, prompt: str) -> tuple[dict[str, Any], str]:
    """What Claude Code says of itself as it starts, and its last word."""
    done = claude.prompt(home, prompt, "--output-format", "stream-json", "--verbose")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    (begin,) = (one for one in events if one.get("subtype") == "init")
    return begin, str(events[-1].get("result"))


def test_claude_code_lists_the_skills_and_runs_the_doctor(
    operator: Operator, claude: Claude, home: Path, prefix: Path
) -> None:
    """Also by the names that an older script gave them; by itself it would have to ask."""
    registry = home / ".claude" / "plugins" / "installed_plugins.json"
    registry.parent.mkdir(parents=True)
    registry.write_text(json.dumps(REGISTRATION))
    operator.rollout(home).ok()
    place = AGENTS["claude_code"].skill_place(current_owner(str(home)))
    assert place is not None
    command = command_in(skill_file(place, skill_of("doctor")))
    assert command == f"{shlex.quote(str(home / FRONT))} doctor"

    begin, said = _started(claude, home, wish("Bash", command=command))
    ours = {f"{PLUGIN}:{skill.name}" for skill in SKILLS}
    assert {one for one in begin["skills"] if one.startswith(PLUGIN)} == ours
    assert {skill.older for skill in SKILLS} | ours <= set(begin["slash_commands"])
    assert [one["path"] for one in begin["plugins"] if one["name"] == PLUGIN] == [
        str(home / f".claude/skills/{PLUGIN}")
    ]
    assert "requires approval" in said

    answer = by_hand(home, command)
    for typed_name in (f"{PLUGIN}:doctor", "fmapi-codingagent-doctor"):
        _begin, said = _started(claude, home, f"/{typed_name} {wish('Bash', command=command)}")
        assert "The tool said:" in said and answer in said.partition("The tool said:")[2], said
    assert command_in(older_file(place, skill_of("doctor"))) == command


@pytest.mark.soak
@pytest.mark.parametrize("name", RUN_IT)
def test_every_other_agent_runs_the_doctor(
    control: ControlNode, workspace: Workspace, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    prefix = installed(AGENTS[name].pinned_version, tmp_path_factory, name)
    home = homes.bare(tmp_path / "home")
    Operator(control, workspace, prefix, agents=[name]).rollout(home).ok()
    place = AGENTS[name].skill_place(current_owner(str(home)))
    assert place is not None
    command = command_in(skill_file(place, skill_of("doctor")))
    line, tool, argument = RUN_IT[name]
    more = {"description": "Run the doctor"} if name in ("copilot", "gemini") else {}
    prompt = wish(tool, **{argument: command}, **more)
    done = typed(home, line.format(shlex.quote(prompt)))
    assert by_hand(home, command) in done.stdout.partition("The tool said:")[2], f"{done.stdout}{done.stderr}"
