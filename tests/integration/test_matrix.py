# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each ansible-core must show alike: the price of a rollout that changes nothing, and no word of a deprecation."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import homes
from tests.control_node import Operator


@pytest.mark.matrix
def test_a_rollout_that_changes_nothing_is_one_round_trip_and_no_deprecation(
    operator: Operator, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    home = homes.lived_in(tmp_path / "home")
    plays = [operator.rollout(home, "-v").ok()]
    seconds = []
    for _again in range(3):
        begin = time.monotonic()
        plays.append(operator.rollout(home, "-v").ok())
        seconds.append(time.monotonic() - begin)
    record_property("noop_round_trips", plays[-1].starts["host"])
    record_property("noop_seconds", f"{min(seconds):.2f}")
    assert [(play.changed(), play.starts["host"]) for play in plays[1:]] == 3 * [(0, 1)]
    plays += [operator.doctor(home, "-v").ok(), operator.uninstall(home, "-v").ok()]
    for play in plays:
        assert not [one for one in play.results() if one.get("deprecations")]
        assert "deprecat" not in play.output.lower()
