#!/usr/bin/python
# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an uninstall would find on a host, and what becomes of each."""

from __future__ import annotations

DOCUMENTATION = r"""
module: uninstall_info
short_description: List what an uninstall finds on a host, and what becomes of it
version_added: 0.1.0
description:
  - Lists what this collection has brought to a host, and what older tools have left there, with what an uninstall does to each.
  - Found by the same planning code that the uninstall goes by. Nothing is written.
  - What older tools have left is known by its content, never by its name alone; C(docs/other-tools.md) has the table.
  - Where a token of the person's own sign-in is at hand, the workspace is asked from the host for personal access tokens that older
    tools made for this person. Only with O(revoke_legacy_pats) the sign-in is renewed for that, and not in check mode. Nothing is
    opened, and nobody is asked to sign in.
author:
  - fmapi.coding_agents contributors (@fmapi)
extends_documentation_fragment:
  - fmapi.coding_agents.attributes
  - fmapi.coding_agents.attributes.info_module
  - fmapi.coding_agents.attributes.host
  - fmapi.coding_agents.owner
  - fmapi.coding_agents.parts
  - fmapi.coding_agents.uninstall
options:
  sign_out:
    description:
      - Whether the uninstall is to sign people out, which is listed then.
    type: bool
    default: false
  uninstall_programs:
    description:
      - Whether the uninstall is to remove what a package manager has installed for the agents, which is listed then.
    type: bool
    default: false
notes:
  - An option that a task leaves open comes from the host's variable C(coding_agents_OPTION). A task's argument ranks over
    C(module_defaults), these over the variable, and the variable over the option's default.
seealso:
  - module: fmapi.coding_agents.coding_agents
  - module: fmapi.coding_agents.confirm_uninstall
"""

EXAMPLES = r"""
- name: List what an uninstall would find
  fmapi.coding_agents.uninstall_info:
  register: found

- name: Tell
  ansible.builtin.debug:
    var: found.artifacts
"""

RETURN = r"""
artifacts:
  description: One entry for each file, each part of a file and each token.
  returned: always
  type: list
  elements: dict
  contains:
    user:
      description: Whose it is.
      type: str
      returned: always
      sample: ada
    home:
      description: The owner's home.
      type: str
      returned: always
      sample: /home/ada
    tool:
      description: Who has brought it.
      type: str
      returned: always
      sample: fmapi-codingagent-setup
    what:
      description: Where it is, and what.
      type: str
      returned: always
      sample: "/home/ada/.claude/fmapi-key-helper.sh: token helper"
    fate:
      description: What becomes of it. Empty where RV(artifacts[].what) says it.
      type: str
      returned: always
      sample: "stays: coding_agents_uninstall_older_tools: true removes it"
homes:
  description: The homes that were looked at.
  returned: always
  type: list
  elements: str
  sample: [/home/ada]
failed_users:
  description: With O(users), those that nothing can be told of, and why. When it is all of them, this module fails.
  returned: when there are some
  type: dict
  sample: {}
"""

from ..module_utils import by_action
from ..module_utils.options import databricks_oauth, owner, toolchain, uninstall, verbs
from ..module_utils.options.values import Spec

SPEC: Spec = {
    **verbs.PARTS,
    **owner.OWNER,
    **uninstall.WAY_BACK,
    "sign_out": databricks_oauth.SPEC["sign_out"],
    "uninstall_programs": toolchain.SPEC["uninstall_programs"],
}


def main() -> None:
    by_action.run(SPEC)


if __name__ == "__main__":
    main()
