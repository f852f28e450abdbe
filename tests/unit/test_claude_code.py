# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Claude Code: what its documents hold, which versions will do, and where its program is found without starting it."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents import AGENTS, FoundCli
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.documents import JsonDocument
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owner import Owner
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ownership import Plan, Wanted, plan
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.routing import base_url

from tests.unit.test_agents import OPTIONS

CLAUDE = AGENTS["claude_code"]
NEUTRALIZED = [
    "ANTHROPIC_AUTH_TOKEN",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CODE_USE_FOUNDRY",
    "CLAUDE_CODE_USE_MANTLE",
    "CLAUDE_CODE_USE_ANTHROPIC_AWS",
]
WORKSPACE = "https://dbc-1.cloud.databricks.com"


def settings(**options: Any) -> Wanted:
    return CLAUDE.documents(OPTIONS._replace(**options))[1]


def environment(**options: Any) -> dict[str, Any]:
    return {key[1]: value for key, value in settings(**options).values.items() if key[0] == "env"}


def bring(content: bytes, **options: Any) -> Plan:
    return plan("/f", content, 0o644, None, settings(**options), "salt")


def test_onboarding_comes_before_settings_and_in_the_home(tmp_path: Path) -> None:
    state, written = CLAUDE.documents(OPTIONS._replace(own={"settings_location": str(tmp_path)}))
    assert (state.path, state.values, state.mode) == (
        "/home/ada/.claude.json",
        {("hasCompletedOnboarding",): True},
        0o600,
    )
    assert (written.path, written.mode) == (f"{tmp_path}/.claude/settings.json", 0o644)


def test_the_settings_go_where_the_operator_says(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    owner = Owner("ada", 1000, 1000, str(tmp_path))

    def path(location: str) -> str:
        return settings(owner=owner, own={"settings_location": location}).path

    assert settings(owner=owner).path == path("home") == path("~") == f"{tmp_path}/.claude/settings.json"
    assert path("~/project") == path(f"{tmp_path}/project/") == f"{tmp_path}/project/.claude/settings.json"
    for location, problem in (
        ("/nonexistent/project", "is no directory on this host"),
        ("~/nowhere", "is no directory on this host"),
        ("project", "is neither the word home nor an absolute path"),
        ("~other/project", "is neither the word home nor an absolute path"),
    ):
        with pytest.raises(
            OperatorError, match=rf"^coding_agents_claude_code_settings_location \S+: {problem}\. Name an"
        ):
            path(location)


@pytest.mark.parametrize(
    ("routing", "url"),
    [
        ("gateway", f"{WORKSPACE}/ai-gateway/anthropic"),
        ("serving_endpoints", f"{WORKSPACE}/serving-endpoints/anthropic"),
        ("gateway_host", "https://123.ai-gateway.cloud.databricks.com/anthropic"),
    ],
)
def test_the_base_url_follows_the_routing(routing: str, url: str) -> None:
    urls = {dialect: base_url(routing, WORKSPACE, dialect, "123") for dialect in CLAUDE.dialects}
    assert environment(base_urls=urls)["ANTHROPIC_BASE_URL"] == url


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
        "CLAUDE_CODE_MAX_RETRIES": "3",
        "CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS": "1",
        **dict.fromkeys(NEUTRALIZED, ""),
    }


def test_options_change_their_own_keys_only() -> None:
    base = environment()

    def changed(**options: Any) -> dict[str, Any]:
        now = environment(**options)
        assert set(base) - set(now) <= {"CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS"}
        return {name: value for name, value in now.items() if base.get(name) != value}

    assert changed(token_ttl_minutes=60) == {"CLAUDE_CODE_API_KEY_HELPER_TTL_MS": "3600000"}
    assert changed(ca_file="/ca.pem") == {"NODE_EXTRA_CA_CERTS": "/ca.pem"}
    assert changed(proxy="http://p:1", no_proxy="a") == {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "a"}
    assert changed(models={"default": "m"}) == {"ANTHROPIC_MODEL": "m"}
    assert changed(models={"opus": "o", "sonnet": "s", "haiku": "h", "default": ""}) == {
        "ANTHROPIC_DEFAULT_OPUS_MODEL": "o",
        "ANTHROPIC_DEFAULT_SONNET_MODEL": "s",
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": "h",
    }
    betas = {"experimental_betas": True}
    assert changed(own=betas) == {}
    assert "CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS" not in environment(own=betas)
    assert ("env", "CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS") in settings(own=betas).superseded


@pytest.mark.parametrize("home", ["/home/a b", "/home/o'neil", "/home/$x", "/home/日本"])
def test_the_helper_s_path_is_quoted_for_sh(home: str) -> None:
    helper = f"{home}/.local/share/fmapi-coding-agents/token-helper"
    value = settings(token_helper=helper).values[("apiKeyHelper",)]
    assert shlex.split(value) == [helper]


@pytest.mark.parametrize(
    "name",
    [
        *NEUTRALIZED,
        "ANTHROPIC_SMALL_FAST_MODEL",
        "ANTHROPIC_UNIX_SOCKET",
        "CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST",
        "CLAUDE_CODE_SIMPLE",
    ],
)
def test_what_would_outrank_ours_is_taken_out_and_given_back(name: str) -> None:
    before = json.dumps({"env": {name: "x", "MINE": "1"}}).encode()
    made = bring(before)
    # Nothing in the settings is more than no setting: what a shell exports is without effect, too.
    left = "" if name in NEUTRALIZED else None
    assert made.after is not None and JsonDocument(made.after).get(("env",)).get(name) == left
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
    return CLAUDE.find_cli(Owner("ada", 1000, 1000, str(home)), str(home / ".local"), {"PATH": path})


def test_no_program_is_no_program(home: Path) -> None:
    assert find(home) is None
    assert CLAUDE.source.installed_version(str(home / ".local")) is None


def test_npm_s_layout(home: Path) -> None:
    npm_layout(home / ".local", "2.1.197")
    assert find(home) == FoundCli(str(home / ".local/bin/claude"), "2.1.197", "npm")
    assert CLAUDE.source.installed_version(str(home / ".local")) == "2.1.197"


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
    assert find(home) == FoundCli(str(home / "bin/claude"), "", "unknown")


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
        found = CLAUDE.find_cli(Owner("ada", 1000, 1000, str(home / "x")), str(home / "x"), {"PATH": path})
        assert found is None or not found.path.startswith((".", "claude", str(home)))


# -- the doctor --------------------------------------------------------------------------------------------------------


def test_what_outranks_the_settings_depends_on_what_stands_in_them() -> None:
    always = {
        "ANTHROPIC_UNIX_SOCKET",
        "CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST",
        "CLAUDE_CODE_SIMPLE",
        "CLAUDE_CONFIG_DIR",
    }
    assert set(CLAUDE.outranking({"env": environment()})) == always
    for bare in ({}, {"env": None}, {"env": dict.fromkeys(NEUTRALIZED, "1")}):
        assert set(CLAUDE.outranking(bare)) == {*always, *NEUTRALIZED}


def test_a_proxy_that_the_settings_do_not_name_is_told() -> None:
    for name in ("HTTPS_PROXY", "https_proxy"):
        (found,) = CLAUDE.problems(OPTIONS, {name: "http://p:1"}, "")
        assert found.severity == "WARN" and name in found.what


def test_of_another_proxy_only_what_outranks_the_settings_is_told() -> None:
    """Measured: a name in capitals gives way to the settings, one in small letters does not."""
    ours = OPTIONS._replace(proxy="http://ours:1", no_proxy="a.example")
    same = {"https_proxy": "http://ours:1", "HTTPS_PROXY": "http://ours:1", "no_proxy": "a.example"}
    capitals = {"HTTPS_PROXY": "http://theirs:2", "NO_PROXY": "b.example"}
    for environment in (same, capitals, {}):
        assert not CLAUDE.problems(ours, environment, "")
    for name in ("https_proxy", "no_proxy"):
        (found,) = CLAUDE.problems(ours, {**same, name: "theirs"}, "")
        assert found.severity == "WARN" and found.what.startswith(f"{name} is set to something else")
    assert not CLAUDE.problems(ours._replace(no_proxy=None), {"no_proxy": "b.example"}, "")


def project_problems(home: Path, project: Path, name: str, settings: dict[str, Any], **own: str) -> list[str]:
    """What the doctor says when Claude Code has noted a project with these settings."""
    (home / ".claude.json").write_text(json.dumps({"projects": {str(project): {"history": ["much"] * 200_000}}}))
    file = project / ".claude" / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(settings))
    options = OPTIONS._replace(owner=Owner("ada", 1000, 1000, str(home)), own=own)
    return [one.what for one in CLAUDE.problems(options, {}, "")]


@pytest.mark.parametrize("where", ["src/shop", "."], ids=["a project", "the home"])
@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"apiKeyHelper": "echo theirs"}, "apiKeyHelper"),
        ({"env": {"ANTHROPIC_BASE_URL": "https://api.example.com"}}, "env.ANTHROPIC_BASE_URL"),
        *(({"env": {name: "1"}}, f"env.{name}") for name in NEUTRALIZED),
    ],
    ids=str,
)
def test_what_takes_a_project_away_from_the_workspace_is_told(
    tmp_path: Path, where: str, settings: dict[str, Any], key: str
) -> None:
    project = tmp_path / where
    (said,) = project_problems(tmp_path, project, "settings.local.json", settings)
    assert said.startswith(f"{project / '.claude/settings.local.json'} sets {key}: ")


def test_a_project_that_stays_with_the_workspace_is_not_told(tmp_path: Path) -> None:
    ours = {"apiKeyHelper": shlex.quote(OPTIONS.token_helper), "env": {**environment(), "CLAUDE_CODE_USE_VERTEX": "0"}}
    assert project_problems(tmp_path, tmp_path / "src", "settings.json", ours) == []
    assert project_problems(tmp_path / "src", tmp_path, "settings.json", {"apiKeyHelper": "echo theirs"}) == []


def test_our_own_settings_in_a_project_are_not_told_of_twice(tmp_path: Path) -> None:
    theirs = {"apiKeyHelper": "echo theirs"}
    options = {"settings_location": str(tmp_path / "src")}
    assert project_problems(tmp_path, tmp_path / "src", "settings.json", theirs, **options) == []


def test_without_a_ledger_the_wish_to_ask_for_models_is_taken_for_ours() -> None:
    key = ("env", "CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY")
    document = JsonDocument(bring(b"{}", own={"gateway_model_discovery": True}).after or b"")
    assert document.get(key) == "1" and key in CLAUDE.known_as_ours(document, OPTIONS.token_helper)


def test_without_a_ledger_a_proxy_is_not_taken_for_ours() -> None:
    written = bring(b"{}", proxy="http://p:1", no_proxy="a", ca_file="/ca.pem").after
    known = CLAUDE.known_as_ours(JsonDocument(written or b""), OPTIONS.token_helper)
    assert ("env", "NODE_EXTRA_CA_CERTS") in known and ("apiKeyHelper",) in known
    assert not {("env", "HTTPS_PROXY"), ("env", "NO_PROXY")} & set(known)
    assert not CLAUDE.known_as_ours(JsonDocument(written or b""), "/somebody/else's/helper")
    assert list(CLAUDE.usual_files(OPTIONS.owner)) == ["/home/ada/.claude/settings.json"]
