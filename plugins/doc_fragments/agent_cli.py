# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the agents' programs come from, and where they go."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  cli_versions:
    description:
      - Exact version of an agent's command line program, by agent, such as C(claude_code) with V(2.1.197).
      - For an agent that is not named, any version that works with a workspace will do, and the one that this collection
        is tested with is installed where there is none.
    type: dict
    default: {}
  npm_prefix:
    description:
      - Where npm puts programs (C(bin)) and packages (C(lib/node_modules)). Without it, C(~/.local).
    type: path
  npm_registry:
    description:
      - URL of the npm registry or mirror. Without it, what npm is set to on the host.
    type: str
  pip_index:
    description:
      - URL of the index that agents in Python come from, as pip takes it. Without it, what pip is set to on the host.
    type: str
"""
