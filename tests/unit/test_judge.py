# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What operators set is judged in one place: what is right passes, and what is wrong is named with the way out."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS
from ansible_collections.fmapi.coding_agents.plugins.module_utils.options import judge
from ansible_collections.fmapi.coding_agents.plugins.module_utils.options.judge import (
    CONFIG_KEYS,
    EXAMPLES,
    USE,
    VARIABLES,
    is_secret,
    models_of,
    problems,
    problems_of,
    unknown,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.options.values import PREFIX

URL = "https://dbc-a1b2c3d4-e5f6.cloud.databricks.com"
RIGHT: dict[str, Any] = {"workspace_url": URL}


def test_every_variable_has_an_example_that_is_right() -> None:
    assert set(EXAMPLES) == set(VARIABLES)
    assert set(USE) <= set(VARIABLES) and set(USE.values()) <= {"must", "usual", "rare"}
    for name, example in EXAMPLES.items():
        if "{{" not in example and name != "config_sha256":  # said in words
            assert problems_of(name, yaml.safe_load(example)) == [], name


def test_a_variable_is_declared_by_one_group_alone() -> None:
    names = [name for group in judge.GROUPS for name in group.SPEC]
    assert sorted(names) == sorted(set(names)) == sorted(VARIABLES)
    for group in judge.GROUPS:
        assert {*group.EXAMPLES, *group.USE, *group.CHECKS} <= set(group.SPEC), group.__name__


RIGHT_VALUES: list[tuple[str, Any]] = [
    ("workspace_id", 1234567890123456),
    ("workspace_id", "1234567890123456"),
    ("client_id", 42),
    ("token_ttl_minutes", "15"),
    ("agents", "claude_code"),
    ("models", '{"claude_code": {"opus": "databricks-claude-opus-4-6"}}'),
    ("models", {"claude_code": '{"opus": "databricks-claude-opus-4-6"}'}),
    ("models", {"claude_code": {"opus": None}}),
    ("models", {"claude_code": {}}),
    ("claude_code_experimental_betas", "yes"),
    (
        "base_urls",
        {"claude_code": "https://llm.example.com:8443/anthropic/", "codex": {"responses": "http://127.0.0.1:80/v1"}},
    ),
    ("base_urls", '{"pi": "http://localhost:8080"}'),
    ("base_urls", {"pi": None, "codex": {}, "gemini": "http://[::1]:1/x"}),
    ("claude_code_settings_location", "/srv/settings"),
    ("preflight", 0),
    ("doctor_prompt", "on"),
    ("sign_in_timeout", "60"),
    ("proxy", "http://proxy.example.com:3128/"),
    ("ca_file", "files/company-ca.pem"),
    ("hosts", ["laptops", "servers"]),
    ("home", "/home/Zoë Müller/家"),
    ("users", "ada,grace"),
    *[
        (name, nothing)
        for name in ("models", "users", "workspace_id", "ca_file", "npm_prefix", "proxy", "report")
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
    ("ca_file", 1.5, "coding_agents_ca_file is 1.5, which is not a path. Give a path, such as files/company-ca.pem."),
    ("home", ["/home/ada"], 'coding_agents_home is ["/home/ada"], which is not a text'),
    ("home", "/home/a\nb", "coding_agents_home holds a line break"),
    ("preflight", "perhaps", "coding_agents_preflight is 'perhaps', which is not true or false. Give true or false"),
    ("token_ttl_minutes", True, "coding_agents_token_ttl_minutes is 'True', which is not a whole number"),
    ("token_ttl_minutes", 15.0, "coding_agents_token_ttl_minutes is '15.0', which is not a whole number"),
    ("workspace_id", 1.5e15, "coding_agents_workspace_id"),
    ("agents", {"claude_code": True}, "coding_agents_agents names no agent"),
    ("agents", ["clod"], "coding_agents_agents names clod. Use one or more of: claude_code"),
    ("agents", [None], "coding_agents_agents is [null], which is not a list"),
    ("models", {"opus": "x"}, "models are named by agent. Write coding_agents_models: {claude_code: {opus: x}}."),
    ("models", {"clod": {}}, "coding_agents_models has clod, which is no agent. Use only: claude_code"),
    ("models", {"claude": {"opus": "x"}}, "Did you mean claude_code?"),
    (
        "models",
        {"claude_code": {"opsu": "x"}},
        "coding_agents_models.claude_code has opsu, which is no choice of a model",
    ),
    ("models", {"claude_code": {"opsu": "x"}}, "Use only: default, opus, sonnet, haiku. Did you mean opus?"),
    (
        "models",
        {"claude_code": {"opus": ["x"]}},
        'coding_agents_models.claude_code.opus is ["x"], which is no model id',
    ),
    (
        "models",
        {"claude_code": "x"},
        "coding_agents_models.claude_code is not a dictionary. Give model ids by default,",
    ),
    ("models", "opus=x", "coding_agents_models is not a dictionary"),
    ("models_auto", "perhaps", "coding_agents_models_auto is 'perhaps', which is not true or false"),
    (
        "models_schemas",
        ["main.agents", "main"],
        "coding_agents_models_schemas has 'main', which is no schema of Unity Catalog",
    ),
    ("models_schemas", ["main.agents/x"], "coding_agents_models_schemas has 'main.agents/x', which is no schema"),
    ("base_urls", "https://x.example", "coding_agents_base_urls is not a dictionary. Give base URLs by agent"),
    (
        "base_urls",
        {"claude": "https://x.example"},
        "coding_agents_base_urls has claude, which is no agent. Use only: claude_code",
    ),
    ("base_urls", {"claude": "https://x.example"}, "Did you mean claude_code?"),
    ("base_urls", {"codex": {"response": "https://x.example"}}, "has response, which is no dialect that Codex speaks"),
    ("base_urls", {"codex": {"response": "https://x.example"}}, "Use only: responses. Did you mean responses?"),
    ("base_urls", {"codex": {"responses": 7}}, "coding_agents_base_urls.codex.responses is no URL"),
    ("base_urls", {"codex": "http://10.0.0.1/v1"}, "coding_agents_base_urls.codex begins with http://, but tokens"),
    ("base_urls", {"codex": "http://127.0.0.1.example.com"}, "begins with http://, but tokens"),
    ("base_urls", {"codex": "ftp://x.example"}, "begins with ftp://"),
    ("base_urls", {"codex": "https://ada:word@x.example"}, "holds a user name or a password"),
    ("base_urls", {"codex": "https://x.example/v1?key=1"}, "coding_agents_base_urls.codex has a query"),
    ("base_urls", {"codex": "https://x.example/v1#a"}, "has a fragment"),
    ("base_urls", {"codex": "https://x.example/$HOME"}, "has the path /$HOME"),
    ("base_urls", {"codex": "https://x.example/a/../b"}, "has the path /a/../b"),
    ("base_urls", {"codex": "https://x.example//b"}, "has the path //b"),
    ("base_urls", {"codex": "https://x.example/{env:HOME}"}, "holds a space, a control character"),
    ("base_urls", {"codex": "https://x.example:0"}, 'has the port "0"'),
    ("claude_code_experimental_betas", "perhaps", "coding_agents_claude_code_experimental_betas is 'perhaps'"),
    ("doctor_prompt", "hello", "coding_agents_doctor_prompt is 'hello', which is not true or false"),
    ("sign_in_timeout", 0, "coding_agents_sign_in_timeout is 0. Give seconds from 1 to 3600"),
    ("sign_in_timeout", "²", "coding_agents_sign_in_timeout is '²'. Give seconds"),
    ("proxy", "proxy.example.com:3128", "coding_agents_proxy is no proxy's URL. Give one, such as http://proxy"),
    ("proxy", "http://proxy.example.com:port", "coding_agents_proxy is no proxy's URL"),
    ("proxy", "http://[::1", "coding_agents_proxy is no proxy's URL"),
    ("proxy", "http://ada:word@proxy.example.com", "coding_agents_proxy holds a user name or a password"),
    ("no_proxy", "localhost, example.com", "Write host names with commas and no spaces"),
    ("cli_versions", {"claude_code": 2.1}, "coding_agents_cli_versions.claude_code: 2.1 is no version"),
    ("cli_versions", ["2.1.197"], "coding_agents_cli_versions is"),
    ("users", ["ada", "../root"], "coding_agents_users names '../root', which is no user name"),
    ("users", [7], "coding_agents_users is [7], which is not a list"),
    ("npm_registry", "npm.example.com", "coding_agents_npm_registry does not begin with https:// or http://"),
    ("pip_index", "pypi.example.com", "coding_agents_pip_index does not begin with https:// or http://"),
    (
        "mirror",
        "http://ada:s3cret@mirror.example.com",
        "coding_agents_mirror is no https:// URL of a directory. Give one",
    ),
    (
        "toolchain_sources",
        ["brew"],
        "coding_agents_toolchain_sources names brew. Use one or more of: homebrew, distribution, vendor, already_present",
    ),
    ("config_url", "http://it.example.com/c.json", "coding_agents_config_url does not begin with https://. Give a URL"),
    ("config_sha256", "abc", "coding_agents_config_sha256 is 'abc', which is no SHA-256"),
    ("extra_settings", [1], "coding_agents_extra_settings is not a dictionary"),
    ("extra_settings", {"clod": {}}, "coding_agents_extra_settings.clod: is no agent. Known are: claude_code"),
    ("extra_settings", {"claude_code": 1}, "coding_agents_extra_settings.claude_code: is no dictionary"),
]


@pytest.mark.parametrize(("name", "value", "said"), WRONG_VALUES)
def test_what_is_wrong_is_named_with_its_value_and_what_is_allowed(name: str, value: Any, said: str) -> None:
    assert said in "\n".join(problems({**RIGHT, name: value}))


def test_every_wrong_option_is_named_at_once() -> None:
    wrong = {"workspace_url": "dbc", "profile": "my profile]", "token_ttl_minutes": 0, "routing": "x", "modles": {}}
    assert [one.partition(" ")[0].rstrip(":") for one in problems(wrong)] == [f"{PREFIX}{name}" for name in wrong]


TOGETHER: list[tuple[dict[str, Any], str]] = [
    ({"models_file": "m.yml"}, "coding_agents_models_file is set without coding_agents_models_auto"),
    ({"models_schemas": ["a.b"]}, "coding_agents_models_schemas is set without coding_agents_models_auto"),
    ({"models_auto": True, "preflight": False}, "coding_agents_models_auto is true, but only the preflight can choose"),
    ({"no_proxy": "localhost"}, "coding_agents_no_proxy is set without coding_agents_proxy"),
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
    (
        {"scope": "machine", "users": ["ada"]},
        "coding_agents_scope is machine, which is for all users of a host, and coding_agents_users",
    ),
    ({"scope": "machine", "home": "/home/ada"}, "and coding_agents_home names some. Take it out"),
    (
        {"scope": "machine", "login_at_start": "yes"},
        "coding_agents_login_at_start is true, and coding_agents_scope machine",
    ),
    ({"scope": "machine", "identity": "pat"}, "one person's token would be everybody's. Use identity user"),
    (
        {"scope": "machine", "identity": "service_principal", "client_id": "x", "client_secret": "y"},
        "every user of the host could spend the secret. Set coding_agents_secret_group",
    ),
    ({"secret_group": "agents"}, "coding_agents_secret_group is set without coding_agents_scope machine"),
    ({"routing": "auto", "preflight": "no"}, "coding_agents_routing is auto, which only the preflight can decide"),
]


@pytest.mark.parametrize(("given", "said"), TOGETHER)
def test_what_does_not_go_together_is_refused(given: dict[str, Any], said: str) -> None:
    assert said in "\n".join(problems({**RIGHT, **given}))


def test_an_agent_that_nobody_has_tried_for_all_users_of_a_host_is_refused_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(AGENTS["pi"], "machine_scope", "")
    (said,) = problems({**RIGHT, "scope": "machine", "agents": ["codex", "pi"]})
    assert said.startswith("coding_agents_agents names pi. Pi has no machine scope: nobody has tried it. Take it out")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("modles", "Did you mean coding_agents_models?"),
        ("token_ttl_minuts", "Did you mean coding_agents_token_ttl_minutes?"),
        ("workspaceurl", "Did you mean coding_agents_workspace_url?"),
        ("host", "What it says is coding_agents_workspace_url here."),
        ("ttl", "What it says is coding_agents_token_ttl_minutes here."),
        ("opus", "What it says is coding_agents_models.claude_code.opus here."),
        ("settings_location", "It is coding_agents_claude_code_settings_location now."),
        ("experimental_betas", "It is coding_agents_claude_code_experimental_betas now."),
        ("state", "The README of fmapi.coding_agents lists them all."),
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


def test_what_the_config_file_sets_is_there_to_be_set() -> None:
    for target in CONFIG_KEYS.values():
        name, *within = target.split(".")
        assert name in VARIABLES
        if within:
            agent, slot = within
            assert slot in VARIABLES[name]["options"][agent]["options"]


def test_models_in_force_are_the_chosen_over_the_agent_s_own() -> None:
    own = AGENTS["claude_code"].model_defaults
    assert models_of("claude_code", {}) == models_of("claude_code", {"models": {"claude_code": None}}) == own
    for chosen in ({"claude_code": {"opus": "x", "haiku": ""}}, '{"claude_code": {"opus": "x", "haiku": null}}'):
        assert models_of("claude_code", {"models": chosen}) == {**own, "opus": "x"}
