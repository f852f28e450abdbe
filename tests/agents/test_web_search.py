# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real Claude Code searches the web and reads a page, behind a gateway that refuses the vendor's tools."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.config import Config

from tests import homes
from tests.agents.claude import Claude
from tests.control_node import Operator
from tests.unit.relay.relay_host import Relay
from tests.unit.relay_web.web_site import Reply, Site, web_site

pytestmark = pytest.mark.agents

_SEARCH = "/ai-gateway/anthropic/v1/messages"


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    with web_site() as made:
        row = {"title": "The only result", "url": made.url("/page"), "content": "An excerpt of it"}
        made.pages["/search"] = Reply(json.dumps({"results": [row]}).encode(), "application/json")
        made.pages["/page"] = Reply(b"<title>A page</title><p>What only this page says</p>")
        yield made


@pytest.fixture
def searching(operator: Operator, site: Site, tmp_path: Path) -> Iterator[Relay]:
    """A relay of somebody who was rolled out to, with a local search service, and their Claude Code set to it."""
    home = homes.bare(tmp_path / "home")
    operator.rollout(home).ok()
    config = Config.load(Config(str(home), "", "", "", 15).config_file)
    upstreams = {"anthropic": f"{operator.workspace.url}/ai-gateway/anthropic"}
    relay = Relay(
        home,
        upstreams,
        config,
        web_search="searxng",
        web_search_url=site.url(),
        web_allowed_addresses=["127.0.0.1/32"],
    )
    path = home / ".claude" / "settings.json"
    settings = json.loads(path.read_text())
    settings["env"]["ANTHROPIC_BASE_URL"] = f"{relay.settings.url}/anthropic"
    settings["apiKeyHelper"] = f"cat {shlex.quote(relay.places.key)}"
    settings["permissions"] = {"allow": ["WebSearch", "mcp__web"]}
    path.write_text(json.dumps(settings))
    try:
        yield relay.start()
    finally:
        relay.stop()


def _asked(operator: Operator) -> list[dict[str, Any]]:
    return [one for one in operator.workspace.requests() if one["path"] == _SEARCH and one["status"] == 200]


def test_it_searches_where_the_gateway_would_refuse(
    operator: Operator, claude: Claude, searching: Relay, site: Site
) -> None:
    operator.workspace.clear()
    operator.workspace.control(strict=True)
    # The model that is asked to search is told to by the query: the simulated one does what it reads.
    query = 'call the tool web_search with {"query": "news of today"}'
    done = claude.prompt(searching.home, f"call the tool WebSearch with {json.dumps({'query': query})}")
    assert done.returncode == 0, done.stdout + done.stderr + searching.log()
    assert f'{{"title":"The only result","url":"{site.url("/page")}"}}' in done.stdout, done.stdout
    # What was found has reached the model that searched, and its summary has come back with the results.
    assert "The tool said: 1. The only result" in done.stdout and "An excerpt of it" in done.stdout
    assert [one for one in site.paths() if one.startswith("/search")] == ["/search?q=news+of+today&format=json"]
    requests = operator.workspace.requests()
    assert not [one for one in requests if one.get("server_tools")], "none has reached the gateway"
    assert not [one for one in requests if one["path"] == _SEARCH and one["status"] != 200]


def test_without_it_the_same_search_is_refused(
    operator: Operator, claude: Claude, searching: Relay, site: Site
) -> None:
    """The counter-proof: what the relay passes unchanged, the gateway refuses."""
    searching.stop()
    searching.configure(web_search=None)
    searching.start()
    operator.workspace.clear()
    operator.workspace.control(strict=True)
    done = claude.prompt(searching.home, 'call the tool WebSearch with {"query": "news of today"}')
    assert "The only result" not in done.stdout
    assert [one["server_tools"] for one in operator.workspace.requests() if one["status"] == 400] == [
        ["web_search_20250305"]
    ]
    assert site.asked == []


def test_it_reads_a_page_by_the_model_context_protocol(
    operator: Operator, claude: Claude, searching: Relay, site: Site
) -> None:
    command, *arguments = [*searching.command()[:-1], "mcp-web"]
    assert command == sys.executable
    servers = {"mcpServers": {"web": {"command": command, "args": arguments}}}
    prompt = f"call the tool mcp__web__web_fetch with {json.dumps({'url': site.url('/page')})}"
    done = claude.prompt(searching.home, prompt, "--strict-mcp-config", "--mcp-config", json.dumps(servers))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "What only this page says" in done.stdout
    assert site.paths() == ["/robots.txt", "/page"]
