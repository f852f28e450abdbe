# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is printed of a workspace's models: one line for each, within the terminal's width; verdicts with errors first."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.plugin_utils import models_query
from ansible_collections.fmapi.coding_agents.plugins.plugin_utils.reports import models as report_models
from ansible_collections.fmapi.coding_agents.plugins.plugin_utils.reports.words import Line, Run

URL = "https://dbc-a1b2c3d4-e5f6.cloud.databricks.com"


def served(
    name: str, *used_by: str, state: str = "READY", api: str = "anthropic/v1/messages", **own: Any
) -> dict[str, Any]:
    known = {"dialects": ["anthropic"], "agents": ["claude_code", "pi"]} if api == "anthropic/v1/messages" else {}
    return {
        "name": name,
        "state": state,
        "ready": state == "READY",
        "dialects": [],
        "agents": [],
        "api_types": [api] if api else [],
        "used_by": list(used_by),
        **known,
        **own,
    }


def choice(name: str, model: str, status: str, state: str = "READY", detail: str = "", fix: str = "") -> dict[str, Any]:
    agent, _dot, slot = name.partition(".")
    return {
        "agent": agent,
        "choice": slot,
        "model": model,
        "status": status,
        "state": state,
        "detail": detail,
        "fix": fix,
    }


ROWS = [
    served("databricks-claude-opus-4-6", "claude_code.default", "claude_code.opus"),
    served("databricks-claude-opus-4-5", "claude_code.haiku", state="NOT_READY"),
    served("databricks-gte-large-en", api="openai/v1/embeddings"),
    served("team-claude-external", api=""),
    served("databricks-claude-haiku-4-5"),
]


def entry(host: str = "localhost", warnings: tuple[str, ...] = (), **own: Any) -> dict[str, Any]:
    survey = {
        "workspace_url": URL,
        "user_name": "ada@example.com",
        "routing": "gateway",
        "routing_reason": "the default",
        "served": ROWS,
        "choices": [],
        "validated": False,
        **own,
    }
    return {"host": host, "module": "models_info", "preflight": survey, "warnings": list(warnings)}


def lines(*entries: dict[str, Any], width: int = 120) -> list[Line]:
    return report_models.lines(entries, Run(width=width))


def test_each_model_has_one_line_below_its_dialects_and_their_agents() -> None:
    assert [line.text for line in lines(entry(), width=200)] == [
        f"{URL}: 5 models, routing gateway (the default), asked as ada@example.com",
        "anthropic: for claude_code, pi",
        "* databricks-claude-opus-4-6   READY      claude_code.default, claude_code.opus",
        "* databricks-claude-opus-4-5   NOT_READY  claude_code.haiku",
        "  databricks-claude-haiku-4-5  READY",
        "openai/v1/embeddings: for no agent",
        "  databricks-gte-large-en      READY",
        "dialects that the workspace does not tell",
        "  team-claude-external         READY",
        "* is what a chosen agent is configured to ask for.",
    ]


def test_what_is_configured_is_marked_also_by_its_colour() -> None:
    tones = {line.text.split()[1]: line.tone for line in lines(entry()) if line.text.startswith("* data")}
    assert tones == {"databricks-claude-opus-4-6": "ok", "databricks-claude-opus-4-5": "warning"}
    unusable = [choice("claude_code.opus", "databricks-claude-opus-4-6", "FAIL", detail="it is served as chat")]
    tones = {
        line.text.split()[1]: line.tone for line in lines(entry(choices=unusable)) if line.text.startswith("* data")
    }
    assert tones["databricks-claude-opus-4-6"] == "error"


@pytest.mark.parametrize("width", [79, 100, 160])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    many = [served("databricks-claude-opus-4-6", *(f"claude_code.choice{number}" for number in range(9)))]
    found = lines(
        entry(served=[*ROWS, *many], choices=[choice("pi.default", "no-such", "FAIL", "NOT_FOUND", "long " * 30)]),
        width=width,
    )
    assert max(len(line.text) for line in found) <= width
    shown = " ".join(" ".join(line.text for line in found).split())
    assert all(f"claude_code.choice{number}" in shown for number in range(9))


def test_what_is_configured_and_cannot_be_used_is_said_with_the_way_out() -> None:
    failed = [choice(f"pi.{slot}", "no-such", "FAIL", "NOT_FOUND", "nobody serves it") for slot in ("default", "haiku")]
    shown = [line.text for line in lines(entry(choices=failed))]
    assert "Cannot be used: no-such (pi.default, pi.haiku): nobody serves it" in shown
    assert shown[-1].startswith("  -> ") and "validate_models" in shown[-1]


def test_a_query_shows_its_models_or_its_value_and_says_when_there_is_none() -> None:
    shown = [line.text for line in lines(entry(query_result=[ROWS[3]]))]
    assert "team-claude-external" in shown[2] and not any("opus" in line for line in shown)
    assert [line.text for line in lines(entry(query_result=["one"]))][1:] == ["[", '  "one"', "]"]
    assert [line.text for line in lines(entry(query_result=None))][1:] == ["null"]
    assert "coding_agents_models_query" in lines(entry(query_result=[]))[1].text


@pytest.mark.parametrize("query", ["[?", "sum([].name)"])
def test_a_query_that_cannot_be_read_or_applied_is_refused_by_its_variable(query: str) -> None:
    with pytest.raises(OperatorError, match=r"coding_agents_models_query: (is no JMESPath|cannot be applied)"):
        models_query.compiled(query).result(ROWS)


def test_verdicts_are_counted_and_begin_with_the_errors() -> None:
    choices = [
        choice("claude_code.default", "one", "PASS"),
        choice("claude_code.opus", "one", "PASS"),
        choice("claude_code.haiku", "two", "WARN", "NOT_READY", "it is not ready", "Wait"),
        choice("codex.default", "three", "FAIL", "FORBIDDEN", "this identity may not", "Grant it"),
        choice("pi.default", "", "SKIP", "", "no model is configured"),
    ]
    found = lines(entry(choices=choices, validated=True))[1:]
    assert [line.text for line in found] == [
        "Models of 5 choices: 1 failed, 1 with warnings, 2 ready, 1 not configured",
        "FAIL  three (codex.default): FORBIDDEN, this identity may not",
        "      -> Grant it",
        "WARN  two (claude_code.haiku): NOT_READY, it is not ready",
        "      -> Wait",
        "PASS  one (claude_code.default, claude_code.opus): READY",
        "SKIP  (pi.default): no model is configured",
    ]
    assert [line.tone for line in found] == ["error", "error", "", "warning", "", "ok", "skipped"]


def test_each_workspace_is_told_once_with_its_hosts_and_its_warnings() -> None:
    shown = [
        line.text
        for line in lines(
            entry("one", ("mind this",)),
            entry("two", ("mind this",)),
            entry("three", workspace_url="https://other.example.com"),
        )
    ]
    assert shown.count("  for one, two") == 1 and shown.count("  for three") == 1
    assert shown.count("Warning: mind this") == 1
    assert sum(line.startswith("https://") for line in shown) == 2


def test_what_could_not_be_asked_is_a_failure_of_the_usual_kind() -> None:
    failed = {"host": "localhost", "module": "models_info", "status": "failed", "msg": "nobody", "preflight": None}
    assert not report_models.is_mine(failed)
    assert report_models.is_mine(entry())
    assert not report_models.is_mine({"host": "one", "module": "workspace_info", "preflight": {"models": []}})
