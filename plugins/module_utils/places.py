# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where our own files are, below the owner's home.

XDG variables are not asked: a desktop session and an ssh session may disagree about them.
"""

from __future__ import annotations

DATA_DIRECTORY = (".local", "share", "fmapi-coding-agents")
CACHE_DIRECTORY = (".cache", "fmapi-coding-agents")
STATE_DIRECTORY = (".local", "state", "fmapi-coding-agents")
