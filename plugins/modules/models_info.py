#!/usr/bin/python
# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a workspace serves to whom."""

from __future__ import annotations

DOCUMENTATION = r"""
module: models_info
short_description: List the models that a workspace serves, and judge those that agents are to ask for
version_added: 0.1.0
description:
  - Lists serving endpoints and Unity Catalog model services with their state and wire dialects, the agents that can speak to each, and
    the choices of the chosen agents that ask for it.
  - With O(validate), judges each model that the chosen agents are to ask for, and fails where one of them cannot be used.
  - Runs on the control node, without C(become) and without a connection to the host, once for each distinct set of options in a run of
    C(ansible-playbook).
  - With O(identity=service_principal), or O(identity=pat) and O(pat), it asks as that identity, otherwise with the control node's own
    sign-in. Without any, it fails.
  - The workspace is asked whatever O(preflight) says, and O(models_file) is not written.
  - The playbooks C(fmapi.coding_agents.list_models) and C(fmapi.coding_agents.validate_models) print what it finds.
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
options:
  validate:
    description:
      - Whether to ask for each configured model by itself, too, and to fail where one cannot be used.
    type: bool
    default: false
  models_query:
    description:
      - JMESPath expression over the models, such as V([?contains(agents, 'codex'\) && ready]).
      - The result is RV(query_result). It needs jmespath.
      - Of a list of models, the playbook C(fmapi.coding_agents.list_models) shows those; of anything else, the value.
    type: str
requirements:
  - python >= 3.10 on the control node
  - databricks-sdk >= 0.60.0 on the control node
  - jmespath on the control node, for O(models_query)
seealso:
  - module: fmapi.coding_agents.workspace_info
  - module: fmapi.coding_agents.serving_endpoint_info
author:
  - fmapi.coding_agents contributors (@fmapi)
"""

EXAMPLES = r"""
- name: List what the workspace serves
  fmapi.coding_agents.models_info:
    workspace_url: "{{ coding_agents_workspace_url }}"
    auth_profile: my-workspace
  register: found

- name: See that every model of Codex and Pi can be used
  fmapi.coding_agents.models_info:
    workspace_url: "{{ coding_agents_workspace_url }}"
    agents: [codex, pi]
    validate: true
"""

RETURN = r"""
workspace_url:
  description: The workspace in its one spelling.
  type: str
  returned: when somebody could be asked
  sample: https://dbc-a1b2c3d4-e5f6.cloud.databricks.com
workspace_id:
  description: Id of the workspace; empty if it could not be detected.
  type: str
  returned: when somebody could be asked
  sample: "6051921418418893"
user_name:
  description: Who asked. Of a service principal it is the application id.
  type: str
  returned: when somebody could be asked
  sample: ada@example.com
routing:
  description: The routing in force, never V(auto).
  type: str
  returned: when somebody could be asked
  sample: gateway
routing_reason:
  description: Why this routing.
  type: str
  returned: when somebody could be asked
  sample: set by the operator
models_reason:
  description: Why models that nobody named are these.
  type: str
  returned: when somebody could be asked
  sample: "named as model services: system.ai lists them"
served:
  description: The models, serving endpoints first, by name.
  type: list
  elements: dict
  returned: when somebody could be asked
  contains:
    name:
      description: The model id.
      type: str
      sample: databricks-claude-opus-4-6
    kind:
      description: V(serving_endpoint) or V(model_service).
      type: str
    state:
      description: V(READY), V(NOT_READY), or V(UNKNOWN) if the workspace does not tell. A model service that is listed is ready.
      type: str
    ready:
      description: Whether it answers now.
      type: bool
    dialects:
      description: Of the wire dialects that agents speak (V(anthropic), V(responses), V(chat), V(gemini)), those that it has.
      type: list
      elements: str
    api_types:
      description: All its dialects as the workspace calls them. Empty if the workspace does not tell, as of external models.
      type: list
      elements: str
    agents:
      description: The agents that can speak to it, chosen or not. Empty if its dialects are not told.
      type: list
      elements: str
      sample: [claude_code, opencode, pi]
    family:
      description: Model family, such as V(claude).
      type: str
    tier:
      description: V(opus), V(sonnet), V(haiku) or V(fable) for Claude models; empty for others.
      type: str
    task:
      description: What it does, such as V(llm/v1/chat); empty for model services.
      type: str
    used_by:
      description: The choices of the chosen agents that ask for it.
      type: list
      elements: str
      sample: [claude_code.opus]
choices:
  description: A verdict on each choice of a model of each chosen agent.
  type: list
  elements: dict
  returned: when somebody could be asked
  contains:
    agent:
      description: The agent.
      type: str
    choice:
      description: Its choice.
      type: str
      sample: opus
    variable:
      description: What names it.
      type: str
      sample: coding_agents_models.claude_code.opus
    model:
      description: The model id.
      type: str
    state:
      description:
        - V(READY), V(NOT_READY), V(UNKNOWN), V(NOT_FOUND), V(FORBIDDEN), or empty where no model is configured.
        - Without O(validate), one that is not listed is V(NOT_FOUND), also if it is there and refused.
      type: str
    status:
      description: V(PASS), V(WARN), V(FAIL) or V(SKIP).
      type: str
    detail:
      description: Why.
      type: str
    fix:
      description: The way out; empty where nothing is wrong.
      type: str
validated:
  description: Whether O(validate) was set.
  type: bool
  returned: when somebody could be asked
query_result:
  description: What O(models_query) made of RV(served).
  type: raw
  returned: when O(models_query) is given
"""

from ..module_utils import by_action
from ..module_utils.options import agent_settings, control_node, databricks_oauth, verbs, workspace
from ..module_utils.options.values import Spec

SPEC: Spec = {
    **workspace.SPEC,
    **databricks_oauth.SPEC,
    **agent_settings.SPEC,
    **control_node.ASKING,
    **verbs.MODELS,
    **verbs.VALIDATE,
}


def main() -> None:
    by_action.run(SPEC)


if __name__ == "__main__":
    main()
