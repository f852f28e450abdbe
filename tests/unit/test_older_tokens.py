# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which personal access tokens an older script has made: by comment, day and life, all three."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.parts import older_tokens

DAY = 86_400_000
MADE = 1_767_366_000_000  # 2026-01-02, 15:00 UTC
COMMENT = "Claude Code FMAPI (created 2026-01-02)"
TOKEN: dict[str, Any] = {
    "token_id": "1",
    "comment": COMMENT,
    "creation_time": MADE,
    "expiry_time": MADE + 7 * DAY,
}


def test_a_token_of_the_script_is_known() -> None:
    assert older_tokens._older(TOKEN) == older_tokens.Older("1", COMMENT, "2026-01-09")


@pytest.mark.parametrize("hours", [-14, 12])
def test_its_day_may_be_that_of_another_time_zone(hours: int) -> None:
    made = MADE + hours * 3_600_000
    assert older_tokens._older({**TOKEN, "creation_time": made, "expiry_time": made + DAY})


@pytest.mark.parametrize(
    "other",
    [
        {"comment": "Claude Code FMAPI"},
        {"comment": f"{COMMENT}, mine"},
        {"comment": f" {COMMENT}"},
        {"comment": "claude code fmapi (created 2026-01-02)"},
        {"comment": "Claude Code FMAPI (created 2026-13-02)"},
        {"comment": None},
        {"creation_time": MADE + 5 * DAY, "expiry_time": MADE + 6 * DAY},
        {"creation_time": str(MADE)},
        {"expiry_time": -1},
        {"expiry_time": MADE + 90 * DAY},
        {"expiry_time": 10**30},
        {"token_id": None},
    ],
)
def test_any_other_token_is_its_owner_s(other: dict[str, Any]) -> None:
    assert older_tokens._older({**TOKEN, **other}) is None
