# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module sends back holds no text of a user's file: with ``--diff`` names and our own values, without it nothing at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils import by_memory, examining, listing, rollout
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import claude_code_managed
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program.token import TokenError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import How
from ansible_collections.fmapi.coding_agents.plugins.module_utils.routing import TTL_MINUTES_DEFAULT

from tests.unit.options_for import URL, options_for, owner_of

PARTS = ["databricks_oauth", "login_item", "agent_settings"]

SETTINGS = {
    "apiKeyHelper": "echo {}",
    "theme": "{}",
    "env": {
        "ANTHROPIC_AUTH_TOKEN": "{}",
        "ANTHROPIC_BASE_URL": "https://ada:{}@gateway.example",
        "ANTHROPIC_CUSTOM_HEADERS": "x-a: 1\nX-Corp-Auth: {}",
        "DATABASE_URL": "postgres://ada:{}@db/x",
        "PIN": "{}",
    },
    "apiKeys": {"corp": "{}", "other": ["{}", "{}"]},
    "permissions": {"allow": ["Bash(curl -u ada:{} https://x)"], "deny": ["{}"]},
    "hooks": {"Stop": [{"hooks": [{"type": "command", "command": "curl https://x/?token={}"}]}]},
    "statusLine": {"type": "command", "command": "x --password {}"},
    "n": 84729461532,
}
STATE = {
    "oauthAccount": {"accessToken": "{}"},
    "projects": {"/home/ada/{}": {"history": ["{}"]}},
    "hasCompletedOnboarding": "{}",
}
PROFILES = "# was {}\n[DEFAULT]\nhost = https://{}@other\ntoken = {}\n\n[fmapi]\naccount_id = {}\n; {}\n[old]\nclient_secret = {}\n"
PLAIN = "# {}\nexport TOKEN={}\nalias x='y {}'\n"


def secrets_of(text: str, number: int) -> tuple[str, list[str]]:
    """The text with a secret in each place of one, and the secrets."""
    made: list[str] = []
    while "{}" in text:
        made.append(f"Zq{number}x{len(made):02}SeCrEt7")
        text = text.replace("{}", made[-1], 1)
    return text, made


class Home:
    """Somebody's home, full of secrets, in the places where ours go."""

    def __init__(self, path: Path) -> None:
        self.owner = owner_of(path)
        self.secrets = ["84729461532"]
        self.texts = {
            ".claude/settings.json": json.dumps(SETTINGS, indent=2).replace("{}", "\0").replace("\0", "{}"),
            ".claude.json": json.dumps(STATE),
            ".databrickscfg": PROFILES,
            ".profile": PLAIN,
            ".local/share/fmapi-coding-agents/token-helper": PLAIN,
            ".config/autostart/fmapi-coding-agents-login.desktop": PLAIN,
            ".databrickscfg.bak": PROFILES,
        }
        for number, (name, text) in enumerate(self.texts.items()):
            filled, made = secrets_of(text, number)
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_text(filled)
            self.secrets += made
        assert len(self.secrets) > 25

    def check(self, result: Any) -> str:
        told = json.dumps(result, ensure_ascii=False) if not isinstance(result, str) else result
        assert not [one for one in self.secrets if one in told], told
        return told


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setattr(claude_code_managed, "DIRECTORIES", ())
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "no-programs"))
    return Home(tmp_path)


_ROOMS = {"examine": examining, "list_artifacts": listing, "status": by_memory}


def said(home: Home, verb: str, options: dict[str, Any], how: How) -> Any:
    """A module's result, or the failure that it ends with."""
    try:
        return getattr(_ROOMS.get(verb, rollout), verb)(home.owner, options, how)
    except (OperatorError, TokenError, ValueError) as error:
        return {"msg": getattr(error, "told", str(error))}


@pytest.mark.parametrize("diff", [False, True])
@pytest.mark.parametrize("verbose", [False, True])
def test_no_text_of_a_user_s_file_is_in_any_module_result(home: Home, diff: bool, verbose: bool) -> None:
    options = options_for(parts=PARTS, login_at_start=True, preflight=False)
    dry, real = How(True, diff, verbose), How(False, diff, verbose)
    results = []
    for verb, how in (
        ("look", dry), ("apply", dry), ("apply", real), ("look", dry), ("examine", dry), ("sign_ins", dry),
        ("status", dry), ("list_artifacts", dry), ("withdraw", dry), ("withdraw", real), ("look", dry),
    ):  # fmt: skip
        results.append(said(home, verb, options, how))
        told = home.check(results[-1])
        assert ("diff" in results[-1]) == (diff and verb in ("apply", "withdraw")), (verb, told)
    first = results[2]
    assert first["changed"] and "msg" not in first, first
    if diff:
        shown = json.dumps(first["diff"])
        for own in (
            f"{URL}/ai-gateway/anthropic",
            str(TTL_MINUTES_DEFAULT * 60_000),
            "WebSearch",
            "host = https://dbc-1",
        ):
            assert own in shown
        for name in ("DATABASE_URL", "ANTHROPIC_AUTH_TOKEN", "client_secret"):
            assert name in shown


@pytest.mark.parametrize("diff", [False, True])
def test_nor_where_the_user_has_edited_what_is_ours_since(home: Home, diff: bool) -> None:
    options = options_for(parts=PARTS, preflight=False)
    rollout.apply(home.owner, options, How())
    for name in (".claude/settings.json", ".databrickscfg", ".local/share/fmapi-coding-agents/token-helper"):
        path = Path(home.owner.home, name)
        secret = f"Edited{len(home.secrets)}SeCrEt"
        edited = path.read_text().replace("https://dbc-1", f"https://{secret}@dbc-1")
        path.write_text(edited if name.endswith("json") else f"{edited}# {secret}\n")
        home.secrets.append(secret)
    for verb in ("look", "apply", "withdraw"):
        home.check(said(home, verb, options, How(True, diff, True)))
    for verb in ("apply", "withdraw"):
        home.check(said(home, verb, options, How(False, diff, True)))


BROKEN = {
    ".claude/settings.json": [
        '{"a": "{}",}', '// {}\n{"a": 1}', '{"env": "{}"}', '"{}"', "{}", '{"a": {}', '{"env": ["{}"]}', '{"{}": 1, "{}',
    ],
    ".claude.json": ['{"hasCompletedOnboarding": {}}', "[{}]"],
    ".databrickscfg": [
        "{}\n[a]\n", "[fmapi]\nhost = https://{}@x.example\n", "[fmapi]\n[fmapi]\ntoken = {}\n",
        "[fmapi]\nhost = 1\nHOST = {}\n",
    ],
}  # fmt: skip


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in BROKEN.items() for text in texts])
@pytest.mark.parametrize("on_unreadable", ["fail", "backup_and_replace"])
@pytest.mark.parametrize("diff", [False, True])
def test_nor_where_a_file_is_broken(home: Home, name: str, text: str, on_unreadable: str, diff: bool) -> None:
    filled, made = secrets_of(text, 99)
    home.secrets += made
    Path(home.owner.home, name).write_text(filled)
    options = options_for(parts=PARTS, preflight=False, on_unreadable=on_unreadable)
    for verb, check in (
        ("look", True),
        ("apply", True),
        ("examine", True),
        ("status", True),
        ("list_artifacts", True),
        ("apply", False),
        ("withdraw", False),
    ):
        home.check(said(home, verb, options, How(check, diff, True)))


def test_nor_what_a_link_leads_to(home: Home, tmp_path: Path) -> None:
    os.unlink(tmp_path / ".claude.json")
    (tmp_path / ".claude.json").symlink_to(".databrickscfg")
    options = options_for(parts=PARTS, preflight=False, on_unreadable="backup_and_replace")
    for verb, check in (("look", True), ("apply", True), ("apply", False), ("withdraw", False)):
        home.check(said(home, verb, options, How(check, True, True)))
