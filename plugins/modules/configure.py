#!/usr/bin/python
# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A file of variables, by questions."""

from __future__ import annotations

DOCUMENTATION = r"""
module: configure
short_description: Write a file of variables for this collection, by questions in a terminal or from a file of answers
version_added: 0.1.0
description:
  - Asks for the workspace, the identity, the agents, the routing, the models (from what the workspace serves), the scope and the
    users. Each answer is judged before the next question, and each question has a default.
  - Shows an existing configuration first, and asks whether to keep it. What it does not ask for stays as it is, also vaulted values.
  - Shows the file, or the difference, before it is written. What others have written is replaced only by an answer, or by
    O(configure_replace).
  - Never asks for a secret and never writes one. It writes the name of a variable of a vault, and says how to make the vault.
  - Writes an inventory with this machine alone where there is none.
  - Runs on the control node without a connection to any host. Without a terminal and without O(answers) it fails.
author:
  - fmapi.coding_agents contributors (@fmapi)
extends_documentation_fragment:
  - fmapi.coding_agents.attributes
attributes:
  action:
    description: Has an action plugin, so that it works on the controller.
    support: full
  async:
    description: Supports being used with the C(async) keyword.
    support: none
  check_mode:
    support: full
    details:
      - Asks the same questions and shows the file. Nothing is written.
  diff_mode:
    support: N/A
    details:
      - The difference is shown in any case.
  idempotent:
    support: full
    details:
      - The same answers write the same file.
  platform:
    description: Target OS/families that can be operated against.
    support: full
    platforms: posix
    details:
      - Runs on the control node.
options:
  answers:
    description:
      - YAML file of variables that answers all questions. Nothing is asked then, and what it leaves open is as it was, or the default.
      - A relative path counts from where C(ansible-playbook) was started. Secrets in it must be vaulted values or templates.
    type: path
  configure_file:
    description:
      - File of variables that the playbook configure writes. Without it, C(group_vars/all/coding_agents.yml) beside the inventory that
        the command line names, else in the directory where C(ansible-playbook) was started.
    type: path
  configure_replace:
    description:
      - Whether O(answers) may replace a file that others have written or changed, without a question.
    type: bool
    default: false
seealso:
  - module: fmapi.coding_agents.models_info
"""

EXAMPLES = r"""
- name: Write what the file answers.yml says
  fmapi.coding_agents.configure:
    answers: answers.yml
"""

RETURN = r"""
file:
  description: The file of variables.
  returned: success
  type: str
  sample: /home/ada/fleet/group_vars/all/coding_agents.yml
inventory:
  description: The inventory, which was there or was written.
  returned: success
  type: str
  sample: /home/ada/fleet/inventory.yml
kept:
  description: Whether somebody wanted to keep the configuration as it was.
  returned: success
  type: bool
"""

from ..module_utils import by_action
from ..module_utils.options import verbs
from ..module_utils.options.values import Spec

SPEC: Spec = {**verbs.CONFIGURE}


def main() -> None:
    by_action.run(SPEC)


if __name__ == "__main__":
    main()
