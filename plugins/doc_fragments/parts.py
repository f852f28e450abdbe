# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which capabilities a call is about."""

from __future__ import annotations

import json

from ..module_utils.parts import PARTS


class ModuleDocFragment:
    DOCUMENTATION: str = f"""
options:
  parts:
    description:
      - The capabilities that this call is about. Without it, all of them.
    type: list
    elements: str
    choices: {json.dumps(list(PARTS))}
"""
