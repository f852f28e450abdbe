#!/usr/bin/python
# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Diagnose the coding agents of one host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: agent_doctor
short_description: Diagnose the coding agents on a host
version_added: 0.1.0
description:
  - Checks programs, configuration, environment, connectivity, token and models as the host sees them, and can prove it all with a real
    prompt.
  - Fails when a check failed; the message begins with the cause.
  - No file of the collection is changed. The token helper is run, which may put a new token into its cache.
author:
  - fmapi.coding_agents contributors (@fmapi)
extends_documentation_fragment:
  - fmapi.coding_agents.attributes
  - fmapi.coding_agents.attributes.host
  - fmapi.coding_agents.attributes.action_group
  - fmapi.coding_agents.owner
  - fmapi.coding_agents.owner.files
  - fmapi.coding_agents.workspace
  - fmapi.coding_agents.databricks_oauth
  - fmapi.coding_agents.agent_settings
  - fmapi.coding_agents.relay
  - fmapi.coding_agents.web
  - fmapi.coding_agents.skills
  - fmapi.coding_agents.agent_cli
  - fmapi.coding_agents.toolchain
  - fmapi.coding_agents.control_node
attributes:
  check_mode:
    support: partial
    details:
      - In check mode no token is asked for and nothing is prompted, so only what files show is checked.
  diff_mode:
    support: N/A
    details:
      - Nothing is changed.
  idempotent:
    support: full
options:
  doctor_prompt:
    description:
      - Whether to send each agent one short prompt. The agent writes its own session files then, as in daily use.
      - That costs from 500 to 10 000 tokens for each agent; C(docs/doctor.md) has the numbers.
    type: bool
    default: false
  routing_reason:
    description:
      - Why O(routing) is what it is. The preflight knows it.
    type: str
    default: as set
notes:
  - An option that a task leaves open comes from the host's variable C(coding_agents_OPTION). A task's argument ranks over
    C(module_defaults), these over the variable, and the variable over the option's default.
"""

EXAMPLES = r"""
- name: Check this host, with a real reply from the agent
  fmapi.coding_agents.agent_doctor:
    workspace_url: https://dbc-a1b2c3d4-e5f6.cloud.databricks.com
    doctor_prompt: true
"""

RETURN = r"""
checks:
  description: What was checked, in order.
  returned: always
  type: list
  elements: dict
  contains:
    home:
      description: The owner's home.
      type: str
      returned: always
      sample: /home/ada
    user:
      description: The owner.
      type: str
      returned: always
      sample: ada
    category:
      description:
        - V(Environment), V(Dependencies), V(Runtime files), V(Configuration), V(Conflicts), V(Connectivity), V(Auth), V(Models) or
          V(Prompt).
      type: str
      returned: always
      sample: Auth
    check:
      description: What was looked at.
      type: str
      returned: always
      sample: token helper
    status:
      description: V(PASS), V(FAIL), V(WARN) or V(SKIP).
      type: str
      returned: always
      sample: PASS
    detail:
      description: What was found.
      type: str
      returned: always
      sample: token issued
    fix:
      description: The way out, where there is one.
      type: str
      returned: always
      sample: Run the rollout
"""

from ..module_utils import by_action
from ..module_utils.options import (
    agent_cli,
    agent_settings,
    control_node,
    databricks_oauth,
    owner,
    relay,
    skills,
    toolchain,
    verbs,
    web,
    workspace,
)
from ..module_utils.options.values import Spec

SPEC: Spec = {
    **owner.SPEC,
    **workspace.SPEC,
    **databricks_oauth.SPEC,
    **agent_settings.SPEC,
    **relay.SPEC,
    **web.SPEC,
    **skills.SPEC,
    **agent_cli.SPEC,
    **toolchain.SPEC,
    **control_node.ASKING,
    **verbs.DOCTOR,
    "routing_reason": {"type": "str", "default": "as set"},
}


def main() -> None:
    by_action.run(SPEC)


if __name__ == "__main__":
    main()
