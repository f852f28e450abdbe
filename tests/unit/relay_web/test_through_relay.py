# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Server tools through a relay that serves: what the workspace is asked, and what the client gets."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.relay.relay_host import Answer, Relay, relay, wait_until
from tests.unit.relay.upstream import Exchange, Upstream
from tests.unit.relay_web.said import BASH, SEARCH_TOOL, call, message_of, request, streamed, text
from tests.unit.relay_web.web_site import Reply, Site, web_site

MESSAGES = "/anthropic/v1/messages"
SEARCHED = streamed([text("Let me see."), call("web_search", {"query": "news"})], "tool_use")
TOLD = streamed([text("There is news.")])


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as one:
        yield one


@pytest.fixture(scope="module")
def searched() -> Iterator[Site]:
    with web_site() as made:
        rows = [{"title": "T", "url": "https://t.example/", "content": "says so"}]
        made.pages["/search"] = Reply(json.dumps({"results": rows}).encode(), "application/json")
        yield made


@pytest.fixture(scope="module")
def serving(upstream: Upstream, searched: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    home = tmp_path_factory.mktemp("web") / "home"
    upstreams = {"anthropic": f"{upstream.url}/gateway"}
    with relay(home, upstreams, web_search="searxng", web_search_url=searched.url()) as one:
        yield one


def _ask(serving: Relay, upstream: Upstream, body: bytes, *answers: bytes, path: str = MESSAGES) -> Answer:
    """What comes of a prompt; the workspace gives these answers, one after the other, and refuses any further request."""
    upstream.clear()
    left = list(answers)

    def script(exchange: Exchange) -> None:
        if left:
            kind = "application/json" if left[0].startswith(b"{") else "text/event-stream"
            exchange.whole(left.pop(0), "200 OK", f"Content-Type: {kind}")
        else:
            exchange.whole(b'{"error": "busy"}', "429 Too Many Requests", "Retry-After: 7")

    upstream.script = script
    betas = {"anthropic-beta": "web-search-2025-03-05,effort-2025-11-24", "accept-encoding": "gzip"}
    return serving.ask("POST", path, body, {"content-type": "application/json", **betas})


def test_one_answer_comes_of_two_requests(serving: Relay, upstream: Upstream) -> None:
    answer = _ask(serving, upstream, request(SEARCH_TOOL), SEARCHED, TOLD)
    assert answer.status == 200 and "content-length" not in answer.headers
    blocks = message_of(answer.body)["content"]
    assert [one["type"] for one in blocks] == ["text", "server_tool_use", "web_search_tool_result", "text"]
    first, second = upstream.asked
    for asked in (first, second):
        assert asked.values("accept-encoding") == ["identity"]
        assert asked.values("anthropic-beta") == ["effort-2025-11-24"]
        assert asked.target == "/gateway/v1/messages" and b"web_search_20250305" not in asked.body
    assert "says so" in json.loads(second.body)["messages"][-1]["content"][0]["content"]


def test_where_the_second_request_is_refused_the_results_are_the_answer(serving: Relay, upstream: Upstream) -> None:
    message = message_of(_ask(serving, upstream, request(SEARCH_TOOL), SEARCHED).body)
    assert [one["type"] for one in message["content"]][-1] == "web_search_tool_result"
    assert message["stop_reason"] == "end_turn" and len(upstream.asked) == 2


def test_a_refusal_of_the_first_request_passes_as_it_came(serving: Relay, upstream: Upstream) -> None:
    answer = _ask(serving, upstream, request(SEARCH_TOOL))
    assert (answer.status, answer.headers["retry-after"], answer.body) == (429, "7", b'{"error": "busy"}')


def test_a_prompt_without_server_tools_passes_byte_for_byte(serving: Relay, upstream: Upstream) -> None:
    body = request(BASH)
    answer = _ask(serving, upstream, body, TOLD)
    assert answer.body == TOLD and upstream.asked[0].body == body
    assert upstream.asked[0].values("accept-encoding") == ["gzip"]


def test_tokens_are_counted_of_what_would_be_sent(serving: Relay, upstream: Upstream) -> None:
    answer = _ask(
        serving, upstream, request(SEARCH_TOOL), b'{"input_tokens": 9}', path="/anthropic/v1/messages/count_tokens"
    )
    assert answer.json == {"input_tokens": 9}
    assert b"web_search_20250305" not in upstream.asked[0].body


def test_what_an_earlier_answer_left_is_rewritten_though_nothing_is_offered(serving: Relay, upstream: Upstream) -> None:
    use = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "news"}}
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [use, text("News.")]},
        {"role": "user", "content": "thanks"},
    ]
    answer = _ask(serving, upstream, request(BASH, messages=messages), TOLD)
    assert answer.body == TOLD and b"server_tool_use" not in upstream.asked[0].body


def test_a_client_that_goes_away_while_it_is_searched_for_it_leaves_no_request(
    serving: Relay, upstream: Upstream, searched: Site
) -> None:
    searched.is_open.clear()
    try:
        upstream.clear()
        upstream.script = lambda exchange: exchange.whole(SEARCHED, "200 OK", "Content-Type: text/event-stream")
        with contextlib.closing(serving.connection()) as connection:
            connection.request("POST", MESSAGES, request(SEARCH_TOOL), {"x-api-key": serving.key})
            assert connection.getresponse().read(20)
        wait_until(lambda: not serving.ask("GET", "/health").json["active"])
    finally:
        searched.is_open.set()
    assert len(upstream.asked) == 1, "the model was not asked again"
