# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""OpenAI Responses of the simulated workspace, byte shapes included: agents parse them with their own clients."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.workspace.caller import Answer, Caller, named_events
from tests.workspace.client import Workspace

GATEWAY = "/ai-gateway/codex/v1"
BASES = [GATEWAY, "/ai-gateway/openai/v1", "/serving-endpoints/openai/v1", "/serving-endpoints", "/openai/v1"]
GPT = "databricks-gpt-5-5"
TOOL = {"type": "function", "name": "look_up", "strict": False, "parameters": {"type": "object"}}
SPACE = {"type": "namespace", "name": "mcp__words", "tools": [TOOL]}
WISH = 'please call the tool look_up with {"word": "ä"}'


def typed(text: str) -> dict[str, Any]:
    """A prompt as Codex sends it."""
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def ask(call: Caller, given: Any = "say hi", base: str = GATEWAY, **extra: Any) -> Answer:
    """What Codex sends, but for its headers and instructions."""
    body = {
        "model": GPT,
        "instructions": "You are a coding agent.",
        "input": [typed(given)] if isinstance(given, str) else given,
        "tools": [],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "reasoning": {"effort": "medium", "summary": "auto"},
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "01a21f51",
    }
    return call("POST", f"{base}/responses", token=call.workspace.mint(), body=body | extra)


def text_of(answer: Answer) -> str:
    (item,) = answer.json["output"]
    return str(item["content"][0]["text"])


@pytest.mark.parametrize("base", BASES)
def test_reply_quotes_the_prompt(call: Caller, base: str) -> None:
    answer = ask(call, "  what is 6 x 7?\n", base)
    assert answer.status == 200
    response = answer.json
    assert (response["object"], response["status"], response["model"]) == ("response", "completed", GPT)
    (item,) = response["output"]
    assert (item["type"], item["role"], item["status"]) == ("message", "assistant", "completed")
    assert [(part["type"], part["text"]) for part in item["content"]] == [
        ("output_text", "You said: what is 6 x 7?"),
    ]
    assert (response["store"], response["instructions"]) == (False, "You are a coding agent.")
    usage = response["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


@pytest.mark.parametrize("base", BASES)
def test_stream(call: Caller, base: str) -> None:
    answer = ask(call, "tell me a long story about a very small dog", base, stream=True)
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = named_events(answer.text)
    names = [name for name, _data in found]
    assert names[:4] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ]
    assert names[-4:] == [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert set(names[4:-4]) == {"response.output_text.delta"} and len(names) > 9
    assert all(data["type"] == name for name, data in found)
    assert [data["sequence_number"] for _name, data in found] == list(range(len(found)))

    story = "You said: tell me a long story about a very small dog"
    assert "".join(data["delta"] for name, data in found if name == "response.output_text.delta") == story
    created, completed = found[0][1]["response"], found[-1][1]["response"]
    assert (created["status"], created["output"], created["usage"]) == ("in_progress", [], None)
    assert (completed["status"], completed["id"]) == ("completed", created["id"])
    added, done = found[2][1]["item"], found[-2][1]["item"]
    assert (added["status"], added["content"], added["id"]) == ("in_progress", [], done["id"])
    assert completed["output"] == [done]
    assert done["content"][0]["text"] == found[-4][1]["text"] == found[-3][1]["part"]["text"] == story
    assert {data["item_id"] for _name, data in found[3:-2]} == {done["id"]}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(prompt=st.text(st.characters(codec="utf-8"), max_size=300))
def test_any_prompt_survives_the_stream(call: Caller, prompt: str) -> None:
    found = named_events(ask(call, prompt, stream=True).text)
    text = "".join(data["delta"] for name, data in found if name == "response.output_text.delta")
    assert text == f"You said: {prompt.strip()}"


@pytest.mark.parametrize(
    "given",
    [
        "second",
        [{"role": "user", "content": "first"}, {"role": "user", "content": "second"}],
        [typed("first"), {"type": "message", "role": "assistant", "content": []}, typed("second")],
        [
            typed("second"),
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "third"}]},
        ],
        [typed("second"), typed("<system-reminder>Today is Monday</system-reminder>")],
        [typed("second"), {"type": "reasoning", "summary": [], "encrypted_content": "x"}],
    ],
)
def test_last_prompt_is_what_a_person_typed(call: Caller, given: Any) -> None:
    assert text_of(ask(call, input=given)) == "You said: second"


def test_tool_call(call: Caller) -> None:
    (item,) = ask(call, WISH, tools=[TOOL]).json["output"]
    assert (item["type"], item["name"], json.loads(item["arguments"])) == ("function_call", "look_up", {"word": "ä"})
    assert item["call_id"].startswith("call_") and item["status"] == "completed" and "namespace" not in item


def test_streamed_tool_call(call: Caller) -> None:
    found = named_events(ask(call, WISH, tools=[TOOL], stream=True).text)
    names = [name for name, _data in found]
    assert names[2] == "response.output_item.added"
    assert set(names[3:-3]) == {"response.function_call_arguments.delta"}
    assert names[-3:] == [
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert (found[2][1]["item"]["arguments"], found[2][1]["item"]["status"]) == ("", "in_progress")
    arguments = "".join(data["delta"] for name, data in found if name == "response.function_call_arguments.delta")
    item = found[-2][1]["item"]
    assert arguments == found[-3][1]["arguments"] == item["arguments"]
    assert found[-1][1]["response"]["output"] == [item]


@pytest.mark.parametrize("name", ["look_up", "mcp__words__look_up"])
def test_tool_of_a_namespace(call: Caller, name: str) -> None:
    """So Codex offers the tools of an MCP server."""
    (item,) = ask(call, f"call the tool {name}", tools=[SPACE]).json["output"]
    assert (item["namespace"], item["name"], item["arguments"]) == ("mcp__words", "look_up", "{}")


@pytest.mark.parametrize("result", ["it is 42", [{"type": "input_text", "text": "it is 42"}]])
def test_result_of_a_tool_is_quoted(call: Caller, result: Any) -> None:
    made = {"type": "function_call", "call_id": "call_1", "name": "look_up", "arguments": "{}"}
    given = [typed(WISH), made, {"type": "function_call_output", "call_id": "call_1", "output": result}]
    assert text_of(ask(call, given, tools=[TOOL])) == f"You said: {WISH}\nThe tool said: it is 42"


def test_tool_that_is_not_offered_is_not_called(call: Caller) -> None:
    assert text_of(ask(call, WISH, tools=[{"type": "custom", "name": "look_up"}])) == f"You said: {WISH}"


@pytest.mark.parametrize("base", [base for base in BASES if base != "/serving-endpoints"])
def test_models_as_codex_reads_them(workspace: Workspace, call: Caller, base: str) -> None:
    def listed() -> list[dict[str, Any]]:
        answer = call("GET", f"{base}/models?client_version=0.169.0", token=workspace.mint())
        assert answer.status == 200
        assert set(answer.json) == {"models"}
        models: list[dict[str, Any]] = answer.json["models"]
        return models

    models = listed()
    assert [one["slug"] for one in models] == ["system.ai.gpt-5-5", "system.ai.gpt-5-2"]
    assert [one["priority"] for one in models] == [1, 2]
    # Without one of these Codex 0.169.0 takes none of the list.
    assert set(models[0]) >= {
        "display_name",
        "supported_reasoning_levels",
        "shell_type",
        "visibility",
        "supported_in_api",
        "priority",
        "base_instructions",
        "support_verbosity",
        "truncation_policy",
        "experimental_supported_tools",
    }
    workspace.control(model_services=False, endpoint_state={"name": GPT, "ready": "NOT_READY"})
    assert [one["slug"] for one in listed()] == ["databricks-gpt-5-2"]


def test_models_are_not_enabled_everywhere(workspace: Workspace, call: Caller) -> None:
    workspace.control(codex_models=False)
    answer = call("GET", f"{GATEWAY}/models", token=workspace.mint())
    assert answer.status == 404
    assert answer.json == {
        "error_code": "ENDPOINT_NOT_FOUND",
        "message": "codex/v1/models is not enabled for this workspace.",
    }
    assert ask(call).status == 200


def test_strict_mode_takes_what_codex_sends(workspace: Workspace, call: Caller) -> None:
    workspace.control(strict=True)
    tools = [TOOL, SPACE, {"type": "custom", "name": "apply_patch"}]
    assert ask(call, tools=tools, stream=True).status == 200
    (entry,) = workspace.requests(GATEWAY)
    assert entry["tools"] == 3
