# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""What holds in every wire dialect of the simulated workspace."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.unit.workspace.caller import Answer, Caller
from tests.workspace.client import Workspace
from tests.workspace.conversation import Reply, Said, reply_to


@dataclass(frozen=True)
class Dialect:
    """How one dialect asks; ``path`` and ``body`` have MODEL and PROMPT where those go."""

    name: str
    path: str
    body: dict[str, Any]
    model: str
    others: tuple[str, ...]
    stream: dict[str, Any] = field(default_factory=lambda: {"stream": True})

    def ask(self, call: Caller, token: str | None, model: str = "", prompt: str = "say hi", **more: Any) -> Answer:
        body = json.loads(json.dumps(self.body).replace("MODEL", model or self.model).replace("PROMPT", prompt))
        return call("POST", self.path.replace("MODEL", model or self.model), token=token, body=body | more)


GPT, GEMINI, CLAUDE = "databricks-gpt-5-5", "databricks-gemini-3-5-flash", "databricks-claude-opus-4-6"
TYPED = [{"role": "user", "content": "PROMPT"}]
ANTHROPIC_BODY = {"model": "MODEL", "max_tokens": 64, "messages": TYPED}
GEMINI_BODY = {"contents": [{"role": "user", "parts": [{"text": "PROMPT"}]}]}
GEMINI_PATH = "/ai-gateway/gemini/v1beta/models/MODEL:generateContent"
DIALECTS = [
    Dialect("anthropic", "/ai-gateway/anthropic/v1/messages", ANTHROPIC_BODY, CLAUDE, (GPT, GEMINI)),
    Dialect("responses", "/ai-gateway/codex/v1/responses", {"model": "MODEL", "input": TYPED}, GPT, (CLAUDE, GEMINI)),
    Dialect("chat", "/ai-gateway/mlflow/v1/chat/completions", {"model": "MODEL", "messages": TYPED}, GPT, ()),
    Dialect("gemini", GEMINI_PATH, GEMINI_BODY, GEMINI, (CLAUDE, GPT), {}),
]
EVERY = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)


@EVERY
def test_a_token_expires_between_two_prompts(workspace: Workspace, call: Caller, dialect: Dialect) -> None:
    token = workspace.mint()
    assert dialect.ask(call, token).status == 200
    workspace.control(expire_tokens=True)
    for status in (401, 403):
        workspace.control(refuse_with=status)
        refused = dialect.ask(call, token, **dialect.stream)
        assert (refused.status, refused.json["error_code"]) == (status, status)
        assert refused.json["message"].startswith("Token is expired.")
    assert dialect.ask(call, workspace.mint()).status == 200
    entries = workspace.requests("/ai-gateway")
    assert [(e["token"], e["status"]) for e in entries] == [
        ("valid", 200),
        ("expired", 401),
        ("expired", 403),
        ("valid", 200),
    ]


@EVERY
def test_failures_on_demand(workspace: Workspace, call: Caller, dialect: Dialect) -> None:
    path = dialect.path.replace("MODEL", dialect.model)
    workspace.control(
        fail_next=[
            {"path_prefix": path, "status": 429, "retry_after": 2},
            {"path_prefix": path, "status": 503, "count": 2},
        ]
    )
    answers = [dialect.ask(call, workspace.mint(), **dialect.stream) for _time in range(4)]
    assert [a.status for a in answers] == [429, 503, 503, 200]
    assert [a.headers["retry-after"] for a in answers] == ["2", None, None, None]
    assert answers[0].json["error_code"] == "REQUEST_LIMIT_EXCEEDED"


@EVERY
def test_models_by_their_other_name(workspace: Workspace, call: Caller, dialect: Dialect) -> None:
    service = "system.ai." + dialect.model.removeprefix("databricks-")
    answer = dialect.ask(call, workspace.mint(), service)
    assert answer.status == 200
    assert service in answer.text
    workspace.control(enforces_gateway=True)
    refused = dialect.ask(call, workspace.mint())
    assert (refused.status, refused.json["error_code"]) == (501, "NOT_IMPLEMENTED")
    assert service in refused.json["message"]
    assert dialect.ask(call, workspace.mint(), service).status == 200
    workspace.control(enforces_gateway=False, model_services=False)
    assert dialect.ask(call, workspace.mint(), service).status == 404
    assert dialect.ask(call, workspace.mint()).status == 200


@EVERY
def test_models_that_do_not_answer(workspace: Workspace, call: Caller, dialect: Dialect) -> None:
    workspace.control(endpoint_state={"name": dialect.model, "ready": "NOT_READY"})
    for model in (dialect.model, "no-such-model"):
        answer = dialect.ask(call, workspace.mint(), model, **dialect.stream)
        assert (answer.status, answer.json["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")
        assert model in answer.json["message"]
    for model in (*dialect.others, "databricks-gte-large-en"):
        answer = dialect.ask(call, workspace.mint(), model)
        assert (answer.status, answer.json["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
        assert "does not support the API type" in answer.json["message"]


@EVERY
def test_a_body_that_is_none(workspace: Workspace, call: Caller, dialect: Dialect) -> None:
    nothing: list[Any] = []
    empty = {"model": dialect.model, "messages": nothing, "input": nothing, "contents": nothing}
    for body in ({}, nothing, "x", empty):
        answer = call("POST", dialect.path.replace("MODEL", dialect.model), token=workspace.mint(), body=body)
        assert answer.status == 400, body
        assert set(answer.json) == {"error_code", "message"}


@EVERY
def test_the_log_holds_the_outline_only(workspace: Workspace, call: Caller, dialect: Dialect) -> None:
    dialect.ask(call, workspace.mint(), prompt="my private question", **dialect.stream)
    (entry,) = workspace.requests("/ai-gateway")
    assert [entry[key] for key in ("dialect", "model", "tools")] == [dialect.name, dialect.model, 0]
    assert entry["stream"] is bool(dialect.stream)
    assert "private" not in json.dumps(entry)
    secret = workspace.mint()
    dialect.ask(call, secret, secret)
    assert secret not in json.dumps(workspace.requests())


@EVERY
def test_it_tells_how_often_texts_were_in_a_prompt_and_nothing_else_of_it(
    workspace: Workspace, call: Caller, dialect: Dialect
) -> None:
    workspace.control(look_for=["private", "nowhere"])
    dialect.ask(call, workspace.mint(), prompt="a private word, really private")
    (entry,) = workspace.requests("/ai-gateway")
    assert entry["found"] == {"private": 2, "nowhere": 0}
    workspace.control(look_for=[])
    dialect.ask(call, workspace.mint(), prompt="private")
    assert "found" not in workspace.requests("/ai-gateway")[-1]


@EVERY
def test_a_gateway_that_is_missing(workspace: Workspace, call: Caller, dialect: Dialect) -> None:
    workspace.control(gateway=False)
    assert dialect.ask(call, workspace.mint()).json["error_code"] == "ENDPOINT_NOT_FOUND"


@pytest.mark.parametrize("kind", ["web_search", "web_search_20250305", "web_fetch_20250910"])
@pytest.mark.parametrize("dialect", DIALECTS[:3], ids=lambda dialect: dialect.name)
def test_strict_mode_refuses_server_tools(workspace: Workspace, call: Caller, dialect: Dialect, kind: str) -> None:
    assert dialect.ask(call, workspace.mint(), tools=[{"type": kind}]).status == 200
    workspace.control(strict=True)
    answer = dialect.ask(call, workspace.mint(), tools=[{"type": kind}])
    if dialect.name == "responses" and kind.startswith("web_search"):
        # With that tool other programs search the web through a GPT model.
        assert answer.status == 200
    else:
        assert (answer.status, answer.json["error_code"]) == (400, "BAD_REQUEST")
        assert answer.json["message"] == f"tools.0.type: '{kind}' is not supported"
    assert dialect.ask(call, workspace.mint()).status == 200
    assert [entry["server_tools"] for entry in workspace.requests("/ai-gateway")] == [[kind], [kind], []]


def test_a_reply_quotes_the_last_prompt_and_what_tools_said_since() -> None:
    conversation = [
        Said("user", "one"),
        Said("tool", "a"),
        Said("user", " two\n"),
        Said("tool", "b"),
        Said("tool", "c"),
    ]
    assert reply_to([]) == Reply("You said: ")
    assert reply_to(conversation[:1]) == Reply("You said: one")
    assert reply_to(conversation[:3]) == Reply("You said: two")
    assert reply_to(conversation) == Reply("You said: two\nThe tool said: b\nThe tool said: c")


def test_what_agents_put_around_a_prompt() -> None:
    stamped = "<current_datetime>2026-11-27T23:37:45.969+00:00</current_datetime>\n\nsay <hi>"
    assert reply_to([Said("user", stamped)]) == Reply("You said: say <hi>")
    quoted = json.dumps('call the tool bash with {"command": "ls", "n": 1}')
    assert reply_to([Said("user", quoted)], ["bash"]) == Reply(tool="bash", arguments={"command": "ls", "n": 1})


@pytest.mark.parametrize(
    ("prompt", "arguments"),
    [
        ("call the tool mcp__a__b-c", {}),
        ("Now call the tool mcp__a__b-c.", {}),
        ("call the tool mcp__a__b-c with care", {}),
        ("call the tool mcp__a__b-c with {broken", {}),
        ('call the tool mcp__a__b-c with {"x": {"y": [1]}}, and then {"z": 2}', {"x": {"y": [1]}}),
    ],
)
def test_a_prompt_that_wishes_a_tool(prompt: str, arguments: dict[str, Any]) -> None:
    asked = [Said("user", prompt)]
    assert reply_to(asked, ["other", "mcp__a__b-c"]) == Reply(tool="mcp__a__b-c", arguments=arguments)
    assert reply_to(asked, ["mcp__a__b"]).tool is None
    assert reply_to([*asked, Said("tool", "done")], ["mcp__a__b-c"]).tool is None
