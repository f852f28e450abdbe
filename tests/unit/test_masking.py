# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Masking: what an operator sees in a diff holds no secret, and stays readable."""

from __future__ import annotations

import base64
import difflib
import json

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.masking import (
    CHANGED,
    MASK,
    is_databricks_token,
    masked_pair,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.generated import ini_texts, json_texts

SECRET = "S3cr3t-Value"


def jwt(issuer: object) -> str:
    parts = [{"alg": "RS256"}, {"iss": issuer, "sub": "x"}]
    return ".".join(base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in parts) + ".c2ln"


SECRET_NAMES = (
    "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY", "OPENAI_API_KEY", "apiKey", "api_key", "apikey", "API-KEY", "key", "KEY",
    "accessToken", "refresh_token", "client_secret", "clientSecret", "AWS_SECRET_ACCESS_KEY", "password", "PGPASSWORD",
    "passwd", "Authorization", "credentials", "privateKey", "signingKey", "accessKey", "sshKeys", "passphrase",
    "azure_client_secret", "primaryApiKey", "x-api-key",
)  # fmt: skip


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_value_is_masked_by_the_name_of_its_key(name: str) -> None:
    for text in (
        json.dumps({name: SECRET, "a": {name: [SECRET]}}),
        json.dumps({"env": {name: SECRET}}, indent=2),
        f"{{{json.dumps(name)}\t:\n  {json.dumps(SECRET)}}}",
        f"[p]\n{name} = {SECRET}\n",
        f"[p]\n{name}   = {SECRET}\n  {name}={SECRET}\n",
        f"[p]\n{name}: {SECRET}\n",
        f"export {name}={SECRET}\n",
    ):
        for shown in masked_pair(text, text):
            assert SECRET not in shown, text
            assert MASK in shown
            assert name in shown


@pytest.mark.parametrize(
    "secret",
    [
        "dapi0123456789abcdef0123456789abcdef",
        "dapi0123456789abcdef0123456789abcdef-2",
        "dose0123456789abcdef0123456789abcdef",
        jwt("https://w/oidc"),
        "sk-ant-api03-abcdefghijklmnop",
        "ghp_abcdefghijklmnopqrst",
        "xoxb-1234567890-abcdef",
        "AKIAABCDEFGHIJKLMNOP",
    ],
)
def test_a_value_is_masked_by_its_shape_whatever_it_is_called(secret: str) -> None:
    for text in (
        f'{{"note": "{secret}"}}',
        f'{{"list": ["x", "{secret}"]}}',
        f"note = see {secret} there\n",
        f"# {secret}\n",
    ):
        shown = masked_pair(text, "")[0]
        assert secret not in shown
        assert MASK in shown


def test_a_bearer_header_is_masked_inside_a_value() -> None:
    text = '{"ANTHROPIC_CUSTOM_HEADERS": "x-a: 1\\nAuthorization: Bearer abc.def-123456\\nx-b: 2"}'
    shown = masked_pair(text, "")[0]
    assert "abc.def-123456" not in shown
    assert "x-a: 1" in shown and "x-b: 2" in shown


HARMLESS = {
    "apiKeyHelper": "/home/ada/.local/share/fmapi-coding-agents/token-helper",
    "CLAUDE_CODE_API_KEY_HELPER_TTL_MS": "900000",
    "CLAUDE_CODE_MAX_OUTPUT_TOKENS": "32000",
    "MAX_THINKING_TOKENS": "11",
    "ANTHROPIC_BASE_URL": "https://dbc-1.cloud.databricks.com/ai-gateway/anthropic",
    "ANTHROPIC_MODEL": "databricks-claude-opus-4-6",
    "keybindings": "vim",
    "monkey": "see",
    "keyboard": "qwerty",
    "hasToken": "true",
    "api_key_count": "11",
    "secret": "",
    "host": "https://w",
    "auth_type": "oauth-m2m",
    "client_id": "7c1e0a52-6a53-4f0c-9a1e-0d7f0c2f4b11",
}


@pytest.mark.parametrize(("name", "value"), HARMLESS.items())
def test_harmless_names_and_words_stay_readable(name: str, value: str) -> None:
    for text in (json.dumps({name: value}), f"{name} = {value}\n"):
        assert masked_pair(text, text) == (text, text)


def test_a_secret_that_changes_shows_as_changed_and_one_that_does_not_as_the_same() -> None:
    for template in ('{{"token": "{}"}}', "token = {}\n"):
        before, after = masked_pair(template.format("one-secret"), template.format("other-secret"))
        assert (MASK in before, CHANGED in after) == (True, True)
        assert CHANGED not in before
        assert "one-secret" not in before + after and "other-secret" not in before + after
        before, after = masked_pair(template.format("one-secret"), template.format("one-secret"))
        assert before == after


def test_a_new_secret_is_new_and_not_changed() -> None:
    before, after = masked_pair("[a]\nx = 1\n", "[a]\nx = 1\n\n[b]\nclient_secret = s3cr3t\n")
    assert after == f"[a]\nx = 1\n\n[b]\nclient_secret = {MASK}\n"
    assert before == "[a]\nx = 1\n"


def test_lines_that_do_not_change_do_not_show_in_a_diff() -> None:
    text = '{\n  "token": "abcdef",\n  "other": 1,\n  "apiKey": "ghijkl"\n}\n'
    before, after = masked_pair(text, text.replace('"other": 1', '"other": 2'))
    changed = [line for line in difflib.unified_diff(before.splitlines(), after.splitlines(), n=0) if line[0] in "+-"][
        2:
    ]
    assert changed == ['-  "other": 1,', '+  "other": 2,']


def test_escaped_quotes_do_not_end_a_secret() -> None:
    text = json.dumps({"password": 'abc"def\\', "b": 1})
    assert masked_pair(text, "")[0] == f'{{"password": "{MASK}", "b": 1}}'


@given(json_texts() | ini_texts)
def test_masking_is_the_same_for_the_same_text_and_keeps_its_lines(content: bytes) -> None:
    text = content.decode()
    before, after = masked_pair(text, text)
    assert before == after
    assert before.count("\n") == text.count("\n")


@given(st.text(max_size=80))
def test_any_text_can_be_masked(text: str) -> None:
    masked_pair(text, text[::-1])


@pytest.mark.parametrize(
    ("value", "is_one"),
    [
        ("dapi0123456789abcdef0123456789abcdef", True),
        ("dapi0123456789abcdef0123456789abcdef-3", True),
        (jwt("https://dbc-1.cloud.databricks.com/oidc"), True),
        (jwt("https://dbc-1.cloud.databricks.com/oidc/"), True),
        (jwt("https://accounts.google.com"), False),
        (jwt(7), False),
        ("sk-ant-api03-abcdefgh", False),
        ("dapi", False),
        ("a.b.c", False),
        ("é.é.é", False),
        ("a.W10.c", False),
        ("", False),
        (None, False),
        (7, False),
        (["dapi0123456789abcdef0123456789abcdef"], False),
    ],
)
def test_a_databricks_token_is_known_by_its_shape_or_issuer(value: object, is_one: bool) -> None:
    assert is_databricks_token(value) is is_one


def test_text_made_of_quotes_takes_no_time_without_end() -> None:
    """Hours, if strings were looked for inside strings."""
    for text in (
        '"\\' * 200_000,
        '{"a": "' + '\\"' * 200_000 + '"}',
        '"key": [' + '"x",' * 100_000 + "1]",
        '"' * 200_000,
    ):
        masked_pair(text, "")
