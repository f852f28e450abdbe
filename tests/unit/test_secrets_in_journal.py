# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal of a run that was killed: what it was about to write is in it as a digest only."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.engine import transaction
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts import PARTS

from tests import homes
from tests.planted import holding
from tests.unit.homes import owner_of
from tests.unit.host_story import wanted as wanted_of_parts

SECRET, GREETING = "dose" + 16 * "5e", "planted-s3cr3t of the operator"
URL = "https://dbc-00000000-0000.cloud.databricks.com"


class Killed(BaseException):
    """No cleaning up: as a killed process ends."""


@pytest.mark.parametrize("written", [0, 1, 3])
def test_the_journal_of_a_killed_run_holds_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    home = homes.lived_in(tmp_path / "home")
    extra = json.dumps({"claude_code": {"env": {"CORP_GREETING": GREETING}}})
    wanted = wanted_of_parts(str(home), URL, client_secret=SECRET, extra_settings=extra)
    write, count = transaction._write, 0

    def killed(*arguments: Any) -> None:
        nonlocal count
        if count == written:
            raise Killed
        count += 1
        write(*arguments)

    monkeypatch.setattr(transaction, "_write", killed)
    with pytest.raises(Killed):
        transaction.bring(owner_of(home), list(PARTS), wanted, check=False)
    journal = home / ".local" / "state" / "fmapi-coding-agents" / "ledger.json"
    assert json.loads(journal.read_text())["pending"], "nothing was about to be done"
    assert stat.S_IMODE(journal.stat().st_mode) == 0o600
    secrets = {SECRET, GREETING, homes.OTHER_KEY, homes.OTHER_SECRET}
    assert holding(journal.parent, secrets) == set()
    assert holding(home, {SECRET, GREETING}) <= {".databrickscfg"}
