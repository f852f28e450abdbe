#!/usr/bin/python
# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command line programs of coding agents, from the npm registry."""

from __future__ import annotations

DOCUMENTATION = r"""
module: agent_cli
short_description: Install the command line programs of coding agents
version_added: 0.1.0
description:
  - Makes sure that each agent's program is there in a version that works with a Databricks workspace.
  - Versions are read from package files; no agent is started.
  - A program that is there already, however it was installed, is left alone when its version will do.
  - O(state=absent) removes what this module installed, and brings back the version that it replaced.
author:
  - fmapi.coding_agents contributors (@fmapi)
requirements:
  - Node.js 18 or newer with npm on the host, when something has to be installed.
extends_documentation_fragment:
  - fmapi.coding_agents.attributes
  - fmapi.coding_agents.attributes.host
  - fmapi.coding_agents.host_options.owner
  - fmapi.coding_agents.host_options.cli
attributes:
  check_mode:
    support: full
    details:
      - Nothing is downloaded or written.
  diff_mode:
    support: full
    details:
      - Shows the versions.
  idempotent:
    support: full
options:
  agents:
    description:
      - The coding agents.
    type: list
    elements: str
    choices: [claude_code]
    default: [claude_code]
  state:
    description:
      - V(absent) removes what this module installed for any agent.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Install Claude Code unless a good version is there
  fmapi.coding_agents.agent_cli:
    agents: [claude_code]

- name: Install exactly this version from the company's mirror
  fmapi.coding_agents.agent_cli:
    cli_versions:
      claude_code: 2.1.197
    npm_registry: https://npm.example.com/
"""

RETURN = r"""
programs:
  description: The agents' programs, by agent.
  returned: when O(state=present)
  type: dict
  sample:
    claude_code: {path: /home/ada/.local/bin/claude, version: 2.1.197, source: npm, wanted_version: 2.1.197}
changes:
  description: What was (or would be) done, in words.
  returned: always
  type: list
  elements: str
  sample: ["Claude Code 2.1.197 installed into /home/ada/.local"]
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils import module as edge, npm
from ..module_utils.agents import AGENTS


def main() -> None:
    edge.run({**edge.STATE, **edge.CLI, "agents": edge.SETTINGS["agents"]}, body)


def body(module: AnsibleModule, home: str) -> dict[str, Any]:
    environment = dict(os.environ)
    registry = module.params["npm_registry"]
    if module.params["state"] == "absent":
        done = npm.uninstall(home, registry, environment, module.check_mode)
        changes = [f"{AGENTS[name].title}: {what}" for name, what in done.items()]
        return {"changed": bool(done), "changes": changes}
    npm.check_versions(module.params["cli_versions"])
    prefix = edge.npm_prefix_of(module, home)
    programs, changes, before, after = {}, [], "", ""
    for name in module.params["agents"]:
        agent = AGENTS[name]
        found = agent.find_cli(home, prefix, environment)
        version = npm.wanted_version(agent, module.params["cli_versions"], found)
        before += f"{agent.title} {found.version if found else 'is not installed'}\n"
        after += f"{agent.title} {version or (found.version if found else '')}\n"
        if version:
            changes.append(f"{agent.title} {version} installed into {prefix}")
            if not module.check_mode:
                npm.install(home, agent, version, prefix, registry, environment)
                found = agent.find_cli(home, prefix, environment)
        programs[name] = npm.describe(agent, found, version)
    result: dict[str, Any] = {"changed": bool(changes), "changes": changes, "programs": programs}
    if changes:
        header = f"programs in {prefix}"
        result["diff"] = [{"before_header": header, "after_header": header, "before": before, "after": after}]
    return result


if __name__ == "__main__":
    main()
