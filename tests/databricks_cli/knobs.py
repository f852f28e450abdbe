# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""Faults on order, by ``STANDIN_DATABRICKS_CLI=NAME[=VALUE],...``. The real program has none of them.

- ``old``: a version of the CLI before ``auth token --force-refresh``.
- ``crash``: ends as a Go program does in a panic, with status 2.
- ``slow=SECONDS``: does nothing for so long, then goes on.
- ``keyring=FILE``: an OS keyring is reachable; FILE is what it holds. Without it there is none, as on a server.
"""

from __future__ import annotations

import os

from . import KNOBS_VARIABLE

_KNOWN = frozenset(("old", "crash", "slow", "keyring"))


def read() -> dict[str, str]:
    """The knobs that are set. ValueError for one that does not exist: a typing error would make a test prove nothing."""
    found: dict[str, str] = {}
    for entry in os.environ.get(KNOBS_VARIABLE, "").split(","):
        if entry:
            name, _equals, value = entry.partition("=")
            if name not in _KNOWN:
                raise ValueError(f"{KNOBS_VARIABLE}: no such knob: {name}")
            found[name] = value
    return found
