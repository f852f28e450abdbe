# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, fmapi.coding_agents contributors
"""What ends a call."""

from __future__ import annotations


class CliError(Exception):
    """``Error: `` and the message on stderr, exit status 1."""
