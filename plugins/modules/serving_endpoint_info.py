#!/usr/bin/python
# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: serving_endpoint_info
short_description: Show what models a Databricks workspace serves
version_added: 0.1.0
description:
  - Lists the serving endpoints of a workspace with their state, task, wire dialects, served models, model family and gateway features.
  - Says of a list of names whether the workspace serves them, and in which wire dialects.
  - Never returns a token.
extends_documentation_fragment:
  - fmapi.coding_agents.attributes
  - fmapi.coding_agents.attributes.info_module
  - fmapi.coding_agents.attributes.action_group
  - fmapi.coding_agents.attributes.controller
  - fmapi.coding_agents.databricks_auth
options:
  name:
    description:
      - Shell pattern (V(*), V(?), V([...])) that the name of an endpoint must match, such as V(databricks-claude-*).
    type: str
  family:
    description: Show only the endpoints of one model family.
    type: str
    choices:
      - claude
      - gemini
      - gemma
      - deepseek
      - llama
      - mixtral
      - mistral
      - qwen
      - grok
      - dbrx
      - gpt
      - gte
      - bge
      - other
  names:
    description:
      - Names to judge. Each gets a verdict in RV(validation), whatever O(name) and O(family) leave to show.
      - A suffix that an agent understands, such as V([1m]), is not part of the name.
      - A name with two dots, such as V(system.ai.claude-opus-4-6), is a model service of Unity Catalog.
    type: list
    elements: str
  query:
    description:
      - JMESPath expression over RV(endpoints); the result is RV(query_result). Needs jmespath.
    type: str
requirements:
  - jmespath, for O(query)
seealso:
  - module: fmapi.coding_agents.workspace_info
author:
  - fmapi.coding_agents contributors (@fmapi)
"""

EXAMPLES = r"""
- name: Show the Claude models of the workspace
  fmapi.coding_agents.serving_endpoint_info:
    workspace_url: "{{ coding_agents_workspace_url }}"
    client_id: "{{ coding_agents_client_id }}"
    client_secret: "{{ coding_agents_client_secret }}"
    family: claude
  delegate_to: localhost
  run_once: true
  register: served

- name: Name the endpoints that answer and have usage tracking
  fmapi.coding_agents.serving_endpoint_info:
    profile: my-workspace
    query: "[?ready && gateway.usage_tracking].name"
  delegate_to: localhost
  run_once: true
  register: tracked

- name: See whether two models are served
  fmapi.coding_agents.serving_endpoint_info:
    profile: my-workspace
    names:
      - databricks-claude-opus-4-6
      - databricks-claude-haiku-4-5
  delegate_to: localhost
  run_once: true
  register: verdict
  failed_when: verdict.validation | rejectattr('status', 'eq', 'READY') | length > 0
"""

RETURN = r"""
workspace_url:
  description: The workspace that was asked.
  type: str
  returned: success
  sample: https://dbc-a1b2c3d4-e5f6.cloud.databricks.com
endpoints:
  description: The serving endpoints that O(name) and O(family) leave, by name.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: Name of the endpoint, which is the model id that agents use.
      type: str
      sample: databricks-claude-opus-4-6
    state:
      description: V(READY), V(NOT_READY), or V(UNKNOWN) if the workspace does not tell.
      type: str
    ready:
      description: Whether it answers now.
      type: bool
    config_update:
      description: State of its last change, such as V(NOT_UPDATING) or V(IN_PROGRESS).
      type: str
    task:
      description: What it does, such as V(llm/v1/chat).
      type: str
    family:
      description: Model family, one of the choices of O(family).
      type: str
    tier:
      description: V(opus), V(sonnet), V(haiku) or V(fable) for Claude models; empty for others.
      type: str
    api_types:
      description:
        - Wire dialects that it speaks, such as V(anthropic/v1/messages), V(openai/v1/responses), V(mlflow/v1/chat/completions) and
          V(gemini/v1/generateContent). Empty if the workspace does not tell, as of external models.
      type: list
      elements: str
    served_models:
      description: The models behind the endpoint.
      type: list
      elements: dict
      contains:
        name:
          description: Name of the served entity.
          type: str
        model:
          description: Name of the model.
          type: str
        version:
          description: Version of the model.
          type: str
        display_name:
          description: Name for people.
          type: str
        provider:
          description: V(databricks), or the provider of an external model.
          type: str
    gateway:
      description: Features of the gateway that are switched on for the endpoint.
      type: dict
      contains:
        usage_tracking:
          description: Whether use is recorded in system tables.
          type: bool
        inference_table:
          description: Whether requests and answers are recorded in a table.
          type: bool
        rate_limits:
          description: Limits by C(key), C(calls), C(tokens), C(principal) and C(renewal_period).
          type: list
          elements: dict
        guardrails:
          description: Whether guardrails stand before the C(input) and behind the C(output).
          type: dict
        fallback:
          description: Whether another served model answers when one fails.
          type: bool
    creator:
      description: Who made it.
      type: str
    created:
      description: When it was made, in milliseconds since 1970 (UTC).
      type: int
    description:
      description: Its description.
      type: str
validation:
  description: The verdict on each of O(names), in their order.
  type: list
  elements: dict
  returned: when O(names) is given
  contains:
    name:
      description: The name as given.
      type: str
    status:
      description: V(READY), V(NOT_READY) or V(NOT_FOUND).
      type: str
    api_types:
      description: Wire dialects that it speaks; empty if the workspace does not tell.
      type: list
      elements: str
    close_matches:
      description: Names that look like it, if it was not found.
      type: list
      elements: str
query_result:
  description: What the JMESPath expression O(query) made of RV(endpoints).
  type: raw
  returned: when O(query) is given
"""

import traceback
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ..module_utils.defects import defect
from ..module_utils.errors import OperatorError
from ..module_utils.workspace import client, sdk
from ..module_utils.workspace.endpoints import FAMILIES, filter_endpoints, validate_names

JMESPATH_ERROR: str | None = None
try:
    import jmespath
except ImportError:
    JMESPATH_ERROR = traceback.format_exc()


def argument_spec() -> dict[str, dict[str, Any]]:
    """The options; what is secret says so."""
    text: dict[str, Any] = {"type": "str"}
    return {
        "workspace_url": {"type": "str", "aliases": ["host"]},
        "profile": text,
        "config_file": {"type": "path"},
        "auth_type": text,
        "token": {"type": "str", "no_log": True},
        "client_id": text,
        "client_secret": {"type": "str", "no_log": True},
        "username": text,
        "password": {"type": "str", "no_log": True},
        "account_id": text,
        "workspace_id": text,
        "group_id": text,
        "scopes": {"type": "list", "elements": "str"},
        "discovery_url": text,
        "token_audience": {"type": "str", "no_log": False},
        "oidc_token_env": {"type": "str", "no_log": False},
        "oidc_token_filepath": {"type": "path", "no_log": False},
        "metadata_service_url": {"type": "str", "no_log": True},
        "databricks_cli_path": {"type": "path"},
        "azure_workspace_resource_id": text,
        "azure_client_id": text,
        "azure_client_secret": {"type": "str", "no_log": True},
        "azure_tenant_id": text,
        "azure_environment": text,
        "azure_use_msi": {"type": "bool"},
        "google_service_account": text,
        "google_credentials": {"type": "str", "no_log": True},
        "ca_file": {"type": "path"},
        "name": text,
        "family": {"type": "str", "choices": list(FAMILIES)},
        "names": {"type": "list", "elements": "str"},
        "query": text,
    }


def run(params: dict[str, Any]) -> dict[str, Any]:
    """Ask the workspace and return the module's result.

    :raises OperatorError: everything that the operator can mend.
    """
    expression = None
    if params["query"] is not None:
        try:
            expression = jmespath.compile(params["query"])
        except jmespath.exceptions.JMESPathError as error:
            raise OperatorError(
                f"is not a JMESPath expression: {str(error).splitlines()[0]}", "query", "See https://jmespath.org."
            ) from error
    with client.Workspace(params) as workspace:
        workspace.probe()
        workspace.connect()
        served = workspace.served(params["names"] or (), every=True)
        result: dict[str, Any] = {
            "changed": False,
            "workspace_url": workspace.url,
            "endpoints": filter_endpoints(served.endpoints, params["name"], params["family"]),
        }
    if params["names"] is not None:
        result["validation"] = validate_names(params["names"], served.states, served.api_types)
    if expression is not None:
        try:
            result["query_result"] = expression.search(result["endpoints"])
        except jmespath.exceptions.JMESPathError as error:
            raise OperatorError(f"cannot be applied to the endpoints: {error}", "query", "") from error
    return result


def main() -> None:
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    if sdk.IMPORT_ERROR is not None:
        module.fail_json(msg=missing_required_lib("databricks-sdk"), exception=sdk.IMPORT_ERROR)
    if module.params["query"] is not None and JMESPATH_ERROR is not None:
        module.fail_json(msg=missing_required_lib("jmespath"), exception=JMESPATH_ERROR)
    try:
        result = run(module.params)
    except OperatorError as error:
        module.fail_json(msg=str(error))
    except Exception as error:
        module.fail_json(**defect(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
