#!/usr/bin/python
# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workspace profile, token helper and session of one owner on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: databricks_oauth
short_description: Set up the workspace profile and the token helper on a host
version_added: 0.1.0
description:
  - Keeps one profile in C(~/.databrickscfg), the host program, and the token helper that coding agents call for access tokens.
  - Other profiles, comments and the order of the file stay as they are. What stood there before is remembered on the host, and
    O(state=absent) brings it back.
  - What a service principal, a workload or a personal access token gives is tried in memory before the first byte is written.
  - A browser is never opened. For O(identity=user) the result says what the person has to run, once.
author:
  - fmapi.coding_agents contributors (@fmapi)
extends_documentation_fragment:
  - fmapi.coding_agents.attributes
  - fmapi.coding_agents.attributes.host
  - fmapi.coding_agents.attributes.action_group
  - fmapi.coding_agents.host_options.owner
  - fmapi.coding_agents.host_options.workspace
  - fmapi.coding_agents.host_options.auth
attributes:
  check_mode:
    support: full
    details:
      - Nothing is written and no token is asked for.
  diff_mode:
    support: full
    details:
      - Shows each file's own text, secrets masked.
  idempotent:
    support: full
options:
  state:
    description:
      - V(absent) takes away what was set up, and gives back what stood there before.
    type: str
    choices: [present, absent]
    default: present
  sign_out:
    description:
      - With O(state=absent), whether the person's sign-in is ended, too (C(databricks auth logout)), before the profile goes.
      - Where that cannot be done, a warning says so, and the rest is taken away.
    type: bool
    default: false
seealso:
  - module: fmapi.coding_agents.agent_settings
  - module: fmapi.coding_agents.coding_agents_info
"""

EXAMPLES = r"""
- name: Set up tokens for the person who owns this account
  fmapi.coding_agents.databricks_oauth:
    workspace_url: https://dbc-a1b2c3d4-e5f6.cloud.databricks.com

- name: Set up tokens for a service principal
  fmapi.coding_agents.databricks_oauth:
    workspace_url: https://dbc-a1b2c3d4-e5f6.cloud.databricks.com
    identity: service_principal
    client_id: 7c1e0a52-6a53-4f0c-9a1e-0d7f0c2f4b11
    client_secret: "{{ vault_client_secret }}"

- name: Set up tokens for a workload that its platform vouches for, without a secret
  fmapi.coding_agents.databricks_oauth:
    workspace_url: https://dbc-a1b2c3d4-e5f6.cloud.databricks.com
    identity: workload_identity
    client_id: 7c1e0a52-6a53-4f0c-9a1e-0d7f0c2f4b11
    oidc_token_file: /var/run/secrets/databricks/token

- name: Take it all away again
  fmapi.coding_agents.databricks_oauth:
    state: absent
"""

RETURN = r"""
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
profile:
  description: Name of the profile.
  returned: when O(state=present)
  type: str
  sample: fmapi-coding-agents
token_helper:
  description: Absolute path of the token helper.
  returned: when O(state=present)
  type: str
  sample: /home/ada/.local/share/fmapi-coding-agents/token-helper
changes:
  description: What was (or would be) changed, in words.
  returned: always
  type: list
  elements: str
  sample: ["/home/ada/.databrickscfg: fmapi-coding-agents.host"]
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import auth_state, module as edge, sign_out


def main() -> None:
    spec = {**edge.STATE, **edge.WORKSPACE, **edge.AUTH, "sign_out": {"type": "bool", "default": False}}
    edge.run(spec, body, required_if=[("state", "present", ("workspace_url",))])


def body(module: AnsibleModule, home: str) -> dict[str, Any]:
    if module.params["state"] == "absent":
        asked = module.params["sign_out"]
        signed_out, warnings = sign_out.sign_out(home, dict(os.environ), module.check_mode) if asked else ([], [])
        result = edge.result_of(auth_state.withdraw(home, module.check_mode))
        result["changes"] = [*signed_out, *result["changes"]]
        result["warnings"] = [*warnings, *result["warnings"]]
        return result
    config = edge.config_of(module, home)
    secret = edge.secret_of(module)
    replace_unreadable = edge.replaces_unreadable(module)
    outcome, session = auth_state.establish(config, secret, replace_unreadable, module.check_mode)
    result = edge.result_of(outcome, session=session, profile=config.profile, token_helper=config.helper)
    if session["state"] != "active" and not module.check_mode:
        result["warnings"].append(session["detail"])
    return result


if __name__ == "__main__":
    main()
