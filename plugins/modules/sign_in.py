#!/usr/bin/python
# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has to sign in on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: sign_in
short_description: Sign in on one's own machine, and list who has to sign in elsewhere
version_added: 0.1.0
description:
  - On one's own machine (connection C(local), without C(become)), signs the person in, showing the link as soon as there is one.
  - For other hosts, prints one line for each owner, with the exact command for those who have to sign in. Nothing is opened there.
  - Somebody who has to sign in is no failure. A sign-in on one's own machine that was tried and did not work is one.
  - What was rolled out is read from the host, so no option says it again.
author:
  - fmapi.coding_agents contributors (@fmapi)
extends_documentation_fragment:
  - fmapi.coding_agents.attributes
  - fmapi.coding_agents.attributes.host
  - fmapi.coding_agents.owner
attributes:
  check_mode:
    support: full
    details:
      - In check mode nobody is signed in and no token is asked for. Whether somebody has to sign in is told from files only.
  diff_mode:
    support: N/A
    details:
      - No file of the collection is changed.
  idempotent:
    support: full
options:
  sign_in_timeout:
    description:
      - How long a person on one's own machine may take to sign in, in seconds.
    type: int
    default: 300
notes:
  - An option that a task leaves open comes from the host's variable C(coding_agents_OPTION). A task's argument ranks over
    C(module_defaults), these over the variable, and the variable over the option's default.
seealso:
  - module: fmapi.coding_agents.databricks_oauth
"""

EXAMPLES = r"""
- name: Sign in here, and see who has to sign in elsewhere
  fmapi.coding_agents.sign_in:

- name: See which of the users of a host have to sign in
  fmapi.coding_agents.sign_in:
    users: [ada, grace]
  become: true
"""

RETURN = r"""
sign_ins:
  description: One entry for each owner.
  returned: always
  type: list
  elements: dict
  contains:
    host:
      description: Name of the host in the inventory.
      type: str
      returned: always
      sample: laptop-ada
    owner:
      description: The owner and the host, in words.
      type: str
      returned: always
      sample: ada on laptop-ada
    user:
      description: The owner's name on the host.
      type: str
      returned: always
      sample: ada
    home:
      description: The owner's home.
      type: str
      returned: always
      sample: /home/ada
    workspace_url:
      description: Where to.
      type: str
      returned: when something is rolled out
      sample: https://dbc-a1b2c3d4-e5f6.cloud.databricks.com
    identity:
      description: Whose tokens agents use.
      type: str
      returned: when something is rolled out
      sample: user
    state:
      description:
        - V(signed_in), V(sign_in_needed), V(no_person_needed), or V(not_set_up) where no rollout has been.
        - V(unknown) where it cannot be told now; the detail says why.
      type: str
      returned: always
      sample: sign_in_needed
    detail:
      description: One sentence more.
      type: str
      returned: always
      sample: not signed in to Databricks
    front:
      description: Absolute path of the command C(coding-agents) on the host.
      type: str
      returned: always
      sample: /home/ada/.local/share/fmapi-coding-agents/coding-agents
    login:
      description: What the owner runs in a shell on the host.
      type: str
      returned: always
      sample: ~/.local/share/fmapi-coding-agents/coding-agents login
    command:
      description: What the owner runs on their own machine, where the browser is.
      type: str
      returned: always
      sample: ssh -t -L 8020:localhost:8020 ada@laptop-ada '~/.local/share/fmapi-coding-agents/coding-agents login'
"""

from ..module_utils import by_action
from ..module_utils.options import owner, verbs
from ..module_utils.options.values import Spec

SPEC: Spec = {**owner.OWNER, **verbs.SIGN_IN}


def main() -> None:
    by_action.run(SPEC)


if __name__ == "__main__":
    main()
