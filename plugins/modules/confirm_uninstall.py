#!/usr/bin/python
# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The question before an uninstall."""

from __future__ import annotations

DOCUMENTATION = r"""
module: confirm_uninstall
short_description: Show what an uninstall finds on all hosts, and ask once whether to go on
version_added: 0.1.0
description:
  - Prints what M(fmapi.coding_agents.uninstall_info) has found on the hosts of the play, grouped by the tool that brought it. What
    is equal on many hosts is said once, with their names.
  - Asks once for all hosts whether to go on, where there is a terminal and more than one host has something to give back. Any answer
    but V(y) and V(yes) is a no.
  - Does not ask in check mode, nor where O(confirm) is true.
  - Runs on the control node without a connection to any host. Use it with C(run_once=true), after the listing.
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
      - Nothing is asked.
  diff_mode:
    support: N/A
    details:
      - It changes no file.
  idempotent:
    support: N/A
    details:
      - It changes no host.
  platform:
    description: Target OS/families that can be operated against.
    support: full
    platforms: posix
    details:
      - Runs on the control node.
options:
  confirm:
    description:
      - Whether an uninstall goes on without asking, where it would ask.
    type: bool
    default: false
notes:
  - An option that a task leaves open comes from the variable C(coding_agents_OPTION), as the first host of the play has it.
seealso:
  - module: fmapi.coding_agents.uninstall_info
"""

EXAMPLES = r"""
- name: List what is there
  fmapi.coding_agents.uninstall_info:

- name: Ask once
  fmapi.coding_agents.confirm_uninstall:
  run_once: true
  register: answer

- name: Give the host back as it was found
  fmapi.coding_agents.coding_agents:
    state: absent
  when: answer.confirmed
"""

RETURN = r"""
confirmed:
  description: Whether to go on.
  returned: success
  type: bool
  sample: true
asked:
  description: Whether somebody was asked.
  returned: success
  type: bool
  sample: false
"""

from ..module_utils import by_action
from ..module_utils.options import uninstall
from ..module_utils.options.values import Spec

SPEC: Spec = {**uninstall.CONFIRM}


def main() -> None:
    by_action.run(SPEC)


if __name__ == "__main__":
    main()
