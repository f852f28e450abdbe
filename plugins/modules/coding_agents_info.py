#!/usr/bin/python
# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The look: the whole state of one host against the whole wanted state, in one round trip."""

from __future__ import annotations

DOCUMENTATION = r"""
module: coding_agents_info
short_description: Compare a host with the wanted state of its coding agents
version_added: 0.1.0
description:
  - Reads platform, programs, session and settings of a host, and tells what differs from the wanted state.
  - Differences are found by the same planning code that the other modules apply, so that a play needs to act only on hosts for which
    this module found something.
  - Nothing is written, no program is started, and nothing is sent over the network from the host.
  - With O(preflight), the workspace is asked from the control node before, once in a run for each distinct set of options.
author:
  - fmapi.coding_agents contributors (@fmapi)
extends_documentation_fragment:
  - fmapi.coding_agents.attributes
  - fmapi.coding_agents.attributes.info_module
  - fmapi.coding_agents.attributes.host
  - fmapi.coding_agents.attributes.action_group
  - fmapi.coding_agents.owner
  - fmapi.coding_agents.owner.files
  - fmapi.coding_agents.parts
  - fmapi.coding_agents.workspace
  - fmapi.coding_agents.databricks_oauth
  - fmapi.coding_agents.agent_settings
  - fmapi.coding_agents.relay
  - fmapi.coding_agents.web
  - fmapi.coding_agents.skills
  - fmapi.coding_agents.agent_cli
  - fmapi.coding_agents.toolchain
  - fmapi.coding_agents.control_node
notes:
  - An option that a task leaves open comes from the host's variable C(coding_agents_OPTION). A task's argument ranks over
    C(module_defaults), these over the variable, and the variable over the option's default.
seealso:
  - module: fmapi.coding_agents.coding_agents
"""

EXAMPLES = r"""
- name: See what differs on this host
  fmapi.coding_agents.coding_agents_info:
    workspace_url: https://dbc-a1b2c3d4-e5f6.cloud.databricks.com
  register: look

- name: Tell
  ansible.builtin.debug:
    var: look.changes
"""

RETURN = r"""
drifted:
  description: Whether anything differs, or somebody could not be planned for.
  returned: always
  type: bool
  sample: true
drifted_parts:
  description: The capabilities that have something to do on this host.
  returned: always
  type: list
  elements: str
  sample: [databricks_oauth, agent_settings]
failed_users:
  description: With O(users), those that cannot be planned for, and why. When it is all of them, this module fails.
  returned: when there are some
  type: dict
  sample: {}
changes:
  description: What differs, in words.
  returned: always
  type: list
  elements: str
  sample: ["/home/ada/.claude/settings.json: env.ANTHROPIC_BASE_URL"]
homes:
  description: The homes that were worked in.
  returned: always
  type: list
  elements: str
  sample: [/home/ada]
platform:
  description: The host's system, its row in the table of platforms, whether it is WSL, and the Python that the module ran on.
  returned: always
  type: dict
  sample: {system: Linux, name: debian, wsl: false, python: 3.13.5}
session:
  description: Whether the identity can get a token now. Never a token.
  returned: always
  type: dict
  contains:
    state:
      description: V(active), V(expired), V(absent) or V(unknown).
      type: str
      returned: always
      sample: active
    expires_at:
      description: Seconds since the epoch at which the token at hand expires.
      type: int
      returned: when there is one
      sample: 1795262400
    user:
      description: Who the token is for; a service principal's client id.
      type: str
      returned: when known
      sample: 7c1e0a52-6a53-4f0c-9a1e-0d7f0c2f4b11
    detail:
      description: One sentence, with the command that signs a person in where that is needed.
      type: str
      returned: always
      sample: a token is at hand
programs:
  description: The agents' programs, by agent.
  returned: always
  type: dict
  sample:
    claude_code: {path: /home/ada/.local/bin/claude, version: 2.1.197, source: npm, wanted_version: 2.1.197}
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
    **verbs.PARTS,
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
}


def main() -> None:
    by_action.run(SPEC)


if __name__ == "__main__":
    main()
