# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ledgers that earlier versions left on hosts: each schema loads for ever, and leads back as exactly as it did then.

``ledgers/schema-N-STATE.json`` holds a home as it was before that version's rollout and after it, and the ledger between the two:
``{"ledger": {...}, "before": {path: [type, mode, text]}, "after": {...}}``, ``@HOME@`` where the home's path stood. These files are
never made anew; a new schema adds files.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.errors import OperatorError
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ledger import SCHEMA, Ledger
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.ownership import Wanted
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine.transaction import bring

from tests.unit.homes import COMPONENTS, tree

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
        if kind == "directory":
            (home / path).mkdir()
        else:
            (home / path).write_text(text)
        os.chmod(home / path, mode)


def without_packages(home: Path) -> None:
    """Give up the agent's package as its own module does: the ledger stays while it holds one."""
    ledger = Ledger.load(str(home))
    ledger.packages = {}
    ledger.save()


@every_ledger
def test_it_loads_and_keeps_every_fact(name: str, tmp_path: Path) -> None:
    laid_out(name, tmp_path / "home")
    ledger = Ledger.load(str(tmp_path / "home"))
    old = json.loads(Path(ledger.path).read_bytes())
    assert ledger.salt == old["salt"]
    assert (ledger.documents, ledger.pending) == (old["documents"], old["pending"])
    assert (ledger.directories, ledger.packages) == (old["directories"], old["packages"])
    assert len(ledger.documents) == 7 and ledger.packages
    ledger.save()
    assert json.loads(Path(ledger.path).read_bytes())["schema"] == SCHEMA


@every_ledger
def test_an_uninstall_leads_back_from_it(name: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    before = laid_out(name, home)
    without_packages(home)
    bring(str(home), COMPONENTS, [], check=False)
    after = tree(home)
    if name.endswith("edited"):
        assert after.pop(".bashrc")[2] == before.pop(".bashrc")[2] + b"\nalias x=y\n"
        assert before.pop(".env")[2] == b"export MODEL='old' # mine\nOLD=1\n"
        assert after.pop(".env")[2] == b"export MODEL='old' # mine\nUSER=1\nOLD=1\n"
        settings = json.loads(after.pop(".agent/settings.json")[2])
        assert settings == {**json.loads(before.pop(".agent/settings.json")[2]), "model": "haiku"}
        assert after.pop(".databrickscfg")[2] == before.pop(".databrickscfg")[2] + b"\n[fmapi]\ncluster_id = 7\n"
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
            "one",
            values={("fmapi", "host"): "https://3"},
            mode=0o600,
            private=True,
        ),
        Wanted(str(home / ".agent/settings.json"), "json", "two", values={("env", "URL"): "https://3"}),
        Wanted(str(home / ".bashrc"), "block", "two", values={("path",): "export A=https://3"}),
    ]
    assert bring(str(home), COMPONENTS, wanted, check=False).changed
    assert not bring(str(home), COMPONENTS, wanted, check=False).changed
    assert b"https://3" in (home / ".bashrc").read_bytes() and b"https://2" not in (home / ".bashrc").read_bytes()
    assert not (home / ".local/share/ours").exists()


def test_every_schema_up_to_now_has_its_ledgers() -> None:
    for schema in range(1, SCHEMA + 1):
        assert len(list(LEDGERS.glob(f"schema-{schema}-*.json"))) >= 3


@every_ledger
def test_a_newer_schema_is_refused_and_nothing_is_touched(name: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    laid_out(name, home)
    path = Path(Ledger(str(home)).path)
    path.write_text(json.dumps({**json.loads(path.read_bytes()), "schema": SCHEMA + 1}))
    before = tree(home)
    for check in (True, False):
        with pytest.raises(OperatorError, match=rf"has schema {SCHEMA + 1}.*Use the version of fmapi\.coding_agents"):
            bring(str(home), COMPONENTS, [], check)
    assert tree(home) == before
