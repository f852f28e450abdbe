#!/usr/bin/python
# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All parts of a host in one call."""

from __future__ import annotations

DOCUMENTATION = r"""
module: coding_agents
short_description: Bring a host to the state in which its coding agents answer
version_added: 0.1.0
description:
  - Brings the profile, the token helper, the agents' programs and their settings of one owner to the wanted state in one transaction.
  - What can be refused is refused before anything is fetched; what is fetched is verified before anything is written; and all files of
    an owner change, or none.
  - What stood there before is remembered on the host, so that O(state=absent) brings it back.
author:
  - fmapi.coding_agents contributors (@fmapi)
requirements:
  - Node.js with npm on the host, when a program has to be installed.
extends_documentation_fragment:
  - fmapi.coding_agents.attributes
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
  - fmapi.coding_agents.uninstall
attributes:
  check_mode:
    support: full
    details:
      - Nothing is written, and nothing is fetched.
  diff_mode:
    support: full
    details:
      - Shows each file's own text, secrets masked; a file of ours as a whole in one line, its text with C(-v).
  idempotent:
    support: full
options:
  state:
    description:
      - V(absent) gives everything back, whatever was ever set up here. No other option is needed then.
    type: str
    choices: [present, absent]
    default: present
notes:
  - An option that a task leaves open comes from the host's variable C(coding_agents_OPTION). A task's argument ranks over
    C(module_defaults), these over the variable, and the variable over the option's default.
seealso:
  - module: fmapi.coding_agents.coding_agents_info
  - module: fmapi.coding_agents.uninstall_info
  - module: fmapi.coding_agents.databricks_oauth
  - module: fmapi.coding_agents.agent_cli
  - module: fmapi.coding_agents.agent_settings
"""

EXAMPLES = r"""
- name: Let Claude Code use the models of the workspace
  fmapi.coding_agents.coding_agents:
    workspace_url: https://dbc-a1b2c3d4-e5f6.cloud.databricks.com

- name: The same, with all options from the host's variables
  fmapi.coding_agents.coding_agents:

- name: Give everything back
  fmapi.coding_agents.coding_agents:
    state: absent
"""

RETURN = r"""
changes:
  description: What was (or would be) changed, in words.
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
session:
  description: Whether the identity can get a token now. Never a token.
  returned: when O(state=present)
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
  returned: when O(state=present)
  type: dict
  sample:
    claude_code: {path: /home/ada/.local/bin/claude, version: 2.1.197, source: npm, wanted_version: 2.1.197}
documents:
  description: The files that hold what was brought.
  returned: when O(state=present)
  type: list
  elements: str
  sample: ["/home/ada/.claude.json", "/home/ada/.claude/settings.json"]
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
    uninstall,
    verbs,
    web,
    workspace,
)
from ..module_utils.options.values import Spec

SPEC: Spec = {
    **verbs.STATE,
    **uninstall.WAY_BACK,
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
