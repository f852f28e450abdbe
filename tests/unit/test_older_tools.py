# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What older tools have left: listed with what becomes of it, known by its content, taken away where that is wanted."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils import listing, rollout
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine import transaction
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.owner import Owner, current_owner
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts import (
    PARTS,
    older_tokens,
    older_tools,
    older_tools_table,
)
from ansible_collections.fmapi.coding_agents.plugins.module_utils.places import How

from tests.hosts.tree import differences, manifest
from tests.unit.options_for import options_for
from tests.unit.test_other_tools import CLAUDE_OF_OPSKIT, CODEX_OF_BOTH
from tests.unit.trees import bring_libraries

ROOT = Path(__file__).resolve().parents[2]
LEFT = ROOT / "molecule" / "upgrade_from_legacy" / "files"
"""A home of each tool: as it left it."""
PARTS_OF_FILES = ["agent_settings", "launcher"]
CHECK = How(check=True)

HELPER = """\
#!/bin/sh
set -eu

FMAPI_PROFILE="{profile}"
FMAPI_HOST="{host}"

databricks auth token --profile "$FMAPI_PROFILE"
"""
"""In the shape of the script's: with the two lines that it fills in, and a text between them and the end that it does not."""


@pytest.fixture(autouse=True)
def known_helper(monkeypatch: pytest.MonkeyPatch) -> None:
    """The digests of the script's own texts are known, and theirs alone; here the one above is, too."""
    import hashlib

    emptied = HELPER.format(profile="", host="").encode()
    monkeypatch.setitem(older_tools._HELPERS, hashlib.sha256(emptied).hexdigest(), older_tools_table.SCRIPT)


@pytest.fixture
def owner(tmp_path: Path) -> Owner:
    bring_libraries()
    (tmp_path / "home").mkdir(mode=0o700)
    return current_owner(str(tmp_path / "home"))


def options(**own: Any) -> dict[str, Any]:
    return options_for(parts=PARTS_OF_FILES, agents=["claude_code", "codex", "gemini", "opencode"], **own)


def away(**own: Any) -> dict[str, Any]:
    return options_for(parts=None, agents=["claude_code"], **own)


def home_of(owner: Owner, tool: str) -> Path:
    """A home as the tool has left it."""
    for file in sorted((LEFT / tool).rglob("*")):
        path = Path(owner.home) / file.relative_to(LEFT / tool)
        if file.is_dir():
            path.mkdir(mode=0o700)
        else:
            path.write_text(file.read_text().replace(f"/home/{tool}", owner.home))
            path.chmod(0o600)
    if tool == "script":
        helper = Path(owner.home, ".claude/fmapi-key-helper.sh")
        helper.write_text(HELPER.format(profile="fmapi-claudecode-profile", host="https://before.example.com"))
        helper.chmod(0o700)
    return Path(owner.home)


def listed(owner: Owner, **own: Any) -> dict[str, str]:
    """What becomes of each, by what it is; without the home."""
    result = listing.list_artifacts(owner, away(**own), CHECK)
    assert all((one["home"], one["user"]) == (owner.home, owner.user) for one in result["artifacts"])
    return {one["what"].replace(f"{owner.home}/", "~/"): f"{one['tool']}: {one['fate']}" for one in result["artifacts"]}


TOOLS = sorted(path.name for path in LEFT.iterdir())


@pytest.mark.parametrize("tool", TOOLS)
def test_what_a_tool_left_is_listed_and_stays_unless_it_is_asked_for(owner: Owner, tool: str) -> None:
    home = home_of(owner, tool)
    before = manifest(str(home))
    found = listed(owner)
    assert found and all(": stays: " in fate for fate in found.values()), found
    assert not rollout.withdraw(owner, away(), How())["changed"]
    assert differences(before, manifest(str(home))) == []


@pytest.mark.parametrize("tool", TOOLS)
def test_a_home_that_was_taken_over_lists_both_and_is_given_back(owner: Owner, tool: str) -> None:
    home = home_of(owner, tool)
    for settings in home.glob(".claude/settings.json"):  # a token of a workspace goes for good: it has its own test
        settings.write_text(re.sub(r'\n *"ANTHROPIC_AUTH_TOKEN": "not-a-real-token",?', "", settings.read_text()))
    before, alone = manifest(str(home)), listed(owner)
    rollout.apply(owner, options(), How())
    taken_over = manifest(str(home))
    found = listed(owner)
    ours = {what: fate for what, fate in found.items() if fate.startswith(listing.OURS)}
    assert any("given back to what stood before" in fate for fate in ours.values())
    assert {what: fate for what, fate in found.items() if what not in ours} == alone, "as they will stand again"
    assert differences(taken_over, manifest(str(home))) == [], "a listing has written"
    rollout.withdraw(owner, away(), How())
    assert differences(before, manifest(str(home))) == []


REMOVED = f"{older_tools_table.SCRIPT}: removed: left by {older_tools_table.SCRIPT}"
HINT = "stays: coding_agents_uninstall_older_tools: true removes it"


def test_what_the_script_left_is_taken_away_where_that_is_wanted(owner: Owner) -> None:
    home = home_of(owner, "script")
    clean = manifest(str(home))
    rollout.apply(owner, options(), How())
    wanted = away(uninstall_older_tools=True)
    assert [what for what, fate in listed(owner, uninstall_older_tools=True).items() if fate == REMOVED] == [
        "~/.claude/fmapi-key-helper.sh: token helper",
        "~/.claude/settings.json: settings (9 keys)",
        "~/.claude/plugins/installed_plugins.json: registration of a plugin (fmapi-codingagent)",
    ]
    before = manifest(str(home))
    foretold = rollout.withdraw(owner, wanted, How(check=True, diff=True))
    assert differences(before, manifest(str(home))) == [], "a dry run has written"
    done = rollout.withdraw(owner, wanted, How(diff=True))
    assert (foretold["changes"], foretold["diff"]) == (done["changes"], done["diff"])
    said = [change for change in done["changes"] if "fmapi-key-helper.sh" in change or "installed_plugins" in change]
    assert said == [
        f"{home}/.claude/fmapi-key-helper.sh: token helper: removed",
        f"{home}/.claude/plugins/installed_plugins.json: plugins.fmapi-codingagent removed",
    ]
    other = {line.split(" ")[1].rstrip(":"): line.split(":")[0] for line in differences(clean, manifest(str(home)))}
    assert other == {
        ".claude/fmapi-key-helper.sh": "missing",
        ".claude/plugins/installed_plugins.json": "changed",
        ".claude/settings.json": "missing",
    }
    kept = json.loads((home / ".claude/plugins/installed_plugins.json").read_text())
    assert kept == {"version": 2, "plugins": {}}
    assert not rollout.withdraw(owner, wanted, How())["changed"]


def test_a_run_that_is_killed_in_between_is_brought_to_its_end(owner: Owner, monkeypatch: pytest.MonkeyPatch) -> None:
    home = home_of(owner, "script")
    rollout.apply(owner, options(), How())
    write = transaction._write
    written: list[str] = []

    def killed(ledger: Any, one: Any, found: Any) -> None:
        if one.component == older_tools.COMPONENT:
            if written:
                raise SystemExit
            written.append(one.path)
        write(ledger, one, found)

    with monkeypatch.context() as patched:
        patched.setattr(transaction, "_write", killed)
        with pytest.raises(SystemExit):
            rollout.withdraw(owner, away(uninstall_older_tools=True), How())
    assert written == [f"{home}/.claude/fmapi-key-helper.sh"] and not Path(written[0]).exists()
    assert (home / ".claude/settings.json").exists()
    rollout.withdraw(owner, away(), How())
    assert not (home / ".claude/settings.json").exists()
    assert sorted(path.name for path in home.iterdir()) == [".claude", ".databrickscfg"]


def test_a_function_and_the_settings_that_it_wrote_go_and_the_rest_of_the_files_stays(owner: Owner) -> None:
    home = home_of(owner, "older_script")
    settings = home / ".claude/settings.json"
    settings.write_text(settings.read_text().replace('"env": {', '"model": "opus",\n  "env": {\n    "MINE": "1",'))
    rollout.withdraw(owner, away(uninstall_older_tools=True), How())
    assert (home / ".bashrc").read_text() == "alias ll='ls -l'\n\nexport EDITOR=vi\n"
    token = {"ANTHROPIC_AUTH_TOKEN": "not-a-real-token"}  # no token of a workspace: it may be anybody's
    assert json.loads(settings.read_text()) == {"model": "opus", "env": {"MINE": "1", **token}}


@pytest.mark.parametrize("edited", ["helper", "settings", "function", "registration", "cache"])
def test_what_somebody_has_edited_stays(owner: Owner, edited: str) -> None:
    home = home_of(owner, "older_script" if edited == "function" else "script")
    path, old, new, stays = {
        "helper": (".claude/fmapi-key-helper.sh", "set -eu", "set -e", "token helper"),
        "settings": (
            ".claude/settings.json",
            "databricks-claude-haiku-4-5",
            "my-own",
            "settings (env.ANTHROPIC_DEFAULT_HAIKU",
        ),
        "function": (
            ".bashrc",
            "local token host",
            "my-command\n  local token host",
            "shell function dbx-fmapi-claude",
        ),
        "registration": (".claude/plugins/installed_plugins.json", '"scope"', '"mine": 1, "scope"', "registration"),
        "cache": (".claude/.fmapi-pat-cache", "}", ', "mine": 1}', ""),
    }[edited]
    file = home / path
    if edited == "cache":
        file.write_text('{"token": "t", "expiry_epoch": 1, "lifetime_seconds": 86400}')
        assert listed(owner)["~/.claude/.fmapi-pat-cache: cache of a personal access token"].endswith(HINT)
    file.write_text(file.read_text().replace(old, new))
    found = listed(owner, uninstall_older_tools=True)
    rollout.withdraw(owner, away(uninstall_older_tools=True), How())
    assert file.exists() and new in file.read_text()
    said = [fate for what, fate in found.items() if stays and f"{path}: {stays}" in what]
    assert bool(stays) == bool(said) and all(": stays: " in fate and " since" in fate for fate in said), found
    if edited == "helper":
        assert "fmapi-key-helper.sh" in (home / ".claude/settings.json").read_text(), "its settings lead to it"


def test_a_name_alone_proves_nothing(owner: Owner) -> None:
    """A file of the person's own at every place of the table: nothing is listed, nothing is touched."""
    for row in older_tools_table.TABLE:
        path = Path(owner.home, row.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        if row.what != older_tools_table.CLONE:
            path.write_text('{"mine": "fmapi databricks ug ucode"}\n' if path.suffix == ".json" else "mine=1\n")
    (Path(owner.home) / ".fmapi-codingagent-setup").mkdir()
    before = manifest(owner.home)
    assert listed(owner, uninstall_older_tools=True) == {}
    assert not rollout.withdraw(owner, away(uninstall_older_tools=True), How())["changed"]
    assert differences(before, manifest(owner.home)) == []


def test_nothing_to_uninstall(owner: Owner) -> None:
    assert listed(owner) == {}
    assert rollout.withdraw(owner, away(), How())["changes"] == []
    assert list(Path(owner.home).iterdir()) == []


def test_what_was_edited_in_ours_is_said_to_stay(owner: Owner) -> None:
    rollout.apply(owner, options(), How())
    settings = Path(owner.home, ".claude/settings.json")
    written = json.loads(settings.read_text())
    written["env"]["ANTHROPIC_MODEL"] = "my-own"
    settings.write_text(json.dumps({**written, "mine": True}))
    fate = next(fate for what, fate in listed(owner).items() if what.startswith("~/.claude/settings.json"))
    assert fate == f"{listing.OURS}: ours is taken out; what was edited since stays"


def test_what_older_tools_left_stays_where_only_some_parts_are_uninstalled(owner: Owner) -> None:
    home_of(owner, "script")
    some = {**away(uninstall_older_tools=True), "parts": [name for name in PARTS if name != "agent_cli"]}
    assert not rollout.withdraw(owner, some, How())["changed"]


def test_what_a_scope_leaves_takes_nothing_of_other_tools_along(owner: Owner) -> None:
    home_of(owner, "script")
    assert not rollout.leave(owner, away(uninstall_older_tools=True, revoke_legacy_pats=True), How())["changed"]


def git(directory: Path, *arguments: str) -> None:
    named = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "init.defaultBranch=main")
    subprocess.run(["git", "-C", str(directory), *named, *arguments], check=True, capture_output=True, timeout=60)


@pytest.fixture
def clone(owner: Owner, tmp_path: Path) -> Path:
    """A clone as the script's installer makes it, of a repository of the same name on this machine."""
    theirs = tmp_path / "fmapi-codingagent-setup"
    theirs.mkdir()
    git(theirs, "init", "-q")
    (theirs / "setup-fmapi-claudecode.sh").write_text("#!/bin/bash\n")
    git(theirs, "add", ".")
    git(theirs, "commit", "-q", "-m", "One")
    path = Path(owner.home, ".fmapi-codingagent-setup")
    git(theirs, "clone", "-q", str(theirs), str(path))
    git(path, "remote", "set-url", "origin", "https://github.com/anybody/fmapi-codingagent-setup.git")
    return path


def test_the_clone_of_the_script_goes(owner: Owner, clone: Path) -> None:
    before = manifest(owner.home)
    wanted = away(uninstall_older_tools=True)
    assert listed(owner, uninstall_older_tools=True) == {"~/.fmapi-codingagent-setup: clone of its repository": REMOVED}
    told = [f"{clone}: clone of its repository: removed"]
    assert rollout.withdraw(owner, wanted, CHECK)["changes"] == told
    assert differences(before, manifest(owner.home), times=True) == [], "a dry run has written"
    assert rollout.withdraw(owner, wanted, How())["changes"] == told
    assert list(Path(owner.home).iterdir()) == []


@pytest.mark.parametrize("change", ["edited", "added", "committed", "stashed", "elsewhere", "a link"])
def test_a_clone_with_something_of_its_owner_s_stays(owner: Owner, clone: Path, change: str) -> None:
    script = clone / "setup-fmapi-claudecode.sh"
    if change == "added":
        (clone / "notes.txt").write_text("mine\n")
    elif change == "elsewhere":
        git(clone, "remote", "set-url", "origin", "https://git.example.com/mine.git")
    elif change == "a link":
        clone = clone.rename(clone.with_name("kept"))
        Path(owner.home, ".fmapi-codingagent-setup").symlink_to("kept")
    else:
        script.write_text("#!/bin/bash\n# mine\n")
    if change == "committed":
        git(clone, "commit", "-q", "-a", "-m", "Mine")
    elif change == "stashed":
        git(clone, "stash")
    before = manifest(owner.home)
    fates = list(listed(owner, uninstall_older_tools=True).values())
    assert [": stays: " in fate for fate in fates] == ([] if change == "elsewhere" else [True]), fates
    assert not rollout.withdraw(owner, away(uninstall_older_tools=True), How())["changed"]
    assert differences(before, manifest(owner.home)) == []


def test_what_opskit_left_is_listed_taken_over_and_given_back(owner: Owner) -> None:
    home = Path(owner.home)
    helper = str(home / ".claude/fmapi-key-helper.sh")
    for path, text in (
        (".claude/settings.json", json.dumps({**CLAUDE_OF_OPSKIT, "apiKeyHelper": helper}, indent=2)),
        (".claude/fmapi-key-helper.sh", HELPER.format(profile="p", host="https://before.example.com") + "# mine\n"),
        (".codex/config.toml", CODEX_OF_BOTH),
    ):
        (home / path).parent.mkdir(exist_ok=True)
        (home / path).write_text(text)
    before, found = manifest(owner.home), listed(owner, uninstall_older_tools=True)
    assert [what for what, fate in found.items() if fate.startswith(older_tools_table.OPSKIT)] == [
        "~/.codex/config.toml: provider of models"
    ]
    assert "leads to a token helper that stays" in found["~/.claude/settings.json: settings (6 keys)"]
    rollout.apply(owner, options(), How())
    again = listed(owner, uninstall_older_tools=True)
    assert {what: fate for what, fate in again.items() if not fate.startswith(listing.OURS)} == found
    rollout.withdraw(owner, away(uninstall_older_tools=True), How())
    assert differences(before, manifest(owner.home)) == []


def test_the_skills_of_opskit_are_known_by_their_first_lines(owner: Owner) -> None:
    skill = Path(owner.home, ".codex/skills/fmapi-codingagent-status/SKILL.md")
    skill.parent.mkdir(parents=True)
    skill.write_text("---\nname: fmapi-codingagent-status\ndescription: Check it\n---\n")
    assert listed(owner) == {
        "~/.codex/skills/fmapi-codingagent-status/SKILL.md: skill": "fmapi-opskit: stays: remove its directory by hand"
    }


def test_a_token_that_the_script_made_stays_unless_it_is_to_be_revoked(
    owner: Owner, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = older_tokens.Listed([older_tokens.Older("1", "Claude Code FMAPI (created 2026-01-02)", "2026-01-09")])
    monkeypatch.setattr(older_tokens, "listed", lambda *_asked, **_how: found)
    what = 'personal access token "Claude Code FMAPI (created 2026-01-02)"'
    hint = "stays until 2026-01-09: coding_agents_revoke_legacy_pats: true revokes it"
    assert listed(owner) == {what: f"{older_tools_table.SCRIPT}: {hint}"}
    assert listed(owner, revoke_legacy_pats=True) == {what: f"{older_tools_table.SCRIPT}: revoked"}
    monkeypatch.setattr(older_tokens, "listed", lambda *_asked, **_how: older_tokens.Listed([], "nobody answers"))
    assert listing.list_artifacts(owner, away(), CHECK)["warnings"] == [], "a host that the script has never seen"
    (said,) = listing.list_artifacts(owner, away(revoke_legacy_pats=True), CHECK)["warnings"]
    assert said == f"personal access tokens of {older_tools_table.SCRIPT} are not listed: nobody answers"


def test_the_documentation_has_the_table() -> None:
    text = (ROOT / "docs" / "other-tools.md").read_text(encoding="utf-8")
    rows = []
    for row in older_tools_table.TABLE:
        fate = f"removed; once edited: {row.way_out}" if row.is_removed else row.way_out
        rows.append(f"| {row.tool} | `~/{row.path}` | {row.what} | {row.known_by} | {fate} |")
    assert [line for line in text.splitlines() if line.startswith("| ") and "`~/" in line] == rows
