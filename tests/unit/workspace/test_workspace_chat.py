# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""Chat completions of the simulated workspace, byte shapes included: agents parse them with their own clients."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.workspace.caller import Answer, Caller, data_events
from tests.workspace.client import Workspace

GATEWAY = "/ai-gateway/mlflow/v1"
BASES = [GATEWAY, "/serving-endpoints", "/mlflow/v1"]
CLAUDE, GEMINI = "databricks-claude-sonnet-4-6", "databricks-gemini-3-5-flash"
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
WISH = 'please call the tool look_up with {"word": "ä", "more": "than one piece"}'
USAGE: dict[str, Any] = {"stream_options": {"include_usage": True}}


def ask(call: Caller, prompt: Any = "say hi", base: str = GATEWAY, **extra: Any) -> Answer:
    body = {"model": CLAUDE, "messages": [{"role": "user", "content": prompt}]} | extra
    return call("POST", f"{base}/chat/completions", token=call.workspace.mint(), body=body)


def chunks(answer: Answer) -> list[dict[str, Any]]:
    *found, last = data_events(answer.text)
    assert last == "[DONE]"
    return [json.loads(one) for one in found]


def deltas(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [chunk["choices"][0]["delta"] for chunk in found if chunk["choices"]]


@pytest.mark.parametrize("base", BASES)
def test_reply_quotes_the_prompt(call: Caller, base: str) -> None:
    answer = ask(call, "  what is 6 x 7?\n", base)
    assert answer.status == 200
    completion = answer.json
    assert (completion["object"], completion["model"]) == ("chat.completion", CLAUDE)
    (choice,) = completion["choices"]
    assert choice["message"] == {"role": "assistant", "content": "You said: what is 6 x 7?"}
    assert (choice["index"], choice["finish_reason"]) == (0, "stop")
    usage = completion["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


@pytest.mark.parametrize("base", BASES)
def test_stream(call: Caller, base: str) -> None:
    answer = ask(call, "tell me a long story about a very small dog", base, stream=True)
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = chunks(answer)
    assert {(chunk["object"], chunk["model"], chunk["id"]) for chunk in found} == {
        ("chat.completion.chunk", CLAUDE, found[0]["id"])
    }
    assert deltas(found)[0] == {"role": "assistant", "content": ""}
    assert deltas(found)[-1] == {}
    assert [chunk["choices"][0]["finish_reason"] for chunk in found] == [None] * (len(found) - 1) + ["stop"]
    assert len(found) > 4
    text = "".join(delta.get("content", "") for delta in deltas(found))
    assert text == "You said: tell me a long story about a very small dog"
    assert not any("usage" in chunk for chunk in found)


def test_usage_comes_last_for_those_who_ask(call: Caller) -> None:
    *found, last = chunks(ask(call, stream=True, **USAGE))
    assert {chunk["usage"] for chunk in found} == {None}
    assert last["choices"] == []
    assert last["usage"]["total_tokens"] == last["usage"]["prompt_tokens"] + last["usage"]["completion_tokens"]
    assert found[-1]["choices"][0]["finish_reason"] == "stop"
    for options in ({"include_usage": False}, None, "x"):
        assert chunks(ask(call, stream=True, stream_options=options))[-1]["choices"]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(prompt=st.text(st.characters(codec="utf-8"), max_size=300))
def test_any_prompt_survives_the_stream(call: Caller, prompt: str) -> None:
    text = "".join(delta.get("content", "") for delta in deltas(chunks(ask(call, prompt, stream=True))))
    assert text == f"You said: {prompt.strip()}"


def test_last_prompt_is_what_a_person_typed(call: Caller) -> None:
    messages = [
        {"role": "system", "content": "Be brief"},
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "You said: first"},
        {"role": "user", "content": [{"type": "text", "text": "second"}, {"type": "image_url", "image_url": {}}]},
        {"role": "user", "content": "<system-reminder>Today is Monday</system-reminder>"},
        {"role": "developer", "content": "third"},
    ]
    assert ask(call, messages=messages).json["choices"][0]["message"]["content"] == "You said: second"


@pytest.mark.parametrize(
    "model",
    ["databricks-gpt-5-5", "databricks-gpt-oss-120b", GEMINI, "system.ai.claude-haiku-4-5", "team-claude-external"],
)
def test_every_model_that_chats(call: Caller, model: str) -> None:
    assert ask(call, model=model).json["model"] == model


def test_tool_call(call: Caller) -> None:
    (choice,) = ask(call, WISH, tools=[TOOL]).json["choices"]
    assert (choice["finish_reason"], choice["message"]["content"]) == ("tool_calls", None)
    (made,) = choice["message"]["tool_calls"]
    assert (made["type"], made["function"]["name"]) == ("function", "look_up")
    assert json.loads(made["function"]["arguments"]) == {"word": "ä", "more": "than one piece"}
    assert made["id"].startswith("call_")


def test_streamed_tool_call(call: Caller) -> None:
    found = chunks(ask(call, WISH, tools=[TOOL], stream=True))
    assert found[-1]["choices"][0]["finish_reason"] == "tool_calls"
    first, *more = [delta["tool_calls"][0] for delta in deltas(found)[:-1]]
    assert (first["index"], first["type"], first["function"]) == (0, "function", {"name": "look_up", "arguments": ""})
    assert len(more) > 1 and all(set(one) == {"index", "function"} and one["index"] == 0 for one in more)
    assert json.loads("".join(one["function"]["arguments"] for one in more))["word"] == "ä"


@pytest.mark.parametrize("result", ["it is 42", [{"type": "text", "text": "it is 42"}]])
def test_result_of_a_tool_is_quoted(call: Caller, result: Any) -> None:
    made = {"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": WISH},
        {"role": "assistant", "content": None, "tool_calls": [made]},
        {"role": "tool", "tool_call_id": "call_1", "content": result},
    ]
    said = ask(call, messages=messages, tools=[TOOL]).json["choices"][0]["message"]["content"]
    assert said == f"You said: {WISH}\nThe tool said: it is 42"


def test_tool_that_is_not_offered_is_not_called(call: Caller) -> None:
    for tools in ([], [{"type": "function", "name": "look_up"}], "x"):
        assert ask(call, WISH, tools=tools).json["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("model", "more", "refused"),
    [
        (CLAUDE, {}, None),
        (CLAUDE, USAGE, None),
        ("databricks-gpt-5-5", USAGE, None),
        (GEMINI, {}, None),
        (GEMINI, USAGE, "stream_options"),
        (CLAUDE, {"store": False}, "store"),
        ("databricks-gpt-5-5", {"store": False}, "store"),
    ],
)
def test_strict_mode(workspace: Workspace, call: Caller, model: str, more: dict[str, Any], refused: str | None) -> None:
    assert ask(call, model=model, stream=True, **more).status == 200
    workspace.control(strict=True)
    answer = ask(call, model=model, stream=True, **more)
    assert answer.status == (400 if refused else 200)
    if refused:
        assert answer.json == {"error_code": "BAD_REQUEST", "message": f"{refused}: Extra inputs are not permitted"}
