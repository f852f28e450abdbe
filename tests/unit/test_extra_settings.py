# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's own agent settings: merged, owned and given back like ours, and never shown."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS, extra_settings
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine import diffs, transaction
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts.agent_settings import AgentSettings
from ansible_collections.fmapi.coding_agents.plugins.modules.coding_agents import SPEC

from tests.unit.homes import owner_of

SECRET, OTHER = 'planted s3cr3t "quoted" ünï', "another-planted-one"
EXTRA: dict[str, Any] = {
    "includeCoAuthoredBy": False,
    "cleanupPeriodDays": 11,
    "env": {"CORP_SEARCH": SECRET, "CORP_FLAG": "true", "CORP_PORT": "11"},
    "permissions": {"allow": ["Bash(git status:*)"], "deny": ["WebFetch"], "defaultMode": "plan"},
    "hooks": {"Stop": [{"hooks": [{"type": "command", "command": OTHER}]}]},
}
THEIRS = """{
  "env": {"CORP_SEARCH": "the user's own", "MINE": "1"},
  "permissions": {"allow": ["Bash(ls:*)"]},
  "flag": true, "port": 11, "word": "true"
}
"""


def bring(home: Path, extra: dict[str, Any] | None, agents: tuple[str, ...] = ("claude_code",)) -> transaction.Outcome:
    given = {
        "workspace_url": "https://dbc-1.cloud.databricks.com",
        "extra_settings": json.dumps({"claude_code": extra} if extra else {}),
        "agents": list(agents),
    }
    options = ArgumentSpecValidator(copy.deepcopy(SPEC)).validate(given).validated_parameters
    part, owner = AgentSettings(), owner_of(home)
    return transaction.bring(owner, [part.name], part.wanted(owner, options), False)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".claude").mkdir()
    (tmp_path / ".claude" / "settings.json").write_text(THEIRS)
    return tmp_path


def settings(home: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((home / ".claude" / "settings.json").read_text())
    return loaded


def ledger(home: Path) -> str:
    return (home / ".local/state/fmapi-coding-agents/ledger.json").read_text()


def test_each_setting_is_put_to_its_place_and_given_back(home: Path) -> None:
    assert bring(home, EXTRA).changed
    now = settings(home)
    assert now["includeCoAuthoredBy"] is False
    assert now["env"]["CORP_SEARCH"] == SECRET and now["env"]["MINE"] == "1"
    assert now["hooks"] == EXTRA["hooks"]
    assert not bring(home, EXTRA).changed
    bring(home, None, ())
    assert (home / ".claude" / "settings.json").read_text() == THEIRS


def test_permission_rules_are_added_to_those_that_are_there(home: Path) -> None:
    bring(home, EXTRA)
    assert settings(home)["permissions"] == {
        "allow": ["Bash(ls:*)", "Bash(git status:*)"],
        "deny": ["WebSearch", "WebFetch"],
        "defaultMode": "plan",
    }


def test_a_setting_that_leaves_the_variable_is_taken_back_also_after_the_user_edited_the_file(home: Path) -> None:
    bring(home, EXTRA)
    path = home / ".claude" / "settings.json"
    path.write_text(path.read_text().replace('"port": 11', '"port": 12'))
    fewer = {name: value for name, value in EXTRA.items() if name != "env"}
    bring(home, fewer)
    now = settings(home)
    assert now["env"]["CORP_SEARCH"] == "the user's own" and "CORP_PORT" not in now["env"]
    assert now["port"] == 12 and now["cleanupPeriodDays"] == 11


def test_a_file_that_may_hold_secrets_is_its_owner_s_alone_and_gets_its_mode_back(home: Path) -> None:
    path = home / ".claude" / "settings.json"
    path.chmod(0o644)
    bring(home, EXTRA)
    assert path.stat().st_mode & 0o777 == 0o600
    bring(home, None, ())
    assert path.stat().st_mode & 0o777 == 0o644
    path.unlink()
    bring(home, EXTRA)
    assert path.stat().st_mode & 0o777 == 0o600


def _shown(outcome: transaction.Outcome) -> str:
    return json.dumps([diffs.diff_of(outcome.plans), outcome.changes, outcome.notes], ensure_ascii=False)


def test_no_diff_result_or_ledger_shows_a_value_then_or_later(home: Path) -> None:
    """Set, changed, changed after the user edited the file, and withdrawn: the withdrawal knows the values from the ledger only."""
    planted = (SECRET, json.dumps(SECRET, ensure_ascii=False)[1:-1], OTHER, "new planted value")
    path = home / ".claude" / "settings.json"
    told = [bring(home, EXTRA)]
    kept = [ledger(home)]
    changed = {**EXTRA, "env": {**EXTRA["env"], "CORP_SEARCH": "new planted value"}}
    told.append(bring(home, changed))
    kept.append(ledger(home))
    path.write_text(path.read_text().replace('"MINE": "1"', '"MINE": "2"'))
    told.append(bring(home, EXTRA))
    kept.append(ledger(home))
    told.append(bring(home, None, ()))
    for outcome in told:
        assert outcome.changed
        assert not [one for one in planted if one in _shown(outcome)], _shown(outcome)
    assert not [one for one in planted for text in kept if one in text]
    assert "value changed" in _shown(told[1])


def test_nothing_else_is_hidden(home: Path) -> None:
    (after,) = [
        one["after"]
        for one in diffs.diff_of(bring(home, EXTRA).plans)
        if one["after_header"].startswith(str(home / ".claude/s"))
    ]
    for readable in (
        '"flag": true',
        '"port": 11',
        '"word": "true"',
        '"MINE": "1"',
        '"CORP_PORT": "11"',
        '"CORP_FLAG": "true"',
    ):
        assert readable in after
    assert '"includeCoAuthoredBy": false' in after and '"cleanupPeriodDays": 11' in after
    assert '"defaultMode"' in after and '"command": "' in after  # names stay, also where a value is the same word


CONFLICTS: list[tuple[dict[str, Any], str]] = [
    ({"env": {"ANTHROPIC_BASE_URL": "https://x"}}, "env.ANTHROPIC_BASE_URL"),
    ({"env": {"ANTHROPIC_AUTH_TOKEN": "x"}}, "env.ANTHROPIC_AUTH_TOKEN"),
    ({"env": {"NODE_EXTRA_CA_CERTS": "/x"}}, "env.NODE_EXTRA_CA_CERTS"),
    ({"env": {"CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS": "0"}}, "env.CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS"),
    ({"env": "none"}, "env"),
    ({"apiKeyHelper": "x"}, "apiKeyHelper"),
    ({"apiKeyHelper": {"deeper": "x"}}, "apiKeyHelper.deeper"),
    ({"permissions": []}, "permissions"),
    ({"permissions": {"deny": "WebFetch"}}, "permissions.deny"),
]


@pytest.mark.parametrize(("extra", "named"), CONFLICTS)
def test_what_the_collection_sets_itself_is_refused_by_name(extra: dict[str, Any], named: str) -> None:
    with pytest.raises(OperatorError) as caught:
        extra_settings.check_extra_settings({"claude_code": extra}, AGENTS)
    assert str(caught.value).startswith(
        f"coding_agents_extra_settings.claude_code.{named}: is set by this collection ("
    )


WAYS_OUT: list[tuple[str, dict[str, Any], str]] = [
    ("claude_code", {"env": {"ANTHROPIC_MODEL": "x"}}, "coding_agents_models.claude_code.default"),
    ("claude_code", {"env": {"ANTHROPIC_BASE_URL": "x"}}, "coding_agents_workspace_url"),
    ("codex", {"model": "x"}, "coding_agents_models.codex.default"),
    (
        "codex",
        {"model_providers": {"databricks": {"auth": {"refresh_interval_ms": 1}}}},
        "coding_agents_token_ttl_minutes",
    ),
    ("gemini", {"security": {"folderTrust": {"enabled": True}}}, "coding_agents_gemini_folder_trust"),
    ("opencode", {"small_model": "x"}, "Take it out: with another value OpenCode would not answer"),
    (
        "opencode",
        {"provider": {"databricks": {"models": {"haiku": {"id": "x"}}}}},
        "coding_agents_models.opencode.haiku",
    ),
    ("pi", {"defaultModel": "x"}, "coding_agents_models.pi.default"),
    ("hermes", {"model": {"context_length": 1}}, "coding_agents_hermes_context_length"),
    ("hermes", {"plugins": {"enabled": "x"}}, "Take it out"),
]


@pytest.mark.parametrize(("agent", "settings", "named"), WAYS_OUT)
def test_the_refusal_names_the_variable_that_sets_it(agent: str, settings: dict[str, Any], named: str) -> None:
    with pytest.raises(OperatorError, match="is set by this collection") as caught:
        extra_settings.check_extra_settings({agent: settings}, AGENTS)
    assert named in str(caught.value)


def _nested(levels: int) -> dict[str, Any]:
    made: dict[str, Any] = {"x": 1}
    for _level in range(levels):
        made = {"x": made}
    return made


WRONG_TEXTS: list[tuple[str, str]] = [
    ("{", "is no JSON text"),
    ('{"claude_code": {"x": NaN}}', "is no JSON text"),
    ("[]", "is no dictionary"),
    ('{"clod": {}}', "is no agent. Known are: claude_code"),
    ('{"claude_code": "s3cr3t"}', "is no dictionary"),
    (json.dumps({"claude_code": _nested(40)}), "more than 32 levels"),
    ("[" * 100000, "coding_agents_extra_settings: "),
]


@pytest.mark.parametrize(("text", "said"), WRONG_TEXTS)
def test_a_text_that_cannot_be_used_is_refused_without_repeating_it(text: str, said: str) -> None:
    with pytest.raises(OperatorError) as caught:
        extra_settings.parse(text, AGENTS)
    assert said in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


def test_text_that_was_given_as_text_is_read() -> None:
    extra = {"claude_code": {"theme": "dark"}}
    assert extra_settings.parse(json.dumps(extra), AGENTS) == extra
    assert extra_settings.parse(json.dumps(json.dumps(extra)), AGENTS) == extra
    assert extra_settings.parse(None, AGENTS) == {}
