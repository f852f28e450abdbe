# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real Claude Code answers through the workspace in a home that a rollout has set up."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils.agents.claude_code import ClaudeCode
from plugins.module_utils.routing import model_service_of
from tests import homes
from tests.agents.claude import Claude, keep_tokens_for
from tests.agents.network import ADDRESS, Network, Packet
from tests.agents.terminal import typed
from tests.control_node import ControlNode, Operator
from tests.hosts.tree import differences, manifest
from tests.workspace.client import Workspace

pytestmark = pytest.mark.agents

BASES = {"gateway": "/ai-gateway/anthropic", "serving_endpoints": "/serving-endpoints/anthropic"}


def _messages(workspace: Workspace) -> list[dict[str, Any]]:
    return [one for one in workspace.requests() if one["path"].endswith("/v1/messages")]


@pytest.mark.parametrize("routing", sorted(BASES))
def test_a_reply_through_each_routing(operator: Operator, claude: Claude, tmp_path: Path, routing: str) -> None:
    home = homes.lived_in(tmp_path / "Ada's home, żółć")
    operator.rollout(home, routing=routing).ok()
    operator.workspace.clear()
    operator.workspace.control(strict=True)
    done = claude.prompt(home, f"say hello through {routing}")
    assert (done.returncode, done.stdout.strip()) == (0, f"You said: say hello through {routing}"), done.stderr
    assert done.stderr == ""
    requests = operator.workspace.requests()
    answered = [one for one in requests if one["token"] == "valid"]
    assert answered and all(one["path"] == f"{BASES[routing]}/v1/messages" for one in answered), requests
    # Only the gateway knows model services.
    asked = ClaudeCode.model_defaults["default"]
    asked = model_service_of(asked) if routing == "gateway" else asked
    assert all(one["model"] == asked for one in answered)
    assert all(one["coding_agent_mode"] and one["identity"] == "service_principal" for one in answered)
    assert all(one["path"].startswith(BASES[routing]) for one in requests), requests
    assert not [one for one in requests if one["secret_in"]]


@pytest.mark.parametrize("alias", ["opus", "sonnet", "haiku"])
def test_each_alias_reaches_its_model(operator: Operator, claude: Claude, tmp_path: Path, alias: str) -> None:
    home = homes.bare(tmp_path / "home")
    operator.rollout(home).ok()
    done = claude.prompt(home, "hello", "--model", alias)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {one["model"] for one in _messages(operator.workspace)} == {
        model_service_of(ClaudeCode.model_defaults[alias])
    }


def test_a_token_that_expires_during_a_session(operator: Operator, claude: Claude, tmp_path: Path) -> None:
    """Claude Code keeps its token for the TTL; when that is too long it meets a 401, and the user must not notice."""
    home = homes.bare(tmp_path / "home")
    lifetime = 12
    operator.workspace.control(token_lifetime=lifetime)
    operator.rollout(home).ok()
    session = claude.session(home)
    assert session.ask("first")["result"] == "You said: first"
    operator.workspace.clear()
    # However late the helper asked for the token in use, it is dead now; the clock of the workspace decides.
    time.sleep(lifetime + 1)
    second = session.ask("second")
    assert (second["result"], second["is_error"]) == ("You said: second", False), session.errors()
    seen = [(one["token"], one["status"]) for one in _messages(operator.workspace)]
    assert seen == [("expired", 401), ("valid", 200)]
    assert session.errors() == ""


def test_a_token_that_is_revoked_during_a_session(operator: Operator, claude: Claude, tmp_path: Path) -> None:
    """By the clock the cached token is good for most of an hour; the helper must not hand it out for ever."""
    home = homes.bare(tmp_path / "home")
    operator.rollout(home).ok()
    operator.workspace.clear()
    session = claude.session(home)
    assert session.ask("first")["is_error"] is False
    operator.workspace.control(revoke_tokens=True)
    second = session.ask("second")
    assert (second["result"], second["is_error"]) == ("You said: second", False), session.errors()
    seen = [(one["token"], one["status"]) for one in _messages(operator.workspace)]
    assert seen[0] == seen[-1] == ("valid", 200)
    assert set(seen[1:-1]) == {("revoked", 401)} and len(seen) <= 4, seen


def _count_helper_calls(home: Path) -> Path:
    """Put a shim before the helper that writes a line per call; returns the file with the lines."""
    path = home / ".claude" / "settings.json"
    settings = json.loads(path.read_text())
    calls, shim = home / "helper-calls", home / "counting-helper"
    shim.write_text(f'#!/bin/sh\necho call >>"{calls}"\nexec {settings["apiKeyHelper"]}\n')
    shim.chmod(0o700)
    settings["apiKeyHelper"] = str(shim)
    path.write_text(json.dumps(settings))
    return calls


def test_the_helper_runs_at_most_once_per_ttl(operator: Operator, claude: Claude, tmp_path: Path) -> None:
    home = homes.bare(tmp_path / "home")
    operator.rollout(home, token_ttl_minutes=5).ok()
    calls = _count_helper_calls(home)
    operator.workspace.clear()
    session = claude.session(home)
    for turn in range(6):
        assert session.ask(f"turn {turn}")["result"] == f"You said: turn {turn}"
    assert len(calls.read_text().splitlines()) == 1, "six turns within one TTL"
    assert operator.workspace.requests("/oidc/v1/token") == [], "the token of the rollout was good for all of them"


def test_the_helper_runs_again_after_the_ttl(operator: Operator, claude: Claude, tmp_path: Path) -> None:
    """The unit of the setting is what we think it is: milliseconds from one call to the next."""
    home = homes.bare(tmp_path / "home")
    operator.rollout(home).ok()
    ttl = 4.0
    keep_tokens_for(home, ttl)
    calls = _count_helper_calls(home)
    session = claude.session(home)
    begin = time.monotonic()
    session.ask("the first")
    while len(calls.read_text().splitlines()) < 3 and time.monotonic() - begin < 90:
        session.ask("again")
        time.sleep(0.2)
    elapsed = time.monotonic() - begin
    count = len(calls.read_text().splitlines())
    assert 3 <= count <= elapsed / ttl + 1, f"{count} calls in {elapsed:.1f} s with a TTL of {ttl} s"
    assert {one["status"] for one in _messages(operator.workspace)} == {200}


@pytest.fixture
def reachable(network: Network, tmp_path: Path) -> Iterator[Workspace]:
    """A workspace that programs in the watched network reach, and nothing else."""
    with Workspace(tmp_path / "workspace", host=ADDRESS) as running:
        yield running


def test_nothing_is_asked_but_the_workspace(
    network: Network, reachable: Workspace, claude: Claude, prefix: Path, control: ControlNode, tmp_path: Path
) -> None:
    """Not one packet goes elsewhere, not even a DNS query: rollout, one prompt, a session and the doctor."""
    home = homes.lived_in(tmp_path / "home")
    operator = Operator(control, reachable, prefix)
    variables = {"host": operator.variables(home, doctor_prompt=True)}
    control.run("rollout", variables, command=network.command).ok()
    done = claude.prompt(home, "is anybody there", within=network.command)
    assert done.stdout.strip() == "You said: is anybody there", done.stderr
    session = claude.session(home, within=network.command)
    for turn in range(3):
        assert session.ask(f"turn {turn}")["is_error"] is False
        time.sleep(2)  # what is sent in the background comes late
    control.run("doctor", variables, command=network.command).ok()
    assert network.sent() == {Packet("tcp", ADDRESS, reachable.port)}


def test_the_watch_sees_what_goes_elsewhere(network: Network) -> None:
    """The counter-proof, without which the test above would say nothing."""
    stray = "import socket; socket.setdefaulttimeout(1); socket.create_connection((%r, 443))"
    for where in ("api.anthropic.com", "203.0.113.9"):
        subprocess.run([*network.command, sys.executable, "-c", stray % where], capture_output=True, check=False)
    assert network.sent() == {Packet("udp", "192.0.2.53", 53), Packet("tcp", "203.0.113.9", 443)}


def _without_ours(settings: dict[str, Any], rolled_out: dict[str, Any], original: dict[str, Any]) -> dict[str, Any]:
    """Settings as Claude Code left them, less what the rollout had added to ``original``."""
    environment = {k: v for k, v in settings["env"].items() if k not in set(rolled_out["env"]) - set(original["env"])}
    deny = [one for one in settings["permissions"]["deny"] if one in original["permissions"]["deny"]]
    left = {k: v for k, v in settings.items() if k != "apiKeyHelper"}
    return {**left, "env": environment, "permissions": {**settings["permissions"], "deny": deny}}


def test_the_older_script_s_command_starts_it_and_its_function_comes_back(operator: Operator, tmp_path: Path) -> None:
    home, name = homes.bare(tmp_path / "home"), "dbx-fmapi-claude"
    function = f'\n# >>> {name} wrapper >>>\n{name}() {{\n  command claude "$@"\n}}\n# <<< {name} wrapper <<<\n'
    (home / ".bashrc").write_text(f"# mine\n{function}")
    operator.rollout(home).ok()
    done = typed(home, f"{name} -p hello")
    assert (done.returncode, done.stdout.strip()) == (0, "You said: hello"), done.stderr
    assert operator.rollout(home).ok().changed() == 0
    operator.uninstall(home).ok()
    assert (home / ".bashrc").read_text() == f"# mine\n{function}"


@pytest.mark.parametrize("make", [homes.bare, homes.lived_in])
def test_uninstall_after_real_use_takes_only_ours(
    operator: Operator, claude: Claude, tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    """Claude Code writes into the home, and rewrites ``~/.claude.json`` and sometimes the settings: that stays."""
    home = make(tmp_path / "home")
    before = manifest(str(home))
    settings = home / ".claude" / "settings.json"
    original = json.loads(settings.read_text()) if settings.exists() else None
    operator.rollout(home).ok()
    rolled_out, ours = manifest(str(home)), json.loads(settings.read_text())
    for text in ("one", "two"):
        assert claude.prompt(home, text).stdout.strip() == f"You said: {text}"
    used, edited = manifest(str(home)), json.loads(settings.read_text())
    state = json.loads((home / ".claude.json").read_text())
    # The helper keeps notes beside its token; they are ours, and go.
    written_by_claude = {path for path in set(used) - set(rolled_out) if "fmapi-coding-agents" not in path}
    assert any(path.startswith(".claude/projects/") for path in written_by_claude), written_by_claude
    assert state.pop("hasCompletedOnboarding") is True and len(state) > 1
    assert operator.rollout(home).ok().changed() == 0

    operator.uninstall(home).ok()
    after = manifest(str(home))
    assert json.loads((home / ".claude.json").read_text()) == state, "Claude's own keys, and no other"
    assert stat.S_IMODE((home / ".claude.json").stat().st_mode) == 0o600
    assert settings.exists() == (original is not None)
    if original is not None:
        assert json.loads(settings.read_text()) == _without_ours(edited, ours, original)
    # The rest: what was there is as it was, what Claude wrote is as it wrote it, and nothing else is left.
    expected = {**{path: used[path] for path in written_by_claude}, **before}
    for path in written_by_claude:
        for parent in Path(path).parents:
            expected.setdefault(str(parent), used[str(parent)])
    for compared in (".claude.json", "dotfiles/claude-settings.json"):
        if compared in after:
            expected[compared] = after[compared]
    assert differences(expected, after) == []


def test_it_asks_the_gateway_for_its_models_where_that_is_wanted(
    operator: Operator, claude: Claude, tmp_path: Path
) -> None:
    """What it finds is for its picker: a prompt asks for the model of the settings, and is answered without a list, too."""
    home = homes.bare(tmp_path / "home")
    listing = "/ai-gateway/anthropic/v1/models"
    found = home / ".claude" / "cache" / "gateway-models.json"
    operator.rollout(home).ok()
    operator.workspace.clear()
    assert claude.prompt(home, "hello").returncode == 0
    assert operator.workspace.requests(listing) == [] and not found.exists(), "not by itself"

    operator.rollout(home, claude_code_gateway_model_discovery=True).ok()
    assert operator.rollout(home, claude_code_gateway_model_discovery=True).ok().changed() == 0
    operator.workspace.clear()
    done = claude.prompt(home, "hello")
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "You said: hello", "")
    (asked,) = operator.workspace.requests(listing)
    assert (asked["status"], asked["token"]) == (200, "valid")
    assert "databricks-claude-opus-4-6" in [one["id"] for one in json.loads(found.read_text())["models"]]
    assert {one["model"] for one in _messages(operator.workspace)} == {"system.ai.claude-opus-4-6"}

    found.unlink()
    operator.workspace.control(fail_next={"path_prefix": listing, "status": 404})
    assert claude.prompt(home, "hello").stdout.strip() == "You said: hello"
    operator.rollout(home).ok()
    settings = json.loads((home / ".claude" / "settings.json").read_text())
    assert not [name for name in settings["env"] if "DISCOVERY" in name], "taken back with the option"
