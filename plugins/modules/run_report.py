#!/usr/bin/python
# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: run_report
short_description: Print once, at the end of a play, what became of all its hosts
version_added: 0.1.0
description:
  - Prints what the collection's modules did, or would do, on all hosts of the play. What is equal on many hosts is said once, with
    their names. It begins with what failed and the way out, and ends with what is next and for whom.
  - With C(--diff) each change of a file is shown once, after the names of the hosts that have it. With C(-v) every host is named, and
    what is in order is listed too.
  - Runs on the control node without a connection to any host. Put it into C(always) with C(run_once=true), so that it reports also
    when hosts failed. With the strategy C(free), and with C(serial), each call reports what no earlier one did.
  - Cannot report when every host is unreachable, because Ansible runs no further task then.
  - A file, if wanted, holds one JSON object. C(schema) is 1, C(finished_at) the time in UTC, and C(check_mode) whether nothing was
    changed. C(summary) counts hosts by status.
  - C(hosts) has an object for each host. Its C(status) is V(ok), V(changed) (in check mode, would change), V(failed),
    V(unreachable), or V(unknown) for one that something else stopped. C(errors) is a list of objects with C(user) (empty if not about
    one) and C(msg). C(changes) and C(warnings) are lists of sentences, C(programs) the version of each agent, C(session) a list of
    objects with C(user), C(state), C(detail) and C(command). C(checks) is a list of the doctor's checks with C(home), C(user),
    C(category), C(check), C(status), C(detail) and C(fix). Before an uninstall, C(artifacts) is the list of what was found, as
    M(fmapi.coding_agents.uninstall_info) returns it; after the playbook status, C(statuses) is that of
    M(fmapi.coding_agents.status_info).
  - C(workspaces) is a list of what M(fmapi.coding_agents.workspace_info) or M(fmapi.coding_agents.models_info) found, each with
    the list of its C(hosts).
  - The file holds no diff, and is written in check mode, too.
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
  diff_mode:
    support: full
    details:
      - Shows the differences that the modules before it found.
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
  report:
    description:
      - File on the control node to write the report to, as JSON. A relative path counts from where C(ansible-playbook) was started.
        The file is replaced as a whole and gets the rights that other new files of the operator get.
      - When not given, the variable C(coding_agents_report) counts, as the first host of the play has it.
    type: str
seealso:
  - module: fmapi.coding_agents.agent_doctor
"""

EXAMPLES = r"""
- name: Bring the host to the wanted state, and report
  block:
    - name: Agents
      fmapi.coding_agents.coding_agents:
  always:
    - name: Report
      fmapi.coding_agents.run_report:
        report: agents.json
      run_once: true
"""

RETURN = r"""
report:
  description: The file that was written; empty if none was wanted.
  returned: success
  type: str
  sample: /home/ada/agents.json
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule


def argument_spec() -> dict[str, dict[str, Any]]:
    """The options; the action plugin reads them here."""
    return {"report": {"type": "str"}}


def main() -> None:
    """Say what went wrong: the work is done by the action plugin of the same name, which Ansible prefers."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    module.fail_json(
        msg="run_report runs on the control node, by its action plugin. Call it as fmapi.coding_agents.run_report in a task."
    )


if __name__ == "__main__":
    main()
