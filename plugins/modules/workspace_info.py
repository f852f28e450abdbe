#!/usr/bin/python
# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: workspace_info
short_description: Check from the control node whether a Databricks workspace serves what agents need
version_added: 0.1.0
description:
  - Checks what a rollout is about to write, before any host is touched. It checks the form of the options, whether the
    workspace answers, whether the credentials are good, whether every model is served, and how requests reach models.
  - Runs on the control node, without C(become) and without a connection to the host, once for each distinct set of
    options in a run of C(ansible-playbook), however many hosts have it. Hosts on different workspaces get their own
    answers.
  - With O(identity=service_principal), or O(identity=pat) and O(pat), it asks as that identity. Otherwise it asks with the control
    node's own sign-in, if there is one; without, models are not checked and a warning says so.
  - Never returns a token or a secret.
extends_documentation_fragment:
  - fmapi.coding_agents.attributes
  - fmapi.coding_agents.attributes.info_module
  - fmapi.coding_agents.attributes.action_group
  - fmapi.coding_agents.attributes.control_node
attributes:
  action:
    description: Has an action plugin, so that it works on the controller.
    support: full
  async:
    description: Supports being used with the C(async) keyword.
    support: none
options:
  workspace_url:
    description:
      - The workspace. Only C(https), without path, query, user name or fragment.
    type: str
    required: true
  profile:
    description:
      - Name of the profile that hosts will get in C(~/.databrickscfg). Only its form is checked.
    type: str
    default: fmapi-coding-agents
  identity:
    description:
      - For whom hosts will get tokens.
    type: str
    choices: [user, service_principal, workload_identity, pat]
    default: user
  client_id:
    description: Application (client) id of the service principal.
    type: str
  client_secret:
    description: OAuth secret of the service principal.
    type: str
  pat:
    description: Personal access token to ask with when O(identity=pat).
    type: str
  auth_profile:
    description:
      - Profile in the control node's own C(~/.databrickscfg) to ask with, when the identity's own secret is not given here.
      - Without it, C(DATABRICKS_*) of the environment and the Databricks CLI are tried, as far as they are for
        O(workspace_url).
    type: str
  agents:
    description: The coding agents that hosts will get. Their model ids are checked.
    type: list
    elements: str
    default: [claude_code]
  models:
    description:
      - Model ids by V(default), V(opus), V(sonnet) and V(haiku). Those not given are the agent's defaults.
      - A name with two dots, such as V(system.ai.claude-opus-4-6), is a model service of Unity Catalog.
    type: dict
    default: {}
  routing:
    description:
      - How requests reach models.
      - V(gateway) is a path on the workspace's host, V(serving_endpoints) the older path, V(gateway_host) the gateway's
        own host (AWS and Google Cloud).
      - V(auto) is V(gateway) if it answers, else V(serving_endpoints).
    type: str
    choices: [gateway, serving_endpoints, gateway_host, auto]
    default: gateway
  workspace_id:
    description: Id of the workspace, for O(routing=gateway_host). Detected when not given.
    type: str
  token_ttl_minutes:
    description: Minutes an agent keeps a token, from 1 to 60.
    type: raw
    default: 15
  ca_file:
    description: PEM file on the control node with a private certificate authority, trusted besides the usual ones.
    type: path
  check_variables:
    description:
      - Whether to judge all of the host's variables that begin with C(coding_agents_) first, and to refuse those that do not
        exist. The role P(fmapi.coding_agents.preflight#role) does.
    type: bool
    default: false
  check_workspace:
    description: Whether to ask the workspace. If not, the result says nothing about it.
    type: bool
    default: true
requirements:
  - python >= 3.10 on the control node
  - databricks-sdk >= 0.60.0 on the control node
notes:
  - A workspace that does not answer is told within 15 seconds, once for all hosts.
seealso:
  - module: fmapi.coding_agents.serving_endpoint_info
author:
  - fmapi.coding_agents contributors (@fmapi)
"""

EXAMPLES = r"""
- name: Check the workspace as the service principal that hosts will use
  fmapi.coding_agents.workspace_info:
    workspace_url: "{{ coding_agents_workspace_url }}"
    identity: service_principal
    client_id: "{{ coding_agents_client_id }}"
    client_secret: "{{ coding_agents_client_secret }}"
    models:
      opus: databricks-claude-opus-4-6
    routing: auto
  register: checked

- name: Check it with a profile of the control node
  fmapi.coding_agents.workspace_info:
    workspace_url: "{{ coding_agents_workspace_url }}"
    auth_profile: my-workspace
"""

RETURN = r"""
workspace_url:
  description: The workspace in its one spelling.
  type: str
  returned: success
  sample: https://dbc-a1b2c3d4-e5f6.cloud.databricks.com
workspace_id:
  description: Id of the workspace; empty if it could not be detected and is not needed.
  type: str
  returned: success
  sample: "6051921418418893"
routing:
  description: The routing in force, never V(auto).
  type: str
  returned: success
  sample: gateway
routing_reason:
  description: Why this routing.
  type: str
  returned: success
  sample: set by the operator
user_name:
  description: Who asked. Of a service principal it is the application id. Empty if RV(checked) is false.
  type: str
  returned: success
models:
  description: The verdict on each model id. Empty if RV(checked) is false.
  type: list
  elements: dict
  returned: success
  contains:
    model:
      description: The model id.
      type: str
    status:
      description: V(READY) or V(NOT_READY). A model that is not served fails the task.
      type: str
checked:
  description: Whether there were credentials to ask with.
  type: bool
  returned: success
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.routing import DEFAULT_PROFILE, ROUTING_CHOICES, TTL_MINUTES_DEFAULT


def argument_spec() -> dict[str, dict[str, Any]]:
    """The options; the action plugin reads them here."""
    return {
        "workspace_url": {"type": "str", "required": True},
        "profile": {"type": "str", "default": DEFAULT_PROFILE},
        "identity": {
            "type": "str",
            "choices": ["user", "service_principal", "workload_identity", "pat"],
            "default": "user",
        },
        "client_id": {"type": "str"},
        "client_secret": {"type": "str", "no_log": True},
        "pat": {"type": "str", "no_log": True},
        "auth_profile": {"type": "str"},
        "agents": {"type": "list", "elements": "str", "default": ["claude_code"]},
        "models": {"type": "dict", "default": {}},
        "routing": {"type": "str", "choices": list(ROUTING_CHOICES), "default": "gateway"},
        "workspace_id": {"type": "str"},
        # raw: text is refused with a message of our own.
        "token_ttl_minutes": {"type": "raw", "default": TTL_MINUTES_DEFAULT, "no_log": False},
        "ca_file": {"type": "path"},
        "check_variables": {"type": "bool", "default": False},
        "check_workspace": {"type": "bool", "default": True},
    }


def main() -> None:
    """Say what went wrong: the work is done by the action plugin of the same name, which Ansible prefers."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    module.fail_json(
        msg="workspace_info runs on the control node, by its action plugin. "
        "Call it as fmapi.coding_agents.workspace_info in a task."
    )


if __name__ == "__main__":
    main()
