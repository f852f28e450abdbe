# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What docs/relay.md promises is proved by a test that is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_each_row_of_the_comparison_names_tests_that_are_there() -> None:
    page = (ROOT / "docs" / "relay.md").read_text()
    below = page.partition("## For those who come from databricks-claude")[2]
    rows = [line.strip("|").split("|") for line in below.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 25
    for theirs, ours, tests in rows:
        named = re.findall(r"`([a-z_/]+\.py)(?:::(\w+))?`", tests)
        assert named or "later release" in ours or "upgrade.md" in ours, theirs
        for path, function in named:
            text = (ROOT / "tests" / path).read_text()
            assert not function or f"def {function}(" in text, f"{path} has no {function}"
