#!/usr/bin/python
# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: offline_mirror
short_description: Fill a directory with what hosts without a way out fetch
version_added: 0.1.0
description:
  - Fetches Node.js, the Databricks CLI and the packages of agents into a directory of the control node, laid out as O(mirror) wants
    it. Any web server can serve it to hosts, which then need C(coding_agents_mirror) alone.
  - A package is proved by the collection's own locks, an archive by the SHA-256 that its release tells, before it gets its name there.
  - What is there and whole is not fetched again. What another run has fetched stays.
  - Runs on the control node without a connection to any host.
author:
  - fmapi.coding_agents contributors (@fmapi)
extends_documentation_fragment:
  - fmapi.coding_agents.attributes
  - fmapi.coding_agents.agent_settings.agents
  - fmapi.coding_agents.relay.clients
attributes:
  check_mode:
    support: full
    details:
      - Nothing is fetched or written. RV(fetched) names what would be, as far as it is known without asking.
  diff_mode:
    support: full
    details:
      - Lists the files.
  idempotent:
    support: full
  platform:
    description: Target OS/families that can be operated against.
    support: full
    platforms: posix
    details:
      - Runs on the control node.
options:
  offline_directory:
    description:
      - Directory of the control node to fill. It is made where it is not there. The module needs it.
    type: path
  offline_platforms:
    description:
      - What hosts run on, as operating system and processor. Python packages are fetched for all platforms.
    type: list
    elements: str
    choices: [linux_x86_64, linux_arm64, darwin_x86_64, darwin_arm64]
    default: [linux_x86_64]
  offline_databricks_cli:
    description:
      - Whether the Databricks CLI is fetched, which hosts need where people sign in.
    type: bool
    default: true
  cli_versions:
    description:
      - Exact version of an agent's program, by agent. It must be one that the collection has a lock of.
      - For an agent that is not named, the version that this collection is tested with.
    type: dict
    default: {}
  npm_registry:
    description:
      - URL of the npm registry that the control node fetches from. Needed for agents that come from npm, unless O(mirror) is set.
    type: str
  pip_index:
    description:
      - URL of the Python index that the control node fetches from. Needed for agents that come from one, unless O(mirror) is set.
    type: str
  mirror:
    description:
      - URL of another such directory, from which the control node fetches what O(npm_registry) and O(pip_index) do not name.
    type: str
  ca_file:
    description:
      - PEM file with a private certificate authority that is trusted, too.
    type: path
  proxy:
    description:
      - URL of the proxy by which the control node gets out.
    type: str
  no_proxy:
    description:
      - Hosts that are reached without O(proxy), with commas.
    type: str
notes:
  - An option that a task leaves open comes from the variable C(coding_agents_OPTION).
"""

EXAMPLES = r"""
- name: Prepare Codex and Pi for hosts of two kinds
  fmapi.coding_agents.offline_mirror:
    offline_directory: /srv/mirror
    offline_platforms: [linux_x86_64, darwin_arm64]
    agents: [codex, pi]
"""

RETURN = r"""
directory:
  description: The directory.
  returned: success
  type: str
  sample: /srv/mirror
fetched:
  description: The files that were (or would be) put there.
  returned: success
  type: list
  elements: str
  sample: [npm/@openai/codex/-/codex-0.169.0.tgz]
"""

from ..module_utils import by_action
from ..module_utils.options import agent_cli, agent_settings, relay, toolchain, verbs, workspace
from ..module_utils.options.values import Spec

SPEC: Spec = {
    **verbs.OFFLINE,
    "agents": agent_settings.SPEC["agents"],
    **{name: agent_cli.SPEC[name] for name in ("cli_versions", "npm_registry", "pip_index")},
    **{name: workspace.SPEC[name] for name in ("ca_file", "proxy", "no_proxy")},
    "mirror": toolchain.SPEC["mirror"],
    **{name: relay.SPEC[name] for name in ("relay", "relay_clients")},
}


def main() -> None:
    by_action.run(SPEC)


if __name__ == "__main__":
    main()
