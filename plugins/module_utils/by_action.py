# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module whose work its action plugin does, or begins: what it can be told, and nothing more."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from .options.values import Spec


def run(spec: Spec) -> None:
    """Say what went wrong. Ansible prefers the action plugin of the same name, which judges these options on the control node; what a
    host has to do is brought to it by the module host_call.
    """
    AnsibleModule(argument_spec=spec, supports_check_mode=True).fail_json(
        msg="This module needs its action plugin, on the control node. Name it in full, such as "
        "fmapi.coding_agents.coding_agents, in a task."
    )
