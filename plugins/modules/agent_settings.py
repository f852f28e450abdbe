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
  - fmapi.coding_agents.host_options.owner
  - fmapi.coding_agents.host_options.workspace
  - fmapi.coding_agents.host_options.settings
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
      - V(absent) gives back what stood there before, for every agent that was ever set up here.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: fmapi.coding_agents.databricks_oauth
  - module: fmapi.coding_agents.coding_agents_info
"""

EXAMPLES = r"""
- name: Let Claude Code use the models of the workspace
  fmapi.coding_agents.agent_settings:
    workspace_url: https://dbc-a1b2c3d4-e5f6.cloud.databricks.com
    agents: [claude_code]
    models:
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
documents:
  description: The files that hold the agents' settings.
  returned: when O(state=present)
  type: list
  elements: str
  sample: ["/home/ada/.claude.json", "/home/ada/.claude/settings.json"]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import module as edge, lost_ledger
from ..module_utils.agents import AGENTS
from ..module_utils.engine.transaction import bring


def main() -> None:
    spec = {**edge.STATE, **edge.WORKSPACE, **edge.SETTINGS}
    edge.run(spec, body, required_if=[("state", "present", ("workspace_url",))])


def body(module: AnsibleModule, home: str) -> dict[str, Any]:
    if module.params["state"] == "absent":
        return edge.result_of(bring(home, list(AGENTS), [], module.check_mode, lost_ledger.rebuild))
    documents = edge.documents_of(module, home)
    outcome = bring(home, list(AGENTS), documents, module.check_mode, lost_ledger.rebuild)
    return edge.result_of(outcome, documents=[document.path for document in documents])


if __name__ == "__main__":
    main()
