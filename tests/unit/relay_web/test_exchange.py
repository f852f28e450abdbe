# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A request with server tools, and its answer: what the gateway gets, and what the client gets."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Mapping
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay.web.rewriting import Exchange
from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay.web.rounds import MOST_INPUT
from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay.web.sse import MOST_BYTES
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.relay_web.said import (
    BASH,
    FETCH_TOOL,
    OFF,
    ON,
    SEARCH_TOOL,
    UNAVAILABLE,
    Model,
    Web,
    call,
    chunks,
    events_of,
    frame,
    message_of,
    request,
    streamed,
    text,
)

SEARCHED = streamed([text("Let me see."), call("web_search", {"query": "news"})], "tool_use")
TOLD = streamed([text("There is news.")])


async def _joined(exchange: Exchange, *parts: bytes) -> bytes:
    return b"".join([part async for part in exchange.stream(chunks(*parts))])


def _streamed(exchange: Exchange, *parts: bytes) -> bytes:
    return asyncio.run(_joined(exchange, *parts))


def _kinds(message: Mapping[str, Any]) -> list[str]:
    return [block["type"] for block in message["content"]]


@pytest.mark.parametrize(
    "body",
    [
        request(BASH),
        b'{"tools": [{"type": "web_search_20250305"',
        b'["web_search_20250305"]',
        request(BASH, messages=[{"role": "user", "content": "what is web_search_20250305?"}]),
        request({"name": "web_search", "input_schema": {"type": "object"}}),
    ],
    ids=["no server tool", "no JSON", "no object", "only spoken of", "a tool of that name"],
)
def test_a_request_without_server_tools_is_the_very_same_bytes(body: bytes) -> None:
    exchange = Exchange(ON, Web())
    assert exchange.request(body) is body
    assert not exchange.active
    assert _streamed(exchange, SEARCHED[:30], SEARCHED[30:]) == SEARCHED
    assert asyncio.run(exchange.answer(body)) is body


def test_off_means_that_nothing_is_looked_at() -> None:
    body = request(SEARCH_TOOL)
    exchange = Exchange(OFF, Web())
    assert exchange.request(body) is body and not exchange.active


def test_server_tools_become_ordinary_ones_and_the_rest_of_the_request_stays() -> None:
    body = request(
        BASH, {**SEARCH_TOOL, "cache_control": {"type": "ephemeral"}}, FETCH_TOOL, temperature=0.5, system="é"
    )
    exchange = Exchange(ON, Web())
    told, before = json.loads(exchange.request(body)), json.loads(body)
    assert exchange.active
    assert {**told, "tools": 0} == {**before, "tools": 0}
    assert told["tools"][0] == BASH
    assert [tool["name"] for tool in told["tools"]] == ["Bash", "web_search", "web_fetch"]
    assert not [tool for tool in told["tools"] if "type" in tool or "max_uses" in tool]
    assert told["tools"][1]["cache_control"] == {"type": "ephemeral"}
    assert told["tools"][1]["input_schema"]["required"] == ["query"]


def test_betas_of_server_tools_are_left_out_where_they_are_rewritten() -> None:
    exchange = Exchange(ON, Web())
    header = "web-fetch-2025-09-10, fine-grained-tool-streaming-2025-05-14,web-search-2025-03-05"
    assert exchange.betas(header) == header
    exchange.request(request(SEARCH_TOOL))
    assert exchange.betas(header) == "fine-grained-tool-streaming-2025-05-14"
    assert exchange.betas("web-search-2025-03-05") == ""


def test_an_answer_that_calls_nothing_of_ours_passes_byte_for_byte() -> None:
    exchange = Exchange(ON, Web(), Model())
    exchange.request(request(SEARCH_TOOL, BASH))
    answer = streamed([text("Hello"), call("Bash", {"command": "ls"})], "tool_use")
    assert _streamed(exchange, answer) == answer


def test_the_client_gets_calls_results_and_what_the_model_says_of_them_in_one_answer() -> None:
    web, model = Web(), Model(TOLD)
    exchange = Exchange(ON, web, model)
    exchange.request(request(SEARCH_TOOL, tool_choice={"type": "tool", "name": "web_search"}))
    message = message_of(_streamed(exchange, SEARCHED))
    assert _kinds(message) == ["text", "server_tool_use", "web_search_tool_result", "text"]
    _said, use, result, told = message["content"]
    assert (use["id"], use["name"], use["input"]) == ("srvtoolu_1", "web_search", {"query": "news"})
    assert result["tool_use_id"] == use["id"]
    assert [(one["type"], one["title"], one["url"], one["page_age"]) for one in result["content"]] == [
        ("web_search_result", "First", "https://one.example/a", "2 days ago"),
        ("web_search_result", "Second", "https://two.example/b", None),
    ]
    assert told["text"] == "There is news."
    assert message["stop_reason"] == "end_turn"
    assert web.asked == ["news"]
    # Both rounds are paid for.
    assert message["usage"]["input_tokens"] == 20 and message["usage"]["output_tokens"] == 40
    assert message["usage"]["server_tool_use"] == {"web_search_requests": 1, "web_fetch_requests": 0}


def test_the_model_sees_what_was_found_and_is_not_made_to_search_again() -> None:
    model = Model(TOLD)
    exchange = Exchange(ON, Web(), model)
    forced = {"type": "tool", "name": "web_search", "disable_parallel_tool_use": True}
    exchange.request(request(SEARCH_TOOL, tool_choice=forced))
    _streamed(exchange, SEARCHED)
    (asked,) = model.asked
    assert asked["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    _first, said, got = asked["messages"]
    assert said == {"role": "assistant", "content": [text("Let me see."), call("web_search", {"query": "news"})]}
    (result,) = got["content"]
    assert (result["type"], result["tool_use_id"]) == ("tool_result", "toolu_1")
    assert "https://one.example/a" in result["content"] and "the first of all" in result["content"]


def test_a_call_of_the_clients_own_beside_ours_is_left_to_the_client() -> None:
    model = Model()
    exchange = Exchange(ON, Web(), model)
    exchange.request(request(SEARCH_TOOL, BASH))
    both = [call("web_search", {"query": "news"}), call("Bash", {"command": "ls"}, 2)]
    message = message_of(_streamed(exchange, streamed(both, "tool_use")))
    assert _kinds(message) == ["server_tool_use", "web_search_tool_result", "tool_use"]
    assert message["stop_reason"] == "tool_use" and model.asked == []


def test_a_model_that_never_ends_is_asked_again_five_times() -> None:
    model = Model(*[SEARCHED] * 9)
    exchange = Exchange(ON, Web(), model)
    exchange.request(request(SEARCH_TOOL))
    message = message_of(_streamed(exchange, SEARCHED))
    assert len(model.asked) == 5
    assert _kinds(message) == ["text", "server_tool_use", "web_search_tool_result"] * 6
    assert message["stop_reason"] == "end_turn"


def test_max_uses_is_kept() -> None:
    web, model = Web(), Model(SEARCHED, TOLD)
    exchange = Exchange(ON, web, model)
    exchange.request(request({**SEARCH_TOOL, "max_uses": 1}))
    message = message_of(_streamed(exchange, SEARCHED))
    assert web.asked == ["news"]
    assert message["content"][5]["content"] == {
        "type": "web_search_tool_result_error",
        "error_code": "max_uses_exceeded",
    }
    assert model.asked[1]["messages"][-1]["content"][0]["is_error"] is True


@pytest.mark.parametrize("again", [None, Model(OSError("gone")), Model(b"")], ids=["not at all", "refused", "empty"])
def test_where_the_model_cannot_be_asked_again_the_answer_ends_behind_the_results(again: Model | None) -> None:
    exchange = Exchange(ON, Web(), again)
    exchange.request(request(SEARCH_TOOL))
    answer = _streamed(exchange, SEARCHED)
    message = message_of(answer)
    assert _kinds(message) == ["text", "server_tool_use", "web_search_tool_result"]
    assert message["stop_reason"] == "end_turn"
    assert events_of(answer)[-1] == {"type": "message_stop"}


def test_a_stream_that_breaks_off_breaks_off_for_the_client_too() -> None:
    async def broken() -> Any:
        yield SEARCHED[:200]
        raise OSError("reset")

    async def all_of_it() -> None:
        async for _part in exchange.stream(broken()):
            pass

    exchange = Exchange(ON, Web(), Model())
    exchange.request(request(SEARCH_TOOL))
    with pytest.raises(OSError, match="reset"):
        asyncio.run(all_of_it())


def test_a_search_that_fails_is_an_error_block_and_no_failed_request() -> None:
    for error in (UNAVAILABLE, RuntimeError("a fault of ours")):
        model = Model(TOLD)
        exchange = Exchange(ON, Web(error), model)
        exchange.request(request(SEARCH_TOOL))
        message = message_of(_streamed(exchange, SEARCHED))
        assert message["content"][2]["content"] == {
            "type": "web_search_tool_result_error",
            "error_code": "unavailable",
        }
        assert model.asked[0]["messages"][-1]["content"][0]["is_error"] is True


@pytest.mark.parametrize("given", ['"news"', "[]", "{", '{"query": 1}', '{"query": "' + "x" * MOST_INPUT + '"}'])
def test_an_input_that_cannot_be_used_is_an_error_block(given: str) -> None:
    web = Web()
    exchange = Exchange(ON, web)
    exchange.request(request(SEARCH_TOOL))
    use = {**call("web_search", {}), "input": {}}
    answer = b"".join(
        [
            frame({"type": "message_start", "message": {"content": [], "usage": {}}}),
            frame({"type": "content_block_start", "index": 0, "content_block": use}),
            *(
                frame(
                    {
                        "type": "content_block_delta",
                        "index": 0,
                        "delta": {"type": "input_json_delta", "partial_json": given[at : at + 1000]},
                    }
                )
                for at in range(0, len(given), 1000)
            ),
            frame({"type": "content_block_stop", "index": 0}),
        ]
    )
    result = [one for one in events_of(_streamed(exchange, answer)) if one["type"] == "content_block_start"][1]
    assert result["content_block"]["content"]["error_code"] == "invalid_tool_input"
    assert web.asked == []


def test_domains_that_a_request_names_are_kept() -> None:
    for limits, left, asked in (
        ({"allowed_domains": ["two.example"]}, ["https://two.example/b"], "news site:two.example"),
        ({"allowed_domains": ["one.example/x", "example"]}, ["https://one.example/a", "https://two.example/b"], None),
        ({"blocked_domains": ["one.example/a"]}, ["https://two.example/b"], "news"),
        ({"blocked_domains": ["ne.example"]}, ["https://one.example/a", "https://two.example/b"], "news"),
    ):
        web = Web()
        exchange = Exchange(ON, web)
        exchange.request(request({**SEARCH_TOOL, **limits}))
        result = message_of(_streamed(exchange, SEARCHED))["content"][2]
        assert [one["url"] for one in result["content"]] == left
        assert asked is None or web.asked == [asked]


def test_a_page_is_fetched_that_the_conversation_names_and_no_other() -> None:
    for url, code in (
        ("https://site.example/page", ""),
        ("https://site.example/page#part", ""),
        ("https://evil.example/?told=secret", "url_not_in_prior_context"),
        ("https://site.example/page?told=secret", "url_not_in_prior_context"),
    ):
        web, model = Web(), Model(TOLD)
        exchange = Exchange(ON, web, model)
        exchange.request(request(FETCH_TOOL))
        message = message_of(_streamed(exchange, streamed([call("web_fetch", {"url": url})], "tool_use")))
        use, result, _told = message["content"]
        assert result["type"] == "web_fetch_tool_result" and use["name"] == "web_fetch"
        if code:
            assert result["content"] == {"type": "web_fetch_tool_result_error", "error_code": code}
            assert web.asked == []
            continue
        assert (result["content"]["type"], result["content"]["url"]) == ("web_fetch_result", url)
        assert result["content"]["content"]["source"] == {
            "type": "text",
            "media_type": "text/plain",
            "data": "the text of the page",
        }
        assert "the text of the page" in model.asked[0]["messages"][-1]["content"][0]["content"]
        assert message["usage"]["server_tool_use"] == {"web_search_requests": 0, "web_fetch_requests": 1}


def test_what_a_search_has_found_may_be_fetched_and_what_the_model_made_up_may_not() -> None:
    web = Web()
    found = streamed([call("web_fetch", {"url": "https://one.example/a"}, 2)], "tool_use")
    writes_it = streamed([text("https://mine.example/"), call("web_search", {"query": "more"}, 3)], "tool_use")
    made_up = streamed([call("web_fetch", {"url": "https://mine.example/"}, 4)], "tool_use")
    exchange = Exchange(ON, web, Model(found, writes_it, made_up, TOLD))
    exchange.request(request(SEARCH_TOOL, FETCH_TOOL))
    _streamed(exchange, SEARCHED)
    assert web.asked == ["news", "https://one.example/a", "more"]


def test_an_answer_in_one_piece_gets_the_same_blocks() -> None:
    def whole(blocks: list[Any], reason: str) -> bytes:
        usage = {"input_tokens": 10, "output_tokens": 20}
        return json.dumps(
            {"id": "msg_1", "type": "message", "content": blocks, "stop_reason": reason, "usage": usage}
        ).encode()

    searched = [text("Let me see."), call("web_search", {"query": "news"})]
    model = Model(whole([text("There is news.")], "end_turn"))
    exchange = Exchange(ON, Web(), model)
    exchange.request(request(SEARCH_TOOL))
    message = json.loads(asyncio.run(exchange.answer(whole(searched, "tool_use"))))
    assert _kinds(message) == ["text", "server_tool_use", "web_search_tool_result", "text"]
    assert message["content"][1] == {
        "type": "server_tool_use",
        "id": "srvtoolu_1",
        "name": "web_search",
        "input": {"query": "news"},
    }
    assert (message["id"], message["stop_reason"]) == ("msg_1", "end_turn")
    assert message["usage"]["output_tokens"] == 40
    assert message["usage"]["server_tool_use"]["web_search_requests"] == 1
    assert model.asked[0]["messages"][1]["content"] == searched

    refused = Exchange(ON, Web(), Model(OSError("gone")))
    refused.request(request(SEARCH_TOOL))
    message = json.loads(asyncio.run(refused.answer(whole(searched, "tool_use"))))
    assert _kinds(message) == ["text", "server_tool_use", "web_search_tool_result"]
    assert message["stop_reason"] == "end_turn"

    error = b'{"type": "error", "error": {"type": "overloaded_error"}}'
    untouched = Exchange(ON, Web())
    untouched.request(request(SEARCH_TOOL))
    for body in (error, whole([text("Hi")], "end_turn"), b"<html>"):
        assert asyncio.run(untouched.answer(body)) is body


def _cut(stream: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(one % len(stream) for one in cuts), len(stream)]
    return [stream[one:two] for one, two in itertools.pairwise(edges)]


@given(st.lists(st.integers(0, 1 << 20), max_size=12), st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=60, deadline=None)
def test_it_does_not_matter_where_chunks_are_cut(cuts: list[int], end: str) -> None:
    searched = streamed([text("Let me see."), call("web_search", {"query": "news"}), text("é")], "tool_use", end)
    whole = Exchange(ON, Web())
    whole.request(request(SEARCH_TOOL))
    expected = _streamed(whole, searched)
    assert _kinds(message_of(expected)) == ["text", "server_tool_use", "web_search_tool_result", "text"]
    cut = Exchange(ON, Web())
    cut.request(request(SEARCH_TOOL))
    assert _streamed(cut, *_cut(searched, cuts)) == expected
    same = Exchange(ON, Web())
    same.request(request(SEARCH_TOOL))
    told = streamed([text("no call")], end=end)
    assert _streamed(same, *_cut(told, cuts)) == told


_BLOCKS = st.lists(st.sampled_from(["text", "ours", "fetch"]), min_size=1, max_size=6)


@given(st.lists(_BLOCKS, min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_indexes_are_those_of_one_answer_whatever_the_rounds_hold(rounds: list[list[str]]) -> None:
    made = {
        "text": lambda number: text(f"text {number}"),
        "ours": lambda number: call("web_search", {"query": "q"}, number),
        "fetch": lambda number: call("web_fetch", {"url": "https://site.example/page"}, number),
    }
    blocks = [[made[kind](10 * at + number) for number, kind in enumerate(kinds)] for at, kinds in enumerate(rounds)]
    answers = [
        streamed(one, "tool_use" if set(kinds) != {"text"} else "end_turn")
        for one, kinds in zip(blocks, rounds, strict=True)
    ]
    model = Model(*answers[1:], TOLD)
    exchange = Exchange(ON, Web(), model)
    exchange.request(request(SEARCH_TOOL, FETCH_TOOL))
    message = message_of(_streamed(exchange, answers[0]))  # checks every index
    reached = blocks[: len(model.asked) + 1]
    calls = sum(block["type"] == "tool_use" for one in reached for block in one)
    assert _kinds(message).count("server_tool_use") == calls
    for at, block in enumerate(message["content"]):
        if block["type"] == "server_tool_use":
            assert message["content"][at + 1]["tool_use_id"] == block["id"]
    assert message["stop_reason"] == "end_turn"


def test_an_event_larger_than_any_chunk_passes_and_one_without_end_is_refused() -> None:
    large = streamed([text("x" * 300_000)])
    exchange = Exchange(ON, Web())
    exchange.request(request(SEARCH_TOOL))
    assert _streamed(exchange, *(large[at : at + 4096] for at in range(0, len(large), 4096))) == large
    with pytest.raises(ValueError, match="an event has more than"):
        _streamed(exchange, *[b"data: " + b"x" * (1 << 20)] * (MOST_BYTES // (1 << 20) + 1))
