# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""Gemini's generateContent of the simulated workspace, byte shapes included: agents parse them with their own clients."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.workspace.caller import Answer, Caller, data_events
from tests.workspace.client import Workspace

GATEWAY = "/ai-gateway/gemini/v1beta"
BASES = [GATEWAY, "/serving-endpoints/google/v1beta", "/gemini/v1beta"]
FLASH = "databricks-gemini-3-5-flash"
PLAIN, STREAM = "generateContent", "streamGenerateContent?alt=sse"
TOOLS = [{"functionDeclarations": [{"name": "list_words"}, {"name": "look_up", "parametersJsonSchema": {}}]}]
WISH = 'please call the tool look_up with {"word": "ä"}'


def typed(*parts: str) -> dict[str, Any]:
    return {"role": "user", "parts": [{"text": part} for part in parts]}


def ask(call: Caller, given: Any = "say hi", base: str = GATEWAY, method: str = PLAIN, **extra: Any) -> Answer:
    body = {"contents": [typed(given)] if isinstance(given, str) else given} | extra
    return call("POST", f"{base}/models/{FLASH}:{method}", token=call.workspace.mint(), body=body)


def streamed(answer: Answer) -> list[dict[str, Any]]:
    return [json.loads(one) for one in data_events(answer.text, end="\r\n\r\n")]


def text_of(answers: list[dict[str, Any]]) -> str:
    return "".join(one["candidates"][0]["content"]["parts"][0]["text"] for one in answers)


@pytest.mark.parametrize("base", BASES)
def test_reply_quotes_the_prompt(call: Caller, base: str) -> None:
    answer = ask(call, "  what is 6 x 7?\n", base)
    assert answer.status == 200
    (candidate,) = answer.json["candidates"]
    assert candidate["content"] == {"role": "model", "parts": [{"text": "You said: what is 6 x 7?"}]}
    assert (candidate["index"], candidate["finishReason"]) == (0, "STOP")
    assert answer.json["modelVersion"] == FLASH
    usage = answer.json["usageMetadata"]
    assert usage["totalTokenCount"] == usage["promptTokenCount"] + usage["candidatesTokenCount"]


@pytest.mark.parametrize("base", BASES)
def test_stream(workspace: Workspace, call: Caller, base: str) -> None:
    answer = ask(call, "tell me a long story about a very small dog", base, STREAM)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = streamed(answer)
    assert len(found) > 2
    assert text_of(found) == "You said: tell me a long story about a very small dog"
    reasons = [one["candidates"][0].get("finishReason") for one in found]
    assert reasons == [None] * (len(found) - 1) + ["STOP"]
    assert {one["responseId"] for one in found} == {found[0]["responseId"]}
    assert all(one["usageMetadata"]["totalTokenCount"] > 0 for one in found)
    (entry,) = workspace.requests(base)
    assert (entry["stream"], entry["query_keys"]) == (True, ["alt"])


def test_stream_without_events_is_an_array(call: Caller) -> None:
    answer = ask(call, "tell me a long story", method="streamGenerateContent")
    assert answer.headers["content-type"] == "application/json"
    assert text_of(answer.json) == "You said: tell me a long story"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(prompt=st.text(st.characters(codec="utf-8"), max_size=300))
def test_any_prompt_survives_the_stream(call: Caller, prompt: str) -> None:
    assert text_of(streamed(ask(call, prompt, method=STREAM))) == f"You said: {prompt.strip()}"


@pytest.mark.parametrize(
    "given",
    [
        [typed("first", "second")],
        [{"parts": [{"text": "second"}]}],
        [typed("first"), {"role": "model", "parts": [{"text": "You said: first"}]}, typed("second")],
        [typed("second"), typed("<system-reminder>Today is Monday</system-reminder>")],
        [typed("second"), {"role": "user", "parts": [{"inlineData": {"mimeType": "image/png", "data": ""}}]}],
    ],
)
def test_last_prompt_is_what_a_person_typed(call: Caller, given: Any) -> None:
    assert text_of([ask(call, given).json]) == "You said: second"


def test_a_key_of_google_s_is_no_token(workspace: Workspace, call: Caller) -> None:
    body = {"contents": [typed("x")]}
    path = f"{GATEWAY}/models/{FLASH}:{STREAM}"
    assert call("POST", path, body=body, headers={"x-goog-api-key": workspace.mint()}).status == 401


def test_other_methods_and_models_are_not_there(call: Caller) -> None:
    assert ask(call, method="predict").json["error_code"] == "ENDPOINT_NOT_FOUND"
    answer = call("POST", f"{GATEWAY}/models/a/b:{PLAIN}", token=call.workspace.mint(), body={"contents": [typed("x")]})
    assert answer.json["error_code"] == "ENDPOINT_NOT_FOUND"


@pytest.mark.parametrize("method", [PLAIN, STREAM])
def test_tool_call(workspace: Workspace, call: Caller, method: str) -> None:
    answer = ask(call, WISH, method=method, tools=TOOLS)
    (found,) = [answer.json] if method == PLAIN else streamed(answer)
    (candidate,) = found["candidates"]
    assert candidate["content"]["parts"] == [{"functionCall": {"name": "look_up", "args": {"word": "ä"}}}]
    assert candidate["finishReason"] == "STOP"
    (entry,) = workspace.requests(GATEWAY)
    assert entry["tools"] == 2


def test_result_of_a_tool_is_quoted(call: Caller) -> None:
    given = [
        typed(WISH),
        {"role": "model", "parts": [{"functionCall": {"name": "look_up", "args": {}}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "look_up", "response": {"output": "it is 42"}}}]},
    ]
    said = text_of(streamed(ask(call, given, method=STREAM, tools=TOOLS)))
    assert said == f'You said: {WISH}\nThe tool said: {{"output": "it is 42"}}'


def test_tool_that_is_not_offered_is_not_called(call: Caller) -> None:
    unusable: list[Any] = [[], [{"googleSearch": {}}], "x"]
    for tools in unusable:
        assert text_of([ask(call, WISH, tools=tools).json]) == f"You said: {WISH}"
