# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a request ends that does not come to its end."""

from __future__ import annotations


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


class Cut(Exception):
    """The workspace's answer ended in the middle: ours ends in the middle, too."""
