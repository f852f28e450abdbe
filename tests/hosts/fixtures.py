# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""pytest fixtures for test hosts. A conftest takes them with ``pytest_plugins = ["tests.hosts.fixtures"]``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from . import podman


@pytest.fixture(scope="session")
def start_fleet() -> Iterator[Callable[..., podman.Fleet]]:
    """Return :func:`tests.hosts.podman.start_hosts`; what it started is removed when the session ends.

    On a machine that cannot make hosts the test is skipped, except in CI, where a missing component is an error.
    """
    try:
        podman.require()
    except podman.HostsUnavailable as problem:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(problem))
    started: list[str] = []

    def start(count: int, **options: Any) -> podman.Fleet:
        fleet = podman.start_hosts(count, **options)
        started.append(fleet.id)
        return fleet

    yield start
    for identity in started:
        podman.stop_hosts(identity)
