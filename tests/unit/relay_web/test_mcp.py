# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server of the Model Context Protocol, as a client starts it: a process, and a message on each line."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.config import Config
from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay.settings import Settings
from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay.web.mcp import PROTOCOLS, Server

from tests.unit.relay_web.said import UNAVAILABLE, Web
from tests.unit.relay_web.web_site import Reply, Site

ROOT = Path(__file__).parents[3]
_PROGRAM = "import sys; from plugins.module_utils.relay.main import main; sys.exit(main(sys.argv[1:]))"
HELLO = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}


def _started(home: Path, **settings: Any) -> subprocess.Popen[bytes]:
    config = home / "config.json"
    config.write_text(Config(str(home), "https://w.example", "p", "user", 15).to_json())
    told = home / "relay.json"
    told.write_text(Settings(config=str(config), upstreams={}, **settings).to_json())
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, "--settings", str(told), "mcp-web"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"HOME": str(home), "PATH": os.environ["PATH"]},
        cwd=ROOT,
    )


def _request(method: str, number: int = 1, **parameters: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": parameters}


def _told(home: Path, messages: list[Any], **settings: Any) -> list[Any]:
    """What a client is told for messages, by their ids."""
    process = _started(home, **settings)
    lines = b"".join((one if isinstance(one, bytes) else json.dumps(one).encode()) + b"\n" for one in messages)
    out, errors = process.communicate(lines, timeout=60)
    assert (process.returncode, errors) == (0, b"")
    return [json.loads(line) for line in out.splitlines()]


def test_a_session_from_hello_to_the_end(tmp_path: Path, site: Site) -> None:
    site.pages["/search"] = Reply(
        json.dumps({"results": [{"title": "T", "url": site.url("/page"), "content": "says so"}]}).encode(),
        "application/json",
    )
    site.pages["/page"] = Reply(b"<title>P</title><p>the page</p>")
    messages = [
        _request("initialize", 1, **HELLO),
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        _request("ping", 2),
        _request("tools/list", 3),
        _request("tools/call", 4, name="web_search", arguments={"query": "news"}),
        _request("tools/call", 5, name="web_fetch", arguments={"url": site.url("/page")}),
        _request("tools/call", 6, name="web_fetch", arguments={"url": "http://169.254.169.254/"}),
    ]
    told = _told(
        tmp_path, messages, web_search="searxng", web_search_url=site.url(), web_allowed_addresses=["127.0.0.1/32"]
    )
    by_number = {one["id"]: one["result"] for one in told}
    assert sorted(by_number) == [1, 2, 3, 4, 5, 6]
    assert by_number[1]["protocolVersion"] == "2025-06-18" and by_number[1]["capabilities"] == {"tools": {}}
    assert by_number[2] == {}
    assert [one["name"] for one in by_number[3]["tools"]] == ["web_search", "web_fetch"]
    assert all(one["inputSchema"]["type"] == "object" for one in by_number[3]["tools"])
    (found,) = by_number[4]["content"]
    assert found["type"] == "text" and found["text"] == f"1. T\n{site.url('/page')}\nsays so"
    assert by_number[5]["content"][0]["text"] == f"P\n{site.url('/page')}\n\nthe page"
    assert by_number[6]["isError"] is True and by_number[6]["content"][0]["text"].startswith("url_not_allowed: ")


def test_rubbish_is_answered_with_errors_and_ends_nothing(tmp_path: Path) -> None:
    messages = [b"{", b"[]", b"3", {"id": 1, "method": "ping"}, _request("no/such", 7), _request("ping", 8)]
    told = _told(tmp_path, messages, web_search="none")
    assert sorted(one["error"]["code"] for one in told if "error" in one) == [-32700, -32601, -32600, -32600, -32600]
    assert [one["result"] for one in told if one["id"] == 8] == [{}]


def test_off_it_does_not_start_and_says_why(tmp_path: Path) -> None:
    process = _started(tmp_path)
    out, errors = process.communicate(b"", timeout=60)
    assert (process.returncode, out) == (1, b"")
    assert errors == b"coding-agents: web search is not switched on here: the operator sets coding_agents_web_search\n"


def _answer(server: Server, message: Any) -> Any:
    return asyncio.run(server.answer(message))


@pytest.mark.parametrize("wanted", [*PROTOCOLS, "2030-01-01", None, 3])
def test_the_protocols_version_is_the_clients_where_we_know_it(wanted: Any) -> None:
    answer = _answer(Server(Web()), _request("initialize", **{**HELLO, "protocolVersion": wanted}))
    assert answer["result"]["protocolVersion"] == (wanted if wanted in PROTOCOLS else "2025-11-25")


def test_where_nobody_searches_only_fetching_is_offered() -> None:
    server = Server(Web(), can_search=False)
    assert [one["name"] for one in _answer(server, _request("tools/list"))["result"]["tools"]] == ["web_fetch"]
    answer = _answer(server, _request("tools/call", name="web_search", arguments={"query": "x"}))
    assert answer["error"]["code"] == -32602


@pytest.mark.parametrize(
    "parameters", [{}, {"name": "rm"}, {"name": "web_search"}, {"name": "web_fetch", "arguments": {"url": 1}}]
)
def test_calls_that_fit_no_tool_are_refused(parameters: dict[str, Any]) -> None:
    assert _answer(Server(Web()), _request("tools/call", **parameters))["error"]["code"] == -32602


def test_a_tool_that_fails_is_no_failed_request() -> None:
    answer = _answer(Server(Web(UNAVAILABLE)), _request("tools/call", name="web_search", arguments={"query": "x"}))
    assert answer["result"] == {
        "content": [{"type": "text", "text": "unavailable: nobody searches here"}],
        "isError": True,
    }


def test_a_fault_of_ours_is_answered() -> None:
    server = Server(Web(RuntimeError("ours")))
    answer = _answer(server, _request("tools/call", name="web_search", arguments={"query": "x"}))
    assert answer["error"] == {"code": -32603, "message": "RuntimeError"}


def test_a_batch_is_answered_by_a_batch_and_notifications_by_nothing() -> None:
    server = Server(Web())
    done = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert _answer(server, done) is None and _answer(server, [done]) is None
    assert [one["id"] for one in _answer(server, [_request("ping", 1), done, _request("ping", 2)])] == [1, 2]


def test_a_call_that_is_cancelled_is_not_answered_and_the_next_one_is(tmp_path: Path, site: Site) -> None:
    site.is_open.clear()
    process = _started(tmp_path, web_search="searxng", web_search_url=site.url())
    assert process.stdin and process.stdout
    with process:
        for message in (
            _request("tools/call", 1, name="web_search", arguments={"query": "x"}),
            {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}},
            _request("ping", 2),
        ):
            process.stdin.write(json.dumps(message).encode() + b"\n")
        process.stdin.close()
        assert [json.loads(line)["id"] for line in process.stdout] == [2]
