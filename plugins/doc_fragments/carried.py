# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the action plugin brings along."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  carried:
    description:
      - What the action plugin brings to the host with the call. Not for playbooks.
    type: str
"""
