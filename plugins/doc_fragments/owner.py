# Copyright: (c) 2026, fmapi.coding_agents contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose files are managed."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  scope:
    description:
      - Whose agents are set. V(user) writes into the home of one user, or of those in O(users).
      - V(machine) writes what every user of the host gets, also who is added later, and needs root. Each user has their own
        sign-in and their own tokens.
      - One host has one scope. Where the other one was rolled out, the same run gives that back.
    type: str
    choices: [user, machine]
    default: user
  home:
    description:
      - Home directory of the owner of the files, on the host. It must belong to the user that the task runs as.
      - An absolute path, taken as it is written. Without it, the home of that user.
    type: str
  users:
    description:
      - Users of the host whose files are managed, instead of the user that the task runs as, which must be root then.
      - The work in each home is done with that user's rights. One user's failure does not hold up the others, nor does one that the
        host does not have, which a way back only warns of.
      - V(all) stands for all people of the host, as far as it lists them - those with a number between C(UID_MIN) and C(UID_MAX) of
        C(/etc/login.defs), or from 501 on macOS, and a shell to log in with. Who has no home is passed over with a note.
      - With more than one, the result stands under RV(ignore:owners), by user.
    type: list
    elements: str
    default: []
  exclude_users:
    description:
      - Users who are left alone with O(users=all). A name that a host does not have is no mistake.
    type: list
    elements: str
    default: []
"""

    # For a module that writes an owner's files.
    FILES = r"""
options:
  on_unreadable:
    description:
      - What to do with a settings or profile file that cannot be parsed.
      - V(fail) changes nothing. V(backup_and_replace) keeps it beside itself with mode 0600, says where, and starts with an empty
        one; uninstalling puts it back.
    type: str
    choices: [fail, backup_and_replace]
    default: fail
"""
