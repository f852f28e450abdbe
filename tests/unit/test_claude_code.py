# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claude Code: what its documents hold, which versions will do, and where its program is found without starting it."""

from __future__ import annotations

import json
import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS, FoundCli
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.documents import JsonDocument
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ownership import Plan, Wanted, plan
from ansible_collections.fmapi.coding_agents.plugins.module_utils.wanted import base_urls

from tests.unit.test_agents import OPTIONS

CLAUDE = AGENTS["claude_code"]
WORKSPACE = "https://dbc-1.cloud.databricks.com"


def settings(**options: Any) -> Wanted:
    return CLAUDE.documents(replace(OPTIONS, **options))[1]


def environment(**options: Any) -> dict[str, Any]:
    return {key[1]: value for key, value in settings(**options).values.items() if key[0] == "env"}


def bring(content: bytes, **options: Any) -> Plan:
    return plan("/f", content, 0o644, None, settings(**options), "salt")


def test_onboarding_comes_before_settings_and_in_the_home() -> None:
    state, written = CLAUDE.documents(replace(OPTIONS, settings_directory="/elsewhere"))
    assert (state.path, state.values, state.mode) == (
        "/home/ada/.claude.json",
        {("hasCompletedOnboarding",): True},
        0o600,
    )
    assert (written.path, written.mode) == ("/elsewhere/.claude/settings.json", 0o644)


@pytest.mark.parametrize(
    ("routing", "url"),
    [
        ("gateway", f"{WORKSPACE}/ai-gateway/anthropic"),
        ("serving_endpoints", f"{WORKSPACE}/serving-endpoints/anthropic"),
        ("gateway_host", "https://123.ai-gateway.cloud.databricks.com/anthropic"),
    ],
)
def test_the_base_url_follows_the_routing(routing: str, url: str) -> None:
    assert environment(base_urls=base_urls(routing, WORKSPACE, "123"))["ANTHROPIC_BASE_URL"] == url


def test_settings_hold_what_they_must() -> None:
    wanted = settings()
    assert wanted.values[("apiKeyHelper",)] == OPTIONS.token_helper
    assert wanted.elements == {("permissions", "deny"): ("WebSearch",)}
    assert environment() == {
        "ANTHROPIC_BASE_URL": "https://w.example.com/ai-gateway/anthropic",
        "ANTHROPIC_MODEL": "databricks-claude-opus-4-6",
        "ANTHROPIC_DEFAULT_OPUS_MODEL": "databricks-claude-opus-4-6",
        "ANTHROPIC_DEFAULT_SONNET_MODEL": "databricks-claude-sonnet-4-6",
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": "databricks-claude-haiku-4-5",
        "ANTHROPIC_CUSTOM_HEADERS": "x-databricks-use-coding-agent-mode: true",
        "CLAUDE_CODE_API_KEY_HELPER_TTL_MS": "900000",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS": "1",
    }


def test_options_change_their_own_keys_only() -> None:
    base = environment()

    def changed(**options: Any) -> dict[str, Any]:
        now = environment(**options)
        assert set(base) - set(now) <= {"CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS"}
        return {name: value for name, value in now.items() if base.get(name) != value}

    assert changed(token_ttl_minutes=60) == {"CLAUDE_CODE_API_KEY_HELPER_TTL_MS": "3600000"}
    assert changed(ca_file="/ca.pem") == {"NODE_EXTRA_CA_CERTS": "/ca.pem"}
    assert changed(models={"default": "m"}) == {"ANTHROPIC_MODEL": "m"}
    assert changed(models={"opus": "o", "sonnet": "s", "haiku": "h", "default": ""}) == {
        "ANTHROPIC_DEFAULT_OPUS_MODEL": "o",
        "ANTHROPIC_DEFAULT_SONNET_MODEL": "s",
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": "h",
    }
    assert changed(experimental_betas=True) == {}
    assert "CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS" not in environment(experimental_betas=True)
    assert ("env", "CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS") in settings(experimental_betas=True).superseded


@pytest.mark.parametrize("home", ["/home/a b", "/home/o'neil", "/home/$x", "/home/日本"])
def test_the_helper_s_path_is_quoted_for_sh(home: str) -> None:
    helper = f"{home}/.local/share/fmapi-coding-agents/token-helper"
    value = settings(token_helper=helper).values[("apiKeyHelper",)]
    assert shlex.split(value) == [helper]


@pytest.mark.parametrize(
    "name",
    [
        "ANTHROPIC_AUTH_TOKEN",
        "CLAUDE_CODE_USE_BEDROCK",
        "CLAUDE_CODE_USE_VERTEX",
        "CLAUDE_CODE_USE_FOUNDRY",
        "ANTHROPIC_SMALL_FAST_MODEL",
    ],
)
def test_what_would_outrank_ours_is_taken_out_and_given_back(name: str) -> None:
    before = json.dumps({"env": {name: "x", "MINE": "1"}}).encode()
    made = bring(before)
    assert made.after is not None and JsonDocument(made.after).get(("env",)).get(name) is None
    back = plan("/f", made.after, 0o644, made.entry, None, "salt")
    assert back.after == before


@pytest.mark.parametrize(
    ("env", "forgotten"),
    [
        ({"ANTHROPIC_AUTH_TOKEN": "dapi0123456789abcdef0123456789abcdef"}, True),
        ({"ANTHROPIC_AUTH_TOKEN": "opaque", "ANTHROPIC_BASE_URL": f"{WORKSPACE}/serving-endpoints/anthropic"}, True),
        (
            {"ANTHROPIC_AUTH_TOKEN": "opaque", "ANTHROPIC_BASE_URL": "https://proxy.example.com/ai-gateway/anthropic"},
            True,
        ),
        ({"ANTHROPIC_AUTH_TOKEN": "opaque", "ANTHROPIC_BASE_URL": "https://proxy.example.com"}, False),
        ({"ANTHROPIC_AUTH_TOKEN": "opaque"}, False),
        (
            {"ANTHROPIC_AUTH_TOKEN": "sk-ant-0123456789", "ANTHROPIC_BASE_URL": f"{WORKSPACE}/ai-gateway/anthropic"},
            False,
        ),
        ({"ANTHROPIC_SMALL_FAST_MODEL": "dapi0123456789abcdef0123456789abcdef"}, False),
    ],
)
def test_a_databricks_token_goes_for_good_and_any_other_is_kept(env: dict[str, str], forgotten: bool) -> None:
    made = bring(json.dumps({"env": env}).encode())
    value = env.get("ANTHROPIC_AUTH_TOKEN", "?")
    assert bool(made.notes) is forgotten
    assert (value in json.dumps(made.entry)) is (not forgotten and value != "?")
    assert value not in str(made.notes)


def test_an_anthropic_key_that_comes_after_us_is_not_taken_for_a_databricks_token() -> None:
    made = bring(b"{}")
    document = JsonDocument(made.after or b"")
    document.set(("env", "ANTHROPIC_AUTH_TOKEN"), "sk-ant-0123456789")
    again = plan("/f", document.content, 0o644, made.entry, settings(), "salt")
    assert again.changed and not again.notes
    back = plan("/f", again.after, 0o644, again.entry, None, "salt")
    assert JsonDocument(back.after or b"").get(("env", "ANTHROPIC_AUTH_TOKEN")) == "sk-ant-0123456789"


@pytest.mark.parametrize(
    ("version", "good"),
    [("2.1.197", True), ("2.1.83", True), ("2.1.82", False), ("1.9.999", False), ("2.1.264", True), ("2.1.265", False),
     ("2.1.267", False), ("2.1.268", True), ("3.0.0", True), ("", True)],
)  # fmt: skip
def test_versions_that_work_with_a_workspace(version: str, good: bool) -> None:
    assert CLAUDE.accepts(version) is good


# -- programs ----------------------------------------------------------------------------------------------------------


def program(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\nexit 99\n")
    path.chmod(0o755)


def npm_layout(prefix: Path, version: str, name: str = "@anthropic-ai/claude-code") -> None:
    package = prefix / "lib/node_modules/@anthropic-ai/claude-code"
    program(package / "cli.js")
    (package / "package.json").write_text(json.dumps({"name": name, "version": version}))
    (prefix / "bin").mkdir(exist_ok=True)
    (prefix / "bin/claude").symlink_to("../lib/node_modules/@anthropic-ai/claude-code/cli.js")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home on a machine that has no claude of its own in the usual places."""
    real = shutil.which
    monkeypatch.setattr(
        shutil,
        "which",
        lambda name, path: real(name, path=":".join(one for one in path.split(":") if one.startswith(str(tmp_path)))),
    )
    return tmp_path


def find(home: Path, path: str = "/usr/bin") -> FoundCli | None:
    return CLAUDE.find_cli(str(home), str(home / ".local"), {"PATH": path})


def test_no_program_is_no_program(home: Path) -> None:
    assert find(home) is None
    assert CLAUDE.installed_by_npm(str(home / ".local")) is None


def test_npm_s_layout(home: Path) -> None:
    npm_layout(home / ".local", "2.1.197")
    assert find(home) == FoundCli(str(home / ".local/bin/claude"), "2.1.197", "npm")
    assert CLAUDE.installed_by_npm(str(home / ".local")) == "2.1.197"


def test_npm_s_layout_elsewhere_on_the_path(home: Path) -> None:
    npm_layout(home / "node", "2.1.90")
    assert find(home, f"/usr/bin:{home}/node/bin") == FoundCli(str(home / "node/bin/claude"), "2.1.90", "npm")


def test_our_prefix_comes_before_the_path(home: Path) -> None:
    npm_layout(home / "node", "2.1.90")
    npm_layout(home / ".local", "2.1.197")
    found = find(home, f"{home}/node/bin")
    assert found is not None and found.version == "2.1.197"


def test_anthropic_s_own_installer(home: Path) -> None:
    program(home / ".local/share/claude/versions/2.1.150")
    (home / ".local/bin").mkdir(parents=True)
    (home / ".local/bin/claude").symlink_to(home / ".local/share/claude/versions/2.1.150")
    assert find(home) == FoundCli(str(home / ".local/bin/claude"), "2.1.150", "installer")


def test_a_program_of_unknown_make_has_no_version_and_is_left_alone(home: Path) -> None:
    program(home / "bin/claude")
    assert find(home) == FoundCli(str(home / "bin/claude"), "", "installer")


@pytest.mark.parametrize("text", ["", "[]", "{", '{"name": "other"}', '{"name": "@anthropic-ai/claude-code"}'])
def test_a_package_file_that_says_nothing_is_no_version(home: Path, text: str) -> None:
    npm_layout(home / ".local", "1")
    (home / ".local/lib/node_modules/@anthropic-ai/claude-code/package.json").write_text(text)
    found = find(home)
    assert found is not None and found.version == ""


def test_another_package_above_the_program_is_not_taken_for_it(home: Path) -> None:
    npm_layout(home / ".local", "9.9.9", name="somebody-else")
    found = find(home)
    assert found is not None and found.version == ""


def test_the_working_directory_is_never_searched(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    program(home / "claude")
    monkeypatch.chdir(home)
    for path in ("", ":", ".", "bin:"):
        found = CLAUDE.find_cli(str(home / "x"), str(home / "x"), {"PATH": path})
        assert found is None or not found.path.startswith((".", "claude", str(home)))


# -- the doctor --------------------------------------------------------------------------------------------------------


def test_the_environment_that_outranks_settings_is_a_problem() -> None:
    for name in ("ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CONFIG_DIR"):
        found = CLAUDE.problems(OPTIONS, {name: "s3cr3t"})
        assert [one.severity for one in found] == ["FAIL"]
        assert name in found[0].what and "s3cr3t" not in str(found)
    assert [one.severity for one in CLAUDE.problems(OPTIONS, {"HTTPS_PROXY": "http://p"})] == ["WARN"]
