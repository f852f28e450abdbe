# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pinned Claude Code and the one that was pinned before: what we believe of it holds for both.

People keep the version that they have while it will do, so a rollout meets both.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils.agents.claude_code import ClaudeCode
from tests import homes
from tests.agents.claude import BEFORE, Claude
from tests.agents.conftest import installed
from tests.agents.network import Network
from tests.control_node import Operator
from tests.settings_shapes import REFUSED, TOLERATED
from tests.written_reports import REPORT, checks

pytestmark = pytest.mark.agents

NOWHERE = "http://127.0.0.1:9"
DROPPED = "Not logged in"


class InShell(Claude):
    """Claude Code as somebody starts it whose shell exports more."""

    exported: Mapping[str, str] = {}

    def environment(self, home: Path) -> dict[str, str]:
        return {**super().environment(home), **self.exported}


@pytest.fixture(scope="session", params=[ClaudeCode.pinned_version, BEFORE])
def prefix(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed(request.param, tmp_path_factory)


@pytest.fixture
def claude(prefix: Path, tmp_path: Path) -> Iterator[InShell]:
    project = tmp_path / "project"
    project.mkdir()
    with contextlib.ExitStack() as sessions:
        yield InShell(prefix / "bin" / "claude", project, sessions)


# -- the first answer, and an expired token ----------------------------------------------------------------------------


def test_the_first_answer(operator: Operator, claude: InShell, tmp_path: Path) -> None:
    home = homes.lived_in(tmp_path / "home")
    assert operator.rollout(home).ok().changed() == 1
    operator.workspace.control(strict=True)
    done = claude.prompt(home, "hello")
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "You said: hello", "")


@pytest.mark.parametrize(
    "prefix", [BEFORE, pytest.param(ClaudeCode.pinned_version, marks=pytest.mark.soak)], indirect=True
)
def test_an_expired_token_is_replaced(operator: Operator, claude: InShell, tmp_path: Path) -> None:
    home = homes.bare(tmp_path / "home")
    operator.workspace.control(token_lifetime=12)
    operator.rollout(home).ok()
    session = claude.session(home)
    assert session.ask("first")["result"] == "You said: first"
    time.sleep(13)
    second = session.ask("second")
    assert (second["result"], second["is_error"]) == ("You said: second", False), session.errors()


# -- what a shell exports ----------------------------------------------------------------------------------------------

EXPORTED = {
    "a token": {"ANTHROPIC_AUTH_TOKEN": "PLANTED-token"},
    "Bedrock": {"CLAUDE_CODE_USE_BEDROCK": "1"},
    "Vertex": {"CLAUDE_CODE_USE_VERTEX": "1"},
    "Foundry": {"CLAUDE_CODE_USE_FOUNDRY": "1"},
    "Mantle": {"CLAUDE_CODE_USE_MANTLE": "1"},
    "AWS": {"CLAUDE_CODE_USE_ANTHROPIC_AWS": "1"},
}
EXPORTED["all at once"] = {"ANTHROPIC_MODEL": "other", **{k: v for kind in EXPORTED.values() for k, v in kind.items()}}


def first_and_all(situations: Iterable[str], first: str) -> list[Any]:
    """One in CI, which shows that the situation is met at all; the others in ``make soak``."""
    return [one if one == first else pytest.param(one, marks=pytest.mark.soak) for one in situations]


@pytest.mark.parametrize("kind", first_and_all(EXPORTED, "all at once"))
def test_what_a_shell_exports_is_without_effect(operator: Operator, claude: InShell, tmp_path: Path, kind: str) -> None:
    """Because the settings say nothing in its place: without that, the prompt fails (next test). Of all at once none may have one."""
    home = homes.bare(tmp_path / "home")
    operator.rollout(home).ok()
    claude.exported = EXPORTED[kind]
    done = claude.prompt(home, "hello")
    assert (done.returncode, done.stdout.strip()) == (0, "You said: hello"), done.stderr


@pytest.mark.parametrize("kind", ["a token", "Bedrock"])
def test_without_it_the_shell_wins(operator: Operator, claude: InShell, tmp_path: Path, kind: str) -> None:
    home = homes.bare(tmp_path / "home")
    operator.rollout(home).ok()
    path = home / ".claude" / "settings.json"
    settings = json.loads(path.read_text())
    for name in EXPORTED[kind]:
        assert settings["env"].pop(name) == ""
    settings["env"]["CLAUDE_CODE_MAX_RETRIES"] = "0"
    path.write_text(json.dumps(settings))
    claude.exported = EXPORTED[kind]
    assert claude.prompt(home, "hello").returncode != 0


# -- settings that are dropped -----------------------------------------------------------------------------------------


def _with(home: Path, settings: dict[str, Any]) -> Path:
    """A home whose settings lead nowhere: whether they are obeyed shows in how the prompt fails."""
    homes.bare(home)
    ours = {
        "apiKeyHelper": "echo token",
        "env": {
            "ANTHROPIC_BASE_URL": NOWHERE,
            "ANTHROPIC_MODEL": "m",
            "CLAUDE_CODE_MAX_RETRIES": "0",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        },
    }
    (home / ".claude").mkdir()
    merged = {**settings, **ours, "env": {**settings.get("env", {}), **ours["env"]}}  # type: ignore[dict-item]
    (home / ".claude" / "settings.json").write_text(json.dumps(merged))
    return home


def of_both_versions(situations: Iterable[str]) -> list[Any]:
    """All with the pinned version; with the one before it one in CI, and the others in ``make soak``."""
    first, *others = sorted(situations)
    pinned = [(ClaudeCode.pinned_version, one) for one in (first, *others)]
    return [*pinned, (BEFORE, first), *(pytest.param(BEFORE, one, marks=pytest.mark.soak) for one in others)]


@pytest.mark.parametrize(("prefix", "situation"), of_both_versions(REFUSED), indirect=["prefix"])
def test_the_agent_drops_what_we_say_it_drops(
    network: Network, claude: InShell, tmp_path: Path, situation: str
) -> None:
    settings, _key = REFUSED[situation]
    done = claude.prompt(_with(tmp_path / "home", settings), "hello", within=network.command)
    assert DROPPED in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(("prefix", "situation"), of_both_versions(TOLERATED), indirect=["prefix"])
def test_the_agent_obeys_what_we_say_it_passes_over(
    network: Network, claude: InShell, tmp_path: Path, situation: str
) -> None:
    done = claude.prompt(_with(tmp_path / "home", TOLERATED[situation]), "hello", within=network.command)
    assert done.returncode != 0 and DROPPED not in done.stdout, done.stdout + done.stderr
    assert not {packet.kind for packet in network.sent()}, "nobody was asked"


# -- managed files of others -------------------------------------------------------------------------------------------


@pytest.fixture
def managed(network: Network, tmp_path: Path) -> Path:
    """``/etc/claude-code`` as programs started with :func:`_apart` see it."""
    if shutil.which("unshare") is None:
        pytest.skip("unshare is needed: apt-get install -y util-linux")
    shutil.copytree("/etc", tmp_path / "etc", symlinks=True, ignore=lambda directory, names: [
        name for name in names if name == "claude-code" or not os.access(os.path.join(directory, name), os.R_OK)
    ])  # fmt: skip
    directory = tmp_path / "etc" / "claude-code" / "managed-settings.d"
    directory.mkdir(parents=True)
    return directory.parent


def _apart(network: Network, managed: Path) -> list[str]:
    script = 'mount --bind "$0" /etc && exec "$@"'
    return [*network.command, "unshare", "--mount", "sh", "-c", script, str(managed.parent)]


@pytest.mark.parametrize("key", ["forceLoginMethod", "forceLoginOrgUUID", "env"])
def test_managed_settings_that_the_doctor_fails_keep_the_agent_from_answering(
    network: Network, claude: InShell, managed: Path, tmp_path: Path, key: str
) -> None:
    value: Any = {"forceLoginMethod": "claudeai", "env": {"CLAUDE_CODE_SIMPLE": "1"}}.get(key, "b1b1b1b1")
    (managed / "managed-settings.d" / "x.json").write_text(json.dumps({key: value}))
    done = claude.prompt(_with(tmp_path / "home", {}), "hello", within=_apart(network, managed))
    assert done.returncode == 1
    assert "managed settings" in done.stderr or DROPPED in done.stdout, done.stdout + done.stderr


def test_a_broken_managed_file(network: Network, claude: InShell, managed: Path, prefix: Path, tmp_path: Path) -> None:
    """The pinned version ends at once for everybody; the one before says so and asks on."""
    (managed / "managed-settings.d" / "x.json").write_text('{"a":')
    done = claude.prompt(_with(tmp_path / "home", {}), "hello", within=_apart(network, managed))
    assert done.returncode == 1 and "managed-settings.d/x.json" in done.stderr
    ends_at_once = ClaudeCode.source.version_of(str(prefix / "bin" / "claude")) != BEFORE
    assert ("could not be parsed as a JSON object" in done.stderr) is ends_at_once


# -- a workspace that enforces its gateway -----------------------------------------------------------------------------


def test_a_prompt_that_is_answered_with_501_does_not_hold_the_doctor_up(operator: Operator, tmp_path: Path) -> None:
    """By itself the agent repeats it 10 times, for more than 100 seconds. By the name of a model service it is answered."""
    home = homes.bare(tmp_path / "home")
    endpoints = {"claude_code": dict(ClaudeCode.model_defaults)}
    operator.workspace.control(enforces_gateway=True)
    operator.rollout(home, models=endpoints).ok()
    operator.workspace.clear()
    play = operator.doctor(home, prompt=True, models=endpoints, report=REPORT)
    (failed,) = checks(play, "FAIL")
    assert (failed["category"], "501" in failed["detail"]) == ("Prompt", True), failed
    tries = operator.workspace.requests("/ai-gateway/anthropic/v1/messages")
    assert [one["status"] for one in tries] == [501] * len(tries) and 1 <= len(tries) <= 4
    services = {
        slot: f"system.ai.{name.removeprefix('databricks-')}" for slot, name in ClaudeCode.model_defaults.items()
    }
    operator.rollout(home, models={"claude_code": services}).ok()
    play = operator.doctor(home, prompt=True, models={"claude_code": services}, report=REPORT).ok()
    assert [one["status"] for one in checks(play) if one["category"] in ("Prompt", "Models")] == ["PASS"] * 4
