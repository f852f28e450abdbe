# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far an uninstall goes."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  uninstall_older_tools:
    description:
      - Whether an uninstall also takes away what the scripts C(fmapi-codingagent-setup) and C(fmapi-opskit) have left in a home.
      - Only what is surely theirs and was not edited since; C(docs/other-tools.md) has the table. It cannot be given back.
      - Only where all parts are uninstalled, and once nothing of this collection's is left.
    type: bool
    default: false
  revoke_legacy_pats:
    description:
      - Whether an uninstall revokes the personal access tokens that earlier versions of the script C(fmapi-codingagent-setup) made for
        this person, in the workspace. Known by their comment, the day and the life that the script gave them; never another.
      - The workspace is asked by the person's own session on the host, so this is for the identity V(user).
    type: bool
    default: false
"""
