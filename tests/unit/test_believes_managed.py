# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Managed files of others win over what a rollout writes: the doctor says which file, which key, and what comes of it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS, claude_code_managed
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents.base import Problem

from tests.unit.test_agents import OPTIONS

CLAUDE = AGENTS["claude_code"]
MODELS = list(CLAUDE.model_defaults.values())
URL = OPTIONS.base_urls["anthropic"]
SECRET = "PLANTED-token-of-another-company"

Doctor = Callable[..., list[Problem]]


@pytest.fixture
def managed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where managed files are read from."""
    directory = tmp_path / "claude-code"
    (directory / "managed-settings.d").mkdir(parents=True)
    monkeypatch.setattr(claude_code_managed, "DIRECTORIES", (str(directory),))
    return directory


def write(path: Path, settings: Any) -> Path:
    path.write_text(settings if isinstance(settings, str) else json.dumps(settings))
    return path


def doctor(version: str = "") -> list[Problem]:
    return CLAUDE.problems(OPTIONS, {}, version)


WITH_AN_EFFECT: dict[str, tuple[dict[str, Any], str, str]] = {
    "a token": ({"env": {"ANTHROPIC_AUTH_TOKEN": SECRET}}, "env.ANTHROPIC_AUTH_TOKEN", "outranks"),
    "Bedrock": ({"env": {"CLAUDE_CODE_USE_BEDROCK": "1"}}, "env.CLAUDE_CODE_USE_BEDROCK", "outranks"),
    "Vertex as a number": ({"env": {"CLAUDE_CODE_USE_VERTEX": 1}}, "env.CLAUDE_CODE_USE_VERTEX", "outranks"),
    "no settings at all": ({"env": {"CLAUDE_CODE_SIMPLE": "1"}}, "env.CLAUDE_CODE_SIMPLE", "outranks"),
    "another workspace": ({"env": {"ANTHROPIC_BASE_URL": "https://other"}}, "env.ANTHROPIC_BASE_URL", "go elsewhere"),
    "another helper": ({"apiKeyHelper": f"echo {SECRET}"}, "apiKeyHelper", "another program than ours"),
    "forced login": ({"forceLoginMethod": "claudeai"}, "forceLoginMethod", "ends at once"),
    "forced organization": ({"forceLoginOrgUUID": ["b1b1"]}, "forceLoginOrgUUID", "ends at once"),
    "enforced models": ({"availableModels": ["sonnet"]}, "availableModels", f"another model than {MODELS[0]}"),
    "denied models": ({"deniedModels": [MODELS[0]]}, "deniedModels", f"another model than {MODELS[0]}"),
    "allowed providers": ({"allowedProviders": ["anthropic"]}, "allowedProviders", "ends at once"),
    "allowed endpoint of another": (
        {"allowedProviders": ["customEndpoint"], "env": {"ANTHROPIC_BASE_URL": "https://other"}},
        "allowedProviders",
        f"to {URL}",
    ),
    "a newer version": ({"requiredMinimumVersion": "99.0.0"}, "requiredMinimumVersion", "ends at once"),
    "an older version": ({"requiredMaximumVersion": "2.0.0"}, "requiredMaximumVersion", "ends at once"),
}


@pytest.mark.parametrize("situation", sorted(WITH_AN_EFFECT))
@pytest.mark.parametrize("name", ["managed-settings.json", "managed-settings.d/50-security.json"])
def test_what_keeps_the_agent_from_answering_fails_with_file_and_key(managed: Path, situation: str, name: str) -> None:
    settings, key, effect = WITH_AN_EFFECT[situation]
    path = write(managed / name, settings)
    found = [one for one in doctor() if f" sets {key}: " in one.what]
    assert [one.severity for one in found] == ["FAIL"]
    assert found[0].what.startswith(f"{path} sets {key}: ") and effect in found[0].what and found[0].way_out
    assert SECRET not in str(doctor())


def test_what_only_differs_from_ours_is_a_warning(managed: Path) -> None:
    path = write(managed / "managed-settings.json", {"env": {"ANTHROPIC_MODEL": "other", "NOT_OURS": "x"}})
    (found,) = doctor()
    assert found == Problem(
        "WARN", f"{path} sets env.ANTHROPIC_MODEL: it wins over what the rollout wrote", found.way_out
    )
    write(path, {"policyHelper": {"path": "/opt/policy"}})
    (found,) = doctor()
    assert (found.severity, "policyHelper" in found.what) == ("WARN", True)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"permissions": {"deny": ["WebFetch"]}, "cleanupPeriodDays": 30, "forceRemoteSettingsRefresh": True},
        {"apiKeyHelper": OPTIONS.token_helper, "env": {"ANTHROPIC_BASE_URL": URL}},
        {"env": {"CLAUDE_CODE_USE_BEDROCK": "0", "CLAUDE_CODE_USE_VERTEX": "", "ANTHROPIC_AUTH_TOKEN": ""}},
        {"availableModels": MODELS, "enforceAvailableModels": True, "deniedModels": ["claude-opus-4-5"]},
        {"allowedProviders": ["customEndpoint"], "env": {"ANTHROPIC_BASE_URL": URL}},
        {"requiredMinimumVersion": "2.1.0", "requiredMaximumVersion": "9.0.0"},
        {"env": ["not an object"], "availableModels": "sonnet", "requiredMinimumVersion": 3},
    ],
    ids=str,
)
def test_what_does_ours_no_harm_is_not_told(managed: Path, settings: dict[str, Any]) -> None:
    write(managed / "managed-settings.json", settings)
    assert doctor() == []


def test_the_version_that_is_there_counts(managed: Path) -> None:
    write(managed / "managed-settings.json", {"requiredMinimumVersion": "2.1.200", "requiredMaximumVersion": "2.1.250"})
    assert doctor("2.1.220") == []
    assert "2.1.199 ends at once" in doctor("2.1.199")[0].what and "2.1.251 ends at once" in doctor("2.1.251")[0].what


def test_of_two_files_the_later_counts(managed: Path) -> None:
    write(managed / "managed-settings.json", {"env": {"ANTHROPIC_BASE_URL": "https://other"}})
    write(managed / "managed-settings.d" / "10.json", {"env": {"ANTHROPIC_BASE_URL": URL}})
    assert doctor() == []
    last = write(managed / "managed-settings.d" / "20.json", {"env": {"ANTHROPIC_BASE_URL": "https://third"}})
    assert [one.what.partition(" ")[0] for one in doctor()] == [str(last)]


@pytest.mark.parametrize("text", ['{"a":', "// a comment\n{}", "[]", "null", "{'a': 1}", "{},", '{"a": 1,}'])
@pytest.mark.parametrize("name", ["managed-settings.json", "managed-settings.d/broken.json"])
def test_a_broken_managed_file_of_others_fails_and_is_named(managed: Path, text: str, name: str) -> None:
    """2.1.331 ends with status 1 for everybody; 2.1.197 asks for another model (measured)."""
    path = write(managed / name, text)
    (found,) = doctor()
    assert found.severity == "FAIL" and found.what.startswith(f"{path} is no JSON object") and found.way_out


def test_what_is_not_read_is_not_judged(managed: Path) -> None:
    write(managed / "managed-settings.json", "")  # empty: measured to be no trouble
    for name in ("x.bak", ".hidden.json", "x.json~"):
        write(managed / "managed-settings.d" / name, "{")
    assert doctor() == []
    shutil.rmtree(managed)
    assert doctor() == []


def test_a_managed_file_that_is_no_file_holds_nobody_up(managed: Path) -> None:
    os.mkfifo(managed / "managed-settings.json")
    (found,) = doctor()
    assert found.severity == "WARN" and "cannot be read" in found.what


@pytest.mark.parametrize(
    ("entry", "model", "listed", "denied"),
    [
        ("sonnet", "databricks-claude-sonnet-4-6", True, True),
        ("sonnet", "system.ai.claude-sonnet-4-6", True, True),
        ("opus", "databricks-claude-sonnet-4-6", False, False),
        ("databricks-claude-sonnet", "databricks-claude-sonnet-4-6", True, False),
        ("claude-sonnet-4-6", "databricks-claude-sonnet-4-6", False, True),
        ("claude-sonnet-4-6", "system.ai.claude-sonnet-4-6", False, True),
        ("databricks-claude-sonnet-4-6", "databricks-claude-sonnet-4-6[1m]", True, True),
        ("claude-opus", "databricks-claude-opus-4-6", False, False),
        ("claude-opus-4", "system.ai.claude-opus-4-6", False, True),
        ("claude-opus-4-5", "system.ai.claude-opus-4-6", False, False),
        ("main.default.mine", "main.default.mine", True, True),
    ],
)
def test_models_are_compared_as_the_agent_compares_them(entry: str, model: str, listed: bool, denied: bool) -> None:
    """Measured: what is listed with both versions, what is denied with 2.1.331 (the older one has no such key)."""
    refused = claude_code_managed.refused_models
    assert refused({"availableModels": [entry]}, [model]) == ([] if listed else [model])
    assert refused({"deniedModels": [entry]}, [model]) == ([model] if denied else [])
