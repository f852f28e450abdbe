# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shape of serving endpoints, filters, and the verdict on names."""

from __future__ import annotations

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.routing import base_model_name, is_model_service
from ansible_collections.fmapi.coding_agents.plugins.module_utils.workspace.endpoints import (
    api_types_of_service,
    filter_endpoints,
    model_family,
    shape_endpoint,
    validate_names,
)

OPUS = {
    "name": "databricks-claude-opus-4-6",
    "creator": "System-User",
    "creation_timestamp": 1770000000000,
    "state": {"ready": "READY", "config_update": "NOT_UPDATING"},
    "task": "llm/v1/chat",
    "config": {
        "served_entities": [
            {
                "name": "databricks-claude-opus-4-6",
                "entity_name": "system.ai.claude-opus-4-6",
                "entity_version": "1",
                "foundation_model": {
                    "name": "system.ai.claude-opus-4-6",
                    "display_name": "Claude Opus 4.6",
                    "api_types": ["mlflow/v1/chat/completions", "anthropic/v1/messages"],
                },
            }
        ]
    },
    "ai_gateway": {
        "usage_tracking_config": {"enabled": True},
        "inference_table_config": {"enabled": False, "catalog_name": "main"},
        "rate_limits": [{"calls": 10, "key": "user", "renewal_period": "minute"}],
        "guardrails": {"input": {"safety": True}},
        "fallback_config": {"enabled": True},
    },
}


def test_an_endpoint_of_databricks() -> None:
    assert shape_endpoint(OPUS) == {
        "name": "databricks-claude-opus-4-6",
        "state": "READY",
        "ready": True,
        "config_update": "NOT_UPDATING",
        "task": "llm/v1/chat",
        "family": "claude",
        "tier": "opus",
        "api_types": ["mlflow/v1/chat/completions", "anthropic/v1/messages"],
        "served_models": [
            {
                "name": "databricks-claude-opus-4-6",
                "model": "system.ai.claude-opus-4-6",
                "version": "1",
                "display_name": "Claude Opus 4.6",
                "provider": "databricks",
            }
        ],
        "gateway": {
            "usage_tracking": True,
            "inference_table": False,
            "rate_limits": [
                {"calls": 10, "tokens": None, "key": "user", "principal": None, "renewal_period": "minute"}
            ],
            "guardrails": {"input": True, "output": False},
            "fallback": True,
        },
        "creator": "System-User",
        "created": 1770000000000,
        "description": None,
    }


def test_an_external_model_is_sorted_by_what_it_serves() -> None:
    external = {"name": "gpt-5.2", "provider": "openai", "task": "llm/v1/chat"}
    shaped = shape_endpoint(
        {
            "name": "team-helper",
            "state": {"ready": "NOT_READY", "config_update": "IN_PROGRESS"},
            "config": {"served_entities": [{"name": "a", "external_model": external}]},
        }
    )
    assert (shaped["state"], shaped["ready"], shaped["family"]) == ("NOT_READY", False, "gpt")
    assert shaped["served_models"][0]["provider"] == "openai"
    assert shaped["gateway"] == {
        "usage_tracking": False,
        "inference_table": False,
        "rate_limits": [],
        "guardrails": {"input": False, "output": False},
        "fallback": False,
    }


@pytest.mark.parametrize(
    "odd", [{}, {"name": "x", "config": None, "state": None, "ai_gateway": []}, {"config": {"served_entities": "no"}}]
)
def test_an_endpoint_that_tells_little_is_no_error(odd: dict[str, object]) -> None:
    shaped = shape_endpoint(odd)
    assert (shaped["state"], shaped["ready"], shaped["family"], shaped["tier"]) == ("UNKNOWN", False, "other", None)
    assert shaped["api_types"] == []


@pytest.mark.parametrize(
    ("told", "api_types"),
    [
        (None, []),
        ("anthropic/v1/messages", []),
        ([["b"], None, 7, "", "b"], ["b"]),
        (["b", "a", "b"], ["b", "a"]),
    ],
)
def test_dialects_of_all_that_an_endpoint_serves(told: object, api_types: list[str]) -> None:
    entities = [{"foundation_model": {"api_types": told}}, {"external_model": {"name": "x"}}, None]
    assert shape_endpoint({"config": {"served_entities": entities}})["api_types"] == api_types


def test_dialects_of_a_model_service() -> None:
    assert api_types_of_service({"supported_api_types": ["b", None, "a"]}) == ["b", "a"]
    assert api_types_of_service({"supported_api_types": None}) == api_types_of_service({}) == []


@pytest.mark.parametrize(
    ("name", "family", "tier"),
    [
        ("databricks-claude-sonnet-4-6", "claude", "sonnet"),
        ("databricks-claude-haiku-4-5", "claude", "haiku"),
        ("databricks-claude-next", "claude", None),
        ("databricks-gpt-oss-120b", "gpt", None),
        ("databricks-gemini-3-pro", "gemini", None),
        ("databricks-meta-llama-3-3-70b-instruct", "llama", None),
        ("databricks-deepseek-r1-distill-llama-70b", "deepseek", None),
        ("databricks-gte-large-en", "gte", None),
        ("churn-model", "other", None),
        ("sonnet-of-shakespeare", "other", None),
    ],
)
def test_families(name: str, family: str, tier: str | None) -> None:
    assert model_family(name) == (family, tier)


def test_filters_by_pattern_and_family_sort_by_name() -> None:
    shaped = [shape_endpoint({"name": name}) for name in ("z-gpt", "a-claude-opus", "b-claude-haiku")]
    assert [one["name"] for one in filter_endpoints(shaped)] == ["a-claude-opus", "b-claude-haiku", "z-gpt"]
    assert [one["name"] for one in filter_endpoints(shaped, "*-claude-*")] == ["a-claude-opus", "b-claude-haiku"]
    assert [one["name"] for one in filter_endpoints(shaped, "a*", "gpt")] == []
    assert [one["name"] for one in filter_endpoints(shaped, None, "gpt")] == ["z-gpt"]


def test_verdicts_keep_order_and_name_what_looks_alike() -> None:
    states = {"databricks-claude-opus-4-6": "READY", "databricks-claude-haiku-4-5": "NOT_READY", "odd": "UNKNOWN"}
    names = ["databricks-claude-opus-4.6", "databricks-claude-opus-4-6[1m]", "databricks-claude-haiku-4-5", "odd", "zz"]
    speaks = {"databricks-claude-opus-4-6": ["anthropic/v1/messages"], "zz": ["x"]}
    verdicts = validate_names([*names, "zz"], states, speaks)
    assert [(v["name"], v["status"]) for v in verdicts] == [
        ("databricks-claude-opus-4.6", "NOT_FOUND"),
        ("databricks-claude-opus-4-6[1m]", "READY"),
        ("databricks-claude-haiku-4-5", "NOT_READY"),
        ("odd", "NOT_READY"),
        ("zz", "NOT_FOUND"),
    ]
    assert verdicts[0]["close_matches"][0] == "databricks-claude-opus-4-6"
    assert [v["api_types"] for v in verdicts] == [[], ["anthropic/v1/messages"], [], [], ["x"]]
    assert verdicts[1]["close_matches"] == [] and verdicts[4]["close_matches"] == []


def test_model_ids() -> None:
    assert is_model_service("system.ai.claude-opus-4-6")
    assert not is_model_service("databricks-claude-opus-4-6")
    assert not is_model_service("gpt-5.2")
    assert not is_model_service("a..b")
    assert base_model_name("m[1m]") == "m"
    assert base_model_name("m[1m]x") == "m[1m]x"
