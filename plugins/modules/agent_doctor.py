#!/usr/bin/python
# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Diagnose the coding agents of one host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: agent_doctor
short_description: Diagnose the coding agents on a host
version_added: 0.1.0
description:
  - Checks programs, configuration, environment, token, connectivity and models as the host sees them, and can prove it all with a real
    prompt.
  - Prints one line for each check, with the way out where there is one, and fails when a check failed.
  - No file of the collection is changed. The token helper is run, which may put a new token into its cache.
author:
  - fmapi.coding_agents contributors (@fmapi)
extends_documentation_fragment:
  - fmapi.coding_agents.attributes
  - fmapi.coding_agents.attributes.host
  - fmapi.coding_agents.attributes.action_group
  - fmapi.coding_agents.host_options.owner
  - fmapi.coding_agents.host_options.workspace
  - fmapi.coding_agents.host_options.auth
  - fmapi.coding_agents.host_options.settings
  - fmapi.coding_agents.host_options.cli
attributes:
  check_mode:
    support: partial
    details:
      - In check mode no token is asked for and nothing is prompted, so only what files show is checked.
  diff_mode:
    support: N/A
    details:
      - Nothing is changed.
  idempotent:
    support: full
options:
  workspace_url:
    description:
      - URL of the Databricks workspace, such as V(https://dbc-a1b2c3d4-e5f6.cloud.databricks.com).
    type: str
    required: true
  prompt:
    description:
      - Whether to send each agent one short prompt. The agent writes its own session files then, as in daily use.
    type: bool
    default: false
  routing_reason:
    description:
      - Why O(routing) is what it is, as M(fmapi.coding_agents.workspace_info) tells it. It is repeated in the report.
    type: str
    default: set by the operator
"""

EXAMPLES = r"""
- name: Check this host, with a real reply from the agent
  fmapi.coding_agents.agent_doctor:
    workspace_url: https://dbc-a1b2c3d4-e5f6.cloud.databricks.com
    prompt: true
"""

RETURN = r"""
checks:
  description: What was checked, in order; after a failure, only what did not pass.
  returned: always
  type: list
  elements: dict
  contains:
    home:
      description: The owner's home.
      type: str
      returned: always
      sample: /home/ada
    category:
      description: V(Dependencies), V(Configuration), V(Environment), V(Auth), V(Connectivity), V(Models) or V(Prompt).
      type: str
      returned: always
      sample: Auth
    check:
      description: What was looked at.
      type: str
      returned: always
      sample: token helper
    status:
      description: V(PASS), V(FAIL), V(WARN) or V(SKIP).
      type: str
      returned: always
      sample: PASS
    detail:
      description: What was found.
      type: str
      returned: always
      sample: printed a token
    fix:
      description: The way out, where there is one.
      type: str
      returned: always
      sample: Run the rollout
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import auth_state, doctor, module as edge


def main() -> None:
    spec = {**edge.WORKSPACE, **edge.AUTH, **edge.SETTINGS, **edge.CLI}
    spec["workspace_url"] = {"type": "str", "required": True}
    spec["routing_reason"] = {"type": "str", "default": "set by the operator"}
    spec["prompt"] = {"type": "bool", "default": False}
    edge.run(spec, body)


def body(module: AnsibleModule, home: str) -> dict[str, Any]:
    config = edge.config_of(module, home)
    secret = edge.secret_of(module)
    options = edge.agent_options_of(module, home)
    host = doctor.Host(
        config=config,
        agents=module.params["agents"],
        options=options,
        routing=f"{module.params['routing']} ({module.params['routing_reason']})",
        prefix=edge.npm_prefix_of(module, home),
        environment=dict(os.environ),
        auth=lambda: auth_state.wanted(config, secret, edge.replaces_unreadable(module)),
        settings=lambda: edge.documents_of(module, home),
    )
    checks = doctor.examine_files(host) if module.check_mode else doctor.examine(host, module.params["prompt"])
    result: dict[str, Any] = {"checks": [{"home": home, **one._asdict()} for one in checks]}
    failed = [one for one in checks if one.status == doctor.FAIL]
    if failed:
        first = f"{failed[0].category}, {failed[0].check}: {failed[0].detail}. {failed[0].fix}"
        result["error"] = f"{len(failed)} of {len(checks)} checks failed. First: {first}"
    return result


if __name__ == "__main__":
    main()
