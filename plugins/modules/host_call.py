#!/usr/bin/python
# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the other modules let a host do."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_call
short_description: What the other modules of this collection let a host do
version_added: 0.1.0
description:
  - Every module of this collection that works on a host is an action plugin, which fills and judges the options on the control node,
    and lets the host do the rest by this module. So what a host unpacks and compiles for each call is small.
  - Not for playbooks. What it takes is no interface, and changes without notice.
author:
  - fmapi.coding_agents contributors (@fmapi)
extends_documentation_fragment:
  - fmapi.coding_agents.attributes
  - fmapi.coding_agents.attributes.host
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  carried:
    description:
      - What to do, with which options, and what the host needs for it, as JSON.
    type: str
    required: true
  secrets:
    description:
      - Which texts in it must not be shown.
    type: list
    elements: str
    default: []
seealso:
  - module: fmapi.coding_agents.coding_agents
"""

EXAMPLES = r"""
- name: What the modules of this collection are for
  fmapi.coding_agents.coding_agents_info:
    workspace_url: https://dbc-a1b2c3d4-e5f6.cloud.databricks.com
"""

RETURN = r"""
homes:
  description: The homes that were looked at or changed. What else is returned, the modules that are for playbooks tell.
  returned: always
  type: list
  elements: str
  sample: [/home/ada]
"""

from ..module_utils import module


def main() -> None:
    module.run()


if __name__ == "__main__":
    main()
