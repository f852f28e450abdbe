# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Blocks of server tools in a conversation, as a gateway without server tools takes them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay.web.backends import Memory
from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay.web.history import rewritten
from ansible_collections.fmapi.coding_agents.plugins.module_utils.relay.web.rewriting import Exchange

from tests.unit.relay_web.said import (
    BASH,
    ON,
    SEARCH_TOOL,
    Model,
    Web,
    call,
    chunks,
    message_of,
    request,
    streamed,
    text,
)

OFFERED = ("web_search", "web_fetch")
ASKED = {"role": "user", "content": "What is new?"}
THANKS = {"role": "user", "content": "Thanks."}
USE = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "news"}}
FOUND = {
    "type": "web_search_tool_result",
    "tool_use_id": "srvtoolu_1",
    "content": [
        {"type": "web_search_result", "title": "T", "url": "https://t.example/", "encrypted_content": "what it says"},
        {
            "type": "web_search_result",
            "title": "V",
            "url": "https://v.example/",
            "encrypted_content": "EqgfCioIARgBIiQ3YTA=",
        },
    ],
}
THINKING = {"type": "thinking", "thinking": "hm", "signature": "sig"}
RESULT = "1. T\nhttps://t.example/\nwhat it says\n\n2. V\nhttps://v.example/"


def _said(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def _got(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def _result(content: str = RESULT, call: str = "toolu_1", **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call, "content": content, **more}


CALL = call("web_search", {"query": "news"})


def test_a_conversation_without_them_is_the_very_same() -> None:
    messages = [ASKED, _said(text("Hi"), call("Bash", {}, 2)), _got(_result("ok", "toolu_2"))]
    assert rewritten(messages, OFFERED, Memory()) is messages


def test_a_call_and_its_result_are_the_turns_that_the_model_has_seen() -> None:
    messages = [ASKED, _said(text("Let me see."), USE, FOUND, text("There is news.")), THANKS]
    assert rewritten(messages, OFFERED, Memory()) == [
        ASKED,
        _said(text("Let me see."), CALL),
        _got(_result()),
        _said(text("There is news.")),
        THANKS,
    ]


def test_what_the_vendor_alone_can_read_is_left_out_of_a_result() -> None:
    told = json.dumps(rewritten([ASKED, _said(USE, FOUND), THANKS], OFFERED, Memory()))
    assert "what it says" in told and "EqgfCioI" not in told


def test_thinking_stays_before_what_it_led_to() -> None:
    messages = [ASKED, _said(THINKING, USE, FOUND, THINKING, text("News.")), THANKS]
    assert rewritten(messages, OFFERED, Memory())[1:4] == [
        _said(THINKING, CALL),
        _got(_result()),
        _said(THINKING, text("News.")),
    ]


def test_calls_of_one_answer_stay_in_one_message_and_results_come_first() -> None:
    bash = call("Bash", {"command": "ls"}, 2)
    messages = [ASKED, _said(THINKING, USE, FOUND, bash), _got(_result("files", "toolu_2"), text("go on"))]
    assert rewritten(messages, OFFERED, Memory())[1:] == [
        _said(THINKING, CALL, bash),
        _got(_result(), _result("files", "toolu_2"), text("go on")),
    ]


def test_an_answer_that_ended_behind_its_results_is_followed_by_what_the_user_said() -> None:
    messages = [ASKED, _said(USE, FOUND), THANKS]
    assert rewritten(messages, OFFERED, Memory())[1:] == [_said(CALL), _got(_result(), text("Thanks."))]


def test_a_call_that_was_cut_off_has_a_result_that_says_so() -> None:
    cut_off = _result("The call was cut off, and gave no result.", is_error=True)
    assert rewritten([ASKED, _said(USE), THANKS], OFFERED, Memory())[2] == _got(cut_off, text("Thanks."))
    assert rewritten([ASKED, _said(USE)], OFFERED, Memory())[2] == _got(cut_off)


def test_an_error_is_told_to_the_model_as_one() -> None:
    failed = {**FOUND, "content": {"type": "web_search_tool_result_error", "error_code": "unavailable"}}
    assert rewritten([ASKED, _said(USE, failed), THANKS], OFFERED, Memory())[2]["content"][0] == _result(
        "unavailable", is_error=True
    )


def test_calls_of_a_tool_that_is_not_offered_any_more_are_text() -> None:
    (_asked, said, _thanks) = rewritten([ASKED, _said(USE, FOUND, text("News.")), THANKS], (), Memory())
    assert [block["type"] for block in said["content"]] == ["text", "text"]
    assert RESULT in said["content"][0]["text"]


def test_a_client_that_answers_our_call_with_an_error_gets_what_was_found_in_its_place() -> None:
    memory = Memory()
    memory.keep("srvtoolu_1", "what was found")
    error = _result("no such tool", "srvtoolu_1", is_error=True)
    # It has forgotten the result block, or has it beside its own answer.
    assert rewritten([ASKED, _said(USE), _got(error)], OFFERED, memory)[1:] == [
        _said(CALL),
        _got(_result("what was found")),
    ]
    assert rewritten([ASKED, _said(USE, FOUND), _got(error)], OFFERED, memory)[1:] == [_said(CALL), _got(_result())]
    ordinary = {**CALL, "id": "srvtoolu_1"}
    assert (
        rewritten([ASKED, _said(USE, ordinary), _got(error)], OFFERED, memory)[-1]["content"][0]["tool_use_id"]
        == "toolu_1"
    )


def test_what_is_remembered_is_bounded() -> None:
    memory = Memory()
    for number in range(1025):
        memory.keep(str(number), "found")
    assert memory.get("0") is None and memory.get("1") == memory.get("1024") == "found"


def test_an_answer_of_ours_comes_back_as_what_the_model_was_told() -> None:
    """The next request of a client that keeps the answer has the turns of the one before."""

    async def searched() -> bytes:
        return b"".join([part async for part in exchange.stream(chunks(first))])

    first = streamed([text("Let me see."), call("web_search", {"query": "news"})], "tool_use")
    model = Model(streamed([text("There is news.")]))
    exchange = Exchange(ON, Web(), model)
    exchange.request(request(SEARCH_TOOL, BASH, messages=[ASKED]))
    answer = message_of(asyncio.run(searched()))
    later = Exchange(ON, Web())
    told = json.loads(later.request(request(SEARCH_TOOL, BASH, messages=[ASKED, _said(*answer["content"]), THANKS])))
    assert told["messages"] == [*model.asked[0]["messages"], _said(text("There is news.")), THANKS]


def test_a_request_that_offers_no_server_tool_any_more_is_rewritten_too() -> None:
    exchange = Exchange(ON, Web())
    body = request(BASH, messages=[ASKED, _said(USE, FOUND, text("News.")), THANKS])
    assert "server_tool_use" not in exchange.request(body).decode()
    assert exchange.active, "what was rewritten is what has to be sent"
    answer = streamed([text("Hello")])

    async def passed() -> bytes:
        return b"".join([part async for part in exchange.stream(chunks(answer))])

    assert asyncio.run(passed()) == answer
