#!/usr/bin/python
# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documents of coding agents for one owner on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: agent_settings
short_description: Bring the settings of coding agents to the wanted state
version_added: 0.1.0
description:
  - Edits the files that coding agents read so that they use the models of a Databricks workspace, all of one owner's files or none.
  - Only the keys that are needed are touched. Everything else in a file stays byte for byte, and what stood there before is
    remembered on the host, so that O(state=absent) brings it back.
  - A file that cannot be parsed is never overwritten.
author:
  - fmapi.coding_agents contributors (@fmapi)
extends_documentation_fragment:
  - fmapi.coding_agents.attributes
  - fmapi.coding_agents.attributes.host
  - fmapi.coding_agents.attributes.action_group
  - fmapi.coding_agents.owner
  - fmapi.coding_agents.owner.files
  - fmapi.coding_agents.workspace
  - fmapi.coding_agents.agent_settings
  - fmapi.coding_agents.relay
  - fmapi.coding_agents.web
  - fmapi.coding_agents.skills
attributes:
  check_mode:
    support: full
    details:
      - Nothing is written.
  diff_mode:
    support: full
    details:
      - Shows each file's own text, secrets masked.
  idempotent:
    support: full
options:
  state:
    description:
      - V(absent) gives everything back, whatever was ever set up here. No other option is needed then.
    type: str
    choices: [present, absent]
    default: present
  token_ttl_minutes:
    description:
      - How long an agent keeps a token before it asks the token helper again, in minutes from 1 to 60.
    type: int
    default: 15
notes:
  - An option that a task leaves open comes from the host's variable C(coding_agents_OPTION). A task's argument ranks over
    C(module_defaults), these over the variable, and the variable over the option's default.
seealso:
  - module: fmapi.coding_agents.databricks_oauth
  - module: fmapi.coding_agents.coding_agents
"""

EXAMPLES = r"""
- name: Let Claude Code use the models of the workspace
  fmapi.coding_agents.agent_settings:
    workspace_url: https://dbc-a1b2c3d4-e5f6.cloud.databricks.com
    agents: [claude_code]
    models:
      claude_code:
        default: databricks-claude-sonnet-4-6

- name: See what would change, to the line
  fmapi.coding_agents.agent_settings:
    workspace_url: https://dbc-a1b2c3d4-e5f6.cloud.databricks.com
  check_mode: true
  diff: true

- name: Give everything back
  fmapi.coding_agents.agent_settings:
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
documents:
  description: The files that hold what was brought.
  returned: when O(state=present)
  type: list
  elements: str
  sample: ["/home/ada/.claude.json", "/home/ada/.claude/settings.json"]
"""

from ..module_utils import by_action
from ..module_utils.options import agent_settings, databricks_oauth, owner, relay, skills, verbs, web, workspace
from ..module_utils.options.values import Spec

SPEC: Spec = {
    **verbs.STATE,
    **owner.SPEC,
    **workspace.SPEC,
    "token_ttl_minutes": databricks_oauth.SPEC["token_ttl_minutes"],
    **agent_settings.SPEC,
    **relay.SPEC,
    **web.SPEC,
    **skills.SPEC,
}


def main() -> None:
    by_action.run(SPEC)


if __name__ == "__main__":
    main()
