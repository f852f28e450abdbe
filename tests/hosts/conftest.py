# Copyright: (c) 2026, fmapi.coding_agents contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fixtures of the test hosts, for their own tests."""

from __future__ import annotations

from .fixtures import start_fleet

__all__ = ["start_fleet"]
