#!/usr/bin/python
# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host has of a rollout, by what it remembers itself."""

from __future__ import annotations

DOCUMENTATION = r"""
module: status_info
short_description: Tell what a host has of a rollout, and whether it is still so
version_added: 0.1.0
description:
  - Tells workspace, routing, identity, session, the agents' versions and models, and what differs from what was rolled out.
  - All of it comes from the host, which remembers its rollout. No option says it again, and the workspace is not asked.
  - Nothing is written, no program is started, and nothing is sent over the network.
author:
  - fmapi.coding_agents contributors (@fmapi)
extends_documentation_fragment:
  - fmapi.coding_agents.attributes
  - fmapi.coding_agents.attributes.info_module
  - fmapi.coding_agents.attributes.host
  - fmapi.coding_agents.owner
notes:
  - An option that a task leaves open comes from the host's variable C(coding_agents_OPTION). A task's argument ranks over
    C(module_defaults), these over the variable, and the variable over the option's default.
seealso:
  - module: fmapi.coding_agents.repair
  - module: fmapi.coding_agents.agent_doctor
"""

EXAMPLES = r"""
- name: See what is set up here
  fmapi.coding_agents.status_info:
  register: status

- name: Tell whose files differ
  ansible.builtin.debug:
    msg: "{{ status.statuses | rejectattr('state', 'equalto', 'in order') | map(attribute='user') }}"
"""

RETURN = r"""
statuses:
  description: One entry for each owner.
  returned: always
  type: list
  elements: dict
  contains:
    user:
      description: The owner's name on the host; V(machine) for all users of it.
      type: str
      returned: always
      sample: ada
    home:
      description: The owner's home.
      type: str
      returned: always
      sample: /home/ada
    scope:
      description: V(user) or V(machine).
      type: str
      returned: always
      sample: user
    state:
      description:
        - V(in order), V(drifted), V(not set up) where there is no rollout, or V(unknown).
      type: str
      returned: always
      sample: in order
    detail:
      description: One sentence more.
      type: str
      returned: always
      sample: As it was rolled out
    drift:
      description: What differs, one line for each.
      returned: where it is known
      type: list
      elements: str
      sample: ["/home/ada/.claude/settings.json: apiKeyHelper"]
    version:
      description: Of the collection that brought it.
      type: str
      returned: where the host remembers it
      sample: 0.1.0
    workspace_url:
      description: Where to.
      type: str
      returned: when something is rolled out
      sample: https://dbc-a1b2c3d4-e5f6.cloud.databricks.com
    routing:
      description: How requests reach the models.
      type: str
      returned: where the host remembers it
      sample: gateway
    identity:
      description: Whose tokens agents use.
      type: str
      returned: when something is rolled out
      sample: user
    profile:
      description: Name of the profile in C(~/.databrickscfg).
      type: str
      returned: when something is rolled out
      sample: fmapi-coding-agents
    parts:
      description: The parts that were rolled out.
      returned: where the host remembers it
      type: list
      elements: str
      sample: [databricks_oauth, agent_cli, agent_settings]
    session:
      description: Whether a token is at hand. Never a token.
      type: dict
      returned: when something is rolled out for a user
      sample: {state: active, expires_at: 1795262400, user: null, detail: a token is at hand}
    agents:
      description: One entry for each agent, with its models by choice.
      returned: always
      type: list
      elements: dict
      sample:
        - agent: codex
          title: Codex
          command: codex
          version: 0.169.0
          wanted_version: 0.169.0
          path: /home/ada/.local/bin/codex
          models: {default: system.ai.gpt-5-5}
    files:
      description: The files that hold what was brought.
      returned: where the host remembers it
      type: list
      elements: str
      sample: ["/home/ada/.claude/settings.json"]
    changed_at:
      description: When a rollout changed something last (UTC).
      returned: where the host remembers it
      type: str
      sample: "2026-11-28T11:31:03Z"
    contact:
      description: Whom people of this host ask.
      returned: where the host remembers it
      type: str
      sample: it@example.com
"""

from ..module_utils import by_action
from ..module_utils.options import owner
from ..module_utils.options.values import Spec

SPEC: Spec = {**owner.OWNER}


def main() -> None:
    by_action.run(SPEC)


if __name__ == "__main__":
    main()
