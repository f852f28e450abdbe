# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""Anthropic Messages of the simulated workspace, byte shapes included: agents parse them with their own clients."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.workspace.caller import Answer, Caller, named_events
from tests.workspace.anthropic import last_prompt
from tests.workspace.client import Workspace

GATEWAY = "/ai-gateway/anthropic"
BASES = [GATEWAY, "/serving-endpoints/anthropic", "/anthropic"]
OPUS = "databricks-claude-opus-4-6"


def ask(call: Caller, prompt: Any = "say hi", base: str = GATEWAY, token: str | None = None, **extra: Any) -> Answer:
    headers = extra.pop("headers", {})
    body = {"model": OPUS, "max_tokens": 64, "messages": [{"role": "user", "content": prompt}]} | extra
    token = token or call.workspace.mint()
    return call("POST", f"{base}/v1/messages?beta=true", token=token, body=body, headers=headers)


@pytest.mark.parametrize("base", BASES)
def test_reply_quotes_the_prompt(call: Caller, base: str) -> None:
    answer = ask(call, "  what is 6 x 7?\n", base)
    assert answer.status == 200
    message = answer.json
    assert message["content"] == [{"type": "text", "text": "You said: what is 6 x 7?"}]
    assert (message["type"], message["role"], message["model"]) == ("message", "assistant", OPUS)
    assert message["stop_reason"] == "end_turn"
    assert message["usage"]["output_tokens"] >= 1


@pytest.mark.parametrize("base", BASES)
def test_stream(call: Caller, base: str) -> None:
    answer = ask(call, "tell me a long story about a very small dog", base, stream=True)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = named_events(answer.text)
    names = [name for name, _data in found]
    assert names[:3] == ["message_start", "content_block_start", "ping"]
    assert names[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert set(names[3:-3]) == {"content_block_delta"}
    assert len(names) > 7
    assert all(data["type"] == name for name, data in found)

    start = found[0][1]["message"]
    assert (start["role"], start["model"], start["content"], start["stop_reason"]) == ("assistant", OPUS, [], None)
    assert found[1][1]["content_block"] == {"type": "text", "text": ""}
    text = "".join(data["delta"]["text"] for name, data in found if name == "content_block_delta")
    assert text == "You said: tell me a long story about a very small dog"
    assert found[-2][1]["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}
    assert found[-2][1]["usage"]["output_tokens"] >= 1


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(prompt=st.text(st.characters(codec="utf-8"), max_size=300))
def test_any_prompt_survives_the_stream(call: Caller, prompt: str) -> None:
    found = named_events(ask(call, prompt, stream=True).text)
    text = "".join(data["delta"]["text"] for name, data in found if name == "content_block_delta")
    shown = "" if prompt.lstrip().startswith("<system-reminder>") else prompt.strip()
    assert text == f"You said: {shown}"


def test_last_prompt_is_what_a_person_typed() -> None:
    reminder = {"type": "text", "text": "<system-reminder>\nToday is Monday\n</system-reminder>"}
    typed = {"type": "text", "text": "second"}
    messages = [
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": [{"type": "text", "text": "You said: first"}]},
        {"role": "user", "content": [reminder, typed, reminder]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "x"}]},
    ]
    assert last_prompt(messages) == "second"
    assert last_prompt(messages[:2]) == "first"
    assert last_prompt([]) == ""


@pytest.mark.parametrize(
    "model", ["databricks-claude-sonnet-4-6", "system.ai.claude-haiku-4-5", "team-claude-external"]
)
def test_models_answer_by_every_name(call: Caller, model: str) -> None:
    assert ask(call, model=model).json["model"] == model


@pytest.mark.parametrize("model", ["databricks-claude-opus-4-5", "no-such-model", "claude-opus-4-6", ""])
def test_model_that_is_not_served(call: Caller, model: str) -> None:
    answer = ask(call, model=model, stream=True)
    assert answer.status == 404
    assert answer.json["error_code"] == "RESOURCE_DOES_NOT_EXIST"
    assert model in answer.json["message"]


def test_model_of_another_dialect(call: Caller) -> None:
    answer = ask(call, model="databricks-gpt-5-2")
    assert (answer.status, answer.json["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


@pytest.mark.parametrize("body", [{}, {"model": OPUS}, {"model": OPUS, "messages": []}, [], "x"])
def test_bad_body(call: Caller, body: object) -> None:
    answer = call("POST", f"{GATEWAY}/v1/messages", token=call.workspace.mint(), body=body)
    assert answer.status == 400
    assert set(answer.json) == {"error_code", "message"}


@pytest.mark.parametrize("base", BASES)
def test_count_tokens(call: Caller, base: str) -> None:
    body = {"model": OPUS, "messages": [{"role": "user", "content": "hi " * 100}]}
    answer = call("POST", f"{base}/v1/messages/count_tokens", token=call.workspace.mint(), body=body)
    assert answer.json["input_tokens"] > 50


def test_catalogue_of_the_dialect(workspace: Workspace, call: Caller) -> None:
    def ids() -> list[str]:
        answer = call("GET", f"{GATEWAY}/v1/models", token=workspace.mint())
        return [model["id"] for model in answer.json["data"]]

    assert OPUS in ids()
    assert not {"databricks-claude-opus-4-5", "databricks-gpt-5-2"} & set(ids())
    workspace.control(endpoint_state={"name": OPUS, "ready": "NOT_READY"})
    assert OPUS not in ids()


@pytest.mark.parametrize("base", BASES)
def test_warm_up(workspace: Workspace, call: Caller, base: str) -> None:
    assert call("HEAD", base).status == 401
    assert call("HEAD", base, token=workspace.mint()).status == 200


def test_log_holds_the_outline_only(workspace: Workspace, call: Caller) -> None:
    ask(
        call,
        "my private question",
        stream=True,
        tools=[{"name": "a"}, {"name": "b"}],
        headers={"anthropic-beta": "one, two", "x-databricks-use-coding-agent-mode": "true"},
    )
    ask(call, "my private question")
    first, second = workspace.requests(f"{GATEWAY}/v1/messages")
    assert first["query_keys"] == ["beta"]
    outline = ("model", "stream", "tools", "anthropic_beta", "coding_agent_mode")
    assert [first[key] for key in outline] == [OPUS, True, 2, ["one", "two"], True]
    assert [second[key] for key in outline] == [OPUS, False, 0, [], False]
    assert "private" not in json.dumps([first, second])


def test_strict_mode(workspace: Workspace, call: Caller) -> None:
    default = "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,effort-2025-11-24"
    reduced = "claude-code-20250219,interleaved-thinking-2025-05-14,effort-2025-11-24"
    management: dict[str, Any] = {"context_management": {"edits": []}}
    assert ask(call, headers={"anthropic-beta": default}, **management).status == 200
    workspace.control(strict=True)
    refused = ask(call, headers={"anthropic-beta": default})
    assert refused.status == 400
    assert "context-management-2025-06-27" in refused.json["message"]
    assert ask(call, headers={"anthropic-beta": reduced}, **management).status == 400
    assert ask(call, headers={"anthropic-beta": reduced}).status == 200
    assert ask(call, headers={"anthropic-beta": "structured-outputs-2025-11-13"}).status == 200


@pytest.mark.parametrize(
    ("tool", "named"),
    [
        ({"type": "web_search_20250305", "name": "web_search"}, "web_search_20250305"),
        ({"type": "web_fetch_20250910", "name": "web_fetch"}, "web_fetch_20250910"),
        ({"name": "Edit", "input_schema": {}, "eager_input_streaming": True}, "eager_input_streaming"),
    ],
)
def test_strict_mode_refuses_tools(workspace: Workspace, call: Caller, tool: dict[str, Any], named: str) -> None:
    plain = {"name": "web_search", "input_schema": {"type": "object"}}
    assert ask(call, tools=[plain, tool]).status == 200
    workspace.control(strict=True)
    refused = ask(call, tools=[plain, tool])
    assert (refused.status, refused.json["error_code"]) == (400, "BAD_REQUEST")
    assert refused.json["message"].startswith("tools.1.") and named in refused.json["message"]
    assert ask(call, tools=[plain]).status == 200


TOOL = {"name": "look_up", "input_schema": {"type": "object"}}
WISH = 'please call the tool look_up with {"word": "a \\"quoted\\" ä"} and tell'


def test_tool_call(call: Caller) -> None:
    message = ask(call, WISH, tools=[TOOL]).json
    (use,) = message["content"]
    assert (use["type"], use["name"], use["input"]) == ("tool_use", "look_up", {"word": 'a "quoted" ä'})
    assert use["id"].startswith("toolu_")
    assert message["stop_reason"] == "tool_use"


def test_streamed_tool_call(call: Caller) -> None:
    found = named_events(ask(call, WISH, tools=[TOOL], stream=True).text)
    block = found[1][1]["content_block"]
    assert (block["type"], block["name"], block["input"]) == ("tool_use", "look_up", {})
    deltas = [data["delta"] for name, data in found if name == "content_block_delta"]
    assert {delta["type"] for delta in deltas} == {"input_json_delta"} and len(deltas) > 1
    assert json.loads("".join(delta["partial_json"] for delta in deltas)) == {"word": 'a "quoted" ä'}
    assert found[-2][1]["delta"]["stop_reason"] == "tool_use"


@pytest.mark.parametrize("result", ["it is 42", [{"type": "text", "text": "it is 42"}]])
def test_result_of_a_tool_is_quoted(call: Caller, result: Any) -> None:
    messages = [
        {"role": "user", "content": WISH},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "look_up", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": result}]},
    ]
    said = ask(call, messages=messages, tools=[TOOL]).json["content"][0]["text"]
    assert said == f"You said: {WISH}\nThe tool said: it is 42"
    # What was typed since is a new prompt.
    more = [{"role": "assistant", "content": said}, {"role": "user", "content": "thanks"}]
    assert ask(call, messages=messages + more, tools=[TOOL]).json["content"][0]["text"] == "You said: thanks"


def test_tool_that_is_not_offered_is_not_called(call: Caller) -> None:
    assert ask(call, WISH).json["content"] == [{"type": "text", "text": f"You said: {WISH}"}]
    assert ask(call, WISH, tools=[TOOL | {"name": "look"}]).json["stop_reason"] == "end_turn"
