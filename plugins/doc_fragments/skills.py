# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Skills that agents are given."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  self_help_skills:
    description:
      - Whether agents get skills by which they help with this set-up, such as its state, the sign-in, the doctor and the models.
      - They run the command C(coding-agents) of the host. None of them changes anything without asking the person.
    type: bool
    default: true
"""
