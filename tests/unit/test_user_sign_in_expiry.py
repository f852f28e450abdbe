# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a token of the Databricks CLI still lives."""

from __future__ import annotations

import datetime

import pytest
from ansible_collections.fmapi.coding_agents.plugins.module_utils.host_program import user_sign_in


@pytest.mark.parametrize(
    "text",
    ["2026-11-21T13:48:06Z", "2026-11-21T14:48:06.5+01:00", "2026-11-21T13:48:06.016462671Z"],
    ids=["seconds", "another zone", "nanoseconds"],
)
def test_the_expiry_counts_and_not_the_life_at_issue(text: str) -> None:
    """``expires_in`` is the same in every answer for a token, from its first second to its last."""
    answer: dict[str, object] = {"access_token": "t", "expiry": text, "expires_in": 3600}
    wanted = datetime.datetime(2026, 11, 21, 13, 48, 6, tzinfo=datetime.UTC)
    assert user_sign_in._expiry(answer) == int(wanted.timestamp())
