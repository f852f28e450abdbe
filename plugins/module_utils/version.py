# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's version for code that cannot read galaxy.yml: modules travel without it. A test compares the two."""

from __future__ import annotations

VERSION = "0.1.0"
