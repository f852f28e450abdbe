#!/usr/bin/python
# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command line programs of coding agents."""

from __future__ import annotations

DOCUMENTATION = r"""
module: agent_cli
short_description: Install the command line programs of coding agents
version_added: 0.1.0
description:
  - Makes sure that each agent's program is there in a version that works with a Databricks workspace.
  - Versions are read from package files. A program that is there already, however it was installed, is left alone when its version
    will do.
  - A program is fetched into a directory of our own, verified and started once; then a link in C(bin) is switched to it. What the link
    was before is remembered, so that O(state=absent) brings it back.
author:
  - fmapi.coding_agents contributors (@fmapi)
requirements:
  - On the host, when an agent in Python (Hermes) has to be installed, a Python that it runs on, with its module venv.
extends_documentation_fragment:
  - fmapi.coding_agents.attributes
  - fmapi.coding_agents.attributes.host
  - fmapi.coding_agents.owner
  - fmapi.coding_agents.agent_settings.agents
  - fmapi.coding_agents.agent_cli
  - fmapi.coding_agents.toolchain
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
  state:
    description:
      - V(absent) gives everything back, whatever was ever set up here. No other option is needed then.
    type: str
    choices: [present, absent]
    default: present
  ca_file:
    description:
      - PEM file with a private certificate authority, as in M(fmapi.coding_agents.coding_agents).
    type: path
  proxy:
    description:
      - URL of the proxy by which the registry is reached.
    type: str
  no_proxy:
    description:
      - Hosts that are reached without O(proxy), with commas.
    type: str
notes:
  - An option that a task leaves open comes from the host's variable C(coding_agents_OPTION). A task's argument ranks over
    C(module_defaults), these over the variable, and the variable over the option's default.
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
programs:
  description: The agents' programs, by agent.
  returned: when O(state=present)
  type: dict
  sample:
    claude_code: {path: /home/ada/.local/bin/claude, version: 2.1.197, source: npm, wanted_version: 2.1.197}
documents:
  description: The files that hold what was brought.
  returned: when O(state=present)
  type: list
  elements: str
  sample: ["/home/ada/.claude.json", "/home/ada/.claude/settings.json"]
"""

from ..module_utils import by_action
from ..module_utils.options import agent_cli, agent_settings, owner, toolchain, verbs, workspace
from ..module_utils.options.values import Spec

SPEC: Spec = {
    **owner.OWNER,
    **verbs.STATE,
    "agents": agent_settings.SPEC["agents"],
    **{name: workspace.SPEC[name] for name in ("ca_file", "proxy", "no_proxy")},
    **agent_cli.SPEC,
    **toolchain.SPEC,
}


def main() -> None:
    by_action.run(SPEC)


if __name__ == "__main__":
    main()
