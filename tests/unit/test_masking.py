# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Masking: a diff shows our own lines and other people's names, and none of their values that is not plainly harmless."""

from __future__ import annotations

import base64
import difflib
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.diffs import diff_of
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.documents import DocumentError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.masking import (
    CHANGED,
    MASK,
    hidden,
    is_databricks_token,
    masked_pair,
    masked_wholes,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ownership import Plan, Wanted, plan
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.generated import ini_texts, json_texts, styled

SECRET = "S3cr3t-Value"
URL = "https://dbc-1.cloud.databricks.com/ai-gateway/anthropic"
HELPER = "/home/ada/.local/share/fmapi-coding-agents/token-helper"
OURS: dict[tuple[str, ...], Any] = {
    ("apiKeyHelper",): HELPER,
    ("env", "ANTHROPIC_BASE_URL"): URL,
    ("env", "ANTHROPIC_CUSTOM_HEADERS"): "x-databricks-use-coding-agent-mode: true",
    ("env", "CLAUDE_CODE_API_KEY_HELPER_TTL_MS"): "900000",
}
OWN_LINES = [f'"{path[-1]}": {json.dumps(value)}' for path, value in OURS.items()]


def jwt(issuer: object) -> str:
    parts = [{"alg": "RS256"}, {"iss": issuer, "sub": "x"}]
    return ".".join(base64.urlsafe_b64encode(json.dumps(one).encode()).decode().rstrip("=") for one in parts) + ".c2ln"


def settings(**changes: Any) -> Wanted:
    wanted = Wanted("/h/.claude/settings.json", "json", "x", values=OURS, superseded=(("env", "ANTHROPIC_AUTH_TOKEN"),))
    return wanted.replaced(elements={("permissions", "deny"): ("WebSearch",)}, **changes)


def profile(**changes: Any) -> Wanted:
    values: dict[tuple[str, ...], Any] = {
        ("fmapi", "host"): "https://w",
        ("fmapi", "client_id"): "7c1e",
        ("fmapi", "client_secret"): SECRET,
    }
    return Wanted("/h/.databrickscfg", "ini", "x", values=values, **changes)


def env_file(**changes: Any) -> Wanted:
    return Wanted("/h/.hermes/.env", "dotenv", "x", values={("OPENAI_BASE_URL",): URL}, **changes)


def block(**changes: Any) -> Wanted:
    return Wanted("/h/.profile", "block", "x", values={("login",): "coding-agents login &"}, **changes)


def shown(made: Plan) -> tuple[str, str]:
    (diff,) = diff_of([made])
    return diff["before"], diff["after"]


def lines(before: str, after: str, sign: str) -> list[str]:
    told = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return [line[1:].strip().rstrip(",") for line in told if line[0] == sign and line[:3] not in ("+++", "---")]


# -- somebody's file, ours put into it ---------------------------------------------------------------------------------

FOREIGN_MEMBERS: dict[str, str] = {
    "a password in a URL": f'"env": {{"DATABASE_URL": "postgres://ada:{SECRET}@db/x"}}',
    "a header among headers": f'"env": {{"ANTHROPIC_CUSTOM_HEADERS": "x-a: 1\\nX-Corp-Auth: {SECRET}"}}',
    "a name one level up": f'"apiKeys": {{"corp": "{SECRET}"}}',
    "a name two levels up": f'"tokens": {{"corp": {{"{SECRET}": "x"}}}}',
    "an escaped name": f'"pass\\u0077ord": "{SECRET}"',
    "a value on the next line": f'"password"\n:\n"{SECRET}"',
    "an option of a command": f'"command": "server --password {SECRET}"',
    "a query": f'"url": "https://x/y?token={SECRET}"',
    "a list of arguments": f'"args": ["--password", "{SECRET}"]',
    "a word without any name": f'"note": "{SECRET}"',
    "a permission": f'"permissions": {{"allow": ["Bash(curl -u ada:{SECRET})"]}}',
    "a hook": f'"hooks": {{"Stop": [{{"hooks": [{{"type": "command", "command": "x {SECRET}"}}]}}]}}',
    "an escaped value": '"k": "' + "".join(f"\\u{ord(one):04x}" for one in SECRET) + '"',
    "what would outrank ours": f'"env": {{"ANTHROPIC_AUTH_TOKEN": "{SECRET}"}}',
    "what stood in our place": f'"apiKeyHelper": "echo {SECRET}"',
    "a random name": '"map": {"f81d4fae7dec11d0a76500a0c91e6bf6": true}',
}


@pytest.mark.parametrize("case", FOREIGN_MEMBERS)
@pytest.mark.parametrize("template", ["{{{}}}", "{{\n  {}\n}}\n", '{{\n  "a": 1,\n  {},\n  "b": 2\n}}\n'])
def test_no_value_of_somebody_s_settings_is_shown(case: str, template: str) -> None:
    content = template.format(FOREIGN_MEMBERS[case]).encode()
    first = plan("/h/s", content, 0o600, None, settings(), "salt")
    back = plan("/h/s", first.after, 0o600, first.entry, None, "salt")
    assert back.after == content
    for planted in (SECRET, "f81d4fae7dec11d0a76500a0c91e6bf6", f"{ord(SECRET[0]):04x}"):
        assert planted not in "".join((*shown(first), *shown(back)))
    for value in map(json.dumps, OURS.values()):
        assert value in shown(first)[1] and value in shown(back)[0]


@pytest.mark.parametrize("number", ["84729461", "123456", "1.10203040", "847294611234567890123", "-987654", "1e100000"])
def test_a_number_of_six_digits_or_more_is_hidden(number: str) -> None:
    content = f'{{"pin": 1234, "code": {number}, "port": 8443}}'.encode()
    before, after = shown(plan("/h/s", content, 0o600, None, settings(), "salt"))
    assert number not in before + after and '"port": 8443' in before and '"pin": 1234' not in before


HARMLESS = {
    "cleanupPeriodDays": 30,
    "theme": "dark",
    "model": "opus",
    "spinnerTipsEnabled": False,
    "nothing": None,
    "empty": "",
    "port": "8080",
    "list": [],
    "hasToken": True,
    "MAX_THINKING_TOKENS": "11",
}


def test_what_is_plainly_harmless_stays_readable() -> None:
    content = json.dumps(HARMLESS, indent=1).encode()
    before, after = masked_pair("json", content.decode(), content.decode())
    assert before == after == content.decode()


@pytest.mark.parametrize("name", ["theme", "model", "editorMode", "type"])
def test_a_harmless_name_makes_no_value_harmless(name: str) -> None:
    text = json.dumps({name: SECRET, "password": "dark", "key": "opus"})
    assert masked_pair("json", text, text)[0] == f'{{"{name}": "{MASK}", "password": "{MASK}", "key": "{MASK}"}}'


def test_an_operator_sees_each_line_that_is_written_and_what_it_stands_beside() -> None:
    content = b'{\n  "theme": "corp",\n  "env": {\n    "MINE": "1",\n    "THEIRS": "value"\n  }\n}\n'
    before, after = shown(plan("/h/s", content, 0o600, None, settings(), "salt"))
    added = lines(before, after, "+")
    for line in OWN_LINES:
        assert line in added
    assert '"WebSearch"' in added
    assert '"MINE": "1",' in after and f'"THEIRS": "{MASK}"' in after and f'"theme": "{MASK}"' in after
    assert lines(before, after, "-") == [f'"THEIRS": "{MASK}"']  # a comma comes behind it


def test_a_changed_model_shows_both_names() -> None:
    first = plan("/h/s", b"{}", 0o600, None, settings(), "salt")
    values = {**OURS, ("env", "ANTHROPIC_BASE_URL"): "https://other"}
    second = plan("/h/s", first.after, 0o600, first.entry, settings(values=values), "salt")
    before, after = shown(second)
    assert lines(before, after, "-") == [f'"ANTHROPIC_BASE_URL": "{URL}"']
    assert lines(before, after, "+") == ['"ANTHROPIC_BASE_URL": "https://other"']


def test_what_the_owner_put_in_our_place_is_theirs_again() -> None:
    first = plan("/h/s", b"{}", 0o600, None, settings(), "salt")
    edited = (first.after or b"").replace(URL.encode(), SECRET.encode())
    before, after = shown(plan("/h/s", edited, 0o600, first.entry, settings(), "salt"))
    assert SECRET not in before + after
    assert lines(before, after, "-") == [f'"ANTHROPIC_BASE_URL": "{MASK}"']
    assert lines(before, after, "+") == [f'"ANTHROPIC_BASE_URL": "{URL}"']


def test_what_is_masked_of_ours_is_hidden_then_and_later() -> None:
    key = ("env", "CORP")
    wanted = settings(values={**OURS, key: SECRET}, masked=frozenset((key,)))
    first = plan("/h/s", b"{}", 0o600, None, wanted, "salt")
    changed = settings(values={**OURS, key: "other words"}, masked=frozenset((key,)))
    second = plan("/h/s", first.after, 0o600, first.entry, changed, "salt")
    last = plan("/h/s", second.after, 0o600, second.entry, None, "salt")
    for made in (first, second, last):
        assert SECRET not in "".join(shown(made)) and "other words" not in "".join(shown(made))
    assert lines(*shown(second), "+") == [f'"CORP": "{CHANGED}"']


def test_our_own_secrets_are_hidden() -> None:
    content = b"[A]\nx = y\n; see https://ada:pw123@wiki\n"
    before, after = shown(plan("/h/c", content, 0o600, None, profile(), "salt"))
    assert lines(before, after, "+") == [
        "", "[fmapi]", "host = https://w", "client_id = 7c1e", f"client_secret = {MASK}",
    ]  # fmt: skip
    assert before == f"...\nx = {MASK}\n; {MASK}\n"


def test_settings_with_comments_that_are_replaced_are_not_shown_at_all() -> None:
    content = f'{{\n  // {SECRET}\n  "Ada-S3cret": 1, /* "{SECRET}": 2 */\n}}\n'.encode()
    made = plan("/h/s", content, 0o600, None, settings(replace_unreadable=True), "salt")
    before, after = shown(made)
    assert before == f"{{\n{MASK}\n{MASK}\n}}\n"
    for line in OWN_LINES:
        assert line in after


INI_LINES = [
    f"password = {SECRET}", f"url: https://ada:{SECRET}@x", f"# was {SECRET}", f"; {SECRET}", f"note = {SECRET} ; x",
    f"long = a\n    {SECRET}", f"{SECRET} = 1", f"[x] ; {SECRET}", f"account_id = {SECRET}", f"[{SECRET}=={SECRET}]",
]  # fmt: skip


@pytest.mark.parametrize("line", INI_LINES)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_no_value_of_somebody_s_profiles_is_shown(line: str, end: str) -> None:
    content = f"[DEFAULT]\nhost = x\n{line}\n".replace("\n", end).encode()
    made = plan("/h/c", content, 0o600, None, profile(), "salt")
    assert SECRET not in "".join(shown(made))
    assert "host = https://w" in shown(made)[1]
    assert len(shown(made)[0].split("\n")) == content.count(b"\n") + 1


DOTENV_LINES = [
    f"PASSWORD={SECRET}", f"export URL='https://ada:{SECRET}@x'", f"# {SECRET}", f"A=1 # {SECRET}", f'B="x" # {SECRET}',
    f'KEY="-----BEGIN\n{SECRET}=\n-----END"', f"KEY=-----BEGIN\n{SECRET}=\n", f"curl {SECRET}", f"N={SECRET}\\",
    f"X: {SECRET}", "A=$(echo " + SECRET + ")",
]  # fmt: skip


@pytest.mark.parametrize("line", DOTENV_LINES)
def test_no_value_of_somebody_s_variables_is_shown(line: str) -> None:
    content = f"MINE=8080\n{line}\nLAST=true\n".encode()
    made = plan("/h/e", content, 0o600, None, env_file(), "salt")
    before, after = shown(made)
    assert SECRET not in before + after
    assert f"OPENAI_BASE_URL={URL}" in after
    assert before.count("\n") == content.count(b"\n")


def test_of_a_variable_file_that_cannot_be_read_nothing_is_shown_from_there_on() -> None:
    text = f"A=8080\nB='open\n{SECRET}=1\nC=2\n"
    assert masked_pair("dotenv", text, text)[0] == f"A=8080\n{MASK}\n{MASK}\n{MASK}\n"


@pytest.mark.parametrize(
    "line", [f"export TOKEN={SECRET}", f"alias x='y {SECRET}'", f"# {SECRET}", f"cat <<E\n{SECRET}\nE"]
)
def test_of_a_shell_s_file_nothing_but_our_block_is_shown(line: str) -> None:
    content = f"umask 022\n{line}\n".encode()
    made = plan("/h/p", content, 0o600, None, block(), "salt")
    before, after = shown(made)
    assert SECRET not in before + after and "umask" not in before + after
    assert after.endswith(
        "# >>> fmapi.coding_agents login >>>\ncoding-agents login &\n# <<< fmapi.coding_agents login <<<\n"
    )
    back = plan("/h/p", made.after, 0o600, made.entry, None, "salt")
    assert "coding-agents login &" in shown(back)[0] and SECRET not in "".join(shown(back))


def test_what_somebody_put_into_our_block_is_theirs() -> None:
    made = plan("/h/p", b"", 0o600, None, block(), "salt")
    edited = (made.after or b"").replace(b"login &", SECRET.encode())
    assert SECRET not in "".join(shown(plan("/h/p", edited, 0o600, made.entry, block(), "salt")))


@pytest.mark.parametrize(
    "secret",
    [
        "dapi0123456789abcdef0123456789abcdef", "dapi0123456789abcdef0123456789abcdef-2",
        "dose0123456789abcdef0123456789abcdef", jwt("https://w/oidc"), "sk-ant-api03-abcdefghijklmnop",
        "ghp_abcdefghijklmnopqrst", "xoxb-1234567890-abcdef", "AKIAABCDEFGHIJKLMNOP",
    ],
)  # fmt: skip
def test_in_a_text_of_ours_a_secret_is_known_by_its_shape_and_by_its_name(secret: str) -> None:
    for text in (f'{{"note": "{secret}"}}', f"note = see {secret} there\n", f"# {secret}\n", 'x\n{"password": "open"}'):
        told = masked_wholes(text, "", (True, True))[0]
        assert secret not in told and "open" not in told
        assert MASK in told
    assert masked_wholes("theirs\n", "ours\n", (False, True)) == (f"{MASK}\n", "ours\n")


# -- changes show ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "template"), [("json", '{{"note": "{}"}}'), ("ini", "[a]\nnote = {}\n"), ("dotenv", "NOTE={}\n")]
)
def test_a_foreign_value_that_changes_shows_as_changed_and_one_that_does_not_as_the_same(
    kind: str, template: str
) -> None:
    before, after = masked_pair(kind, template.format("one-secret"), template.format("other-secret"))
    assert (MASK in before, CHANGED in after, CHANGED in before) == (True, True, False)
    assert "one-secret" not in before + after and "other-secret" not in before + after
    before, after = masked_pair(kind, template.format("one-secret"), template.format("one-secret"))
    assert before == after


@given(json_texts() | ini_texts, json_texts() | ini_texts, st.sampled_from(["json", "ini", "dotenv", "block", "file"]))
def test_texts_that_differ_never_look_the_same_and_the_same_text_does(one: bytes, other: bytes, kind: str) -> None:
    first, second = one.decode(), other.decode()
    before, after = masked_pair(kind, first, second)
    assert (before == after) == (first == second)
    before, after = masked_pair(kind, first, first)
    assert before == after
    assert before.count("\n") == first.count("\n")


@given(st.text(max_size=80), st.sampled_from(["json", "ini", "dotenv", "block", "file"]), st.booleans())
def test_any_text_can_be_masked(text: str, kind: str, whole: bool) -> None:
    masked_pair(kind, text, text[::-1], frozenset(), whole)
    masked_wholes(text, text[::-1], (True, True))


def test_lines_far_from_every_change_are_left_out_and_numbers_stay() -> None:
    members = {f"project-{number}": number for number in range(100)}
    content = json.dumps({"projects": members, "done": 1}, indent=2).encode()
    wanted = Wanted("/h/s", "json", "x", values={("projects", "project-50"): 7, ("done",): True})
    before, after = shown(plan("/h/s", content, 0o600, None, wanted, "salt"))
    assert len(before.split("\n")) == len(content.split(b"\n")) == len(after.split("\n"))
    told = [number for number in range(100) if f'"project-{number}"' in before + after]
    assert told == [47, 48, 49, 50, 51, 52, 53, 98, 99]
    assert lines(before, after, "+") == ['"project-50": 7', '"done": true']


# -- planted at random -------------------------------------------------------------------------------------------------

ALPHABET = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_NAMES = ("note", "url", "token", "MINE", "env", "x", "command", "args", "apiKeys", "list", "deep", "model", "theme")


def _secret(chance: random.Random) -> str:
    """Of no known shape, and not among the words of documents and of our own values."""
    return "Zq" + "".join(chance.choice(ALPHABET) for _one in range(chance.randrange(8, 40))) + "7Z"


def _dressed(chance: random.Random, secret: str) -> str:
    return chance.choice(
        [
            "{}", "https://ada:{}@host/x", "x-a: 1\nX-Auth: {}", "run --password {} --x", "https://x/?token={}&y=1", " {} ",
            "Bearer {}", "PASSWORD={}", "a\tb{}\\", "'{}'", "ä{}日本", "true {}", "{}: 1",
        ]
    ).format(secret)  # fmt: skip


def _foreign(chance: random.Random, secrets: list[str], depth: int = 0) -> Any:
    kind = chance.randrange(8)
    if kind == 0 and depth < 4:
        return {chance.choice(_NAMES): _foreign(chance, secrets, depth + 1) for _one in range(chance.randrange(4))}
    if kind == 1 and depth < 4:
        return [_foreign(chance, secrets, depth + 1) for _one in range(chance.randrange(4))]
    if kind == 2:
        return chance.choice([True, False, None, 1, "", "dark", 443])
    secrets.append(_secret(chance))
    return _dressed(chance, secrets[-1])


def _json_document(chance: random.Random, secrets: list[str]) -> bytes:
    found = {name: _foreign(chance, secrets) for name in chance.sample(_NAMES, chance.randrange(6))}
    if not isinstance(found.get("env", {}), dict):
        del found["env"]
    if chance.random() < 0.5:
        found.setdefault("env", {})["ANTHROPIC_AUTH_TOKEN"] = _foreign(chance, secrets)
    if chance.random() < 0.5:
        found["apiKeyHelper"] = _foreign(chance, secrets)
    content = styled(chance, found)
    if chance.random() < 0.2:  # somebody's comments: the file is put aside then
        secrets.append(_secret(chance))
        content += f"// {secrets[-1]}\n".encode()
    return content


def _line_document(chance: random.Random, secrets: list[str], sign: str) -> bytes:
    found = []
    for _line in range(chance.randrange(8)):
        secrets.append(_secret(chance))
        value = _dressed(chance, secrets[-1]).replace("\n", " ")
        found += chance.choice(
            [
                [f"# {value}"],
                [f"{chance.choice(_NAMES)}{_line}{sign}{value}"],
                [f"{chance.choice(_NAMES)}{_line}{sign}x", f"    {value}"],
                [f"{chance.choice(_NAMES)}{_line}{sign}8080", ""],
            ]
        )
    start = [f"[{chance.choice(['DEFAULT', 'prod'])}]"] if sign == " = " else []
    return "\n".join((*start, *found, "")).encode()


def _plans(wanted: Wanted, other: Wanted, content: bytes, chance: random.Random) -> Iterator[Plan]:
    """There, changed, perhaps edited in between, and back."""
    first = plan(wanted.path, content, 0o644, None, wanted, "salt")
    yield first
    after = first.after or b""
    if chance.random() < 0.5 and b"8080" in after:
        after = after.replace(b"8080", b"8081")
    second = plan(wanted.path, after, first.mode_after, first.entry, other, "salt")
    yield second
    yield plan(wanted.path, second.after, second.mode_after, second.entry, None, "salt")


@given(st.integers(0, 2**40), st.sampled_from(["json", "ini", "dotenv", "block"]))
def test_no_planted_secret_is_ever_shown_and_our_own_lines_are(seed: int, kind: str) -> None:
    chance, secrets = random.Random(seed), list[str]()
    make = {"json": settings, "ini": profile, "dotenv": env_file, "block": block}[kind]
    wanted = make(replace_unreadable=kind == "json")
    sign = " = " if kind == "ini" else "="
    content = _json_document(chance, secrets) if kind == "json" else _line_document(chance, secrets, sign)
    key = next(key for key in wanted.values if "HEADERS" not in key[-1])
    other = wanted.replaced(values={**wanted.values, key: "https://another"})
    try:
        for number, made in enumerate(_plans(wanted, other, content, chance)):
            if not made.changed:
                continue
            before, after = shown(made)
            told = json.dumps(diff_of([made], full=True)) + before + after + "".join((*made.changes, *made.notes))
            found = [one for one in secrets if one in told]
            assert not found, (content, told)
            ours = [wanted, other, other][number]
            text = after if number < 2 else before
            if number == 0 or kind != "json":
                for own, value in ours.values.items():
                    if own[-1] != "client_secret":
                        assert json.dumps(value)[1:-1] in text, (own, text)
    except (DocumentError, OperatorError) as error:
        assert not [one for one in secrets if one in str(error)]


@pytest.mark.parametrize("seed", range(5))
def test_of_a_huge_file_no_planted_secret_is_shown_either(seed: int) -> None:
    chance, secrets = random.Random(seed), list[str]()
    members = json.loads(_json_document(chance, []).decode("utf-8-sig").partition("// ")[0])
    planted = {f"p{number}": _foreign(chance, secrets) for number in range(200)}
    content = json.dumps({**planted, "filler": ["x" * 1000] * 1100, **members}, indent=1).encode()
    told = json.dumps(diff_of([plan("/h/s", content, 0o600, None, settings(), "salt")]))
    assert len(secrets) > 100 and not [one for one in secrets if one in told]


def test_hiding_keeps_brackets_and_lines_alone() -> None:
    assert hidden('{\n  "a": [\n    1\n  ],\n}\r\n') == f"{{\n{MASK}\n{MASK}\n  ],\n}}\r\n"


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
        ("a." + base64.urlsafe_b64encode(b"[" * 100_000).decode() + ".c", False),
        ("", False),
        (None, False),
        (7, False),
        (["dapi0123456789abcdef0123456789abcdef"], False),
    ],
    ids=lambda one: str(one)[:20],
)
def test_a_databricks_token_is_known_by_its_shape_or_issuer(value: object, is_one: bool) -> None:
    assert is_databricks_token(value) is is_one


def test_text_made_of_quotes_takes_no_time_without_end() -> None:
    """Hours, if strings were looked for inside strings."""
    for text in (
        '"\\' * 40_000,
        '{"a": "' + '\\"' * 40_000 + '"}',
        '"key": [' + '"x",' * 20_000 + "1]",
        '"' * 40_000,
        "[" * 40_000,
        "a" + " " * 40_000,
        "A='" * 20_000,
        'A="\\"\n' * 10_000,
        "# >>> fmapi.coding_agents x >>>\n" * 500,
    ):
        for kind in ("json", "ini", "dotenv", "block", "file"):
            masked_pair(kind, text, "")
            masked_pair(kind, text, "", frozenset(), False)
        masked_wholes(text, "", (True, True))
