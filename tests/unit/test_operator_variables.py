# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What operators set is judged in one place: what is right passes, and what is wrong is named with the way out."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.fmapi.coding_agents.plugins.module_utils.options.judge import (
    EXAMPLES,
    PREFIX,
    VARIABLES,
    is_secret,
    problems,
    problems_of,
    unknown,
)

ROOT = Path(__file__).resolve().parents[2]
URL = "https://dbc-a1b2c3d4-e5f6.cloud.databricks.com"
RIGHT: dict[str, Any] = {"workspace_url": URL}


def test_every_variable_has_an_example_that_is_right() -> None:
    assert set(EXAMPLES) == set(VARIABLES)
    for name, example in EXAMPLES.items():
        if name != "config_sha256":  # said in words
            assert problems_of(name, yaml.safe_load(example)) == [], name


def test_every_variable_that_roles_and_playbooks_use_is_known_and_the_other_way_round() -> None:
    used = {"config", "config_url", "config_sha256"}  # the lookup's
    for path in [*ROOT.glob("roles/*/*/*.yml"), *ROOT.glob("playbooks/*.yml")]:
        used |= set(re.findall(r"\bcoding_agents_(\w+)", re.sub(r"fmapi\.coding_agents\.\S+", "", path.read_text())))
    assert used - {"info"} == set(VARIABLES)


RIGHT_VALUES: list[tuple[str, Any]] = [
    ("workspace_id", 1234567890123456),
    ("workspace_id", "1234567890123456"),
    ("client_id", 42),
    ("token_ttl_minutes", "15"),
    ("agents", "claude_code"),
    ("models", '{"opus": "databricks-claude-opus-4-6"}'),
    ("models", {"opus": None}),
    ("experimental_betas", "yes"),
    ("preflight", 0),
    ("home", "/home/Zoë Müller/家"),
    ("users", "ada,grace"),
    *[
        (name, nothing)
        for name in ("models", "users", "workspace_id", "ca_file", "npm_prefix")
        for nothing in (None, "")
    ],
]


@pytest.mark.parametrize(("name", "value"), RIGHT_VALUES)
def test_what_ansible_and_yaml_make_of_a_right_value_is_right(name: str, value: Any) -> None:
    assert problems({**RIGHT, name: value}) == []


WRONG_VALUES: list[tuple[str, Any, str]] = [
    ("identity", "root", "coding_agents_identity is 'root'. Use one of: user, service_principal"),
    ("identity", None, "coding_agents_identity is set to nothing. Give one of: user,"),
    ("on_unreadable", True, "coding_agents_on_unreadable is true, which is not a text"),
    (
        "ca_file",
        1.5,
        "coding_agents_ca_file is 1.5, which is not a path. Give a path, such as /etc/ssl/company-ca.pem.",
    ),
    ("home", ["/home/ada"], 'coding_agents_home is ["/home/ada"], which is not a path'),
    ("home", "/home/a\nb", "coding_agents_home holds a line break"),
    ("preflight", "perhaps", "coding_agents_preflight is 'perhaps', which is not true or false. Give true or false"),
    ("token_ttl_minutes", True, "coding_agents_token_ttl_minutes is 'True', which is not a whole number"),
    ("token_ttl_minutes", 15.0, "coding_agents_token_ttl_minutes is '15.0', which is not a whole number"),
    ("workspace_id", 1.5e15, "coding_agents_workspace_id"),
    ("agents", {"claude_code": True}, "coding_agents_agents names no agent"),
    ("agents", ["clod"], "coding_agents_agents names clod. Use one or more of: claude_code"),
    ("agents", [None], "coding_agents_agents is [null], which is not a list"),
    ("models", {"opsu": "x"}, "coding_agents_models has opsu, which is no choice of a model. Use only: default"),
    ("models", {"opsu": "x"}, "Did you mean opus?"),
    ("models", {"opus": ["x"]}, 'coding_agents_models.opus is ["x"], which is no model id'),
    ("models", "opus=x", "coding_agents_models is not a dictionary"),
    ("cli_versions", {"claude_code": 2.1}, "coding_agents_cli_versions.claude_code: 2.1 is no version"),
    ("cli_versions", ["2.1.197"], "coding_agents_cli_versions is"),
    ("users", ["ada", "../root"], "coding_agents_users names '../root', which is no user name"),
    ("users", [7], "coding_agents_users is [7], which is not a list"),
    ("npm_registry", "npm.example.com", "coding_agents_npm_registry does not begin with https:// or http://"),
    ("config_url", "http://it.example.com/c.json", "coding_agents_config_url does not begin with https://. Give a URL"),
    ("config_sha256", "abc", "coding_agents_config_sha256 is 'abc', which is no SHA-256"),
    ("extra_settings", [1], "coding_agents_extra_settings is not a dictionary"),
    ("extra_settings", {"clod": {}}, "coding_agents_extra_settings.clod: is no agent. Known are: claude_code"),
    ("extra_settings", {"claude_code": 1}, "coding_agents_extra_settings.claude_code: is no dictionary"),
]


@pytest.mark.parametrize(("name", "value", "said"), WRONG_VALUES)
def test_what_is_wrong_is_named_with_its_value_and_what_is_allowed(name: str, value: Any, said: str) -> None:
    assert said in "\n".join(problems({**RIGHT, name: value}))


TOGETHER: list[tuple[dict[str, Any], str]] = [
    ({"workspace_url": None}, "coding_agents_workspace_url is not set"),
    ({"identity": "service_principal", "client_id": "x"}, "coding_agents_client_secret is not set"),
    ({"identity": "service_principal"}, "coding_agents_client_id and coding_agents_client_secret is not set"),
    ({"identity": "workload_identity"}, "exactly one of coding_agents_oidc_token_file"),
    ({"identity": "workload_identity", "oidc_token_env": "A", "oidc_token_file": "/b"}, "and has 2"),
    ({"users": ["ada"], "home": "/home/ada"}, "coding_agents_users and coding_agents_home are both set"),
    (
        {"config": "a.json", "config_url": "https://x/a.json"},
        "coding_agents_config and coding_agents_config_url are both set",
    ),
    (
        {"config": "a.json", "config_sha256": "0" * 64},
        "coding_agents_config_sha256 is set without coding_agents_config_url",
    ),
    ({"routing": "auto", "preflight": "no"}, "coding_agents_routing is auto, which only the preflight can decide"),
]


@pytest.mark.parametrize(("given", "said"), TOGETHER)
def test_what_does_not_go_together_is_refused(given: dict[str, Any], said: str) -> None:
    assert said in "\n".join(problems({**RIGHT, **given}))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("modles", "Did you mean coding_agents_models?"),
        ("token_ttl_minuts", "Did you mean coding_agents_token_ttl_minutes?"),
        ("workspaceurl", "Did you mean coding_agents_workspace_url?"),
        ("host", "What it says is coding_agents_workspace_url here."),
        ("ttl", "What it says is coding_agents_token_ttl_minutes here."),
        ("opus", "What it says is coding_agents_models.opus here."),
        ("zzzz", "The README of fmapi.coding_agents lists them all."),
    ],
)
def test_an_unknown_variable_is_named_with_the_one_that_was_meant(name: str, said: str) -> None:
    (message,) = unknown(["models", name])
    assert message.startswith(f"{PREFIX}{name}: there is no such variable.")
    assert message.endswith(said)


@pytest.mark.parametrize("name", [name for name in VARIABLES if is_secret(name)])
@pytest.mark.parametrize("value", [["s3cr3t-value"], 1.5e9, True, "s3cr3t-value\n"])
def test_a_secret_s_value_is_never_in_a_message(name: str, value: Any) -> None:
    found = problems_of(name, value)
    assert found
    assert not any("s3cr3t" in one or str(value).lower() in one.lower().replace(PREFIX + name, "") for one in found), (
        found
    )


def test_extra_settings_values_are_never_in_a_message() -> None:
    for extra in ("s3cr3t-value", {"claude_code": "s3cr3t-value"}, {"claude_code": {"apiKeyHelper": "s3cr3t-value"}}):
        assert problems_of("extra_settings", extra)
        assert "s3cr3t" not in "\n".join(problems_of("extra_settings", extra))
