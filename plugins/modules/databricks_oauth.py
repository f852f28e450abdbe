#!/usr/bin/python
# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The profile, the token helper and the login item of one owner."""

from __future__ import annotations

DOCUMENTATION = r"""
module: databricks_oauth
short_description: Give one owner's agents their tokens
version_added: 0.1.0
description:
  - Sets up the workspace profile in C(~/.databrickscfg), the token helper and, if wanted, what asks a person to sign in as their
    session begins.
  - A token that needs no person is asked for first, in memory, so that what the workspace refuses touches nothing.
  - What stood there before is remembered on the host, so that O(state=absent) brings it back.
author:
  - fmapi.coding_agents contributors (@fmapi)
extends_documentation_fragment:
  - fmapi.coding_agents.attributes
  - fmapi.coding_agents.attributes.host
  - fmapi.coding_agents.attributes.action_group
  - fmapi.coding_agents.owner
  - fmapi.coding_agents.owner.files
  - fmapi.coding_agents.workspace
  - fmapi.coding_agents.databricks_oauth
  - fmapi.coding_agents.toolchain
attributes:
  check_mode:
    support: full
    details:
      - Nothing is written, and no token is asked for.
  diff_mode:
    support: full
    details:
      - Shows each file's own text, secrets masked; a file of ours as a whole in one line, its text with C(-v).
  idempotent:
    support: full
options:
  state:
    description:
      - V(absent) gives everything back, whatever was ever set up here. No other option is needed then.
    type: str
    choices: [present, absent]
    default: present
notes:
  - An option that a task leaves open comes from the host's variable C(coding_agents_OPTION). A task's argument ranks over
    C(module_defaults), these over the variable, and the variable over the option's default.
"""

EXAMPLES = r"""
- name: Let a person sign in with the Databricks CLI
  fmapi.coding_agents.databricks_oauth:
    workspace_url: https://dbc-a1b2c3d4-e5f6.cloud.databricks.com

- name: Use a service principal
  fmapi.coding_agents.databricks_oauth:
    workspace_url: https://dbc-a1b2c3d4-e5f6.cloud.databricks.com
    identity: service_principal
    client_id: 7c1e0a52-6a53-4f0c-9a1e-0d7f0c2f4b11
    client_secret: "{{ vault_coding_agents_client_secret }}"

- name: Take it all away again
  fmapi.coding_agents.databricks_oauth:
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
documents:
  description: The files that hold what was brought.
  returned: when O(state=present)
  type: list
  elements: str
  sample: ["/home/ada/.claude.json", "/home/ada/.claude/settings.json"]
"""

from ..module_utils import by_action
from ..module_utils.options import databricks_oauth, owner, toolchain, verbs, workspace
from ..module_utils.options.values import Spec

SPEC: Spec = {
    **verbs.STATE,
    **owner.SPEC,
    **workspace.SPEC,
    **databricks_oauth.SPEC,
    **toolchain.SPEC,
}


def main() -> None:
    by_action.run(SPEC)


if __name__ == "__main__":
    main()
