# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The newest models: chosen by the preflight, shown, kept for review, and the same for dry run, rollout and doctor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from tests import homes
from tests.control_node import Operator
from tests.hosts.tree import differences, manifest
from tests.written_reports import REPORT, checks

OLD, NEW = "system.ai.claude-opus-4-6", "system.ai.claude-opus-4-10"


def _models(home: Path) -> tuple[str, str]:
    """In Claude Code's settings: of a session, and of the choice that the operator has named."""
    environment = json.loads((home / ".claude" / "settings.json").read_text())["env"]
    return environment["ANTHROPIC_MODEL"], environment["ANTHROPIC_DEFAULT_SONNET_MODEL"]


def test_the_newest_models_from_the_dry_run_to_the_pinned_file(operator: Operator, tmp_path: Path) -> None:
    home, file = homes.bare(tmp_path / "home"), tmp_path / "models.yml"
    pinned = {"claude_code": {"sonnet": "databricks-claude-sonnet-4-6"}}
    own: dict[str, Any] = {"models": pinned, "models_auto": True, "models_file": str(file)}
    operator.rollout(home, models=pinned).ok()
    before = manifest(str(home))
    operator.workspace.control(
        new_endpoint={"name": "databricks-claude-opus-4-10", "like": "databricks-claude-opus-4-6"}
    )
    assert operator.rollout(home, models=pinned).ok().changed() == 0, "nothing changes by itself"

    dry = operator.rollout(home, "--check", "--diff", **own).ok()
    assert f'+    "ANTHROPIC_MODEL": "{NEW}"' in dry.shown("host")["~/.claude/settings.json"]
    assert f"chosen: {NEW} for claude_code.default, claude_code.opus" in dry.told
    assert f"{file} would hold them" in dry.told and not file.exists()
    assert differences(before, manifest(str(home)), times=True) == []

    alone = operator.rollout(home, "--tags", "preflight", **own).ok()
    assert f"{file} holds them, for review" in alone.told
    assert alone.starts["host"] == 0 and differences(before, manifest(str(home)), times=True) == []
    models = yaml.safe_load(file.read_text())
    assert models["coding_agents_models"]["claude_code"] == {
        **pinned["claude_code"],
        "default": NEW,
        "opus": NEW,
        "haiku": "system.ai.claude-haiku-4-5",
    }

    rollout = operator.rollout(home, "--diff", **own).ok()
    assert rollout.changed() == 1 and rollout.shown("host") == dry.shown("host")
    assert _models(home) == (NEW, "databricks-claude-sonnet-4-6")
    written = file.stat()
    assert operator.rollout(home, **own).ok().changed() == 0
    file.unlink()
    examined = operator.doctor(home, report=REPORT, **own)
    assert not checks(examined, "FAIL"), examined.output
    assert ("Models", NEW, "PASS") in {(one["category"], one["check"], one["status"]) for one in checks(examined)}
    assert not file.exists(), "the doctor writes nothing"

    file.write_text(yaml.safe_dump(models))
    operator.workspace.control(new_endpoint={"name": "databricks-claude-opus-5", "like": "databricks-claude-opus-4-6"})
    assert operator.rollout(home, "-e", f"@{file}").ok().changed() == 0, "as if the operator had named them"
    assert written.st_mode & 0o777 == 0o644
    assert operator.rollout(home, "-e", f"@{file}", models_auto=True).ok().changed() == 0, "all are named"
    assert operator.rollout(home, models=pinned, models_auto=True).ok().changed() == 1
    assert _models(home) == ("system.ai.claude-opus-5", "databricks-claude-sonnet-4-6")
    assert operator.rollout(home, models=pinned).ok().changed() == 1
    assert _models(home)[0] == OLD


def test_model_services_of_the_company_s_own_schema_are_what_hosts_get(operator: Operator, tmp_path: Path) -> None:
    home, own = homes.bare(tmp_path / "home"), "main.agents.claude-opus-4-6"
    operator.workspace.control(new_service={"name": own, "like": "databricks-claude-opus-4-6"})
    choice: dict[str, Any] = {"models_auto": True, "models_schemas": ["main.agents", "system.ai"]}
    operator.rollout(home, **choice).ok()
    assert _models(home) == (own, "system.ai.claude-sonnet-4-6")
    examined = operator.doctor(home, report=REPORT, **choice).ok()
    assert ("Models", own, "PASS") in {(one["category"], one["check"], one["status"]) for one in checks(examined)}


def test_without_anybody_to_ask_with_the_run_ends_before_the_host(operator: Operator, tmp_path: Path) -> None:
    home = homes.bare(tmp_path / "home")
    nobody = {"identity": "user", "client_id": None, "client_secret": None}
    play = operator.rollout(home, models_auto=True, **nobody)
    assert play.status != 0 and "coding_agents_models_auto: is true, but nobody could ask" in play.message("host")
    assert play.starts["host"] == 0
