# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What operators change their minds about, what they find on hosts, and the way back from all of it."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest

from tests import homes
from tests.control_node import ControlNode, Operator
from tests.hosts.tree import differences, manifest
from tests.workspace.client import Workspace
from tests.written_reports import REPORT, checks

HELPER = ".local/share/fmapi-coding-agents/token-helper"


def _settings(directory: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((directory / ".claude" / "settings.json").read_text(encoding="utf-8"))
    return loaded


def _profiles(home: Path) -> ConfigParser:
    parsed = ConfigParser(default_section="none", interpolation=None)
    parsed.read_string((home / ".databrickscfg").read_bytes().decode())
    return parsed


def _tokens(home: Path) -> list[str]:
    return sorted(path.name for path in (home / ".cache" / "fmapi-coding-agents").glob("token-????????????????"))


@pytest.fixture(scope="module")
def other_workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A second workspace, with a certificate authority and a service principal of its own."""
    with Workspace(tmp_path_factory.mktemp("other")) as running:
        yield running


def test_every_change_of_mind_and_the_way_back(operator: Operator, other_workspace: Workspace, tmp_path: Path) -> None:
    """One variable after the other changes; nothing of what was wanted before is left, and uninstall ends it all."""
    home = homes.lived_in(tmp_path / "home")
    before = manifest(str(home))
    operator.rollout(home).ok()
    first = _settings(home)

    chosen: dict[str, Any] = {"models": {"claude_code": {"default": "databricks-claude-sonnet-4-6"}}}
    operator.rollout(home, **chosen).ok()
    assert _settings(home)["env"]["ANTHROPIC_MODEL"] == "databricks-claude-sonnet-4-6"

    operator.rollout(home).ok()
    assert _settings(home) == first, "what is taken out takes effect"

    operator.rollout(home, token_ttl_minutes=30, routing="serving_endpoints").ok()
    environment = _settings(home)["env"]
    assert environment["ANTHROPIC_MODEL"] == "databricks-claude-opus-4-6", "this routing knows no model services"
    assert environment["CLAUDE_CODE_API_KEY_HELPER_TTL_MS"] == "1800000"
    assert environment["ANTHROPIC_BASE_URL"] == f"{operator.workspace.url}/serving-endpoints/anthropic"

    operator.rollout(home, claude_code_experimental_betas=True).ok()
    assert "CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS" not in _settings(home)["env"]

    operator.rollout(home, profile="another-name").ok()
    assert _profiles(home).sections() == ["DEFAULT", "other", "another-name"]
    assert len(_tokens(home)) == 1, "the token of the profile that is gone is gone too"

    operator.rollout(
        home,
        workspace_url=other_workspace.url,
        ca_file=other_workspace.ca_file,
        client_id=other_workspace.client_id,
        client_secret=other_workspace.client_secret,
    ).ok()
    assert dict(_profiles(home)["fmapi-coding-agents"]) == {
        "host": other_workspace.url,
        "client_id": other_workspace.client_id,
        "client_secret": other_workspace.client_secret,
        "auth_type": "oauth-m2m",
    }
    assert operator.workspace.client_secret not in (home / ".databrickscfg").read_text()

    person = operator.rollout(home, identity="user", client_id=None, client_secret=None).ok()
    assert dict(_profiles(home)["fmapi-coding-agents"]) == {"host": operator.workspace.url}
    (session,) = (one["session"] for one in person.results("coding_agents"))
    assert session["state"] in ("absent", "unknown")
    assert "/coding-agents login" in session["detail"], session
    assert _tokens(home) == [], "the service principal's token is not kept for a person"

    operator.rollout(home).ok()
    assert _settings(home) == first
    assert operator.rollout(home).ok().changed() == 0
    operator.uninstall(home).ok()
    assert differences(before, manifest(str(home))) == []


def test_edits_in_between_stay(operator: Operator, tmp_path: Path) -> None:
    """The user changes a value of theirs, one of ours and adds one: on uninstall only what is still ours goes."""
    home = homes.lived_in(tmp_path / "home")
    operator.rollout(home).ok()
    settings = _settings(home)
    settings["model"] = "sonnet"
    settings["env"]["MINE"] = "1"
    settings["env"]["ANTHROPIC_MODEL"] = "my-own-choice"
    (home / ".claude" / "settings.json").write_text(json.dumps(settings, indent=2))
    play = operator.uninstall(home).ok()
    left = _settings(home)
    assert left["env"] == {
        "EDITOR": "vim",
        "OTHER_SERVICE_API_KEY": homes.OTHER_KEY,
        "MINE": "1",
        "ANTHROPIC_MODEL": "my-own-choice",
    }
    assert left["model"] == "sonnet" and left["permissions"]["deny"] == ["Read(./.env)"]
    assert "apiKeyHelper" not in left
    assert "env.ANTHROPIC_MODEL was changed since we set it: left as it is" in play.told
    assert "[WARNING]" not in play.output, "once, at the end"


def test_two_workspaces_in_one_play(
    operator: Operator, other_workspace: Workspace, control: ControlNode, tmp_path: Path
) -> None:
    """Each host gets what its own workspace says, also where the routing is decided by what answers there."""
    other_workspace.reset()
    other_workspace.control(gateway=False)
    other = Operator(control, other_workspace, operator.prefix)
    homes_of = {name: homes.bare(tmp_path / name) for name in ("one", "two", "three", "four")}
    hosts = {
        name: (operator if number % 2 == 0 else other).variables(home, routing="auto")
        for number, (name, home) in enumerate(homes_of.items())
    }
    control.run("rollout", hosts).ok()
    for number, home in enumerate(homes_of.values()):
        expected = (
            f"{operator.workspace.url}/ai-gateway/anthropic"
            if number % 2 == 0
            else f"{other_workspace.url}/serving-endpoints/anthropic"
        )
        assert _settings(home)["env"]["ANTHROPIC_BASE_URL"] == expected
    for workspace in (operator.workspace, other_workspace):
        by_the_control_node = [
            one for one in workspace.requests("/oidc/v1/token") if one["user_agent"] != "fmapi-coding-agents"
        ]
        assert len(by_the_control_node) == 1


def test_one_broken_host_does_not_hold_up_the_other(operator: Operator, control: ControlNode, tmp_path: Path) -> None:
    broken, fine = homes.lived_in(tmp_path / "broken"), homes.lived_in(tmp_path / "fine")
    (broken / ".claude" / "settings.json").write_text("{ not json")
    before = manifest(str(broken))
    play = control.run("rollout", {"broken": operator.variables(broken), "fine": operator.variables(fine)})
    assert play.status != 0
    assert play.stats("broken")["failures"] == 1 and play.stats("fine")["failures"] == 0
    assert _settings(fine)["apiKeyHelper"] == str(fine / HELPER)
    assert differences(before, manifest(str(broken)), times=True) == []


def test_what_an_older_tool_left_is_replaced_and_given_back(operator: Operator, tmp_path: Path) -> None:
    home = homes.of_an_older_tool(tmp_path / "home", operator.workspace.url, ANTHROPIC_AUTH_TOKEN="sk-ant-mine-0123")
    before, old = manifest(str(home)), _settings(home)
    operator.rollout(home).ok()
    settings = _settings(home)
    assert settings["apiKeyHelper"] == str(home / HELPER)
    assert settings["env"]["ANTHROPIC_DEFAULT_SONNET_MODEL"] == "system.ai.claude-sonnet-4-6"
    assert settings["env"]["ANTHROPIC_AUTH_TOKEN"] == "", "what a shell exports does not count either"
    assert settings["includeCoAuthoredBy"] is False
    # The settings point at the workspace with a foreign key: the old tool never wrote that, but it goes all the same.
    operator.uninstall(home).ok()
    given_back = _settings(home)
    old["env"].pop("ANTHROPIC_AUTH_TOKEN")
    given_back["env"].pop("ANTHROPIC_AUTH_TOKEN", None)
    assert given_back == old
    lines = differences(before, manifest(str(home)))
    assert all(line.startswith("changed: .claude/settings.json") for line in lines), lines


@pytest.mark.parametrize(("kind", "untouched"), [("pat", True), ("oauth", False)])
def test_a_databricks_token_in_the_settings_goes_for_good(
    operator: Operator, tmp_path: Path, kind: str, untouched: bool
) -> None:
    token = operator.workspace.mint("user", kind=kind)
    home = homes.of_an_older_tool(tmp_path / "home", operator.workspace.url, ANTHROPIC_AUTH_TOKEN=token)
    play = operator.rollout(home, "--diff", "-vvv").ok()
    assert "held a Databricks token" in play.told and "will not be given back" in play.told
    assert token not in play.output + json.dumps(play.events)
    if not untouched:
        settings = _settings(home)
        settings["env"]["MINE"] = "1"
        (home / ".claude" / "settings.json").write_text(json.dumps(settings))
    operator.uninstall(home).ok()
    assert "ANTHROPIC_AUTH_TOKEN" not in _settings(home)["env"]
    assert not [path for path in home.rglob("*") if path.is_file() and token in path.read_text(errors="replace")]


def test_another_token_in_the_settings_is_kept_and_given_back(operator: Operator, tmp_path: Path) -> None:
    """It would outrank ours, so it has to go; it is not ours, so it comes back."""
    home = homes.bare(tmp_path / "home")
    token = "sk-ant-PLANTED-of-another-gateway"
    (home / ".claude").mkdir()
    text = json.dumps({"env": {"ANTHROPIC_BASE_URL": "https://llm.example.com", "ANTHROPIC_AUTH_TOKEN": token}})
    (home / ".claude" / "settings.json").write_text(text)
    before = manifest(str(home))
    play = operator.rollout(home, "--diff", "-vvv").ok()
    assert token not in play.output + json.dumps(play.events)
    assert _settings(home)["env"]["ANTHROPIC_AUTH_TOKEN"] == ""
    (holder,) = (path for path in home.rglob("*") if path.is_file() and token in path.read_text(errors="replace"))
    assert holder.name == "ledger.json" and stat.S_IMODE(holder.stat().st_mode) == 0o600
    operator.uninstall(home).ok()
    assert differences(before, manifest(str(home))) == []


def test_settings_in_a_directory(operator: Operator, tmp_path: Path) -> None:
    """A project's settings instead of the user's; moving them back to the home leaves the project as it was."""
    home, project = homes.bare(tmp_path / "home"), tmp_path / "project"
    project.mkdir()
    (project / "README").write_text("mine\n")
    before, untouched = manifest(str(home)), manifest(str(project))
    operator.rollout(home, claude_code_settings_location=str(project)).ok()
    assert _settings(project)["apiKeyHelper"] == str(home / HELPER)
    assert not (home / ".claude/settings.json").exists()
    assert operator.rollout(home, claude_code_settings_location=str(project)).ok().changed() == 0
    operator.rollout(home).ok()
    assert _settings(home)["apiKeyHelper"] == str(home / HELPER)
    assert differences(untouched, manifest(str(project))) == []
    operator.rollout(home, claude_code_settings_location=str(project)).ok()
    operator.uninstall(home).ok()
    assert differences(untouched, manifest(str(project))) == []
    assert differences(before, manifest(str(home))) == []


def test_links_of_a_dotfile_manager_stay(operator: Operator, tmp_path: Path) -> None:
    """The home, the directory and each file are links; what they lead to is edited, and comes back."""
    real, store = homes.bare(tmp_path / "volume"), tmp_path / "store"
    (store / "claude").mkdir(parents=True)
    (store / "claude" / "settings.json").write_text('{\n    "model": "opus"\n}\n')
    (store / "claude.json").write_text("{}")
    (store / "databrickscfg").write_text("[mine]\nhost = https://mine.example.com\n")
    (store / "databrickscfg").chmod(0o600)
    (real / ".claude").symlink_to(store / "claude")
    (real / ".claude.json").symlink_to(store / "claude.json")
    (real / ".databrickscfg").symlink_to("../store/databrickscfg")
    home = tmp_path / "home of Ada's"
    home.symlink_to("volume")
    before, kept = manifest(str(real)), manifest(str(store))
    operator.rollout(home).ok()
    assert all((real / name).is_symlink() for name in (".claude", ".claude.json", ".databrickscfg"))
    assert json.loads((store / "claude" / "settings.json").read_text())["model"] == "opus"
    assert "[fmapi-coding-agents]" in (store / "databrickscfg").read_text()
    assert operator.rollout(home).ok().changed() == 0
    operator.uninstall(home).ok()
    assert differences(before, manifest(str(real))) == []
    assert differences(kept, manifest(str(store))) == []


def test_a_short_time_to_live_is_warned_about(operator: Operator, tmp_path: Path) -> None:
    play = operator.rollout(homes.bare(tmp_path / "home"), "--check", token_ttl_minutes=4).ok()
    assert play.told.count("coding_agents_token_ttl_minutes is 4") == 1, play.output


def test_the_doctor_of_a_bare_host(operator: Operator, tmp_path: Path) -> None:
    """Before any rollout it says what is missing and what to do, and writes nothing."""
    home = homes.bare(tmp_path / "home")
    before = manifest(str(home))
    play = operator.doctor(home, report=REPORT)
    assert play.status != 0
    failed = {(one["category"], one["check"]) for one in checks(play, "FAIL")}
    assert failed == {
        ("Configuration", "databricks_oauth"),
        ("Configuration", "agent_settings"),
        ("Configuration", "command"),
        ("Configuration", "skills"),
        ("Auth", "token helper"),
    }
    assert all(one["fix"] for one in checks(play, "FAIL"))
    assert play.message().startswith("Configuration, databricks_oauth: "), "the first of them, in the first line"
    assert differences(before, manifest(str(home)), times=True) == []
