# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which workspace, and the way to it."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  workspace_url:
    description:
      - URL of the Databricks workspace, such as V(https://dbc-a1b2c3d4-e5f6.cloud.databricks.com).
    type: str
  routing:
    description:
      - How requests reach the models.
      - V(gateway) is a path on the workspace's host, V(serving_endpoints) the older path, V(gateway_host) the gateway's own host.
      - V(auto) can only be decided by M(fmapi.coding_agents.workspace_info); this module refuses it.
    type: str
    choices: [gateway, serving_endpoints, gateway_host, auto]
    default: gateway
  workspace_id:
    description:
      - The workspace's number. Needed for O(routing=gateway_host) only.
    type: str
  ca_file:
    description:
      - PEM file with the certificate authority that signed the workspace's certificate (or a proxy's).
      - An absolute path that is on the host is used there. Otherwise the file of the control node is brought to the host, owned and
        given back; a relative path begins where C(ansible-playbook) is started.
    type: path
  proxy:
    description:
      - URL of the proxy by which hosts reach the workspace and the registries, such as V(http://proxy.example.com:3128).
      - It reaches npm, the token helper, the Databricks CLI and each agent. Without it, what each finds in its environment counts.
    type: str
  no_proxy:
    description:
      - Hosts that are reached without O(proxy), with commas, such as V(localhost,.example.com).
    type: str
"""
