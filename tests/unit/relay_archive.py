# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The relay as hosts get it, made of real wheels that are fetched once and kept with what else the tests download."""

from __future__ import annotations

import base64
import fcntl
import functools
import hashlib
import os
import socket
import zlib
from pathlib import Path

from ansible_collections.fmapi.coding_agents.plugins.module_utils.agents.sources import Settings
from ansible_collections.fmapi.coding_agents.plugins.plugin_utils import relay_program


@functools.cache
def wheels() -> dict[str, bytes]:
    """Where the index is not in reach, this says so: a component that is missing fails."""
    cache = Path(os.environ["FMAPI_TEST_CACHE"], "relay-wheels")
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return relay_program.wheels(str(cache), Settings(os.path.expanduser("~"), os.environ))


@functools.cache
def archive() -> bytes:
    return relay_program.pack(wheels())


def carried() -> dict[str, str]:
    """As a call brings it."""
    return {
        "relay_sha256": hashlib.sha256(archive()).hexdigest(),
        "relay": base64.b64encode(zlib.compress(archive(), 1)).decode(),
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
