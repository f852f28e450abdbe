# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A host's way through dry run, rollout, second rollout and uninstall, with the round trips counted."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from plugins.module_utils.agents.claude_code import ClaudeCode
from plugins.module_utils.routing import model_service_of
from tests import homes
from tests.control_node import ControlNode, Operator, Play
from tests.hosts.tree import differences, manifest

OURS = {".claude/settings.json", ".claude.json", ".databrickscfg"}


def _shown(play: Play) -> set[str]:
    """The files of a home that the report shows a diff of, relative to it."""
    return {path.removeprefix("~/") for path in play.shown("host")}


@pytest.mark.parametrize("make", [homes.bare, pytest.param(homes.lived_in, marks=pytest.mark.matrix)])
def test_the_whole_story(
    operator: Operator, tmp_path: Path, make: Callable[[Path], Path], not_started: Callable[[], bool]
) -> None:
    """Dry run, rollout, second rollout, uninstall: each does what it says, and the home ends as it began."""
    home = make(tmp_path / "home")
    before = manifest(str(home))
    workspace = operator.workspace

    dry = operator.rollout(home, "--check", "--diff").ok()
    assert differences(before, manifest(str(home)), times=True) == []
    asked = workspace.requests()
    writes = [one for one in asked if one["method"] not in ("GET", "HEAD") and one["path"] != "/oidc/v1/token"]
    assert asked and not writes, writes
    assert not [one for one in asked if one["user_agent"] == "fmapi-coding-agents"], "the host asked"
    assert [one["grant"] for one in asked if one["path"] == "/oidc/v1/token"] == ["client_credentials"]

    workspace.clear()
    rollout = operator.rollout(home, "--diff").ok()
    written = {
        path
        for path, facts in manifest(str(home)).items()
        if facts["type"] == "file" and facts.get("sha256") != before.get(path, {}).get("sha256")
    }
    notes = (".cache/", ".local/state/", ".local/share/fmapi-coding-agents/python-")
    kept_by_us = {path for path in written if path.startswith(notes)}
    named = {str(Path(home, path).resolve().relative_to(home)) for path in _shown(dry)}
    assert named == written - kept_by_us, "the dry run shows every file that a rollout writes"
    assert dry.shown("host") == rollout.shown("host"), "to the letter"
    assert _shown(rollout) >= OURS
    assert rollout.changed() == 1 == dry.changed()
    assert rollout.starts["host"] == 2

    middle = manifest(str(home))
    workspace.clear()
    second = operator.rollout(home, "--diff").ok()
    assert second.changed() == 0
    assert second.starts["host"] == 1
    assert second.actions() == ["coding_agents_info"]
    assert second.shown() == {}
    assert second.report()[0] == "Unchanged:", second.report()
    assert differences(middle, manifest(str(home)), times=True) == []

    assert operator.uninstall(home, "--check").ok().changed() == 1
    assert differences(middle, manifest(str(home)), times=True) == []
    assert operator.uninstall(home).ok().changed() == 1
    assert differences(before, manifest(str(home))) == []
    again = operator.uninstall(home).ok()
    assert again.changed() == 0
    assert differences(before, manifest(str(home))) == []
    assert not_started()


def test_three_hosts_at_once(operator: Operator, control: ControlNode, tmp_path: Path) -> None:
    """Round trips are counted for each host; the workspace is asked once for all of them."""
    hosts = {f"host{number}": operator.variables(homes.lived_in(tmp_path / f"home{number}")) for number in range(1, 4)}
    first = control.run("rollout", hosts).ok()
    assert first.starts == {"host1": 2, "host2": 2, "host3": 2}
    operator.workspace.clear()
    second = control.run("rollout", hosts).ok()
    assert second.starts == {"host1": 1, "host2": 1, "host3": 1}
    assert [second.changed(host) for host in hosts] == [0, 0, 0]
    assert "ansible.builtin.setup" not in second.actions() and "setup" not in second.actions()
    listed = [one for one in operator.workspace.requests("/api/2.0/serving-endpoints") if one["method"] == "GET"]
    assert len(listed) == len({one["path"] for one in listed}), "the preflight asked more than once"
    assert len(operator.workspace.requests("/oidc/v1/token")) == 1


def test_what_claude_code_gets(operator: Operator, tmp_path: Path) -> None:
    home = homes.bare(tmp_path / "home")
    operator.rollout(home, token_ttl_minutes=20, models={"claude_code": {"sonnet": "databricks-claude-opus-4-6"}}).ok()
    settings = json.loads((home / ".claude" / "settings.json").read_text())
    helper = str(home / ".local" / "share" / "fmapi-coding-agents" / "token-helper")
    assert settings == {
        "apiKeyHelper": helper,
        "env": {
            "ANTHROPIC_BASE_URL": f"{operator.workspace.url}/ai-gateway/anthropic",
            "ANTHROPIC_MODEL": model_service_of(ClaudeCode.model_defaults["default"]),
            "ANTHROPIC_DEFAULT_OPUS_MODEL": model_service_of(ClaudeCode.model_defaults["opus"]),
            "ANTHROPIC_DEFAULT_SONNET_MODEL": "databricks-claude-opus-4-6",
            "ANTHROPIC_DEFAULT_HAIKU_MODEL": model_service_of(ClaudeCode.model_defaults["haiku"]),
            "ANTHROPIC_CUSTOM_HEADERS": "x-databricks-use-coding-agent-mode: true",
            "CLAUDE_CODE_API_KEY_HELPER_TTL_MS": "1200000",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "CLAUDE_CODE_MAX_RETRIES": "3",
            "CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS": "1",
            "NODE_EXTRA_CA_CERTS": operator.workspace.ca_file,
            # What a shell exports of these is without effect then.
            "ANTHROPIC_AUTH_TOKEN": "",
            "CLAUDE_CODE_USE_BEDROCK": "",
            "CLAUDE_CODE_USE_VERTEX": "",
            "CLAUDE_CODE_USE_FOUNDRY": "",
            "CLAUDE_CODE_USE_MANTLE": "",
            "CLAUDE_CODE_USE_ANTHROPIC_AWS": "",
        },
        "permissions": {"deny": ["WebSearch"]},
    }
    assert json.loads((home / ".claude.json").read_text()) == {"hasCompletedOnboarding": True}
    for path in (".databrickscfg", ".claude.json"):
        assert stat.S_IMODE((home / path).stat().st_mode) == 0o600


def test_a_profile_file_that_cannot_be_parsed_is_put_aside_only_on_request(operator: Operator, tmp_path: Path) -> None:
    home = homes.bare(tmp_path / "home")
    (home / ".databrickscfg").write_text("no section, no key\n")
    before = manifest(str(home))
    refused = operator.rollout(home)
    assert refused.status != 0
    assert ".databrickscfg: line 1, column 1" in refused.message()
    assert differences(before, manifest(str(home))) == []
    assert operator.rollout(home, on_unreadable="backup_and_replace").ok().changed() == 1
    (aside,) = home.glob(".databrickscfg.unreadable-*")
    assert (aside.read_text(), stat.S_IMODE(aside.stat().st_mode)) == ("no section, no key\n", 0o600)
    assert operator.rollout(home, on_unreadable="backup_and_replace").ok().changed() == 0
    operator.uninstall(home).ok()
    assert differences(before, manifest(str(home))) == []
