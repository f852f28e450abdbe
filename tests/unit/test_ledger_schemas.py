# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ledgers that earlier versions left on hosts: each schema loads for ever, and leads back as exactly as it did then.

``ledgers/schema-N-STATE.json`` holds a home as it was before that version's rollout and after it, and the ledger between the two:
``{"ledger": {...}, "before": {path: [type, mode, text]}, "after": {...}}``, ``@HOME@`` where the home's path stood (schema 1). These
files are never made anew; a new schema adds files.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ledger import SCHEMA, Ledger
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ownership import Wanted
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.transaction import bring
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError

from tests.unit.homes import owner_of, tree

COMPONENTS = ("databricks_oauth", "login_item", "agent_cli", "agent_settings")
LEDGERS = Path(__file__).parent / "ledgers"
every_ledger = pytest.mark.parametrize("name", sorted(path.stem for path in LEDGERS.glob("*.json")))


def laid_out(name: str, home: Path) -> dict[str, tuple[str, int, bytes]]:
    """Make the home as the old version left it; returns what stood there before that version came."""
    kept = json.loads((LEDGERS / f"{name}.json").read_text().replace("@HOME@", str(home)))
    _place(home, kept["after"])
    directory = home / ".local/state/fmapi-coding-agents"
    directory.mkdir(parents=True, mode=0o700)
    (directory / "ledger.json").write_text(json.dumps(kept["ledger"], indent=1, sort_keys=True) + "\n")
    (directory / "ledger.json").chmod(0o600)
    return {path: (kind, mode, text.encode()) for path, (kind, mode, text) in kept["before"].items()}


def _place(home: Path, entries: dict[str, Any]) -> None:
    home.mkdir()
    for path, (kind, mode, text) in sorted(entries.items()):
        if kind == "link":
            (home / path).symlink_to(text)
            continue
        if kind == "directory":
            (home / path).mkdir()
        else:
            (home / path).write_text(text)
        os.chmod(home / path, mode)


def without_packages(home: Path) -> None:
    """Give up the agent's package as its own module does: the ledger stays while it holds one."""
    ledger = Ledger.load(owner_of(home))
    ledger.packages = {}
    ledger.save()


def _without_components(data: Any) -> Any:
    if isinstance(data, dict):
        return {name: _without_components(value) for name, value in data.items() if name != "component"}
    return data


@every_ledger
def test_it_loads_and_keeps_every_fact(name: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    laid_out(name, home)
    ledger = Ledger.load(owner_of(home))
    old = json.loads(Path(ledger.path).read_text().replace('"~/', f'"{home}/'))
    assert ledger.salt == old["salt"]
    facts = [
        {one: getattr(ledger, one) for one in ("documents", "pending")},
        {one: old[one] for one in ("documents", "pending")},
    ]
    assert _without_components(facts[0]) == _without_components(facts[1])
    assert (ledger.directories, ledger.packages) == (old["directories"], old["packages"])
    assert len(ledger.documents) >= 7 and ledger.packages
    assert {one["component"] for one in ledger.documents.values()} <= set(COMPONENTS)
    ledger.save()
    written = Path(ledger.path).read_text()
    assert json.loads(written)["schema"] == SCHEMA
    assert str(home) not in written
    again = Ledger.load(owner_of(home))
    for one in ("documents", "pending", "directories", "packages", "salt"):
        assert getattr(again, one) == getattr(ledger, one)


@every_ledger
def test_an_uninstall_leads_back_from_it(name: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    before = laid_out(name, home)
    without_packages(home)
    bring(owner_of(home), COMPONENTS, [], check=False)
    after = tree(home)
    if name.endswith("edited"):
        assert after.pop(".bashrc")[2] == before.pop(".bashrc")[2] + b"\nalias x=y\n"
        assert before.pop(".env")[2] == b"export MODEL='old' # mine\nOLD=1\n"
        assert after.pop(".env")[2] == b"export MODEL='old' # mine\nUSER=1\nOLD=1\n"
        settings = json.loads(after.pop(".agent/settings.json")[2])
        assert settings == {**json.loads(before.pop(".agent/settings.json")[2]), "model": "haiku"}
        assert after.pop(".databrickscfg")[2] == before.pop(".databrickscfg")[2] + b"\n[fmapi]\ncluster_id = 7\n"
        if "agent" in after:
            assert after.pop("agent")[2] == b"versions/newer"
            assert before.pop("agent")[2] == b"versions/theirs"
    assert after == before


@every_ledger
def test_a_rollout_goes_on_from_it_and_is_silent_the_second_time(name: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    laid_out(name, home)
    without_packages(home)
    wanted = [
        Wanted(
            str(home / ".databrickscfg"),
            "ini",
            "databricks_oauth",
            values={("fmapi", "host"): "https://3"},
            mode=0o600,
            private=True,
        ),
        Wanted(str(home / ".agent/settings.json"), "json", "agent_settings", values={("env", "URL"): "https://3"}),
        Wanted(str(home / ".bashrc"), "block", "login_item", values={("path",): "export A=https://3"}),
    ]
    assert bring(owner_of(home), COMPONENTS, wanted, check=False).changed
    assert not bring(owner_of(home), COMPONENTS, wanted, check=False).changed
    assert b"https://3" in (home / ".bashrc").read_bytes() and b"https://2" not in (home / ".bashrc").read_bytes()
    assert not (home / ".local/share/ours").exists()


def test_every_schema_up_to_now_has_its_ledgers() -> None:
    for schema in range(1, SCHEMA + 1):
        assert len(list(LEDGERS.glob(f"schema-{schema}-*.json"))) >= 3


@every_ledger
def test_a_newer_schema_is_refused_and_nothing_is_touched(name: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    laid_out(name, home)
    path = Path(Ledger(owner_of(home)).path)
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "schema": SCHEMA + 1}))
    before = tree(home)
    for check in (True, False):
        with pytest.raises(OperatorError, match=rf"has schema {SCHEMA + 1}.*Use the version of fmapi\.coding_agents"):
            bring(owner_of(home), COMPONENTS, [], check)
    assert tree(home) == before


def test_what_schema_1_called_the_sign_in_and_the_agents_belongs_to_parts(tmp_path: Path) -> None:
    """Moved since then, too: the ledger says where its home was."""
    old = {
        ".databrickscfg": ("workspace_auth", "ini", "databricks_oauth"),
        ".local/share/fmapi-coding-agents/token-helper": ("workspace_auth", "file", "databricks_oauth"),
        ".config/autostart/fmapi-coding-agents-login.desktop": ("workspace_auth", "file", "login_item"),
        ".profile": ("workspace_auth", "block", "login_item"),
        ".claude/settings.json": ("claude_code", "json", "agent_settings"),
    }
    entry = json.loads((LEDGERS / "schema-1-installed.json").read_text())["ledger"]["documents"]["@HOME@/.agent.json"]
    documents = {f"/gone/{path}": {**entry, "component": one[0], "format": one[1]} for path, one in old.items()}
    outside = {"/srv/project/.claude/settings.json": {**entry, "component": "claude_code"}}
    data = {
        "schema": 1,
        "salt": "5a17",
        "documents": {**documents, **outside},
        "pending": {path: {"before": None, "after": None, "entry": one} for path, one in documents.items()},
        "directories": ["/gone/.local", "/gone/.local/state/fmapi-coding-agents", "/srv/project/.claude"],
        "packages": {"claude_code": {"prefix": "/gone/.local", "previous": "1", "version": "2"}},
    }
    home = tmp_path / "home"
    path = Path(owner_of(home).state) / "ledger.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(data))
    ledger = Ledger.load(owner_of(home))
    assert {path: one["component"] for path, one in ledger.documents.items()} == {
        **{str(home / path): one[2] for path, one in old.items()},
        "/srv/project/.claude/settings.json": "agent_settings",
    }
    assert ledger.directories == [f"{home}/.local", f"{home}/.local/state/fmapi-coding-agents", "/srv/project/.claude"]
    assert ledger.packages == {"claude_code": {"prefix": f"{home}/.local", "previous": "1", "version": "2"}}
