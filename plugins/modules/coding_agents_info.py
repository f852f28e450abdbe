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
  - Reads platform, owner, programs, session and settings of a host, and tells what differs from the wanted state.
  - Differences are found by the same planning code that the other modules apply, so that a play needs to act only on hosts, and with
    roles, for which this module found something.
  - Nothing is written, no program is started, and nothing is sent over the network.
author:
  - fmapi.coding_agents contributors (@fmapi)
extends_documentation_fragment:
  - fmapi.coding_agents.attributes
  - fmapi.coding_agents.attributes.info_module
  - fmapi.coding_agents.attributes.host
  - fmapi.coding_agents.attributes.action_group
  - fmapi.coding_agents.host_options.owner
  - fmapi.coding_agents.host_options.workspace
  - fmapi.coding_agents.host_options.auth
  - fmapi.coding_agents.host_options.settings
  - fmapi.coding_agents.host_options.cli
options:
  workspace_url:
    description:
      - URL of the Databricks workspace, such as V(https://dbc-a1b2c3d4-e5f6.cloud.databricks.com).
    type: str
    required: true
seealso:
  - module: fmapi.coding_agents.databricks_oauth
  - module: fmapi.coding_agents.agent_settings
  - module: fmapi.coding_agents.agent_cli
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
drifted_roles:
  description: The roles that have something to do on this host, in their order.
  returned: always
  type: list
  elements: str
  sample: [workspace_auth, agents]
ready_users:
  description: With O(users), those of them that can be worked for.
  returned: always
  type: list
  elements: str
  sample: []
failed_users:
  description: With O(users), what keeps the others from it, by user. When it is all of them, this module fails.
  returned: always
  type: dict
  sample: {}
changes:
  description: What they would change, in words.
  returned: always
  type: list
  elements: str
  sample: ["/home/ada/.claude/settings.json: env.ANTHROPIC_BASE_URL"]
platform:
  description: The host's system, whether it is WSL, and the Python that the module ran on.
  returned: always
  type: dict
  sample: {system: Linux, wsl: false, python: 3.13.5}
owner:
  description: The user and the home that were looked at.
  returned: always
  type: dict
  sample: {user: ada, home: /home/ada}
programs:
  description: The agents' programs, by agent, and the Databricks CLI.
  returned: always
  type: dict
  sample:
    claude_code: {path: /home/ada/.local/bin/claude, version: 2.1.197, source: npm, wanted_version: 2.1.197}
    databricks: {path: null}
session:
  description: Whether the identity has a token at hand, as in M(fmapi.coding_agents.databricks_oauth).
  returned: always
  type: dict
  sample: {state: active, expires_at: 1795262400, user: 7c1e0a52-6a53-4f0c-9a1e-0d7f0c2f4b11, detail: a token is at hand}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import module as edge, look


def main() -> None:
    spec = {**edge.WORKSPACE, **edge.AUTH, **edge.SETTINGS, **edge.CLI}
    spec["workspace_url"] = {"type": "str", "required": True}
    edge.run(spec, body, plans_only=True)


def body(module: AnsibleModule, home: str) -> dict[str, Any]:
    return look.look(module, home)


if __name__ == "__main__":
    main()
