# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the control node asks the workspace, before a host is touched."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  preflight:
    description:
      - Whether the control node asks the workspace before the host is touched. Where O(routing) is V(auto) it is asked in any case.
    type: bool
    default: true
  preflight_ca_file:
    description:
      - PEM file on the control node with the certificate authority, if it is another file than O(ca_file).
    type: path
  models_file:
    description:
      - YAML file on the control node for the models that O(models_auto) chooses, as a file of variables. Review it, and pin them with
        C(-e @FILE).
      - A relative path counts from where C(ansible-playbook) was started. Nothing is written in check mode, and never by the doctor. A
        file that is there and is not of this making is refused.
    type: path
  models_schemas:
    description:
      - Unity Catalog schemas whose model services O(models_auto) may choose where the gateway is used, in the order of preference.
      - Of the first that has one of the family, the newest is chosen. A model service is of a family by its name, such as
        C(main.agents.claude-opus-4-10). Each schema is asked for by itself, in pages. Without this option, C(system.ai) alone.
    type: list
    elements: str
  auth_profile:
    description:
      - Databricks profile on the control node to ask the workspace with, when the identity is a person or a workload. Without it, the
        SDK's own choice.
    type: str
"""
