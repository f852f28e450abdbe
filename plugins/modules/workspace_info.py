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
  - fmapi.coding_agents.attributes.controller
  - fmapi.coding_agents.workspace
  - fmapi.coding_agents.databricks_oauth
  - fmapi.coding_agents.agent_settings
  - fmapi.coding_agents.control_node
attributes:
  action:
    description: Has an action plugin, so that it works on the controller.
    support: full
  async:
    description: Supports being used with the C(async) keyword.
    support: none
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
      claude_code:
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
models_in_force:
  description:
    - The model ids to write, by agent and choice. What the operator named is in it as it is.
    - What nobody named has the name of its model service (C(system.ai.*)) where requests go through the gateway and the workspace
      lists it, else that of its serving endpoint.
  type: dict
  returned: success
  sample: {claude_code: {default: system.ai.claude-opus-4-6, haiku: system.ai.claude-haiku-4-5}}
models_chosen:
  description: Of those, what was chosen by O(models_auto), by agent and choice.
  type: dict
  returned: success
  sample: {claude_code: {opus: system.ai.claude-opus-4-7}}
models_file:
  description: Where that choice was written, or would be without check mode.
  type: str
  returned: when O(models_file) is set
  sample: /home/ada/models.yml
models_reason:
  description: Why models that nobody named are these.
  type: str
  returned: success
  sample: "named as model services: system.ai lists them"
checked:
  description: Whether there were credentials to ask with.
  type: bool
  returned: success
"""

from ..module_utils import by_action
from ..module_utils.options import agent_settings, control_node, databricks_oauth, workspace
from ..module_utils.options.values import Spec

SPEC: Spec = {**workspace.SPEC, **databricks_oauth.SPEC, **agent_settings.SPEC, **control_node.ASKING}


def main() -> None:
    by_action.run(SPEC)


if __name__ == "__main__":
    main()
