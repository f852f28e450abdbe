# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for every test: none leaves the environment of the process changed, and property tests run a sample, or many more with
HYPOTHESIS_PROFILE=soak (make soak).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.database import DirectoryBasedExampleDatabase

_REPOSITORY = Path(__file__).resolve().parents[1]
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "ci")

_common: dict[str, Any] = {
    "deadline": None,  # the machine is shared: a slow example is no failure
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    "database": DirectoryBasedExampleDatabase(_REPOSITORY / ".work" / "hypothesis"),
}
# The sample is the same in every run, so that a change is blamed for what it breaks and for nothing else.
settings.register_profile("ci", max_examples=400, derandomize=True, **{**_common, "database": None})
# Each format has at least five properties: 100 000 documents of each.
settings.register_profile("soak", max_examples=20_000, **_common)
settings.load_profile(PROFILE)

_PYTEST_S_OWN = {"PYTEST_CURRENT_TEST"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """``make soak`` runs what is marked: with its profile, that is every property test too."""
    if PROFILE == "soak":
        for item in items:
            if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
                item.add_marker(pytest.mark.soak)


@pytest.fixture(autouse=True)
def same_environment() -> Iterator[None]:
    """What one test leaves in the environment fails another, far away: each has to put it back."""
    before = {**os.environ}
    yield
    left = {name for name in {*before, *os.environ} if before.get(name) != os.environ.get(name)} - _PYTEST_S_OWN
    assert not left, f"this test has changed the environment for all that follow: {', '.join(sorted(left))}"
