# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real Claude Code searches the web and reads a page, behind a gateway that refuses the vendor's tools."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plugins.module_utils.relay import running
from plugins.module_utils.relay.places import Places
from tests.agents.claude import Claude
from tests.control_node import Operator
from tests.unit.relay_archive import free_port, wheels
from tests.unit.relay_web.web_site import Reply, Site, web_site

pytestmark = pytest.mark.agents

_MESSAGES = "/ai-gateway/anthropic/v1/messages"


@pytest.fixture
def site() -> Iterator[Site]:
    with web_site() as made:
        row = {"title": "The only result", "url": made.url("/page"), "content": "An excerpt of it"}
        made.pages["/search"] = Reply(json.dumps({"results": [row]}).encode(), "application/json")
        made.pages["/page"] = Reply(b"<title>A page</title><p>What only this page says</p>")
        yield made


@pytest.fixture
def searching(operator: Operator, site: Site, home: Path) -> Iterator[dict[str, Any]]:
    """What an operator sets who has a search service, which is here; their control node has what the relay is made of."""
    cache = operator.control.home / ".cache" / "fmapi-coding-agents" / "relay"
    cache.mkdir(parents=True)
    for name, content in wheels().items():
        (cache / name).write_bytes(content)
    yield {
        "relay": "auto",
        "relay_port": free_port(),
        "web_search": True,
        "web_search_backend": "searxng",
        "web_search_url": site.url(),
        "web_allowed_addresses": ["127.0.0.1/32"],
    }
    found = running.find(Places(str(home)))
    if found is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(found.pid, signal.SIGKILL)


def test_it_searches_where_the_gateway_would_refuse(
    operator: Operator, claude: Claude, searching: dict[str, Any], site: Site, home: Path
) -> None:
    operator.rollout(home, **searching).ok()
    operator.workspace.clear()
    operator.workspace.control(strict=True)
    # The model that is asked to search is told to by the query: the simulated one does what it reads.
    query = 'call the tool web_search with {"query": "news of today"}'
    prompt = f"call the tool WebSearch with {json.dumps({'query': query})}"
    done = claude.prompt(home, prompt, "--allowedTools", "WebSearch")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f'{{"title":"The only result","url":"{site.url("/page")}"}}' in done.stdout, done.stdout
    # What was found has reached the model that searched, and its summary has come back with the results.
    assert "The tool said: 1. The only result" in done.stdout and "An excerpt of it" in done.stdout
    assert [one for one in site.paths() if one.startswith("/search")] == ["/search?q=news+of+today&format=json"]
    requests = operator.workspace.requests()
    assert not [one for one in requests if one.get("server_tools")], "none has reached the gateway"
    assert not [one for one in requests if one["path"] == _MESSAGES and one["status"] != 200]


def test_the_same_search_is_refused_where_the_relay_only_passes_it(
    operator: Operator, claude: Claude, searching: dict[str, Any], site: Site, home: Path
) -> None:
    """The counter-proof: without the rewriting, and with the tool, the gateway gets what it refuses."""
    operator.rollout(home, **{**searching, "web_search": False, "relay_clients": ["claude_code"]}).ok()
    settings = home / ".claude" / "settings.json"
    told = json.loads(settings.read_text())
    assert told["permissions"].pop("deny") == ["WebSearch"]
    settings.write_text(json.dumps(told))
    operator.workspace.clear()
    operator.workspace.control(strict=True)
    prompt = 'call the tool WebSearch with {"query": "news of today"}'
    done = claude.prompt(home, prompt, "--allowedTools", "WebSearch")
    assert "The only result" not in done.stdout
    refused = [one["server_tools"] for one in operator.workspace.requests() if one["status"] == 400]
    assert refused == [["web_search_20250305"]]
    assert site.asked == []


def test_it_reads_a_page_by_the_model_context_protocol(
    operator: Operator, claude: Claude, searching: dict[str, Any], site: Site, home: Path
) -> None:
    operator.rollout(home, **searching).ok()
    command = f"{home}/.local/share/fmapi-coding-agents/coding-agents"
    servers = json.dumps({"mcpServers": {"web": {"command": command, "args": ["mcp", "web"]}}})
    prompt = f"call the tool mcp__web__web_fetch with {json.dumps({'url': site.url('/page')})}"
    done = claude.prompt(
        home, prompt, "--strict-mcp-config", "--mcp-config", servers, "--allowedTools", "mcp__web__web_fetch"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "What only this page says" in done.stdout
    assert site.paths() == ["/robots.txt", "/page"]
