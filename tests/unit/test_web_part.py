# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host whose agents search the web through the relay: what a rollout changes for that, and what goes again with it."""

from __future__ import annotations

import json
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.options import web
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import How

from tests import homes
from tests.hosts.tree import differences, manifest
from tests.unit.test_relay_part import Host

CHECK, RUN, DIFF = How(check=True), How(), How(check=True, diff=True)
KEY = "BSA-key-of-the-search-service"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    made = Host(homes.bare(tmp_path / "home"))
    made.chosen.update(agents=["claude_code"], carried={**made.chosen["carried"], "forgotten": ["web_search_key"]})
    yield made
    made.uninstall()


def _claude(host: Host) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((host.home / ".claude" / "settings.json").read_text())
    return found


def _told(host: Host) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((host.home / ".local/share/fmapi-coding-agents/relay.json").read_text())
    return found


def test_on_claude_code_goes_through_the_relay_and_its_search_is_not_denied_any_more(host: Host) -> None:
    before = manifest(str(host.home))
    host.roll_out(relay="off")
    assert _claude(host)["permissions"]["deny"] == ["WebSearch"]
    foretold = host.roll_out(CHECK, web_search=True)
    assert host.roll_out(web_search=True)["changes"] == foretold["changes"]
    settings = _claude(host)
    assert "permissions" not in settings
    assert settings["env"]["ANTHROPIC_BASE_URL"] == f"http://127.0.0.1:{host.chosen['relay_port']}/anthropic"
    told = _told(host)
    assert (told["web_search"], told["web_fetch_bytes"], told["web_allowed_addresses"]) == ("duckduckgo", 102400, [])
    assert not host.roll_out(web_search=True)["changed"]
    host.roll_out()
    assert _claude(host)["permissions"]["deny"] == ["WebSearch"], "what is off is denied again"
    host.roll_out(web_search=True)
    host.uninstall()
    assert not differences(before, manifest(str(host.home)))


def test_an_agent_that_has_a_url_of_its_own_is_denied_it_still(host: Host) -> None:
    host.roll_out(relay="session", web_search=True, base_urls={"claude_code": "https://llm.example.com/anthropic"})
    assert _claude(host)["permissions"]["deny"] == ["WebSearch"]


def test_the_key_is_the_person_s_alone_and_shown_nowhere(host: Host) -> None:
    brave: dict[str, Any] = {"web_search": True, "web_search_backend": "brave", "web_search_key": KEY}
    foretold = host.roll_out(DIFF, **brave)
    assert "web-search-key" in json.dumps(foretold) and KEY not in json.dumps(foretold)
    done = host.roll_out(How(diff=True), **brave)
    assert KEY not in json.dumps(done)
    file = host.home / ".local/share/fmapi-coding-agents/web-search-key"
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == (f"{KEY}\n", 0o600)
    others = [path for path in host.home.rglob("*") if path.is_file() and path != file]
    assert not [path for path in others if KEY.encode() in path.read_bytes()]
    host.roll_out(web_search=True)
    assert not file.exists(), "it goes with what it was for"


def test_a_repair_keeps_the_key_and_brings_the_rest_back(host: Host) -> None:
    host.roll_out(web_search=True, web_search_backend="brave", web_search_key=KEY)
    told = host.home / ".local/share/fmapi-coding-agents/relay.json"
    content = told.read_bytes()
    told.unlink()
    done = host.command("repair")
    assert done.returncode == 0 and KEY not in done.stdout, done.stderr
    assert told.read_bytes() == content
    assert (told.parent / "web-search-key").read_text() == f"{KEY}\n"


def test_the_command_serves_the_same_tools_to_any_agent(host: Host) -> None:
    host.roll_out(web_search=True, web_search_backend="none")
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion": "2025-06-18"}}
    listing = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}

    def started(words: str) -> subprocess.CompletedProcess[str]:
        command = [host.config.front, "mcp", "web"]
        return subprocess.run(
            command, env=host.environment, input=words, capture_output=True, text=True, check=False, timeout=60
        )

    done = started(f"{json.dumps(hello)}\n{json.dumps(listing)}\n")
    assert (done.returncode, done.stderr) == (0, "")
    first, second = (json.loads(line)["result"] for line in done.stdout.splitlines())
    assert first["protocolVersion"] == "2025-06-18"
    assert [one["name"] for one in second["tools"]] == ["web_fetch"]
    host.roll_out(relay="session")
    done = started("")
    assert (done.returncode, done.stdout) == (1, "") and "coding_agents_web_search" in done.stderr


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "coding_agents_relay is off"),
        ({"relay": "auto", "web_search_backend": "searxng"}, "Set coding_agents_web_search_url"),
        ({"relay": "auto", "web_search_backend": "brave"}, "Set coding_agents_web_search_key"),
        ({"relay": "auto", "web_search_key": KEY, "scope": "machine"}, "every user of the host could read it"),
    ],
)
def test_what_cannot_work_is_refused_with_the_way_out(given: dict[str, Any], said: str) -> None:
    (problem,) = web.together({"web_search": True, **given})
    assert said in problem and KEY not in problem
    assert web.together({**given, "web_search": False}) == []


@pytest.mark.parametrize(
    ("name", "bad", "good"),
    [
        ("web_search_url", "search.example.com", "https://search.example.com/x"),
        ("web_search_key", "two words", KEY),
        ("web_fetch_bytes", 10, 1000),
        ("web_allowed_addresses", ["10.0.0.1/8"], ["10.0.0.0/8", "fd00::/8"]),
    ],
)
def test_a_value_that_cannot_be_is_refused(name: str, bad: Any, good: Any) -> None:
    (problem,) = web.CHECKS[name](bad, f"coding_agents_{name}")
    assert problem.startswith(f"coding_agents_{name} ") and "two words" not in problem
    assert web.CHECKS[name](good, f"coding_agents_{name}") == []
