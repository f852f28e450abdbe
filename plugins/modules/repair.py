#!/usr/bin/python
# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring a host back to what it remembers of its rollout."""

from __future__ import annotations

DOCUMENTATION = r"""
module: repair
short_description: Bring a host back to what was rolled out, or to this version of it
version_added: 0.1.0
description:
  - Brings back what was changed or is gone, by what the host remembers of its rollout. No option says it again.
  - With O(upgrade), our files and the agents' programs become what this version of the collection makes of the same options.
  - A secret is the one that stands on the host. One that is gone can only be brought by a rollout, and is said so.
  - What the host remembers of a newer version is never changed.
author:
  - fmapi.coding_agents contributors (@fmapi)
extends_documentation_fragment:
  - fmapi.coding_agents.attributes
  - fmapi.coding_agents.attributes.host
  - fmapi.coding_agents.owner
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details:
      - Secrets are masked.
  idempotent:
    support: full
options:
  upgrade:
    description:
      - Whether hosts that another version has set up become what this one makes of them. Without, they are refused.
    type: bool
    default: false
notes:
  - An option that a task leaves open comes from the host's variable C(coding_agents_OPTION). A task's argument ranks over
    C(module_defaults), these over the variable, and the variable over the option's default.
seealso:
  - module: fmapi.coding_agents.status_info
  - module: fmapi.coding_agents.coding_agents
"""

EXAMPLES = r"""
- name: Bring back what was rolled out
  fmapi.coding_agents.repair:

- name: Bring all users of a host to this version
  fmapi.coding_agents.repair:
    users: all
    upgrade: true
  become: true
"""

RETURN = r"""
changes:
  description: What was done, or in check mode would be.
  returned: always
  type: list
  elements: str
  sample: ["/home/ada/.claude/settings.json: apiKeyHelper"]
versions:
  description: Of the collection and of each agent, before and after.
  returned: for a single owner
  type: dict
  sample:
    fmapi.coding_agents: {before: 0.1.0, after: 0.1.0}
    codex: {before: 0.168.0, after: 0.169.0}
owners:
  description: The same for each of several owners.
  returned: for several owners
  type: dict
  sample: {}
"""

from ..module_utils import by_action
from ..module_utils.options import owner, verbs
from ..module_utils.options.values import Spec

SPEC: Spec = {**owner.OWNER, **verbs.UPGRADE}


def main() -> None:
    by_action.run(SPEC)


if __name__ == "__main__":
    main()
